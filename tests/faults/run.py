"""`make faults`: every fault at every call of every scene, in two processes.

Prints a table, one line a scene, and as its last line the points, models and faults, lost and double-paid. Ends with 1
when anything is lost, paid twice or could not be judged; what happened in those lives stands in the report.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from faults_ground import standing
from faults_invocation import Plan, deployed
from faults_scenes import SCENES, scene
from faults_verdict import DRIFT, LOST, PAID, Recorded, Undisturbed, record, strike
from faults_wire import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from faults_ground import Ground

LIVES_A_TASK = 12


class Player:
    """One process's ground, and the scenes that it has recorded."""

    ground: Ground | None = None
    closing = ExitStack()
    known: dict[str, Recorded] = {}  # noqa: RUF012 - one for the process, on purpose

    @classmethod
    def recorded(cls, name: str) -> tuple[Ground, Recorded]:
        """A scene as it goes undisturbed."""
        if cls.ground is None:
            cls.ground = cls.closing.enter_context(standing())
            cls.closing.enter_context(deployed())
        if name not in cls.known:
            cls.known[name] = record(cls.ground, scene(name))
        return cls.ground, cls.known[name]


def points_of(name: str) -> list[str]:
    """The names of a scene's calls."""
    return [call.name for call in Player.recorded(name)[1].calls]


def play(name: str, some: list[Plan]) -> tuple[str, int, Counter[str], list[str]]:
    """Lead some lives: the scene, how many, how many of each kind are wrong, and what is to be told of those."""
    ground, recorded = Player.recorded(name)
    wrong: Counter[str] = Counter()
    told = []
    for plan in some:
        verdict = strike(ground, recorded, plan)
        wrong.update({kind for kind, _ in verdict.wrong})
        if verdict.wrong:
            told.append(verdict.told(name))
        wrong.update([verdict.state])
    return name, len(some), wrong, told


def main() -> int:
    """Run what was asked for."""
    asked = _asked()
    names = [one.name for one in SCENES if not asked.scene or one.name in asked.scene]
    faults = tuple(fault for fault in Fault if not asked.fault or fault in asked.fault)
    try:
        with _workers(asked.processes) as do:
            calls = dict(zip(names, do(points_of, [(name,) for name in names]), strict=True))
            tasks = []
            for name in names:
                chosen = [at for at, call in enumerate(calls[name]) if asked.call in {"", call}]
                every = [Plan(at, fault) for at in chosen for fault in faults][asked.first :: asked.every]
                tasks += [(name, every[n : n + LIVES_A_TASK]) for n in range(0, len(every), LIVES_A_TASK)]
            lives, wrong = _watch(do(play, tasks), len(tasks), asked)
    except Undisturbed as error:
        _say(f"wrong without any fault: {error}")
        return 1
    return _tell({name: len(found) for name, found in calls.items()}, lives, wrong, faults)


type Work = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], Iterator[Any]]


@contextmanager
def _workers(count: int) -> Iterator[Work]:
    """Something that calls a function with each of many arguments: here, or in so many processes."""
    if count == 1:
        yield lambda function, many: (function(*one) for one in many)
        Player.closing.close()
        return
    with ProcessPoolExecutor(count, get_context("spawn"), initializer=_mind, initargs=(os.getpid(),)) as pool:
        try:
            yield lambda function, many: pool.map(function, *zip(*many, strict=True))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # what was given up is not waited for
            raise


def _mind(parent: int) -> None:
    """A process that has lost its parent ends."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _watch(
    done: Iterator[tuple[str, int, Counter[str], list[str]]], tasks: int, asked: argparse.Namespace
) -> tuple[Counter[str], dict[str, Counter[str]]]:
    """Count what comes in, tell how it goes on, and write what is wrong into the report."""
    began = time.monotonic()
    lives: Counter[str] = Counter()
    wrong: dict[str, Counter[str]] = defaultdict(Counter)
    asked.report.parent.mkdir(parents=True, exist_ok=True)
    with asked.report.open("w", encoding="utf-8") as report:
        for number, (name, count, found, told) in enumerate(done, 1):
            lives[name] += count
            wrong[name].update(found)
            report.writelines(f"{text}\n\n" for text in told)
            report.flush()
            bad = sum(sum(one[kind] for kind in (LOST, PAID, DRIFT)) for one in wrong.values())
            spent = time.monotonic() - began
            sys.stderr.write(f"\r{number} of {tasks} tasks, {lives.total()} lives, {bad} wrong, {spent:.0f} s ")
            sys.stderr.flush()
            if spent > asked.seconds:
                raise SystemExit(f"\ngiven up after {spent:.0f} s")
    sys.stderr.write("\n")
    return lives, wrong


def _tell(
    points: dict[str, int], lives: Counter[str], wrong: dict[str, Counter[str]], faults: tuple[Fault, ...]
) -> int:
    width = max(map(len, points))
    _say(f"{'scene':{width}}  {'model':32}  points  lives   lost  paid twice  not judged  ended")
    for name, count in points.items():
        found = wrong[name]
        ends = ", ".join(f"{n} {state}" for state, n in sorted(found.items()) if state.isupper())
        _say(
            f"{name:{width}}  {scene(name).model:32}  {count:6}  {lives[name]:5}  {found[LOST]:5}  {found[PAID]:10}  "
            f"{found[DRIFT]:10}  {ends}"
        )
    models = {scene(name).model for name in points}
    total = {kind: sum(one[kind] for one in wrong.values()) for kind in (LOST, PAID, DRIFT)}
    _say(
        f"{sum(points.values())} points \u00d7 {len(models)} models \u00d7 {len(faults)} faults, "
        f"{sum(lives.values())} lives: {total[LOST]} lost, {total[PAID]} double-paid"
    )
    return int(any(total.values()))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", action="append", default=[], help="only this one; may be given again")
    parser.add_argument("--fault", action="append", default=[], help="only this one; may be given again")
    parser.add_argument("--call", default="", help="only at calls of this name, as in `runflow submit POST`")
    parser.add_argument("--every", type=int, default=1, help="of each scene's lives, every so many")
    parser.add_argument("--first", type=int, default=0, help="and beginning with this one")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=7200, help="after which the whole is given up")
    parser.add_argument("--report", type=Path, default=Path("out/faults.txt"), help="where wrong lives are told")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
