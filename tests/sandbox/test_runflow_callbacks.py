"""Runflow's callbacks: envelope, signature, retries, history, and the ways in which they go wrong."""

import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest
from desk import NO_TLS, RUNFLOW, Call, Desk, Ground, wait_for

from backdrop_cli.sandbox.callbacks import RUNFLOW_BACKOFF, sendable, sign
from backdrop_cli.sandbox.server import running

VECTOR = (
    '{"event":"run.completed","run_id":"0197f3a2-6c1e-7b44-9d0a-3f5e2c8a1b60","status":"succeeded",'
    '"output":{"image_urls":["https://files.example.test/out/0.png"]},"duration_ms":18342,'
    '"created_at":"2026-05-06T10:00:00.125000+00:00","completed_at":"2026-05-06T10:00:18.467000+00:00",'
    '"metadata":{"sku":"A-17"}}'
)


def is_signed(call: Call, secret: str = "whsec_sandbox") -> bool:
    """Whether a callback's signature is the HMAC of its raw body."""
    expected = hmac.new(secret.encode(), call.body, hashlib.sha256).hexdigest()
    return call.headers.get("runflow-signature") == expected


def test_the_documented_vector_is_signed_as_documented() -> None:
    """The key is the whole secret with its prefix, the text the raw body, the signature bare hex."""
    assert len(VECTOR) == 303
    assert sign("whsec_test_1234", VECTOR.encode()) == (
        "6ad17abc491af88dde2657d727bc47323ea802e99c9c5b5cab1359dffccf08be"
    )
    assert sign("whsec_test_1234", json.dumps(json.loads(VECTOR)).encode()).startswith("c39f6531")


def test_a_finished_run_calls_back_with_the_documented_envelope(desk: Desk) -> None:
    """The envelope has exactly its eight fields, is compact JSON, signed, and names its request."""
    run_id = desk.create(callback_url=desk.hook, metadata={"sku": "ü"}, client_ref="x").json()["id"]
    (call,) = desk.ground.wait()
    told = json.loads(call.body)
    assert list(told) == [
        *("event", "run_id", "status", "output", "duration_ms", "created_at", "completed_at", "metadata")
    ]
    assert (told["event"], told["run_id"], told["status"]) == ("run.completed", run_id, "succeeded")
    assert told["created_at"].endswith("+00:00")
    assert told["metadata"] == {"sku": "ü"}
    assert desk.http.get(told["output"]["image_urls"][0]).status_code == 200
    assert call.body == json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    assert call.headers["runflow-request-id"]
    assert call.headers["content-type"] == "application/json"
    assert is_signed(call)


@pytest.mark.parametrize(
    ("switches", "event", "status", "record_status"),
    [
        ({"run_fails": True}, "run.failed", "failed", "failed"),
        ({"run_cancelled": True}, "run.cancelled", "cancelled", "canceled"),
        ({"run_partial": True}, "run.partial_succeeded", "partial_succeeded", "partial_succeeded"),
        (
            {"run_cancelled": True, "callback_cancelled_spelling": "canceled", "run_cancelled_spelling": "cancelled"},
            *("run.cancelled", "canceled", "cancelled"),
        ),
    ],
)
def test_every_end_has_its_event(
    desk: Desk, switches: dict[str, Any], event: str, status: str, record_status: str
) -> None:
    """Failed, cancelled and partly succeeded runs tell their event, and spell cancelled as each surface does."""
    desk.sandbox.trouble(**switches)
    run_id = desk.create(callback_url=desk.hook).json()["id"]
    told = json.loads(desk.ground.wait()[0].body)
    assert (told["event"], told["status"]) == (event, status)
    assert (told["output"] is None) == (event != "run.partial_succeeded")
    assert desk.run(run_id)["status_code"] == record_status


def test_a_failures_output_has_two_shapes(desk: Desk) -> None:
    """By the mode, the callback of a failed run carries null or an error envelope."""
    desk.sandbox.trouble(run_fails={"code": "MODEL_UNAVAILABLE", "message": "down"}, failed_output="envelope")
    run_id = desk.create(callback_url=desk.hook).json()["id"]
    told = json.loads(desk.ground.wait()[0].body)
    assert told["output"] == {"code": "MODEL_UNAVAILABLE", "message": "down", "errors": None}
    record = desk.run(run_id)
    assert (record["failure_code"], record["failure_stage_code"]) == ("MODEL_UNAVAILABLE", "execution")


