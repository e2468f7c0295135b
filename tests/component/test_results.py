"""Results brought home into a real S3 over HTTP, from servers on loopback that send whatever a test wants."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from ground import fresh, moto
from homecoming import (
    END,
    JOB,
    PICTURES,
    PNG,
    SECRET,
    bring,
    chunk,
    fails,
    header,
    limited,
    make,
    stored,
)
from hostile import redirect, reply, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from backdrop import errors, results
from backdrop.errors import Later, ProviderFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backdrop.world import World

unhurried = settings(deadline=None)  # how long one example takes says nothing on a busy machine


@pytest.fixture(scope="module", autouse=True)
def _aws() -> Iterator[None]:
    with moto():
        yield


@pytest.fixture
def world() -> World:
    """A World with an empty output bucket and the default exempt origins: none."""
    return make()


@pytest.mark.parametrize("fmt", PICTURES)
def test_a_result_is_stored_byte_for_byte(world: World, fmt: str) -> None:
    """Every format arrives as it was sent, with its type, checksum and metadata."""
    data = PICTURES[fmt]
    with serving(lambda _: [reply(data, content_type=f"image/{fmt}")]) as server:
        found = bring(world, f"{server.origin}/a?{SECRET}", server.origin, fmt, attempt=3, number=2)
    digest = sha256(data)
    assert found == results.Delivered(f"out/red.{fmt}", fmt, f"image/{fmt}", 40, 30, len(data), digest.hexdigest())
    told = world.aws.s3.get_object(Bucket=world.settings.output_bucket, Key=found.key, ChecksumMode="ENABLED")
    assert told["Body"].read() == data
    assert told["ContentType"] == f"image/{fmt}"
    assert told["ChecksumSHA256"] == base64.b64encode(digest.digest()).decode()
    assert told["Metadata"] == {
        "job-id": JOB,
        "attempt": "3",
        "number": "2",
        "sha256": digest.hexdigest(),
        "width": "40",
        "height": "30",
        "format": fmt,
    }


def test_a_data_uri_is_brought_home_like_a_download(world: World) -> None:
    """Media that came inside a reply is checked and stored by the same rules."""
    uri = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert bring(world, uri, fmt="png").sha256 == sha256(PNG).hexdigest()
    with pytest.raises(ProviderFailed) as caught:
        bring(world, f"data:image/png;base64,{base64.b64encode(b'<html>').decode()}")
    assert caught.value.code == "RESULT_NOT_A_PICTURE"


@pytest.mark.parametrize(
    "url",
    [
        f"http://cdn.example.test/a.png?{SECRET}",
        f"https://169.254.169.254/latest/meta-data/?{SECRET}",
        f"https://[::ffff:169.254.169.254]/?{SECRET}",
        f"https://[fd00:ec2::254]/?{SECRET}",
        f"https://2852039166/?{SECRET}",
        f"https://0251.0376.0251.0376/?{SECRET}",
        f"https://0xa9fea9fe/?{SECRET}",
        f"https://localhost/?{SECRET}",
        f"https://10.0.0.7/?{SECRET}",
        f"https://user:pass@cdn.example.test/?{SECRET}",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_forbidden_address_is_a_final_failure(world: World, url: str) -> None:
    """With no exempt origin, private addresses and other schemes fail with a reason that quotes no query."""
    with pytest.raises(ProviderFailed) as caught:
        bring(world, url)
    assert caught.value.code == "RESULT_URL_REFUSED"
    assert not caught.value.retryable
    assert "deadbeef" not in f"{caught.value.message}{caught.value.action}"
    assert stored(world) == []


@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}/b.png", "https://169.254.169.254/", "https://[::1]/"])
def test_a_redirect_to_a_forbidden_address_is_a_final_failure(world: World, location: str) -> None:
    """The provider's own server cannot lead to one either."""
    with serving(lambda _: [reply(PNG)]) as inside:
        fails(world, lambda _: [redirect(f"{location.format(port=inside.port)}?{SECRET}")], "RESULT_URL_REFUSED")
    assert inside.requests == []


def test_the_exempt_origins_of_the_laptop_are_let_through() -> None:
    """A setting names the laptop's own origins; without it the same URL is refused."""
    with serving(lambda _: [reply(PNG)]) as server:
        open_world = make(exempt_origins=(server.origin,))
        assert bring(open_world, f"{server.origin}/a").size == len(PNG)
        closed = replace(open_world, settings=replace(open_world.settings, exempt_origins=()))
        with pytest.raises(ProviderFailed):
            bring(closed, f"{server.origin}/a")


