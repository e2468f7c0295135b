"""The sentences about one job, for the situations that are hard to come by."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from backdrop.jobs import Job
from backdrop.settings import Settings
from backdrop.states import State
from backdrop_cli.operator import stories
from backdrop_cli.operator.admission import Admission, Spending

NOW = 1_000_000_000_000
SETTINGS = Settings("table", "in", "out", "staging", "queue", "secret", "callback")
JOB = Job(
    job_id="0" * 32,
    state=State.QUEUED,
    model="bria/background/remove",
    provider="runflow",
    label="remove",
    spec={},
    bucket="in",
    key="a.png",
    etag="e",
    version_id="v",
    size=1,
    content_type="image/png",
    drop_version="v/s",
    spec_key="a.png.yaml",
    created_at=NOW - 60_000,
    dropped_at=NOW - 61_000,
)
SCENE = stories.Scene(
    job=JOB,
    row={"open": "due#1", "open_at": NOW + 90_000, "moved_at": NOW - 30_000},
    gate=Admission("runflow", 0, 20, {}, 0, 0),
    spending=Spending("2001-09-09", Decimal(1), 0, Decimal(0), None),
    settings=SETTINGS,
    now=NOW,
)


def told(scene: stories.Scene) -> str:
    """Everything that is said."""
    return "\n".join(
        [
            stories.headline(scene),
            *stories.history(scene),
            *stories.present(scene),
            *stories.next_steps(scene),
        ]
    )


def scene(state: State, gate: dict[str, Any] | None = None, **job: Any) -> stories.Scene:
    """The usual scene with a job in that state, and with other fields."""
    return replace(SCENE, job=replace(JOB, state=state, **job), gate=replace(SCENE.gate, **(gate or {})))


@pytest.mark.parametrize(
    ("scene", "sentence"),
    [
        (scene(State.QUEUED, attempt=3, reopened=2), "2 attempts came before, 2 of them because"),
        (scene(State.QUEUED, not_before=NOW + 120_000), "next try is not before 2001-09-09 01:48:40 UTC (in 2 min)"),
        (
            scene(State.QUEUED, {"breaker": {"code": "NO_CREDITS", "message": "empty"}}),
            "nothing now (NO_CREDITS: empty)",
        ),
        (scene(State.QUEUED), "The sweep looks at it 2001-09-09 01:48:10 UTC (in 2 min)."),
        (scene(State.QUEUED), "price not published"),
        (scene(State.SUBMITTING, lease_until=NOW + 5000), "being sent to runflow just now"),
        (scene(State.SUBMITTING, doubt_since=NOW - 1000, reposts=1), "sent once more already"),
        (scene(State.SUBMITTING, posted_at=NOW - 1000, reposts=1), "posted once more after an unanswered request"),
        (scene(State.HELD, error={"code": "NOT_ALLOWED", "message": "no"}), "It tries again by itself 2001-09-09"),
        (scene(State.HELD), "Put the account in order. Then: backdrop resume --provider runflow"),
        (
            scene(State.HELD, {"breaker": {"code": "KEY_REFUSED"}, "probe_at": NOW + 1000}),
            "one of the held jobs tries again 2001-09-09 01:46:41 UTC (in 1 s)",
        ),
        (scene(State.FAILED, error={"code": "OUTCOME_UNKNOWN", "message": "?"}), "It was perhaps paid already"),
        (replace(scene(State.FAILED), refusal="gone; upload it"), "cannot be run again by command: gone; upload it."),
        (replace(scene(State.FAILED), superseded=True), "its newer jobs count"),
        (scene(State.DELIVERING), "is being fetched; the next look is"),
    ],
)
def test_what_is_said(scene: stories.Scene, sentence: str) -> None:
    """Each situation has its sentence."""
    assert sentence in told(scene)


@pytest.mark.parametrize("state", list(State))
def test_who_needs_a_person(state: State) -> None:
    """HELD and FAILED need one, all others go on by themselves; nothing is asked of a job that others replaced."""
    assert stories.needs_person(scene(state)) is (state in {State.HELD, State.FAILED})
    assert not stories.needs_person(replace(scene(State.FAILED), superseded=True))