def test_a_5xx_is_tried_three_times_one_and_two_seconds_apart(web: Ground) -> None:
    """The default schedule is the model pages': three attempts, waits of 1 s and 2 s, the same bytes each time."""
    web.answers.extend([500, 503])
    with running(image_origins=[web.origin]) as sandbox:
        http = httpx.Client(base_url=sandbox.url, trust_env=False, verify=NO_TLS)
        desk = Desk(sandbox, web, http)
        run_id = desk.create(callback_url=desk.hook).json()["id"]
        first, second, third = web.wait(3)
        (delivery,) = wait_for(lambda: {"all": history(desk, run_id)}, lambda one: one["all"][0]["completed_at"])["all"]
        http.close()
    assert RUNFLOW_BACKOFF == (1.0, 2.0)
    assert 0.9 < second.at - first.at < 1.9
    assert 1.9 < third.at - second.at < 2.9
    assert first.body == second.body == third.body
    assert (delivery["attempt_count"], delivery["max_attempts"]) == (3, 3)
    assert [one["status_code"] for one in delivery["attempts"]] == [500, 503, 200]


def history(desk: Desk, run_id: str) -> list[dict[str, Any]]:
    """The delivery history of a run."""
    told: list[dict[str, Any]] = desk.http.get(f"/v1/runs/{run_id}/callback", headers=RUNFLOW).json()
    return told


def settled(desk: Desk, run_id: str) -> dict[str, Any]:
    """The last delivery of a run, once it is over."""
    told = wait_for(
        lambda: {"all": history(desk, run_id)},
        lambda one: bool(one["all"]) and one["all"][-1]["completed_at"] is not None,
    )
    last: dict[str, Any] = told["all"][-1]
    return last


@pytest.mark.parametrize(("retries_any", "attempts"), [(False, 1), (True, 3)])
def test_a_4xx_is_final_unless_the_mode_says_otherwise(desk: Desk, *, retries_any: bool, attempts: int) -> None:
    """The model pages retry 5xx only, the concept page any non-2xx: the mode chooses."""
    desk.sandbox.trouble(callback_retries_any_failure=retries_any)
    desk.ground.answers.extend([404] * 5)
    run_id = desk.create(callback_url=desk.hook).json()["id"]
    delivery = settled(desk, run_id)
    assert len(desk.ground.calls) == delivery["attempt_count"] == attempts
    assert (delivery["status_code"], delivery["failure_reason_code"]) == ("failed", "status")


def test_a_dead_receiver_is_a_network_failure(desk: Desk) -> None:
    """Connection errors are retried and end as a failed delivery."""
    run_id = desk.create(callback_url="http://127.0.0.1:9/hook").json()["id"]
    delivery = settled(desk, run_id)
    assert (delivery["attempt_count"], delivery["failure_reason_code"]) == (3, "network")
    assert delivery["attempts"][0]["error_message"] == "ConnectError"


def test_a_redelivery_is_built_from_the_present_state(desk: Desk) -> None:
    """It has fresh URLs, so other bytes and another signature, and is not automatic."""
    run_id = desk.create(callback_url=desk.hook).json()["id"]
    settled(desk, run_id)
    desk.sandbox.advance(10)
    reply = desk.http.post(f"/v1/runs/{run_id}/callback-redeliveries", headers=RUNFLOW)
    assert (reply.status_code, reply.json()["is_automatic"]) == (201, False)
    first, second = desk.ground.wait(2)
    assert first.body != second.body
    assert is_signed(second)
    settled(desk, run_id)
    assert [one["is_automatic"] for one in history(desk, run_id)] == [True, False]


def test_redelivery_has_guards(desk: Desk) -> None:
    """422 with type conflict for a run that goes on, one without a callback_url, or a delivery under way."""
    desk.sandbox.trouble(run_stuck={"times": 1})
    stuck = desk.create(callback_url=desk.hook).json()["id"]
    silent = desk.create().json()["id"]
    desk.ended(silent)
    desk.sandbox.trouble(callback_late={"seconds": 60})
    late = desk.create(callback_url=desk.hook).json()["id"]
    desk.ended(late)
    for run_id in (stuck, silent, late):
        reply = desk.http.post(f"/v1/runs/{run_id}/callback-redeliveries", headers=RUNFLOW)
        assert (reply.status_code, reply.json()["errors"][0]["type"]) == (422, "conflict")
    assert desk.http.post("/v1/runs/none/callback-redeliveries", headers=RUNFLOW).status_code == 404


def test_a_lost_callback_never_comes(desk: Desk) -> None:
    """With the switch on, the run ends and nobody is told; the next one is."""
    desk.sandbox.trouble(callback_lost=1)
    lost = desk.create(callback_url=desk.hook).json()["id"]
    assert settled(desk, lost)["attempt_count"] == 0
    told = desk.create(callback_url=desk.hook).json()["id"]
    assert json.loads(desk.ground.wait()[0].body)["run_id"] == told
    assert desk.sandbox.status()["callbacks_lost"] >= 1


