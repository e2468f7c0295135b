"""ImagePipeline's routes: change and remove background, their status routes, upload, account, event schema.

Promises the queued reply and one status route for each endpoint: a job is unknown at the other's.

Chosen where the pages are silent: `recolor` may stand without `#`; unknown fields are ignored, as FastAPI does;
`estimated_time_seconds` are the page's sample times; an upload takes 20 MB and is kept for a day.
"""

import re
import secrets
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from backdrop_cli.sandbox.accounts import PRICES, Account, require_imagepipeline
from backdrop_cli.sandbox.bodies import check, imagepipeline_body, imagepipeline_invalid
from backdrop_cli.sandbox.callbacks import sendable
from backdrop_cli.sandbox.imagepipeline_jobs import (
    CHANGE,
    ESTIMATES,
    MODELS,
    REMOVE,
    RESULT_SECONDS,
    Job,
    carry_out,
    record,
)
from backdrop_cli.sandbox.images import takes
from backdrop_cli.sandbox.ledger import callback_reference
from backdrop_cli.sandbox.replies import IMAGEPIPELINE, imagepipeline_error
from backdrop_cli.sandbox.state import Shown, State, current, iso, keep

router = APIRouter()

UPLOAD_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
MOST_UPLOAD_BYTES = 20_000_000

_HEX = re.compile(r"#?[0-9a-fA-F]{6}")
Here = Annotated[State, Depends(current)]


def key_of(request: Request, state: Here) -> Account:
    """The account behind `X-API-Key`: a FastAPI dependency. Raises 401 or 403."""
    return require_imagepipeline(state.books, request.headers.get("x-api-key", ""))


