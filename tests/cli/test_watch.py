"""How far drops are: when one is finished, and how it is shown."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from rich.console import Console

from backdrop.jobs import Job
from backdrop.states import State
from backdrop_cli import watch
from backdrop_cli.watch import Drop


def job(state: State, label: str = "remove", **fields: Any) -> Job:
    """A row of the job table in that state."""
    blank: dict[str, Any] = {"str": "", "int": 0}
    kinds = {name: str(field.type) for name, field in Job.__dataclass_fields__.items()}
    values = {name: blank[kind] for name, kind in kinds.items() if kind in blank}
    values |= {"spec": {}, "state": state, "label": label, "key": "a.jpg", "attempt": 1}
    values["model"] = "bria/background/remove"
    return Job(**{**values, **fields})


def drop(*jobs: Job, wanted: int = 1, error: dict[str, Any] | None = None, ago: float = 10.0) -> Drop:
    """A drop that was whole `ago` seconds ago."""
    labels = tuple((f"remove{n or ''}", "bria/background/remove") for n in range(wanted))
    then = time.time() - ago
    return Drop("a.jpg", labels, then, error or {}, then if error else 0.0, {one.label: one for one in jobs})


REFUSAL = {"state": "rejected", "problems": []}


@pytest.mark.parametrize(
    ("made", "finished", "succeeded"),
    [
        (drop(), False, False),
        (drop(job(State.RUNNING)), False, False),
        (drop(job(State.SUCCEEDED)), True, True),
        (drop(job(State.FAILED), error=REFUSAL), True, False),
        (drop(job(State.SUCCEEDED), wanted=2), False, True),
        (drop(job(State.SUCCEEDED), job(State.RUNNING, "remove1"), wanted=2), False, False),
        (drop(job(State.SUCCEEDED), job(State.FAILED, "remove1"), wanted=2, error=REFUSAL), True, False),
        (drop(wanted=0, error=REFUSAL), True, False),
        (drop(wanted=1, error=REFUSAL), True, False),
        (drop(wanted=1, error=REFUSAL, ago=-3600), False, False),
        (Drop("a.jpg", ()), False, False),
    ],
)
def test_when_a_drop_is_finished(made: Drop, finished: bool, succeeded: bool) -> None:  # noqa: FBT001 - pytest passes them
    """All wanted jobs terminal, or an error file that stays; a success only with every job SUCCEEDED."""
    assert watch.finished(made) is finished
    assert (watch.succeeded(made) and watch.finished(made)) is (succeeded and finished)


def test_lines_show_each_job() -> None:
    """One line for each job that the spec asks for, with its state and the seconds since the drop."""
    made = drop(job(State.RUNNING), wanted=2)
    first, second = watch.lines(made)
    assert (first.state, second.state) == ("running", "waiting")
    assert 9 < first.seconds < 30
    assert watch.lines(drop(wanted=0, error=REFUSAL))[0].state == "refused"
    assert watch.lines(Drop("a.jpg", ()))[0].state == "dropping"


def test_the_table_fits_a_terminal() -> None:
    """On a terminal the same lines are a table; control characters of a name are written out."""
    made = drop(job(State.SUCCEEDED, delivered_at=int(time.time() * 1000)))
    made.key = "a\x1b[31m.jpg"
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    console.print(watch._table([made]))  # noqa: SLF001 - what a terminal shows is otherwise not seen by a test
    assert "succeeded" in screen.getvalue()
    assert "\x1b" not in screen.getvalue()
