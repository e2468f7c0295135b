"""`backdrop explain`: why a file is where it is.

Promises the whole path of one file in plain sentences: what lies in the bucket, which spec governs it, its row, each
of its jobs, and what to do next. Reads only.
"""

import json
from collections.abc import Sequence
from typing import Any

from backdrop import drops, jobs, keys, spec, table
from backdrop.errors import Problem, Rejected
from backdrop.jobs import Job
from backdrop.states import State
from backdrop.workflow import redriving
from backdrop_cli.operator import filestories, rows, stories
from backdrop_cli.operator.admission import admission, spending
from backdrop_cli.operator.failures import PERSON
from backdrop_cli.operator.naming import Named, resolve, there
from backdrop_cli.operator.reach import Found
from backdrop_cli.operator.screen import say, show_json, stamp
from backdrop_cli.operator.stories import Scene


def explain(found: Found, asked: str, *, as_json: bool) -> int:
    """Tell of one file; 3 when it needs a person."""
    named = resolve(found, asked)
    facts = gather(found, named, asked)
    if as_json:
        show_json(facts)
    else:
        _show(facts)
    return PERSON if facts["needs_person"] else 0


def gather(found: Found, named: Named, asked: str) -> dict[str, Any]:
    """Everything that is told, as a script gets it."""
    world = found.world
    now = jobs.milliseconds(world)
    kind = keys.classify(named.key)
    head = there(found, world.settings.input_bucket, named.key)
    row = table.get(world, keys.drop_row_id(world.settings.input_bucket, named.key))
    mine = jobs.of_source(world, world.settings.input_bucket, named.key)
    current, earlier = _generations(mine)
    told = [*current, *(job for job in earlier if job.job_id == named.job_id)]
    scenes = [_scene(found, job, now, current) for job in told]
    governing = _spec(found, named.key) if kind is keys.Kind.IMAGE else _own(found, named.key, kind, there=bool(head))
    facts: dict[str, Any] = {
        "asked": asked,
        "key": named.key,
        "found_by": named.by or None,
        "kind": str(kind),
        "object": head
        and {
            "version_id": head.get("VersionId"),
            "size": head["ContentLength"],
            "modified": stamp(int(head["LastModified"].timestamp() * 1000)),
        },
        "spec": governing,
        "row": row and _row(row),
        "jobs": [_job_facts(scene) for scene in scenes],
        "earlier_jobs": [{"job_id": job.job_id, "label": job.label, "state": str(job.state)} for job in earlier],
        "error_file": _error_file(found, named.key),
    }
    uploaded = int(head["LastModified"].timestamp() * 1000) if head else 0
    facts["story"] = list(filestories.story(found, facts, row, now, uploaded))
    steps = [step for scene in scenes for step in stories.next_steps(scene)]
    facts["next"] = list(dict.fromkeys([*filestories.next_steps(facts, kind), *steps]))
    stopped = bool(row and row["state"] in {"orphaned", "rejected"})
    facts["needs_person"] = stopped or any(stories.needs_person(scene) for scene in scenes)
    return facts


def _generations(mine: Sequence[Job]) -> tuple[list[Job], list[Job]]:
    """The jobs of the newest drop, and those of earlier ones, the newest first."""
    newest_first = sorted(mine, key=lambda job: (-job.created_at, job.label))
    if not newest_first:
        return [], []
    newest = newest_first[0]
    family = {newest.job_id, *newest.siblings}
    return [one for one in newest_first if one.job_id in family], [
        one for one in newest_first if one.job_id not in family
    ]


def _scene(found: Found, job: Job, now: int, current: Sequence[Job]) -> Scene:
    world = found.world
    row = table.get(world, job.job_id) or {}
    line = str(row.get("open", ""))
    waits = job.state is State.QUEUED and line.startswith("queued#")
    refusal = redriving.refusal(world, job) if job.state is State.FAILED else None
    return Scene(
        job=job,
        row=row,
        gate=admission(world, job.provider),
        spending=spending(world),
        settings=world.settings,
        now=now,
        ahead=rows.ahead_of(world, line, int(row["open_at"])) if waits else 0,
        outputs=[
            (one["key"], there(found, world.settings.output_bucket, one["key"]) is not None) for one in job.outputs
        ],
        refusal=f"{refusal.message}; {refusal.action}" if refusal else "",
        superseded=job not in current,
    )


def _spec(found: Found, key: str) -> dict[str, Any] | None:
    """The spec that governs a photo as things lie now."""
    world = found.world
    try:
        governing = drops.find_spec(world, world.settings.input_bucket, key)
    except Rejected as refusal:
        return {"key": None, "is_default": None, "models": [], "problems": _problems(refusal.problems)}
    return _read(governing.key, governing.data, is_default=governing.is_default) if governing else None


def _own(found: Found, key: str, kind: keys.Kind, *, there: bool) -> dict[str, Any] | None:
    """A folder default's own contents; None for what is no spec."""
    if kind is not keys.Kind.DEFAULT or not there:
        return None
    look = drops.look(found.world, found.world.settings.input_bucket, key, most=spec.MOST_BYTES + 1)
    return _read(key, look.head, is_default=True) if look else None


def _read(key: str, data: bytes, *, is_default: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"key": key, "is_default": is_default, "models": [], "problems": []}
    try:
        told["models"] = [job.model for job in spec.parse(data, key).jobs]
    except Rejected as refusal:
        told["problems"] = _problems(refusal.problems)
    return told


def _problems(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [problem.as_dict() for problem in problems]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    why = json.loads(row.get("why") or "{}")
    problems = why.get("problems") or ([why] if why else [])
    return {"state": row["state"], "since": stamp(int(row["first_seen"])), "problems": problems}


def _error_file(found: Found, key: str) -> str | None:
    name = keys.error_key(key)
    return name if there(found, found.world.settings.output_bucket, name) else None


def _job_facts(scene: Scene) -> dict[str, Any]:
    job = scene.job
    return {
        "job_id": job.job_id,
        "label": job.label,
        "model": job.model,
        "provider": job.provider,
        "state": str(job.state),
        "since": stamp(scene.since),
        "attempt": job.attempt,
        "run_id": job.run_id or None,
        "price_usd": job.price or None,
        "next_look": stamp(scene.look),
        "ahead": scene.ahead,
        "times": {
            name: stamp(getattr(job, f"{name}_at"))
            for name in ("dropped", "created", "held", "posted", "accepted", "finished", "delivered")
        },
        "error": dict(job.error) or None,
        "outputs": [{"key": key, "there": present} for key, present in scene.outputs],
        "can_run_again": (not scene.refusal) if job.state is State.FAILED else None,
        "story": [stories.headline(scene), *stories.history(scene), *stories.present(scene)],
    }


def _show(facts: dict[str, Any]) -> None:
    for line in facts["story"]:
        say(line)
    for job in facts["jobs"]:
        say()
        say(job["story"][0])
        for line in job["story"][1:]:
            say(f"  {line}")
    if facts["next"]:
        say()
        say("What to do:")
        for step in facts["next"]:
            say(f"  {step}")
    elif not facts["needs_person"] and facts["jobs"]:
        say()
        done = all(job["state"] == State.SUCCEEDED for job in facts["jobs"])
        say("All is done." if done else "It goes on by itself; there is nothing to do.")
