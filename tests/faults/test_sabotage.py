"""The fault harness sees what it is there to see: each of these changes to a copy of the library makes it fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bench import ROOT
from faults_invocation import Plan
from faults_verdict import Recorded, strike
from faults_wire import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults_ground import Ground

HERE = Path(__file__).parent
LIBRARY = ROOT / "layers" / "backdrop" / "src" / "backdrop"
SABOTAGE = sorted(path.stem for path in (HERE / "sabotage").glob("*.toml"))


@lru_cache(maxsize=8)
def read(name: str) -> dict[str, Any]:
    """A sabotage: the lives that show it (`run`), and its `change`s: `old` must stand in `path` exactly once."""
    return tomllib.loads((HERE / "sabotage" / f"{name}.toml").read_text(encoding="utf-8"))


def apply(name: str, library: Path) -> None:
    """Make the changes in a copy of the library."""
    for change in read(name)["change"]:
        file = library / change["path"]
        text = file.read_text(encoding="utf-8")
        assert text.count(change["old"]) == 1, f"{name} no longer fits {change['path']}: mend the sabotage"
        file.write_text(text.replace(change["old"], change["new"]), encoding="utf-8")


def play(name: str, folder: Path, library: Path) -> subprocess.CompletedProcess[str]:
    """Run the lives of a sabotage with the library that lies in `library`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment["PYTHONPATH"] = str(library.parent)  # a copy's lines are nobody's to cover
    report = folder / "report.txt"
    return subprocess.run(
        [sys.executable, str(HERE / "run.py"), *read(name)["run"], "--processes", "1", "--report", str(report)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        timeout=100,
    )


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", SABOTAGE)
def test_the_same_lives_go_well_without(ground: Ground, recorded: Callable[[str], Recorded], name: str) -> None:
    """What the harness fails on below is the sabotage: without it the same lives lose nothing and pay once."""
    asked = dict(zip(read(name)["run"][::2], read(name)["run"][1::2], strict=True))
    there = recorded(asked["--scene"])
    points = [at for at, call in enumerate(there.calls) if call.name == asked["--call"]]
    wrong = [
        verdict.told(name)
        for at in points
        if (verdict := strike(ground, there, Plan(at, Fault(asked["--fault"])))).wrong
    ]
    assert points
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", SABOTAGE)
def test_the_harness_fails_on_sabotage(name: str, tmp_path: Path) -> None:
    """Each applied as a patch by a test that then sees the harness fail."""
    library = tmp_path / "library" / "backdrop"
    shutil.copytree(LIBRARY, library, ignore=shutil.ignore_patterns("__pycache__"))
    apply(name, library)
    broken = play(name, tmp_path, library)
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert "Traceback" not in broken.stderr, broken.stderr


def test_the_copy_is_what_is_played(tmp_path: Path) -> None:
    """The lives of a sabotage are led by the patched copy, not by the library that is installed."""
    library = tmp_path / "backdrop"
    library.mkdir()
    (library / "__init__.py").write_text("raise SystemExit('the copy')\n", encoding="utf-8")
    assert "the copy" in play("token_check_skipped", tmp_path, library).stderr
