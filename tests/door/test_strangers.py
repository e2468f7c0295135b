"""The door fails closed: whoever is not let in is told so in one shape, and leaves no trace."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from bench import BRIA, CUT, load_function
from doorway import Context, event, path_of, ring, sign

from backdrop import callbacks
from backdrop.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench import Call
    from doorway import Doorway

type Change = Callable[[Doorway, Call], dict[str, Any]]

ONE_BYTE_MORE = 5_000_001


def other_path(**parts: Any) -> Change:
    """The same call with other path parameters; None takes one out."""

    def change(_: Doorway, call: Call) -> dict[str, Any]:
        path: dict[str, Any] = {**event(call)["pathParameters"], **parts}
        return {"pathParameters": {name: value for name, value in path.items() if value is not None}}

    return change


def other_token(spoil: Callable[[str], str]) -> Change:
    """The same call with a spoilt token."""

    def change(door: Doorway, call: Call) -> dict[str, Any]:
        return other_path(token=spoil(event(call)["pathParameters"]["token"]))(door, call)

    return change


def token_of_another_job(door: Doorway, call: Call) -> dict[str, Any]:
    """The same call with the token of a job that runs beside it."""
    other = event(door.running(seed=7))["pathParameters"]["token"]
    return other_path(token=other)(door, call)


STRANGERS: dict[str, Change] = {
    "no parameters": lambda *_: {"pathParameters": None},
    "no token": other_path(token=None),
    "an empty token": other_path(token=""),
    "half a token": other_token(lambda token: token[: len(token) // 2]),
    "a wrong token": other_token(lambda token: token[:5] + ("B" if token[5] == "A" else "A") + token[6:]),
    "a token of an unknown key": other_token(lambda token: "k9" + token[token.index(".") :]),
    "another job's token": token_of_another_job,
    "another job's path": other_path(job="0" * 32),
    "another attempt's path": other_path(attempt="2"),
    "another provider's path": other_path(provider="imagepipeline"),
    "an unknown provider": other_path(provider="bria"),
    "a job that is none": other_path(job="../../admin"),
    "an attempt that is none": other_path(attempt="0"),
}


def answers(door: Doorway, cases: Mapping[Any, dict[str, Any]]) -> dict[Any, tuple[int, str]]:
    """What the handler answers in each case, having made sure that nothing was written."""
    before = door.stored()
    found = {name: ring(told) for name, told in cases.items()}
    assert door.stored() == before
    return found


def test_who_has_no_token_of_this_job_is_refused_unread(door: Doorway) -> None:
    """No token, wrong token, another job's token, unknown provider: 401, nothing read from the table."""
    call = door.running()
    cases = {name: event(call, **change(door, call)) for name, change in STRANGERS.items()}
    door.tap.forget()
    assert answers(door, cases) == dict.fromkeys(cases, (401, "refused"))
    assert set(door.asked_of_aws()) == {"GetSecretValue"}
    assert ring(event(call)) == (200, "taken")


def test_another_method_is_refused_unread(door: Doorway) -> None:
    """A wrong method is a 4xx of the one shape even where a route lets it through, with the right token and body."""
    call = door.running()
    methods = ("GET", "PUT", "DELETE", "HEAD", "post", "", None, 7)
    cases = {repr(method): event(call, httpMethod=method) for method in methods}
    assert answers(door, cases) == dict.fromkeys(cases, (405, "refused"))
    assert door.asked_of_aws() == []


def test_a_token_for_an_attempt_never_opened_finds_nothing(door: Doorway) -> None:
    """A token that is ours, signature and all, for an attempt that was never opened: 404, nothing written."""
    calls = [door.running(spec, seed=seed) for seed, spec in enumerate((BRIA, CUT))]
    paths = [(call, door.path_for(call, attempt=attempt)) for call in calls for attempt in (2, 99)]
    cases = {path["token"]: event(call, pathParameters=path) for call, path in paths}
    assert answers(door, cases) == dict.fromkeys(cases, (404, "unknown"))
    assert [door.job_of(call).state for call in calls] == [State.RUNNING] * 2


def body(data: bytes, *, signed: bool = True) -> dict[str, Any]:
    """A body as API Gateway hands on what may be no text, signed as Runflow would."""
    change: dict[str, Any] = {"body": base64.b64encode(data).decode(), "isBase64Encoded": True}
    return change | ({"multiValueHeaders": sign(data)} if signed else {})


