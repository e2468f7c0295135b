"""Where the fault harness plays: moto's server and the provider sandbox over real HTTP, on one virtual clock.

Promises that every request which reaches AWS's server is written down there, so that what the harness saw on the wire
can be held against it; that queues, delays and visibility timeouts are SQS's own (moto's), on the virtual clock; and
that each stack is made of the template.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import boto3
import pytest
from bench import PROVIDER_KEYS, ROOT
from bench_fixtures import empty_buckets, every_client, fresh
from botocore.config import Config
from faults_wire import aws_line, gated
from quick import direct, kept_alive, quickened, uncollected

from backdrop.table import decode
from backdrop.world import LeanClients
from backdrop_cli import aws
from backdrop_cli import template as templates
from backdrop_cli.sandbox import server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backdrop.world import Clients
    from backdrop_cli.parts import Function, Template
    from backdrop_cli.sandbox.server import Sandbox

INERT = {  # credentials that open nothing
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "POWERTOOLS_SERVICE_NAME": "backdrop",
    "POWERTOOLS_METRICS_NAMESPACE": "Backdrop",
}
HARNESS = "fault-harness"  # in the User-Agent of what the harness itself asks
LONGEST_SETTLING = 20.0


@dataclass
class Clock:
    """Unix seconds that stand still unless they are moved."""

    start: float = field(default_factory=time.time)
    ahead: float = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.start + self.ahead

    def milliseconds(self) -> float:
        """The time in milliseconds, as moto's SQS counts it."""
        return self() * 1000

    def move(self, seconds: float) -> None:
        """Go on."""
        self.ahead += max(0.0, seconds)

    def begin(self) -> None:
        """A new life begins at the real time."""
        self.start, self.ahead = time.time(), 0.0


@dataclass(frozen=True)
class Letter:
    """A callback as it came over the wire."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Door:
    """Takes every callback, keeps it under the first segment of its path, and wakes whoever waits for one."""

    def __init__(self) -> None:
        self._letters: dict[str, list[Letter]] = {}
        self._came = threading.Condition()
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                door.take(self.path, tuple(self.headers.items()), body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, path: str, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        """Keep one."""
        _, life, rest = path.split("/", 2)
        with self._came:
            self._letters.setdefault(life, []).append(Letter(f"/{rest}", headers, body))
            self._came.notify_all()

    def wait(self, life: str, count: int) -> list[Letter]:
        """The letters of a life, once there are `count`."""
        with self._came:
            if not self._came.wait_for(lambda: len(self._letters.get(life, [])) >= count, LONGEST_SETTLING):
                raise TimeoutError(f"{len(self._letters.get(life, []))} of {count} callbacks came")
            return list(self._letters.get(life, []))

    def forget(self, life: str) -> None:
        """A life is over."""
        with self._came:
            self._letters.pop(life, None)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class Books:
    """The requests that AWS's server got from clients of ours, the harness's own left out."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def application(self, base: type[Any]) -> type[Any]:
        """A WSGI application like `base` that writes down what it is asked."""
        lines = self._lines

        class Counted(base):  # type: ignore[misc] # moto's, which has no types
            _backends: ClassVar[dict[str | None, Any]] = {}

            def get_backend_for_host(self, host: str | None) -> Any:
                """As moto has it, but for 150 looks at the disk for each request."""
                if host not in self._backends:
                    self._backends[host] = super().get_backend_for_host(host)
                return self._backends[host]

            def __call__(self, environ: Any, start_response: Any) -> Any:
                agent = environ.get("HTTP_USER_AGENT", "")
                if agent.startswith(("Boto3", "Botocore")) and HARNESS not in agent:
                    query = environ.get("QUERY_STRING", "")
                    target = environ["PATH_INFO"].encode("latin-1").decode() + (f"?{query}" if query else "")
                    operation = environ.get("HTTP_X_AMZ_TARGET", "")
                    lines.append(aws_line(environ["REQUEST_METHOD"], target, operation))
                return super().__call__(environ, start_response)

        return Counted

    def taken(self) -> list[str]:
        """The lines since the last time, in order."""
        lines = list(self._lines)
        self._lines.clear()
        return lines


