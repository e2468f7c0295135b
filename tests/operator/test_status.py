"""`backdrop status`: counted, bounded, and honest about what needs a person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from bench import BRIA, CUT, VARIANTS, picture, start

from backdrop import budget, table
from backdrop.states import State
from backdrop_cli.operator import status as module

if TYPE_CHECKING:
    from bench import Bench
    from console import Console

ALL_STATES = {str(state) for state in State}
EMPTY = {"drops": 0, "work": 0, "drop_dead_letters": 0, "work_dead_letters": 0, "sweep_dead_letters": 0}


def test_nothing_at_all_is_well(desk: Console) -> None:
    """A stack without a job is well: status 0, nothing needs attention, every key is there."""
    told = desk.json("status")
    assert told["attention"] == []
    assert told["queues"] == EMPTY
    assert set(told["open"]["states"]) | set(told["finished"]["states"]) == ALL_STATES
    assert set(told["providers"]) == {"backgroundcut", "imagepipeline", "runflow"}
    assert told["providers"]["runflow"]["places"] == {"taken": 0, "of": 20}
    assert (told["oldest"], told["held"], told["last_failures"]) == (None, [], [])
    assert told["spending"]["budget_usd"] is None
    assert "All is well." in desk.run("status").stdout


def test_counts_by_state_and_provider(bench: Bench, desk: Console) -> None:
    """Running, waiting and finished jobs are counted for each provider; the oldest open one is named with its age."""
    start(bench, name="done.png")
    bench.finish()
    bench.trouble(run_stuck=True)
    start(bench, CUT, seed=1, name="running.png")
    start(bench, VARIANTS, seed=2, name="waiting.png")
    bench.drop("alone.png", picture(seed=3))
    told = desk.json("status")
    runflow, pipeline, cut = (told["providers"][name] for name in ("runflow", "imagepipeline", "backgroundcut"))
    assert runflow["finished"] == {"SUCCEEDED": 1, "FAILED": 0}
    assert pipeline["open"]["RUNNING"] == 1
    assert pipeline["places"]["taken"] == 1
    assert cut["open"]["QUEUED"] == 1
    assert told["open"]["states"]["RUNNING"] == 1
    assert told["open"]["drops_waiting"] == 1
    assert told["oldest"]["key"] == f"{bench.folder}/running.png"
    assert told["oldest"]["age_seconds"] >= 0
    assert told["spending"]["spent_usd"] == "0.018"
    assert told["spending"]["unpriced_attempts"] == 1
    shown = desk.run("status")
    assert shown.exit_code == 0
    assert f"{bench.folder}/running.png" in shown.stdout
    assert "drops waiting" in shown.stdout
    assert "$0.018" in shown.stdout


@pytest.mark.parametrize("bench", [{"runflow_at_a_time": 1}], indirect=True)
def test_an_open_breaker_needs_a_person(bench: Bench, desk: Console) -> None:
    """Held jobs are told with their reason and what to do; status 3."""
    bench.trouble(no_credits=True)
    for number in range(3):
        start(bench, seed=number, name=f"{number}.png")
    bench.work()
    told = desk.json("status", status=3)
    assert told["providers"]["runflow"]["open"]["HELD"] == 3
    assert told["providers"]["runflow"]["breaker"]["code"] == "NO_CREDITS"
    assert told["providers"]["runflow"]["breaker"]["since"]
    (group,) = told["held"]
    assert (group["provider"], group["code"], group["jobs"]) == ("runflow", "NO_CREDITS", 3)
    (sentence,) = told["attention"]
    assert "backdrop resume --provider runflow" in sentence
    shown = desk.run("status")
    assert shown.exit_code == 3
    assert re.search(r"breaker open +NO_CREDITS", shown.stdout)
    assert re.search(r"held +3 +3\n", shown.stdout)


@pytest.mark.parametrize("bench", [{"daily_budget_usd": "0.02"}], indirect=True)
def test_a_spent_budget_needs_a_person(bench: Bench, desk: Console) -> None:
    """What the day's budget holds is told apart from a refused account, with what is spent."""
    start(bench, name="a.png")
    start(bench, seed=1, name="b.png")
    told = desk.json("status", status=3)
    (group,) = told["held"]
    assert group["over_budget"]
    assert "budget" in told["attention"][0]
    assert told["spending"] == {
        "day": budget.day_of(bench.world),
        "spent_usd": "0.018",
        "unpriced_attempts": 0,
        "budget_usd": "0.02",
        "extra_usd": "0.00",
    }
    assert "$0.018 of $0.02" in desk.run("status").stdout


