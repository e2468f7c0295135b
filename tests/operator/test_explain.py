"""`backdrop explain`: any name a person has in hand leads to the whole path of its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bench import BRIA, CUT, VARIANTS, picture, start

from backdrop import jobs
from backdrop.states import State

if TYPE_CHECKING:
    from bench import Bench
    from console import Console

NAMES = {
    "photo": "{folder}/a.png",
    "spec": "{folder}/a.png.json",
    "result": "{folder}/a.png.remove.png",
    "record": "{folder}/a.png.remove.png.json",
    "job": "{job}",
    "attempt": "{job}-1",
    "photo's address": "s3://{input}/{folder}/a.png",
    "result's address": "s3://{output}/{folder}/a.png.remove.png",
    "with a slash": "/{folder}/a.png",
}


def story(told: dict[str, Any]) -> str:
    """All sentences of an answer."""
    return "\n".join([*told["story"], *(line for job in told["jobs"] for line in job["story"]), *told["next"]])


def test_every_name_of_a_file_leads_to_it(bench: Bench, desk: Console) -> None:
    """Photo, spec, result, record, job id, and addresses of the buckets: all tell of the same job."""
    key = start(bench)
    (job,) = bench.finish()
    settings = bench.world.settings
    for form in NAMES.values():
        asked = form.format(
            folder=bench.folder, job=job.job_id, input=settings.input_bucket, output=settings.output_bucket
        )
        told = desk.explain(asked)
        assert (told["asked"], told["key"]) == (asked, key)
        (one,) = told["jobs"]
        assert (one["job_id"], one["state"], one["run_id"]) == (job.job_id, "SUCCEEDED", job.run_id)
    assert one["price_usd"] == "0.018"
    assert one["outputs"] == [{"key": f"{key}.remove.png", "there": True}]
    assert set(one["times"]) == {"dropped", "created", "held", "posted", "accepted", "finished", "delivered"}
    assert told["spec"] == {"key": f"{key}.json", "is_default": False, "models": [BRIA["model"]], "problems": []}
    assert (told["needs_person"], told["next"]) == (False, [])


def test_a_finished_job_for_people(bench: Bench, desk: Console) -> None:
    """In plain sentences: the photo, its spec, the run, the price, the times, the result; status 0."""
    key = start(bench)
    (job,) = bench.finish()
    shown = desk.run("explain", key)
    assert shown.exit_code == 0
    for part in ("governed by its own spec", job.run_id, "$0.018", "Delivered", f"{key}.remove.png", "All is done."):
        assert part in shown.stdout


def test_a_result_that_was_deleted_is_told(bench: Bench, desk: Console) -> None:
    """A result that is no longer there is said, with what to do; its own name still leads to the job."""
    key = start(bench)
    bench.finish()
    result = f"{key}.remove.png"
    bench.world.aws.s3.delete_object(Bucket=bench.world.settings.output_bucket, Key=result)
    told = desk.explain(result)
    assert "no longer in the output bucket" in story(told)
    assert "raise the spec's revision" in story(told)


def test_a_running_job(bench: Bench, desk: Console) -> None:
    """Since when it runs, when it is asked for, when it is given up; status 0: it goes on by itself."""
    bench.trouble(run_stuck=True)
    told = desk.explain(start(bench))
    assert "is at work on it" in story(told)
    assert "called failed" in story(told)
    assert told["jobs"][0]["next_look"]
    assert "It goes on by itself" in desk.run("explain", told["key"]).stdout


@pytest.mark.parametrize("bench", [{"runflow_at_a_time": 1}], indirect=True)
def test_a_job_that_waits_for_its_turn(bench: Bench, desk: Console) -> None:
    """Its place in the queue of its provider, and that all places are taken."""
    bench.trouble(run_stuck=True)
    for number in range(4):
        start(bench, seed=number, name=f"{number}.png")
    ahead = {desk.explain(f"{bench.folder}/{number}.png")["jobs"][0]["ahead"] for number in range(1, 4)}
    assert ahead == {0, 1, 2}
    told = desk.explain(f"{bench.folder}/3.png")
    assert "waits for its turn at runflow" in story(told)
    assert "All of its 1 places are taken." in story(told)
    assert "Before it in the queue: 2 jobs." in story(told)


def test_a_job_whose_provider_asked_for_a_pause(bench: Bench, desk: Console) -> None:
    """Until when the provider wants silence."""
    bench.trouble(rate_limited={"times": 1, "retry_after": 600, "route": "submit"})
    told = desk.explain(start(bench))
    assert "runflow asked for a pause until" in story(told)
    assert "RATE_LIMITED" in story(told)


def test_a_held_job(bench: Bench, desk: Console) -> None:
    """Why it is held, that nothing was paid, when one tries again, and the command; status 3."""
    bench.trouble(no_credits=True)
    told = desk.json("explain", start(bench), status=3)
    assert told["needs_person"]
    assert "nothing has been paid" in story(told)
    assert "NO_CREDITS" in story(told)
    assert "backdrop resume --provider runflow" in story(told)


@pytest.mark.parametrize("bench", [{"daily_budget_usd": "0.02"}], indirect=True)
def test_a_job_over_the_budget(bench: Bench, desk: Console) -> None:
    """That the day's budget holds it, what is spent of it, when it goes on, and how to allow more."""
    start(bench, name="first.png", seed=1)
    told = desk.json("explain", start(bench), status=3)
    assert "OVER_BUDGET" in story(told)
    assert "of $0.02" in story(told)
    assert "00:00 UTC" in story(told)


