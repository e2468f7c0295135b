"""Ways to lose, to pay twice or to mislead that were once open, each played through."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from bench import BRIA, CUT, VARIANTS, picture, start

from backdrop import jobs, keyring, table
from backdrop.states import State
from backdrop.telemetry import logger
from backdrop.workflow import accounts, intake, posting, receiving
from backdrop.world import Clients

if TYPE_CHECKING:
    from bench import Bench

SYNC = {"model": "bria/background/remove", "input": {"sync_mode": True}}
COLOR = {"model": "runflow/background-color", "input": {"color_red": 1, "color_green": 2, "color_blue": 3}}


def wait(bench: Bench, *, minutes: int) -> None:
    """Let the sweep run once a minute for so long."""
    for _ in range(minutes):
        bench.later(60)
        bench.sweep()


# --- paying ----------------------------------------------------------------------------------------------------------


def test_not_asked_is_not_no_trace(bench: Bench) -> None:
    """A provider that cannot be asked just now may still have the run: nothing is posted again for that."""
    busy = {"route": "status", "provider": "runflow", "times": 1}
    bench.trouble(dropped_after={"times": 1}, callback_lost=True, rate_limited=busy)
    start(bench)
    bench.later(bench.world.settings.patience_seconds + 100)
    bench.sweep()
    assert bench.only().state is State.SUBMITTING
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert len(bench.paid()) == 1


def test_a_callback_names_the_run_even_when_it_cannot_be_confirmed(bench: Bench) -> None:
    """ImagePipeline's one callback reunites a lost reply also when its status route is busy at that moment."""
    busy = {"route": "status", "times": 1, "retry_after": 1}
    bench.trouble(dropped_after={"times": 1}, rate_limited=busy)
    start(bench, CUT)
    (call,) = bench.calls()
    assert bench.answer(call) == receiving.QUEUED
    assert bench.only().run_id
    wait(bench, minutes=3)
    assert bench.only().state is State.SUCCEEDED
    assert len(bench.paid()) == 1


@pytest.mark.parametrize(
    "trouble", [{"regional_404": {"route": "public-url"}}, {"rate_limited": {"route": "public-url"}}]
)
def test_what_was_processed_is_not_processed_again(bench: Bench, trouble: dict[str, Any]) -> None:
    """BackgroundCut's pictures are made and paid for; that no URL can be had for a while posts nothing again."""
    bench.trouble(**trouble)
    start(bench, VARIANTS)
    bench.work()
    assert bench.only().state is State.RUNNING
    wait(bench, minutes=20)
    assert len(bench.paid()) == 1
    bench.trouble()
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert len(bench.paid()) == 1


def test_an_older_reading_never_fits_a_released_row(bench: Bench) -> None:
    """Who read the row before another claimed, posted and released it cannot post on that reading."""
    bench.trouble(dropped_after=True, callback_lost=True)
    start(bench, CUT)
    bench.later(bench.world.settings.patience_seconds + 100)
    stale = bench.only()
    provider = accounts.provider(bench.world, stale.provider)
    bench.advance(stale)
    assert len(bench.paid()) == 2
    posting.post(bench.world, stale, provider, may_block=True, again=True)
    assert len(bench.paid()) == 2


def test_an_older_reading_does_not_overlook_a_pause(bench: Bench) -> None:
    """Two messages for one job: the slower one does not post before the Retry-After that the faster one got."""
    bench.trouble(rate_limited={"retry_after": 300, "route": "submit"})
    key = bench.put("a.png", picture())
    bench.put("a.png.json", BRIA)
    (ready,) = intake.take_drop(bench.world, bench.world.settings.input_bucket, key)
    assert jobs.create(bench.world, ready.job)
    stale = bench.only()
    bench.advance(stale)
    posting.post(bench.world, stale, accounts.provider(bench.world, "runflow"), may_block=True)
    assert len([seen for seen in bench.requests() if seen["method"] == "POST"]) == 1


def test_a_busy_question_after_the_deadline_fails_nothing(bench: Bench) -> None:
    """A run that finished while nobody could ask is delivered when it can be asked, however late."""
    bench.trouble(callback_lost=True, rate_limited={"route": "status", "times": 1})
    start(bench)
    bench.later(bench.world.settings.deadline_seconds + 100)
    bench.sweep()
    assert bench.only().state is State.RUNNING
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]


