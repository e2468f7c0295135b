"""The callback door, through API Gateway: who is let in, and who is not."""

import json
import time
from typing import Any

from hosted.stage import Stage, request

MODEL = "runflow/background-color"
SPEC = f"model: {MODEL}\ninput: {{color_red: 10, color_green: 20, color_blue: 30}}\n"
FORGED = "k1." + "A" * 43  # the form of a token, from someone who has not the key


def test_a_forged_callback_is_refused_and_changes_nothing(stage: Stage) -> None:
    """Whoever guesses a callback URL gets a 401, whatever the body says, and the job goes on as if nothing were."""
    begun = time.time()
    key = stage.key("forged", "bottle")
    stage.control("PUT", "trouble", {"slow_run": [{"times": 1, "ms": 6000}]})
    stage.drop(key, stage.photo("bottle"))
    stage.drop(f"{key}.yaml", SPEC)
    (job,) = stage.wait("the provider takes it", lambda: _running(stage, key))
    url = f"{stage.deployed.callback_base_url}/callbacks/runflow/{job['job_id']}/1"
    body = json.dumps({"run_id": next(iter(job["runs"].values())), "status": "completed"}).encode()
    answers = {path: request("POST", f"{url}/{path}", body) for path in (FORGED, "k9" + FORGED[2:], "x", "k1.short")}
    assert {path: reply.status for path, reply in answers.items()} == dict.fromkeys(answers, 401)
    assert len({reply.body for reply in answers.values()}) == 1, "a refusal tells how far it got"
    assert request("POST", f"{stage.deployed.callback_base_url}/callbacks/runflow/{job['job_id']}", body).status == 403
    assert request("GET", f"{url}/{FORGED}").status in {403, 405}
    assert stage.jobs(key)[0]["state"] == "RUNNING"
    (done,) = stage.succeeded(key)
    assert done["runs"] == job["runs"]
    stage.wait("it is counted", lambda: [line for line in stage.log("webhook", begun) if '"CallbacksRejected"' in line])


def test_a_callback_with_a_wrong_signature_is_refused(stage: Stage) -> None:
    """A callback to the right URL that the provider has not signed does not count; the provider is asked instead."""
    begun = time.time()
    key = stage.key("signature", "bottle")
    stage.control("PUT", "trouble", {"callback_forged": [{"times": 1, "provider": "runflow"}]})
    stage.drop(key, stage.photo("bottle"))
    stage.drop(f"{key}.yaml", SPEC)
    (job,) = stage.wait("the provider takes it", lambda: _running(stage, key))
    stage.wait(
        "the callback is refused",
        lambda: [line for line in stage.log("webhook", since=begun) if '"callback rejected"' in line],
    )
    assert stage.jobs(key)[0]["state"] == "RUNNING"
    stage.wait("it is asked about", lambda: _asked_about(stage, key))
    stage.succeeded(key)
    assert stage.paid(job["job_id"]) == 1


def test_a_callback_that_comes_twice_delivers_once(stage: Stage) -> None:
    """A provider that calls back three times is answered well each time, and the result is written once."""
    begun = time.time()
    key = stage.key("twice", "bottle")
    stage.control("PUT", "trouble", {"callback_duplicated": [{"times": 1, "copies": 2}]})
    stage.drop(key, stage.photo("bottle"))
    stage.drop(f"{key}.yaml", SPEC)
    (job,) = stage.succeeded(key)

    def calls() -> list[str]:
        lines = stage.log("webhook", since=begun)
        return [line for line in lines if '"message":"callback"' in line and job["job_id"] in line]

    stage.wait("all three callbacks come", lambda: len(calls()) >= 3)
    versions = stage.s3.list_object_versions(
        Bucket=stage.deployed.outputs["OutputBucketName"], Prefix=f"{key}.background-color.png"
    )["Versions"]
    written = [version for version in versions if version["Key"] == f"{key}.background-color.png"]
    assert len(written) == 1


def _asked_about(stage: Stage, key: str) -> bool:
    stage.sweep()
    return not _running(stage, key)


def _running(stage: Stage, key: str) -> list[dict[str, Any]]:
    return [job for job in stage.jobs(key) if job["state"] == "RUNNING"]
