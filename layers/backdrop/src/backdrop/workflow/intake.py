"""A key was named by an event: what lies there now becomes jobs, a wait, or a refusal.

Promises that every photo, sidecar, folder default and stray file leaves a visible trace. Refuses to guess between two
sidecars, and what `making` refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backdrop import budget, drops, jobs, keys, notices, spec, work
from backdrop.errors import Problem, Rejected
from backdrop.states import State
from backdrop.workflow import making

if TYPE_CHECKING:
    from backdrop.drops import Photo, SpecFile
    from backdrop.jobs import Job, Ready
    from backdrop.workflow.making import Known
    from backdrop.world import World

LOOK_AFTER = 60  # seconds until the sweep looks at a drop that should have become jobs


def take_drop(world: World, bucket: str, key: str) -> list[Ready]:
    """Look at what lies under `key` and act on it; the jobs that wait for their first step."""
    match keys.classify(key):
        case keys.Kind.IMAGE:
            return _consider(world, bucket, key)
        case keys.Kind.SIDECAR:
            return _consider(world, bucket, keys.image_of(key), named=key)
        case keys.Kind.DEFAULT:
            _check_default(world, bucket, key)
        case keys.Kind.OTHER:
            _refuse_stray(world, bucket, key)
    return []


def look_again(world: World, bucket: str, key: str) -> list[Ready]:
    """`take_drop` for a photo, or a sidecar's photo, that waits; nothing when it has been decided in the meantime."""
    row = drops.row(world, bucket, key)
    return _consider(world, bucket, key, waited=True) if row and row.state == "waiting" else []


def _consider(world: World, bucket: str, key: str, *, named: str = "", waited: bool = False) -> list[Ready]:
    """Act on a photo and what governs it. `named` is the sidecar of an event; `waited`: the event was long ago.

    Listing is the dearest request there is, so it comes last: when jobs are to be made, or a wait is to end.
    """
    began = jobs.milliseconds(world)
    photo: Photo | None = None
    found: SpecFile | None = None
    known: Known | None = None
    try:
        photo = drops.look(world, bucket, key)
        seen = None if waited else _seen(world, bucket, key, named)
        if photo and not (seen or named or waited) and _let_pair_if_new(world, photo, began):
            return []
        made = making.foresee(world, photo, seen) if photo and seen else []
        known = making.known(world, photo, made) if photo and made else None
        decided = seen if photo is None or (known and known.under_way) else None
        found = decided or drops.find_spec(world, bucket, key, seen=seen)
        if photo is None:
            return _without_photo(world, bucket, key, found, began)
        if found is None:
            return _wait_for_spec(world, photo, began)
        if found.is_default:
            return _by_default(world, photo, found, began)
        if not made or found is not seen:
            made, known = making.make(world, photo, found), None
    except Rejected as refusal:
        version = photo.version_id if photo else ""
        refusal = _again(refusal) if found and found.is_default else refusal
        _refuse(world, bucket, key, version, refusal, began=began)
        return []
    if not waited and (known is None or known.row):
        # An event comes again when this dies here; and a refused row would keep its error file.
        drops.forget_row(world, bucket, key, began=began)
    ready = making.write(world, made, known)
    if waited:  # its message looks for the row
        drops.forget_row(world, bucket, key, began=began)
    making.settle(world, made, ready)
    return ready


def _seen(world: World, bucket: str, key: str, named: str) -> SpecFile | None:
    """The sidecar that an event names, or for a photo's event one that lies there under a usual name."""
    return drops.sidecar(world, bucket, named) if named else drops.usual_sidecar(world, bucket, key)


def _let_pair_if_new(world: World, photo: Photo, began: int) -> bool:
    """Let a photo that is new wait for a sidecar of its own; folder defaults are looked for when that time is over.

    Not one that has waited, was refused or was run: for that, all that may govern it is looked at.
    """
    row = drops.row(world, photo.bucket, photo.key)
    if row and (row.state != "defaulted" or row.version == photo.version_id):
        return False
    if any(job.version_id == photo.version_id for job in jobs.of_source(world, photo.bucket, photo.key)):
        return False
    _let_pair(world, photo, began)
    return True


def _let_pair(world: World, photo: Photo, began: int) -> None:
    """Wait the pairing time: the message is in time, the row makes it sure."""
    pause = world.settings.pairing_seconds
    row = drops.Row("waiting", photo.version_id, jobs.milliseconds(world))
    drops.write_row(world, photo.bucket, photo.key, row, began=began, look_in=pause)
    work.send(world, work.waiting(photo.bucket, photo.key), delay=pause)


def _again(refusal: Rejected) -> Rejected:
    """What a folder default refuses is run again by uploading the photo: the default alone runs nothing."""
    then = "; then upload the photo again"
    return Rejected(*(told._replace(action=told.action.rstrip(".") + then) for told in refusal.problems))


