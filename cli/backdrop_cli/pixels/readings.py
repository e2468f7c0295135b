"""Readings of a small photo: what may be its subject, by every way that is known here of finding one.

Promises masks of the working size, all different, at least one, some of them wrong or empty: `worth` judges them.
The same photo gives the same readings. Refuses nothing.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

from collections.abc import Iterator

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane
from backdrop_cli.pixels.border import below_only, standing
from backdrop_cli.pixels.candidates import close_by, grabcut, heart, marked, middle, standing_guess
from backdrop_cli.pixels.fields import bins_of, density, guided, lab_of, smoothed
from backdrop_cli.pixels.focus import Focus, within_crisp
from backdrop_cli.pixels.likely import share
from backdrop_cli.pixels.segment import Found, flood, floods, main_parts
from backdrop_cli.pixels.windows import strange_windows

_KEEP = 0.05


def readings(small: Pixels, found: Found, odds: Plane, focus: Focus) -> list[Mask]:
    """Return the readings, the first found first; `odds` are the cells' (see `likely`).

    On a plain ground there are few: what is found first is nearly always right there.
    """
    lab = lab_of(small)
    every = [found.mask]
    if not found.plain:
        every += _of_colours(small, lab, found, focus)
    every += [*floods(lab, found), *_of_odds(small, lab, odds)]
    return list({mask.tobytes(): mask for mask in every}.values())


def _of_colours(small: Pixels, lab: Plane, found: Found, focus: Focus) -> list[Mask]:
    """Return what GrabCut makes of every guess there is, and what these and the first found say together."""
    bins = bins_of(smoothed(lab))
    first, ground = found.mask, found.ground
    grown = [
        _grown(small, middle(ground), ground, 3),
        _grown(small, first, ground),
        _grown(small, strange_windows(lab, ground), ground),
        _grown(small, heart(ground), ground, 3),
        *_of_focus(small, focus, ground),
    ]
    both = [reconciled(first, other, bins) for other in grown if first.any() and other.any()]
    opened = standing(below_only(lab), ground)
    feet = [] if opened is None else _standing(small, opened, ground, [first, *grown[:4]])
    return [*both, *grown, *feet]


def _grown(small: Pixels, guess: Mask, ground: Mask, rounds: int = 2) -> Mask:
    return main_parts(grabcut(small, guess, ground, rounds), _KEEP)[0]


def _standing(small: Pixels, opened: Mask, ground: Mask, others: list[Mask]) -> list[Mask]:
    """Return what stands on the lower border: alone, and with what each of the others adds (hair above shoulders)."""
    alone = _grown(small, standing_guess(ground, opened), opened, 3)
    return [alone, *(main_parts(alone | other, _KEEP)[0] for other in others if alone.any() and other.any())]


def _of_focus(small: Pixels, focus: Focus, ground: Mask) -> list[Mask]:
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


def _of_odds(small: Pixels, lab: Plane, odds: Plane) -> Iterator[Mask]:
    """Yield what the cells' odds say: drawn onto the edges, at two levels, and as GrabCut settles what is unsure."""
    size = (lab.shape[1], lab.shape[0])
    fine = cv2.resize(np.clip(odds, -3, 3), size, interpolation=cv2.INTER_LINEAR)
    drawn = guided(lab / 100, fine, 8, 1e-4)
    for level in (0, -1):
        yield main_parts(drawn > level, _KEEP)[0]
    for sure in (0.03, 0.1, 0.25):
        yield main_parts(settled(marked(small, share(odds), sure), lab), _KEEP)[0]


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


def settled(mask: Mask, lab: Plane) -> Mask:
    """Return a mask made at a smaller size with its outline drawn onto the edges of this one."""
    return np.asarray(guided(lab / 100, mask.astype(np.float32), 3, 1e-3) > 0.5, bool)
