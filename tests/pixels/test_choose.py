"""Which of several readings of a photo is taken."""

import numpy as np

from backdrop_cli.pixels.arrays import Mask, Plane
from backdrop_cli.pixels.choose import agreed


def bar(first: int, last: int) -> Mask:
    """A mask of 100 columns that covers those from `first` to before `last`."""
    mask = np.zeros((4, 100), bool)
    mask[:, first:last] = True
    return mask


def worth(*values: float) -> Plane:
    """Guessed overlaps, one for each mask."""
    return np.array(values, np.float32)


def test_of_readings_worth_nearly_as_much_the_one_most_like_the_others_is_taken() -> None:
    """A reading that stands alone and is worth a trace more loses to three that all but agree."""
    masks = [bar(0, 30), bar(40, 80), bar(42, 82), bar(41, 81)]
    assert agreed(masks, worth(0.81, 0.8, 0.8, 0.8)) == 3


def test_a_reading_worth_far_more_is_taken_though_the_others_agree() -> None:
    """Many readings that agree and are worth little do not outvote the one that is worth much."""
    masks = [bar(0, 30), bar(40, 80), bar(42, 82), bar(41, 81)]
    assert agreed(masks, worth(0.9, 0.5, 0.5, 0.5)) == 0


def test_an_empty_reading_is_taken_only_when_all_are_empty() -> None:
    """A reading without a subject overlaps nothing; without another it is the answer."""
    assert agreed([bar(0, 0), bar(40, 80)], worth(0.0, 0.1)) == 1
    assert agreed([bar(0, 0)], worth(0.0)) == 0
