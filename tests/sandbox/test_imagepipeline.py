"""ImagePipeline: jobs, status routes, webhooks, upload, account."""

import base64
import io
import json
from decimal import Decimal
from typing import Any

import httpx
import jsonschema
import pytest
from desk import IMAGEPIPELINE, NO_TLS, Desk, Ground, draw_photo
from PIL import Image

from backdrop_cli.sandbox.accounts import Account
from backdrop_cli.sandbox.server import running


@pytest.mark.parametrize(("operation", "price"), [("change", 0.06), ("remove", 0.02)])
def test_a_job_from_queued_to_completed(desk: Desk, operation: str, price: float) -> None:
    """The queued reply names the endpoint whose status route tells the rest, with a result of the default format."""
    reply = desk.post_job(operation, subject_description="a block", unknown_field=1)
    queued = reply.json()
    assert reply.status_code == 200
    assert set(queued) == {"job_id", "status", "endpoint", "estimated_time_seconds", "queued_at"}
    assert (queued["status"], queued["endpoint"]) == ("queued", f"/background/{operation}/image/v1")
    told = desk.job_ended(queued["job_id"], operation)
    assert (told["status"], told["progress"], told["result_mime_type"]) == ("completed", 100, "image/webp")
    assert told["cost_usd"] == price
    assert told["balance_remaining_usd"] == 10_000 - price
    for name in ("queue_wait_seconds", "inference_time_seconds", "total_elapsed_seconds", "processing_time_seconds"):
        assert told[name] >= 0
    picture = Image.open(io.BytesIO(desk.http.get(told["result_url"]).content))
    assert (picture.format, picture.size) == ("WEBP", (160, 120))
    if operation == "remove":
        cutout = Image.open(io.BytesIO(desk.http.get(told["cutout_url"]).content))
        assert (cutout.format, cutout.mode) == ("PNG", "RGBA")
    other = "change" if operation == "remove" else "remove"
    assert desk.job(queued["job_id"], other)["error_code"] == "NOT_FOUND"


def test_the_queued_reply_may_be_202(desk: Desk) -> None:
    """The page does not say: a mode chooses."""
    desk.sandbox.trouble(queued_status_code=202)
    assert desk.post_job().status_code == 202


def test_a_webhook_tells_once_without_signature(desk: Desk) -> None:
    """One POST with the documented fields, unix seconds, no signature; it satisfies the event schema."""
    job_id = desk.post_job(callback_url=desk.hook, recolor="F0F0F0", output_format="png").json()["job_id"]
    (call,) = desk.ground.wait()
    told = json.loads(call.body)
    assert (told["job_id"], told["status"], told["user_id"]) == (job_id, "completed", "usr_sandbox")
    assert isinstance(told["timestamp"], int)
    assert told["result_size_bytes"] == len(desk.http.get(told["result_url"]).content)
    assert "result_base64" not in told
    assert not [name for name in call.headers if "signature" in name]
    schema = desk.http.get("/webhooks/event-schema", headers=IMAGEPIPELINE).json()
    jsonschema.validate(told, schema)


def test_a_small_result_may_come_inline(desk: Desk) -> None:
    """With the mode, a result below the size is in the event as base64, the same bytes as behind its URL."""
    desk.sandbox.trouble(result_base64_below=1_000_000)
    desk.post_job(callback_url=desk.hook, recolor="#F0F0F0")
    told = json.loads(desk.ground.wait()[0].body)
    assert base64.b64decode(told["result_base64"]) == desk.http.get(told["result_url"]).content


def test_a_webhook_is_not_retried(desk: Desk) -> None:
    """A 500 from the receiver ends it: no retry policy is documented."""
    desk.ground.answers.append(500)
    desk.post_job(callback_url=desk.hook)
    desk.ground.wait()
    desk.post_job("change", callback_url=desk.hook)
    assert len({json.loads(call.body)["job_id"] for call in desk.ground.wait(2)}) == 2


@pytest.mark.parametrize(
    ("switch", "code", "retryable"),
    [
        ({"retryable": True}, "MODEL_ERROR", True),
        ({"retryable": False}, "INPUT_INVALID", False),
        ({"code": "TIMEOUT", "retryable": True, "message": "GPU worker timed out"}, "TIMEOUT", True),
    ],
)
def test_a_failed_job_tells_why(desk: Desk, switch: dict[str, Any], code: str, *, retryable: bool) -> None:
    """Status and webhook carry the reason code, a text and whether to try again; nothing is charged."""
    desk.sandbox.trouble(run_fails=switch)
    job_id = desk.post_job(callback_url=desk.hook).json()["job_id"]
    told = desk.job_ended(job_id)
    event = json.loads(desk.ground.wait()[0].body)
    for one in (told, event):
        assert (one["status"], one["failure_reason_code"], one["retryable"]) == ("failed", code, retryable)
        assert one["error"]
    assert event["result_url"] is None
    assert desk.http.get("/v1/user/details", headers=IMAGEPIPELINE).json()["balance_usd"] == 10_000