DEEP = b'{"event": ' + b"[" * 200_000
MALFORMED: dict[str, dict[str, Any]] = {
    "no body": body(b""),
    "not JSON": body(b"event=run.completed"),
    "not UTF-8": body(b'{"event": "run.completed", "run_id": "\xff\xfe"}'),
    "UTF-16": body('{"event": "run.completed"}'.encode("utf-16")),
    "a NUL": body(b'{"event": "run.completed"}\x00'),
    "deep JSON": body(DEEP),
    "deep JSON, closed": body(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "a number of a million digits": body(b'{"job_id": ' + b"9" * 1_000_000 + b"}"),
    "no object": body(b'["run.completed"]'),
    "another provider's": body(b'{"hello": "world"}'),
    "a run that is a path": body(b'{"event": "run.completed", "run_id": "../../x", "job_id": "../x"}'),
}


def test_what_is_no_callback_is_refused(door: Doorway) -> None:
    """Non-UTF-8, not JSON, deep JSON, with a genuine token and signature: 400, nothing read, nothing written."""
    calls = {
        name: door.running(spec, seed=seed) for seed, (name, spec) in enumerate({"bria": BRIA, "cut": CUT}.items())
    }
    cases = {(name, case): event(calls[name], **change) for name in calls for case, change in MALFORMED.items()}
    assert answers(door, cases) == dict.fromkeys(cases, (400, "malformed"))
    assert set(door.asked_of_aws()) == {"GetSecretValue"}


def test_five_megabytes_and_more_are_refused(door: Doorway) -> None:
    """A body of more than 5 MB is 413 whoever signed it, before anything is asked; one byte less is looked at."""
    call = door.running()
    data = call.body + b" " * (ONE_BYTE_MORE - len(call.body))
    cases = {
        "text": event(call, body=data.decode(), multiValueHeaders=sign(data)),
        "base64": event(call, **body(data)),
        "far more": event(call, body="{" * 9_000_000),
    }
    assert answers(door, cases) == dict.fromkeys(cases, (413, "too large"))
    assert door.asked_of_aws() == []
    assert ring(event(call, **body(data[:-1]))) == (200, "taken")


def test_the_base64_flag_is_obeyed(door: Doorway) -> None:
    """The base64 flag right: the signature is checked over the bytes that were sent, and the callback is taken."""
    plain, encoded = door.running(seed=1), door.running(seed=2)
    assert ring(event(plain)) == (200, "taken")
    assert ring(event(encoded, **body(encoded.body))) == (200, "taken")
    assert door.bench.states() == [State.SUCCEEDED] * 2


def test_a_wrong_base64_flag_is_refused(door: Doorway) -> None:
    """The base64 flag wrong, for a body that is signed: a 4xx, nothing written."""
    call = door.running()
    plain, encoded = call.body.decode(), base64.b64encode(call.body).decode()
    cases = {
        "set for text": event(call, body=plain, isBase64Encoded=True),
        "not set": event(call, body=encoded, isBase64Encoded=False),
        "null": event(call, body=encoded, isBase64Encoded=None),
        "a text": event(call, body=encoded, isBase64Encoded="true"),
        "a number": event(call, body=encoded, isBase64Encoded=1),
        "beyond ASCII": event(call, body="\u00e9\udcff", isBase64Encoded=True),
    }
    expected = dict.fromkeys(cases, (400, "malformed")) | dict.fromkeys(["not set", "null"], (401, "refused"))
    assert answers(door, cases) == expected


def headers_of(call: Call, **more: Any) -> dict[str, Any]:
    """The call's headers with others besides."""
    return {**event(call)["multiValueHeaders"], **more}


HEADERS: dict[str, Callable[[Call, str], Any]] = {
    "none": lambda *_: None,
    "empty": lambda *_: {},
    "a list": lambda _, good: [["Runflow-Signature", good]],
    "a text": lambda _, good: f"Runflow-Signature: {good}",
    "no signature": lambda *_: {"Content-Type": ["application/json"]},
    "garbage": lambda call, _: headers_of(call, **{"Runflow-Signature": ["\x00\udcff\n"]}),
    "no list of values": lambda call, good: headers_of(call, **{"Runflow-Signature": good}),
    "null": lambda call, _: headers_of(call, **{"Runflow-Signature": None}),
    "twice the same": lambda call, good: headers_of(call, **{"Runflow-Signature": [good, good]}),
    "a wrong one first": lambda call, good: headers_of(call, **{"Runflow-Signature": ["0" * 64, good]}),
    "a wrong one last": lambda call, good: headers_of(call, **{"Runflow-Signature": [good, "0" * 64]}),
    "in two spellings": lambda _, good: {"runflow-signature": ["0" * 64], "Runflow-Signature": [good]},
    "of another spelling": lambda call, good: headers_of(call, **{"Runflow-Signature": [good.upper()]}),
    "with a scheme": lambda call, good: headers_of(call, **{"Runflow-Signature": [f"sha256={good}"]}),
}


def test_garbage_and_duplicate_headers_are_refused(door: Doorway) -> None:
    """Garbage and duplicate headers, in any spelling and order, fit no signature: 401, nothing read or written."""
    call = door.running()
    good = call.headers["runflow-signature"]
    cases = {name: event(call, multiValueHeaders=many(call, good)) for name, many in HEADERS.items()}
    assert answers(door, cases) == dict.fromkeys(cases, (401, "refused"))
    assert set(door.asked_of_aws()) == {"GetSecretValue"}
    assert ring(event(call)) == (200, "taken")


def test_a_callback_for_a_provider_that_calls_nobody_back_is_refused(door: Doorway) -> None:
    """BackgroundCut has no callbacks: even with a token that is ours, whatever comes for it is 400."""
    path = path_of(callbacks.mint(door.bench.world, "backgroundcut", "0" * 32, 1))
    told = {"httpMethod": "POST", "pathParameters": path, "body": json.dumps({"status": "success"})}
    assert answers(door, {"backgroundcut": told}) == {"backgroundcut": (400, "malformed")}


def test_a_refusal_says_the_same_whatever_was_wrong(door: Doorway) -> None:
    """Every refusal has one shape, and every 401 is the same to the byte: it tells nobody which part was wrong."""
    call = door.running()
    changes = [change(door, call) for change in STRANGERS.values()]
    changes.append({"multiValueHeaders": sign(call.body, "whsec_other")})
    handler = load_function("webhook").handler
    assert len({json.dumps(handler(event(call, **change), Context())) for change in changes}) == 1
