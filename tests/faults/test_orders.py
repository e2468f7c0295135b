"""Any order of events, with any one of them lost, repeated, late or killed midway: the five rules hold throughout."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from bench import picture
from bulk import Settling
from faults_invocation import Plan
from faults_life import FOLDER, Pending
from faults_scenes import Scene
from faults_wire import Fault
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backdrop.states import OPEN, State
from backdrop.workflow import redriving

if TYPE_CHECKING:
    from faults_ground import Ground

    from backdrop.world import World

PHOTOS = ("a.png", "b.png")
SPECS: dict[str, dict[str, Any]] = {
    "bria": {"model": "bria/background/remove"},
    "again": {"model": "bria/background/remove", "revision": 2},
    "change": {"model": "imagepipeline/background-change", "input": {"prompt": "on marble", "seed": 7}},
    "variants": {"model": "backgroundcut/remove-bg", "input": {"output_variants": [{}]}},
    "two": {"jobs": [{"model": "bria/background/remove"}, {"model": "imagepipeline/background-remove"}]},
    "wrong": {"model": "bria/background/remove", "input": {"colour": 3}},
}
TROUBLES: tuple[dict[str, Any], ...] = (
    {"rate_limited": {"times": 1, "retry_after": 5}},
    {"dropped_after": {"times": 1}},
    {"server_error_after": {"times": 1}},
    {"server_error_before": {"times": 1, "status": 503}},
    {"run_fails": {"times": 1}},
    {"no_credits": {"times": 1}},
    {"expired_result": {"times": 1}},
)
STRIKES = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.THROTTLED, Fault.TIMEOUT_AFTER, Fault.OVERTAKEN, Fault.PAUSED)
# Who can be asked about a lost POST: nothing is ever posted again for these.
ASKABLE = frozenset({"runflow", "backgroundcut"})
EXAMPLES = int(os.environ.get("ORDERS", "12"))  # `make faults` asks for more

pytestmark = pytest.mark.timeout(20 * EXAMPLES)
STEPS = 25


class Town(Settling):
    """A life that others direct: they say what comes, and when."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground, Scene("orders", "", (), settings={"BACKGROUND_COLOR_FORM": "runs"}))
        self.bucket = self.template.name("InputBucket")
        self.heard: list[str] = []  # S3's events, as they came
        self.old: list[Any] = []  # callbacks that were delivered
        self.lost: list[tuple[str, str]] = []  # dead letters: queue and body
        self.terminal: dict[str, tuple[str, int]] = {}

    def strike(self, fault: Fault, after: int) -> None:
        """One of the next calls goes wrong."""
        self.plan = Plan(len(self.calls) + after, fault)

    def take(self) -> tuple[str, dict[str, Any]] | None:
        """Receive a message of whichever queue has one, without handling it."""
        for url, _, _ in self._queues.values():
            moment = self.ground.next_message(url)
            if moment is not None and moment <= self.ground.clock():
                told = self.ground.own.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=0)
                for message in told.get("Messages", []):
                    return url, message
        return None

    def step(self, what: str) -> None:
        """Let one thing happen."""
        {"message": self.deliver_messages, "callback": self._callback, "sweep": self.sweep}[what]()

    def _callback(self) -> None:
        if self._pending:
            self.old.append(self._pending[0].letter)
            self._deliver_callback(early=True)

    def lose_callback(self) -> None:
        """The next callback never comes."""
        if self._pending:
            self.old.append(self._pending.pop(0).letter)

    def again(self, which: int) -> None:
        """A callback that came, or was lost, comes now."""
        if self.old:
            self._pending.insert(0, Pending(self.old[which % len(self.old)], self.ground.clock()))

    def sweep(self) -> None:
        """The schedule's minute."""
        from backdrop_cli import drivers  # noqa: PLC0415 - as `Life` does it

        function = self._functions["ReconcileFunction"]
        self.invoke("ReconcileFunction", drivers.schedule_event(function.schedules[0], self.template.place))

    def world(self) -> World:
        """What a person's command works with."""
        return self._environment(self._functions["ReconcileFunction"]).world

    def jobs(self) -> list[dict[str, Any]]:
        """The rows of jobs."""
        return [row for row in self.rows() if "model" in row]

    def end(self) -> None:
        """No more trouble: whatever is left to happen happens."""
        self.plan = None
        self.ground.ask("PUT", "trouble", {})
        self._go_on(float("inf"))

    def send(self, url: str, body: str) -> None:
        """Put a message into a queue."""
        self.ground.own.sqs.send_message(QueueUrl=url, MessageBody=body)

    @property
    def drops(self) -> str:
        """The drop queue's URL."""
        return next(url for url, _, name in self._queues.values() if name == "SubmitFunction")


