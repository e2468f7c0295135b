"""Bringing a result home: from the provider's URL to the output bucket, byte for byte.

Promises that a key of the output bucket holds either a whole, checked picture or nothing new: what is wrong shows
before the last write, and only the last write makes the object visible. Memory stays flat whatever the size. Every
object carries job, attempt and number in its metadata, so that what is home already is not fetched again. Refuses
what is no picture, not the picture that was asked for, too large, empty or cut short. Never re-encodes.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, cast

from backdrop import collector, fetch, pictures
from backdrop.errors import Expired, Later, ProviderFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, HeadObjectOutputTypeDef

    from backdrop.pictures import Picture
    from backdrop.providers.base import Output
    from backdrop.world import World

PART_BYTES = 8 * 1024 * 1024
INLINE_SECONDS = 5.0
MARGIN_SECONDS = 5.0  # of an invocation's time, kept for what comes after the fetch
CONTENT_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}

_TAIL_BYTES = 4096  # the end of a picture is looked for in these last bytes: some encoders pad
_PNG_END = b"\x00\x00\x00\x00IEND\xae\x42\x60\x82"
_JPEG_END = b"\xff\xd9"
_GIF_END = b"\x00\x3b"  # the last block's terminator and the trailer
_SAYS_NOTHING = frozenset({"", "application/octet-stream", "binary/octet-stream", "image/*"})
_OTHER_NAMES = {"jpg": "jpeg", "pjpeg": "jpeg", "jfif": "jpeg", "x-png": "png", "x-webp": "webp"}
# What storage answers for a signed URL that is too old: S3 and its kin 403, with session credentials 400 (as Google
# does), 404 or 410 once the object is gone.
_EXPIRED = frozenset({400, 401, 403, 404, 410})
_BUSY = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Delivered:
    """A result in the output bucket. Width and height in pixels as stored, size in bytes, sha256 in hex."""

    key: str
    format: str
    content_type: str
    width: int
    height: int
    size: int
    sha256: str


def bring_home(
    world: World,
    output: Output,
    *,
    key_for: Callable[[str], str],
    job_id: str,
    attempt: int,
    number: int,
    provider_origin: str,
    seconds: float | None = None,
    network: fetch.Network | None = None,
) -> Delivered:
    """Fetch one output and store it under `key_for(format)`, the format being what its bytes are.

    Takes at most `seconds` for the fetch, result_seconds when None, and never more than the invocation has left.
    `provider_origin` is the provider's base URL.

    Raises:
        ProviderFailed: RESULT_URL_REFUSED, RESULT_ENCODED, RESULT_BAD_STATUS, RESULT_EMPTY, RESULT_NOT_A_PICTURE,
            RESULT_WRONG_FORMAT, RESULT_TOO_LARGE (bytes or pixels), RESULT_TRUNCATED; none is retryable.
        Later: RESULT_BUSY (429, 5xx), RESULT_TIMEOUT, RESULT_UNREACHABLE, RESULT_CUT_SHORT, RESULT_NO_TIME.
        Expired: RESULT_EXPIRED.
        botocore's errors: the output bucket refused the write; nothing new is visible in it.
    """
    collector.work()
    limits = world.settings
    allowed = min(limits.result_seconds if seconds is None else seconds, world.time_left() - MARGIN_SECONDS)
    if output.url[:5].lower() == "data:":
        allowed = max(allowed, INLINE_SECONDS)  # it is here already
    if allowed <= 0:
        raise Later("RESULT_NO_TIME", "there is no time left to fetch the result")
    with fetch.download(
        output.url,
        allowed_origins=(provider_origin, *limits.exempt_origins),
        max_bytes=limits.result_max_bytes,
        seconds=allowed,
        network=network,
    ) as reply:
        _check_status(reply)
        head, picture = _read_head(reply.chunks)
        _check_format(picture.format, output.format, reply)
        if picture.width * picture.height > limits.result_max_pixels:
            raise ProviderFailed(
                "RESULT_TOO_LARGE",
                f"the result claims {picture.width} x {picture.height} pixels, more than {limits.result_max_pixels}",
                action="Ask for a smaller result, or raise the stack's ResultMaxPixels.",
            )
        delivery = _Delivery(world, key_for(picture.format), picture, _marks(job_id, attempt, number))
        return delivery.store(head, reply.chunks)


def already_home(world: World, keys: Iterable[str], *, job_id: str, attempt: int, number: int) -> Delivered | None:
    """The output that lies under one of `keys` and was written for exactly this attempt, or None.

    Reads a result of more than PART_BYTES once, for its sha256: such an object's metadata was written before it.
    """
    marks = _marks(job_id, attempt, number)
    for key in keys:
        head = _head(world, key)
        if head is not None and marks.items() <= head["Metadata"].items():
            return _read_metadata(world, key, head)
    return None


def _marks(job_id: str, attempt: int, number: int) -> dict[str, str]:
    return {"job-id": job_id, "attempt": str(attempt), "number": str(number)}


def _check_status(reply: fetch.Download) -> None:
    status = reply.status
    if status == 200:  # noqa: PLR2004 - the one status that carries a whole result
        return
    if status in _EXPIRED:
        raise Expired("RESULT_EXPIRED", f"the result's address no longer gives it (HTTP {status})")
    if status in _BUSY or status >= 500:  # noqa: PLR2004 - the server's own faults
        raise Later("RESULT_BUSY", f"the result's server is busy (HTTP {status})", retry_after=reply.retry_after)
    raise ProviderFailed("RESULT_BAD_STATUS", f"the result's server answered HTTP {status}")


def _read_head(chunks: Iterator[bytes]) -> tuple[bytes, Picture]:
    """The first bytes, as many as it takes to describe the picture, at most PART_BYTES and a chunk."""
    read = bytearray()
    wanted = pictures.HEAD_BYTES
    for chunk in chunks:
        read += chunk
        if len(read) < wanted:
            continue
        head = bytes(read)
        try:
            return head, _described(head)
        except pictures.NeedsMore as more:
            if more.at_least > PART_BYTES:
                raise _not_a_picture("its header is longer than any should be") from None
            wanted = max(more.at_least, 2 * len(read))
    if not read:
        raise ProviderFailed("RESULT_EMPTY", "the result is empty")
    head = bytes(read)
    try:
        return head, _described(head)
    except pictures.NeedsMore:
        raise _truncated() from None


def _described(head: bytes) -> Picture:
    try:
        return pictures.describe(head)
    except pictures.NotAPicture as error:
        raise _not_a_picture(error.reason) from None


def _check_format(found: str, asked: str, reply: fetch.Download) -> None:
    """Compare the bytes with what they claim to be: as asked for, else by their Content-Type, else by their name."""
    kind, _, name = reply.content_type.partition("/")
    if reply.content_type in _SAYS_NOTHING:
        name = reply.extension if _plain(reply.extension) in CONTENT_TYPES else ""
    elif kind != "image":
        raise _not_a_picture(f"it is sent as {_shown(reply.content_type)}")
    claimed = _plain(asked or name)
    if claimed and claimed != found:
        raise ProviderFailed("RESULT_WRONG_FORMAT", f"the result is {found}, not {_shown(claimed)}")


def _plain(name: str) -> str:
    return _OTHER_NAMES.get(name, name)


def _shown(text: str) -> str:
    """A few harmless characters of what a stranger sent."""
    return "".join(character for character in text[:40] if character.isalnum() or character in "/+.-")


def _not_a_picture(why: str) -> ProviderFailed:
    return ProviderFailed("RESULT_NOT_A_PICTURE", f"the result is not a picture: {why}")


def _truncated() -> ProviderFailed:
    return ProviderFailed("RESULT_TRUNCATED", "the result ends before its picture does")


class _Delivery:
    """One object on its way into the output bucket: counted, hashed, and visible only when it is whole."""

    def __init__(self, world: World, key: str, picture: Picture, marks: Mapping[str, str]) -> None:
        self._s3 = world.aws.s3
        self._log = world.log
        self._bucket = world.settings.output_bucket
        self._key = key
        self._picture = picture
        size = {"width": str(picture.width), "height": str(picture.height)}
        self._metadata = {**marks, **size, "format": picture.format}
        self._content_type = CONTENT_TYPES[picture.format]
        self._digest = sha256()
        self._size = 0
        self._start = b""
        self._tail = b""
        self._upload = ""
        self._parts: list[CompletedPartTypeDef] = []

    def store(self, head: bytes, chunks: Iterable[bytes]) -> Delivered:
        self._start = head[:16]
        try:
            rest = self._gather(head, chunks)
            self._check_end()
            if self._upload:
                self._put_part(rest)
                self._complete()
            else:
                self._put(rest)
        except BaseException:
            self._abort()
            raise
        return Delivered(
            key=self._key,
            format=self._picture.format,
            content_type=self._content_type,
            width=self._picture.width,
            height=self._picture.height,
            size=self._size,
            sha256=self._digest.hexdigest(),
        )

    def _gather(self, head: bytes, chunks: Iterable[bytes]) -> bytearray:
        """Take in every byte, hand on full parts, and give back the rest: never empty, at most PART_BYTES."""
        # One for all parts, since fresh ones would fragment the heap; it grows, since most results are small.
        buffer, filled = bytearray(), 0
        for chunk in chain((head,), chunks):
            self._count(chunk)
            left = memoryview(chunk)
            while left:
                if filled == PART_BYTES:
                    self._put_part(buffer)
                    filled = 0
                taken = min(len(left), PART_BYTES - filled)
                buffer[filled : filled + taken] = left[:taken]
                filled += taken
                left = left[taken:]
        del buffer[filled:]
        return buffer

    def _count(self, data: bytes) -> None:
        self._digest.update(data)
        self._size += len(data)
        self._tail = (self._tail + data)[-_TAIL_BYTES:]

    def _check_end(self) -> None:
        whole = {
            "png": _PNG_END in self._tail,
            "jpeg": _JPEG_END in self._tail,
            "webp": self._size >= 8 + int.from_bytes(self._start[4:8], "little"),
            "gif": self._tail.rstrip(b"\x00").endswith(_GIF_END),
        }
        if not whole[self._picture.format]:
            raise _truncated()

    def _put(self, data: bytearray) -> None:
        self._s3.put_object(
            Bucket=self._bucket,
            Key=self._key,
            Body=cast("bytes", data),  # boto3 takes a bytearray as it is; its stubs do not say so
            ContentType=self._content_type,
            Metadata={**self._metadata, "sha256": self._digest.hexdigest()},
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=b64encode(self._digest.digest()).decode(),
        )

    def _put_part(self, data: bytearray) -> None:
        if not self._upload:
            self._upload = self._s3.create_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                ContentType=self._content_type,
                Metadata=self._metadata,
                ChecksumAlgorithm="SHA256",
            )["UploadId"]
        number = len(self._parts) + 1
        checksum = b64encode(sha256(data).digest()).decode()
        reply = self._s3.upload_part(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._upload,
            PartNumber=number,
            Body=cast("bytes", data),  # boto3 takes a bytearray as it is; its stubs do not say so
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=checksum,
        )
        self._parts.append({"PartNumber": number, "ETag": reply["ETag"], "ChecksumSHA256": checksum})

    def _complete(self) -> None:
        self._s3.complete_multipart_upload(
            Bucket=self._bucket, Key=self._key, UploadId=self._upload, MultipartUpload={"Parts": self._parts}
        )

    def _abort(self) -> None:
        if not self._upload:
            return
        try:
            self._s3.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload)
        except Exception as error:  # noqa: BLE001 - the first error counts; the bucket's lifecycle ends what is left
            self._log.warning("an upload could not be aborted", error=type(error).__name__)


def _head(world: World, key: str) -> HeadObjectOutputTypeDef | None:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - with boto3

    try:
        return world.aws.s3.head_object(Bucket=world.settings.output_bucket, Key=key)
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:  # noqa: PLR2004 - not there
            return None
        raise


def _read_metadata(world: World, key: str, head: HeadObjectOutputTypeDef) -> Delivered | None:
    told = head["Metadata"]
    width, height = told.get("width", ""), told.get("height", "")
    if not (width.isdecimal() and height.isdecimal() and told.get("format") in CONTENT_TYPES):
        return None  # somebody wrote over it by hand
    return Delivered(
        key=key,
        format=told["format"],
        content_type=head["ContentType"],
        width=int(width),
        height=int(height),
        size=head["ContentLength"],
        sha256=told.get("sha256") or _hash(world, key, head["ETag"]),
    )


def _hash(world: World, key: str, etag: str) -> str:
    reply = world.aws.s3.get_object(Bucket=world.settings.output_bucket, Key=key, IfMatch=etag)
    digest = sha256()
    for chunk in reply["Body"].iter_chunks(1024 * 1024):
        digest.update(chunk)
    return digest.hexdigest()
