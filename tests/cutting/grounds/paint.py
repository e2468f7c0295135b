"""What the painters of grounds share: colours by chance, uneven tones, cells, lights and a canvas with smooth edges.

Promises float32 pictures (H, W, 3) and planes (H, W) that depend on the generator only; lengths are in pixels, colours
are RGB (3,), 0 to 1. Refuses nothing: what is drawn outside a picture is cut off, and a picture that runs over 0 to 1
is brought back by `bounded`.
"""

import colorsys
import math
from collections.abc import Callable, Sequence
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from backdrop_cli.pixels.arrays import Pixels, Plane, blur, to_pixels, to_plane

type Ground = Callable[[int, int, np.random.Generator], Plane]
type Point = tuple[float, float]
type Span = tuple[float, float]

_SHIFT = 4
_FINE = 1 << _SHIFT
"""OpenCV draws at sixteenths of a pixel when coordinates are shifted by four bits."""


def bounded(ground: Ground, height: int, width: int, random: np.random.Generator) -> Plane:
    """Return the ground's picture as contiguous float32 (H, W, 3), cut to 0 to 1."""
    return np.ascontiguousarray(np.clip(ground(height, width, random), 0, 1), np.float32)


def blurred(ground: Ground, height: int, width: int, random: np.random.Generator) -> Plane:
    """Return the ground out of focus: blurred by 3 to 8 pixels in 1200."""
    return blur(ground(height, width, random), random.uniform(3, 8) * unit(height, width))


def softened(picture: Plane, random: np.random.Generator, sigmas: Sequence[float]) -> Plane:
    """Return the picture blurred by one of `sigmas`, in pixels of a picture 1200 long."""
    return blur(picture, float(random.choice(sigmas)) * unit(*picture.shape[:2]))


def unit(height: int, width: int) -> float:
    """Return the length, in pixels, of a 1200th of the longer side: grounds look alike at every size."""
    return max(height, width) / 1200


def places(height: int, width: int) -> tuple[Plane, Plane]:
    """Return x (1, W) and y (H, 1) of every pixel centre."""
    x = np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5)
    y = np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5)
    return x, y


def colour(random: np.random.Generator, saturation: Span = (0.25, 0.85), value: Span = (0.25, 0.95)) -> Plane:
    """Return a colour of any hue."""
    return hued(random, (0, 1), saturation, value)


def hued(random: np.random.Generator, hue: Span, saturation: Span, value: Span) -> Plane:
    """Return a colour whose hue (0 red, 1/3 green, 2/3 blue), saturation and value lie within the spans."""
    parts = (random.uniform(*hue) % 1, random.uniform(*saturation), random.uniform(*value))
    return np.array(colorsys.hsv_to_rgb(*parts), np.float32)


def filled(height: int, width: int, paint: Plane) -> Plane:
    """Return a picture of one colour."""
    return np.full((height, width, 3), paint, np.float32)


def mixed(low: Plane, high: Plane, amount: Plane) -> Plane:
    """Return `low` where `amount` (H, W) is 0 and `high` where it is 1; either is a colour or a picture."""
    part = np.asarray(amount, np.float32)[:, :, None]
    return low + (high - low) * part


def toned(picture: Plane, tone: Plane) -> Plane:
    """Return the picture or colour times the tone (H, W)."""
    return picture * np.asarray(tone, np.float32)[:, :, None]


def noise(random: np.random.Generator, height: int, width: int, cell: float, octaves: int = 4) -> Plane:
    """Return smooth noise (H, W) about 0 with a deviation of about 1: blobs `cell` pixels wide, then finer ones."""
    total = np.zeros((height, width), np.float32)
    weight, spent = 1.0, 0.0
    for octave in range(octaves):
        step = max(2, round(cell / 2**octave))
        rows, columns = height // step + 3, width // step + 3
        knots = random.standard_normal((rows, columns), np.float32)
        grown = cv2.resize(knots, (columns * step, rows * step), interpolation=cv2.INTER_CUBIC)
        total += weight * grown[step : step + height, step : step + width]
        spent += weight**2
        weight /= 2
        if step == 2:
            break
    return cast("Plane", total / np.float32(0.7 * math.sqrt(spent)))


def uneven(picture: Plane, random: np.random.Generator, cell: float, depth: float, octaves: int = 3) -> Plane:
    """Return the picture lighter and darker in blobs `cell` pixels wide, by about `depth` of its value."""
    height, width = picture.shape[:2]
    return toned(picture, 1 + depth * noise(random, height, width, cell, octaves))


