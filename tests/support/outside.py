"""The world beyond: names with the addresses a test gives them, all of them loopback, and what a download may raise."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpcore
import pytest

from backdrop import fetch
from backdrop.errors import Later, ProviderFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PUBLIC = "93.184.216.34"
SECRET = "X-Amz-Signature=deadbeef"


@dataclass
class Outside:
    """A network in which every name has the addresses a test gives it, and every address is loopback's `port`.

    `asked` and `dialled` tell what was resolved and connected to.
    """

    answers: Sequence[Sequence[str]] = ()
    port: int = 0
    client: ssl.SSLContext | None = None
    asked: list[tuple[str, int]] = field(default_factory=list)
    dialled: list[tuple[str, int]] = field(default_factory=list)

    def resolve(self, host: str, port: int) -> Iterable[str]:
        """The next answer; the last one for ever."""
        self.asked.append((host, port))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]

    def dial(self, address: str, port: int, timeout: float) -> httpcore.NetworkStream:
        """Connect to loopback, whatever the address."""
        self.dialled.append((address, port))
        if not self.port:
            raise httpcore.ConnectError("nobody there")
        return httpcore.SyncBackend().connect_tcp("127.0.0.1", self.port, timeout)

    def network(self) -> fetch.Network:
        """The same as the library takes it."""
        return fetch.Network(self.resolve, self.dial, lambda: self.client or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def get(url: str, *origins: str, max_bytes: int = 10_000, seconds: float = 10, **more: Any) -> bytes:
    """The body of a download."""
    with fetch.download(url, allowed_origins=origins, max_bytes=max_bytes, seconds=seconds, **more) as found:
        return b"".join(found.chunks)


@contextmanager
def refused(code: str = "RESULT_URL_REFUSED") -> Iterator[None]:
    """Expect a final no that quotes no query."""
    with pytest.raises(ProviderFailed) as caught:
        yield
    assert caught.value.code == code
    assert not caught.value.retryable
    assert "deadbeef" not in f"{caught.value.message}{caught.value.action}"
    assert caught.value.__cause__ is None


@contextmanager
def later(code: str) -> Iterator[None]:
    """Expect a Later that quotes no query."""
    with pytest.raises(Later) as caught:
        yield
    assert caught.value.code == code
    assert "deadbeef" not in caught.value.message
    assert caught.value.__cause__ is None
