"""From a drawing to a painter: a place in the frame, the drawing on a canvas there, a material.

Promises that the same height, width and generator give the same subject.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from subjects.canvas import Canvas, Painted, Place
from subjects.materials import between, dress

if TYPE_CHECKING:
    type Drawing = Callable[[Canvas, np.random.Generator], None]

type Painter = Callable[[int, int, np.random.Generator], Painted]


def placed(height: int, width: int, random: np.random.Generator, turn: float = 0.0) -> Place:
    """Return a place near the middle, or in one of ten cases so near a side or the lower edge that most subjects leave.

    The subject is turned by up to `turn` degrees either way.
    """
    radius = min(height, width) * between(random, 0.22, 0.36)
    x, y = width * between(random, 0.36, 0.64), height * between(random, 0.42, 0.6)
    if random.random() < 0.1:
        edge, inside = int(random.integers(3)), radius * between(random, 0.2, 0.7)
        x = (inside, width - inside, x)[edge]
        y = height - inside if edge == 2 else y
    return Place(x, y, radius, between(random, -turn, turn), _side(random))


def standing(height: int, width: int, random: np.random.Generator) -> Place:
    """Return the place of the head of a person who reaches down to the frame's lower edge."""
    radius = min(height * between(random, 0.22, 0.3), width * 0.36)
    return Place(width * between(random, 0.36, 0.64), height * between(random, 0.38, 0.44), radius, 0.0, _side(random))


def painter(drawing: Drawing, turn: float = 0.0, *, stands: bool = False) -> Painter:
    """Return the painter of a drawing, turned by up to `turn` degrees; one that `stands` reaches the lower edge."""

    def paint(height: int, width: int, random: np.random.Generator) -> Painted:
        place = standing(height, width, random) if stands else placed(height, width, random, turn)
        canvas = Canvas(height, width, place)
        drawing(canvas, random)
        return dress(canvas.painted(), random)

    return paint


def _side(random: np.random.Generator) -> int:
    return 1 if random.random() < 0.5 else -1
