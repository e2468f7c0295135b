"""What the tests of the template share: the template as a dictionary, its functions with the Globals merged in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import settled

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return settled.ROOT


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """template.yaml, every intrinsic function in its long form."""
    return settled.read()


@pytest.fixture(scope="session")
def resources(template: dict[str, Any]) -> dict[str, Any]:
    """The resources by logical id, as written."""
    found: dict[str, Any] = template["Resources"]
    return found


@pytest.fixture(scope="session")
def functions(template: dict[str, Any], resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties of each function as SAM merges them with the Globals; environment variables flattened."""
    return settled.merged(template, resources)


@pytest.fixture(scope="session")
def deployed(template: dict[str, Any]) -> dict[str, Any]:
    """The resources that the parameters' defaults give."""
    return settled.settle(template)


@pytest.fixture(scope="session")
def deployed_functions(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`functions`, as the parameters' defaults give them."""
    return settled.settled_functions(template)