def test_a_redrive_begins_anew(bench: Bench) -> None:
    """After a delivery that failed for good, the next attempt's outcome counts, not the one that won before."""
    bench.trouble(html_result=True)
    start(bench)
    bench.finish(rounds=80)
    assert bench.only().state is State.FAILED
    bench.trouble(run_fails={"retryable": False, "code": "VALIDATION_ERROR"})
    known = len(bench.door.calls)
    bench.drop("a.png", picture())
    assert bench.answer(bench.calls(known + 1)[-1]) == receiving.TAKEN
    job = bench.only()
    assert (job.state, job.attempt) == (State.FAILED, 2)
    assert job.error["code"] != "RESULT_NOT_A_PICTURE"


def test_a_slow_reply_in_sync_mode_is_waited_for(bench: Bench) -> None:
    """`sync_mode` media may be in the reply alone: its POST belongs to the function that can wait for it."""
    bench.trouble(sync_wait_seconds=30, slow_run={"ms": 2000}, sync_media="reply", callback_lost=True)
    start(bench, SYNC)
    assert bench.only().state is State.QUEUED
    bench.work()
    job = bench.only()
    assert (job.state, job.form) == (State.SUCCEEDED, "sync")


@pytest.mark.parametrize("bench", [{"background_color_form": "flat"}], indirect=True)
@pytest.mark.parametrize("switch", ["truncated_result", "html_result", "expired_result"])
def test_a_flat_result_is_fetched_again_at_once(bench: Bench, switch: str) -> None:
    """The flat form's URL is in its reply alone: one bad fetch does not lose the picture."""
    bench.trouble(**{switch: {"times": 1}})
    start(bench, COLOR)
    bench.work()
    assert bench.only().state is State.SUCCEEDED
    assert len(bench.paid()) == 1


@pytest.mark.parametrize("bench", [{"background_color_form": "flat"}], indirect=True)
def test_a_flat_reply_that_died_with_its_invocation_is_posted_once_more(bench: Bench) -> None:
    """Its picture's URL was nowhere else and nobody can be asked: after the patience time one counted repost."""
    bench.trouble(expired_result={"times": 3})
    start(bench, COLOR)
    bench.work()
    there = bench.only()
    assert there.state is State.DELIVERING
    put = {"looks": 0, "lease": "died", "lease_until": 0}  # as a killed invocation leaves it
    table.change(bench.world, there.job_id, put=put, condition="attribute_exists(#job_id)", values={})
    bench.sweep()
    bench.later(61)
    bench.sweep()
    assert bench.only().state is State.SUBMITTING
    assert len(bench.paid()) == 1
    bench.later(bench.world.settings.patience_seconds)
    bench.sweep()
    assert bench.only().state is State.SUCCEEDED
    assert len(bench.paid()) == 2
    assert bench.metrics.values["RepostsAfterUnknown"] == 1


def test_no_post_starts_without_the_time_it_may_take(bench: Bench) -> None:
    """A zip that took too long to stage is not posted with the little time that is left; the job waits its turn."""
    left = iter([60.0] * 2)  # the claim's two looks at the clock; whoever asks later finds it nearly run out
    bench.put("_scene.png", picture(seed=9))
    bench.put("a.png", picture())
    bench.put("a.png.json", {"model": "runflow/background-replace", "input": {"reference": "_scene.png"}})
    (ready,) = intake.take_drop(bench.world, bench.world.settings.input_bucket, f"{bench.folder}/a.png")
    hurried = replace(bench.world, time_left=lambda: next(left, 5.0))
    posting.begin(hurried, [ready], may_block=True)
    job = bench.only()
    assert (job.state, job.error["code"]) == (State.QUEUED, "NO_TIME")
    assert not bench.paid()
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]


def test_a_photo_gone_before_its_post_is_said_so(bench: Bench) -> None:
    """The version that was dropped is gone: FAILED with that reason, no POST, no doubt."""
    bench.trouble(rate_limited={"times": 1, "retry_after": 1})
    start(bench, VARIANTS)
    bench.work()
    job = bench.only()
    bench.world.aws.s3.delete_object(Bucket=job.bucket, Key=job.key, VersionId=job.version_id)
    bench.later(10)
    bench.advance(job)
    job = bench.only()
    assert (job.state, job.error["code"]) == (State.FAILED, "PHOTO_GONE")
    assert not bench.paid()


