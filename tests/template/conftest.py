"""What the tests of the template share: the template as a dictionary, its functions with the Globals merged in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backdrop_cli import cloudformation

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """template.yaml, every intrinsic function in its long form."""
    return cloudformation.parse((ROOT / "template.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def resources(template: dict[str, Any]) -> dict[str, Any]:
    """The resources by logical id."""
    found: dict[str, Any] = template["Resources"]
    return found


@pytest.fixture(scope="session")
def functions(template: dict[str, Any], resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties of each function as SAM merges them with the Globals; environment variables flattened."""
    shared = template["Globals"]["Function"]
    merged = {}
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            own = resource["Properties"]
            variables = {
                **shared["Environment"]["Variables"],
                **own.get("Environment", {}).get("Variables", {}),
            }
            merged[name] = {**shared, **own, "Variables": variables}
    return merged
