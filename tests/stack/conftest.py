"""A stack of recording functions, shared by a module's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recording import run_recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recording import Recorded


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """A stack of recording functions whose messages come again after a second, twice at most."""
    overrides = {"DropVisibilitySeconds": "1", "WorkVisibilitySeconds": "1", "MaxReceiveCount": "2"}
    with run_recorded(tmp_path_factory.mktemp("project"), overrides=overrides, schedule_seconds=0.3) as made:
        yield made
