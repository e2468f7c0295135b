"""Runs at Runflow: making them, reading them, and what is refused."""

import base64
import time
from typing import Any

import pytest
from desk import RUNFLOW, Desk, draw_bomb, draw_photo, wait_for

COLOR = "runflow/background-color"
REPLACE = "runflow/background-replace"
BRIA = "bria/background/remove"
RECORD_FIELDS = {
    *("id", "status_code", "target_type", "model_id", "flow_id", "comfyui_workflow_id", "flow_version_id"),
    *("resolved_template_id", "org_id", "batch_id", "created_by", "target_version", "source_code"),
    *("jurisdiction_code", "request_id", "client_ref", "callback_url", "input", "output", "context"),
    *("cost_breakdown", "metadata", "links", "duration_ms", "nodes_total", "nodes_completed", "cost"),
    *("created_at", "started_at", "completed_at", "has_logs", "has_node_runs", "failure_code"),
    *("failure_message", "failure_stage_code", "node_runs"),
}


def test_a_new_run_is_answered_with_its_whole_record(desk: Desk) -> None:
    """The create reply is 201 with every documented field, queued, and nothing finished."""
    reply = desk.create(metadata={"sku": "A-17"}, client_ref="job-1")
    record = reply.json()
    assert reply.status_code == 201
    assert set(record) == RECORD_FIELDS
    assert record["status_code"] == "queued"
    assert record["target_type"] == "model"
    assert record["metadata"] == {"sku": "A-17"}
    assert record["client_ref"] == "job-1"
    assert record["output"] is record["cost"] is record["completed_at"] is record["failure_code"] is None
    assert record["created_at"].endswith("Z")
    assert record["id"][14] == "7"


@pytest.mark.parametrize(
    ("model", "price"), [(COLOR, "0.12"), (REPLACE, "0.35"), (BRIA, "0.018")], ids=["color", "replace", "bria"]
)
def test_each_model_delivers_a_picture_of_the_photos_size(desk: Desk, model: str, price: str) -> None:
    """A run ends succeeded, costs its page's price, and its signed URL serves a PNG."""
    archive = {"zip_url": f"{desk.ground.origin}/inputs.zip", "file_image": "image.png"}
    given: dict[str, Any] = {
        COLOR: desk.color_input(),
        REPLACE: {**archive, "file_reference": "reference.png", "prompt": ""},
        BRIA: {"image_url": desk.photo},
    }[model]
    record = desk.ended(desk.create(model, given).json()["id"])
    assert record["status_code"] == "succeeded"
    assert record["cost"] == price
    assert record["duration_ms"] >= 0
    output = record["output"]
    url = output["outputs"][0]["url"] if model == BRIA else output["image_urls"][0]
    picture = desk.http.get(url)
    assert picture.headers["content-type"] == "image/png"
    assert picture.content[16:24] == bytes([0, 0, 0, 160, 0, 0, 0, 120])
    if model == BRIA:
        assert output["outputs"][0] | {"url": ""} == {
            "url": "",
            "type": "image",
            "width": 160,
            "height": 120,
            "duration": None,
        }
        assert output["nsfw_detected"] is output["seed"] is None
        assert output["timing"]["inference_ms"] >= 0


def test_result_urls_are_signed_anew_on_each_read_and_run_out(desk: Desk) -> None:
    """An old URL answers 403 after its time, and the record then gives one that opens."""
    run_id = desk.create().json()["id"]
    first = desk.ended(run_id)["output"]["image_urls"][0]
    assert desk.http.get(first).status_code == 200
    desk.sandbox.advance(3601)
    assert desk.http.get(first).status_code == 403
    second = desk.run(run_id)["output"]["image_urls"][0]
    assert second != first
    assert desk.http.get(second).status_code == 200
    assert desk.http.get(second.replace("signature=", "signature=0")).status_code == 403


