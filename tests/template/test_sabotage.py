"""The tests of the template see what they are there to see: each patch to a copy of it makes the test it names fail.

Each of those is a test of this folder, too: on the template as it is, it passes in the same run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from settled import PATCHED

HERE = Path(__file__).parent
SABOTAGE = {path.stem: path for path in sorted((HERE / "sabotage").glob("*.toml"))}


def read(name: str) -> dict[str, Any]:
    """A sabotage: the `check` that sees it, what stands in the template exactly once (`old`), and instead (`new`)."""
    return tomllib.loads(SABOTAGE[name].read_text(encoding="utf-8"))


def run(root: Path, template: Path, check: str) -> tuple[set[str], str]:
    """Run a check on a template; what failed, and what was printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTEST_"))}
    environment[PATCHED] = str(template)
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "--no-cov", "-p", "no:randomly", "--tb=line", check]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    failed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED ")}
    return failed, done.stdout


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", SABOTAGE)
def test_a_check_fails_on_sabotage(root: Path, tmp_path: Path, name: str) -> None:
    """The patch is applied to a copy, and the check that it names fails, for what the test asserts."""
    sabotage = read(name)
    text = (root / "template.yaml").read_text(encoding="utf-8")
    assert text.count(sabotage["old"]) == 1, f"{name} no longer fits template.yaml: mend the sabotage"
    copy = tmp_path / "template.yaml"
    copy.write_text(text.replace(sabotage["old"], sabotage["new"]), encoding="utf-8")
    failed, told = run(root, copy, sabotage["check"])
    assert failed == {sabotage["check"]}, told
    assert re.search(r"^E +(AssertionError|assert )", told, re.MULTILINE), told
