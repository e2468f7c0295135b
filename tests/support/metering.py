"""A meter on the wire: what each request of an invocation was, its bytes both ways, and the table's units.

Promises to count what a client really sent (retries too) and to change nothing of it. Units are computed from the
table's items as they are in moto before and after a request, so moto must be of this process. Refuses to guess: a
table operation that it does not know is an error.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import botocore.httpsession
import httpcore
import pytest
import units

from backdrop_cli.sandbox.front import classify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backdrop_cli.parts import Template

LINE_BYTES = 20  # of a request or status line, beside the path

TARGETS = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "secretsmanager": "secretsmanager"}
READS = frozenset({"GetItem", "BatchGetItem", "Query"})
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})


@dataclass(frozen=True, slots=True)
class Metered:
    """One request; bytes with headers, `writes` in units, by table and index.

    `verb` is DynamoDB's, SQS's or Secrets Manager's operation, S3's method (or LIST), or a provider's kind of route.
    """

    service: str
    verb: str
    status: int
    sent: int
    received: int
    seconds: float
    what: str = ""  # the table's key without what makes it unique, the bucket
    reads: float = 0.0
    writes: Counter[str] = field(default_factory=Counter)
    placed: Counter[str] = field(default_factory=Counter)  # write units by index and partition

    @property
    def aws(self) -> bool:
        """Whether AWS was asked, and not a provider."""
        return self.service in {*TARGETS.values(), "s3"}


class Meter:
    """Tells of each request that passes."""

    def __init__(self, template: Template, counts: Callable[[], bool], tell: Callable[[Metered], None]) -> None:
        self._template = template
        self._counts = counts
        self._tell = tell
        (table,) = template.tables
        self._table = table.name
        self.indexes = units.indexes_of(table.request)
        self.own_seconds = 0.0  # of the processor, that metering took in whoever was metered

    def item(self, key: str) -> units.Item | None:
        """An item as it is now, read from moto's memory."""
        from moto.backends import get_backend  # noqa: PLC0415 - a second of imports
        from moto.dynamodb.models.dynamo_type import DynamoType  # noqa: PLC0415 - with it

        place = self._template.place
        table = get_backend("dynamodb")[place.account][place.region].tables[self._table]
        found: Any = table.items.get(DynamoType({"S": key}))
        attributes: units.Item | None = found.to_json()["Attributes"] if found is not None else None
        return attributes

    def aws(self, request: Any, send: Callable[[], Any]) -> Any:
        """Let a request to AWS pass."""
        if not self._counts():
            return send()
        busy = time.thread_time()
        target = _text(request.headers.get("X-Amz-Target", ""))
        prefix, _, operation = target.partition(".")
        service = TARGETS[prefix] if operation else "s3"
        asked = json.loads(_text(request.body)) if operation else {}
        key = _key(asked) if service == "dynamodb" and operation in WRITES else ""
        before = self.item(key) if key else None
        self.own_seconds += time.thread_time() - busy
        began = time.perf_counter()
        reply = send()
        seconds = time.perf_counter() - began
        busy = time.thread_time()
        content = b"" if request.stream_output else reply.content
        told: dict[str, Any] = {}
        if service == "dynamodb":
            told = self._units(operation, asked, content, key, before)
        elif service == "sqs":
            told = {"what": "work"}
        elif service == "s3":
            operation, told = _s3(request)
        length = max(len(content), int(reply.headers.get("content-length", 0)))
        self._tell(
            Metered(
                service,
                operation,
                reply.status_code,
                sent=_sent(request),
                received=LINE_BYTES + _bytes(reply.headers.items()) + (0 if request.method == "HEAD" else length),
                seconds=seconds,
                **told,
            )
        )
        self.own_seconds += time.thread_time() - busy
        return reply

    def _units(
        self, operation: str, asked: dict[str, Any], content: bytes, key: str, before: units.Item | None
    ) -> dict[str, Any]:
        if operation in WRITES:
            after = self.item(key)
            return {
                "writes": Counter(units.written(before, after, self.indexes)),
                "placed": Counter(units.placed(before, after, self.indexes)),
                "what": _kind(key),
            }
        if operation not in READS:
            raise ValueError(operation)
        found = json.loads(content)
        if operation == "BatchGetItem":
            (rows,) = found["Responses"].values()
            sure = all(one["ConsistentRead"] for one in asked["RequestItems"].values())
            # Each is charged by itself, and one that is not there as the smallest.
            units_read = sum(units.read(units.size_of(item), consistent=sure) for item in rows)
            (wanted,) = (one["Keys"] for one in asked["RequestItems"].values())
            return {"reads": units_read + (len(wanted) - len(rows)) * units.read(0, consistent=sure), "what": "rows"}
        items = found.get("Items", [found["Item"]] if "Item" in found else [])
        size = sum(units.size_of(item) for item in items)
        what = asked.get("IndexName") or _kind(asked["Key"]["job_id"]["S"])
        return {"reads": units.read(size, consistent=bool(asked.get("ConsistentRead"))), "what": what}

    def http(self, request: httpcore.Request, send: Callable[[], httpcore.Response]) -> httpcore.Response:
        """Let a request to a provider pass. Its body is counted by what its headers say."""
        if not self._counts():
            return send()
        provider, kind = classify(request.method.decode(), request.url.target.decode().partition("?")[0])
        began = time.perf_counter()
        reply = send()
        headers = {name.decode().lower(): value.decode() for name, value in reply.headers}
        sent = {name.decode().lower(): value.decode() for name, value in request.headers}
        self._tell(
            Metered(
                provider,
                kind,
                reply.status,
                sent=LINE_BYTES + len(request.url.target) + _bytes(sent.items()) + int(sent.get("content-length", 0)),
                received=LINE_BYTES + _bytes(headers.items()) + int(headers.get("content-length", 0)),
                seconds=time.perf_counter() - began,
            )
        )
        return reply


