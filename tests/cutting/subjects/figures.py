"""People down to the chest, a cat, a teddy bear.

Each function draws one subject, its proportions and colours at random, on a canvas. People reach down to the frame's
lower edge, so they need a canvas that is not turned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from subjects.materials import between, chosen, dim, grained, sloped, tint
from subjects.outlines import arc, bar, bent, oval, sector, smooth

if TYPE_CHECKING:
    import numpy as np

    from backdrop_cli.photos.paint import Colour
    from subjects.canvas import Canvas

SKINS = ((0.85, 0.65, 0.53), (0.55, 0.38, 0.28), (0.95, 0.78, 0.68), (0.4, 0.27, 0.2), (0.76, 0.55, 0.4))
HAIRS = (
    (0.16, 0.11, 0.08),
    (0.47, 0.31, 0.16),
    (0.08, 0.08, 0.1),
    (0.75, 0.59, 0.35),
    (0.59, 0.24, 0.12),
    (0.62, 0.61, 0.6),
)
FURS = ((0.78, 0.55, 0.31), (0.47, 0.45, 0.43), (0.24, 0.22, 0.22), (0.88, 0.84, 0.78))
BLACK = (0.06, 0.05, 0.05)


def _skin(random: np.random.Generator) -> Colour:
    return dim(chosen(random, SKINS), between(random, 0.85, 1.1))


def _hair(random: np.random.Generator) -> Colour:
    return tint(random) if random.random() < 0.1 else dim(chosen(random, HAIRS), between(random, 0.8, 1.25))


def _face(canvas: Canvas, skin: Colour, wide: float, high: float) -> None:
    """A face around the canvas's centre, `wide` and `high` to each side."""
    canvas.fill(oval((0, 0), (wide, high)), skin, sloped(-0.2))
    for side in (-1, 1):
        x = 0.38 * wide * side
        canvas.mark(oval((x, -0.03), (0.07, 0.035)), BLACK)
        canvas.trace([(x - 0.09, -0.13), (x + 0.09, -0.13)], 0.03, dim(skin, 0.45))
    canvas.trace(bent([(0, 0.0), (0.04, 0.15), (-0.02, 0.17)]), 0.025, dim(skin, 0.75))
    canvas.mark(oval((0, 0.53 * high), (0.27 * wide, 0.04)), (0.62, 0.27, 0.26))


def bust(canvas: Canvas, random: np.random.Generator) -> None:
    """A person with full hair and rounded shoulders."""
    skin, below, wide = _skin(random), canvas.below, between(random, 1.0, 1.3)
    shoulders = [
        (-1.15 * wide, below),
        (-wide, 1.25),
        (-0.4, 0.85),
        (0.4, 0.85),
        (wide, 1.25),
        (1.15 * wide, below),
    ]
    canvas.fill(oval((0, -0.15), (between(random, 0.6, 0.75), 0.82)), _hair(random), grained(random, 80, 0.35))
    canvas.fill(smooth(shoulders), tint(random), grained(random, 15, 0.1))
    canvas.fill([(-0.28, 0.3), (0.28, 0.3), (0.32, 1.0), (-0.32, 1.0)], dim(skin, 0.8))
    _face(canvas, skin, 0.53, 0.7)


def person(canvas: Canvas, random: np.random.Generator) -> None:
    """A person with short hair, an open collar and square shoulders."""
    skin, hair, cloth = _skin(random), _hair(random), tint(random)
    wide, strands = between(random, 0.9, 1.2), grained(random, 60, 0.3)
    canvas.fill(bar((-wide, 0.9), (wide, canvas.below + 0.5), 0.5), cloth, grained(random, 15, 0.1))
    canvas.mark([(-0.3, 0.9), (0.3, 0.9), (0, 1.5)], dim(cloth, 1.4))
    canvas.fill([(-0.25, 0.3), (0.25, 0.3), (0.3, 1.1), (-0.3, 1.1)], dim(skin, 0.85))
    low = between(random, 150, 185)
    canvas.fill(sector((0, -0.07), (0.64, 0.82), low, 540 - low), hair, strands)
    _face(canvas, skin, 0.5, 0.65)
    canvas.fill(arc((0, -0.25), (0.56, 0.55), 185, 355), hair, strands)