def test_the_flat_form_answers_at_once(desk: Desk) -> None:
    """The flat route takes a zip with `file_input` or the plain image, and answers `images[0].url`."""
    zipped = desk.color_input(image_url=f"{desk.ground.origin}/inputs.zip", file_input="image.png")
    for given in (zipped, desk.color_input()):
        reply = desk.http.post(f"/v1/run/{COLOR}", headers=RUNFLOW, json=given)
        assert reply.status_code == 200
        assert desk.http.get(reply.json()["images"][0]["url"]).content.startswith(b"\x89PNG")
    assert desk.sandbox.ledger()["by_model"] == {COLOR: 2}


def test_the_flat_form_refuses_what_it_cannot_use(desk: Desk) -> None:
    """Another model is 404, a missing channel or an unnamed member 422, a busy model 503."""
    zipped = desk.color_input(image_url=f"{desk.ground.origin}/inputs.zip")
    assert desk.http.post(f"/v1/run/{BRIA}", headers=RUNFLOW, json=zipped).status_code == 404
    assert desk.http.post(f"/v1/run/{COLOR}", headers=RUNFLOW, json={"image_url": desk.photo}).status_code == 422
    unnamed = desk.http.post(f"/v1/run/{COLOR}", headers=RUNFLOW, json=zipped)
    assert (unnamed.status_code, unnamed.json()["code"]) == (422, "INPUT_INVALID")
    desk.sandbox.trouble(run_fails={"retryable": True}, flat_needs_file_input=True)
    assert desk.http.post(f"/v1/run/{COLOR}", headers=RUNFLOW, json=desk.color_input()).status_code == 422
    named = desk.http.post(f"/v1/run/{COLOR}", headers=RUNFLOW, json=desk.color_input(file_input="image.png"))
    assert (named.status_code, named.json()["code"]) == (503, "MODEL_UNAVAILABLE")


@pytest.mark.parametrize(
    ("mode", "in_reply", "in_callback"),
    [("both", True, True), ("reply", True, False), ("callback", False, True), ("neither", False, False)],
)
def test_sync_mode_media_is_told_once_and_not_kept(desk: Desk, mode: str, *, in_reply: bool, in_callback: bool) -> None:
    """A sync_mode run's media is a data URI in the reply or the callback, as the mode says, never in the record."""
    desk.sandbox.trouble(sync_media=mode)
    reply = desk.create(BRIA, {"image_url": desk.photo, "sync_mode": True}, callback_url=desk.hook)
    call = desk.ground.wait()[0]
    assert (b"data:image/png;base64," in call.body) == in_callback
    assert ("data:image/png;base64," in reply.text) == in_reply
    if in_reply:
        url = reply.json()["output"]["outputs"][0]["url"]
        assert base64.b64decode(url.partition(",")[2]).startswith(b"\x89PNG")
    record = desk.ended(reply.json()["id"])
    assert record["status_code"] == "succeeded"
    assert record["output"] is None


def test_a_sync_mode_reply_does_not_wait_for_ever(desk: Desk) -> None:
    """When the media is not ready in time the create reply is the queued record."""
    desk.sandbox.trouble(slow_run={"ms": 400}, sync_wait_seconds=0.05)
    reply = desk.create(BRIA, {"image_url": desk.photo, "sync_mode": True})
    assert (reply.status_code, reply.json()["output"]) == (201, None)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"color_red": 256}, ["input", "color_red"]),
        ({"color_red": -1}, ["input", "color_red"]),
        ({"color_red": "10"}, ["input", "color_red"]),
        ({"colour_red": 1}, ["input", "colour_red"]),
        ({"image_url": "http://example.test/a.png"}, ["input", "image_url"]),
        ({"image_url": "file:///etc/passwd"}, ["input", "image_url"]),
        ({"image_url": ""}, ["input", "image_url"]),
    ],
)
def test_a_wrong_input_is_422_with_its_place(desk: Desk, changes: dict[str, Any], where: list[str]) -> None:
    """A field out of range, of the wrong type, unknown or unfetchable is refused, and nothing is charged."""
    reply = desk.create(COLOR, desk.color_input(**changes))
    assert (reply.status_code, reply.json()["code"]) == (422, "VALIDATION_ERROR")
    assert reply.json()["errors"][0]["loc"] == where
    assert desk.sandbox.ledger()["count"] == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"input": NaN}', 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"input": {}, "callback_url": "http://example.test/"}', 422),
    ],
)
def test_a_wrong_envelope_is_refused(desk: Desk, body: bytes, status: int) -> None:
    """What is no JSON is 400, what lacks its fields 422."""
    assert desk.http.post(f"/v1/models/{COLOR}/runs", headers=RUNFLOW, content=body).status_code == status


