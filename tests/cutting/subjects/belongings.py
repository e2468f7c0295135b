"""Things that people wear and carry.

Each function draws one subject, its proportions and colours at random, on a canvas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from subjects.materials import between, dark, dim, grained, metal, sloped, tint
from subjects.outlines import arc, bar, mirrored, outward, oval, sector, smooth

if TYPE_CHECKING:
    import numpy as np

    from subjects.canvas import Canvas

BRASS = (0.8, 0.7, 0.35)


def shoe(canvas: Canvas, random: np.random.Generator) -> None:
    """A laced shoe from its side."""
    colour, leather = tint(random), grained(random, 80, 0.15)
    upper = [
        (-1.0, 0.35),
        (-1.02, -0.1),
        (-0.9, -0.55),
        (-0.6, -0.5),
        (-0.35, -0.5),
        (-0.1, -0.3),
        (0.4, -0.05),
        (0.95, 0.1),
        (1.05, 0.35),
    ]
    canvas.fill(smooth(upper), colour, leather)
    canvas.mark(smooth([(-1, 0.3), (-1, -0.2), (-0.6, 0), (-0.5, 0.3)]), tint(random), leather)
    canvas.fill([(-1.04, 0.28), (1.08, 0.28), (1.05, 0.5), (-1.0, 0.5)], tint(random, (0.0, 0.3), (0.15, 0.98)))
    laces = tint(random, (0.0, 0.2), (0.7, 1.0))
    for lace in range(4):
        x, y = -0.3 + 0.15 * lace, -0.4 + 0.1 * lace
        canvas.trace([(x, y), (x + 0.15, y + 0.35)], 0.05, laces)


def bag(canvas: Canvas, random: np.random.Generator) -> None:
    """A handbag whose handle stands open."""
    colour, half, low = tint(random), between(random, 0.6, 0.85), between(random, 0.6, 0.85)
    handle = between(random, 0.3, 0.45)
    canvas.stroke(arc((0, -0.3), (handle, between(random, 0.45, 0.7)), 180, 360), 0.07, dim(colour, 0.8))
    canvas.fill(bar((-half, -0.3), (half, low), 0.12), colour, sloped(0.0, -0.15))
    canvas.mark([(-half, -0.25), (half, -0.25), (0.66 * half, 0.2), (-0.66 * half, 0.2)], dim(colour, 1.18))
    canvas.mark(bar((-0.08, 0.12), (0.08, 0.3), 0.02), BRASS)
    for x in (-0.66 * half, 0.66 * half):
        canvas.trace([(x, -0.3), (x, low)], 0.02, dim(colour, 0.7))


def watch(canvas: Canvas, random: np.random.Generator) -> None:
    """A wrist watch with its strap laid out straight."""
    strap, steel, face = tint(random), metal(random), tint(random, (0.0, 0.6), (0.1, 0.95))
    canvas.fill(mirrored([(0.25, -1.1), (0.33, 0.0), (0.25, 1.1)]), strap)
    for hole in range(5):
        canvas.mark(oval((0, 0.63 + 0.1 * hole), (0.04, 0.03)), dim(strap, 0.4))
    canvas.fill(bar((0.45, -0.07), (0.57, 0.07), 0.03), dim(steel, 0.8))
    canvas.fill(oval((0, 0), (0.5, 0.5)), steel, sloped(-0.5, -0.4))
    canvas.mark(oval((0, 0), (0.42, 0.42)), face)
    hands = dim(face, 0.25) if sum(face) > 1.5 else (0.95, 0.94, 0.9)
    for hour in range(12):
        canvas.trace([outward(30 * hour, 0.33), outward(30 * hour, 0.39)], 0.02, hands)
    for reach, thickness in ((0.22, 0.035), (0.32, 0.025)):
        canvas.trace([(0, 0), outward(between(random, 0, 360), reach)], thickness, hands)


def headphones(canvas: Canvas, random: np.random.Generator) -> None:
    """A pair of headphones, its band open."""
    colour, pads = tint(random), tint(random, (0.0, 0.5), (0.1, 0.5))
    tall, thick = between(random, 0.7, 0.9), between(random, 0.08, 0.14)
    canvas.stroke(arc((0, -0.02), (0.7, tall), 180, 360), thick, colour, sloped(-0.3))
    for side in (-1, 1):
        canvas.fill(bar((0.7 * side - 0.2, -0.2), (0.7 * side + 0.2, 0.6), 0.15), colour, sloped(0.0, -0.3))
        canvas.fill(bar((0.53 * side - 0.1, -0.15), (0.53 * side + 0.1, 0.55), 0.08), pads)


def umbrella(canvas: Canvas, random: np.random.Generator) -> None:
    """An open umbrella with panels of two colours and a hooked stick."""
    panels, stick = (tint(random), tint(random)), dark(random)
    count, tall = int(random.integers(4, 9)), between(random, 0.7, 0.95)
    canvas.stroke([(0, -tall), (0, -tall - 0.1)], 0.05, stick)
    canvas.stroke([(0, -0.5), (0, 0.82)], 0.06, stick)
    canvas.stroke(arc((-0.11, 0.82), (0.11, 0.13), 0, 180), 0.06, stick)
    for panel in range(count):
        start = 180 + 180 * panel / count
        canvas.fill(sector((0, 0), (1, tall), start, start + 180 / count + 1), panels[panel % 2], sloped(-0.15, -0.15))
    if random.random() < 0.6:
        for scallop in range(count):
            canvas.cut(oval((-1 + (2 * scallop + 1) / count, 0.01), (0.98 / count, between(random, 0.06, 0.09))))
        canvas.stroke([(0, -0.2), (0, 0.3)], 0.06, stick)
