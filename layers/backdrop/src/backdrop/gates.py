"""One item a provider in the job table, its gate: who is let in, and whether anybody is.

Promises that one conditional update admits a job: its place is taken only while fewer than the provider's limit are
taken, no pause is on and the breaker is closed. Refuses to free a place that has since been given to another attempt.
Knows DynamoDB and no order of steps: `workflow.admitting` does.

A place is `places.<job id> = "a<attempt>/<until>"`; attempt 0 was given to a job that has not come for it yet. `until`
is when somebody looks whether its holder is still there; in whole seconds, so that an item with 20 places stays below
the 1 KB beyond which each of its writes costs double.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from backdrop import table
from backdrop.jobs import milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backdrop.errors import Parked
    from backdrop.jobs import Job
    from backdrop.world import World

PLACE_SECONDS = 120.0  # after which it is checked that a place's holder still needs it

MOST_GIVEN = 25  # places in one update: its expression may have 4 KB

_OPEN = "#breaker = :none AND #not_before <= :now"


class Gate(NamedTuple):
    """The item as read. `breaker` is the reason nobody is let in (empty: closed); times in milliseconds."""

    provider: str
    places: Mapping[str, str]
    breaker: Mapping[str, Any]
    probe: str  # the one job that may pass while the breaker is open
    probe_at: int
    not_before: int

    def paused(self, now: int) -> bool:
        """Whether the provider asked for silence until later."""
        return self.not_before > now


class Place(NamedTuple):
    """A taken place: whose attempt (0: nobody has come for it yet), and until when nobody asks (unix seconds)."""

    attempt: int
    until: int

    def __str__(self) -> str:
        """As it stands in the table."""
        return f"a{self.attempt}/{self.until}"


def place(text: str) -> Place:
    """Read a place as it stands in the table."""
    attempt, _, until = text.removeprefix("a").partition("/")
    return Place(int(attempt), int(until))


def item_id(provider: str) -> str:
    """The key of a provider's gate in the job table."""
    return f"gate#{provider}"


def read(world: World, provider: str) -> Gate | None:
    """The gate, read consistently; None before the provider's first job."""
    item = table.get(world, item_id(provider))
    return _gate(provider, item) if item else None


def make(world: World, provider: str) -> None:
    """Write an open gate where there is none."""
    empty = {"places": {}, "breaker": "", "probe": "", "probe_at": 0, "not_before": 0}
    table.create(world, {"job_id": item_id(provider), **empty})


def take(world: World, job: Job) -> Gate | None:
    """Take a place for the job's attempt, or come for the one it was given; None when taken, else what refused it."""
    while True:
        tried = table.attempt(
            world,
            item_id(job.provider),
            put={f"places.{job.job_id}": str(_place(world, job.attempt))},
            condition=f"attribute_exists(#places) AND (#probe = :job OR ({_OPEN})) AND {_mine(job)}",
            values=_values(
                world,
                job=job.job_id,
                limit=world.settings.at_a_time(job.provider),
                given="a0/",
                mine=f"a{job.attempt}/",
            ),
        )
        if tried.done:
            return None
        if tried.item:
            return _gate(job.provider, tried.item)
        make(world, job.provider)  # the provider's first job: never gone again, so this ends


def _mine(job: Job) -> str:
    """That there is a place for the job's attempt: a free one, the one it was given, or its own already."""
    name = f"#places.#{job.job_id}"
    free = f"(attribute_not_exists({name}) AND size(#places) < :limit)"
    return f"({free} OR begins_with({name}, :given) OR begins_with({name}, :mine))"


def give(world: World, provider: str, job_ids: Sequence[str]) -> bool:
    """Give free places to jobs that wait, at most MOST_GIVEN, all or none."""
    return table.attempt(
        world,
        item_id(provider),
        put={f"places.{job_id}": str(_place(world, 0)) for job_id in job_ids},
        condition=f"{_OPEN} AND size(#places) <= :room AND "
        + " AND ".join(f"attribute_not_exists(#places.#{job_id})" for job_id in job_ids),
        values=_values(world, room=world.settings.at_a_time(provider) - len(job_ids)),
    ).done


