"""Whose turn it is: places, pauses and the breaker, played through."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from bench import BRIA, CUT, VARIANTS, start

from backdrop import gates, jobs
from backdrop.states import State
from backdrop.workflow import admitting

if TYPE_CHECKING:
    from bench import Bench

COLOR: dict[str, Any] = {
    "model": "runflow/background-color",
    "input": {"color_red": 240, "color_green": 240, "color_blue": 240},
}
TWO_AT_A_TIME = pytest.mark.parametrize("bench", [{"runflow_at_a_time": 2}], indirect=True)


def _gate(bench: Bench, provider: str = "runflow") -> gates.Gate:
    gate = gates.read(bench.world, provider)
    assert gate
    return gate


def _states(bench: Bench) -> dict[State, int]:
    states = bench.states()
    return {state: states.count(state) for state in states}


@TWO_AT_A_TIME
def test_no_more_jobs_are_at_a_provider_than_the_operator_allows(bench: Bench) -> None:
    """Six drops at a limit of two: two run, four wait for their turn, and each that ends lets the next one in."""
    for number in range(6):
        start(bench, seed=number, name=f"{number}.png")
    assert _states(bench) == {State.RUNNING: 2, State.QUEUED: 4}
    assert len(_gate(bench).places) == 2
    bench.answer(bench.calls(1)[0])
    bench.work()
    assert _states(bench) == {State.SUCCEEDED: 1, State.RUNNING: 2, State.QUEUED: 3}
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}
    assert len(bench.paid()) == 6
    assert not _gate(bench).places


@TWO_AT_A_TIME
def test_the_oldest_waits_the_shortest(bench: Bench) -> None:
    """A freed place goes to whoever has waited longest."""
    for number in range(4):
        start(bench, seed=number, name=f"{number}.png")
        bench.later(1)
    for call in bench.calls(2)[:1]:
        bench.answer(call)
    bench.work()
    waiting = [job for job in bench.jobs() if job.state is State.QUEUED]
    assert [job.key.rsplit("/", 1)[1] for job in waiting] == ["3.png"]


@pytest.mark.parametrize("bench", [{"backgroundcut_at_a_time": 1}], indirect=True)
def test_a_blocking_provider_is_admitted_by_its_worker(bench: Bench) -> None:
    """BackgroundCut's jobs wait in the table too: one works at a time and hands its place on."""
    for number in range(3):
        start(bench, VARIANTS, seed=number, name=f"{number}.png")
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}
    assert not _gate(bench, "backgroundcut").places


def test_a_place_goes_on_being_held_while_its_run_does(bench: Bench) -> None:
    """A place whose time is over is kept for a run that still runs, however long."""
    bench.trouble(run_stuck=True)
    start(bench)
    (seen,) = _gate(bench).places.values()
    bench.later(gates.PLACE_SECONDS + 1)
    bench.sweep()
    (renewed,) = _gate(bench).places.values()
    assert gates.place(renewed).attempt == 1
    assert gates.place(renewed).until > gates.place(seen).until


@TWO_AT_A_TIME
def test_the_places_of_crashed_holders_are_freed(bench: Bench) -> None:
    """Two invocations die between an outcome and handing their place on: the sweep finds the places and fills them."""
    for number in range(4):
        start(bench, seed=number, name=f"{number}.png")
    for job in [job for job in bench.jobs() if job.state is State.RUNNING]:
        over = jobs.move(bench.world, job, "fail", put={"error": {"code": "X"}, **jobs.released()})
        assert over
    bench.sweep()
    assert _states(bench) == {State.FAILED: 2, State.QUEUED: 2}
    bench.later(gates.PLACE_SECONDS + 1)
    bench.sweep()
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}  # the two that were called failed come late
    assert not _gate(bench).places


