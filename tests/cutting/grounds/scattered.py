"""Grounds of shapes at random places, and of noise: clutter, circles, terrazzo, glass, carpet, grain.

Promises `Ground` painters with colours and sizes by chance. Refuses nothing.
"""

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Plane, blur
from grounds.paint import Canvas, Point, colour, filled, mixed, noise, uneven, unit


def _turned_box(centre: Point, size: Point, turn: float) -> Plane:
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array(size) / 2
    c, s = np.cos(turn), np.sin(turn)
    return np.asarray(half @ np.array([[c, s], [-s, c]]) + centre)


def clutter(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint discs, boxes and lines over each other."""
    canvas = Canvas(height, width, colour(random, (0.05, 0.3), (0.5, 0.85)))
    one = canvas.unit
    for kind in random.random(65):
        paint, place = colour(random), canvas.anywhere(random)
        if kind < 0.35:
            canvas.disc(place, random.uniform(15, 70) * one, paint)
        elif kind < 0.75:
            size = (random.uniform(20, 160) * one, random.uniform(20, 120) * one)
            canvas.polygon(_turned_box(place, size, random.uniform(0, np.pi)), paint)
        else:
            canvas.line(place, canvas.anywhere(random), paint, random.uniform(4, 16) * one)
    return uneven(canvas.plane, random, 60 * one, 0.05)


def rectangles(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint upright rectangles over each other, few or many."""
    canvas = Canvas(height, width, colour(random))
    for _ in range(random.integers(60, 240)):
        x, y = (place - 50 * canvas.unit for place in canvas.anywhere(random))
        across, down = random.uniform(20, 200, 2) * canvas.unit
        canvas.box(x, y, x + across, y + down, random.random(3, np.float32))
    return canvas.plane


def circles(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint discs over each other, few or many."""
    canvas = Canvas(height, width, colour(random))
    for _ in range(random.integers(90, 300)):
        canvas.disc(canvas.anywhere(random), random.uniform(8, 70) * canvas.unit, random.random(3, np.float32))
    return canvas.plane


def terrazzo(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint a pale floor with chips of five colours."""
    canvas = Canvas(height, width, colour(random, (0.02, 0.25), (0.6, 0.95)))
    chips = [colour(random) for _ in range(5)]
    for _ in range(1300):
        angle = random.uniform(0, 2 * np.pi) + np.arange(6) * (np.pi / 3)
        reach = random.uniform(4, 24) * canvas.unit * random.uniform(0.5, 1, 6)
        corners = np.stack([np.cos(angle), np.sin(angle)], axis=1) * reach[:, None] + canvas.anywhere(random)
        canvas.polygon(corners, chips[int(random.integers(5))])
    return canvas.plane


def stained_glass(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint panes of every colour, with or without lead between them."""
    canvas = Canvas(height, width, colour(random, (0, 0.3), (0.05, 0.2)))
    sites = cv2.Subdiv2D((0, 0, width, height))
    sites.insert([(float(x), float(y)) for x, y in random.random((int(random.integers(30, 140)), 2)) * (width, height)])
    panes = sites.getVoronoiFacetList([])[0]
    for pane in panes:
        canvas.polygon(pane, colour(random))
    if random.random() < 0.5:
        lead, thick = colour(random, (0, 0.3), (0.05, 0.2)), random.uniform(2, 7) * canvas.unit
        for pane in panes:
            canvas.outline(pane, lead, thick)
    return uneven(canvas.plane, random, 90 * canvas.unit, 0.06)


def carpet(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint a rough pile in blobs of two colours."""
    one = unit(height, width)
    blobs = noise(random, height, width, 45 * one, 2) > 0.3
    pile = random.random((height, width, 1), np.float32)
    return blur(mixed(colour(random), colour(random), blobs) * (0.6 + 0.6 * pile), 0.8 * one)


def marbling(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint three colours run into each other."""
    one = unit(height, width)
    base = mixed(colour(random), colour(random), _veil(random, height, width, random.uniform(60, 260) * one))
    return mixed(base, colour(random), 0.6 * _veil(random, height, width, 200 * one))


def _veil(random: np.random.Generator, height: int, width: int, cell: float) -> Plane:
    return np.clip(0.5 + 0.3 * noise(random, height, width, cell, 5), 0, 1)


def grain(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint noise without any order between pixels: of every colour, or about one."""
    if random.random() < 0.4:
        return random.random((height, width, 3), np.float32)
    picture = filled(height, width, colour(random))
    picture += random.choice([0.1, 0.2, 0.3]) * random.standard_normal((height, width, 3), np.float32)
    return picture


def coloured_blocks(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint small squares, each of a colour of its own."""
    side = max(2, round(random.uniform(4, 24) * unit(height, width)))
    blocks = random.random((-(-height // side), -(-width // side), 3), np.float32)
    return blocks.repeat(side, axis=0).repeat(side, axis=1)[:height, :width]


def pink_noise(height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint noise that is as rough from afar as from near: its amplitude falls as its frequency rises."""
    across = np.fft.rfftfreq(width).astype(np.float32) * width
    down = np.fft.fftfreq(height).astype(np.float32) * height
    steps = np.maximum(np.hypot(across[None, :], down[:, None]), 1)
    picture = filled(height, width, colour(random, (0.1, 0.55), (0.35, 0.7)))
    for channel in range(3):
        waves = np.fft.rfft2(random.standard_normal((height, width), np.float32)) / steps
        waves[0, 0] = 0
        plane = np.fft.irfft2(waves, s=(height, width))
        picture[:, :, channel] += 0.13 * plane / plane.std()
    return picture
