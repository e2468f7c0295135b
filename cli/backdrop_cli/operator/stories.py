"""One job in plain sentences: what happened, what it waits for, what to do.

Promises sentences from the row, its provider's gate and the settings alone; refuses to repeat anything of a reply but
the fields that the library keeps. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backdrop.jobs import Job
from backdrop.settings import Settings
from backdrop.states import State
from backdrop_cli.operator import prices
from backdrop_cli.operator.admission import Admission, Spending
from backdrop_cli.operator.rows import over_budget
from backdrop_cli.operator.screen import at, counted


@dataclass(frozen=True)
class Scene:
    """A job with all that its sentences need; times in milliseconds."""

    job: Job
    row: Mapping[str, Any]  # as it stands in the table: `open`, `open_at`, `moved_at`
    gate: Admission
    spending: Spending
    settings: Settings
    now: int
    ahead: int = 0  # jobs of the same provider whose turn comes before this one's
    outputs: Sequence[tuple[str, bool]] = ()  # key, and whether it lies in the output bucket
    refusal: str = ""  # why it could not run again
    superseded: bool = False  # the photo has since been dropped otherwise

    @property
    def since(self) -> int:
        """When it came into its state."""
        return int(self.row.get("moved_at") or self.job.created_at)

    @property
    def look(self) -> int:
        """When it is next looked at."""
        return int(self.row.get("open_at") or 0)

    def when(self, milliseconds: int) -> str:
        """A time in words."""
        return at(milliseconds, self.now)


def headline(scene: Scene) -> str:
    """The job in one line."""
    job = scene.job
    price = f"${job.price}" if job.price else "price not published"
    run = f", run {job.run_id}" if job.run_id else ""
    return f"{job.label}: {job.state}, {job.model}, attempt {job.attempt}{run}, {price}"


def history(scene: Scene) -> Iterator[str]:
    """What happened to it, in order."""
    job = scene.job
    yield f"Dropped {scene.when(job.dropped_at)} with the spec {job.spec_key}."
    yield f"It is the job {job.job_id} since {scene.when(job.created_at)}."
    if job.attempt > 1:
        retried = f", {job.reopened} of them because the provider failed in a way that may pass" if job.reopened else ""
        yield f"It is at its attempt {job.attempt}; {counted(job.attempt - 1, 'attempt')} came before{retried}."
    if job.posted_at:
        again = " (posted once more after an unanswered request)" if job.reposts else ""
        yield f"Posted {scene.when(job.posted_at)}{again}."
    if job.accepted_at:
        yield f"Accepted by {job.provider} {scene.when(job.accepted_at)}."
    if job.finished_at:
        yield f"{'Finished' if job.state is not State.FAILED else 'Given up'} {scene.when(job.finished_at)}."
    if job.delivered_at:
        yield f"Delivered {scene.when(job.delivered_at)}."


def present(scene: Scene) -> Iterator[str]:
    """Where it stands, and what it waits for."""
    match scene.job.state:
        case State.QUEUED:
            yield from _queued(scene)
        case State.HELD:
            yield from _held(scene)
        case State.SUBMITTING:
            yield from _submitting(scene)
        case State.RUNNING:
            yield from _running(scene)
        case State.DELIVERING:
            yield from _delivering(scene)
        case State.SUCCEEDED:
            for key, there in scene.outputs:
                yield f"Result: {key}" + ("" if there else " - it is no longer in the output bucket")
        case State.FAILED:
            yield f"Failed {scene.when(scene.since)}: {_reason(scene.job)}"


def next_steps(scene: Scene) -> Iterator[str]:
    """What a person can do; nothing when it goes on by itself."""
    job = scene.job
    action = str(job.error.get("action", ""))
    match job.state:
        case State.HELD if over_budget(str(scene.row.get("open"))):
            yield _sentence(action)
        case State.HELD:
            yield f"{_sentence(action) or 'Put the account in order.'} Then: backdrop resume --provider {job.provider}"
        case State.FAILED:
            if scene.superseded:
                yield "Nothing: the photo has been dropped otherwise since; its newer jobs count."
                return
            if action:
                yield _sentence(action)
            if prices.perhaps_paid(str(job.error.get("code", "")), job.reposts):
                yield "It was perhaps paid already: look in the provider's console before it runs again."
            if scene.refusal:
                yield f"It cannot be run again by command: {scene.refusal}."
            else:
                yield f"To run it again as it is: backdrop redrive --key '{job.key}'"
        case State.SUCCEEDED:
            missing = [key for key, there in scene.outputs if not there]
            if missing:
                yield "A deleted result's versions are kept for 30 days; to make it anew, raise the spec's revision."
        case _:
            return


def needs_person(scene: Scene) -> bool:
    """Whether it does not go on, or did not end well, without a person."""
    if scene.job.state is State.FAILED:
        return not scene.superseded
    return scene.job.state is State.HELD


def _queued(scene: Scene) -> Iterator[str]:
    job, gate = scene.job, scene.gate
    paid = "an earlier request of it may have been paid" if job.reposts else "this attempt is not paid for yet"
    yield f"It waits for its turn at {job.provider} since {scene.when(scene.since)}; {paid}."
    if job.error:
        yield f"The last try: {_reason(job)}"
    if job.not_before > scene.now:
        yield f"Its next try is not before {scene.when(job.not_before)}."
    if gate.breaker:
        yield f"{job.provider} takes nothing now ({gate.reason})."
    if gate.not_before:
        yield f"{job.provider} asked for a pause until {scene.when(gate.not_before)}."
    if gate.taken >= gate.places:
        yield f"All of its {gate.places} places are taken."
    if scene.row.get("open", "").startswith("queued#"):
        yield (
            f"Before it in the queue: {counted(scene.ahead, 'job')}." if scene.ahead else "It is the next in the queue."
        )
    elif scene.look:
        yield f"The sweep looks at it {scene.when(scene.look)}."


def _held(scene: Scene) -> Iterator[str]:
    job = scene.job
    over = over_budget(str(scene.row.get("open")))
    since = scene.when(job.held_at or scene.since)
    paid = "an earlier request of it may have been paid" if job.reposts else "nothing has been paid for this attempt"
    yield f"It is held since {since}, {paid}: {_reason(job)}"
    if over:
        spent = f"${scene.spending.spent} of ${scene.spending.limit}" if scene.spending.limit else "the budget"
        yield f"Today's spending is {spent}; it goes on by itself {scene.when(scene.look)}."
    elif scene.gate.breaker:
        probe = f"; one of the held jobs tries again {scene.when(scene.gate.probe_at)}" if scene.gate.probe_at else ""
        yield f"All jobs of {job.provider} are held{probe}. When it is accepted the others go on."
    else:
        yield f"It tries again by itself {scene.when(scene.look)}."


def _submitting(scene: Scene) -> Iterator[str]:
    job = scene.job
    if job.leased(scene.now):
        yield f"It is being sent to {job.provider} just now; the sender has until {scene.when(job.lease_until)}."
        return
    since = job.doubt_since or job.lease_until
    yield f"It was sent, and no usable answer came: it may have been accepted and charged. {_reason(job)}".rstrip()
    patient = since + scene.settings.patience_seconds * 1000
    if job.reposts:
        yield f"It has been sent once more already; unless a trace turns up, it is called failed {scene.when(patient)}."
    else:
        yield (
            f"{job.provider} is asked for it again and again, and its callback still counts; without any trace it is "
            f"sent once more, under the same name, {scene.when(patient)}."
        )


def _running(scene: Scene) -> Iterator[str]:
    job = scene.job
    deadline = job.posted_at + scene.settings.deadline_seconds * 1000
    yield f"{job.provider} is at work on it; its callback is awaited, else it is asked {scene.when(scene.look)}."
    yield f"Unless it is finished by then, it is called failed {scene.when(deadline)}."


def _delivering(scene: Scene) -> Iterator[str]:
    job = scene.job
    tries = f" after {counted(job.looks, 'try', 'tries')} in vain" if job.looks else ""
    yield f"Its result is ready and paid for, and is being fetched{tries}; the next look is {scene.when(scene.look)}."


def _reason(job: Job) -> str:
    if not job.error:
        return ""
    return f"{job.error.get('code', '')}: {_sentence(str(job.error.get('message', '')))}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""
