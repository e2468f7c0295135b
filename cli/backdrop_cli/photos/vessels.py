"""Bottle, mug, flacon and vase of the sample photos.

Each function returns (colours (H, W, 3), mask (H, W)), both float32 0 to 1, for a picture of `shape` (H, W);
lengths are shares of the picture's height.
"""

# ruff: noqa: PLR2004, PLR0917 - a drawing is made of numbers: left, top, right, bottom

from typing import cast

import cv2
import numpy as np

from backdrop_cli.photos.paint import (
    Points,
    curve,
    ellipse,
    lay,
    polygon,
    shaded,
    stroke,
    studio,
    tone,
    turned,
    write,
)
from backdrop_cli.pixels.arrays import Plane, blur, clouds, smoothstep

type Painted = tuple[Plane, Plane]


def _rounded(steps: Points) -> Points:
    """Return a profile with its bends rounded."""
    return [(y, max(0.0, w)) for y, w in curve(steps, closed=False, steps=10)]


def bottle(shape: tuple[int, int], random: np.random.Generator) -> Painted:
    """Paint an amber dropper bottle with a paper label, centred."""
    height, width = shape
    s, cx = float(height), width * 0.5
    body = turned(
        shape,
        cx,
        [
            (0.345 * s, 0.052 * s),
            (0.37 * s, 0.054 * s),
            *_rounded([(0.375 * s, 0.056 * s), (0.40 * s, 0.085 * s), (0.43 * s, 0.128 * s), (0.47 * s, 0.140 * s)]),
            (0.86 * s, 0.140 * s),
            (0.878 * s, 0.137 * s),
            (0.888 * s, 0.126 * s),
        ],
        sag=0.05,
    )
    lit, shine = studio(body, gloss=0.55)
    u = body.across
    # Thick coloured glass is darkest at its edges, where light passes the most of it.
    depth = (0.40 + 0.75 * np.sqrt(np.clip(1 - u * u, 0, 1))) * (0.85 + 0.30 * body.along)
    glass = np.array(tone("b3560f"), np.float32) * (depth * (0.7 + 0.4 * lit))[:, :, None]
    glow = np.exp(-((u - 0.35) ** 2) / 0.06) * smoothstep(body.along, 0.2, 0.95)
    glass = glass + glow[:, :, None] * np.array([0.30, 0.13, 0.02], np.float32)
    picture = lay(np.zeros((*shape, 3), np.float32), body.mask, glass)
    top, bottom = 0.535 * s, 0.80 * s
    y = np.arange(height, dtype=np.float32)[:, None]
    paper = body.mask * smoothstep(y, top - 1, top + 1) * smoothstep(-y, -bottom - 1, -bottom + 1)
    fibre = 0.97 + 0.05 * clouds(random, width, height, cells=60, octaves=3)
    picture = lay(picture, paper, shaded(tone("efe6d6"), lit * 1.06 * fibre))
    ink = write(shape, "NORD", (cx, 0.600 * s), 0.062 * s)
    ink = np.maximum(ink, write(shape, "botanical serum", (cx, 0.652 * s), 0.026 * s))
    ink = np.maximum(ink, 0.7 * write(shape, "30 ml  -  1.0 fl oz", (cx, 0.765 * s), 0.018 * s))
    for line in (0.685, 0.735):
        ink = np.maximum(ink, stroke(shape, [(cx - 0.06 * s, line * s), (cx + 0.06 * s, line * s)], 2))
    ink = np.maximum(ink, _sprig(shape, cx, 0.71 * s, 0.03 * s))
    picture = lay(picture, ink * paper, tone("4a3424"), 0.9)
    picture = picture + (shine * body.mask)[:, :, None] * (1 - 0.55 * paper[:, :, None])
    collar = turned(shape, cx, [(0.255 * s, 0.060 * s), (0.345 * s, 0.062 * s), (0.353 * s, 0.058 * s)], sag=0.08)
    cap_lit, cap_shine = studio(collar, gloss=0.35, ambient=0.25)
    ribs = 0.86 + 0.14 * np.cos(np.arcsin(np.clip(collar.across, -1, 1)) * 46)
    picture = lay(picture, collar.mask, shaded(tone("26262a"), cap_lit * ribs * 1.4, cap_shine * 0.7))
    bulb = turned(
        shape,
        cx,
        _rounded(
            [
                (0.115 * s, 0.010 * s),
                (0.125 * s, 0.026 * s),
                (0.16 * s, 0.036 * s),
                (0.22 * s, 0.034 * s),
                (0.262 * s, 0.042 * s),
            ]
        ),
        sag=0.1,
    )
    bulb_lit, bulb_shine = studio(bulb, gloss=0.25, ambient=0.2)
    picture = lay(picture, bulb.mask, shaded(tone("303034"), bulb_lit * 1.3, bulb_shine))
    mask = np.maximum(np.maximum(body.mask, collar.mask), bulb.mask)
    return picture.astype(np.float32), mask


