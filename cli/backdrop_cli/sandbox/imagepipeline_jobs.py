"""ImagePipeline's jobs: carrying one out, what its status route tells, and its webhook.

Promises the life `queued → pending → processing → completed | failed | cancelled`, failures by `failure_reason_code`
with their `retryable`, and one unsigned webhook without retry for a job with a `callback_url`.

Chosen where the pages are silent: the price is taken on acceptance and given back on failure; a result lives 24 hours,
its URL is signed anew on each read; a JPEG without `recolor` fails the job with INPUT_INVALID; a cancelled job sends no
webhook; a forged webhook (there is no signature to get wrong) claims a result at an address that serves none.
"""

import base64
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from backdrop_cli.sandbox.accounts import Account
from backdrop_cli.sandbox.callbacks import Delivery
from backdrop_cli.sandbox.files import File
from backdrop_cli.sandbox.images import Unfetched
from backdrop_cli.sandbox.replies import IMAGEPIPELINE
from backdrop_cli.sandbox.state import Shown, State
from backdrop_cli.sandbox.work import BadPhoto, Picture

_LOG = logging.getLogger(__name__)

CHANGE = "/background/change/image/v1"
REMOVE = "/background/remove/image/v1"
MODELS = {CHANGE: "imagepipeline/background-change", REMOVE: "imagepipeline/background-remove"}
ESTIMATES = {CHANGE: 31.5, REMOVE: 12.8}
RESULT_SECONDS = 86_400.0
RETRYABLE = {
    "RATE_LIMIT_EXCEEDED": True,
    "CONCURRENT_JOBS_EXCEEDED": True,
    "MODEL_ERROR": True,
    "MODEL_UNAVAILABLE": True,
    "STORAGE_ERROR": True,
    "TIMEOUT": True,
    "INTERNAL_ERROR": True,
    "INSUFFICIENT_CREDITS": False,
    "CREDIT_CHARGE_FAILED": False,
    "INPUT_INVALID": False,
    "CANCELLED": None,
}
TERMINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass(slots=True)
class Job:
    """One job."""

    id: str
    endpoint: str
    account: Account
    input: Mapping[str, Any]
    callback_url: str = field(repr=False)
    created_at: float
    price: Decimal
    shown: Shown
    status: str = "queued"
    progress: int = 0
    began: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    inference: float = 0.0
    total: float = 0.0
    result: File | None = None
    cutout: File | None = None
    size: int = 0
    balance: Decimal | None = None
    failure: tuple[str, str, bool | None] | None = None  # code, text, retryable


async def carry_out(state: State, job: Job) -> None:
    """Take the job to a terminal status."""
    trouble, fires = state.board.trouble, state.board.fires
    about = (IMAGEPIPELINE, "submit", MODELS[job.endpoint])
    limit = trouble.imagepipeline_jobs_at_a_time
    open_jobs = sum(one.status not in TERMINAL for one in state.jobs.values() if one.account.org == job.account.org)
    state.open_jobs(IMAGEPIPELINE, open_jobs)
    if limit and open_jobs > limit:
        _fail(state, job, "CONCURRENT_JOBS_EXCEEDED", "Too many concurrent jobs")
        return
    job.status = job.shown.status = "pending"
    if slow := fires(trouble.slow_run, *about):
        await state.sleep(slow.ms / 1000)
    if fires(trouble.run_stuck, *about):
        return
    if fires(trouble.run_cancelled, *about):
        job.failure = ("CANCELLED", "The job was cancelled", None)
        _finish(state, job, "cancelled")
        return
    if fails := fires(trouble.run_fails, *about):
        code = fails.code or ("MODEL_ERROR" if fails.retryable else "INPUT_INVALID")
        _fail(state, job, code, fails.message, retryable=fails.retryable)
        return
    await _work(state, job)


