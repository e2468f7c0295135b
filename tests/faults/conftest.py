"""The ground of the fault harness as a fixture, and each scene's undisturbed life, played once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults_ground import standing
from faults_invocation import deployed
from faults_scenes import scene
from faults_verdict import Recorded, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from faults_ground import Ground


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """Servers on a virtual clock; they go with the module: its clock is no other test's."""
    with standing() as there, deployed():
        yield there


@pytest.fixture(scope="session")
def _known() -> dict[str, Recorded]:
    return {}


@pytest.fixture(scope="module")
def recorded(ground: Ground, _known: dict[str, Recorded]) -> Callable[[str], Recorded]:
    """A scene's undisturbed life, which is the same on every ground."""

    def of(name: str) -> Recorded:
        if name not in _known:
            _known[name] = record(ground, scene(name))
        return _known[name]

    return of
