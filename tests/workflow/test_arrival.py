"""Orders of arrival: image first, spec first, together, late, repeated, by a folder default, or alone."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from bench import picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backdrop.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench import Bench

BRIA: dict[str, Any] = {"model": "bria/background/remove"}
DEFAULT = {"model": "bria/background/remove", "output": "{folder}/{name}.{label}.{ext}"}


def test_the_spec_may_come_first(bench: Bench) -> None:
    """A sidecar whose photo comes later runs as soon as the photo is there."""
    bench.drop("a.png.yaml", "model: bria/background/remove\n")
    assert not bench.jobs()
    bench.drop("a.png", picture())
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert len(bench.paid()) == 1


@pytest.mark.parametrize("first", ["a.png", "a.png.YAML"])
def test_an_unusual_spelling_is_found_in_either_order(bench: Bench, first: str) -> None:
    """A sidecar whose extension is written in capitals runs as soon as both are there."""
    files: dict[str, bytes | str] = {"a.png": picture(), "a.png.YAML": "model: bria/background/remove\n"}
    bench.drop(first, files.pop(first))
    assert not bench.jobs()
    ((name, data),) = files.items()
    bench.drop(name, data)
    assert bench.only().spec_key.endswith("a.png.YAML")
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]


@pytest.mark.parametrize("default", [False, True])
def test_both_at_the_same_moment_are_one_job(bench: Bench, default: bool) -> None:  # noqa: FBT001 - the two cases
    """Photo and sidecar handled by two workers at once, with and without a folder default: one job, paid once."""
    if default:
        bench.drop("_backdrop.json", {**DEFAULT, "input": {"sync_mode": True}})
    keys = [bench.put("a.png", picture()), bench.put("a.png.json", BRIA)]
    workers = [threading.Thread(target=bench.tell, args=(key,)) for key in keys * 2]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    (job,) = bench.finish()
    assert job.state is State.SUCCEEDED
    assert job.spec_key.endswith("a.png.json")
    assert len(bench.paid()) == 1


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(["photo", "spec"] * 5))
def test_the_same_events_five_times_are_one_job(bench: Bench, order: list[str]) -> None:
    """Both events five times in any order: one job, one accepted paid POST in a ledger that does not deduplicate."""
    before, there = len(bench.paid()), len(bench.jobs())
    name = f"{there}.png"
    keys = {"photo": bench.put(name, picture(seed=there)), "spec": bench.put(f"{name}.json", BRIA)}
    for which in order:
        bench.tell(keys[which])
    assert all(job.state is State.SUCCEEDED for job in bench.finish())
    assert len(bench.jobs()) == there + 1
    assert len(bench.paid()) == before + 1


def test_a_folder_default_waits_for_a_sidecar(bench: Bench) -> None:
    """A photo matched only by a default waits the pairing time; a sidecar that comes in it wins."""
    bench.drop("_backdrop.json", {**DEFAULT, "label": "by-default"})
    bench.drop("a.png", picture(seed=1))
    bench.drop("b.png", picture(seed=2))
    assert not bench.jobs()
    bench.drop("a.png.json", {**BRIA, "label": "by-sidecar"})
    bench.later(bench.world.settings.pairing_seconds + 1)
    bench.sweep()
    done = {job.key.rsplit("/")[-1]: job for job in bench.finish()}
    assert {name: job.label for name, job in done.items()} == {"a.png": "by-sidecar", "b.png": "by-default"}
    assert len(bench.paid()) == 2


def test_the_nearest_default_wins(bench: Bench) -> None:
    """Of the defaults at and above a photo's folder the nearest is used."""
    bench.drop("_backdrop.json", {**DEFAULT, "label": "far"})
    bench.drop("shoes/_backdrop.yaml", "model: bria/background/remove\nlabel: near\n")
    bench.drop("shoes/red/a.png", picture())
    bench.later(bench.world.settings.pairing_seconds + 1)
    bench.sweep()
    (job,) = bench.finish()
    assert job.label == "near"


def test_a_changed_default_runs_nothing_again(bench: Bench) -> None:
    """A photo that a default was applied to is not run again because the default changed; a new upload is."""
    bench.drop("_backdrop.json", DEFAULT)
    key = bench.drop("a.png", picture())
    bench.later(bench.world.settings.pairing_seconds + 1)
    bench.sweep()
    bench.finish()
    bench.drop("_backdrop.json", {**DEFAULT, "label": "other"})
    bench.tell(key)
    bench.later(600)
    bench.sweep()
    assert len(bench.jobs()) == 1
    bench.drop("a.png", picture(seed=3))
    bench.later(bench.world.settings.pairing_seconds + 1)
    bench.sweep()
    assert [job.label for job in bench.finish()] == ["remove", "other"]


def test_a_photo_without_a_spec_is_told_so(bench: Bench) -> None:
    """After two minutes without a spec an error file says what to upload; the spec then runs and the file goes."""
    key = bench.drop("a.png", picture())
    bench.later(60)
    bench.sweep()
    assert not bench.outputs()
    bench.later(61)
    bench.sweep()
    told = bench.error(key)
    assert told["problems"][0]["code"] == "NO_SPEC"
    assert f"{key}.yaml" in told["problems"][0]["action"]
    bench.drop("a.png.json", BRIA)
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert f"{key}.error.json" not in bench.outputs()


def test_a_spec_without_its_photo_is_told_so(bench: Bench) -> None:
    """A sidecar whose photo never comes leaves an error file under the photo's name."""
    bench.drop("a.png.json", BRIA)
    bench.later(121)
    bench.sweep()
    (name,) = bench.outputs()
    assert name.endswith("a.png.error.json")
    assert bench.error(name.removesuffix(".error.json"))["problems"][0]["code"] == "PHOTO_MISSING"


