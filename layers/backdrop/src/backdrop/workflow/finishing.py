"""An outcome is known: bring the result home, try again, or fail with the reason.

Promises that SUCCEEDED is written after the bytes, that a success of any opened attempt is taken unless the job has
SUCCEEDED, and that an older attempt's failure changes nothing. Refuses to deliver twice: a lease holds the delivery.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from backdrop import jobs, keys, notices, work
from backdrop.errors import Expired, Later, Parked, Problem, ProviderFailed, Unknown
from backdrop.providers.base import Failed, Output, Running, Succeeded
from backdrop.states import TERMINAL, State
from backdrop.workflow import accounts, admitting

if TYPE_CHECKING:
    from backdrop.jobs import Job
    from backdrop.providers.base import Outcome
    from backdrop.results import Delivered
    from backdrop.world import World

LEASE_MARGIN = 30.0  # seconds a lease outlives the invocation that holds it
MOST_REOPENED = 2  # attempts that retryable failures may open
RETRY_PAUSE = 5.0
MOST_FETCHES = 8  # tries at bringing one result home
# A result that arrived broken may be whole the next time: fetching costs nothing, another attempt does.
REFETCHED = frozenset({"RESULT_TRUNCATED", "RESULT_EMPTY", "RESULT_NOT_A_PICTURE"})
MOST_REFETCHES = 2
ONLY_HERE_TRIES = 3
RACES = 5  # a row may change this often between reading and moving it


def complete(world: World, job: Job, attempt: int, outcome: Outcome) -> Job | None:
    """Act on the outcome of one attempt; the row as it then is, None when it could not be moved.

    Raises:
        Later: the result could not be brought home now; the row is due again and says so.
    """
    if isinstance(outcome, Succeeded):
        taken, again = _take(world, job, attempt, outcome)
        if taken:
            return _deliver(world, taken, outcome, again=again)
        current = jobs.get(world, job.job_id)
        if current and current.state is State.DELIVERING and any(o.url.startswith("data:") for o in outcome.outputs):
            # Whoever holds the delivery may be dead.
            _bring_all(world, replace(current, won=attempt), outcome.outputs, again=True)
        return current
    if isinstance(outcome, Running) or job.state in TERMINAL or attempt != (job.won or job.attempt):
        return job  # of an older attempt, or of one that another attempt's success has overtaken
    return _failed(world, job, outcome)


def _failed(world: World, job: Job, outcome: Failed) -> Job | None:
    if outcome.retryable and job.reopened < MOST_REOPENED:
        pause = RETRY_PAUSE * 4**job.reopened
        again = jobs.move(
            world,
            job,
            "retry",
            look_in=pause,
            put={
                "attempt": job.attempt + 1,
                "reopened": job.reopened + 1,
                "not_before": jobs.milliseconds(world) + int(pause * 1000),
                "reposts": 0,
                "doubt_since": 0,
                "looks": 0,
                "won": 0,
                "error": Problem(outcome.code, outcome.message, outcome.action).as_dict(),
                **jobs.released(),
            },
        )
        if again:
            world.metric("JobsRetried")
            _free(world, job)
            work.send(world, work.job(job.job_id), delay=pause)
        return again
    return fail(world, job, Problem(outcome.code, outcome.message, outcome.action), dict(outcome.facts))


def fail(world: World, job: Job, reason: Problem, facts: dict[str, Any]) -> Job | None:
    """The final no. The reason lies in the output bucket before the row says FAILED."""
    told = reason.as_dict()
    expected = replace(job, state=State.FAILED, error=told)
    if not _superseded(world, job):
        notices.settle(world, _family(world, expected))
    now = jobs.milliseconds(world)
    done = jobs.move(world, job, "fail", put={"error": told, "facts": facts, "finished_at": now, **jobs.released()})
    if done is None:  # somebody was faster, perhaps with a success: the error file follows the table
        current = jobs.get(world, job.job_id)
        if current:
            notices.settle(world, _family(world, current))
        return current
    _free(world, job)
    world.metric("JobsFailed")
    world.metric("JobsFailedByReason", reason=reason.code)
    world.log.error("failed", correlation_id=job.job_id, code=reason.code)
    return done


def _free(world: World, before: Job) -> None:
    """An attempt that the provider was busy with is over: its place is the next one's.

    A result whose URL is known only here must not be lost for it: the sweep finds a place that was not handed on.
    """
    if before.state in {State.SUBMITTING, State.RUNNING}:
        try:
            admitting.leave(world, before)
        except Exception as error:  # noqa: BLE001 - see above
            world.log.warning("place not handed on", correlation_id=before.job_id, error=type(error).__name__)


def _superseded(world: World, job: Job) -> bool:
    """Whether the photo has since been dropped with another spec or other bytes: its error file is about those."""
    others = jobs.of_source(world, job.bucket, job.key)
    return any(other.created_at > job.created_at and other.job_id not in job.siblings for other in others)


def _family(world: World, job: Job) -> list[Job]:
    """The jobs of one drop, with `job` as given."""
    others = [job_id for job_id in job.siblings if job_id != job.job_id]
    return [job, *jobs.many(world, others)]


def _take(world: World, job: Job, attempt: int, outcome: Succeeded) -> tuple[Job | None, bool]:
    """Move the job to DELIVERING under a lease; None when it is done, or another holds its delivery.

    And whether it was there before: then a part of its result may be home already.
    """
    current: Job | None = job
    for _ in range(RACES):
        if current is None or current.state is State.SUCCEEDED:
            return None, False
        now = jobs.milliseconds(world)
        if current.state is State.DELIVERING and current.leased(now):
            return None, True
        again = current.state is State.DELIVERING
        put: dict[str, Any] = jobs.leased(world, world.time_left() + LEASE_MARGIN)
        put |= {"won": attempt}
        if not again:
            put |= {"finished_at": now, "looks": 0, "held_at": 0}
        facts = {**current.facts, **outcome.facts}
        if not current.run_of(attempt):  # a run can be asked for them again: then only the record keeps them
            put["facts"] = facts
        taken = jobs.move(
            world,
            current,
            "retake" if again else "finish",
            look_in=world.time_left() + LEASE_MARGIN,
            keep_earlier=True,  # most are home before anybody looks; who finds it leased leaves it alone
            put=put,
        )
        if taken:
            _free(world, current)
            return replace(taken, facts=facts), again
        current = jobs.get(world, job.job_id)
    return None, False


def _deliver(world: World, job: Job, outcome: Succeeded, *, again: bool) -> Job | None:
    """Bring every output home, write the records, then SUCCEEDED. `again`: some may be home."""
    try:
        outputs = _bring_all(world, job, outcome.outputs, again=again)
    except Expired:
        return _set_aside(world, job, Problem("RESULT_EXPIRED", "the result's URL is no longer valid", ""))
    except Later as busy:
        return _set_aside(world, job, busy.as_problem())
    except ProviderFailed as no:
        if no.code in REFETCHED and job.looks < MOST_REFETCHES:
            return _set_aside(world, job, no.as_problem())
        return fail(world, job, no.as_problem(), job.facts)
    now = jobs.milliseconds(world)
    done = replace(job, state=State.SUCCEEDED, outputs=outputs, delivered_at=now, error={})
    notices.write_records(world, done, outputs)
    notices.settle(world, _family(world, done))
    moved = jobs.move(
        world,
        job,
        "deliver",
        put={"outputs": [{"key": one["key"]} for one in outputs], "delivered_at": now, "error": {}, **jobs.released()},
    )
    if moved:
        world.metric("JobsSucceeded")
        if job.siblings:  # the last of the family to succeed sees that all have
            notices.settle(world, _family(world, moved))
    return moved


def _bring_all(world: World, job: Job, outputs: tuple[Output, ...], *, again: bool) -> list[dict[str, Any]]:
    home: list[dict[str, Any]] = []
    fresh: tuple[Output, ...] = outputs
    for index in range(len(outputs)):
        number = index + 1 if len(outputs) > 1 else None
        try:
            delivered = _bring(world, job, fresh[index], number, again=again)
        except Expired:
            fresh = _sign_again(world, job, len(outputs))
            delivered = _bring(world, job, fresh[index], number, again=again)
        home.append(asdict(delivered))
    return home


def _bring(world: World, job: Job, output: Output, number: int | None, *, again: bool) -> Delivered:
    """One output, from wherever it is. The flat form's URL stands in its one reply: it is tried again at once."""
    for _ in range(ONLY_HERE_TRIES - 1 if job.form == "flat" else 0):
        try:
            return _bring_once(world, job, output, number, again=again)
        except (Later, ProviderFailed, Expired) as error:
            world.log.warning("fetched in vain", correlation_id=job.job_id, code=error.code)
    return _bring_once(world, job, output, number, again=again)


