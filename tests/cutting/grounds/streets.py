"""Grounds from town: a street, an alley, lights out of focus.

Promises `Ground` painters with colours and sizes by chance. Refuses nothing.
"""

import numpy as np

from backdrop_cli.pixels.arrays import Plane, blur
from grounds.paint import Canvas, Point, add_light, colour, filled, hued, softened, uneven, unit

_SKY = (0.5, 0.66)


def street(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint houses with windows on both sides, a road and what stands on it."""
    line, wide = random.uniform(0.4, 0.6) * height, width / 2
    canvas = Canvas(height, width, hued(random, _SKY, (0.05, 0.35), (0.75, 0.98)))
    one = canvas.unit
    canvas.box(0, line, width, height, colour(random, (0, 0.1), (0.3, 0.55)))
    for side in (0, 1):
        near = 0.0
        while near < wide:
            across, away = random.uniform(50, 150) * one, near / width
            left = near if side == 0 else width - near - across
            top, foot = line * min(0.95, random.uniform(0.05, 0.6) + 0.6 * away), line + (0.5 - away) * 0.25 * height
            paint = colour(random, (0.05, 0.5), (0.3, 0.8))
            canvas.box(left, top, left + across, foot, paint)
            for y in np.arange(top + 12 * one, line, 34 * one):
                for x in np.arange(left + 8 * one, left + across - 18 * one, 26 * one):
                    canvas.box(x, y, x + 12 * one, y + 18 * one, paint * random.uniform(0.4, 0.8))
            near += across
    for foot in np.sort(line + random.uniform(0, 0.15, 14) * height):
        radii = (random.uniform(8, 50) * one, random.uniform(14, 40) * one)
        canvas.oval((random.uniform(0, width), foot), radii, colour(random))
    return blur(uneven(canvas.plane, random, 20 * one, 0.025), random.uniform(0.8, 4) * one)


def alley(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint two rows of house fronts that run to one point, with people there."""
    canvas = Canvas(height, width, hued(random, _SKY, (0.05, 0.3), (0.7, 0.95)))
    end = (random.uniform(0.35, 0.65) * width, random.uniform(0.35, 0.5) * height)
    canvas.polygon([(0, height), (width, height), end], colour(random, (0, 0.1), (0.3, 0.5)))
    for side in (0, width):
        for house in range(7):
            near, far = house / 7, (house + 1) / 7
            paint = colour(random, (0.1, 0.6), (0.35, 0.85))
            canvas.polygon(_front(side, end, (near, far), (-0.2 * height, height)), paint)
            for floor in range(4):
                sill = (0.1 + 0.2 * floor) * height
                glass = _front(side, end, (near + 0.03, far - 0.03), (sill, sill + 0.1 * height))
                canvas.polygon(glass, paint * random.uniform(0.4, 1.4))
    for _ in range(10):
        x, y = end[0] + random.uniform(-0.3, 0.3) * width, end[1] + random.uniform(0, 0.3) * height
        radius = random.uniform(10, 30) * canvas.unit
        canvas.oval((x, y), (radius, 1.6 * radius), colour(random))
    return softened(canvas.plane, random, (0.8, 2.5, 6))


def _front(side: float, end: Point, along: Point, upright: Point) -> list[Point]:
    """Return the four corners of a part of the wall that runs from x = `side` at 0 to the point `end` at 1."""
    corners = [(along[0], upright[0]), (along[1], upright[0]), (along[1], upright[1]), (along[0], upright[1])]
    return [(side + (end[0] - side) * t, y + (end[1] - y) * t) for t, y in corners]


def lights(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint round lights out of focus over the dusk."""
    one = unit(height, width)
    picture = uneven(filled(height, width, colour(random, (0.15, 0.65), (0.08, 0.28))), random, 300 * one, 0.25, 2)
    return _lit(picture, random, 0)


def night_lights(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint six-sided lights out of focus over the night."""
    return _lit(filled(height, width, colour(random, (0.3, 0.7), (0.05, 0.14))), random, 6)


def _lit(picture: Plane, random: np.random.Generator, sides: int) -> Plane:
    height, width = picture.shape[:2]
    one = unit(height, width)
    for _ in range(random.integers(30, 65)):
        place, radius = (random.uniform(0, width), random.uniform(0, height)), random.uniform(15, 70) * one
        add_light(picture, place, radius, colour(random, (0.2, 0.8), (0.15, 0.5)), sides)
    return blur(picture, random.uniform(2, 6) * one)