def test_held_jobs_that_answer_at_once_are_all_released(bench: Bench) -> None:
    """One accepted BackgroundCut job lets the other held ones follow, like any other provider's."""
    bench.trouble(no_credits=True)
    for number in range(3):
        start(bench, VARIANTS, seed=number, name=f"{number}.png")
    bench.work()
    assert bench.states() == [State.HELD] * 3
    bench.trouble()
    bench.later(bench.world.settings.hold_retry_seconds + 1)
    bench.sweep()
    assert bench.states() == [State.SUCCEEDED] * 3


# --- telling ---------------------------------------------------------------------------------------------------------


def test_a_row_with_nothing_to_wait_for_leaves_open(bench: Bench) -> None:
    """The default of a finished photo was deleted while a new upload waited: the sweep lets it go."""
    default = bench.drop("_backdrop.json", BRIA)
    bench.drop("a.png", picture())
    bench.later(21)
    bench.sweep()
    bench.finish()
    bench.drop("a.png", picture())
    bench.remove(default)
    wait(bench, minutes=3)
    assert bench.sweep() == 0


def test_a_default_that_comes_late_is_used_when_the_photo_comes_again(bench: Bench) -> None:
    """NO_SPEC says to upload a default and the photo again: that works, and so does any later event of the photo."""
    key = bench.drop("a.png", picture())
    wait(bench, minutes=3)
    assert bench.error(key)["problems"][0]["code"] == "NO_SPEC"
    bench.drop("_backdrop.json", BRIA)
    bench.tell(key)
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert not [name for name in bench.outputs() if name.endswith(".error.json")]


def test_a_mended_default_is_used_when_the_photo_comes_again(bench: Bench) -> None:
    """A photo refused by a wrong default says to upload it again once the default is mended."""
    bench.drop("_backdrop.yaml", "model: nonsense\n")
    key = bench.drop("a.png", picture())
    wait(bench, minutes=1)
    assert "upload the photo again" in bench.error(key)["problems"][0]["action"]
    bench.drop("_backdrop.yaml", "model: bria/background/remove\n")
    bench.tell(key)
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]


def test_going_back_to_a_good_photo_clears_the_error(bench: Bench) -> None:
    """A broken photo in between leaves no error file once the good one, already done, is back."""
    key = start(bench)
    bench.finish()
    bench.drop("a.png", b"broken")
    assert bench.error(key)
    bench.drop("a.png", picture())
    assert f"{key}.error.json" not in bench.outputs()


def test_a_refusal_outlives_an_older_jobs_success(bench: Bench) -> None:
    """A job of the spec before succeeds after a new spec was refused: the refusal stays."""
    key = start(bench)
    (call,) = bench.calls()
    bench.drop("a.png.json", {"model": "nonsense"})
    bench.answer(call)
    assert bench.only().state is State.SUCCEEDED
    assert bench.error(key)["state"] == "rejected"


def test_a_sibling_added_later_shares_the_error_file(bench: Bench) -> None:
    """A job whose spec came to ask for another beside it does not clear the other's error when it succeeds."""
    key = start(bench)
    (first,) = bench.calls()
    bench.trouble(run_fails={"retryable": False, "code": "VALIDATION_ERROR"})
    bench.drop("a.png.json", {"jobs": [BRIA, COLOR]})
    bench.answer(bench.calls(2)[-1])
    assert bench.error(key)["state"] == "failed"
    bench.answer(first)
    assert sorted(bench.states()) == [State.FAILED, State.SUCCEEDED]
    assert bench.error(key)["state"] == "failed"


def test_an_older_jobs_failure_is_not_told_of_a_newer_drop(bench: Bench) -> None:
    """The job of the spec before fails after the new one succeeded: the user sees a success."""
    bench.trouble(run_fails={"times": 1, "retryable": False, "code": "VALIDATION_ERROR"})
    key = start(bench)
    (failed,) = bench.calls()
    bench.drop("a.png.json", {**BRIA, "revision": 2})
    bench.answer(bench.calls(2)[-1])
    bench.answer(failed)
    assert sorted(bench.states()) == [State.FAILED, State.SUCCEEDED]
    assert f"{key}.error.json" not in bench.outputs()


