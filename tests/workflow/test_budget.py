"""The day's budget, played through."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from bench import CUT, start

from backdrop import budget
from backdrop.errors import Parked
from backdrop.states import State
from backdrop.workflow import accounts, admitting, posting

if TYPE_CHECKING:
    from bench import Bench

COLOR: dict[str, Any] = {
    "model": "runflow/background-color",
    "input": {"color_red": 240, "color_green": 240, "color_blue": 240},
}


def _states(bench: Bench) -> dict[State, int]:
    states = bench.states()
    return {state: states.count(state) for state in states}


def _to_noon(bench: Bench) -> None:
    """So that no test crosses midnight by itself."""
    now = datetime.fromtimestamp(bench.world.now(), UTC)
    bench.later((now.replace(hour=12, minute=0) + timedelta(days=1) - now).total_seconds())


THREE_BRIAS = pytest.mark.parametrize("bench", [{"daily_budget_usd": "0.055"}], indirect=True)


@THREE_BRIAS
def test_over_the_daily_budget_jobs_are_held_with_one_notice(bench: Bench) -> None:
    """The day's money is enough for three of five: two are HELD, one notice is given, nothing more is posted."""
    _to_noon(bench)
    for number in range(5):
        start(bench, seed=number, name=f"{number}.png")
    assert _states(bench) == {State.RUNNING: 3, State.HELD: 2}
    assert bench.metrics.values["BudgetReached"] == 1
    assert len(bench.paid()) == 3
    held = [job for job in bench.jobs() if job.state is State.HELD]
    assert {job.error["code"] for job in held} == {"OVER_BUDGET"}
    assert "BreakerOpened" not in bench.metrics.values
    assert budget.of_day(bench.world, budget.day_of(bench.world))["spent"] == 54_000


@THREE_BRIAS
def test_what_is_over_budget_resumes_the_next_utc_day(bench: Bench) -> None:
    """At 00:00 UTC a new day's budget lets the held jobs go on by themselves."""
    _to_noon(bench)
    for number in range(5):
        start(bench, seed=number, name=f"{number}.png")
    for _ in range(2):
        bench.later(3600)
        bench.sweep()
    assert bench.states().count(State.HELD) == 2
    bench.later(11 * 3600)
    bench.sweep()
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}
    assert len(bench.paid()) == 5


@THREE_BRIAS
def test_a_person_can_allow_more_for_today(bench: Bench) -> None:
    """What a command allows beyond the day's budget is spent, and no more than that."""
    _to_noon(bench)
    for number in range(5):
        start(bench, seed=number, name=f"{number}.png")
    assert admitting.resume_all(bench.world, "runflow") == 2
    bench.work()
    assert bench.states().count(State.HELD) == 2
    assert budget.allow(bench.world, 18_000) == 18_000
    admitting.resume_all(bench.world, "runflow")
    bench.work()
    assert bench.states().count(State.HELD) == 1
    assert len(bench.paid()) == 4


@THREE_BRIAS
def test_resuming_one_provider_leaves_the_others_over_budget(bench: Bench) -> None:
    """Each provider's jobs over the budget are a pool of their own."""
    _to_noon(bench)
    start(bench, COLOR)
    assert bench.states() == [State.HELD]
    assert admitting.resume_all(bench.world, "imagepipeline") == 0
    assert admitting.resume_all(bench.world, "runflow") == 1


@THREE_BRIAS
def test_who_loses_a_claim_takes_its_charge_back(bench: Bench) -> None:
    """Two invocations hold the same QUEUED row: both charge the day, one posts, and the day holds one charge."""
    _to_noon(bench)
    bench.trouble(rate_limited={"times": 1, "retry_after": 5, "route": "submit"})
    start(bench)
    queued = replace(bench.only(), charged="")
    day = budget.day_of(bench.world)
    budget.refund(bench.world, bench.only())
    bench.later(6)
    provider = accounts.provider(bench.world, "runflow")
    posting.post(bench.world, queued, provider, may_block=False)
    posting.post(bench.world, queued, provider, may_block=False)
    assert len(bench.paid()) == 1
    assert budget.of_day(bench.world, day)["spent"] == 18_000


@THREE_BRIAS
def test_a_job_that_costs_more_than_a_whole_day_is_held(bench: Bench) -> None:
    """A price above the budget is never paid, not even as the first of its day."""
    _to_noon(bench)
    start(bench, COLOR)
    assert bench.states() == [State.HELD]
    assert bench.only().error["code"] == "ABOVE_BUDGET"
    assert not bench.paid()
    budget.allow(bench.world, 120_000)
    admitting.resume_all(bench.world, "runflow")
    bench.work()
    assert bench.states() == [State.RUNNING]


@pytest.mark.parametrize("bench", [{"daily_budget_usd": "0.02"}], indirect=True)
def test_a_model_of_unknown_price_is_counted_apart(bench: Bench) -> None:
    """Nobody publishes its price: it runs, the day's item says how many such there were, and so does a metric."""
    _to_noon(bench)
    start(bench, CUT)
    item = budget.of_day(bench.world, budget.day_of(bench.world))
    assert (item["spent"], item["unpriced"]) == (0, 1)
    assert bench.metrics.values["UnpricedSubmitted"] == 1


