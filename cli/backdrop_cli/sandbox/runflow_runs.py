"""Runflow's runs: accepting one, carrying it out, its record and its callbacks.

Promises the life `queued → dispatching → running → succeeded | failed | cancelled | partial_succeeded`, the excess over
the per-model cap staying queued, result URLs signed anew on each read, and one callback when a run becomes terminal.

Chosen where the pages are silent: the price is taken on acceptance and given back when the run fails; the failure codes
`INPUT_FETCH_FAILED` (stage `dispatch`; the input URL could not be read, so trying again may help), `INPUT_INVALID`
(stage `validation`; it will not), `MODEL_UNAVAILABLE` and `MODEL_ERROR` (stage `execution`). A `sync_mode` run's media
is a data URI in the create reply, when it is ready in time, and in the callback; the record's output stays null.
"""

import asyncio
import base64
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from backdrop_cli.sandbox.accounts import PRICES, Account
from backdrop_cli.sandbox.callbacks import Delivery, remember
from backdrop_cli.sandbox.files import File
from backdrop_cli.sandbox.images import Unfetched
from backdrop_cli.sandbox.replies import RUNFLOW, runflow_error
from backdrop_cli.sandbox.runflow_models import BRIA, MODELS, fetch_inputs, output_of
from backdrop_cli.sandbox.runflow_records import resolve, signing_secret
from backdrop_cli.sandbox.state import Shown, State, iso, keep, uuid7
from backdrop_cli.sandbox.work import BadPhoto, Drawn, Picture

_LOG = logging.getLogger(__name__)

TERMINAL = frozenset({"succeeded", "failed", "cancelled", "partial_succeeded"})
EVENTS = {
    "succeeded": "run.completed",
    "failed": "run.failed",
    "cancelled": "run.cancelled",
    "partial_succeeded": "run.partial_succeeded",
}


@dataclass(slots=True)
class Run:
    """One run. `status` is spelt `cancelled` here and as each surface wants it there."""

    id: str
    model: str
    account: Account
    input: Mapping[str, Any]
    callback_url: str
    metadata: Mapping[str, Any] | None
    client_ref: str | None
    batch_id: str | None
    request_id: str
    created_at: float
    shown: Shown
    status: str = "queued"
    price: Decimal = Decimal(0)
    started_at: float | None = None
    completed_at: float | None = None
    duration_ms: int | None = None
    files: tuple[File, ...] = ()
    pictures: tuple[Picture, ...] = ()
    inference_ms: int = 0
    media: dict[str, Any] | None = None  # a sync_mode run's output, only until it has been told
    failure: tuple[str, str, str] | None = None  # code, message, stage
    deliveries: list[Delivery] = field(default_factory=list)
    logs: list[tuple[float, str]] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = field(default_factory=time.monotonic)
    awaited: bool = False  # a create reply is waiting for the media

    @property
    def in_sync(self) -> bool:
        """Whether its media goes into replies instead of the store."""
        return self.model == BRIA and self.input.get("sync_mode") is True


@dataclass(frozen=True, slots=True)
class Asked:
    """What a create request asked for, checked."""

    model: str
    input: Mapping[str, Any]
    body: Any
    callback_url: str = ""
    metadata: Mapping[str, Any] | None = None
    client_ref: str | None = None
    batch_id: str | None = None
    idempotency_key: str = ""
    request_id: str = ""


def accept(state: State, account: Account, asked: Asked) -> Run:
    """Charge, write the ledger, and start the run.

    Raises:
        Refusal: 402 when the balance does not cover the price; nothing is then created.
    """
    price = PRICES[asked.model]
    if not state.books.take(account, price):
        raise runflow_error(402, "Insufficient credit.")
    now = state.now()
    run_id = uuid7(now)
    state.ledger.accept(
        at=now,
        provider=RUNFLOW,
        model=asked.model,
        reference=asked.client_ref or "",
        body=asked.body,
        run_id=run_id,
        price=price,
        idempotency_key=asked.idempotency_key,
    )
    shown = state.show(Shown(run_id, RUNFLOW, asked.model, asked.client_ref or "", now, price=f"${price}"))
    run = Run(
        id=run_id,
        model=asked.model,
        account=account,
        input=asked.input,
        callback_url=asked.callback_url,
        metadata=asked.metadata,
        client_ref=asked.client_ref,
        batch_id=asked.batch_id,
        request_id=asked.request_id,
        created_at=now,
        shown=shown,
        price=price,
    )
    run.logs.append((now, "run created"))
    keep(state.runs, run_id, run)
    state.start(carry_out(state, run))
    return run