async def _work(state: State, job: Job) -> None:
    if job.endpoint == REMOVE and job.input["output_format"] == "jpeg" and not job.input["recolor"]:
        _fail(state, job, "INPUT_INVALID", "JPEG cannot be transparent: recolor is required")
        return
    try:
        photo = await state.fetcher.fetch(job.input["input_image"])
        job.waited = time.monotonic() - job.began
        job.status, job.progress = "processing", 40
        job.shown.status = "processing"
        fields = {name: value for name, value in job.input.items() if name != "input_image"}
        drawn = await state.draw(MODELS[job.endpoint], photo, fields)
    except Unfetched as error:
        _fail(state, job, "INPUT_INVALID", f"Input image could not be fetched: {error.reason}")
        return
    except BadPhoto as error:
        _fail(state, job, "INPUT_INVALID", error.reason)
        return
    except Exception as error:  # noqa: BLE001 - whatever the picture work does, the job must end
        _LOG.exception("the picture work of %s broke", MODELS[job.endpoint])
        _fail(state, job, "INTERNAL_ERROR", f"The picture work broke ({type(error).__name__})")
        return
    job.shown.before, job.shown.after = drawn.before, drawn.after
    job.size = len(drawn.pictures[0].data)
    first_told = not (
        job.endpoint == REMOVE and state.board.trouble.result_url_only_with_recolor and not job.input["recolor"]
    )
    job.result = _keep(state, job, drawn.pictures[0]) if first_told else None
    job.cutout = _keep(state, job, drawn.pictures[1]) if job.endpoint == REMOVE else None
    job.balance = state.books.balance(job.account)
    inline = drawn.pictures[0].data if first_told and job.size < state.board.trouble.result_base64_below else b""
    _finish(state, job, "completed", inline)


def _keep(state: State, job: Job, picture: Picture) -> File:
    name = f"{job.id.removeprefix('job_')}.{picture.extension}"
    return state.files.put(
        picture.data,
        provider=IMAGEPIPELINE,
        name=name,
        media_type=picture.media_type,
        gone_at=state.now() + RESULT_SECONDS,
    )


def _fail(state: State, job: Job, code: str, text: str, *, retryable: bool | None = None) -> None:
    job.failure = (code, text, RETRYABLE.get(code) if retryable is None else retryable)
    job.shown.note, job.shown.price = f"{code}: {text}", "not charged"
    state.books.give_back(job.account, job.price)
    _finish(state, job, "failed")


def _finish(state: State, job: Job, status: str, inline: bytes = b"") -> None:
    job.status = job.shown.status = status
    job.progress = 100 if status == "completed" else job.progress
    job.total = time.monotonic() - job.began
    job.inference = max(job.total - job.waited, 0.0) if status == "completed" else 0.0
    job.shown.ms = round(job.total * 1000)
    if not job.callback_url or status == "cancelled":
        return
    event = _event(state, job, inline)
    state.outbox.send(
        Delivery(
            id=secrets.token_hex(8),
            provider=IMAGEPIPELINE,
            model=MODELS[job.endpoint],
            run_id=job.id,
            url=job.callback_url,
            payload=event,
            at=state.now(),
            forged={**event, "status": "completed", "result_url": f"{state.setup.url}/results/forged.png"},
        )
    )


def _event(state: State, job: Job, inline: bytes) -> dict[str, Any]:
    event: dict[str, Any] = {
        "job_id": job.id,
        "user_id": job.account.org,
        "status": job.status,
        "result_url": state.url_of(job.result) if job.result else None,
        "result_mime_type": job.result.media_type if job.result else None,
        "result_size_bytes": job.result.size if job.result else None,
        "timestamp": int(state.now()),
    }
    if inline:
        event["result_base64"] = base64.b64encode(inline).decode("ascii")
    if job.failure:
        event["failure_reason_code"], event["error"], event["retryable"] = job.failure
    return event


def record(state: State, job: Job) -> dict[str, Any]:
    """What the status route tells (imagepipeline.md section 4)."""
    told: dict[str, Any] = {"job_id": job.id, "status": job.status, "progress": job.progress}
    if job.status == "completed":
        told |= {
            "result_url": state.url_of(job.result) if job.result else None,
            "result_mime_type": job.result.media_type if job.result else None,
            "queue_wait_seconds": round(job.waited, 3),
            "inference_time_seconds": round(job.inference, 3),
            "total_elapsed_seconds": round(job.total, 3),
            "processing_time_seconds": round(job.total, 3),
            "balance_remaining_usd": float(job.balance or 0),
            "credits_charged": True,
            "credits_amount": float(job.price),
            "cost_usd": float(job.price),
            "warnings": [],
        }
        if job.cutout:
            told["cutout_url"] = state.url_of(job.cutout)
    elif job.failure:
        told["failure_reason_code"], told["error"], told["retryable"] = job.failure
        told |= {"credits_charged": False, "credits_amount": 0}
    else:
        told["estimated_time_seconds"] = ESTIMATES[job.endpoint]
    return told
