"""The jobs of a photo and its spec: made, written once, and run again when their drop comes again.

Promises that the same drop, taken any number of times, becomes each of its jobs once, and that a FAILED job opens a new
attempt only for another version of its drop. Refuses what a provider would refuse anyway, before it is paid for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from backdrop import catalogue, drops, inputs, jobs, keys, notices, spec, table
from backdrop.errors import Rejected
from backdrop.jobs import Ready
from backdrop.states import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backdrop.drops import Photo, SpecFile
    from backdrop.jobs import Job
    from backdrop.world import World

MOST_ATTEMPTS = 90  # a callback's path names at most 99


def make(world: World, photo: Photo, found: SpecFile) -> list[Job]:
    """The jobs of a photo and its spec, not written yet.

    Raises:
        Rejected: the spec, the photo or a reference is not what a provider would take.
    """
    wanted = spec.parse(found.data, found.key)
    picture = drops.picture_of(world, photo)
    problems = list(spec.check_outputs(wanted, photo.key))
    for job in wanted.jobs:
        problems += spec.check_photo(job, picture, photo.size)
    if problems:
        raise Rejected(*problems)
    made = [_make_one(world, photo, found, job, f"image/{picture.format}") for job in wanted.jobs]
    siblings = [job.job_id for job in made] if len(made) > 1 else []
    return [replace(job, siblings=siblings) for job in made]


def _make_one(world: World, photo: Photo, found: SpecFile, wanted: spec.JobSpec, content_type: str) -> Job:
    reference = inputs.find_reference(world, photo.bucket, photo.key, wanted.reference) if wanted.reference else None
    normalised = wanted.normalised()
    price = catalogue.price(wanted.model, wanted.input, world.settings.prices)
    return jobs.Job(
        job_id=keys.job_id(photo.bucket, photo.key, photo.etag, normalised, reference.etag if reference else ""),
        state=State.QUEUED,
        model=wanted.model,
        provider=catalogue.MODELS[wanted.model].provider,
        label=wanted.label,
        spec=normalised,
        bucket=photo.bucket,
        key=photo.key,
        etag=photo.etag,
        version_id=photo.version_id,
        size=photo.size,
        content_type=content_type,
        drop_version=f"{photo.version_id}/{found.version_id}",
        spec_key=found.key,
        created_at=jobs.milliseconds(world),
        dropped_at=photo.modified,
        reference_key=reference.key if reference else "",
        reference_version=reference.version_id if reference else "",
        price="" if price is None else str(price),
    )


class Known(NamedTuple):
    """What the table had of a drop when it was looked at: its own row, and those of `made` that were there, by id."""

    made: tuple[str, ...] = ()
    row: drops.Row | None = None
    jobs: Mapping[str, Job] = {}

    @property
    def under_way(self) -> bool:
        """Whether the jobs are all there and none would run again: another event of the drop has been handled."""
        there = [self.jobs.get(job_id) for job_id in self.made]
        return bool(there) and all(job is not None and job.state is not State.FAILED for job in there)


def known(world: World, photo: Photo, made: list[Job]) -> Known:
    """What the table has of a photo and of the jobs made of it, in one request."""
    ids = tuple(job.job_id for job in made)
    row_id = keys.drop_row_id(photo.bucket, photo.key)
    items = table.get_many(world, (*ids, row_id))
    there = {job_id: job for job_id in ids if job_id in items and (job := jobs.of_item(items[job_id]))}
    return Known(ids, drops.row_of(items[row_id]) if row_id in items else None, there)


def _create_or_redrive(world: World, job: Job, there: Job | None) -> Job | None:
    """The job if it waits to be advanced: it is new, or it is QUEUED, or it had FAILED and was dropped again."""
    if there is None and jobs.create(world, job):
        world.metric("JobsQueued")
        return job
    there = there or jobs.get(world, job.job_id)
    if there is None:
        return None
    if there.state is State.FAILED and there.drop_version != job.drop_version and there.attempt < MOST_ATTEMPTS:
        return reopen(world, there, job)
    if there.siblings != job.siblings:  # the spec now asks for more, or less, beside it: they share one error file
        told = {"siblings": job.siblings}
        table.change(world, job.job_id, put=told, condition="attribute_exists(#job_id)", values={})
    return there if there.state is State.QUEUED else None


def reopen(world: World, failed: Job, again: Job) -> Job | None:
    """Open a new attempt of a FAILED job, with the versions that now lie in the bucket."""
    return jobs.move(
        world,
        failed,
        "redrive",
        put={
            "attempt": failed.attempt + 1,
            "won": 0,
            "posted_at": 0,
            "accepted_at": 0,
            "finished_at": 0,
            "held_at": 0,
            "siblings": again.siblings,
            "spec_key": again.spec_key,
            "dropped_at": again.dropped_at,
            "reopened": 0,
            "reposts": 0,
            "not_before": 0,
            "looks": 0,
            "doubt_since": 0,
            "form": "",
            "drop_version": again.drop_version,
            "version_id": again.version_id,
            "reference_version": again.reference_version,
            "error": {},
            **jobs.released(),
        },
    )


def write(world: World, made: list[Job], known: Known | None = None) -> list[Ready]:
    """The jobs that wait to be advanced, written where they are new.

    Not the first of them, when the table was `known` not to have it: `posting.begin` writes that under its claim,
    which saves a write and the index two. So the caller's message has to come again when this invocation dies.
    """
    ready: list[Ready] = []
    for job in made:
        there = known.jobs.get(job.job_id) if known else None
        if known and there is None and not ready:
            ready.append(Ready(job, written=False))
        elif waits := _create_or_redrive(world, job, there):
            ready.append(Ready(waits))
    return ready


def foresee(world: World, photo: Photo, seen: SpecFile) -> list[Job]:
    """The jobs of a sidecar that may have another beside it; none when it is refused: then that is told first."""
    try:
        return make(world, photo, seen)
    except Rejected:
        return []


def settle(world: World, made: list[Job], ready: list[Ready]) -> None:
    """When no job waits, the drop went back to one that was run before: its error file is about that again."""
    there = [] if ready else jobs.many(world, (job.job_id for job in made))
    if there:
        notices.settle(world, there)
