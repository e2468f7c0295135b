"""`backdrop redrive`: what failed runs again, after it was said what that costs and what may be paid already."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from bench import BRIA, CUT, VARIANTS, picture, start
from console import console

from backdrop import jobs
from backdrop.errors import Problem
from backdrop.states import State
from backdrop.workflow import making, redriving
from backdrop_cli.operator import selecting
from backdrop_cli.operator.failures import Stopped
from backdrop_cli.operator.selecting import Wanted

if TYPE_CHECKING:
    from bench import Bench
    from console import Console

    from backdrop.jobs import Job
    from backdrop_cli.parts import Template


def fail(
    bench: Bench, name: str = "a.png", *, code: str = "RUN_FAILED", spec: dict[str, Any] = BRIA, seed: int = 0
) -> Job:
    """A job that has FAILED with a code, as the library writes it."""
    bench.trouble(run_stuck=True)
    key = start(bench, spec, name=name, seed=seed)
    (job,) = (job for job in bench.jobs() if job.key == key)
    told = Problem(code, "as the test says", "do something")
    done = jobs.move(bench.world, job, "fail", put={"error": told.as_dict(), **jobs.released()})
    assert done
    bench.trouble()
    return done


def test_a_failed_job_runs_again(bench: Bench, desk: Console) -> None:
    """By its key, after a yes: a new attempt, its cost named beforehand, and it succeeds."""
    bench.trouble(run_fails={"times": 1, "retryable": False, "code": "VALIDATION_ERROR"})
    key = start(bench)
    bench.finish()
    shown = desk.run("redrive", "--key", key, answer="y\n")
    assert shown.exit_code == 0
    assert "Cost: $0.018 at list prices." in shown.stdout
    assert "Run 1 job again? [y/N]" in shown.stderr
    assert "1 job queued for another attempt" in shown.stdout
    (job,) = bench.finish()
    assert (job.state, job.attempt, job.spec_key) == (State.SUCCEEDED, 2, f"{key}.json")
    assert f"{key}.error.json" not in bench.outputs()
    assert len(bench.paid()) == 2


def test_nothing_is_done_without_a_yes(bench: Bench, desk: Console) -> None:
    """Anything but yes leaves the job as it is; status 0."""
    job = fail(bench)
    for answer in ("n\n", "\n", "what?\n"):
        shown = desk.run("redrive", "--key", job.key, answer=answer)
        assert (shown.exit_code, bench.only()) == (0, job)
        assert "Nothing was done." in shown.stdout


def test_where_nobody_answers_nothing_is_done(bench: Bench, desk: Console) -> None:
    """Without an answer, or with --json and no --yes, it says how to go on; status 2."""
    job = fail(bench)
    silent = desk.run("redrive", "--key", job.key)
    assert (silent.exit_code, bench.only()) == (2, job)
    assert "add --yes" in silent.stderr
    scripted = desk.run("redrive", "--key", job.key, "--json")
    assert (scripted.exit_code, scripted.stdout, bench.only()) == (2, "", job)


def test_a_dry_run_only_tells(bench: Bench, desk: Console) -> None:
    """--dry-run names jobs, cost and reasons, and changes nothing."""
    job = fail(bench)
    told = desk.json("redrive", "--key", job.key, "--dry-run")
    assert told["dry_run"]
    assert told["redriven"] == 0
    assert told["jobs"] == [{"job_id": job.job_id, "key": job.key, "model": job.model, "code": "RUN_FAILED"}]
    assert told["cost"] == {"usd": "0.018", "priced_jobs": 1, "unpriced_jobs": 0}
    assert told["reasons"] == {"RUN_FAILED": 1}
    assert (told["refused"], told["perhaps_paid"], told["at_least"]) == ([], {}, False)
    assert bench.only() == job


def test_a_script_says_yes(bench: Bench, desk: Console) -> None:
    """--yes --json: done, and told in one document."""
    job = fail(bench)
    told = desk.json("redrive", "--key", job.key, "--yes")
    assert (told["redriven"], told["refused"]) == (1, [])
    assert bench.only().state is State.QUEUED
    assert desk.json("redrive", "--key", job.key, "--yes")["redriven"] == 0  # it is no longer FAILED


def test_chosen_by_reason_by_folder_and_by_time(bench: Bench, desk: Console) -> None:
    """Reasons may be repeated and lower case, keys may be folders or ids; what is named together must all hold."""
    one = fail(bench, "one/a.png", code="NO_TIME")
    two = fail(bench, "one/b.png", code="RUN_FAILED", seed=1)
    three = fail(bench, "two/c.png", code="RUN_FAILED", seed=2)

    def chosen(**named: Any) -> set[str]:
        return {line.key for line in selecting.failed(desk.found, Wanted(**named), quiet=True)[0]}

    now = jobs.milliseconds(bench.world)
    everything = {one.key, two.key, three.key}
    assert chosen(since=now - 3_600_000) == everything
    assert chosen(until=now - 3_600_000) == set()
    assert chosen(since=1, until=2) == set()
    assert chosen(reasons=("no-time", "RUN_FAILED")) == everything
    assert chosen(reasons=("RUN_FAILED",)) == {two.key, three.key}
    assert chosen(keys=(f"{bench.folder}/one/",)) == {one.key, two.key}
    assert chosen(keys=(f"{bench.folder}/one*",), reasons=("RUN_FAILED",)) == {two.key}
    assert chosen(keys=(one.key, three.job_id)) == {one.key, three.key}
    assert chosen(keys=(f"{one.key}.json",)) == {one.key}
    assert chosen(reasons=("DEADLINE_PASSED",)) == set()  # a reason there is, and nothing failed for it
    told = desk.json("redrive", "--since", "1h", "--reason", "RUN_FAILED", "--key", f"{bench.folder}/one/", "--dry-run")
    assert [job["key"] for job in told["jobs"]] == [two.key]


def test_nothing_named_lists_the_reasons(bench: Bench, desk: Console) -> None:
    """Without a choice it shows what failed, by reason, with cost, and how to choose; status 2."""
    fail(bench, "a.png", code="NO_TIME")
    fail(bench, "b.png", code="OUTCOME_UNKNOWN", spec=CUT, seed=1)
    shown = desk.run("redrive")
    assert shown.exit_code == 2
    for part in ("NO_TIME", "OUTCOME_UNKNOWN", "$0.018", "1 unknown", "perhaps", "--reason CODE"):
        assert part in shown.stdout
    assert desk.json("redrive", status=2)["reasons"] == {"NO_TIME": 1, "OUTCOME_UNKNOWN": 1}


def test_what_may_be_paid_already_is_said(bench: Bench, desk: Console) -> None:
    """A lost outcome and a result that could not be kept were perhaps paid: the question says so, and counts them."""
    fail(bench, "a.png", code="OUTCOME_UNKNOWN")
    fail(bench, "b.png", code="RESULT_UNREACHABLE", seed=1)
    fail(bench, "c.png", code="NO_TIME", seed=2)
    fail(bench, "d.png", code="NO_TIME", spec=VARIANTS, seed=3)
    shown = desk.run("redrive", "--since", "1h", answer="n\n")
    assert "may pay twice" in shown.stdout
    assert "Run 4 jobs again (2 perhaps paid already)?" in shown.stderr
    assert "$0.054 at list prices for 3 jobs, and 1 job whose price is not published" in shown.stdout
    told = desk.json("redrive", "--since", "1h", "--dry-run")
    assert told["perhaps_paid"] == {"OUTCOME_UNKNOWN": 1, "RESULT_UNREACHABLE": 1}


@pytest.mark.parametrize(
    "bench", [{"prices": ("imagepipeline/background-remove=0.25",), "daily_budget_usd": "9"}], indirect=True
)
def test_the_operators_own_prices_count(bench: Bench, desk: Console) -> None:
    """Prices that the stack was given go before the published ones; the day's budget is named."""
    job = fail(bench, spec=CUT)
    assert desk.json("redrive", "--key", job.key, "--dry-run")["cost"]["usd"] == "0.25"
    shown = desk.run("redrive", "--key", job.key, "--dry-run")
    assert "Of today's budget of $9.00, $0.25 is spent" in shown.stdout


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("remove", "PHOTO_GONE"),
        ("replace", "PHOTO_REPLACED"),
        ("another spec", "SUPERSEDED"),
        ("attempts", "ATTEMPTS_USED"),
    ],
)
def test_what_would_not_be_that_job_is_left_alone(bench: Bench, desk: Console, change: str, code: str) -> None:
    """Photo deleted or replaced, dropped again with another spec, attempts used up: told with the reason; status 3."""
    job = fail(bench)
    match change:
        case "remove":
            bench.remove(job.key)
        case "replace":
            bench.put("a.png", picture(seed=9))
        case "another spec":
            bench.later(1)
            bench.drop("a.png.json", CUT)
        case "attempts":
            put = {"attempt": making.MOST_ATTEMPTS, "error": job.error}
            assert jobs.move(bench.world, job, "redrive", put=put)
            (again,) = bench.jobs()
            assert jobs.move(bench.world, again, "fail", put={"error": job.error, **jobs.released()})
    told = desk.json("redrive", "--key", job.key, "--yes", status=3)
    (refused,) = told["refused"]
    assert (refused["job_id"], refused["code"], told["redriven"]) == (job.job_id, code, 0)
    shown = desk.run("redrive", "--key", job.key, "--dry-run")
    assert shown.exit_code == 3
    assert "1 job cannot run again" in shown.stdout
    there = jobs.get(bench.world, job.job_id)
    assert there
    assert there.state is State.FAILED