def test_a_drop_that_waits_is_asked_about_until_it_is_decided(bench: Bench) -> None:
    """A waiting drop is in `open` until it has become a job or an error file, and then no longer."""
    bench.drop("a.png", picture())
    for _ in range(12):
        bench.later(20)
        bench.sweep()
    assert bench.sweep() == 0


def test_new_bytes_new_spec_and_new_revision_are_new_jobs(bench: Bench) -> None:
    """The same bytes uploaded again are the same job; other bytes, another spec or revision is another one."""
    bench.drop("a.png", picture(seed=1))
    bench.drop("a.png.json", BRIA)
    bench.finish()
    bench.drop("a.png", picture(seed=1))
    assert len(bench.finish()) == 1
    bench.drop("a.png", picture(seed=2))
    assert len(bench.finish()) == 2
    bench.drop("a.png.json", {**BRIA, "input": {"sync_mode": True}})
    assert len(bench.finish()) == 3
    bench.drop("a.png.json", {**BRIA, "input": {"sync_mode": True}, "revision": 2})
    assert len(bench.finish()) == 4
    assert len(bench.paid()) == 4


def test_a_late_event_of_an_old_version_changes_nothing(bench: Bench) -> None:
    """An event is only a key: what lies there now counts, however old the event is."""
    key = bench.put("a.png", picture(seed=1))
    bench.drop("a.png.json", BRIA)
    bench.finish()
    bench.put("a.png", picture(seed=2))
    bench.tell(key)
    bench.finish()
    bench.tell(key)
    bench.tell(key, removed=True)
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED] * 2


def test_deleting_the_photo_cancels_what_is_queued(bench: Bench) -> None:
    """A photo deleted while its job is QUEUED is not paid for; uploaded again, it runs."""
    bench.trouble(rate_limited={"times": 1, "retry_after": 100})
    key = bench.drop("a.png", picture())
    bench.drop("a.png.json", BRIA)
    assert bench.only().state is State.QUEUED
    bench.remove(key)
    assert bench.only().state is State.FAILED
    assert bench.only().error["code"] == "CANCELLED"
    assert not bench.paid()
    bench.drop("a.png", picture())
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]


def test_deleting_the_photo_ends_its_waiting(bench: Bench) -> None:
    """A photo deleted before its spec came leaves nothing behind."""
    key = bench.drop("a.png", picture())
    bench.remove(key)
    bench.later(300)
    assert bench.sweep() == 0
    assert not bench.outputs()


def test_a_spec_taken_away_after_its_work_leaves_no_error(bench: Bench) -> None:
    """Deleting the sidecar of a finished photo, and an old event of the photo, are not "no spec came"."""
    key = bench.drop("a.png", picture())
    side = bench.drop("a.png.json", BRIA)
    bench.finish()
    bench.remove(side)
    bench.tell(key)
    bench.later(300)
    bench.sweep()
    assert not [name for name in bench.outputs() if name.endswith(".error.json")]


@contextmanager
def before_the_next(
    bench: Bench, operation: str, happens: Callable[[], object], *, of: bytes = b""
) -> Iterator[list[str]]:
    """While inside: right before the table's next `operation` (of such an item) something `happens`, once."""
    told: list[str] = []
    events = bench.world.aws.dynamodb.meta.events
    name = f"before-call.dynamodb.{operation}"

    def meet(params: dict[str, Any], **_: Any) -> None:
        if not told and of in params["body"]:
            told.append(operation)
            happens()

    events.register(name, meet)
    try:
        yield told
    finally:
        events.unregister(name, meet)


def test_a_photo_that_is_replaced_in_the_middle_of_a_look_runs_too(bench: Bench) -> None:
    """New bytes that come while the old ones' default is applied wait for their turn, and get it."""
    bench.drop("_backdrop.json", DEFAULT)
    key = bench.drop("a.png", picture(seed=1))
    bench.later(bench.world.settings.pairing_seconds + 1)
    with before_the_next(bench, "PutItem", lambda: bench.drop("a.png", picture(seed=2)), of=b"QUEUED") as met:
        bench.sweep()
    assert met
    bench.later(bench.world.settings.pairing_seconds + 61)
    bench.sweep()
    done = bench.finish()
    assert [job.state for job in done] == [State.SUCCEEDED] * 2
    assert len({job.etag for job in done}) == 2
    assert {job.key for job in done} == {key}


def test_a_photo_that_is_deleted_and_uploaded_again_runs(bench: Bench) -> None:
    """The upload's wait outlives the deletion's event, which is still being handled when it begins."""
    bench.drop("_backdrop.json", DEFAULT)
    key = bench.drop("a.png", picture(seed=1))
    with before_the_next(bench, "DeleteItem", lambda: bench.drop("a.png", picture(seed=2))) as met:
        bench.remove(key)
    assert met
    bench.later(bench.world.settings.pairing_seconds + 1)
    bench.sweep()
    (job,) = bench.finish()
    assert job.state is State.SUCCEEDED


def test_a_refusal_in_the_middle_of_which_a_photo_is_replaced_stops_nothing(bench: Bench) -> None:
    """Bytes that are refused are told of; the good ones that replace them meanwhile run."""
    bench.drop("_backdrop.json", DEFAULT)
    bench.drop("a.png", b"no picture at all")
    bench.later(bench.world.settings.pairing_seconds + 1)
    with before_the_next(bench, "PutItem", lambda: bench.drop("a.png", picture(seed=2)), of=b"rejected") as met:
        bench.sweep()
    assert met
    bench.later(bench.world.settings.pairing_seconds + 61)
    bench.sweep()
    (job,) = bench.finish()
    assert job.state is State.SUCCEEDED
