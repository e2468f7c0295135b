"""Whose turn it is: places at each provider, the backlog in the table, the breaker, and the day's budget.

Promises that no more jobs of a provider are between claim and outcome than the operator allows, that whoever frees a
place hands it to the next in the backlog, that a refused account holds the backlog instead of posting it in vain, and
that a place whose holder crashed is found and freed. Each step costs the same however long the backlog is.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import batched
from typing import TYPE_CHECKING

from backdrop import budget, gates, jobs, keyring, table, work
from backdrop.catalogue import MODELS
from backdrop.errors import BackdropError, Parked
from backdrop.states import State

if TYPE_CHECKING:
    from backdrop.gates import Gate
    from backdrop.jobs import Job
    from backdrop.world import World

PROVIDERS = tuple(sorted({model.provider for model in MODELS.values()}))
BATCH = 50  # jobs held or released in one turn; what is left over asks for another turn
HEIRS = 3  # of the backlog are tried when a place is handed on
FAR = 10 * 365 * 86_400_000  # milliseconds: later than anything is due
LONGEST_HOLD = 86_400.0


def pool_over_budget(provider: str) -> str:
    """The pool of a provider's jobs that the day's budget has no room for."""
    return f"budget#{provider}"


def pool_alone(provider: str) -> str:
    """The pool of a provider's jobs that are held each for itself: what the account may not do (403)."""
    return f"alone#{provider}"


def pools(provider: str) -> tuple[str, ...]:
    """The partitions of everything that is held of a provider: for its account, for the budget, each for itself."""
    return tuple(jobs.held_partition(pool) for pool in (provider, pool_over_budget(provider), pool_alone(provider)))


def enter(world: World, job: Job, *, again: bool = False) -> str | None:
    """Take a place for the job's attempt and charge its day; the charge's mark, or None when it may not be posted now.

    What a refusal asks for has then been done: the job waits in the backlog, or is HELD.
    """
    refused = gates.take(world, job)
    if refused is not None:
        _turned_away(world, job, refused)
        return None
    try:
        return budget.charge(world, job, again=again)
    except Parked as reason:
        if job.state is State.QUEUED:  # an attempt that may have been accepted is never held, and was charged
            hold(world, job, reason, pool=pool_over_budget(job.provider), look_in=budget.seconds_left(world))
        return None


def slip_in(world: World, job: Job) -> str | None:
    """`enter` for a job that is not in the table yet: its charge's mark, or None, and nothing is done about that."""
    if gates.take(world, job) is None:
        with suppress(Parked):  # its place stays its own: `enter` finds it, and says what is wrong
            return budget.charge(world, job)
    return None


def _turned_away(world: World, job: Job, gate: Gate) -> None:
    given = gate.places.get(job.job_id, "")
    waits = job.state is State.QUEUED
    if given.startswith("a0/") and waits:
        gates.correct(world, job.provider, job.job_id, given, None)
    if gate.breaker and waits:
        _hold_back(world, job, gate)


def _hold_back(world: World, job: Job, gate: Gate) -> None:
    reason = {name: text for name, text in gate.breaker.items() if name != "since"}
    put = {"held_at": jobs.milliseconds(world), "error": reason, "charged": "", **jobs.released()}
    if jobs.move(world, job, "hold", put=put):
        world.metric("JobsHeld")
        budget.refund(world, job)


def leave(world: World, job: Job) -> None:
    """The job's attempt no longer needs its place: hand it to the next in the backlog, or free it."""
    waiting = [one for one in _turns(world, job.provider, HEIRS) if one != job.job_id]
    for _ in range(HEIRS):
        heir = waiting[0] if waiting else ""
        refused = gates.leave(world, job, heir=heir)
        if refused is None:
            if heir:
                work.send(world, work.job(heir))
            return
        if not refused.places.get(job.job_id, "").startswith(f"a{job.attempt}/"):
            return  # freed already, or another attempt's by now
        shut = refused.breaker or refused.paused(jobs.milliseconds(world))
        waiting = [] if shut else [one for one in waiting if one not in refused.places and one != heir]
    gates.leave(world, job)


def _turns(world: World, provider: str, most: int) -> list[str]:
    """Ids of the backlog whose turn may come, the oldest first."""
    partition = jobs.turns_partition(provider)
    places = world.settings.at_a_time(provider)  # so many of the backlog may have been given one already
    return [job_id for job_id, _ in table.due(world, partition, jobs.milliseconds(world), limit=most + places)]


def pause(world: World, provider: str, seconds: float) -> None:
    """Nobody asks the provider for so long; whoever was first to say so sees that it goes on then."""
    if gates.pause(world, provider, jobs.milliseconds(world) + int(seconds * 1000)):
        work.send(world, work.gate(provider), delay=seconds)


def hold(world: World, job: Job, reason: Parked, *, pool: str = "", look_in: float = 0) -> None:
    """The account is wrong, or the day's budget is spent: the job waits, nothing was charged by the provider."""
    if reason.everyone and gates.shut(world, job.provider, reason):
        world.metric("BreakerOpened")
        world.log.error("breaker opened", provider=job.provider, code=reason.code)
    put = {
        "held_at": jobs.milliseconds(world),
        "error": reason.as_problem().as_dict(),
        "looks": job.looks + 1,
        "charged": "",
        **jobs.released(),
    }
    pool = pool or ("" if reason.everyone else pool_alone(job.provider))
    if jobs.move(world, job, "hold", look_in=look_in or _again_in(world, job, reason), put=put, pool=pool):
        budget.refund(world, job)
        world.metric("JobsHeld")
        world.log.warning("held", correlation_id=job.job_id, provider=job.provider, code=reason.code)
    leave(world, job)
    if not reason.everyone:
        probe_over(world, job)
    else:
        work.send(world, work.gate(job.provider))  # the backlog is held as well
        with suppress(BackdropError):  # a key that has been put right is found by the next try
            keyring.provider_keys(world, refresh=True)


