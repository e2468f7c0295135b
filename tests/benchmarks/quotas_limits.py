"""The quotas themselves, and at how many pictures a second each of them binds: computed, nothing measured here.

Promises that a rate is a quota divided by what one picture uses of it; of the gate, whose item grows with the jobs
under way, it is solved for. Quotas are AWS's defaults, or the template's own (`own`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import units

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = 86_400.0
RUN_SECONDS = 12.8  # that the provider takes for each
ITEM_BYTES = 400 * 1024  # DynamoDB: the largest item
PARTITION_WRITES = 1000.0  # DynamoDB: write units a second of one partition
TABLE_WRITES = 40_000.0  # DynamoDB: write units a second of a table on demand, and of each index
LAMBDA_AT_A_TIME = 1000.0  # Lambda: executions at a time in an account and region
GATEWAY_CALLS = 10_000.0  # API Gateway: calls a second in an account and region
PREFIX_WRITES, PREFIX_READS = 3500.0, 5500.0  # S3: requests a second of one prefix
IN_FLIGHT = 120_000.0  # SQS: messages received and not deleted
SECRET_CALLS = 10_000.0  # Secrets Manager: GetSecretValue a second
COLD = 0.01  # of invocations begin in a cold environment, which reads both secrets


@dataclass(frozen=True, slots=True)
class Limit:
    """A quota: `rate` is the pictures a second at which it binds, `advice` what to set then."""

    name: str
    quota: str
    each: str
    rate: float
    advice: str
    own: bool = False  # the template's, and not AWS's

    @property
    def day(self) -> float:
        """Pictures a day at which it binds."""
        return self.rate * DAY


@dataclass(frozen=True, slots=True)
class Constants:
    """What one picture used, measured. `seconds` and calls by function; `placed` write units by partition."""

    seconds: Mapping[str, float]
    calls: Mapping[str, float]
    units: Mapping[str, float]
    placed: Mapping[str, float]
    writes: Mapping[str, float]  # units in the table and in each index
    gate_writes: float
    gate_bytes: float
    place_bytes: float
    at_a_time: Mapping[str, float]


def limits(told: Constants, shards: int) -> list[Limit]:
    """Every quota with the rate at which it binds, the lowest first."""
    submit, work, hook = (told.seconds[name] for name in ("submit", "reconcile", "webhook"))
    most = told.at_a_time["most at a time"]
    largest = max(told.writes, key=lambda where: told.writes[where])
    found = [
        Limit(
            f"jobs at the provider, {told.at_a_time['ImagepipelineAtATime']:.0f} at a time",
            f"{told.at_a_time['ImagepipelineAtATime']:.0f} (the template's default)",
            f"{RUN_SECONDS} s",
            told.at_a_time["ImagepipelineAtATime"] / RUN_SECONDS,
            f"ImagepipelineAtATime, as your plan there allows; at most {most:.0f}",
            own=True,
        ),
        Limit(
            f"jobs at the provider, {most:.0f} at a time",
            f"{most:.0f} (the parameter's most)",
            f"{RUN_SECONDS} s",
            most / RUN_SECONDS,
            "more than one stack, or accounts at more than one provider",
            own=True,
        ),
        Limit(
            "DropConcurrency",
            f"{told.at_a_time['DropConcurrency']:.0f} copies of submit",
            f"{submit:.2f} s",
            told.at_a_time["DropConcurrency"] / submit,
            "DropConcurrency, up to 1,000",
            own=True,
        ),
        Limit(
            "WorkConcurrency",
            f"{told.at_a_time['WorkConcurrency']:.0f} copies of reconcile",
            f"{work:.2f} s",
            told.at_a_time["WorkConcurrency"] / work,
            "WorkConcurrency, up to 1,000",
            own=True,
        ),
        Limit(
            "callback API, its own throttle",
            f"{told.at_a_time['callbacks']:.0f} calls a second",
            f"{told.calls['webhook']:.1f} calls",
            told.at_a_time["callbacks"] / told.calls["webhook"],
            "ThrottlingRateLimit in template.yaml",
            own=True,
        ),
        Limit(
            "the gate: one partition's writes",
            f"{PARTITION_WRITES:.0f} units a second",
            f"{told.gate_writes:.1f} writes of the whole item, {told.place_bytes:.0f} bytes for each job under way",
            gate_rate(told),
            "more than one gate for a provider (shards), or smaller places",
        ),
        Limit(
            "the gate: the largest item",
            f"{ITEM_BYTES // 1024} KB",
            f"{told.place_bytes:.0f} bytes for {RUN_SECONDS} s",
            (ITEM_BYTES - told.gate_bytes) / told.place_bytes / RUN_SECONDS,
            "the same",
        ),
        Limit(
            "the day's spend: one item",
            f"{PARTITION_WRITES:.0f} units a second",
            f"{told.units['spend']:.1f} writes",
            PARTITION_WRITES / told.units["spend"],
            "a spend item in shards",
        ),
        Limit(
            "Lambda at a time",
            f"{LAMBDA_AT_A_TIME:.0f} in the account",
            f"{submit + work + hook:.2f} s",
            LAMBDA_AT_A_TIME / (submit + work + hook),
            "ask AWS: raised on request",
        ),
        Limit(
            f"writes of {'the table' if largest == 'table' else f'index {largest}'}",
            f"{TABLE_WRITES:,.0f} units a second of the table, as many of each index",
            f"{told.writes[largest]:.1f} units",
            TABLE_WRITES / told.writes[largest],
            "ask AWS: raised on request",
        ),
        Limit(
            "API Gateway in the account",
            f"{GATEWAY_CALLS:,.0f} calls a second",
            f"{told.calls['webhook']:.1f} calls",
            GATEWAY_CALLS / told.calls["webhook"],
            "ask AWS: raised on request",
        ),
        Limit(
            "S3 reads and lists of one folder",
            f"{PREFIX_READS:,.0f} a second",
            f"{told.units['inputbucket reads'] + 1:.1f} requests",
            PREFIX_READS / (told.units["inputbucket reads"] + 1),
            "drop into more than one folder: S3 splits by prefix",
        ),
        Limit(
            "S3 writes of one folder",
            f"{PREFIX_WRITES:,.0f} a second",
            f"{told.units['outputbucket writes']:.1f} requests",
            PREFIX_WRITES / told.units["outputbucket writes"],
            "the same",
        ),
        Limit(
            "messages in flight",
            f"{IN_FLIGHT:,.0f} a queue",
            f"{max(submit, work):.2f} s",
            IN_FLIGHT / max(submit, work),
            "ask AWS",
        ),
        Limit(
            "Secrets Manager",
            f"{SECRET_CALLS:,.0f} calls a second",
            f"{COLD * 2 * sum(told.calls.values()):.3f} calls ({COLD:.0%} cold)",
            SECRET_CALLS / (COLD * 2 * sum(told.calls.values())),
            "nothing",
        ),
    ]
    for where, charged in told.placed.items():
        if where.startswith("by_source"):
            continue  # a partition of its own for each photo
        spread = shards if where.startswith(("open, due#", "by_day")) else 1
        found.append(
            Limit(
                f"index {where}",
                f"{PARTITION_WRITES:.0f} units a second, {spread} of them",
                f"{charged:.1f} units",
                spread * PARTITION_WRITES / charged,
                "more shards" if spread > 1 else "a backlog in shards",
            )
        )
    return sorted(found, key=lambda one: one.rate)


def gate_rate(told: Constants) -> float:
    """Pictures a second at which the gate's partition has no more units: each write is charged for the whole item.

    With r a second there are r * RUN_SECONDS places in it: gate_writes * r * KB(r) = PARTITION_WRITES.
    """
    kb = told.place_bytes * RUN_SECONDS / units.WRITE_BYTES
    base = told.gate_bytes / units.WRITE_BYTES
    return (-base + math.sqrt(base**2 + 4 * kb * PARTITION_WRITES / told.gate_writes)) / (2 * kb)