def longhair(canvas: Canvas, random: np.random.Generator) -> None:
    """A person whose hair falls to the chest."""
    skin, hair, below = _skin(random), _hair(random), canvas.below
    strands, long = grained(random, 50, 0.3), between(random, 0.9, 1.6)
    shoulders = [(-0.5, 0.9), (0.5, 0.9), (0.95, 1.1), (1.5, below), (-1.5, below), (-0.95, 1.1)]
    behind = random.random() < 0.5
    mane = [
        (0, -0.85),
        (0.5, -0.68),
        (0.72, -0.1),
        (0.78, 0.6),
        (0.6, long),
        (0.0, long - 0.1),
        (-0.6, long),
        (-0.78, 0.6),
        (-0.72, -0.1),
        (-0.5, -0.68),
    ]
    if not behind:
        canvas.fill(shoulders, tint(random), grained(random, 15, 0.1))
    canvas.fill(smooth(mane), hair, strands)
    if behind:
        canvas.fill(shoulders, tint(random), grained(random, 15, 0.1))
    canvas.fill([(-0.25, 0.3), (0.25, 0.3), (0.4, 1.15), (-0.4, 1.15)], dim(skin, 0.85))
    _face(canvas, skin, 0.48, 0.63)
    canvas.fill(sector((0, -0.28), (0.55, 0.5), 180, 360), hair, strands)


def cat(canvas: Canvas, random: np.random.Generator) -> None:
    """A striped cat that sits and looks at the camera."""
    fur, soft = dim(chosen(random, FURS), between(random, 0.8, 1.15)), grained(random, 70, 0.2)
    eyes = tint(random, (0.4, 0.8), (0.4, 0.8))
    tail = between(random, -0.1, 0.25)
    canvas.stroke(bent([(0.3, 0.88), (0.75, 0.8), (0.95, 0.4), (0.78, tail)]), 0.14, dim(fur, 0.85), soft)
    canvas.fill(oval((0, 0.4), (0.5, 0.6)), fur, soft)
    for band in range(7):
        y = 0.05 + 0.12 * band
        canvas.trace([(-0.35, y), (0.35, y - 0.05)], 0.035, dim(fur, 0.75))
    for side in (-1, 1):
        canvas.fill(oval((0.22 * side, 0.92), (0.17, 0.12)), dim(fur, 1.15), soft)
        canvas.fill([(0.4 * side, -0.5), (0.36 * side, -1.0), (0.08 * side, -0.72)], dim(fur, 0.9), soft)
    canvas.fill(oval((0, -0.43), (0.42, 0.38)), fur, soft)
    for side in (-1, 1):
        canvas.mark(oval((0.17 * side, -0.44), (0.065, 0.06)), eyes)
        canvas.mark(oval((0.17 * side, -0.44), (0.02, 0.055)), BLACK)
        canvas.trace([(0.03 * side, -0.24), (0.1 * side, -0.22)], 0.02, dim(fur, 0.4))
    canvas.mark([(-0.05, -0.32), (0.05, -0.32), (0, -0.26)], (0.75, 0.45, 0.45))


def teddy(canvas: Canvas, random: np.random.Generator) -> None:
    """A teddy bear that sits."""
    fur, soft = tint(random, (0.15, 0.75), (0.3, 0.97)), grained(random, 90, 0.2)
    pale, round_ears = dim(fur, 1.25), between(random, 0.14, 0.2)
    for side in (-1, 1):
        canvas.fill(oval((0.33 * side, -0.85), (round_ears, round_ears)), fur, soft)
        canvas.mark(oval((0.33 * side, -0.85), (0.09, 0.09)), dim(fur, 0.6))
        canvas.fill(oval((0.5 * side, 0.15), (0.16, 0.33), -20 * side), dim(fur, 0.9), soft)
        canvas.fill(oval((0.3 * side, 0.75), (0.24, 0.22)), fur, soft)
    canvas.fill(oval((0, 0.3), (0.5, 0.55)), fur, soft)
    canvas.mark(oval((0, 0.35), (0.3, 0.35)), pale, soft)
    for side in (-1, 1):
        canvas.fill(oval((0.3 * side, 0.78), (0.2, 0.19)), dim(fur, 0.95), soft)
        canvas.mark(oval((0.3 * side, 0.8), (0.12, 0.1)), pale)
    canvas.fill(oval((0, -0.45), (0.48, 0.45)), fur, soft)
    canvas.mark(oval((0, -0.3), (0.22, 0.17)), pale)
    for side in (-1, 1):
        canvas.mark(oval((0.17 * side, -0.55), (0.05, 0.06)), BLACK)
    canvas.mark(oval((0, -0.37), (0.07, 0.05)), BLACK)