async def carry_out(state: State, run: Run) -> None:
    """Take the run to a terminal status."""
    trouble, fires = state.board.trouble, state.board.fires
    about = (RUNFLOW, "submit", run.model)
    async with state.places.one(run.model, lambda: state.board.trouble.runflow_runs_at_a_time):
        if run.status in TERMINAL:
            return
        _advance(state, run, "dispatching")
        run.started_at = state.now()
        if slow := fires(trouble.slow_run, *about):
            await state.sleep(slow.ms / 1000)
        if fires(trouble.run_stuck, *about):
            _advance(state, run, "running")
            return
        if fires(trouble.run_cancelled, *about):
            finish(state, run, "cancelled")
            return
        if fails := fires(trouble.run_fails, *about):
            code = fails.code or ("MODEL_UNAVAILABLE" if fails.retryable else "MODEL_ERROR")
            fail(state, run, code, fails.message, fails.stage)
            return
        drawn = await _try_to_draw(state, run)
        if drawn is None or run.status in TERMINAL:
            return
        _keep_pictures(state, run, drawn)
        finish(state, run, "partial_succeeded" if fires(trouble.run_partial, *about) else "succeeded")


async def _try_to_draw(state: State, run: Run) -> Drawn | None:
    try:
        given = resolve(state, run.account.org, dict(run.input))
        photo, reference = await fetch_inputs(state.fetcher, run.model, given)
        _advance(state, run, "running")
        began = time.monotonic()
        drawn = await state.draw(run.model, photo, run.input, reference)
    except Unfetched as error:
        code, stage = ("INPUT_INVALID", "validation") if error.invalid else ("INPUT_FETCH_FAILED", "dispatch")
        fail(state, run, code, error.reason, stage)
        return None
    except BadPhoto as error:
        fail(state, run, "INPUT_INVALID", error.reason, "validation")
        return None
    except Exception as error:  # noqa: BLE001 - whatever the picture work does, the run must end
        _LOG.exception("the picture work of %s broke", run.model)
        fail(state, run, "INTERNAL_ERROR", f"the picture work broke ({type(error).__name__})", "execution")
        return None
    run.inference_ms = round((time.monotonic() - began) * 1000)
    return drawn


def _keep_pictures(state: State, run: Run, drawn: Drawn) -> None:
    run.pictures = tuple(Picture(b"", one.format, one.width, one.height) for one in drawn.pictures)
    run.shown.before, run.shown.after = drawn.before, drawn.after
    if run.in_sync:
        urls = [f"data:{one.media_type};base64,{base64.b64encode(one.data).decode('ascii')}" for one in drawn.pictures]
        run.media = output_of(run.model, urls, run.pictures, run.inference_ms)
        return
    run.files = tuple(
        state.files.put(one.data, provider=RUNFLOW, name=f"{number}.{one.extension}", media_type=one.media_type)
        for number, one in enumerate(drawn.pictures)
    )


def fail(state: State, run: Run, code: str, message: str, stage: str) -> None:
    """End the run badly and give its price back."""
    if run.status in TERMINAL:
        return
    run.failure = (code, message, stage)
    run.shown.note, run.shown.price = f"{code}: {message}", "not charged"
    state.books.give_back(run.account, run.price)
    finish(state, run, "failed")


def finish(state: State, run: Run, status: str) -> None:
    """End the run and send its callback; a run that has ended stays as it is."""
    if run.status in TERMINAL:
        return
    run.completed_at = state.now()
    run.duration_ms = round((time.monotonic() - run.began) * 1000)
    run.shown.ms = run.duration_ms
    _advance(state, run, status)
    run.done.set()
    if run.callback_url:
        call_back(state, run)
    _tell_subscribers(state, run)
    if not run.awaited:
        run.media = None


def _advance(state: State, run: Run, status: str) -> None:
    if run.status not in TERMINAL:
        run.status = run.shown.status = status
        run.logs.append((state.now(), f"status is {status}"))


def output(state: State, run: Run) -> dict[str, Any] | None:
    """A run's output as its record tells it now, URLs signed afresh; null for failures and `sync_mode` media."""
    if run.status not in {"succeeded", "partial_succeeded"} or not run.files:
        return None
    return output_of(run.model, [state.url_of(file) for file in run.files], run.pictures, run.inference_ms)


