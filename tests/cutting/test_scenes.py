"""Scenes that were never learned from are cut out as well as others: seeds below those of `make learn`."""

from typing import NamedTuple

import numpy as np
import pytest
from scenes import Scene, draw

from backdrop_cli.pixels.arrays import Pixels
from backdrop_cli.pixels.codec import Photo
from backdrop_cli.pixels.cut import cut


class Judged(NamedTuple):
    """How a cut-out overlaps the true mask, and whether it covers a corner that the subject does not reach."""

    what: str
    overlap: float
    corner: bool


def judged(scene: Scene, alpha: Pixels) -> Judged:
    """Compare the alpha with the true mask, at half cover."""
    found = alpha > 127
    overlap = (found & scene.mask).sum() / max(1, int((found | scene.mask).sum()))
    corners = np.ix_([0, -1], [0, -1])
    covered = bool((alpha[corners] >= 8)[~scene.mask[corners]].any())
    return Judged(f"{scene.subject} on {scene.ground}", float(overlap), covered)


@pytest.mark.parametrize(("plain", "least"), [(True, 0.9), (False, 0.8)])
@pytest.mark.parametrize("first", [0, 8])
def test_most_scenes_never_seen_are_cut_out(first: int, least: float, *, plain: bool) -> None:
    """Of eight scenes at most one overlaps by less than 0.9 (plain) or 0.8 (busy); no free corner is covered."""
    scenes = [draw(seed, plain=plain) for seed in range(first, first + 8)]
    results = [judged(scene, cut(Photo(scene.photo, None)).alpha) for scene in scenes]
    assert sum(result.overlap < least for result in results) <= 1, results
    assert not [result for result in results if result.corner]


def test_a_seed_gives_the_same_scene() -> None:
    """The same seed draws the same photo, another seed another; the subject is part of the frame."""
    one, again, other = draw(3), draw(3), draw(4)
    assert np.array_equal(one.photo, again.photo)
    assert np.array_equal(one.mask, again.mask)
    assert one.photo.shape != other.photo.shape or not np.array_equal(one.photo, other.photo)
    assert 0.005 < one.mask.mean() < 0.8
