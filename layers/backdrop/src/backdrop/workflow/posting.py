"""Moves a job on by one step: claim it and post it, find out about a doubtful POST, ask how it stands, fetch.

Promises that no paid POST is made without a live claim, nor while the last one may have been accepted; that the claim
outlives the invocation; and that no POST starts unless the time left exceeds what it may take.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from backdrop import budget, jobs, notices, work
from backdrop.errors import Later, Parked, ProviderFailed, Rejected, Unknown
from backdrop.inputs import Stored
from backdrop.providers.base import Accepted, Failed, Output, Request, Running, Succeeded
from backdrop.states import TERMINAL, State
from backdrop.workflow import accounts, admitting, finishing
from backdrop.workflow.finishing import LEASE_MARGIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backdrop.jobs import Job, Ready
    from backdrop.providers.base import Finished, Outcome, Provider
    from backdrop.world import World

STAGING_SECONDS = 5.0  # reading the photo, making the zip
LONGEST_BACKOFF = 300.0
FIRST_BACKOFF = 2.0
LONGEST_QUIET = 60.0  # for the whole provider, when it said it was busy and not for how long
ASK_AFTER = 20.0  # seconds between two questions about a POST that went unanswered
MOST_REPOSTS = 1
NOWHERE_ELSE = frozenset({"RESULT_NOT_KEPT", "SYNC_MEDIA_GONE"})  # only the answer held the picture
CALLBACK_GRACE_MS = 30_000  # a callback this late counts as lost
TELL_AFTER = 10  # postponements in a row (a quarter of an hour or more) after which the user is told
UNASKED_SECONDS = 86_400  # how long a provider that cannot be asked is waited for


def advance(world: World, job_id: str, *, may_block: bool) -> None:
    """Give a job whatever it needs next; nothing when somebody holds it or its time has not come.

    `may_block`: this invocation may wait minutes for a provider that answers at once.
    """
    job = jobs.get(world, job_id)
    if job is not None:
        step(world, job, may_block=may_block)


def begin(world: World, ready: Sequence[Ready], *, may_block: bool) -> None:
    """The first step of jobs that were made just now; all but the first are read again, since that may have blocked."""
    for number, one in enumerate(ready):
        if not one.written:
            _first_step(world, one.job, may_block=may_block)
        elif number == 0:
            step(world, one.job, may_block=may_block)
        else:
            advance(world, one.job.job_id, may_block=may_block)


def _first_step(world: World, job: Job, *, may_block: bool) -> None:
    """The first step of a job that is not in the table: written under its claim if it may be posted now, else QUEUED.

    QUEUED it tries for a place once more: whoever left one in between has not seen it wait.
    """
    if _at_once(world, job, may_block=may_block):
        return
    if jobs.create(world, job):
        world.metric("JobsQueued")
        step(world, job, may_block=may_block)
    else:
        advance(world, job.job_id, may_block=may_block)


def _at_once(world: World, job: Job, *, may_block: bool) -> bool:
    """Post a job whose row is written with the claim; whether that was tried: nothing else is to be done about it."""
    try:
        provider = accounts.provider(world, job.provider)
    except (Parked, Later):
        return False
    form = _form(world, job)
    charged = admitting.slip_in(world, job) if _may_post(world, job, provider, form, may_block=may_block) else None
    if charged is None:
        return False
    claimed = _claim(world, job, form, charged, look_in=_look_in(world, job, provider, form), new=True)
    if claimed:
        world.metric("JobsQueued")
        _submit(world, claimed, provider)
    return True


def step(world: World, job: Job, *, may_block: bool) -> None:
    """`advance` for a job that was read, or written, a moment ago."""
    if job.state in TERMINAL or job.state is State.HELD:
        return
    now = jobs.milliseconds(world)
    if job.leased(now) or (job.state is State.QUEUED and job.not_before > now):
        return
    world.metric("OldestOpenSeconds", (now - job.created_at) / 1000)
    try:
        provider = accounts.provider(world, job.provider)
    except Parked as reason:
        if job.state is State.QUEUED:
            admitting.hold(world, job, reason)
        return  # a job that may have been accepted is never held: the sweep comes back to it
    except Later as busy:
        world.log.warning("not advanced", correlation_id=job.job_id, code=busy.code)
        return  # the same
    match job.state:
        case State.QUEUED:
            post(world, job, provider, may_block=may_block)
        case State.SUBMITTING:
            _find_out(world, job, provider, may_block=may_block)
        case State.RUNNING | State.DELIVERING:
            ask(world, job, provider)


def post(world: World, job: Job, provider: Provider, *, may_block: bool, again: bool = False) -> None:
    """Claim the job and make its one paid POST. `again`: the counted repost after the patience time."""
    form = job.form or _form(world, job)
    if not _may_post(world, job, provider, form, may_block=may_block):
        work.send(world, work.job(job.job_id))
        return
    charged = admitting.enter(world, job, again=again)
    if charged is None:
        if again:  # it stays in doubt until it may be posted
            since = job.doubt_since or job.lease_until
            jobs.move(world, job, "doubt", look_in=ASK_AFTER, put={"doubt_since": since, **jobs.released()})
        return
    claimed = _claim(world, job, form, charged, look_in=_look_in(world, job, provider, form), again=again)
    if claimed is None:
        return
    if again:
        world.metric("RepostsAfterUnknown")
    _submit(world, claimed, provider)


def _may_post(world: World, job: Job, provider: Provider, form: str, *, may_block: bool) -> bool:
    """Whether this invocation may make the POST: it waits for no provider it must not wait for, and has the time."""
    needed = provider.submit_seconds(job.model, form) + STAGING_SECONDS
    return (may_block or not provider.blocks(job.model, form)) and world.time_left() >= needed


def _look_in(world: World, job: Job, provider: Provider, form: str) -> float:
    """Seconds until the POST is over, whatever became of it, and a run may be asked about: that time then stands."""
    return max(provider.submit_seconds(job.model, form), world.settings.poll_after_seconds)


def _submit(world: World, claimed: Job, provider: Provider) -> None:
    """The one paid POST, and what its answer asks for."""
    try:
        reply = provider.submit(_request(world, claimed, provider.submit_seconds(claimed.model, claimed.form)))
    except Later as busy:
        _postpone(world, claimed, busy)
    except Parked as reason:
        admitting.hold(world, claimed, reason)
    except Unknown as doubt:
        _doubt(world, claimed, doubt)
    except ProviderFailed as no:
        _refused(world, claimed, Failed(no.code, no.message, no.retryable, no.action, no.facts))
    except Rejected as refusal:
        _refused(world, claimed, Failed(refusal.code, refusal.message, retryable=False, action=refusal.action))
    else:
        _take_reply(world, claimed, reply)


def _refused(world: World, job: Job, outcome: Failed) -> None:
    """It was not accepted: this attempt is over, and what it had charged the day comes back after that is written."""
    after = finishing.complete(world, job, job.attempt, outcome)
    admitting.probe_over(world, job)
    if after and (after.state is State.FAILED or after.attempt > job.attempt):
        budget.refund(world, job)


def _claim(
    world: World, job: Job, form: str, charged: str, *, look_in: float, again: bool = False, new: bool = False
) -> Job | None:
    """Take the lease that a POST needs, of a `new` job by writing it; None when somebody was faster."""
    seconds = world.time_left() + LEASE_MARGIN
    put = {
        **jobs.leased(world, seconds),
        "form": form,
        "charged": charged,
        "posted_at": jobs.milliseconds(world),
        "doubt_since": 0,
        "reposts": job.reposts + again,
    }
    look_in = min(seconds, look_in)
    if new:
        due = jobs.milliseconds(world) + int(look_in * 1000)
        row = replace(job, state=State.SUBMITTING, open_at=due, **put)
        claimed = row if jobs.create(world, row) else None
    else:
        claimed = jobs.move(world, job, "reclaim" if again else "claim", look_in=look_in, put=put)
    if claimed:
        return claimed
    there = jobs.get(world, job.job_id)
    if charged != job.charged:  # whoever was faster charged for itself
        budget.refund(world, replace(job, charged=charged))
    if there and there.attempt == job.attempt and there.state not in {State.QUEUED, State.SUBMITTING, State.RUNNING}:
        admitting.leave(world, there)  # it was over before this place was taken
    return None


def _form(world: World, job: Job) -> str:
    """The route of a job's first POST: background-color has two, and `sync_mode` waits for its picture."""
    if job.model == "runflow/background-color":
        return world.settings.background_color_form
    return "sync" if job.spec["input"].get("sync_mode") else ""


