"""Drops on a virtual clock, as cheaply as real handlers and real HTTP allow: one process, no waiting, no scans.

Promises what Lambda and SQS do where nothing goes wrong: the functions' own handlers with their own log and metrics,
batches of the queue's size, callbacks as they come over the wire. Invocations overlap on the clock as they do in Lambda
(each begins at its own moment and takes as long as `cost_waits` says of what it waits for), though one after the other
here. Refuses to go on when an invocation fails.
"""

from __future__ import annotations

import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from bench import load_function
from faults_ground import function_of
from scale_stand import FUNCTIONS, REFUSED

from backdrop import telemetry, world
from backdrop.settings import Settings
from backdrop_cli import drivers, gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metering import Metered
    from scale_stand import Stand

LATE = 1.0  # virtual seconds after its end at which a run is over for the sandbox too, which may have begun it later
PATIENCE = 120.0  # real seconds until a run has called back
MOST_STEPS = 500
LINE_OVERHEAD = 26  # bytes that CloudWatch adds to each event


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation. `cpu` is processor time without what metering took; `logged` bytes as CloudWatch counts them."""

    function: str
    at: float
    cpu: float
    waited: float
    logged: int
    calls: tuple[Metered, ...]
    records: int  # messages of its event; 1 for a callback or the schedule
    sweep: bool = False


@dataclass
class _Context:
    """Lambda's context."""

    function_name: str
    memory_limit_in_mb: int
    invoked_function_arn: str
    deadline: float
    now: Any
    aws_request_id: str = "bench"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - self.now()) * 1000))


class Play:
    """Drops in empty stores. `run_seconds`: how long the provider works on each, on the clock."""

    def __init__(
        self,
        here: Stand,
        *,
        settings: Mapping[str, str] | None = None,
        trouble: Mapping[str, Any] | None = None,
        calls_back: bool = True,
    ) -> None:
        self.here = here
        self.ground = here.ground
        self.name = self.ground.life()
        self.clock = self.ground.clock
        self.invocations: list[Invocation] = []
        self.runs = here.accepted  # when each run began
        self.runs.clear()
        self._ends: list[float] = []
        self.calls_back = calls_back
        self._ended = 0
        self._read = 0
        self.succeeded = 0  # callbacks that were taken
        self.run_seconds = (trouble or {}).get("slow_run", {}).get("ms", 0) / 1000
        template = self.ground.template
        self._functions = {name: function_of(template, name) for name in FUNCTIONS}
        self._worlds = {name: self._world(name, settings or {}) for name in FUNCTIONS}
        self._queues = {
            template.queue_url(queue): (source, name)
            for name, function in self._functions.items()
            for source in function.queues
            for queue in template.queues
            if queue.arn == source.queue_arn
        }
        self.ground.ask("PUT", "trouble", dict(trouble or {}))

    def _world(self, name: str, settings: Mapping[str, str]) -> world.World:
        told = {**self._functions[name].environment, **settings}
        told["CALLBACK_BASE_URL"] = f"{self.here.letters.url}/{self.name}"
        known = Settings.from_environment(told)
        return world.World(known, self.ground.environment(), telemetry.logger(), telemetry.metric, now=self.clock)

    # --- what happens ---

    def drop(self, key: str, data: bytes) -> None:
        """Upload a file."""
        self.ground.own.s3.put_object(Bucket=self.ground.template.name("InputBucket"), Key=key, Body=data)

    def step(self) -> bool:
        """Let one thing happen that can happen now; False when nothing can."""
        return self._messages() or self._callback()

    def next(self) -> float | None:
        """When something can happen again; None when nothing is under way."""
        moments = [moment for url in self._queues if (moment := self.ground.next_message(url)) is not None]
        moments += self._ends[:1]
        return min(moments, default=None)

    def settle(self) -> None:
        """Lead everything that was dropped to its end, without sweeps."""
        for _ in range(MOST_STEPS):
            if self.step():
                continue
            moment = self.next()
            if moment is None:
                return
            self.go_on(moment)
        raise AssertionError(f"no end: {[one.function for one in self.invocations[-20:]]}")

    def go_on(self, until: float) -> None:
        """Move the clock, and wait for the callbacks of the runs that are over by then."""
        self._set(until)
        while self._ends and self._ends[0] <= until:
            heappop(self._ends)
            self._ended += 1
        if self.here.letters.come(self.name) >= self._ended:
            return
        self._set(until + LATE)
        last = time.monotonic() + PATIENCE
        while self.here.letters.come(self.name) < self._ended:
            time.sleep(0.0005)
            if time.monotonic() > last:
                raise TimeoutError(f"{self.here.letters.come(self.name)} of {self._ended} callbacks came")
        self._set(until)

    def _set(self, moment: float) -> None:
        """Set the clock, back too: the next invocation may begin before the last one ended."""
        self.clock.ahead = moment - self.clock.start

    def sweep(self) -> None:
        """What the schedule does."""
        function = self._functions["ReconcileFunction"]
        event = drivers.schedule_event(function.schedules[0], self.ground.template.place)
        self._invoke("ReconcileFunction", event, 1, sweep=True)

    def _messages(self) -> bool:
        now = self.clock()
        for url, (source, logical_id) in self._queues.items():
            moment = self.ground.next_message(url)
            if moment is None or moment > now:
                continue
            told = self.ground.own.sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=min(10, source.batch_size), MessageSystemAttributeNames=["All"]
            )
            messages = told.get("Messages", [])
            if not messages:
                continue
            event = drivers.sqs_event(messages, source, self.ground.template.place.region)
            reply = self._invoke(logical_id, event, len(messages))
            assert not drivers.failed_ids(reply, [one["MessageId"] for one in messages]), "a message failed"
            entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
            self.ground.own.sqs.delete_message_batch(QueueUrl=url, Entries=entries)
            return True
        return False

    def _callback(self) -> bool:
        if self._read >= self._ended:
            return False
        letter = self.here.letters.wait(self.name, self._read + 1)[self._read]
        self._read += 1
        function = self._functions["WebhookFunction"]
        (route,) = function.routes
        parameters = gateway.match(route, "POST", letter.path)
        assert parameters is not None
        request = gateway.Request("POST", letter.path, letter.headers, letter.body)
        reply = self._invoke(
            "WebhookFunction", gateway.event_of(request, route, parameters, self.ground.template.place), 1
        )
        assert gateway.answer_of(reply).status < REFUSED, reply
        self.succeeded += 1
        return True

    def _invoke(self, logical_id: str, event: Any, records: int, *, sweep: bool = False) -> Any:
        function, here = self._functions[logical_id], self.here
        at = self.clock()
        context = _Context(function.name, function.memory, function.arn, at + function.timeout, self.clock)
        assert here.meter is not None
        here.world, here.inside, here.calls = self._worlds[logical_id], True, []
        accepted = len(here.accepted)
        logged = (here.tally.bytes, here.tally.lines)
        metering, began = here.meter.own_seconds, time.thread_time()
        try:
            with redirect_stdout(here.tally):
                reply = load_function(FUNCTIONS[logical_id], "bench_play").handler(event, context)
        finally:
            here.inside = False
        cpu = time.thread_time() - began - (here.meter.own_seconds - metering)
        for moment in here.accepted[accepted:] if self.calls_back else ():
            heappush(self._ends, moment + self.run_seconds)
        told = here.tally.bytes - logged[0] + LINE_OVERHEAD * (here.tally.lines - logged[1])
        self.invocations.append(
            Invocation(FUNCTIONS[logical_id], at, cpu, self.clock() - at, told, tuple(here.calls), records, sweep)
        )
        self._set(at)
        return reply
