"""`backdrop resume`: held jobs go on, and what still cannot be paid is held again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bench import CUT, start

from backdrop import gates
from backdrop.states import State

if TYPE_CHECKING:
    from bench import Bench
    from console import Console

BUDGET = pytest.mark.parametrize("bench", [{"daily_budget_usd": "0.02"}], indirect=True)


def test_held_jobs_go_on(bench: Bench, desk: Console) -> None:
    """With the account in order again, one command releases what was held and closes the breaker."""
    bench.trouble(no_credits=True)
    for number in range(3):
        start(bench, seed=number, name=f"{number}.png")
    bench.work()
    assert set(bench.states()) == {State.HELD}
    bench.trouble()
    told = desk.json("resume")
    assert told["released"] == {"backgroundcut": 0, "imagepipeline": 0, "runflow": 3}
    gate = gates.read(bench.world, "runflow")
    assert gate
    assert gate.breaker == {}
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}
    assert len(bench.paid()) == 3


def test_one_provider_alone(bench: Bench, desk: Console) -> None:
    """--provider releases its jobs and leaves the others'."""
    bench.trouble(no_credits=True)
    start(bench, name="a.png")
    start(bench, CUT, seed=1, name="b.png")
    bench.work()
    bench.trouble()
    shown = desk.run("resume", "--provider", "imagepipeline")
    assert shown.exit_code == 0
    assert "imagepipeline: 1 held job released" in shown.stdout
    bench.work()
    states = {job.provider: job.state for job in bench.jobs()}
    assert states == {"runflow": State.HELD, "imagepipeline": State.RUNNING}


def test_an_account_that_still_refuses_holds_again(bench: Bench, desk: Console) -> None:
    """Resumed too early, the jobs are held again: nothing is charged, nothing fails, and the command ends."""
    bench.trouble(no_credits=True)
    start(bench)
    bench.work()
    assert "held again" in desk.run("resume").stdout
    bench.work()
    bench.work()
    assert bench.states() == [State.HELD]
    assert bench.paid() == []


def test_nothing_held_is_no_mistake(desk: Console) -> None:
    """Without a held job it says so and ends well."""
    shown = desk.run("resume")
    assert shown.exit_code == 0
    assert "runflow: 0 held jobs released" in shown.stdout


@BUDGET
def test_a_budget_still_spent_holds_again(bench: Bench, desk: Console) -> None:
    """What is over the day's budget tries again, is held again, and the command says how to allow more."""
    start(bench, name="a.png")
    start(bench, seed=1, name="b.png")
    start(bench, seed=2, name="c.png")
    shown = desk.run("resume")
    assert "runflow: 2 held jobs released" in shown.stdout
    bench.work()
    bench.sweep()
    assert sorted(bench.states()) == [State.HELD, State.HELD, State.RUNNING]


@BUDGET
def test_more_is_allowed_for_today(bench: Bench, desk: Console) -> None:
    """--extra lets held jobs go on beyond the budget, on this day."""
    start(bench, name="a.png")
    start(bench, seed=1, name="b.png")
    shown = desk.run("resume", "--extra", "0.02")
    assert shown.exit_code == 0
    assert "$0.02 may be spent beyond the budget of $0.02" in shown.stdout
    bench.sweep()
    assert bench.states() == [State.RUNNING, State.RUNNING]


def test_mistakes_are_answered(desk: Console) -> None:
    """A provider that is not there and an amount that is none are told before anything is done; status 2."""
    expected = {
        ("--provider", "runflw"): "did you mean runflow?",
        ("--provider", "zzz"): "there are backgroundcut, imagepipeline, runflow",
        ("--extra", "ten"): "is no amount in dollars",
        ("--extra", "5"): "has no daily budget",
    }
    for arguments, told in expected.items():
        result = desk.run("resume", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert told in result.stderr
