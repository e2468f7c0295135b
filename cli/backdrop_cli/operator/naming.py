"""What a user's KEY means: a photo, its spec, a result, a record, an error file, or a job's id.

Promises to ask the buckets and the table, never to guess from the name alone where they can tell. Refuses a key that
leads to nothing, with what was probably meant.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from backdrop import jobs, keys
from backdrop_cli.operator.failures import BAD_INPUT, Stopped
from backdrop_cli.operator.reach import Found
from backdrop_cli.paths import printable

_JOB = re.compile(r"([0-9a-f]{32})(-\d{1,3})?")
_ERROR = ".error.json"
_MOST_LISTED = 1000
_MOST_RECORD = 1_000_000
_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion"})


@dataclass(frozen=True)
class Named:
    """What a KEY means. `key` is the photo's, or the file's that is no photo's; `job_id` when it names one job."""

    key: str
    job_id: str = ""
    by: str = ""  # how it was found, in words; empty for the key itself


def resolve(found: Found, asked: str) -> Named:
    """What `asked` means.

    Raises:
        Stopped: nothing here is called that.
    """
    bucket, key = _split(found, asked)
    if not key:
        raise Stopped("KEY is empty: name a photo, a spec, a result, an error file or a job's id", BAD_INPUT)
    settings = found.world.settings
    if not bucket and (match := _JOB.fullmatch(key)):
        job = jobs.get(found.world, match[1])
        if job is None:
            raise Stopped(
                f"there is no job {match[1]}; rows of finished jobs are kept for {settings.retention_days} days"
            )
        return Named(job.key, job.job_id, f"the job {job.job_id}")
    if bucket != settings.output_bucket and (named := _as_input(found, key)):
        return named
    if bucket != settings.input_bucket and (named := _as_output(found, key)):
        return named
    raise Stopped(f"nothing is known of {printable(key)}{_meant(found, key)}")


def _split(found: Found, asked: str) -> tuple[str, str]:
    """Bucket (empty when not told) and key."""
    if not asked.startswith("s3://"):
        return "", asked.removeprefix("/") if asked != "/" else asked
    bucket, _, key = asked.removeprefix("s3://").partition("/")
    settings = found.world.settings
    mine = (settings.input_bucket, settings.output_bucket)
    if bucket not in mine:
        raise Stopped(f"{bucket} is no bucket of the stack {found.name}; its buckets are {mine[0]} and {mine[1]}")
    return bucket, key


def _as_input(found: Found, key: str) -> Named | None:
    """The key as one of the input bucket's: there now, or known from before."""
    if keys.classify(key) is keys.Kind.SIDECAR:
        photo = keys.image_of(key)
        if there(found, found.world.settings.input_bucket, key) or _known(found, photo):
            return Named(photo, by=f"the spec {key}")
        return None
    if there(found, found.world.settings.input_bucket, key) or _known(found, key):
        return Named(key)
    return None


def _as_output(found: Found, key: str) -> Named | None:
    """The key as one of the output bucket's."""
    if key.endswith(_ERROR) and (photo := key.removesuffix(_ERROR)):
        head = there(found, found.world.settings.output_bucket, key)
        if _known(found, photo) or there(found, found.world.settings.input_bucket, photo):
            return Named(photo, by=f"the error file {key}")
        if head:  # of a name that was cut, or of a row that has expired
            source = _json(found, key).get("source") or {}
            return Named(str(source.get("key") or photo), by=f"the error file {key}")
    job_id = _job_of_object(found, key)
    if job_id and (job := jobs.get(found.world, job_id)):
        return Named(job.key, job.job_id, f"the result {key}")
    for photo in _shorter(key):  # a result that is not there yet
        if _known(found, photo) or there(found, found.world.settings.input_bucket, photo):
            return Named(photo, by=f"the result {key}")
    return None


def _job_of_object(found: Found, key: str) -> str:
    """The job that wrote an object of the output bucket; empty when none did."""
    bucket = found.world.settings.output_bucket
    head = there(found, bucket, key)
    if head and head["Metadata"].get("job-id"):
        return str(head["Metadata"]["job-id"])
    if head and key.endswith(".json"):
        return str(_json(found, key).get("job_id") or "")
    if not head and key.endswith(".json"):  # the record may be gone, or not there yet
        beside = there(found, bucket, key.removesuffix(".json"))
        return str(beside["Metadata"].get("job-id", "")) if beside else ""
    return ""


def _json(found: Found, key: str) -> dict[str, Any]:
    reply = found.world.aws.s3.get_object(Bucket=found.world.settings.output_bucket, Key=key)
    try:
        told = json.loads(reply["Body"].read(_MOST_RECORD))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _shorter(key: str) -> Iterator[str]:
    """Photos whose result may be called `key`: the default template keeps the photo's whole name in front."""
    folder, slash, name = key.rpartition("/")
    parts = name.split(".")
    for count in range(len(parts) - 1, 1, -1):
        photo = folder + slash + ".".join(parts[:count])
        if keys.classify(photo) is keys.Kind.IMAGE:
            yield photo


def there(found: Found, bucket: str, key: str) -> dict[str, Any] | None:
    """What S3 says of an object; None when there is none."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - botocore is imported with the first client

    if len(key.encode()) > keys.MAX_KEY_BYTES:
        return None
    try:
        return dict(found.world.aws.s3.head_object(Bucket=bucket, Key=key))
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return None
        raise


def _known(found: Found, key: str) -> bool:
    """Whether the table has a job or a row of this key."""
    return jobs.known(found.world, found.world.settings.input_bucket, key)


def _meant(found: Found, key: str) -> str:
    """The nearest name in the key's folder, of both buckets; else where to look."""
    folder = key.rpartition("/")[0]
    prefix = f"{folder}/" if folder else ""
    settings = found.world.settings
    names: list[str] = []
    for bucket in (settings.input_bucket, settings.output_bucket):
        names += _listed(found, bucket, prefix)
    if not names and folder:  # the folder itself is mistyped
        parent = folder.rpartition("/")[0]
        above = _listed(found, settings.input_bucket, f"{parent}/" if parent else "")
        near = _near(prefix, [name for name in above if name.endswith("/")], count=1)
        return f"; there is no folder {printable(prefix)}" + (f", did you mean {near[0]}?" if near else "")
    near = _near(key, names, count=3)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f" in {settings.input_bucket}, in {settings.output_bucket} or in the job table"


def _near(word: str, names: list[str], *, count: int) -> list[str]:
    """The nearest of the names, in any case, fit for the screen."""
    plain = {name.casefold(): name for name in reversed(names)}
    return [printable(plain[one]) for one in get_close_matches(word.casefold(), plain, n=count, cutoff=0.7)]


def _listed(found: Found, bucket: str, prefix: str) -> list[str]:
    reply = found.world.aws.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=_MOST_LISTED)
    objects = [entry["Key"] for entry in reply.get("Contents", [])]
    return objects + [entry["Prefix"] for entry in reply.get("CommonPrefixes", [])]
