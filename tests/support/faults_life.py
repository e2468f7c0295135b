"""One life of a drop, from its upload until nothing is left to do, with at most one fault in it.

Promises what AWS promises, on a virtual clock: the functions' own handlers are called with the events of their
triggers; a message whose invocation was killed or failed is handed out again after the queue's visibility timeout, and
goes to the dead-letter queue by the queue's own count; a killed environment is not used again; an invocation whose time
is over is killed; two invocations at once never share an environment. A callback that is not answered with 2xx is sent
again as its provider's pages say. The schedule's minutes in which no row is due are left out: a sweep then finds
nothing. No thread sleeps: when nothing can happen now, the clock goes on to what happens next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faults_ground import function_of
from faults_invocation import FUNCTIONS, Counts, Environment, Invocation, Plan, handler_of
from faults_wire import CURRENT, Call, Killed

from backdrop import world
from backdrop.settings import Settings
from backdrop_cli import drivers, gateway

if TYPE_CHECKING:
    from faults_ground import Ground, Letter
    from faults_scenes import Scene

    from backdrop_cli.parts import Function

FOLDER = "shop"
MINUTE = 60.0  # the schedule
MOST_STEPS = 400
LONGEST_LIFE = 3 * 86_400.0
LAST_MOMENT = 2.0  # seconds before its end at which a paused invocation goes on
RUNFLOW_BACKOFF = (1.0, 2.0)  # docs: three attempts; ImagePipeline documents one


@dataclass
class Pending:
    """A callback on its way; `tries` have failed."""

    letter: Letter
    due: float
    tries: int = 0


class Endless(AssertionError):
    """A life that does not come to its end."""


class Life:
    """A life. `play()` leads it; afterwards `calls`, `counts` and the servers tell what happened."""

    def __init__(self, ground: Ground, scene: Scene, plan: Plan | None = None) -> None:
        self.ground = ground
        self.scene = scene
        self.plan = plan
        self.name, self.template = ground.life(), ground.template
        self.counts = Counts(ground.clock)
        self.calls: list[Call] = []
        self.struck: Call | None = None
        self.paid = False  # a paid POST left since the sandbox was last waited for
        self.invocations: list[str] = []
        self.complaints: list[str] = []
        self._pool: dict[str, list[Environment]] = {}
        self._letters = 0
        self._pending: list[Pending] = []
        self._knocked = False
        self._swept = 0
        self._functions = {name: function_of(self.template, name) for name in FUNCTIONS}
        self._queues = {
            source.queue_arn: (self.template.queue_url(queue), source, name)
            for name, function in self._functions.items()
            for source in function.queues
            for queue in self.template.queues
            if queue.arn == source.queue_arn
        }
        ground.ask("PUT", "trouble", dict(scene.trouble))

    @property
    def patience(self) -> int:
        """Seconds after which a POST that nobody can be asked about is repeated."""
        environment = {**self._functions["ReconcileFunction"].environment, **self.scene.settings}
        return int(environment["PATIENCE_SECONDS"])

    # --- the life ---

    def play(self) -> None:
        """Drop what the scene drops, and lead the life to its end."""
        bucket = self.template.name("InputBucket")
        for wave in self.scene.drops:
            for name, data in wave:
                self.ground.own.s3.put_object(Bucket=bucket, Key=f"{FOLDER}/{name}", Body=data)
            while self._step():
                pass
        self._go_on(math.inf)

    def _go_on(self, until: float) -> None:
        began = self.ground.clock()
        for _ in range(MOST_STEPS):
            if self._step():
                continue
            moment = self._next()
            if moment is None or moment > until:
                return
            if moment - began > LONGEST_LIFE:
                break
            self.ground.clock.move(moment - self.ground.clock())
        raise Endless(f"after {len(self.invocations)} invocations: {self.invocations[-12:]}")

    def _step(self, *, early: bool = False) -> bool:
        """Let one thing happen that can happen now. `early`: callbacks do not wait for their time."""
        return self.deliver_messages() or self._deliver_callback(early=early) or self._sweep()

    def _next(self) -> float | None:
        moments = [self.ground.next_message(url) for url, _, _ in self._queues.values()]
        moments += [pending.due for pending in self._pending]
        moments.append(self._next_sweep())
        now = self.ground.clock()
        return min((max(moment, now) + 0.001 for moment in moments if moment is not None), default=None)

    def overtake(self, invocation: Invocation, *, pause: bool) -> None:
        """While this invocation stands still, the same event comes again, and all else that can happen happens."""
        token = CURRENT.set(None)
        try:
            self._settle()
            self.invoke(invocation.environment.function.logical_id, invocation.event)
            for _ in range(MOST_STEPS):
                if not self._step(early=True):
                    break
            if pause:
                last = invocation.deadline - LAST_MOMENT
                self._go_on(last)
                self.ground.clock.move(last - self.ground.clock())
        finally:
            CURRENT.reset(token)

    # --- invocations ---

    def write(self, call: Call) -> int:
        """Write a call down; its number."""
        self.calls.append(call)
        return len(self.calls) - 1

    def invoke(self, logical_id: str, event: Any) -> tuple[str, Any]:
        """Invoke a function: `("done", reply)`, `("raised", error)` or `("killed", None)`."""
        function = self._functions[logical_id]
        free = self._pool.setdefault(logical_id, [])
        environment = free.pop() if free else self._environment(function)
        invocation = Invocation(self, environment, event)
        token = CURRENT.set(invocation)
        end: tuple[str, Any]
        try:
            end = ("done", handler_of(FUNCTIONS[logical_id])(event, invocation))
        except Killed:
            end = ("killed", None)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, Lambda reports as a failed invocation
            end = ("raised", error)
        finally:
            CURRENT.reset(token)
        if invocation.dead:
            end = ("killed", None)
        else:
            free.append(environment)
        self.invocations.append(f"{self.ground.clock():.2f} {invocation.function} {end[0]} {_brief(end[1])}")
        self._settle()
        return end

    def _environment(self, function: Function) -> Environment:
        told = {**function.environment, **self.scene.settings}
        told["CALLBACK_BASE_URL"] = f"{self.ground.door.url}/{self.name}"
        settings = Settings.from_environment(told)
        made = world.World(settings, self.ground.environment(), self.counts, self.counts, now=self.ground.clock)
        return Environment(function, made)

    def _settle(self) -> None:
        """Wait, in real time, until the sandbox has done what it took and has called back."""
        if not self.paid:
            return
        self.paid = False
        if not self.scene.calls_back:
            return
        letters = self.ground.letters(self.name)
        now = self.ground.clock()
        fresh = sorted(letters[self._letters :], key=lambda letter: letter.path)  # runs end in any order
        self._pending += [Pending(letter, now + self.scene.late) for letter in fresh]
        self._letters = len(letters)

    # --- what happens ---

    def deliver_messages(self) -> bool:
        """Hand a function what its queue has for it now; whether there was anything."""
        now = self.ground.clock()
        for url, source, logical_id in self._queues.values():
            moment = self.ground.next_message(url)
            if moment is None or moment > now:
                continue
            told = self.ground.own.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(10, source.batch_size),
                WaitTimeSeconds=0,
                MessageSystemAttributeNames=["All"],
            )
            messages = told.get("Messages", [])
            if messages:
                self._hand_over(url, source, logical_id, messages)
                return True
            if self.ground.next_message(url) != moment:
                return True  # it was received too often, and went to the dead-letter queue instead
            # moto hands a message out after the millisecond in which it becomes visible: the clock has to move.
        return False

    def _hand_over(self, url: str, source: Any, logical_id: str, messages: list[Any]) -> None:
        how, reply = self.invoke(logical_id, drivers.sqs_event(messages, source, self.template.place.region))
        ids = [message["MessageId"] for message in messages]
        failed = set(ids) if how != "done" else drivers.failed_ids(reply, ids)
        for message in messages:
            if message["MessageId"] not in failed:
                self.ground.own.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _deliver_callback(self, *, early: bool) -> bool:
        now = self.ground.clock()
        pending = next((one for one in self._pending if early or one.due <= now), None)
        if pending is None:
            return False
        self._pending.remove(pending)
        if not self._knocked:
            self._knocked = True
            self._knock(pending.letter)
        status = self._call(pending.letter)
        if status >= 500 and pending.letter.path.startswith("/callbacks/runflow/"):
            pending.tries += 1
            if pending.tries <= len(RUNFLOW_BACKOFF):
                pending.due = self.ground.clock() + RUNFLOW_BACKOFF[pending.tries - 1]
                self._pending.append(pending)
        return True

    def _call(self, letter: Letter) -> int:
        function = self._functions["WebhookFunction"]
        for route in function.routes:
            parameters = gateway.match(route, "POST", letter.path)
            if parameters is not None:
                request = gateway.Request("POST", letter.path, letter.headers, letter.body)
                event = gateway.event_of(request, route, parameters, self.template.place)
                how, reply = self.invoke("WebhookFunction", event)
                return gateway.answer_of(reply).status if how == "done" else 502
        raise AssertionError(f"no route takes {letter.path}")

    def _knock(self, letter: Letter) -> None:
        """Somebody knows all of a callback but its token."""
        head, _, code = letter.path.rpartition(".")
        forged = f"{head}.{'B' if code[0] == 'A' else 'A'}{code[1:]}"
        mark = len(self.calls)
        status = self._call(type(letter)(forged, letter.headers, letter.body))
        if status != 401 and not (self._hit(mark) and status >= 500):
            self.complaints.append(f"let in: a callback with a forged token was answered {status}")
        asked = any(call.service == "dynamodb" for call in self.calls[mark:])
        if asked and not self._hit(mark):  # what overtakes it may ask
            self.complaints.append("let in: the table was asked for a callback with a forged token")

    def _hit(self, mark: int) -> bool:
        return self.plan is not None and mark <= self.plan.at < len(self.calls)

    # --- the schedule ---

    def rows(self) -> list[dict[str, Any]]:
        """Every row of the table."""
        return self.ground.rows()

    def _next_sweep(self) -> float | None:
        """The first minute at which a sweep finds something: a due row, or the place of a holder whose time is over."""
        rows = self.rows()
        moments: list[float] = [row["open_at"] / 1000 for row in rows if "open" in row]
        for row in rows:
            if row["job_id"].startswith("gate#"):
                moments += [float(str(held).rpartition("/")[2]) for held in row.get("places", {}).values()]
        if not moments:
            return None
        minute = max(math.ceil((min(moments) - self.ground.clock.start) / MINUTE), self._swept + 1)
        return self.ground.clock.start + minute * MINUTE

    def _sweep(self) -> bool:
        moment = self._next_sweep()
        if moment is None or moment > self.ground.clock():
            return False
        self._swept = int(self.ground.clock.ahead // MINUTE)
        function = self._functions["ReconcileFunction"]
        self.invoke("ReconcileFunction", drivers.schedule_event(function.schedules[0], self.template.place))
        return True


def _brief(reply: Any) -> str:
    if isinstance(reply, dict):
        return str(reply.get("statusCode") or reply.get("batchItemFailures") or reply.get("sent", ""))
    return "" if reply is None else f"{type(reply).__name__}: {str(reply)[:200]}"
