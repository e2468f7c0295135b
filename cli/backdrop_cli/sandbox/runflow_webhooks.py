"""Runflow's webhooks: organisation-wide subscriptions to the ends of runs.

Promises the callbacks' payload, signature and retries, signed with the subscription's own secret. The pages name only
"url, secret, event list" and readable deliveries; the routes' shapes here follow the callback secrets' (201, a record
without the secret, 204 on deletion).
"""

from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from backdrop_cli.sandbox.accounts import Account
from backdrop_cli.sandbox.bodies import check, runflow_body, runflow_invalid
from backdrop_cli.sandbox.callbacks import sendable
from backdrop_cli.sandbox.replies import runflow_error
from backdrop_cli.sandbox.runflow_access import Caller, Here
from backdrop_cli.sandbox.runflow_read import delivery_record
from backdrop_cli.sandbox.runflow_records import Subscription
from backdrop_cli.sandbox.state import State, iso, uuid7

router = APIRouter()

_MOST = 20


class NewWebhook(BaseModel):
    """What a subscription is made of."""

    model_config = ConfigDict(extra="ignore")

    url: str = Field(min_length=1, max_length=2048)
    secret: str = Field(default="", max_length=255)
    events: list[Literal["run.completed", "run.failed", "run.cancelled", "run.partial_succeeded"]] = []


def _record(one: Subscription) -> dict[str, Any]:
    return {
        "id": one.id,
        "org_id": one.org,
        "url": one.url,
        "events": list(one.events),
        "has_secret": bool(one.secret),
        "created_at": iso(one.created_at),
    }


def _of(state: State, account: Account, webhook_id: str) -> Subscription:
    one = state.subscriptions.get(webhook_id)
    if one is None or one.org != account.org:
        raise runflow_error(404, "Webhook not found.")
    return one


@router.post("/v1/webhooks", status_code=201)
async def subscribe(request: Request, state: Here, account: Caller) -> JSONResponse:
    """201 with the subscription."""
    given = check(NewWebhook, await runflow_body(request), runflow_invalid)
    if not sendable(given.url):
        raise runflow_invalid([{"loc": ["url"], "msg": "An HTTPS URL is required", "type": "url_scheme"}])
    if len(state.subscriptions) >= _MOST:
        raise runflow_error(422, "Too many webhooks.")
    now = state.now()
    made = Subscription(uuid7(now), account.org, given.url, given.secret, tuple(given.events), now)
    state.subscriptions[made.id] = made
    return JSONResponse(_record(made), 201)


@router.get("/v1/webhooks")
async def subscriptions(state: Here, account: Caller) -> JSONResponse:
    """The organisation's subscriptions."""
    return JSONResponse([_record(one) for one in state.subscriptions.values() if one.org == account.org])


@router.get("/v1/webhooks/{webhook_id}")
async def read_subscription(state: Here, account: Caller, webhook_id: str) -> JSONResponse:
    """One subscription."""
    return JSONResponse(_record(_of(state, account, webhook_id)))


@router.get("/v1/webhooks/{webhook_id}/deliveries")
async def read_subscription_deliveries(state: Here, account: Caller, webhook_id: str) -> JSONResponse:
    """The last deliveries with their attempts."""
    return JSONResponse([delivery_record(one) for one in _of(state, account, webhook_id).deliveries])


@router.delete("/v1/webhooks/{webhook_id}", status_code=204)
async def unsubscribe(state: Here, account: Caller, webhook_id: str) -> Response:
    """End a subscription."""
    del state.subscriptions[_of(state, account, webhook_id).id]
    return Response(status_code=204)