@TWO_AT_A_TIME
def test_an_admitted_job_whose_message_is_lost_is_sent_for_again(bench: Bench) -> None:
    """A place was handed to a job and the message about it never came: the sweep sends another."""
    for number in range(3):
        start(bench, seed=number, name=f"{number}.png")
    bench.answer(bench.calls(1)[0])
    bench.world.aws.sqs.purge_queue(QueueUrl=bench.world.settings.work_queue_url)
    bench.later(gates.PLACE_SECONDS + 1)
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}
    assert len(bench.paid()) == 3


@TWO_AT_A_TIME
def test_a_stale_holder_does_not_free_the_place_of_a_later_attempt(bench: Bench) -> None:
    """Who wakes up after its job's next attempt was admitted leaves that attempt's place alone."""
    start(bench)
    stale = bench.only()
    assert gates.take(bench.world, replace(stale, attempt=2)) is not None  # one place a job, the first attempt's
    assert gates.leave(bench.world, stale) is None
    assert gates.take(bench.world, replace(stale, attempt=2)) is None
    admitting.leave(bench.world, stale)
    (text,) = _gate(bench).places.values()
    assert gates.place(text).attempt == 2


@pytest.mark.parametrize("spec", [BRIA, CUT], ids=["runflow", "imagepipeline"])
def test_a_busy_provider_is_left_alone_by_everyone(bench: Bench, spec: dict[str, Any]) -> None:
    """A 429 with Retry-After: until then no job of that provider is posted, then all are."""
    bench.trouble(rate_limited={"times": 1, "retry_after": 30, "route": "submit"})
    for number in range(3):
        start(bench, spec, seed=number, name=f"{number}.png")
    posts = [seen for seen in bench.requests() if seen["method"] == "POST"]
    assert len(posts) == 1
    assert bench.states() == [State.QUEUED] * 3
    bench.later(31)
    bench.work()
    bench.sweep()
    assert bench.states() == [State.RUNNING] * 3


def test_a_pause_for_one_provider_stops_no_other(bench: Bench) -> None:
    """A busy Runflow does not hold ImagePipeline up."""
    bench.trouble(rate_limited={"retry_after": 600, "provider": "runflow", "route": "submit"})
    start(bench)
    start(bench, CUT, name="b.png", seed=1)
    assert sorted(bench.states()) == [State.QUEUED, State.RUNNING]


@pytest.mark.parametrize("switch", ["no_credits", "refused_key"])
@TWO_AT_A_TIME
def test_402_and_401_open_a_breaker_for_the_whole_provider(bench: Bench, switch: str) -> None:
    """The rest of the batch is HELD, not failed: one alarm metric, one vain POST a place, nothing paid."""
    bench.trouble(**{switch: {"route": "submit"}})
    for number in range(8):
        start(bench, seed=number, name=f"{number}.png")
    bench.work()
    assert bench.states() == [State.HELD] * 8
    assert bench.metrics.values["BreakerOpened"] == 1
    assert len([seen for seen in bench.requests() if seen["method"] == "POST"]) == 1
    assert not bench.paid()
    assert _gate(bench).breaker["code"] in {"NO_CREDITS", "KEY_REFUSED"}
    assert all(job.error["action"] for job in bench.jobs())


@TWO_AT_A_TIME
def test_what_waited_before_the_breaker_opened_is_held_with_it(bench: Bench) -> None:
    """Jobs in the backlog become HELD when the account runs dry in the middle of a batch."""
    bench.trouble(no_credits={"skip": 2, "route": "submit"})
    for number in range(8):
        start(bench, seed=number, name=f"{number}.png")
    assert _states(bench) == {State.RUNNING: 2, State.QUEUED: 6}
    for call in bench.calls(2):
        bench.answer(call)
    bench.work()
    assert _states(bench) == {State.SUCCEEDED: 2, State.HELD: 6}
    assert bench.metrics.values["BreakerOpened"] == 1
    assert len(bench.paid()) == 2


