"""How far the dropped photos are, and the picture of it on the screen.

Promises one line for each job that a spec asks for, from the job table and the output bucket alone; live where the
screen is a terminal, a plain line for each change where it is not.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backdrop import keys
from backdrop.states import TERMINAL, State
from backdrop_cli.paths import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from backdrop.jobs import Job
    from backdrop_cli.stack import Stack

_LOOK_SECONDS = 0.5
DROPPING = "dropping"  # before photo and spec both lie in the bucket
_SETTLE_SECONDS = 1.5  # an error file that came before the drop was whole goes again within this


@dataclass
class Drop:
    """A photo on its way. `wanted`: label and model of each job of its spec; empty when the spec cannot be read."""

    key: str
    wanted: tuple[tuple[str, str], ...]
    uploaded_at: float = 0.0  # unix seconds, when photo and spec both lie there; 0 before
    error: dict[str, Any] = field(default_factory=dict)  # what its error file says
    error_since: float = 0.0
    jobs: "dict[str, Job]" = field(default_factory=dict)  # by label


@dataclass(frozen=True, slots=True)
class Line:
    """One job as the screen shows it; seconds since its drop."""

    file: str
    label: str
    model: str
    state: str
    seconds: float
    finished: bool


def refresh(stack: "Stack", drops: Sequence[Drop]) -> None:
    """Read the job table and the output bucket into the drops."""
    by_key = {drop.key: drop for drop in drops}
    for job in changed(stack, {job.job_id: job for drop in drops for job in drop.jobs.values()}):
        if job.key in by_key:
            by_key[job.key].jobs[job.label] = job
    there = set(stack.results())
    for drop in drops:
        key = keys.error_key(drop.key)
        if key in there:
            drop.error = json.loads(stack.result(key))
            drop.error_since = drop.error_since or time.time()
        else:
            drop.error, drop.error_since = {}, 0.0


def changed(stack: "Stack", known: "Mapping[str, Job]") -> "list[Job]":
    """The jobs that are not as they are `known` by id: one scan, and one read for each of them."""
    from backdrop import jobs  # noqa: PLC0415 - the library's table is read when a stack runs

    ids = []
    for row in stack.rows():
        if "model" in row:
            job = known.get(str(row["job_id"]))
            if job is None or (str(job.state), job.attempt) != (row["state"], row["attempt"]):
                ids.append(str(row["job_id"]))
    return jobs.many(stack.world, ids)


def finished(drop: Drop) -> bool:
    """Whether nothing more will come of the drop by itself."""
    if not drop.uploaded_at:
        return False
    if any(job.state not in TERMINAL for job in drop.jobs.values()):
        return False
    if drop.wanted and len(drop.jobs) >= len(drop.wanted):
        return True
    return bool(drop.error) and time.time() - max(drop.error_since, drop.uploaded_at) > _SETTLE_SECONDS


def succeeded(drop: Drop) -> bool:
    """Whether every job of the drop has SUCCEEDED."""
    return bool(drop.jobs) and all(job.state is State.SUCCEEDED for job in drop.jobs.values())


def lines(drop: Drop) -> list[Line]:
    """The drop's jobs as the screen shows them."""
    if not drop.wanted and not drop.jobs:
        return [_line(drop, "", "", None)]
    wanted = dict(drop.wanted) | {label: job.model for label, job in drop.jobs.items()}
    return [_line(drop, label, model, drop.jobs.get(label)) for label, model in wanted.items()]


def _line(drop: Drop, label: str, model: str, job: "Job | None") -> Line:
    if job is None:
        state = "refused" if drop.error else ("waiting" if drop.uploaded_at else DROPPING)
    else:
        state = job.state.lower()
    done = job.state in TERMINAL if job else finished(drop)
    return Line(drop.key, label, model, state, _seconds(drop, job), done)


def _seconds(drop: Drop, job: "Job | None") -> float:
    if not drop.uploaded_at:
        return 0.0
    end = job.delivered_at / 1000 if job and job.delivered_at else (drop.error_since or time.time())
    return max(0.0, end - drop.uploaded_at)


def follow(
    stack: "Stack",
    drops: Sequence[Drop],
    console: "Console",
    *,
    seconds: float,
    give_up: Callable[[], bool] = lambda: False,
) -> bool:
    """Show how far the drops are until all are finished, or the time is over, or `give_up`; whether all are."""
    show, screen = _screen(console, drops)
    end = time.monotonic() + seconds
    with screen:
        while True:
            refresh(stack, drops)
            show()
            if all(finished(drop) for drop in drops):
                return True
            if time.monotonic() > end or give_up():
                return False
            time.sleep(_LOOK_SECONDS)


def _screen(console: "Console", drops: Sequence[Drop]) -> tuple[Callable[[], None], Any]:
    if not console.is_terminal:
        told: dict[tuple[str, str], str] = {}

        def tell() -> None:
            for line in (line for drop in drops for line in lines(drop)):
                if line.state != DROPPING and told.get((line.file, line.label)) != line.state:
                    told[line.file, line.label] = line.state
                    print(f"{line.seconds:6.1f} s  {line.state:<10}  {printable(line.file)}  {line.model}", flush=True)

        return tell, nullcontext()
    from rich.live import Live  # noqa: PLC0415 - only for a terminal

    live = Live(console=console, refresh_per_second=8, redirect_stdout=False, redirect_stderr=False)
    return lambda: live.update(_table(drops)), live


def _table(drops: Sequence[Drop]) -> "Table":
    from rich.spinner import Spinner  # noqa: PLC0415 - only for a terminal
    from rich.table import Table  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("", "file", "model", "state"):
        table.add_column(title, no_wrap=title != "file")
    table.add_column("seconds", justify="right")
    styles = {"succeeded": "green", "failed": "red", "refused": "red", "held": "yellow"}
    for line in (line for drop in drops for line in lines(drop)):
        style = styles.get(line.state, "")
        sign = {"succeeded": "✓", "failed": "✗", "refused": "✗"}.get(line.state, " ")
        mark = Text(sign, style=style) if line.finished else Spinner("dots")
        table.add_row(
            mark, Text(printable(line.file)), line.model, Text(line.state, style=style), f"{line.seconds:.1f}"
        )
    return table


def problem_lines(error: dict[str, Any]) -> Iterator[str]:
    """The problems of an error file as a person reads them."""
    for problem in error.get("problems", []):
        where = f"{problem['where']}: " if problem.get("where") else ""
        label = f"[{problem['label']}] " if problem.get("label") else ""
        yield printable(f"{label}{where}{problem.get('message', '')}")
        if problem.get("action"):
            yield printable(f"  -> {problem['action']}")
