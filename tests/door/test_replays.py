"""What has been said once and is said again, and what is said about another run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from bench import BRIA, CUT, start
from doorway import event, ring

from backdrop.states import State

if TYPE_CHECKING:
    from doorway import Doorway

FINAL = {"retryable": False, "code": "VALIDATION_ERROR"}
AGAIN = {"retryable": True, "code": "MODEL_UNAVAILABLE", "times": 1}
ENDS: list[tuple[dict[str, Any], State]] = [
    ({}, State.SUCCEEDED),
    ({"run_fails": FINAL}, State.FAILED),
    ({"run_fails": AGAIN}, State.QUEUED),
]


@pytest.mark.parametrize("spec", [BRIA, CUT], ids=["runflow", "imagepipeline"])
def test_replays_change_nothing(door: Doorway, spec: dict[str, Any]) -> None:
    """Replays of a callback change nothing: rows, buckets and messages are as the first one left them."""
    calls = []
    for seed, (trouble, state) in enumerate(ENDS):
        door.bench.trouble(**trouble)
        calls.append(door.running(spec, seed=seed))
        assert ring(event(calls[-1])) == (200, "taken")
        assert door.job_of(calls[-1]).state is state
    before, paid = door.stored(), door.bench.paid()
    assert [ring(event(call)) for call in calls * 3] == [(200, "taken")] * 9
    door.reopen()
    assert [ring(event(call)) for call in calls] == [(200, "taken")] * 3
    assert door.stored() == before
    assert door.bench.paid() == paid


def test_a_callback_that_names_another_run_changes_nothing(door: Doorway) -> None:
    """A signed callback that names another run, or an unsigned one that does, changes nothing for either job."""
    signed, unsigned = ([door.running(spec, seed=n) for n in seeds] for spec, seeds in ((BRIA, (1, 2)), (CUT, (3, 4))))
    before = door.stored()
    for path, said in (signed, signed[::-1], unsigned, unsigned[::-1]):
        crossed = replace(path, body=said.body, headers=said.headers)
        assert ring(event(crossed)) == (404, "unknown")
    assert door.stored() == before
    assert [ring(event(call)) for call in (*signed, *unsigned)] == [(200, "taken")] * 4


def test_a_callback_of_an_older_run_of_the_same_job_changes_nothing(door: Doorway) -> None:
    """What the first attempt's run says, signed and brought to the second attempt's door, is about another run."""
    door.bench.trouble(run_fails=AGAIN)
    first = door.running()
    assert ring(event(first)) == (200, "taken")
    door.bench.later(60)
    door.bench.sweep()
    second = door.bench.calls(2)[-1]
    assert door.bench.only().attempt == 2
    before = door.stored()
    assert ring(event(replace(second, body=first.body, headers=first.headers))) == (404, "unknown")
    assert door.stored() == before
    assert ring(event(second)) == (200, "taken")
    assert door.bench.only().state is State.SUCCEEDED


def test_a_job_whose_photo_is_gone_still_takes_its_result(door: Doorway) -> None:
    """The door needs the row and nothing of the input bucket: a photo deleted meanwhile takes nothing away."""
    key = start(door.bench)
    (call,) = door.bench.calls()
    door.bench.remove(key)
    assert ring(event(call)) == (200, "taken")
    assert door.bench.only().state is State.SUCCEEDED
