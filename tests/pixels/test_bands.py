"""A band in nearly the ground's colour, across the subject."""

import cv2
import numpy as np
import pytest

from backdrop_cli.pixels.arrays import Pixels
from backdrop_cli.pixels.bands import bands_closed
from backdrop_cli.pixels.codec import Photo
from backdrop_cli.pixels.cut import cut
from backdrop_cli.pixels.fields import lab_of

WALL, FLOOR, AMBER = (205, 217, 220), (185, 179, 170), (190, 95, 20)


def bottle(label: tuple[int, int, int], *, waist: int = 0, line: bool = False) -> tuple[Pixels, np.ndarray]:
    """A bottle before wall and floor whose middle is `label`; `waist`: how much narrower its foot is on each side."""
    picture = np.full((600, 450, 3), WALL, np.uint8)
    picture[440:] = FLOOR
    cv2.rectangle(picture, (150, 120), (300, 260), AMBER, -1)
    cv2.rectangle(picture, (150, 261), (300, 380), label, -1)
    cv2.rectangle(picture, (150 + waist, 381), (300 - waist, 500), AMBER, -1)
    if line:
        cv2.line(picture, (300, 261), (300, 380), (90, 60, 30), 1)
    noise = np.random.default_rng(5).normal(0, 2, picture.shape)
    whole = np.zeros(picture.shape[:2], bool)
    whole[120:501, 150:301] = True
    return np.clip(picture + noise, 0, 255).astype(np.uint8), whole


@pytest.mark.parametrize("line", [False, True])
def test_a_label_in_the_floors_colour_belongs_to_its_bottle(*, line: bool) -> None:
    """A label like the floor, before the wall, is cut out with the bottle, also where a thin line is left of it."""
    picture, whole = bottle(FLOOR, line=line)
    found = cut(Photo(picture, None)).alpha > 127
    assert (found & whole).sum() / (found | whole).sum() > 0.97


def test_what_shows_the_wall_between_two_parts_stays_open() -> None:
    """Between a table's top and its shelf lies what lies beside them."""
    picture, whole = bottle(WALL)
    found = cut(Photo(picture, None)).alpha > 127
    assert not found[280:360, 170:280].any()
    assert found[whole].mean() < 0.75


def test_parts_that_end_at_other_edges_are_not_joined() -> None:
    """Two things one above the other, of other widths, are two things, whatever lies between."""
    picture, _ = bottle(FLOOR, waist=40)
    mask = (np.abs(picture.astype(int) - AMBER).sum(axis=2) < 60) & (picture[:, :, 2] < 60)
    assert not (bands_closed(mask, lab_of(picture)) & ~mask).any()
