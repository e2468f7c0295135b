"""`backdrop status`: how it goes, on one screen.

Promises a bounded number of requests however many jobs there are: open jobs are counted in the `open` index, finished
ones among those that came today and yesterday; where a bound cuts, the figure says "at least". Reads only.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from backdrop import jobs
from backdrop.states import OPEN, TERMINAL, State
from backdrop.workflow.admitting import PROVIDERS
from backdrop_cli.operator import board, letters, rows
from backdrop_cli.operator.admission import Admission, Spending, admission, spending
from backdrop_cli.operator.failures import PERSON
from backdrop_cli.operator.reach import Found
from backdrop_cli.operator.rows import Line
from backdrop_cli.operator.screen import counted, show_json, span, stamp

MOST_OF_PARTITION = 5000  # keys counted in one part of the open index
MOST_READ = 1000  # rows read of all that the sweep looks at
MOST_HELD_READ = 100  # rows of one part of the held jobs that are asked for their reason
MOST_OF_DAY = 2000  # rows read of one day
LAST_FAILURES = 5
STALLED_SECONDS = 300  # the sweep comes every minute: a row this long overdue is not looked at


@dataclass
class _Count:
    """What was counted."""

    states: dict[str, Counter[State]]  # by provider
    cut: bool = False
    waiting: int = 0  # drops that are no job yet
    overdue: float = 0.0  # seconds


def status(found: Found, *, as_json: bool) -> int:
    """Tell how the stack is; 0 when all is well, 3 when something needs a person."""
    facts = gather(found)
    if as_json:
        show_json(facts)
    else:
        board.show(facts)
    return PERSON if facts["attention"] else 0


def gather(found: Found) -> dict[str, Any]:
    """Everything that is told, as a script gets it."""
    world = found.world
    now = jobs.milliseconds(world)
    count = _Count({provider: Counter() for provider in PROVIDERS})
    read = [*_looked_at(found, count, now), *_lined_up(found, count)]
    held, lines = _held(found, count)
    read += lines
    today = datetime.fromtimestamp(now / 1000, UTC).date()
    finished, refused, cut = _finished(found, (today, today - timedelta(days=1)))
    all_gates = {provider: admission(world, provider) for provider in PROVIDERS}
    today_spent = spending(world)
    queues = letters.depths(found)
    oldest = min(read, key=lambda line: line.created_at, default=None)
    failed = sorted((line for line in finished if line.state is State.FAILED), key=lambda line: -line.moved_at)
    facts: dict[str, Any] = {
        "stack": found.name,
        "region": found.where.region,
        "endpoint": found.where.endpoint_url or None,
        "at": stamp(now),
        "open": {
            "states": _states(sum(count.states.values(), Counter()), OPEN),
            "at_least": count.cut,
            "drops_waiting": count.waiting,
        },
        "finished": {
            "since": (today - timedelta(days=1)).isoformat(),
            "states": _states(Counter(line.state for line in finished), TERMINAL),
            "drops_refused": refused,
            "at_least": cut,
        },
        "providers": {
            provider: {
                "open": _states(count.states[provider], OPEN),
                "finished": _states(Counter(line.state for line in finished if line.provider == provider), TERMINAL),
                **all_gates[provider].as_dict(),
            }
            for provider in PROVIDERS
        },
        "held": held,
        "oldest": oldest and {**_told(oldest), "age_seconds": max(0, now - oldest.created_at) // 1000},
        "spending": today_spent.as_dict(),
        "queues": queues,
        "overdue_seconds": round(count.overdue),
        "last_failures": [{**_told(line), "at": stamp(line.moved_at)} for line in failed[:LAST_FAILURES]],
    }
    facts["attention"] = list(_attention(facts, all_gates, today_spent))
    return facts


def _looked_at(found: Found, count: _Count, now: int) -> list[Line]:
    """The jobs where the sweep looks: their state stands in the row alone."""
    job_ids: list[str] = []
    for partition in rows.due_partitions():
        part = rows.opened(found.world, partition, most=MOST_OF_PARTITION)
        count.cut = count.cut or part.more
        if part.keys:
            count.overdue = max(count.overdue, (now - part.keys[0][1]) / 1000)
        count.waiting += sum(job_id.startswith("drop#") for job_id, _ in part.keys)
        job_ids += [job_id for job_id, _ in part.keys if not job_id.startswith("drop#")]
    count.cut = count.cut or len(job_ids) > MOST_READ
    lines = list(rows.read(found.world, job_ids[:MOST_READ]))
    for line in lines:
        if line.state in OPEN:  # the index follows the row
            count.states.setdefault(line.provider, Counter())[line.state] += 1
    return [line for line in lines if line.state in OPEN]


def _lined_up(found: Found, count: _Count) -> list[Line]:
    """The backlog of each provider; of each only its oldest row is read."""
    first: list[str] = []
    for provider in PROVIDERS:
        part = rows.opened(found.world, jobs.turns_partition(provider), most=MOST_OF_PARTITION)
        count.cut = count.cut or part.more
        count.states[provider][State.QUEUED] += len(part.keys)
        first += [job_id for job_id, _ in part.keys[:1]]
    return [line for line in rows.read(found.world, first) if line.state in OPEN]


def _held(found: Found, count: _Count) -> tuple[list[dict[str, Any]], list[Line]]:
    """Held jobs by provider and reason. Of many the reason is that of the first: they are held for one."""
    told: list[dict[str, Any]] = []
    read: list[Line] = []
    for partition in rows.held_partitions():
        part = rows.opened(found.world, partition, most=MOST_OF_PARTITION)
        count.cut = count.cut or part.more
        lines = list(rows.read(found.world, [job_id for job_id, _ in part.keys[:MOST_HELD_READ]]))
        lines = [line for line in lines if line.state is State.HELD]
        read += lines
        unread = max(0, len(part.keys) - MOST_HELD_READ)
        groups: dict[tuple[str, str], list[Line]] = defaultdict(list)
        for line in lines:
            groups[line.provider, line.code].append(line)
            count.states.setdefault(line.provider, Counter())[State.HELD] += 1
        for number, ((provider, code), members) in enumerate(sorted(groups.items(), key=lambda one: -len(one[1]))):
            extra = unread if number == 0 else 0
            count.states[provider][State.HELD] += extra
            told.append(
                {
                    "provider": provider,
                    "over_budget": rows.over_budget(partition),
                    "code": code,
                    "message": members[0].error.get("message", ""),
                    "action": members[0].error.get("action", ""),
                    "jobs": len(members) + extra,
                }
            )
    return told, read


def _finished(found: Found, days: Sequence[Any]) -> tuple[list[Line], int, bool]:
    """The finished jobs of some days, how many drops were refused on them, and whether there are more."""
    parts = [rows.of_day(found.world, day, most=MOST_OF_DAY) for day in days]
    ids = [row for part in parts for row, _ in part.keys]
    job_ids = [row for row in ids if not row.startswith("drop#")]
    lines = [line for line in rows.read(found.world, job_ids) if line.state in TERMINAL]
    return lines, len(ids) - len(job_ids), any(part.more for part in parts)


def _states(counted_states: Counter[State], of: frozenset[State]) -> dict[str, int]:
    return {str(state): counted_states[state] for state in State if state in of}


def _told(line: Line) -> dict[str, Any]:
    return {
        "job_id": line.job_id,
        "key": line.key,
        "label": line.label,
        "model": line.model,
        "state": str(line.state),
        "code": line.code or None,
        "message": line.error.get("message"),
        "action": line.error.get("action"),
    }


def _attention(facts: Mapping[str, Any], all_gates: Mapping[str, Admission], spent: Spending) -> Iterator[str]:
    """What needs a person, a sentence each with what to do."""
    for provider, gate in all_gates.items():
        if gate.breaker:
            what = str(gate.breaker.get("action") or "put the account in order")
            yield f"{provider} takes nothing ({gate.reason}): {what}; then backdrop resume --provider {provider}"
    for group in facts["held"]:
        jobs_held = counted(group["jobs"], "job")
        if group["over_budget"]:
            yield f"{jobs_held} of {group['provider']} held: the day's budget is reached; tomorrow (UTC) they go on"
        elif not all_gates[group["provider"]].breaker:
            what = group["action"] or "put the account in order"
            yield f"{jobs_held} of {group['provider']} held ({group['code']}): {what}; then backdrop resume"
    if spent.reached and not any(group["over_budget"] for group in facts["held"]):
        yield f"today's budget of ${spent.limit} is spent: what comes now is held until tomorrow (UTC)"
    yield from _amiss(facts)


def _amiss(facts: Mapping[str, Any]) -> Iterator[str]:
    """What went wrong with drops and messages."""
    letters_left = facts["queues"]["drop_dead_letters"] + facts["queues"]["work_dead_letters"]
    if letters_left:
        yield f"{counted(letters_left, 'message')} in the dead-letter queues: backdrop redrive --dead-letters"
    failed = facts["finished"]["states"]["FAILED"]
    if failed:
        yield f"{counted(failed, 'job')} failed since {facts['finished']['since']}: backdrop redrive tells why"
    refused = facts["finished"]["drops_refused"]
    if refused:
        since = facts["finished"]["since"]
        yield f"{counted(refused, 'drop')} refused since {since}: their error files lie in the output bucket"
    if facts["overdue_seconds"] > STALLED_SECONDS:
        late = span(facts["overdue_seconds"])
        yield f"work is overdue by {late}: is the schedule on, and does reconcile run? See its log and the dashboard"
