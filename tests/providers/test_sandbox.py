"""The clients at the sandbox, which follows the same pages: whole runs, and trouble of every kind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from asking import KEYS, REFERENCE, VARIANT, client, posted_for, provider_of, request_for

from backdrop.errors import BackdropError, Later, Parked, ProviderFailed, Unknown
from backdrop.providers.base import Accepted, Failed, Finished, Running, Succeeded

if TYPE_CHECKING:
    from asking import Photo

    from backdrop.providers.base import Outcome, Provider
    from backdrop_cli.sandbox.server import Sandbox

COLOR, REPLACE, BRIA = "runflow/background-color", "runflow/background-replace", "bria/background/remove"
CUT = "backgroundcut/remove-bg"
CHANGE, REMOVE = "imagepipeline/background-change", "imagepipeline/background-remove"
TWO = [{**VARIANT, "format": "jpeg", "background_color": "#1a01ff"}, VARIANT]


def wait(provider: Provider, model: str, run_id: str, **fields: Any) -> Outcome:
    """Poll a run to its end, at most ten seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        outcome = provider.poll(posted_for(model, run_id=run_id, **fields))
        if not isinstance(outcome, Running):
            return outcome
        time.sleep(0.02)
    raise AssertionError("the run did not end")


def run(sandbox: Sandbox, photo: Photo, model: str, *, form: str = "", **fields: Any) -> Outcome:
    """Submit and wait."""
    provider = client(provider_of(model), sandbox.url)
    reply = provider.submit(request_for(model, photo, form=form, **fields))
    if isinstance(reply, Finished):
        return reply.outcome
    return wait(provider, model, reply.run_id, **fields)


RUNS: tuple[tuple[str, str, dict[str, Any], tuple[str, ...]], ...] = (
    (COLOR, "auto", {}, ("image/png",)),
    (COLOR, "runs", {}, ("image/png",)),
    (COLOR, "flat", {}, ("image/png",)),
    (REPLACE, "", {}, ("image/png",)),
    (BRIA, "", {}, ("image/png",)),
    (CUT, "", {"output_variants": TWO}, ("image/jpeg", "image/png")),
    (CHANGE, "", {"output_format": "jpeg"}, ("image/jpeg",)),
    (REMOVE, "", {"output_format": "webp"}, ("image/webp",)),
)


@pytest.mark.parametrize(("model", "form", "fields", "types"), RUNS)
def test_a_run_ends_in_pictures(
    sandbox: Sandbox, photo: Photo, *, model: str, form: str, fields: dict[str, Any], types: tuple[str, ...]
) -> None:
    """Every model, in every form: one paid POST, and as many pictures as asked for, in their order."""
    outcome = run(sandbox, photo, model, form=form, **fields)
    assert isinstance(outcome, Succeeded)
    found = tuple(httpx.get(output.url, trust_env=False).headers["content-type"] for output in outcome.outputs)
    assert found == types
    assert sandbox.ledger()["count"] == 1


@pytest.mark.parametrize("mode", ["both", "reply"])
def test_sync_media_comes_with_the_reply(sandbox: Sandbox, photo: Photo, mode: str) -> None:
    """A data URI in the create reply is the picture."""
    sandbox.trouble(sync_media=mode)
    outcome = run(sandbox, photo, BRIA, form="sync", sync_mode=True)
    assert isinstance(outcome, Succeeded)
    assert outcome.outputs[0].url.startswith("data:image/png;base64,")


def test_sync_media_that_comes_nowhere_is_gone(sandbox: Sandbox, photo: Photo) -> None:
    """Neither in the reply nor in the record: final, with the reason."""
    sandbox.trouble(sync_media="neither")
    outcome = run(sandbox, photo, BRIA, form="sync", sync_mode=True)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("SYNC_MEDIA_GONE", False)


PAID = [(COLOR, "runs"), (COLOR, "flat"), (CUT, ""), (CHANGE, ""), (REMOVE, "")]
TROUBLE: tuple[tuple[str, dict[str, Any], type[BackdropError], int], ...] = (
    ("rate_limited", {"route": "submit"}, Later, 0),
    ("refused_key", {"route": "submit"}, Parked, 0),
    ("forbidden", {"route": "submit"}, Parked, 0),
    ("no_credits", {}, Parked, 0),
    ("server_error_before", {"route": "submit", "status": 500}, Unknown, 0),
    ("server_error_after", {"status": 502}, Unknown, 1),
    ("dropped_before", {"route": "submit"}, Unknown, 0),
    ("dropped_after", {}, Unknown, 1),
)