def _sprig(shape: tuple[int, int], x: float, y: float, size: float) -> Plane:
    mask = stroke(shape, [(x - size, y), (x + size, y)], 1.6)
    for step in (-0.6, -0.2, 0.2, 0.6):
        for side in (-1, 1):
            leaf = ellipse(
                shape, (x + step * size + 0.12 * size, y + side * 0.22 * size), (0.26 * size, 0.09 * size), side * 40
            )
            mask = np.maximum(mask, leaf)
    return mask


def mug(shape: tuple[int, int], random: np.random.Generator) -> Painted:
    """Paint a glazed mug left of the centre, its handle open to the right."""
    height, width = shape
    s, cx = float(height), width * 0.34
    top, bottom, half = 0.36 * s, 0.80 * s, 0.185 * s
    loop = curve(
        [
            (cx + 0.15 * s, 0.45 * s),
            (cx + 0.25 * s, 0.425 * s),
            (cx + 0.325 * s, 0.49 * s),
            (cx + 0.315 * s, 0.60 * s),
            (cx + 0.25 * s, 0.685 * s),
            (cx + 0.14 * s, 0.71 * s),
        ],
        closed=False,
    )
    handle = stroke(shape, loop, 0.058 * s)
    ridge = stroke(shape, [(x - 0.007 * s, y - 0.009 * s) for x, y in loop], 0.016 * s)
    glaze = tone("2f6f73")
    shade = 0.55 + 0.5 * blur(ridge, 0.012 * s)
    picture = lay(np.zeros((*shape, 3), np.float32), handle, shaded(glaze, shade.astype(np.float32)))
    picture = lay(picture, blur(ridge, 2.5) * handle, (1.0, 1.0, 1.0), 0.35)
    body = turned(
        shape, cx, [(top, half), (0.74 * s, half * 0.985), (0.785 * s, half * 0.93), (bottom, half * 0.86)], sag=0.13
    )
    lit, shine = studio(body, gloss=0.5)
    speckle = (clouds(random, width, height, cells=110, octaves=2) > 0.76).astype(np.float32)
    glazed = shaded(glaze, lit * 1.12)
    glazed = glazed * (1 - 0.45 * blur(speckle, 0.7)[:, :, None])
    y = np.arange(height, dtype=np.float32)[:, None]
    bow = 0.13 * half * np.sqrt(np.clip(1 - body.across**2, 0, 1))
    bare = smoothstep(y - bow, 0.715 * s, 0.722 * s)
    clay = shaded(tone("d8bd98"), lit * (0.96 + 0.08 * clouds(random, width, height, cells=80, octaves=3)))
    glazed = glazed * (1 - bare[:, :, None]) + clay * bare[:, :, None]
    picture = lay(picture, body.mask, glazed + (shine * (1 - 0.7 * bare))[:, :, None])
    rim = ellipse(shape, (cx, top), (half, half * 0.13))
    inside = ellipse(shape, (cx, top + 0.004 * s), (half * 0.93, half * 0.105))
    picture = lay(picture, rim, tuple(min(1.0, c * 1.5 + 0.06) for c in glaze))  # type: ignore[arg-type]
    picture = lay(picture, inside, shaded((0.86, 0.83, 0.77), 0.62 + 0.36 * body.across))
    coffee = ellipse(shape, (cx, top + 0.013 * s), (half * 0.85, half * 0.075)) * inside
    picture = lay(picture, coffee, tone("2b160c"))
    mask = np.maximum(np.maximum(handle, body.mask), rim)
    return picture.astype(np.float32), mask


