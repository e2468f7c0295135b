"""One exchange with a provider over HTTP, and what it means when it fails half-way.

Promises that a request which certainly never left is told apart from one that may have arrived, that a reply is read
within a size and a time, and that nothing a provider sends raises anything but the errors of `backdrop.errors`.
Refuses redirects, compressed bodies and the environment's proxies. What it raises names the provider and the kind of
failure, never a URL or a header.

The time limit covers connecting, each silence, and the body as a whole. A server that feeds its headers byte by byte
may exceed it; the invocation's own limit then ends the wait, and the job's lease makes that Unknown.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from backdrop import collector
from backdrop.errors import BackdropError, Later, Parked, ProviderFailed, Unknown
from backdrop.providers.replies import AGAIN, LOOKS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

    import httpx

CONNECT_SECONDS = 5.0
WORDS_BYTES = 2_000_000  # a reply that holds no picture
MEDIA_BYTES = 12_000_000  # one that may: a data URI or base64
_REFUSAL_BYTES = 100_000  # of an error's body; what lies beyond is not needed to know what it is


@dataclass(frozen=True, slots=True)
class Reply:
    """A provider's answer, whole. Header names are in lower case; `body` is empty when it was compressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def accepted(self) -> bool:
        """Whether the status is one of the 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110, section 15.3


class Session:
    """Connections to one provider, kept alive between calls; the first call makes the first connection."""

    def __init__(self, client: httpx.Client, base_url: str, provider: str) -> None:
        self._client = client
        self._base_url = base_url
        self._provider = provider

    def send(
        self,
        method: str,
        path: str,
        *,
        seconds: float,
        paid: bool = False,
        body: Any = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        most: int = WORDS_BYTES,
    ) -> Reply:
        """Send one request and read its reply: at most `most` bytes, in at most `seconds` after connecting.

        `body` goes as JSON; `files` (name: filename, bytes, media type) with `form` go as multipart.

        Raises:
            Later: it never left (NOT_REACHED); or, when not `paid`, no usable reply came (REPLY_LOST).
            Unknown: it is `paid`, it left, and no usable reply came (REPLY_LOST).
            Parked: the base URL is no URL (BASE_URL_WRONG).
            ProviderFailed: `body` is nothing that JSON can hold (REQUEST_UNSENDABLE).
        """
        import httpx  # noqa: PLC0415 - a signed callback is read without it

        content = _encode(body)
        sent = {**(headers or {}), **({"Content-Type": "application/json"} if content is not None else {})}
        limits = httpx.Timeout(seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
        until = time.monotonic() + CONNECT_SECONDS + seconds
        try:
            with self._client.stream(
                method,
                self._base_url + path,
                content=content,
                files=files,
                data=form,
                params=params,
                headers=sent,
                timeout=limits,
            ) as response:
                lowered = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status_code, lowered, _read(response, most, until))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise Parked(
                "BASE_URL_WRONG",
                f"the base URL of {self._provider} is no http(s) URL",
                action="correct the stack's base URL parameter of this provider; held jobs then go on by themselves",
            ) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            why = type(error).__name__
            told = f"{self._provider} could not be reached ({why})"
            raise Later("NOT_REACHED", told, action=AGAIN, everyone=True) from None
        except (httpx.HTTPError, httpx.StreamError, _Unreadable, ValueError) as error:
            raise lost(self._provider, type(error).__name__.strip("_"), paid=paid) from None


class _Unreadable(Exception):
    """The reply is too large or too slow."""


def lost(provider: str, why: str, *, paid: bool) -> BackdropError:
    """The error for a request that left and was not answered in a usable way."""
    if paid:
        return Unknown(
            "REPLY_LOST",
            f"{provider} was asked and gave no usable answer ({why}): it may have taken the job",
            action=LOOKS,
        )
    return Later("REPLY_LOST", f"{provider} gave no usable answer ({why})", action=AGAIN)


@contextmanager
def session(provider: str, base_url: str, headers: Mapping[str, str]) -> Iterator[Session]:
    """A session of fresh connections whose every request carries `headers`.

    Raises:
        Parked: a header is not printable ASCII, so the key in it cannot be right (KEY_MALFORMED).
    """
    import httpx  # noqa: PLC0415 - as above

    collector.work()
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise Parked(
            "KEY_MALFORMED",
            f"the API key of {provider} holds characters that no key has",
            action="put the key into the provider secret again, without quotes, blanks or line breaks",
        )
    base_url = base_url.rstrip("/")
    # identity: a compressed reply of a few kilobytes could unfold to gigabytes.
    standing = {"Accept-Encoding": "identity", "Accept": "application/json", "User-Agent": "backdrop", **headers}
    verify: ssl.SSLContext | bool = _tls() if base_url.startswith("https:") else False
    with httpx.Client(trust_env=False, follow_redirects=False, verify=verify, headers=standing) as client:
        yield Session(client, base_url, provider)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Made once: reading the certificates takes tens of milliseconds."""
    import httpx  # noqa: PLC0415 - as above

    return httpx.create_ssl_context(trust_env=False)


def _encode(body: Any) -> bytes | None:
    if body is None:
        return None
    try:
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError):
        raise ProviderFailed(
            "REQUEST_UNSENDABLE",
            "the spec holds a value that JSON cannot carry",
            action="write plain texts and finite numbers in the spec",
        ) from None


def _read(response: httpx.Response, most: int, until: float) -> bytes:
    """The body; of a refusal only its beginning, since its status says enough even when the rest is cut off."""
    import httpx  # noqa: PLC0415 - as above

    refused = not response.is_success
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        return b""
    limit = _REFUSAL_BYTES if refused else most
    parts = bytearray()
    try:
        for chunk in response.iter_raw():
            parts += chunk
            if len(parts) > limit or time.monotonic() > until:
                raise _Unreadable  # noqa: TRY301 - a refusal cut short and one that is too long end the same way
    except (_Unreadable, httpx.HTTPError):
        if not refused:
            raise
    return bytes(parts[:limit])