def test_a_reference_that_is_gone_is_told(bench: Bench, desk: Console) -> None:
    """A job whose reference's version was deleted is left alone with that reason."""
    reference = bench.put("_wall.png", picture(seed=7))
    spec = {"model": "runflow/background-replace", "input": {"reference": "_wall.png"}}
    job = fail(bench, spec=spec)
    assert job.reference_key == reference
    s3, bucket = bench.world.aws.s3, bench.world.settings.input_bucket
    s3.delete_object(Bucket=bucket, Key=reference, VersionId=job.reference_version)
    told = desk.json("redrive", "--key", job.key, "--yes", status=3)
    assert told["refused"][0]["code"] == "REFERENCE_GONE"


def test_the_verb_opens_one_attempt(bench: Bench) -> None:
    """The library's verb: one new attempt and one message; a second call finds the job no longer FAILED."""
    job = fail(bench)
    bench.work()
    queued = redriving.redrive(bench.world, job.job_id)
    assert not isinstance(queued, Problem)
    assert (queued.state, queued.attempt, queued.reopened, queued.error) == (State.QUEUED, 2, 0, {})
    assert (queued.version_id, queued.drop_version) == (job.version_id, job.drop_version)
    again = redriving.redrive(bench.world, job.job_id)
    assert isinstance(again, Problem)
    assert again.code == "NOT_FAILED"
    gone = redriving.redrive(bench.world, "0" * 32)
    assert isinstance(gone, Problem)
    assert gone.code == "JOB_GONE"