def test_a_probe_finds_the_account_in_order_and_all_go_on(bench: Bench) -> None:
    """Every now and then one held job tries; when it is accepted the breaker closes and the others follow."""
    bench.trouble(no_credits=True)
    for number in range(4):
        start(bench, seed=number, name=f"{number}.png")
    bench.later(bench.world.settings.hold_retry_seconds + 1)
    bench.sweep()
    assert bench.states() == [State.HELD] * 4
    bench.trouble()
    bench.later(bench.world.settings.hold_retry_seconds + 1)
    bench.sweep()
    assert not _gate(bench).breaker
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}
    assert bench.metrics.values["BreakerOpened"] == 1


def test_a_probe_that_finds_the_provider_busy_does_not_end_the_probing(bench: Bench) -> None:
    """The one job of a breaker probes, is asked to wait, and still is the one to probe later."""
    bench.trouble(no_credits=True)
    start(bench)
    bench.trouble(rate_limited={"times": 1, "retry_after": 5})
    bench.later(bench.world.settings.hold_retry_seconds + 1)
    bench.sweep()
    assert bench.states() == [State.QUEUED]
    for _ in range(3):
        bench.later(bench.world.settings.hold_retry_seconds + 1)
        bench.sweep()
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}
    assert not _gate(bench).breaker


def test_a_command_closes_the_breaker(bench: Bench) -> None:
    """After a top-up `resume_all` lets every held job go on at once."""
    bench.trouble(no_credits=True)
    for number in range(4):
        start(bench, seed=number, name=f"{number}.png")
    bench.trouble()
    assert admitting.resume_all(bench.world, "runflow") == 4
    assert admitting.resume_all(bench.world, "runflow") == 0
    bench.work()
    assert bench.states() == [State.RUNNING] * 4


def test_what_the_account_may_not_do_holds_that_job_alone(bench: Bench) -> None:
    """A 403 is about one model or plan: its job is HELD, the provider's other jobs run."""
    bench.trouble(forbidden={"times": 1, "route": "submit"})
    start(bench)
    start(bench, name="b.png", seed=1)
    assert sorted(bench.states()) == [State.HELD, State.RUNNING]
    assert not _gate(bench).breaker
    bench.later(bench.world.settings.hold_retry_seconds + 1)
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}


def test_a_model_that_is_down_stops_no_other(bench: Bench) -> None:
    """MODEL_UNAVAILABLE is about one model: the provider's other models are posted meanwhile."""
    bench.trouble(unavailable={"times": 1, "route": "submit"})
    start(bench, COLOR)
    start(bench, name="b.png", seed=1)
    assert {job.model: job.state for job in bench.jobs()} == {
        COLOR["model"]: State.QUEUED,
        BRIA["model"]: State.RUNNING,
    }


def test_jobs_held_for_themselves_are_no_probes(bench: Bench) -> None:
    """What a 403 holds says nothing of the account: the probe is a job that the account's refusal holds."""
    bench.trouble(forbidden={"times": 2, "route": "submit"})
    start(bench)
    start(bench, name="b.png", seed=1)
    bench.trouble(no_credits={"times": 1, "route": "submit"})
    start(bench, name="c.png", seed=2)
    assert bench.states() == [State.HELD] * 3
    bench.later(bench.world.settings.hold_retry_seconds + 1)
    bench.sweep()
    assert not _gate(bench).breaker
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}


@pytest.mark.parametrize("bench", [{"runflow_at_a_time": 200}], indirect=True)
def test_many_places_are_given_in_updates_that_dynamodb_takes(bench: Bench) -> None:
    """A pause ends with thirty-one jobs waiting: they are admitted by several updates, none over 4 KB."""
    bench.trouble(rate_limited={"times": 1, "retry_after": 600, "route": "submit"}, run_stuck=True)
    start(bench)
    for number in range(30):
        start(bench, seed=number, name=f"{number}.png")
    bench.later(601)
    assert admitting.tend(bench.world, "runflow") == 31
    assert len(_gate(bench).places) == 31
