"""Find the subject of a small photo: two ways, and the choice between them.

`flood`: the ground is what the border reaches without crossing a sharp edge. It sees through gradients, soft
shadows and out-of-focus backdrops. `novelty`: the subject is what the border's colours do not explain. It sees
through texture: wood, brick, leaves. Promises a mask of the same size, empty when nothing stands out; refuses
nothing.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane
from backdrop_cli.pixels.border import ring, seeds
from backdrop_cli.pixels.fields import bins_of, density, edges, guided, lab_of, quadratic, smoothed
from backdrop_cli.pixels.holes import open_holes

LEVELS = np.geomspace(0.2, 14, 16).astype(np.float32)
_NEVER = 99.0
_TEXTURED = 2.6
_CLEAR = 0.5


@dataclass(frozen=True)
class Found:
    """The subject's mask, the border pixels that are surely ground, and whether a plain ground leaves no doubt."""

    mask: Mask
    ground: Mask
    plain: bool


def reach(sharp: Plane, start: Mask) -> Plane:
    """Return for every pixel the lowest level of sharp edge at which the ground reaches it from the border."""
    height, width = sharp.shape
    result = np.full((height, width), _NEVER, np.float32)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    for level in LEVELS[::-1]:
        free = cv2.erode((sharp < level).astype(np.uint8), disc)
        count, labels = cv2.connectedComponents(free, connectivity=4)
        reached = np.zeros(count, bool)
        reached[np.unique(labels[start & (free > 0)])] = True
        reached[0] = False
        result[cv2.dilate(reached[labels].astype(np.uint8), disc) > 0] = level
    return result


def main_parts(mask: Mask, keep: float = 0.2) -> tuple[Mask, float]:
    """Return the parts that are the subject (large, central, off the frame) and their share of all parts' weight."""
    height, width = mask.shape
    count, labels, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros_like(mask), 0.0
    left, top, across, _, area = (stats[1:, column].astype(np.float64) for column in range(5))
    x, y = (centres[1:, 0] / width - 0.5) * 2, (centres[1:, 1] / height - 0.5) * 2
    touching = (left <= 1) * 1.0 + (left + across >= width - 1) + (top <= 1) * 1.5
    weight = area * np.exp(-(x**2 + y**2)) * 0.35**touching
    kept = np.zeros(count, bool)
    kept[1:] = weight >= keep * weight.max()
    return kept[labels], float(weight[kept[1:]].sum() / weight.sum())


@dataclass(frozen=True)
class _Run:
    """Neighbouring flood levels at which the same subject stands."""

    mask: Mask
    first: int
    length: float
    share: float

    @property
    def score(self) -> float:
        """How convincing the run is: a subject with company is less so."""
        return self.length * self.share**2


def flood(sharp: Plane, start: Mask, *, plain: bool = False) -> _Run | None:
    """Return the subject that stands over the widest range of flood levels, or None.

    On a plain ground nothing but the subject has edges, so the first clear subject is taken: its faint parts count too.
    """
    level = reach(sharp, start)
    masks, shares = zip(*(main_parts(level > step * 1.01) for step in LEVELS), strict=True)
    # A subject may fill the lower border; one that fills the upper is no subject.
    edge = ring(*sharp.shape)
    edge[round(0.6 * edge.shape[0]) :] = False
    best: _Run | None = None
    first = 0
    while first < len(LEVELS):
        last = first
        while last + 1 < len(LEVELS) and overlap(masks[first], masks[last + 1]) > 0.85:
            last += 1
        size = masks[first].mean()
        if 0.002 < size < 0.85 and last > first and masks[first][edge].mean() < 0.4:
            middle = first + (last - first) // 3
            length = float(np.log(LEVELS[last] / LEVELS[first]))
            # A subject fills some of the frame: among equal runs the smaller level wins.
            run = _Run(masks[middle], middle, length, shares[middle])
            if plain and run.score > _CLEAR and run.share > 0.95 and (best is None or best.score < _CLEAR):
                return run
            if best is None or run.score > best.score:
                best = run
        first = last + 1
    return best


def floods(lab: Plane, found: Found) -> list[Mask]:
    """Return what the ground leaves unreached at three levels of edges, whether or not it stands there for long."""
    level = reach(edges(lab)[0], found.ground)
    return [main_parts(level > bound, 0.1)[0] for bound in LEVELS[[3, 6, 9]]]


def overlap(one: Mask, two: Mask) -> float:
    """Return intersection over union."""
    both = int((one & two).sum())
    return both / max(1, int((one | two).sum()))


