"""The documentation says what the code does."""

import re
from pathlib import Path

import pytest

from backdrop import spec
from backdrop.catalogue import MODELS
from backdrop_cli import pages

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (DOCS / "spec.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_generated_parts_are_current(path: Path) -> None:
    """What a page says between its marks is what the code says now (`make docs` brings it up to date)."""
    text = path.read_text(encoding="utf-8")
    assert pages.page(text) == text


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_spec(example: str) -> None:
    """Each YAML example of the spec's page can be dropped as it stands."""
    assert spec.parse(example.encode(), "a.jpg.yaml").jobs


def test_every_model_is_described() -> None:
    """No model is missing from the spec's page."""
    text = (DOCS / "spec.md").read_text(encoding="utf-8")
    for name in MODELS:
        assert f"### {name}\n" in text
