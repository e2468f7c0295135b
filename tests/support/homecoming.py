"""What the tests of results share: pictures small and large, and bringing one home from a hostile server."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest
from ground import fresh
from hostile import serving
from PIL import Image

from backdrop import results
from backdrop.errors import BackdropError, ProviderFailed
from backdrop.providers.base import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from backdrop.world import Clients, World

JOB = "0123456789abcdef" * 2
SECRET = "X-Amz-Signature=deadbeef"
MIB = 1024 * 1024


def make(clients: Clients | None = None, **limits: Any) -> World:
    """A fresh World with its output bucket."""
    made = fresh(clients, **limits)
    region: Any = {"LocationConstraint": "eu-central-1"}
    made.aws.s3.create_bucket(Bucket=made.settings.output_bucket, CreateBucketConfiguration=region)
    return made


def drawn(fmt: str, **options: Any) -> bytes:
    """A small real picture, 40 x 30."""
    image = Image.effect_noise((40, 30), 60).convert("RGB")
    target = io.BytesIO()
    image.save(target, fmt, **options)
    return target.getvalue()


PICTURES = {"png": drawn("PNG"), "jpeg": drawn("JPEG"), "webp": drawn("WEBP"), "gif": drawn("GIF")}
PNG = PICTURES["png"]


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    return len(data).to_bytes(4) + kind + data + crc32(kind + data).to_bytes(4)


def header(width: int, height: int) -> bytes:
    """A PNG's signature and first chunk."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", width.to_bytes(4) + height.to_bytes(4) + b"\x08\x06\0\0\0")


END = chunk(b"IEND", b"")


_MIDDLE = chunk(b"IDAT", bytes(MIB))


def large(size: int, *, end: bytes = END) -> Iterator[bytes]:
    """A PNG of about `size` bytes by its framing, with nothing that could be decoded in it."""
    yield header(40, 30)
    yield from repeat(_MIDDLE, -(-size // MIB))
    yield end


def sent(body: Iterable[bytes]) -> Iterator[bytes]:
    """A body that ends with the connection."""
    yield b"HTTP/1.1 200 OK\r\n\r\n"
    yield from body


def bring(
    world: World, url: str, origin: str = "https://api.example.test", fmt: str = "", **more: Any
) -> results.Delivered:
    """Bring one output home as `out/red.{format}`."""
    told = {"job_id": JOB, "attempt": 1, "number": 1, **more}
    return results.bring_home(
        world, Output(url, fmt), key_for=lambda found: f"out/red.{found}", provider_origin=origin, **told
    )


def stored(world: World) -> list[str]:
    """Every key of the output bucket, and every upload that was left open."""
    s3, bucket = world.aws.s3, world.settings.output_bucket
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    open_uploads = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return keys + [f"unfinished {upload['Key']}" for upload in open_uploads]


def fails(
    world: World,
    answer: Callable[[str], Iterable[bytes]],
    code: str,
    *,
    kind: type[BackdropError] = ProviderFailed,
    **more: Any,
) -> BackdropError:
    """Serve `answer`, expect `code`, and nothing in the output bucket; the error."""
    with serving(answer) as server, pytest.raises(kind) as caught:
        bring(world, f"{server.origin}/a?{SECRET}", server.origin, **more)
    assert caught.value.code == code
    assert "deadbeef" not in f"{caught.value.message}{caught.value.action}"
    assert not (isinstance(caught.value, ProviderFailed) and caught.value.retryable)
    assert stored(world) == []
    return caught.value


def limited(world: World, **limits: Any) -> World:
    """The same World with other limits."""
    return replace(world, settings=replace(world.settings, **limits))
