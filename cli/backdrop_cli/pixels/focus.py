"""What of a photo is in focus: the subject's own edges, when lights, shelves or streets behind it have gone soft.

Promises planes of the working size and how far they may be trusted; where the border of the photo is as sharp as
the rest, it says so. Refuses nothing.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane, fit_within, resize
from backdrop_cli.pixels.fields import lab_of
from backdrop_cli.pixels.segment import main_parts

_LONGEST = 1200
_SOFT, _CRISP = 1.2, 1.8  # of the ratio between an edge's strength at one pixel and at two and a half


@dataclass(frozen=True)
class Focus:
    """Edges that are not quite soft (Lab units per pixel), those crisper than the border's, and how telling that is."""

    edges: Plane
    crisp: Mask
    telling: float


def focus_of(photo: Pixels, width: int, height: int, ground: Mask) -> Focus:
    """Return the focus of the photo at the working size.

    A step blurred by sigma has a slope that falls as the root of sigma squared plus the scale's square, whatever its
    contrast, so the ratio of its strengths at two scales tells its blur: about 2 when sharp, 1 when soft. The working
    size no longer shows the difference. `telling` is 0 where the border (`ground`) has the sharpest edges, 1 where its
    edges are soft.
    """
    columns, rows = fit_within(photo.shape[1], photo.shape[0], _LONGEST)
    lab = lab_of(resize(photo, columns, rows))
    fine, coarse = _strength(lab, 1.0), _strength(lab, 2.5)
    border = cv2.resize(ground.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST) > 0
    ridge = border & (coarse > 1.0) & (coarse >= 0.98 * cv2.dilate(coarse, np.ones((5, 5), np.uint8)))
    ratios = cv2.dilate(fine, np.ones((3, 3), np.uint8))[ridge] / coarse[ridge]
    limit = float(np.clip(np.quantile(ratios, 0.9) + 0.05, _SOFT, 1.95)) if ratios.size >= 20 else _SOFT
    factor = max(1, round(columns / width))

    def reduced(plane: Plane) -> Plane:
        return cast("Plane", resize(cv2.dilate(plane, np.ones((factor, factor), np.uint8)), width, height))

    sharper = reduced(np.maximum(fine - limit * coarse, 0))
    grain = float(np.percentile(sharper[ground], 95)) if ground.any() else 0.0
    crisp = _lines(sharper > max(0.25, 1.3 * grain))
    telling = float(np.clip((_CRISP - limit) / 0.4, 0, 1))
    return Focus(reduced(np.maximum(fine - _SOFT * coarse, 0)), crisp, telling)


def _strength(lab: Plane, sigma: float) -> Plane:
    smooth = cv2.GaussianBlur(lab, (0, 0), sigma)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125)
    return np.sqrt((across * across + down * down).sum(axis=2))


def _lines(mask: Mask) -> Mask:
    """Return the mask without the specks that grain leaves."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    long = stats[:, 4] >= 12
    long[0] = False
    return np.asarray(long[labels], bool)


def within_crisp(focus: Focus, ground: Mask) -> Mask:
    """Return what the crisp lines close in, gaps of a tenth of the frame included; empty when focus tells nothing."""
    height, width = ground.shape
    if focus.telling <= 0:
        return np.zeros_like(ground)
    radius = round(0.045 * min(height, width))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    padded = np.pad(focus.crisp.astype(np.uint8), radius + 1)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc)[radius + 1 : -radius - 1, radius + 1 : -radius - 1].copy()
    foot = np.flatnonzero(closed[-6:].any(axis=0))
    # A subject that leaves the frame below has no outline there: the frame closes it.
    if foot.size and not ground[-1].all():
        closed[-2:, foot[0] : foot[-1] + 1] = 1
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros((height, width), np.uint8)
    cv2.drawContours(filled, outlines, -1, 1, -1)
    return main_parts(cv2.morphologyEx(filled, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) > 0, 0.15)[0]
