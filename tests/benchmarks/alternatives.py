"""`make bench PART=alternatives`: the same picture as the providers' examples do it, and by Step Functions on paper.

Promises the same photo at the same sandbox on the same virtual clock in the same run, the provider taking 5, 20 and 60
seconds, and the same prices; what the others leave out (a limit, a memory of what was paid for) is named, not priced.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import alternatives_example
import cost
import cost_usage
import cost_waits
import httpx
import plots
import prices
import scale_play
import scale_stand
from bench import PROVIDER_KEYS
from report import Detail, Plot, Row, Section, number

from backdrop_cli import photos

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from metering import Metered
    from scale_stand import Stand

PROVIDER_SECONDS = (5, 20, 60)
TIMES = 3
SMALL = 128  # megabytes: the least that a function may have, and what such examples are often given
TRANSITIONS = 3  # into the task that posts and waits for its token, into the one that fetches and stores, to the end
TOKEN_SECONDS = 0.020  # of the function that takes the callback: SendTaskSuccess
SETTLING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Way:
    """One way at one provider time: dollars for 1,000 pictures, and seconds from the drop to the result."""

    dollars: float
    seconds: float


def ours(here: Stand, provider_seconds: float, photo: bytes) -> Way:
    """Backdrop: both files dropped before either is handled, warm; the median of TIMES."""
    play = scale_play.Play(here, trouble={"slow_run": {"ms": 1000 * provider_seconds}})
    jobs, took = [], []
    for number_ in range(1 + TIMES):
        began = play.clock()
        jobs.append(cost.play_one(play, number_, cost.BRIA, photo, order="both"))
        last = jobs[-1][-1]
        took.append(last.at + cost_usage.seconds(last) - began)
    used = cost.used_by(here, jobs)
    return Way(sum(cost_usage.thousand(used).values()), statistics.median(took[1:]))


@dataclass(frozen=True, slots=True)
class Example:
    """One run of the providers' example: its requests, its processor time, and what it waited and slept."""

    calls: tuple[Metered, ...]
    cpu: float
    waited: float

    def used(self, megabytes: int) -> dict[str, float]:
        """What it uses, in a function of that memory."""
        used = cost_usage.of_calls(self.calls)
        used["output events"] = 0  # nobody switched them on
        used["S3 reads"] += 1  # the provider's
        used["Lambda requests"] = 1
        used["Lambda time"] = self.seconds(megabytes) * megabytes / 1024
        used["logs"] = cost_usage.PLATFORM_BYTES
        return used

    def seconds(self, megabytes: int) -> float:
        """How long it takes there."""
        return cost_waits.processor(self.cpu, megabytes) + self.waited


def example(here: Stand, provider_seconds: float, photo: bytes, http: httpx.Client) -> Example:
    """Run the example once."""
    ground, template = here.ground, here.ground.template
    ground.life()
    ground.ask("PUT", "trouble", {"slow_run": {"ms": 1000 * provider_seconds}})
    source = template.name("InputBucket")
    ground.own.s3.put_object(Bucket=source, Key="shop/a.png", Body=photo)
    event = {"Records": [{"s3": {"bucket": {"name": source}, "object": {"key": "shop/a.png"}}}]}

    def sleep(seconds: float) -> None:
        here.inside = False
        _settle(here)  # the run has begun
        ground.clock.move(seconds)
        _settle(here)
        here.inside = True

    assert here.meter is not None
    began, metering, cpu = ground.clock(), here.meter.own_seconds, time.thread_time()
    here.calls, here.inside = [], True
    try:
        alternatives_example.handle(
            event,
            s3=ground.clients.s3,
            http=http,
            api=ground.sandbox.url,
            key=str(PROVIDER_KEYS["runflow_api_key"]),
            bucket=template.name("OutputBucket"),
            sleep=sleep,
        )
    finally:
        here.inside = False
    cpu = time.thread_time() - cpu - (here.meter.own_seconds - metering)
    return Example(tuple(here.calls), cpu, ground.clock() - began)


def _settle(here: Stand) -> None:
    until = time.monotonic() + SETTLING_SECONDS
    while time.monotonic() < until:
        told = here.ground.ask("GET", "status")
        if told["working"] == told["asleep"]:
            return
        time.sleep(0.002)
    raise TimeoutError("the sandbox does not settle")


def step_functions(ran: Example, provider_seconds: float) -> Way:
    """On paper, of the example's own requests: a task that posts and waits, a callback, a task that stores."""
    waits = sum(cost_waits.seconds(call) for call in ran.calls if call.verb != "status") + TOKEN_SECONDS
    cpu = cost_waits.processor(ran.cpu, cost_usage.MEGABYTES)
    used: dict[str, float] = {
        "state transitions": TRANSITIONS,
        "Lambda requests": 3,
        "Lambda time": (waits + cpu) * cost_usage.MEGABYTES / 1024,
        "callback API": 1,
        "output events": 1,  # S3's notice of the photo, which starts the execution by a rule of EventBridge
        "S3 writes": 1,
        "S3 reads": 1,
        "logs": 3 * cost_usage.PLATFORM_BYTES + cost_usage.ACCESS_BYTES,
    }
    return Way(sum(cost_usage.thousand(used).values()), provider_seconds + waits + cpu)


