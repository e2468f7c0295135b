"""`sam build` without Docker, as `make build` runs it: in a copy of the checkout, by uv or by pip alone."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arriving import ROOT, SAM_PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAM = SAM_PYTHON.with_name("sam")
LAYER = "BackdropLayer"
FUNCTIONS = ("SubmitFunction", "WebhookFunction", "ReconcileFunction")


@dataclass(frozen=True)
class Kind:
    """One way of building: with which installer, for which architecture, and in how deep a folder."""

    installer: str
    architecture: str = "aarch64"
    where: str = "checkout"


KINDS = {
    "uv": Kind("uv"),
    "pip": Kind("pip", where="some where else/and deeper/checkout"),
    "x86_64": Kind("uv", "x86_64"),
}


def build_all(folder: Path) -> dict[str, Path]:
    """Build in each of KINDS; where each result lies. Made once in `folder`, whichever of several processes comes."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda name: _build(folder / name, KINDS[name]), KINDS))
            (folder / "done").touch()
    return {name: folder / name / "built" for name in KINDS}


def _build(folder: Path, kind: Kind) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # of a build that was cut short
    checkout = folder / kind.where
    for name in ("functions", "layers"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, checkout)
    home = folder / "home"
    home.mkdir()
    binaries = ROOT / ".venv" / "bin"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COVERAGE_", "MAKE"))}
    environment = {
        **kept,
        "SAM_CLI_TELEMETRY": "0",
        "BACKDROP_ARCHITECTURE": kind.architecture,
        "UV": str(binaries / "uv") if kind.installer == "uv" else str(folder / "no-uv-here"),
        "PYTHON": str(SAM_PYTHON),
        "PYTHON313": str(binaries / "python"),
    }
    command: list[str | Path] = [SAM, "build", "--build-dir", folder / "built"]
    done = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr


def files(folder: Path) -> Iterator[Path]:
    """All files below a folder, by name."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def contents(folder: Path) -> dict[str, str]:
    """The hash of each file below a folder: from names and bytes alone SAM computes what it uploads under which key."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files(folder)}
