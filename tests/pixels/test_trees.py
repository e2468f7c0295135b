"""Trees as arrays: what they sum, and what they refuse."""

from typing import Any

import numpy as np
import pytest

from backdrop_cli.pixels.trees import Trees

TREES: Any = Trees(
    names=("size", "edge"),
    asked=np.array([[0, 1], [1, 0]], np.uint8),
    bounds=np.array([[0.5, 2.0], [1.0, np.inf]], np.float32),
    leaves=np.array([[0, 1, 10, 11], [100, 200, 300, 400]], np.float32),
    start=0.25,
)


def test_each_tree_adds_the_leaf_that_its_questions_lead_to() -> None:
    """A measurement above the first bound adds one to the leaf's number, above the second two."""
    size, edge = np.array([[0.4, 0.6], [0.4, 0.6]]), np.array([[0.0, 0.0], [3.0, 3.0]])
    assert TREES({"size": size, "edge": edge}).tolist() == [[100.25, 101.25], [210.25, 211.25]]


@pytest.mark.parametrize("names", [("size",), ("edge", "size"), ("size", "edges")])
def test_other_measurements_than_those_learned_are_refused(names: tuple[str, ...]) -> None:
    """Measurements that are missing, in another order or renamed would be taken for others: the trees say so."""
    with pytest.raises(ValueError, match="learned with other measurements"):
        TREES({name: np.zeros(3) for name in names})