HTML = b"<!DOCTYPE html><html><body>Not found</body></html>"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (HTML, "text/html"),
        (HTML, "image/png"),
        (HTML, ""),
        (PNG, "text/html"),
        (PNG, "application/json"),
        (b'{"error": "gone"}', "application/octet-stream"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, "image/png"),
        (b"RIFF" + bytes(4) + b"WAVE" + bytes(40), "image/webp"),
        (header(0, 30) + END, "image/png"),
        (header(40, 30)[:8] + chunk(b"tEXt", b"")[:4].replace(b"\0", b"\xff") + b"tEXt" + bytes(200_000), "image/png"),
        (header(40, 30) + b"\x7f\xff\xff\xfftEXt" + bytes(200_000), "image/png"),
        (header(40, 30) + b"\x00\xa0\x00\x00tEXt" + bytes(200_000), "image/png"),
    ],
)
def test_what_is_no_picture_is_a_final_failure(world: World, body: bytes, content_type: str) -> None:
    """A web page, an error in JSON or a malformed header is no result, whatever it calls itself."""
    fails(world, lambda _: [reply(body, content_type=content_type)], "RESULT_NOT_A_PICTURE")


def test_an_endless_web_page_is_not_read_to_its_end(world: World) -> None:
    """That it is no picture shows in its first bytes."""
    pieces: list[int] = []

    def body(_: str) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n" + HTML
        for _piece in range(10_000):
            pieces.append(1)
            yield bytes(65_536)

    fails(world, body, "RESULT_NOT_A_PICTURE")
    assert len(pieces) < 500


@pytest.mark.parametrize(
    ("found", "asked", "content_type", "name"),
    [
        ("png", "jpeg", "", "a"),
        ("png", "jpg", "image/png", "a"),
        ("jpeg", "webp", "image/webp", "a"),
        ("jpeg", "", "image/png", "a"),
        ("webp", "", "image/avif", "a"),
        ("jpeg", "", "application/octet-stream", "a.png"),
        ("jpeg", "", "", "a.PNG"),
    ],
)
def test_another_picture_than_was_claimed_is_a_final_failure(
    world: World, found: str, asked: str, content_type: str, name: str
) -> None:
    """The bytes must be what was asked for; or else what the type says; or else what the name's extension says."""
    answer = reply(PICTURES[found], content_type=content_type)
    with serving(lambda _: [answer]) as server, pytest.raises(ProviderFailed) as caught:
        bring(world, f"{server.origin}/{name}?{SECRET}", server.origin, asked)
    assert caught.value.code == "RESULT_WRONG_FORMAT"
    assert f"is {found}, not" in caught.value.message
    assert stored(world) == []


@pytest.mark.parametrize(
    ("asked", "content_type", "name"),
    [
        ("jpeg", "image/png", "a.png"),
        ("jpg", "", "a"),
        ("", "image/jpg", "a"),
        ("", "image/pjpeg", "a.png"),
        ("", "binary/octet-stream", "a.jpg"),
        ("", "application/octet-stream", "a.JPEG"),
        ("", "image/*", "a"),
        ("", "", "a.php"),
        ("", "", ""),
    ],
)
def test_what_was_asked_for_counts_before_sloppy_labels(world: World, asked: str, content_type: str, name: str) -> None:
    """A paid result is not thrown away for a label when its bytes are what was asked for, or nobody said."""
    with serving(lambda _: [reply(PICTURES["jpeg"], content_type=content_type)]) as server:
        assert bring(world, f"{server.origin}/{name}", server.origin, asked).format == "jpeg"


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (900_000, 900_000), (1, 1_000_000_000)])
def test_a_bomb_of_a_picture_is_a_final_failure(world: World, width: int, height: int) -> None:
    """Claimed dimensions beyond the limit are refused by the header."""
    code = "RESULT_TOO_LARGE" if height <= 900_000 else "RESULT_NOT_A_PICTURE"
    fails(world, lambda _: [reply(header(width, height) + END)], code)


def test_a_picture_of_exactly_the_pixel_limit_is_taken(world: World) -> None:
    """The limit is the largest size that passes."""
    with serving(lambda _: [reply(header(10_000, 10_000) + END)]) as server:
        assert bring(world, f"{server.origin}/a", server.origin).width == 10_000


