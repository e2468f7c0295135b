"""The lives that the fault harness plays: every model in each of its forms, ended by callback and by poll.

Promises tiny photos (the sandbox draws them in milliseconds) and that each scene says what may come of it: how many
paid POSTs, whether the provider can be asked about a lost one, and when FAILED is legitimate.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bench import picture

if TYPE_CHECKING:
    from collections.abc import Mapping

type Wave = tuple[tuple[str, bytes], ...]

COLOR = {"model": "runflow/background-color", "input": {"color_red": 10, "color_green": 200, "color_blue": 30}}
REPLACE = {"model": "runflow/background-replace", "input": {"reference": "_scene.png", "prompt": "evening light"}}
BRIA: dict[str, Any] = {"model": "bria/background/remove"}
SYNC = {"model": "bria/background/remove", "input": {"sync_mode": True}}
VARIANTS = {"model": "backgroundcut/remove-bg", "input": {"output_variants": [{}, {"format": "webp"}]}}
CHANGE = {"model": "imagepipeline/background-change", "input": {"prompt": "on marble", "seed": 7}}
REMOVE = {"model": "imagepipeline/background-remove", "input": {"output_format": "png"}}
RUNS, FLAT, AUTO = ({"BACKGROUND_COLOR_FORM": form} for form in ("runs", "flat", "auto"))
LOST = {"callback_lost": True}


@dataclass(frozen=True)
class Scene:
    """One life. `drops`: what is uploaded, wave by wave; a wave's events are handled before the next one comes.

    `paid`: paid POSTs of an undisturbed life. `asked`: a lost reply can be looked up at the provider, so that nothing
    may ever be posted again. `reposts`: POSTs that may be repeated after the patience time, each counted.
    `may_fail`: why FAILED is legitimate, by the code in the row. `late`: seconds that callbacks take.
    """

    name: str
    model: str
    drops: tuple[Wave, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    trouble: Mapping[str, Any] = field(default_factory=dict)
    calls_back: bool = True
    jobs: int = 1
    paid: int = 1
    reposts: int = 0
    late: float = 0.0
    may_fail: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=8)
def _photo(seed: int = 0) -> bytes:
    return picture(seed=seed, size=(64, 48))


def _drops(spec: dict[str, Any], *before: tuple[str, bytes]) -> tuple[Wave, ...]:
    """The photo, and then its sidecar."""
    return ((*before, ("a.png", _photo())), (("a.png.json", json.dumps(spec).encode()),))


def _scene(name: str, spec: dict[str, Any], *before: tuple[str, bytes], **more: Any) -> Scene:
    return Scene(name, spec.get("model", BRIA["model"]), _drops(spec, *before), **more)


_SCENERY = ("_scene.png", _photo(9))
_BY_DEFAULT: tuple[Wave, ...] = ((("_backdrop.json", json.dumps(BRIA).encode()),), (("a.png", _photo()),))
_ONE_FLAT_POST = {
    "OUTCOME_UNKNOWN": "auto makes at most one flat POST, and nobody can be asked about a lost one",
    "RESULT_NOT_KEPT": "the flat form's answer alone named the picture, and auto posts it once",
}

SCENES: tuple[Scene, ...] = (
    _scene("color runs", COLOR, settings=RUNS),
    _scene("color flat zip", COLOR, settings=FLAT, calls_back=False, reposts=1),
    _scene("color flat image", COLOR, settings={**FLAT, "FLAT_INPUT": "image"}, calls_back=False, reposts=1),
    _scene(
        "color auto, no runs route",
        COLOR,
        settings=AUTO,
        trouble={"runs_route_missing": True},
        calls_back=False,
        may_fail=_ONE_FLAT_POST,
    ),
    _scene("replace", REPLACE, _SCENERY),
    _scene("bria", BRIA),
    _scene("bria, polled", BRIA, trouble=LOST),
    _scene("bria sync", SYNC),
    _scene("variants", VARIANTS, calls_back=False),
    _scene("change", CHANGE, reposts=1),
    _scene("remove", REMOVE, reposts=1),
    _scene("remove, polled", REMOVE, trouble=LOST, reposts=1),
    # Both POSTs go unanswered and the job is called FAILED; then the first callback comes after all.
    _scene(
        "remove, called back late",
        REMOVE,
        settings={"PATIENCE_SECONDS": "60"},  # or it would be told by hundreds of calls of thirty sweeps
        trouble={"dropped_after": 2},
        reposts=1,
        late=900.0,
    ),
    _scene(
        "remove, never answered",
        REMOVE,
        settings={"PATIENCE_SECONDS": "60"},
        trouble={"dropped_after": 2, "callback_lost": True},
        reposts=1,
        may_fail={"OUTCOME_UNKNOWN": "nobody can be asked, and the one repost went unanswered too"},
    ),
    Scene("bria by a folder's default", BRIA["model"], _BY_DEFAULT),
    _scene("bria, failed once", BRIA, trouble={"run_fails": 1}, paid=2),
    _scene("two jobs of one drop", {"jobs": [BRIA, {**COLOR, "label": "green"}]}, settings=RUNS, jobs=2, paid=2),
)


def scene(name: str) -> Scene:
    """The scene of that name."""
    return next(one for one in SCENES if one.name == name)
