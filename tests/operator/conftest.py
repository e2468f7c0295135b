"""The workflow's bench, and a console at its stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from console import Console, console

from backdrop_cli import stack as embedded
from backdrop_cli.operator import permits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench import Bench

    from backdrop_cli.parts import Template
    from backdrop_cli.stack import Stack


@pytest.fixture
def desk(bench: Bench, _aws: Template) -> Console:
    """A console at the bench's stack."""
    return console(bench, _aws)


@pytest.fixture
def deployed(_aws: Template) -> Template:
    """The template whose resources the bench has."""
    return _aws


@pytest.fixture(scope="module")
def laptop(_aws: Template, _sandbox: str) -> Iterator[Stack]:
    """The embedded stack: a real door, real keys, no parts in CloudFormation."""
    with embedded.running(sandbox_url=_sandbox, endpoint_url=_aws.place.endpoint_url, drive=False) as running:
        yield running


@pytest.fixture
def _at_the_laptop(_aws: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find the laptop's AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", _aws.place.endpoint_url)


@pytest.fixture
def _nothing_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """No permission is asked about: moto answers each question, four times, that it cannot."""
    monkeypatch.setattr(permits, "NEEDS", dict.fromkeys(permits.NEEDS, ()))
