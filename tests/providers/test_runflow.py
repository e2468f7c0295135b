"""Runflow: what is sent, and what a record means."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asking import CALLBACK, COLOUR, REFERENCE, client, posted_for, request_for
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import DROPPED, Answer, raw, told

from backdrop.errors import Later, Unknown
from backdrop.providers import runflow_runs
from backdrop.providers.base import Accepted, Failed, Finished, Outcome, Output, Running, Succeeded
from backdrop.providers.runflow import CREATE_SECONDS, SYNC_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from asking import Photo
    from wire import Asked, Wire

COLOR, REPLACE, BRIA = "runflow/background-color", "runflow/background-replace", "bria/background/remove"
EVENTS = Path(__file__).resolve().parents[2] / "events" / "providers"
URL = "https://files.example.test/out/0.png?sig=1"
A_TEST = ["https://a.test/1", "https://a.test/2"]
DATA = "data:image/png;base64,iVBORw0KGgo="


def event(name: str) -> Any:
    """One of the provider's replies in the event files."""
    return json.loads((EVENTS / name).read_text(encoding="utf-8"))


def record(status: str = "queued", **fields: Any) -> dict[str, Any]:
    """A run record."""
    return {**event("runflow-queued.json"), "status_code": status, **fields}


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        (COLOR, COLOUR),
        (BRIA, {"sync_mode": False}),
        (
            REPLACE,
            {"file_image": "image.png", "file_reference": "reference.png", "prompt": "a pale oak shelf"},
        ),
    ],
)
def test_the_runs_form_is_sent_as_documented(wire: Wire, photo: Photo, model: str, sent: dict[str, Any]) -> None:
    """Path, key, idempotency key, callback, metadata, client_ref and every input field are on the wire."""
    wire.always(told(201, record()))
    reply = client("runflow", wire.url).submit(request_for(model, photo, form="auto" if model == COLOR else ""))
    assert isinstance(reply, Accepted)
    assert reply.run_id == record()["id"]
    (asked,) = wire.asked
    assert (asked.method, asked.path) == ("POST", f"/v1/models/{model}/runs")
    assert asked.headers["authorization"] == "Bearer rf_live_sandbox"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["idempotency-key"] == REFERENCE
    url = {"zip_url": photo.archive().url} if model == REPLACE else {"image_url": photo.url()}
    assert asked.data == {
        "input": {**url, **sent},
        "callback_url": CALLBACK,
        "metadata": {"sku": "A-17", "backdrop_reference": REFERENCE},
        "client_ref": REFERENCE,
    }


def test_metadata_cannot_pass_for_another_attempt(wire: Wire, photo: Photo) -> None:
    """The name that a run is found by is ours, whatever the spec's metadata holds."""
    wire.always(told(201, record()))
    request = request_for(COLOR, photo, form="runs")._replace(metadata={"backdrop_reference": "another", "sku": 1})
    client("runflow", wire.url).submit(request)
    assert wire.asked[0].data["metadata"] == {"backdrop_reference": REFERENCE, "sku": 1}


def test_an_empty_prompt_is_left_out(wire: Wire, photo: Photo) -> None:
    """Empty takes the provider's own text (seed 001), so it is not sent."""
    wire.always(told(201, record()))
    client("runflow", wire.url).submit(request_for(REPLACE, photo, prompt=""))
    assert "prompt" not in wire.asked[0].data["input"]


@pytest.mark.parametrize("flat_input", ["zip", "image"])
def test_the_flat_form_is_sent_as_documented(wire: Wire, photo: Photo, flat_input: str) -> None:
    """Seed 000: a flat body with three channels; `image_url` is the zip, or the photo, and `file_input` its name."""
    wire.always(told(200, event("runflow-flat.json")))
    reply = client("runflow", wire.url, flat_input=flat_input).submit(request_for(COLOR, photo, form="flat"))
    assert isinstance(reply, Finished)
    assert isinstance(reply.outcome, Succeeded)
    assert [output.url for output in reply.outcome.outputs] == ["https://files.example.test/out/flat.png?sig=4f1c0a"]
    (asked,) = wire.asked
    url = photo.archive().url if flat_input == "zip" else photo.url()
    assert asked.path == "/v1/run/runflow/background-color"
    assert asked.data == {"image_url": url, "file_input": "image.png", **COLOUR}
    assert asked.headers["idempotency-key"] == f"{REFERENCE}-flat"


