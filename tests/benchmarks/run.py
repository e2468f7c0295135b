"""`make bench`: measures the parts, prints them and writes docs/performance.md. `make bench PART=memory`: one of them.

Each part is a module here with `measure(say) -> Section`; `say` prints a step of its progress. It runs in a process of
its own, ended with all that it started when it takes too long, so that no part finds what another left behind. Ends
with 1 when a part could not be measured (its last section stays); a missed target is a figure, not a failure.

A part's module must not be called like a package that it uses: this folder comes first on the path.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(2, str(Path(__file__).resolve().parents[1] / "localstack"))

import machine
import report
from pydantic import TypeAdapter
from report import Measured, Section
from rich.console import Console

PARTS = {  # in the page's order: at most so many seconds, several times what a quiet machine takes
    "overhead": 700,
    "coldstart": 900,
    "memory": 700,
    "cost": 300,
    "alternatives": 180,
    "scale": 20_000 if "DROPS" in os.environ else 600,
    "quotas": 120,
}
_SECTION = TypeAdapter(Section)
_began = time.monotonic()


def say(step: str) -> None:
    """Tell a step of the progress, on stderr."""
    print(f"{time.monotonic() - _began:6.1f} s  {step}", file=sys.stderr, flush=True)


def measure(part: str) -> Measured | None:
    """Run a part in a process of its own; None when it failed or took too long."""
    load, begun = os.getloadavg()[0], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "section.json"
        command: list[str | Path] = [sys.executable, __file__, "--into", told, part]
        with subprocess.Popen(command, start_new_session=True) as process:
            try:
                status = process.wait(PARTS[part])
            except subprocess.TimeoutExpired:
                say(f"{part} took more than {PARTS[part]} s")
                status = 1
            finally:
                _end(process)
        if status:
            return None
        section = _SECTION.validate_json(told.read_bytes())
    day = datetime.now(UTC).date().isoformat()
    return Measured(section, day, machine.described(), load, time.monotonic() - begun)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the part and whatever it started: its process group is its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def main() -> int:
    """Measure the parts that were asked for, all by default."""
    parser = argparse.ArgumentParser(description="measure, print and write docs/performance.md")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    parts = asked.parts or list(PARTS)
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}")
    if asked.into:
        (part,) = parts
        section: Section = import_module(part).measure(lambda step: say(f"{part}: {step}"))
        asked.into.write_bytes(_SECTION.dump_json(section))
        return 0
    console, failed = Console(), []
    for part in parts:
        say(part)
        measured = measure(part)
        if measured is None:
            failed.append(part)
            continue
        report.show(console, measured.section)
        report.write({**report.read(), part: measured}, list(PARTS))
    say(f"docs/{report.PAGE.name} is written")
    if failed:
        say(f"could not be measured: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
