"""A key was named by an event: what lies there now becomes jobs, a wait, or a refusal.

Promises that every photo, sidecar, folder default and stray file leaves a visible trace, and that the same drop
named any number of times becomes each of its jobs once. Refuses what a provider would refuse anyway, before it is
paid for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from backdrop import budget, catalogue, drops, inputs, jobs, keys, notices, spec, table, work
from backdrop.errors import Problem, Rejected
from backdrop.states import State

if TYPE_CHECKING:
    from backdrop.drops import Photo, SpecFile
    from backdrop.jobs import Job
    from backdrop.world import World

MOST_ATTEMPTS = 90  # a callback's path names at most 99
LOOK_AFTER = 60  # seconds until the sweep looks at a drop that should have become jobs


def take_drop(world: World, bucket: str, key: str) -> list[Job]:
    """Look at what lies under `key` and act on it; the jobs that wait for their first step, as they stand."""
    match keys.classify(key):
        case keys.Kind.IMAGE:
            return _consider(world, bucket, key)
        case keys.Kind.SIDECAR:
            return _consider(world, bucket, keys.image_of(key))
        case keys.Kind.DEFAULT:
            _check_default(world, bucket, key)
        case keys.Kind.OTHER:
            _refuse_stray(world, bucket, key)
    return []


def _consider(world: World, bucket: str, key: str) -> list[Job]:
    photo: Photo | None = None
    found: SpecFile | None = None
    try:
        photo = drops.look(world, bucket, key)
        found = drops.find_spec(world, bucket, key)
        if photo is None:
            return _without_photo(world, bucket, key, found)
        if found is None:
            return _wait_for_spec(world, photo)
        if found.is_default:
            return _by_default(world, photo, found)
        made = _start(world, photo, found)
    except Rejected as refusal:
        version = photo.version_id if photo else ""
        _refuse(world, bucket, key, version, _again(refusal) if found and found.is_default else refusal)
        return []
    drops.forget_row(world, bucket, key)
    return _ready(world, made)


def _again(refusal: Rejected) -> Rejected:
    """What a folder default refuses is run again by uploading the photo: the default alone runs nothing."""
    then = "; then upload the photo again"
    return Rejected(*(replace(told, action=told.action.rstrip(".") + then) for told in refusal.problems))


def _ready(world: World, made: list[Job]) -> list[Job]:
    """The jobs that wait to be advanced; when none does, the drop went back to one that was run before."""
    ready = [waits for job in made if (waits := _create_or_redrive(world, job))]
    if not ready:
        there = jobs.many(world, (job.job_id for job in made))
        if there:
            notices.settle(world, there)
    return ready


def _without_photo(world: World, bucket: str, key: str, found: SpecFile | None) -> list[Job]:
    """The photo is not there: it was deleted, or its sidecar came first."""
    known = jobs.of_source(world, bucket, key)
    for job in known:
        if job.state in {State.QUEUED, State.HELD}:
            _cancel(world, job)
    row = drops.row(world, bucket, key)
    if found is None or found.is_default:
        # A waiting row may have followed a refused one, when photo and sidecar were taken away one by one.
        if row and (row.state in {"orphaned", "rejected"} or (row.state == "waiting" and not known)):
            notices.clear(world, key)
        drops.forget_row(world, bucket, key)
        return []
    if any(job.drop_version.endswith(f"/{found.version_id}") for job in known):
        drops.forget_row(world, bucket, key)  # the spec has done its work before the photo was deleted
        return []
    if row and row.state == "orphaned" and row.version == found.version_id:
        return []
    return _hold_open(
        world,
        bucket,
        key,
        row,
        version=found.version_id,
        seconds=world.settings.no_spec_seconds,
        problem=Problem(
            "PHOTO_MISSING",
            f"{found.key} came, but {key} did not",
            f"upload the photo as {key}, or delete the spec",
        ),
    )


def _cancel(world: World, job: Job) -> None:
    action = "upload it again to run it"
    if job.reposts:
        action = f"an earlier request of it may have been paid: look in the provider's console before you {action}"
    told = Problem("CANCELLED", "the photo was deleted before its turn came", action)
    if jobs.move(world, job, "fail", put={"error": told.as_dict(), "charged": "", **jobs.released()}):
        budget.refund(world, job)


def _wait_for_spec(world: World, photo: Photo) -> list[Job]:
    row = drops.row(world, photo.bucket, photo.key)
    if row and row.state == "orphaned" and row.version == photo.version_id:
        return []
    if any(job.etag == photo.etag for job in jobs.of_source(world, photo.bucket, photo.key)):
        drops.forget_row(world, photo.bucket, photo.key)
        return []  # its spec was taken away after it had done its work
    seconds = world.settings.no_spec_seconds
    return _hold_open(
        world,
        photo.bucket,
        photo.key,
        row,
        version=photo.version_id,
        seconds=seconds,
        problem=Problem(
            "NO_SPEC",
            f"no spec came for {photo.key} within {seconds} seconds",
            f"upload {photo.key}.yaml beside it (the photo need not come again), "
            "or a _backdrop.yaml for its folder and then the photo again",
        ),
    )


def _hold_open(
    world: World, bucket: str, key: str, row: drops.Row | None, *, version: str, seconds: float, problem: Problem
) -> list[Job]:
    """Keep a drop waiting for its other half; when its time is over, say so in an error file."""
    now = jobs.milliseconds(world)
    waiting = row is not None and row.state == "waiting" and row.version == version
    first_seen = row.first_seen if row and waiting else now
    if now - first_seen >= seconds * 1000:
        notices.write_refusal(world, bucket, key, [problem])
        drops.write_row(world, bucket, key, drops.Row("orphaned", version, first_seen), why=problem.as_dict())
        return []
    if not waiting:
        pause = min(seconds, world.settings.pairing_seconds)
        drops.write_row(world, bucket, key, drops.Row("waiting", version, first_seen), look_in=pause)
    return []


def _by_default(world: World, photo: Photo, found: SpecFile) -> list[Job]:
    """A folder default is used when no sidecar has come within the pairing time, and once for each version."""
    now = jobs.milliseconds(world)
    row = drops.row(world, photo.bucket, photo.key)
    mine = row if row and row.version == photo.version_id else None
    if mine is None and any(
        job.version_id == photo.version_id for job in jobs.of_source(world, photo.bucket, photo.key)
    ):  # a sidecar had it run, and is gone now
        done = drops.Row("defaulted", photo.version_id, now)
        drops.write_row(world, photo.bucket, photo.key, done)
        return []
    if mine is None:
        pause = world.settings.pairing_seconds
        drops.write_row(world, photo.bucket, photo.key, drops.Row("waiting", photo.version_id, now), look_in=pause)
        work.send(world, work.drop(photo.bucket, photo.key), delay=pause)
        return []
    paired = now - mine.first_seen >= world.settings.pairing_seconds * 1000
    if mine.state == "defaulted" or (mine.state == "waiting" and not paired):
        return []
    made = _start(world, photo, found)
    if mine.state != "waiting":  # what was refused or orphaned is on its way again
        drops.write_row(world, photo.bucket, photo.key, replace(mine, state="waiting"), look_in=LOOK_AFTER)
    ready = _ready(world, made)
    drops.write_row(world, photo.bucket, photo.key, replace(mine, state="defaulted"))
    return ready


def _start(world: World, photo: Photo, found: SpecFile) -> list[Job]:
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
    made = [_make(world, photo, found, job, f"image/{picture.format}") for job in wanted.jobs]
    siblings = [job.job_id for job in made] if len(made) > 1 else []
    return [replace(job, siblings=siblings) for job in made]


def _make(world: World, photo: Photo, found: SpecFile, wanted: spec.JobSpec, content_type: str) -> Job:
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


def _create_or_redrive(world: World, job: Job) -> Job | None:
    """The job if it waits to be advanced: it is new, or it is QUEUED, or it had FAILED and was dropped again."""
    if jobs.create(world, job):
        world.metric("JobsQueued")
        return job
    there = jobs.get(world, job.job_id)
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


def _refuse(world: World, bucket: str, key: str, version: str, refusal: Rejected) -> None:
    notices.write_refusal(world, bucket, key, refusal.problems)
    row = drops.Row("rejected", version, jobs.milliseconds(world))
    drops.write_row(world, bucket, key, row, why={"problems": [problem.as_dict() for problem in refusal.problems]})
    world.metric("DropsRejected")
    world.log.warning("refused", drop=key, codes=[problem.code for problem in refusal.problems])


def _check_default(world: World, bucket: str, key: str) -> None:
    """A folder default that cannot be read is told where it lies, before any photo meets it."""
    try:
        found = drops.look(world, bucket, key, most=spec.MOST_BYTES + 1)
        if found:
            spec.parse(found.head, key)
    except Rejected as refusal:
        _refuse(world, bucket, key, "", refusal)
        return
    notices.clear(world, key)


def _refuse_stray(world: World, bucket: str, key: str) -> None:
    """A file that is neither photo nor spec is answered, not ignored."""
    try:
        there = drops.look(world, bucket, key, most=1) is not None
    except Rejected:
        there = True
    if not there:
        notices.clear(world, key)
        return
    _refuse(world, bucket, key, "", Rejected(keys.probable_intent(key)))