def _key(asked: dict[str, Any]) -> str:
    return str((asked.get("Item") or asked["Key"])["job_id"]["S"])


def _kind(key: str) -> str:
    """What a row is: a job's id says nothing, the others' begin with a word."""
    word, mark, _ = key.partition("#")
    return word if mark else "job"


def _s3(request: Any) -> tuple[str, dict[str, Any]]:
    parts = urlsplit(request.url)
    bucket = unquote(parts.path).split("/", 2)[1]
    verb = "LIST" if parts.query.startswith("list-type") else request.method
    return verb, {"what": bucket.partition("-")[2]}


def _sent(request: Any) -> int:
    body = request.body
    if body is None:
        size = 0
    elif isinstance(body, (bytes, bytearray, str)):
        size = len(body)
    else:
        size = int(_text(request.headers.get("Content-Length", "0")) or 0)
    return LINE_BYTES + len(urlsplit(request.url).path) + _bytes(request.headers.items()) + size


def _bytes(headers: Any) -> int:
    return sum(len(_text(name)) + len(_text(value)) + 4 for name, value in headers)  # a colon, a blank, two to end it


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, (bytes, bytearray)) else str(value)


@contextmanager
def metered(template: Template, counts: Callable[[], bool], tell: Callable[[Metered], None]) -> Iterator[Meter]:
    """While inside, `tell` is told of each request that is sent while `counts()` says so, once it is answered."""
    meter = Meter(template, counts, tell)
    send_aws = botocore.httpsession.URLLib3Session.send
    send_http = httpcore.ConnectionPool.handle_request
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            botocore.httpsession.URLLib3Session,
            "send",
            lambda session, request: meter.aws(request, lambda: send_aws(session, request)),
        )
        patch.setattr(
            httpcore.ConnectionPool,
            "handle_request",
            lambda pool, request: meter.http(request, lambda: send_http(pool, request)),
        )
        yield meter
