"""Many drops at once: the functions' own handlers on virtual time, until nothing is left to do.

Promises what `faults_life` promises, for hundreds of jobs that overlap: the sandbox's runs take their time by the
virtual clock, every minute has its sweep, and now and then an invocation is killed. Bounded in steps and in time.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench import picture
from faults_invocation import Plan
from faults_life import FOLDER, Life, Pending
from faults_scenes import Scene
from faults_wire import Fault

from backdrop import gates
from backdrop.catalogue import MODELS
from backdrop_cli import drivers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faults_ground import Ground

STEPS_A_DROP = 60
LONGEST_DAYS = 3
MINUTE = 60.0
SETTLING = 4000  # looks at the sandbox
LIMIT = 5  # jobs that the provider takes at a time, and the template's default
BUSY: dict[str, Any] = {
    "slow_run": {"ms": 20_000},
    "imagepipeline_jobs_at_a_time": LIMIT,
    "rate_limited": {"chance": 0.15, "retry_after": 2},
    "unavailable": {"chance": 0.15},
}
DEFAULT = {"model": "imagepipeline/background-remove", "input": {"output_format": "png"}}


@dataclass(frozen=True)
class Told:
    """What a batch came to: states by name, accepted paid POSTs, requests of each kind, virtual seconds."""

    states: Mapping[str, int]
    paid: int
    aws: int
    provider: int
    seconds: float
    most_at_once: int
    dead: int
    places: int
    killed: int
    open: int
    reasons: tuple[str, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)

    def requests_each(self, drops: int) -> float:
        """What one drop cost, in requests to AWS and to the provider."""
        return (self.aws + self.provider) / drops


class Settling(Life):
    """A life whose sandbox is waited for by what it says of itself, however many runs there are at once."""

    def __init__(self, ground: Ground, scene: Scene) -> None:
        super().__init__(ground, scene)
        self._sent_before = ground.ask("GET", "status")["callbacks_sent"]
        self._wakes_at: float | None = None

    def _settle(self) -> None:
        """Wait, in real time, until every run that can go on has, and its callback has come.

        Nothing goes on at the sandbox unless a paid POST left, or the clock has come to where a run wakes.
        """
        if not self.paid and (self._wakes_at is None or self.ground.clock() < self._wakes_at):
            return
        for _ in range(SETTLING):
            told = self.ground.ask("GET", "status")
            if told["working"] == told["asleep"] and not told["callbacks_pending"]:
                break
            time.sleep(0.002)
        else:
            raise TimeoutError(f"the sandbox does not settle: {told}")
        self._wakes_at = told["wakes_at"]
        self.paid = False
        letters = self.ground.door.wait(self.name, told["callbacks_sent"] - self._sent_before)
        self._pending += [Pending(letter, self.ground.clock()) for letter in letters[self._letters :]]
        self._letters = len(letters)


class Bulk(Settling):
    """`drops` photos of `spec`, uploaded at once. `kill_every`: of so many invocations one is killed midway."""

    def __init__(
        self,
        ground: Ground,
        drops: int,
        *,
        trouble: Mapping[str, Any],
        settings: Mapping[str, str] | None = None,
        spec: Mapping[str, Any] | None = None,
        kill_every: int = 0,
    ) -> None:
        told = json.dumps(dict(spec or DEFAULT)).encode()
        photos = ((f"{n:05}.png", picture(seed=n % 30, size=(48, 36))) for n in range(drops))
        wave = [("_backdrop.json", told), *photos]
        shape = Scene("bulk", str((spec or DEFAULT)["model"]), (tuple(wave),), settings=settings or {}, trouble=trouble)
        super().__init__(ground, shape)
        self.drops = drops
        self.kill_every = kill_every
        self.killed = 0
        self._dice = random.Random(drops)  # noqa: S311 - the same batch is killed in the same places
        self._minutes = 0

    def play(self) -> None:
        """Upload everything, and go on until nothing is open, queued or on its way."""
        bucket = self.template.name("InputBucket")
        for name, data in self.scene.drops[0]:
            self.ground.own.s3.put_object(Bucket=bucket, Key=f"{FOLDER}/{name}", Body=data)
        self.ground.books.taken()
        for _ in range(STEPS_A_DROP * self.drops + 500):
            if self._step():
                continue
            moment = self._next()
            if moment is None:
                return
            assert self.ground.clock.ahead < LONGEST_DAYS * 86_400, "the batch does not come to its end"
            self.ground.clock.move(moment - self.ground.clock())
            self._settle()
        moments = {name: self.ground.next_message(url) for name, (url, _, _) in self._queues.items()}
        raise AssertionError(
            f"after {len(self.invocations)} invocations, at {self.ground.clock():.6f}: {self.invocations[-5:]}, "
            f"next messages {moments}, the sandbox wakes at {self._wakes_at}, the next sweep is at {self._next_sweep()}"
        )

    def invoke(self, logical_id: str, event: Any) -> tuple[str, Any]:
        """Invoke a function; one of `kill_every` is killed at one of its first calls."""
        doomed = self.kill_every and self._dice.randrange(self.kill_every) == 0
        if doomed and not self.last_chance():
            self.plan = Plan(len(self.calls) + self._dice.randrange(12), Fault.KILLED_AFTER)
        end = super().invoke(logical_id, event)
        self.plan = None
        self.killed += end[0] == "killed"
        return end

    def last_chance(self) -> bool:
        """Whether a job's one repost is made, or may be within a minute.

        Cut short as well it ends in OUTCOME_UNKNOWN, rightly: that is played by the lives. Here every drop succeeds.
        """
        now = int(self.ground.clock() * 1000)
        overdue = now - int((self.patience - MINUTE) * 1000)
        for row in self.rows():
            silent = row.get("state") == "SUBMITTING" and (row.get("doubt_since") or row["lease_until"]) < overdue
            if "open" in row and (silent or row.get("reposts")):
                return True
        return False

    def told(self) -> Told:
        """What it came to."""
        rows = self.rows()
        jobs = [row for row in rows if "state" in row and "model" in row]
        states = [row["state"] for row in jobs]
        status = self.ground.ask("GET", "status")
        gates = [row for row in rows if row["job_id"].startswith("gate#")]
        return Told(
            states={state: states.count(state) for state in states},
            paid=status["accepted"],
            aws=len(self.ground.books.taken()),
            provider=status["requests"],
            seconds=self.ground.clock.ahead,
            most_at_once=max(status["most_at_once"].values(), default=0),
            dead=sum(self._waiting(name) for name in ("DropDeadLetterQueue", "WorkDeadLetterQueue")),
            places=sum(len(gate["places"]) for gate in gates),
            killed=self.killed,
            open=sum("open" in row for row in rows),
            reasons=tuple(str(row["error"]) for row in jobs if row["state"] != "SUCCEEDED"),
            metrics=dict(self.counts.values),
        )

    def _waiting(self, logical_id: str) -> int:
        (queue,) = (queue for queue in self.template.queues if queue.logical_id == logical_id)
        told = self.ground.own.sqs.get_queue_attributes(
            QueueUrl=self.template.queue_url(queue), AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(told["Attributes"]["ApproximateNumberOfMessages"])

    def _next(self) -> float | None:
        moments = [self.ground.next_message(url) for url, _, _ in self._queues.values()]
        moments.append(self._wakes_at)
        moments.append(self._next_sweep())
        now = self.ground.clock()
        return min((max(moment, now) + 0.001 for moment in moments if moment is not None), default=None)

    def _next_sweep(self) -> float | None:
        """Every minute has a sweep, for as long as anything is open or a crashed holder's place is taken."""
        due = self.ground.clock.start + (self._minutes + 1) * MINUTE
        if self.ground.clock() >= due or self.ground.any_open() or self._taken():
            return due
        return None

    def _taken(self) -> bool:
        return bool(self.ground.row(gates.item_id(MODELS[self.scene.model].provider)).get("places"))

    def _sweep(self) -> bool:
        if self.ground.clock() < self.ground.clock.start + (self._minutes + 1) * MINUTE:
            return False
        self._minutes = int(self.ground.clock.ahead // MINUTE)
        function = self._functions["ReconcileFunction"]
        self.invoke("ReconcileFunction", drivers.schedule_event(function.schedules[0], self.template.place))
        return True


def check(told: Told, drops: int) -> list[str]:
    """What is not as it must be after a batch; nothing is the aim."""
    wrong = []
    if told.states != {"SUCCEEDED": drops}:
        wrong.append(f"states: {dict(told.states)} {told.reasons[:3]}")
    reposts = int(told.metrics.get("RepostsAfterUnknown", 0))
    if not drops <= told.paid <= drops + reposts:
        wrong.append(f"{told.paid} paid POSTs for {drops} jobs, {reposts} counted reposts")
    if told.most_at_once > LIMIT:
        wrong.append(f"{told.most_at_once} jobs at the provider at a time")
    left = {"dead letters": told.dead, "places": told.places, "open": told.open}
    wrong += [f"{name} left: {count}" for name, count in left.items() if count]
    return wrong
