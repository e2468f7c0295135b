"""The wire under the fault harness: every call that an invocation makes to the world passes here, and can go wrong.

Promises that nothing of our own is touched: botocore's and httpcore's one sending function each stand behind a gate,
which is open to whoever is not an invocation under test (the sandbox, moto and the harness itself share the process).
A killed invocation is refused everything it still tries, in `finally` blocks too; `Killed` is a BaseException, so no
`except Exception` survives it. botocore keeps its retries; what it would sleep moves the virtual clock instead.
"""

from __future__ import annotations

import io
import json
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from urllib.parse import unquote, urlsplit

import botocore.endpoint
import botocore.httpsession
import httpcore
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from urllib3 import HTTPResponse

from backdrop_cli.sandbox.front import classify
from backdrop_cli.sandbox.replies import error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AWS_TIMEOUT_SECONDS = 5.0  # nominal: botocore's own minute outlasts most invocations, and that is a kill
THROTTLE_PAUSE = 2  # seconds that a throttled provider asks for


class Killed(BaseException):
    """The invocation is no more: its environment was taken away, or its time ran out."""


class Fault(StrEnum):
    """What goes wrong with one call. AWS calls are retried by botocore; provider calls by the library alone."""

    KILLED_BEFORE = "killed before"  # the invocation dies before the call leaves
    KILLED_AFTER = "killed after"  # the call took effect, the invocation dies before the reply
    THROTTLED = "throttled"  # refused once, in the service's own words
    ERROR_BEFORE = "5xx"  # answered with a fault of the server's own; it did nothing
    ERROR_AFTER = "5xx after"  # the same, but it took effect; AWS: so is every retry of it
    TIMEOUT_BEFORE = "timeout before"  # it left and never arrived
    TIMEOUT_AFTER = "timeout after"  # it took effect and the reply was lost
    OUTAGE = "outage"  # nothing can be reached: a provider refuses to connect, AWS refuses every retry
    OVERTAKEN = "overtaken"  # the same event comes twice, and all else that may happen happens, before the call leaves
    PAUSED = "paused"  # the same, and the call leaves at the last moment of the invocation's time


@dataclass(frozen=True, slots=True)
class Call:
    """One call on the wire. `name` is the same in every life of a scene, `line` is what the server's log has."""

    function: str
    service: str  # dynamodb, s3, sqs, secretsmanager; or a provider
    name: str
    line: str
    paid: bool = False
    group: str = ""  # the same for all of botocore's tries of one call


class Gate(Protocol):
    """Decides about the calls of one invocation."""

    def passing[R](self, call: Call, send: Callable[[], R], seam: Seam[R]) -> R:
        """Let a call through, or not."""


class Seam[R](Protocol):
    """How one library is told that a call went wrong."""

    def finish(self, reply: R) -> None:
        """Take the whole reply in, and drop it."""

    def throttled(self) -> R:
        """The service's refusal of too many calls."""

    def broken(self) -> R:
        """A 5xx."""

    def timed_out(self) -> NoReturn:
        """No reply came in time."""

    def unreached(self) -> R:
        """No connection, or as much as one."""

    @property
    def timeout(self) -> float:
        """Seconds that waiting for a reply takes."""


CURRENT: ContextVar[Gate | None] = ContextVar("CURRENT", default=None)


# --- AWS -------------------------------------------------------------------------------------------------------------

_THROTTLES = {
    "dynamodb": (400, "ProvisionedThroughputExceededException", "The level of configured throughput was exceeded"),
    "secretsmanager": (400, "ThrottlingException", "Rate exceeded"),
    "sqs": (403, "RequestThrottled", "Request is throttled"),
    "s3": (503, "SlowDown", "Please reduce your request rate."),
}


@dataclass(frozen=True, slots=True)
class _Aws:
    request: Any
    service: str
    timeout: float = AWS_TIMEOUT_SECONDS

    def finish(self, reply: AWSResponse) -> None:
        _ = reply.content

    def throttled(self) -> AWSResponse:
        return self._error(*_THROTTLES[self.service])

    def broken(self) -> AWSResponse:
        return self._error(500, "InternalServerError" if self.service == "dynamodb" else "InternalError", "Try again.")

    def timed_out(self) -> NoReturn:
        raise ReadTimeoutError(endpoint_url=self.request.url, error="read timed out")

    def unreached(self) -> NoReturn:
        raise ConnectTimeoutError(endpoint_url=self.request.url, error="connect timed out")

    def _error(self, status: int, code: str, message: str) -> AWSResponse:
        if self.service == "s3":
            kind = "application/xml"
            text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
        else:
            kind = "application/x-amz-json-1.0"
            text = json.dumps({"__type": code, "message": message})
        body = b"" if self.request.method == "HEAD" else text.encode()
        headers = {"content-type": kind, "content-length": str(len(body)), "x-amzn-requestid": "harness"}
        if self.service == "sqs":
            headers["x-amzn-query-error"] = f"{code};Sender"
        raw = HTTPResponse(io.BytesIO(body), headers=headers, status=status, preload_content=False)
        sent: Any = headers  # any mapping does
        return AWSResponse(self.request.url, status, sent, raw)