def laid(
    random: np.random.Generator, height: int, width: int, size: tuple[float, float], shift: float = 0.0
) -> tuple[Plane, Plane]:
    """Return cells `size` (across, down) laid in rows, every other row moved by `shift` of a cell.

    Both (H, W): a number 0 to 1 that is the cell's own, and the distance to the cell's edge in pixels.
    """
    across, down = size
    x, y = places(height, width)
    row = np.floor(y / down)
    along = x / across + shift * (row % 2)
    column = np.floor(along)
    numbers = random.random((int(height / down) + 1, int(width / across) + 3), np.float32)
    over, under = along - column, y / down - row
    edge = np.minimum(np.minimum(over, 1 - over) * across, np.minimum(under, 1 - under) * down)
    return numbers[row.astype(np.intp), column.astype(np.intp)], edge.astype(np.float32)


def add_light(picture: Plane, centre: Point, radius: float, paint: Plane, sides: int = 0) -> None:
    """Add a disc of light, or a regular polygon with so many sides, to the picture in place."""
    height, width = picture.shape[:2]
    left, top = (max(0, math.floor(place - radius) - 1) for place in centre)
    right, bottom = min(width, math.ceil(centre[0] + radius) + 2), min(height, math.ceil(centre[1] + radius) + 2)
    if left >= right or top >= bottom:
        return
    shape = np.zeros((bottom - top, right - left), np.uint8)
    angle = np.arange(sides or 48) * (2 * np.pi / (sides or 48)) + 0.5
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius + (centre[0] - left, centre[1] - top)
    cv2.fillPoly(shape, [_fine(points)], 255, cv2.LINE_AA, _SHIFT)
    picture[top:bottom, left:right] += to_plane(shape)[:, :, None] * paint


def _fine(points: npt.ArrayLike) -> npt.NDArray[np.int32]:
    return np.round(np.asarray(points, np.float64) * _FINE).astype(np.int32)


def _ink(paint: Plane) -> tuple[int, ...]:
    return tuple(min(255, max(0, round(255 * part))) for part in paint.tolist())


class Canvas:
    """A picture under the brush; 8 bits deep, because OpenCV smooths edges at that depth only."""

    def __init__(self, height: int, width: int, paint: Plane) -> None:
        self.pixels: Pixels = np.full((height, width, 3), _ink(paint), np.uint8)
        self.height, self.width = height, width
        self.unit = unit(height, width)

    @classmethod
    def over(cls, picture: Plane) -> "Canvas":
        """Return a canvas that begins with a picture."""
        height, width = picture.shape[:2]
        canvas = cls(height, width, np.zeros(3, np.float32))
        canvas.pixels = to_pixels(picture)
        return canvas

    @property
    def plane(self) -> Plane:
        """The picture, 0 to 1."""
        return to_plane(self.pixels)

    def anywhere(self, random: np.random.Generator) -> Point:
        """Return a point of the picture."""
        return random.uniform(0, self.width), random.uniform(0, self.height)

    def oval(self, centre: Point, radii: Point, paint: Plane, turn: float = 0.0) -> None:
        """Fill an ellipse turned by so many degrees."""
        middle, axes = ((round(a * _FINE), round(b * _FINE)) for a, b in (centre, radii))
        cv2.ellipse(self.pixels, middle, axes, turn, 0, 360, _ink(paint), -1, cv2.LINE_AA, _SHIFT)

    def disc(self, centre: Point, radius: float, paint: Plane) -> None:
        """Fill a circle."""
        self.oval(centre, (radius, radius), paint)

    def polygon(self, points: npt.ArrayLike, paint: Plane) -> None:
        """Fill a polygon of (x, y)."""
        cv2.fillPoly(self.pixels, [_fine(points)], _ink(paint), cv2.LINE_AA, _SHIFT)

    def outline(self, points: npt.ArrayLike, paint: Plane, thick: float) -> None:
        """Draw a polygon's outline, at least a pixel thick."""
        cv2.polylines(self.pixels, [_fine(points)], True, _ink(paint), max(1, round(thick)), cv2.LINE_AA, _SHIFT)  # noqa: FBT003

    def box(self, left: float, top: float, right: float, bottom: float, paint: Plane) -> None:
        """Fill an upright rectangle."""
        rows, columns = self._between(top, bottom), self._between(left, right)
        self.pixels[rows, columns] = _ink(paint)

    def column(self, left: float, top: float, right: float, bottom: float, paint: Plane) -> None:
        """Fill an upright rectangle, darker to its sides as a round thing is."""
        rows, columns = self._between(top, bottom), self._between(left, right)
        x = np.arange(self.width, dtype=np.float32)[columns]
        swell = 0.78 + 0.3 * np.sin(np.clip((x - left) / (right - left), 0.03, 0.97) * np.pi)
        self.pixels[rows, columns] = to_pixels(paint * swell[:, None])

    def line(self, start: Point, end: Point, paint: Plane, thick: float) -> None:
        """Draw a line, at least a pixel thick."""
        first, last = ((round(x * _FINE), round(y * _FINE)) for x, y in (start, end))
        cv2.line(self.pixels, first, last, _ink(paint), max(1, round(thick)), cv2.LINE_AA, _SHIFT)

    @staticmethod
    def _between(first: float, last: float) -> slice:
        return slice(max(0, round(first)), max(0, round(last)))
