"""What each cell of a small photo is like: the measurements by which a subject is told from its ground.

A cell is a square of four pixels a side. Promises planes of the cells' size under fixed names, in a fixed order, the
same for the same photo; none of them knows what a thing is, each says how a place compares with the photo's border,
its middle or its surroundings. Refuses nothing; a photo needs four cells a side.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane, grid, resize
from backdrop_cli.pixels.border import ring
from backdrop_cli.pixels.fields import bins_of, density, edges, lab_of, quadratic, smoothed
from backdrop_cli.pixels.focus import Focus
from backdrop_cli.pixels.regions import like_its_region, regions_of
from backdrop_cli.pixels.segment import larger_than_ground, reach
from backdrop_cli.pixels.windows import unlike_border

CELL = 4
_UNUSUAL = 3e-4  # a colour of this share of the border is neither common nor strange there
_GROUPS = 16

type _Named = Iterator[tuple[str, Plane]]


class Cells(NamedTuple):
    """A photo's cells: the measurements by name, the colour bin of each, and the labels of its regions."""

    named: dict[str, Plane]
    bins: Any
    regions: tuple[Any, ...]


@dataclass(frozen=True)
class _Seen:
    """A small photo and what every measurement needs of it; `border` is where it shows ground and nothing else."""

    lab: Plane
    smooth: Plane
    bins: Any
    sharp: Plane
    every: Plane
    start: Mask
    border: Mask
    focus: Focus

    @property
    def size(self) -> tuple[int, int]:
        """The number of cells across and down."""
        height, width = self.start.shape
        return width // CELL, height // CELL

    def cells(self, plane: Any) -> Plane:
        """Return the plane's mean in each cell."""
        return cast("Plane", resize(np.ascontiguousarray(plane, dtype=np.float32), *self.size))

    def at_border(self, of: Callable[[Plane], Any], plane: Plane, otherwise: float) -> float:
        """Return a statistic of the plane where the border is ground."""
        return float(of(plane[self.border])) if self.border.any() else otherwise


def cells_of(small: Pixels, start: Mask, focus: Focus) -> Cells:
    """Return what the cells of a photo at working size are like; `start` is the border that is surely ground."""
    lab = lab_of(small)
    sharp, every = edges(lab)
    height, width = start.shape
    smooth = smoothed(lab)
    wide = max(3, round(min(height, width) * 0.06))
    near = cv2.dilate(start.astype(np.uint8), np.ones((2 * wide + 1, 2 * wide + 1), np.uint8)) > 0
    border = ring(height, width, 0.06) & near
    seen = _Seen(lab, smooth, bins_of(smooth), sharp, every, start, border, focus)
    measures = (_place, _colours, _windows, _edges, _contrast, _unreached, _enclosed, _focus, _groups, _whole)
    named = {name: plane for measure in measures for name, plane in measure(seen)}
    reduced = seen.cells(smooth)
    regions = regions_of(reduced)
    named.update(like_its_region(reduced, regions, named))
    return Cells(named, bins_of(reduced), regions)


