"""ImagePipeline: background-change and background-remove, run by api.imagepipeline.io.

Promises each endpoint's every field and the status route that goes with it. Refuses to believe a callback: none is
signed, so what it says is a hint to read the status with the API key. A lost reply cannot be looked up: there is no
list, no idempotency key and no reference; only the callback's URL can bring the job back.
Sources: imagepipeline.io/docs (capabilities/background, concepts/jobs, reference/errors) and its public Python SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backdrop.errors import Later, ProviderFailed
from backdrop.providers.base import Accepted, Callback, Failed, Finished, Malformed, Output, Running, Succeeded
from backdrop.providers.http import MEDIA_BYTES, Session, lost, session
from backdrop.providers.replies import (
    AGAIN,
    CREDIT_CODES,
    Rule,
    at,
    facts,
    identity,
    link,
    parse,
    refusal,
    tell,
    text,
    unasked,
    unfetched,
    usual,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from backdrop.providers.base import Outcome, Posted, Request

SUBMIT_SECONDS = 15.0  # with the connection's 5, what `submit` may spend of its 30
ASK_SECONDS = 10.0
ENDPOINTS: Mapping[str, str] = {
    "imagepipeline/background-change": "/background/change/image/v1",
    "imagepipeline/background-remove": "/background/remove/image/v1",
}
FACTS = (
    "status",
    "progress",
    "result_mime_type",
    "result_size_bytes",
    "queue_wait_seconds",
    "inference_time_seconds",
    "total_elapsed_seconds",
    "processing_time_seconds",
    "balance_remaining_usd",
    "credits_charged",
    "credits_amount",
    "cost_usd",
    "estimated_time_seconds",
    "prompt_hash",
    "failure_reason_code",
)
_TOP_UP = "top up the ImagePipeline account, then drop the photo again"
_AGAIN = "drop the photo again later"
_CORRECT = "correct what the message says and drop it again"

# failure_reason_code -> a new POST may succeed, what to do (imagepipeline.io/docs/reference/errors)
FAILURES: Mapping[str, tuple[bool, str]] = {
    "RATE_LIMIT_EXCEEDED": (True, _AGAIN),
    "CONCURRENT_JOBS_EXCEEDED": (True, _AGAIN),
    "MODEL_ERROR": (True, _AGAIN),
    "MODEL_UNAVAILABLE": (True, _AGAIN),
    "STORAGE_ERROR": (True, _AGAIN),
    "TIMEOUT": (True, _AGAIN),
    "INTERNAL_ERROR": (True, _AGAIN),
    "INSUFFICIENT_CREDITS": (False, _TOP_UP),
    "CREDIT_CHARGE_FAILED": (False, _TOP_UP),
    "INPUT_INVALID": (False, _CORRECT),
    "CANCELLED": (False, "it was cancelled at ImagePipeline; drop the photo again to run it anew"),
}
_FULL = frozenset({"RATE_LIMIT_EXCEEDED", "CONCURRENT_JOBS_EXCEEDED"})
RULES: tuple[Rule, ...] = (
    Rule((), "later", "RATE_LIMITED", "ImagePipeline asks for slower requests", AGAIN, _FULL, pause=60.0),
    Rule(
        (), "later", "UNAVAILABLE", "the model is not available just now", AGAIN, {"MODEL_UNAVAILABLE"}, everyone=False
    ),
    *usual("ImagePipeline", "imagepipeline_api_key", pause=60.0),
)
_FORMATS = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/webp": "webp"}


class ImagePipeline:
    """ImagePipeline's client."""

    name = "imagepipeline"

    def __init__(self, *, base_url: str, key: str) -> None:
        self._base_url = base_url
        self._key = key

    def blocks(self, model: str, form: str) -> bool:
        """Never: both endpoints queue."""
        del model, form
        return False

    def submit_seconds(self, model: str, form: str) -> float:
        """20: connecting and the wait for the queued reply."""
        del model, form
        return SUBMIT_SECONDS + 5.0

    def submit(self, request: Request) -> Accepted | Finished:
        """Make the paid POST; a 2xx without a job_id is Unknown."""
        given = {name: value for name, value in request.input.items() if value is not None}
        body = {"input_image": request.source.url(), "output_format": "webp", **given}
        if request.callback_url:
            body["callback_url"] = request.callback_url
        with self._session() as api:
            reply = api.send(
                "POST", ENDPOINTS[request.model], paid=True, body=body, seconds=SUBMIT_SECONDS, most=MEDIA_BYTES
            )
        if reply.accepted:
            value = parse(reply.body)
            job_id = identity(value, "job_id")
            if job_id:
                outcome = read_status(value, request.model, request.input)
                return Accepted(job_id, outcome.facts) if isinstance(outcome, Running) else Finished(outcome, job_id)
        raise refusal(RULES, reply, paid=True, hide=(self._key,))

    def find(self, posted: Posted) -> Accepted | Finished | None:
        """Only a job whose id is known can be asked about."""
        if not posted.run_id:
            return None
        try:
            outcome = self.poll(posted)
        except ProviderFailed:
            return None
        return (
            Accepted(posted.run_id, outcome.facts) if isinstance(outcome, Running) else Finished(outcome, posted.run_id)
        )

    def poll(self, posted: Posted) -> Outcome:
        """Read the job's status on its own endpoint's route.

        Raises:
            Later, Parked: it could not be read.
            ProviderFailed: ImagePipeline knows no such job (RUN_NOT_FOUND).
        """
        if not posted.run_id:
            raise Later("RUN_UNNAMED", "ImagePipeline's job has no name yet", action=AGAIN)
        if not identity(posted.run_id):
            raise _no_job(400)
        with self._session() as api:
            path = f"{ENDPOINTS[posted.model]}/status/{posted.run_id}"
            reply = api.send("GET", path, seconds=ASK_SECONDS, most=MEDIA_BYTES)
        value = parse(reply.body) if reply.accepted else None
        if isinstance(value, dict) and identity(value, "job_id") in {posted.run_id, ""}:
            return read_status(value, posted.model, posted.input)
        if reply.status == 404:  # noqa: PLR2004 - NOT_FOUND: an unknown job
            raise _no_job(404)
        if reply.accepted:
            raise lost("ImagePipeline", "unreadable", paid=False)
        raise refusal(RULES, reply, paid=False, hide=(self._key,))

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> Callback:
        """Read a callback. No page documents a signature, so it is never trusted."""
        del headers
        value = parse(body)
        job_id = identity(value, "job_id")
        if not job_id:
            raise Malformed("there is no job_id")
        status = text(value, "status").lower()
        if status not in {"completed", "failed", "cancelled", "canceled"}:
            raise Malformed("the status is none of a finished job")
        if status == "completed" and not link(value, "result_url"):
            return Callback(job_id, Running("completed"), trusted=False)
        return Callback(job_id, read_status(value, "", {}), trusted=False)

    def check(self) -> str:
        """Prove the key with `GET /v1/user/details`; plan and balance are told when they can be read."""
        with self._session() as api:
            reply = api.send("GET", "/v1/user/details", seconds=ASK_SECONDS)
        if not reply.accepted:
            raise unasked(refusal(RULES, reply, paid=False, hide=(self._key,)))
        return "ImagePipeline takes the key" + _account(parse(reply.body))

    def _session(self) -> AbstractContextManager[Session]:
        return session("ImagePipeline", self._base_url, {"X-API-Key": self._key})