def test_a_late_callback_waits(desk: Desk) -> None:
    """It comes after its seconds, and the run's record is there long before."""
    desk.sandbox.trouble(callback_late={"seconds": 0.7})
    run_id = desk.create(callback_url=desk.hook).json()["id"]
    desk.ended(run_id)
    assert not desk.ground.calls
    assert history(desk, run_id)[0]["next_attempt_at"]
    assert is_signed(desk.ground.wait()[0])


def test_a_duplicated_callback_comes_again_with_the_same_bytes(desk: Desk) -> None:
    """Two copies more are three callbacks, all genuine."""
    desk.sandbox.trouble(callback_duplicated={"copies": 2})
    desk.create(callback_url=desk.hook)
    calls = desk.ground.wait(3)
    assert len({call.body for call in calls}) == 1
    assert all(is_signed(call) for call in calls)


def test_reordered_callbacks_change_places(desk: Desk) -> None:
    """The first run's callback is held until the second's has been sent."""
    desk.sandbox.trouble(callback_reordered={"times": 1, "seconds": 8})
    first = desk.create(callback_url=desk.hook).json()["id"]
    desk.ended(first)
    second = desk.create(callback_url=desk.hook).json()["id"]
    came = [json.loads(call.body)["run_id"] for call in desk.ground.wait(2)]
    assert came == [second, first]


def test_a_held_callback_does_not_wait_for_ever(desk: Desk) -> None:
    """When no other callback is sent, it leaves after its seconds."""
    desk.sandbox.trouble(callback_reordered={"seconds": 0.2})
    desk.create(callback_url=desk.hook)
    assert is_signed(desk.ground.wait()[0])


@pytest.mark.parametrize("switch", ["callback_forged", "callback_unsigned", "callback_reserialised"])
def test_a_spoilt_signature_does_not_verify(desk: Desk, switch: str) -> None:
    """Forged: another key; unsigned: no header; re-serialised: a signature over other bytes of the same JSON."""
    desk.sandbox.trouble(**{switch: True})
    desk.create(callback_url=desk.hook)
    (call,) = desk.ground.wait()
    assert not is_signed(call)
    assert ("runflow-signature" in call.headers) == (switch != "callback_unsigned")
    if switch == "callback_reserialised":
        dumped = json.dumps(json.loads(call.body)).encode()
        assert call.headers["runflow-signature"] == sign("whsec_sandbox", dumped)


def test_secrets_rotate_and_are_shown_once(desk: Desk) -> None:
    """A new secret signs from then on; the older one signs again when it is made current; none means unsigned."""
    path = "/v1/callback-secrets"
    (old,) = desk.http.get(path, headers=RUNFLOW).json()
    made = desk.http.post(path, headers=RUNFLOW, json={"label": "new"})
    new = made.json()
    assert made.status_code == 201
    assert new["plain_secret"].startswith("whsec_")
    assert "plain_secret" not in desk.http.get(f"{path}/{new['id']}", headers=RUNFLOW).text
    desk.create(callback_url=desk.hook)
    assert is_signed(desk.ground.wait()[0], new["plain_secret"])
    changed = desk.http.patch(f"{path}/{old['id']}", headers=RUNFLOW, json={"is_current": True, "label": "old"})
    assert (changed.json()["is_current"], changed.json()["label"]) == (True, "old")
    assert desk.http.get(f"{path}/{new['id']}", headers=RUNFLOW).json()["is_current"] is False
    desk.create(callback_url=desk.hook)
    assert is_signed(desk.ground.wait(2)[1])
    desk.http.patch(f"{path}/{old['id']}", headers=RUNFLOW, json={"is_current": False})
    desk.create(callback_url=desk.hook)
    assert "runflow-signature" not in desk.ground.wait(3)[2].headers
    assert desk.http.get(f"{path}/none", headers=RUNFLOW).status_code == 404
    assert desk.http.post(path, headers=RUNFLOW, json={"label": "x" * 256}).status_code == 422


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://example.test/hook", True),
        ("http://127.0.0.1:8000/hook", True),
        ("http://localhost/hook", True),
        ("http://[::1]/hook", True),
        ("http://example.test/hook", False),
        ("http://10.1.2.3/hook", False),
        ("ftp://127.0.0.1/hook", False),
        ("https://", False),
        ("http://[::1/hook", False),
        ("http://127.0.0.1:99999/", False),
    ],
)
def test_plain_http_callbacks_go_to_loopback_only(url: str, *, good: bool) -> None:
    """Https goes anywhere, http to loopback, nothing else anywhere."""
    assert sendable(url) == good
