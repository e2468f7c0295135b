"""Regions of a photo's cells: what becomes one, what is told of it, what an earlier answer says of it."""

import numpy as np
import pytest

from backdrop_cli.pixels.arrays import Plane
from backdrop_cli.pixels.regions import like_its_region, odds_of_regions, regions_of, segments


def square(step: float) -> Plane:
    """A grey field of 20 by 20 cells with a square of 8 by 8 in its middle, lighter by `step`."""
    lab = np.zeros((20, 20, 3), np.float32)
    lab[:, :, 0] = 40
    lab[6:14, 6:14, 0] += step
    return lab


def measured(lab: Plane) -> dict[str, Plane]:
    """What the cells' regions are like where every other measurement is 0 but `strange`, 1 in the left half."""
    names = ("unlike", "reach", "central", "enclosed", "travelled ratio", "every 0.5", "off the fit")
    more = ("colour at the border", "side below", "side most", "enclosed or standing")
    others = dict.fromkeys((*names, *more), np.zeros(lab.shape[:2], np.float32))
    strange = np.zeros(lab.shape[:2], np.float32)
    strange[:, : lab.shape[1] // 2] = 1
    return dict(like_its_region(lab, regions_of(lab), {"strange": strange, **others}))


def test_what_differs_by_a_step_is_a_region_of_its_own() -> None:
    """A square before a field is told from it by every cut; one that hardly differs is part of it in the coarsest."""
    for labels in regions_of(square(30)):
        assert labels.max() == 1
        assert (labels == labels[10, 10]).sum() == 64
    assert regions_of(square(0.5))[-1].max() == 0


def test_a_gradient_is_one_region() -> None:
    """Steps as small as those within a region do not end it, however far they add up."""
    lab = np.zeros((20, 120, 3), np.float32)
    lab[:, :, 0] = np.linspace(30, 60, 120)
    assert segments(lab, 40, 6).max() == 0


@pytest.mark.parametrize(("least", "count"), [(4, 2), (5, 1)])
def test_a_region_with_fewer_cells_than_the_least_joins_its_neighbour(least: int, count: int) -> None:
    """Four cells that differ by far stay when four are enough and vanish when five are asked."""
    lab = np.zeros((12, 12, 3), np.float32)
    lab[5:7, 5:7] = 50
    assert segments(lab, 40, least).max() + 1 == count


def test_noise_is_cut_into_regions_of_at_least_the_least_size() -> None:
    """Whatever the photo, no region is smaller than asked and every cell has a region from 0 up, none left out."""
    random = np.random.default_rng(1)
    labels = segments(random.uniform(0, 100, (30, 40, 3)).astype(np.float32), 40, 6)
    sizes = np.bincount(labels.ravel())
    assert sizes.sum() == 1200
    assert sizes.min() >= 6


def test_a_region_is_told_by_its_form_and_its_colour() -> None:
    """The square is free of the frame, in the middle and new to the frame; the field holds all of the frame."""
    told = measured(square(30))
    inside, outside = (10, 10), (0, 0)
    assert told["region 0 at the frame"][inside] == 0
    assert told["region 0 at the frame"][outside] == pytest.approx(76 / np.sqrt(336))
    assert told["region 0 at the frame above"][outside] == pytest.approx(58 / np.sqrt(336))
    assert told["region 0 size"][inside] == pytest.approx(np.log(64 / 400))
    assert told["region 0 away"][inside] == pytest.approx(0, abs=1e-6)
    assert told["region 0 step"][inside] == pytest.approx(30)
    assert told["region 0 texture"][inside] == pytest.approx(0, abs=0.01)
    assert told["region 0 contrast"][inside] > told["region 0 contrast"][outside] > 0
    assert told["region 0 at the frame by colour"][inside] == pytest.approx(np.exp(-3))
    assert told["region 0 at the frame by colour"][outside] == pytest.approx(1)
    assert told["region 0 strange"][inside] == pytest.approx(0.5)


def test_a_standing_region_holds_the_frame_but_not_the_frame_above() -> None:
    """What touches the lower side alone is not counted as touching the frame above."""
    lab = square(0)
    lab[12:, 6:14, 0] += 30
    told = measured(lab)
    assert told["region 0 at the frame"][19, 10] == pytest.approx(8 / 8)
    assert told["region 0 at the frame above"][19, 10] == 0


def test_an_earlier_answer_is_told_of_the_region_and_of_those_around() -> None:
    """A cell is told its region's mean odds, its neighbours' along the outline, and the likeliest neighbour's."""
    labels = np.repeat([[0, 0, 1, 1, 1, 2, 2]], 5, axis=0)
    odds = np.zeros((5, 7), np.float32)
    odds[:, 1] = 4
    odds[:, 5:] = -3
    told = dict(odds_of_regions(odds, (labels,)))
    assert told["region 0 odds"][0].tolist() == [2, 2, 0, 0, 0, -3, -3]
    assert told["region 0 odds around"][0].tolist() == [0, 0, -0.5, -0.5, -0.5, 0, 0]
    assert told["region 0 odds of the likeliest around"][0].tolist() == [0, 0, 2, 2, 2, 0, 0]


def test_a_region_without_neighbours_is_told_its_own_odds() -> None:
    """A photo that is one region has nothing around: the region's own odds stand for it."""
    told = dict(odds_of_regions(np.full((4, 4), 1.5, np.float32), (np.zeros((4, 4), int),)))
    assert told["region 0 odds around"].tolist() == [[1.5] * 4] * 4
