"""How long each function's module takes to import, against boto3 with the function's clients alone.

Whole processes, in turn, on the same machine in the same run.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from report import HERE, Detail, Row, Section, ratios

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = HERE.parents[1]
RUNS = 7
FLOOR = (
    "import boto3; s = boto3.session.Session(region_name='eu-central-1');"
    "[s.client(name) for name in ('s3', 'dynamodb', 'sqs', 'secretsmanager')]"
)
IMPORTS = "import sys; sys.path[:0] = [{code!r}, {library!r}]; import app"


def seconds(program: str) -> float:
    """Wall time of one fresh interpreter running `program`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env={"PATH": ""}, timeout=60)
    return time.perf_counter() - start


def measure(say: Callable[[str], None]) -> Section:
    """A row for each function."""
    seconds(FLOOR)
    rows, cells = [], []
    for name in ("submit", "webhook", "reconcile"):
        say(f"{name}, {RUNS} pairs")
        program = IMPORTS.format(code=str(ROOT / "functions" / name), library=str(ROOT / "layers" / "backdrop" / "src"))
        seconds(program)
        ours, floors = zip(*[(seconds(program), seconds(FLOOR)) for _ in range(RUNS)], strict=True)
        rows.append(Row(name, ratios(ours, floors), how="importing the function / boto3 with its four clients"))
        cells.append((name, *(f"{statistics.median(column) * 1000:.0f}" for column in (ours, floors))))
    return Section(
        title="Imports",
        against="The import of each function's module against boto3 with four clients: whole processes, in turn.",
        rows=tuple(rows),
        details=(Detail("Medians on this machine", ("function", "import ms", "floor ms"), tuple(cells)),),
    )
