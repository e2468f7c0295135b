"""The callback door: API Gateway's events, answers and limits, over real HTTP."""

from __future__ import annotations

import base64
import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backdrop_cli import gateway
from backdrop_cli.parts import Place, Route

if TYPE_CHECKING:
    from recording import Recorded

PLACE = Place(endpoint_url="http://127.0.0.1:1")
PATH = "/callbacks/{provider}/{job}/{attempt}/{token}"


def call(
    recorded: Recorded, method: str, target: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    """One request to the listener; the answer and its body."""
    connection = http.client.HTTPConnection(urlsplit(recorded.stack.callback_url).netloc, timeout=10)
    try:
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def last(recorded: Recorded) -> dict[str, Any]:
    """The event that reached the webhook last."""
    event: dict[str, Any] = recorded.seen("webhook")[-1]["event"]
    return event


def test_a_text_body_arrives_as_it_was_sent(recorded: Recorded) -> None:
    """Text is handed on byte for byte, not as base64; headers, query and context are there in both forms."""
    body = '{"a":  "ü"}'.encode()
    response, _ = call(
        recorded,
        "POST",
        "/callbacks/runflow/j1/1/t?x=1&x=2&y=",
        body,
        {"X-One": "a", "Content-Type": "application/json"},
    )
    event = last(recorded)
    assert response.status == 200
    assert (event["body"], event["isBase64Encoded"]) == (body.decode(), False)
    assert event["headers"]["X-One"] == "a"
    assert event["multiValueHeaders"]["X-One"] == ["a"]
    assert event["queryStringParameters"] == {"x": "2", "y": ""}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [""]}
    assert event["resource"] == event["requestContext"]["resourcePath"] == PATH
    assert event["pathParameters"] == {"provider": "runflow", "job": "j1", "attempt": "1", "token": "t"}
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"


def test_a_binary_body_arrives_whole(recorded: Recorded) -> None:
    """Bytes that are no text come as base64 and are the same bytes."""
    body = bytes(range(256))
    call(recorded, "POST", "/callbacks/runflow/j1/1/t", body)
    event = last(recorded)
    assert event["isBase64Encoded"]
    assert base64.b64decode(event["body"]) == body


def test_an_empty_body_is_null(recorded: Recorded) -> None:
    """A POST without a body has none in the event either."""
    call(recorded, "POST", "/callbacks/runflow/j1/1/t")
    assert last(recorded)["body"] is None


def test_path_parameters_are_decoded(recorded: Recorded) -> None:
    """Percent-encoding is undone in the parameters, and an encoded slash does not end one."""
    call(recorded, "POST", "/callbacks/runflow/j%201/1/a%2Fb%25%C3%BC", b"x")
    assert last(recorded)["pathParameters"] == {"provider": "runflow", "job": "j 1", "attempt": "1", "token": "a/b%ü"}
    assert last(recorded)["path"] == "/callbacks/runflow/j%201/1/a%2Fb%25%C3%BC"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/callbacks/runflow/j/1/t"),
        ("PUT", "/callbacks/runflow/j/1/t"),
        ("HEAD", "/callbacks/runflow/j/1/t"),
        ("BREW", "/callbacks/runflow/j/1/t"),
        ("POST", "/callbacks/runflow/j/1"),
        ("POST", "/callbacks/runflow/j/1/t/more"),
        ("POST", "/callbacks/runflow//1/t"),
        ("POST", "/"),
    ],
)
def test_other_routes_and_methods_are_refused_as_api_gateway_does(recorded: Recorded, method: str, path: str) -> None:
    """What is no route of the API is answered 403 and reaches no function."""
    before = len(recorded.seen("webhook"))
    response, body = call(recorded, method, path)
    assert response.status == 403
    assert response.getheader("x-amzn-ErrorType") == "MissingAuthenticationTokenException"
    assert method == "HEAD" or body == b'{"status": "refused"}'
    assert len(recorded.seen("webhook")) == before


@pytest.mark.parametrize("job", ["raise", "malformed"])
def test_a_broken_function_is_answered_502(recorded: Recorded, job: str) -> None:
    """A function that raises, or does not answer in the proxy format, is a 502 that tells nothing of it."""
    response, body = call(recorded, "POST", f"/callbacks/runflow/{job}/1/t", b"x")
    assert (response.status, body) == (502, b'{"status": "unavailable"}')


def test_a_binary_reply_is_decoded(recorded: Recorded) -> None:
    """A reply in base64 leaves as bytes, with every value of a repeated header."""
    response, body = call(recorded, "POST", "/callbacks/runflow/binary/1/t", b"x")
    assert (response.status, body) == (201, b"\x00\xff")
    assert response.headers.get_all("X-Many") == ["a", "b"]
    assert response.getheader("Content-Type") == "image/png"


@pytest.mark.parametrize("size", [7_000_000, 10_000_001])
def test_too_large_a_request_is_refused(recorded: Recorded, size: int) -> None:
    """Above Lambda's 6 MB, and above API Gateway's 10 MB, the service answers 413 and no function is called."""
    before = len(recorded.seen("webhook"))
    try:
        response, _ = call(recorded, "POST", "/callbacks/runflow/j/1/t", b"x" * size)
    except (BrokenPipeError, ConnectionResetError):
        assert size > 10_000_000  # refused before it was read, so the sender may see the connection go
    else:
        assert response.status == 413
    assert len(recorded.seen("webhook")) == before


@pytest.mark.parametrize("headers", [{"Transfer-Encoding": "chunked"}, {"Content-Length": "-1"}])
def test_a_body_of_unknown_length_is_refused(recorded: Recorded, headers: dict[str, str]) -> None:
    """A request that does not say how long it is gets a 400."""
    connection = http.client.HTTPConnection(urlsplit(recorded.stack.callback_url).netloc, timeout=10)
    try:
        connection.putrequest("POST", "/callbacks/runflow/j/1/t")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == 400
    finally:
        connection.close()


@given(body=st.binary(max_size=200), content_type=st.sampled_from(["", "image/png", "application/json; charset=utf-8"]))
def test_any_body_can_be_had_back(body: bytes, content_type: str) -> None:
    """Whatever the bytes and their type, body and isBase64Encoded give the same bytes again."""
    headers = (("Content-Type", content_type),) if content_type else ()
    request = gateway.Request("POST", "/callbacks/a/b/1/c", headers, body)
    event = gateway.event_of(request, Route("POST", PATH, ("image/*",)), {}, PLACE)
    text = event["body"] or ""
    assert (base64.b64decode(text) if event["isBase64Encoded"] else text.encode()) == body
    assert not body or event["isBase64Encoded"] >= (content_type == "image/png")


@pytest.mark.parametrize(
    ("route", "path", "expected"),
    [
        ("/a/{b}", "/a/x", {"b": "x"}),
        ("/a/{b}", "/a/x/", None),
        ("/a/{b}", "/c/x", None),
        ("/a/{rest+}", "/a/x/y%20z", {"rest": "x/y z"}),
        ("/a", "/a", {}),
    ],
)
def test_routes_match_whole_segments(route: str, path: str, expected: dict[str, str] | None) -> None:
    """A parameter stands for one segment, a greedy one for the rest."""
    assert gateway.match(Route("ANY", route, ()), "GET", path) == expected


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [],
        {},
        {"statusCode": "x"},
        {"statusCode": 200, "body": 3},
        {"statusCode": 200, "isBase64Encoded": True, "body": "*"},
    ],
)
def test_replies_that_are_none_are_502(reply: Any) -> None:
    """A reply without a status, or whose body is none, is not guessed at."""
    assert gateway.answer_of(reply).status == 502
