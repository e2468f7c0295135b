"""API Gateway's REST proxy format: an HTTP request as the event that a function gets, its reply as an HTTP answer.

Promises the fields and the error answers of a REST API with Lambda proxy integration. Pure: no sockets. One thing is
kinder than the service: a body that is not UTF-8 arrives as base64 even where no binary media type is declared, where
API Gateway would spoil it.
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import binascii
import json
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from backdrop_cli.parts import Place, Route

STAGE = "laptop"
MOST_BYTES = 10_000_000  # of a request: API Gateway's limit
MOST_EVENT_BYTES = 6_291_456  # of an event: Lambda's limit for a synchronous call


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as it came: `target` is path and query, undecoded."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    client: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


_FAULTS = 500  # HTTP's class of server errors begins here


def refuse(status: int, kind: str = "") -> Answer:
    """An answer of API Gateway's own, with the body that the template gives it (GatewayResponses)."""
    headers = [("Content-Type", "application/json"), ("x-amzn-RequestId", str(uuid.uuid4()))]
    if kind:
        headers.append(("x-amzn-ErrorType", kind))
    word = "refused" if status < _FAULTS else "unavailable"
    return Answer(status, tuple(headers), json.dumps({"status": word}).encode())


# An unknown path and a known path with another method are answered alike:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
NO_ROUTE = refuse(403, "MissingAuthenticationTokenException")
TOO_LONG = refuse(413, "RequestTooLargeException")
BROKEN = refuse(502, "InternalServerErrorException")


def match(route: Route, method: str, path: str) -> dict[str, str] | None:
    """The route's path parameters, percent-decoded, or None when method or path do not fit."""
    if route.method not in {method, "ANY"}:
        return None
    segments, given = route.path.split("/"), path.split("/")
    parameters: dict[str, str] = {}
    for number, segment in enumerate(segments):
        name = re.fullmatch(r"\{([^}]+)\}", segment)
        if name and name[1].endswith("+") and len(given) > number:
            parameters[name[1][:-1]] = unquote("/".join(given[number:]))
            return parameters
        if number >= len(given) or (not name and segment != given[number]) or (name and not given[number]):
            return None
        if name:
            parameters[name[1]] = unquote(given[number])
    return parameters if len(given) == len(segments) else None


def event_of(request: Request, route: Route, parameters: Mapping[str, str], place: Place) -> dict[str, Any]:
    """The event that the function gets."""
    path, _, query = request.target.partition("?")
    many: dict[str, list[str]] = {}
    for name, value in request.headers:
        many.setdefault(name, []).append(value)
    asked: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        asked.setdefault(name, []).append(value)
    body, encoded = _body(request, route)
    return {
        "resource": route.path,
        "path": path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in many.items()},
        "multiValueHeaders": many,
        "queryStringParameters": {name: values[-1] for name, values in asked.items()} or None,
        "multiValueQueryStringParameters": asked or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": None,
        "requestContext": _context(request, route, path, place),
        "body": body,
        "isBase64Encoded": encoded,
    }


def _body(request: Request, route: Route) -> tuple[str | None, bool]:
    if not request.body:
        return None, False
    given = [value for name, value in request.headers if name.lower() == "content-type"]
    content_type = given[0].split(";")[0].strip().lower() if given else ""
    binary = any(_covers(kind.lower(), content_type) for kind in route.binary_types)
    if not binary:
        try:
            return request.body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode("ascii"), True


def _covers(kind: str, content_type: str) -> bool:
    main, _, sub = kind.partition("/")
    if main == "*":
        return True
    return content_type == kind or (sub == "*" and content_type.startswith(f"{main}/"))


def _context(request: Request, route: Route, path: str, place: Place) -> dict[str, Any]:
    agent = [value for name, value in request.headers if name.lower() == "user-agent"]
    now = time.time()
    return {
        "accountId": place.account,
        "apiId": "laptop",
        "domainName": f"laptop.execute-api.{place.region}.amazonaws.com",
        "domainPrefix": "laptop",
        "extendedRequestId": uuid.uuid4().hex[:16],
        "httpMethod": request.method,
        "identity": {"sourceIp": request.client, "userAgent": agent[0] if agent else None},
        "path": f"/{STAGE}{path}",
        "protocol": "HTTP/1.1",
        "requestId": str(uuid.uuid4()),
        "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(now * 1000),
        "resourceId": "laptop",
        "resourcePath": route.path,
        "stage": STAGE,
    }


def answer_of(reply: Any) -> Answer:
    """The function's reply as an HTTP answer; 502 where it is not of the proxy format, as API Gateway does."""
    if not isinstance(reply, dict) or not isinstance(reply.get("body", ""), str | None):
        return BROKEN
    try:
        status = int(reply["statusCode"])
        body = _reply_body(reply)
    except (KeyError, TypeError, ValueError, binascii.Error):
        return BROKEN
    headers = dict(_pairs(reply.get("headers")))
    for name, values in (reply.get("multiValueHeaders") or {}).items():
        headers[name] = [str(value) for value in values]
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = ["application/json"]
    flat = tuple((name, value) for name, values in headers.items() for value in values)
    return Answer(status, flat, body)


def _reply_body(reply: Mapping[str, Any]) -> bytes:
    body = reply.get("body") or ""
    return base64.b64decode(body, validate=True) if reply.get("isBase64Encoded") else body.encode()


def _pairs(headers: Mapping[str, Any] | None) -> Sequence[tuple[str, list[str]]]:
    return [(str(name), [str(value)]) for name, value in (headers or {}).items()]
