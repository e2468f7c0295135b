"""The subject of a small photo: on a plain ground as first found, on any other the best of several readings.

Promises a mask of the same size whose parts at the frame's corners belong to the subject, empty when nothing
stands out; refuses nothing.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane
from backdrop_cli.pixels.bands import bands_closed
from backdrop_cli.pixels.border import below_only, is_floor, standing
from backdrop_cli.pixels.candidates import close_by, grabcut, heart, middle, standing_guess
from backdrop_cli.pixels.fields import bins_of, density, guided, lab_of
from backdrop_cli.pixels.focus import Focus, focus_of, within_crisp
from backdrop_cli.pixels.segment import find, flood, main_parts, overlap
from backdrop_cli.pixels.windows import strange_windows
from backdrop_cli.pixels.worth import Evidence, worth

_AGREED = 0.9
_KEEP = 0.05


def subject_of(small: Pixels, photo: Pixels) -> Mask:
    """Return the subject's mask of the photo at working size; `photo` is the same picture at full size."""
    found = find(small)
    if found.plain:
        return clear_corners(bands_closed(found.mask, lab_of(small)))
    first, ground = found.mask, found.ground
    blind = main_parts(grabcut(small, middle(ground), ground, 3), _KEEP)[0]
    lab = lab_of(small)
    bins = bins_of(cv2.bilateralFilter(lab, 7, 10, 3))
    own = below_only(lab)
    floor = is_floor(own)
    opened, agreed = None if floor else standing(own, ground), overlap(first, blind) > _AGREED
    if agreed and opened is None:
        return clear_corners(reconciled(first, blind, bins))
    focus = focus_of(photo, first.shape[1], first.shape[0], ground)
    others = [blind]
    if not agreed:
        others += [
            _grown(small, first, ground),
            _grown(small, strange_windows(lab, ground), ground),
            _grown(small, heart(ground), ground, 3),
            *_readings_of_focus(small, focus, ground),
        ]
    readings = [first, *(reconciled(first, other, bins) for other in others if first.any() and other.any()), *others]
    if opened is not None:
        readings += _standing_readings(small, opened, ground, [first, blind, *others[2:4]])
    evidence = Evidence.of(bins, focus)
    different = list({mask.tobytes(): mask for mask in readings}.values())
    off_the_floor = [mask for mask in different if mask.any() and not mask[-1, [0, -1]].any()] if floor else []
    best = _best(off_the_floor or different, evidence)
    return clear_corners(best if np.array_equal(best, first) else _settled(best, lab))


def _best(masks: list[Mask], evidence: Evidence) -> Mask:
    """Return the mask worth most, or the largest that is worth hardly less, encloses it and takes no corner more.

    Without a thin part (a strap, a neck) a mask has the rounder outline and is worth a little more for it.
    """
    values = [worth(mask, evidence) for mask in masks]
    most = max(values)
    best = masks[values.index(most)]
    if not np.isfinite(most):
        return best
    corners = np.ix_([0, -1], [0, -1])
    enclosing = [
        mask
        for mask, value in zip(masks, values, strict=True)
        if value >= most - 0.6 and (mask & best).sum() > 0.97 * best.sum() and not (mask & ~best)[corners].any()
    ]
    return max(enclosing, key=lambda mask: int(mask.sum()))


def _grown(small: Pixels, guess: Mask, ground: Mask, rounds: int = 2) -> Mask:
    return main_parts(grabcut(small, guess, ground, rounds), _KEEP)[0]


def _standing_readings(small: Pixels, opened: Mask, ground: Mask, others: list[Mask]) -> list[Mask]:
    """Return what stands on the lower border: alone, and with what each of the others adds (hair above shoulders)."""
    alone = _grown(small, standing_guess(ground, opened), opened, 3)
    return [alone, *(main_parts(alone | other, _KEEP)[0] for other in others if alone.any() and other.any())]


def _readings_of_focus(small: Pixels, focus: Focus, ground: Mask) -> list[Mask]:
    """Return what the edges in focus enclose: as it is, as GrabCut grows it, and grown no further than close by."""
    if focus.telling <= 0:
        return []
    run = flood(focus.edges, ground)
    enclosed = [run.mask] if run is not None else []
    lines = within_crisp(focus, ground)
    if lines.any():
        enclosed.append(lines)
    return [
        mask
        for guess in enclosed
        for mask in (guess, _grown(small, guess, ground), _grown(small, guess, close_by(guess, ground)))
    ]


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
