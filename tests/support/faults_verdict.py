"""What must be true at the end of a life, whatever went wrong in it.

Promises to name each thing that is not: what is lost (a job, its result, its record, a message, a row left in `open`),
what was paid twice, who was let in. Refuses to judge a life that was not the recorded one up to the fault.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from faults_invocation import Plan
from faults_life import FOLDER, Endless, Life
from faults_wire import Call, Fault

from backdrop.states import TERMINAL, State

if TYPE_CHECKING:
    from faults_ground import Ground
    from faults_scenes import Scene

LOST, PAID, DRIFT = "lost", "paid twice", "drift"


@dataclass(frozen=True)
class Recorded:
    """An undisturbed life: its calls, and the bytes it ended with (key to SHA-256), records left out.

    `served` and `asked` are what the logs of AWS's server and of the providers' have of it.
    """

    scene: Scene
    calls: tuple[Call, ...]
    results: dict[str, str]
    served: tuple[str, ...]
    asked: tuple[str, ...]

    @property
    def names(self) -> list[tuple[str, str]]:
        """What each call was, in words that are the same in every life."""
        return [(call.function, call.name) for call in self.calls]


class Undisturbed(AssertionError):
    """A life in which nothing went wrong, and which ended wrong."""


@dataclass
class Verdict:
    """What is wrong with a life, as (kind, text); nothing is the aim."""

    plan: Plan | None
    struck: Call | None
    wrong: list[tuple[str, str]] = field(default_factory=list)
    state: str = ""
    story: list[str] = field(default_factory=list)

    def has(self, kind: str) -> bool:
        """Whether something of that kind is wrong."""
        return any(found == kind for found, _ in self.wrong)

    def told(self, scene: str) -> str:
        """The verdict for a person: which call, which fault, what is wrong, and what happened."""
        where = f"{self.struck.function}: {self.struck.name}" if self.struck else "no call"
        at = f"call {self.plan.at}, {self.plan.fault}" if self.plan else "undisturbed"
        wrong = "\n".join(f"    {kind}: {text}" for kind, text in self.wrong)
        story = "\n".join(f"        {line}" for line in self.story)
        return f"{scene}, {at} ({where})\n{wrong}\n{story}"


def record(ground: Ground, scene: Scene) -> Recorded:
    """Lead an undisturbed life and write down its calls.

    Raises:
        Undisturbed: something is wrong with it already.
    """
    life = Life(ground, scene)
    try:
        life.play()
    except Endless as error:
        raise Undisturbed(f"{scene.name}: {error}") from None
    results = {key: digest for key, (digest, _) in _objects(life, "OutputBucket").items() if not key.endswith(".json")}
    asked = [f"{seen['method']} {seen['path']}" for seen in ground.ask("GET", "requests")["requests"]]
    recorded = Recorded(scene, tuple(life.calls), results, tuple(ground.books.taken()), tuple(asked))
    verdict = judge(life, recorded)
    if verdict.wrong:
        raise Undisturbed(verdict.told(scene.name))
    return recorded


def strike(ground: Ground, recorded: Recorded, plan: Plan) -> Verdict:
    """Lead the life again with one fault in it, and judge it."""
    life = Life(ground, recorded.scene, plan)
    try:
        life.play()
    except Endless as error:
        life.complaints.append(f"lost: the life does not end: {error}")
    except TimeoutError as error:  # the sandbox's own trouble, not the library's
        return Verdict(plan, life.struck, [(DRIFT, str(error))], story=_story(life))
    return judge(life, recorded)


def judge(life: Life, recorded: Recorded) -> Verdict:
    """What is wrong with a life that has been led."""
    verdict = Verdict(life.plan, life.struck)
    wrong = verdict.wrong
    wrong += [(LOST, text) for text in life.complaints]
    wrong += _drift(life, recorded)
    rows = life.rows()
    wrong += _jobs(life, rows, recorded, verdict)
    wrong += _paid(life)
    wrong += _rows(rows)
    left = {name: count for name, count in life.ground.left().items() if count}
    wrong += [(LOST, f"messages are left: {left}")] if left else []
    if wrong:
        verdict.story = _story(life)
    return verdict


def _story(life: Life) -> list[str]:
    calls = [f"{number} {call.function} {call.name}" for number, call in enumerate(life.calls)]
    return ["invocations:", *life.invocations, "log:", *life.counts.log, f"counted: {life.counts.values}", *calls]


def _drift(life: Life, recorded: Recorded) -> list[tuple[str, str]]:
    """Up to the fault a life is the recorded one, or its number means another call."""
    if life.plan is None:
        return []
    upto = life.plan.at + 1
    led = [(call.function, call.name) for call in life.calls[:upto]]
    if led == recorded.names[:upto] and life.struck:
        return []
    pairs = enumerate(zip(led, recorded.names, strict=False))
    where = next(((n, a, b) for n, (a, b) in pairs if a != b), (len(led), "the end", "more"))
    return [(DRIFT, f"call {where[0]} was {where[1]}, recorded was {where[2]}")]


def _jobs(life: Life, rows: list[dict[str, Any]], recorded: Recorded, verdict: Verdict) -> list[tuple[str, str]]:
    jobs = [row for row in rows if "model" in row]
    verdict.state = ", ".join(sorted(str(row["state"]) for row in jobs))
    if len(jobs) != life.scene.jobs:
        return [(LOST, f"{len(jobs)} jobs came of the drop, not {life.scene.jobs}")]
    objects = _objects(life, "OutputBucket")
    failed = [row for row in jobs if row["state"] == State.FAILED]
    if failed:
        code = json.loads(failed[0]["error"]).get("code", "")
        if code in life.scene.may_fail:
            told = any(key.endswith(".error.json") for key in objects)
            return [] if told else [(LOST, "FAILED without an error file")]
        return [(LOST, f"FAILED: {failed[0]['error']}")]
    if any(row["state"] != State.SUCCEEDED for row in jobs):
        return [(LOST, f"not terminal: {verdict.state}")]
    return _results(life, objects, recorded, jobs)


def _results(
    life: Life, objects: dict[str, tuple[str, bytes]], recorded: Recorded, jobs: list[dict[str, Any]]
) -> list[tuple[str, str]]:
    wrong = []
    pictures = {key: digest for key, (digest, _) in objects.items() if not key.endswith(".json")}
    if not pictures:
        wrong.append((LOST, "SUCCEEDED without a picture"))
    for key, digest in (recorded.results or pictures).items():  # an undisturbed life may be one that fails
        there, _ = objects.pop(key, ("", b""))
        if there != digest:
            wrong.append((LOST, f"{key} is {'another picture' if there else 'not there'}"))
        _, data = objects.pop(f"{key}.json", ("", b""))
        told = json.loads(data) if data else {}
        if told.get("output", {}).get("sha256") != digest:
            wrong.append((LOST, f"the record of {key} is {'wrong' if told else 'not there'}"))
        if told and not any(row["job_id"] == told.get("job_id") for row in jobs):
            wrong.append((LOST, f"the record of {key} names another job"))
    wrong += [(LOST, f"left over in the output bucket: {key}") for key in objects]
    dropped = {f"{FOLDER}/{name}" for wave in life.scene.drops for name, _ in wave}
    wrong += [
        (LOST, f"left over in the input bucket: {key}") for key in life.ground.objects("InputBucket").keys() - dropped
    ]
    return wrong


def _objects(life: Life, logical_id: str) -> dict[str, tuple[str, bytes]]:
    found = life.ground.objects(logical_id)
    return {key: (hashlib.sha256(data).hexdigest(), data) for key, data in found.items()}


def _paid(life: Life) -> list[tuple[str, str]]:
    """Rule 2: one accepted POST, or the one counted repost after the patience time where nobody can be asked."""
    entries = life.ground.ask("GET", "ledger")["entries"]
    extra = len(entries) - life.scene.paid
    allowed = min(life.scene.reposts, int(life.counts.values.get("RepostsAfterUnknown", 0)))
    wrong = []
    if extra > allowed:
        wrong.append((PAID, f"{len(entries)} POSTs were accepted, {life.scene.paid} and {allowed} reposts allowed"))
    patience = life.patience
    if extra > 0 and allowed and entries[-1]["at"] - entries[-2]["at"] < patience:
        wrong.append((PAID, f"posted again after {entries[-1]['at'] - entries[-2]['at']:.0f} s, not {patience}"))
    return wrong


def _rows(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    wrong = [(LOST, f"{row['job_id']} is left in `open` ({row['open']})") for row in rows if "open" in row]
    for row in rows:
        if row.get("state") in {str(state) for state in TERMINAL} and "expires_at" not in row:
            wrong.append((LOST, f"{row['job_id']} never expires"))
        if row.get("places"):
            wrong.append((LOST, f"{row['job_id']} holds places: {row['places']}"))
        if row.get("breaker"):
            wrong.append((LOST, f"{row['job_id']} is shut: {row['breaker']}"))
    return wrong


def plans(recorded: Recorded, faults: tuple[Fault, ...] = tuple(Fault)) -> list[Plan]:
    """Every fault at every call of a recorded life."""
    return [Plan(at, fault) for at in range(len(recorded.calls)) for fault in faults]