def test_the_verb_takes_the_version_that_lies_there(bench: Bench) -> None:
    """The same bytes uploaded again, the old version expired: the new attempt sends the version that is there."""
    job = fail(bench)
    bench.put("a.png", picture())
    s3, bucket = bench.world.aws.s3, bench.world.settings.input_bucket
    s3.delete_object(Bucket=bucket, Key=job.key, VersionId=job.version_id)
    queued = redriving.redrive(bench.world, job.job_id)
    assert not isinstance(queued, Problem)
    assert queued.version_id != job.version_id
    assert {one.state for one in bench.finish()} == {State.SUCCEEDED}


def test_a_search_that_is_cut_off_says_so(bench: Bench, desk: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """More jobs than one search reads: it is said, and what was found is done."""
    fail(bench, "a.png")
    fail(bench, "b.png", seed=1)
    monkeypatch.setattr(selecting, "MOST_READ", 1)
    assert desk.json("redrive", "--since", "1h", "--dry-run")["at_least"]
    assert "more than one search reads" in desk.run("redrive", "--since", "1h", "--dry-run").stdout


def test_mistakes_are_answered(bench: Bench, desk: Console) -> None:
    """A reason nothing failed for, a time that is none, an empty key: a sentence, nothing done, status 2."""
    job = fail(bench)
    expected = {
        ("--reason", "RUN_FALED"): "did you mean RUN_FAILED?",
        ("--reason", "ZZZ"): "failed jobs here have: RUN_FAILED",
        ("--since", "yesterday"): "--since 'yesterday' is no time",
        ("--until", "2h30"): "--until '2h30' is no time",
        ("--key", ""): "--key is empty",
    }
    for arguments, told in expected.items():
        result = desk.run("redrive", *arguments, "--yes")
        assert (result.exit_code, result.stdout) == (2, "")
        assert told in result.stderr
    assert bench.only() == job


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", 10_000_000_000 - 5_400_000),
        ("2h", 10_000_000_000 - 7_200_000),
        ("3D", 10_000_000_000 - 259_200_000),
        ("1970-01-02", 86_400_000),
        ("1970-01-02T01:00+01:00", 86_400_000),
        ("", 0),
    ],
)
def test_times_as_people_write_them(text: str, expected: int) -> None:
    """Spans before now, dates, and times with or without a zone (UTC)."""
    assert selecting.moment(text, "--since", 10_000_000_000) == expected


