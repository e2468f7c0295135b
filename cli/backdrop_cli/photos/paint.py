"""Brushes of the sample photos: smooth outlines, turned bodies with studio light, ink, and the grain of a camera.

Promises float32 pictures (H, W, 3), 0 to 1, and masks (H, W) with soft edges, 0 to 1, that depend on the
arguments only.
"""

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Plane, blur, smoothstep

type Points = list[tuple[float, float]]
type Colour = tuple[float, float, float]

_FINE = 4  # bits of sub-pixel places in OpenCV's drawing


def tone(text: str) -> Colour:
    """Return the 0 to 1 colour of six hexadecimal digits."""
    red, green, blue = bytes.fromhex(text)
    return red / 255, green / 255, blue / 255


def path(text: str) -> Points:
    """Return the points of "x,y x,y ..."."""
    pairs = (pair.split(",") for pair in text.split())
    return [(float(x), float(y)) for x, y in pairs]


def curve(points: Points, *, closed: bool = True, steps: int = 16) -> Points:
    """Return a Catmull-Rom curve through the points."""
    count = len(points)
    knots = np.array(points, np.float64)
    result: Points = []
    last = count if closed else count - 1
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    for place in range(last):
        if closed:
            a, b, c, d = (knots[(place + shift) % count] for shift in (-1, 0, 1, 2))
        else:
            a, b, c, d = (knots[min(max(place + shift, 0), count - 1)] for shift in (-1, 0, 1, 2))
        part = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        result.extend((float(x), float(y)) for x, y in part)
    if not closed:
        result.append(points[-1])
    return result


def polygon(shape: tuple[int, int], points: Points) -> Plane:
    """Return the mask of a polygon, its edge anti-aliased."""
    mask = np.zeros(shape, np.uint8)
    corners = np.round(np.array(points) * (1 << _FINE)).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, _FINE)
    return mask.astype(np.float32) / 255


def ellipse(shape: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float], turn: float = 0) -> Plane:
    """Return the mask of an ellipse turned by `turn` degrees."""
    angle = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    x, y = radii[0] * np.cos(angle), radii[1] * np.sin(angle)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return polygon(shape, [(centre[0] + c * a - s * b, centre[1] + s * a + c * b) for a, b in zip(x, y, strict=True)])


def stroke(shape: tuple[int, int], points: Points, thickness: float) -> Plane:
    """Return the mask of a line with round ends."""
    knots = np.array(points)
    along = np.gradient(knots, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) * thickness / 2
    body = polygon(shape, [*map(tuple, knots + normal), *map(tuple, (knots - normal)[::-1])])
    for end in (knots[0], knots[-1]):
        body = np.maximum(body, ellipse(shape, (float(end[0]), float(end[1])), (thickness / 2, thickness / 2)))
    return body


@dataclass(frozen=True)
class Turned:
    """A body of revolution: its mask, `across` -1 left to 1 right on its surface, `along` 0 top to 1 bottom."""

    mask: Plane
    across: Plane
    along: Plane


def turned(shape: tuple[int, int], centre: float, profile: Points, sag: float = 0.0) -> Turned:
    """Return the body whose half width (pixels) at height y is given by `profile` [(y, half width)], smoothly joined.

    `sag` is how far (a share of the half width) its level circles bow down, as seen from a little above.
    """
    height, width = shape
    rows = np.arange(height, dtype=np.float32)
    places, halves = zip(*profile, strict=True)
    half = np.interp(rows, places, halves).astype(np.float32)
    x = np.arange(width, dtype=np.float32)[None, :]
    top, bottom = places[0], places[-1]
    outline = [(centre - w, y) for y, w in profile] + [(centre + w, y) for y, w in profile[::-1]]
    mask = polygon(shape, outline)
    if sag:
        for y, w in (profile[0], profile[-1]):
            mask = np.maximum(mask, ellipse(shape, (centre, y), (w, w * sag)))
    grown = cv2.dilate(half.reshape(-1, 1), np.ones((3, 1), np.uint8))
    across = np.clip((x - centre) / np.maximum(grown, 1), -1, 1)
    along = np.clip((rows[:, None] - top) / (bottom - top), 0, 1) * np.ones((1, width), np.float32)
    return Turned(mask, (across.astype(np.float32)), along.astype(np.float32))


def studio(body: Turned, *, side: float = -1.0, ambient: float = 0.42, gloss: float = 0.5) -> tuple[Plane, Plane]:
    """Return (how brightly the surface is lit, about 0 to 1; softbox reflections to add) from one side."""
    u = body.across
    facing = np.sqrt(np.clip(1 - u * u, 0, 1))
    lit = ambient + (1 - ambient) * np.clip(0.62 * side * u + 0.78 * facing, 0, 1)
    lit = lit * (1 - 0.10 * body.along)
    box = smoothstep(-np.abs(u - side * 0.50), -0.13, -0.08)
    edge = smoothstep(-np.abs(u + side * 0.82), -0.07, -0.02)
    fade = smoothstep(body.along, 0.03, 0.10) * smoothstep(-body.along, -0.97, -0.85)
    return lit.astype(np.float32), cast("Plane", (gloss * (0.8 * box + 0.35 * edge) * fade).astype(np.float32))


def lay(picture: Plane, mask: Plane, colour: Plane | Colour, strength: float = 1.0) -> Plane:
    """Return the picture with a colour (one, or a picture) laid on through a mask; the picture itself is changed."""
    rows = np.flatnonzero(mask.max(axis=1) > 0)
    columns = np.flatnonzero(mask.max(axis=0) > 0)
    if not rows.size:
        return picture
    window = np.s_[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]
    veil = (mask[window] * np.float32(strength))[:, :, None]
    paint = np.asarray(colour, np.float32)
    part = paint[window] if paint.ndim > 1 else paint
    picture[window] += (part - picture[window]) * veil
    return picture


def shaded(colour: Colour, lit: Plane, shine: Plane | None = None) -> Plane:
    """Return the picture of a surface of one colour under the given light."""
    light = lit.astype(np.float32, copy=False)
    planes = [light * np.float32(part) for part in colour]
    return cast("Plane", cv2.merge(planes if shine is None else [plane + shine for plane in planes]))


def write(shape: tuple[int, int], text: str, centre: tuple[float, float], height: float) -> Plane:
    """Return the mask of a line of print, `height` pixels high, centred."""
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - only photos with print need it

    page = Image.new("L", (shape[1], shape[0]))
    ImageDraw.Draw(page).text(centre, text, fill=255, font=ImageFont.load_default(size=height), anchor="mm")
    return np.asarray(page, np.float32) / 255


def camera(picture: Plane, random: np.random.Generator, *, noise: float = 0.010, vignette: float = 0.05) -> Plane:
    """Return the picture as a lens and a sensor would give it: a little soft, darker to the corners, grainy."""
    height, width = picture.shape[:2]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    soft = blur(picture, 0.55) * (1 - vignette * (x * x + y * y) / 2)[:, :, None]
    grain = random.standard_normal((height // 2, width // 2, 3), np.float32) * np.float32(noise)
    soft += cv2.resize(grain, (width, height))
    soft += random.standard_normal((height, width, 1), np.float32) * np.float32(0.7 * noise)
    return np.clip(soft, 0, 1)
