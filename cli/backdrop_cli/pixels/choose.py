"""The subject of a small photo: on a plain ground as first found, on any other the best of several readings.

Promises a mask of the same size whose parts at the frame's corners belong to the subject, empty when nothing
stands out; refuses nothing.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane
from backdrop_cli.pixels.bands import bands_closed
from backdrop_cli.pixels.cells import cells_of
from backdrop_cli.pixels.fields import lab_of
from backdrop_cli.pixels.focus import focus_of
from backdrop_cli.pixels.likely import likely
from backdrop_cli.pixels.readings import readings, settled
from backdrop_cli.pixels.segment import Found, find, overlap
from backdrop_cli.pixels.worth import Evidence, worths

# Of overlaps: below the first a reading is quite unlike the first found, above the second it is nearly the same.
_ALIKE, _NEARLY_THE_SAME = 0.62, 0.85
# Of guessed overlaps: worth far more, hardly less, as much.
_BETTER, _HARDLY_LESS, _EQUAL = 0.12, 0.075, 0.02


def subject_of(small: Pixels, photo: Pixels) -> Mask:
    """Return the subject's mask of the photo at working size; `photo` is the same picture at full size."""
    found = find(small)
    lab = lab_of(small)
    best = found.mask if found.plain and not found.mask.any() else _best(small, photo, found)
    if best is found.mask:
        return clear_corners(bands_closed(best, lab) if found.plain else best)
    return clear_corners(settled(best, lab))


def _best(small: Pixels, photo: Pixels, found: Found) -> Mask:
    """Return the reading worth most; on a plain ground the first found unless one quite unlike it is worth more."""
    height, width = found.mask.shape
    focus = focus_of(photo, width, height, found.ground)
    cells, bins = cells_of(small, found.ground, focus)
    odds = likely(cells, bins)
    masks = readings(small, found, odds, focus)
    values = worths(masks, Evidence.of(small, focus, cells, odds))
    best = int(np.argmax(values))
    if found.plain and (overlap(masks[best], masks[0]) > _ALIKE or values[best] - values[0] < _BETTER):
        return masks[0]
    return _whole(masks, values, best)


def _whole(masks: list[Mask], values: Plane, best: int) -> Mask:
    """Return the reading worth most with what belongs to it.

    One that is worth hardly less, encloses it, is not much larger and takes no corner more has a part that the other
    lacks (a label, a strap). What all but agree and are worth as much settle by vote what they differ in.
    """
    corners = np.ix_([0, -1], [0, -1])
    core = masks[best]
    enclosing = [
        place
        for place, mask in enumerate(masks)
        if values[place] > values[best] - _HARDLY_LESS
        and (mask & core).sum() > 0.97 * core.sum()
        and mask.sum() < 1.6 * core.sum()
        and not (mask & ~core)[corners].any()
    ]
    chosen = max([best, *enclosing], key=lambda place: int(masks[place].sum()))
    equals = [
        mask
        for mask, value in zip(masks, values, strict=True)
        if value > values[chosen] - _EQUAL and overlap(mask, masks[chosen]) > _NEARLY_THE_SAME
    ]
    return masks[chosen] if len(equals) < 3 else np.asarray(np.mean(equals, axis=0) > 0.5, bool)


def clear_corners(mask: Mask) -> Mask:
    """Return the mask without small parts that touch a corner, also those a thin neck joins to the subject."""
    height, width = mask.shape
    near = max(2, round(0.02 * min(height, width)))
    corners = np.zeros((height, width), bool)
    for rows in (np.s_[:near], np.s_[-near:]):
        for columns in (np.s_[:near], np.s_[-near:]):
            corners[rows, columns] = True
    if not (mask & corners).any():
        return mask
    result = _without_corner_parts(mask, corners)
    # A neck thinner than this joins nothing.
    radius = max(2, round(0.015 * min(height, width)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.erode(result.astype(np.uint8), disc), connectivity=4)
    for part in range(1, count):
        # A little wider than it was eroded, so that none of its rim is left behind.
        whole = cv2.dilate((labels == part).astype(np.uint8), np.ones((2 * radius + 7, 2 * radius + 7), np.uint8)) > 0
        if stats[part, 4] < 0.3 * stats[1:, 4].max() and (whole & corners).any():
            result[whole] = False
    return _without_corner_parts(result, corners)


def _without_corner_parts(mask: Mask, corners: Mask) -> Mask:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    small = stats[:, 4] < 0.3 * stats[1:, 4].max(initial=0)
    at_corner = np.zeros(small.size, bool)
    at_corner[np.unique(labels[corners & mask])] = True
    return np.asarray(mask & ~(small & at_corner)[labels], bool)