def _request(world: World, job: Job, needed: float) -> Request:
    from backdrop import callbacks  # noqa: PLC0415 - reads the callback keys, which only a POST needs

    return Request(
        model=job.model,
        form=job.form,
        input=job.spec["input"],
        source=Stored(world, job, needed),
        callback_url=callbacks.mint(world, job.provider, job.job_id, job.attempt),
        metadata=job.spec.get("metadata", {}),
        reference=job.reference,
    )


def _take_reply(world: World, job: Job, reply: Accepted | Finished) -> None:
    """Record what a POST, or a question about it, brought; an account that takes one held job takes the others."""
    world.metric("JobsSubmitted")
    if job.price:
        world.metric("SpendUsd", float(job.price))
    else:
        world.metric("UnpricedSubmitted")
    _record(world, job, reply)
    if job.held_at:
        admitting.welcome(world, job)


def _record(world: World, job: Job, reply: Accepted | Finished) -> None:
    if not isinstance(reply, Accepted):
        if reply.run_id:
            job = jobs.note_run(world, job, job.attempt, reply.run_id) or job
        finishing.complete(world, job, job.attempt, reply.outcome)
        return
    running = jobs.move(
        world,
        job,
        "accept",
        look_in=world.settings.poll_after_seconds,
        keep_earlier=True,
        put={
            f"runs.a{job.attempt}": reply.run_id,
            "accepted_at": jobs.milliseconds(world),
            "doubt_since": 0,
            "looks": 0,
            "held_at": 0,
            "error": {},
            **jobs.released(),
        },
    )
    if running is None:  # its callback was faster: keep which run it was
        jobs.note_run(world, job, job.attempt, reply.run_id)


