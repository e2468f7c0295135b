"""The section "calls and cost" of the page, from what was counted.

Promises that every line of the sum is shown, that beside each sum stands the dearest (every invocation traced), and,
where the target is missed, which lines would have to go.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import cost_plot
import cost_usage
import plots
import prices
from cost_usage import KINDS, by_kind, thousand, units
from report import Detail, Plot, Row, Section, number, spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scale_play import Invocation

TARGET = 0.05  # dollars a thousand pictures
PICTURES_A_DAY = 1e6  # at which the target is judged: it decides how many invocations are traced
CHEAPEST = 18.0  # dollars a thousand pictures at the cheapest model, Bria's
MEMORY = (256, 512, 1024, 1769, 3008)  # megabytes
BRIA = "bria/background/remove"
ORDERS = {
    "both": "both in one batch",
    "photo": "the photo, then its sidecar",
    "spec": "the sidecar, then the photo",
}


def section(
    played: Mapping[str, list[list[Invocation]]],
    used: Mapping[str, dict[str, float]],
    orders: Mapping[str, dict[str, float]],
    fixed: Mapping[str, float],
    photo: int,
) -> Section:
    """The section.

    `played` and `used` by model (its jobs' invocations; what one uses), `orders` what a job of Bria's uses by the order
    of its files, `fixed` dollars a month, `photo` the photo's bytes.
    """
    bills = {model: thousand(cost_usage.sampled(one, PICTURES_A_DAY)) for model, one in used.items()}
    total = {model: sum(bill.values()) for model, bill in bills.items()}
    traced = {model: sum(thousand(one).values()) for model, one in used.items()}
    lines = sorted({name for bill in bills.values() for name in bill}, key=lambda name: -bills[BRIA].get(name, 0))
    rows = [
        Row(
            model,
            total[model],
            "$ per 1,000 pictures",
            at_most=TARGET,
            how=f"both files in one batch, 1 million a day; every invocation traced: {_cents(traced[model])}",
        )
        for model in played
    ]
    rows.append(
        Row(
            "the dearest against the cheapest model's own price",
            100 * max(total.values()) / CHEAPEST,
            "%",
            at_most=0.3,
            how=f"the same; every invocation traced: {100 * max(traced.values()) / CHEAPEST:.2f} %",
        )
    )
    rows += [
        Row(
            f"apart: {model}, {ORDERS[order]}",
            sum(thousand(cost_usage.sampled(one, PICTURES_A_DAY)).values()),
            "$ per 1,000 pictures",
            how=f"1 million a day; every invocation traced: {_cents(sum(thousand(one).values()))}",
        )
        for model in (BRIA,)
        for order, one in orders.items()
        if order != "both"
    ]
    rows += _apart(played, used, photo, fixed)
    cost_plot.draw(bills, lines, TARGET)
    return Section(
        "Calls and cost",
        "Counted on the wire and priced by the table below, not measured against a floor: one job of each model in a "
        "warm environment, the events of its photo and its sidecar in one batch, as when both are uploaded within "
        "a DropBatchingSeconds of 1, nothing going wrong. By default it is 0, and AWS does not promise that they meet: "
        "what they cost apart is below. "
        f"Traces are those of {PICTURES_A_DAY / 1e6:.0f} million pictures a day; where fewer come every invocation may "
        "be traced, and that sum stands beside each.",
        tuple(rows),
        _notes(bills, lines, total, used),
        (
            Detail(
                "Requests of one job, Lambda's own for the queues not among them",
                ("model", *KINDS, "in all"),
                tuple(
                    (model, *(str(counted[kind]) for kind in KINDS), str(counted.total()))
                    for model, jobs in played.items()
                    for counted in [by_kind(jobs[-1])]
                ),
            ),
            _units_table(played),
            Detail(
                "Time and bytes of one job (medians): processor time here, waits by the table of waits, and what "
                f"Lambda would bill at {cost_usage.MEGABYTES} MB",
                ("model", "invocations", "processor", "waits", "billed", "sent", "taken in", "logged"),
                tuple(_time(model, jobs[1:]) for model, jobs in played.items()),
            ),
            Detail(
                "Dollars per 1,000 pictures",
                ("", *played),
                (
                    *((name, *(_cents(bills[model].get(name, 0)) for model in played)) for name in lines),
                    ("in all, 1 million pictures a day", *(_cents(total[model]) for model in played)),
                    ("in all, every invocation traced", *(_cents(traced[model]) for model in played)),
                ),
            ),
            _memory_table(played[BRIA][1:]),
            Detail(
                "In which order the two files come (Bria)",
                (
                    "handled first",
                    "$ per 1,000 pictures",
                    "every invocation traced",
                    "table write units",
                    "S3 reads, lists and writes",
                ),
                tuple(
                    (
                        ORDERS[order],
                        _cents(sum(thousand(cost_usage.sampled(one, PICTURES_A_DAY)).values())),
                        _cents(sum(thousand(one).values())),
                        number(one["table writes"]),
                        f"{one['S3 reads']:.0f}, {one['S3 lists']:.0f}, {one['S3 writes']:.0f}",
                    )
                    for order, one in orders.items()
                ),
            ),
            Detail(
                "A month without any picture",
                ("", "dollars"),
                (*((name, f"{spent:.2f}") for name, spent in fixed.items()), ("in all", f"{sum(fixed.values()):.2f}")),
            ),
            Detail(
                f"List prices of {prices.REGION}, read on {prices.READ}, nothing free taken off",
                ("line", "dollars", "for", "page"),
                tuple(
                    (name, _plain(one.dollars), (f"a {one.words}" if one.each != 1 else f"each {one.words}"), one.page)
                    for name, one in prices.PRICES.items()
                ),
            ),
        ),
        (Plot(plots.file("cost"), "Dollars per 1,000 pictures, by what they are paid for"),),
    )


def _apart(
    played: Mapping[str, list[list[Invocation]]],
    used: Mapping[str, dict[str, float]],
    photo: int,
    fixed: Mapping[str, float],
) -> list[Row]:
    second = prices.dollars({"Lambda time": cost_usage.MEGABYTES / 1024})["Lambda time"]
    cold = cost_usage.of_invocations(played[BRIA][0])
    warm = used[BRIA]
    more = {
        name: max(0.0, cold.get(name, 0.0) - warm.get(name, 0.0)) for name in ("secrets", "table writes", "table reads")
    }
    return [
        Row(
            "apart: each second that BackgroundCut blocks",
            1000 * second,
            "$ per 1,000 pictures",
            how="one function of 1 GB waits with it",
        ),
        Row(
            "apart: what a first job in cold environments adds",
            sum(prices.dollars(more).values()) * 1000,
            "$ per 1,000",
        ),
        Row(
            "apart: the user's own two uploads",
            thousand({"S3 writes": 2})["S3 writes"],
            "$ per 1,000 pictures",
            how="whoever keeps photos in S3 pays it",
        ),
        Row(
            f"apart: a photo of {photo / 1e6:.1f} MB on its way to a provider outside AWS",
            thousand({"transfer out": photo})["transfer out"],
            "$ per 1,000 pictures",
            how="every way of handing it over pays it, beyond 100 GB a month",
        ),
        Row("apart: a month without any picture", sum(fixed.values()), "$"),
    ]


def _units_table(played: Mapping[str, list[list[Invocation]]]) -> Detail:
    counted = {model: units(jobs[-1]) for model, jobs in played.items()}
    names = sorted({name for one in counted.values() for name in one})
    return Detail(
        "Write units of one job, by what is written (each index entry made, moved or removed is a write of its own)",
        ("", *played),
        (
            *((name, *(str(counted[model][name]) for model in played)) for name in names),
            ("in all", *(str(counted[model].total()) for model in played)),
        ),
    )


def _memory_table(jobs: Sequence[Sequence[Invocation]]) -> Detail:
    cells = []
    for megabytes in MEMORY:
        took = spread(sum(cost_usage.seconds(one, megabytes) for one in job) for job in jobs).median
        spent = thousand({"Lambda time": took * megabytes / 1024})["Lambda time"]
        cells.append((f"{megabytes:,} MB", f"{1000 * took:.0f} ms", _cents(spent)))
    return Detail(
        "Memory against time and dollars of one warm job (Bria): most of it is waiting, which memory does not speed",
        ("memory", "its functions take", "Lambda time, $ per 1,000 pictures"),
        tuple(cells),
    )


def _time(model: str, jobs: Sequence[Sequence[Invocation]]) -> tuple[str, ...]:
    cpu = spread(1000 * sum(one.cpu for one in job) for job in jobs).median
    waits = spread(1000 * sum(one.waited for one in job) for job in jobs).median
    billed = spread(1000 * sum(cost_usage.seconds(one) for one in job) for job in jobs).median
    calls = [call for one in jobs[-1] for call in one.calls]
    names = Counter(one.function for one in jobs[-1])
    return (
        model,
        ", ".join(f"{count} {name}" for name, count in names.items()),
        f"{cpu:.0f} ms",
        f"{waits:.0f} ms",
        f"{billed:.0f} ms",
        f"{sum(call.sent for call in calls) / 1000:.0f} kB",
        f"{sum(call.received for call in calls) / 1000:.0f} kB",
        f"{sum(one.logged for one in jobs[-1]) / 1000:.1f} kB",
    )


def _notes(
    bills: Mapping[str, Mapping[str, float]],
    lines: Sequence[str],
    total: Mapping[str, float],
    used: Mapping[str, Mapping[str, float]],
) -> tuple[str, ...]:
    dearest = max(total, key=lambda model: total[model])
    bill = bills[dearest]
    waiting = thousand({"Lambda time": 0.1})["Lambda time"]
    notes = [
        f"Where the money of {dearest} goes: "
        + ", ".join(f"{name} {100 * bill[name] / total[dearest]:.0f} %" for name in lines[:6] if name in bill)
        + ".",
        _traces(used[dearest]),
        f"S3 answers in 30 ms here; 100 ms more of waiting cost ${waiting:.4f} per 1,000 pictures.",
    ]
    if total[dearest] > TARGET:
        left, gone = total[dearest], []
        for name in sorted(bill, key=lambda name: -bill[name]):
            if left <= TARGET:
                break
            left -= bill[name]
            gone.append(f"{name} (${bill[name]:.4f})")
        notes.append(
            f"The target is missed by ${total[dearest] - TARGET:.4f} for {dearest}: it would be met without "
            + " and ".join(gone)
            + "."
        )
    return tuple(notes)


def _traces(used: Mapping[str, float]) -> str:
    """How many of a picture's invocations are traced, at which rate, and what of it is free."""
    some, every = (
        thousand(one)["traces"] for one in (cost_usage.sampled(used, PICTURES_A_DAY), {"traces": used["traces"]})
    )
    swept = 60 * prices.HOURS_A_MONTH
    free = (prices.FREE_TRACES - swept) / used["traces"]
    return (
        "X-Ray records the first invocation of each second and one of twenty of the others, taken here of each "
        f"function by itself: of {PICTURES_A_DAY / 1e6:.0f} million pictures a day "
        f"{100 * prices.traced(PICTURES_A_DAY / cost_usage.DAY):.0f} % of the invocations, ${some:.4f} per 1,000 "
        f"pictures. The dearest rate is one invocation a second, {cost_usage.DAY:,.0f} pictures a day: all are "
        f"recorded, ${every:.4f}. The first {prices.FREE_TRACES:,} traces of a month are free, which is not taken off: "
        f"beside the sweeps' {swept:,.0f} those of {free:,.0f} pictures."
    )


def _cents(dollars: float) -> str:
    return f"{dollars:.4f}"


def _plain(dollars: float) -> str:
    return f"{dollars:.10f}".rstrip("0").rstrip(".")
