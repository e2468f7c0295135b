"""The tests of the template see what they are there to see: each patch to a copy of it makes the test it names fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from settled import PATCHED

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
SABOTAGE = {path.stem: path for path in sorted((HERE / "sabotage").glob("*.toml"))}


def read(name: str) -> dict[str, Any]:
    """A sabotage: the `check` that sees it, what stands in the template exactly once (`old`), and instead (`new`)."""
    return tomllib.loads(SABOTAGE[name].read_text(encoding="utf-8"))


def run(root: Path, template: Path, checks: Iterable[str]) -> tuple[set[str], str]:
    """Run the checks on a template; those that failed, and what was printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTEST_"))}
    environment[PATCHED] = str(template)
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "--no-cov", "-p", "no:randomly", "--tb=line", *checks]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    failed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED ")}
    return failed, done.stdout


@pytest.mark.timeout(240)
def test_the_checks_pass_on_the_template_as_it_is(root: Path) -> None:
    """Without a patch no check fails: what fails below fails because of the patch."""
    failed, told = run(root, root / "template.yaml", {read(name)["check"] for name in SABOTAGE})
    assert not failed, told
    assert " passed" in told


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", SABOTAGE)
def test_a_check_fails_on_sabotage(root: Path, tmp_path: Path, name: str) -> None:
    """The patch is applied to a copy, and the check that it names fails, for what the test asserts."""
    sabotage = read(name)
    text = (root / "template.yaml").read_text(encoding="utf-8")
    assert text.count(sabotage["old"]) == 1, f"{name} no longer fits template.yaml: mend the sabotage"
    copy = tmp_path / "template.yaml"
    copy.write_text(text.replace(sabotage["old"], sabotage["new"]), encoding="utf-8")
    failed, told = run(root, copy, [sabotage["check"]])
    assert failed == {sabotage["check"]}, told
    assert re.search(r"^E +(AssertionError|assert )", told, re.MULTILINE), told
