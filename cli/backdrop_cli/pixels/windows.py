"""What is unlike the border of a photo when windows are compared, not pixels: a smooth vase among leaves of its green.

Promises a plane of the working size, 0 where a window of the border has the same colours, contrasts and strokes, and
a first guess made of it. Refuses nothing; without enough border to compare with the plane is 0 everywhere.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

from typing import cast

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Plane
from backdrop_cli.pixels.segment import main_parts

_FACTOR = 4
_SIGMA = 7.0  # pixels of the working size; a brick or a book is about three times as large
_FLOOR = np.array([2, 1.5, 1.5, 1, 0.7, 0.7, 0.15, 0.15], np.float32)  # Lab units two windows of one ground differ by
_LIBRARY = 400


def unlike_border(lab: Plane, ground: Mask) -> Plane:
    """Return how far the window around each pixel is from the four nearest windows along the border.

    A window is the mean and spread of its Lab and the strength of its strokes across and down, each measured in
    standard deviations of the border's windows, so that what varies along the border counts for little.
    """
    height, width = ground.shape
    across = np.abs(cv2.Sobel(lab[:, :, 0], cv2.CV_32F, 1, 0, scale=0.125))
    down = np.abs(cv2.Sobel(lab[:, :, 0], cv2.CV_32F, 0, 1, scale=0.125))
    size = (max(1, width // _FACTOR), max(1, height // _FACTOR))
    # OpenCV averages four channels at most.
    mean, square, strokes = (
        cv2.GaussianBlur(cv2.resize(part, size, interpolation=cv2.INTER_AREA), (0, 0), _SIGMA / _FACTOR)
        for part in (lab, lab * lab, np.dstack([across, down]))
    )
    spread = np.sqrt(np.clip(square - mean * mean, 0, None))
    windows = np.dstack([mean, spread, strokes]).reshape(-1, 8)
    wide = max(3, round(0.08 * min(height, width)))
    frame = cv2.dilate(ground.astype(np.uint8), np.ones((2 * wide + 1, 2 * wide + 1), np.uint8))
    frame[wide:-wide, wide:-wide] = 0
    library = windows[cv2.resize(frame, size, interpolation=cv2.INTER_NEAREST).ravel() > 0]
    if len(library) < 20:
        return np.zeros((height, width), np.float32)
    library = library[:: max(1, len(library) // _LIBRARY)]
    scale = library.std(axis=0) + _FLOOR
    ours, theirs = windows / scale, library / scale
    away = (ours**2).sum(axis=1)[:, None] + (theirs**2).sum(axis=1)[None] - 2 * ours @ theirs.T
    nearest = np.partition(away, 3, axis=1)[:, :4].mean(axis=1)
    plane = np.sqrt(np.clip(nearest, 0, None)).reshape(size[1], size[0])
    return cast("Plane", cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR))


def strange_windows(lab: Plane, ground: Mask) -> Mask:
    """Return the central parts that are most unlike the border, parted from the rest by Otsu's threshold (1979)."""
    height, width = ground.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    central = np.exp(-((x / width - 0.5) ** 2 + (y / height - 0.52) ** 2) / 0.12)
    weighed = unlike_border(lab, ground) * central
    levels = (weighed * (255 / max(float(weighed.max()), 1e-6))).astype(np.uint8)
    level, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return main_parts(levels > level, 0.15)[0]
