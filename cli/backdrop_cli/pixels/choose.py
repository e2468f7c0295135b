"""The subject of a small photo: on a plain ground as first found, on any other the best of several readings.

Promises a mask of the same size whose parts at the frame's corners belong to the subject, empty when nothing
stands out; refuses nothing.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane
from backdrop_cli.pixels.candidates import grabcut, in_focus, middle
from backdrop_cli.pixels.fields import bins_of, density, guided, lab_of
from backdrop_cli.pixels.segment import find, flood, main_parts, overlap, ring

_AGREED = 0.9
_KEEP = 0.05
_CRISP = 0.4


def subject_of(small: Pixels, photo: Pixels) -> Mask:
    """Return the subject's mask of the photo at working size; `photo` is the same picture at full size."""
    found = find(small)
    if found.plain:
        return clear_corners(found.mask)
    height, width = found.mask.shape
    first = found.mask
    blind = main_parts(grabcut(small, middle(found.ground), found.ground, 3), _KEEP)[0]
    lab = lab_of(small)
    bins = bins_of(cv2.bilateralFilter(lab, 7, 10, 3))
    if overlap(first, blind) > _AGREED:
        return clear_corners(reconciled(first, blind, bins))
    others = [blind]
    again = main_parts(grabcut(small, first, found.ground), _KEEP)[0]
    # GrabCut's outline is the coarser one: where it only confirms, the first stays.
    if overlap(first, again) < 0.85:
        others.append(again)
    focus = in_focus(photo, width, height)
    run = flood(focus, found.ground)
    if run is not None:
        others.append(main_parts(grabcut(small, run.mask, found.ground), _KEEP)[0])
    crisp = _crisper_than_ground(focus, found.ground)
    best, highest = first, worth(first, bins) + _CRISP * outlined(first, crisp)
    for other in others:
        for mask in (reconciled(first, other, bins), other):
            score = worth(mask, bins) + _CRISP * outlined(mask, crisp)
            if score > highest:
                best, highest = _settled(mask, lab), score
    return clear_corners(best)


def worth(mask: Mask, bins: Plane) -> float:
    """Return how much a mask looks like the subject; only the order of two masks of one photo means something.

    Its colours are not those around it, it is of few pieces, of two that are as good the larger misses less, little in
    the middle of the frame that the border does not explain is left out, and it stays off the upper frame. The weights
    are those of a linear fit of the true overlap over a hundred drawn scenes.
    """
    height, width = mask.shape
    size = float(mask.mean())
    if not 0.002 < size < 0.9:
        return -np.inf
    odds = np.log((density(bins, mask)[bins] + 1e-6) / (density(bins, ~mask)[bins] + 1e-6))
    apart = float(np.clip(odds, -3, 3)[mask].mean())
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    pieces = int((stats[1:, 4] > 0.0004 * mask.size).sum())
    frame = ring(height, width, 0.06)
    strange = np.clip(np.log(3e-4 / (density(bins, frame)[bins] + 1e-6)), -2.5, 2.5).astype(np.float32)
    missed = (cv2.blur(strange, (7, 7)) > 0.8) & (cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    central = np.exp(-((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) / 0.08)
    left_out = np.log1p(4 * float(central[missed].sum()) / float(central[mask].sum()))
    frame[round(0.6 * height) :] = False
    return float(
        0.33 * apart - 0.25 * np.log(pieces + 1) + 0.17 * np.log(size) - 0.14 * left_out - 0.1 * mask[frame].mean()
    )


def _crisper_than_ground(focus: Plane, ground: Mask) -> Mask:
    """Return the pixels beside edges in better focus than any the border shows; none where the border is sharp too."""
    level = float(np.percentile(focus[ground], 98)) if ground.any() else 0.0
    if level > 1.3:  # the grain of a camera alone reaches 1
        return np.zeros_like(ground)
    return np.asarray(cv2.dilate(focus, np.ones((3, 3), np.uint8)) > 1.2 * level + 0.3, bool)


def outlined(mask: Mask, crisp: Mask) -> float:
    """Return the share of a mask's outline that runs along crisp edges, 0 to 1; the frame is no outline."""
    outline = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    outline[:3] = outline[-3:] = False
    outline[:, :3] = outline[:, -3:] = False
    return float(crisp[outline].mean()) if outline.any() else 0.0


def reconciled(first: Mask, second: Mask, bins: Plane) -> Mask:
    """Return the first of two nearly equal masks with the lumps settled in which they differ.

    A lump goes to the side whose colours, where both masks agree, are more like it; what only moves the outline stays.
    """
    inside, outside = density(bins, first & second), density(bins, ~(first | second))
    odds = np.clip(np.log((inside[bins] + 1e-6) / (outside[bins] + 1e-6)), -4, 4)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    result = first.copy()
    for lumps, member in ((first & ~second, True), (second & ~first, False)):
        thick = cv2.morphologyEx(lumps.astype(np.uint8), cv2.MORPH_OPEN, disc)
        count, labels = cv2.connectedComponents(thick, connectivity=4)
        for part in range(1, count):
            here = labels == part
            leaning = float(odds[here].mean())
            if here.sum() < 0.0002 * first.size or (leaning > -0.5 if member else leaning < 1):
                continue
            result[(cv2.dilate(here.astype(np.uint8), disc) > 0) & lumps] = not member
    return result


def _settled(mask: Mask, lab: Plane) -> Mask:
    """Return a mask made at a smaller size with its outline drawn onto the edges of this one."""
    return np.asarray(guided(lab / 100, mask.astype(np.float32), 3, 1e-3) > 0.5, bool)


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
