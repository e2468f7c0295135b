"""Every status of every route of Runflow: what becomes of the job, under which code, and what a person can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from asking import KEYS, client, posted_for, request_for
from rows import FREE, PAID, QUOTED, RATE, UNREADABLE, Row, answer, check
from wire import Answer, told

from backdrop.errors import BackdropError, Later, Parked, ProviderFailed, Unknown
from backdrop.providers.base import Finished

if TYPE_CHECKING:
    from asking import Photo
    from wire import Asked, Wire

COLOR, REPLACE = "runflow/background-color", "runflow/background-replace"
CUT = "backgroundcut/remove-bg"
CHANGE, REMOVE = "imagepipeline/background-change", "imagepipeline/background-remove"
UPLOADED = told(200, {"success": True})

RUNFLOW_PAID = (
    *PAID,
    *UNREADABLE,
    *RATE,
    Row(429, "RATE_LIMITED", Later, "RATE_LIMITED"),
    Row(402, "INSUFFICIENT_CREDITS", Parked, "NO_CREDITS"),
    *(
        Row(403, code, Parked, "NOT_ALLOWED")
        for code in ("EMAIL_NOT_VERIFIED", "ORGANIZATION_MEMBERSHIP_REQUIRED", "ROLE_UNRESOLVED")
    ),
    Row(403, "IMPERSONATION_READ_ONLY", Parked, "NOT_ALLOWED"),
    Row(409, "CONFLICT", Unknown, "CONFLICT"),
    Row(400, {"error": {"code": "INSUFFICIENT_CREDIT", "message": QUOTED}}, Parked, "NO_CREDITS"),
)


@pytest.mark.parametrize(
    "row",
    [
        *RUNFLOW_PAID,
        Row(503, "MODEL_UNAVAILABLE", Later, "UNAVAILABLE"),
        Row(503, "", Later, "UNAVAILABLE", 9.0, ("Retry-After: 9",)),
        Row(500, "MODEL_UNAVAILABLE", Later, "UNAVAILABLE"),
        Row(404, "MODEL_NOT_FOUND", ProviderFailed, "ROUTE_MISSING"),
        Row(405, "METHOD_NOT_ALLOWED", ProviderFailed, "ROUTE_MISSING"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("model", "form"),
    [(COLOR, "runs"), (REPLACE, ""), ("bria/background/remove", ""), ("bria/background/remove", "sync")],
)
def test_runflow_create(wire: Wire, photo: Photo, row: Row, model: str, form: str) -> None:
    """Each status of the creation of a run ends in its leaf."""
    wire.always(answer(row, "runflow", KEYS["runflow"]))
    with pytest.raises(BackdropError) as caught:
        client("runflow", wire.url).submit(request_for(model, photo, form=form))
    check(caught.value, row, KEYS["runflow"])


@pytest.mark.parametrize("status", [404, 405])
def test_runflow_create_in_auto_turns_to_the_flat_form(wire: Wire, photo: Photo, status: int) -> None:
    """In `auto`, 404 and 405 of the runs route are Later, at once, by the flat form: nothing was accepted."""
    wire.always(told(status, {"code": "NOT_FOUND", "message": "", "errors": None}))
    with pytest.raises(Later) as caught:
        client("runflow", wire.url).submit(request_for(COLOR, photo, form="auto"))
    assert (caught.value.code, caught.value.form, caught.value.retry_after) == ("USE_FLAT_FORM", "flat", 0)
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "row",
    [
        *RUNFLOW_PAID,
        Row(503, "MODEL_UNAVAILABLE", Unknown, "SERVER_ERROR"),
        Row(503, "", Unknown, "SERVER_ERROR"),
        Row(404, "MODEL_NOT_FOUND", ProviderFailed, "ROUTE_MISSING"),
        Row(405, "METHOD_NOT_ALLOWED", ProviderFailed, "ROUTE_MISSING"),
    ],
    ids=str,
)
def test_runflow_flat(wire: Wire, photo: Photo, row: Row) -> None:
    """The flat form answers when the run has ended, so each of its 5xx may be of an accepted run: Unknown."""
    wire.always(answer(row, "runflow", KEYS["runflow"]))
    with pytest.raises(BackdropError) as caught:
        client("runflow", wire.url).submit(request_for(COLOR, photo, form="flat"))
    check(caught.value, row, KEYS["runflow"])


@pytest.mark.parametrize(
    "row",
    [
        *FREE,
        Row(404, "RUN_NOT_FOUND", ProviderFailed, "RUN_NOT_FOUND"),
        Row(422, "VALIDATION_ERROR", ProviderFailed, "REQUEST_REFUSED"),
        Row(429, "RATE_LIMITED", Later, "RATE_LIMITED"),
        Row(503, "", Later, "UNAVAILABLE"),
        Row(302, "", Later, "REDIRECTED"),
        Row(200, b"<html>", Later, "REPLY_LOST"),
        Row(200, [], Later, "REPLY_LOST"),
        Row(200, {"id": "another-run", "status_code": "succeeded"}, Later, "REPLY_LOST"),
    ],
    ids=str,
)
def test_runflow_read(wire: Wire, row: Row) -> None:
    """Each status of reading a run ends in its leaf; nothing can have been charged, so none is Unknown."""
    wire.always(answer(row, "runflow", KEYS["runflow"]))
    with pytest.raises(BackdropError) as caught:
        client("runflow", wire.url).poll(posted_for(COLOR, run_id="0197f3a2"))
    check(caught.value, row, KEYS["runflow"])


@pytest.mark.parametrize("row", [*FREE, Row(200, b"", Later, "REPLY_UNREADABLE")], ids=str)
def test_runflow_list(wire: Wire, row: Row) -> None:
    """When the list of runs cannot be read, `find` says Later or Parked and nothing else."""
    wire.always(answer(row, "runflow", KEYS["runflow"]))
    with pytest.raises(BackdropError) as caught:
        client("runflow", wire.url).find(posted_for(COLOR))
    check(caught.value, row, KEYS["runflow"])


@pytest.mark.parametrize("status", [400, 404, 405, 422])
def test_runflow_list_that_cannot_be_asked(wire: Wire, status: int) -> None:
    """A list that takes no such question has no trace of the run."""
    wire.always(told(status, {"code": "VALIDATION_ERROR", "message": "", "errors": None}))
    assert client("runflow", wire.url).find(posted_for(COLOR)) is None


def test_a_conflict_is_looked_up(wire: Wire, photo: Photo) -> None:
    """409 to our own Idempotency-Key means that the first POST was accepted: its run is taken."""
    run = {"id": "0197f3a2", "status_code": "running", "client_ref": "0123456789abcdef0123456789abcdef-1"}

    def reply(asked: Asked) -> Answer:
        if asked.method == "POST":
            return told(409, {"code": "CONFLICT", "message": "", "errors": None})
        return told(200, {"items": [run]})

    wire.answer = reply
    found = client("runflow", wire.url).submit(request_for(COLOR, photo, form="runs"))
    assert not isinstance(found, Finished)
    assert found.run_id == "0197f3a2"