def _soft(plane: Any, sigma: float) -> Plane:
    return cv2.GaussianBlur(np.asarray(plane, np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def _place(seen: _Seen) -> _Named:
    """Where the cell lies: most subjects are near the middle, some stand on the lower border."""
    x, y = grid(*seen.size)
    yield "aside", np.abs(x - 0.5)
    yield "down", y
    yield "away", np.hypot(x - 0.5, y - 0.5)


def _colours(seen: _Seen) -> _Named:
    """How strange the colours are to the border, to each of its sides, and how much the middle's own."""
    height, width = seen.start.shape

    def strange(where: Any) -> Plane:
        share = density(seen.bins, where)[seen.bins]
        return seen.cells(np.clip(np.log(_UNUSUAL / (share + 1e-6)), -3, 3))

    to_border = strange(seen.border)
    for name, sigma in (("", 0.4), (" near", 1.2), (" wide", 3.5)):
        yield "strange" + name, _soft(to_border, sigma)
    wide = max(3, round(min(height, width) * 0.06))
    sides = []
    for side in (np.s_[:wide], np.s_[:, :wide], np.s_[:, -wide:], np.s_[-wide:]):
        where = np.zeros((height, width), np.float32)
        where[side] = 1
        sides.append(_soft(strange(where), 0.8))
    # A thing that leaves the frame does so on one side, mostly below: that side is told from the others.
    least, middling, most = np.sort(np.stack(sides[:3]), axis=0)
    yield from (("side least", least), ("side middling", middling), ("side most", most), ("side below", sides[3]))
    x, y = grid(width, height)
    heart = np.exp(-((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.05)
    central, common = density(seen.bins, heart), density(seen.bins, np.ones_like(heart))
    odds = seen.cells(np.clip(np.log((central + 1e-6) / (common + 1e-6)), -3, 3)[seen.bins])
    yield "central", _soft(odds, 0.5)
    yield "central wide", _soft(odds, 2)


def _windows(seen: _Seen) -> _Named:
    """How unlike the border's windows the window around the cell is."""
    unlike = unlike_border(seen.lab, seen.start)
    yield "unlike", seen.cells(unlike)
    yield "unlike ratio", seen.cells(unlike / (seen.at_border(lambda some: np.percentile(some, 90), unlike, 1) + 1e-3))


def _edges(seen: _Seen) -> _Named:
    """How many edges there are, in relation to the border's."""
    for name, plane in (("sharp", seen.sharp), ("every", seen.every)):
        usual = seen.at_border(np.mean, plane, 1) + 0.1
        reduced = seen.cells(plane)
        for sigma in (0.5, 1.5, 4):
            yield f"{name} {sigma}", np.log((_soft(reduced, sigma) + 0.1) / usual)


def _contrast(seen: _Seen) -> _Named:
    """How a place differs from its surroundings, and how colourful and light it is."""
    reduced = seen.cells(seen.lab)
    for near, far in ((0.75, 3), (1.5, 6), (3, 12)):
        yield f"contrast {near}", np.linalg.norm(_soft(reduced, near) - _soft(reduced, far), axis=2)
    soft = _soft(reduced, 0.75)
    yield "chroma", np.hypot(soft[:, :, 1], soft[:, :, 2])
    yield "light", soft[:, :, 0]
    away = np.linalg.norm(seen.lab - quadratic(seen.lab, seen.start), axis=2)
    yield "off the fit", _soft(seen.cells(away), 0.5)


def _unreached(seen: _Seen) -> _Named:
    """How hard it is for the ground to get there from the border: over edges, and by colour from cell to cell."""
    yield "reach", seen.cells(np.log(reach(seen.sharp, seen.start)))
    yield "piece", _soft(seen.cells(larger_than_ground(seen.sharp, seen.start)), 0.5)
    travelled = _travelled(seen.cells(seen.smooth), seen.cells(seen.start) > 0.05)
    yield "travelled", np.minimum(travelled, 300)
    yield "travelled ratio", travelled / (np.percentile(travelled, 95) + 1e-3)


def _travelled(lab: Plane, start: Mask) -> Plane:
    """Return the least sum of colour steps from `start`, steps below three Lab units nearly free (Bellman and Ford)."""
    total = np.where(start, 0, 1e4).astype(np.float32)
    across = np.maximum(np.linalg.norm(np.diff(lab, axis=1), axis=2) - 3, 0) + 0.02
    down = np.maximum(np.linalg.norm(np.diff(lab, axis=0), axis=2) - 3, 0) + 0.02
    for _ in range(220):
        before = total.copy()
        np.minimum(total[:, 1:], total[:, :-1] + across, out=total[:, 1:])
        np.minimum(total[:, :-1], total[:, 1:] + across, out=total[:, :-1])
        np.minimum(total[1:], total[:-1] + down, out=total[1:])
        np.minimum(total[:-1], total[1:] + down, out=total[:-1])
        if float(np.abs(before - total).max()) < 1e-3:
            break
    return total


def _enclosed(seen: _Seen) -> _Named:
    """How often the cell lies in a patch that does not touch the frame, over thresholds of Lab (Zhang, Sclaroff 2013).

    A patch that touches the lower border alone is counted apart: people do.
    """
    height, width = seen.start.shape
    size = (max(4, width // 2), max(4, height // 2))
    half = cv2.resize(_soft(seen.lab, 1.5), size, interpolation=cv2.INTER_AREA)
    free, standing, count = np.zeros(size[::-1], np.float32), np.zeros(size[::-1], np.float32), 0
    for channel in range(3):
        plane = half[:, :, channel]
        low, high = np.percentile(plane, (2, 98))
        for level in np.linspace(low, high, 14)[1:-1]:
            for side in (plane > level, plane <= level):
                opened = cv2.morphologyEx(side.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
                _, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
                left, top, across, down, area = (stats[:, column] for column in range(5))
                off = (left > 0) & (left + across < size[0]) & (top > 0) & (area > 0.002 * opened.size)
                off[0] = False
                free += (off & (top + down < size[1]))[labels]
                standing += off[labels]
                count += 1
    enclosed = cv2.resize(free * (4 / count), seen.size, interpolation=cv2.INTER_AREA)
    yield "enclosed", enclosed
    yield "enclosed wide", _soft(enclosed, 2)
    yield "enclosed or standing", cv2.resize(standing * (4 / count), seen.size, interpolation=cv2.INTER_AREA)


def _focus(seen: _Seen) -> _Named:
    """How many edges are crisper than the border's, where the photo's focus tells."""
    focus = seen.focus
    crisp = seen.cells(focus.crisp)
    for sigma in (0.75, 2.25, 6):
        yield f"crisp {sigma}", _soft(crisp, sigma) * focus.telling
    usual = seen.at_border(np.mean, focus.edges, 1) + 0.02
    reduced = seen.cells(focus.edges)
    for sigma in (1, 3.5):
        yield f"in focus {sigma}", np.log((_soft(reduced, sigma) + 0.02) / usual)
    yield "focus", np.full_like(crisp, focus.telling)


def _groups(seen: _Seen) -> _Named:
    """How the cell's colour is spread over the photo, its border and its middle (Perazzi and others 2012)."""
    columns, rows = seen.size
    colours = seen.cells(seen.smooth).reshape(-1, 3)
    cv2.setRNGSeed(1)
    rounds = (cv2.TERM_CRITERIA_MAX_ITER, 8, 0.0)
    _, _, middles = cv2.kmeans(colours, _GROUPS, cast("Any", None), rounds, 1, cv2.KMEANS_PP_CENTERS)
    away = ((colours[:, None] - middles[None]) ** 2).sum(axis=2)
    share = np.exp((away.min(axis=1, keepdims=True) - away) / 128)
    share /= share.sum(axis=1, keepdims=True)
    total = share.sum(axis=0) + 1e-6
    x, y = (plane.ravel() for plane in grid(columns, rows))
    middle_x, middle_y = share.T @ x / total, share.T @ y / total
    spread = share.T @ (x * x + y * y) / total - middle_x**2 - middle_y**2
    border = seen.cells(seen.border).ravel()
    at_border = share.T @ border / total / (border.mean() + 1e-6)
    named = {
        "colour's spread": spread,
        "colour's middle": (middle_x - 0.5) ** 2 + (middle_y - 0.5) ** 2,
        "colour at the border": at_border,
        "colour's share": total / len(colours),
    }
    for name, value in named.items():
        yield name, _soft((share @ value).reshape(rows, columns), 1.2)


def _whole(seen: _Seen) -> _Named:
    """What the photo is like as a whole: how rough its ground is, how many colours its border has."""
    ones = np.ones(seen.size[::-1], np.float32)
    yield "rough", ones * (np.percentile(seen.sharp[seen.start], 95) if seen.start.any() else 9)
    yield "usual edge", ones * np.log(np.median(seen.sharp) + 0.05)
    share = density(seen.bins, seen.border)
    share = share[share > 0]
    yield "colours of the border", ones * -(share * np.log(share)).sum()
