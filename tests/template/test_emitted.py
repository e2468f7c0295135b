"""What the code really emits: each of its metrics brought about on the bench, and read as CloudWatch reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from bench import CUT, start
from watching import STACK, watched

from backdrop import telemetry
from backdrop.states import State
from backdrop.workflow import receiving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bench import Bench


@dataclass(frozen=True)
class Emitted:
    """One metric as CloudWatch takes it out of a log line."""

    namespace: str
    name: str
    unit: str
    dimensions: frozenset[tuple[str, str]]


def read_emf(lines: Iterable[str]) -> Iterator[Emitted]:
    """The metrics of the lines that are in the embedded metric format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    for line in lines:
        if '"_aws"' not in line:
            continue
        told = json.loads(line)
        for directive in told["_aws"]["CloudWatchMetrics"]:
            for dimensions in directive["Dimensions"]:
                pairs = frozenset((name, told[name]) for name in dimensions)
                for metric in directive["Metrics"]:
                    values = told[metric["Name"]]
                    assert all(isinstance(value, int | float) for value in values), line
                    yield Emitted(directive["Namespace"], metric["Name"], metric["Unit"], pairs)


def succeed(bench: Bench) -> None:
    """A photo comes, is taken and delivered."""
    start(bench)
    (call,) = bench.calls()
    assert bench.answer(call) == receiving.TAKEN


def lose_the_callback(bench: Bench) -> None:
    """No callback comes, and the run is asked about."""
    bench.trouble(callback_lost=True)
    start(bench)
    bench.finish()


def forge_a_callback(bench: Bench) -> None:
    """A callback comes without its signature."""
    start(bench)
    (call,) = bench.calls()
    assert bench.answer(call, headers={}) == receiving.REFUSED


def go_unanswered(bench: Bench) -> None:
    """The reply to a POST is lost, and nobody can be asked: it is sent once more."""
    bench.trouble(dropped_after={"times": 1}, callback_lost=True)
    start(bench, CUT)
    bench.later(bench.world.settings.patience_seconds + 60)
    bench.sweep()


def run_dry(bench: Bench) -> None:
    """The account has no credits."""
    bench.trouble(no_credits=True)
    start(bench)
    assert bench.states() == [State.HELD]


def spend_all(bench: Bench) -> None:
    """The day's money is spent."""
    bench.world = replace(bench.world, settings=replace(bench.world.settings, daily_budget_usd="0.04"))
    now = datetime.fromtimestamp(bench.world.now(), UTC)
    bench.later((now.replace(hour=12, minute=0) + timedelta(days=1) - now).total_seconds())
    for number in range(3):
        start(bench, seed=number, name=f"{number}.png")
    assert State.HELD in bench.states()


def be_turned_away(bench: Bench) -> None:
    """The provider is busy."""
    bench.trouble(rate_limited={"times": 1, "retry_after": 30, "route": "submit"})
    start(bench)


def fail(bench: Bench) -> None:
    """Every attempt's run fails."""
    bench.trouble(run_fails=True)
    start(bench)
    bench.finish()


def be_wrong(bench: Bench) -> None:
    """The spec names no model."""
    start(bench, {"model": "nobody/nothing"})


SCENES: list[tuple[Callable[[Bench], None], set[str]]] = [
    (succeed, {"JobsQueued", "JobsSubmitted", "JobsSucceeded", "SpendUsd"}),
    (lose_the_callback, {"CallbackLost", "OldestOpenSeconds"}),
    (forge_a_callback, {"CallbacksRejected"}),
    (go_unanswered, {"RepostsAfterUnknown", "UnpricedSubmitted"}),
    (run_dry, {"BreakerOpened", "JobsHeld"}),
    (spend_all, {"BudgetReached"}),
    (be_turned_away, {"JobsPostponed"}),
    (fail, {"JobsRetried", "JobsFailed", "JobsFailedByReason"}),
    (be_wrong, {"DropsRejected"}),
]
KINDS = {"Count": "Count", "Seconds": "Seconds", "None": "None"}


@pytest.mark.parametrize("scene", SCENES, ids=[play.__name__ for play, _ in SCENES])
def test_each_metric_is_emitted_as_it_is_watched(
    bench: Bench,
    template: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scene: tuple[Callable[[Bench], None], set[str]],
) -> None:
    """What brings a metric about writes it with the unit that is promised, and by exactly the dimensions watched."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", STACK)
    bench.world = replace(bench.world, metric=telemetry.metric)
    play, expected = scene
    play(bench)
    found = set(read_emf(capsys.readouterr().out.splitlines()))
    assert expected <= {one.name for one in found}
    for one in found:
        measure = telemetry.MEASURES[one.name]
        assert (one.namespace, one.unit) == (telemetry.NAMESPACE, KINDS[measure.unit])
        assert {name for name, _ in one.dimensions} == {"service", measure.dimension} - {""}
    here = {(one.name, one.dimensions) for one in found}
    wanted = [row for row in watched(template) if row.namespace == telemetry.NAMESPACE and row.name in expected]
    assert {(row.name, row.dimensions) for row in wanted} <= here


def test_what_is_watched_explained_and_brought_about_is_the_same(template: dict[str, Any]) -> None:
    """No metric is watched or explained that no scene above brings about."""
    brought = set().union(*(expected for _, expected in SCENES))
    assert brought == set(telemetry.MEASURES)
    assert {row.name for row in watched(template) if row.namespace == telemetry.NAMESPACE} <= brought
