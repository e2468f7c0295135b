"""Runflow: how a run is found again whose reply was lost."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asking import REFERENCE, client, posted_for, request_for
from wire import Answer, raw, told

from backdrop.errors import Later, ProviderFailed, Unknown
from backdrop.providers.base import Accepted, Running
from backdrop.providers.runflow import Runflow

if TYPE_CHECKING:
    from asking import Photo
    from wire import Asked, Wire

COLOR, REPLACE, BRIA = "runflow/background-color", "runflow/background-replace", "bria/background/remove"
EVENTS = Path(__file__).resolve().parents[2] / "events" / "providers"
URL = "https://files.example.test/out/0.png?sig=1"
DATA = "data:image/png;base64,iVBORw0KGgo="


def event(name: str) -> Any:
    """One of the provider's replies in the event files."""
    return json.loads((EVENTS / name).read_text(encoding="utf-8"))


def record(status: str = "queued", **fields: Any) -> dict[str, Any]:
    """A run record."""
    return {**event("runflow-queued.json"), "status_code": status, **fields}


FOUND = (
    pytest.param(
        {"items": [record(client_ref="else"), record("running", id="run-7", client_ref=REFERENCE)]}, id="items"
    ),
    pytest.param({"data": [record("running", id="run-7", client_ref=REFERENCE)]}, id="data"),
    pytest.param([record("running", id="run-7", client_ref=REFERENCE)], id="list"),
    pytest.param(
        {"items": [record("running", id="run-7", client_ref=None, metadata={"backdrop_reference": REFERENCE})]},
        id="metadata",
    ),
)


@pytest.mark.parametrize("page", FOUND)
def test_a_lost_run_is_found(wire: Wire, page: Any) -> None:
    """By client_ref, or by the metadata should client_ref be ignored, wherever the list puts its rows."""
    wire.always(told(200, page))
    assert client("runflow", wire.url).find(posted_for(COLOR)) == Accepted("run-7", {"status_code": "running"})
    assert f"q={REFERENCE}" in wire.asked[0].target


@pytest.mark.parametrize(
    "page",
    [
        {"items": [record("running", client_ref=REFERENCE + "0")]},
        {"items": [record("running", client_ref=None, input={"x": REFERENCE}, metadata={"other": REFERENCE})]},
        {"items": [record("running", id="../x", client_ref=REFERENCE)]},
        {"items": [None, 7, "x"]},
        {},
        7,
    ],
)
def test_another_run_is_not_taken(wire: Wire, page: Any) -> None:
    """What the provider's search brings up counts only when it names this very attempt."""
    wire.always(told(200, page))
    assert client("runflow", wire.url).find(posted_for(COLOR)) is None


def test_a_list_that_cannot_search_is_gone_through(wire: Wire) -> None:
    """When `q` finds nothing, the newest runs are read page by page until they are older than the POST."""
    pages = {
        "": {"items": [record(created_at="2026-05-06T10:00:00.125000Z")], "next_pq": "p2"},
        "p2": {"items": [record("running", id="run-7", client_ref=REFERENCE)], "next_pq": "p3"},
        "p3": {"items": []},
    }

    def reply(asked: Asked) -> Answer:
        if "q=" in asked.target.replace("pq=", ""):
            return told(422, {"code": "VALIDATION_ERROR", "message": "", "errors": None})
        return told(200, pages[asked.target.partition("pq=")[2]])

    wire.answer = reply
    found = client("runflow", wire.url).find(posted_for(COLOR, posted_at=1_778_061_600.0))
    assert found == Accepted("run-7", {"status_code": "running"})


def unfinished(error: Later) -> bool:
    """Whether it says that the search was not finished, with something to do about it."""
    return error.code == "SEARCH_UNFINISHED" and bool(error.action)


def test_the_search_is_bounded(wire: Wire) -> None:
    """A list without end is not read to its end, and not having read it is Later, never "no trace"."""
    wire.always(told(200, {"items": [record()], "next_pq": "again"}))
    with pytest.raises(Later) as caught:
        client("runflow", wire.url).find(posted_for(COLOR))
    assert unfinished(caught.value)
    assert len(wire.asked) == 3


