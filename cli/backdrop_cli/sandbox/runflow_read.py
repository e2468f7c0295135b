"""Reading Runflow's runs, and what may be done to one: redeliver its callback, cancel it.

`q` of the list is looked for, ignoring case, in id, client_ref, status and the metadata's values, or only in the
comma-separated `fields`; `sort_by` is `created_at` or `-created_at` (default: newest first). The list's rows stand
under `items`: no page shows the name.
"""

import base64
import binascii
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from backdrop_cli.sandbox.accounts import Account
from backdrop_cli.sandbox.bodies import check, runflow_body, runflow_invalid
from backdrop_cli.sandbox.callbacks import Delivery
from backdrop_cli.sandbox.replies import runflow_error
from backdrop_cli.sandbox.runflow_access import Caller, Here
from backdrop_cli.sandbox.runflow_runs import TERMINAL, Run, call_back, finish, node_runs, record
from backdrop_cli.sandbox.state import State, iso

router = APIRouter()

STATUSES = ("queued", "dispatching", "running", "succeeded", "failed", "canceled", "partial_succeeded")
_MOST_ROWS = 500


@router.get("/v1/runs/statuses")
async def statuses(_: Caller) -> list[dict[str, Any]]:
    """The status enum; the record's spelling."""
    return [{"code": one, "is_terminal": one in TERMINAL or one == "canceled"} for one in STATUSES]


@router.get("/v1/runs")
async def list_runs(request: Request, state: Here, account: Caller) -> dict[str, Any]:
    """A page of the organisation's runs: see the module's docstring."""
    query = request.query_params
    limit = _limit(query.get("limit", "50"))
    order = query.get("sort_by", "-created_at")
    if order not in {"created_at", "-created_at"}:
        raise runflow_invalid([{"loc": ["query", "sort_by"], "msg": "Unknown sort order", "type": "enum"}])
    names = [name for name in query.get("fields", "").split(",") if name]
    rows = [
        run
        for run in state.runs.values()
        if run.account.org == account.org and _mentions(run, query.get("q", "").casefold(), names)
    ]
    if order == "-created_at":
        rows.reverse()
    at = _read_cursor(query.get("pq", ""))
    if query.get("from_prev", "").lower() == "true":
        at = max(at - limit, 0)
    page = [record(state, run) for run in rows[at : at + limit]]
    return {
        "items": page,
        "next_pq": _cursor(at + limit) if at + limit < len(rows) else None,
        "prev_pq": _cursor(at) if at > 0 else None,
    }


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= _MOST_ROWS:  # noqa: PLR2004 - five digits are too many already
        return int(text)
    finding = {"loc": ["query", "limit"], "msg": "limit is a number from 1 to 500", "type": "int_range"}
    raise runflow_invalid([finding])


def _mentions(run: Run, wanted: str, names: list[str]) -> bool:
    metadata = {f"metadata.{name}": str(value) for name, value in (run.metadata or {}).items()}
    texts = {
        "id": run.id,
        "client_ref": run.client_ref or "",
        "status_code": run.status,
        "metadata": "\n".join(metadata.values()),
        **metadata,
    }
    return any(wanted in text.casefold() for name, text in texts.items() if not names or name in names)


def _cursor(at: int) -> str:
    return base64.urlsafe_b64encode(f"at:{at}".encode()).decode("ascii")


def _read_cursor(text: str) -> int:
    if not text:
        return 0
    try:
        name, _, number = base64.b64decode(text, b"-_", validate=True).decode("ascii").partition(":")
        if name == "at" and len(number) < 10:  # noqa: PLR2004 - more runs than are kept
            return max(int(number), 0)
    except (binascii.Error, ValueError):
        pass
    raise runflow_invalid([{"loc": ["query", "pq"], "msg": "Malformed cursor", "type": "cursor"}])


def run_of(state: State, account: Account, run_id: str) -> Run:
    """A run of the caller's organisation. Raises 404 RUN_NOT_FOUND."""
    run = state.runs.get(run_id)
    if run is None or run.account.org != account.org:
        raise runflow_error(404, "Run not found.", code="RUN_NOT_FOUND")
    return run


@router.get("/v1/runs/{run_id}")
async def read_run(state: Here, account: Caller, run_id: str) -> JSONResponse:
    """The record, its URLs signed afresh."""
    return JSONResponse(record(state, run_of(state, account, run_id)))


