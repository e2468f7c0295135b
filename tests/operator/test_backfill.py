"""`backdrop backfill`: photos that lay there before the stack did run, once, after it was said what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bench import BRIA, CUT, VARIANTS, picture, start

from backdrop import table
from backdrop.states import State
from backdrop_cli.operator import backfilling

if TYPE_CHECKING:
    from bench import Bench
    from console import Console


def test_photos_from_before_run(bench: Bench, desk: Console) -> None:
    """With a sidecar and under a folder default: named, priced, asked for, run; run again, it finds nothing."""
    bench.put("old/_backdrop.json", CUT)
    bench.put("old/a.png", picture())
    bench.put("old/deep/b.png", picture(seed=1))
    bench.put("old/c.png", picture(seed=2))
    bench.put("old/c.png.json", BRIA)
    shown = desk.run("backfill", f"{bench.folder}/old/", answer="y\n")
    assert shown.exit_code == 0
    assert "3 photos under" in shown.stdout
    assert "bria/background/remove 1" in shown.stdout
    assert "$0.018 at list prices for 1 job, and 2 jobs whose price is not published" in shown.stdout
    assert "Run 3 photos? [y/N]" in shown.stderr
    bench.work()
    bench.later(21)
    bench.work()
    bench.sweep()
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}
    assert len(bench.paid()) == 3
    again = desk.json("backfill", f"{bench.folder}/old/", "--yes")
    assert (again["images"], again["already_known"], again["sent"]) == (3, 3, 0)


def test_what_has_a_job_or_a_row_is_left_alone(bench: Bench, desk: Console) -> None:
    """Photos that have run, wait or were refused are not sent again."""
    start(bench, name="done.png")
    bench.finish()
    bench.drop("waiting.png", picture(seed=1))
    bench.put("new.png", picture(seed=2))
    bench.put("new.png.json", BRIA)
    told = desk.json("backfill", f"{bench.folder}/", "--dry-run")
    assert [image["key"] for image in told["to_send"]] == [f"{bench.folder}/new.png"]
    assert (told["images"], told["already_known"], told["sent"], told["dry_run"]) == (3, 2, 0, True)
    assert told["cost"] == {"usd": "0.018", "priced_jobs": 1, "unpriced_jobs": 0}
    assert told["models"] == {BRIA["model"]: 1}


def test_photos_without_a_spec_that_holds_are_left_out(bench: Bench, desk: Console) -> None:
    """No spec, a bad one, two of them: counted with the reason, not sent; status 3."""
    bench.put("none.png", picture())
    bench.put("bad.png", picture(seed=1))
    bench.put("bad.png.json", {"model": "bria/background/remov"})
    bench.put("two.png", picture(seed=2))
    bench.put("two.png.json", BRIA)
    bench.put("two.png.yaml", "model: bria/background/remove")
    bench.put("_reference.png", picture(seed=3))
    bench.put("notes.txt", "x")
    told = desk.json("backfill", f"{bench.folder}/", "--yes", status=3)
    assert told["sent"] == 0
    assert told["images"] == 3
    assert told["without_spec"] == [f"{bench.folder}/none.png"]
    reasons = {refused["spec"].rsplit("/", 1)[1]: refused["why"] for refused in told["refused"]}
    assert set(reasons) == {"bad.png.json", "two.png"}
    assert "Did you mean bria/background/remove" in reasons["bad.png.json"]
    assert "has 2 specs" in reasons["two.png"]
    shown = desk.run("backfill", f"{bench.folder}/")
    assert shown.exit_code == 3
    assert "There is nothing to run." in shown.stdout
    assert "1 photo left out for want of a spec" in shown.stdout


def test_a_default_above_the_prefix_counts(bench: Bench, desk: Console) -> None:
    """The nearest default governs, also one that lies above what was named; a nearer one goes before it."""
    bench.put("_backdrop.json", BRIA)
    bench.put("x/_backdrop.json", VARIANTS)
    bench.put("x/y/a.png", picture())
    bench.put("z/a.png", picture(seed=1))
    near = desk.json("backfill", f"{bench.folder}/x/y/", "--dry-run")
    far = desk.json("backfill", f"{bench.folder}/z/a", "--dry-run")
    assert [image["spec"] for image in near["to_send"]] == [f"{bench.folder}/x/_backdrop.json"]
    assert [image["spec"] for image in far["to_send"]] == [f"{bench.folder}/_backdrop.json"]


def test_it_goes_on_where_it_ended(bench: Bench, desk: Console) -> None:
    """With --limit it sends so many, says that there are more, and the next run takes the rest."""
    for number in range(3):
        bench.put(f"{number}.png", picture(seed=number))
        bench.put(f"{number}.png.json", BRIA)
    first = desk.json("backfill", f"{bench.folder}/", "--limit", "2", "--yes")
    assert (first["sent"], first["more"]) == (2, True)
    bench.work()
    second = desk.json("backfill", f"{bench.folder}/", "--limit", "2", "--yes")
    assert (second["sent"], second["already_known"], second["more"]) == (1, 2, False)
    bench.work()
    assert {job.state for job in bench.finish()} == {State.SUCCEEDED}
    assert len(bench.paid()) == 3


def test_a_photo_sent_twice_runs_once(bench: Bench, desk: Console) -> None:
    """Interrupted and run again before the first messages were handled: each photo is paid for once."""
    bench.put("a.png", picture())
    bench.put("a.png.json", BRIA)
    for _ in range(2):
        assert desk.json("backfill", f"{bench.folder}/", "--yes")["sent"] == 1
    bench.work()
    bench.finish()
    assert len(bench.paid()) == 1


def test_nothing_is_sent_without_a_yes(bench: Bench, desk: Console) -> None:
    """No, and nobody to answer: nothing is sent."""
    bench.put("a.png", picture())
    bench.put("a.png.json", BRIA)
    assert "Nothing was sent." in desk.run("backfill", f"{bench.folder}/", answer="n\n").stdout
    assert desk.run("backfill", f"{bench.folder}/").exit_code == 2
    assert desk.run("backfill", f"{bench.folder}/", "--json").exit_code == 2
    assert bench.work() == 0


@pytest.mark.parametrize("bench", [{"daily_budget_usd": "3"}], indirect=True)
def test_a_budget_is_named(bench: Bench, desk: Console) -> None:
    """Where a day's budget is set, the plan says what exceeds it."""
    bench.put("a.png", picture())
    bench.put("a.png.json", BRIA)
    assert "The daily budget is $3.00" in desk.run("backfill", f"{bench.folder}/", "--dry-run").stdout


def test_an_empty_prefix_is_answered_with_what_was_meant(bench: Bench, desk: Console) -> None:
    """Nothing lies under a mistyped folder: the one that was meant; status 2."""
    bench.put("shoes/a.png", picture())
    result = desk.run("backfill", f"{bench.folder}/shos/")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"did you mean {bench.folder}/shoes/?" in result.stderr


def test_a_listing_without_end_is_refused(bench: Bench, desk: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """More objects than one run holds in memory: it says to take one folder after the other."""
    bench.put("a.png", picture())
    bench.put("b.png", picture(seed=1))
    monkeypatch.setattr(backfilling, "MOST_LISTED", 1)
    result = desk.run("backfill", f"{bench.folder}/")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "one folder after the other" in result.stderr


def test_what_ran_long_ago_is_not_paid_again(bench: Bench, desk: Console) -> None:
    """Rows end after RetentionDays, results stay: a photo whose record lies there is left alone."""
    start(bench, name="done.png")
    bench.finish()
    table.delete(bench.world, bench.only().job_id)
    assert bench.jobs() == []
    told = desk.json("backfill", f"{bench.folder}/", "--dry-run")
    assert (told["images"], told["already_known"], told["to_send"]) == (1, 1, [])
