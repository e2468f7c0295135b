"""A canvas in units of its subject.

Places are (x, y) from the subject's centre in shares of its radius, y downwards; what is painted last lies on top.
Promises colours (float32 (H, W, 3), 0 to 1) wherever the cover (float32 (H, W), 0 to 1) is above 0, and antialiased
edges. What lies outside the frame is left out without complaint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Plane, to_plane

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from backdrop_cli.photos.paint import Colour, Points
    from backdrop_cli.pixels.arrays import Pixels
    from subjects.outlines import Pair

    type Light = Callable[[Plane, Plane], Plane]

type Painted = tuple[Plane, Plane]

_FINE = 4  # bits of sub-pixel places in OpenCV's drawing


@dataclass(frozen=True)
class Place:
    """Where a subject is: its centre and radius in pixels, its turn in degrees clockwise; `side` -1 mirrors it."""

    x: float
    y: float
    radius: float
    turn: float = 0.0
    side: int = 1


@dataclass(frozen=True)
class _Stamp:
    """A shape (h, w), 0 to 255, and the part of the frame it belongs to."""

    ink: Pixels
    left: int
    top: int

    @property
    def mask(self) -> Plane:
        return to_plane(self.ink)

    @property
    def window(self) -> tuple[slice, slice]:
        height, width = self.ink.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


class Canvas:
    """A frame of `height` x `width` pixels with one subject on it."""

    def __init__(self, height: int, width: int, place: Place) -> None:
        self.height, self.width, self.place = height, width, place
        self._weighted = np.zeros((height, width, 3), np.float32)  # colours times cover
        self._cover = np.zeros((height, width), np.float32)

    @property
    def below(self) -> float:
        """How far a little more than the frame's lower edge is below an upright subject's centre, in radii."""
        return (self.height - self.place.y) / self.place.radius + 0.1

    def fill(self, outline: Points, colour: Colour, light: Light | None = None) -> None:
        """Paint a closed outline; `light` gives the brightness at x and y, 1 as the colour is."""
        self._lay(self._filled(outline), colour, light)

    def stroke(self, line: Points, thickness: float, colour: Colour, light: Light | None = None) -> None:
        """Paint a line with round ends."""
        self._lay(self._stroked(line, thickness), colour, light)

    def mark(self, outline: Points, colour: Colour, light: Light | None = None) -> None:
        """Paint a closed outline where something is painted already; the cover stays as it is."""
        self._tint(self._filled(outline), colour, light)

    def trace(self, line: Points, thickness: float, colour: Colour, light: Light | None = None) -> None:
        """Paint a line where something is painted already; the cover stays as it is."""
        self._tint(self._stroked(line, thickness), colour, light)

    def write(self, text: str, centre: Pair, size: float, colour: Colour) -> None:
        """Print a line of text, its letters `size` high, where something is painted already."""
        font, (x, y) = cv2.FONT_HERSHEY_DUPLEX, self._pixels([centre])[0]
        scale = size * self.place.radius / 22
        weight = max(1, round(1.6 * scale))
        (wide, high), _ = cv2.getTextSize(text, font, scale, weight)
        stamp = self._blank(np.array([(x - wide, y - 2 * high), (x + wide, y + 2 * high)]))
        if stamp:
            start = round(x - wide / 2 - stamp.left), round(y + high / 2 - stamp.top)
            cv2.putText(stamp.ink, text, start, font, scale, 255, weight, cv2.LINE_AA)
            self._tint(stamp, colour, None)

    def cut(self, outline: Points) -> None:
        """Take away what is painted inside a closed outline."""
        stamp = self._filled(outline)
        if stamp:
            keep = 1 - stamp.mask
            self._weighted[stamp.window] *= keep[:, :, None]
            self._cover[stamp.window] *= keep

    def painted(self) -> Painted:
        """Return the colours and the cover; nothing can be painted afterwards."""
        colours, cover = self._weighted, self._cover
        left, top, width, height = cv2.boundingRect((cover > 0).astype(np.uint8))
        part = slice(top, top + height), slice(left, left + width)
        colours[part] /= np.maximum(cover[part], 1e-6)[:, :, None]
        np.clip(colours[part], 0, 1, out=colours[part])
        return colours, cover

    def _pixels(self, points: Points) -> npt.NDArray[np.float64]:
        place, turn = self.place, np.radians(self.place.turn)
        x, y = np.array(points, np.float64).T * place.radius
        x = x * place.side
        across = place.x + np.cos(turn) * x - np.sin(turn) * y
        return np.stack([across, place.y + np.sin(turn) * x + np.cos(turn) * y], axis=1)

    def _grid(self, stamp: _Stamp) -> tuple[Plane, Plane]:
        place, turn = self.place, np.radians(self.place.turn)
        rows, columns = stamp.window
        across = (np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - place.x) / place.radius
        down = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - place.y) / place.radius
        x = (np.cos(turn) * across + np.sin(turn) * down) * place.side
        return x.astype(np.float32), (np.cos(turn) * down - np.sin(turn) * across).astype(np.float32)

    def _blank(self, corners: npt.NDArray[np.float64], margin: float = 2.0) -> _Stamp | None:
        left, top = np.floor(corners.min(axis=0) - margin).astype(int)
        right, bottom = np.ceil(corners.max(axis=0) + margin).astype(int) + 1
        left, top = max(0, int(left)), max(0, int(top))
        width, height = min(self.width, int(right)) - left, min(self.height, int(bottom)) - top
        return _Stamp(np.zeros((height, width), np.uint8), left, top) if width > 0 and height > 0 else None

    def _filled(self, outline: Points) -> _Stamp | None:
        corners = self._pixels(outline)
        stamp = self._blank(corners)
        if stamp:
            cv2.fillPoly(stamp.ink, [self._fine(corners, stamp)], 255, cv2.LINE_AA, _FINE)
        return stamp

    def _stroked(self, line: Points, thickness: float) -> _Stamp | None:
        corners, wide = self._pixels(line), max(1, round(thickness * self.place.radius))
        stamp = self._blank(corners, wide / 2 + 2)
        if stamp:
            knots = [self._fine(corners, stamp)]
            cv2.polylines(
                stamp.ink, knots, isClosed=False, color=255, thickness=wide, lineType=cv2.LINE_AA, shift=_FINE
            )
        return stamp

    @staticmethod
    def _fine(corners: npt.NDArray[np.float64], stamp: _Stamp) -> npt.NDArray[np.int32]:
        return np.round((corners - (stamp.left, stamp.top)) * (1 << _FINE)).astype(np.int32)

    def _colour(self, stamp: _Stamp, colour: Colour, light: Light | None) -> Plane:
        paint = np.array(colour, np.float32)
        if light is None:
            return paint
        lit = light(*self._grid(stamp))[:, :, None] * paint
        return np.clip(lit, 0, 1, out=lit)

    def _lay(self, stamp: _Stamp | None, colour: Colour, light: Light | None) -> None:
        if stamp:
            below, cover = self._weighted[stamp.window], self._cover[stamp.window]
            change = self._colour(stamp, colour, light) - below
            change *= stamp.mask[:, :, None]
            below += change
            cover += (1 - cover) * stamp.mask

    def _tint(self, stamp: _Stamp | None, colour: Colour, light: Light | None) -> None:
        if stamp:
            below, cover = self._weighted[stamp.window], self._cover[stamp.window]
            change = self._colour(stamp, colour, light) * cover[:, :, None] - below
            change *= stamp.mask[:, :, None]
            below += change