def probe_over(world: World, job: Job) -> None:
    """If the job was the probe: what became of it says nothing of the account, so the next may go at once."""
    if job.held_at:
        gates.end_probe(world, job)


def _again_in(world: World, job: Job, reason: Parked) -> float:
    """A closed breaker releases at once what it held; what is refused for itself alone tries ever more rarely."""
    if reason.everyone:
        return 0
    return float(min(LONGEST_HOLD, world.settings.hold_retry_seconds * 2 ** min(job.looks, 10)))


def welcome(world: World, job: Job) -> None:
    """A job that had been held was accepted: if it was the probe, the account is in order and the others go on."""
    if gates.reopen(world, job.provider, probe=job.job_id):
        world.log.info("breaker closed", provider=job.provider)
        tend(world, job.provider)


def tend(world: World, provider: str) -> int:
    """Do whatever a provider's gate needs; how many jobs were sent for. Any number of these at once do no harm."""
    gate = gates.read(world, provider)
    if gate is None:
        gates.make(world, provider)
        gate = gates.read(world, provider)
    if gate is None:  # pragma: no cover - made a moment ago
        return 0
    sent = _reap(world, gate)
    # A new day's budget ends that wait also while the account is refused: then it is the account they wait for.
    account, over_budget, alone = pools(provider)
    released = [_release(world, over_budget)]
    if gate.breaker:
        return sent + _hold_backlog(world, gate) + _probe(world, gate)
    released += [_release(world, account), _release(world, alone)]
    if max(released) == BATCH:
        work.send(world, work.gate(provider))  # there may be more
    return sent + _fill(world, provider)


def _reap(world: World, gate: Gate) -> int:
    """Look after places whose time is over: a crashed holder's is freed, a lost message is sent again."""
    sent = 0
    now = jobs.milliseconds(world)
    for job_id, text in gate.places.items():
        if gates.place(text).until * 1000 > now:
            continue
        job = jobs.get(world, job_id)
        keeps = _keeps(job, now)
        if gates.correct(world, gate.provider, job_id, text, keeps) and keeps == 0:
            work.send(world, work.job(job_id))
            sent += 1
    return sent


def _keeps(job: Job | None, now: int) -> int | None:
    """For which attempt a place is still needed; None when for none."""
    if job is None:
        return None
    if job.state is State.QUEUED:
        return 0 if job.not_before <= now else None
    return job.attempt if job.state in {State.SUBMITTING, State.RUNNING} else None


def _hold_backlog(world: World, gate: Gate) -> int:
    """While the breaker is open nobody's turn comes: what waits is HELD, with the reason."""
    waiting = table.due(world, jobs.turns_partition(gate.provider), jobs.milliseconds(world) + FAR, limit=BATCH)
    probe = gate.probe if gate.probe_at > jobs.milliseconds(world) else ""
    found = [job_id for job_id, _ in waiting if job_id != probe]
    for job in jobs.many(world, found):
        if job.state is State.QUEUED:
            _hold_back(world, job, gate)
    if len(found) >= BATCH - 1:
        work.send(world, work.gate(gate.provider))
    return 0


def _probe(world: World, gate: Gate) -> int:
    """From time to time one held job finds out whether the account is in order again."""
    now = jobs.milliseconds(world)
    if gate.probe_at > now:
        return 0
    for job_id, _ in table.due(world, jobs.held_partition(gate.provider), now + FAR, limit=1):
        if gates.let_probe(world, gate, job_id) and release(world, job_id):
            work.send(world, work.job(job_id))
            return 1
    return 0


def _fill(world: World, provider: str) -> int:
    """Give every free place to the next in the backlog."""
    gate = gates.read(world, provider)
    if gate is None or gate.breaker or gate.paused(jobs.milliseconds(world)):
        return 0
    free = world.settings.at_a_time(provider) - len(gate.places)
    if free <= 0:
        return 0
    next_ones = [one for one in _turns(world, provider, free) if one not in gate.places][:free]
    given = 0
    for some in batched(next_ones, gates.MOST_GIVEN, strict=False):
        if not gates.give(world, provider, some):
            break
        work.send_all(world, [work.job(job_id) for job_id in some])
        given += len(some)
    return given


def _release(world: World, partition: str) -> int:
    """Let the due ones of a pool wait for their turn again, at most BATCH."""
    due = list(table.due(world, partition, jobs.milliseconds(world), limit=BATCH))
    return sum(release(world, job_id) for job_id, _ in due)


def release(world: World, job_id: str) -> bool:
    """Let one held job wait for its turn again."""
    job = jobs.get(world, job_id)
    if job is None or job.state is not State.HELD:
        return False
    looks = job.looks if job.error.get("code") == "NOT_ALLOWED" else 0
    put = {"not_before": 0, "error": {}, "looks": looks, **jobs.released()}
    return jobs.move(world, job, "resume", put=put) is not None


def resume_all(world: World, provider: str) -> int:
    """By command: close the breaker, and let every held job of the provider try again, at most BATCH a pool.

    What the account or the day's budget still refuses is held again, so repeated calls need not come to 0.
    """
    gates.reopen(world, provider)
    far = jobs.milliseconds(world) + FAR
    released = 0
    for partition in pools(provider):
        held = list(table.due(world, partition, far, limit=BATCH))
        released += sum(release(world, job_id) for job_id, _ in held)
    _fill(world, provider)
    return released
