"""Every status of every route of BackgroundCut and ImagePipeline: what becomes of the job, under which code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from asking import KEYS, REFERENCE, client, posted_for, provider_of, request_for
from rows import ALIKE, FREE, PAID, RATE, UNREADABLE, Row, answer, check
from wire import told

from backdrop.errors import BackdropError, Later, Parked, ProviderFailed, Unknown
from backdrop.providers.base import Accepted, Running

if TYPE_CHECKING:
    from asking import Photo
    from wire import Wire

COLOR, REPLACE = "runflow/background-color", "runflow/background-replace"
CUT = "backgroundcut/remove-bg"
CHANGE, REMOVE = "imagepipeline/background-change", "imagepipeline/background-remove"
UPLOADED = told(200, {"success": True})

CUT_ALIKE = (
    Row(400, "", ProviderFailed, "REQUEST_REFUSED"),
    Row(401, "", Parked, "KEY_REFUSED"),
    Row(402, "", Parked, "NO_CREDITS"),
    Row(403, "", Parked, "NOT_ALLOWED"),
    Row(405, "", ProviderFailed, "ROUTE_MISSING"),
    Row(413, "", ProviderFailed, "PHOTO_TOO_LARGE"),
    Row(429, "", Later, "RATE_LIMITED"),
    Row(429, "", Later, "RATE_LIMITED", 5.0, ("Retry-After: 5",)),
)


@pytest.mark.parametrize(
    "row",
    [
        *CUT_ALIKE,
        Row(404, "", ProviderFailed, "ROUTE_MISSING"),
        Row(500, "", Later, "SERVER_ERROR"),
        Row(503, "", Later, "SERVER_ERROR"),
        Row(200, {"success": False}, Later, "UPLOAD_REFUSED"),
    ],
    ids=str,
)
def test_backgroundcut_upload(wire: Wire, photo: Photo, row: Row) -> None:
    """Each status of the upload ends in its leaf; an upload costs nothing, so none is Unknown."""
    wire.by_path(upload=answer(row, "backgroundcut", KEYS["backgroundcut"]))
    with pytest.raises(BackdropError) as caught:
        client("backgroundcut", wire.url).submit(request_for(CUT, photo))
    check(caught.value, row, KEYS["backgroundcut"])
    assert [asked.path for asked in wire.asked] == ["/v3/file-ops/upload/"]
    assert photo.memory == {}


@pytest.mark.parametrize(
    "row",
    [
        *CUT_ALIKE,
        Row(404, "", Later, "UPLOAD_GONE"),
        Row(500, "", Unknown, "SERVER_ERROR"),
        Row(503, "", Unknown, "SERVER_ERROR"),
        Row(504, b"<html>", Unknown, "SERVER_ERROR"),
        Row(302, "", Unknown, "REDIRECTED"),
    ],
    ids=str,
)
def test_backgroundcut_process(wire: Wire, photo: Photo, row: Row) -> None:
    """Each status of `process` ends in its leaf; 503 is not documented there, so it is Unknown like any 5xx."""
    wire.by_path(upload=UPLOADED, process=answer(row, "backgroundcut", KEYS["backgroundcut"]))
    with pytest.raises(BackdropError) as caught:
        client("backgroundcut", wire.url).submit(request_for(CUT, photo))
    check(caught.value, row, KEYS["backgroundcut"])


@pytest.mark.parametrize(
    "row",
    [
        Row(401, "", Parked, "KEY_REFUSED"),
        Row(402, "", Parked, "NO_CREDITS"),
        Row(403, "", Parked, "NOT_ALLOWED"),
        Row(429, "", Later, "RATE_LIMITED"),
        Row(429, "", Later, "RATE_LIMITED", 5.0, ("Retry-After: 5",)),
        Row(500, "", Later, "SERVER_ERROR"),
        Row(200, {"url": "ftp://x"}, Later, "REPLY_LOST"),
        Row(200, b"", Later, "REPLY_LOST"),
    ],
    ids=str,
)
def test_backgroundcut_mint_after_process(wire: Wire, photo: Photo, row: Row) -> None:
    """Once the pictures are paid for, whatever keeps their URLs away leaves the job Accepted; `poll` tells why."""
    processed = told(200, {"output_keys": [f"backdrop/{REFERENCE}/1.png"]})
    public = answer(row, "backgroundcut", KEYS["backgroundcut"])
    wire.by_path(upload=UPLOADED, process=processed, get_public_url=public)
    provider = client("backgroundcut", wire.url)
    assert provider.submit(request_for(CUT, photo)) == Accepted(REFERENCE)
    with pytest.raises(BackdropError) as caught:
        provider.poll(posted_for(CUT, run_id=REFERENCE))
    check(caught.value, row, KEYS["backgroundcut"])
    assert sum(asked.path.endswith("/process/") for asked in wire.asked) == 1


@pytest.mark.parametrize("status", [400, 404, 405])
def test_backgroundcut_mint_of_nothing_after_process(wire: Wire, photo: Photo, status: int) -> None:
    """A paid picture that is not there yet is Accepted, then Running: another region may have it."""
    processed = told(200, {"output_keys": [f"backdrop/{REFERENCE}/1.png"]})
    wire.by_path(upload=UPLOADED, process=processed, get_public_url=told(status, {"detail": "Not found."}))
    provider = client("backgroundcut", wire.url)
    assert provider.submit(request_for(CUT, photo)) == Accepted(REFERENCE)
    assert provider.poll(posted_for(CUT, run_id=REFERENCE)) == Running("not_there")
    assert sum(asked.path.endswith("/process/") for asked in wire.asked) == 1


@pytest.mark.parametrize(
    "row",
    [
        Row(401, "", Parked, "KEY_REFUSED"),
        Row(402, "", Parked, "NO_CREDITS"),
        Row(429, "", Later, "RATE_LIMITED"),
        Row(500, "", Later, "SERVER_ERROR"),
        Row(200, {"url": 5}, Later, "REPLY_LOST"),
    ],
    ids=str,
)
def test_backgroundcut_mint(wire: Wire, row: Row) -> None:
    """Asking for URLs later is free: Later or Parked."""
    wire.always(answer(row, "backgroundcut", KEYS["backgroundcut"]))
    with pytest.raises(BackdropError) as caught:
        client("backgroundcut", wire.url).find(posted_for(CUT))
    check(caught.value, row, KEYS["backgroundcut"])


@pytest.mark.parametrize("status", [400, 404, 405])
def test_backgroundcut_mint_of_nothing(wire: Wire, status: int) -> None:
    """A file that is not there is no trace for `find`, and still Running for `poll`: another region may have it."""
    wire.always(told(status, {"detail": "Not found."}))
    provider = client("backgroundcut", wire.url)
    assert provider.find(posted_for(CUT)) is None
    assert provider.poll(posted_for(CUT)) == Running("not_there")


PIPELINE_LATER = (
    Row(429, "RATE_LIMIT_EXCEEDED", Later, "RATE_LIMITED", 60.0),
    Row(429, "", Later, "RATE_LIMITED", 60.0),
    Row(503, "MODEL_UNAVAILABLE", Later, "UNAVAILABLE"),
    Row(400, "CONCURRENT_JOBS_EXCEEDED", Later, "RATE_LIMITED", 60.0),
)


@pytest.mark.parametrize(
    "row",
    [
        *PAID,
        *UNREADABLE,
        *RATE,
        *PIPELINE_LATER,
        Row(402, "INSUFFICIENT_BALANCE", Parked, "NO_CREDITS"),
        Row(400, "INSUFFICIENT_BALANCE", Parked, "NO_CREDITS"),
        Row(200, "INSUFFICIENT_BALANCE", Parked, "NO_CREDITS"),
        Row(403, "FEATURE_NOT_IN_PLAN", Parked, "NOT_ALLOWED"),
        Row(404, "NOT_FOUND", ProviderFailed, "ROUTE_MISSING"),
        Row(405, "", ProviderFailed, "ROUTE_MISSING"),
        Row(503, "", Unknown, "SERVER_ERROR"),
        Row(409, "", Unknown, "CONFLICT"),
    ],
    ids=str,
)
@pytest.mark.parametrize("model", [CHANGE, REMOVE])
def test_imagepipeline_create(wire: Wire, photo: Photo, row: Row, model: str) -> None:
    """Each status of the two POSTs ends in its leaf."""
    wire.always(answer(row, "imagepipeline", KEYS["imagepipeline"]))
    with pytest.raises(BackdropError) as caught:
        client("imagepipeline", wire.url).submit(request_for(model, photo))
    check(caught.value, row, KEYS["imagepipeline"])


@pytest.mark.parametrize(
    "row",
    [
        *FREE,
        *PIPELINE_LATER,
        Row(404, "NOT_FOUND", ProviderFailed, "RUN_NOT_FOUND"),
        Row(422, {"detail": [{"loc": ["path"], "msg": "no", "type": "x"}]}, ProviderFailed, "REQUEST_REFUSED"),
        Row(503, "", Later, "SERVER_ERROR"),
        Row(200, b"", Later, "REPLY_LOST"),
        Row(200, {"job_id": "job_other", "status": "completed"}, Later, "REPLY_LOST"),
    ],
    ids=str,
)
@pytest.mark.parametrize("model", [CHANGE, REMOVE])
def test_imagepipeline_status(wire: Wire, row: Row, model: str) -> None:
    """Each status of the two status routes ends in its leaf."""
    wire.always(answer(row, "imagepipeline", KEYS["imagepipeline"]))
    with pytest.raises(BackdropError) as caught:
        client("imagepipeline", wire.url).poll(posted_for(model, run_id="job_7be1c09a"))
    check(caught.value, row, KEYS["imagepipeline"])
    assert wire.asked[0].path.endswith(f"/{model.rpartition('-')[2]}/image/v1/status/job_7be1c09a")


@pytest.mark.parametrize(
    "row",
    [
        *ALIKE[:1],
        *ALIKE[2:],
        Row(429, "", Later, "RATE_LIMITED", 7.0, ("Retry-After: 7",)),
        Row(500, "", Later, "SERVER_ERROR"),
        Row(405, "", Later, "NOT_ASKED"),
    ],
    ids=str,
)
@pytest.mark.parametrize("model", [COLOR, CUT, CHANGE])
def test_check(wire: Wire, row: Row, model: str) -> None:
    """The free question about the account ends in Parked or Later, never in anything else."""
    name = provider_of(model)
    wire.always(answer(row, name, KEYS[name]))
    with pytest.raises(BackdropError) as caught:
        client(name, wire.url).check()
    check(caught.value, row, KEYS[name])


@pytest.mark.parametrize(
    ("model", "body", "named"),
    [
        (
            REPLACE,
            {
                "code": "VALIDATION_ERROR",
                "message": "Request validation failed",
                "errors": [{"loc": ["input", "file_reference"], "msg": "Field required", "type": "missing"}],
            },
            ("Request validation failed", "input.file_reference: Field required"),
        ),
        (CUT, {"detail": "Invalid background_color. Expected hex string like #ffffff."}, ("like #ffffff.",)),
        (CUT, {"key": ["This field is required."]}, ("key: This field is required.",)),
        (
            CHANGE,
            {"detail": [{"loc": ["body", "prompt"], "msg": "field required", "type": "value_error.missing"}]},
            ("prompt: field required",),
        ),
    ],
)
def test_a_refusal_names_the_fields(wire: Wire, photo: Photo, model: str, body: Any, named: tuple[str, ...]) -> None:
    """What each provider says about a field reaches the reader."""
    refused = told(422 if model != CUT else 400, body)
    wire.answer = lambda asked: UPLOADED if "upload" in asked.path else refused
    with pytest.raises(ProviderFailed) as caught:
        client(provider_of(model), wire.url).submit(request_for(model, photo))
    for words in named:
        assert words in caught.value.message