def _bring_once(world: World, job: Job, output: Output, number: int | None, *, again: bool) -> Delivered:
    from backdrop import results  # noqa: PLC0415 - httpcore and more, which a POST that is only taken does without

    def key_for(picture_format: str) -> str:
        extension = keys.EXTENSIONS[picture_format]
        return keys.output_key(job.spec["output"], job.key, job.label, extension, number)

    formats = [output.format] if output.format else list(keys.EXTENSIONS)
    told: dict[str, Any] = {"job_id": job.job_id, "attempt": job.won, "number": number or 1}
    look = again or not output.url  # without a URL it is known to be home
    home = results.already_home(world, [key_for(name) for name in formats], **told) if look else None
    return home or results.bring_home(
        world, output, key_for=key_for, provider_origin=world.settings.base_url(job.provider), **told
    )


def at_home(world: World, job: Job, attempt: int) -> bool:
    """Whether the one output of a form whose answer alone holds it was brought home before its holder died."""
    from backdrop import results  # noqa: PLC0415 - as above

    found = [keys.output_key(job.spec["output"], job.key, job.label, one) for one in keys.EXTENSIONS.values()]
    return results.already_home(world, found, job_id=job.job_id, attempt=attempt, number=1) is not None


def _sign_again(world: World, job: Job, count: int) -> tuple[Output, ...]:
    """Fresh URLs of a finished run.

    Raises:
        Later: the provider could not say; nothing is called failed for that.
    """
    try:
        outcome = accounts.provider(world, job.provider).poll(accounts.posted(job, job.won))
    except (Parked, Unknown) as busy:
        raise Later(busy.code, busy.message) from busy
    if not isinstance(outcome, Succeeded) or len(outcome.outputs) != count:
        raise Later("RESULT_EXPIRED", "the provider gave no fresh URL for its result")
    return outcome.outputs


def _set_aside(world: World, job: Job, reason: Problem) -> Job | None:
    """The result could not be fetched now: again later, and FAILED when that has gone on too long."""
    if job.looks >= MOST_FETCHES:
        told = Problem(
            "RESULT_UNREACHABLE",
            f"the result could not be brought home in {MOST_FETCHES} tries: {reason.message}",
            "it is paid for: look in the provider's console, or drop the photo again to run it anew",
        )
        return fail(world, job, told, job.facts)
    pause = float(min(300, 2 ** (job.looks + 1)))
    tried = reason.code != "RESULT_NO_TIME"  # nothing was asked for
    put = {"looks": job.looks + tried, **jobs.released()}
    aside = jobs.move(world, job, "retake", look_in=pause + LEASE_MARGIN, put=put)
    if aside:
        work.send(world, work.job(job.job_id), delay=pause)
    world.log.warning("set aside", correlation_id=job.job_id, code=reason.code, seconds=pause)
    return aside