def call_back(state: State, run: Run, *, is_automatic: bool = True) -> Delivery:
    """Send the run's callback, built from its present state."""
    secret = signing_secret(state, run.account.org)
    if secret is not None:
        secret.last_used_at = state.now()
    delivery = Delivery(
        id=uuid7(state.now()),
        provider=RUNFLOW,
        model=run.model,
        run_id=run.id,
        url=run.callback_url,
        payload=envelope(state, run),
        at=state.now(),
        secret=secret.plain if secret else "",
        secret_id=secret.id if secret else None,
        is_automatic=is_automatic,
        backoff=state.setup.callback_backoff,
    )
    remember(run.deliveries, delivery)
    state.outbox.send(delivery)
    return delivery


def _tell_subscribers(state: State, run: Run) -> None:
    for one in state.subscriptions.values():
        if one.org == run.account.org and EVENTS[run.status] in (one.events or EVENTS.values()):
            delivery = Delivery(
                id=uuid7(state.now()),
                provider=RUNFLOW,
                model=run.model,
                run_id=run.id,
                url=one.url,
                payload=envelope(state, run),
                at=state.now(),
                secret=one.secret,
                backoff=state.setup.callback_backoff,
            )
            remember(one.deliveries, delivery)
            state.outbox.send(delivery)


def envelope(state: State, run: Run) -> dict[str, Any]:
    """The callback's JSON (runflow.md section 4.1): no attempt, no client_ref, no model, no failure code."""
    told = output(state, run)
    if run.media is not None and state.board.trouble.sync_media in {"both", "callback"}:
        told = run.media
    if run.failure and state.board.trouble.failed_output == "envelope":
        told = {"code": run.failure[0], "message": run.failure[1], "errors": None}
    status = run.status
    if status == "cancelled":
        status = state.board.trouble.callback_cancelled_spelling
    return {
        "event": EVENTS[run.status],
        "run_id": run.id,
        "status": status,
        "output": told,
        "duration_ms": run.duration_ms,
        "created_at": iso(run.created_at, "+00:00"),
        "completed_at": iso(run.completed_at, "+00:00"),
        "metadata": run.metadata,
    }


def record(state: State, run: Run) -> dict[str, Any]:
    """The whole run record (runflow.md section 1)."""
    code, message, stage = run.failure or (None, None, None)
    status = state.board.trouble.run_cancelled_spelling if run.status == "cancelled" else run.status
    charged = run.completed_at is not None and run.failure is None
    return {
        "id": run.id,
        "status_code": status,
        "target_type": "model",
        "model_id": MODELS[run.model].uuid,
        "flow_id": None,
        "comfyui_workflow_id": None,
        "flow_version_id": None,
        "resolved_template_id": None,
        "org_id": run.account.org,
        "batch_id": run.batch_id,
        "created_by": None,
        "target_version": None,
        "source_code": "api",
        "jurisdiction_code": None,
        "request_id": run.request_id,
        "client_ref": run.client_ref,
        "callback_url": run.callback_url or None,
        "input": run.input,
        "output": output(state, run),
        "context": None,
        "cost_breakdown": {"base": str(run.price)} if charged else None,
        "metadata": run.metadata,
        "links": {"self": f"{state.setup.url}/v1/runs/{run.id}"},
        "duration_ms": run.duration_ms,
        "nodes_total": 1,
        "nodes_completed": int(run.status in {"succeeded", "partial_succeeded"}),
        "cost": str(run.price) if charged else None,
        "created_at": iso(run.created_at),
        "started_at": iso(run.started_at),
        "completed_at": iso(run.completed_at),
        "has_logs": True,
        "has_node_runs": run.started_at is not None,
        "failure_code": code,
        "failure_message": message,
        "failure_stage_code": stage,
        "node_runs": node_runs(run),
    }


def node_runs(run: Run) -> list[dict[str, Any]]:
    """The run's one step, once it has begun."""
    if run.started_at is None:
        return []
    return [
        {
            "id": f"{run.id}-0",
            "run_id": run.id,
            "sequence_index": 0,
            "name": run.model,
            "status_code": run.status,
            "started_at": iso(run.started_at),
            "completed_at": iso(run.completed_at),
            "duration_ms": run.duration_ms,
            "failure_code": run.failure[0] if run.failure else None,
        }
    ]
