"""Boosted trees, applied: what was learned from drawn scenes, as arrays in files beside this module.

A tree asks the same question (is this measurement above this bound?) of all samples at one depth, so its leaf is a
number of as many bits as it is deep. Promises the sum over all trees for each sample. Refuses measurements in
another number or under other names than the trees were learned with (ValueError). `make learn` writes the files.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Self

import numpy as np

from backdrop_cli.pixels.arrays import Plane


@dataclass(frozen=True)
class Trees:
    """`asked` (trees, depth) which measurement, `bounds` (trees, depth), `leaves` (trees, 2 to the depth), `start`."""

    names: tuple[str, ...]
    asked: Plane
    bounds: Plane
    leaves: Plane
    start: float

    @classmethod
    def load(cls, name: str) -> Self:
        """Return the trees of this name."""
        with (files(__package__) / "learned" / f"{name}.npz").open("rb") as file, np.load(file) as kept:
            names = tuple(str(one) for one in kept["names"])
            return cls(names, kept["asked"], kept["bounds"], kept["leaves"], float(kept["start"]))

    def __call__(self, named: dict[str, Plane]) -> Plane:
        """Return the trees' sum for measurements of one shape, in that shape."""
        if tuple(named) != self.names:
            raise ValueError(f"the trees were learned with other measurements: {set(named) ^ set(self.names)}")
        shape = next(iter(named.values())).shape
        planes = [np.asarray(plane, np.float32).ravel() for plane in named.values()]
        total = np.full(planes[0].size, self.start, np.float32)
        for asked, bounds, leaves in zip(self.asked, self.bounds, self.leaves, strict=True):
            leaf = np.zeros(total.size, np.uint8)
            for bit, (which, bound) in enumerate(zip(asked, bounds, strict=True)):
                leaf |= (planes[which] > bound).view(np.uint8) << np.uint8(bit)
            total += leaves[leaf]
        return total.reshape(shape)


trees = cache(Trees.load)