class Own:
    """The harness's own clients of the stack."""

    def __init__(self) -> None:
        config = Config(user_agent_extra=HARNESS, s3={"addressing_style": "path"})
        session = boto3.session.Session()
        self.s3: Any = session.client("s3", config=config)
        self.sqs: Any = session.client("sqs", config=config)
        self.dynamodb: Any = session.client("dynamodb", config=config)


@dataclass
class Ground:
    """One process's servers, and the template's resources in them."""

    origin: str
    sandbox: Sandbox
    door: Door
    books: Books
    clock: Clock
    template: Template
    _lives: int = 0
    _told: tuple[int, int] = (0, 0)  # callbacks sent and lost before this life

    @cached_property
    def own(self) -> Own:
        """The harness's clients."""
        return Own()

    @cached_property
    def clients(self) -> Clients:
        """The functions' clients, which all environments share."""
        return every_client(LeanClients)

    def environment(self) -> Clients:
        """The clients of a fresh environment, which knows no secret yet."""
        return fresh(self.clients)

    def life(self) -> str:
        """Begin a life in empty stores; its name."""
        self._lives += 1
        self.clock.begin()
        random.seed(1)  # what botocore dices for its back-off
        self.ask("POST", "reset")
        told = self.ask("GET", "status")
        self._told = told["callbacks_sent"], told["callbacks_lost"]
        self.empty()
        self.books.taken()
        return f"life{self._lives}"

    def empty(self) -> None:
        """Empty moto's stores, which no request does: keys, and so job ids, are the same in every life."""
        from moto.backends import get_backend  # noqa: PLC0415 - with moto

        account, region = self.template.place.account, self.template.place.region
        empty_buckets(self.template)
        for table in self.template.tables:
            get_backend("dynamodb")[account][region].tables[table.name].items.clear()
        for queue in self._queues():
            queue._messages.clear()  # noqa: SLF001 - moto has no other way
            queue.pending_messages.clear()

    def rows(self) -> list[dict[str, Any]]:
        """Every row of the job table, as it lies in moto's store: no request of the harness costs what a scan does."""
        return [_read(item) for item in self._items().values()]

    def any_open(self) -> bool:
        """Whether a row is in the index `open`."""
        return any("open" in item.attrs for item in self._items().values())

    def row(self, job_id: str) -> dict[str, Any]:
        """One row; empty when there is none."""
        from moto.dynamodb.models.dynamo_type import DynamoType  # noqa: PLC0415 - with moto

        item = self._items().get(DynamoType({"S": job_id}))
        return _read(item) if item else {}

    def _items(self) -> dict[Any, Any]:
        from moto.backends import get_backend  # noqa: PLC0415 - with moto

        place, name = self.template.place, self.template.name("JobTable")
        items: dict[Any, Any] = get_backend("dynamodb")[place.account][place.region].tables[name].items
        return items

    def objects(self, logical_id: str) -> dict[str, bytes]:
        """What lies in a bucket, by key: the latest versions, out of moto's store."""
        from moto.backends import get_backend  # noqa: PLC0415 - with moto

        bucket = get_backend("s3")[self.template.place.account]["aws"].buckets[self.template.name(logical_id)]
        latest = {key: bucket.keys[key] for key in bucket.keys}
        return {key: version.value for key, version in latest.items() if hasattr(version, "value")}  # or it is deleted

    def _queues(self) -> list[Any]:
        from moto.backends import get_backend  # noqa: PLC0415 - with moto

        place = self.template.place
        queues = get_backend("sqs")[place.account][place.region].queues
        return [queues[queue.name] for queue in self.template.queues]

    def left(self) -> dict[str, int]:
        """How many messages each queue holds, in flight and delayed ones too."""
        return {queue.name: len(queue._messages) for queue in self._queues()}  # noqa: SLF001 - as above

    def next_message(self, url: str) -> float | None:
        """When the next message of a queue can be received; None when it holds none. SQS itself does not say."""
        name = url.rpartition("/")[2]
        messages = next(queue._messages for queue in self._queues() if queue.name == name)  # noqa: SLF001 - as above
        return min((max(one.visible_at, one.delayed_until) / 1000 for one in messages), default=None)

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One of the sandbox's own routes, by the standard library: httpx takes longer to ask than it to answer."""
        place = urlsplit(self.sandbox.url)
        asking = http.client.HTTPConnection(str(place.hostname), place.port, timeout=LONGEST_SETTLING)
        sent = None if body is None else json.dumps(body).encode()
        try:
            asking.request(method, f"/_sandbox/{path}", sent, {"Connection": "close"})
            reply = asking.getresponse()
            told = reply.read()
        finally:
            asking.close()
        assert reply.status == http.HTTPStatus.OK, f"{method} {path}: {reply.status} {told.decode()}"
        answer: dict[str, Any] = json.loads(told)
        return answer

    def letters(self, life: str) -> list[Letter]:
        """The callbacks of a life, once there is one, sent or lost, for each run that was accepted."""
        until = time.monotonic() + LONGEST_SETTLING
        while time.monotonic() < until:
            told = self.ask("GET", "status")
            sent, lost = told["callbacks_sent"] - self._told[0], told["callbacks_lost"] - self._told[1]
            if sent + lost >= told["accepted"]:
                return self.door.wait(life, sent)
            time.sleep(0.002)
        raise TimeoutError(f"{sent} callbacks sent, {lost} lost, for {told['accepted']} runs")


