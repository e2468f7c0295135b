"""Sending callbacks: signed, retried and recorded as the providers do it, and spoilt as the switches say.

Promises the model pages' schedule (runflow.md section 4.3): three attempts, 1 s and 2 s apart, again only after a
5xx or a network error (after any non-2xx by a mode); one attempt for ImagePipeline, which documents no retry. A late
or held callback waits on the event loop, no thread sleeps. Refuses URLs that are neither https nor http to loopback,
follows no redirect, waits 10 s for an answer and keeps at most `MOST_PENDING` callbacks at once (one more is lost, and
counted).
"""

import asyncio
import hashlib
import hmac
import ipaddress
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from backdrop_cli.sandbox.replies import RUNFLOW
from backdrop_cli.sandbox.trouble import Switchboard

MOST_PENDING = 20_000
AT_A_TIME = 16
ANSWER_SECONDS = 10.0
RUNFLOW_BACKOFF = (1.0, 2.0)
_HISTORY = 20
_LARGE = 100_000
_LARGE_FIELDS = {"output", "result_base64"}  # media of a payload too large to be kept in a history


@dataclass(slots=True)
class Attempt:
    """One try."""

    number: int
    at: float
    status: int | None
    ms: int
    error: str
    body: str


@dataclass(slots=True)
class Delivery:
    """One callback to be sent: `payload` is its JSON, `secret` signs it (empty: unsigned).

    `backoff` are the seconds before each further attempt; `forged` is the payload that a forged event carries where
    there is no signature to get wrong.
    """

    id: str
    provider: str
    model: str
    run_id: str
    url: str = field(repr=False)
    payload: Mapping[str, Any] = field(repr=False)
    at: float
    secret: str = field(default="", repr=False)
    secret_id: str | None = None
    is_automatic: bool = True
    backoff: tuple[float, ...] = ()
    forged: Mapping[str, Any] | None = field(default=None, repr=False)
    attempts: list[Attempt] = field(default_factory=list)
    next_at: float | None = None
    done_at: float | None = None
    failure: str | None = None
    payload_bytes: int = 0

    @property
    def status(self) -> str:
        """`pending`, `delivered` or `failed`."""
        if self.done_at is None:
            return "pending"
        return "failed" if self.failure else "delivered"


def serialise(payload: Mapping[str, Any]) -> bytes:
    """The body as sent: compact separators, as in the pages' samples."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def sign(secret: str, body: bytes) -> str:
    """Runflow-Signature: HMAC-SHA256 over the raw body, bare lower-case hex (runflow.md section 4.2)."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def sendable(url: str) -> bool:
    """Whether a callback may go there: https, or http to a loopback address."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    if parts.scheme != "http":
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Outbox:
    """The callbacks of one sandbox. Used from the server's event loop only."""

    def __init__(self, client: httpx.AsyncClient, board: Switchboard, clock: Callable[[], float]) -> None:
        self._client = client
        self._board = board
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._another = asyncio.Event()
        self.sent = 0
        self.lost = 0

    @property
    def pending(self) -> int:
        """How many are on their way."""
        return len(self._tasks)

    def send(self, delivery: Delivery) -> None:
        """Send in the background, with whatever trouble is in force."""
        trouble = self._board.trouble
        fires = self._board.fires
        about = (delivery.provider, "submit", delivery.model)
        if fires(trouble.callback_lost, *about) or len(self._tasks) >= MOST_PENDING:
            self.lost += 1
            delivery.failure, delivery.done_at = "lost", self._clock()
            return
        late = fires(trouble.callback_late, *about)
        duplicated = fires(trouble.callback_duplicated, *about)
        reordered = fires(trouble.callback_reordered, *about)
        body, headers = self._letter(delivery)
        delivery.payload_bytes = len(body)
        if len(body) > _LARGE:
            delivery.payload = {name: value for name, value in delivery.payload.items() if name not in _LARGE_FIELDS}
        for copy in range(1 + (duplicated.copies if duplicated else 0)):
            work = self._deliver(
                delivery if copy == 0 else _copy_of(delivery),
                body,
                headers,
                wait=late.seconds if late else 0.0,
                hold=reordered.seconds if reordered else 0.0,
            )
            task = asyncio.get_running_loop().create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _letter(self, delivery: Delivery) -> tuple[bytes, dict[str, str]]:
        trouble = self._board.trouble
        about = (delivery.provider, "submit", delivery.model)
        forged = self._board.fires(trouble.callback_forged, *about)
        body = serialise(delivery.forged if forged and delivery.forged else delivery.payload)
        headers = {"content-type": "application/json", "user-agent": f"{delivery.provider}-sandbox/1"}
        if delivery.provider != RUNFLOW:
            return body, headers
        headers["Runflow-Request-Id"] = f"req_{secrets.token_hex(8)}"
        if not delivery.secret or self._board.fires(trouble.callback_unsigned, *about):
            return body, headers
        signed = body
        if self._board.fires(trouble.callback_reserialised, *about):
            signed = json.dumps(json.loads(body)).encode()
        headers["Runflow-Signature"] = sign(secrets.token_hex(16) if forged else delivery.secret, signed)
        return body, headers

    async def _deliver(
        self, delivery: Delivery, body: bytes, headers: Mapping[str, str], *, wait: float, hold: float
    ) -> None:
        if wait:
            delivery.next_at = self._clock() + wait
            await asyncio.sleep(wait)
        if hold:
            await self._until_another(hold)
        for pause in (*delivery.backoff, None):
            async with self._places:
                attempt = await self._try(delivery, body, headers)
            delivery.attempts.append(attempt)
            if not self._again(attempt) or pause is None:
                break
            delivery.next_at = self._clock() + pause
            await asyncio.sleep(pause)
        delivery.next_at = None
        delivery.done_at = self._clock()
        delivery.failure = None if _is_fine(attempt) else ("network" if attempt.status is None else "status")
        self._another.set()
        self._another = asyncio.Event()

    async def _until_another(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._another.wait()
        except TimeoutError:
            return

    async def _try(self, delivery: Delivery, body: bytes, headers: Mapping[str, str]) -> Attempt:
        began = time.monotonic()
        number = len(delivery.attempts) + 1
        self.sent += 1
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reply = await self._client.post(delivery.url, content=body, headers=dict(headers))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, UnicodeError) as error:
            ms = round((time.monotonic() - began) * 1000)
            return Attempt(number, self._clock(), None, ms, type(error).__name__, "")
        ms = round((time.monotonic() - began) * 1000)
        return Attempt(number, self._clock(), reply.status_code, ms, "", reply.text[:1000])

    def _again(self, attempt: Attempt) -> bool:
        if attempt.status is None:
            return True
        if self._board.trouble.callback_retries_any_failure:
            return not _is_fine(attempt)
        return attempt.status >= 500  # noqa: PLR2004 - HTTP's own class of server errors

    async def close(self) -> None:
        """Stop: whatever has not been sent is not sent."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _is_fine(attempt: Attempt) -> bool:
    return attempt.status is not None and 200 <= attempt.status < 300  # noqa: PLR2004 - HTTP's own class of success


def _copy_of(delivery: Delivery) -> Delivery:
    return Delivery(
        id=delivery.id,
        provider=delivery.provider,
        model=delivery.model,
        run_id=delivery.run_id,
        url=delivery.url,
        payload=delivery.payload,
        at=delivery.at,
        backoff=delivery.backoff,
    )


def remember(history: list[Delivery], delivery: Delivery) -> None:
    """Add to a run's delivery history, oldest dropped beyond 20."""
    history.append(delivery)
    del history[:-_HISTORY]
