"""Things with long and thin parts: a wrench, a guitar, a bicycle.

Each function draws one subject, its proportions and colours at random, on a canvas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from subjects.materials import between, dark, dim, metal, sloped, tint
from subjects.outlines import arc, bar, mirrored, oval

if TYPE_CHECKING:
    import numpy as np

    from subjects.canvas import Canvas

WOOD, ROSEWOOD, HOLE = (0.27, 0.18, 0.12), (0.16, 0.1, 0.08), (0.1, 0.07, 0.06)
STRING = (0.82, 0.8, 0.75)


def wrench(canvas: Canvas, random: np.random.Generator) -> None:
    """A wrench with an open jaw and a ribbed grip."""
    steel, grip = metal(random), tint(random)
    shine = sloped(-1.2)
    jaw = [(0.1, -0.78), (0.1, -1.02), (0.25, -1.02), (0.3, -0.7), (0.09, -0.5), (0.07, 0.2)]
    canvas.fill(mirrored(jaw), steel, shine)
    canvas.fill(mirrored([(0.13, 0.1), (0.15, 1.0)]), grip, shine)
    for rib in range(4):
        y = 0.25 + 0.18 * rib
        canvas.trace([(-0.1, y), (0.1, y)], 0.03, dim(grip, 0.6))


def guitar(canvas: Canvas, random: np.random.Generator) -> None:
    """A guitar that stands upright."""
    colour, lit = tint(random, (0.3, 0.95), (0.25, 0.9)), sloped(-0.3, -0.2)
    for side in (-1, 1):
        for y in (-1.08, -0.96):
            canvas.stroke([(0, y), (0.15 * side, y)], 0.04, STRING)
    canvas.fill(oval((0, 0.6), (0.48, 0.42)), colour, lit)
    canvas.fill(oval((0, 0.12), (0.36, 0.33)), colour, lit)
    canvas.mark(oval((0, 0.3), (0.13, 0.13)), HOLE)
    canvas.fill(bar((-0.06, -0.9), (0.06, 0.2)), WOOD)
    canvas.fill(bar((-0.1, -1.15), (0.1, -0.88), 0.03), dim(colour, 0.6))
    canvas.mark(bar((-0.16, 0.62), (0.16, 0.68)), ROSEWOOD)
    for string in range(-2, 3):
        canvas.trace([(0.018 * string, -0.9), (0.018 * string, 0.65)], 0.006, STRING)


def bicycle(canvas: Canvas, random: np.random.Generator) -> None:
    """A bicycle from its side; what lies behind shows through its wheels."""
    colour, rubber, thick = tint(random), dark(random), between(random, 0.05, 0.08)
    for side in (-1, 1):
        hub = 0.6 * side, 0.37
        canvas.stroke(arc(hub, (0.39, 0.39)), thick, rubber)
        canvas.fill(oval(hub, (0.06, 0.06)), rubber)
    saddle, pedals, head = (-0.25, -0.35), (0.05, 0.37), (0.4, -0.35)
    frame = (
        ((-0.6, 0.37), saddle),
        ((-0.6, 0.37), pedals),
        (pedals, saddle),
        ((-0.25, -0.3), head),
        (pedals, head),
        ((0.6, 0.37), (0.35, -0.55)),
    )
    for tube in frame:
        canvas.stroke(list(tube), thick, colour)
    canvas.fill(oval(pedals, (0.1, 0.1)), rubber)
    canvas.fill(bar((-0.42, -0.48), (-0.1, -0.36), 0.05), rubber)
    canvas.stroke([(0.2, -0.6), (0.5, -0.52)], thick, rubber)
