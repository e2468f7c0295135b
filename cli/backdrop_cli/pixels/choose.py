"""The subject of a small photo: of several readings the one that is worth most and most like the others.

Promises a mask of the same size whose parts at the frame's corners belong to the subject, empty when nothing
stands out; refuses nothing.
"""

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane
from backdrop_cli.pixels.bands import bands_closed
from backdrop_cli.pixels.cells import cells_of
from backdrop_cli.pixels.fields import edges, lab_of
from backdrop_cli.pixels.focus import focus_of
from backdrop_cli.pixels.holes import open_holes
from backdrop_cli.pixels.likely import likely
from backdrop_cli.pixels.readings import readings, settled
from backdrop_cli.pixels.segment import Found, find, overlap
from backdrop_cli.pixels.worth import Evidence, worths

# Of guessed overlaps: how far one may be below the worthiest and still have a say.
_SAY = 0.2
# Of a plain ground the first finding stays unless another is not nearly the same and worth more by so much.
_NEARLY_THE_SAME, _MORE = 0.93, 0.02
_EDGE = 1.0  # in Lab units per pixel: a hole's ground is smoother


def subject_of(small: Pixels, photo: Pixels) -> Mask:
    """Return the subject's mask of the photo at working size; `photo` is the same picture at full size."""
    found = find(small)
    if found.plain and not found.mask.any():
        return found.mask
    lab = lab_of(small)
    best = _best(small, photo, found)
    if not np.array_equal(best, found.mask):
        best = settled(best, lab)
        if found.plain:  # what is likely is likely whole: of a ring, with its hole
            best = open_holes(lab, edges(lab)[0], best, _EDGE)
    return clear_corners(bands_closed(best, lab) if found.plain else best)


def _best(small: Pixels, photo: Pixels, found: Found) -> Mask:
    height, width = found.mask.shape
    focus = focus_of(photo, width, height, found.ground)
    cells = cells_of(small, found.ground, focus)
    odds = likely(cells)
    masks = readings(small, found, odds, focus)
    values = worths(masks, Evidence.of(small, focus, cells, odds))
    best = agreed(masks, values)
    if found.plain and (overlap(masks[best], found.mask) > _NEARLY_THE_SAME or values[best] - values[0] < _MORE):
        return found.mask  # drawn along the edges, where others go by colours: a mug's foot is often its table's
    return masks[best]


def agreed(masks: list[Mask], values: Plane) -> int:
    """Return the place of the mask that overlaps the others best, each counting more the more it is worth.

    Were `values` what they are a guess of, the worthiest would be the answer; of several that are nearly as much
    worth, the one most like all of them is surer to be near the truth.
    """
    says = np.exp((values - values.max()) / _SAY)
    flat = np.stack([mask.ravel() for mask in masks]).astype(np.float32)
    shared, areas = flat @ flat.T, flat.sum(axis=1)
    overlaps = shared / np.maximum(1, areas[:, None] + areas[None] - shared)
    return int(np.argmax(overlaps @ says))


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
