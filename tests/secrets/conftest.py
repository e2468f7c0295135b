"""The stack in pieces; what it can do stands in `apart`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from apart import staged

from backdrop_cli import aws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from apart import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A running system that nobody else sees."""
    with aws.serving_aws() as endpoint, staged(tmp_path, endpoint) as made:
        yield made
