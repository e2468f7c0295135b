"""`make bench PART=quotas`: which quota ends it, at how many pictures a day, computed from what was measured.

Promises that each line is a quota divided by what one picture of this run used of it, all pictures being of one model,
of one provider and in one folder, evenly over the day: the least favourable way. Of the gate, whose item grows with the
jobs under way, the rate is solved for. Quotas are AWS's defaults, or the template's own; what can be raised is said.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import cost
import cost_usage
import plots
import scale_play
import scale_stand
import units
from bench import ROOT, picture
from faults_scenes import REMOVE
from quotas_limits import DAY, RUN_SECONDS, Constants, Limit, limits
from report import Detail, Plot, Row, Section, number

from backdrop import gates
from backdrop.catalogue import MODELS
from backdrop_cli.cloudformation import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scale_play import Invocation
    from scale_stand import Stand

GOALS = (1e6, 1e8)  # pictures a day


def constants(here: Stand) -> Constants:
    """Play jobs of ImagePipeline (the one with most table writes) that wait for their turn, and read them off."""
    play = scale_play.Play(
        here, settings={"IMAGEPIPELINE_AT_A_TIME": "2"}, trouble={"slow_run": {"ms": RUN_SECONDS * 1000}}
    )
    photo = picture(seed=1, size=(48, 36))
    cost_drop(play, 99, photo)  # secrets and the gate
    play.settle()
    warm = len(play.invocations)
    jobs = 6
    for name in range(jobs):
        cost_drop(play, name, photo)
    play.settle()
    provider = MODELS[str(REMOVE["model"])].provider
    assert here.meter is not None
    gate = here.meter.item(gates.item_id(provider))
    assert gate is not None
    (job_id,) = {
        row["job_id"]["S"]
        for row in here.ground.own.dynamodb.scan(TableName=here.ground.template.name("JobTable"), Limit=50)["Items"]
        if row.get("key", {}).get("S", "").endswith("/0.png") and "model" in row
    }
    place = {"M": {job_id: {"S": f"a1/{int(play.clock() * 1000)}"}}}
    empty = units.size_of({"places": {"M": {}}})
    return read_off(play.invocations[warm:], jobs, units.size_of(gate), units.size_of({"places": place}) - empty)


def cost_drop(play: scale_play.Play, name: int, photo: bytes) -> None:
    """Drop a photo and its sidecar."""
    play.drop(f"shop/{name}.png", photo)
    play.drop(f"shop/{name}.png.json", cost.spec_of(REMOVE))


def read_off(invocations: Sequence[Invocation], jobs: int, gate_bytes: float, place_bytes: float) -> Constants:
    """The constants of so many jobs' invocations."""
    seconds: dict[str, float] = defaultdict(float)
    calls: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    placed: Counter[str] = Counter()
    writes: Counter[str] = Counter()
    gate_writes = 0.0
    for one in invocations:
        seconds[one.function] += cost_usage.seconds(one)
        calls[one.function] += 1
        for call in one.calls:
            placed += Counter({_partition(where): units_ for where, units_ in call.placed.items()})
            writes += call.writes
            gate_writes += call.what == "gate" and bool(call.writes)
            if call.service == "s3":
                counted[f"{call.what} {'reads' if call.verb in {'GET', 'HEAD', 'LIST'} else 'writes'}"] += 1
            counted["spend"] += call.what == "spend" and bool(call.writes)
    template = parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    wanted = ("DropConcurrency", "WorkConcurrency", "ImagepipelineAtATime", "RunflowAtATime")
    defaults = {name: float(template["Parameters"][name]["Default"]) for name in wanted}
    defaults["most at a time"] = float(template["Parameters"]["ImagepipelineAtATime"]["MaxValue"])
    method = template["Resources"]["CallbackApi"]["Properties"]["MethodSettings"][0]
    defaults["callbacks"] = float(method["ThrottlingRateLimit"])
    return Constants(
        _each(seconds, jobs),
        _each(calls, jobs),
        _each(counted, jobs),
        _each(placed, jobs),
        _each(writes, jobs),
        gate_writes / jobs,
        gate_bytes,
        place_bytes,
        defaults,
    )