Caller = Annotated[Account, Depends(key_of)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")

    input_image: str = Field(min_length=1, max_length=4096)
    output_format: Literal["webp", "jpeg", "png"] = "webp"
    callback_url: str | None = Field(default=None, max_length=2048)


class ChangeBody(_Body):
    """background/change (imagepipeline.md section 1)."""

    prompt: str = Field(min_length=1, max_length=10_000)
    use_segmentation: bool = True
    subject_description: str | None = Field(default=None, max_length=10_000)
    tone_correction: float | None = Field(default=None, ge=0, le=1)
    has_text: bool | None = None
    seed: int = Field(default=-1, ge=-1, le=2**63 - 1)
    palette: list[str] | None = Field(default=None, max_length=32)
    num_inference_steps: int = Field(default=8, ge=1, le=100)
    true_cfg_scale: float = Field(default=4.0, ge=0, le=30)
    faster_inference: bool = True
    harmonize_strength: float | None = Field(default=None, ge=0, le=1)

    @field_validator("palette")
    @classmethod
    def _are_hex(cls, value: list[str] | None) -> list[str] | None:
        if value is not None and not all(_HEX.fullmatch(one) for one in value):
            raise ValueError("a palette holds hex colours like #F0F0F0")
        return value


class RemoveBody(_Body):
    """background/remove (imagepipeline.md section 2)."""

    recolor: str | None = None
    drop_shadow: bool = False
    shadow_opacity: float = Field(default=0.38, ge=0, le=1)
    shadow_blur: float = Field(default=0.018, ge=0, le=1)
    shadow_dy: float = Field(default=0.022, ge=-1, le=1)
    shadow_dx: float = Field(default=0.004, ge=-1, le=1)

    @field_validator("recolor")
    @classmethod
    def _is_hex(cls, value: str | None) -> str | None:
        if value is not None and not _HEX.fullmatch(value):
            raise ValueError("recolor is a hex colour like #F0F0F0")
        return value


@router.post(CHANGE)
async def change(request: Request, state: Here, account: Caller) -> JSONResponse:
    """Queue a background change."""
    return await _queue(request, state, account, CHANGE, ChangeBody)


@router.post(REMOVE)
async def remove(request: Request, state: Here, account: Caller) -> JSONResponse:
    """Queue a background removal."""
    return await _queue(request, state, account, REMOVE, RemoveBody)


async def _queue(request: Request, state: State, account: Account, endpoint: str, schema: type[_Body]) -> JSONResponse:
    if account.operations and endpoint not in account.operations:
        raise imagepipeline_error(403, "This operation is not in your plan.")
    body = await imagepipeline_body(request)
    given = check(schema, body, imagepipeline_invalid)
    _check_urls(state, given)
    price = PRICES[MODELS[endpoint]]
    if not state.books.take(account, price):
        raise imagepipeline_error(402, "Balance too low for this operation")
    now = state.now()
    job_id = f"job_{secrets.token_hex(8)}"
    reference = callback_reference(given.callback_url or "")
    state.ledger.accept(
        at=now,
        provider=IMAGEPIPELINE,
        model=MODELS[endpoint],
        reference=reference,
        body=body,
        run_id=job_id,
        price=price,
    )
    shown = state.show(Shown(job_id, IMAGEPIPELINE, MODELS[endpoint], reference, now, price=f"${price}"))
    fields = given.model_dump(exclude={"callback_url"})
    job = Job(job_id, endpoint, account, fields, given.callback_url or "", now, price, shown)
    keep(state.jobs, job_id, job)
    state.start(carry_out(state, job))
    reply = {
        "job_id": job_id,
        "status": "queued",
        "endpoint": endpoint,
        "estimated_time_seconds": ESTIMATES[endpoint],
        "queued_at": iso(now),
    }
    return JSONResponse(reply, state.board.trouble.queued_status_code)


def _check_urls(state: State, given: _Body) -> None:
    if not takes(given.input_image, state.fetcher.origins):
        finding = {"loc": ["input_image"], "msg": "a public URL is required", "type": "value_error.url.scheme"}
        raise imagepipeline_invalid([finding])
    if given.callback_url and not sendable(given.callback_url):
        finding = {"loc": ["callback_url"], "msg": "an https URL is required", "type": "value_error.url.scheme"}
        raise imagepipeline_invalid([finding])


@router.get(CHANGE + "/status/{job_id}")
async def change_status(state: Here, account: Caller, job_id: str) -> JSONResponse:
    """How a background change stands."""
    return _status(state, account, CHANGE, job_id)


@router.get(REMOVE + "/status/{job_id}")
async def remove_status(state: Here, account: Caller, job_id: str) -> JSONResponse:
    """How a background removal stands."""
    return _status(state, account, REMOVE, job_id)


def _status(state: State, account: Account, endpoint: str, job_id: str) -> JSONResponse:
    job = state.jobs.get(job_id)
    if job is None or job.endpoint != endpoint or job.account.org != account.org:
        raise imagepipeline_error(404, "Job not found")
    return JSONResponse(record(state, job))


@router.post("/upload/image/v1")
async def upload(request: Request, state: Here, _: Caller) -> JSONResponse:
    """An input image; the URL that `input_image` takes, good for a day."""
    try:
        async with request.form(max_files=1, max_fields=10) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                finding = {"loc": ["body", "file"], "msg": "field required", "type": "value_error.missing"}
                raise imagepipeline_error(422, detail=[finding])
            data = await file.read(MOST_UPLOAD_BYTES + 1)
            kind, name = file.content_type or "", (file.filename or "image")[:200]
    except HTTPException:
        finding = {"loc": ["body"], "msg": "malformed multipart body", "type": "value_error"}
        raise imagepipeline_error(422, detail=[finding]) from None
    if kind not in UPLOAD_TYPES:
        raise imagepipeline_error(415, f"Content type must be one of {', '.join(UPLOAD_TYPES)}")
    if not data or len(data) > MOST_UPLOAD_BYTES:
        raise imagepipeline_error(413, "The file is empty or too large")
    stored = state.files.put(
        data, provider=IMAGEPIPELINE, name=name, media_type=kind, gone_at=state.now() + RESULT_SECONDS
    )
    reply = {"url": state.url_of(stored), "filename": name, "size_bytes": len(data), "content_type": kind}
    return JSONResponse(reply)


class WebhookEvent(BaseModel):
    """What a webhook carries (imagepipeline.md section 5)."""

    job_id: str
    user_id: str
    status: Literal["completed", "failed"]
    result_url: str | None = None
    result_mime_type: str | None = None
    result_size_bytes: int | None = None
    result_base64: str | None = None
    timestamp: int
    error: str | None = None
    failure_reason_code: str | None = None
    retryable: bool | None = None


@router.get("/webhooks/event-schema")
async def event_schema(_: Caller) -> dict[str, Any]:
    """The JSON Schema of a webhook's body."""
    return WebhookEvent.model_json_schema()


@router.get("/v1/user/details")
async def user_details(state: Here, account: Caller) -> JSONResponse:
    """Plan, balance and permitted operations."""
    return JSONResponse(
        {
            "user_id": account.org,
            "plan": "sandbox",
            "balance_usd": float(state.books.balance(account)),
            "operations": list(account.operations or MODELS),
        }
    )


@router.get("/health")
async def health() -> dict[str, str]:
    """Alive; needs no key."""
    return {"status": "ok"}
