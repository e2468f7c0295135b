"""What the region of a small photo is like in which a cell lies: sides of one colour, finely and coarsely cut.

A cell alone is often like its ground; the thing it is part of is not. Promises labels from 0 up at the cells' size and
planes under fixed names, the same for the same photo. Refuses nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np

from backdrop_cli.pixels.arrays import Plane, grid

# How loosely regions hold together (in Lab steps times cells) and the least that one has, in cells.
_SCALES = ((40, 6), (120, 10), (400, 16))
_MEANS = (
    *("strange", "unlike", "reach", "central", "enclosed", "travelled ratio", "every 0.5", "off the fit"),
    *("colour at the border", "side below", "side most", "enclosed or standing"),
)

type _Named = Iterator[tuple[str, Plane]]


def regions_of(lab: Plane) -> tuple[Any, ...]:
    """Return the labels (int, of the cells' size) of a photo's regions, from the finest to the coarsest cut."""
    return tuple(segments(lab, loose, least) for loose, least in _SCALES)


def segments(lab: Plane, loose: float, least: int) -> Any:
    """Return the label of each cell's region (Felzenszwalb and Huttenlocher 2004).

    Two regions become one over a step that is no higher than those within either, by a tolerance that shrinks as they
    grow: `loose` over the number of cells. Those with fewer than `least` cells join a neighbour.
    """
    rows, columns = lab.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    across = np.linalg.norm(np.diff(lab, axis=1), axis=2).ravel()
    down = np.linalg.norm(np.diff(lab, axis=0), axis=2).ravel()
    steps = np.concatenate([across, down])
    ends = np.concatenate([_ends(index[:, :-1], index[:, 1:]), _ends(index[:-1], index[1:])])
    order = np.argsort(steps, kind="stable")
    forest = _Forest(rows * columns)
    tolerated = [float(loose)] * (rows * columns)
    left = []
    for (one, other), step in zip(ends[order].tolist(), steps[order].tolist(), strict=True):
        first, second = forest.root(one), forest.root(other)
        if first == second:
            continue
        if step <= tolerated[first] and step <= tolerated[second]:
            forest.join(first, second)
            tolerated[first] = step + loose / forest.size[first]
        else:
            left.append((first, second))
    for one, other in left:
        first, second = forest.root(one), forest.root(other)
        if first != second and min(forest.size[first], forest.size[second]) < least:
            forest.join(first, second)
    roots = np.array([forest.root(cell) for cell in range(rows * columns)])
    return np.unique(roots, return_inverse=True)[1].reshape(rows, columns)


def _ends(one: Any, other: Any) -> Any:
    return np.stack([one.ravel(), other.ravel()], axis=1)


class _Forest:
    """Cells joined to regions, each known by its root."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))
        self.size = [1] * count

    def root(self, cell: int) -> int:
        parent = self._parent
        while parent[cell] != cell:
            parent[cell] = cell = parent[parent[cell]]
        return cell

    def join(self, root: int, other: int) -> None:
        self._parent[other] = root
        self.size[root] += self.size[other]


class _Cut:
    """One cut of a photo into regions, and what a region is told by."""

    def __init__(self, labels: Any) -> None:
        self.labels = labels
        self.flat = labels.ravel()
        self.count = int(labels.max()) + 1
        self.size = np.bincount(self.flat, minlength=self.count).astype(np.float64)
        pairs = (_ends(labels[:, :-1], labels[:, 1:]), _ends(labels[:-1], labels[1:]))
        outline = np.concatenate([ends[ends[:, 0] != ends[:, 1]] for ends in pairs])
        # Every side between two cells of different regions, once from each.
        self.here = np.concatenate([outline[:, 0], outline[:, 1]])
        self.there = np.concatenate([outline[:, 1], outline[:, 0]])
        self.sides = np.bincount(self.here, minlength=self.count)

    def total(self, plane: Any) -> Any:
        return np.bincount(self.flat, np.asarray(plane).ravel(), minlength=self.count)

    def mean(self, plane: Any) -> Any:
        return self.total(plane) / self.size

    def over_sides(self, values: Any) -> Any:
        """Return each region's mean of what stands at its sides; 0 for a region that has none."""
        return np.bincount(self.here, values, minlength=self.count) / np.maximum(1, self.sides)

    def spread(self, values: Any) -> Plane:
        """Return each region's value in all its cells."""
        return cast("Plane", values[self.labels].astype(np.float32))


def like_its_region(lab: Plane, regions: tuple[Any, ...], named: Mapping[str, Plane]) -> _Named:
    """Yield what each cell's region is like; `lab` is of the cells' size, `named` the cells' other measurements."""
    for number, labels in enumerate(regions):
        cut = _Cut(labels)
        for measure in (_form(cut), _colours(cut, lab)):
            for name, values in measure:
                yield f"region {number} {name}", cut.spread(values)
        for name in _MEANS:
            yield f"region {number} {name}", cut.spread(cut.mean(named[name]))


def _form(cut: _Cut) -> Iterator[tuple[str, Any]]:
    """Yield a region's size, how much of the frame it holds, where it lies, how far it extends, how ragged it is."""
    rows, columns = cut.labels.shape
    above = _frame(rows, columns)
    whole = above.copy()
    whole[-1] = True
    yield "size", np.log(cut.size / cut.flat.size)
    yield "at the frame", cut.total(whole) / np.sqrt(cut.size)
    yield "at the frame above", cut.total(above) / np.sqrt(cut.size)
    x, y = grid(columns, rows)
    across, down = cut.mean(x), cut.mean(y)
    yield "away", np.hypot(across - 0.5, down - 0.5)
    yield "extent", np.sqrt(np.maximum(0, cut.mean(x * x) - across**2 + cut.mean(y * y) - down**2))
    yield "ragged", np.log((cut.sides + 1) / np.sqrt(cut.size))


def _frame(rows: int, columns: int) -> Any:
    """Return the frame without its lower side: what stands there is no ground."""
    frame = np.ones((rows, columns), bool)
    frame[1:, 1:-1] = False
    return frame


def _colours(cut: _Cut, lab: Plane) -> Iterator[tuple[str, Any]]:
    """Yield a region's texture, its step to its neighbours, its contrast to all others, and how new it is to the frame.

    Contrast counts near and large regions more (Jiang and others 2013).
    """
    rows, columns = cut.labels.shape
    means = np.stack([cut.mean(lab[:, :, channel]) for channel in range(3)], axis=1)
    square = sum(cut.mean(lab[:, :, channel] ** 2) - means[:, channel] ** 2 for channel in range(3))
    yield "texture", np.sqrt(np.maximum(0, square))
    yield "step", cut.over_sides(np.linalg.norm(means[cut.here] - means[cut.there], axis=1))
    x, y = grid(columns, rows)
    across, down = cut.mean(x), cut.mean(y)
    large = np.argsort(-cut.size, kind="stable")[:200]
    apart = np.linalg.norm(means[:, None] - means[None, large], axis=2)
    away = (across[:, None] - across[None, large]) ** 2 + (down[:, None] - down[None, large]) ** 2
    weight = cut.size[large] * np.exp(-away / 0.1)
    yield "contrast", (apart * weight).sum(axis=1) / weight.sum(axis=1)
    held = cut.total(_frame(rows, columns))
    at_frame = np.argsort(-held, kind="stable")[:60]
    alike = np.exp(-np.linalg.norm(means[:, None] - means[None, at_frame], axis=2) / 10)
    yield "at the frame by colour", (alike * held[at_frame]).sum(axis=1) / max(1.0, held[at_frame].sum())


def odds_of_regions(odds: Plane, regions: tuple[Any, ...]) -> _Named:
    """Yield of each cell's region the mean odds, those of its neighbours along its outline, and the likeliest one's."""
    for number, labels in enumerate(regions):
        cut = _Cut(labels)
        means = cut.mean(odds)
        most = np.full(cut.count, -9.0)
        np.maximum.at(most, cut.here, means[cut.there])
        yield f"region {number} odds", cut.spread(means)
        yield (
            f"region {number} odds around",
            cut.spread(np.where(cut.sides > 0, cut.over_sides(means[cut.there]), means)),
        )
        yield f"region {number} odds of the likeliest around", cut.spread(most)
