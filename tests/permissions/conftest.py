"""The scenes, played once for all tests of this folder, and the permissions that template.yaml deploys."""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest
from iam_policies import TEMPLATE, Deployed
from iam_scenes import play_all
from iam_stage import staged
from iam_witness import witnessing

from backdrop_cli.cloudformation import parse
from backdrop_cli.parts import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from iam_recorder import Call

PLACE = Place("https://aws.example.test", stack="faults")  # the stack that the scenes are played on


@pytest.fixture(scope="session")
def _played(_inert_credentials: None) -> tuple[frozenset[Call], frozenset[tuple[str, str]]]:
    with staged() as stage:
        assert stage.ground.template.place.stack == PLACE.stack
        with witnessing() as seen:
            play_all(stage)
    return frozenset(stage.recorder.calls), frozenset(seen)


@pytest.fixture(scope="session")
def calls(_played: tuple[frozenset[Call], Any]) -> frozenset[Call]:
    """Every AWS call of every function in every scene; the ground is gone again before anything is checked."""
    return _played[0]


@pytest.fixture(scope="session")
def witnessed(_played: tuple[Any, frozenset[tuple[str, str]]]) -> frozenset[tuple[str, str]]:
    """Actions and resources that AWS's server was asked for in the same scenes, by its own account."""
    return _played[1]


@lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    return parse(TEMPLATE.read_text(encoding="utf-8"))


@pytest.fixture
def document() -> dict[str, Any]:
    """The template, for a test to change."""
    return copy.deepcopy(_document())


@pytest.fixture(scope="session")
def deployed() -> Deployed:
    """What the template allows."""
    return Deployed(_document(), PLACE)


@pytest.fixture(scope="session")
def deploying() -> Callable[[dict[str, Any]], Deployed]:
    """What another template allows in the same place."""
    return lambda document: Deployed(document, PLACE)
