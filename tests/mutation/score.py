"""Measure how many small changes of the code the tests notice: a score for each target of cosmic-ray.toml.

Promises to change nothing but a copy of the tree in a temporary folder. Refuses (exit status 1) a score below 80 %.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGE = "layers/backdrop/src/backdrop"
ENOUGH = 0.8
# No bytecode is written: a mutant of the same size in the same second would be taken for its predecessor.
PLAIN = (
    "-x -q --assert=plain -p no:randomly -p no:cacheprovider -p no:xdist -p no:cov -o addopts=--import-mode=importlib"
)


def main() -> int:
    """Score the targets named on the command line, or all."""
    with (Path(__file__).parent / "cosmic-ray.toml").open("rb") as file:
        config = tomllib.load(file)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=list(config["targets"]), help="which to score; all unless named")
    parser.add_argument("--sample", type=int, help="how many changes to try; 0 is all; else as the configuration says")
    parser.add_argument("--seed", default="1", help="which sample is drawn")
    asked = parser.parse_args()
    scores = []
    for name in asked.targets:
        target = config["targets"][name]
        sample = target["sample"] if asked.sample is None else asked.sample
        with tempfile.TemporaryDirectory() as folder:
            found = mutate(Path(folder), config["cosmic-ray"], target, sample=sample, seed=asked.seed)
        survivors = [item for item, outcome in found if outcome == "survived"]
        scores.append(1 - len(survivors) / len(found))
        for item in survivors:
            sys.stdout.write(f"survived: {told(item)}\n")
        sys.stdout.write(f"{name}: {scores[-1]:.1%} of {len(found)} changes noticed\n")
    return 0 if all(score >= ENOUGH for score in scores) else 1


def mutate(
    folder: Path, settings: dict[str, Any], target: dict[str, Any], *, sample: int, seed: str
) -> list[tuple[dict[str, Any], str]]:
    """Each change that was tried in a copy of the tree, and what the tests made of it ("killed" or "survived")."""
    for part in ("layers/backdrop/src", "tests", "docs"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder / "layers/backdrop/src")}
    command = f"{sys.executable} -m pytest {PLAIN} {' '.join(target['tests'])}"
    modules = json.dumps([f"{PACKAGE}/{module}" for module in target["modules"]])
    (folder / "config.toml").write_text(
        f"[cosmic-ray]\nmodule-path = {modules}\ntest-command = {json.dumps(command)}\n"
        f"timeout = {settings['timeout']}\nexcluded-modules = {json.dumps(settings['excluded-modules'])}\n"
        f"distributor.name = {json.dumps(settings['distributor']['name'])}\n",
        encoding="utf-8",
    )

    def run(*words: str) -> str:
        done = subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True, encoding="utf-8")
        return done.stdout

    run(*command.split())  # tests that fail by themselves would kill everything
    cosmic_ray = str(Path(sys.executable).with_name("cosmic-ray"))
    run(cosmic_ray, "init", "config.toml", "session.sqlite")
    if sample:
        keep_some(folder / "session.sqlite", sample, random.Random(seed))  # noqa: S311 - a sample, not a secret
    run(cosmic_ray, "exec", "config.toml", "session.sqlite")
    lines = [json.loads(line) for line in run(cosmic_ray, "dump", "session.sqlite").splitlines()]
    return [(item, result["test_outcome"]) for item, result in lines if result]


def keep_some(session: Path, count: int, chance: random.Random) -> None:
    """Leave a random part of the changes in the session."""
    database = sqlite3.connect(session)
    with database:
        names = sorted(row[0] for row in database.execute("SELECT job_id FROM mutation_specs"))
        for name in set(names) - set(chance.sample(names, min(count, len(names)))):
            database.execute("DELETE FROM mutation_specs WHERE job_id = ?", (name,))
            database.execute("DELETE FROM work_items WHERE job_id = ?", (name,))
    database.close()


def told(item: dict[str, Any]) -> str:
    """Where a change was made, and which."""
    (change,) = item["mutations"]
    line = change["start_pos"][0]
    return f"{Path(change['module_path']).name}:{line} {change['operator_name']} #{change['occurrence']}"


if __name__ == "__main__":
    sys.exit(main())