def test_the_search_ends_beyond_the_post(wire: Wire) -> None:
    """A list that goes back beyond the POST has been read far enough: one page for each question, and no trace."""
    wire.always(told(200, {"items": [record()], "next_pq": "again"}))
    assert client("runflow", wire.url).find(posted_for(COLOR, posted_at=1_778_070_000.0)) is None
    assert len(wire.asked) == 2


@pytest.mark.parametrize(
    "last",
    [
        {"items": [record(created_at="2026-05-06T09:00:00Z")], "next_pq": "p4"},
        {"items": [record()], "next_pq": ""},
        {"items": [record()]},
        {"items": [], "next_pq": "p4"},
    ],
    ids=["beyond", "no-cursor", "last", "empty"],
)
def test_a_search_that_ends_on_its_last_page_is_finished(wire: Wire, last: dict[str, Any]) -> None:
    """The last page allowed may be the one that ends the search: no trace then, after as many pages as there may be."""
    pages = {"": {"items": [record()], "next_pq": "p2"}, "p2": {"items": [record()], "next_pq": "p3"}, "p3": last}
    wire.answer = lambda asked: told(200, pages[asked.target.partition("&pq=")[2]])
    assert client("runflow", wire.url).find(posted_for(COLOR, posted_at=1_778_061_600.0)) is None
    assert len(wire.asked) == 6


def test_what_the_name_does_not_find_may_be_too_far_back(wire: Wire) -> None:
    """The question by name found nothing; the list, which is not read to the POST, may still hold the run."""
    wire.answer = lambda asked: told(
        200, {"items": []} if f"q={REFERENCE}" in asked.target else {"items": [record()], "next_pq": "again"}
    )
    with pytest.raises(Later) as caught:
        client("runflow", wire.url).find(posted_for(COLOR, posted_at=1_778_061_600.0))
    assert unfinished(caught.value)
    assert len(wire.asked) == 4


def test_a_poll_without_a_name_says_that_its_search_was_not_finished(wire: Wire) -> None:
    """A run that has no name yet and was not reached in the list is asked for later."""
    wire.always(told(200, {"items": [record()], "next_pq": "again"}))
    with pytest.raises(Later) as caught:
        client("runflow", wire.url).poll(posted_for(COLOR))
    assert unfinished(caught.value)
    assert len(wire.asked) == 3


def test_a_conflict_whose_run_was_not_reached_stays_in_doubt(wire: Wire, photo: Photo) -> None:
    """409 says that an earlier POST was accepted; a list too long to find it in does not make that undone."""
    conflict = told(409, {"code": "CONFLICT", "message": "", "errors": None})
    endless = told(200, {"items": [record()], "next_pq": "again"})
    wire.answer = lambda asked: conflict if asked.method == "POST" else endless
    with pytest.raises(Unknown) as caught:
        client("runflow", wire.url).submit(request_for(COLOR, photo, form="runs"))
    assert caught.value.code == "CONFLICT"
    assert [asked.method for asked in wire.asked] == ["POST", "GET", "GET", "GET"]


def test_of_several_runs_of_one_attempt_the_best_is_taken(wire: Wire) -> None:
    """A success before one that runs, one that runs before a failure."""
    rows = [
        record("failed", id="run-1", client_ref=REFERENCE),
        record("running", id="run-2", client_ref=REFERENCE),
        record("succeeded", id="run-3", client_ref=REFERENCE, output={"url": URL}),
    ]
    provider = client("runflow", wire.url)
    for count, best in ((3, "run-3"), (2, "run-2"), (1, "run-1")):
        wire.always(told(200, {"items": rows[:count]}))
        found = provider.find(posted_for(COLOR))
        assert found is not None
        assert found.run_id == best


def test_a_found_sync_run_waits_for_its_callback(wire: Wire) -> None:
    """Its media is not in the record, but the callback may still bring it."""
    wire.always(told(200, {"items": [record("succeeded", client_ref=REFERENCE, output=None)]}))
    assert isinstance(client("runflow", wire.url).find(posted_for(BRIA, sync_mode=True)), Accepted)