@pytest.mark.parametrize(("model", "form"), PAID)
@pytest.mark.parametrize(("switch", "setting", "leaf", "accepted"), TROUBLE, ids=[row[0] for row in TROUBLE])
def test_trouble_with_a_paid_post(
    sandbox: Sandbox,
    photo: Photo,
    *,
    model: str,
    form: str,
    switch: str,
    setting: dict[str, Any],
    leaf: type[BackdropError],
    accepted: int,
) -> None:
    """Each kind of trouble ends in its leaf, whether or not the ledger then holds the POST."""
    sandbox.trouble(**{switch: setting})
    with pytest.raises(leaf):
        client(provider_of(model), sandbox.url).submit(request_for(model, photo, form=form))
    assert sandbox.ledger()["count"] == accepted


@pytest.mark.parametrize("trouble", ["dropped_after", "server_error_after"])
@pytest.mark.parametrize(("model", "form"), [(COLOR, "runs"), (REPLACE, ""), (BRIA, ""), (CUT, "")])
def test_a_lost_reply_is_found_again(sandbox: Sandbox, photo: Photo, model: str, form: str, trouble: str) -> None:
    """By client_ref, or by the attempt's own output keys: the first POST is finished, none is made again."""
    sandbox.trouble(**{trouble: True})
    provider = client(provider_of(model), sandbox.url)
    with pytest.raises(Unknown):
        provider.submit(request_for(model, photo, form=form))
    sandbox.trouble()
    found = provider.find(posted_for(model, form=form))
    assert found is not None
    outcome = found.outcome if isinstance(found, Finished) else wait(provider, model, found.run_id)
    assert isinstance(outcome, Succeeded)
    assert sandbox.ledger()["count"] == 1


@pytest.mark.parametrize("model", [COLOR, BRIA, CUT, CHANGE])
def test_a_post_that_never_arrived_is_not_found(sandbox: Sandbox, photo: Photo, model: str) -> None:
    """Nothing is taken for ours that is not."""
    sandbox.trouble(dropped_before={"route": "submit"})
    provider = client(provider_of(model), sandbox.url)
    with pytest.raises(Unknown):
        provider.submit(request_for(model, photo))
    sandbox.trouble()
    assert provider.find(posted_for(model)) is None


def test_a_conflict_finds_the_first_run(sandbox: Sandbox, photo: Photo) -> None:
    """A repost whose presigned URL is another is a conflict; the run that the first POST made is taken."""
    sandbox.trouble(honour_idempotency_key=True)
    provider = client("runflow", sandbox.url)
    first = provider.submit(request_for(COLOR, photo, form="runs"))
    photo.shelf += "/."
    again = provider.submit(request_for(COLOR, photo, form="runs"))
    assert again.run_id == first.run_id
    assert sandbox.ledger()["count"] == 1


@pytest.mark.parametrize("status", [404, 405])
def test_auto_turns_to_the_flat_form(sandbox: Sandbox, photo: Photo, status: int) -> None:
    """The runs route missing, `auto` asks for the flat form, which takes the job; `runs` fails with what to do."""
    sandbox.trouble(runs_route_missing={"status": status})
    provider = client("runflow", sandbox.url)
    with pytest.raises(Later) as caught:
        provider.submit(request_for(COLOR, photo, form="auto"))
    assert isinstance(provider.submit(request_for(COLOR, photo, form=caught.value.form)), Finished)
    with pytest.raises(ProviderFailed) as failed:
        provider.submit(request_for(COLOR, photo, form="runs"))
    assert "BackgroundColorForm" in failed.value.action
    assert sandbox.ledger()["count"] == 1


@pytest.mark.parametrize("flat_input", ["zip", "image"])
def test_the_flat_form_takes_both_inputs(sandbox: Sandbox, photo: Photo, flat_input: str) -> None:
    """A zip with `file_input`, and the plain image."""
    sandbox.trouble(flat_needs_file_input=True)
    provider = client("runflow", sandbox.url, flat_input=flat_input)
    assert isinstance(provider.submit(request_for(COLOR, photo, form="flat")), Finished)


def test_a_run_that_fails_or_is_cancelled_says_so(sandbox: Sandbox, photo: Photo) -> None:
    """The record's own reason, and whether a new attempt is worth its price."""
    for model in (COLOR, CHANGE):
        for retryable in (True, False):
            sandbox.trouble(run_fails={"retryable": retryable, "message": "The lamp broke."})
            outcome = run(sandbox, photo, model)
            assert isinstance(outcome, Failed)
            assert outcome.retryable is retryable
            assert "The lamp broke." in outcome.message
        sandbox.trouble(run_cancelled=True)
        cancelled = run(sandbox, photo, model)
        assert isinstance(cancelled, Failed)
        assert cancelled.code == "RUN_CANCELLED"


@pytest.mark.parametrize("model", [COLOR, BRIA, CHANGE, REMOVE])
def test_an_input_that_cannot_be_fetched_is_worth_another_attempt(sandbox: Sandbox, photo: Photo, model: str) -> None:
    """The presigned URL may have died: a new attempt signs a new one."""
    photo.shelf += "/nothing/here"
    missing = photo.url().replace("photo", "absent")
    photo.url = lambda: missing  # type: ignore[method-assign] # the photo has gone from the shelf
    outcome = run(sandbox, photo, model)
    assert isinstance(outcome, Failed)
    assert outcome.retryable


