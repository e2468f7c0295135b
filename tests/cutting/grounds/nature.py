"""Grounds from outdoors: leaves, pebbles, water, clouds, a fence before a bush.

Promises `Ground` painters with colours and sizes by chance, greens and browns where leaves are. Refuses nothing.
"""

import math

import numpy as np

from backdrop_cli.pixels.arrays import Plane, blur, resize, smoothstep
from grounds.paint import Canvas, Point, colour, hued, mixed, noise, places, uneven, unit

_GREEN = (0.18, 0.42)
_OUTLINE = np.linspace(-1, 1, 7)
_LEAF = np.concatenate(
    [
        np.stack([_OUTLINE, np.cos(_OUTLINE * np.pi / 2)], axis=1),
        np.stack([-_OUTLINE[1:-1], -np.cos(_OUTLINE[1:-1] * np.pi / 2)], axis=1),
    ]
)
"""The outline of a leaf that lies along x, from -1 to 1 both ways."""


def _leaf(canvas: Canvas, centre: Point, size: Point, turn: float, paint: Plane) -> None:
    """Draw a leaf of half length and half width `size` with a lighter rib, turned by so many radians."""
    c, s = math.cos(turn), math.sin(turn)
    canvas.polygon((_LEAF * size) @ np.array([[c, s], [-s, c]]) + centre, paint)
    (x, y), reach = centre, 0.9 * size[0]
    canvas.line((x - c * reach, y - s * reach), (x + c * reach, y + s * reach), paint * 1.2, size[1] / 9)


def foliage(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint small oval leaves, the nearer the lighter."""
    canvas = Canvas(height, width, hued(random, _GREEN, (0.4, 0.6), (0.1, 0.16)))
    for near in np.linspace(0, 1, 1000):
        paint = hued(random, _GREEN, (0.4, 0.85), (0.16, 0.16 + 0.65 * near))
        radii = (random.uniform(14, 42) * canvas.unit, random.uniform(5, 14) * canvas.unit)
        canvas.oval(canvas.anywhere(random), radii, paint, random.uniform(0, 180))
    return canvas.plane


def bush(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint large pointed leaves with ribs, the nearer the lighter."""
    canvas = Canvas(height, width, hued(random, _GREEN, (0.4, 0.6), (0.1, 0.16)))
    hue = random.uniform(0.2, 0.4)
    for near in np.linspace(0, 1, 1000):
        paint = hued(random, (hue - 0.08, hue + 0.08), (0.4, 0.9), (0.2, 0.9)) * (0.4 + 0.6 * near)
        long = random.uniform(15, 60) * canvas.unit
        _leaf(canvas, canvas.anywhere(random), (long, 0.35 * long), random.uniform(0, 2 * np.pi), paint)
    return canvas.plane


def fallen_leaves(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint autumn leaves on the ground."""
    canvas = Canvas(height, width, hued(random, (0.05, 0.12), (0.4, 0.6), (0.15, 0.25)))
    for _ in range(1000):
        paint = hued(random, (0.0, 0.16), (0.4, 0.9), (0.25, 0.85))
        long = random.uniform(14, 36) * canvas.unit
        _leaf(canvas, canvas.anywhere(random), (long, 0.5 * long), random.uniform(0, 2 * np.pi), paint)
    return uneven(canvas.plane, random, 12 * canvas.unit, 0.08)


def pebbles(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint round stones over each other."""
    base = colour(random, (0.02, 0.2), (0.7, 1))
    canvas = Canvas(height, width, base * 0.2)
    for _ in range(1500):
        (x, y), radius = canvas.anywhere(random), random.uniform(8, 30) * canvas.unit
        paint = base * random.uniform(0.3, 0.95) * random.uniform(0.92, 1.08, 3).astype(np.float32)
        turn, flat = random.uniform(-40, 40), radius * random.uniform(0.6, 0.85)
        canvas.oval((x, y), (radius, flat), paint * 0.6, turn)
        canvas.oval((x, y), (0.9 * radius, 0.9 * flat), paint, turn)
        canvas.oval((x - 0.15 * radius, y - 0.25 * flat), (0.4 * radius, 0.35 * flat), paint * 1.12, turn)
    return canvas.plane


def ripples(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint water with light on its waves, the farther the closer together."""
    one = unit(height, width)
    _, y = places(height, width)
    swell = resize(noise(random, height, max(8, width // 4), 60 * one, 3), width, height)
    waves = 0.5 + 0.5 * np.sin(random.uniform(60, 160) * np.sqrt(y / height + 0.05) + random.uniform(0.8, 2) * swell)
    return mixed(colour(random, (0.3, 0.8), (0.25, 0.7)), colour(random, (0.1, 0.6), (0.6, 1)), waves**3)


def clouds(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint clouds in a sky that is paler to its foot."""
    one = unit(height, width)
    _, y = places(height, width)
    sky = hued(random, (0.5, 0.66), (0.3, 0.75), (0.55, 0.9)) * (0.8 + 0.4 * y / height)[:, :, None]
    puffs = smoothstep(noise(random, height, width, 220 * one, 6), random.uniform(-0.5, 0.4), 1.5)
    shade = 0.88 + 0.08 * noise(random, height, width, 90 * one, 3)
    return mixed(sky, hued(random, (0, 1), (0, 0.08), (0.95, 1)) * shade[:, :, None], puffs)


def fence(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint pales in a row before a bush out of focus."""
    one = unit(height, width)
    canvas = Canvas.over(blur(bush(height, width, random), 5 * one))
    paint, wide = colour(random, (0.1, 0.5), (0.4, 0.95)), random.uniform(40, 100) * one
    step, top = wide * random.uniform(1.15, 1.8), random.uniform(0.03, 0.3) * height
    for rail in (0.2, 0.75):
        y = top + rail * (height - top)
        canvas.box(0, y, width, y + 0.5 * wide, paint * 0.75)
    for left in np.arange(random.uniform(-1, 0) * step, width, step):
        corners = [(left, height), (left, top + wide / 2), (left + wide / 2, top), (left + wide, top + wide / 2)]
        canvas.polygon([*corners, (left + wide, height)], paint * random.uniform(0.85, 1.1))
    return uneven(canvas.plane, random, 14 * one, 0.03)
