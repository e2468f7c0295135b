"""What stands before the routes: trouble, body limits, rate limits and the log of requests.

Promises that every request to a provider's route is remembered once, with the status the client got; that trouble
happens before the routes or after an acceptance, never in between; that a fault of the sandbox itself still answers in
the provider's words. The sandbox's own routes pass untouched.
"""

import asyncio
import logging
import math
import secrets
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.responses import Response

from backdrop_cli.sandbox.accounts import digest_of
from backdrop_cli.sandbox.bodies import NotJson, parse_json
from backdrop_cli.sandbox.connections import App, Connections, Receive, Scope, Send
from backdrop_cli.sandbox.ledger import redact
from backdrop_cli.sandbox.replies import BACKGROUNDCUT, IMAGEPIPELINE, PROVIDERS, RUNFLOW, Refusal, error_of
from backdrop_cli.sandbox.state import State, keep
from backdrop_cli.sandbox.trouble import RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LOG = logging.getLogger(__name__)
_MOST_JSON = 2_000_000
_MOST_UPLOAD = 60_000_000
_LOGGED_JSON = 200_000
_WINDOW = 60.0
_MOST_WINDOWS = 1_000
_REFUSED = 400


def classify(method: str, path: str) -> tuple[str, str]:
    """Provider and kind of a route; ("", "") for the sandbox's own."""
    if path.startswith("/results/"):
        return path.split("/")[2], "result"
    if path.startswith("/v3/"):
        return BACKGROUNDCUT, _backgroundcut_kind(path)
    if path.startswith("/background/"):
        return IMAGEPIPELINE, "submit" if method == "POST" else "status"
    if path.startswith("/upload/"):
        return IMAGEPIPELINE, "upload"
    if path.startswith(("/webhooks/", "/v1/user/")) or path == "/health":
        return IMAGEPIPELINE, "account"
    if path.startswith(("/v1/", "/uploads/")):
        return RUNFLOW, _runflow_kind(method, path)
    return "", ""


def _backgroundcut_kind(path: str) -> str:
    if path.startswith("/v3/tools/"):
        return "submit"
    return {"/v3/file-ops/upload/": "upload", "/v3/file-ops/get-public-url/": "public-url"}.get(path, "account")


def _runflow_kind(method: str, path: str) -> str:
    if method == "POST" and path.startswith(("/v1/models/", "/v1/run/")):
        return "submit"
    if path.startswith(("/v1/asset", "/uploads/")):
        return "upload"
    if path.startswith(("/v1/runs", "/v1/batches", "/v1/admin/")):
        return "status"
    return "account"


@dataclass(slots=True)
class Exchange:
    """One request under way."""

    scope: Scope
    receive: Receive
    provider: str
    kind: str
    began: float = field(default_factory=time.monotonic)
    body: bytearray = field(default_factory=bytearray)
    size: int = 0
    trouble: str = ""
    status: int = 0

    @property
    def headers(self) -> Headers:
        """The request's headers."""
        return Headers(scope=self.scope)

    @property
    def authorization(self) -> str:
        """Whatever the client proved itself with."""
        return self.headers.get("authorization") or self.headers.get("x-api-key") or ""

    async def read(self) -> Any:
        """Receive, counted and kept for the log. Raises 413."""
        message = await self.receive()
        chunk = message.get("body", b"")
        self.size += len(chunk)
        if self.size > (_MOST_UPLOAD if self.kind == "upload" else _MOST_JSON):
            raise error_of(self.provider, 413)
        if len(self.body) <= _LOGGED_JSON:
            self.body += chunk
        return message


