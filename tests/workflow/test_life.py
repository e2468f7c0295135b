"""The five rules, when things go wrong: busy providers, lost replies, lost callbacks, forged ones, refused accounts."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from bench import picture

from backdrop import jobs
from backdrop.states import State
from backdrop.workflow import posting, receiving

if TYPE_CHECKING:
    from bench import Bench

BRIA: dict[str, Any] = {"model": "bria/background/remove"}
CUT = {"model": "imagepipeline/background-remove", "input": {"output_format": "png"}}
VARIANTS = {"model": "backgroundcut/remove-bg", "input": {"output_variants": [{}, {"format": "webp"}]}}


def start(bench: Bench, spec: dict[str, Any] = BRIA, *, seed: int = 0, name: str = "a.png") -> str:
    """Drop a photo and its spec; the photo's key."""
    key = bench.drop(name, picture(seed=seed))
    bench.drop(f"{name}.json", spec)
    return key


# --- callbacks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [BRIA, CUT], ids=["runflow", "imagepipeline"])
def test_a_lost_callback_is_rescued(bench: Bench, spec: dict[str, Any]) -> None:
    """No callback comes: the sweep has the job polled, finishes it, and counts the callback as lost."""
    bench.trouble(callback_lost=True)
    start(bench, spec)
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert bench.metrics.values["CallbackLost"] == 1
    assert len(bench.paid()) == 1


@pytest.mark.parametrize("spec", [BRIA, CUT], ids=["runflow", "imagepipeline"])
def test_a_callback_brings_the_result_home(bench: Bench, spec: dict[str, Any]) -> None:
    """The webhook delivers by itself, and a replay of the same callback changes nothing."""
    start(bench, spec)
    (call,) = bench.calls()
    assert bench.answer(call) == receiving.TAKEN
    done = bench.only()
    assert done.state is State.SUCCEEDED
    assert bench.answer(call) == receiving.TAKEN
    assert bench.only() == done
    assert "CallbackLost" not in bench.metrics.values


@pytest.mark.parametrize("case", ["none", "wrong", "other secret", "re-serialised", "duplicated"])
def test_a_callback_that_is_not_signed_right_is_refused(bench: Bench, case: str) -> None:
    """With a secret configured a missing, wrong or re-serialised signature is refused, and polling rescues the run."""
    start(bench)
    (call,) = bench.calls()
    good = call.headers["runflow-signature"]
    dumped = json.dumps(json.loads(call.body), indent=1).encode()
    signature = {
        "none": None,
        "wrong": "0" * 64,
        "other secret": hmac.new(b"whsec_other", call.body, hashlib.sha256).hexdigest(),
        "re-serialised": hmac.new(b"whsec_sandbox", dumped, hashlib.sha256).hexdigest(),
        "duplicated": f"{good},{good}",
    }[case]
    headers = {name: value for name, value in call.headers.items() if name != "runflow-signature"}
    if signature:
        headers["runflow-signature"] = signature
    assert bench.answer(call, headers=headers) == receiving.REFUSED
    assert bench.only().state is State.RUNNING
    assert bench.metrics.values["CallbacksRejected"] == 1


def test_an_unsigned_word_is_asked_for_again(bench: Bench) -> None:
    """ImagePipeline signs nothing: a forged result is not fetched, the status route is asked instead."""
    start(bench, CUT)
    (call,) = bench.calls()
    forged = {**json.loads(call.body), "result_url": "http://169.254.169.254/latest/meta-data/"}
    assert bench.answer(call, body=json.dumps(forged).encode()) == receiving.TAKEN
    assert bench.only().state is State.SUCCEEDED


def test_a_callback_for_another_run_changes_nothing(bench: Bench) -> None:
    """A signed callback that names another run than the job's is refused."""
    start(bench, name="a.png", seed=1)
    start(bench, name="b.png", seed=2)
    one, two = bench.calls(2)
    crossed = replace(one, body=two.body, headers=two.headers)
    assert bench.answer(crossed) == receiving.UNKNOWN
    assert State.SUCCEEDED not in bench.states()


def test_a_callback_for_an_attempt_never_opened_is_unknown(bench: Bench) -> None:
    """A token that we could have minted, for an attempt that was never opened, finds nothing."""
    from backdrop import callbacks  # noqa: PLC0415 - only this test mints by hand

    start(bench)
    (call,) = bench.calls()
    job = bench.only()
    url = callbacks.mint(bench.world, job.provider, job.job_id, 2)
    assert bench.answer(replace(call, path=url.removeprefix(bench.door.url))) == receiving.UNKNOWN


# --- the POST --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [BRIA, CUT, VARIANTS], ids=["runflow", "imagepipeline", "backgroundcut"])
def test_a_busy_provider_is_waited_for(bench: Bench, spec: dict[str, Any]) -> None:
    """A 429 was not accepted: the job is QUEUED again, not before Retry-After, and then runs."""
    bench.trouble(rate_limited={"times": 1, "retry_after": 30, "route": "submit"})
    start(bench, spec)
    bench.work()
    job = bench.only()
    assert job.state is State.QUEUED
    assert job.attempt == 1
    bench.advance(job)
    assert bench.only().state is State.QUEUED
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert len(bench.paid()) == 1