def test_failures_and_dead_letters_need_a_person(bench: Bench, desk: Console) -> None:
    """The last failures are told with their reason, the depths of the queues beside; status 3."""
    bench.trouble(run_fails={"retryable": False, "code": "VALIDATION_ERROR"})
    key = start(bench)
    bench.finish()
    desk.send("DropDeadLetterQueueUrl", "{}")
    told = desk.json("status", status=3)
    (failure,) = told["last_failures"]
    assert (failure["key"], failure["code"], failure["state"]) == (key, "RUN_FAILED", "FAILED")
    assert told["queues"]["drop_dead_letters"] == 1
    assert [sentence for sentence in told["attention"] if "redrive --dead-letters" in sentence]
    assert [sentence for sentence in told["attention"] if "1 job failed" in sentence]
    shown = desk.run("status")
    assert "RUN_FAILED" in shown.stdout


def test_work_that_nobody_looks_at_needs_a_person(bench: Bench, desk: Console) -> None:
    """A row long overdue means that no sweep runs: it is told."""
    bench.drop("alone.png", picture())
    (row,) = (item for item in _items(bench) if item["job_id"].startswith("drop#"))
    table.replace(bench.world, row | {"open_at": row["open_at"] - 3_600_000})
    told = desk.json("status", status=3)
    assert told["overdue_seconds"] > 3000
    assert "is the schedule on" in told["attention"][0]


def test_figures_that_are_cut_off_say_so(bench: Bench, desk: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its bounds each figure says "at least", and the requests stay few."""
    bench.trouble(run_stuck=True)
    for number in range(4):
        start(bench, BRIA, seed=number, name=f"{number}.png")
    for bound in ("MOST_OF_PARTITION", "MOST_READ", "MOST_OF_DAY"):
        monkeypatch.setattr(module, bound, 1)
    told = desk.json("status")
    assert told["open"]["at_least"]
    assert told["finished"]["at_least"]
    assert told["open"]["states"]["RUNNING"] == 1
    assert "at least" in desk.run("status").stdout


def _items(bench: Bench) -> list[dict[str, Any]]:
    reply = bench.world.aws.dynamodb.scan(TableName=bench.world.settings.job_table)
    return [{name: table.decode(value) for name, value in raw.items()} for raw in reply["Items"]]


def test_a_job_that_is_held_for_itself_alone(bench: Bench, desk: Console) -> None:
    """A 403 holds one job and leaves the breaker closed: it is told with its own action."""
    bench.trouble(forbidden={"times": 1, "route": "submit"})
    start(bench)
    told = desk.json("status", status=3)
    assert told["providers"]["runflow"]["breaker"] is None
    (sentence,) = told["attention"]
    assert "1 job of runflow held (NOT_ALLOWED)" in sentence


def test_drops_that_were_refused_are_not_well(bench: Bench, desk: Console) -> None:
    """A drop whose spec was refused is counted until it is put right."""
    bench.drop("odd.png", picture())
    bench.drop("odd.png.json", {"model": "bria/background/remove", "input": {"colour": 3}})
    told = desk.json("status", status=3)
    assert told["finished"]["drops_refused"] == 1
    assert "1 drop refused" in told["attention"][0]
    bench.drop("odd.png.json", BRIA)
    assert desk.json("status")["finished"]["drops_refused"] == 0