def test_sync_mode_is_sent_as_a_run(wire: Wire, photo: Photo) -> None:
    """In the form "sync" it is the same POST, findable by the same names, and the reply holds the picture."""
    wire.always(told(201, record("succeeded", output={"outputs": [{"url": DATA, "type": "image"}]})))
    reply = client("runflow", wire.url).submit(request_for(BRIA, photo, form="sync", sync_mode=True))
    assert reply == Finished(Succeeded(*succeeded(DATA, "png")), record()["id"])
    (asked,) = wire.asked
    assert (asked.method, asked.path) == ("POST", f"/v1/models/{BRIA}/runs")
    assert asked.headers["idempotency-key"] == REFERENCE
    assert asked.data == {
        "input": {"image_url": photo.url(), "sync_mode": True},
        "callback_url": CALLBACK,
        "metadata": {"sku": "A-17", "backdrop_reference": REFERENCE},
        "client_ref": REFERENCE,
    }


def test_a_slow_sync_reply_is_waited_for(wire: Wire, photo: Photo) -> None:
    """The reply comes when the picture is made: it is taken when it does, within what the form says it may take."""
    made = told(201, record("succeeded", output={"outputs": [{"url": DATA, "type": "image"}]}))

    def slowly(_: Asked) -> Answer:
        time.sleep(1)
        return made

    wire.answer = slowly
    provider = client("runflow", wire.url)
    began = time.monotonic()
    reply = provider.submit(request_for(BRIA, photo, form="sync", sync_mode=True))
    assert 1 <= time.monotonic() - began < provider.submit_seconds(BRIA, "sync")
    assert isinstance(reply, Finished)
    assert isinstance(reply.outcome, Succeeded)
    assert len(wire.asked) == 1


def test_a_lost_sync_reply_is_in_doubt(wire: Wire, photo: Photo) -> None:
    """The run may have been made and charged, so it is Unknown, and not posted again here."""
    wire.always(DROPPED)
    with pytest.raises(Unknown) as caught:
        client("runflow", wire.url).submit(request_for(BRIA, photo, form="sync", sync_mode=True))
    assert caught.value.code == "REPLY_LOST"
    assert len(wire.asked) == 1


def test_which_forms_block() -> None:
    """Only the flat form and `sync_mode` wait for the picture, and only they need minutes."""
    provider = client("runflow", "http://h.test")
    assert [provider.blocks(COLOR, form) for form in ("auto", "runs", "flat")] == [False, False, True]
    assert not provider.blocks(BRIA, "flat")
    assert provider.submit_seconds(COLOR, "runs") <= 20
    assert 300 < provider.submit_seconds(COLOR, "flat") < 400
    assert [provider.blocks(BRIA, form) for form in ("", "sync")] == [False, True]
    assert [provider.submit_seconds(BRIA, form) for form in ("", "sync")] == [20, 140]


def test_a_sync_reply_has_its_time_within_the_forms() -> None:
    """Connecting and the wait for the picture fit into what `submit` may take, and exceed what others may."""
    assert CREATE_SECONDS < SYNC_SECONDS <= client("runflow", "http://h.test").submit_seconds(BRIA, "sync") - 5


TAKEN: tuple[tuple[int, Any, Callable[[Accepted | Finished], bool]], ...] = (
    (200, record(), lambda reply: isinstance(reply, Accepted)),
    (202, {"run_id": "run-7"}, lambda reply: reply.run_id == "run-7"),
    (201, {"id": "run-7", "status_code": "brand_new_status"}, lambda reply: isinstance(reply, Accepted)),
    (
        201,
        record("succeeded", output={"outputs": [{"url": DATA, "type": "image"}]}),
        lambda reply: isinstance(reply, Finished) and reply.outcome == Succeeded(*succeeded(DATA, "png")),
    ),
    (
        201,
        record("queued", output={"outputs": [{"url": DATA}]}),
        lambda reply: isinstance(reply, Finished) and isinstance(reply.outcome, Succeeded),
    ),
    (201, record("succeeded", output=None), lambda reply: isinstance(reply, Accepted)),
    (
        201,
        record("failed", failure_code="MODEL_UNAVAILABLE"),
        lambda reply: isinstance(reply, Finished) and isinstance(reply.outcome, Failed) and reply.outcome.retryable,
    ),
    (200, {"status_code": "succeeded", "output": {"url": URL}}, lambda reply: isinstance(reply, Finished)),
)