def test_deleting_the_cause_takes_its_error_file_away(bench: Bench) -> None:
    """PHOTO_MISSING says to upload the photo or delete the spec: deleting the spec ends it."""
    side = bench.drop("a.png.json", BRIA)
    wait(bench, minutes=3)
    assert bench.outputs()
    bench.remove(side)
    assert not bench.outputs()


def test_deleting_a_finished_photo_is_no_error(bench: Bench) -> None:
    """A photo deleted after its result leaves the result, and nobody waits for it."""
    key = start(bench)
    bench.finish()
    bench.remove(key)
    wait(bench, minutes=3)
    assert f"{key}.error.json" not in bench.outputs()


def test_deleting_the_sidecar_of_a_finished_photo_runs_no_default(bench: Bench) -> None:
    """A photo that its sidecar had run is not paid for again by the folder's default."""
    bench.drop("_backdrop.json", {**BRIA, "label": "by-default"})
    key = start(bench, CUT)
    bench.finish()
    bench.remove(f"{key}.json")
    wait(bench, minutes=2)
    assert len(bench.jobs()) == 1


def test_a_default_is_found_among_many_support_files(bench: Bench) -> None:
    """Only names that a default can have are listed: a thousand references before it do not hide it."""
    before = bench.world.aws.s3
    bench.drop("_backdrop.json", BRIA)
    bench.put("_backdro.png", b"x")
    bench.put("_backdrop-notes.png", b"x")
    reply = before.list_objects_v2(
        Bucket=bench.world.settings.input_bucket, Prefix=f"{bench.folder}/_backdrop.", Delimiter="/"
    )
    assert [entry["Key"].rsplit("/")[-1] for entry in reply["Contents"]] == ["_backdrop.json"]
    bench.drop("a.png", picture())
    bench.later(21)
    bench.sweep()
    assert len(bench.jobs()) == 1


def test_an_archived_photo_is_said_to_be_unreadable(bench: Bench) -> None:
    """A photo in a storage class that cannot be read leaves an error file, not a message that fails for ever."""
    bench.put("a.png.json", BRIA)
    key = bench.drop("a.png", picture(), StorageClass="GLACIER")
    assert bench.error(key)["problems"][0]["code"] == "OBJECT_UNREADABLE"


def test_a_provider_out_of_reach_is_told_after_a_while(bench: Bench) -> None:
    """A provider that is never reached loses nothing, and the user is told that the job still waits."""
    settings = replace(bench.world.settings, runflow_base_url="http://127.0.0.1:9")
    cut_off = replace(bench, world=replace(bench.world, settings=settings))
    key = start(cut_off)
    for _ in range(14):
        cut_off.later(400)
        cut_off.sweep()
    told = cut_off.error(key)
    assert (told["state"], told["paid"]) == ("waiting", False)
    assert cut_off.only().state is State.QUEUED
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert f"{key}.error.json" not in bench.outputs()


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_libraries_log_no_secret_at_debug(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """With the log level at DEBUG, for every logger, no key, token or signed query is written."""
    logger()
    caplog.set_level(logging.DEBUG)
    fresh = replace(bench, world=replace(bench.world, aws=Clients()))
    keyring.provider_keys(fresh.world)
    start(fresh)
    assert fresh.only().state is State.RUNNING
    for secret in ("rf_live_sandbox", "whsec_sandbox", "X-Amz-Signature", "/callbacks/"):
        assert secret not in caplog.text


def test_presigned_urls_name_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new bucket's global host redirects, which no signature survives: the regional host is signed."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    url = Clients().s3.generate_presigned_url("get_object", Params={"Bucket": "drops", "Key": "a b.png"})
    assert url.startswith("https://drops.s3.eu-central-1.amazonaws.com/a%20b.png?")


def test_a_claim_whose_reply_was_lost_is_still_ours(bench: Bench) -> None:
    """The client repeats an update whose reply was lost, and is refused by its own first try: the lease tells."""
    bench.trouble(rate_limited={"times": 1, "retry_after": 1})
    start(bench)
    job = bench.only()
    lease = jobs.leased(bench.world, 60)
    assert jobs.move(bench.world, job, "claim", look_in=60, put=lease)
    assert jobs.move(bench.world, job, "claim", look_in=60, put=lease)
    assert jobs.move(bench.world, job, "claim", look_in=60, put=jobs.leased(bench.world, 60)) is None
    assert bench.only().lease == lease["lease"]
