"""The guarded download against servers that send too much, too slowly, too little or something else."""

from __future__ import annotations

import base64
import ssl
import time
from itertools import repeat
from typing import TYPE_CHECKING

import pytest
from hostile import redirect, reply, serving
from hypothesis import given, settings
from hypothesis import strategies as st
from outside import PUBLIC, SECRET, Outside, get, later, refused

from backdrop import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

unhurried = settings(deadline=None)  # how long one example takes says nothing on a busy machine


def test_five_gigabytes_by_their_own_claim_are_not_read() -> None:
    """A Content-Length beyond the limit is refused before the body."""
    sent: list[int] = []

    def body(_: str) -> Iterator[bytes]:
        yield reply(b"", length=5_000_000_000)
        for _piece in range(2000):
            sent.append(1)
            yield bytes(65_536)

    with serving(body) as server:
        with refused("RESULT_TOO_LARGE"):
            get(f"{server.origin}/a.png?{SECRET}", server.origin)
        assert len(sent) < 1000


@pytest.mark.parametrize("framing", ["close", "chunked"])
def test_an_endless_body_is_cut_at_the_limit(framing: str) -> None:
    """Without a length, the limit holds while reading."""
    head = {"close": b"HTTP/1.1 200 OK\r\n\r\n", "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}
    piece = {"close": bytes(1000), "chunked": b"3e8\r\n" + bytes(1000) + b"\r\n"}
    with (
        serving(lambda _: (x for part in ([head[framing]], repeat(piece[framing])) for x in part)) as server,
        refused("RESULT_TOO_LARGE"),
    ):
        get(f"{server.origin}/a.png?{SECRET}", server.origin)


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    """The limit is the largest size that passes."""
    with serving(lambda _: [b"HTTP/1.1 200 OK\r\n\r\n", bytes(10_000)]) as server:
        assert len(get(f"{server.origin}/a", server.origin)) == 10_000
        with refused("RESULT_TOO_LARGE"):
            get(f"{server.origin}/a", server.origin, max_bytes=9_999)


def drip(first: bytes, piece: bytes = b"x") -> Iterator[bytes]:
    """Some bytes, then a little at a time."""
    yield first
    for _ in range(400):
        time.sleep(0.02)
        yield piece


@pytest.mark.parametrize(
    "first",
    [
        reply(b"", length=9_000),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"",
    ],
    ids=["body", "chunk", "header", "status line"],
)
def test_a_slow_drip_ends_with_the_time_limit(first: bytes) -> None:
    """However often a byte comes, in the body or in the headers, the limit of the whole holds."""
    with serving(lambda _: drip(first, b"x" if first else b"HTTP")) as server:
        begun = time.monotonic()
        with later("RESULT_TIMEOUT"):
            get(f"{server.origin}/a.png?{SECRET}", server.origin, seconds=0.3)
        assert time.monotonic() - begun < 5


def test_silence_ends_with_the_time_limit() -> None:
    """A server that takes the request and says nothing is given up."""

    def silent(_: str) -> Iterator[bytes]:
        time.sleep(1)
        yield b""

    with serving(silent) as server, later("RESULT_TIMEOUT"):
        get(f"{server.origin}/a.png?{SECRET}", server.origin, seconds=0.2)


def test_a_resolver_that_took_all_the_time_leaves_none_to_connect() -> None:
    """When the time is over before the connection, none is made."""
    outside, now = Outside([[PUBLIC]]), iter([0.0, 6.0])
    network = fetch.Network(outside.resolve, outside.dial, ssl.create_default_context, lambda: next(now))
    with later("RESULT_TIMEOUT"):
        get(f"https://cdn.example.test/?{SECRET}", seconds=5, network=network)
    assert outside.dialled == []


def test_the_time_limit_spans_redirects() -> None:
    """Each hop may be quick; together they may not exceed the limit."""

    def slow(at: str) -> Iterator[bytes]:
        time.sleep(0.2)
        yield redirect(f"{at}x")

    with serving(slow) as server, later("RESULT_TIMEOUT"):
        get(f"{server.origin}/a", server.origin, seconds=0.5)


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"half", length=8),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    ],
    ids=["length", "in a chunk", "no last chunk", "header", "nothing", "no HTTP", "two lengths", "huge header"],
)
def test_fewer_bytes_than_announced_are_noticed(answer: bytes) -> None:
    """A body, a chunk or a header that breaks off is never taken for a whole."""
    with serving(lambda _: [answer]) as server, later("RESULT_CUT_SHORT"):
        get(f"{server.origin}/a.png?{SECRET}", server.origin)


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x"])
def test_a_compressed_body_is_refused(encoding: str) -> None:
    """What was asked for plainly must come plainly: a small file may unpack to anything."""
    with serving(lambda _: [reply(b"x", f"Content-Encoding: {encoding}")]) as server, refused("RESULT_ENCODED"):
        get(f"{server.origin}/a.png?{SECRET}", server.origin)


def test_identity_said_aloud_is_taken() -> None:
    """Content-Encoding: identity is no encoding."""
    with serving(lambda _: [reply(b"x", "Content-Encoding: Identity")]) as server:
        assert get(f"{server.origin}/a.png", server.origin) == b"x"


@unhurried
@given(data=st.binary(max_size=300_000), media=st.sampled_from(["", "image/png", "IMAGE/webp;charset=x"]))
def test_a_data_uri_gives_its_bytes(data: bytes, media: str) -> None:
    """Base64 in a data URI is decoded to exactly what was encoded, whatever the escapes."""
    text = base64.b64encode(data).decode()
    for spelt in (text, text.replace("+", "%2B").replace("=", "%3D")):
        with fetch.download(f"data:{media};base64,{spelt}", max_bytes=len(data), seconds=1) as found:
            assert b"".join(found.chunks) == data
            assert found.content_type == media.partition(";")[0].lower()
            assert (found.status, found.length) == (200, len(data))


def test_a_plain_data_uri_is_percent_decoded() -> None:
    """Without base64 the characters stand for themselves."""
    assert get("DATA:text/plain,a%00b") == b"a\x00b"


@pytest.mark.parametrize("body", ["AAA", "A A=", "AA=A", "AA\n==", "A-_=", "====", "AAAA%", "é==="])
def test_malformed_base64_is_refused(body: str) -> None:
    """Base64 has one spelling here; what is near it is refused, not guessed."""
    with refused():
        get(f"data:image/png;base64,{body}")


@pytest.mark.parametrize("url", ["data:", "data:image/png", "data:image/png;base64"])
def test_a_data_uri_without_data_is_refused(url: str) -> None:
    """A data URI needs its comma."""
    with refused():
        get(url)


@pytest.mark.parametrize("body", [";base64," + "A" * 40, "," + "a" * 29, "," + "a" * 200])
def test_a_data_uri_beyond_the_limit_is_refused(body: str) -> None:
    """The size limit holds for what is decoded."""
    with refused("RESULT_TOO_LARGE"):
        get(f"data:image/png{body}", max_bytes=28)
