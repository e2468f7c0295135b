"""`make bench PART=cost`: what one picture asks of AWS, by request, millisecond and byte, and what that costs.

Promises counts from the wire (a warm environment, a photo of some size, its event and its sidecar's in one batch) and
dollars from them by list prices; the two apart stand beside it, and so does every invocation traced. What a month costs
without any picture, what a cold environment adds, the photo's own way and BackgroundCut's blocking stand apart. Seconds
of Lambda are this machine's processor time, put into the template's memory, and the waits of `cost_waits`: they are an
estimate and say so.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any

import cost_tables
import cost_usage
import prices
import scale_play
import scale_stand
import units as units_of
from bench import ROOT, picture
from faults_scenes import CHANGE, COLOR, REMOVE, REPLACE

from backdrop.telemetry import MEASURES
from backdrop_cli import photos
from backdrop_cli.cloudformation import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from report import Section
    from scale_play import Invocation, Play
    from scale_stand import Stand

JOBS = 3  # measured of each model, after one that warms the environment
BRIA: dict[str, Any] = {"model": "bria/background/remove"}
CUT: dict[str, Any] = {"model": "backgroundcut/remove-bg", "input": {"output_variants": [{}]}}
SPECS: Mapping[str, dict[str, Any]] = {str(spec["model"]): spec for spec in (BRIA, COLOR, REPLACE, REMOVE, CHANGE, CUT)}
KEPT_MONTHS = 3.0  # of a finished row: the template's RetentionDays
POLLS_A_MONTH = 2 * 5 * 3 * 60 * prices.HOURS_A_MONTH  # two queues, five pollers of Lambda's, 20 seconds each
SWEEPS_A_MONTH = 60 * prices.HOURS_A_MONTH


def spec_of(spec: Mapping[str, Any]) -> bytes:
    """A sidecar."""
    return json.dumps(spec).encode()


def play_one(
    play: Play, number: int, spec: Mapping[str, Any], photo: bytes, *, order: str = "both"
) -> list[Invocation]:
    """Lead one drop to its end; its invocations. `order`: which file is dropped and handled first, or `both`."""
    mark = len(play.invocations)
    files = {"photo": (f"shop/{number}.png", photo), "spec": (f"shop/{number}.png.json", spec_of(spec))}
    first = "spec" if order == "spec" else "photo"
    play.drop(*files.pop(first))
    while order != "both" and play.step():
        pass
    play.drop(*files.popitem()[1])
    play.settle()
    return play.invocations[mark:]


def play_model(here: Stand, spec: Mapping[str, Any], photo: bytes, *, order: str = "both") -> list[list[Invocation]]:
    """A job that warms the environment, and JOBS more; the invocations of each."""
    model = str(spec["model"])
    play = scale_play.Play(here, settings={"BACKGROUND_COLOR_FORM": "runs"}, calls_back=model != CUT["model"])
    if "reference" in spec.get("input", {}):
        play.drop(f"shop/{spec['input']['reference']}", picture(seed=9, size=(800, 600)))
        play.settle()
    return [play_one(play, number, spec, photo, order=order) for number in range(1 + JOBS)]


def used_by(here: Stand, jobs: Sequence[Sequence[Invocation]]) -> dict[str, float]:
    """What a job of these uses, the median one: of the warm ones, with what its row takes for as long as it is kept."""
    each = [cost_usage.of_invocations(one) for one in jobs[1:]]
    used = {name: statistics.median(one.get(name, 0.0) for one in each) for name in each[0]}
    used["S3 reads"] += 1  # the provider's, of the photo
    assert here.meter is not None
    used["table storage"] = KEPT_MONTHS * _row_bytes(here)
    return used


def _row_bytes(here: Stand) -> float:
    """Bytes of a finished job's row and its index entries."""
    assert here.meter is not None
    template = here.ground.template
    rows = here.ground.own.dynamodb.scan(TableName=template.name("JobTable"))["Items"]
    finished = [row for row in rows if row.get("state", {}).get("S") == "SUCCEEDED"]
    return statistics.mean(units_of.stored(row, here.meter.indexes) for row in finished)


def monthly(here: Stand) -> dict[str, float]:
    """Dollars that a month costs without any picture."""
    play = scale_play.Play(here)
    play.sweep()
    play.sweep()  # the first makes the gates
    idle = cost_usage.of_invocations(play.invocations[1:])
    idle["traces"] = 0  # counted below: of one a minute all are recorded
    swept = sum(prices.dollars(idle).values()) * SWEEPS_A_MONTH
    template = parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"].values()
    kinds = Counter(resource["Type"] for resource in template)
    one = {name: prices.PRICES[name].dollars for name in ("alarm", "secret kept", "dashboard", "metric")}
    return {
        f"{kinds['AWS::CloudWatch::Alarm']} alarms": kinds["AWS::CloudWatch::Alarm"] * one["alarm"],
        f"at most {len(MEASURES)} metrics of one's own": len(MEASURES) * one["metric"],
        "dashboard": kinds["AWS::CloudWatch::Dashboard"] * one["dashboard"],
        "two secrets": kinds["AWS::SecretsManager::Secret"] * one["secret kept"],
        "a sweep a minute": swept,
        "traces of the sweeps": prices.dollars({"traces": SWEEPS_A_MONTH})["traces"],
        "Lambda's polling of two empty queues": prices.dollars({"queues": POLLS_A_MONTH})["queues"],
    }


def measure(say: Callable[[str], None]) -> Section:
    """Measure and price."""
    photo = photos.render("mug").data
    with scale_stand.stand() as here:
        played, used = {}, {}
        for model, spec in SPECS.items():
            say(model)
            played[model] = play_model(here, spec, photo)
            used[model] = used_by(here, played[model])
        orders = {"both": used[str(BRIA["model"])]}
        for order in ("photo", "spec"):
            say(f"bria, {order} first")
            orders[order] = used_by(here, play_model(here, BRIA, photo, order=order))
        fixed = monthly(here)
    return cost_tables.section(played, used, orders, fixed, len(photo))
