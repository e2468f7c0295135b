"""The job table: one row a job, every write a conditional move of `states.MOVES`.

Promises that a row which is not terminal is in the `open` index with the time it is next looked at, and that a
terminal row leaves it and gets an expiry in the same write. Refuses any change whose move the table of states does
not allow: the condition is built from it. Times in the table are milliseconds since the epoch.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from backdrop import keys, table
from backdrop.states import MOVES, SWEPT, TERMINAL, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from backdrop.world import World


@dataclass(frozen=True)
class Job:
    """One row. `due` is when the sweep looks next; `not_before` the earliest next POST; both milliseconds."""

    job_id: str
    state: State
    model: str
    provider: str
    label: str
    spec: dict[str, Any]  # JobSpec.normalised()
    bucket: str
    key: str
    etag: str
    version_id: str
    size: int
    content_type: str
    drop_version: str  # the versions of photo and sidecar: another one of a FAILED job tries again
    spec_key: str
    created_at: int
    dropped_at: int
    siblings: list[str] = field(default_factory=list)
    reference_key: str = ""
    reference_version: str = ""
    form: str = ""
    price: str = ""
    attempt: int = 1
    reopened: int = 0  # attempts that retryable failures opened
    reposts: int = 0  # POSTs repeated after Unknown
    runs: dict[str, str] = field(default_factory=dict)  # "a<attempt>" -> the provider's run id
    open_at: int = 0
    not_before: int = 0
    lease: str = ""
    lease_until: int = 0
    doubt_since: int = 0
    held_at: int = 0
    charged: str = ""  # "<attempt>@<UTC day>": what the day's spend holds of it
    posted_at: int = 0
    accepted_at: int = 0
    finished_at: int = 0
    delivered_at: int = 0
    looks: int = 0  # in a row without progress: what back-off grows with
    won: int = 0  # the attempt that succeeded: any that was opened may
    outputs: list[dict[str, Any]] = field(default_factory=list)  # the `key` of each; their records hold the rest
    facts: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """What the row is about: `<bucket>/<key>`."""
        return f"{self.bucket}/{self.key}"

    @property
    def run_id(self) -> str:
        """The run of the attempt that won, else of the current one; empty while unknown."""
        return self.run_of(self.won or self.attempt)

    def run_of(self, attempt: int) -> str:
        """The provider's run id of an attempt; empty while unknown."""
        return self.runs.get(f"a{attempt}", "")

    @property
    def reference(self) -> str:
        """The name of the current attempt towards the provider."""
        return keys.attempt_reference(self.job_id, self.attempt)

    def leased(self, now: int) -> bool:
        """Whether somebody is at work on it."""
        return self.lease_until > now


_JSON = ("spec", "outputs", "facts", "error")  # kept as JSON text: numbers stay as the provider wrote them
# What is as a new job has it need not be written: below 1 KB each write of a row costs half. But for what conditions
# and paths name, and the reason, which people look for.
_SILENT = {
    one.name: one.default if one.default_factory is MISSING else one.default_factory()
    for one in fields(Job)
    if (one.default, one.default_factory) != (MISSING, MISSING)
    and one.name not in {"attempt", "lease", "runs", "error"}
}


_DERIVED = frozenset({"bucket", "version_id"})  # they begin `source` and `drop_version`


def _silent(name: str, value: object) -> bool:
    """Whether an attribute says nothing that the row without it does not say."""
    return name in _DERIVED or (name in _SILENT and value == _SILENT[name])


def _row(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: json.dumps(value, separators=(",", ":")) if name in _JSON else value for name, value in values.items()
    }


def _job(item: Mapping[str, Any]) -> Job:
    known = {f.name for f in fields(Job)}
    values = {name: value for name, value in item.items() if name in known}
    for name in _JSON:
        if name in values:
            values[name] = json.loads(values[name])
    values["state"] = State(values["state"])
    values["bucket"] = item["source"].partition("/")[0]
    values["version_id"] = item["drop_version"].partition("/")[0]
    return Job(**values)


def milliseconds(world: World) -> int:
    """The clock, as the table keeps it."""
    return int(world.now() * 1000)


def due_partition(row: str) -> str:
    """The partition of the `open` index where the sweep looks for this row, a job's or a drop's."""
    return f"due#{keys.due_shard(row.removeprefix('drop#'))}"


def day_partition(now: int, row: str) -> str:
    """The partition of the `by_day` index for a row that is written now (milliseconds)."""
    day = datetime.fromtimestamp(now / 1000, UTC).date().isoformat()
    return f"{day}#{keys.due_shard(row.removeprefix('drop#'))}"


def turns_partition(provider: str) -> str:
    """The partition of the `open` index where a provider's jobs stand until their turn."""
    return f"queued#{provider}"


def held_partition(pool: str) -> str:
    """The partition of the `open` index of what is held: for a provider's account, or its jobs over the budget."""
    return f"held#{pool}"


def get(world: World, job_id: str) -> Job | None:
    """The job, read consistently; None when there is none or the row is a drop's."""
    item = table.get(world, job_id)
    return of_item(item) if item else None


def of_item(item: Mapping[str, Any]) -> Job | None:
    """The job that an item of the table is; None when it is another row, a drop's or a gate's."""
    return _job(item) if item.get("state") in State.__members__ else None


class Ready(NamedTuple):
    """A job that waits for its first step. `written`: whether the table has it."""

    job: Job
    written: bool = True


