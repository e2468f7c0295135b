"""The documentation says what the code does."""

import re
from pathlib import Path

import pytest

from backdrop import spec
from backdrop.catalogue import MODELS
from backdrop.states import MOVES, State
from backdrop_cli import pages
from backdrop_cli.reasons import reasons

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
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


def test_every_code_has_its_words() -> None:
    """A code of the operations page says what happened, and the ones that end a job say what to do."""
    known = {one.code: one for one in reasons()}
    for code in (
        "OVER_BUDGET",
        "NO_CREDITS",
        "KEY_REFUSED",
        "OUTCOME_UNKNOWN",
        "DEADLINE_PASSED",
        "NO_SPEC",
        "TWO_SPECS",
    ):
        assert known[code].message
        assert known[code].action
    assert known["PHOTO_MISSING"].message == "… came, but … did not"
    assert known["REFERENCE_NAME"].message == "the reference … does not end like a picture"


def test_the_state_machine_of_the_page_is_the_one_in_the_code() -> None:
    """Every state and every move of the table of states stands in the operations page."""
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    for name, move in MOVES.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert {state for state in State if str(state) in row.split("|")[2]} == move.sources
        assert str(move.target) == row.split("|")[3].strip()


def test_every_alarm_and_widget_is_described() -> None:
    """Each alarm of the template stands in the operations page with what to do, each widget with what to see in it."""
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    alarms = re.findall(r"^  (\w+):\n    Type: AWS::CloudWatch::Alarm$", template, re.MULTILINE)
    titles = re.findall(r'"title": "([^"]+)"', template)
    assert len(alarms) > 10
    assert len(titles) > 5
    assert [name for name in alarms if f"`{name}`" not in text] == []
    assert [title for title in titles if f"| {title} |" not in text] == []
    assert f"| alarms | {len(alarms)} at" in text