def succeeded(url: str, picture_format: str = "") -> tuple[tuple[Output, ...], dict[str, Any]]:
    """The outputs and facts of a run that made one picture."""
    return (Output(url, picture_format),), {"status_code": "succeeded", "outputs": [{"type": "image"}]}


@pytest.mark.parametrize(("status", "body", "as_expected"), TAKEN)
def test_what_a_creation_answers(
    wire: Wire, photo: Photo, status: int, body: Any, as_expected: Callable[[Accepted | Finished], bool]
) -> None:
    """Any 2xx that names a run is taken; a reply that is terminal at once is finished, its media with it."""
    wire.always(told(status, body))
    assert as_expected(client("runflow", wire.url).submit(request_for(BRIA, photo, form="sync", sync_mode=True)))


def test_a_large_data_uri_is_read(wire: Wire, photo: Photo) -> None:
    """In `sync_mode` a reply may hold a picture of many megabytes."""
    picture = "data:image/png;base64," + "A" * 13_000_000
    wire.always(told(201, record("succeeded", output={"outputs": [{"url": picture, "type": "image"}]})))
    provider = client("runflow", wire.url)
    reply = provider.submit(request_for(BRIA, photo, form="sync", sync_mode=True))
    assert isinstance(reply, Finished)
    assert isinstance(reply.outcome, Succeeded)
    assert len(reply.outcome.outputs[0].url) == len(picture)
    with pytest.raises(Unknown):
        provider.submit(request_for(BRIA, photo, sync_mode=False))


@pytest.mark.parametrize(
    ("output", "urls"),
    [
        ({"outputs": [{"url": "https://a.test/1"}, {"url": "https://a.test/2"}]}, A_TEST),
        ({"outputs": [{"url": "https://a.test/v", "type": "video"}], "image_urls": ["https://a.test/1"]}, ["https://a.test/1"]),
        ({"outputs": [{"url": "https://a.test/1", "type": "image/png"}], "image_urls": ["https://a.test/2"]}, ["https://a.test/1"]),
        ({"image_urls": A_TEST, "images": [{"url": "https://a.test/3"}]}, A_TEST),
        ({"images": [{"url": "https://a.test/1"}], "image": {"url": "https://a.test/2"}}, ["https://a.test/1"]),
        ({"image": {"url": "https://a.test/1"}, "url": "https://a.test/2"}, ["https://a.test/1"]),
        ({"url": "https://a.test/1"}, ["https://a.test/1"]),
        ({"outputs": [None, 7, {"url": "file:///etc/passwd"}, {"url": "https://a.test/1"}]}, ["https://a.test/1"]),
        ({"outputs": [{"url": DATA}]}, [DATA]),
        ({"outputs": "https://a.test/1"}, []),
        ({"image_urls": {"0": "https://a.test/1"}}, []),
        ({}, []),
        (None, []),
        ([], []),
    ],
)  # fmt: skip
def test_where_pictures_are_looked_for(output: Any, urls: list[str]) -> None:
    """Outputs, image_urls, images, image, url, in that order; only http(s) and data URLs, and only pictures."""
    assert [picture.url for picture in runflow_runs.pictures(output)] == urls


@pytest.mark.parametrize(
    ("url", "picture_format"),
    [
        ("data:image/png;base64,AA==", "png"),
        ("data:image/jpg;base64,AA==", "jpeg"),
        ("DATA:image/WEBP,xx", "webp"),
        ("data:text/html,x", ""),
        ("https://a.test/x.png", ""),
    ],
)
def test_the_format_of_a_data_uri(url: str, picture_format: str) -> None:
    """A data URI tells its format; of any other URL nobody said."""
    assert runflow_runs.pictures({"url": url}) == (Output(url, picture_format),)