@pytest.mark.parametrize(
    "bench", [{"daily_budget_usd": "0.09", "prices": ("imagepipeline/background-remove=0.05",)}], indirect=True
)
def test_an_operators_own_price_counts(bench: Bench) -> None:
    """A price set by parameter is what the budget and the record go by."""
    _to_noon(bench)
    start(bench, CUT)
    start(bench, CUT, name="b.png", seed=1)
    assert sorted(bench.states()) == [State.HELD, State.RUNNING]
    assert {job.price for job in bench.jobs()} == {"0.05"}


@THREE_BRIAS
def test_an_attempt_is_charged_once_however_often_it_is_posted(bench: Bench) -> None:
    """Two 429s before it is accepted: one charge."""
    _to_noon(bench)
    bench.trouble(rate_limited={"times": 2, "retry_after": 1, "route": "submit"})
    start(bench)
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}
    assert budget.of_day(bench.world, bench.only().charged.partition("@")[2])["spent"] == 18_000


@THREE_BRIAS
def test_each_attempt_that_failed_at_the_provider_is_within_the_budget(bench: Bench) -> None:
    """Retryable failures open attempts only as far as the day's money goes; then the job is HELD."""
    _to_noon(bench)
    bench.trouble(run_fails={"retryable": True})
    start(bench)
    start(bench, name="b.png", seed=1)
    answered = 0
    for _ in range(6):
        for call in bench.calls(min(answered + 1, 3))[answered:]:
            bench.answer(call)
            answered += 1
        bench.later(30)
        bench.work()
        bench.sweep()
    assert len(bench.paid()) == 3
    assert set(bench.states()) <= {State.HELD, State.FAILED}
    assert State.HELD in bench.states()


@THREE_BRIAS
def test_what_the_provider_refused_is_given_back_to_the_day(bench: Bench) -> None:
    """A photo that is gone when its turn comes was charged to nobody: the day's money is whole again."""
    _to_noon(bench)
    bench.trouble(rate_limited={"times": 1, "retry_after": 5, "route": "submit"})
    key = start(bench)
    versions = bench.world.aws.s3.list_object_versions(Bucket=bench.world.settings.input_bucket, Prefix=key)
    for version in versions["Versions"]:
        bench.world.aws.s3.delete_object(
            Bucket=bench.world.settings.input_bucket, Key=version["Key"], VersionId=version["VersionId"]
        )
    day = budget.day_of(bench.world)
    assert budget.of_day(bench.world, day)["spent"] == 18_000
    bench.later(6)
    bench.finish()
    assert bench.states() == [State.FAILED]


def test_many_at_once_never_exceed_the_budget(bench: Bench) -> None:
    """Charges in any number at the same moment: the sum stays within the limit."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only here

    start(bench)
    job = bench.only()
    world = replace(bench.world, settings=replace(bench.world.settings, daily_budget_usd="0.10"))
    before = budget.of_day(world, budget.day_of(world))["spent"]

    def charge(number: int) -> bool:
        try:
            budget.charge(world, replace(job, charged="", attempt=number + 2))
        except Parked:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        charged = sum(pool.map(charge, range(20)))
    assert charged == (100_000 - before) // 18_000


@THREE_BRIAS
def test_a_new_days_budget_ends_its_wait_while_the_account_is_refused(bench: Bench) -> None:
    """Jobs over the budget, and then an account without credits: at midnight they wait for the account, and go on."""
    _to_noon(bench)
    bench.trouble(no_credits={"skip": 3, "route": "submit"})
    for number in range(4):
        start(bench, seed=number, name=f"{number}.png")
    budget.refund(bench.world, replace(bench.jobs()[0], attempt=1))
    start(bench, seed=9, name="9.png")
    assert _states(bench)[State.HELD] == 2
    bench.trouble()
    for _ in range(3):
        bench.later(12 * 3600)
        bench.sweep()
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}


@THREE_BRIAS
def test_what_is_held_or_put_off_over_midnight_is_charged_to_the_day_it_is_posted(bench: Bench) -> None:
    """A refused POST is given back to its day, and the one that is accepted the next day is counted on that day."""
    _to_noon(bench)
    bench.trouble(forbidden={"times": 2, "route": "submit"})
    start(bench)
    start(bench, name="b.png", seed=1)
    assert budget.of_day(bench.world, budget.day_of(bench.world))["spent"] == 0
    bench.later(13 * 3600)
    bench.sweep()
    assert len(bench.paid()) == 2
    assert budget.of_day(bench.world, budget.day_of(bench.world))["spent"] == 36_000


@pytest.mark.parametrize("bench", [{"daily_budget_usd": "0.10", "prices": (f"{CUT['model']}=0.04",)}], indirect=True)
def test_a_repost_is_a_charge_of_its_own(bench: Bench) -> None:
    """The POST that was never answered may have been paid, and so may its repost: the day counts both."""
    _to_noon(bench)
    bench.trouble(dropped_after={"times": 1}, callback_lost=True)
    start(bench, CUT)
    bench.later(bench.world.settings.patience_seconds + 30)
    bench.sweep()
    assert len(bench.paid()) == 2
    assert budget.of_day(bench.world, budget.day_of(bench.world))["spent"] == 80_000