def test_a_cancelled_job_sends_no_webhook(desk: Desk) -> None:
    """Its status is cancelled with the reason CANCELLED; the next job's webhook is the first to come."""
    desk.sandbox.trouble(run_cancelled=1)
    job_id = desk.post_job(callback_url=desk.hook).json()["job_id"]
    told = desk.job_ended(job_id)
    assert (told["status"], told["failure_reason_code"]) == ("cancelled", "CANCELLED")
    desk.post_job(callback_url=desk.hook)
    assert json.loads(desk.ground.wait()[0].body)["job_id"] != job_id


def test_too_many_jobs_fail_instead_of_queueing(desk: Desk) -> None:
    """Beyond the limit a job is accepted and fails with CONCURRENT_JOBS_EXCEEDED, retryable."""
    desk.sandbox.trouble(imagepipeline_jobs_at_a_time=1, run_stuck={"times": 1})
    stuck = desk.post_job().json()["job_id"]
    refused = desk.job_ended(desk.post_job().json()["job_id"])
    assert (refused["failure_reason_code"], refused["retryable"]) == ("CONCURRENT_JOBS_EXCEEDED", True)
    assert desk.job(stuck)["status"] == "pending"
    assert desk.sandbox.ledger()["count"] == 2


@pytest.mark.parametrize("image", ["/missing.png", "/text.txt"])
def test_a_bad_photo_fails_the_job(desk: Desk, image: str) -> None:
    """A photo that cannot be fetched or read is INPUT_INVALID, not to be tried again."""
    told = desk.job_ended(desk.post_job(input_image=desk.ground.origin + image).json()["job_id"])
    assert (told["failure_reason_code"], told["retryable"]) == ("INPUT_INVALID", False)


def test_jpeg_needs_a_colour(desk: Desk) -> None:
    """A transparent JPEG fails the job, one on a colour is delivered."""
    bare = desk.job_ended(desk.post_job(output_format="jpeg").json()["job_id"])
    assert bare["failure_reason_code"] == "INPUT_INVALID"
    coloured = desk.job_ended(desk.post_job(output_format="jpeg", recolor="#102030").json()["job_id"])
    assert coloured["result_mime_type"] == "image/jpeg"


def test_result_url_may_stand_only_with_recolor(desk: Desk) -> None:
    """By the SDK's word a transparent result is at cutout_url alone: a mode."""
    desk.sandbox.trouble(result_url_only_with_recolor=True)
    told = desk.job_ended(desk.post_job(callback_url=desk.hook).json()["job_id"])
    assert told["result_url"] is None
    assert desk.http.get(told["cutout_url"]).status_code == 200
    assert json.loads(desk.ground.wait()[0].body)["result_url"] is None
    coloured = desk.job_ended(desk.post_job(recolor="#ffffff").json()["job_id"])
    assert coloured["result_url"]


def test_results_are_gone_after_a_day(desk: Desk) -> None:
    """Within a day each read gives a URL that opens; after it the URL is refused."""
    job_id = desk.post_job().json()["job_id"]
    desk.job_ended(job_id)
    desk.sandbox.advance(86_390)
    url = desk.job(job_id)["result_url"]
    assert desk.http.get(url).status_code == 200
    desk.sandbox.advance(11)
    assert desk.http.get(url).status_code == 403
    assert desk.http.get(desk.job(job_id)["result_url"]).status_code in {403, 404}


