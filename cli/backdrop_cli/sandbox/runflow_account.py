"""Runflow's account routes: key check, health, balance, callback secrets.

Promises that a secret's `plain_secret` is told once, when it is made, and that the newest `is_current` one signs. The
reply shapes of `/v1/auth/me`, `/v1/health` and the balance are on no page: ids, a status word, a decimal string.
"""

import secrets
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from backdrop_cli.sandbox.accounts import Account, digest_of
from backdrop_cli.sandbox.bodies import check, runflow_body, runflow_invalid
from backdrop_cli.sandbox.replies import RUNFLOW, runflow_error
from backdrop_cli.sandbox.runflow_access import Caller, Here
from backdrop_cli.sandbox.runflow_records import Secret
from backdrop_cli.sandbox.state import State, iso, uuid7

router = APIRouter()

_MOST_SECRETS = 100


def _record(secret: Secret) -> dict[str, Any]:
    return {
        "id": secret.id,
        "org_id": secret.org,
        "key_prefix": secret.plain[:10],
        "is_current": secret.is_current,
        "label": secret.label,
        "disabled_at": None,
        "last_used_at": iso(secret.last_used_at),
        "created_at": iso(secret.created_at),
        "updated_at": iso(secret.updated_at),
    }


class NewSecret(BaseModel):
    """What a new secret may be given."""

    model_config = ConfigDict(extra="ignore")

    label: str | None = Field(default=None, max_length=255)


class ChangedSecret(NewSecret):
    """What of a secret may be changed."""

    is_current: bool | None = None


def _make_current(state: State, chosen: Secret) -> None:
    for one in state.secrets:
        if one.org == chosen.org:
            one.is_current = one is chosen


@router.post("/v1/callback-secrets", status_code=201)
async def create_secret(request: Request, state: Here, account: Caller) -> JSONResponse:
    """A new secret, at once the current one; the only reply that shows `plain_secret`."""
    body = await runflow_body(request) if await request.body() else {}
    given = check(NewSecret, body, runflow_invalid)
    if sum(one.org == account.org for one in state.secrets) >= _MOST_SECRETS:
        raise runflow_error(422, "Too many secrets.")
    now = state.now()
    made = Secret(uuid7(now), account.org, f"whsec_{secrets.token_hex(24)}", True, now, now, given.label)  # noqa: FBT003 - is_current
    state.secrets.append(made)
    _make_current(state, made)
    return JSONResponse({**_record(made), "plain_secret": made.plain}, 201)


@router.get("/v1/callback-secrets")
async def list_secrets(state: Here, account: Caller) -> JSONResponse:
    """The organisation's secrets, without their values."""
    return JSONResponse([_record(one) for one in state.secrets if one.org == account.org])


def _secret_of(state: State, account: Account, secret_id: str) -> Secret:
    for one in state.secrets:
        if one.id == secret_id and one.org == account.org:
            return one
    raise runflow_error(404, "Callback secret not found.")


@router.get("/v1/callback-secrets/{secret_id}")
async def read_secret(state: Here, account: Caller, secret_id: str) -> JSONResponse:
    """One secret, without its value."""
    return JSONResponse(_record(_secret_of(state, account, secret_id)))


@router.patch("/v1/callback-secrets/{secret_id}")
async def change_secret(request: Request, state: Here, account: Caller, secret_id: str) -> JSONResponse:
    """Change label or currency; making one current ends the other's turn, `false` leaves callbacks unsigned."""
    secret = _secret_of(state, account, secret_id)
    given = check(ChangedSecret, await runflow_body(request), runflow_invalid)
    if "label" in given.model_fields_set:
        secret.label = given.label
    if given.is_current:
        _make_current(state, secret)
    elif given.is_current is False:
        secret.is_current = False
    secret.updated_at = state.now()
    return JSONResponse(_record(secret))


@router.get("/v1/auth/me")
async def me(account: Caller) -> dict[str, Any]:
    """Who the key is."""
    return {
        "id": f"key_{digest_of(account.key)}",
        "org_id": account.org,
        "key_type": "service" if account.admin else "inference",
        "provider": RUNFLOW,
    }


@router.get("/v1/billing/balance")
@router.get("/v1/credit-balances")
async def balance(state: Here, account: Caller) -> dict[str, Any]:
    """The credit left, in US dollars."""
    return {"org_id": account.org, "balance": str(state.books.balance(account)), "currency": "USD"}


@router.get("/v1/health")
@router.get("/v1/readiness")
async def health() -> dict[str, str]:
    """Alive; needs no key."""
    return {"status": "ok"}