def _without_photo(world: World, bucket: str, key: str, found: SpecFile | None, began: int) -> list[Ready]:
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
        drops.forget_row(world, bucket, key, began=began)
        return []
    if any(job.drop_version.endswith(f"/{found.version_id}") for job in known):
        drops.forget_row(world, bucket, key, began=began)  # the spec has done its work before the photo was deleted
        return []
    if row and row.state == "orphaned" and row.version == found.version_id:
        return []
    return _hold_open(
        world,
        bucket,
        key,
        row,
        began=began,
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


def _wait_for_spec(world: World, photo: Photo, began: int) -> list[Ready]:
    row = drops.row(world, photo.bucket, photo.key)
    if row and row.state == "orphaned" and row.version == photo.version_id:
        return []
    if any(job.etag == photo.etag for job in jobs.of_source(world, photo.bucket, photo.key)):
        drops.forget_row(world, photo.bucket, photo.key, began=began)
        return []  # its spec was taken away after it had done its work
    seconds = world.settings.no_spec_seconds
    return _hold_open(
        world,
        photo.bucket,
        photo.key,
        row,
        began=began,
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
    world: World,
    bucket: str,
    key: str,
    row: drops.Row | None,
    *,
    began: int,
    version: str,
    seconds: float,
    problem: Problem,
) -> list[Ready]:
    """Keep a drop waiting for its other half; when its time is over, say so in an error file."""
    now = jobs.milliseconds(world)
    waiting = row is not None and row.state == "waiting" and row.version == version
    first_seen = row.first_seen if row and waiting else now
    if now - first_seen >= seconds * 1000:
        notices.write_refusal(world, bucket, key, [problem])
        gone = drops.Row("orphaned", version, first_seen)
        drops.write_row(world, bucket, key, gone, began=began, why=problem.as_dict())
        return []
    if not waiting:
        pause = min(seconds, world.settings.pairing_seconds)
        drops.write_row(world, bucket, key, drops.Row("waiting", version, first_seen), began=began, look_in=pause)
    return []


def _by_default(world: World, photo: Photo, found: SpecFile, began: int) -> list[Ready]:
    """A folder default is used when no sidecar has come within the pairing time, and once for each version."""
    now = jobs.milliseconds(world)
    row = drops.row(world, photo.bucket, photo.key)
    mine = row if row and row.version == photo.version_id else None
    if mine is None and any(
        job.version_id == photo.version_id for job in jobs.of_source(world, photo.bucket, photo.key)
    ):  # a sidecar had it run, and is gone now
        done = drops.Row("defaulted", photo.version_id, now)
        drops.write_row(world, photo.bucket, photo.key, done, began=began)
        return []
    if mine is None:
        _let_pair(world, photo, began)
        return []
    paired = now - mine.first_seen >= world.settings.pairing_seconds * 1000
    if mine.state == "defaulted" or (mine.state == "waiting" and not paired):
        return []
    made = making.make(world, photo, found)
    if mine.state != "waiting":  # what was refused or orphaned is on its way again
        again = mine._replace(state="waiting")
        drops.write_row(world, photo.bucket, photo.key, again, began=began, look_in=LOOK_AFTER)
    ready = making.write(world, made)
    making.settle(world, made, ready)
    drops.write_row(world, photo.bucket, photo.key, mine._replace(state="defaulted"), began=began)
    return ready


def _refuse(world: World, bucket: str, key: str, version: str, refusal: Rejected, *, began: int) -> None:
    notices.write_refusal(world, bucket, key, refusal.problems)
    row = drops.Row("rejected", version, jobs.milliseconds(world))
    why = {"problems": [problem.as_dict() for problem in refusal.problems]}
    drops.write_row(world, bucket, key, row, began=began, why=why)
    world.metric("DropsRejected")
    world.log.warning("refused", drop=key, codes=[problem.code for problem in refusal.problems])


def _check_default(world: World, bucket: str, key: str) -> None:
    """A folder default that cannot be read is told where it lies, before any photo meets it."""
    began = jobs.milliseconds(world)
    try:
        found = drops.look(world, bucket, key, most=spec.MOST_BYTES + 1)
        if found:
            spec.parse(found.head, key)
    except Rejected as refusal:
        _refuse(world, bucket, key, "", refusal, began=began)
        return
    notices.clear(world, key)


def _refuse_stray(world: World, bucket: str, key: str) -> None:
    """A file that is neither photo nor spec is answered, not ignored."""
    began = jobs.milliseconds(world)
    try:
        there = drops.look(world, bucket, key, most=1) is not None
    except Rejected:
        there = True
    if not there:
        notices.clear(world, key)
        return
    _refuse(world, bucket, key, "", Rejected(keys.probable_intent(key)), began=began)
