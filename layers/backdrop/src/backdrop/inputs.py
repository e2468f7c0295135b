"""Hands a photo to a provider: as a presigned URL, as a staged zip, or as bytes.

Promises that each shape is made when it is asked for and not before, that a URL is signed when it is posted and
never stored, and that names inside a zip are plain ASCII. Refuses a reference that is missing or is no picture.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backdrop import drops, keys, table
from backdrop.errors import Later, Problem, Rejected
from backdrop.jobs import milliseconds
from backdrop.providers.base import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backdrop.jobs import Job
    from backdrop.world import World

IN_MEMORY = 16_000_000  # bytes of a zip kept in memory; more spills to a temporary file


@dataclass(frozen=True)
class Stored:
    """A photo in the input bucket, as `providers.base.Source` wants it."""

    world: World
    job: Job
    needed: float = 0  # seconds that must be left when the photo is ready: what the POST may take

    @property
    def filename(self) -> str:
        """A plain name with the photo's own extension: what providers see instead of the user's key."""
        return f"image.{self.job.key.rsplit('.', 1)[-1].lower()}"

    @property
    def content_type(self) -> str:
        """The media type by the photo's content, as found when it was dropped."""
        return self.job.content_type

    @property
    def digest(self) -> str:
        """Names the bytes: the ETag (an MD5, or of multipart uploads their parts') with the size, hashed."""
        return hashlib.sha256(f"{self.job.etag}/{self.job.size}".encode()).hexdigest()[:32]

    def url(self) -> str:
        """A presigned GET URL of exactly the version that was dropped."""
        return self._presign(self.job.bucket, self.job.key, self.job.version_id)

    def archive(self) -> Archive:
        """A zip of photo and reference in the staging bucket, which empties itself after a day."""
        staging = self.world.settings.staging_bucket
        name = f"{self.job.reference}.zip"
        members = [(self.filename, self.job.key, self.job.version_id)]
        if self.job.reference_key:
            extension = self.job.reference_key.rsplit(".", 1)[-1].lower()
            members.append((f"reference.{extension}", self.job.reference_key, self.job.reference_version))
        with _told(self.job.key), tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
            with zipfile.ZipFile(spool, "w", zipfile.ZIP_STORED) as bundle:
                for member, key, version in members:
                    info = zipfile.ZipInfo(member)  # the epoch's date: the same photos give the same zip
                    with bundle.open(info, "w") as target:
                        shutil.copyfileobj(self._open(key, version), target, 1 << 20)
            spool.seek(0)
            self.world.aws.s3.put_object(Bucket=staging, Key=name, Body=spool, ContentType="application/zip")
        self._check_time()
        names = [member for member, _, _ in members]
        return Archive(self._presign(staging, name, ""), names[0], names[1] if len(names) > 1 else "")

    def read(self) -> bytes:
        """The photo's bytes."""
        with _told(self.job.key):
            data: bytes = self._open(self.job.key, self.job.version_id).read()
        self._check_time()
        return data

    def recall(self, name: str) -> str:
        """What was remembered for these bytes and has not run out."""
        item = table.get(self.world, f"memo#{name}#{self.digest}")
        return str(item["value"]) if item and item["until"] > milliseconds(self.world) else ""

    def remember(self, name: str, value: str, seconds: int) -> None:
        """Keep a text for these bytes: a hint that saves a request, so losing it costs no more than that."""
        until = milliseconds(self.world) + seconds * 1000
        table.replace(
            self.world,
            {
                "job_id": f"memo#{name}#{self.digest}",
                "value": value,
                "until": until,
                "expires_at": until // 1000 + 86_400,
            },
        )

    def _check_time(self) -> None:
        """No POST starts unless the time left exceeds what it may take.

        Raises:
            Later: making the photo ready took too long for this turn.
        """
        if self.world.time_left() < self.needed:
            raise Later("NO_TIME", "making the photo ready took too long to post it in this turn", retry_after=1)

    def _open(self, key: str, version: str) -> Any:
        with _told(key):
            return self.world.aws.s3.get_object(Bucket=self.job.bucket, Key=key, **_version(version))["Body"]

    def _presign(self, bucket: str, key: str, version: str) -> str:
        return self.world.aws.s3.generate_presigned_url(
            "get_object",
            Params={"Bucket": bucket, "Key": key, **_version(version)},
            ExpiresIn=self.world.settings.presign_seconds,
        )


_GONE = frozenset({"NoSuchKey", "NoSuchVersion", "404", "InvalidObjectState", "MethodNotAllowed"})


@contextmanager
def _told(key: str) -> Iterator[None]:
    """S3's errors before a POST as ours: nothing was sent yet, so none of them leaves a doubt.

    Raises:
        Rejected: what was dropped is no longer there, or cannot be read.
        Later: S3 is busy.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - botocore comes with the first client

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _GONE:
            told = f"{key} is no longer there as it was dropped ({code})"
            raise Rejected(Problem("PHOTO_GONE", told, "upload it again to run it")) from None
        raise Later("STORAGE_BUSY", f"{key} could not be read or staged just now ({code})") from None
    except BotoCoreError as error:
        why = type(error).__name__
        raise Later("STORAGE_BUSY", f"{key} could not be read or staged just now ({why})") from None


def _version(version: str) -> dict[str, Any]:
    return {} if version in {"", "null"} else {"VersionId": version}


def find_reference(world: World, bucket: str, image_key: str, reference: str) -> drops.Photo:
    """The reference picture that a spec names, relative to the photo.

    Raises:
        Rejected: it is not there, or it is not a picture.
    """
    key = keys.reference_key(image_key, reference)
    if not key.lower().endswith(keys.PHOTO_EXTENSIONS):
        allowed = ", ".join(keys.PHOTO_EXTENSIONS)
        told = f"the reference {key} does not end like a picture"
        action = f"name it with its extension, one of {allowed}"
        raise Rejected(Problem("REFERENCE_NAME", told, action, where="input.reference"))
    found = drops.look(world, bucket, key)
    if found is None:
        raise Rejected(
            Problem(
                "REFERENCE_MISSING",
                f"the reference {key} is not in the bucket",
                "upload it first (a name that begins with _ never starts a job), then upload the spec again",
                where="input.reference",
            )
        )
    try:
        drops.picture_of(world, found)
    except Rejected as refusal:
        raise Rejected(*(problem._replace(where="input.reference") for problem in refusal.problems)) from None
    return found
