"""What a result may be, as the job sees it: too large, endless, slow, cut short, or no picture at all."""

from __future__ import annotations

import time
from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest
from homecoming import END, MIB, PICTURES, PNG, chunk, header
from hostile import reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from journeys import Journey

HTML = b"<!DOCTYPE html><html><body>Please sign in</body></html>"
OPEN = b"HTTP/1.1 200 OK\r\n\r\n"
PNG_TYPE = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n"


def drip() -> Iterator[bytes]:
    """A picture, a byte at a time."""
    yield OPEN
    for index in range(200):
        time.sleep(0.02)
        yield PNG[index : index + 1]


def endless(first: bytes, then: bytes) -> Callable[[], Iterable[bytes]]:
    """Something that goes on for ever."""
    return lambda: chain([OPEN, first], repeat(then))


BODIES: dict[str, tuple[str, str, Callable[[], Iterable[bytes]]]] = {
    "5 GB by its claim": ("RESULT_TOO_LARGE", "a.png", lambda: [reply(b"", length=5_000_000_000), PNG]),
    "5 GB behind no claim": ("RESULT_TOO_LARGE", "a.png", endless(header(40, 30), chunk(b"IDAT", bytes(MIB)))),
    "more than its claim": ("RESULT_TRUNCATED", "a.png", lambda: [reply(PNG, length=len(PNG) - 30), bytes(MIB)]),
    "less than its claim": ("RESULT_UNREACHABLE", "a.png", lambda: [reply(PNG, length=len(PNG) + 1)]),
    "an endless web page": ("RESULT_NOT_A_PICTURE", "a.png", endless(HTML, b"<p>" * 20_000)),
    "endless nothing": ("RESULT_NOT_A_PICTURE", "a.png", endless(b"", bytes(65_536))),
    "truncated": ("RESULT_TRUNCATED", "a.png", lambda: [reply(PNG[:-20], content_type="image/png")]),
    "half": ("RESULT_TRUNCATED", "a.jpg", lambda: [reply(PICTURES["jpeg"][: len(PICTURES["jpeg"]) // 2])]),
    "HTML": ("RESULT_NOT_A_PICTURE", "a.png", lambda: [reply(HTML, content_type="text/html")]),
    "HTML that says it is a picture": ("RESULT_NOT_A_PICTURE", "a.png", lambda: [PNG_TYPE, HTML]),
    "a picture that says it is HTML": ("RESULT_NOT_A_PICTURE", "a.png", lambda: [reply(PNG, content_type="text/html")]),
    "a bomb": ("RESULT_TOO_LARGE", "a.png", lambda: [reply(header(60_000, 60_000) + chunk(b"IDAT", b"x") + END)]),
    "a wrong extension": ("RESULT_WRONG_FORMAT", "a.png", lambda: [reply(PICTURES["jpeg"])]),
    "a wrong type": ("RESULT_WRONG_FORMAT", "a", lambda: [reply(PICTURES["webp"], content_type="image/png")]),
    "empty": ("RESULT_EMPTY", "a.png", lambda: [reply(b"", content_type="image/png")]),
    "empty without a length": ("RESULT_EMPTY", "a.png", lambda: [OPEN]),
    "compressed": ("RESULT_ENCODED", "a.png", lambda: [reply(PNG, "Content-Encoding: gzip")]),
    "no HTTP": ("RESULT_UNREACHABLE", "a.png", lambda: [b"SSH-2.0-OpenSSH_9.6\r\n"]),
    "gone": ("RESULT_UNREACHABLE", "a.png", lambda: [reply(b"", status="403 Forbidden")]),
}


@pytest.mark.parametrize("bench", [{"result_max_bytes": 9_000_000}], indirect=True)
def test_a_body_that_is_no_result_fails_the_job(journey: Journey) -> None:
    """5 GB, endless, truncated, HTML, a bomb of a PNG, wrong extension, empty: FAILED with the reason, nothing written.

    Nothing is written to the output key: beside the error file there is no object, no version and no open upload.
    """
    found = {}
    for name, (_, filename, body) in BODIES.items():
        journey.provider.serve(filename, body)
        found[name], told = journey.failure(journey.end(journey.begin()))
        assert "the result" in told
    assert found == {name: code for name, (code, *_) in BODIES.items()}


def test_a_slow_drip_fails_the_job(journey: Journey) -> None:
    """A slow drip, and silence: each fetch ends with its time, and in the end the job is FAILED with that reason."""

    def silence() -> Iterator[bytes]:
        time.sleep(1)
        yield b""

    for body in (drip, silence):
        journey.provider.serve("a.png", body)
        begun = time.monotonic()
        code, told = journey.failure(journey.end(journey.begin(), seconds=0.1))
        assert (code, "took too long" in told) == ("RESULT_UNREACHABLE", True)
        assert time.monotonic() - begun < 10


def test_a_broken_result_is_fetched_again_before_the_job_fails(journey: Journey) -> None:
    """A result that arrived broken may be whole the next time: it costs nothing to fetch, another run does."""
    answers = [PNG[:-20], b"", PNG]
    journey.provider.serve("a.png", lambda: [reply(answers.pop(0))])
    job = journey.end(journey.begin())
    assert (job.state, journey.provider.fetched, journey.provider.runs) == ("SUCCEEDED", 3, 1)
    assert journey.bench.output(job.outputs[0]["key"]) == PNG
