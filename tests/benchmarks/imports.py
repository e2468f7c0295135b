"""How long each function's module takes to import, against boto3 with the function's clients alone.

Whole processes, in turn, on the same machine in the same run; the median of the ratios is what counts, the
milliseconds are this machine's. Run by `make bench`.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNS = 11
FLOOR = (
    "import boto3; s = boto3.session.Session(region_name='eu-central-1');"
    "[s.client(name) for name in ('s3', 'dynamodb', 'sqs', 'secretsmanager')]"
)
IMPORTS = "import sys; sys.path[:0] = [{code!r}, {library!r}]; import app"


def seconds(program: str) -> float:
    """Wall time of one fresh interpreter running `program`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env={"PATH": ""})
    return time.perf_counter() - start


def main() -> None:
    """Print a row for each function."""
    seconds(FLOOR)
    print(f"{'function':<10} {'import ms':>10} {'floor ms':>10} {'ratio':>7}   of {RUNS} pairs, medians")
    for name in ("submit", "webhook", "reconcile"):
        program = IMPORTS.format(code=str(ROOT / "functions" / name), library=str(ROOT / "layers" / "backdrop" / "src"))
        seconds(program)
        pairs = [(seconds(program), seconds(FLOOR)) for _ in range(RUNS)]
        ratio = statistics.median(one / floor for one, floor in pairs)
        one, floor = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
        print(f"{name:<10} {one:>10.0f} {floor:>10.0f} {ratio:>7.2f}")


if __name__ == "__main__":
    main()