def _postpone(world: World, job: Job, busy: Later) -> None:
    pause = backoff(job.looks) if busy.retry_after is None else busy.retry_after
    changed = jobs.move(
        world,
        job,
        "postpone",
        look_in=pause,
        put={
            "not_before": jobs.milliseconds(world) + int(pause * 1000),
            "looks": job.looks + 1,
            "form": busy.form or job.form,
            "error": busy.as_problem().as_dict(),
            **jobs.released(),
        },
    )
    world.metric("JobsPostponed")
    world.log.info("postponed", correlation_id=job.job_id, code=busy.code, seconds=pause)
    if busy.everyone:
        quiet = min(pause, LONGEST_QUIET) if busy.retry_after is None else pause
        admitting.pause(world, job.provider, quiet)
    elif changed:
        work.send(world, work.job(job.job_id), delay=pause)
    admitting.leave(world, job)
    admitting.probe_over(world, job)
    if changed and changed.looks == TELL_AFTER:
        notices.write_delay(world, changed)


def backoff(tries: int) -> float:
    """Seconds to wait after `tries` tries that came to nothing."""
    return float(min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(tries, 10)))


def _doubt(world: World, job: Job, doubt: Unknown) -> None:
    jobs.move(
        world,
        job,
        "doubt",
        look_in=ASK_AFTER,
        put={
            "doubt_since": jobs.milliseconds(world),
            "error": doubt.as_problem().as_dict(),
            **jobs.released(),
        },
    )
    world.log.warning("unknown", correlation_id=job.job_id, code=doubt.code)