def test_partial_success_is_success(sandbox: Sandbox, photo: Photo) -> None:
    """What it did make is taken."""
    sandbox.trouble(run_partial=True)
    outcome = run(sandbox, photo, COLOR)
    assert isinstance(outcome, Succeeded)
    assert outcome.facts["status_code"] == "partial_succeeded"


@pytest.mark.parametrize("route", ["submit", "public-url"])
def test_a_region_that_moves(sandbox: Sandbox, photo: Photo, route: str) -> None:
    """404 once from process: uploaded again and done. 404 from minting: accepted, and polled."""
    sandbox.trouble(regional_404={"times": 1, "route": route})
    provider = client("backgroundcut", sandbox.url)
    if route == "public-url":
        assert provider.submit(request_for(CUT, photo)) == Accepted(REFERENCE)
        assert isinstance(provider.poll(posted_for(CUT, run_id=REFERENCE)), Succeeded)
    else:
        assert isinstance(provider.submit(request_for(CUT, photo)), Finished)
    assert sandbox.ledger()["count"] == 1


MINTING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("rate_limited", {}),
    ("refused_key", {}),
    ("forbidden", {}),
    ("server_error_before", {"status": 503}),
    ("dropped_before", {}),
    ("regional_404", {}),
)


@pytest.mark.parametrize(("switch", "setting"), MINTING, ids=[row[0] for row in MINTING])
def test_pictures_that_were_paid_for_are_polled(
    sandbox: Sandbox, photo: Photo, switch: str, setting: dict[str, Any]
) -> None:
    """Whatever befalls the minting of URLs, the job is accepted; when it is over, a poll brings every picture."""
    sandbox.trouble(**{switch: {"route": "public-url", **setting}})
    provider = client("backgroundcut", sandbox.url)
    assert provider.submit(request_for(CUT, photo, output_variants=TWO)) == Accepted(REFERENCE)
    sandbox.trouble()
    outcome = provider.poll(posted_for(CUT, run_id=REFERENCE, output_variants=TWO))
    assert isinstance(outcome, Succeeded)
    found = [httpx.get(output.url, trust_env=False).headers["content-type"] for output in outcome.outputs]
    assert found == ["image/jpeg", "image/png"]
    assert sandbox.ledger()["count"] == 1


def test_an_upload_that_has_run_out_is_made_again(sandbox: Sandbox, photo: Photo) -> None:
    """Two hours later the remembered upload is gone; the job notices and goes on."""
    provider = client("backgroundcut", sandbox.url)
    provider.submit(request_for(CUT, photo))
    sandbox.advance(7300)
    assert isinstance(provider.submit(request_for(CUT, photo)), Finished)
    assert sum(one["kind"] == "upload" for one in sandbox.requests()) == 2


def test_every_poll_signs_anew(sandbox: Sandbox, photo: Photo) -> None:
    """A result's URL that has run out is replaced by asking again (ImagePipeline's die with their files)."""
    for model in (COLOR, CUT):
        provider = client(provider_of(model), sandbox.url)
        reply = provider.submit(request_for(model, photo))
        first = wait(provider, model, reply.run_id)
        sandbox.advance(1)
        second = provider.poll(posted_for(model, run_id=reply.run_id))
        assert isinstance(first, Succeeded)
        assert isinstance(second, Succeeded)
        assert first.outputs[0].url != second.outputs[0].url


@pytest.mark.parametrize("name", KEYS)
def test_check_proves_the_key(sandbox: Sandbox, name: str) -> None:
    """The right key is taken, a wrong one refused with what to do, and nothing is charged."""
    assert "takes the key" in client(name, sandbox.url).check()
    with pytest.raises(Parked) as caught:
        client(name, sandbox.url, key="wrong_key_0815").check()
    assert f"{name}_api_key" in caught.value.action
    assert "wrong_key_0815" not in str(caught.value)
    assert sandbox.ledger()["count"] == 0


def test_a_cancelled_runs_spelling_does_not_matter(sandbox: Sandbox, photo: Photo) -> None:
    """The record may spell it either way."""
    for spelling in ("canceled", "cancelled"):
        sandbox.trouble(run_cancelled=True, run_cancelled_spelling=spelling)
        outcome = run(sandbox, photo, COLOR)
        assert isinstance(outcome, Failed)
        assert outcome.code == "RUN_CANCELLED"


@pytest.mark.parametrize("status", [200, 202])
def test_a_queued_reply_may_have_either_status(sandbox: Sandbox, photo: Photo, status: int) -> None:
    """No page says which 2xx it is."""
    sandbox.trouble(queued_status_code=status, run_stuck=True)
    reply = client("imagepipeline", sandbox.url).submit(request_for(CHANGE, photo))
    assert isinstance(reply, Accepted)
    assert reply.run_id.startswith("job_")
