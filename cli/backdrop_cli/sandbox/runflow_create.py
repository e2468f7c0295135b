"""Making a run at Runflow: the `/v1/models/…/runs` route and the flat form of seed 000.

Order of checks (the pages give none): key, model, JSON, fields, Idempotency-Key, credit. The create call answers 201,
as its siblings do; the flat form 200.
"""

import asyncio
import hashlib
import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from backdrop_cli.sandbox.accounts import Account
from backdrop_cli.sandbox.bodies import check, runflow_body, runflow_invalid
from backdrop_cli.sandbox.replies import runflow_error
from backdrop_cli.sandbox.runflow_access import Caller, Here, check_callback, known_model
from backdrop_cli.sandbox.runflow_models import COLOR, FlatColorInput, check_input, check_url
from backdrop_cli.sandbox.runflow_records import keep_inline
from backdrop_cli.sandbox.runflow_runs import Asked, Run, accept, record
from backdrop_cli.sandbox.state import State, keep

router = APIRouter()

_FLAT_SECONDS = 300.0


class CreateBody(BaseModel):
    """The create request's envelope; what it does not name is ignored."""

    model_config = ConfigDict(extra="ignore")

    input: dict[str, Any]
    callback_url: str | None = Field(default=None, max_length=2048)
    metadata: dict[str, Any] | None = None
    client_ref: str | None = Field(default=None, max_length=255)


@router.post("/v1/models/{model:path}/runs", status_code=201)
async def create_run(request: Request, state: Here, account: Caller, model: str) -> JSONResponse:
    """201 with the whole record, `queued` (or, in `sync_mode`, finished with its media when that is ready in time)."""
    known = known_model(request, model)
    body = await runflow_body(request)
    given = check(CreateBody, body, runflow_invalid)
    asked = Asked(
        model=model,
        input=keep_inline(state, account, check_input(known, given.input, state.fetcher)),
        body=body,
        callback_url=check_callback(given.callback_url),
        metadata=given.metadata,
        client_ref=given.client_ref,
        idempotency_key=request.headers.get("idempotency-key", ""),
        request_id=request.scope.get("request_id", ""),
    )
    if (replayed := _replay(state, account, asked)) is not None:
        return JSONResponse(replayed, 201)
    run = accept(state, account, asked)
    reply = record(state, run)
    if state.board.trouble.honour_idempotency_key and asked.idempotency_key:
        keep(state.replies, (account.org, asked.idempotency_key), (_digest(asked), json.dumps(reply)))
    if run.in_sync and state.board.trouble.sync_media in {"both", "reply"}:
        reply = await _with_media(state, run)
    return JSONResponse(reply, 201)


async def _with_media(state: State, run: Run) -> dict[str, Any]:
    run.awaited = True
    try:
        async with asyncio.timeout(state.board.trouble.sync_wait_seconds):
            await run.done.wait()
    except TimeoutError:
        return record(state, run)
    finally:
        media, run.media, run.awaited = run.media, None, False
    return {**record(state, run), "output": media}


def _digest(asked: Asked) -> str:
    text = json.dumps([asked.model, asked.body], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _replay(state: State, account: Account, asked: Asked) -> Any | None:
    if not (state.board.trouble.honour_idempotency_key and asked.idempotency_key):
        return None
    stored = state.replies.get((account.org, asked.idempotency_key))
    if stored is None:
        return None
    if stored[0] != _digest(asked):
        raise runflow_error(409, "Idempotency-Key was used with another body.")
    return json.loads(stored[1])


@router.post("/v1/run/{model:path}")
async def run_flat(request: Request, state: Here, account: Caller, model: str) -> JSONResponse:
    """The flat form (seed 000), background-color only: waits, then `images[0].url`. A failed run answers 422 or 503."""
    if model != COLOR:
        raise runflow_error(404, "Model not found.", code="MODEL_NOT_FOUND")
    body = await runflow_body(request)
    given = check(FlatColorInput, body, runflow_invalid)
    check_url(given, state.fetcher, inline=True, prefix=())
    if state.board.trouble.flat_needs_file_input and not given.file_input:
        raise runflow_invalid([{"loc": ["file_input"], "msg": "Field required", "type": "missing"}])
    asked = Asked(
        model=model,
        input=keep_inline(state, account, given.model_dump(exclude_none=True)),
        body=body,
        idempotency_key=request.headers.get("idempotency-key", ""),
        request_id=request.scope.get("request_id", ""),
    )
    run = accept(state, account, asked)
    try:
        async with asyncio.timeout(_FLAT_SECONDS):
            await run.done.wait()
    except TimeoutError:
        raise runflow_error(503, "The run did not finish in time.") from None
    if run.status not in {"succeeded", "partial_succeeded"}:
        code, message, _ = run.failure or ("CANCELLED", "The run was cancelled.", "")
        raise runflow_error(422 if code in {"INPUT_INVALID", "CANCELLED"} else 503, message, code=code)
    images = [
        {"url": state.url_of(file), "width": one.width, "height": one.height, "content_type": one.media_type}
        for file, one in zip(run.files, run.pictures, strict=True)
    ]
    return JSONResponse({"images": images})