@pytest.mark.parametrize(
    ("operation", "fields", "where"),
    [
        ("remove", {"input_image": "http://example.test/a.png"}, "input_image"),
        ("remove", {"input_image": "data:image/png;base64,AAAA"}, "input_image"),
        ("remove", {"input_image": 5}, "input_image"),
        ("remove", {"recolor": "red"}, "recolor"),
        ("remove", {"shadow_opacity": 1.1}, "shadow_opacity"),
        ("remove", {"output_format": "gif"}, "output_format"),
        ("remove", {"callback_url": "http://example.test/"}, "callback_url"),
        ("change", {"prompt": ""}, "prompt"),
        ("change", {"prompt": None}, "prompt"),
        ("change", {"tone_correction": 2}, "tone_correction"),
        ("change", {"seed": -2}, "seed"),
        ("change", {"palette": ["blue"]}, "palette"),
    ],
)
def test_a_wrong_field_is_422_in_fastapis_words(desk: Desk, operation: str, fields: dict[str, Any], where: str) -> None:
    """`detail` is a list of loc, msg and type, loc beginning at the body."""
    reply = desk.post_job(operation, **fields)
    assert reply.status_code == 422
    finding = reply.json()["detail"][0]
    assert finding["loc"][:2] == ["body", where]
    assert set(finding) == {"loc", "msg", "type"}


def test_a_body_that_is_no_json_is_422(desk: Desk) -> None:
    """As FastAPI has it."""
    reply = desk.http.post("/background/remove/image/v1", headers=IMAGEPIPELINE, content=b"{")
    assert (reply.status_code, reply.json()["detail"][0]["type"]) == (422, "json_invalid")


def test_keys_plans_and_balances(web: Ground) -> None:
    """No key is 401, an operation outside the plan 403, an empty balance 402, each in the structured form."""
    remove = "/background/remove/image/v1"
    accounts = [
        Account("imagepipeline", "ip_live_small", "small", balance=Decimal("0.03"), operations=(remove,)),
        Account("imagepipeline", "ip_live_shut", "shut", refuses="FEATURE_NOT_IN_PLAN"),
    ]
    body = {"input_image": f"{web.origin}/photo.png", "prompt": "x"}
    small = {"x-api-key": "ip_live_small"}
    with (
        running(image_origins=[web.origin], accounts=accounts) as sandbox,
        httpx.Client(base_url=sandbox.url, trust_env=False, verify=NO_TLS) as http,
    ):
        for headers, path, status, code in (
            ({}, remove, 401, "UNAUTHORIZED"),
            ({"x-api-key": "no"}, remove, 401, "UNAUTHORIZED"),
            ({"x-api-key": "ip_live_shut"}, remove, 403, "FEATURE_NOT_IN_PLAN"),
            (small, "/background/change/image/v1", 403, "FEATURE_NOT_IN_PLAN"),
            (small, remove, 200, None),
            (small, remove, 402, "INSUFFICIENT_BALANCE"),
        ):
            reply = http.post(path, headers=headers, json=body)
            assert (reply.status_code, reply.json().get("error_code")) == (status, code)
        assert http.get("/v1/user/details", headers=small).json()["operations"] == [remove]
        assert sandbox.ledger()["count"] == 1


def test_unknown_things_are_404(desk: Desk) -> None:
    """An unknown job and an unknown path of this provider have its error form."""
    assert desk.job("job_none")["error_code"] == "NOT_FOUND"
    reply = desk.http.get("/background/nothing", headers=IMAGEPIPELINE)
    assert (reply.status_code, reply.json()["error_code"]) == (404, "NOT_FOUND")
    assert desk.http.get("/health").json() == {"status": "ok"}


def test_an_uploaded_image_can_be_an_input(desk: Desk) -> None:
    """The reply's url goes into input_image; another content type is refused, and so are no file and no multipart."""
    path = "/upload/image/v1"
    reply = desk.http.post(path, headers=IMAGEPIPELINE, files={"file": ("17.png", draw_photo(), "image/png")})
    told = reply.json()
    assert (told["filename"], told["size_bytes"], told["content_type"]) == ("17.png", len(draw_photo()), "image/png")
    assert desk.job_ended(desk.post_job(input_image=told["url"]).json()["job_id"])["status"] == "completed"
    octets = {"file": ("a.png", draw_photo(), "application/octet-stream")}
    assert desk.http.post(path, headers=IMAGEPIPELINE, files=octets).status_code == 415
    assert desk.http.post(path, headers=IMAGEPIPELINE, data={"x": "y"}).status_code == 422
    torn = {**IMAGEPIPELINE, "content-type": "multipart/form-data; boundary=x"}
    assert desk.http.post(path, headers=torn, content=b"--x\r\nnonsense").status_code == 422
    empty = {"file": ("a.png", b"", "image/png")}
    assert desk.http.post(path, headers=IMAGEPIPELINE, files=empty).status_code == 413
    forged = told["url"].replace("signature=", "signature=0")
    assert desk.job_ended(desk.post_job(input_image=forged).json()["job_id"])["failure_reason_code"] == "INPUT_INVALID"
