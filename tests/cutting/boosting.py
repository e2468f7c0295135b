"""From samples to trees: CatBoost fits them, their arrays are what the pictures' modules load.

Promises trees that give the same sums as the model they come from. Refuses nothing. Needs `catboost`, which only
`make learn` installs.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from catboost import CatBoostClassifier, CatBoostRegressor

from backdrop_cli.pixels.trees import Trees

_COMMON = {
    "depth": 6,
    "l2_leaf_reg": 5,
    "border_count": 64,
    "random_seed": 1,
    "thread_count": 2,
    "verbose": 0,
    "allow_writing_files": False,
    "bootstrap_type": "Bernoulli",
    "subsample": 0.7,
}


def classifier(names: tuple[str, ...], samples: Any, truth: Any, weights: Any, rounds: int) -> Trees:
    """Return trees whose sum is the log-odds that the truth is 1; samples (n, measurements), truth and weights (n,)."""
    model = CatBoostClassifier(iterations=rounds, learning_rate=0.1, rsm=0.4, **_COMMON)
    return _trees(names, model.fit(samples, truth, sample_weight=weights))


def regressor(names: tuple[str, ...], samples: Any, truth: Any, weights: Any, rounds: int) -> Trees:
    """Return trees whose sum is the truth; samples (n, measurements), truth and weights (n,)."""
    model = CatBoostRegressor(iterations=rounds, learning_rate=0.06, rsm=0.5, **_COMMON)
    return _trees(names, model.fit(samples, truth, sample_weight=weights))


def _trees(names: tuple[str, ...], model: Any) -> Trees:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.json")
        model.save_model(str(file), format="json")
        kept = json.loads(file.read_text())
    splits = [tree["splits"] for tree in kept["oblivious_trees"]]
    depth = max(len(tree) for tree in splits)
    asked = np.zeros((len(splits), depth), np.uint8)
    bounds = np.full((len(splits), depth), np.inf, np.float32)
    leaves = np.zeros((len(splits), 2**depth), np.float32)
    scale, start = kept["scale_and_bias"]
    for number, tree in enumerate(kept["oblivious_trees"]):
        for bit, split in enumerate(tree["splits"]):
            asked[number, bit], bounds[number, bit] = split["float_feature_index"], split["border"]
        leaves[number, : len(tree["leaf_values"])] = np.array(tree["leaf_values"]) * scale
    return Trees(names, asked, bounds, leaves, float(np.ravel(start)[0]))


def save(trees: Trees, file: Path) -> None:
    """Write the trees where `backdrop_cli.pixels.trees` finds them."""
    file.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        file,
        names=np.array(trees.names),
        asked=trees.asked,
        bounds=trees.bounds.astype(np.float32),
        leaves=trees.leaves.astype(np.float32),
        start=np.float32(trees.start),
    )