OURS, LARGE, LITTLE, STEPS = (
    "Backdrop",
    f"one function that waits, {cost_usage.MEGABYTES} MB",
    f"one function that waits, {SMALL} MB",
    "Step Functions, a callback task",
)


def compared(here: Stand, provider_seconds: float, photo: bytes, http: httpx.Client) -> dict[str, Way]:
    """Every way at one provider time; each the median of TIMES, but for what is on paper."""
    ran = [example(here, provider_seconds, photo, http) for _ in range(1 + TIMES)][1:]
    ways = {OURS: ours(here, provider_seconds, photo)}
    for name, megabytes in ((LARGE, cost_usage.MEGABYTES), (LITTLE, SMALL)):
        ways[name] = Way(
            statistics.median(sum(cost_usage.thousand(one.used(megabytes)).values()) for one in ran),
            statistics.median(one.seconds(megabytes) for one in ran),
        )
    ways[STEPS] = step_functions(sorted(ran, key=lambda one: one.cpu)[len(ran) // 2], provider_seconds)
    return ways


def measure(say: Callable[[str], None]) -> Section:
    """Compare them."""
    photo = photos.render("mug").data
    found = {}
    with scale_stand.stand() as here, httpx.Client(trust_env=False) as http:
        for provider_seconds in PROVIDER_SECONDS:
            say(f"a provider that takes {provider_seconds} s")
            found[provider_seconds] = compared(here, provider_seconds, photo, http)
    return _section(found)


def _section(found: Mapping[int, Mapping[str, Way]]) -> Section:
    middle = found[PROVIDER_SECONDS[1]]
    names = list(middle)
    rows = [
        Row(f"{name}, the provider taking {seconds} s", found[seconds][name].dollars, "$ per 1,000 pictures")
        for seconds in found
        for name in names
    ]
    rows.append(
        Row(
            f"Backdrop against one function of {cost_usage.MEGABYTES} MB that waits {PROVIDER_SECONDS[1]} s",
            middle[OURS].dollars / middle[LARGE].dollars,
            how="dollars, by dollars",
        )
    )
    _draw(found)
    return Section(
        "Alternatives, side by side",
        "The same photo cut out by Bria on Runflow, three ways: counted and priced as above, on the same virtual clock "
        f"(medians of {TIMES}); Step Functions on paper.",
        tuple(rows),
        _notes(found),
        (
            Detail(
                "Seconds from the drop to the result, S3's and Lambda's own delays left out in each",
                ("", *(f"provider {seconds} s" for seconds in found)),
                tuple((name, *(f"{found[seconds][name].seconds:.1f} s" for seconds in found)) for name in names),
            ),
            Detail(
                "What each of them promises",
                ("", *names),
                (
                    ("an event that comes twice", "paid for once", *["paid for twice"] * 2, "paid for twice"),
                    (
                        "a crash after the POST",
                        "found and taken up",
                        *["paid for in vain"] * 2,
                        "retried: paid for again",
                    ),
                    ("10,000 photos at once", "the limit is kept", *["all at once, 429 or failed"] * 2, "all at once"),
                    ("the provider takes 20 minutes", "fine", *["Lambda ends after 15"] * 2, "fine"),
                ),
            ),
        ),
        (Plot(plots.file("alternatives"), "Dollars per 1,000 pictures over the seconds that the provider takes"),),
    )


def _notes(found: Mapping[int, Mapping[str, Way]]) -> tuple[str, ...]:
    first, last = found[PROVIDER_SECONDS[0]], found[PROVIDER_SECONDS[-1]]
    span = PROVIDER_SECONDS[-1] - PROVIDER_SECONDS[0]
    notes = []
    for name in (LARGE, LITTLE):
        slope = (last[name].dollars - first[name].dollars) / span
        even = PROVIDER_SECONDS[0] + (first[OURS].dollars - first[name].dollars) / slope
        notes.append(
            f"{name[0].upper()}{name[1:]}, costs ${slope:.4f} per 1,000 pictures for each second of the provider's: "
            f"{'Backdrop is cheaper from ' + number(even) + ' s on' if even > 0 else 'Backdrop is always cheaper'}."
        )
    moved = cost_usage.thousand({"state transitions": TRANSITIONS})["state transitions"]
    notes.append(f"Of what Step Functions cost, {TRANSITIONS} state transitions are ${moved:.3f}.")
    notes.append(f"Traces are ${prices.dollars({'traces': 2000})['traces']:.3f} of Backdrop's; the others record none.")
    return tuple(notes)


def _draw(found: Mapping[int, Mapping[str, Way]]) -> None:
    colours: dict[str, Any] = {OURS: plots.OURS, LARGE: plots.LIMIT, LITTLE: plots.THIRD, STEPS: plots.FLOOR}
    with plots.drawing("alternatives", "seconds that the provider takes", "$ per 1,000 pictures") as axes:
        for name, colour in colours.items():
            axes.plot(
                list(found), [ways[name].dollars for ways in found.values()], marker="o", color=colour, label=name
            )
        axes.set_yscale("log")
        axes.set_xlim(0, max(found) * 1.03)
        ticks = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
        axes.minorticks_off()
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 1.02))