class Orders(RuleBasedStateMachine):
    """Drops, sidecars, defaults, deletions, duplicates, reorders, losses, kills, pauses, redrives: in any order."""

    ground: ClassVar[Ground]

    @initialize()
    def begin(self) -> None:
        """An empty bucket."""
        self.town = Town(self.ground)

    @rule(name=st.sampled_from(PHOTOS), seed=st.integers(0, 1))
    def drop_photo(self, name: str, seed: int) -> None:
        """A photo comes, or comes again, the same or another."""
        self._put(name, picture(seed=seed, size=(64, 48)))

    @rule(name=st.sampled_from(PHOTOS), spec=st.sampled_from(sorted(SPECS)))
    def drop_spec(self, name: str, spec: str) -> None:
        """Its sidecar comes, or another one."""
        self._put(f"{name}.json", json.dumps(SPECS[spec]).encode())

    @rule(spec=st.sampled_from(["bria", "change", "wrong"]))
    def drop_default(self, spec: str) -> None:
        """The folder gets a default."""
        self._put("_backdrop.json", json.dumps(SPECS[spec]).encode())

    @rule(name=st.sampled_from([*PHOTOS, "a.png.json", "_backdrop.json"]))
    def delete(self, name: str) -> None:
        """Somebody deletes it."""
        self.town.ground.own.s3.delete_object(Bucket=self.town.bucket, Key=f"{FOLDER}/{name}")

    def _put(self, name: str, data: bytes) -> None:
        self.town.ground.own.s3.put_object(Bucket=self.town.bucket, Key=f"{FOLDER}/{name}", Body=data)

    @rule(what=st.sampled_from(["message", "message", "message", "callback", "callback", "sweep"]))
    def step(self, what: str) -> None:
        """Something that can happen happens."""
        self.town.step(what)

    @rule(seconds=st.sampled_from([1, 25, 70, 190, 500, 1000, 4000]))
    def wait(self, seconds: int) -> None:
        """Time goes by: leases, pauses and visibility timeouts end."""
        self.town.ground.clock.move(seconds)

    @rule(dead=st.booleans())
    def lose_message(self, *, dead: bool) -> None:
        """A message is lost, or ends in the dead-letter queue."""
        taken = self.town.take()
        if taken:
            url, message = taken
            self.town.ground.own.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if url == self.town.drops:
                self.town.heard.append(message["Body"])
            if dead or url == self.town.drops:  # what S3 said is said once: a person must send it again
                self.town.lost.append((url, message["Body"]))

    @rule()
    def repeat_message(self) -> None:
        """A message is handed out twice."""
        taken = self.town.take()
        if taken:
            self.town.send(taken[0], taken[1]["Body"])
            if taken[0] == self.town.drops:
                self.town.heard.append(taken[1]["Body"])

    @precondition(lambda self: self.town.lost)
    @rule()
    def redrive_letters(self) -> None:
        """Somebody sends the dead letters again."""
        while self.town.lost:
            self.town.send(*self.town.lost.pop())

    @precondition(lambda self: self.town.heard)
    @rule(which=st.integers(0, 50))
    def repeat_event(self, which: int) -> None:
        """S3 says once more what it said long ago."""
        self.town.send(self.town.drops, self.town.heard[which % len(self.town.heard)])

    @rule()
    def lose_callback(self) -> None:
        """A callback never comes."""
        self.town.lose_callback()

    @rule(which=st.integers(0, 50))
    def repeat_callback(self, which: int) -> None:
        """A callback comes again, late, or of an attempt that is over."""
        self.town.again(which)

    @rule(trouble=st.sampled_from(TROUBLES))
    def trouble(self, trouble: dict[str, Any]) -> None:
        """The provider does something that it documents."""
        self.town.ground.ask("PUT", "trouble", trouble)

    @rule(fault=st.sampled_from(STRIKES), after=st.integers(0, 25))
    def strike(self, fault: Fault, after: int) -> None:
        """One of the next calls is the last of its invocation, fails, or is overtaken by everything else."""
        self.town.strike(fault, after)

    @rule()
    def redrive_failed(self) -> None:
        """Somebody runs every FAILED job again."""
        for row in self.town.jobs():
            if row["state"] == State.FAILED:
                redriving.redrive(self.town.world(), row["job_id"])
                self.town.terminal.pop(row["job_id"], None)

    # --- the rules ---

    @invariant()
    def what_is_open_is_in_open(self) -> None:
        """Rule 1: a job that is not terminal is in `open`, one that is terminal is not and expires."""
        for row in self.town.jobs():
            assert ("open" in row) == (row["state"] in OPEN), row["state"]
            assert ("expires_at" in row) == (row["state"] not in OPEN), row["state"]

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        """Rule 2: one accepted POST an attempt; where nobody can be asked, the one counted repost."""
        ledger = self.town.ground.ask("GET", "ledger")
        counted = self.town.counts.values.get("RepostsAfterUnknown", 0)
        for reference, count in ledger["by_reference"].items():
            provider = next(one["provider"] for one in ledger["entries"] if one["reference"] == reference)
            assert count <= 1 + (provider not in ASKABLE and counted > 0), (reference, provider, count)
        entries = [one["provider"] for one in ledger["entries"]]
        attempts = sum(row["attempt"] for row in self.town.jobs())
        assert len(entries) <= attempts + counted

    @invariant()
    def what_is_over_stays_over(self) -> None:
        """Rule 3: SUCCEEDED never changes; FAILED only by a redrive, another drop, or a success that was paid for."""
        for row in self.town.jobs():
            before, attempt = self.town.terminal.get(row["job_id"], ("", 0))
            if before == State.SUCCEEDED:
                assert row["state"] == State.SUCCEEDED
            if before == State.FAILED and row["state"] not in {State.SUCCEEDED, State.DELIVERING, State.FAILED}:
                assert row["attempt"] > attempt
            if row["state"] not in OPEN:
                self.town.terminal[row["job_id"]] = (row["state"], row["attempt"])

    @invariant()
    def a_success_is_whole(self) -> None:
        """Rule 4: SUCCEEDED is written after the bytes and their record."""
        there = self.town.ground.objects("OutputBucket")
        for row in self.town.jobs():
            if row["state"] == State.SUCCEEDED:
                for output in json.loads(row["outputs"]):
                    assert there.get(output["key"])
                    assert f"{output['key']}.json" in there

    @invariant()
    def nothing_secret_is_kept(self) -> None:
        """Rule 5: no log line and no row holds a key, a token or a presigned query."""
        written = "\n".join(self.town.counts.log) + str(self.town.rows())
        for secret in ("rf_live_sandbox", "bc_sandbox", "ip_live_sandbox", "whsec_sandbox", "Signature=", "Bearer "):
            assert secret not in written

    def teardown(self) -> None:
        """When all trouble is over every job comes to its end, and nothing is left behind."""
        if not hasattr(self, "town"):
            return
        self.redrive_letters()
        self.town.end()
        for check in (self.what_is_open_is_in_open, self.nothing_is_paid_twice, self.a_success_is_whole):
            check()
        assert all(row["state"] not in OPEN for row in self.town.jobs()), [
            (row["state"], row["error"]) for row in self.town.jobs()
        ]
        for row in self.town.rows():
            assert "open" not in row
            assert not row.get("places")
            assert not row.get("breaker")
        assert not any(self.town.ground.left().values())
        assert not self.town.complaints


@pytest.fixture(scope="module", autouse=True)
def _ground(ground: Ground) -> None:
    Orders.ground = ground


Orders.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking takes longer than reading the steps
    suppress_health_check=list(HealthCheck),
)
TestAnyOrderOfEvents = Orders.TestCase
