"""How well a mask of a small photo is likely to overlap its subject, whatever way it was found.

Promises a guess of that overlap for each of a photo's readings; of an empty or a full mask it is 0. Refuses nothing.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane, resize
from backdrop_cli.pixels.cells import Cells
from backdrop_cli.pixels.fields import bins_of, density, edges, lab_of, local_mean, smoothed
from backdrop_cli.pixels.focus import Focus
from backdrop_cli.pixels.likely import share
from backdrop_cli.pixels.segment import overlap
from backdrop_cli.pixels.trees import trees

type _Signs = Iterator[tuple[str, float]]

_TOLD = ("strange", "unlike", "reach", "enclosed", "travelled ratio", "central", "every 1.5", "in focus 1")
_TOLD_OF_REGIONS = ("region 1 contrast", "region 1 at the frame above", "region 2 at the frame by colour")
_OF_THE_PHOTO = ("rough", "usual edge", "focus", "colours of the border")


@dataclass(frozen=True)
class Evidence:
    """What a photo's masks are judged by: its Lab, colour bins, edges, crisp lines and the cells with their odds."""

    lab: Plane
    bins: Any
    every: Plane
    focus: Focus
    cells: Cells
    odds: Plane

    @classmethod
    def of(cls, small: Pixels, focus: Focus, cells: Cells, odds: Plane) -> "Evidence":
        """Return the evidence, crisp lines widened by what an outline may miss them."""
        lab = lab_of(small)
        near = cv2.dilate(focus.crisp.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        every = cv2.dilate(edges(lab)[1], np.ones((3, 3), np.uint8))
        bins = bins_of(smoothed(lab))
        return cls(lab, bins, every, Focus(focus.edges, near, focus.telling), cells, odds)


def worths(masks: list[Mask], evidence: Evidence) -> Plane:
    """Return the guessed overlap (0 to 1) of each mask with the subject."""
    seen = [signs(mask, masks, evidence) for mask in masks]
    told = [one for one in seen if one is not None]
    if not told:
        return np.zeros(len(masks), np.float32)
    guessed = iter(trees("worth")({name: np.array([one[name] for one in told], np.float32) for name in told[0]}))
    return np.array([0 if one is None else next(guessed) for one in seen], np.float32)


def signs(mask: Mask, others: list[Mask], evidence: Evidence) -> dict[str, float] | None:
    """Return the signs by which a mask is judged, by name; None for an empty or a full mask."""
    outline = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    outline[:3] = outline[-3:] = False  # the frame is no outline
    outline[:, :3] = outline[:, -3:] = False
    if not 0.002 < float(mask.mean()) < 0.9 or not outline.any():
        return None
    named = dict(_form(mask, outline))
    named.update(_at_the_frame(mask))
    named.update(_outline(mask, outline, evidence))
    named.update(_inside(mask, evidence))
    shared = [overlap(mask, other) for other in others if other is not mask and other.any()]
    named["agreed"] = float(np.mean(shared)) if shared else 0
    named["agreed most"] = max(shared, default=0)
    named["agreed by"] = float(sum(one > 0.85 for one in shared))
    named.update((name, float(evidence.cells.named[name][0, 0])) for name in _OF_THE_PHOTO)
    return named


def _form(mask: Mask, outline: Mask) -> _Signs:
    """Yield the size, the pieces and holes, how long the outline is for the area, how full its hull, and the middle."""
    height, width = mask.shape
    cover = mask.astype(np.uint8)
    yield "size", float(np.log(mask.mean()))
    _, _, stats, _ = cv2.connectedComponentsWithStats(cover)
    yield "pieces", float((stats[1:, 4] > 0.0004 * mask.size).sum())
    yield "largest piece", float(stats[1:, 4].max() / mask.sum())
    _, _, stats, _ = cv2.connectedComponentsWithStats(1 - cover)
    yield "holes", float((stats[1:, 4] > 0.0004 * mask.size).sum())
    yield "ragged", float(np.log(outline.sum() / np.sqrt(mask.sum())))
    outlines, _ = cv2.findContours(cover, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(np.concatenate(outlines))
    yield "full", float(mask.sum() / max(1.0, cv2.contourArea(hull)))
    rows, columns = np.nonzero(mask)
    yield "middle across", abs(float(columns.mean()) / width - 0.5)
    yield "middle down", float(rows.mean()) / height - 0.5
    yield "wide", float(np.ptp(columns)) / width
    yield "tall", float(np.ptp(rows)) / height


def _at_the_frame(mask: Mask) -> _Signs:
    """Yield how much of each side of the frame is covered, how many corners, and how flat the top is (a floor)."""
    height, width = mask.shape
    sides = sorted(float(side.mean()) for side in (mask[:, :2], mask[:, -2:]))
    below = float(mask[-2:].mean())
    tops = mask.argmax(axis=0)[mask.any(axis=0)]
    flat = float((np.abs(tops - np.median(tops)) < 0.02 * height).sum()) / width
    yield from (("at the top", float(mask[:2].mean())), ("at the foot", below), ("flat at the foot", below * flat))
    yield from (("at one side", sides[1]), ("at both sides", sides[0]))
    yield "corners", float(mask[[0, 0, -1, -1], [0, -1, 0, -1]].sum())


def _outline(mask: Mask, outline: Mask, evidence: Evidence) -> _Signs:
    """Yield how much of the outline lies on edges, on crisp ones, and between colours that differ."""
    yield "crisp", evidence.focus.telling * float(evidence.focus.crisp[outline].mean())
    along = evidence.every[outline]
    yield "edge", float(np.log(along.mean() + 0.1) - np.log(evidence.every.mean() + 0.1))
    yield "weak edge", float(np.log(np.percentile(along, 20) + 0.1) - np.log(np.median(evidence.every) + 0.1))
    core = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    rest = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    (ours, have), (theirs, have_not) = (local_mean(evidence.lab, part, 4.0) for part in (core, rest))
    both = outline & (have > 0.01) & (have_not > 0.01)
    apart = np.linalg.norm(ours[both] - theirs[both], axis=1) if both.any() else np.zeros(1)
    yield from (("apart", float(apart.mean())), ("least apart", float(np.percentile(apart, 20))))


def _inside(mask: Mask, evidence: Evidence) -> _Signs:
    """Yield how the inside differs from the outside: in colours, in what the cells are like, and in their odds."""
    odds = np.log((density(evidence.bins, mask) + 1e-6) / (density(evidence.bins, ~mask) + 1e-6))
    yield "own colours", float(np.clip(odds, -3, 3)[evidence.bins[mask]].mean())
    rows, columns = evidence.odds.shape
    cover = cast("Plane", resize(mask.astype(np.float32), columns, rows))
    bare = 1 - cover
    ring = cv2.dilate(cover, np.ones((7, 7), np.uint8)) - cover
    chance = share(evidence.odds)
    yield "as likely", float(np.minimum(cover, chance).sum() / np.maximum(cover, chance).sum())
    for name, where in (("odds inside", cover), ("odds outside", bare), ("odds around", ring)):
        yield name, float((np.clip(evidence.odds, -6, 6) * where).sum() / (where.sum() + 1e-3))
    yield "likely size", float(np.log(chance.mean() + 1e-3))
    yield "sureness", float(np.abs(chance - 0.5).mean())
    for number, labels in enumerate(evidence.cells.regions):
        held, whole = np.bincount(labels.ravel(), cover.ravel()), np.bincount(labels.ravel())
        yield f"regions {number} cut", float(np.minimum(held, whole - held).sum() / (cover.sum() + 1e-3))
    for name in _TOLD + _TOLD_OF_REGIONS:
        plane = evidence.cells.named[name]
        inside = float((plane * cover).sum() / (cover.sum() + 1e-3))
        yield name, inside
        yield f"{name}, more than outside", inside - float((plane * bare).sum() / (bare.sum() + 1e-3))
