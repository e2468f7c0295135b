"""The callback door: one POST route behind API Gateway.

Promises that a path whose token has the wrong form is refused before anything but the standard library is imported,
that every refusal has the same shape, and that a caller's mistake, whatever the event holds, is never answered with
a 5xx.
"""

import json
from typing import Any

from backdrop import callbacks

MOST_BYTES = 5_000_000  # below Lambda's own 6 MB, so that the refusal is ours


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Take an API Gateway proxy event; answer with a proxy response."""
    call = callbacks.read_path(event.get("pathParameters")) if isinstance(event, dict) else None
    if call is None:
        return _answer(401, "refused")
    if event.get("httpMethod", "POST") != "POST":  # the API has no other route; a door left ajar there stays shut here
        return _answer(405, "refused")
    try:
        body = callbacks.read_body(event)
    except ValueError:
        return _answer(400, "malformed")
    if len(body) > MOST_BYTES:
        return _answer(413, "too large")
    from backdrop.workflow import receiving  # noqa: PLC0415 - only for a path of the right form
    from backdrop.world import deployed  # noqa: PLC0415 - the same

    world = deployed().within(context.get_remaining_time_in_millis)
    reply = receiving.receive(world, call, body, callbacks.read_headers(event))
    return _answer(reply.status, reply.word)


def _answer(status: int, word: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"status": word}),
    }