FAILED_RUNS = (
    ("MODEL_UNAVAILABLE", "down", "RUN_FAILED", True),
    ("PROVIDER_TIMEOUT", "", "RUN_FAILED", True),
    ("TIMED_OUT", "", "RUN_FAILED", True),
    ("INTERNAL_ERROR", "", "RUN_FAILED", True),
    ("SERVICE_UNAVAILABLE", "", "RUN_FAILED", True),
    ("RATE_LIMITED", "", "RUN_FAILED", True),
    ("INPUT_FETCH_FAILED", "", "RUN_FAILED", True),
    ("INPUT_INVALID", "Input image could not be fetched", "RUN_FAILED", True),
    ("INPUT_INVALID", "Unable to download the image", "RUN_FAILED", True),
    ("INPUT_INVALID", "download failed with 403", "RUN_FAILED", True),
    ("INPUT_INVALID", "the file is no picture", "RUN_FAILED", False),
    ("VALIDATION_ERROR", "color_red is missing", "RUN_FAILED", False),
    ("MODEL_ERROR", "no subject found", "RUN_FAILED", False),
    ("INSUFFICIENT_CREDITS", "", "NO_CREDITS", False),
    ("", "", "RUN_FAILED", False),
)


@pytest.mark.parametrize(("failure", "said", "code", "retryable"), FAILED_RUNS)
def test_which_failures_are_worth_another_run(failure: str, said: str, code: str, *, retryable: bool) -> None:
    """The provider's own trouble and an input that it could not fetch; not what would fail the same way again."""
    run = record("failed", failure_code=failure or None, failure_message=said or None, failure_stage_code="dispatch")
    outcome = runflow_runs.outcome(run, sync_mode=False)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (code, retryable)
    assert outcome.action
    assert said in outcome.message
    assert outcome.facts["failure_code"] == failure
    assert outcome.facts["failure_stage_code"] == "dispatch"


@pytest.mark.parametrize(
    ("status", "output", "expected"),
    [
        ("queued", None, Running("queued", {"status_code": "queued"})),
        ("dispatching", None, Running("dispatching", {"status_code": "dispatching"})),
        ("running", None, Running("running", {"status_code": "running"})),
        ("quantum_leap", None, Running("quantum_leap", {"status_code": "quantum_leap"})),
        ("", None, Running("unknown", {"status_code": ""})),
        ("succeeded", {"image_urls": [URL]}, Succeeded((Output(URL),), {"status_code": "succeeded"})),
        (
            "partial_succeeded",
            {"image_urls": [URL]},
            Succeeded((Output(URL),), {"status_code": "partial_succeeded"}),
        ),
    ],
)
def test_what_a_record_means(status: str, output: Any, expected: Outcome) -> None:
    """A status that nobody documented is Running; a partial success with pictures is a success."""
    assert runflow_runs.outcome(record(status, output=output), sync_mode=False) == expected


@pytest.mark.parametrize("status", ["cancelled", "canceled", "CANCELED"])
def test_both_spellings_of_cancelled(status: str) -> None:
    """A cancelled run is final in either spelling, and no new attempt is worth its price."""
    outcome = runflow_runs.outcome(record(status), sync_mode=False)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("RUN_CANCELLED", False)


@pytest.mark.parametrize(
    ("sync_mode", "code"),
    [pytest.param(True, "SYNC_MEDIA_GONE", id="sync"), pytest.param(False, "RESULT_MISSING", id="async")],
)
@pytest.mark.parametrize("status", ["succeeded", "partial_succeeded"])
def test_a_success_without_media_is_final(wire: Wire, status: str, code: str, *, sync_mode: bool) -> None:
    """It was charged and its picture is nowhere: FAILED with the reason, never posted again."""
    wire.always(told(200, record(status, output=None)))
    outcome = client("runflow", wire.url).poll(posted_for(BRIA, run_id=record()["id"], sync_mode=sync_mode))
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (code, False)
    assert outcome.action


