"""Chair and sneaker of the sample photos.

Each function returns (colours (H, W, 3), mask (H, W)), both float32 0 to 1, for a picture of `shape` (H, W);
lengths are shares of the picture's height.
"""

# ruff: noqa: PLR2004, PLR0917 - a drawing is made of numbers: left, top, right, bottom

import cv2
import numpy as np

from backdrop_cli.photos.paint import (
    Points,
    curve,
    ellipse,
    lay,
    path,
    polygon,
    shaded,
    stroke,
    tone,
)
from backdrop_cli.pixels.arrays import Plane, blur, clouds, smoothstep

type Painted = tuple[Plane, Plane]


def sneaker(shape: tuple[int, int], random: np.random.Generator) -> Painted:
    """Paint a low canvas sneaker from the side, toe to the right."""
    height, width = shape
    s, x0, y0 = float(width) * 0.62, width * 0.19, height * 0.70

    def at(points: Points) -> Points:
        return [(x0 + x * s, y0 + y * s) for x, y in points]

    upper = polygon(
        shape,
        curve(
            at(
                path(
                    """0.02,-0.02 0.0,-0.16 0.015,-0.30 0.05,-0.345 0.10,-0.33 0.20,-0.285 0.30,-0.30 0.36,-0.335
                    0.42,-0.29 0.55,-0.205 0.70,-0.155 0.86,-0.135 0.955,-0.09 0.975,-0.02 0.5,0.0"""
                )
            )
        ),
    )
    sole = polygon(
        shape,
        curve(
            at(
                path(
                    """-0.012,-0.055 -0.02,0.02 0.0,0.055 0.12,0.066 0.5,0.066 0.82,0.066 0.95,0.045 1.005,-0.005
                    0.99,-0.06 0.9,-0.045 0.5,-0.03 0.2,-0.045"""
                )
            )
        ),
    )
    y = (np.arange(height, dtype=np.float32)[:, None] - y0) / s
    x = (np.arange(width, dtype=np.float32)[None, :] - x0) / s
    thick = cv2.distanceTransform((upper > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / (0.10 * s)
    bulge = np.sqrt(np.clip(1 - (1 - np.clip(thick, 0, 1)) ** 2, 0, 1))
    light = (0.50 + 0.38 * bulge) * (1.02 - 0.9 * np.clip(y + 0.30, 0, 0.4))
    weave = (
        1
        + 0.05 * (np.sin(x * s * 0.9) * np.sin(y * s * 0.9))
        + 0.05 * (clouds(random, width, height, cells=40, octaves=3) - 0.5)
    )
    picture = lay(
        np.zeros((*shape, 3), np.float32), upper, shaded(tone("e0553b"), (light * weave * 1.15).astype(np.float32))
    )
    panels: list[tuple[Points, str, float]] = [
        ([(0.86, -0.16), (0.97, -0.11), (0.99, -0.03), (0.80, -0.03), (0.77, -0.08), (0.80, -0.13)], "f4efe6", 1.0),
        ([(0.0, -0.34), (0.07, -0.345), (0.075, -0.18), (0.14, -0.02), (-0.02, -0.02)], "23324f", 1.0),
        ([(0.24, -0.06), (0.33, -0.18), (0.55, -0.165), (0.40, -0.13), (0.37, -0.05)], "f4efe6", 1.0),
    ]
    for points, colour, strength in panels:
        part = polygon(shape, curve(at(points))) * upper
        rim = np.clip(blur(part, 2.0) * (1 - part) * 2.2, 0, 1) * upper
        picture = lay(picture, rim, (0.1, 0.05, 0.05), 0.35)
        picture = lay(picture, part, shaded(tone(colour), (0.12 + light * weave).astype(np.float32)), strength)
    stitch_line = curve(at([(0.10, -0.05), (0.20, -0.20), (0.36, -0.275)]), closed=False)
    for place in range(0, len(stitch_line) - 3, 6):
        picture = lay(picture, stroke(shape, stitch_line[place : place + 3], 2.2), tone("ffd9c8"), 0.8)
    mouth = polygon(
        shape,
        curve(
            at(path("0.055,-0.338 0.12,-0.318 0.21,-0.272 0.30,-0.288 0.355,-0.328 0.30,-0.315 0.20,-0.30 0.12,-0.33"))
        ),
    )
    picture = lay(picture, mouth * upper, tone("2a1c1c"), 0.85)
    tongue = polygon(
        shape, curve(at([(0.33, -0.30), (0.345, -0.375), (0.39, -0.385), (0.42, -0.33), (0.46, -0.26), (0.40, -0.25)]))
    )
    picture = lay(
        picture, tongue, shaded(tone("c9452e"), (0.75 + 0.5 * np.clip(-y - 0.28, 0, 0.2) * weave).astype(np.float32))
    )
    for place in range(5):
        a = (0.395 + 0.052 * place, -0.305 + 0.034 * place)
        b = (a[0] - 0.055, a[1] + 0.062)
        lace = stroke(
            shape, curve(at([a, ((a[0] + b[0]) / 2 + 0.012, (a[1] + b[1]) / 2 + 0.004), b]), closed=False), 0.017 * s
        )
        picture = lay(picture, blur(lace, 2.0) * (1 - lace), (0.15, 0.05, 0.05), 0.5)
        picture = lay(picture, lace, shaded(tone("fbf8f1"), (0.86 + 0.16 * blur(lace, 3.0)).astype(np.float32)))
        picture = lay(picture, ellipse(shape, at([b])[0], (0.008 * s, 0.008 * s)), tone("3b3b40"))
    rubber = 0.80 + 0.22 * smoothstep(-y, -0.05, 0.05) + 0.03 * clouds(random, width, height, cells=30, octaves=3)
    picture = lay(picture, np.clip(blur(sole, 4.0) - sole, 0, 1) * upper, (0.08, 0.04, 0.04), 0.9)
    picture = lay(picture, sole, shaded(tone("f1ece2"), rubber.astype(np.float32)))
    picture = lay(
        picture,
        stroke(
            shape,
            curve(at([(-0.012, 0.008), (0.2, 0.016), (0.5, 0.022), (0.85, 0.018), (0.995, -0.012)]), closed=False),
            0.010 * s,
        )
        * sole,
        tone("e0553b"),
    )
    tread = sole * smoothstep(y, 0.045, 0.05)
    picture = lay(
        picture,
        tread,
        shaded(tone("9a6a45"), (0.75 + 0.25 * (np.sin(x * 170) > 0)).astype(np.float32) * np.ones_like(rubber)),
    )
    mask = np.maximum(np.maximum(upper, sole), tongue)
    for place in range(5):
        a = (0.395 + 0.052 * place, -0.305 + 0.034 * place)
        b = (a[0] - 0.055, a[1] + 0.062)
        mask = np.maximum(
            mask,
            stroke(
                shape,
                curve(at([a, ((a[0] + b[0]) / 2 + 0.012, (a[1] + b[1]) / 2 + 0.004), b]), closed=False),
                0.017 * s,
            ),
        )
    return picture.astype(np.float32), mask


def chair(shape: tuple[int, int], random: np.random.Generator) -> Painted:
    """Paint a wooden chair with a cushion, daylight between its legs and slats."""
    height, width = shape
    s, cx = float(height), width * 0.5
    grain = cv2.resize(random.random((height, max(2, width // 90)), np.float32), (width, height))
    upright = cv2.resize(random.random((max(2, height // 90), width), np.float32), (width, height))
    wood = np.array(tone("c58a52"), np.float32)
    picture = np.zeros((*shape, 3), np.float32)
    mask = np.zeros(shape, np.float32)

    def beam(points: Points, light: float, along: Plane) -> None:
        nonlocal picture, mask
        part = polygon(shape, points)
        rim = np.clip(part - cv2.erode(part, np.ones((5, 5), np.uint8)), 0, 1)
        picture = lay(picture, part, wood * (light * (0.86 + 0.24 * along))[:, :, None])
        picture = lay(picture, blur(rim, 1.2) * part, tone("6b4424"), 0.45)
        mask = np.maximum(mask, part)

    def box(
        left: float, top: float, right: float, bottom: float, light: float, along: Plane, lean: float = 0.0
    ) -> None:
        beam(
            [
                (cx + (left + lean) * s, top * s),
                (cx + (right + lean) * s, top * s),
                (cx + right * s, bottom * s),
                (cx + left * s, bottom * s),
            ],
            light,
            along,
        )

    box(-0.150, 0.60, -0.122, 0.85, 0.62, upright, 0.0)
    box(0.122, 0.60, 0.150, 0.85, 0.56, upright, 0.0)
    box(-0.205, 0.14, -0.170, 0.60, 0.96, upright, 0.012)
    box(0.170, 0.14, 0.205, 0.60, 0.78, upright, -0.012)
    for top in (0.155, 0.265, 0.375):
        bow = 0.012
        points = [
            (-0.185, top),
            (0.0, top - bow),
            (0.185, top),
            (0.185, top + 0.062),
            (0.0, top + 0.062 - bow),
            (-0.185, top + 0.062),
        ]
        beam([(cx + x * s, y * s) for x, y in points], 0.95, grain)
    beam(
        [
            (cx - 0.235 * s, 0.615 * s),
            (cx + 0.235 * s, 0.615 * s),
            (cx + 0.225 * s, 0.665 * s),
            (cx - 0.225 * s, 0.665 * s),
        ],
        0.84,
        grain,
    )
    box(-0.228, 0.66, -0.190, 0.925, 1.0, upright, 0.0)
    box(0.190, 0.66, 0.228, 0.925, 0.82, upright, 0.0)
    box(-0.195, 0.775, 0.195, 0.80, 0.80, grain)
    cushion = polygon(
        shape,
        curve(
            [
                (cx + x * s, y * s)
                for x, y in path(
                    "-0.20,0.555 0.0,0.545 0.20,0.555 0.245,0.60 0.23,0.628 0.0,0.632 -0.23,0.628 -0.245,0.60"
                )
            ]
        ),
    )
    y = np.arange(height, dtype=np.float32)[:, None] / s
    fabric = (
        0.80 + 0.30 * smoothstep(-y, -0.63, -0.55) + 0.10 * (clouds(random, width, height, cells=90, octaves=2) - 0.5)
    )
    picture = lay(picture, cushion, shaded(tone("4d6a52"), fabric.astype(np.float32)))
    seam = stroke(shape, [(cx - 0.235 * s, 0.606 * s), (cx, 0.612 * s), (cx + 0.235 * s, 0.606 * s)], 2.5) * cushion
    picture = lay(picture, seam, tone("2c4030"), 0.7)
    return picture.astype(np.float32), np.maximum(mask, cushion)
