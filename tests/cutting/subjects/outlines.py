"""Outlines of simple shapes.

Promises lists of (x, y), y downwards, in the unit of their arguments; angles are degrees, clockwise from the right.
Knows nothing of pixels or colours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backdrop_cli.photos.paint import curve

if TYPE_CHECKING:
    from backdrop_cli.photos.paint import Points

type Pair = tuple[float, float]


def arc(centre: Pair, radii: Pair, start: float = 0.0, end: float = 360.0) -> Points:
    """Return the points of a part of an ellipse from one angle to another."""
    angle = np.radians(np.linspace(start, end, max(8, round(abs(end - start) / 4))))
    return [(centre[0] + radii[0] * float(np.cos(a)), centre[1] + radii[1] * float(np.sin(a))) for a in angle]


def outward(angle: float, reach: float) -> Pair:
    """Return the point at an angle, `reach` away from the middle."""
    return reach * float(np.cos(np.radians(angle))), reach * float(np.sin(np.radians(angle)))


def oval(centre: Pair, radii: Pair, turn: float = 0.0) -> Points:
    """Return an ellipse turned by `turn` degrees."""
    c, s = float(np.cos(np.radians(turn))), float(np.sin(np.radians(turn)))
    flat = arc((0.0, 0.0), radii)[:-1]
    return [(centre[0] + c * x - s * y, centre[1] + s * x + c * y) for x, y in flat]


def sector(centre: Pair, radii: Pair, start: float, end: float) -> Points:
    """Return the slice of an ellipse between two angles."""
    return [centre, *arc(centre, radii, start, end)]


def bar(upper: Pair, lower: Pair, corner: float = 0.0) -> Points:
    """Return the rectangle from its upper left to its lower right, its corners rounded by `corner`."""
    (left, top), (right, bottom) = upper, lower
    q = min(corner, (right - left) / 2, (bottom - top) / 2)
    if q <= 0:
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    return [
        *arc((right - q, top + q), (q, q), 270, 360),
        *arc((right - q, bottom - q), (q, q), 0, 90),
        *arc((left + q, bottom - q), (q, q), 90, 180),
        *arc((left + q, top + q), (q, q), 180, 270),
    ]


def mirrored(half: Points) -> Points:
    """Return the closed outline whose right half, from top to bottom, is given."""
    return [*half, *((-x, y) for x, y in half[::-1])]


def smooth(points: Points) -> Points:
    """Return the smooth closed outline through the points."""
    return curve(points, steps=10)


def bent(points: Points) -> Points:
    """Return the smooth open line through the points."""
    return curve(points, closed=False, steps=10)
