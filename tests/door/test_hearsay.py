"""An unsigned provider's word is hearsay: the provider itself is asked before any URL is fetched."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from bench import BRIA, CUT, PROVIDER_KEYS, picture
from doorway import event, path_of, ring
from hostile import reply, serving

from backdrop import callbacks
from backdrop.states import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doorway import Doorway
    from hostile import Server

EVIL = picture(seed=66)


@pytest.fixture
def evil(door: Doorway) -> Iterator[Server]:
    """A server that would be fetched from if it were asked: its origin is excused from every rule."""
    with serving(lambda _: [reply(EVIL, content_type="image/png")]) as server:
        secret = "providers-without-callback-secrets"
        keys = {name: value for name, value in PROVIDER_KEYS.items() if name != "runflow_callback_secrets"}
        client = door.bench.world.aws.secrets
        if secret not in {one["Name"] for one in client.list_secrets()["SecretList"]}:
            client.create_secret(Name=secret, SecretString=json.dumps(keys))
        door.reopen(exempt_origins=server.origin, provider_secret=secret)
        yield server


def forged(call: Any, evil: Server, **changes: Any) -> dict[str, Any]:
    """The callback with a result of the forger's own, unsigned."""
    told = json.loads(call.body)
    url = f"{evil.origin}/evil.png?X-Amz-Signature=0"
    told |= {"result_url": url} if "job_id" in told else {"output": {"outputs": [{"url": url, "type": "image"}]}}
    return event(call, body=json.dumps(told | changes), multiValueHeaders={})


@pytest.mark.parametrize("spec", [BRIA, CUT], ids=["runflow without a secret", "imagepipeline"])
def test_an_evil_url_is_never_fetched(door: Doorway, evil: Server, spec: dict[str, Any]) -> None:
    """A hostile callback with an evil URL: no connection is made to it, the provider is asked, its result delivered."""
    call = door.running(spec)
    asked = len(door.bench.requests())
    assert ring(forged(call, evil)) == (200, "taken")
    assert evil.requests == []
    kinds = [seen["kind"] for seen in door.bench.requests()[asked:]]
    assert kinds.index("status") < kinds.index("result")
    job = door.bench.only()
    assert job.state is State.SUCCEEDED
    assert door.bench.output(job.outputs[0]["key"]) != EVIL


def test_an_evil_picture_inside_the_callback_is_never_taken(door: Doorway, evil: Server) -> None:
    """Base64 or a data URI in an unsigned callback counts for nothing: the provider's own result is delivered."""
    inline = base64.b64encode(EVIL).decode()
    changes: dict[str, Any] = {
        "result_base64": inline,
        "result_url": "https://x.example.test/",
        "output": {"outputs": [{"url": f"data:image/png;base64,{inline}", "type": "image"}]},
    }
    for seed, spec in enumerate((BRIA, CUT)):
        call = door.running(spec, seed=seed)
        assert ring(forged(call, evil, **changes)) == (200, "taken")
        job = door.job_of(call)
        assert job.state is State.SUCCEEDED
        assert door.bench.output(job.outputs[0]["key"]) != EVIL


@pytest.mark.parametrize("spec", [BRIA, CUT], ids=["runflow without a secret", "imagepipeline"])
def test_a_run_that_is_not_finished_is_not_called_so(door: Doorway, evil: Server, spec: dict[str, Any]) -> None:
    """A hostile callback says "completed", or "failed", of a run that still runs: nothing changes."""
    call = door.running(spec)
    door.bench.trouble(run_stuck=True)
    stuck = door.bench.drop("stuck.png", picture(seed=9))
    door.bench.drop("stuck.png.json", spec)
    (job,) = [one for one in door.bench.jobs() if one.key == stuck]
    told = json.loads(call.body)
    named = {"job_id" if "job_id" in told else "run_id": job.run_id}
    failed = {"event": "run.failed"} if "event" in told else {}
    path = {"pathParameters": path_of(callbacks.mint(door.bench.world, job.provider, job.job_id, 1))}
    before = door.stored()
    assert ring(forged(call, evil, **named) | path) == (200, "taken")
    assert ring(forged(call, evil, **named, **failed, status="failed") | path) == (200, "taken")
    assert door.stored() == before
    assert evil.requests == []


def test_an_evil_id_leads_nowhere(door: Doorway, evil: Server) -> None:
    """A run id in an unsigned callback stands in a path of the provider's: one that is not known changes nothing."""
    call = door.running(CUT)
    before = door.stored()
    for evil_id in ("../../admin", "x/../y", "%2e%2e", "another-job", "a" * 300):
        assert ring(forged(call, evil, job_id=evil_id))[0] in {400, 404}
    assert door.stored() == before
    assert not [seen for seen in door.bench.requests() if "admin" in seen["path"]]


def test_when_the_provider_cannot_be_asked_nothing_is_fetched(door: Doorway, evil: Server) -> None:
    """The status route is busy at that moment: the hint is kept for later, and its URL is not used then either."""
    call = door.running(CUT)
    door.bench.trouble(rate_limited={"route": "status", "times": 1, "retry_after": 1})
    assert ring(forged(call, evil)) == (202, "queued")
    assert door.bench.only().state is State.RUNNING
    assert [job.state for job in door.bench.finish()] == [State.SUCCEEDED]
    assert evil.requests == []
