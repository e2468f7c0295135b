"""A bench for the workflow: real S3, SQS and DynamoDB over HTTP, the provider sandbox, and a clock that a test moves.

Nothing drives the queues here: a test says what arrives, in which order and when, so that every race can be played.
"""

from __future__ import annotations

import io
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, unquote

import pytest
from PIL import Image, ImageDraw

from backdrop import callbacks, jobs, table
from backdrop.states import OPEN, State
from backdrop.telemetry import MEASURES
from backdrop.workflow import posting, receiving, sweeping

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    import httpx

    from backdrop.jobs import Job
    from backdrop.workflow.receiving import Reply
    from backdrop.world import World

ROOT = Path(__file__).resolve().parents[2]
HOUR = 3600
PROVIDER_KEYS = {
    "runflow_api_key": "rf_live_sandbox",
    "backgroundcut_api_key": "bc_sandbox",
    "imagepipeline_api_key": "ip_live_sandbox",
    "runflow_callback_secrets": ["whsec_sandbox"],
}


BRIA: dict[str, Any] = {"model": "bria/background/remove"}
CUT: dict[str, Any] = {"model": "imagepipeline/background-remove", "input": {"output_format": "png"}}
VARIANTS: dict[str, Any] = {"model": "backgroundcut/remove-bg", "input": {"output_variants": [{}, {"format": "webp"}]}}


def load_function(name: str, whose: str = "function") -> ModuleType:
    """A function's module as Lambda would load it, under a name of its own; `whose` has one for itself."""
    known = f"{whose}_{name}"
    if known not in sys.modules:
        found = spec_from_file_location(known, ROOT / "functions" / name / "app.py")
        assert found
        assert found.loader
        module = module_from_spec(found)
        found.loader.exec_module(module)
        sys.modules[known] = module
    return sys.modules[known]


