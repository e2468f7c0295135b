"""Drawings for docs/performance.md, all in one manner.

Promises an SVG with labelled axes that reads on a light and on a dark page, and the same bytes for the same figures.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from report import DOCS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

FOLDER = DOCS / "performance"
OURS, FLOOR, THIRD, LIMIT = "#1f6feb", "#9aa4b0", "#e8a33d", "#c93c37"
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e8ec",
    "svg.hashsalt": "backdrop",  # else every run gives other ids
    "svg.fonttype": "path",
}


@contextmanager
def drawing(name: str, x: str, y: str, *, width: float = 8, height: float = 4) -> Iterator[Axes]:
    """Axes to draw on, saved afterwards as docs/performance/`name`.svg. `x` and `y` are their labels, with units.

    Name it in a section as `Plot(plots.file(name), caption)`.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        yield axes
        FOLDER.mkdir(exist_ok=True)
        figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})


def legend(axes: Axes) -> None:
    """Name what is drawn, above the axes, where it covers nothing."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=4, frameon=False)


def file(name: str) -> str:
    """What the page calls a drawing."""
    return f"{FOLDER.name}/{name}.svg"
