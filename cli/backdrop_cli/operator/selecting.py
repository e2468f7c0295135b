"""Which FAILED jobs are meant: by key, by reason, by time.

Promises to read a bounded part of the table, and to say when more was there. Times are those of the failure; jobs are
found by the day they came, so a search since a time also looks at the days before it (`EARLIER_DAYS`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from backdrop import jobs, keys
from backdrop.catalogue import closest
from backdrop.states import State
from backdrop_cli.operator import rows
from backdrop_cli.operator.failures import BAD_INPUT, Stopped
from backdrop_cli.operator.reach import Found
from backdrop_cli.operator.rows import Line
from backdrop_cli.operator.screen import progress

DEFAULT_DAYS = 7
EARLIER_DAYS = 2  # a job may fail this much later than it came, and is still found
MOST_DAYS = 400
MOST_READ = 100_000
_SPAN = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True)
class Wanted:
    """What the user named; times in milliseconds, 0 for none."""

    keys: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    since: int = 0
    until: int = 0

    @property
    def anything(self) -> bool:
        """Whether anything was named."""
        return bool(self.keys or self.reasons or self.since or self.until)


def moment(text: str, option: str, now: int) -> int:
    """A time of the user's in milliseconds: a span before now ("2h", "3d"), a date, or a time in ISO 8601 (UTC).

    Raises:
        Stopped: it is none of these.
    """
    if not text:
        return 0
    if span := _SPAN.fullmatch(text.strip().lower()):
        return max(1, now - int(span[1]) * _SECONDS[span[2]] * 1000)
    try:
        told = datetime.fromisoformat(text.strip())
    except ValueError:
        message = f"{option} {text!r} is no time: write a span such as 90m, 2h or 3d, or 2026-01-31T14:00 (UTC)"
        raise Stopped(message, BAD_INPUT) from None
    return int((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1000)


def failed(found: Found, wanted: Wanted, *, quiet: bool) -> tuple[list[Line], bool]:
    """The FAILED jobs that are meant, oldest failure first, and whether a bound cut some off.

    Raises:
        Stopped: a reason is none that there is.
    """
    if "" in wanted.keys:
        raise Stopped("--key is empty: name a key or a folder, or leave it out", BAD_INPUT)
    exact = tuple(key for key in wanted.keys if not key.endswith(("/", "*")))
    rest = tuple(key.rstrip("*") for key in wanted.keys if key not in exact)
    lines: dict[str, Line] = {}
    cut = False
    for key in exact:
        there = _of_key(found, key)
        lines |= there
        if not there:
            rest = (*rest, key)  # no photo's key: what keys begin with
    if rest or not wanted.keys:
        came, cut = _by_day(found, wanted, quiet=quiet)
        chosen = (line for line in came if not wanted.keys or line.key.startswith(rest))
        lines |= {line.job_id: line for line in chosen}
    known = {line.code for line in lines.values() if line.state is State.FAILED}
    meant = [_reason(reason, known) for reason in wanted.reasons]
    inside = [
        line
        for line in lines.values()
        if line.state is State.FAILED
        and (not meant or line.code in meant)
        and (not wanted.since or line.moved_at >= wanted.since)
        and (not wanted.until or line.moved_at < wanted.until)
    ]
    return sorted(inside, key=lambda line: (line.moved_at, line.job_id)), cut


def _of_key(found: Found, key: str) -> dict[str, Line]:
    """The jobs of one photo, named by its own key, its sidecar's or one of its jobs' ids."""
    if keys.classify(key) is keys.Kind.SIDECAR:
        key = keys.image_of(key)
    ids = [job.job_id for job in jobs.of_source(found.world, found.world.settings.input_bucket, key)]
    return {line.job_id: line for line in rows.read(found.world, ids or [key])}


def _by_day(found: Found, wanted: Wanted, *, quiet: bool) -> tuple[list[Line], bool]:
    days = list(_days(wanted, jobs.milliseconds(found.world)))
    job_ids: list[str] = []
    cut = False
    with progress("looking for failed jobs", None, quiet=quiet) as tick:
        for day in days:
            part = rows.of_day(found.world, day, most=MOST_READ - len(job_ids))
            job_ids += [job_id for job_id, _ in part.keys]
            cut = cut or part.more
            if cut:
                break
        lines = [line for line in rows.read(found.world, job_ids, tick=tick) if line.state is State.FAILED]
    return lines, cut


def _days(wanted: Wanted, now: int) -> Iterator[date]:
    last = datetime.fromtimestamp(min(wanted.until or now, now) / 1000, UTC).date()
    if wanted.since:
        first = datetime.fromtimestamp(wanted.since / 1000, UTC).date() - timedelta(days=EARLIER_DAYS)
    else:
        first = last - timedelta(days=DEFAULT_DAYS - 1)
    for number in range(min((last - first).days + 1, MOST_DAYS)):
        yield last - timedelta(days=number)


def _reason(given: str, there: set[str]) -> str:
    """The reason's code as the table has it: one of those that are there, or any that the code knows."""
    code = given.strip().upper().replace("-", "_")
    if code in there:
        return code
    from backdrop_cli.reasons import reasons  # noqa: PLC0415 - reads the library's source: only for what is not there

    known = {one.code for one in reasons()}
    if code in known:
        return code
    meant = closest(code, sorted(there)) or closest(code, sorted(known))
    listed = ", ".join(sorted(there)) or "none"
    hint = f"did you mean {meant}?" if meant else f"failed jobs here have: {listed}"
    raise Stopped(f"no job fails for a reason called {given}; {hint}", BAD_INPUT)


def by_reason(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """The jobs by their reason, the most frequent first."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.code, []).append(line)
    return dict(sorted(groups.items(), key=lambda one: (-len(one[1]), one[0])))
