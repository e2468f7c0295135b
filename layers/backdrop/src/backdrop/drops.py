"""What an S3 event means: a key, and what lies there now.

Promises that events in any order, late or repeated, lead to the same reading: nothing of an event but its bucket and
key is used. Keeps one row for a drop that is no job yet (waiting, orphaned, rejected) or that a folder default has
been applied to. Refuses to guess between two sidecars.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from backdrop import keys, pictures, table
from backdrop.errors import Later, Problem, Rejected
from backdrop.jobs import day_partition, due_partition, milliseconds
from backdrop.pictures import HEAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from backdrop.pictures import Picture
    from backdrop.world import World


class Dropped(NamedTuple):
    """One key that something happened to."""

    bucket: str
    key: str


def read_events(body: str) -> list[Dropped]:
    """The keys named by a drop queue message: an S3 notification, or our own `{"drop": …}`.

    S3 percent-encodes keys with `+` for a space; its test event has no records.

    Raises:
        ValueError: the message is neither.
    """
    message = json.loads(body)
    if not isinstance(message, dict):
        msg = "a drop message is a JSON object"
        raise TypeError(msg)
    if "drop" in message:
        return [Dropped(str(message["drop"]["bucket"]), str(message["drop"]["key"]))]
    if message.get("Event") == "s3:TestEvent":
        return []
    return [
        Dropped(str(entry["s3"]["bucket"]["name"]), unquote_plus(str(entry["s3"]["object"]["key"])))
        for entry in message["Records"]
    ]


def shared_looks(bodies: Iterable[str]) -> dict[Dropped, Dropped]:
    """By each photo of which a batch's messages name a sidecar too: that sidecar, whose look sees the photo as well.

    Not the other way round: a photo's own look lets it wait for a sidecar that does not lie there under a usual name.
    Two sidecars of one photo are looked at each: only together do they show that they contradict each other.
    """
    named: list[Dropped] = []
    for body in bodies:
        with suppress(Exception):  # whatever it is, it fails when the message is taken
            named += read_events(body)
    sidecars = (one for one in named if keys.classify(one.key) is keys.Kind.SIDECAR)
    return {Dropped(one.bucket, keys.image_of(one.key)): one for one in sidecars}


class Photo(NamedTuple):
    """A photo as it lies in the input bucket. `size` in bytes, `modified` in milliseconds, `head` its first bytes."""

    bucket: str
    key: str
    etag: str
    version_id: str
    size: int
    content_type: str
    modified: int
    head: bytes


# Archived; encrypted with a key of the uploader's own; under a KMS key that the role may not use.
UNREADABLE = frozenset({"InvalidObjectState", "InvalidRequest", "AccessDenied", "403"})
_READABLE = "upload it in the storage class STANDARD and with S3's own encryption"


def look(world: World, bucket: str, key: str, *, most: int = HEAD_BYTES) -> Photo | None:
    """The object under `key` with its first `most` bytes; None when there is none.

    Raises:
        Rejected: S3 does not hand it out, for a reason that only the uploader can change.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - botocore is imported with the first client

    s3 = world.aws.s3
    try:
        reply: Any = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{most - 1}")
        head = reply["Body"].read()
        size = int(reply["ContentRange"].rsplit("/", 1)[1]) if "ContentRange" in reply else len(head)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in {"NoSuchKey", "404"}:
            return None
        if code in UNREADABLE:
            told = f"S3 does not hand {key} out ({code})"
            raise Rejected(Problem("OBJECT_UNREADABLE", told, _READABLE)) from None
        if code != "InvalidRange":  # an empty object has no first byte
            raise
        reply, head, size = s3.head_object(Bucket=bucket, Key=key), b"", 0
    return Photo(
        bucket=bucket,
        key=key,
        etag=str(reply["ETag"]).strip('"'),
        version_id=str(reply.get("VersionId", "null")),
        size=size,
        content_type=str(reply.get("ContentType", "")),
        modified=int(reply["LastModified"].timestamp() * 1000),
        head=head,
    )


def picture_of(world: World, photo: Photo) -> Picture:
    """What the photo's header says, reading more of the object when the header is long.

    Raises:
        Rejected: it is empty, cut short, or no picture that a provider takes.
        Later: it was replaced in the middle.
    """
    head = photo.head
    while True:
        try:
            return pictures.describe(head, complete=len(head) >= photo.size)
        except pictures.NeedsMore as more:
            fuller = look(world, photo.bucket, photo.key, most=max(more.at_least, 2 * len(head)))
            if fuller is None or fuller.version_id != photo.version_id:
                raise Later("PHOTO_CHANGED", "the photo changed while it was read: its message comes again") from None
            head = fuller.head


class SpecFile(NamedTuple):
    """The spec that governs a photo: its own sidecar, or the nearest folder default."""

    key: str
    data: bytes
    version_id: str
    is_default: bool


