"""What Runflow's routes share: the caller's account, the model a path names, a callback URL that may be called."""

from typing import Annotated

from fastapi import Depends, Request

from backdrop_cli.sandbox.accounts import Account, require_runflow
from backdrop_cli.sandbox.bodies import runflow_invalid
from backdrop_cli.sandbox.callbacks import sendable
from backdrop_cli.sandbox.replies import runflow_error
from backdrop_cli.sandbox.runflow_models import MODELS, Known
from backdrop_cli.sandbox.state import State, current

Here = Annotated[State, Depends(current)]


def key_of(request: Request, state: Here) -> Account:
    """The account behind the Bearer key: a FastAPI dependency. Raises 401 or 403."""
    account = require_runflow(state.books, request.headers.get("authorization", ""))
    if request.headers.get("x-organization-id", account.org) != account.org:
        raise runflow_error(403, code="ORGANIZATION_MEMBERSHIP_REQUIRED")
    return account


Caller = Annotated[Account, Depends(key_of)]


def known_model(request: Request, model: str) -> Known:
    """The model named by a path. Raises 404, for an escaped slash as well: the slashes are real separators."""
    found = MODELS.get(model)
    if found is None or b"%2f" in request.scope.get("raw_path", b"").lower():
        raise runflow_error(404, "Model not found.", code="MODEL_NOT_FOUND")
    return found


def check_callback(url: str | None) -> str:
    """A callback URL that can be called, or "". Raises 422."""
    if url and not sendable(url):
        finding = {"loc": ["callback_url"], "msg": "An HTTPS URL is required", "type": "url_scheme"}
        raise runflow_invalid([finding])
    return url or ""
