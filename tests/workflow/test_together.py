"""Events that reach one invocation together: what several of them name is looked at once, and nothing else changes."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from bench import BRIA, picture
from botocore.exceptions import EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backdrop.batches import AllFailed
from backdrop.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench import Bench

FILES = ("a.png", "a.png.json", "a.png.YAML", "_backdrop.json")


@contextmanager
def hearing(bench: Bench, tell: Callable[[str, str], None]) -> Iterator[None]:
    """Let `tell` know of each request to AWS, by operation and path, before it leaves."""

    def hear(model: Any, params: Any, **_: Any) -> None:
        tell(model.name, params["url_path"])

    clients: list[Any] = [bench.world.aws.s3, bench.world.aws.dynamodb, bench.world.aws.sqs]
    for client in clients:
        client.meta.events.register_first("before-call", hear, unique_id="hearing")
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister("before-call", unique_id="hearing")


def asked(bench: Bench, *batches: tuple[str, ...]) -> list[str]:
    """The requests to AWS that these batches of keys lead to."""
    heard: list[str] = []
    with hearing(bench, lambda operation, _: heard.append(operation)):
        for keys in batches:
            assert bench.tell_at_once(*keys) == []
    return heard


def both(bench: Bench, name: str, first: str = "photo") -> tuple[str, str]:
    """A photo and its sidecar, uploaded; their keys, in the order of their events."""
    photo, sidecar = bench.put(name, picture()), bench.put(f"{name}.json", BRIA)
    return (photo, sidecar) if first == "photo" else (sidecar, photo)


@pytest.mark.parametrize("first", ["photo", "sidecar"])
def test_a_photo_and_its_sidecar_are_looked_at_once(bench: Bench, first: str) -> None:
    """Both in one batch are one job, paid once, for fewer requests than in two batches."""
    together = asked(bench, both(bench, "a.png", first))
    assert (together.count("GetObject"), together.count("ListObjectsV2")) == (2, 1)
    apart = asked(bench, *((key,) for key in both(bench, "b.png", first)))
    assert len(together) < len(apart)
    assert apart.count("GetObject") >= 4
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED] * 2
    assert len(bench.paid()) == 2


def test_a_key_named_again_is_not_looked_at_again(bench: Bench) -> None:
    """S3 may say the same twice: in one batch that costs nothing."""
    bench.tell_at_once(*both(bench, "first.png"))  # it makes the gate
    keys = both(bench, "a.png")
    assert len(asked(bench, keys * 4)) == len(asked(bench, both(bench, "b.png")))
    assert len(bench.paid()) == 3


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_look_that_fails_fails_all_who_share_it(bench: Bench, order: tuple[int, ...]) -> None:
    """Of a batch, exactly the messages whose look raised come again, and then it is one job as ever."""
    keys = [*both(bench, "a.png"), both(bench, "b.png")[1]]
    batch = [keys[place] for place in order]

    def fail(operation: str, path: str) -> None:
        if operation == "GetObject" and path.endswith("/a.png"):
            raise EndpointConnectionError(endpoint_url="https://s3.invalid")

    with hearing(bench, fail):
        assert bench.tell_at_once(*batch) == [place for place, key in enumerate(batch) if "a.png" in key]
        with pytest.raises(AllFailed):
            bench.tell_at_once(*keys[:2])
    assert len(bench.jobs()) == 1
    assert bench.tell_at_once(*keys[:2]) == []
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED] * 2
    assert len(bench.paid()) == 2


def test_a_look_that_failed_does_not_count(bench: Bench) -> None:
    """When the first look raises the second message looks itself; only the first comes again, to find nothing to do."""
    keys = both(bench, "a.png")
    left = [1]

    def fail_once(operation: str, _: str) -> None:
        if operation == "GetObject" and left:
            left.pop()
            raise EndpointConnectionError(endpoint_url="https://s3.invalid")

    with hearing(bench, fail_once):
        assert bench.tell_at_once(*keys) == [0]
    assert bench.tell_at_once(keys[0]) == []
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert len(bench.paid()) == 1


def test_a_message_that_nobody_can_read_fails_alone(bench: Bench) -> None:
    """What is no event of S3's neither hides the others nor is hidden by them."""
    from bench import load_function  # noqa: PLC0415 - for this test alone

    photo, sidecar = both(bench, "a.png")
    bodies = ["{", bench.event(photo), '{"Records": [3]}', bench.event(sidecar), "[]"]
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
    reply = load_function("submit").take_batch(bench.world, {"Records": records})
    assert [one["itemIdentifier"] for one in reply["batchItemFailures"]] == ["0", "2", "4"]
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fates=st.tuples(*(st.sampled_from(["never", "there", "gone"]) for _ in FILES)),
    order=st.permutations(FILES * 2),
)
def test_together_and_apart_come_to_the_same(bench: Bench, fates: tuple[str, ...], order: list[str]) -> None:
    """Whatever was uploaded and deleted before, and in whichever order it is told: one batch or eight end alike."""
    ends = []
    for folder in ("together", "apart"):
        place = f"{secrets.token_hex(4)}-{folder}"  # no example may find what another one left
        keys = {}
        for name, fate in zip(FILES, fates, strict=True):
            if fate == "never":
                continue
            spec = {**BRIA, "label": name[-4:].lower()}
            keys[name] = bench.put(f"{place}/{name}", picture() if name == "a.png" else spec)
            if fate == "gone":
                bench.world.aws.s3.delete_object(Bucket=bench.world.settings.input_bucket, Key=keys[name])
        told = [keys[name] for name in order if name in keys]
        for batch in [told] if folder == "together" else [[key] for key in told]:
            assert bench.tell_at_once(*batch) == []
        for _ in range(2):  # what waits for the other half is decided
            bench.later(130)
            bench.sweep()
        mine = [job for job in bench.finish() if f"/{place}/" in job.key]
        left = sorted(name.rpartition("/")[2] for name in bench.outputs() if f"/{place}/" in name)
        refused = [
            problem["code"]
            for name in left
            if name == "a.png.error.json"
            for problem in bench.error(f"{bench.folder}/{place}/a.png")["problems"]
        ]
        ends.append(([(job.state, job.label, job.attempt) for job in mine], left, refused))
    assert ends[0] == ends[1]
    assert len(bench.paid()) == len(bench.jobs())
