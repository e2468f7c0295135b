"""The border of a small photo: which of it is surely ground, where the subject leaves the frame.

Promises masks of the photo's size. A subject may leave below, at the sides below its shoulders, or at a lower corner;
of the upper border only a run whose colours no other side has is left open. Refuses nothing.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Plane
from backdrop_cli.pixels.fields import bins_of, density, direction


def ring(height: int, width: int, part: float = 0.03) -> Mask:
    """Return the border, `part` of the shorter side wide."""
    wide = max(2, round(min(height, width) * part))
    mask = np.ones((height, width), bool)
    mask[wide:-wide, wide:-wide] = False
    return mask


def _sides(height: int, width: int) -> list[tuple[slice, slice]]:
    wide = max(2, round(min(height, width) * 0.03))
    return [np.s_[:wide, :], np.s_[-wide:, :], np.s_[:, :wide], np.s_[:, -wide:]]


def seeds(lab: Plane, sharp: Plane) -> Mask:
    """Return the border pixels that are surely ground.

    A run of one side whose colours no other side has is left open: the subject may leave the frame there.
    Below the point
    where a sharp, bent outline meets the left or right edge (shoulders, not the straight rim of a table) it is
    open too.
    """
    height, width = sharp.shape
    bins = bins_of(cv2.GaussianBlur(lab, (0, 0), 1.0))
    sides = _sides(height, width)
    result = np.zeros((height, width), bool)
    for place, side in enumerate(sides):
        others = np.zeros((height, width), np.float32)
        for other in sides:
            if other is not side:
                others[other] = 1
        known = density(bins, others)[bins[side]] > 2e-4
        line = known.mean(axis=0 if place < 2 else 1)
        line = _run(line, line.size // 30)
        if line.mean() < 0.15:
            line[:] = True
        result[side] |= line[None, :] if place < 2 else line[:, None]
    wide = sides[0][0].stop
    shoulders, below = _shoulders(lab, sharp), _cut_below(sharp)
    corner = _cut_at_corner(lab, sharp) if shoulders is None else None
    if corner is not None:
        result &= ~corner
    if below is not None:
        result[-wide:, below] = False
    if shoulders is not None:
        left, right = shoulders
        result[-wide:] = False
        result[left:, :wide] = False
        result[right:, -wide:] = False
    return result


def _shoulders(lab: Plane, sharp: Plane) -> tuple[int, int] | None:
    """Return the rows below which the left and right border belong to a subject cut by the bottom, or None."""
    height, width = sharp.shape
    wide = max(2, round(min(height, width) * 0.03))
    cos, sin = direction(lab)
    rows, tilts = [], []
    for columns in (np.s_[:wide], np.s_[-wide:]):
        profile = sharp[:, columns].mean(axis=1)
        strong = np.flatnonzero(profile[height // 4 :] > 4 * float(np.median(profile)) + 0.6)
        if not strong.size:
            return None
        row = int(strong[0]) + height // 4
        near = np.s_[max(0, row - 3) : row + 4, columns]
        # Half the tensor's angle is the normal's; the outline runs across it.
        tilts.append(float(0.5 * np.arctan2(-sin[near].sum(), -cos[near].sum())))
        rows.append(row)
    left, right = rows
    slope = float(np.arctan2(right - left, width))
    straight = all(abs(tilt - slope) < 0.17 for tilt in tilts)
    return None if straight or min(left, right) < 0.4 * height else (left, right)


def below_only(lab: Plane) -> Mask:
    """Return the pixels whose colours the lower border has and the upper border hardly has."""
    height, width = lab.shape[:2]
    wide, half = _sides(height, width)[0][0].stop, height // 2
    upper, lower = np.zeros((height, width), bool), np.zeros((height, width), bool)
    upper[:wide] = upper[:half, :wide] = upper[:half, -wide:] = True
    lower[-wide:] = True
    bins = bins_of(cv2.GaussianBlur(lab, (0, 0), 1.0))
    return np.asarray((np.log((density(bins, lower) + 1e-5) / (density(bins, upper) + 1e-5)) > 1.2)[bins], bool)


def standing(own: Mask, ground: Mask) -> Mask | None:
    """Return `ground` opened where the border has the colours of `own` (see `below_only`), or None.

    Shoulders that fill the lower frame, or a pot that stands on it, take the ground's place there: nothing of them is
    novel to a border that they are half of. Floors do the same, so this is a reading to be judged, not a finding; a
    floor or a shelf that ends at one height all across is left out, as shoulders rise toward the neck.
    """
    height, width = ground.shape
    wide, half = _sides(height, width)[0][0].stop, height // 2
    below = _run(own[-wide:].mean(axis=0), width // 30)
    opened = np.zeros((height, width), bool)
    opened[-wide:, below] = True
    tops = []
    for columns in (np.s_[:wide], np.s_[-wide:]):
        others = np.flatnonzero(~_run(own[half:, columns].mean(axis=1), height // 30))
        tops.append(half + (int(others[-1]) + 1 if others.size else 0))
        opened[tops[-1] :, columns] = True
    if below.mean() < 0.15 or (opened & ground).sum() < 0.1 * opened.sum():
        return None
    top = min(tops)
    if max(tops) < 0.99 * height and max(tops) - top < 0.06 * height:
        rising = own[max(0, top - round(0.08 * height)) : top - round(0.03 * height)].mean()
        if rising < 0.2:
            return None
    return ground & ~opened


def _run(share: Plane, length: int) -> Mask:
    """Return where at least half of the neighbourhood is covered, of a row of shares."""
    return np.asarray(cv2.blur(share.astype(np.float32).reshape(1, -1), (max(3, length) | 1, 1)).ravel() > 0.5, bool)


def _cut_below(sharp: Plane) -> slice | None:
    """Return the columns at which a subject between two sharp edges leaves the frame at the bottom, or None."""
    height, width = sharp.shape
    wide = max(2, round(min(height, width) * 0.03))
    along = sharp[-wide:].mean(axis=0)
    crossing = np.flatnonzero(along > 4 * float(np.median(along)) + 0.8)
    if np.median(sharp) > 0.6 or not crossing.size or crossing[-1] - crossing[0] < 0.15 * width:
        return None
    return slice(max(0, int(crossing[0]) - 2), int(crossing[-1]) + 3)


def _cut_at_corner(lab: Plane, sharp: Plane) -> Mask | None:
    """Return the border covered by a subject that leaves the frame below and at one side at once, or None."""
    if np.median(sharp) > 0.6:
        return None
    right = _lower_right(lab, sharp)
    if right is not None:
        return right
    left = _lower_right(np.ascontiguousarray(lab[:, ::-1]), sharp[:, ::-1])
    return None if left is None else left[:, ::-1]


def _lower_right(lab: Plane, sharp: Plane) -> Mask | None:
    """Return the border round the lower right corner that a subject covers, or None.

    Its outline meets the bottom and the right side, nothing sharp meets the others, and it does not run straight from
    the one to the other as a table's rim does.
    """
    height, width = sharp.shape
    wide = max(2, round(min(height, width) * 0.03))
    line = np.concatenate([sharp[-wide:].mean(axis=0), sharp[::-1, -wide:].mean(axis=1)])
    rest = np.concatenate([sharp[:wide].mean(axis=0), sharp[: -2 * wide, :wide].mean(axis=1)])
    bar = 4 * float(np.median(line)) + 0.8
    crossing = np.flatnonzero(line > bar)
    if not crossing.size or rest.max() >= bar:
        return None
    column, row = int(crossing[0]), height - 1 - (int(crossing[-1]) - width)
    if column >= 0.65 * width or not 0.4 * height < row < height:
        return None
    cos, sin = direction(lab)
    slope = float(np.arctan2(row - height, width - column))
    ends = (np.s_[max(0, row - 3) : row + 4, -wide:], np.s_[-wide:, max(0, column - 3) : column + 4])
    if all(abs(float(0.5 * np.arctan2(-sin[end].sum(), -cos[end].sum())) - slope) < 0.17 for end in ends):
        return None
    covered = np.zeros((height, width), bool)
    covered[-wide:, max(0, column - 2) :] = True
    covered[max(0, row - 2) :, -wide:] = True
    return covered