def test_the_flat_form_cannot_be_asked(wire: Wire) -> None:
    """Nothing names a flat run, so there is nothing to look for."""
    assert client("runflow", wire.url).find(posted_for(COLOR, form="flat")) is None
    assert wire.asked == []


def test_a_named_run_is_found_by_its_name(wire: Wire) -> None:
    """With a run id the run itself is read; one that is unknown there is no trace."""
    provider = client("runflow", wire.url)
    wire.always(told(200, record("running")))
    assert isinstance(provider.find(posted_for(COLOR, run_id=record()["id"])), Accepted)
    wire.always(raw(404))
    assert provider.find(posted_for(COLOR, run_id="run-7")) is None


def test_nothing_is_found_by_an_empty_name(wire: Wire) -> None:
    """A run without a client_ref is not the run of a job without a reference."""
    wire.always(told(200, {"items": [record("running", client_ref="")]}))
    assert client("runflow", wire.url).find(posted_for(COLOR)._replace(reference="")) is None


def test_the_search_ends_with_its_time(wire: Wire) -> None:
    """A list that answers slowly is not read to its bounds; what was not read is Later, not "no trace"."""
    for page in ({"items": [record()], "next_pq": "again"}, {"items": [record()]}):
        wire.asked.clear()
        wire.always(told(200, page))
        moments = iter([0.0, 1.0, 20.0, 20.0])
        provider = Runflow(base_url=wire.url, key="rf_live_sandbox", clock=partial(next, moments))
        with pytest.raises(Later) as caught:
            provider.find(posted_for(COLOR))
        assert unfinished(caught.value)
        assert len(wire.asked) == 1


@pytest.mark.parametrize("created_at", [None, 7, "yesterday", "2026-13-40", "2026-05-06T10:00:00"])
def test_a_record_without_a_usable_date_does_not_end_the_search(wire: Wire, created_at: Any) -> None:
    """Only a date that says so is older than the POST; without one the search goes on to its bound."""
    wire.always(told(200, {"items": [record(created_at=created_at)], "next_pq": "again"}))
    with pytest.raises(Later) as caught:
        client("runflow", wire.url).find(posted_for(COLOR, posted_at=1_778_061_600.0))
    assert unfinished(caught.value)
    assert len(wire.asked) == 3


def test_an_id_that_could_leave_its_place_is_not_asked_about(wire: Wire) -> None:
    """A run id from a callback stands in a path: one that is no id is answered without a request."""
    with pytest.raises(ProviderFailed) as caught:
        client("runflow", wire.url).poll(posted_for(COLOR, run_id="../admin"))
    assert caught.value.code == "RUN_NOT_FOUND"
    assert wire.asked == []


def test_a_lost_sync_run_is_found(wire: Wire) -> None:
    """A run in `sync_mode` has its names like any other: `find` looks it up, and `poll` reads it."""
    wire.always(told(200, {"items": [record("running", id="run-7", client_ref=REFERENCE)]}))
    provider = client("runflow", wire.url)
    posted = posted_for(BRIA, form="sync", sync_mode=True)
    assert provider.find(posted) == Accepted("run-7", {"status_code": "running"})
    assert provider.poll(posted) == Running("found", {"status_code": "running"})


def test_a_conflict_of_a_sync_run_is_looked_up(wire: Wire, photo: Photo) -> None:
    """409 in `sync_mode` too means that the first POST was accepted: its run is taken."""
    conflict = told(409, {"code": "CONFLICT", "message": "", "errors": None})
    listed = told(200, {"items": [record("running", id="run-7", client_ref=REFERENCE)]})
    wire.answer = lambda asked: conflict if asked.method == "POST" else listed
    reply = client("runflow", wire.url).submit(request_for(BRIA, photo, form="sync", sync_mode=True))
    assert reply == Accepted("run-7", {"status_code": "running"})


def test_what_was_found_counts_though_the_search_was_not_finished(wire: Wire) -> None:
    """A run that names this attempt is taken even when the list goes on further than may be read."""
    wire.always(told(200, {"items": [record("running", id="run-7", client_ref=REFERENCE)], "next_pq": "again"}))
    found = client("runflow", wire.url).find(posted_for(COLOR))
    assert found == Accepted("run-7", {"status_code": "running"})
    assert len(wire.asked) <= 6