def perfume(shape: tuple[int, int], random: np.random.Generator) -> Painted:
    """Paint a faceted glass flacon with a golden collar and a black cap, centred."""
    height, width = shape
    s, cx = float(height), width * 0.5
    left, right, top, bottom = cx - 0.215 * s, cx + 0.215 * s, 0.40 * s, 0.90 * s
    round_by = 0.035 * s
    block = _rounded_box(shape, left, top, right, bottom, round_by)
    x = (np.arange(width, dtype=np.float32)[None, :] - left) / (right - left)
    y = (np.arange(height, dtype=np.float32)[:, None] - top) / (bottom - top)
    juice = _rounded_box(shape, left + 0.035 * s, top + 0.10 * s, right - 0.035 * s, bottom - 0.045 * s, 0.022 * s)
    shade = 0.62 + 0.30 * np.exp(-(((x - 0.3) / 0.28) ** 2)) - 0.10 * y
    glass = np.array(tone("dfe6ea"), np.float32) * shade[:, :, None]
    picture = lay(np.zeros((*shape, 3), np.float32), block, glass)
    rose = (
        np.array(tone("e58a86"), np.float32) * (0.72 + 0.42 * np.exp(-(((x - 0.34) / 0.3) ** 2)) + 0.18 * y)[:, :, None]
    )
    caustic = clouds(random, width, height, cells=5, octaves=3)
    picture = lay(picture, blur(juice, 1.0), rose + 0.10 * (caustic[:, :, None] - 0.5), 0.95)
    for place, wide, strength in ((0.055, 0.025, 0.55), (0.94, 0.02, 0.35), (0.21, 0.035, 0.30)):
        line = np.exp(-(((x - place) / wide) ** 2)) * smoothstep(y, 0.03, 0.12) * smoothstep(-y, -0.97, -0.88)
        picture = picture + (block * line * strength)[:, :, None]
    edge = block - cv2.erode(block, np.ones((7, 7), np.uint8))
    picture = lay(picture, blur(edge, 1.5), tone("5f6a74"), 0.55)
    ink = write(shape, "AURELIA", (cx, top + 0.285 * s), 0.052 * s)
    ink = np.maximum(ink, write(shape, "eau de parfum", (cx, top + 0.335 * s), 0.022 * s))
    picture = lay(picture, ink, tone("fff6ee"), 0.95)
    collar = turned(shape, cx, [(0.335 * s, 0.075 * s), (0.402 * s, 0.078 * s)], sag=0.05)
    lit, shine = studio(collar, ambient=0.3, gloss=0.6)
    picture = lay(picture, collar.mask, shaded(tone("d9a94e"), lit, shine))
    cap = turned(shape, cx, [(0.125 * s, 0.104 * s), (0.335 * s, 0.106 * s)], sag=0.045)
    lit, shine = studio(cap, ambient=0.12, gloss=0.42)
    picture = lay(picture, cap.mask, shaded(tone("2a2529"), lit * 1.2, shine))
    lid = ellipse(shape, (cx, 0.125 * s), (0.104 * s, 0.104 * 0.045 * s))
    picture = lay(picture, lid, tone("5a5257"))
    mask = np.maximum(np.maximum(block, collar.mask), cap.mask)
    return picture.astype(np.float32), mask