class Front:
    """The ASGI application around the routes."""

    def __init__(self, app: App, connections: Connections) -> None:
        self._app = app
        self._connections = connections
        self.state: State | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass lifespan events on."""
        provider, kind = ("", "")
        if scope["type"] == "http":
            provider, kind = classify(scope["method"], scope["path"])
        if self.state is None or not provider:
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, provider, kind)
        scope["request_id"] = f"req_{secrets.token_hex(8)}"
        try:
            await self._answer(self.state, exchange, send)
        finally:
            self._remember(self.state, exchange)

    async def _answer(self, state: State, exchange: Exchange, send: Send) -> None:
        trouble, fires = state.board.trouble, state.board.fires
        about = (exchange.provider, exchange.kind)
        waits = [one for one in trouble.latency if not one.after]
        if slow := fires(waits, *about):
            exchange.trouble = "latency"
            await asyncio.sleep(slow.ms / 1000)
        if fires(trouble.dropped_before, *about):
            exchange.trouble = "dropped_before"
            await self._connections.cut(exchange.scope, exchange.receive)
            return
        refused = _refusal(state, exchange)
        if refused is not None:
            await self._send(state, exchange, _response(refused), send)
            return
        if exchange.kind == "result":
            await self._app(exchange.scope, exchange.receive, _watched(exchange, send))
            return
        messages = await self._collect(exchange)
        if exchange.status < _REFUSED and await self._spoilt(state, exchange, send):
            return
        await self._pass_on(state, exchange, messages, send)

    async def _collect(self, exchange: Exchange) -> list[Any]:
        messages: list[Any] = []

        async def collect(message: Any) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
            messages.append(message)

        try:
            await self._app(exchange.scope, exchange.read, collect)
        except Exception:  # noqa: BLE001 - a client must get an answer whatever broke; the log tells
            _LOG.exception("the sandbox broke on %s %s", exchange.scope["method"], exchange.scope["path"])
            messages.clear()
            await _response(error_of(exchange.provider, 500))(exchange.scope, exchange.receive, collect)
        return messages

    async def _spoilt(self, state: State, exchange: Exchange, send: Send) -> bool:
        """Trouble after acceptance; whether it has taken the place of the answer."""
        trouble, fires = state.board.trouble, state.board.fires
        about = (exchange.provider, exchange.kind)
        if slow := fires([one for one in trouble.latency if one.after], *about):
            exchange.trouble = "latency"
            await asyncio.sleep(slow.ms / 1000)
        if fires(trouble.dropped_after, *about):
            exchange.trouble, exchange.status = "dropped_after", 0
            await self._connections.cut(exchange.scope, exchange.receive)
            return True
        if error := fires(trouble.server_error_after, *about):
            exchange.trouble = "server_error_after"
            await self._send(state, exchange, _response(error_of(exchange.provider, error.status)), send)
            return True
        return False

    async def _send(self, state: State, exchange: Exchange, response: Response, send: Send) -> None:
        messages: list[Any] = []

        async def collect(message: Any) -> None:
            messages.append(message)

        await response(exchange.scope, exchange.receive, collect)
        exchange.status = response.status_code
        await self._pass_on(state, exchange, messages, send)

    async def _pass_on(self, state: State, exchange: Exchange, messages: list[Any], send: Send) -> None:
        for message in messages:
            if message["type"] == "http.response.start" and exchange.provider == RUNFLOW:
                message["headers"] = [*message["headers"], *_rate_headers(state, exchange)]
            await send(message)

    def _remember(self, state: State, exchange: Exchange) -> None:
        headers = exchange.headers
        route = exchange.scope.get("route")
        state.requests.add(
            at=state.now(),
            provider=exchange.provider,
            kind=exchange.kind,
            method=exchange.scope["method"],
            path=exchange.scope["path"][:500],
            route=getattr(route, "path", ""),
            status=exchange.status,
            trouble=exchange.trouble,
            authorization=f"digest:{digest_of(exchange.authorization)}" if exchange.authorization else "",
            idempotency_key=headers.get("idempotency-key", "")[:200],
            body=_logged(bytes(exchange.body)) if "json" in headers.get("content-type", "") else None,
            ms=round((time.monotonic() - exchange.began) * 1000, 1),
        )


def _logged(body: bytes) -> Any:
    if len(body) > _LOGGED_JSON:
        return "…"
    try:
        return redact(parse_json(body))
    except NotJson:
        return None


def _watched(exchange: Exchange, send: Send) -> Send:
    async def watched(message: Any) -> None:
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
        await send(message)

    return watched


def _refusal(state: State, exchange: Exchange) -> Refusal | None:
    """The trouble that answers instead of the routes, or the rate limit's 429."""
    trouble, provider = state.board.trouble, exchange.provider
    if provider not in PROVIDERS or exchange.kind == "result":
        return None
    on_runs_route = exchange.kind == "submit" and exchange.scope["path"].startswith("/v1/models/")
    answers: tuple[tuple[str, Sequence[Any], Callable[[Any], Refusal]], ...] = (
        ("server_error_before", trouble.server_error_before, lambda one: error_of(provider, one.status)),
        (
            "rate_limited",
            trouble.rate_limited,
            lambda one: error_of(provider, 429, headers=_retry_after(state, one, provider)),
        ),
        ("unavailable", trouble.unavailable, lambda _: error_of(provider, 503)),
        ("refused_key", trouble.refused_key, lambda _: error_of(provider, 401)),
        (
            "forbidden",
            trouble.forbidden,
            lambda one: error_of(provider, 403, code=one.code if provider == RUNFLOW else ""),
        ),
        ("no_credits", trouble.no_credits, lambda _: error_of(provider, 402)),
        (
            "runs_route_missing",
            trouble.runs_route_missing if on_runs_route else (),
            lambda one: error_of(provider, one.status),
        ),
    )
    for name, switches, answer in answers:
        if one := state.board.fires(switches, provider, exchange.kind):
            exchange.trouble = name
            return answer(one)
    if _within_rate(state, exchange):
        return None
    exchange.trouble = "rate"
    told = {} if provider == BACKGROUNDCUT else {"Retry-After": str(_window_left(state, exchange))}
    return error_of(provider, 429, headers=told)


def _retry_after(state: State, limited: RateLimited, provider: str) -> dict[str, str]:
    asked = "retry_after" in limited.model_fields_set
    if limited.retry_after is None or (provider == BACKGROUNDCUT and not asked):
        return {}
    if limited.http_date:
        return {"Retry-After": formatdate(state.now() + limited.retry_after, usegmt=True)}
    return {"Retry-After": f"{limited.retry_after:g}"}


def _window(state: State, exchange: Exchange) -> tuple[str, float, int]:
    name = f"{exchange.provider} {digest_of(exchange.authorization)}"
    since, count = state.windows.get(name, (0.0, 0))
    now = state.now()
    return (name, since, count) if now - since < _WINDOW else (name, now, 0)


def _within_rate(state: State, exchange: Exchange) -> bool:
    name, since, count = _window(state, exchange)
    keep(state.windows, name, (since, count + 1), _MOST_WINDOWS)
    return count < state.board.trouble.requests_per_minute


def _window_left(state: State, exchange: Exchange) -> int:
    return max(1, math.ceil(_window(state, exchange)[1] + _WINDOW - state.now()))


def _rate_headers(state: State, exchange: Exchange) -> list[tuple[bytes, bytes]]:
    _, since, count = _window(state, exchange)
    limit = state.board.trouble.requests_per_minute
    told = {
        "x-ratelimit-limit": limit,
        "x-ratelimit-remaining": max(limit - count, 0),
        "x-ratelimit-reset": math.ceil(since + _WINDOW),
    }
    return [(name.encode(), str(value).encode()) for name, value in told.items()]


def _response(refusal: Refusal) -> Response:
    return JSONResponse(refusal.body, refusal.status, refusal.headers)
