"""What only the schedule can see to; the drops were made before all other scenarios. And what the logs hold of all."""

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from hosted.fixtures import AFTER, LeftAlone
from hosted.stage import Stage

# The rule fires once a minute, and LocalStack's first minute begins with the deploy.
PATIENCE = 150.0
SECRETS = re.compile(r"X-Amz-Signature|k1\.[A-Za-z0-9_-]{43}|rf_live_sandbox|bc_sandbox|ip_live_sandbox|whsec_sandbox")


def test_a_lost_callback_is_rescued_by_the_sweep(
    stage: Stage, left_alone: LeftAlone, record_property: Callable[[str, object], None]
) -> None:
    """A job whose callback never comes is asked about, and its result brought home by `reconcile`, paid for once."""
    (job,) = stage.succeeded(left_alone.callback, seconds=PATIENCE)
    record_property(AFTER, round(int(job["delivered_at"]) / 1000 - left_alone.since))
    assert stage.paid(job["job_id"]) == 1
    assert not any(job["job_id"] in line for line in stage.log("webhook"))
    stage.wait(
        "reconcile says so",
        lambda: [line for line in stage.log("reconcile") if job["job_id"] in line and '"deliver"' in line],
    )


@pytest.mark.parametrize(("half", "code"), [("photo", "NO_SPEC"), ("spec", "PHOTO_MISSING")])
def test_half_a_drop_is_answered_with_an_error_file(
    stage: Stage, left_alone: LeftAlone, half: str, code: str, record_property: Callable[[str, object], None]
) -> None:
    """A photo without a spec, and a spec without a photo, are told what is missing: nothing happens silently."""
    error = f"{getattr(left_alone, half)}.error.json"
    stage.wait(f"{error} comes", lambda: error in stage.results("left/"), PATIENCE)
    told = stage.document(error)
    assert [problem["code"] for problem in told["problems"]] == [code]
    record_property(AFTER, round(datetime.fromisoformat(told["written"]).timestamp() - left_alone.since))


@pytest.mark.parametrize("function", ["submit", "webhook", "reconcile"])
def test_no_log_holds_a_secret(stage: Stage, function: str) -> None:
    """After all scenarios no line of a function's log group holds a key, a callback token or a presigned query."""
    lines = stage.log(function)
    assert any("platform.report" in line or line.startswith("REPORT") for line in lines)
    assert any('"service":"backdrop"' in line for line in lines)
    assert [line for line in lines if SECRETS.search(line)] == []
