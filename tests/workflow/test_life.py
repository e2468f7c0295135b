"""The five rules, when things go wrong: busy providers, lost replies, lost callbacks, forged ones, refused accounts."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from bench import BRIA, CUT, VARIANTS, start

from backdrop import jobs
from backdrop.states import State
from backdrop.workflow import receiving

if TYPE_CHECKING:
    from bench import Bench


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


def test_a_due_time_that_comes_sooner_stays(bench: Bench) -> None:
    """Accepting and finishing leave the row where the sweep finds it in time already, no later than asked."""
    bench.trouble(callback_lost=True)
    start(bench)
    job = bench.only()
    assert job.state is State.RUNNING
    assert job.open_at <= job.accepted_at + bench.world.settings.poll_after_seconds * 1000
    held = jobs.leased(bench.world, 600)
    later = jobs.move(bench.world, job, "finish", look_in=600, put={"won": 1, **held}, keep_earlier=True)
    assert later
    assert later.open_at == job.open_at
    sooner = jobs.move(bench.world, later, "retake", look_in=1, put=jobs.released(), keep_earlier=True)
    assert sooner
    assert sooner.open_at < job.open_at


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
