"""Changes modules of the library in every small way and counts how many changes a test notices (cosmic-ray).

It works on copies and leaves the checkout alone. A module's tests are those named after it, tests/*/test_<module>*.py.
It fails when fewer than 80 % of the changes to a module are noticed. Usage: mutation.py MODULE...
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = Path("layers/backdrop/src")
ENOUGH = 0.8
TEST_SECONDS = 60.0  # a change that makes the tests take longer counts as noticed
AT_ONCE = 2
MEANINGLESS = ["core/ReplaceBinaryOperator_BitOr_.*"]  # `str | None`: annotations that nothing evaluates
NOT_COPIED = shutil.ignore_patterns(".venv*", ".git", ".aws-sam", "out", "*_cache", ".hypothesis", "__pycache__")


@dataclass(frozen=True, slots=True)
class Count:
    """What became of a module's changes; `survivors` says which no test noticed."""

    module: str
    changes: int
    survivors: tuple[str, ...]

    @property
    def noticed(self) -> float:
        """The share that a test noticed, 0 to 1."""
        return 1 - len(self.survivors) / self.changes if self.changes else 1.0


def main(modules: list[str]) -> int:
    """Count for each module; 0 when enough was noticed in all."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        counts = list(pool.map(count, modules))
    for found in counts:
        sys.stdout.writelines(f"{line}\n" for line in found.survivors)
    for found in counts:
        killed = found.changes - len(found.survivors)
        sys.stdout.write(f"{found.module:<12} {killed:>4} of {found.changes:>4} noticed, {found.noticed:.0%}\n")
    return 0 if all(found.noticed >= ENOUGH for found in counts) else 1


def count(module: str) -> Count:
    """Try every change of one module in a copy of the project.

    Raises:
        SystemExit: the module or its tests are not there.
    """
    source = LIBRARY / "backdrop" / f"{module}.py"
    tests = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob(f"tests/*/test_{module}*.py"))]
    if not (ROOT / source).exists() or not tests:
        sys.exit(f"there is no {source}, or no tests/*/test_{module}*.py")
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", *tests]
        (copy / "mutation.toml").write_text(
            "[cosmic-ray]\n"
            f"module-path = {json.dumps(str(source))}\n"
            f"timeout = {TEST_SECONDS}\n"
            "excluded-modules = []\n"
            f"test-command = {json.dumps(shlex.join(command))}\n"
            '[cosmic-ray.distributor]\nname = "local"\n'
            f"[cosmic-ray.filters.operators-filter]\nexclude-operators = {json.dumps(MEANINGLESS)}\n",
            encoding="utf-8",
        )
        run(copy, "cosmic-ray", "baseline", "mutation.toml")
        run(copy, "cosmic-ray", "init", "mutation.toml", "session.sqlite")
        run(copy, "cr-filter-operators", "session.sqlite", "mutation.toml")
        run(copy, "cosmic-ray", "exec", "mutation.toml", "session.sqlite")
        return read(module, run(copy, "cosmic-ray", "dump", "session.sqlite"))


def run(copy: Path, tool: str, *arguments: str) -> str:
    """Run a tool of cosmic-ray's in the copy, which is what its tests import; what it prints."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(copy / LIBRARY), str(copy / "cli")]),
        # A change of the same length within the same second would find the compiled file of the last one.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{tool} {arguments[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def read(module: str, dump: str) -> Count:
    """Count the lines of cosmic-ray's dump: each a change and what became of it."""
    rows = [json.loads(line) for line in dump.splitlines() if line.strip()]
    tried = [(item, result) for item, result in rows if not result or result["worker_outcome"] != "skipped"]
    survivors = []
    for item, result in tried:
        if result is None or result["test_outcome"] == "survived":
            change = item["mutations"][0]
            place = f"{change['module_path']}:{change['start_pos'][0]}"
            survivors.append(f"{place} {change['operator_name'].removeprefix('core/')} #{change['occurrence']}")
    return Count(module, len(tried), tuple(survivors))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