def _rounded_box(shape: tuple[int, int], left: float, top: float, right: float, bottom: float, radius: float) -> Plane:
    points: Points = []
    quarter = np.linspace(0, np.pi / 2, 12)
    corners = (
        (right - radius, top + radius, -np.pi / 2),
        (right - radius, bottom - radius, 0.0),
        (left + radius, bottom - radius, np.pi / 2),
        (left + radius, top + radius, np.pi),
    )
    for x, y, start in corners:
        points += [(x + radius * float(np.cos(start + a)), y + radius * float(np.sin(start + a))) for a in quarter]
    return polygon(shape, points)


def vase(shape: tuple[int, int], random: np.random.Generator) -> Painted:
    """Paint a ribbed stoneware vase with three leafy stems."""
    height, width = shape
    s, cx = float(height), width * 0.56
    picture = np.zeros((*shape, 3), np.float32)
    mask = np.zeros(shape, np.float32)
    for bend, reach, first in ((-0.20, 0.31, 0.9), (0.05, 0.38, 1.0), (0.23, 0.28, 0.8)):
        stem = curve(
            [
                (cx + 0.02 * s * bend, 0.50 * s),
                (cx + 0.35 * bend * s, (0.50 - 0.5 * reach) * s),
                (cx + bend * s, (0.52 - reach) * s),
            ],
            closed=False,
        )
        line = stroke(shape, stem, 0.008 * s)
        picture = lay(picture, line, tone("4f6b3a"))
        mask = np.maximum(mask, line)
        for place in range(8, len(stem), 4):
            x, y = stem[place]
            for side in (-1, 1):
                size = (0.055 - 0.018 * place / len(stem)) * s * first
                turn = side * 48 - 90 + 40 * bend * 2
                ahead = np.radians(turn)
                middle = (x + float(np.cos(ahead)) * size * 0.9, y + float(np.sin(ahead)) * size * 0.9)
                leaf = ellipse(shape, middle, (size, size * 0.36), turn)
                green = tone("6f9454") if side < 0 else tone("55793f")
                lightness = float(random.uniform(0.82, 1.12))
                picture = lay(
                    picture, leaf, cast("tuple[float, float, float]", tuple(min(1.0, c * lightness) for c in green))
                )
                vein = stroke(shape, [(x, y), (2 * middle[0] - x, 2 * middle[1] - y)], 1.6)
                picture = lay(picture, vein * leaf, tone("a8c088"), 0.7)
                mask = np.maximum(mask, leaf)
    profile = _rounded(
        [
            (0.455 * s, 0.062 * s),
            (0.48 * s, 0.054 * s),
            (0.53 * s, 0.070 * s),
            (0.62 * s, 0.150 * s),
            (0.71 * s, 0.180 * s),
            (0.81 * s, 0.150 * s),
            (0.885 * s, 0.092 * s),
        ]
    )
    body = turned(shape, cx, profile, sag=0.08)
    lit, shine = studio(body, gloss=0.10, ambient=0.36)
    ribs = 0.93 + 0.09 * np.sin(np.arcsin(np.clip(body.across, -1, 1)) * 30)
    clay = 0.95 + 0.10 * clouds(random, width, height, cells=50, octaves=4)
    speck = 1 - 0.5 * blur((clouds(random, width, height, cells=140, octaves=1) > 0.93).astype(np.float32), 0.8)
    picture = lay(picture, body.mask, shaded(tone("e6d8c6"), lit * ribs * clay * speck * 1.04, shine))
    mouth = ellipse(shape, (cx, 0.455 * s), (0.052 * s, 0.0042 * s))
    picture = lay(picture, mouth, tone("4a3c30"), 0.9)
    return picture.astype(np.float32), np.maximum(mask, body.mask)