def _find_out(world: World, job: Job, provider: Provider, *, may_block: bool) -> None:
    """A POST went unanswered, or its invocation died: ask, wait, and after the patience time post once more."""
    since = job.doubt_since or job.lease_until
    reply: Accepted | Finished | None = None
    patience = world.settings.patience_seconds
    try:
        # A holder that was paused may have noted its run after its lease ran out.
        reply = Accepted(run) if (run := job.run_of(job.attempt)) else provider.find(accounts.posted(job, job.attempt))
    except (Later, Parked) as busy:
        world.log.info("not asked", correlation_id=job.job_id, code=busy.code)
        patience = max(patience, UNASKED_SECONDS)  # not asked is not "no trace"
    if reply is not None:
        _take_reply(world, job, reply)
        return
    waited = jobs.milliseconds(world) - since
    if waited < patience * 1000:
        jobs.move(world, job, "doubt", look_in=ASK_AFTER, put={"doubt_since": since, **jobs.released()})
    elif job.reposts >= MOST_REPOSTS or (job.form == "flat" and world.settings.background_color_form == "auto"):
        outcome = Failed(
            "OUTCOME_UNKNOWN",
            "the provider never said whether it took the job, and it has no trace of it",
            retryable=False,
            action="look in the provider's own console whether it was charged, then drop the photo again",
        )
        finishing.complete(world, job, job.attempt, outcome)
    else:
        post(world, job, provider, may_block=may_block, again=True)


def _lost(world: World, job: Job, outcome: Outcome) -> bool:
    """Whether the flat form's reply died with its invocation, so that one more POST may be made (in `auto`: not).

    Not when its picture could not be fetched (`looks`): that is known, and another would be paid for in vain.
    """
    gone = isinstance(outcome, Failed) and outcome.code == "RESULT_NOT_KEPT"
    died = job.state is State.DELIVERING and not job.looks and job.reposts < MOST_REPOSTS
    return gone and died and world.settings.background_color_form != "auto"


def ask(world: World, job: Job, provider: Provider) -> None:
    """Ask how a run stands, and act on it: what no callback came for, and what a delivery has to fetch again."""
    attempt = job.won or job.attempt
    patience = world.settings.deadline_seconds
    try:
        outcome = provider.poll(accounts.posted(job, attempt))
    except (Later, Parked, Unknown) as busy:
        world.log.info("not asked", correlation_id=job.job_id, code=busy.code)
        outcome = Running(busy.code)
        patience = max(patience, UNASKED_SECONDS)  # the run may long be finished: only nobody could say so
    except ProviderFailed as no:
        outcome = Failed(no.code, no.message, no.retryable, no.action, no.facts)
    now = jobs.milliseconds(world)
    if isinstance(outcome, Failed) and outcome.code in NOWHERE_ELSE and finishing.at_home(world, job, attempt):
        outcome = Succeeded((Output(""),), outcome.facts)
    if _lost(world, job, outcome):
        jobs.move(world, job, "lose", look_in=ASK_AFTER, put={"won": 0, "doubt_since": now, **jobs.released()})
    elif not isinstance(outcome, Running):
        called = job.state is State.RUNNING and not provider.blocks(job.model, job.form)
        if called and now - job.posted_at >= CALLBACK_GRACE_MS:
            world.metric("CallbackLost")
        finishing.complete(world, job, attempt, outcome)
    elif now - (job.finished_at if job.won else job.posted_at) >= patience * 1000:
        late = Failed(
            "DEADLINE_PASSED",
            f"the provider has not finished within {patience} seconds ({outcome.status})",
            retryable=False,
            action="its result is still taken should it come; otherwise drop the photo again",
        )
        finishing.complete(world, job, attempt, late)
    else:
        pause = min(LONGEST_BACKOFF, world.settings.poll_after_seconds * 2.0 ** min(job.looks / 2, 10))
        running = job.state is State.RUNNING  # in DELIVERING `looks` counts fetches
        put = {"looks": job.looks + running, **jobs.released()}
        jobs.move(world, job, "watch" if running else "retake", look_in=pause, put=put)
