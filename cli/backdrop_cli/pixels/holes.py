"""The holes of a subject: enclosed places through which the ground shows.

Promises to take from a mask only what looks like the ground around it; print on a label and a part in the ground's
colour stay. Refuses nothing.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

from typing import Any

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Plane
from backdrop_cli.pixels.fields import bins_of, density, local_mean, quadratic

_NEVER = 99.0
_DEEPEST_SHADOW = 35.0  # in L of Lab


def open_holes(lab: Plane, sharp: Plane, mask: Mask, level: float) -> Mask:
    """Return the mask without the enclosed places through which the ground shows (a handle, between chair legs)."""
    height, width = mask.shape
    ground = cv2.erode((~mask).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not ground.any():
        return mask
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.2)
    spread = np.abs(lab - smooth)[ground].mean()
    near = np.full((height, width), _NEVER, np.float32)
    for sigma in (8.0, 24.0):
        mean, weight = local_mean(smooth, ground, sigma)
        away = np.sqrt(((smooth - mean) ** 2).sum(axis=2))
        near = np.minimum(near, np.where(weight > 0.01, away, _NEVER))
    fitted = quadratic(smooth, ground)
    near = np.minimum(near, np.sqrt(((smooth - fitted) ** 2).sum(axis=2)))
    row_weight = ground.sum(axis=1).astype(np.float32)
    row_mean = (smooth * ground[:, :, None]).sum(axis=1) / np.maximum(row_weight, 1)[:, None]
    away = np.sqrt(((smooth - row_mean[:, None, :]) ** 2).sum(axis=2))
    near = np.minimum(near, np.where(row_weight[:, None] > 8, away, _NEVER))
    strict = 2.5 + 2.0 * float(spread)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    free = cv2.erode((sharp < max(level, 0.6)).astype(np.uint8), disc)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(free & mask.astype(np.uint8), connectivity=4)
    blurry = float(np.median(np.sqrt(((smooth - fitted) ** 2).sum(axis=2))[ground])) > 2.0
    bins = bins_of(smooth)
    common = density(bins, ground)[bins] > 7e-4
    # The subject's own shadow falls into its hole: darker than the ground, of the ground's hue.
    darker = fitted[:, :, 0] - smooth[:, :, 0]
    hue = np.hypot(fitted[:, :, 1] - smooth[:, :, 1], fitted[:, :, 2] - smooth[:, :, 2])
    shaded = (darker > -strict) & (darker < _DEEPEST_SHADOW) & (hue < strict)
    result = mask.copy()
    for part in range(1, count):
        area = stats[part, 4]
        if area < 0.0003 * height * width:
            continue
        here = labels == part
        large = area > 0.003 * height * width
        seen = near < (2.2 * strict if large else strict)
        if blurry and area > 0.008 * height * width:
            seen |= common
        share = seen[here].mean()
        if not blurry and share > 0.4:
            share = max(share, (seen | shaded)[here].mean() - 0.15)
        if share < 0.75 or _has_print(here, seen | shaded | common, stats[part]):
            continue
        if large and not blurry and not _stands_out(smooth, mask & ~here, here, float(near[here].mean())):
            continue
        result[cv2.dilate(here.astype(np.uint8), disc) > 0] = False
    return result


def _stands_out(smooth: Plane, rest: Mask, part: Mask, away: float) -> bool:
    """Return whether the subject around a part differs from it far more than the ground does."""
    around = (cv2.dilate(part.astype(np.uint8), np.ones((13, 13), np.uint8)) > 0) & rest
    around &= cv2.dilate(part.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    if not around.any():
        return False
    contrast = np.linalg.norm(smooth[around].mean(axis=0) - smooth[part].mean(axis=0))
    return bool(away < max(2.5, 0.25 * contrast))


def _has_print(part: Mask, seen: Mask, stats: Any) -> bool:
    """Return whether strange islands stand in the part, as letters do on a label; the ground in a hole has none."""
    left, top, across, down, _ = (int(number) for number in stats[:5])
    window = np.s_[top : top + down, left : left + across]
    cropped = part[window].astype(np.uint8)
    outlines, _ = cv2.findContours(cropped, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(cropped)
    cv2.drawContours(filled, outlines, -1, 1, -1)
    strange = (filled > 0) & ~seen[window] & (cropped == 0)
    return bool(strange.sum() > 0.025 * filled.sum())
