"""A callback came: check it, and bring its result home.

Promises that nothing is read from the table for a call whose token is not genuine, that a signed provider's word is
taken and an unsigned one's is asked for again with the API key before any URL is fetched, and that replays and races
end in the conditional update. Refuses a run that is not the job's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from backdrop import callbacks, jobs, results, work
from backdrop.errors import BackdropError, Later, Parked, ProviderFailed, Unknown
from backdrop.providers.base import Failed, Forged, Malformed, Running, Succeeded
from backdrop.states import State
from backdrop.workflow import accounts, finishing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backdrop.callbacks import Call
    from backdrop.jobs import Job
    from backdrop.providers.base import Callback, Outcome, Provider
    from backdrop.world import World

REVIVED_SECONDS = 30.0  # after which the sweep asks about a success that came late
DELIVERY_SECONDS = 8.0  # what the webhook gives a result; a larger one goes to the work queue


class Reply(NamedTuple):
    """An HTTP status and the one word that goes with it."""

    status: int
    word: str


REFUSED = Reply(401, "refused")
UNKNOWN = Reply(404, "unknown")
MALFORMED = Reply(400, "malformed")
TAKEN = Reply(200, "taken")
QUEUED = Reply(202, "queued")
UNAVAILABLE = Reply(503, "unavailable")


def receive(world: World, call: Call, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Take a callback whose path has the right form; header names in lower case."""
    try:
        if not callbacks.genuine(world, call):
            return _reject(world, REFUSED, "token")
        provider, told = _read(world, call.provider, body, headers)
    except Forged:
        return _reject(world, REFUSED, "signature")
    except Malformed as reason:
        return _reject(world, MALFORMED, str(reason))
    except (Parked, Later) as own:  # our keys are not in order: the provider is to try again
        world.log.warning("callback not checked", code=own.code)
        return UNAVAILABLE
    job = jobs.get(world, call.job_id)
    if job is None or job.provider != call.provider or call.attempt > job.attempt:
        return _reject(world, UNKNOWN, "job")
    world.log.info(
        "callback",
        correlation_id=job.job_id,
        request_id=told.request_id,
        run_id=told.run_id,
        attempt=call.attempt,
    )
    known = job.run_of(call.attempt)
    if known and known != told.run_id:
        return _reject(world, UNKNOWN, "run")
    if job.state is State.SUCCEEDED:
        return TAKEN
    if job.state is State.FAILED and isinstance(told.outcome, Succeeded):
        job = _revive(world, job, call.attempt, told)
    return _act(_hurried(world), job, call.attempt, told, provider)


def _revive(world: World, job: Job, attempt: int, told: Callback) -> Job:
    """A success that comes late is paid for, and may be told of once: the row is open again before all else."""
    put = {"won": attempt, "reopened": finishing.MOST_REOPENED, "looks": 0, **jobs.released()}
    if not job.run_of(attempt):
        put[f"runs.a{attempt}"] = told.run_id
    put |= {"posted_at": job.posted_at or jobs.milliseconds(world), "finished_at": jobs.milliseconds(world)}
    return jobs.move(world, job, "revive", look_in=REVIVED_SECONDS, put=put) or job


def _take_back(world: World, job: Job, attempt: int) -> None:
    """The provider knows no such run: a job that was opened for it is FAILED again, for its own reason."""
    if job.state is State.RUNNING and job.won and job.error:
        put = {"won": 0, f"runs.a{attempt}": "", "error": job.error, **jobs.released()}
        jobs.move(world, job, "fail", put=put)


def _hurried(world: World) -> World:
    """The same world with `DELIVERY_SECONDS` from now for all that is fetched."""
    until = world.now() + DELIVERY_SECONDS + results.MARGIN_SECONDS
    return replace(world, time_left=lambda: min(until - world.now(), world.time_left()))


def _read(world: World, name: str, body: bytes, headers: Mapping[str, str]) -> tuple[Provider, Callback]:
    """Read the body; a signature that fits no secret is held against the secret as it is now, once."""
    provider = accounts.provider(world, name)
    try:
        return provider, provider.read_callback(body, headers)
    except Forged:
        provider = accounts.provider(world, name, refresh=True)
        return provider, provider.read_callback(body, headers)


def _reject(world: World, reply: Reply, reason: str) -> Reply:
    world.metric("CallbacksRejected")
    world.log.warning("callback rejected", status=reply.status, reason=reason)
    return reply


def _act(world: World, job: Job, attempt: int, told: Callback, provider: Provider) -> Reply:
    outcome: Outcome = told.outcome
    if not told.trusted:
        try:
            outcome = provider.poll(accounts.posted(job, attempt)._replace(run_id=told.run_id))
        except ProviderFailed:
            _take_back(world, job, attempt)
            return _reject(world, UNKNOWN, "run")
        except (Later, Parked, Unknown):
            # The token is genuine, and this call may be the only one to name the run.
            if jobs.note_run(world, job, attempt, told.run_id) is None:
                return _reject(world, UNKNOWN, "run")
            work.send(world, work.job(job.job_id))
            return QUEUED
    noted: Job | None = job
    if not job.run_of(attempt):  # this call may be the only one to name the run
        noted = jobs.note_run(world, job, attempt, told.run_id)
    if noted is None:
        return _reject(world, UNKNOWN, "run")
    if isinstance(outcome, Running):
        return TAKEN
    inline = isinstance(outcome, Succeeded) and any(o.url.startswith("data:") for o in outcome.outputs)
    try:
        done = finishing.complete(world, noted, attempt, outcome)
    except BackdropError as error:
        world.log.warning("callback set aside", correlation_id=job.job_id, code=error.code)
        return UNAVAILABLE
    if isinstance(outcome, Failed) or (done and done.state in {State.SUCCEEDED, State.FAILED}):
        return TAKEN
    # Inline media is nowhere else: an answer of 5xx makes the provider send it again.
    return UNAVAILABLE if inline and done and not done.leased(jobs.milliseconds(world)) else QUEUED