def _each(counted: Mapping[str, float], jobs: int) -> dict[str, float]:
    return {name: amount / jobs for name, amount in counted.items()}


def _partition(where: str) -> str:
    """A partition without what names one shard, day or job."""
    index, _, value = where.partition(":")
    word, mark, rest = value.partition("#")
    if index == "by_day":
        return "by_day, a day's shard"
    return f"{index}, {word}#{rest if word == 'queued' else ''}" if mark else index


def gate_dollars(told: Constants, places: float) -> float:
    """Dollars for 1,000 pictures that the writes of the gate cost with so many jobs under way."""
    size = told.gate_bytes + places * told.place_bytes
    return cost_usage.thousand({"table writes": told.gate_writes * math.ceil(size / units.WRITE_BYTES)})["table writes"]


def measure(say: Callable[[str], None]) -> Section:
    """Measure the constants and compute."""
    say("constants")
    with scale_stand.stand() as here:
        told = constants(here)
    from backdrop.keys import DUE_SHARDS  # noqa: PLC0415 - beside its use

    found = limits(told, DUE_SHARDS)
    theirs = next(one for one in found if not one.own)
    rows = [
        Row("as deployed: ends at", found[0].day, "pictures a day", how=found[0].name),
        Row("of AWS's own quotas the first", theirs.day, "pictures a day", how=theirs.name),
    ]
    rows += [
        Row(
            f"{goal / 1e6:,.0f} million a day, {goal / DAY:,.1f} a second: quotas in the way",
            float(sum(one.day < goal for one in found)),
            how="; ".join(one.name for one in found if one.day < goal),
        )
        for goal in GOALS
    ]
    rows += [
        Row(f"the gate's writes with {places} jobs under way", gate_dollars(told, places), "$ per 1,000 pictures")
        for places in (5, 20, 100, 500)
    ]
    new = 4000 / max(told.writes.values())
    _draw(found)
    return Section(
        "On paper: quotas",
        f"Computed from one run's constants, not measured: all pictures at one provider that takes {RUN_SECONDS} s, in "
        "one folder, spread evenly over the day.",
        tuple(rows),
        (
            "A day is never even: with a peak hour of four times the mean, divide the rates by four.",
            f"A new table takes 4,000 write units a second at once, {new:,.0f} pictures, and doubles from there.",
        ),
        (
            Detail(
                "Each quota, and the rate at which it binds",
                ("quota", "is", "one picture uses", "binds at", "a day", "what to set or do"),
                tuple(
                    (one.name, one.quota, one.each, f"{number(round(one.rate, 1))}/s", _day(one.day), one.advice)
                    for one in found
                ),
            ),
        ),
        (Plot(plots.file("quotas"), "Pictures a day at which each quota binds"),),
    )


def _day(pictures: float) -> str:
    return f"{pictures / 1e6:,.1f} million" if pictures >= 1e5 else f"{pictures:,.0f}"


def _draw(found: Sequence[Limit]) -> None:
    shown = list(found)[::-1]
    with plots.drawing("quotas", "pictures a day", "", width=9, height=0.3 * len(shown) + 1.2) as axes:
        colours = [
            plots.LIMIT if one.day < GOALS[0] else plots.THIRD if one.day < GOALS[1] else plots.OURS for one in shown
        ]
        axes.barh([one.name for one in shown], [one.day for one in shown], color=colours)
        axes.set_xscale("log")
        for goal in GOALS:
            axes.axvline(goal, color="#24292f", linestyle="--", linewidth=1)
            axes.text(goal, len(shown) - 0.4, f" {goal / 1e6:,.0f} million", va="bottom", fontsize=9)
        axes.grid(visible=False, axis="y")