def test_a_post_that_went_unanswered(bench: Bench, desk: Console) -> None:
    """That it may have been charged, that the provider is asked, and when it is sent once more."""
    bench.trouble(dropped_after={"times": 1}, callback_lost=True)
    told = desk.explain(start(bench, CUT))
    assert told["jobs"][0]["state"] == "SUBMITTING"
    assert "may have been accepted and charged" in story(told)
    assert "sent once more, under the same name" in story(told)


def test_a_result_on_its_way(bench: Bench, desk: Console) -> None:
    """That it is paid for and being fetched."""
    start(bench)
    job = bench.only()
    assert jobs.move(bench.world, job, "finish", look_in=30, put={"won": 1, "looks": 2, **jobs.released()})
    told = desk.explain(job.key)
    assert "is being fetched after 2 tries in vain" in story(told)


def test_a_failed_job(bench: Bench, desk: Console) -> None:
    """The error with its action, the error file, and the command that runs it again; status 3."""
    bench.trouble(run_fails={"retryable": False, "code": "VALIDATION_ERROR"})
    key = start(bench)
    bench.finish()
    told = desk.json("explain", f"{key}.error.json", status=3)
    assert told["error_file"] == f"{key}.error.json"
    assert told["jobs"][0]["error"]["code"] == "RUN_FAILED"
    assert told["jobs"][0]["can_run_again"]
    assert f"backdrop redrive --key '{key}'" in story(told)


def test_a_failed_job_that_cannot_run_again(bench: Bench, desk: Console) -> None:
    """Its photo is gone: that is said instead of the command."""
    bench.trouble(run_fails={"retryable": False, "code": "VALIDATION_ERROR"})
    key = start(bench)
    bench.finish()
    bench.remove(key)
    told = desk.json("explain", key, status=3)
    assert told["object"] is None
    assert "is not in" in told["story"][0]
    assert "no longer in the input bucket" in story(told)
    assert "redrive" not in story(told)


def test_an_earlier_drop_of_the_same_key(bench: Bench, desk: Console) -> None:
    """The newest drop counts; of an earlier one's failed job, asked for by its id, nothing is to be done."""
    bench.trouble(run_fails={"times": 1, "retryable": False, "code": "VALIDATION_ERROR"})
    key = start(bench)
    bench.finish()
    old = bench.only()
    bench.later(5)
    bench.drop("a.png.json", CUT)
    bench.finish()
    told = desk.explain(key)
    assert [job["model"] for job in told["jobs"]] == [CUT["model"]]
    assert [job["job_id"] for job in told["earlier_jobs"]] == [old.job_id]
    asked = desk.explain(old.job_id)
    assert "its newer jobs count" in story(asked)


def test_several_jobs_of_one_drop(bench: Bench, desk: Console) -> None:
    """Each job of a drop is told, in one answer."""
    start(bench, {"jobs": [BRIA | {"label": "one"}, VARIANTS | {"label": "two"}]})
    bench.finish()
    told = desk.explain(f"{bench.folder}/a.png.two.1.png")
    assert {job["label"] for job in told["jobs"]} == {"one", "two"}


