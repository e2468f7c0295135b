"""Lives that a scene directs, on the ground of the fault harness, with every AWS call of the functions overheard."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from bench import PROVIDER_KEYS
from crooked import providing
from faults_ground import Letter, standing
from faults_invocation import Environment, Plan, deployed
from faults_life import FOLDER, Life, Pending
from faults_scenes import Scene
from iam_recorder import Recorder

from backdrop import work
from backdrop.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from crooked import Crooked
    from faults_ground import Ground
    from faults_wire import Call, Fault

    from backdrop_cli.parts import Function


class Heard(Life):
    """A life that a scene directs, with every AWS call of the functions overheard."""

    def __init__(self, ground: Ground, recorder: Recorder, scene: Scene) -> None:
        super().__init__(ground, scene)
        self._recorder = recorder
        self._bucket = self.template.name("InputBucket")
        self._drops = next(url for url, _, name in self._queues.values() if name == "SubmitFunction")
        self._wanted: tuple[str, str, Fault] | None = None

    def _environment(self, function: Function) -> Environment:
        made = super()._environment(function)
        return Environment(function, replace(made.world, aws=self._recorder.environment()))

    def write(self, call: Call) -> int:
        """Write a call down; the one that is waited for goes wrong."""
        number = super().write(call)
        if self._wanted and self._fits(call, *self._wanted[:2]):
            self.plan, self._wanted = Plan(number, self._wanted[2]), None
        return number

    def _fits(self, call: Call, function: str, name: str) -> bool:
        return call.function == function and all(word in call.line for word in name.split())

    def strike(self, fault: Fault, function: str, name: str) -> None:
        """The next call with these words in its line goes wrong."""
        self._wanted = (function, name, fault)

    def put(self, name: str, data: bytes | Mapping[str, Any]) -> None:
        """Upload a photo, or a spec."""
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.ground.own.s3.put_object(Bucket=self._bucket, Key=f"{FOLDER}/{name}", Body=body)

    def delete(self, name: str) -> None:
        """Delete an object, and say so as S3 does: moto says nothing of deletions."""
        key = f"{FOLDER}/{name}"
        self.ground.own.s3.delete_object(Bucket=self._bucket, Key=key)
        there = {"bucket": {"name": self._bucket}, "object": {"key": quote_plus(key, safe="/")}}
        said = {"Records": [{"eventName": "ObjectRemoved:DeleteMarkerCreated", "s3": there}]}
        self.ground.own.sqs.send_message(QueueUrl=self._drops, MessageBody=json.dumps(said))

    def lose_event(self) -> None:
        """What S3 has just said reaches nobody."""
        sqs = self.ground.own.sqs
        for message in sqs.receive_message(QueueUrl=self._drops, MaxNumberOfMessages=10)["Messages"]:
            sqs.delete_message(QueueUrl=self._drops, ReceiptHandle=message["ReceiptHandle"])

    def backfill(self, name: str) -> None:
        """Ask the work queue for a look at what lies there, as `backdrop backfill` does."""
        (url,) = (url for url, _, function in self._queues.values() if function == "ReconcileFunction")
        message = json.dumps(work.drop(self._bucket, f"{FOLDER}/{name}"))
        self.ground.own.sqs.send_message(QueueUrl=url, MessageBody=message)

    def call_back(self, provider: Crooked) -> None:
        """The crooked provider says, with its signature, that its last run has succeeded."""
        run = provider.record(f"run-{provider.runs}")
        body = json.dumps({"event": "run.completed", "run_id": run["id"], "output": run["output"]}).encode()
        secret = PROVIDER_KEYS["runflow_callback_secrets"][0]
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        path = provider.posted[-1]["callback_url"].removeprefix(f"{self.ground.door.url}/{self.name}")
        self._pending.append(Pending(Letter(path, (("Runflow-Signature", signature),), body), self.ground.clock()))

    def now(self) -> None:
        """All that can happen now happens."""
        self._go_on(self.ground.clock())

    def later(self, seconds: float = math.inf) -> None:
        """All that can happen in the next seconds happens; or until nothing is left to do."""
        self._go_on(self.ground.clock() + seconds)

    def states(self) -> list[str]:
        """The states of the jobs."""
        return sorted(str(row["state"]) for row in self.rows() if "model" in row)

    def errors(self) -> list[str]:
        """The error files that lie in the output bucket, by the name of what was dropped."""
        told = self.ground.own.s3.list_objects_v2(Bucket=self.template.name("OutputBucket"))
        keys = [entry["Key"].removeprefix(f"{FOLDER}/") for entry in told.get("Contents", [])]
        return [key.removesuffix(".error.json") for key in keys if key.endswith(".error.json")]

    def end(self, state: State = State.SUCCEEDED, *, errors: Iterable[str] = ()) -> None:
        """Nothing is left to do, and this is what came of it."""
        self.later()
        assert set(self.states()) == {str(state)}, self.rows()
        assert self.errors() == list(errors)


@contextmanager
def staged() -> Iterator[Stage]:
    """The ground and a recorder on it."""
    with standing() as ground, deployed():
        yield Stage(ground, Recorder(ground.template.place))


class Stage:
    """Where lives are begun."""

    def __init__(self, ground: Ground, recorder: Recorder) -> None:
        self.ground = ground
        self.recorder = recorder

    def life(self, *, settings: Mapping[str, str] | None = None, **trouble: Any) -> Heard:
        """A life with nothing dropped in it yet."""
        return self.of(Scene("heard", "", (), settings=settings or {}, trouble=trouble))

    def of(self, scene: Scene) -> Heard:
        """A life of one of the harness's scenes."""
        return Heard(self.ground, self.recorder, scene)

    @contextmanager
    def crooked(self, *results: Callable[[], Iterable[bytes]]) -> Iterator[tuple[Heard, Crooked]]:
        """A life at a Runflow whose results are these, one a fetch and the last for ever; it calls nobody back."""
        with providing() as provider:
            left = list(results)
            provider.serve("a.png", lambda: left.pop(0)() if len(left) > 1 else left[0]())
            yield self.life(settings={"RUNFLOW_BASE_URL": provider.origin}), provider