def _read(item: Any) -> dict[str, Any]:
    from moto.dynamodb.models.utilities import dynamo_to_dict  # noqa: PLC0415 - with moto

    return {name: decode(dynamo_to_dict(value)) for name, value in item.attrs.items()}


def function_of(template: Template, logical_id: str) -> Function:
    """A function of the template."""
    return next(function for function in template.functions if function.logical_id == logical_id)


@contextmanager
def standing() -> Iterator[Ground]:
    """The servers, the gate on the wire, and the environment that leads there."""
    from moto.moto_server import werkzeug_app  # noqa: PLC0415 - a second of imports
    from moto.sqs import models as sqs  # noqa: PLC0415 - the same

    clock, books = Clock(), Books()
    with ExitStack() as closing:
        patch = closing.enter_context(pytest.MonkeyPatch.context())
        closing.enter_context(quickened())
        patch.setattr(
            werkzeug_app,
            "DomainDispatcherApplication",
            books.application(direct(werkzeug_app.DomainDispatcherApplication)),
        )
        patch.setattr(werkzeug_app, "MotoRequestHandler", kept_alive(werkzeug_app.MotoRequestHandler))
        origin = closing.enter_context(aws.serving_aws())
        for name, value in {**INERT, "AWS_ENDPOINT_URL": origin}.items():
            patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        patch.setattr(sqs, "unix_time", clock)
        patch.setattr(sqs, "unix_time_millis", clock.milliseconds)
        sandbox = closing.enter_context(server.running(image_origins=[origin], clock=clock))
        door = Door()
        closing.callback(door.close)
        closing.enter_context(gated(clock.move))
        template = _stack(origin, sandbox, door)
        ground = Ground(origin, sandbox, door, books, clock, template)
        closing.callback(_remove, ground)
        _ = ground.own, ground.clients
        closing.enter_context(uncollected())
        yield ground


def _remove(ground: Ground) -> None:
    """Take the stack away: another ground of this process makes it anew, under the same names."""
    ground.empty()
    template, session = ground.template, boto3.session.Session()
    clients: dict[str, Any] = {name: session.client(name) for name in ("s3", "dynamodb", "sqs", "secretsmanager")}
    for bucket in template.buckets:
        clients["s3"].delete_bucket(Bucket=bucket.name)
    for table in template.tables:
        clients["dynamodb"].delete_table(TableName=table.name)
    for queue in template.queues:
        clients["sqs"].delete_queue(QueueUrl=template.queue_url(queue))
    for secret in template.secrets:
        clients["secretsmanager"].delete_secret(SecretId=secret.name, ForceDeleteWithoutRecovery=True)


def _stack(origin: str, sandbox: Sandbox, door: Door) -> Template:
    place = templates.Place(endpoint_url=origin, stack="faults")
    parameters = {f"{name}BaseUrl": sandbox.url for name in ("Runflow", "Backgroundcut", "Imagepipeline")}
    parameters["CallbackBaseUrl"] = door.url
    template = templates.load(ROOT / "template.yaml", place, parameters)
    aws.build(boto3.session.Session(), template, {"ProviderSecret": PROVIDER_KEYS})
    return template
