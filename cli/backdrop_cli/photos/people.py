"""The portrait among the sample photos.

Each function returns (colours (H, W, 3), mask (H, W)), both float32 0 to 1, for a picture of `shape` (H, W);
lengths are shares of the picture's height.
"""

from collections.abc import Callable
from typing import cast

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


def portrait(shape: tuple[int, int], random: np.random.Generator) -> Painted:
    """Paint a head and shoulders, cut by the lower edge of the frame."""
    height, width = shape
    s, cx = float(height), width * 0.5

    def at(points: Points) -> Points:
        return [(cx + x * s, y * s) for x, y in points]

    skin = tone("d9a07c")
    x = (np.arange(width, dtype=np.float32)[None, :] - cx) / s
    y = np.arange(height, dtype=np.float32)[:, None] / s
    picture = np.zeros((*shape, 3), np.float32)
    back_hair = polygon(
        shape,
        curve(
            at(
                path(
                    """-0.165,0.22 -0.12,0.105 0.0,0.07 0.12,0.105 0.17,0.22 0.185,0.40 0.175,0.56 0.10,0.60 -0.10,0.60
                    -0.175,0.56 -0.18,0.40"""
                )
            )
        ),
    )
    strands = 0.75 + 0.5 * cv2.resize(random.random((max(2, height // 200), width), np.float32), (width, height))
    picture = lay(picture, back_hair, shaded(tone("3a241a"), strands.astype(np.float32)))
    neck = polygon(
        shape,
        curve(at(path("-0.062,0.42 0.062,0.42 0.066,0.56 0.14,0.64 0.0,0.74 -0.14,0.64 -0.066,0.56"))),
    )
    body = polygon(
        shape,
        [
            *curve(
                at(
                    path(
                        """-0.43,1.02 -0.40,0.78 -0.32,0.685 -0.17,0.635 -0.085,0.60 -0.03,0.69 0.0,0.705
                        0.03,0.69 0.085,0.60
                        0.17,0.635 0.32,0.685 0.40,0.78 0.43,1.02"""
                    )
                ),
                closed=False,
            )
        ],
    )
    folds = clouds(random, width, height, cells=7, octaves=3) - 0.5
    knit = 1 + 0.05 * np.sin(y * s * 0.75) * np.sin(x * s * 0.75)
    cloth = (0.86 - 0.55 * np.abs(x + 0.06) + 0.22 * folds - 0.25 * (y - 0.7)) * knit
    picture = lay(picture, body, shaded(tone("3d5f8a"), (cloth * 1.1).astype(np.float32)))
    lit_neck = 0.68 - 0.8 * np.clip(x, -0.1, 0.2) + 0.22 * smoothstep(y, 0.48, 0.62)
    picture = lay(
        picture, neck * smoothstep(-y + 1.1 * np.abs(x), -0.712, -0.700), shaded(skin, lit_neck.astype(np.float32))
    )
    collar = stroke(
        shape,
        curve(at([(-0.115, 0.612), (-0.06, 0.672), (0.0, 0.712), (0.06, 0.672), (0.115, 0.612)]), closed=False),
        0.026 * s,
    )
    picture = lay(picture, collar, shaded(tone("2f4c70"), (0.9 - 0.8 * x + 0 * y).astype(np.float32)))
    face = polygon(
        shape,
        curve(
            at(
                path(
                    """-0.125,0.25 -0.09,0.155 0.0,0.13 0.09,0.155 0.125,0.25 0.120,0.34 0.088,0.425
                    0.035,0.477 0.0,0.482
                    -0.035,0.477 -0.088,0.425 -0.120,0.34"""
                )
            )
        ),
    )
    rounding = np.sqrt(np.clip(1 - (x / 0.14) ** 2, 0, 1))
    face_light = 0.60 + 0.44 * rounding - 1.0 * np.clip(x, -0.12, 0.13) * 0.9 - 0.18 * smoothstep(y, 0.38, 0.50)
    for cheek in (-0.062, 0.062):
        face_light = face_light + 0.05 * np.exp(-(((x - cheek) / 0.035) ** 2 + ((y - 0.345) / 0.035) ** 2))
    picture = lay(picture, blur(face, 6.0) * neck, (0.25, 0.12, 0.08), 0.5)
    picture = lay(picture, face, shaded(skin, face_light.astype(np.float32)))
    for cheek in (-0.068, 0.068):
        blush = np.exp(-(((x - cheek) / 0.032) ** 2 + ((y - 0.365) / 0.026) ** 2)).astype(np.float32)
        picture = lay(picture, blush * face, tone("d87a66"), 0.35)
    picture = _features(shape, picture, at, s)
    fringe = polygon(
        shape,
        curve(
            at(
                path(
                    """-0.155,0.34 -0.165,0.20 -0.11,0.10 0.0,0.07 0.11,0.10 0.168,0.20 0.155,0.34 0.135,0.25 0.10,0.19
                    0.03,0.165 -0.03,0.205 -0.10,0.225 -0.135,0.26"""
                )
            )
        ),
    )
    picture = lay(picture, np.clip(blur(fringe, 7.0) - fringe, 0, 1) * face, (0.2, 0.08, 0.04), 0.7)
    sheen = 1 + 0.9 * np.exp(-(((y - 0.145 - 0.5 * (x + 0.02) ** 2 * 4) / 0.02) ** 2)) * smoothstep(
        -np.abs(x + 0.03), -0.13, -0.02
    )
    picture = lay(picture, fringe, shaded(tone("4a2e20"), (strands * sheen).astype(np.float32)))
    mask = np.maximum.reduce([back_hair, neck, body, face, fringe])
    return picture.astype(np.float32), cast("Plane", mask)


def _features(shape: tuple[int, int], picture: Plane, at: Callable[[Points], Points], s: float) -> Plane:
    """Return the face with brows, eyes, nose and mouth."""
    for side in (-1, 1):
        ((eye_x, eye_y),) = at([(side * 0.052, 0.305)])
        white = ellipse(shape, (eye_x, eye_y), (0.0215 * s, 0.0100 * s), side * 4)
        picture = lay(picture, blur(white, 5.0), tone("8a5a44"), 0.45)
        picture = lay(picture, white, tone("f3ebe4"))
        picture = lay(picture, ellipse(shape, (eye_x, eye_y), (0.0102 * s, 0.0102 * s)) * white, tone("59462f"))
        picture = lay(picture, ellipse(shape, (eye_x, eye_y), (0.0052 * s, 0.0052 * s)) * white, tone("15100e"))
        picture = lay(picture, ellipse(shape, (eye_x - 3, eye_y - 3), (2.2, 2.2)), (1.0, 1.0, 1.0))
        lid = curve(at([(side * 0.029, 0.3085), (side * 0.050, 0.2945), (side * 0.075, 0.303)]), closed=False)
        picture = lay(picture, stroke(shape, lid, 0.0042 * s), tone("2b1a14"), 0.9)
        brow = curve(at([(side * 0.026, 0.277), (side * 0.052, 0.266), (side * 0.082, 0.276)]), closed=False)
        picture = lay(picture, blur(stroke(shape, brow, 0.0075 * s), 1.5), tone("3a241a"), 0.85)
    bridge = curve(at([(0.008, 0.29), (0.013, 0.34), (0.021, 0.366)]), closed=False)
    picture = lay(picture, blur(stroke(shape, bridge, 0.012 * s), 5.0), tone("8f553a"), 0.55)
    picture = lay(
        picture, blur(ellipse(shape, at([(-0.004, 0.352)])[0], (0.008 * s, 0.02 * s)), 5.0), tone("f4cdb0"), 0.55
    )
    picture = lay(
        picture, blur(ellipse(shape, at([(0.0, 0.377)])[0], (0.024 * s, 0.006 * s)), 4.0), tone("7a432f"), 0.6
    )
    upper_lip = polygon(
        shape, curve(at([(-0.040, 0.418), (-0.014, 0.409), (0.0, 0.413), (0.014, 0.409), (0.040, 0.418), (0.0, 0.423)]))
    )
    lower_lip = polygon(
        shape, curve(at([(-0.040, 0.418), (0.0, 0.4225), (0.040, 0.418), (0.018, 0.4345), (-0.018, 0.4345)]))
    )
    picture = lay(picture, blur(lower_lip, 1.0), tone("c4655a"), 0.85)
    picture = lay(picture, blur(upper_lip, 1.0), tone("a94f48"), 0.85)
    return lay(picture, blur(ellipse(shape, at([(0.0, 0.447)])[0], (0.022 * s, 0.005 * s)), 5.0), tone("8f553a"), 0.4)