@router.get("/v1/runs/{run_id}/logs")
async def read_logs(state: Here, account: Caller, run_id: str) -> list[dict[str, Any]]:
    """What happened, oldest first."""
    run = run_of(state, account, run_id)
    return [{"run_id": run.id, "level": "info", "message": text, "created_at": iso(at)} for at, text in run.logs]


@router.get("/v1/runs/{run_id}/node-runs")
async def read_node_runs(state: Here, account: Caller, run_id: str) -> list[dict[str, Any]]:
    """The run's steps."""
    return node_runs(run_of(state, account, run_id))


@router.get("/v1/runs/{run_id}/node-runs/{node_run_id}")
async def read_node_run(state: Here, account: Caller, run_id: str, node_run_id: str) -> dict[str, Any]:
    """One step."""
    for step in node_runs(run_of(state, account, run_id)):
        if step["id"] == node_run_id:
            return step
    raise runflow_error(404, "Node run not found.")


@router.get("/v1/runs/{run_id}/callback")
async def read_deliveries(state: Here, account: Caller, run_id: str) -> JSONResponse:
    """The delivery history, oldest first."""
    return JSONResponse([delivery_record(one) for one in run_of(state, account, run_id).deliveries])


@router.post("/v1/runs/{run_id}/callback-redeliveries", status_code=201)
async def redeliver(state: Here, account: Caller, run_id: str) -> JSONResponse:
    """One new delivery of the run's present state (guards as the batch twin's: runflow.md section 4.5)."""
    run = run_of(state, account, run_id)
    refuse_redelivery(terminal=run.status in TERMINAL, url=run.callback_url, deliveries=run.deliveries)
    return JSONResponse(delivery_record(call_back(state, run, is_automatic=False)), 201)


def refuse_redelivery(*, terminal: bool, url: str, deliveries: list[Delivery]) -> None:
    """Raise 422 when there is nothing to redeliver, or a delivery is under way."""
    why = ""
    if not terminal:
        why = "The run is not terminal."
    elif not url:
        why = "The run has no callback_url."
    elif any(one.done_at is None for one in deliveries):
        why = "A delivery is under way."
    if why:
        raise runflow_invalid([{"loc": [], "msg": why, "type": "conflict"}])


def delivery_record(delivery: Delivery) -> dict[str, Any]:
    """A delivery as the reference shows it (runflow.md section 4.5)."""
    last = delivery.attempts[-1] if delivery.attempts else None
    return {
        "id": delivery.id,
        "run_id": delivery.run_id,
        "callback_url": delivery.url,
        "payload_bytes": delivery.payload_bytes,
        "payload": delivery.payload,
        "signing_secret_id": delivery.secret_id,
        "is_automatic": delivery.is_automatic,
        "status_code": delivery.status,
        "failure_reason_code": delivery.failure,
        "failure_detail": last.error or None if last else None,
        "attempt_count": len(delivery.attempts),
        "max_attempts": len(delivery.backoff) + 1,
        "next_attempt_at": iso(delivery.next_at),
        "created_at": iso(delivery.at),
        "updated_at": iso(last.at if last else delivery.at),
        "completed_at": iso(delivery.done_at),
        "attempts": [
            {
                "id": f"{delivery.id}-{one.number}",
                "delivery_id": delivery.id,
                "attempt_number": one.number,
                "status_code": one.status,
                "response_body": one.body,
                "response_time_ms": one.ms,
                "error_message": one.error or None,
                "created_at": iso(one.at),
            }
            for one in delivery.attempts
        ],
    }


class CancelBody(BaseModel):
    """The optional reason of a cancellation."""

    reason: str | None = Field(default=None, min_length=3, max_length=500)


@router.post("/v1/admin/runs/{run_id}/cancellation")
async def cancel(request: Request, state: Here, account: Caller, run_id: str) -> JSONResponse:
    """201 when it changes the state, 200 when the run had ended; admin keys only. Nothing is refunded."""
    if not account.admin:
        raise runflow_error(403, "An admin key is required.")
    run = run_of(state, account, run_id)
    if await request.body():
        check(CancelBody, await runflow_body(request), runflow_invalid)
    changed = run.status not in TERMINAL
    finish(state, run, "cancelled")
    return JSONResponse(record(state, run), 201 if changed else 200)
