"""Other readings of a photo whose ground is not plain: what GrabCut makes of a first guess.

Promises masks of the working size, empty where a reading fails; the same photo gives the same masks. Refuses
nothing.
"""

from typing import Any

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane, fit_within, resize

_LONGEST_CUT = 256
_SEED = 1


def middle(ground: Mask) -> Mask:
    """Return the box in which a subject is looked for when nothing is known but where the border is surely `ground`.

    Where the lower border is open the subject may leave the frame, so the box goes down to it.
    """
    height, width = ground.shape
    mask = np.zeros((height, width), bool)
    mask[round(0.17 * height) : round(0.83 * height), round(0.22 * width) : round(0.78 * width)] = True
    mask[round(0.83 * height) :, ~ground[-1]] = True
    return mask


def heart(ground: Mask) -> Mask:
    """Return the ellipse in the middle that nearly every subject covers and little of its ground shares."""
    height, width = ground.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.asarray((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2 < 0.15**2, bool)


def standing_guess(ground: Mask, opened: Mask) -> Mask:
    """Return the box of `middle`, its foot as wide as the lower border is open in `opened` but not in `ground`."""
    guess = middle(opened)
    guess[round(0.7 * len(guess)) :, (ground & ~opened)[-1]] = True
    return guess


def grabcut(rgb: Pixels, guess: Mask, ground: Mask, rounds: int = 2) -> Mask:
    """Return the guess as GrabCut (Rother, Kolmogorov and Blake 2004) settles it; `ground` stays ground."""
    size = fit_within(guess.shape[1], guess.shape[0], _LONGEST_CUT)
    inside = cv2.resize(guess.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    outside = cv2.resize(ground.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    marks = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[outside] = cv2.GC_BGD
    return _cut(rgb, marks, rounds)


def marked(rgb: Pixels, chance: Plane, sure: float) -> Mask:
    """Return what GrabCut makes of a chance (0 to 1, any size); below `sure` and above 1 - `sure` it is settled."""
    height, width = rgb.shape[:2]
    chance = cv2.resize(chance, fit_within(width, height, _LONGEST_CUT), interpolation=cv2.INTER_LINEAR)
    marks = np.where(chance > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)  # noqa: PLR2004 - more likely than not
    marks[chance < sure] = cv2.GC_BGD
    marks[chance > 1 - sure] = cv2.GC_FGD
    return _cut(rgb, marks, 2)


def _cut(rgb: Pixels, marks: Any, rounds: int) -> Mask:
    """Return what GrabCut makes of the marks, at the photo's size.

    Works on Lab at 256 pixels: a GMM of five colours a side needs no more, and it takes a tenth of a second.
    """
    height, width = rgb.shape[:2]
    small = cv2.cvtColor(resize(rgb, marks.shape[1], marks.shape[0]), cv2.COLOR_RGB2LAB)
    subject = marks % 2 == 1
    # Fewer pixels than colours of a GMM: OpenCV's k-means would refuse them.
    if min(int(subject.sum()), int((~subject).sum())) < 50:  # noqa: PLR2004
        return np.zeros((height, width), bool)
    cv2.setRNGSeed(_SEED)
    cv2.grabCut(small, marks, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK)
    # The half-covered pixels of the smaller size are settled by the larger one's colours.
    found = (marks % 2 == 1).astype(np.float32)
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5, bool)  # noqa: PLR2004


def close_by(guess: Mask, ground: Mask) -> Mask:
    """Return `ground` with all that is far from a guess which is right about the place, if not about the outline."""
    radius = max(2, round(0.06 * min(guess.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(ground | (cv2.dilate(guess.astype(np.uint8), disc) == 0), bool)