def _header(request: Any, name: str) -> str:
    value = request.headers.get(name, "")
    return value.decode() if isinstance(value, bytes) else str(value)


def aws_line(method: str, target: str, operation: str) -> str:
    """One line for a call and for its request in the server's log. `target` is path and query."""
    path, _, query = target.partition("?")
    return f"{method} {unquote(path)}{'?' if query else ''}{query} {operation}".strip()


def _aws_call(gate: Any, request: Any) -> Call:
    parts = urlsplit(request.url)
    operation = _header(request, "X-Amz-Target")
    service, name = _aws_name(request.method, parts.path, parts.query, operation)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return Call(
        function=gate.function,
        service=service,
        name=name,
        line=aws_line(request.method, target, operation),
        group=_header(request, "amz-sdk-invocation-id"),
    )


_TARGETS = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs", "secretsmanager": "secretsmanager"}


def _aws_name(method: str, path: str, query: str, operation: str) -> tuple[str, str]:
    if operation:
        prefix, _, verb = operation.partition(".")
        return _TARGETS[prefix], f"{_TARGETS[prefix]} {verb}"
    _, bucket, *key = unquote(path).split("/", 2)
    kind = "list" if query.startswith("list-type") else (key[0].rpartition("/")[2] if key else "")
    suffix = kind if kind == "list" else "." + kind.partition(".")[2]
    return "s3", f"s3 {method} {bucket.partition('-')[2]} {suffix}"


# --- Providers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Http:
    request: httpcore.Request
    provider: str
    kind: str

    @property
    def timeout(self) -> float:
        told = self.request.extensions.get("timeout", {}).get("read")
        return float(told or 5.0)

    def finish(self, reply: httpcore.Response) -> None:
        try:
            reply.read()
        finally:
            reply.close()

    def throttled(self) -> httpcore.Response:
        if self.kind == "result":
            return self._storage(503, "SlowDown")
        return self._refusal(429, {"Retry-After": str(THROTTLE_PAUSE)})

    def broken(self) -> httpcore.Response:
        return self._storage(500, "InternalError") if self.kind == "result" else self._refusal(500, {})

    def timed_out(self) -> NoReturn:
        raise httpcore.ReadTimeout("timed out")

    def unreached(self) -> NoReturn:
        raise httpcore.ConnectTimeout("timed out")

    def _refusal(self, status: int, headers: dict[str, str]) -> httpcore.Response:
        if self.provider == "backgroundcut":
            headers = {}  # it documents no Retry-After
        told = error_of(self.provider, status, headers=headers)
        return _http_response(status, json.dumps(told.body).encode(), "application/json", told.headers)

    def _storage(self, status: int, code: str) -> httpcore.Response:
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
        return _http_response(status, body.encode(), "application/xml", {})


def _http_response(status: int, body: bytes, kind: str, headers: dict[str, str]) -> httpcore.Response:
    sent = {"Content-Type": kind, "Content-Length": str(len(body)), **headers}
    return httpcore.Response(status, headers=[(k.encode(), v.encode()) for k, v in sent.items()], content=body)


def _http_call(gate: Any, request: httpcore.Request) -> tuple[Call, str]:
    method = request.method.decode()
    path = request.url.target.decode().partition("?")[0]
    provider, kind = classify(method, path)
    call = Call(
        function=gate.function,
        service=provider,
        name=f"{provider} {kind} {method}",
        line=f"{method} {unquote(path)}",
        paid=kind == "submit",
    )
    return call, kind


# --- The gate --------------------------------------------------------------------------------------------------------


@contextmanager
def gated(sleep: Callable[[float], None]) -> Iterator[None]:
    """While inside, what an invocation sends goes through its gate, and what botocore sleeps goes to `sleep`."""
    send_aws = botocore.httpsession.URLLib3Session.send
    send_http = httpcore.ConnectionPool.handle_request

    def aws(session: Any, request: Any) -> Any:
        gate = CURRENT.get()
        if gate is None:
            return send_aws(session, request)
        call = _aws_call(gate, request)
        return gate.passing(call, lambda: send_aws(session, request), _Aws(request, call.service))

    def http(pool: Any, request: httpcore.Request) -> httpcore.Response:
        gate = CURRENT.get()
        if gate is None:
            return send_http(pool, request)
        call, kind = _http_call(gate, request)
        return gate.passing(call, lambda: send_http(pool, request), _Http(request, call.service, kind))

    def nap(seconds: float) -> None:
        if CURRENT.get() is None:
            time.sleep(seconds)
        else:
            sleep(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.httpsession.URLLib3Session, "send", aws)
        patch.setattr(httpcore.ConnectionPool, "handle_request", http)
        patch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=nap, time=time.time))
        yield