def test_an_accepted_post_whose_reply_was_lost_is_found(bench: Bench) -> None:
    """Runflow can be asked by client_ref: the run that answered 500 is found and finished, not posted again."""
    bench.trouble(server_error_after={"times": 1}, callback_lost=True)
    start(bench)
    assert bench.only().state is State.SUBMITTING
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert len(bench.paid()) == 1


def test_finished_variants_whose_reply_was_lost_are_found(bench: Bench) -> None:
    """BackgroundCut is asked for the output keys of the attempt: what was processed is fetched, not paid again."""
    bench.trouble(dropped_after={"times": 1})
    start(bench, VARIANTS)
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert len(bench.paid()) == 1


@pytest.mark.parametrize("spec", [BRIA, CUT], ids=["runflow", "imagepipeline"])
def test_a_callback_reunites_a_lost_reply(bench: Bench, spec: dict[str, Any]) -> None:
    """The reply to the POST was lost; the callback names the run, and the job is done without a second POST."""
    bench.trouble(dropped_after={"times": 1})
    start(bench, spec)
    assert bench.only().state is State.SUBMITTING
    (call,) = bench.calls()
    assert bench.answer(call) == receiving.TAKEN
    assert bench.only().state is State.SUCCEEDED
    assert len(bench.paid()) == 1


def test_who_cannot_be_asked_is_posted_once_more_after_the_patience_time(bench: Bench) -> None:
    """ImagePipeline has no list: after the patience time one counted repost, never before."""
    bench.trouble(dropped_after={"times": 1}, callback_lost=True)
    start(bench, CUT)
    bench.later(bench.world.settings.patience_seconds - 60)
    bench.sweep()
    assert len(bench.paid()) == 1
    bench.later(120)
    bench.sweep()
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert len(bench.paid()) == 2
    assert bench.metrics.values["RepostsAfterUnknown"] == 1
    assert bench.only().attempt == 1


def test_a_second_silence_is_told_not_paid_a_third_time(bench: Bench) -> None:
    """Two POSTs without an answer and without a trace end in FAILED, with where to look."""
    bench.trouble(dropped_after=True, callback_lost=True)
    start(bench, CUT)
    for _ in range(6):
        bench.later(bench.world.settings.patience_seconds + 60)
        bench.sweep()
    job = bench.only()
    assert job.state is State.FAILED
    assert job.error["code"] == "OUTCOME_UNKNOWN"
    assert len(bench.paid()) == 2


def test_a_lease_that_ran_out_is_unknown_not_free(bench: Bench) -> None:
    """A claim whose holder died is never simply posted again: the provider is asked first."""
    bench.trouble(rate_limited={"times": 1, "retry_after": 1})
    start(bench)
    job = bench.only()
    bench.later(5)
    lease = jobs.leased(bench.world, 60)
    claimed = jobs.move(
        bench.world, job, "claim", look_in=60, put={**lease, "posted_at": jobs.milliseconds(bench.world)}
    )
    assert claimed
    bench.advance(claimed)
    assert bench.only().state is State.SUBMITTING
    bench.later(61)
    bench.advance(claimed)
    assert bench.only().state is State.SUBMITTING
    assert not bench.paid()
    bench.later(bench.world.settings.patience_seconds + 1)
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert len(bench.paid()) == 1


def test_a_paused_holder_that_wakes_up_changes_nothing(bench: Bench) -> None:
    """Who lost its lease cannot move the job: its update is refused."""
    bench.trouble(callback_lost=True)
    start(bench)
    stale = bench.only()
    bench.finish()
    assert jobs.move(bench.world, stale, "watch", look_in=1) is None
    assert jobs.move(bench.world, stale, "fail", put={"error": {}}) is None
    assert bench.only().state is State.SUCCEEDED


# --- the account -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switch", ["no_credits", "refused_key"])
@pytest.mark.parametrize("spec", [BRIA, CUT, VARIANTS], ids=["runflow", "imagepipeline", "backgroundcut"])
def test_an_account_out_of_order_holds_its_jobs(bench: Bench, switch: str, spec: dict[str, Any]) -> None:
    """No credits or a refused key: HELD with what to do, not failed and not paid; later one probe frees them all."""
    bench.trouble(**{switch: True})
    for number in range(3):
        start(bench, spec, seed=number, name=f"{number}.png")
    bench.work()
    assert bench.states() == [State.HELD] * 3
    assert all(job.error["action"] for job in bench.jobs())
    assert not bench.paid()
    bench.trouble()
    bench.later(bench.world.settings.hold_retry_seconds + 1)
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED] * 3
    assert len(bench.paid()) == 3


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
    posting.resume(bench.world, before.job_id)
    assert bench.only() == before
