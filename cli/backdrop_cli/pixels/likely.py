"""How likely each cell of a small photo belongs to the subject.

Promises log-odds at the cells' size: first by what each cell and its regions are like, then twice more with what the
answer before says of the cell's colours, regions and surroundings. The same photo gives the same answer. Refuses
nothing.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

from collections.abc import Iterator
from typing import Any, Final, cast

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Plane, blur
from backdrop_cli.pixels.cells import Cells
from backdrop_cli.pixels.fields import density
from backdrop_cli.pixels.regions import odds_of_regions
from backdrop_cli.pixels.segment import main_parts
from backdrop_cli.pixels.trees import trees

AGAIN: Final = ("again", "finally")


def likely(cells: Cells) -> Plane:
    """Return the log-odds that a cell is the subject's."""
    odds = trees("cells")(cells.named)
    for step in AGAIN:
        odds = trees(step)(cells.named | dict(again(odds, cells)))
    return odds


def share(odds: Plane) -> Plane:
    """Return the probability, 0 to 1, of log-odds."""
    return cast("Plane", 1 / (1 + np.exp(-odds)))


def again(odds: Plane, cells: Cells) -> Iterator[tuple[str, Plane]]:
    """Yield what an earlier answer says about each cell."""
    odds, chance = np.clip(odds, -6, 6), share(odds)
    for sigma in (0, 1.5, 4, 10):
        yield f"first {sigma}", blur(odds, sigma)
    yield from odds_of_regions(odds, cells.regions)
    yield from _colours(chance, cells.bins)
    yield from _lines(blur(chance, 1))
    yield from _figure(chance)


def _colours(chance: Plane, bins: Any) -> Iterator[tuple[str, Plane]]:
    """How much more the subject has of the cell's colour than the ground, and than the ground near the subject."""
    ours = density(bins, chance**2)
    for name, theirs, sigmas in (
        ("own colour", density(bins, (1 - chance) ** 2), (0, 2, 5)),
        ("own colour nearby", density(bins, blur(chance, 8) * (1 - chance)), (0, 2)),
    ):
        odds = np.clip(np.log((ours + 2e-6) / (theirs + 2e-6)), -5, 5)[bins]
        for sigma in sigmas:
            yield f"{name} {sigma}", blur(odds, sigma)


def _lines(chance: Plane) -> Iterator[tuple[str, Plane]]:
    """How much of the subject lies on both sides of the cell, above it and below it."""
    left, above = np.maximum.accumulate(chance, axis=1), np.maximum.accumulate(chance, axis=0)
    right = np.maximum.accumulate(chance[:, ::-1], axis=1)[:, ::-1]
    below = np.maximum.accumulate(chance[::-1], axis=0)[::-1]
    yield from (("between across", np.minimum(left, right)), ("between down", np.minimum(above, below)))
    yield from (("above", above), ("below", below))
    height, width = chance.shape
    left, above = np.cumsum(chance, axis=1) / width, np.cumsum(chance, axis=0) / height
    right = np.cumsum(chance[:, ::-1], axis=1)[:, ::-1] / width
    below = np.cumsum(chance[::-1], axis=0)[::-1] / height
    yield from (("amid across", np.minimum(left, right)), ("amid down", np.minimum(above, below)))


def _figure(chance: Plane) -> Iterator[tuple[str, Plane]]:
    """Where the cell lies in the likely figure as a whole, and what that is like."""
    height, width = chance.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    total = float(chance.sum()) + 1e-3
    middle_x, middle_y = float((chance * x).sum()) / total, float((chance * y).sum()) / total
    wide = np.sqrt(float((chance * (x - middle_x) ** 2).sum()) / total + 1)
    tall = np.sqrt(float((chance * (y - middle_y) ** 2).sum()) / total + 1)
    across, down = (x - middle_x) / wide, (y - middle_y) / tall
    yield from (("from its middle", np.abs(across)), ("below its middle", down), ("off it", np.hypot(across, down)))
    ones = np.ones_like(chance)
    yield from (("size", ones * chance.mean()), ("sureness", ones * np.abs(chance - 0.5).mean()))
    yield from (("at the foot", ones * chance[-2:].mean()), ("at the top", ones * chance[:2].mean()))
    main, _ = main_parts(chance > 0.5, 0.2)
    outside = cv2.distanceTransform((~main).astype(np.uint8), cv2.DIST_L2, 3) if main.any() else ones * 60
    yield "in the main part", main.astype(np.float32)
    yield "to the main part", np.minimum(outside, 60)
    yield "depth", cv2.distanceTransform(main.astype(np.uint8), cv2.DIST_L2, 3)
