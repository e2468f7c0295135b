"""Runflow's batches: up to 100 runs of one template-backed model in one request (runflow.md section 5).

Promises that nothing is created when the credit does not cover all of it, and one callback when every run has ended
(`batch.succeeded`, `batch.partial_succeeded`, `batch.failed`: only the first name is on a page, the others follow it).
Each run is a paid acceptance of its own in the ledger.
"""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from backdrop_cli.sandbox.accounts import PRICES, Account
from backdrop_cli.sandbox.bodies import check, runflow_body, runflow_invalid
from backdrop_cli.sandbox.callbacks import Delivery, remember
from backdrop_cli.sandbox.replies import RUNFLOW, runflow_error
from backdrop_cli.sandbox.runflow_access import Caller, Here, check_callback, known_model
from backdrop_cli.sandbox.runflow_models import check_input
from backdrop_cli.sandbox.runflow_read import delivery_record, refuse_redelivery
from backdrop_cli.sandbox.runflow_records import keep_inline, signing_secret
from backdrop_cli.sandbox.runflow_runs import Asked, Run, accept
from backdrop_cli.sandbox.state import State, iso, keep, uuid7

router = APIRouter()

_MOST_BATCHES = 500


@dataclass(slots=True)
class Batch:
    """One batch and its runs, in the order of the request."""

    id: str
    account: Account
    model: str
    model_uuid: str
    runs: tuple[Run, ...]
    callback_url: str
    metadata: dict[str, Any] | None
    created_at: float
    completed_at: float | None = None
    deliveries: list[Delivery] = field(default_factory=list)


class BatchBody(BaseModel):
    """The create request."""

    model_config = ConfigDict(extra="ignore")

    input: list[dict[str, Any]] = Field(min_length=1, max_length=100)
    callback_url: str | None = Field(default=None, max_length=2048)
    metadata: dict[str, Any] | None = None


class _Reference(BaseModel):
    client_ref: str | None = Field(default=None, max_length=255)


@router.post("/v1/models/{model:path}/batches", status_code=201)
async def create_batch(request: Request, state: Here, account: Caller, model: str) -> JSONResponse:
    """201 with the batch; 422 for a model that is not template-backed, 402 when the credit does not cover all."""
    known = known_model(request, model)
    if not known.template_backed:
        raise runflow_error(422, "This model does not support batches.", errors=[])
    body = await runflow_body(request)
    given = check(BatchBody, body, runflow_invalid)
    callback_url = check_callback(given.callback_url)
    items = []
    for item in given.input:
        reference = check(_Reference, item, runflow_invalid).client_ref
        fields = {name: value for name, value in item.items() if name != "client_ref"}
        items.append((reference, keep_inline(state, account, check_input(known, fields, state.fetcher))))
    if state.books.balance(account) < PRICES[model] * len(items):
        raise runflow_error(402, "Insufficient credits.", code="INSUFFICIENT_CREDITS")
    now = state.now()
    batch_id = uuid7(now)
    runs = tuple(
        accept(
            state,
            account,
            Asked(model=model, input=fields, body=fields, client_ref=reference, batch_id=batch_id),
        )
        for reference, fields in items
    )
    batch = Batch(batch_id, account, model, known.uuid, runs, callback_url, given.metadata, now)
    keep(state.batches, batch_id, batch, _MOST_BATCHES)
    state.start(_watch(state, batch))
    return JSONResponse(_record(batch), 201)


async def _watch(state: State, batch: Batch) -> None:
    await asyncio.gather(*(run.done.wait() for run in batch.runs))
    batch.completed_at = state.now()
    if batch.callback_url:
        _call_back(state, batch)