def read_status(value: Any, model: str, asked: Mapping[str, Any]) -> Outcome:
    """What a status (or a queued reply) says. A status nobody documented is Running."""
    status = text(value, "status").lower()
    told = facts(value, FACTS)
    if status == "completed":
        output = _result(value, model, str(asked.get("output_format") or ""))
        if output is not None:
            return Succeeded((output,), told)
        return Failed(
            "RESULT_MISSING",
            "ImagePipeline says the job is completed and names no picture",
            retryable=False,
            action="look for the job in ImagePipeline's console; drop the photo again to run it anew",
            facts=told,
        )
    if status == "failed":
        return _failed(value, told)
    if status in {"cancelled", "canceled"}:
        action = FAILURES["CANCELLED"][1]
        return Failed("RUN_CANCELLED", "the job was cancelled at ImagePipeline", False, action, told)  # noqa: FBT003 - in base's order
    return Running(tell(status, most=40) or "unknown", told)


def _failed(value: Any, told: dict[str, Any]) -> Failed:
    """A failure: the event's own `retryable` over the table, and an input that could not be fetched over both."""
    code = tell(text(value, "failure_reason_code").upper(), most=64)
    said = tell(text(value, "error"))
    retryable, action = FAILURES.get(code, (False, _CORRECT))
    if isinstance(flag := at(value, "retryable"), bool):
        retryable = flag
    # A new attempt signs a new URL; the old one may have died with the session that signed it.
    retryable = retryable or (code == "INPUT_INVALID" and unfetched(said))
    message = f"the job failed at ImagePipeline ({code or 'no code told'})" + (f": {said}" if said else "")
    if code in CREDIT_CODES or code == "CREDIT_CHARGE_FAILED":
        return Failed("NO_CREDITS", message, retryable, _TOP_UP, told)
    return Failed("RUN_FAILED", message, retryable, action, told)


def _result(value: Any, model: str, asked: str) -> Output | None:
    """The picture: `result_url`, else what the SDK calls the cut-out, else the bytes themselves in base64."""
    told = _FORMATS.get(text(value, "result_mime_type").lower(), "")
    url = link(value, "result_url")
    if url:
        return Output(url, told or asked)
    cutout = link(value, "cutout_url")
    if model.endswith("/background-remove") and cutout:
        return Output(cutout, told)  # the SDK calls it a PNG, whatever was asked for
    inline = text(value, "result_base64")
    if inline:
        media = text(value, "result_mime_type") if told else f"image/{asked or 'webp'}"
        return Output(f"data:{media};base64,{inline}", told or asked)
    return None


def _account(value: Any) -> str:
    """Plan and balance in words; the pages name them without their fields."""
    plan = tell(text(value, "plan") or text(value, "plan", "name"), most=40)
    for found in facts(value, ("balance_remaining_usd", "balance_usd", "balance")).values():
        if isinstance(found, int | float) and not isinstance(found, bool):
            return (f"; plan {plan}" if plan else "") + f"; the balance is {found:.2f}"
    return f"; plan {plan}" if plan else ""


def _no_job(status: int) -> ProviderFailed:
    return ProviderFailed(
        "RUN_NOT_FOUND",
        f"ImagePipeline knows no such job ({status})",
        action="check that imagepipeline_api_key is of the account that ran it; otherwise drop the photo again",
    )
