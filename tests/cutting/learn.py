"""Learn the cut-out from drawn scenes: what a subject's cells are like, and which of several readings is right.

`make learn` runs it in an environment of its own and writes `cli/backdrop_cli/pixels/learned/*.npz`. Promises the same
files for the same scenes on one machine with the same libraries. When the next step learns from the answers, a quarter
of the grounds is judged by trees fitted to the other three, so that no step learns how well scenes are remembered.
"""

# ruff: noqa: T201 - a command that reports

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from boosting import classifier, regressor, save
from scenes import draw

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane, resize
from backdrop_cli.pixels.cells import Cells, cells_of
from backdrop_cli.pixels.cut import working_size
from backdrop_cli.pixels.focus import Focus, focus_of
from backdrop_cli.pixels.likely import AGAIN, again
from backdrop_cli.pixels.readings import readings
from backdrop_cli.pixels.segment import Found, find, overlap
from backdrop_cli.pixels.trees import Trees
from backdrop_cli.pixels.worth import Evidence, signs

LEARNED = Path(__file__).parents[2] / "cli" / "backdrop_cli" / "pixels" / "learned"
_FIRST_SEED = 100_000  # the tests' scenes have smaller ones
_CELLS_OF_A_SCENE = 160
_ROUNDS = 400
_PARTS = 4
_EVERY = 2  # readings are made of every second scene: each gives twenty samples


class Looked(NamedTuple):
    """A scene at working size: the photo, its first finding, its focus, the true mask, the ground's name."""

    small: Pixels
    found: Found
    focus: Focus
    mask: Mask
    ground: str


class Measured(NamedTuple):
    """A scene's cells, what is told of each by name, how much of each the subject covers, and the ground's name."""

    cells: Cells
    told: dict[str, Plane]
    truth: Plane
    ground: str


def look(seed: int) -> Looked:
    """Return the scene of a seed; every fifth has a plain ground."""
    scene = draw(seed, plain=seed % 5 == 4)
    height, width = scene.mask.shape
    width, height = working_size(width, height)
    small = np.ascontiguousarray(resize(scene.photo, width, height))
    found = find(small)
    mask = resize(scene.mask.astype(np.float32), width, height) > 0.5
    return Looked(small, found, focus_of(scene.photo, width, height, found.ground), mask, scene.ground)


def measure(seed: int) -> Measured:
    """Return what the scene's cells are like."""
    cv2.setNumThreads(1)
    seen = look(seed)
    cells = cells_of(seen.small, seen.found.ground, seen.focus)
    truth = resize(seen.mask.astype(np.float32), cells.bins.shape[1], cells.bins.shape[0])
    return Measured(cells._replace(named={}), _halved(cells.named), truth, seen.ground)


def _halved(named: Mapping[str, Plane]) -> dict[str, Plane]:
    """Return the planes in half the memory: of all scenes they fill several GB."""
    return {name: plane.astype(np.float16) for name, plane in named.items()}


def judge(seed: int, odds: Plane) -> list[tuple[dict[str, float], float]]:
    """Return the signs of the scene's readings, made with these odds, and how each overlaps the subject."""
    cv2.setNumThreads(1)
    seen = look(seed)
    cells = cells_of(seen.small, seen.found.ground, seen.focus)
    masks = readings(seen.small, seen.found, odds, seen.focus)
    evidence = Evidence.of(seen.small, seen.focus, cells, odds)
    told = [(signs(mask, masks, evidence), overlap(mask, seen.mask)) for mask in masks]
    return [(named, shared) for named, shared in told if named is not None]


def samples(scenes: Iterable[Measured], random: np.random.Generator) -> tuple[Plane, Plane, Plane]:
    """Return (cells, truth, weights): as many cells of the subject as of the ground, weighed by what they stand for."""
    taken, truths, weights = [], [], []
    for scene in scenes:
        truth = scene.truth.ravel()
        planes = np.stack([plane.ravel() for plane in scene.told.values()], axis=1)
        sides = (np.flatnonzero(truth < 0.1), np.flatnonzero(truth > 0.9))
        for member, side in enumerate(sides):
            some = random.choice(side, min(_CELLS_OF_A_SCENE // 2, side.size), replace=False)
            taken.append(planes[some].astype(np.float32))
            truths.append(np.full(some.size, member))
            weights.append(np.full(some.size, side.size / max(1, some.size)))
    return np.concatenate(taken), np.concatenate(truths), np.concatenate(weights)


def unseen(scenes: list[Measured], fit: Callable[[list[Measured]], Trees]) -> list[Plane]:
    """Return each scene's odds by trees that were fitted to other grounds."""
    grounds = sorted({scene.ground for scene in scenes})
    parts = [grounds.index(scene.ground) % _PARTS for scene in scenes]
    fitted = [
        fit([scene for scene, part in zip(scenes, parts, strict=True) if part != left_out])
        for left_out in range(_PARTS)
    ]
    return [fitted[part](scene.told) for scene, part in zip(scenes, parts, strict=True)]


def main() -> None:
    """Draw, measure, fit, write; say what each step took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=1000, help="how many to learn from (1000)")
    count = parser.parse_args().scenes
    seeds = range(_FIRST_SEED, _FIRST_SEED + count)
    random = np.random.default_rng(1)
    began = time.monotonic()

    def say(step: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {step}", flush=True)

    def fit(scenes: list[Measured]) -> Trees:
        return classifier(tuple(scenes[0].told), *samples(scenes, random), _ROUNDS)

    with ProcessPoolExecutor(2) as workers:
        scenes = list(workers.map(measure, seeds, chunksize=8))
        say(f"{count} scenes drawn and measured")
        odds: list[Plane] = []
        for step in ("cells", *AGAIN):
            more = [_halved(dict(again(one, scene.cells))) for one, scene in zip(odds, scenes, strict=False)]
            asked = [
                scene._replace(told=scene.told | told) for scene, told in zip(scenes, more or [{}] * count, strict=True)
            ]
            save(fit(asked), LEARNED / f"{step}.npz")
            odds = unseen(asked, fit)
            say(f"{step}: learned, and guessed of scenes not seen")
        read = list(workers.map(judge, seeds[::_EVERY], odds[::_EVERY], chunksize=4))
        say("readings made")
    save(_worth(read), LEARNED / "worth.npz")
    say("worth of readings learned")


def _worth(read: list[list[tuple[dict[str, float], float]]]) -> Trees:
    named = [signs for scene in read for signs, _ in scene]
    shared = np.array([overlap for scene in read for _, overlap in scene])
    told = np.array([list(signs.values()) for signs in named], np.float32)
    weights = np.concatenate([np.full(len(scene), 1 / max(1, len(scene))) for scene in read])
    return regressor(tuple(named[0]), told, shared, weights, 2 * _ROUNDS)


if __name__ == "__main__":
    main()