def test_an_empty_result_is_a_final_failure(world: World) -> None:
    """No bytes are no picture."""
    fails(world, lambda _: [reply(b"", content_type="image/png")], "RESULT_EMPTY")


@pytest.mark.parametrize("fmt", PICTURES)
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.95])
def test_a_result_that_ends_early_is_a_final_failure(world: World, fmt: str, keep: float) -> None:
    """A picture whose file is cut, but delivered as if it were whole, is not stored."""
    data = PICTURES[fmt]
    fails(world, lambda _: [reply(data[: int(len(data) * keep)])], "RESULT_TRUNCATED")


@unhurried
@given(data=st.data())
def test_no_picture_is_taken_with_its_last_bytes_missing(data: st.DataObject) -> None:
    """Wherever a picture is cut, it is refused; the bucket need not even exist."""
    fmt = data.draw(st.sampled_from(sorted(PICTURES)))
    cut = data.draw(st.integers(1, len(PICTURES[fmt]) - 1))
    uri = f"data:;base64,{base64.b64encode(PICTURES[fmt][:-cut]).decode()}"
    with pytest.raises(ProviderFailed) as caught:
        bring(fresh(), uri)
    assert caught.value.code in ("RESULT_TRUNCATED", "RESULT_NOT_A_PICTURE")


@pytest.mark.parametrize("fmt", PICTURES)
def test_padding_behind_a_picture_is_tolerated(world: World, fmt: str) -> None:
    """Some encoders pad their files; the bytes are kept as delivered."""
    with serving(lambda _: [reply(PICTURES[fmt] + bytes(500))]) as server:
        assert bring(world, f"{server.origin}/a", server.origin).size == len(PICTURES[fmt]) + 500


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_an_address_that_no_longer_gives_the_result_is_expired(world: World, status: int) -> None:
    """The caller asks the provider for a fresh one: nothing has failed yet."""
    fails(world, lambda _: [reply(HTML, status=f"{status} x")], "RESULT_EXPIRED", kind=errors.Expired)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_busy_server_is_a_later(world: World, status: int) -> None:
    """Later carries what Retry-After said."""
    answer = reply(b"", "Retry-After: 11", status=f"{status} x")
    error = fails(world, lambda _: [answer], "RESULT_BUSY", kind=Later)
    assert isinstance(error, Later)
    assert error.retry_after == 11


@pytest.mark.parametrize("status", [201, 204, 206, 304, 405, 451])
def test_any_other_status_is_a_final_failure(world: World, status: int) -> None:
    """Part of a result, or none, is no result."""
    fails(world, lambda _: [reply(b"", status=f"{status} x")], "RESULT_BAD_STATUS")


def test_a_claim_of_five_gigabytes_is_a_final_failure(world: World) -> None:
    """The size limit is checked against the claim first."""
    fails(world, lambda _: [reply(b"", length=5_000_000_000)], "RESULT_TOO_LARGE")


def test_a_slow_drip_is_a_later(world: World) -> None:
    """The time limit of the whole ends it."""

    def drip(_: str) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        for index in range(400):
            time.sleep(0.02)
            yield PNG[index : index + 1]

    begun = time.monotonic()
    fails(world, drip, "RESULT_TIMEOUT", kind=Later, seconds=0.3)
    assert time.monotonic() - begun < 5


def test_the_fetch_ends_before_the_invocation_does(world: World) -> None:
    """What is left of the invocation, less a margin, is a limit too; with nothing left nothing is fetched."""

    def slow(_: str) -> Iterator[bytes]:
        time.sleep(1)
        yield reply(PNG)

    fails(replace(world, time_left=lambda: results.MARGIN_SECONDS + 0.2), slow, "RESULT_TIMEOUT", kind=Later)
    with serving(lambda _: [reply(PNG)]) as server:
        with pytest.raises(Later) as caught:
            bring(replace(world, time_left=lambda: results.MARGIN_SECONDS), f"{server.origin}/a", server.origin)
        assert caught.value.code == "RESULT_NO_TIME"
        assert server.requests == []
        brief = limited(world, result_seconds=0)
        with pytest.raises(Later):
            bring(brief, f"{server.origin}/a", server.origin)
        assert bring(brief, f"{server.origin}/a", server.origin, seconds=5).size == len(PNG)
