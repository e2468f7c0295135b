"""A second witness: what moto's server would ask IAM for each request that reaches it, by moto's own table of names.

Promises whatever the functions' clients, or a provider with a presigned URL, ask of AWS while it looks, however they
came to ask it; what the harness asks for itself is left out. moto does not know who asks, nor which table, index or
secret it is about (`*`).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from faults_ground import HARNESS

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCHES = {"sqs:SendMessageBatch": "sqs:SendMessage"}  # of which IAM knows nothing: moto asks for the API's name
_SERVICES = {"AmazonSQS": "sqs", "DynamoDB_20120810": "dynamodb", "secretsmanager": "secretsmanager"}


@contextmanager
def witnessing() -> Iterator[set[tuple[str, str]]]:
    """Actions and resources, as they come."""
    from moto.core.authorization import ActionAuthenticatorMixin  # noqa: PLC0415 - a second of imports

    seen: set[tuple[str, str]] = set()

    def look(request: Any, _: type, resource: str = "*") -> None:
        ours = HARNESS in str(request.headers.get("User-Agent", ""))
        if ours:
            return
        service = _SERVICES.get(str(request.headers.get("X-Amz-Target", "")).partition(".")[0], "s3")
        verb = request._get_action()  # noqa: SLF001 - moto has no other way
        action = f"{service}:{verb[0] if isinstance(verb, list) else verb}"
        seen.add((_BATCHES.get(action, action), resource))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ActionAuthenticatorMixin, "_authenticate_and_authorize_action", look)
        yield seen
