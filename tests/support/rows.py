"""A provider's status as one row: what is answered, and what must come of it.

The bodies have the documented shapes and quote a key and a presigned URL, which nothing that is raised may repeat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wire import Answer, raw, told

from backdrop.errors import BackdropError, Later, Parked, ProviderFailed, Unknown

QUOTED = "sent by KEY for https://bucket.s3.example.test/photo.png?X-Amz-Signature=5ec3e75e"


@dataclass(frozen=True)
class Row:
    """One status of a route; `body` is the provider's own code, a whole body, or nothing in particular."""

    status: int
    body: Any
    leaf: type[BackdropError]
    code: str
    retry_after: float | None = None
    headers: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The row's name in the test's id."""
        code = self.body if isinstance(self.body, str) else type(self.body).__name__
        return f"{self.status}-{code or 'plain'}-{'+'.join(self.headers).partition(':')[2].strip()[:3]}"


def answer(row: Row, style: str, key: str) -> Answer:
    """The row as the provider of that style would send it."""
    said = QUOTED.replace("KEY", key)
    if isinstance(row.body, bytes):
        return raw(row.status, row.body, *row.headers)
    if not isinstance(row.body, str):
        return told(row.status, row.body, *row.headers)
    bodies = {
        "runflow": {"code": row.body, "message": said, "errors": None},
        "backgroundcut": {"detail": said},
        "imagepipeline": {"error": True, "error_code": row.body, "message": said},
    }
    return told(row.status, bodies[style], *row.headers)


def check(error: BackdropError, row: Row, key: str) -> None:
    """The row's leaf and code, something to do, and nothing that is secret."""
    assert type(error) is row.leaf
    assert error.code == row.code
    assert error.action
    shown = f"{error} {error.action} {error.message}"
    assert key not in shown
    assert "5ec3e75e" not in shown
    assert "photo.png" not in shown
    assert len(error.message) < 500
    if isinstance(error, Later):
        assert error.retry_after == row.retry_after
    if isinstance(error, ProviderFailed):
        assert not error.retryable


ALIKE = (
    Row(401, "UNAUTHORIZED", Parked, "KEY_REFUSED"),
    Row(402, "INSUFFICIENT_CREDIT", Parked, "NO_CREDITS"),
    Row(403, "PERMISSION_DENIED", Parked, "NOT_ALLOWED"),
)
PAID = (
    *ALIKE,
    Row(400, "BAD_REQUEST", ProviderFailed, "REQUEST_REFUSED"),
    Row(413, "PAYLOAD_TOO_LARGE", ProviderFailed, "PHOTO_TOO_LARGE"),
    Row(422, "VALIDATION_ERROR", ProviderFailed, "REQUEST_REFUSED"),
    Row(415, "", ProviderFailed, "REQUEST_REFUSED"),
    Row(408, "", Unknown, "TIMED_OUT"),
    Row(500, "INTERNAL_ERROR", Unknown, "SERVER_ERROR"),
    Row(502, b"<html>bad gateway</html>", Unknown, "SERVER_ERROR"),
    Row(504, "", Unknown, "SERVER_ERROR"),
    Row(302, "", Unknown, "REDIRECTED", headers=("Location: https://elsewhere.example.test/",)),
    Row(999, "", Unknown, "REPLY_UNREADABLE"),
)
UNREADABLE = (
    Row(200, b"", Unknown, "REPLY_UNREADABLE"),
    Row(201, b"not json", Unknown, "REPLY_UNREADABLE"),
    Row(200, b'{"id": NaN}', Unknown, "REPLY_UNREADABLE"),
    Row(200, {}, Unknown, "REPLY_UNREADABLE"),
    Row(201, {"id": None, "job_id": 7}, Unknown, "REPLY_UNREADABLE"),
    Row(201, {"id": "../admin", "job_id": "a/b"}, Unknown, "REPLY_UNREADABLE"),
    Row(204, b"", Unknown, "REPLY_UNREADABLE"),
)
RATE = (
    Row(429, "RATE_LIMITED", Later, "RATE_LIMITED", 7.0, ("Retry-After: 7",)),
    Row(429, "RATE_LIMITED", Later, "RATE_LIMITED", 1.0, ("Retry-After: 0",)),
    Row(429, "RATE_LIMITED", Later, "RATE_LIMITED", 3600.0, ("Retry-After: 99999999999999999999",)),
    Row(429, "RATE_LIMITED", Later, "RATE_LIMITED", 3600.0, ("Retry-After: Fri, 01 Jan 2100 00:00:00 GMT",)),
)
FREE = (
    *ALIKE,
    *RATE,
    Row(500, "INTERNAL_ERROR", Later, "SERVER_ERROR"),
    Row(502, b"<html>", Later, "SERVER_ERROR", 4.0, ("Retry-After: 4",)),
)
