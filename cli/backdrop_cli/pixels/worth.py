"""How much a mask of a small photo looks like its subject, whatever way it was found.

Promises a number of which only the order among masks of one photo means something; an empty or a full mask is worth
the least. Refuses nothing.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

from dataclasses import dataclass

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Plane
from backdrop_cli.pixels.fields import density
from backdrop_cli.pixels.focus import Focus

# Fitted so that the mask worth most overlaps the true one most: over two hundred drawn scenes, then, held near what
# these gave, over fifty harder ones.
_WEIGHTS = np.array([-4.4, -0.6, 5.9, -2.4, 5.4, -13.5, -1.7, 2.7])
_LEAST = -np.inf


@dataclass(frozen=True)
class Evidence:
    """What a photo's masks are judged by: colour bins, focus, what the border has not, the middle."""

    bins: Plane
    focus: Focus
    strange: Mask
    central: Plane

    @classmethod
    def of(cls, bins: Plane, focus: Focus) -> "Evidence":
        """Return the evidence with what the border's colours do not explain worked out."""
        height, width = focus.crisp.shape
        wide = max(2, round(min(height, width) * 0.06))
        frame = np.ones((height, width), bool)
        frame[wide:-wide, wide:-wide] = False
        unlike = np.clip(np.log(3e-4 / (density(bins, frame)[bins] + 1e-6)), -2.5, 2.5).astype(np.float32)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        near = cv2.dilate(focus.crisp.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        return cls(
            bins,
            Focus(focus.edges, near, focus.telling),
            np.asarray(cv2.blur(unlike, (7, 7)) > 0.8, bool),
            np.exp(-((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) / 0.08),
        )


def worth(mask: Mask, evidence: Evidence) -> float:
    """Return how much the mask looks like the subject."""
    seen = signs(mask, evidence)
    return _LEAST if seen is None else float(_WEIGHTS @ seen)


def signs(mask: Mask, evidence: Evidence) -> Plane | None:
    """Return the eight signs by which a mask is judged, None for an empty or a full mask.

    Its pieces; how much of the middle of the frame that the border does not explain it leaves out; where focus tells,
    how much of its outline is crisp; how long that is for its area; how much of the lower frame and of the sides it
    fills; how far its size is from a seventh of the frame; how unlike its colours are to those around it.
    """
    size = float(mask.mean())
    cover = mask.astype(np.uint8)
    outline = cv2.morphologyEx(cover, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    outline[:3] = outline[-3:] = False  # the frame is no outline
    outline[:, :3] = outline[:, -3:] = False
    if not 0.002 < size < 0.9 or not outline.any():
        return None
    _, _, stats, _ = cv2.connectedComponentsWithStats(cover)
    pieces = int((stats[1:, 4] > 0.0004 * mask.size).sum())
    beside = cv2.dilate(cover, np.ones((5, 5), np.uint8)) == 0
    left_out = float(evidence.central[evidence.strange & beside].sum()) / float(evidence.central[mask].sum())
    around = (cv2.dilate(cover, np.ones((31, 31), np.uint8)) > 0) & beside
    odds = np.log((density(evidence.bins, around) + 1e-6) / (density(evidence.bins, mask) + 1e-6))
    return np.array(
        [
            np.log(pieces + 1),
            np.log1p(4 * left_out),
            evidence.focus.telling * float(evidence.focus.crisp[outline].mean()),
            np.log(outline.sum() / np.sqrt(mask.sum())),
            mask[-2:].mean(),
            (mask[:, :2].mean() + mask[:, -2:].mean()) / 2,
            (np.log(size) + 1.9) ** 2,
            np.clip(odds, -3, 3)[evidence.bins[around]].mean() if around.any() else 3.0,
        ]
    )