def test_drops_that_are_no_job(bench: Bench, desk: Console) -> None:
    """Waiting for a spec, waiting for a photo, refused and orphaned: each with what it waits for or what is wrong."""
    waiting = bench.drop("alone.png", picture())
    told = desk.explain(waiting)
    assert told["row"]["state"] == "waiting"
    assert "waits for its spec" in story(told)
    spec = bench.drop("early.png.json", BRIA)
    assert "waits for its photo" in story(desk.explain(spec))
    refused = bench.drop("bad.png", picture())
    bench.drop("bad.png.json", {"model": "bria/background/remov"})
    told = desk.json("explain", refused, status=3)
    assert "bria/background/remov" in story(told)
    assert story(told).count("there is no model") == 1
    assert "nothing was paid" in story(told)
    bench.later(121)
    bench.sweep()
    told = desk.json("explain", waiting, status=3)
    assert told["row"]["state"] == "orphaned"
    assert f"upload {waiting}.yaml" in story(told)


def test_a_photo_under_a_folder_default(bench: Bench, desk: Console) -> None:
    """The pairing time, and afterwards that the default has been applied; the default itself is told too."""
    default = bench.drop("_backdrop.json", BRIA)
    key = bench.drop("a.png", picture())
    told = desk.explain(key)
    assert "for a spec of its own" in story(told)
    assert told["spec"]["is_default"]
    bench.later(21)
    bench.sweep()
    bench.finish()
    assert "The folder default has been applied" in story(desk.explain(key))
    assert "default of its folder" in story(desk.explain(default))
    assert BRIA["model"] in story(desk.explain(default))


def test_files_that_are_never_run(bench: Bench, desk: Console) -> None:
    """A support file and a stray one: that, and why."""
    assert "support file" in story(desk.json("explain", bench.put("_marble.jpg", picture())))
    stray = bench.drop("notes.txt", "hello")
    assert "neither a photo nor a spec" in story(desk.json("explain", stray, status=3))


def test_two_specs_are_told(bench: Bench, desk: Console) -> None:
    """A photo with two sidecars: both are named."""
    key = bench.put("a.png", picture())
    bench.put("a.png.yaml", "model: bria/background/remove")
    bench.put("a.png.json", BRIA)
    assert "has 2 specs" in story(desk.explain(key))


def test_a_photo_that_lay_there_before(bench: Bench, desk: Console) -> None:
    """No job, no row: its event is on the way, or a backfill is wanted; without a spec, a spec is."""
    key = bench.put("a.png", picture())
    assert f"Upload {key}.yaml" in story(desk.explain(key))
    bench.put("a.png.json", BRIA)
    assert f"backdrop backfill '{bench.folder}'" in story(desk.explain(key))


def test_an_unknown_name_is_answered_with_what_was_meant(bench: Bench, desk: Console) -> None:
    """A name that leads to nothing is a sentence with the nearest name of its folder; status 1."""
    key = bench.put("a.png", picture())
    expected = {
        key.upper(): f"did you mean {bench.folder}/?",
        f"{bench.folder}/A.PNG": f"did you mean {key}",
        f"{bench.folder}/aa.png": f"did you mean {key}",
        f"{bench.folder[1:]}/a.png": f"did you mean {bench.folder}/?",
        f"{bench.folder}/something-else-altogether": "nothing is known",
        "0123456789abcdef0123456789abcdef": "there is no job",
        "s3://another/a.png": "another is no bucket of the stack",
        "x" * 2000: "nothing is known",
        "\x1b[31mred": "\\x1b[31mred",
    }
    for asked, told in expected.items():
        result = desk.run("explain", asked)
        assert (result.exit_code, result.stdout) == (1, "")
        assert told in result.stderr
        assert "\x1b" not in result.stderr
    assert desk.run("explain", "").exit_code == 2


def test_nothing_secret_is_told(bench: Bench, desk: Console) -> None:
    """No key, no token and no presigned query is in an answer."""
    bench.trouble(run_fails={"retryable": False, "code": "VALIDATION_ERROR"})
    key = start(bench)
    bench.finish()
    shown = desk.run("explain", key).output + desk.run("explain", key, "--json").output
    tokens = [call.path.rsplit("/", 1)[1] for call in bench.door.calls]
    assert tokens
    assert not [word for word in ("X-Amz-", "rf_live_", "whsec_", *tokens) if word in shown]
    assert State.FAILED in shown
