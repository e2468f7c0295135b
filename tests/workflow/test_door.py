"""The webhook's handler: what API Gateway hands it, as it is and as nobody should send it."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from bench import load_function, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backdrop.settings import Settings
from backdrop.states import State
from backdrop.world import deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench import Bench, Call

BRIA: dict[str, Any] = {"model": "bria/background/remove"}


@dataclass(frozen=True)
class Context:
    """As much of Lambda's context as the handler uses."""

    milliseconds: int = 15_000

    def get_remaining_time_in_millis(self) -> int:
        """What is left of the invocation."""
        return self.milliseconds


@pytest.fixture
def door(bench: Bench) -> Iterator[Bench]:
    """A bench whose settings are the environment of the deployed handler."""
    before = dict(os.environ)
    for field in fields(Settings):
        value = getattr(bench.world.settings, field.name)
        os.environ[field.name.upper()] = ",".join(value) if isinstance(value, tuple) else str(value)
    deployed.cache_clear()
    yield bench
    deployed.cache_clear()
    os.environ.clear()
    os.environ.update(before)


def event(call: Call, **changes: Any) -> dict[str, Any]:
    """The proxy event of a callback."""
    _, _, provider, job, attempt, token = unquote(call.path).split("/")
    return {
        "pathParameters": {"provider": provider, "job": job, "attempt": attempt, "token": token},
        "multiValueHeaders": {name.title(): [value] for name, value in call.headers.items()},
        "body": call.body.decode(),
        "isBase64Encoded": False,
        **changes,
    }


def ring(given_event: dict[str, Any]) -> tuple[int, str]:
    """Call the handler; status and word."""
    answer = load_function("webhook").handler(given_event, Context())
    assert set(answer) == {"statusCode", "headers", "body"}
    word = json.loads(answer["body"])
    assert set(word) == {"status"}
    return answer["statusCode"], word["status"]


def running(door: Bench) -> Call:
    """A job whose callback has come and was not delivered yet."""
    door.drop("a.png", picture())
    door.drop("a.png.json", BRIA)
    (call,) = door.calls()
    return call


@pytest.mark.parametrize("encoded", [False, True])
def test_a_callback_is_taken_as_text_and_as_base64(door: Bench, encoded: bool) -> None:  # noqa: FBT001 - the two cases
    """API Gateway may encode the body: the signature is checked over the bytes that were sent."""
    call = running(door)
    body = base64.b64encode(call.body).decode() if encoded else call.body.decode()
    assert ring(event(call, body=body, isBase64Encoded=encoded)) == (200, "taken")
    assert door.only().state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"pathParameters": None}, (401, "refused")),
        ({"pathParameters": {"provider": "runflow"}}, (401, "refused")),
        ({"isBase64Encoded": True}, (400, "malformed")),
        ({"body": None}, (401, "refused")),
        ({"multiValueHeaders": None}, (401, "refused")),
        ({"multiValueHeaders": {"Runflow-Signature": ["0" * 64, "1" * 64]}}, (401, "refused")),
        ({"body": "x" * 5_000_001}, (413, "too large")),
        ({"body": "\udcff"}, (401, "refused")),
    ],
)
def test_what_nobody_should_send_is_refused(door: Bench, change: dict[str, Any], expected: tuple[int, str]) -> None:
    """Missing, malformed, doubled and oversized parts are a caller's mistake: a 4xx of one shape, nothing written."""
    call = running(door)
    before = door.only()
    assert ring(event(call, **change)) == expected
    assert door.only() == before


def test_a_token_of_another_job_is_refused_without_a_look_at_the_table(door: Bench) -> None:
    """A good token on another job's path is 401; an unknown job with a token that is ours would be 404."""
    call = running(door)
    told = event(call)
    told["pathParameters"] = {**told["pathParameters"], "job": "0" * 32}
    assert ring(told) == (401, "refused")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.fixed_dictionaries(
        {
            "provider": st.one_of(st.sampled_from(["runflow", "imagepipeline", "backgroundcut"]), st.text(max_size=9)),
            "job": st.one_of(st.from_regex(r"[0-9a-f]{32}", fullmatch=True), st.text(max_size=40)),
            "attempt": st.one_of(st.sampled_from(["1", "99", "0", "01", "-1"]), st.text(max_size=3)),
            "token": st.one_of(st.from_regex(r"k1\.[A-Za-z0-9_-]{43}", fullmatch=True), st.text(max_size=60)),
        }
    ),
    body=st.one_of(st.none(), st.text(max_size=200), st.just("[" * 100_000)),
    encoded=st.booleans(),
)
@pytest.mark.usefixtures("door")
def test_no_stranger_is_answered_with_a_5xx(*, parts: dict[str, str], body: str | None, encoded: bool) -> None:
    """Whatever path and body a stranger sends, the answer is a 4xx of the one shape."""
    status, _ = ring({"pathParameters": parts, "body": body, "isBase64Encoded": encoded, "multiValueHeaders": {}})
    assert 400 <= status < 500
