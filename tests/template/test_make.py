"""The Makefile and the runner of `make test`: what they promise to whoever types a command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

MAKE = shutil.which("make") or "make"
SHOWS_ITS_ARGUMENTS = f"""#!{sys.executable}
import json, sys
print(json.dumps(sys.argv[1:]))
"""
HOSTILE = [
    "plain.jpg",
    "with space/and  two.jpg",
    "a+b%20c&d.jpg",
    "été/写真 №5.png",
    "$HOME.jpg",
    "$(HOME)/${PATH}.jpg",
    "$(shell touch spoilt).jpg",
    "`touch spoilt`.jpg",
    "; touch spoilt #.jpg",
    "'single' \"double\".jpg",
    "*?[a-z]~.jpg",
    "-dash.jpg",
    "back\\slash.jpg",
    "hash#tag.jpg",
    "equals=and:colon.jpg",
]


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A folder with the Makefile, an environment that counts as ready, and a `backdrop` that shows its arguments."""
    shutil.copy(root / "Makefile", tmp_path / "Makefile")
    for name in ("requirements-dev.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    command = tmp_path / ".venv" / "bin" / "backdrop"
    command.parent.mkdir(parents=True)
    command.write_text(SHOWS_ITS_ARGUMENTS, encoding="utf-8")
    command.chmod(0o755)
    (tmp_path / ".venv" / ".ready").touch()
    return tmp_path


def clean_environment() -> dict[str, str]:
    """The environment without what a make that runs these tests left in it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def make(where: Path, *arguments: str, **environment: str) -> str:
    """What make prints; it must succeed."""
    everything = {**clean_environment(), **environment}
    run = subprocess.run([MAKE, *arguments], cwd=where, env=everything, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_make_alone_lists_the_targets(checkout: Path) -> None:
    """Whoever types make is told what there is, and nothing runs."""
    listing = make(checkout)
    for target in ("setup", "demo", "up", "test", "lint", "typecheck", "unit", "cover", "build", "lock", "clean"):
        assert f"make {target} " in listing


@pytest.mark.parametrize("path", HOSTILE)
def test_demo_takes_any_path(checkout: Path, path: str) -> None:
    """No character of a path of the user's means anything to make or the shell."""
    printed = make(checkout, "demo", f"IMAGE={path}", f"SPEC={path}.yaml")
    assert json.loads(printed) == ["demo", f"--image={path}", f"--spec={path}.yaml"]
    assert not list(checkout.glob("spoilt*"))


def test_demo_takes_paths_from_the_environment(checkout: Path) -> None:
    """`IMAGE=… make demo` is the same as `make demo IMAGE=…`."""
    assert "--image=a $(b).jpg" in make(checkout, "demo", IMAGE="a $(b).jpg")


def test_demo_alone_passes_nothing(checkout: Path) -> None:
    """Without a photo of one's own the demo runs its samples."""
    assert make(checkout, "demo") == '["demo"]\n'


# --- The runner of make test -----------------------------------------------------------------------------------------


def run_parts(root: Path, where: Path, *parts: str) -> subprocess.CompletedProcess[str]:
    """The runner's work on targets of the Makefile in `where`."""
    command = [sys.executable, str(root / "tests" / "parts.py"), MAKE, *parts]
    return subprocess.run(
        command, cwd=where, env=clean_environment(), capture_output=True, text=True, check=False, timeout=60
    )


def test_the_runner_runs_every_part_and_says_how_each_went(root: Path, tmp_path: Path) -> None:
    """A part that fails, leaves a process or changes the checkout fails the whole; those after it still run."""
    targets = {
        "well": "echo did well",
        "bad": "exit 3",
        "lingers": "sleep 60 &",
        "spoils": "touch spoilt",
    }
    lines = [f"{target}:\n\t@{recipe}\n" for target, recipe in targets.items()]
    (tmp_path / "Makefile").write_text("".join(lines), encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    run = run_parts(root, tmp_path, *targets, "well")
    assert run.returncode == 1
    assert run.stdout.count("did well") == 2
    summary = run.stdout.split("---\n")[-1].splitlines()
    assert [line.split()[0] for line in summary[:6]] == [*targets, "well", "together"]
    verdicts = [line.split(" s  ")[1] for line in summary[:5]]
    assert verdicts == ["ok", "failed (2)", "left a process behind", "ok", "ok"]
    assert "git status" in summary[-1]


def test_the_runner_is_content_when_all_is_well(root: Path, tmp_path: Path) -> None:
    """All parts well, nothing left behind: 0, also where there is no repository."""
    (tmp_path / "Makefile").write_text("well:\n\t@true\n", encoding="utf-8")
    assert run_parts(root, tmp_path, "well", "well").returncode == 0


def test_parts_side_by_side_run_at_once_and_print_apart(root: Path, tmp_path: Path) -> None:
    """Each of two parts waits for the other to begin; what they print does not mix, and either can fail the whole."""
    waits = "n=0; until test -e {other} || test $$n -gt 200; do n=$$((n+1)); sleep 0.05; done; test -e {other}"
    recipe = "\t@touch {own}; echo {own} begins; {waits}; echo {own} ends\n"
    lines = [
        f"{own}:\n" + recipe.format(own=own, waits=waits.format(other=other))
        for own, other in (("here", "there"), ("there", "here"))
    ]
    (tmp_path / "Makefile").write_text("".join(lines) + "bad:\n\t@exit 3\n", encoding="utf-8")
    done = run_parts(root, tmp_path, "here+there")
    assert done.returncode == 0, done.stdout
    assert "here begins\nhere ends\n--- there\nthere begins\nthere ends\n---\n" in done.stdout
    assert run_parts(root, tmp_path, "here+there+bad").returncode == 1


def test_an_interrupt_ends_every_part(root: Path, tmp_path: Path) -> None:
    """Ctrl-C in the middle of parts side by side leaves none of them running."""
    (tmp_path / "Makefile").write_text("a b:\n\t@echo $$$$ > $@.pid; exec sleep 60\n", encoding="utf-8")
    command = [sys.executable, str(root / "tests" / "parts.py"), MAKE, "a+b"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as parts:
        pids = [tmp_path / "a.pid", tmp_path / "b.pid"]
        until = time.monotonic() + 30
        while not all(pid.exists() and pid.read_text() for pid in pids) and time.monotonic() < until:
            time.sleep(0.05)
        parts.send_signal(signal.SIGINT)
        assert parts.wait(timeout=30) != 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)
