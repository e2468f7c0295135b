"""What the user finds in the output bucket besides pictures: a record beside each result, an error file for a drop.

Promises that an error file says for each failed job what is wrong, where, and what to do, and that it goes when all
jobs of the drop have succeeded. Refuses to write anything but fields it names: no key, token or presigned query.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backdrop import drops, keys
from backdrop.states import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backdrop.errors import Problem
    from backdrop.jobs import Job
    from backdrop.world import World


def _stamp(milliseconds: int) -> str | None:
    """A time of the table as ISO 8601 in UTC; None when it has not come."""
    if not milliseconds:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def record(job: Job, output: dict[str, Any]) -> dict[str, Any]:
    """What stands beside one output: job, provider, source, bytes, price, times, and what the provider told."""
    return {
        "job_id": job.job_id,
        "model": job.model,
        "provider": job.provider,
        "label": job.label,
        "run_id": job.run_id or None,
        "attempt": job.won or job.attempt,
        "source": {
            "bucket": job.bucket,
            "key": job.key,
            "version_id": job.version_id,
            "etag": job.etag,
            "size": job.size,
            "spec": job.spec_key,
            "reference": job.reference_key or None,
        },
        "output": output,
        "price_usd": job.price or None,
        "times": {
            "dropped": _stamp(job.dropped_at),
            "queued": _stamp(job.created_at),
            "posted": _stamp(job.posted_at),
            "accepted": _stamp(job.accepted_at),
            "finished": _stamp(job.finished_at),
            "provider_seconds": seconds_between(job.posted_at, job.finished_at),
            "total_seconds": seconds_between(job.dropped_at, job.delivered_at),
        },
        "provider_facts": job.facts,
        "metadata": job.spec.get("metadata", {}),
        "spec": {name: value for name, value in job.spec.items() if name != "metadata"},
    }


def seconds_between(start: int, end: int) -> float | None:
    """Seconds from one time of the table to another; None while either has not come."""
    return round((end - start) / 1000, 3) if start and end else None


def write_records(world: World, job: Job, outputs: Sequence[dict[str, Any]]) -> None:
    """Put `<output>.json` beside every output."""
    for output in outputs:
        _write(world, keys.record_key(output["key"]), record(job, output))


def write_refusal(world: World, bucket: str, key: str, problems: Sequence[Problem]) -> None:
    """Put the error file of a drop that became no job."""
    _write(
        world,
        keys.error_key(key),
        {
            "source": {"bucket": bucket, "key": key},
            "state": "rejected",
            "paid": False,
            "problems": [problem.as_dict() for problem in problems],
            "written": _stamp(int(world.now() * 1000)),
        },
    )


def settle(world: World, jobs: Sequence[Job]) -> None:
    """Bring the error file of one drop in line with its jobs: written while any has FAILED, gone when all succeeded."""
    first = jobs[0]
    failed = [job for job in jobs if job.state is State.FAILED]
    if failed:
        _write(
            world,
            keys.error_key(first.key),
            {
                "source": {"bucket": first.bucket, "key": first.key},
                "state": "failed",
                "problems": [
                    {"job_id": job.job_id, "model": job.model, "label": job.label, "attempt": job.attempt} | job.error
                    for job in failed
                ],
                "written": _stamp(int(world.now() * 1000)),
            },
        )
    elif all(job.state is State.SUCCEEDED for job in jobs) and _written(world, first.key):
        row = drops.row(world, first.bucket, first.key)
        if row is None or row.state not in {"rejected", "orphaned"}:  # else the file tells of a newer drop
            clear(world, first.key)


def write_delay(world: World, job: Job) -> None:
    """Put the error file of a job whose provider has long been busy: it still waits; the file goes when it is done."""
    _write(
        world,
        keys.error_key(job.key),
        {
            "source": {"bucket": job.bucket, "key": job.key},
            "state": "waiting",
            "paid": False,
            "problems": [{"job_id": job.job_id, "model": job.model, "label": job.label} | job.error],
            "written": _stamp(int(world.now() * 1000)),
        },
    )


def clear(world: World, key: str) -> None:
    """Remove the error file of a drop, if there is one: a delete of nothing would leave a delete marker."""
    if _written(world, key):
        world.aws.s3.delete_object(Bucket=world.settings.output_bucket, Key=keys.error_key(key))


def _written(world: World, key: str) -> bool:
    """Whether the drop has an error file."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - botocore is imported with the first client

    try:
        world.aws.s3.head_object(Bucket=world.settings.output_bucket, Key=keys.error_key(key))
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
            return False
        raise
    return True


def _write(world: World, key: str, content: dict[str, Any]) -> None:
    world.aws.s3.put_object(
        Bucket=world.settings.output_bucket,
        Key=key,
        Body=json.dumps(content, indent=2, ensure_ascii=False, sort_keys=False).encode(),
        ContentType="application/json; charset=utf-8",
        ChecksumAlgorithm="SHA256",
    )
