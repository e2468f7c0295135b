"""ImagePipeline: what is sent, what a status means, and why a callback is only a hint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asking import CALLBACK, INPUTS, client, posted_for, request_for
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import raw, told

from backdrop.errors import Later, ProviderFailed
from backdrop.providers.base import Accepted, Failed, Finished, Malformed, Output, Running, Succeeded
from backdrop.providers.imagepipeline import FAILURES, read_status

if TYPE_CHECKING:
    from asking import Photo
    from wire import Wire

CHANGE, REMOVE = "imagepipeline/background-change", "imagepipeline/background-remove"
EVENTS = Path(__file__).resolve().parents[2] / "events" / "providers"
URL = "https://cdn.example.test/o/7be1c09a.png?sig=ab12"


def event(name: str) -> Any:
    """One of the provider's replies in the event files."""
    return json.loads((EVENTS / f"imagepipeline-{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("model", [CHANGE, REMOVE])
def test_everything_is_sent_as_documented(wire: Wire, photo: Photo, model: str) -> None:
    """Path, key, callback and every field that is set; what is unset stays out; output_format is always there."""
    wire.always(told(202, event("queued")))
    reply = client("imagepipeline", wire.url).submit(request_for(model, photo))
    assert reply == Accepted("job_7be1c09a", {"status": "queued", "estimated_time_seconds": 9})
    (asked,) = wire.asked
    assert (asked.method, asked.path) == ("POST", f"/background/{model.rpartition('-')[2]}/image/v1")
    assert asked.headers["x-api-key"] == "ip_live_sandbox"
    given_fields = {name: value for name, value in INPUTS[model].items() if value is not None}
    assert asked.data == {"input_image": photo.url(), "callback_url": CALLBACK, **given_fields}
    assert asked.data["output_format"] == "webp"


def test_a_reply_that_is_terminal_at_once_is_finished(wire: Wire, photo: Photo) -> None:
    """Nothing says that the reply must be queued."""
    wire.always(told(200, event("completed")))
    reply = client("imagepipeline", wire.url).submit(request_for(CHANGE, photo, output_format="png"))
    assert isinstance(reply, Finished)
    assert reply.run_id == "job_7be1c09a"


def test_neither_endpoint_blocks() -> None:
    """Both queue, so `submit` may post them."""
    provider = client("imagepipeline", "http://h.test")
    assert not provider.blocks(CHANGE, "")
    assert provider.submit_seconds(CHANGE, "") <= 20


def test_a_completed_status_is_a_picture_with_its_facts() -> None:
    """The URL, the told format, times and balance."""
    outcome = read_status(event("completed"), CHANGE, {"output_format": "webp"})
    assert outcome == Succeeded(
        (Output(URL, "png"),),
        {
            "status": "completed",
            "progress": 100,
            "result_mime_type": "image/png",
            "queue_wait_seconds": 0.8,
            "inference_time_seconds": 5.1,
            "total_elapsed_seconds": 5.9,
            "processing_time_seconds": 5.9,
            "balance_remaining_usd": 42.1,
        },
    )


@pytest.mark.parametrize(
    ("model", "fields", "output"),
    [
        (CHANGE, {"result_url": URL}, Output(URL, "jpeg")),
        (REMOVE, {"result_url": URL, "cutout_url": "https://cdn.example.test/cut"}, Output(URL, "jpeg")),
        (REMOVE, {"result_url": URL, "result_base64": "AA=="}, Output(URL, "jpeg")),
        (REMOVE, {"result_url": None, "cutout_url": URL}, Output(URL, "")),
        (REMOVE, {"cutout_url": URL, "result_mime_type": "image/webp"}, Output(URL, "webp")),
        (REMOVE, {"result_url": "ftp://x", "cutout_url": URL}, Output(URL, "")),
        (CHANGE, {"cutout_url": URL}, None),
        (CHANGE, {"result_base64": "AA=="}, Output("data:image/jpeg;base64,AA==", "jpeg")),
        (
            CHANGE,
            {"result_base64": "AA==", "result_mime_type": "image/png"},
            Output("data:image/png;base64,AA==", "png"),
        ),
        (
            CHANGE,
            {"result_base64": "AA==", "result_mime_type": "text/html,<b>"},
            Output("data:image/jpeg;base64,AA==", "jpeg"),
        ),
        (CHANGE, {"result_url": 7, "result_base64": ["AA=="]}, None),
        (CHANGE, {}, None),
    ],
)
def test_where_the_picture_is(model: str, fields: dict[str, Any], output: Output | None) -> None:
    """`result_url`, else the cut-out (remove only), else base64 from this authenticated answer."""
    outcome = read_status({"status": "completed", **fields}, model, {"output_format": "jpeg"})
    if output is None:
        assert isinstance(outcome, Failed)
        assert (outcome.code, outcome.retryable) == ("RESULT_MISSING", False)
    else:
        assert isinstance(outcome, Succeeded)
        assert outcome.outputs == (output,)


@pytest.mark.parametrize("status", ["queued", "pending", "processing", "warming_up", ""])
def test_what_is_not_terminal_is_running(status: str) -> None:
    """The documented statuses, and any that nobody documented."""
    assert isinstance(read_status({"status": status, "progress": 10}, CHANGE, {}), Running)


RETRYABLE = (
    "RATE_LIMIT_EXCEEDED",
    "CONCURRENT_JOBS_EXCEEDED",
    "MODEL_ERROR",
    "MODEL_UNAVAILABLE",
    "STORAGE_ERROR",
    "TIMEOUT",
    "INTERNAL_ERROR",
)
FINAL = ("INSUFFICIENT_CREDITS", "CREDIT_CHARGE_FAILED", "INPUT_INVALID", "CANCELLED", "", "SOMETHING_NEW")


@pytest.mark.parametrize(
    ("code", "retryable"), [*((code, True) for code in RETRYABLE), *((code, False) for code in FINAL)]
)
def test_which_failures_are_worth_another_post(code: str, *, retryable: bool) -> None:
    """The table of the errors page; the event's own flag counts over it."""
    failed = {"status": "failed", "failure_reason_code": code or None, "error": "It broke"}
    outcome = read_status(failed, CHANGE, {})
    assert isinstance(outcome, Failed)
    assert outcome.retryable is retryable
    assert outcome.action
    assert "It broke" in outcome.message
    for flag in (True, False):
        told_so = read_status({**failed, "retryable": flag}, CHANGE, {})
        assert isinstance(told_so, Failed)
        assert told_so.retryable is flag
    assert set(FAILURES) == {*RETRYABLE, *FINAL[:4]}


@pytest.mark.parametrize("code", ["INSUFFICIENT_CREDITS", "INSUFFICIENT_BALANCE", "CREDIT_CHARGE_FAILED"])
def test_a_failure_for_want_of_credit_says_so(code: str) -> None:
    """The reader is told to top up."""
    outcome = read_status({"status": "failed", "failure_reason_code": code}, CHANGE, {})
    assert isinstance(outcome, Failed)
    assert outcome.code == "NO_CREDITS"
    assert "top up" in outcome.action


def test_an_input_that_could_not_be_fetched_is_worth_another_post() -> None:
    """A presigned URL dies with the session that signed it, whatever the flag says; a bad picture stays bad."""
    outcome = read_status(event("failed"), REMOVE, {})
    assert isinstance(outcome, Failed)
    assert outcome.retryable
    bad = read_status({**event("failed"), "error": "Input image is corrupt"}, REMOVE, {})
    assert isinstance(bad, Failed)
    assert not bad.retryable


@pytest.mark.parametrize("status", ["cancelled", "canceled"])
def test_a_cancelled_job_is_final(status: str) -> None:
    """It is terminal, and no new attempt is worth its price."""
    outcome = read_status({"status": status}, CHANGE, {})
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("RUN_CANCELLED", False)
    assert outcome.action


def test_a_cut_out_is_taken_from_its_status(wire: Wire) -> None:
    """The SDK's shape: without recolor the picture is at cutout_url only."""
    wire.always(told(200, event("cutout")))
    outcome = client("imagepipeline", wire.url).poll(posted_for(REMOVE, run_id="job_7be1c09a"))
    assert isinstance(outcome, Succeeded)
    assert outcome.outputs == (Output("https://cdn.example.test/o/7be1c09a-cut.png?sig=ab12"),)
    assert outcome.facts["cost_usd"] == 0.02


def test_a_job_without_a_name_cannot_be_asked_about(wire: Wire) -> None:
    """No list, no reference, no key: after a lost reply only the callback can bring it back."""
    provider = client("imagepipeline", wire.url)
    assert provider.find(posted_for(CHANGE)) is None
    with pytest.raises(Later):
        provider.poll(posted_for(CHANGE))
    assert wire.asked == []


def test_an_id_that_could_leave_its_place_is_not_asked_about(wire: Wire) -> None:
    """A job id from an unsigned callback stands in a path: one that is no id is answered without a request."""
    with pytest.raises(ProviderFailed) as caught:
        client("imagepipeline", wire.url).poll(posted_for(CHANGE, run_id="../../v1/user/details"))
    assert caught.value.code == "RUN_NOT_FOUND"
    assert wire.asked == []


def test_without_a_callback_url_none_is_sent(wire: Wire, photo: Photo) -> None:
    """An empty URL would be refused."""
    wire.always(told(202, event("queued")))
    client("imagepipeline", wire.url).submit(request_for(CHANGE, photo)._replace(callback_url=""))
    assert "callback_url" not in wire.asked[0].data


def test_a_job_with_a_name_is_found_by_it(wire: Wire) -> None:
    """Should its callback have named it meanwhile."""
    provider = client("imagepipeline", wire.url)
    wire.always(told(200, event("completed")))
    assert isinstance(provider.find(posted_for(CHANGE, run_id="job_7be1c09a")), Finished)
    wire.always(told(200, {"job_id": "job_7be1c09a", "status": "processing"}))
    assert isinstance(provider.find(posted_for(CHANGE, run_id="job_7be1c09a")), Accepted)
    wire.always(raw(404))
    assert provider.find(posted_for(CHANGE, run_id="job_7be1c09a")) is None


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (event("callback-completed"), Succeeded),
        (event("callback-failed"), Failed),
        ({"job_id": "job_1", "status": "completed", "result_url": None}, Running),
        ({"job_id": "job_1", "status": "completed", "result_base64": "AA=="}, Running),
        ({"job_id": "job_1", "status": "cancelled"}, Failed),
    ],
)
def test_a_callback_is_never_trusted(value: Any, outcome: type) -> None:
    """No page documents a signature: whatever it says is asked for with the key."""
    found = client("imagepipeline", "http://h.test").read_callback(json.dumps(value).encode(), {"x-signature": "1"})
    assert isinstance(found.outcome, outcome)
    assert not found.trusted
    assert found.run_id == value["job_id"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"job_id": 7, "status": "completed"}',
        b'{"job_id": "a/../b", "status": "completed"}',
        b'{"job_id": "job_1"}',
        b'{"job_id": "job_1", "status": "processing"}',
        b'{"job_id": "job_1", "status": ["completed"]}',
    ],
)
def test_what_is_no_callback_is_malformed(body: bytes) -> None:
    """One POST when the job is terminal, with its id: anything else is none."""
    with pytest.raises(Malformed):
        client("imagepipeline", "http://h.test").read_callback(body, {})


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ({"plan": "pro", "balance": 42.1}, "; plan pro; the balance is 42.10"),
        ({"plan": {"name": "pro"}, "balance_remaining_usd": 1}, "; plan pro; the balance is 1.00"),
        ({"balance": True}, ""),
        ({"balance": 10**400}, ""),
        ([], ""),
    ],
)
def test_check_tells_plan_and_balance_when_it_can(wire: Wire, account: Any, words: str) -> None:
    """The pages name plan and balance without their fields."""
    wire.always(told(200, account))
    assert client("imagepipeline", wire.url).check() == f"ImagePipeline takes the key{words}"
    assert wire.asked[0].path == "/v1/user/details"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(URL),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["job_id", "result_url", "cutout_url", "result_base64", "retryable", "error", "progress"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)
@given(JSON, st.sampled_from(["completed", "failed", "cancelled", "queued"]))
def test_any_status_has_an_outcome(value: Any, status: str) -> None:
    """Whatever JSON stands in a status or a callback, it reads as an outcome, or is no callback."""
    whole = {**value, "status": status} if isinstance(value, dict) else value
    outcome = read_status(whole, REMOVE, {"output_format": "png"})
    json.dumps(dict(outcome.facts), allow_nan=False)
    try:
        found = client("imagepipeline", "http://h.test").read_callback(json.dumps(whole).encode(), {})
    except Malformed:
        return
    assert not found.trusted