def create(world: World, job: Job) -> bool:
    """Write a new job, QUEUED or, with its lease, SUBMITTING; False when it is there already."""
    now = milliseconds(world)
    row = {f.name: getattr(job, f.name) for f in fields(Job)}
    row = {name: value for name, value in row.items() if not _silent(name, value)}
    row |= {
        "state": str(job.state),
        "source": job.source,
        "day": day_partition(now, job.job_id),
        "open": _partition(job, job.state, ""),
        "open_at": job.open_at or now,
    }
    if not table.create(world, _row(row)):
        if not job.lease:
            return False
        # Refused by our own write, when its reply was lost and the client asked again: no two have the same lease.
        there = table.get(world, job.job_id)
        if there is None or there["lease"] != job.lease:
            return False
    world.log.info("created", correlation_id=job.job_id, state=str(job.state))
    return True


def move(
    world: World,
    job: Job,
    name: str,
    *,
    look_in: float = 0,
    put: Mapping[str, Any] | None = None,
    pool: str = "",
    keep_earlier: bool = False,
) -> Job | None:
    """Make the move `name`; the row as it then is, or None when somebody was faster.

    Besides the table of states the row must still be of this `job`'s attempt, and of its lease where it holds one.
    `look_in` seconds from now the sweep looks at it again; for a QUEUED job: its turn may come. `keep_earlier`: where
    the row as it was read has it look sooner, that stays, since another time costs two more writes of the index (a
    sweep in between may have put it off by its minute). `pool` is what a HELD job waits for, when that is not its
    provider's account.
    """
    rule = MOVES[name]
    now = milliseconds(world)
    told = {name: value for name, value in (put or {}).items() if not _silent(name, value)}
    changes: dict[str, Any] = {"state": str(rule.target), "moved_at": now, **_row(told)}
    drop = tuple(name for name in put or {} if name not in told)
    due = now + int(look_in * 1000)
    bound: dict[str, Any] = {f"from{n}": str(state) for n, state in enumerate(sorted(rule.sources))}
    condition = f"#state IN ({', '.join(f':{name}' for name in bound)}) AND #attempt = :attempt"
    bound["attempt"] = job.attempt
    condition += " AND #lease = :lease"
    bound["lease"] = job.lease
    if rule.target in TERMINAL:
        drop += ("open", "open_at")
        changes["expires_at"] = now // 1000 + world.settings.retention_days * 86_400
    elif keep_earlier and {job.state, rule.target} <= SWEPT and job.open_at <= due:
        condition += " AND #open = :open"  # it is in the index, and stays there
        bound["open"] = due_partition(job.job_id)
    else:
        changes["open"] = _partition(job, rule.target, pool)
        changes["open_at"] = due
        drop += ("expires_at",)
    tried = table.attempt(world, job.job_id, put=changes, drop=drop, condition=condition, values=bound)
    item = tried.item
    # Refused by our own write, when its reply was lost and the client asked again: no two writes have the same lease.
    ours = item is not None and "lease" in changes and item["lease"] == changes["lease"]
    if item is None or not (tried.done or ours):
        return None
    world.log.info("moved", correlation_id=job.job_id, move=name, state=str(rule.target), attempt=item["attempt"])
    return _job(item)


def _partition(job: Job, state: State, pool: str) -> str:
    """Where a job that is not terminal stands in the `open` index."""
    if state is State.QUEUED:
        return turns_partition(job.provider)
    return held_partition(pool or job.provider) if state is State.HELD else due_partition(job.job_id)


def leased(world: World, seconds: float) -> dict[str, Any]:
    """The attributes of a row that the caller holds for `seconds`."""
    return {"lease": f"held/{secrets.token_urlsafe(12)}", "lease_until": milliseconds(world) + int(seconds * 1000)}


def released() -> dict[str, Any]:
    """The attributes of a row that nobody holds; each release is another, so that no older reading fits it again."""
    return {"lease": f"free/{secrets.token_urlsafe(12)}", "lease_until": 0}


def note_run(world: World, job: Job, attempt: int, run_id: str) -> Job | None:
    """Keep the run id of an attempt that has none yet; the row, or None when it has another one."""
    slot = f"a{attempt}"
    item = table.change(
        world,
        job.job_id,
        put={f"runs.{slot}": run_id},
        condition=f"attribute_not_exists(#runs.#{slot}) OR #runs.#{slot} IN (:run, :none)",
        values={"run": run_id, "none": ""},
    )
    return _job(item) if item else None


def look_again(world: World, key: str, seen: int, *, look_in: float) -> bool:
    """Move the due time of a row that the sweep found at `seen`; False when somebody else has."""
    item = table.change(
        world,
        key,
        put={"open_at": milliseconds(world) + int(look_in * 1000)},
        condition="#open_at = :seen",
        values={"seen": seen},
    )
    return item is not None


def many(world: World, job_ids: Iterable[str]) -> list[Job]:
    """The jobs with these ids, each read consistently; missing ones are left out."""
    found = (get(world, job_id) for job_id in job_ids)
    return [job for job in found if job is not None]


def of_source(world: World, bucket: str, key: str) -> list[Job]:
    """The jobs of one photo, at most 100."""
    return many(world, table.of_source(world, f"{bucket}/{key}"))


def known(world: World, bucket: str, key: str) -> bool:
    """Whether the table has a job of this photo, or a row of its drop."""
    return bool(table.of_source(world, f"{bucket}/{key}", limit=1) or table.get(world, keys.drop_row_id(bucket, key)))