def test_limits_of_the_envelope(desk: Desk) -> None:
    """callback_url ends at 2048 characters, client_ref at 255, http callbacks go to loopback only."""
    assert desk.create(callback_url="https://x.test/" + "a" * 2048).status_code == 422
    assert desk.create(client_ref="r" * 256).status_code == 422
    assert desk.create(callback_url="http://10.0.0.1/hook").status_code == 422
    assert desk.create(client_ref="r" * 255, callback_url=desk.hook).status_code == 201


def test_unknown_models_and_runs_are_404(desk: Desk) -> None:
    """Another model, an escaped slash and an unknown run answer 404 with a code."""
    assert desk.create("openai/gpt-image-2/edit").json()["code"] == "MODEL_NOT_FOUND"
    assert desk.create("runflow%2Fbackground-color").status_code == 404
    for path in ("", "/logs", "/node-runs", "/callback"):
        reply = desk.http.get(f"/v1/runs/nothing{path}", headers=RUNFLOW)
        assert (reply.status_code, reply.json()["code"]) == (404, "RUN_NOT_FOUND")


def test_a_missing_route_speaks_runflows_words(desk: Desk) -> None:
    """An unknown path and a wrong method have the error envelope too."""
    for reply, status in (
        (desk.http.get("/v1/nothing", headers=RUNFLOW), 404),
        (desk.http.delete("/v1/runs", headers=RUNFLOW), 405),
    ):
        assert reply.status_code == status
        assert set(reply.json()) == {"code", "message", "errors"}


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "UNAUTHORIZED"),
        ({"authorization": "Bearer nonsense"}, 401, "UNAUTHORIZED"),
        ({"authorization": "Token rf_live_sandbox"}, 401, "UNAUTHORIZED"),
        ({"authorization": "Bearer bc_sandbox"}, 401, "UNAUTHORIZED"),
        ({**RUNFLOW, "x-organization-id": "other"}, 403, "ORGANIZATION_MEMBERSHIP_REQUIRED"),
    ],
)
def test_keys_are_checked(desk: Desk, headers: dict[str, str], status: int, code: str) -> None:
    """A missing, wrong, misplaced or foreign key opens nothing."""
    reply = desk.http.get("/v1/auth/me", headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_every_reply_tells_the_rate_limit(desk: Desk) -> None:
    """The three X-RateLimit headers stand on successes and on refusals, and 429 comes when the limit is used up."""
    desk.sandbox.trouble(requests_per_minute=2)
    good = desk.http.get("/v1/auth/me", headers=RUNFLOW)
    assert (good.headers["x-ratelimit-limit"], good.headers["x-ratelimit-remaining"]) == ("2", "1")
    assert int(good.headers["x-ratelimit-reset"]) > time.time()
    assert desk.http.get("/v1/runs/none", headers=RUNFLOW).headers["x-ratelimit-remaining"] == "0"
    limited = desk.http.get("/v1/auth/me", headers=RUNFLOW)
    assert (limited.status_code, limited.json()["code"]) == (429, "RATE_LIMITED")
    assert 1 <= int(limited.headers["retry-after"]) <= 60


@pytest.mark.parametrize(
    ("image", "code", "stage"),
    [
        ("/missing.png", "INPUT_FETCH_FAILED", "dispatch"),
        ("/text.txt", "INPUT_INVALID", "validation"),
        ("/broken.zip", "INPUT_INVALID", "validation"),
    ],
)
def test_a_bad_photo_fails_the_run_and_is_not_charged(desk: Desk, image: str, code: str, stage: str) -> None:
    """The record names code, message and stage; the price is given back."""
    run_id = desk.create(COLOR, desk.color_input(image_url=desk.ground.origin + image)).json()["id"]
    record = desk.ended(run_id)
    assert record["status_code"] == "failed"
    assert (record["failure_code"], record["failure_stage_code"]) == (code, stage)
    assert record["failure_message"]
    assert record["output"] is record["cost"] is None
    balance = desk.http.get("/v1/billing/balance", headers=RUNFLOW).json()["balance"]
    assert float(balance) == 10_000


@pytest.mark.parametrize("names", [("Image.png", "reference.png"), ("image.png", "other.png")])
def test_names_in_a_zip_match_exactly(desk: Desk, names: tuple[str, str]) -> None:
    """A name that differs in case or is not there fails the run."""
    given = {"zip_url": f"{desk.ground.origin}/inputs.zip", "file_image": names[0], "file_reference": names[1]}
    assert desk.ended(desk.create(REPLACE, given).json()["id"])["failure_code"] == "INPUT_INVALID"


def test_inline_inputs_become_assets(desk: Desk) -> None:
    """A data URI is turned into a runflow:// reference where it is taken, and refused by bria."""
    inline = "data:image/png;base64," + base64.b64encode(draw_photo()).decode()
    record = desk.create(COLOR, desk.color_input(image_url=inline)).json()
    assert record["input"]["image_url"].startswith("runflow://assets/")
    assert desk.ended(record["id"])["status_code"] == "succeeded"
    assert desk.create(BRIA, {"image_url": inline}).status_code == 422
    assert desk.create(COLOR, desk.color_input(image_url="data:image/png;base64,***")).status_code == 422
    lost = desk.create(COLOR, desk.color_input(image_url="runflow://assets/none")).json()
    assert desk.ended(lost["id"])["failure_code"] == "INPUT_INVALID"


def test_a_zip_bomb_fails_the_run(desk: Desk) -> None:
    """A member that unpacks beyond the bound is refused without being unpacked whole."""
    desk.ground.files["/bomb.zip"] = draw_bomb()
    given = {"zip_url": f"{desk.ground.origin}/bomb.zip", "file_image": "a.png", "file_reference": "a.png"}
    record = desk.ended(desk.create(REPLACE, given).json()["id"])
    assert record["failure_code"] == "INPUT_INVALID"
    assert "too large" in record["failure_message"]


def test_runs_are_found_by_client_ref(desk: Desk) -> None:
    """`q` finds a run by client_ref and by metadata, `fields` narrows where it looks."""
    first = desk.create(client_ref="job-7-1", metadata={"sku": "blue"}).json()["id"]
    second = desk.create(client_ref="job-8-1", metadata={"sku": "job-7-1"}).json()["id"]

    def found(**query: str) -> list[str]:
        reply = desk.http.get("/v1/runs", headers=RUNFLOW, params=query)
        return [row["id"] for row in reply.json()["items"]]

    assert found(q="job-7-1") == [second, first]
    assert found(q="JOB-7-1", fields="client_ref") == [first]
    assert found(q="job-7-1", fields="metadata.sku") == [second]
    assert found(q="nothing") == []
    assert found(sort_by="created_at") == [first, second]


def test_the_list_has_pages(desk: Desk) -> None:
    """`limit` and `pq` walk forward, `from_prev` back; wrong values are 422."""
    ids = [desk.create().json()["id"] for _ in range(5)][::-1]

    def page(**query: str) -> dict[str, Any]:
        told: dict[str, Any] = desk.http.get("/v1/runs", headers=RUNFLOW, params=query).json()
        return told

    first = page(limit="2")
    second = page(limit="2", pq=first["next_pq"])
    third = page(limit="2", pq=second["next_pq"])
    assert [row["id"] for one in (first, second, third) for row in one["items"]] == ids
    assert (first["prev_pq"], third["next_pq"]) == (None, None)
    back = page(limit="2", pq=second["prev_pq"], from_prev="true")
    assert [row["id"] for row in back["items"]] == ids[:2]
    for wrong in ({"limit": "501"}, {"limit": "0"}, {"limit": "x"}, {"pq": "%%%"}, {"sort_by": "colour"}):
        assert desk.http.get("/v1/runs", headers=RUNFLOW, params=wrong).status_code == 422


def test_logs_steps_and_statuses_can_be_read(desk: Desk) -> None:
    """A run has logs and one step; the status enum is listed."""
    run_id = desk.create().json()["id"]
    desk.ended(run_id)
    logs = desk.http.get(f"/v1/runs/{run_id}/logs", headers=RUNFLOW).json()
    said = [line["message"] for line in logs]
    assert said == [
        "run created",
        *(f"status is {status}" for status in ("dispatching", "running", "succeeded")),
    ]
    (step,) = desk.http.get(f"/v1/runs/{run_id}/node-runs", headers=RUNFLOW).json()
    assert desk.http.get(f"/v1/runs/{run_id}/node-runs/{step['id']}", headers=RUNFLOW).json() == step
    assert desk.http.get(f"/v1/runs/{run_id}/node-runs/none", headers=RUNFLOW).status_code == 404
    codes = {one["code"] for one in desk.http.get("/v1/runs/statuses", headers=RUNFLOW).json()}
    assert {"queued", "canceled", "partial_succeeded"} <= codes


def test_the_excess_over_the_cap_stays_queued(desk: Desk) -> None:
    """With one run of a model at a time the second waits queued; another model is not held up."""
    desk.sandbox.trouble(runflow_runs_at_a_time=1, slow_run={"ms": 1500, "model": COLOR, "times": 1})
    first, second = (desk.create().json()["id"] for _ in range(2))
    other = desk.create(BRIA, {"image_url": desk.photo}).json()["id"]
    wait_for(lambda: desk.run(other), lambda told: told["status_code"] != "queued")
    assert desk.run(first)["status_code"] == "dispatching"
    assert desk.run(second)["status_code"] == "queued"
    assert desk.ended(second)["status_code"] == "succeeded"
    assert desk.run(first)["status_code"] == "succeeded"


def test_only_an_admin_key_cancels(desk: Desk) -> None:
    """Cancellation is 403 for an inference key, 201 when it changes the state, 200 afterwards, and told once."""
    admin = {"authorization": "Bearer rf_svc_sandbox"}
    desk.sandbox.trouble(slow_run={"ms": 400})
    run_id = desk.create(callback_url=desk.hook).json()["id"]
    path = f"/v1/admin/runs/{run_id}/cancellation"
    assert desk.http.post(path, headers=RUNFLOW).status_code == 403
    assert desk.http.post(path, headers=admin, json={"reason": "x"}).status_code == 422
    reply = desk.http.post(path, headers=admin, json={"reason": "wrong photo"})
    assert (reply.status_code, reply.json()["status_code"]) == (201, "canceled")
    assert desk.http.post(path, headers=admin).status_code == 200
    assert desk.http.post("/v1/admin/runs/none/cancellation", headers=admin).status_code == 404
    assert desk.ground.wait()[0].body.count(b"run.cancelled") == 1
    assert desk.run(run_id)["status_code"] == "canceled"


def test_idempotency_keys_are_ignored_unless_switched_on(desk: Desk) -> None:
    """By default a repeat is a second paid run; with the mode it is replayed, and another body is 409."""
    keyed = {**RUNFLOW, "idempotency-key": "once"}
    path, body = f"/v1/models/{COLOR}/runs", {"input": desk.color_input()}
    ids = {desk.http.post(path, headers=keyed, json=body).json()["id"] for _ in range(2)}
    assert len(ids) == desk.sandbox.ledger()["count"] == 2
    desk.sandbox.trouble(honour_idempotency_key=True)
    replies = [desk.http.post(path, headers=keyed, json=body) for _ in range(2)]
    assert [one.status_code for one in replies] == [201, 201]
    assert replies[0].json() == replies[1].json()
    other = desk.http.post(path, headers=keyed, json={"input": desk.color_input(color_red=11)})
    assert (other.status_code, other.json()["code"]) == (409, "CONFLICT")
    assert desk.sandbox.ledger()["count"] == 3
