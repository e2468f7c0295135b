"""The callback door: one POST route behind API Gateway.

Promises that a path whose token has the wrong form is refused before anything but the standard library is imported,
that every refusal has the same shape, and that a caller's mistake is never answered with a 5xx.
"""

import base64
import binascii
import json
from typing import Any

from backdrop import callbacks

MOST_BYTES = 5_000_000  # below Lambda's own 6 MB, so that the refusal is ours


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take an API Gateway proxy event; answer with a proxy response."""
    call = callbacks.read_path(event.get("pathParameters"))
    if call is None:
        return _answer(401, "refused")
    try:
        body = _bytes(event)
    except ValueError:
        return _answer(400, "malformed")
    if len(body) > MOST_BYTES:
        return _answer(413, "too large")
    from backdrop.workflow import receiving  # noqa: PLC0415 - only for a path of the right form
    from backdrop.world import deployed  # noqa: PLC0415 - the same

    world = deployed().within(context.get_remaining_time_in_millis)
    reply = receiving.receive(world, call, body, _headers(event))
    return _answer(reply.status, reply.word)


def _bytes(event: dict[str, Any]) -> bytes:
    """The body as it came over the wire: signatures are over these bytes."""
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("not base64") from None
    return str(text).encode("utf-8", "surrogatepass")


def _headers(event: dict[str, Any]) -> dict[str, str]:
    """Headers with names in lower case; one that came more than once is joined, and so fits no signature."""
    many = event.get("multiValueHeaders") or {}
    return {str(name).lower(): ",".join(str(value) for value in values or []) for name, values in many.items()}


def _answer(status: int, word: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"status": word}),
    }
