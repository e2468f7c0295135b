"""The workflow's bench, and a console at its stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from console import Console, console

if TYPE_CHECKING:
    from bench import Bench

    from backdrop_cli.parts import Template


@pytest.fixture
def desk(bench: Bench, _aws: Template) -> Console:
    """A console at the bench's stack."""
    return console(bench, _aws)


@pytest.fixture
def deployed(_aws: Template) -> Template:
    """The template whose resources the bench has."""
    return _aws
