"""What `make bench` says: sections of figures, as a table on the terminal, as JSON, and as docs/performance.md.

Promises that every figure stands with its unit, its spread, how many times it was measured and against what, and that
the page is made of docs/performance.json and two texts (page.md, improvements.md) and of nothing else, so that a
partial run rewrites its own section and no other. Refuses a target without a figure.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs"
KEPT = DOCS / "performance.json"
PAGE = DOCS / "performance.md"


@dataclass(frozen=True, slots=True)
class Spread:
    """A measured number: the median of `runs` values, the least and the most of them."""

    median: float
    least: float
    most: float
    runs: int


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `unit` is empty for a ratio; `value` is a float when it was counted or computed, not measured.

    `at_most` and `at_least` are its target; with neither it is reported and not judged. `how` is one clause: what was
    divided by what, or how it was counted.
    """

    label: str
    value: Spread | float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    how: str = ""

    @property
    def figure(self) -> float:
        """The number that is judged."""
        return self.value.median if isinstance(self.value, Spread) else self.value

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None when there is none."""
        if self.at_most is None and self.at_least is None:
            return None
        below = self.at_most is None or self.figure <= self.at_most
        return below and (self.at_least is None or self.figure >= self.at_least)

    @property
    def target(self) -> str:
        """The target in words, or nothing."""
        words = [("at most", self.at_most), ("at least", self.at_least)]
        return ", ".join(f"{word} {number(limit)}{_after(self.unit)}" for word, limit in words if limit is not None)

    @property
    def shown(self) -> str:
        """The figure with its unit and its spread."""
        if not isinstance(self.value, Spread):
            return f"{number(self.value)}{_after(self.unit)}"
        one = self.value
        return f"{number(one.median)}{_after(self.unit)} ({number(one.least)} to {number(one.most)}, n={one.runs})"


@dataclass(frozen=True, slots=True)
class Detail:
    """A table beside the figures: what a figure is made of. The cells are text."""

    title: str
    heads: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing in docs/performance/, made by `plots.drawing`."""

    file: str
    caption: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report. `against` says in a sentence what it is measured against, and how often."""

    title: str
    against: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    details: tuple[Detail, ...] = ()
    plots: tuple[Plot, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """A section as it is kept: on which day and machine, how loaded by others, and in how many seconds."""

    section: Section
    day: str
    machine: str
    load: float
    seconds: float


_KEPT = TypeAdapter(dict[str, Measured])


def spread(values: Iterable[float]) -> Spread:
    """The median and the ends of measured values.

    Raises:
        statistics.StatisticsError: there are none.
    """
    told = list(values)
    return Spread(statistics.median(told), min(told), max(told), len(told))


def ratios(ours: Sequence[float], floors: Sequence[float]) -> Spread:
    """Of runs made in turn, each divided by its own floor: what the machine did meanwhile touches both.

    Raises:
        ValueError: they are no pairs.
    """
    return spread(one / floor for one, floor in zip(ours, floors, strict=True))


def number(value: float) -> str:
    """A number as a person reads it: three digits that count, never an exponent."""
    if value == int(value) and abs(value) < 1e15:  # beyond it a float has no units to show
        return f"{int(value):,}"
    size = abs(value)
    places = next(
        (places for least, places in ((100, 0), (10, 1), (0.1, 2), (0.01, 3), (0.001, 4)) if size >= least), 6
    )
    return f"{value:,.{places}f}"


def _after(unit: str) -> str:
    return f" {unit}" if unit else ""


def read(path: Path = KEPT) -> dict[str, Measured]:
    """What is kept of earlier runs, by part; nothing when there is no file."""
    return _KEPT.validate_json(path.read_bytes()) if path.exists() else {}


def write(kept: Mapping[str, Measured], order: Sequence[str]) -> None:
    """Keep the sections and write the page anew, in the given order; a part that is not in `order` goes."""
    sorted_ = {part: kept[part] for part in order if part in kept}
    KEPT.write_bytes(_KEPT.dump_json(sorted_, indent=1) + b"\n")
    PAGE.write_text(page(sorted_), encoding="utf-8")


def page(kept: Mapping[str, Measured]) -> str:
    """docs/performance.md."""
    text = (HERE / "page.md").read_text(encoding="utf-8")
    parts = {
        "machine": "\n".join(f"- {machine}" for machine in dict.fromkeys(one.machine for one in kept.values())),
        "targets": _targets(kept),
        "sections": "\n".join(_section(measured) for measured in kept.values()).rstrip("\n"),
        "improvements": (HERE / "improvements.md").read_text(encoding="utf-8").rstrip("\n"),
    }
    for name, part in parts.items():
        text = text.replace(f"{{{{{name}}}}}", part)
    return text


def _targets(kept: Mapping[str, Measured]) -> str:
    cells = [
        (measured.section.title, row.label, row.shown, row.target, "met" if row.met else "**missed**")
        for measured in kept.values()
        for row in measured.section.rows
        if row.met is not None
    ]
    return _table(("part", "figure", "measured", "target", ""), cells)


def _section(measured: Measured) -> str:
    section = measured.section
    rows = [(row.label, row.shown, row.target, _verdict(row), row.how) for row in section.rows]
    parts = [f"### {section.title}", section.against, _table(("", "measured", "target", "", "how"), rows)]
    parts += [f"![{plot.caption}]({plot.file})\n\n*{plot.caption}*" for plot in section.plots]
    parts += [f"{detail.title}:\n\n{_table(detail.heads, detail.cells)}" for detail in section.details]
    parts += ["\n".join(f"- {' '.join(note.split())}" for note in section.notes)] if section.notes else []
    told = (
        f"Measured on {measured.day} in {measured.seconds:.0f} s; load of the machine before it: {measured.load:.1f}."
    )
    return "\n\n".join([*parts, told]) + "\n"


def _verdict(row: Row) -> str:
    return {True: "met", False: "**missed**", None: ""}[row.met]


def _table(heads: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *cells]
    return "\n".join(f"| {' | '.join(cell.replace('|', '\\|') for cell in line)} |" for line in lines)


def show(console: Console, section: Section) -> None:
    """Print a section's figures and details."""
    table = Table(title=section.title, title_justify="left", caption=section.against, caption_justify="left")
    for head in ("", "measured", "target", "", "how"):
        table.add_column(head)
    for row in section.rows:
        colour = {True: "green", False: "red", None: ""}[row.met]
        table.add_row(row.label, row.shown, row.target, _verdict(row).strip("*"), row.how, style=colour)
    console.print(table)
    for detail in section.details:
        inner = Table(title=detail.title, title_justify="left")
        for head in detail.heads:
            inner.add_column(head)
        for cells in detail.cells:
            inner.add_row(*cells)
        console.print(inner)
    for note in section.notes:
        console.print(f"- {' '.join(note.split())}", markup=False)
