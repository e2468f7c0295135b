"""How a run may end, and what becomes of its result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from bench import BRIA, CUT, VARIANTS, picture, start

from backdrop import jobs
from backdrop.states import State
from backdrop.workflow import admitting, receiving

if TYPE_CHECKING:
    from bench import Bench


# --- the run ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [BRIA, CUT], ids=["runflow", "imagepipeline"])
def test_a_retryable_failure_opens_another_attempt(bench: Bench, spec: dict[str, Any]) -> None:
    """A run that failed and may succeed is run again, under another reference and token."""
    bench.trouble(run_fails={"times": 1, "retryable": True, "code": "MODEL_UNAVAILABLE"})
    start(bench, spec)
    (job,) = bench.finish()
    assert job.state is State.SUCCEEDED
    assert job.attempt == 2
    assert len(bench.paid()) == 2


def test_retryable_failures_end_after_two_more_attempts(bench: Bench) -> None:
    """A run that fails every time is run three times, then FAILED with the provider's reason beside the output."""
    bench.trouble(run_fails={"retryable": True, "code": "MODEL_UNAVAILABLE"})
    key = start(bench)
    (job,) = bench.finish()
    assert job.state is State.FAILED
    assert len(bench.paid()) == 3
    (problem,) = bench.error(key)["problems"]
    assert problem["code"] == job.error["code"]
    assert problem["action"]


def test_a_final_failure_is_told_and_a_new_drop_tries_again(bench: Bench) -> None:
    """A final no is not repeated; the same photo uploaded again opens a new attempt, and success clears the error."""
    bench.trouble(run_fails={"times": 1, "retryable": False, "code": "VALIDATION_ERROR"})
    key = start(bench)
    (job,) = bench.finish()
    assert job.state is State.FAILED
    bench.tell(key)
    bench.work()
    assert len(bench.paid()) == 1
    bench.drop("a.png", picture())
    (job,) = bench.finish()
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)
    assert f"{key}.error.json" not in bench.outputs()


def test_an_older_attempts_success_is_taken(bench: Bench) -> None:
    """A success of an attempt that was given up is taken, also from FAILED: it is paid for."""
    bench.trouble(callback_lost=False)
    start(bench)
    (call,) = bench.calls()
    job = bench.only()
    jobs.move(bench.world, job, "fail", put={"error": {"code": "X"}, **jobs.released()})
    assert bench.answer(call) == receiving.TAKEN
    assert bench.only().state is State.SUCCEEDED


def test_an_older_attempts_failure_changes_nothing(bench: Bench) -> None:
    """The failure of attempt 1, told again while attempt 2 runs, leaves attempt 2 alone."""
    bench.trouble(run_fails={"times": 1, "retryable": True, "code": "MODEL_UNAVAILABLE"})
    start(bench)
    (failed,) = bench.calls()
    bench.answer(failed)
    bench.later(60)
    bench.trouble(callback_lost=True)
    bench.sweep()
    running = bench.only()
    assert (running.state, running.attempt) == (State.RUNNING, 2)
    bench.answer(failed)
    assert bench.only() == running


def test_one_of_two_jobs_fails(bench: Bench) -> None:
    """The error file of a drop names the job that failed, and not the one that succeeded."""
    bench.trouble(run_fails={"times": 1, "retryable": False, "code": "VALIDATION_ERROR", "provider": "imagepipeline"})
    key = bench.drop("a.png", picture())
    bench.drop("a.png.json", {"jobs": [BRIA, CUT]})
    bench.finish()
    assert sorted(bench.states()) == [State.FAILED, State.SUCCEEDED]
    (problem,) = bench.error(key)["problems"]
    assert problem["model"] == CUT["model"]


def test_a_run_that_never_ends_is_given_up_at_the_deadline(bench: Bench) -> None:
    """A run that stays running is FAILED after the deadline, not posted again."""
    bench.trouble(run_stuck=True)
    start(bench)
    bench.later(bench.world.settings.deadline_seconds + 1)
    bench.sweep()
    job = bench.only()
    assert (job.state, job.error["code"]) == (State.FAILED, "DEADLINE_PASSED")
    assert len(bench.paid()) == 1


# --- the result ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [BRIA, CUT, VARIANTS], ids=["runflow", "imagepipeline", "backgroundcut"])
def test_an_expired_url_is_asked_for_again(bench: Bench, spec: dict[str, Any]) -> None:
    """A result URL that has expired is signed anew by the provider before anything is called failed."""
    bench.trouble(expired_result={"times": 1})
    start(bench, spec)
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert len(bench.paid()) == 1


@pytest.mark.parametrize("switch", ["truncated_result", "html_result"])
def test_a_result_that_is_no_picture_is_not_delivered(bench: Bench, switch: str) -> None:
    """HTML or half a picture never reaches the output key."""
    bench.trouble(**{switch: True})
    key = start(bench)
    bench.finish(rounds=80)
    job = bench.only()
    assert job.state is State.FAILED
    assert bench.outputs() == [f"{key}.error.json"]


def test_a_retaken_delivery_fetches_nothing_twice(bench: Bench) -> None:
    """A delivery whose holder died after the bytes were stored is finished without fetching them again."""
    bench.trouble(callback_lost=True)
    start(bench)
    (job,) = bench.finish()
    table_state = {"state": "DELIVERING", "open": jobs.due_partition(job.job_id), "open_at": 0}
    from backdrop import table  # noqa: PLC0415 - only this test writes past the moves

    table.change(bench.world, job.job_id, put=table_state, condition="attribute_exists(#job_id)", values={})
    before = len([seen for seen in bench.requests() if "/results/" in seen["path"]])
    bench.sweep()
    assert bench.only().state is State.SUCCEEDED
    assert len([seen for seen in bench.requests() if "/results/" in seen["path"]]) == before


def test_nothing_secret_is_logged_or_stored(bench: Bench) -> None:
    """No key, token, signature or presigned query stands in the log, the table, a record or an error file."""
    start(bench)
    bench.finish()
    bench.trouble(refused_key=True)
    start(bench, CUT, name="b.png", seed=4)
    (call,) = bench.door.calls[:1]
    token = call.path.rsplit("/", 1)[1]
    written = json.dumps(bench.log.lines, default=str) + "".join(
        bench.output(key).decode("latin-1") for key in bench.outputs() if key.endswith(".json")
    )
    written += str(bench.world.aws.dynamodb.scan(TableName=bench.world.settings.job_table)["Items"])
    for secret in [token, "rf_live_sandbox", "ip_live_sandbox", "whsec_sandbox", "X-Amz-Signature", "Signature="]:
        assert secret not in written
    assert call.headers["runflow-signature"] not in written


def test_held_jobs_resume_one_probe_at_a_time(bench: Bench) -> None:
    """While the account stays out of order a sweep lets one held job of a provider try, not all."""
    bench.trouble(no_credits=True)
    for number in range(4):
        start(bench, seed=number, name=f"{number}.png")
    bench.later(bench.world.settings.hold_retry_seconds + 1)
    before = len(bench.requests())
    bench.sweep()
    tried = [seen for seen in bench.requests()[before:] if seen["method"] == "POST"]
    assert len(tried) == 1
    assert bench.states() == [State.HELD] * 4


def test_resume_ignores_what_is_not_held(bench: Bench) -> None:
    """Resuming a job that is not HELD changes nothing."""
    start(bench)
    before = bench.only()
    assert not admitting.release(bench.world, before.job_id)
    assert bench.only() == before
