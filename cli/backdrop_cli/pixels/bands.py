"""A band across the subject in nearly the ground's colour: a label on a bottle, the sole of a shoe.

Promises to close the gap between two parts of a mask, one above the other, that end at the same edges on both sides, as
one thing does, and between which it does not look as it does beside them in the same rows. Refuses nothing: any other
gap stays, that between a table's top and its shelf, and that between two things of a pair.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

from itertools import permutations

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Plane

_LARGE = 0.04  # of the mask: a part that counts
_FACING = 0.75  # of the narrower part's width stands before the other
_SAME_EDGE = 0.1  # of that width: so far an outline moves across the gap
_DEEPEST = 1.2  # of that width: a deeper gap is the room between two things
_UNLIKE = 4.0  # in Lab, of means: measured are 7 for a white sole on white, 13 for a label before a wall


def bands_closed(mask: Mask, lab: Plane) -> Mask:
    """Return the mask with such bands filled."""
    # A line that is left of the band's own edge joins nothing.
    apart = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(apart, connectivity=4)
    large = [part for part in range(1, count) if stats[part, 4] > _LARGE * mask.sum()]
    result = mask.copy()
    for upper, lower in permutations(large, 2):
        gap = _between(labels == upper, labels == lower)
        if gap.any() and _unlike_beside(gap, mask, lab):
            result |= gap
    return result


def _between(upper: Mask, lower: Mask) -> Mask:
    """Return the gap below `upper` and above `lower`; empty when they do not face each other edge to edge."""
    height = upper.shape[0]
    rows = np.arange(height)[:, None]
    ends = height - 1 - np.argmax(upper[::-1], axis=0)
    begins = np.argmax(lower, axis=0)
    facing = upper.any(axis=0) & lower.any(axis=0) & (ends < begins)
    gap = np.asarray((rows > ends) & (rows < begins) & facing, bool)
    width = min(int(upper.any(axis=0).sum()), int(lower.any(axis=0).sum()))
    if facing.sum() < _FACING * width or float(np.median((begins - ends)[facing])) > _DEEPEST * width:
        return np.zeros_like(gap)
    # The outlines near the gap: the last rows of the one, the first of the other.
    near = max(3, round(0.02 * height))
    above = upper & (rows > float(np.median(ends[facing])) - near)
    below = lower & (rows < float(np.median(begins[facing])) + near)
    edges = [np.flatnonzero(side.any(axis=0))[[0, -1]] for side in (above, below) if side.any()]
    same = len(edges) == 2 and bool((np.abs(edges[0] - edges[1]) < _SAME_EDGE * width).all())
    return gap if same else np.zeros_like(gap)


def _unlike_beside(gap: Mask, mask: Mask, lab: Plane) -> bool:
    """Return whether the gap's colours differ from those to its left and right, which are the ground's."""
    columns = np.flatnonzero(gap.any(axis=0))
    left, right = int(columns[0]), int(columns[-1])
    reach = (right - left) // 2
    beside = np.zeros_like(gap)
    beside[:, max(0, left - reach) : max(0, left - 4)] = True
    beside[:, right + 4 : right + reach] = True
    beside &= gap.any(axis=1)[:, None] & ~mask
    if not beside.any():
        return False
    return bool(np.linalg.norm(lab[gap].mean(axis=0) - lab[beside].mean(axis=0)) > _UNLIKE)
