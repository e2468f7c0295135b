"""Regular grounds: bricks, boards, cloth, stripes, checks, wallpaper, tiles.

Promises `Ground` painters with colours and sizes by chance. Refuses nothing.
"""

import math

import numpy as np

from backdrop_cli.pixels.arrays import Plane, smoothstep
from grounds.paint import Canvas, colour, filled, laid, mixed, noise, places, toned, uneven, unit


def bricks(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint a wall of bricks in pale mortar."""
    one = unit(height, width)
    tall = random.uniform(36, 64) * one
    number, edge = laid(random, height, width, (tall * random.uniform(1.9, 2.9), tall), 0.5)
    mortar = colour(random, (0, 0.1), (0.55, 0.85))
    wall = toned(colour(random, (0.3, 0.75), (0.4, 0.85)), 0.75 + 0.4 * number)
    joint = random.uniform(1.5, 3.5) * one
    return uneven(mixed(mortar, wall, smoothstep(edge, joint - 0.7, joint + 0.7)), random, 8 * one, 0.08)


def planks(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint boards with a grain, upright or lying."""
    if random.random() < 0.5:
        return _lying(width, height, random).swapaxes(0, 1)
    return _lying(height, width, random)


def _lying(height: int, width: int, random: np.random.Generator) -> Plane:
    one = unit(height, width)
    size = (random.uniform(500, 1400) * one, random.uniform(80, 180) * one)
    number, edge = laid(random, height, width, size, random.uniform(0.2, 0.8))
    _, y = places(height, width)
    rings = np.sin(y * (0.25 / one) + 2 * noise(random, height, width, 160 * one, 3) + 40 * number)
    stretched = noise(random, height, max(8, width // 24), 4 * one, 2)
    fibre = np.repeat(stretched, 25, axis=1)[:, :width]
    tone = (0.75 + 0.4 * number) * (1 + 0.07 * rings + 0.06 * fibre)
    return toned(colour(random, (0.2, 0.65), (0.3, 0.85)), tone * (0.4 + 0.6 * smoothstep(edge, 1.0, 2.0 + one)))


def woven_cloth(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint threads that cross over and under each other."""
    one = unit(height, width)
    thread = random.uniform(5, 14) * one
    x, y = places(height, width)
    across, down = np.sin(x * np.pi / thread), np.sin(y * np.pi / thread)
    over = (across * down > 0) * (0.8 + 0.2 * across)
    first = colour(random)
    second = 0.6 * first + 0.4 * colour(random)
    return uneven(mixed(second, first, over), random, 100 * one, 0.06, 5)


def stripes(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint stripes of two colours at any angle."""
    x, y = places(height, width)
    turn, thick = random.uniform(0, np.pi), random.uniform(14, 50) * unit(height, width)
    along = (x * math.cos(turn) + y * math.sin(turn)) % (2 * thick)
    band = np.abs(along - thick) - thick / 2
    return mixed(colour(random), colour(random), smoothstep(band, -0.7, 0.7))


def shaded_stripes(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint one colour that runs into another from side to side, under slanting bars of shade."""
    x, y = places(height, width)
    across, down = x / width, y / height
    bars = np.sin((down + random.uniform(-0.5, 0.5) * across) * random.uniform(60, 250))
    base = mixed(colour(random), colour(random), across + 0 * down)
    return toned(base, 0.5 + 0.5 * smoothstep(bars, -0.15, 0.15))


def checks(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint a board of squares in two colours."""
    x, y = places(height, width)
    side = random.uniform(20, 90) * unit(height, width)
    odd = (np.floor(x / side) + np.floor(y / side)) % 2
    return uneven(mixed(colour(random), colour(random), odd), random, side, 0.03)


def plaid(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint cloth with see-through stripes across and down."""
    one = unit(height, width)
    picture = filled(height, width, colour(random))
    for place in places(height, width):
        for _ in range(3):
            period, start, thick = (random.uniform(*span) * one for span in ((80, 200), (0, 80), (8, 40)))
            band = np.broadcast_to((place + start) % period < thick, (height, width))
            picture = mixed(picture, colour(random), 0.5 * band)
    x, y = places(height, width)
    return toned(picture, 1 + 0.05 * np.sin((x + y) * (1.6 / one)))


def wallpaper(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint rows of six-petalled flowers, a little lighter or darker than the paper."""
    paper = colour(random, (0.1, 0.6), (0.4, 0.9))
    petal = paper * float(random.choice([0.7, 0.85, 1.2]))
    canvas = Canvas(height, width, paper)
    side = random.uniform(60, 140) * canvas.unit
    for row in range(int(height / side) + 2):
        for column in range(-1, int(width / side) + 2):
            x, y = (column + 0.5 * (row % 2)) * side, row * side
            for turn in np.arange(6) * (np.pi / 3):
                canvas.disc((x + 0.22 * side * np.cos(turn), y + 0.22 * side * np.sin(turn)), 0.14 * side, petal)
            canvas.disc((x, y), 0.1 * side, paper)
    return canvas.plane


def roof_tiles(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint rows of round tiles that overlap downwards."""
    base = colour(random, (0.3, 0.8), (0.3, 0.75))
    canvas = Canvas(height, width, base * 0.4)
    side = random.uniform(40, 90) * canvas.unit
    step, rim = 0.7 * side, 1.5 * canvas.unit
    for row in range(int(height / step) + 1, -3, -1):
        for column in range(-1, int(width / side) + 2):
            centre = ((column + 0.5 * (row % 2)) * side, row * step)
            canvas.oval(centre, (side / 2, 0.9 * side), base * 0.5)
            canvas.oval(centre, (side / 2 - rim, 0.9 * side - rim), base * random.uniform(0.75, 1.2))
    return uneven(canvas.plane, random, 10 * canvas.unit, 0.05)


def herringbone(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint blocks laid crosswise in zigzags, at 45 degrees or any other."""
    one = unit(height, width)
    thick, length = random.uniform(24, 50) * one, int(random.integers(2, 6))
    turn = np.pi / 4 if random.random() < 0.5 else random.uniform(0, np.pi)
    x, y = places(height, width)
    across = (x * math.cos(turn) + y * math.sin(turn)) / thick
    down = (y * math.cos(turn) - x * math.sin(turn)) / thick
    column, row = np.floor(across), np.floor(down)
    step = (column - row) % (2 * length)
    flat = step < length
    # A flat block covers `length` columns of its row, an upright one `length` rows of its column.
    first_column = np.where(flat, column - step, column)
    first_row = np.where(flat, row, row - (2 * length - 1 - step))
    wide, tall = np.where(flat, length, 1), np.where(flat, 1, length)
    over, under = across - first_column, down - first_row
    edge = np.minimum(np.minimum(over, wide - over), np.minimum(under, tall - under)) * thick
    numbers = random.random(4096, np.float32)
    number = numbers[(first_column * 71 + first_row * 157 + flat * 1999).astype(np.intp) % 4096]
    base = colour(random, (0.2, 0.7), (0.35, 0.85))
    picture = toned(base, (0.75 + 0.45 * number) * (0.5 + 0.5 * smoothstep(edge, one, 1.5 + one)))
    return uneven(picture, random, 6 * one, 0.06, 2)
