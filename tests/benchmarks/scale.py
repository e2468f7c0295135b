"""`make bench PART=scale`: many drops at a provider that takes ten at a time, on a virtual clock.

Promises the same for each number of drops: photos and sidecars that come in pairs, twice as fast as the provider works,
so that a backlog grows; the functions' own handlers; what a drop then cost in requests, units and dollars, and how busy
the provider was kept for as long as there was a backlog. `DROPS=10000 make bench PART=scale` plays that many and keeps
the figures, with their day, in scale_kept.json; the page shows them beside those of the run. Refuses to count a drop
that did not succeed.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cost_usage
import machine
import plots
import prices
import scale_play
import scale_stand
from bench import picture
from pydantic import TypeAdapter
from report import Detail, Plot, Row, Section, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scale_play import Play
    from scale_stand import Stand

AT_A_TIME = 10
RUN_SECONDS = 12.8  # the provider's own estimate for background/remove
ARRIVALS = 2 * AT_A_TIME / RUN_SECONDS  # drops a second
DROPS = (100, 1000)
SPEC: dict[str, Any] = {"model": "imagepipeline/background-remove", "input": {"output_format": "png"}}
MINUTE = 60.0
WITHIN = 5.0  # per cent
BUSY = 95.0  # per cent
STEPS_A_DROP = 40
KEPT = Path(__file__).with_name("scale_kept.json")


@dataclass(frozen=True, slots=True)
class Told:
    """What `drops` came to: `requests` to AWS and units of all of them, without the sweeps.

    Seconds are virtual, `real` are not. `backlog` is the most drops that waited for their turn, `busy` in per cent.
    """

    drops: int
    requests: dict[str, int]
    provider: int
    write_units: int
    read_units: float
    dollars: float
    sweeps: int
    sweep_requests: int
    busy: float
    seconds: float
    backlog: int
    most_at_once: int
    real: float
    day: str = ""
    machine: str = ""

    @property
    def aws(self) -> float:
        """Requests to AWS for one drop."""
        return sum(self.requests.values()) / self.drops


_KEPT = TypeAdapter(dict[int, Told])


def play(here: Stand, drops: int, say: Callable[[str], None]) -> Told:
    """Play so many drops to their end.

    Raises:
        AssertionError: one of them did not succeed, was paid for twice, or came to a provider that was full.
    """
    began = time.monotonic()
    photo, spec = picture(seed=1, size=(48, 36)), json.dumps(SPEC).encode()
    one = scale_play.Play(
        here,
        settings={"IMAGEPIPELINE_AT_A_TIME": str(AT_A_TIME)},
        trouble={"slow_run": {"ms": RUN_SECONDS * 1000}, "imagepipeline_jobs_at_a_time": AT_A_TIME},
    )
    start = one.clock()
    uploaded = backlog = 0
    swept = start + MINUTE
    for _ in range(STEPS_A_DROP * drops):
        now = one.clock()
        if uploaded < drops and now >= start + uploaded / ARRIVALS:
            one.drop(f"shop/{uploaded:06}.png", photo)
            one.drop(f"shop/{uploaded:06}.png.json", spec)
            uploaded += 1
            backlog = max(backlog, uploaded - len(one.runs))
            if uploaded % 100 == 0:
                say(f"{drops:,} drops: {uploaded:,} uploaded, {one.succeeded:,} done, {time.monotonic() - began:.0f} s")
        elif now >= swept:
            one.sweep()
            swept += MINUTE
        elif not one.step():
            moments = [moment for moment in [one.next()] if moment is not None]
            moments += [start + uploaded / ARRIVALS] if uploaded < drops else []
            if not moments:
                break
            one.go_on(max(now, min(swept, *moments)))
    return _told(one, drops, backlog, time.monotonic() - began)


def _told(one: Play, drops: int, backlog: int, real: float) -> Told:
    rows = one.ground.own.dynamodb.get_paginator("scan").paginate(TableName=one.ground.template.name("JobTable"))
    states = Counter(row["state"]["S"] for page in rows for row in page["Items"] if "model" in row)
    assert states == {"SUCCEEDED": drops}, states
    status = one.ground.ask("GET", "status")
    assert status["accepted"] == drops == len(one.runs), status
    assert not any(one.ground.left().values()), one.ground.left()
    most = _most_at_once(one.runs)
    assert most <= AT_A_TIME, f"{most} jobs at the provider"
    work = [invocation for invocation in one.invocations if not invocation.sweep]
    sweeps = [invocation for invocation in one.invocations if invocation.sweep]
    calls = [call for invocation in work for call in invocation.calls]
    used = cost_usage.of_invocations(work)
    used["S3 reads"] += drops  # the provider's
    return Told(
        drops=drops,
        requests=dict(Counter(f"{call.service} {call.verb}" for call in calls if call.aws)),
        provider=sum(not call.aws for call in calls),
        write_units=round(used["table writes"]),
        read_units=used["table reads"],
        dollars=sum(prices.dollars(used).values()) / drops,
        sweeps=len(sweeps),
        sweep_requests=sum(len(invocation.calls) for invocation in sweeps),
        busy=busy(one.runs),
        seconds=max(one.runs) + RUN_SECONDS - min(one.runs),
        backlog=backlog,
        most_at_once=most,
        real=real,
    )


def busy(runs: Iterable[float]) -> float:
    """The share, in per cent, of its places that the provider worked in, while there were enough drops for all of them.

    From the moment that the places were full for the first time until the last run began.
    """
    begun = sorted(runs)
    first, last = begun[AT_A_TIME - 1], begun[-1]
    worked = sum(max(0.0, min(last, one + RUN_SECONDS) - max(first, one)) for one in begun)
    return 100 * worked / (AT_A_TIME * (last - first))


def _most_at_once(runs: Iterable[float]) -> int:
    moments = sorted([(one, 1) for one in runs] + [(one + RUN_SECONDS, -1) for one in runs])
    most = there = 0
    for _, change in moments:
        there += change
        most = max(most, there)
    return most


def measure(say: Callable[[str], None]) -> Section:
    """Play the numbers of drops that are asked for."""
    asked = tuple(int(word) for word in os.environ.get("DROPS", "").split()) or DROPS
    with scale_stand.stand() as here:
        played = [play(here, drops, say) for drops in asked]
    kept = read()
    if asked != DROPS:
        stamp = {"day": datetime.now(UTC).date().isoformat(), "machine": machine.described()}
        kept |= {one.drops: Told(**{**asdict(one), **stamp}) for one in played}
        KEPT.write_bytes(_KEPT.dump_json(kept, indent=1) + b"\n")
    fresh = {one.drops: one for one in played}
    return section([one for _, one in sorted({**kept, **fresh}.items())])


def read() -> dict[int, Told]:
    """The figures that are kept of long runs."""
    return _KEPT.validate_json(KEPT.read_bytes()) if KEPT.exists() else {}


def section(played: Sequence[Told]) -> Section:
    """What is said of the runs, fewest drops first."""
    base = played[0]
    rows = []
    for one in played[1:]:
        name = f"{one.drops:,} drops"
        rows += [
            Row(f"{name}: requests to AWS of one", 100 * (one.aws / base.aws - 1), "% more", at_most=WITHIN),
            Row(f"{name}: dollars of one", 100 * (one.dollars / base.dollars - 1), "% more", at_most=WITHIN),
        ]
    rows += [
        Row(f"{one.drops:,} drops: the provider works", one.busy, "% of its places", at_least=BUSY) for one in played
    ]
    kinds = sorted({kind for one in played for kind in one.requests})
    _draw(played, kinds)
    return Section(
        "Scale",
        f"Each number of drops against {base.drops:,} of them, counted, and on a virtual clock: {AT_A_TIME} at a time "
        f"at a provider that takes {RUN_SECONDS} s for each, arriving at {ARRIVALS:.2f} a second.",
        tuple(rows),
        _notes(played),
        (
            Detail(
                "What they came to",
                (
                    "drops",
                    "requests to AWS each",
                    "write units each",
                    "read units each",
                    "$ per 1,000",
                    "provider busy",
                    "longest backlog",
                    "most at once",
                    "on the clock",
                    "in real time",
                ),
                tuple(
                    (
                        f"{one.drops:,}" + (f" ({one.day})" if one.day else ""),
                        f"{one.aws:.2f}",
                        f"{one.write_units / one.drops:.2f}",
                        f"{one.read_units / one.drops:.2f}",
                        f"{1000 * one.dollars:.4f}",
                        f"{one.busy:.1f} %",
                        f"{one.backlog:,}",
                        str(one.most_at_once),
                        f"{one.seconds / 60:.0f} min",
                        f"{one.real:.0f} s",
                    )
                    for one in played
                ),
            ),
            Detail(
                "Requests of one drop, by kind",
                ("drops", *kinds),
                tuple(
                    (f"{one.drops:,}", *(number(one.requests.get(kind, 0) / one.drops) for kind in kinds))
                    for one in played
                ),
            ),
        ),
        (Plot(plots.file("scale"), "Requests of one drop to AWS, by service, over the number of drops"),),
    )


def _notes(played: Sequence[Told]) -> tuple[str, ...]:
    last = played[-1]
    swept = last.sweep_requests / max(1, last.sweeps)
    return (
        "All of them succeeded, each was paid for once, no message was left and none went to a dead-letter queue.",
        f"The sweep of each minute is no drop's: {swept:.0f} requests each time, however many drops there were.",
        "10,000 drops take longer than the whole bench may: `make bench PART=scale DROPS=10000` plays and keeps them.",
    )


def _draw(played: Sequence[Told], kinds: Sequence[str]) -> None:
    services = {"dynamodb": "#1f6feb", "s3": "#e8a33d", "sqs": "#2da44e", "secretsmanager": "#8250df"}
    with plots.drawing("scale", "drops", "requests to AWS for one drop", width=8, height=4) as axes:
        names = [f"{one.drops:,}" for one in played]
        bottom = [0.0] * len(played)
        for service, colour in services.items():
            height = [
                sum(one.requests.get(kind, 0) for kind in kinds if kind.startswith(service)) / one.drops
                for one in played
            ]
            axes.bar(names, height, bottom=bottom, color=colour, label=service, width=0.5)
            bottom = [low + high for low, high in zip(bottom, height, strict=True)]
        for place, one in enumerate(played):
            axes.text(
                place, bottom[place] + 0.4, f"{one.aws:.1f}\nprovider busy {one.busy:.1f} %", ha="center", fontsize=9
            )
        axes.set_ylim(0, 1.3 * max(bottom))
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        axes.grid(visible=False, axis="x")
