"""Many drops at once, a provider that is busy, and invocations that die."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bulk import BUSY, LIMIT, Bulk, check

if TYPE_CHECKING:
    from faults_ground import Ground

DROPS = 60  # `make faults` plays 500 and 2,000
SMALL = 24


@pytest.mark.timeout(240)
def test_sixty_drops_at_a_busy_provider() -> None:
    """500 drops against a sandbox that fails a job when more than 5 run at a time: 500 SUCCEEDED.

    With 30 % of requests answered 429 or a documented 503, and invocations that are killed: never more than 5 in
    flight, no drop in a dead-letter queue, no double payment, the places of crashed holders freed. 2,000 drops cost the
    same number of requests each as 500 (within 5 %). Here sixty of them; `make faults` plays 500 and 2,000 with the
    same file, and ends with 1 when any of this is not so. A process of its own, as there.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    played = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("batches.py")), str(DROPS)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=220,
    )
    assert played.returncode == 0, played.stdout + played.stderr
    told = re.search(r"{'SUCCEEDED': 60}, 6\d paid, at most 5 at a time, (\d+) invocations killed", played.stdout)
    assert told, played.stdout
    assert int(told[1]) >= 2


def test_without_places_the_provider_fails_jobs(ground: Ground) -> None:
    """The sandbox's limit is real: admitted by more than it takes at a time, jobs fail there and are paid for again."""
    batch = Bulk(ground, SMALL, trouble=BUSY, settings={"IMAGEPIPELINE_AT_A_TIME": str(SMALL)})
    batch.play()
    told = batch.told()
    assert told.most_at_once > LIMIT
    assert check(told, SMALL) != []


def test_an_account_that_runs_dry_in_the_middle_loses_nothing(ground: Ground) -> None:
    """402 opens a breaker: the rest of the batch is HELD, not failed, one alarm metric.

    When the account is in order again all of it goes on, and no job was posted in vain while it was not.
    """
    batch = Bulk(ground, SMALL, trouble={**BUSY, "no_credits": {"skip": 12, "times": 3}})
    batch.play()
    told = batch.told()
    assert check(told, SMALL) == []
    assert told.metrics["JobsHeld"] >= SMALL - 12 - LIMIT
    assert told.metrics["BreakerOpened"] == 1


@pytest.mark.parametrize(
    ("row", "spared"),
    [
        ({"state": "SUBMITTING", "ago": 900, "open": True}, True),
        ({"state": "SUBMITTING", "ago": 845, "open": True}, True),
        ({"state": "SUBMITTING", "ago": 835, "open": True}, False),
        ({"state": "SUBMITTING", "ago": -30, "open": True}, False),
        ({"state": "QUEUED", "ago": -30, "open": True, "reposts": 1}, True),
        ({"state": "RUNNING", "ago": 2000, "open": True}, False),
        ({"state": "SUCCEEDED", "ago": 2000, "open": False, "reposts": 1}, False),
    ],
)
def test_a_batch_kills_nobody_in_the_minute_of_a_repost(ground: Ground, *, row: dict[str, Any], spared: bool) -> None:
    """A second silence over one job ends in OUTCOME_UNKNOWN by rule 2, so "all SUCCEEDED" holds for a first alone."""
    batch = Bulk(ground, 0, trouble={})
    there = {
        "job_id": {"S": "one"},
        "state": {"S": row["state"]},
        "lease_until": {"N": str(int((ground.clock() - row["ago"]) * 1000))},
        "reposts": {"N": str(row.get("reposts", 0))},
    }
    if row["open"]:
        there |= {"open": {"S": "due#0"}, "open_at": {"N": "0"}}
    ground.own.dynamodb.put_item(TableName=batch.template.name("JobTable"), Item=there)
    assert batch.last_chance() is spared
