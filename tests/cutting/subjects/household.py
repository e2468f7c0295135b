"""Things of a home: vessels, a chair, a lamp, a plant.

Each function draws one subject, its proportions and colours at random, on a canvas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from subjects.materials import between, chosen, dim, grained, green, metal, sloped, tint, turned
from subjects.outlines import arc, bar, bent, mirrored, oval, sector, smooth

if TYPE_CHECKING:
    from subjects.canvas import Canvas

WORDS = ("LUMO", "Nord", "aroma", "No. 5", "PURE", "mild")
BROWN = (0.31, 0.2, 0.12)


def bottle(canvas: Canvas, random: np.random.Generator) -> None:
    """A bottle with a cap and a printed label."""
    half, neck, shoulder = between(random, 0.29, 0.43), between(random, 0.25, 0.4), between(random, -0.3, -0.1)
    light = turned(half)
    profile = [
        (neck * half, -0.75),
        (neck * half, -0.55),
        (0.7 * half, shoulder - 0.14),
        (half, shoulder),
        (half, 0.4),
        (half, 0.94),
        (0.9 * half, 1.0),
    ]
    canvas.fill(smooth(mirrored(profile)), tint(random), light)
    cap = (neck + between(random, 0.06, 0.15)) * half
    canvas.fill(bar((-cap, -1.0), (cap, -0.68), 0.03), tint(random), light)
    top, bottom = between(random, -0.05, 0.1), between(random, 0.5, 0.7)
    paper, ink = tint(random, (0.0, 0.45), (0.6, 0.98)), tint(random, (0.2, 1.0), (0.08, 0.45))
    canvas.mark(bar((-2 * half, top), (2 * half, bottom)), paper, light)
    canvas.write(chosen(random, WORDS), (0, (top + bottom) / 2), 0.4 * half, ink)


def mug(canvas: Canvas, random: np.random.Generator) -> None:
    """A mug with a handle, ringed up to three times."""
    half, tall = between(random, 0.5, 0.7), between(random, 0.6, 0.8)
    colour, light = tint(random), turned(half)
    canvas.stroke(arc((half, 0), (0.42 * half, 0.55 * tall)), 0.2 * half, dim(colour, 0.8))
    canvas.fill(oval((0, tall), (0.9 * half, 0.12)), colour, light)
    canvas.fill([(-half, -tall), (half, -tall), (0.9 * half, tall), (-0.9 * half, tall)], colour, light)
    for ring in range(int(random.integers(4))):
        level = -0.4 + 0.3 * ring
        wide = half * (0.95 - 0.05 * level / tall)
        canvas.mark(bar((-wide, level - 0.05), (wide, level + 0.05)), tint(random), light)
    canvas.fill(oval((0, -tall), (half, 0.14)), dim(colour, 1.2))
    canvas.fill(oval((0, -tall + 0.01), (0.9 * half, 0.11)), dim(colour, 0.5))


def cup(canvas: Canvas, random: np.random.Generator) -> None:
    """A cup of coffee on a saucer."""
    colour = tint(random, (0.0, 0.5), (0.5, 0.98))
    canvas.fill(oval((0, 0.5), (1, 0.25)), dim(colour, 0.9))
    canvas.mark(oval((0, 0.48), (0.7, 0.17)), colour)
    canvas.stroke(arc((0.56, -0.07), (0.24, 0.24), 230, 500), 0.1, dim(colour, 0.85))
    canvas.fill(sector((0, -0.3), (0.55, 0.8), 0, 180), colour, turned(0.6))
    canvas.fill(oval((0, -0.3), (0.55, 0.12)), dim(colour, 1.2))
    canvas.mark(oval((0, -0.295), (0.46, 0.085)), BROWN)


def teapot(canvas: Canvas, random: np.random.Generator) -> None:
    """A teapot with spots."""
    colour = tint(random)
    canvas.stroke(arc((0.62, 0.05), (0.32, 0.34), 235, 475), 0.12, dim(colour, 0.8))
    spout = [(-0.5, 0.3), (-0.8, 0.0), (-1.0, -0.42), (-0.93, -0.52), (-0.83, -0.47), (-0.66, -0.15), (-0.4, -0.15)]
    canvas.fill(smooth(spout), dim(colour, 0.9))
    canvas.fill(oval((0, -0.73), (0.09, 0.09)), dim(colour, 0.6))
    canvas.fill(sector((0, -0.36), (0.42, 0.3), 180, 360), dim(colour, 1.2))
    canvas.fill(oval((0, 0.08), (0.65, 0.57)), colour, sloped(-0.4, -0.25))
    for _ in range(int(random.integers(7))):
        x, y = between(random, -0.4, 0.4), between(random, -0.25, 0.4)
        canvas.mark(oval((x, y), (0.08, 0.08)), tint(random))


def vase(canvas: Canvas, random: np.random.Generator) -> None:
    """A vase with a lip and bands around its belly."""
    belly, foot = between(random, 0.25, 0.42), between(random, 0.14, 0.24)
    colour = tint(random)
    level = np.linspace(0, 1, 21)
    half = foot + belly * np.sin(np.pi * np.minimum(1, 1.25 * level)) ** 2 * (1.3 - 0.5 * level)
    profile = [(float(h), float(2 * t - 1)) for h, t in zip(half, level, strict=True)]
    light = turned(foot + belly)
    canvas.fill(mirrored([(foot + 0.1, -1.03), (foot + 0.1, -0.97), *profile]), colour, light)
    for band in range(int(random.integers(1, 4))):
        middle = -0.2 + 0.25 * band
        canvas.mark(bar((-1, middle - 0.03), (1, middle + 0.03)), dim(colour, between(random, 0.5, 0.8)), light)


def chair(canvas: Canvas, random: np.random.Generator) -> None:
    """A wooden chair with gaps in its back and between its legs."""
    colour, wood = tint(random, (0.1, 0.85), (0.2, 0.9)), grained(random, 20, 0.15)
    back, thick = between(random, -1.0, -0.7), between(random, 0.08, 0.12)
    for x in (-0.4, 0.36):
        canvas.stroke([(x, 0.1), (1.02 * x, 0.85)], 0.8 * thick, dim(colour, 0.7), wood)
    for x in (-0.55, 0.5):
        canvas.stroke([(x, 0.1), (1.1 * x, 1.0)], thick, colour, wood)
    for x in (-0.5, 0.45):
        canvas.stroke([(x, 0.1), (0.95 * x, back)], thick, colour, wood)
    if random.random() < 0.7:
        for y in np.linspace(back + 0.1, -0.3, int(random.integers(2, 4))):
            canvas.stroke([(-0.5, float(y)), (0.45, float(y))], 1.2 * thick, dim(colour, 0.9), wood)
    else:
        for x in np.linspace(-0.48, 0.43, 5):
            canvas.stroke([(float(x), 0.0), (float(x), back)], 0.5 * thick, dim(colour, 0.9), wood)
        canvas.stroke([(-0.5, back), (0.45, back)], 1.4 * thick, colour, wood)
    canvas.fill([(-0.65, 0.12), (0.6, 0.12), (0.5, -0.08), (-0.5, -0.08)], tint(random), wood)
    canvas.fill(bar((-0.65, 0.1), (0.6, 0.2)), dim(colour, 0.85))


def lamp(canvas: Canvas, random: np.random.Generator) -> None:
    """A lamp on a thin foot."""
    colour, foot = tint(random), metal(random)
    top, low = between(random, 0.15, 0.4), between(random, 0.45, 0.7)
    canvas.stroke([(0, -0.3), (0, 0.9)], between(random, 0.04, 0.09), foot)
    if random.random() < 0.5:
        canvas.fill(smooth(mirrored([(0.06, -0.1), (0.24, 0.35), (0.3, 0.6), (0.12, 0.9)])), tint(random), turned(0.3))
    canvas.fill(oval((0, 0.92), (0.4, 0.1)), dim(foot, 0.9))
    canvas.fill([(-top, -1), (top, -1), (low, -0.25), (-low, -0.25)], colour, turned(low))


def plant(canvas: Canvas, random: np.random.Generator) -> None:
    """A potted plant with long leaves."""
    colour = tint(random)
    for _ in range(int(random.integers(7, 15))):
        lean, reach, leaf = between(random, -1.2, 1.2), between(random, 0.6, 1.1), green(random)
        x, y = float(np.sin(lean)) * reach, 0.2 - float(np.cos(lean)) * reach
        wide = between(random, 0.07, 0.14)
        across, down = float(np.cos(lean)) * wide, float(np.sin(lean)) * wide
        middle = x / 2, (0.2 + y) / 2
        left, right = (middle[0] - across, middle[1] - down), (middle[0] + across, middle[1] + down)
        canvas.fill([(0, 0.25), left, (x, y), right], leaf)
        canvas.trace(bent([(0, 0.25), middle, (x, y)]), 0.012, dim(leaf, 1.3))
    canvas.fill([(-0.42, 0.2), (0.42, 0.2), (0.3, 1.0), (-0.3, 1.0)], colour, turned(0.42))
    canvas.fill(bar((-0.47, 0.13), (0.47, 0.3)), dim(colour, 0.85), turned(0.47))