def novelty(lab: Plane, sharp: Plane, start: Mask, rounds: int = 7) -> Mask:
    """Return what the border's colours do not explain, grown and cleaned over `rounds` of re-learnt colours."""
    height, width = start.shape
    guide = lab / 100
    bins = bins_of(smoothed(lab))
    wide = max(3, round(min(height, width) * 0.06))
    near_seeds = cv2.dilate(start.astype(np.uint8), np.ones((2 * wide + 1, 2 * wide + 1), np.uint8))
    ground = density(bins, ring(height, width, 0.06) & (near_seeds > 0))
    strange = np.clip(np.log(3e-4 / (ground[bins] + 1e-6)), -2.5, 2.5).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    away = ((x / width - 0.5) * 2) ** 2 + ((y / height - 0.5) * 2) ** 2
    prior = (0.5 - 1.3 * away).astype(np.float32)
    prior[start] = -6
    smooth_part = larger_than_ground(sharp, start)
    prior += smooth_part
    score = guided(guide, cv2.blur(strange, (9, 9)) + 0.5 * prior + smooth_part, 8, 1e-3)
    mask: Mask = score > 0.2
    for turn in range(rounds):
        if not 0.003 < mask.mean() < 0.95:
            break
        odds = np.log((density(bins, mask)[bins] + 1e-6) / (density(bins, ~mask)[bins] + 1e-6))
        near = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.02 * max(height, width))
        score = np.clip(odds, -3, 3) + 2.5 * (near - 0.4) + 0.4 * prior
        score = guided(guide, score.astype(np.float32), 5 if turn > 2 else 8, 1e-3)
        mask = cv2.morphologyEx((score > 0).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    return mask


def larger_than_ground(sharp: Plane, start: Mask) -> Plane:
    """Return 0 to 2: how much larger the smooth piece around a pixel is than those the border shows (bricks, tiles)."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    free = cv2.erode((sharp < max(0.8, float(np.median(sharp)) * 1.5)).astype(np.uint8), disc)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(free, connectivity=4)
    area = stats[:, 4].astype(np.float32)
    area[0] = 0
    at_border = np.unique(labels[start])
    typical = 2.5 * float(area[at_border].max(initial=1))
    bonus = np.clip(np.log(np.maximum(area, 1) / max(typical, 1)) + 0.5, 0, 2).astype(np.float32)
    bonus[at_border] = 0
    return cast("Plane", cv2.dilate(bonus[labels], np.ones((5, 5), np.uint8)))


def snap(mask: Mask, every: Plane) -> Mask:
    """Return the mask with its outline moved onto the ridge of the nearest edge, at most three pixels inward."""
    inside = mask.astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    core = (depth > 3.5) | ((depth >= cv2.dilate(depth, np.ones((5, 5), np.uint8)) - 0.1) & (depth >= 1.5))
    markers = np.zeros(mask.shape, np.int32)
    markers[~mask] = 1
    markers[core] = 2
    relief = np.clip(every * 12, 0, 255).astype(np.uint8)
    parted = cv2.watershed(cv2.cvtColor(relief, cv2.COLOR_GRAY2BGR), markers)
    return cast("Mask", (parted == 2) | core)


def find(rgb: Pixels) -> Found:
    """Return the subject of a small photo (at most about 500 pixels long)."""
    lab = lab_of(rgb)
    sharp, every = edges(lab)
    start = seeds(lab, sharp)
    rough = float(np.percentile(sharp[start], 95)) if start.any() else _NEVER
    plain = rough < 1.0 and _plain(lab, start)
    run = flood(sharp, start, plain=plain) if rough < _TEXTURED else None
    score = run.score if run is not None else 0.0
    if score < 0.6 and plain:
        coarse, _ = edges(lab, 2.2)
        second = flood(coarse * 2.2, start, plain=True)
        if second is not None and second.score > score:
            run, score = second, second.score
    lines = _crossings(sharp, start)
    settled = plain and ((score > 1.5 and lines <= 2) or _even(lab, start))
    if run is None or score < (0.5 if rough < 1.0 else 1.0) or lines > 5:
        mask, share = main_parts(novelty(lab, sharp, start))
        if run is None or score < 0.5 or share > 0.75:
            return Found(_fill_specks(mask), start, settled)
    mask = open_holes(lab, sharp, run.mask, float(LEVELS[run.first]))
    return Found(snap(mask, every), start, settled)


def _plain(lab: Plane, start: Mask) -> bool:
    away = np.linalg.norm(lab - quadratic(lab, start), axis=2)
    return bool(start.any() and np.percentile(away[start], 85) < 6)


def _even(lab: Plane, start: Mask) -> bool:
    """Return whether nothing on the border stands out: a studio's steps and shades do not, a few soft lights do."""
    away = np.linalg.norm(lab - quadratic(lab, start), axis=2)
    return bool(np.percentile(away[start], 98) < 10)


def _crossings(sharp: Plane, start: Mask) -> int:
    """Return how many sharp lines leave the frame: a table's rim makes two, bricks or plaid many."""
    height, width = sharp.shape
    wide = max(2, round(min(height, width) * 0.03))
    ground = np.where(start, sharp, 0)
    top, bottom = ground[:wide].mean(axis=0), ground[-wide:].mean(axis=0)
    left, right = ground[:, :wide].mean(axis=1), ground[:, -wide:].mean(axis=1)
    around = np.concatenate([top, right, bottom[::-1], left[::-1]])
    around = cv2.blur(around.reshape(1, -1), (3, 1)).ravel()
    high = around > max(1.1, 4 * float(np.median(around)))
    return int((high & ~np.roll(high, 1)).sum())


def _fill_specks(mask: Mask) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = stats[:, 4] < 0.0006 * mask.size
    small[0] = False
    return mask | small[labels] if count > 1 else mask