def usual_sidecar(world: World, bucket: str, image_key: str) -> SpecFile | None:
    """A sidecar under one of its usual names, or None: asking for all three costs a quarter of listing them.

    There may be another beside it, or one whose extension is written otherwise: `find_spec` sees every one.
    """
    found = (sidecar(world, bucket, image_key + extension) for extension in keys.SPEC_EXTENSIONS)
    return next((one for one in found if one), None)


def sidecar(world: World, bucket: str, key: str) -> SpecFile | None:
    """The sidecar under this very key, or None."""
    return _read(world, bucket, key, is_default=False)


def find_spec(world: World, bucket: str, image_key: str, *, seen: SpecFile | None = None) -> SpecFile | None:
    """The sidecar of a photo, else the nearest folder default, else None. `seen` was read a moment ago.

    Raises:
        Rejected: there are two sidecars, or two defaults in one folder.
    """
    found = _only(_named(world, bucket, f"{image_key}.", keys.Kind.SIDECAR, image_key), image_key)
    if found:
        return seen if seen and seen.key == found else sidecar(world, bucket, found)
    for folder in keys.folders_up(image_key):
        prefix = f"{folder}/{keys.DEFAULT_STEM}." if folder else f"{keys.DEFAULT_STEM}."
        found = _only(_named(world, bucket, prefix, keys.Kind.DEFAULT, image_key), folder or "the bucket")
        if found:
            return _read(world, bucket, found, is_default=True)
    return None


def _named(world: World, bucket: str, prefix: str, kind: keys.Kind, image_key: str) -> Iterator[str]:
    """Keys under `prefix` that are of `kind` and stand beside it: extensions come in any case, so they are listed."""
    reply = world.aws.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=1000)
    for entry in reply.get("Contents", []):
        key = entry["Key"]
        if keys.classify(key) is kind and (kind is keys.Kind.DEFAULT or keys.image_of(key) == image_key):
            yield key


def _only(found: Iterator[str], place: str) -> str:
    names = sorted(found)
    if len(names) > 1:
        raise Rejected(
            Problem(
                "TWO_SPECS",
                f"{place} has {len(names)} specs: {', '.join(names[:3])}",
                "keep one of them and delete the others",
            )
        )
    return names[0] if names else ""


def _read(world: World, bucket: str, key: str, *, is_default: bool) -> SpecFile | None:
    from backdrop.spec import MOST_BYTES  # noqa: PLC0415 - pydantic, only where a spec is read

    found = look(world, bucket, key, most=MOST_BYTES + 1)  # one more: so that a larger one is seen to be larger
    return SpecFile(key, found.head, found.version_id, is_default) if found else None


class Row(NamedTuple):
    """The row of a drop that is no job. `state`: waiting, orphaned, rejected or defaulted; times in milliseconds."""

    state: str
    version: str
    first_seen: int


def row(world: World, bucket: str, key: str) -> Row | None:
    """The drop's row, or None."""
    item = table.get(world, keys.drop_row_id(bucket, key))
    return row_of(item) if item else None


def row_of(item: dict[str, Any]) -> Row:
    """The row that an item of the table is."""
    return Row(str(item["state"]), str(item["version"]), int(item["first_seen"]))


# A look that takes its time must not undo the wait of a newer one, whose message would then find nothing to look at:
# a photo that was replaced, or deleted and uploaded again, in the middle of it.
_NOBODY_NEWER_WAITS = "attribute_not_exists(job_id) OR #state <> :waiting OR #first_seen <= :began"


def write_row(
    world: World, bucket: str, key: str, row: Row, *, began: int, look_in: float = 0, why: dict[str, Any] | None = None
) -> None:
    """Write the drop's row; a waiting one is in `open`, to be looked at in `look_in` seconds.

    `began`: when the look began that decided this, in milliseconds; what has begun to wait since then stays.
    """
    now = milliseconds(world)
    job_id = keys.drop_row_id(bucket, key)
    item: dict[str, Any] = {
        "job_id": job_id,
        "bucket": bucket,
        "key": key,
        "state": row.state,
        "version": row.version,
        "first_seen": row.first_seen,
        "why": json.dumps(why or {}),
    }
    if row.state == "waiting":
        item |= {"open": due_partition(job_id), "open_at": now + int(look_in * 1000)}
    else:
        item["expires_at"] = now // 1000 + world.settings.retention_days * 86_400
    if row.state in {"rejected", "orphaned"}:  # so that a day's refusals can be counted
        item["day"] = day_partition(now, job_id)
    table.replace(world, item, condition=_NOBODY_NEWER_WAITS, values={"waiting": "waiting", "began": began})


def forget_row(world: World, bucket: str, key: str, *, began: int) -> None:
    """The drop became a job, or its image went away; `began` as for `write_row`."""
    values = {"waiting": "waiting", "began": began}
    table.delete(world, keys.drop_row_id(bucket, key), condition=_NOBODY_NEWER_WAITS, values=values)