def leave(world: World, job: Job, *, heir: str = "") -> Gate | None:
    """Free the place of the job's attempt, and give it to `heir`; None when done, else the gate that refused it."""
    held = f"begins_with(#places.#{job.job_id}, :mine)"
    given = {f"places.{heir}": str(_place(world, 0))} if heir else None
    free = f" AND {_OPEN} AND size(#places) <= :limit AND attribute_not_exists(#places.#{heir})" if heir else ""
    values: dict[str, Any] = {"mine": f"a{job.attempt}/"}
    if heir:
        values |= _values(world, limit=world.settings.at_a_time(job.provider))
    tried = table.attempt(
        world,
        item_id(job.provider),
        put=given,
        drop=(f"places.{job.job_id}",),
        condition=held + free,
        values=values,
    )
    return None if tried.done or tried.item is None else _gate(job.provider, tried.item)


def correct(world: World, provider: str, job_id: str, seen: str, attempt: int | None) -> bool:
    """Renew a place that was read as `seen` for `attempt`, or free it (None); False when it has changed since."""
    path = f"places.{job_id}"
    return table.attempt(
        world,
        item_id(provider),
        put=None if attempt is None else {path: str(_place(world, attempt))},
        drop=(path,) if attempt is None else (),
        condition=f"#places.#{job_id} = :seen",
        values={"seen": seen},
    ).done


def pause(world: World, provider: str, until: int) -> bool:
    """Let nobody in before `until` (milliseconds); False when that was so already."""
    return table.attempt(
        world,
        item_id(provider),
        put={"not_before": until},
        condition="#not_before < :until",
        values={"until": until},
    ).done


def shut(world: World, provider: str, reason: Parked) -> bool:
    """Open the breaker: nobody is let in but a probe, from time to time. Whether it was closed before."""
    if read(world, provider) is None:
        make(world, provider)
    put = {
        "breaker": json.dumps({**reason.as_problem().as_dict(), "since": milliseconds(world)}),
        "probe": "",
        "probe_at": milliseconds(world) + world.settings.hold_retry_seconds * 1000,
    }
    if table.attempt(world, item_id(provider), put=put, condition="#breaker = :none", values={"none": ""}).done:
        return True
    put.pop("breaker")  # since when, and why at first, stays
    table.attempt(world, item_id(provider), put=put)
    return False


def let_probe(world: World, gate: Gate, job_id: str) -> bool:
    """Let one job pass the open breaker; False when another is on its way, or it is not time."""
    now = milliseconds(world)
    return table.attempt(
        world,
        item_id(gate.provider),
        put={
            "probe": job_id,
            "probe_at": now + world.settings.hold_retry_seconds * 1000,
            f"places.{job_id}": str(_place(world, 0)),
        },
        condition="#breaker <> :none AND #probe_at <= :now AND size(#places) < :limit",
        values=_values(world, limit=world.settings.at_a_time(gate.provider)) | {"now": now},
    ).done


def end_probe(world: World, job: Job) -> None:
    """The probe came to nothing that says anything of the account: another may go at once."""
    table.attempt(
        world,
        item_id(job.provider),
        put={"probe": "", "probe_at": 0},
        condition="#probe = :job",
        values={"job": job.job_id},
    )


def reopen(world: World, provider: str, *, probe: str = "") -> bool:
    """Close the breaker and end a pause, when `probe` was let through or by command (no probe); whether it was on."""
    proof = "#probe = :probe" if probe else "(#breaker <> :none OR #not_before > :now)"
    return table.attempt(
        world,
        item_id(provider),
        put={"breaker": "", "probe": "", "probe_at": 0, "not_before": 0},
        condition=f"attribute_exists(#places) AND {proof}",
        values={"probe": probe} if probe else _values(world),
    ).done


def _values(world: World, **more: Any) -> dict[str, Any]:
    return {"none": "", "now": milliseconds(world), **more}


def _place(world: World, attempt: int) -> Place:
    return Place(attempt, math.ceil(world.now() + PLACE_SECONDS))


def _gate(provider: str, item: Mapping[str, Any]) -> Gate:
    return Gate(
        provider,
        places=item["places"],
        breaker=json.loads(item["breaker"]) if item["breaker"] else {},
        probe=item["probe"],
        probe_at=item["probe_at"],
        not_before=item["not_before"],
    )
