"""Where parts are measured: the stack that nothing drives, the sandbox beside it, and a door that keeps callbacks.

Promises that nothing happens but what a part asks for: no queue is read, no schedule fires, and a callback waits until
it is handed to the webhook. Jobs are looked at late, so that a sweep finds nothing to do.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import quick
from bench import Door, picture
from report import HERE

from backdrop_cli import aws, drivers, gateway, stack
from backdrop_cli.sandbox_process import sandbox_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bench import Call

    from backdrop_cli.parts import Function
    from backdrop_cli.sandbox_process import SandboxProcess
    from backdrop_cli.stack import Stack

SETTLING = 30.0  # seconds that a callback may take to come
EVENTS = HERE.parents[1] / "events"
SIZE = (48, 36)  # pixels: the provider's work on them is nothing


@dataclass
class Scene:
    """Servers, and how many photos were dropped so far."""

    stack: Stack
    door: Door
    sandbox: SandboxProcess
    dropped: int = 0

    def function(self, name: str) -> Function:
        """A function of the template: submit, webhook or reconcile."""
        return self.stack.functions[f"{name.capitalize()}Function"].function

    def environment(self, name: str) -> dict[str, str]:
        """What a function's process has in its environment."""
        region = self.stack.template.place.region
        keys = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
        place = {"AWS_ENDPOINT_URL": self.stack.endpoint_url, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}
        return {**keys, **place, **self.function(name).environment}

    def upload(self, spec: Mapping[str, Any]) -> str:
        """Put a new photo and its spec into the input bucket, and what the spec refers to; the photo's key."""
        self.dropped += 1
        key = f"photos/{self.dropped}.png"
        reference = spec.get("input", {}).get("reference")
        if reference:
            self.stack.drop(f"photos/{reference}", picture(seed=149, size=SIZE))
        self.stack.drop(f"{key}.json", json.dumps(spec).encode())
        # Other bytes each time, behind the picture's end: photos of the same bytes share an upload.
        self.stack.drop(key, picture(seed=self.dropped % 149, size=SIZE) + str(self.dropped).encode())
        return key

    def drop_event(self, *keys: str) -> dict[str, Any]:
        """The event that SQS makes of S3's, a message for each key."""
        event: dict[str, Any] = json.loads((EVENTS / "drop-photo.json").read_bytes())
        return {"Records": [self._record(event["Records"][0], number, key) for number, key in enumerate(keys)]}

    def _record(self, sample: Mapping[str, Any], number: int, key: str) -> dict[str, Any]:
        body = json.loads(sample["body"])
        body["Records"][0]["s3"]["bucket"]["name"] = self.stack.input_bucket
        body["Records"][0]["s3"]["object"]["key"] = key
        return {**sample, "messageId": f"{sample['messageId'][:-1]}{number}", "body": json.dumps(body)}

    def work_event(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The event of one message of the work queue."""
        event: dict[str, Any] = json.loads((EVENTS / "work-job.json").read_bytes())
        event["Records"][0]["body"] = json.dumps(message)
        return event

    def schedule_event(self) -> dict[str, Any]:
        """The schedule's event."""
        (schedule,) = self.function("reconcile").schedules
        return drivers.schedule_event(schedule, self.stack.template.place)

    def call_event(self, call: Call) -> dict[str, Any]:
        """The API's event for a callback."""
        (route,) = self.function("webhook").routes
        parameters = gateway.match(route, "POST", call.path)
        assert parameters is not None
        request = gateway.Request("POST", call.path, tuple(call.headers.items()), call.body)
        return gateway.event_of(request, route, parameters, self.stack.template.place)

    def asked(self) -> int:
        """How many requests the sandbox has had."""
        return int(self.sandbox.call("GET", "/_sandbox/requests")["count"])

    def provider_seconds(self, since: int) -> float:
        """Seconds that the sandbox says it took for the requests after so many, its own routes' left out."""
        told = self.sandbox.call("GET", "/_sandbox/requests")["requests"]
        return float(sum(one["ms"] for one in told if one["number"] > since)) / 1000

    def messages(self) -> list[dict[str, Any]]:
        """What is on the work queue now; it is taken off."""
        url, found = self.stack.queue_url("WorkQueue"), []
        while received := self.stack.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in received:
                found.append(json.loads(message["Body"]))
                self.stack.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def results(self, key: str) -> list[str]:
        """The pictures that lie in the output bucket for a photo."""
        told = self.stack.s3.list_objects_v2(Bucket=self.stack.output_bucket, Prefix=f"{key}.").get("Contents", [])
        return [entry["Key"] for entry in told if not entry["Key"].endswith(".json")]

    def callback(self, known: int) -> Call:
        """The callback that comes after `known` of them.

        Raises:
            TimeoutError: none came.
        """
        until = time.monotonic() + SETTLING
        while len(self.door.calls) <= known:
            if time.monotonic() > until:
                raise TimeoutError("no callback came")
            time.sleep(0.005)
        return self.door.calls[known]


@contextmanager
def standing(folder: Path) -> Iterator[Scene]:
    """The servers and the stack; what the sandbox prints goes to `folder`."""
    with ExitStack() as closing:
        closing.enter_context(quick.moto())  # what moto does for nothing is in neither side's time
        closing.enter_context(quick.keeping_connections())  # as AWS does
        door = Door()
        closing.callback(door.close)
        origin = closing.enter_context(aws.serving_aws())
        sandbox = closing.enter_context(sandbox_process(image_origin=origin, log=folder / "sandbox.log"))
        sandbox.wait()
        overrides = {"CallbackBaseUrl": door.url, "PollAfterSeconds": "900"}
        running = stack.running(sandbox_url=sandbox.url, endpoint_url=origin, overrides=overrides, drive=False)
        yield Scene(closing.enter_context(running), door, sandbox)
