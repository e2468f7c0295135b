"""Plain shapes of one or two colours.

Each function draws one subject, its proportions and colours at random, on a canvas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from subjects.materials import between, tint
from subjects.outlines import bar, oval

if TYPE_CHECKING:
    from subjects.canvas import Canvas


def disc(canvas: Canvas, random: np.random.Generator) -> None:
    """A disc, or nearly one."""
    radius = between(random, 0.6, 0.95)
    canvas.fill(oval((0, 0), (radius, radius * between(random, 0.85, 1))), tint(random))


def ellipse(canvas: Canvas, random: np.random.Generator) -> None:
    """A turned ellipse."""
    radii = between(random, 0.7, 1.1), between(random, 0.35, 0.9)
    canvas.fill(oval((0, 0), radii, between(random, 0, 180)), tint(random))


def polygon(canvas: Canvas, random: np.random.Generator) -> None:
    """A figure of five to eight corners."""
    count = int(random.integers(5, 9))
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False) + random.uniform(-0.2, 0.2, count)
    reach = random.uniform(0.65, 1.1, count)
    canvas.fill([(float(r * np.cos(a)), float(r * np.sin(a))) for r, a in zip(reach, angle, strict=True)], tint(random))


def star(canvas: Canvas, random: np.random.Generator) -> None:
    """A star of five to nine points."""
    count = int(random.integers(5, 10))
    angle = np.arange(2 * count) * np.pi / count + between(random, 0, 1)
    reach = np.where(np.arange(2 * count) % 2, 1.05, random.uniform(0.5, 0.7, 2 * count))
    canvas.fill([(float(r * np.sin(a)), float(r * np.cos(a))) for r, a in zip(reach, angle, strict=True)], tint(random))


def blobs(canvas: Canvas, random: np.random.Generator) -> None:
    """Five discs of one colour, grown together."""
    colour = tint(random)
    for _ in range(5):
        radius = between(random, 0.3, 0.6)
        canvas.fill(oval((between(random, -0.4, 0.4), between(random, -0.4, 0.4)), (radius, radius)), colour)


def ring(canvas: Canvas, random: np.random.Generator) -> None:
    """A ring; what lies behind shows through it."""
    outer, inner = between(random, 0.8, 1.0), between(random, 0.4, 0.65)
    canvas.fill(oval((0, 0), (outer, outer)), tint(random))
    canvas.cut(oval((0, 0), (inner, inner)))


def box(canvas: Canvas, random: np.random.Generator) -> None:
    """A rectangle, often with a spot."""
    half, tall = between(random, 0.5, 1.0), between(random, 0.5, 0.95)
    canvas.fill(bar((-half, -tall), (half, tall)), tint(random))
    _spot(canvas, random, half, tall)


def cushion(canvas: Canvas, random: np.random.Generator) -> None:
    """A rectangle with round corners, often with a spot."""
    half, tall = between(random, 0.5, 0.9), between(random, 0.6, 1.0)
    canvas.fill(bar((-half, -tall), (half, tall), min(half, tall) * between(random, 0.2, 0.6)), tint(random))
    _spot(canvas, random, half, tall)


def _spot(canvas: Canvas, random: np.random.Generator, half: float, tall: float) -> None:
    if random.random() < 0.5:
        canvas.mark(oval((0, 0), (0.5 * half, 0.45 * tall)), tint(random))
