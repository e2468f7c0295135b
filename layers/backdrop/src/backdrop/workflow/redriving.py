"""Runs a FAILED job again because a person says so, though nothing new was dropped.

Promises a new attempt by the one conditional move `redrive`, on the very bytes that the job was made for. Refuses,
with the reason, what would not be that job any more: its photo or reference is gone or was replaced, or the photo has
since been dropped with another spec, whose result the old job would overwrite.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from backdrop import jobs, work
from backdrop.errors import Problem
from backdrop.states import State
from backdrop.workflow import making

if TYPE_CHECKING:
    from backdrop.jobs import Job
    from backdrop.world import World

_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "405", "MethodNotAllowed"})


def redrive(world: World, job_id: str) -> Job | Problem:
    """Open a new attempt of a FAILED job and send its work; the row as it then is, or why it was left alone."""
    failed = jobs.get(world, job_id)
    if failed is None:
        return Problem("JOB_GONE", f"there is no job {job_id}", "rows of finished jobs are kept for RetentionDays")
    found = _runnable(world, failed)
    if isinstance(found, Problem):
        return found
    spec_version = failed.drop_version.partition("/")[2]
    again = replace(failed, version_id=found, drop_version=f"{found}/{spec_version}")
    queued = making.reopen(world, failed, again)
    if queued is None:
        return Problem("JOB_CHANGED", f"job {job_id} was changed in the same moment", "look at it again")
    work.send(world, work.job(job_id))
    return queued


def refusal(world: World, job: Job) -> Problem | None:
    """Why the job cannot run again as it is; None when it can. Writes nothing."""
    found = _runnable(world, job)
    return found if isinstance(found, Problem) else None


def _runnable(world: World, job: Job) -> str | Problem:
    """The version of the photo that a new attempt would send, or why there can be none."""
    if job.state is not State.FAILED:
        return Problem("NOT_FAILED", f"the job is {job.state}", "only FAILED jobs are run again")
    if job.attempt >= making.MOST_ATTEMPTS:
        told = f"the job has had {job.attempt} attempts"
        return Problem("ATTEMPTS_USED", told, "give its spec another revision")
    others = jobs.of_source(world, job.bucket, job.key)
    if any(other.created_at > job.created_at and other.job_id not in job.siblings for other in others):
        told = f"{job.key} has since been dropped with another spec or other bytes"
        return Problem(
            "SUPERSEDED", told, "look at its newer jobs; to run this one, drop the photo with its spec again"
        )
    photo = _there(world, job.bucket, job.key, "")
    if photo is None:
        return Problem("PHOTO_GONE", f"{job.key} is no longer in the input bucket", "upload it again to run it")
    etag, version = photo
    if etag != job.etag:
        told = f"{job.key} has been replaced by other bytes"
        return Problem("PHOTO_REPLACED", told, "the new photo has jobs of its own")
    if job.reference_key and _there(world, job.bucket, job.reference_key, job.reference_version) is None:
        told = f"the reference {job.reference_key} is no longer there as it was"
        return Problem("REFERENCE_GONE", told, "upload the reference, then the photo again")
    return version


def _there(world: World, bucket: str, key: str, version: str) -> tuple[str, str] | None:
    """ETag and version of an object, of its current version when `version` names none; None when it is gone."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - botocore is imported with the first client

    s3 = world.aws.s3
    try:
        if version in {"", "null"}:
            head = s3.head_object(Bucket=bucket, Key=key)
        else:
            head = s3.head_object(Bucket=bucket, Key=key, VersionId=version)
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return None
        raise
    return str(head["ETag"]).strip('"'), str(head.get("VersionId", "null"))