@pytest.mark.parametrize("text", ["h", "-2h", "2 fortnights", "99999999999h", "2026-13-01", "\x00"])
def test_times_that_are_none(text: str) -> None:
    """Whatever else is refused with what to write."""
    with pytest.raises(Stopped, match="is no time"):
        selecting.moment(text, "--since", 10_000_000_000)


def test_dead_letters_go_home(bench: Bench, desk: Console) -> None:
    """Each message goes back to the queue it came from, none is lost, and the drop it names runs."""
    key = bench.put("a.png", picture())
    bench.put("a.png.json", BRIA)
    body = json.dumps({"drop": {"bucket": bench.world.settings.input_bucket, "key": key}})
    desk.send("WorkDeadLetterQueueUrl", body)
    for number in range(12):
        desk.send("DropDeadLetterQueueUrl", str(number))
    shown = desk.run("redrive", "--dead-letters", answer="yes\n")
    assert shown.exit_code == 0
    assert "Move 13 dead letters back?" in shown.stderr
    assert "13 messages moved back" in shown.stdout
    home = desk.dead_letters["DropQueueUrl"]
    assert sorted(desk.messages(home) + desk.messages(home), key=int) == [str(number) for number in range(12)]
    assert desk.messages(desk.dead_letters["DropDeadLetterQueueUrl"]) == []
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}
    told = desk.json("redrive", "--dead-letters", "--yes")
    assert told["dead_letters"] == {"DropDeadLetterQueue": 0, "WorkDeadLetterQueue": 0}
    assert "are empty" in desk.run("redrive", "--dead-letters").stdout


def test_no_dead_letter_is_lost(bench: Bench, deployed: Template) -> None:
    """Its own queue is gone: the message is not deleted, and the command says what is not there; status 1."""
    sqs = bench.world.aws.sqs
    gone = sqs.create_queue(QueueName=f"gone-{bench.folder[-12:]}")["QueueUrl"]
    desk = console(bench, deployed, DropQueueUrl=gone)
    desk.send("DropDeadLetterQueueUrl", "{}")
    sqs.delete_queue(QueueUrl=gone)
    result = desk.run("redrive", "--dead-letters", "--yes")
    assert result.exit_code == 1
    assert "is not there (SendMessageBatch" in result.stderr
    hidden: Any = "ApproximateNumberOfMessagesNotVisible"
    left = sqs.get_queue_attributes(QueueUrl=desk.dead_letters["DropDeadLetterQueueUrl"], AttributeNames=[hidden])
    assert left["Attributes"][hidden] == "1"