def picture(*, seed: int = 0, size: tuple[int, int] = (240, 180), fmt: str = "PNG", mode: str = "RGB") -> bytes:
    """A small photo with a subject in its middle; another seed gives other bytes."""
    image = Image.new(mode, size, (236, 236, 236) if mode == "RGB" else (0, 20, 20, 20))
    draw = ImageDraw.Draw(image)
    width, height = size
    box = (width // 3, height // 4, 2 * width // 3, 4 * height // 5)
    draw.ellipse(box, fill=(150, 40 + seed % 150, 60) if mode == "RGB" else (10, 200, 200, 40))
    target = io.BytesIO()
    image.save(target, fmt)
    return target.getvalue()


@dataclass(frozen=True)
class Call:
    """A callback as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: bytes


class Door:
    """Takes every callback and keeps it, so that a test delivers it when, and as often as, it wants."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        arrived = self.calls

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                arrived.append(Call(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


@dataclass
class Counted:
    """Metrics as they were counted."""

    values: dict[str, float] = field(default_factory=dict)

    def __call__(self, name: str, value: float = 1, **dimensions: str) -> None:
        """Count, if the metric is explained."""
        assert set(dimensions) == ({MEASURES[name].dimension} - {""})
        self.values[name] = self.values.get(name, 0) + value


class Quiet:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def _keep(self, msg: object, **fields: Any) -> None:
        self.lines.append({"message": str(msg), **fields})

    debug = info = warning = error = _keep


@dataclass
class Bench:
    """One empty stack for one test; `world` is what the functions would get."""

    world: World
    sandbox: str
    control: httpx.Client
    door: Door
    metrics: Counted
    log: Quiet
    folder: str
    ahead: list[float]

    def put(self, name: str, data: bytes | str | dict[str, Any], **more: Any) -> str:
        """Upload an object; its key."""
        key = f"{self.folder}/{name}"
        body = json.dumps(data) if isinstance(data, dict) else data
        self.world.aws.s3.put_object(
            Bucket=self.world.settings.input_bucket,
            Key=key,
            Body=body.encode() if isinstance(body, str) else body,
            **more,
        )
        return key

    def tell(self, key: str, *, removed: bool = False) -> None:
        """Deliver the S3 event of a key to `submit`, encoded as S3 does."""
        load_function("submit").take_message(self.world, self.event(key, removed=removed), {}, set())

    def tell_at_once(self, *keys: str) -> list[int]:
        """Deliver the S3 events of keys in one batch; the places of those that failed.

        Raises:
            backdrop.batches.AllFailed: all of them did.
        """
        records = [{"messageId": str(number), "body": self.event(key)} for number, key in enumerate(keys)]
        reply = load_function("submit").take_batch(self.world, {"Records": records})
        return [int(failed["itemIdentifier"]) for failed in reply["batchItemFailures"]]

    def event(self, key: str, *, removed: bool = False) -> str:
        """What S3 sends when a key was written or removed."""
        entry = {
            "eventName": "ObjectRemoved:Delete" if removed else "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": self.world.settings.input_bucket},
                "object": {"key": quote_plus(key, safe="/")},
            },
        }
        return json.dumps({"Records": [entry]})

    def drop(self, name: str, data: bytes | str | dict[str, Any], **more: Any) -> str:
        """Upload an object and deliver its event."""
        key = self.put(name, data, **more)
        self.tell(key)
        return key

    def remove(self, key: str) -> None:
        """Delete an object and deliver its event."""
        self.world.aws.s3.delete_object(Bucket=self.world.settings.input_bucket, Key=key)
        self.tell(key, removed=True)

    def later(self, seconds: float) -> None:
        """Move the clock on; by an hour or more when what runs at the provider, in real time, has ended."""
        until = time.monotonic() + 15
        while seconds >= HOUR and self._working() and time.monotonic() < until:
            time.sleep(0.02)
        self.ahead[0] += seconds

    def _working(self) -> bool:
        told = self.control.get("status").raise_for_status().json()
        return bool(told["working"] > told["asleep"])

    def work(self) -> int:
        """Deliver every message that is on the work queue now; how many there were."""
        queue = self.world.settings.work_queue_url
        done = 0
        for _ in range(50):
            reply = self.world.aws.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            messages = reply.get("Messages", [])
            for message in messages:
                load_function("reconcile").take_message(self.world, message["Body"])
                self.world.aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                done += 1
            if not messages:
                return done
        pytest.fail("the work queue never ran empty")

    def sweep(self) -> int:
        """Let the schedule's sweep find what is due, and deliver what it sends."""
        sent = sweeping.sweep(self.world)
        self.work()
        return sent

    def calls(self, count: int = 1, *, seconds: float = 15) -> list[Call]:
        """Wait until so many callbacks have come; all of them."""
        until = time.monotonic() + seconds
        while len(self.door.calls) < count and time.monotonic() < until:
            time.sleep(0.02)
        assert len(self.door.calls) >= count, f"{len(self.door.calls)} of {count} callbacks came"
        return list(self.door.calls)

    def answer(self, call: Call, *, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Reply:
        """Deliver a callback to the webhook's verb; the reply."""
        _, _, provider, job, attempt, token = unquote(call.path).split("/")
        found = callbacks.read_path({"provider": provider, "job": job, "attempt": attempt, "token": token})
        assert found
        return receiving.receive(
            self.world, found, call.body if body is None else body, call.headers if headers is None else headers
        )

    def finish(self, *, rounds: int = 40) -> list[Job]:
        """Deliver callbacks, messages and sweeps until no job of this bench is open; its jobs."""
        answered = 0
        for _ in range(rounds):
            time.sleep(0.1)
            for call in self.door.calls[answered:]:
                self.answer(call)
                answered += 1
            self.work()
            if not any(job.state in OPEN for job in self.jobs()):
                return self.jobs()
            self.later(20)
            self.sweep()
        pytest.fail(f"still open: {[(job.model, job.state, job.error) for job in self.jobs()]}")

    def jobs(self) -> list[Job]:
        """Every job of this bench, oldest first."""
        pages = self.world.aws.dynamodb.get_paginator("scan").paginate(TableName=self.world.settings.job_table)
        rows = [{k: table.decode(v) for k, v in raw.items()} for page in pages for raw in page["Items"]]
        mine = [row["job_id"] for row in rows if str(row.get("key", "")).startswith(f"{self.folder}/")]
        found = jobs.many(self.world, [row for row in mine if not row.startswith("drop#")])
        return sorted(found, key=lambda job: (job.created_at, job.label))

    def only(self) -> Job:
        """The one job of this bench."""
        (job,) = self.jobs()
        return job

    def advance(self, job: Job) -> None:
        """Give a job its next step, as `reconcile` would."""
        posting.advance(self.world, job.job_id, may_block=True)

    def output(self, key: str) -> bytes:
        """An object of the output bucket."""
        reply = self.world.aws.s3.get_object(Bucket=self.world.settings.output_bucket, Key=key)
        return reply["Body"].read()

    def outputs(self) -> list[str]:
        """The keys of this bench in the output bucket."""
        reply = self.world.aws.s3.list_objects_v2(Bucket=self.world.settings.output_bucket, Prefix=f"{self.folder}/")
        return [entry["Key"] for entry in reply.get("Contents", [])]

    def error(self, key: str) -> dict[str, Any]:
        """The error file of a drop."""
        told: dict[str, Any] = json.loads(self.output(f"{key}.error.json"))
        return told

    def trouble(self, **switches: Any) -> None:
        """Switch trouble on in the sandbox."""
        self.control.put("trouble", json=switches).raise_for_status()

    def paid(self) -> list[dict[str, Any]]:
        """The accepted paid POSTs in the sandbox's ledger."""
        reply = self.control.get("ledger").raise_for_status().json()
        entries: list[dict[str, Any]] = reply["entries"]
        return entries

    def requests(self) -> list[dict[str, Any]]:
        """What the sandbox was asked, oldest first."""
        reply = self.control.get("requests").raise_for_status().json()
        seen: list[dict[str, Any]] = reply["requests"]
        return seen

    def states(self) -> list[State]:
        """The states of this bench's jobs."""
        return [job.state for job in self.jobs()]


def start(bench: Bench, spec: dict[str, Any] = BRIA, *, seed: int = 0, name: str = "a.png") -> str:
    """Drop a photo and its spec; the photo's key."""
    key = bench.drop(name, picture(seed=seed))
    bench.drop(f"{name}.json", spec)
    return key
