"""Plain grounds: one colour, evenly or unevenly lit.

Promises `Ground` painters with mostly light colours by chance. Refuses nothing.
"""

import numpy as np

from backdrop_cli.pixels.arrays import Plane
from grounds.paint import colour, filled, mixed, noise, places, softened, toned, unit


def _paint(random: np.random.Generator) -> Plane:
    return colour(random, (0, 0.45), (0.45, 0.98))


def one_colour(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint nothing but a colour."""
    return filled(height, width, _paint(random))


def slope(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint a colour that darkens evenly to one side."""
    x, y = places(height, width)
    turn = random.uniform(0, 2 * np.pi)
    along = np.cos(turn) * (x / width - 0.5) + np.sin(turn) * (y / height - 0.5)
    return toned(_paint(random), 1 - random.uniform(0.1, 0.4) * (along + 0.5))


def dark_corners(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint a colour that darkens from the middle to the corners."""
    x, y = places(height, width)
    away = (x / width - 0.5) ** 2 + (y / height - random.uniform(0.4, 0.5)) ** 2
    return toned(_paint(random), 1.05 - random.uniform(0.2, 0.6) * away)


def paper(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint a sheet lit from a corner, with a faint tooth."""
    x, y = places(height, width)
    away = (x / width - random.uniform(0.1, 0.9)) ** 2 + (y / height - 0.2) ** 2
    tooth = random.standard_normal((height, width), np.float32)
    return toned(_paint(random), 1 - 0.25 * away + 0.008 * tooth)


def sweep(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint a studio's paper that bends from wall to floor."""
    x, y = places(height, width)
    bend = 1 / (1 + np.exp(-(y / height - random.uniform(0.55, 0.8)) * random.uniform(8, 24)))
    return toned(_paint(random), 1 - random.uniform(0.1, 0.35) * bend + 0 * x)


def table(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint a wall over a table top of another colour."""
    x, y = places(height, width)
    below = (y + 0 * x) > random.uniform(0.6, 0.75) * height
    return softened(mixed(_paint(random), _paint(random), below), random, (1, 3, 6))


def wash(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint a wall with faint wide blotches."""
    return toned(_paint(random), 1 + 0.035 * noise(random, height, width, 300 * unit(height, width), 3))
