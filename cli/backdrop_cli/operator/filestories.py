"""One file of the input bucket in plain sentences: what lies there, its spec, its row. Its jobs stand in `stories`."""

from collections.abc import Iterator
from typing import Any

from backdrop import keys
from backdrop_cli.operator.reach import Found
from backdrop_cli.operator.screen import at, counted

_MOST_EARLIER = 5  # jobs of earlier drops that are told one by one


def story(found: Found, facts: dict[str, Any], row: dict[str, Any] | None, now: int, uploaded: int) -> Iterator[str]:
    """What is told before the jobs."""
    key, kind, bucket = facts["key"], facts["kind"], found.world.settings.input_bucket
    if facts["found_by"]:
        yield f"{facts['found_by'][0].upper()}{facts['found_by'][1:]} belongs to {key}."
    if facts["object"]:
        yield f"{key} lies in {bucket}, {facts['object']['size']} bytes, since {at(uploaded, now)}."
    else:
        yield f"{key} is not in {bucket} now."
    if kind == keys.Kind.SUPPORT:
        yield "Its name, or its folder's, begins with _ (or ends with /): it is a support file and never run."
        return
    yield from _spec_story(facts, kind)
    if row:
        yield from _row_story(found, facts, row, now)
    if not facts["jobs"] and not row and kind == keys.Kind.IMAGE and facts["object"]:
        yield "It has no job and no row: its event is still on the way, or it lay here before the stack did."
    if facts["earlier_jobs"]:
        shown = ", ".join(f"{one['label']} {one['state']}" for one in facts["earlier_jobs"][:_MOST_EARLIER])
        yield f"Of earlier drops of this key: {counted(len(facts['earlier_jobs']), 'job')} ({shown})."
    if facts["error_file"]:
        yield f"Its error file is {facts['error_file']} in {found.world.settings.output_bucket}."


def _spec_story(facts: dict[str, Any], kind: str) -> Iterator[str]:
    governing = facts["spec"]
    if kind == keys.Kind.DEFAULT:
        yield "It is the default of its folder: for later photos at or below it that have no spec of their own."
    if governing is None:
        if kind == keys.Kind.IMAGE:
            yield "No spec governs it: it has no sidecar, and no folder above it has a default."
        return
    if governing["problems"]:
        yield f"Its spec{f' {governing["key"]}' if governing['key'] else ''} is refused:"
        yield from (f"  {_problem(problem)}" for problem in governing["problems"])
    elif kind == keys.Kind.IMAGE:
        what = "the folder default" if governing["is_default"] else "its own spec"
        yield f"It is governed by {what} {governing['key']}: {', '.join(governing['models'])}."
    else:
        yield f"It asks for {', '.join(governing['models'])}."


def _row_story(found: Found, facts: dict[str, Any], row: dict[str, Any], now: int) -> Iterator[str]:
    first, settings = int(row["first_seen"]), found.world.settings
    match row["state"]:
        case "waiting" if facts["object"] and facts["spec"]:
            until = first + settings.pairing_seconds * 1000
            yield f"It waits until {at(until, now)} for a spec of its own; then the folder default is taken."
        case "waiting":
            what = "its spec" if facts["object"] else "its photo"
            until = first + settings.no_spec_seconds * 1000
            yield f"It waits for {what} since {at(first, now)}; an error file comes {at(until, now)}."
        case "orphaned":
            yield f"Its other half did not come in time (it waited since {at(first, now)}):"
            yield from (f"  {_problem(problem)}" for problem in facts["row"]["problems"])
        case "rejected":
            yield f"It was refused {at(first, now)}; nothing was paid."
            told = facts["spec"]["problems"] if facts["spec"] else []
            yield from (f"  {_problem(problem)}" for problem in facts["row"]["problems"] if problem not in told)
        case "defaulted":
            yield "The folder default has been applied to this version of it; a changed default runs nothing again."


def _problem(problem: dict[str, str]) -> str:
    where = f"{problem['where']}: " if problem.get("where") else ""
    return f"{where}{problem.get('message', '')}" + (f" -> {problem['action']}" if problem.get("action") else "")


def next_steps(facts: dict[str, Any], kind: keys.Kind) -> Iterator[str]:
    """What a person can do about the file itself; what its jobs need stands in `stories`."""
    row = facts["row"]
    if row and row["state"] in {"orphaned", "rejected"}:
        yield from (problem["action"] for problem in row["problems"] if problem.get("action"))
    elif kind is keys.Kind.IMAGE and facts["object"] and not facts["jobs"] and not row:
        folder = facts["key"].rpartition("/")[0]
        if facts["spec"]:
            yield f"Look again in a minute; if it lay here before the stack: backdrop backfill '{folder}'"
        else:
            yield f"Upload {facts['key']}.yaml beside it; backdrop schema and backdrop validate help to write it."