def _call_back(state: State, batch: Batch, *, is_automatic: bool = True) -> Delivery:
    secret = signing_secret(state, batch.account.org)
    status = _status(batch)
    payload = {
        "event": f"batch.{status}",
        "batch_id": batch.id,
        "status": status,
        "output": {"items": [_item(number, run) for number, run in enumerate(batch.runs)], **_counts(batch)},
        "duration_ms": round(((batch.completed_at or state.now()) - batch.created_at) * 1000),
        "created_at": iso(batch.created_at, "+00:00"),
        "completed_at": iso(batch.completed_at, "+00:00"),
        "metadata": batch.metadata,
    }
    delivery = Delivery(
        id=uuid7(state.now()),
        provider=RUNFLOW,
        model=batch.model,
        run_id=batch.id,
        url=batch.callback_url,
        payload=payload,
        at=state.now(),
        secret=secret.plain if secret else "",
        secret_id=secret.id if secret else None,
        is_automatic=is_automatic,
        backoff=state.setup.callback_backoff,
    )
    remember(batch.deliveries, delivery)
    state.outbox.send(delivery)
    return delivery


def _counts(batch: Batch) -> dict[str, int]:
    ended = [run.status for run in batch.runs]
    return {
        "succeeded": ended.count("succeeded") + ended.count("partial_succeeded"),
        "failed": ended.count("failed"),
        "cancelled": ended.count("cancelled"),
        "total": len(ended),
    }


def _status(batch: Batch) -> str:
    if batch.completed_at is None:
        return "queued" if all(run.status == "queued" for run in batch.runs) else "running"
    counts = _counts(batch)
    if counts["succeeded"] == counts["total"]:
        return "succeeded"
    return "partial_succeeded" if counts["succeeded"] else "failed"


def _item(number: int, run: Run) -> dict[str, Any]:
    return {"run_id": run.id, "sequence_index": number, "status": run.status}


def _items(batch: Batch) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{batch.id}-{number}",
            "sequence_index": number,
            "run_id": run.id,
            "status_code": run.status,
            "client_ref": run.client_ref,
        }
        for number, run in enumerate(batch.runs)
    ]


def _record(batch: Batch) -> dict[str, Any]:
    counts = _counts(batch)
    charged = [run.price for run in batch.runs if run.completed_at is not None and run.failure is None]
    return {
        "id": batch.id,
        "target_type": "model",
        "target_id": batch.model_uuid,
        "status_code": _status(batch),
        "items_total": counts["total"],
        "items_succeeded": counts["succeeded"],
        "items_failed": counts["failed"],
        "items_cancelled": counts["cancelled"],
        "items": _items(batch),
        "created_at": iso(batch.created_at),
        "output": None,
        "cost": str(sum(charged, Decimal(0))) if batch.completed_at is not None else None,
        "metadata": batch.metadata,
        "callback_url": batch.callback_url or None,
        "started_at": iso(batch.created_at),
        "completed_at": iso(batch.completed_at),
    }


def _batch_of(state: State, account: Account, batch_id: str) -> Batch:
    batch = state.batches.get(batch_id)
    if batch is None or batch.account.org != account.org:
        raise runflow_error(404, "Batch not found.", code="BATCH_NOT_FOUND")
    return batch


@router.get("/v1/batches/{batch_id}")
async def read_batch(state: Here, account: Caller, batch_id: str) -> JSONResponse:
    """The batch with its items."""
    return JSONResponse(_record(_batch_of(state, account, batch_id)))


@router.get("/v1/batches/{batch_id}/items")
async def read_items(state: Here, account: Caller, batch_id: str) -> JSONResponse:
    """The batch's items."""
    return JSONResponse(_items(_batch_of(state, account, batch_id)))


@router.get("/v1/batches/{batch_id}/callback")
async def read_batch_deliveries(state: Here, account: Caller, batch_id: str) -> JSONResponse:
    """The batch's delivery history."""
    return JSONResponse([delivery_record(one) for one in _batch_of(state, account, batch_id).deliveries])


@router.post("/v1/batches/{batch_id}/callback-redeliveries", status_code=201)
async def redeliver_batch(state: Here, account: Caller, batch_id: str) -> JSONResponse:
    """One new delivery of the batch's present state."""
    batch = _batch_of(state, account, batch_id)
    refuse_redelivery(terminal=batch.completed_at is not None, url=batch.callback_url, deliveries=batch.deliveries)
    return JSONResponse(delivery_record(_call_back(state, batch, is_automatic=False)), 201)
