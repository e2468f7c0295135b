"""The layer as it is declared: its recipe, what is locked for it, and where locks say that things come from."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

type Resources = dict[str, Any]


def test_the_layer_is_built_by_its_makefile(root: Path, resources: Resources) -> None:
    """SAM finds the recipe by the layer's logical id, and builds for the functions' architecture."""
    layer = resources["BackdropLayer"]
    assert layer["Metadata"] == {"BuildMethod": "makefile", "BuildArchitecture": "arm64"}
    makefile = (root / layer["Properties"]["ContentUri"] / "Makefile").read_text(encoding="utf-8")
    assert "\nbuild-BackdropLayer:" in makefile


def test_the_layer_holds_what_the_library_imports_and_no_boto3(root: Path) -> None:
    """Every declared dependency is locked with hashes; the runtime's own boto3 is not shipped again."""
    locked = (root / "layers/backdrop/requirements.txt").read_text(encoding="utf-8")
    names = {line.split("==")[0] for line in locked.splitlines() if "==" in line and not line.startswith((" ", "#"))}
    declared = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert set(declared) <= names
    assert not names & {"boto3", "botocore"}
    assert locked.count("--hash=sha256:") >= len(names)


@pytest.mark.parametrize(
    "path",
    [
        "requirements-dev.txt",
        "layers/backdrop/requirements.txt",
        "tests/template/requirements-sam.txt",
        "tests/template/requirements-checks.txt",
    ],
)
def test_locked_requirements_name_no_host(root: Path, path: str) -> None:
    """A lock holds names, versions and hashes; where they come from is the machine's affair."""
    text = (root / path).read_text(encoding="utf-8")
    assert "--hash=sha256:" in text
    assert not re.search(r"https?://|file:|--index-url|--find-links", text)
