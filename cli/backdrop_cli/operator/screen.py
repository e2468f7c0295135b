"""What the operator sees: sentences, tables, progress, questions; or one JSON document for a script.

Promises that answers go to standard output and everything else to standard error, and that nothing a name holds is
acted on by the terminal. Refuses to ask where nobody can answer.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from backdrop_cli.operator.failures import BAD_INPUT, Stopped
from backdrop_cli.paths import printable

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def say(line: str = "") -> None:
    """One line of the answer."""
    print(printable(line))


def show_json(facts: Any) -> None:
    """The answer for a script."""
    print(json.dumps(facts, indent=2, ensure_ascii=True, default=str))


def show_table(titles: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None:
    """A table; the columns whose numbers are in `right` hold figures."""
    from rich.console import Console  # noqa: PLC0415 - 60 ms, only where there is a table
    from rich.table import Table  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    console = Console()
    if not console.is_terminal:
        console = Console(width=200, soft_wrap=True)  # left to itself rich cuts keys to the width of a screen
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, title in enumerate(titles):
        table.add_column(title, justify="right" if number in right else "left", overflow="fold")
    for row in rows:  # a short one is filled with nothing
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    console.print(table)


@contextmanager
def progress(title: str, total: int | None, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while something takes long; gives what to call with how many more are done."""
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda count: bar.advance(task, count)


def agreed(question: str, *, yes: bool, as_json: bool) -> bool:
    """Whether the user says yes, or has said so already.

    Raises:
        Stopped: nobody is there to ask.
    """
    if yes:
        return True
    if as_json:
        raise Stopped("--json asks nothing: add --yes to do it, or --dry-run to see what it would do", BAD_INPUT)
    print(f"{printable(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
        raise Stopped("nobody answered: add --yes to do it, or --dry-run to see what it would do", BAD_INPUT)
    return answer.strip().lower() in {"y", "yes"}


def stamp(milliseconds: int) -> str | None:
    """A time of the table as ISO 8601 in UTC, for JSON; None when it has not come."""
    if not milliseconds:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def at(milliseconds: int, now: int) -> str:
    """A time of the table for people: "2026-11-21 01:04:11 UTC (5 min ago)"."""
    clock = datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    seconds = (now - milliseconds) / 1000
    return f"{clock} ({span(seconds)} ago)" if seconds >= 0 else f"{clock} (in {span(-seconds)})"


def span(seconds: float) -> str:
    """A stretch of time as people say it."""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        hours, minutes = divmod(round(seconds / _MINUTE), 60)
        return f"{hours} h {minutes} min"
    return f"{seconds / _DAY:.0f} days"


def counted(count: int, one: str, many: str = "") -> str:
    """The count with its noun: `1 job`, `2 jobs`."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"
