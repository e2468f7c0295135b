"""Colours, lights and surfaces, drawn at random.

Promises colours of 0 to 1 and surfaces whose grain keeps its share of the subject at every size of picture.
The cover of what is dressed stays as it is.
"""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Plane, clouds, smoothstep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backdrop_cli.photos.paint import Colour
    from subjects.canvas import Light, Painted
    from subjects.outlines import Pair

    type Pattern = Callable[[Plane, Plane, np.random.Generator], Plane]


def between(random: np.random.Generator, low: float, high: float) -> float:
    """Return a number from `low` to `high`."""
    return float(random.uniform(low, high))


def chosen[T](random: np.random.Generator, choices: Sequence[T]) -> T:
    """Return one of the choices."""
    return choices[int(random.integers(len(choices)))]


def tint(random: np.random.Generator, strength: Pair = (0.08, 0.9), value: Pair = (0.12, 0.97)) -> Colour:
    """Return a colour of any hue with a saturation and a value within the given limits."""
    return colorsys.hsv_to_rgb(float(random.random()), between(random, *strength), between(random, *value))


def green(random: np.random.Generator) -> Colour:
    """Return the colour of a leaf."""
    return colorsys.hsv_to_rgb(between(random, 0.2, 0.42), between(random, 0.35, 0.85), between(random, 0.25, 0.8))


def metal(random: np.random.Generator) -> Colour:
    """Return a nearly grey colour."""
    return tint(random, (0.0, 0.2), (0.3, 0.9))


def dark(random: np.random.Generator) -> Colour:
    """Return a nearly black colour."""
    return tint(random, (0.0, 0.3), (0.06, 0.25))


def dim(colour: Colour, factor: float) -> Colour:
    """Return the colour `factor` times as bright."""
    red, green, blue = colour
    return min(1.0, red * factor), min(1.0, green * factor), min(1.0, blue * factor)


def turned(half: float, middle: float = 0.0) -> Light:
    """Return the light of a studio on an upright round body around x = `middle`, `half` wide on each side."""

    def light(x: Plane, y: Plane) -> Plane:
        across = (x - middle) / half
        lit = 0.45 + 0.6 * np.exp(-(((across + 0.35) / 0.45) ** 2)) + 0.15 * np.exp(-(((across - 0.7) / 0.12) ** 2))
        return np.asarray(lit + 0 * y, np.float32)

    return light


def sloped(across: float, down: float = 0.0) -> Light:
    """Return a light that grows by `across` per radius to the right and by `down` per radius downwards."""
    return lambda x, y: np.asarray(1 + across * x + down * y, np.float32)


def grained(random: np.random.Generator, cells: float, depth: float) -> Light:
    """Return a light that varies by up to `depth`, in about `cells` grains along what it falls on."""

    def light(x: Plane, y: Plane) -> Plane:
        height, width = np.broadcast_shapes(x.shape, y.shape)
        grain = clouds(random, width, height, cells=min(cells, max(height, width) / 3), octaves=2)
        return np.asarray(1 + depth * (2 * grain - 1), np.float32)

    return light


def _mottled(x: Plane, y: Plane, random: np.random.Generator) -> Plane:
    height, width = np.broadcast_shapes(x.shape, y.shape)
    field = clouds(random, width, height, cells=between(random, 5, 45), octaves=3)
    soft = between(random, 0.05, 0.3)
    return smoothstep(field, 0.5 - soft, 0.5 + soft)


def _waves(x: Plane, y: Plane, angle: float, count: float) -> Plane:
    across, down = np.float32(count * np.pi * np.cos(angle)), np.float32(count * np.pi * np.sin(angle))
    return np.asarray(np.sin(across * x + down * y), np.float32)


def _checked(x: Plane, y: Plane, random: np.random.Generator) -> Plane:
    angle, count = between(random, -0.6, 0.6), between(random, 5, 25)
    field = _waves(x, y, angle, count) * _waves(x, y, angle + np.pi / 2, count * between(random, 0.7, 1.4))
    return np.asarray(np.clip(0.5 + 250 / count * field, 0, 1), np.float32)


def _striped(x: Plane, y: Plane, random: np.random.Generator) -> Plane:
    count = between(random, 4, 30)
    field = _waves(x, y, between(random, 0, np.pi), count) - between(random, -0.5, 0.5)
    return np.asarray(np.clip(0.5 + 100 / count * field, 0, 1), np.float32)


def _speckled(x: Plane, y: Plane, random: np.random.Generator) -> Plane:
    height, width = np.broadcast_shapes(x.shape, y.shape)
    size = max(height, width) / between(random, 60, 350)
    rows, columns = max(2, round(height / size)), max(2, round(width / size))
    dots = cv2.resize(random.random((rows, columns), np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    share = between(random, 0.55, 0.85)
    return smoothstep(dots, share, share + 0.1)


PATTERNS: dict[str, Pattern] = {
    "mottled": _mottled,
    "checked": _checked,
    "striped": _striped,
    "speckled": _speckled,
}
MATERIALS = ("as drawn", "shaded", *PATTERNS)


def dress(painted: Painted, random: np.random.Generator, material: str = "") -> Painted:
    """Return the subject made of a material, one at random when none is named; the colours themselves are changed."""
    colours, cover = painted
    left, top, width, height = cv2.boundingRect((cover > 0).astype(np.uint8))
    material = material or chosen(random, MATERIALS)
    if not width or material == "as drawn":
        return painted
    surface = colours[top : top + height, left : left + width]
    longest = np.float32(max(width, height) / 2)
    x = (np.arange(width, dtype=np.float32)[None, :] - np.float32(width / 2)) / longest
    y = (np.arange(height, dtype=np.float32)[:, None] - np.float32(height / 2)) / longest
    if material in PATTERNS:
        _print(surface, PATTERNS[material](x, y, random), random)
    if material == "shaded" or random.random() < 0.5:
        angle, depth = between(random, 0, 2 * np.pi), between(random, 0.15, 0.5)
        surface *= (1 + depth * (np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y))[:, :, None]
    np.clip(surface, 0, 1, out=surface)
    return painted


def _print(surface: Plane, pattern: Plane, random: np.random.Generator) -> None:
    """Lay a pattern (h, w) of 0 to 1 on colours (h, w, 3): half of them in the surface's own colour."""
    if random.random() < 0.5:
        depth = np.float32(between(random, 0.1, 0.35))
        surface *= (1 + depth * (2 * pattern - 1))[:, :, None]
    else:
        other = np.array(tint(random), np.float32)
        change = other - surface
        change *= (pattern * np.float32(between(random, 0.3, 0.95)))[:, :, None]
        surface += change
