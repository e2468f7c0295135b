"""What each provider says no with: one exception, and the error body of each.

Promises that every refusal of the sandbox has the shape of the provider it speaks for. The shapes: Runflow
`{"code","message","errors"}`, BackgroundCut `{"detail"}`, ImagePipeline FastAPI's `{"detail": [...]}` for 422 and the
structured `{"error","error_code","message"}` otherwise (its SDK reads both).
"""

from collections.abc import Mapping, Sequence
from typing import Any

RUNFLOW = "runflow"
BACKGROUNDCUT = "backgroundcut"
IMAGEPIPELINE = "imagepipeline"
PROVIDERS = (RUNFLOW, BACKGROUNDCUT, IMAGEPIPELINE)

_RUNFLOW_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    402: "INSUFFICIENT_CREDIT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    422: "VALIDATION_ERROR",
    429: "RATE_LIMITED",
    503: "MODEL_UNAVAILABLE",
}
_IMAGEPIPELINE_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    402: "INSUFFICIENT_BALANCE",
    403: "FEATURE_NOT_IN_PLAN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMIT_EXCEEDED",
    503: "MODEL_UNAVAILABLE",
}
_TEXTS = {
    400: "The request could not be understood.",
    401: "Missing or invalid credentials.",
    402: "Insufficient credits.",
    403: "The account may not do this.",
    404: "Not found.",
    405: "Method not allowed.",
    413: "The request is too large.",
    429: "Rate limit exceeded.",
    500: "Internal server error.",
    503: "The service is unavailable.",
}


class Refusal(Exception):
    """An error answer: HTTP status, JSON body and extra headers."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def runflow_error(
    status: int,
    message: str = "",
    *,
    code: str = "",
    errors: Sequence[Mapping[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Refusal:
    """Runflow's envelope (runflow.md section 6)."""
    body = {
        "code": code or _RUNFLOW_CODES.get(status, "INTERNAL_ERROR"),
        "message": message or _TEXTS.get(status, "Internal server error."),
        "errors": list(errors) if errors is not None else None,
    }
    return Refusal(status, body, headers)


def backgroundcut_error(status: int, detail: Any = "", *, headers: Mapping[str, str] | None = None) -> Refusal:
    """BackgroundCut's `{"detail": text}` (backgroundcut.md section 6)."""
    return Refusal(status, {"detail": detail or _TEXTS.get(status, "Internal server error.")}, headers)


def imagepipeline_error(
    status: int,
    message: str = "",
    *,
    code: str = "",
    detail: Sequence[Mapping[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Refusal:
    """ImagePipeline's error (imagepipeline.md section 7): FastAPI's list when `detail` is given, else structured."""
    if detail is not None:
        return Refusal(status, {"detail": list(detail)}, headers)
    body = {
        "error": True,
        "error_code": code or _IMAGEPIPELINE_CODES.get(status, "INTERNAL_ERROR"),
        "message": message or _TEXTS.get(status, "Internal server error."),
    }
    return Refusal(status, body, headers)


def error_of(
    provider: str, status: int, message: str = "", *, code: str = "", headers: Mapping[str, str] | None = None
) -> Refusal:
    """An error in the words of `provider`; an unknown provider's (the sandbox's own routes) is `{"detail"}`."""
    if provider == RUNFLOW:
        return runflow_error(status, message, code=code, headers=headers)
    if provider == IMAGEPIPELINE:
        return imagepipeline_error(status, message, code=code, headers=headers)
    return backgroundcut_error(status, message, headers=headers)
