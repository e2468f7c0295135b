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

# Fitted so that the mask worth most overlaps the true one most and covers no corner the subject does not reach, over
# 340 drawn scenes; which signs count was chosen by how well they order scenes with grounds they were not fitted to.
_WEIGHTS = np.array([-5.7, 14.6, -5.8, 14.4, -19.1, -18.8, -2.8, 8.9, -56.0])
_LEAST = -np.inf


@dataclass(frozen=True)
class Evidence:
    """What a photo's masks are judged by: colour bins and focus."""

    bins: Plane
    focus: Focus

    @classmethod
    def of(cls, bins: Plane, focus: Focus) -> "Evidence":
        """Return the evidence, its crisp lines widened by what an outline may miss them."""
        near = cv2.dilate(focus.crisp.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        return cls(bins, Focus(focus.edges, near, focus.telling))


def worth(mask: Mask, evidence: Evidence) -> float:
    """Return how much the mask looks like the subject."""
    seen = signs(mask, evidence)
    return _LEAST if seen is None else float(_WEIGHTS @ seen)


def signs(mask: Mask, evidence: Evidence) -> Plane | None:
    """Return the nine signs by which a mask is judged, None for an empty or a full mask.

    Its pieces; where focus tells, how much of its outline is crisp; how long that is for its area; how much of the
    lower frame it fills, and how flat its top is if it does (a floor); how much of the sides it fills; how far its
    size is from a seventh of the frame; how unlike its colours are to those of all the rest; how far its middle is
    from the frame's.
    """
    size = float(mask.mean())
    cover = mask.astype(np.uint8)
    outline = cv2.morphologyEx(cover, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    outline[:3] = outline[-3:] = False  # the frame is no outline
    outline[:, :3] = outline[:, -3:] = False
    if not 0.002 < size < 0.9 or not outline.any():
        return None
    height, width = mask.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats(cover)
    pieces = int((stats[1:, 4] > 0.0004 * mask.size).sum())
    below = float(mask[-2:].mean())
    tops = mask.argmax(axis=0)[mask.any(axis=0)]
    flat = float((np.abs(tops - np.median(tops)) < 0.02 * height).sum()) / width
    odds = np.log((density(evidence.bins, mask) + 1e-6) / (density(evidence.bins, ~mask) + 1e-6))
    rows, columns = np.nonzero(mask)
    return np.array(
        [
            np.log(pieces + 1),
            evidence.focus.telling * float(evidence.focus.crisp[outline].mean()),
            np.log(outline.sum() / np.sqrt(mask.sum())),
            below,
            below * flat,
            (mask[:, :2].mean() + mask[:, -2:].mean()) / 2,
            (np.log(size) + 1.9) ** 2,
            np.clip(odds, -3, 3)[evidence.bins[mask]].mean(),
            (rows.mean() / height - 0.5) ** 2 + (columns.mean() / width - 0.5) ** 2,
        ]
    )
