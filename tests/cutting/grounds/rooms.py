"""Grounds from indoors: shelves, bottles, books, a kitchen, a market stall, a living room.

Promises `Ground` painters with colours and sizes by chance, sharp or out of focus. Refuses nothing.
"""

import numpy as np

from backdrop_cli.pixels.arrays import Plane, smoothstep
from grounds.paint import Canvas, colour, laid, softened, toned, uneven, unit


def shelves(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint shelves full of things of every colour."""
    return _shelves(height, width, random, 1.0)


def faded_shelves(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint shelves full of things of much the same colour."""
    return _shelves(height, width, random, 0.35)


def _shelves(height: int, width: int, random: np.random.Generator, contrast: float) -> Plane:
    board = colour(random, (0.25, 0.55), (0.2, 0.5))
    canvas = Canvas(height, width, board * 0.4)
    one, middle = canvas.unit, colour(random, (0.15, 0.55), (0.35, 0.67))
    for base, room in _boards(height, random):
        left = 0.0
        while left < width:
            right, top = left + random.uniform(18, 60) * one, base - room * random.uniform(0.6, 0.88)
            paint = middle + (colour(random, (0.15, 0.8), (0.2, 0.86)) - middle) * contrast
            canvas.column(left, top, right, base, paint)
            if random.random() < 0.5:
                mark = top + (base - top) * random.uniform(0.1, 0.3)
                canvas.box(left, mark, right, mark + 6 * one, paint * 1.3)
            left = right + (random.uniform(0, 3) if random.random() < 0.9 else random.uniform(20, 60)) * one
        canvas.box(0, base, width, base + 0.08 * room, board)
    return uneven(canvas.plane, random, 30 * one, 0.03)


def _boards(height: int, random: np.random.Generator) -> list[tuple[float, float]]:
    """Return y of each of three to six boards, and the room above it, in pixels."""
    count = int(random.integers(3, 7))
    room = height / count
    return [((row + 1) * room - 0.08 * room, room) for row in range(count)]


def bottles(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint shelves of bottles, of every colour or alike."""
    board, alike = colour(random, (0.2, 0.6), (0.3, 0.6)), random.random() < 0.5
    canvas = Canvas(height, width, colour(random, (0.1, 0.5), (0.1, 0.35)))
    one = canvas.unit
    for base, room in _boards(height, random):
        left = 4 * one
        while left < width:
            wide, tall = random.uniform(26, 60) * one, room * random.uniform(0.45, 0.85)
            paint = (colour(random) + 2 * board) / 3 if alike else colour(random)
            canvas.oval((left + wide / 2, base - 0.64 * tall), (wide / 2, 0.12 * tall), paint)
            canvas.column(left, base - 0.64 * tall, left + wide, base, paint)
            canvas.column(left + wide / 3, base - tall, left + wide * 2 / 3, base - 0.66 * tall, paint * 0.8)
            canvas.column(left, base - 0.45 * tall, left + wide, base - 0.2 * tall, paint * 1.5)
            left += wide + random.uniform(2, 10) * one
        canvas.box(0, base, width, base + 14 * one, board * 0.7)
    return softened(canvas.plane, random, (0.6, 0.6, 4))


def books(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint shelves of books about one colour, some of them leaning."""
    base = colour(random, (0.2, 0.7), (0.25, 0.65))
    canvas = Canvas(height, width, base * 0.35)
    one, spread = canvas.unit, float(random.choice([0.1, 0.24]))
    for foot, room in _boards(height, random):
        left = 0.0
        while left < width:
            wide, tall = random.uniform(14, 46) * one, room * random.uniform(0.62, 0.88)
            lean = float(random.choice([0, 0, 0, 0, 0, 0, 10, -10])) * one
            paint = np.clip(base + random.uniform(-spread, spread, 3).astype(np.float32), 0, 1)
            for inset, tone in ((0.0, 0.6), (1.5 * one, 1.0)):
                near, far = left + inset, left + wide - inset
                top = foot - tall + inset
                canvas.polygon([(near, foot), (far, foot), (far + lean, top), (near + lean, top)], paint * tone)
            if random.random() < 0.5:
                mark = (left + 0.3 * wide, foot - 0.7 * tall, left + 0.7 * wide, foot - 0.35 * tall)
                canvas.box(*mark, paint * 1.35)
            left += wide + one
        canvas.box(0, foot, width, foot + 12 * one, base * 0.8)
    return softened(canvas.plane, random, (0.7, 0.7, 2, 5))


def kitchen(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint jars, fruit and bowls on a counter before a tiled wall."""
    one, line = unit(height, width), random.uniform(0.5, 0.68) * height
    number, edge = laid(random, height, width, (90 * one, 90 * one))
    wall = toned(colour(random, (0.05, 0.4), (0.5, 0.9)), 0.85 + 0.25 * number)
    canvas = Canvas.over(toned(wall, 0.8 + 0.2 * smoothstep(edge, 2 * one, 3 * one + 0.5)))
    canvas.box(0, line, width, height, colour(random, (0.1, 0.5), (0.3, 0.75)))
    for foot in np.sort(line + random.uniform(-10, 140, 26) * one):
        x, wide, tall = random.uniform(-0.05, 1) * width, random.uniform(20, 75) * one, random.uniform(40, 210) * one
        paint, kind = colour(random), random.random()
        if kind < 0.4:
            canvas.column(x, foot - tall, x + wide, foot, paint)
            canvas.column(x + 0.3 * wide, foot - tall - 30 * one, x + 0.7 * wide, foot - tall, paint * 0.7)
        elif kind < 0.7:
            canvas.disc((x, foot - 0.7 * wide), 0.7 * wide, paint * 0.9)
            canvas.disc((x - 0.15 * wide, foot - 0.85 * wide), 0.4 * wide, paint * 1.1)
        else:
            angle = np.linspace(0, np.pi, 16)
            bowl = np.stack([x + wide * np.cos(angle), foot - 0.9 * wide * (1 - np.sin(angle))], axis=1)
            canvas.polygon(bowl, paint)
            canvas.oval((x, foot - 0.9 * wide), (wide, 0.2 * wide), paint * 0.7)
    return softened(canvas.plane, random, (0.7, 2.5, 5))


def market(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint crates of fruit seen from above."""
    crate = colour(random, (0.3, 0.6), (0.3, 0.5))
    canvas = Canvas(height, width, crate * 0.8)
    rows, columns = int(random.integers(3, 6)), int(random.integers(3, 7))
    across, down = width / columns, height / rows
    for row in range(rows):
        for column in range(columns):
            paint, radius = colour(random, (0.5, 0.95), (0.4, 0.95)), random.uniform(16, 40) * canvas.unit
            for x, y in random.random((60, 2)):
                fruit, place = paint * random.uniform(0.7, 1.2), ((column + x) * across, (row + y) * down)
                canvas.disc(place, radius, fruit * 0.6)
                canvas.disc(place, 0.93 * radius, fruit)
                canvas.disc((place[0] - 0.3 * radius, place[1] - 0.4 * radius), 0.2 * radius, fruit * 1.5)
    slat = 6 * canvas.unit
    for column in range(1, columns):
        canvas.box(column * across - slat, 0, column * across + slat, height, crate)
    for row in range(1, rows):
        canvas.box(0, row * down - slat, width, row * down + slat, crate * 1.1)
    return softened(canvas.plane, random, (0.7, 1.5, 5))


def room(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint a wall with pictures, furniture before it and a floor of boards."""
    wall, floor = colour(random, (0.05, 0.35), (0.5, 0.9)), colour(random, (0.2, 0.6), (0.25, 0.65))
    canvas = Canvas(height, width, wall)
    one, line = canvas.unit, random.uniform(0.55, 0.75) * height
    canvas.box(0, line, width, height, floor)
    for step in np.arange(-14, 15):
        ends = ((0.5 + 0.06 * step) * width, line), ((0.5 + 0.3 * step) * width, float(height))
        canvas.line(*ends, floor * 0.8, 3 * one)
    canvas.box(0, line - 14 * one, width, line, wall * 1.15)
    for _ in range(5):
        x, y = random.uniform(0, 0.9) * width, random.uniform(0, 0.5) * line
        across, down = random.uniform(90, 220) * one, random.uniform(90, 200) * one
        canvas.box(x, y, x + across, y + down, colour(random, (0, 0.5), (0.1, 0.4)))
        canvas.box(x + 9 * one, y + 9 * one, x + across - 9 * one, y + down - 9 * one, colour(random))
        canvas.oval((x + across / 2, y + down / 2), (0.2 * across, 0.2 * down), colour(random))
    for _ in range(4):
        x, across = random.uniform(-0.05, 1) * width, random.uniform(80, 260) * one
        top, foot, paint = (
            line + (30 - random.uniform(80, 280)) * one,
            line + random.uniform(20, 90) * one,
            colour(random),
        )
        canvas.column(x, top, x + across, foot, paint)
        canvas.box(x + 8 * one, (top + foot) / 2, x + across - 8 * one, (top + foot) / 2 + 12 * one, paint * 0.7)
    return softened(uneven(canvas.plane, random, 200 * one, 0.04), random, (0.7, 2, 4, 7))