def test_named_facts_are_kept() -> None:
    """Duration, cost, sizes and what the model tells of its output; a null that means "not checked" stays null."""
    outcome = runflow_runs.outcome(event("runflow-bria-succeeded.json"), sync_mode=False)
    assert isinstance(outcome, Succeeded)
    assert outcome.facts == {
        "status_code": "succeeded",
        "duration_ms": 2210,
        "cost": "0.018",
        "nsfw_detected": None,
        "seed": 41,
        "timing": {"inference_ms": 910},
        "outputs": [{"type": "image", "width": 1024, "height": 1024}],
    }


def test_a_poll_reads_the_run(wire: Wire) -> None:
    """`GET /v1/runs/{id}` with the key."""
    wire.always(told(200, event("runflow-replace-succeeded.json")))
    run_id = event("runflow-replace-succeeded.json")["id"]
    outcome = client("runflow", wire.url).poll(posted_for(REPLACE, run_id=run_id))
    assert isinstance(outcome, Succeeded)
    assert len(outcome.outputs) == 2
    assert (wire.asked[0].method, wire.asked[0].target) == ("GET", f"/v1/runs/{run_id}")
    assert wire.asked[0].headers["authorization"] == "Bearer rf_live_sandbox"


def test_a_poll_of_a_flat_run_without_a_name_is_final(wire: Wire) -> None:
    """The flat form's answer alone held the URL."""
    outcome = client("runflow", wire.url).poll(posted_for(COLOR, form="flat"))
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("RESULT_NOT_KEPT", False)
    assert wire.asked == []


def test_a_poll_without_a_name_looks_the_run_up(wire: Wire) -> None:
    """A run whose id was lost is found by its reference; one that is not there is asked for later."""
    provider = client("runflow", wire.url)
    wire.always(told(200, {"items": [record("running", client_ref=REFERENCE)]}))
    assert isinstance(provider.poll(posted_for(COLOR)), Running)
    wire.always(told(200, {"items": [record("succeeded", client_ref=REFERENCE, output={"url": URL})]}))
    assert isinstance(provider.poll(posted_for(COLOR)), Succeeded)
    wire.always(told(200, {"items": []}))
    with pytest.raises(Later):
        provider.poll(posted_for(COLOR))


@pytest.mark.parametrize(
    ("balance", "told_as"),
    [
        ({"balance": "12.30"}, "; the balance is 12.30"),
        ({"balance": 7}, "; the balance is 7.00"),
        ({"balance": True}, ""),
        ({"balance": 10**400}, ""),
        ({"balance": "<script>"}, ""),
        ([], ""),
    ],
)
def test_check_tells_the_balance_when_it_can(wire: Wire, balance: Any, told_as: str) -> None:
    """The key is proven by /v1/auth/me; the balance is an extra."""
    wire.by_path(me=told(200, {"id": "u"}), balance=told(200, balance))
    assert client("runflow", wire.url).check() == f"Runflow takes the key{told_as}"
    wire.by_path(me=told(200, {"id": "u"}), balance=raw(500))
    assert client("runflow", wire.url).check() == "Runflow takes the key"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(URL),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "status_code", "output", "outputs", "url", "images", "timing", "cost", "failure_code"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
STATUS = st.sampled_from(["queued", "succeeded", "failed", "canceled", "partial_succeeded", "x"])


@settings(deadline=None, max_examples=60)
@given(JSON, STATUS, st.booleans())
def test_any_record_has_an_outcome(value: Any, status: str, sync_mode: bool) -> None:  # noqa: FBT001 - generated
    """Whatever JSON stands in a record, it reads as an outcome whose facts are JSON."""
    run = {**value, "status_code": status} if isinstance(value, dict) else value
    for found in (
        runflow_runs.outcome(run, sync_mode=sync_mode),
        runflow_runs.created(run, sync_mode=sync_mode),
        runflow_runs.known(run, sync_mode=sync_mode),
        runflow_runs.answered(run),
    ):
        facts = getattr(getattr(found, "outcome", found), "facts", {})
        json.dumps(facts, allow_nan=False)
