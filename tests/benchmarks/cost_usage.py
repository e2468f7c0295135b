"""What invocations used of what AWS charges for, from what was metered on the wire.

Promises that each request is in exactly one line, and that what AWS does itself for a drop (S3's notice to the queue,
Lambda's receiving and deleting, the lines of its own in the log, traces, S3's events) is there too, though nobody
here sends it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import cost_waits
import prices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from metering import Metered
    from scale_play import Invocation

MEGABYTES = 512  # the template's MemorySize of each function
PLATFORM_BYTES = 700  # Lambda's lines of one invocation at SystemLogLevel INFO: platform.start, platform.report
ACCESS_BYTES = 360  # a line of the access log
DAY = 86_400.0
QUEUE_CALLS = 2  # of Lambda's own for each batch: ReceiveMessage and DeleteMessage

KINDS = (
    "S3 reads",
    "S3 lists",
    "S3 writes",
    "table reads",
    "table writes",
    "queues",
    "secrets",
    "provider",
)


def seconds(invocation: Invocation, megabytes: int = MEGABYTES) -> float:
    """How long an invocation takes in a function of that memory: its processor time there, and what it waits for."""
    return cost_waits.processor(invocation.cpu, megabytes) + invocation.waited


def of_calls(calls: Iterable[Metered]) -> dict[str, float]:
    """What requests use, by the names of `prices.PRICES`; those of providers use nothing of AWS's."""
    used: dict[str, float] = defaultdict(float)
    for call in calls:
        match call.service:
            case "dynamodb":
                used["table reads"] += call.reads
                used["table writes"] += call.writes.total()
            case "s3" if call.verb == "LIST":
                used["S3 lists"] += 1
            case "s3" if call.verb in {"GET", "HEAD"}:
                used["S3 reads"] += 1
            case "s3" if call.verb != "DELETE":  # deletes are free
                used["S3 writes"] += 1
                used["output events"] += call.what == "outputbucket"
            case "sqs":
                used["queues"] += 1
            case "secretsmanager":
                used["secrets"] += 1
    return used


def of_invocations(invocations: Iterable[Invocation]) -> dict[str, float]:
    """What invocations use, their requests included."""
    used: dict[str, float] = defaultdict(float)
    for one in invocations:
        for name, amount in of_calls(one.calls).items():
            used[name] += amount
        used["Lambda requests"] += 1
        used["Lambda time"] += seconds(one) * MEGABYTES / 1024
        used["logs"] += one.logged + PLATFORM_BYTES
        used["traces"] += 1
        if one.function == "webhook":
            used["callback API"] += 1
            used["logs"] += ACCESS_BYTES
        elif not one.sweep:
            used["queues"] += QUEUE_CALLS
        if one.function == "submit":
            used["queues"] += one.records  # S3's notices
    return used


def by_kind(invocations: Iterable[Invocation]) -> Counter[str]:
    """Requests by kind."""
    counted: Counter[str] = Counter()
    for call in (call for one in invocations for call in one.calls):
        if not call.aws:
            counted["provider"] += 1
        elif call.service == "dynamodb":
            counted["table writes" if call.writes else "table reads"] += 1
        elif call.service == "s3":
            reads = call.verb in {"GET", "HEAD"}
            counted["S3 lists" if call.verb == "LIST" else "S3 reads" if reads else "S3 writes"] += 1
        else:
            counted["queues" if call.service == "sqs" else "secrets"] += 1
    return counted


def units(invocations: Iterable[Invocation]) -> Counter[str]:
    """Write units by what is written: a row's kind, or an index."""
    counted: Counter[str] = Counter()
    for call in (call for one in invocations for call in one.calls):
        for where, charged in call.writes.items():
            counted[f"{call.what} rows" if where == "table" else f"index {where}"] += charged
    return counted


def sampled(used: Mapping[str, float], pictures_a_day: float) -> dict[str, float]:
    """What is used with only those traces that X-Ray records when so many pictures come evenly over the day."""
    return {**used, "traces": used["traces"] * prices.traced(pictures_a_day / DAY)}


def thousand(used: Mapping[str, float]) -> dict[str, float]:
    """Dollars a thousand pictures, by line."""
    return {name: 1000 * spent for name, spent in prices.dollars(used).items()}
