"""Runflow's runs as records and callbacks tell them: read into outcomes.

Promises both spellings of cancelled, every documented shape of an output, both shapes of a failed callback, and that a
status nobody documented is Running (a deadline bounds it). Refuses a callback whose signature is missing or wrong once
a secret is configured. Pure: no request is made here.
Sources: docs.runflow.io/concepts/runs, …/concepts/callbacks, …/guides/verify-callback-signatures, the model pages.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backdrop.providers.base import Accepted, Callback, Failed, Finished, Forged, Malformed, Output, Running, Succeeded
from backdrop.providers.replies import (
    CREDIT_CODES,
    at,
    code_of,
    complaint,
    facts,
    identity,
    link,
    parse,
    tell,
    text,
    unfetched,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backdrop.providers.base import Outcome

SUCCEEDED = frozenset({"succeeded", "partial_succeeded"})
CANCELLED = frozenset({"cancelled", "canceled"})
RUN_FACTS = ("status_code", "duration_ms", "cost", "failure_stage_code")
OUTPUT_FACTS = ("nsfw_detected", "seed", "timing")

# Words in a failure code that mean the provider's own trouble: a new run may succeed (docs.runflow.io/concepts/errors).
PASSING = ("UNAVAILABLE", "TIMEOUT", "TIMED_OUT", "INTERNAL", "OVERLOADED", "RATE_LIMIT", "FETCH", "DOWNLOAD")
_MOST_OUTPUTS = 50
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_DATA_IMAGE = re.compile(r"data:image/(png|jpeg|jpg|webp|gif)[;,]", re.IGNORECASE)
_EVENTS = {
    "run.completed": SUCCEEDED,
    "run.partial_succeeded": SUCCEEDED,
    "run.failed": frozenset({"failed"}),
    "run.cancelled": CANCELLED,
    "run.canceled": CANCELLED,
}


def outcome(record: Any, *, sync_mode: bool) -> Outcome:
    """How a run record stands. `sync_mode`: as in the run's input; its media is then kept nowhere.

    A success without media is Failed with SYNC_MEDIA_GONE or RESULT_MISSING, not to be run again: it was charged.
    """
    status = (text(record, "status_code") or text(record, "status")).lower()
    told = _facts(record, at(record, "output"))
    if status in SUCCEEDED:
        found = pictures(at(record, "output"))
        return Succeeded(found, told) if found else _missing(told, sync_mode=sync_mode)
    if status == "failed":
        code = text(record, "failure_code") or code_of(at(record, "output"))
        said = tell(text(record, "failure_message")) or complaint(at(record, "output"))
        return _failed(code, said, told)
    if status in CANCELLED:
        return _cancelled(told)
    return Running(tell(status, most=40) or "unknown", told)


def _missing(told: Mapping[str, Any], *, sync_mode: bool) -> Failed:
    if sync_mode:
        return Failed(
            "SYNC_MEDIA_GONE",
            "Runflow made the picture in sync_mode, which it keeps no copy of, and no reply or callback held it",
            retryable=False,
            action="leave sync_mode out of the spec and drop it again",
            facts=told,
        )
    return Failed(
        "RESULT_MISSING",
        "Runflow says the run succeeded and names no picture",
        retryable=False,
        action="look for the run in Runflow's console; drop the photo again to run it anew",
        facts=told,
    )


def _failed(code: str, said: str, told: Mapping[str, Any]) -> Failed:
    named = tell(code.upper(), most=64)
    message = f"the run failed at Runflow ({named or 'no code told'})" + (f": {said}" if said else "")
    kept = {**told, "failure_code": named}
    if named in CREDIT_CODES:
        action = "top up the Runflow account, then drop the photo again"
        return Failed("NO_CREDITS", message, retryable=False, action=action, facts=kept)
    retryable = any(word in named for word in PASSING) or unfetched(said)
    return Failed(
        "RUN_FAILED",
        message,
        retryable=retryable,
        action="drop the photo again later" if retryable else "correct what the message says and drop it again",
        facts=kept,
    )


def _cancelled(told: Mapping[str, Any]) -> Failed:
    return Failed(
        "RUN_CANCELLED",
        "the run was cancelled at Runflow",
        retryable=False,
        action="somebody with an admin key cancelled it; drop the photo again to run it anew",
        facts=told,
    )


def _facts(record: Any, output: Any) -> dict[str, Any]:
    told = facts(record, RUN_FACTS) | facts(output, OUTPUT_FACTS, nulls=True)
    entries = at(output, "outputs")
    sizes = [facts(one, ("type", "width", "height")) for one in entries[:_MOST_OUTPUTS]] if _is_list(entries) else []
    return told | ({"outputs": sizes} if any(sizes) else {})


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def pictures(output: Any) -> tuple[Output, ...]:
    """The pictures of an output, in order; the documented shapes, the newest first (runflow.md, section 8)."""
    for entries in (
        [at(one, "url") for one in _entries(output, "outputs") if _is_image(one)],
        _entries(output, "image_urls"),
        [at(one, "url") for one in _entries(output, "images")],
        [at(output, "image", "url")],
        [at(output, "url")],
    ):
        found = tuple(Output(url, _format_of(url)) for url in entries[:_MOST_OUTPUTS] if _is_url(url))
        if found:
            return found
    return ()


def _entries(output: Any, name: str) -> list[Any]:
    found = at(output, name)
    return found if isinstance(found, list) else []


def _is_image(entry: Any) -> bool:
    """Whether an entry of `outputs` is a picture: it says so, or says nothing."""
    kind = at(entry, "type")
    return not isinstance(kind, str) or kind.lower().startswith("image")


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and (value[:5].lower() == "data:" or bool(link(value)))


def _format_of(url: str) -> str:
    found = _DATA_IMAGE.match(url)
    return found[1].lower().replace("jpg", "jpeg") if found else ""


def created(value: Any, *, sync_mode: bool) -> Accepted | Finished | None:
    """What a 2xx to a run's creation says; None when it names no run and holds no picture."""
    run_id = identity(value, "id") or identity(value, "run_id")
    found = outcome(value, sync_mode=sync_mode)
    inline = pictures(at(value, "output")) if isinstance(found, Running) else ()
    if inline:
        found = Succeeded(inline, found.facts)
    if isinstance(found, Succeeded):
        return Finished(found, run_id)
    if not run_id:
        return None
    if isinstance(found, Failed) and found.code not in {"SYNC_MEDIA_GONE", "RESULT_MISSING"}:
        return Finished(found, run_id)
    return Accepted(run_id, found.facts)  # media that is not here may come with the callback


def answered(value: Any) -> Accepted | Finished | None:
    """What a 2xx of the flat form says: pictures (seed 000: `images[0].url`), or a run should it have become one."""
    found = pictures(value) or pictures(at(value, "output"))
    if found:
        return Finished(Succeeded(found, {}), identity(value, "id"))
    return created(value, sync_mode=False) if text(value, "status_code") else None


def known(record: Any, *, sync_mode: bool) -> Accepted | Finished | None:
    """A record that was looked up after a lost reply; None when it has no id."""
    run_id = identity(record, "id")
    if not run_id:
        return None
    found = outcome(record, sync_mode=sync_mode)
    if isinstance(found, Running) or (isinstance(found, Failed) and found.code == "SYNC_MEDIA_GONE"):
        return Accepted(run_id, found.facts)  # a callback may still bring the media
    return Finished(found, run_id)


def rows_of(page: Any) -> list[Any]:
    """The records of a list's page; no public page names the field they stand under."""
    if isinstance(page, list):
        return page
    return next((rows for name in ("items", "data", "runs", "results") if (rows := _entries(page, name))), [])


def made_before(record: Any, moment: float) -> bool:
    """Whether a run was created before `moment` (unix seconds); False when it does not say."""
    try:
        made = datetime.fromisoformat(text(record, "created_at")[:40])
        return (made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp() < moment
    except ValueError:
        return False


def read_callback(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> Callback:
    """Read a callback's raw bytes; header names in lower case.

    With `secrets`, Runflow-Signature must be the HMAC-SHA256 of the body under one of them, as 64 lower-case hex digits
    (…/guides/verify-callback-signatures). `trusted` is set when it is and the body says all there is to know: a failure
    without its reason and a success without its media are hints to read the run itself.

    Raises:
        Forged: secrets are configured and the signature is missing or fits none.
        Malformed: not a callback about one run.
    """
    if secrets:
        _check_signature(body, headers.get("runflow-signature") or "", secrets)
    value = parse(body)
    if not isinstance(value, dict):
        raise Malformed("the body is no JSON object")
    statuses = _EVENTS.get(text(value, "event"))
    if statuses is None:
        raise Malformed("the event is none of a run")
    run_id = identity(value, "run_id")
    if not run_id:
        raise Malformed("there is no run_id")
    status = text(value, "status").lower() or min(statuses)
    if status not in statuses:
        raise Malformed("event and status contradict each other")
    found, complete = _told(value, status)
    request_id = tell(headers.get("runflow-request-id"), most=100)
    return Callback(run_id, found, trusted=bool(secrets) and complete, request_id=request_id)


def _check_signature(body: bytes, signature: str, secrets: Sequence[str]) -> None:
    if not _SIGNATURE.fullmatch(signature):
        raise Forged("the signature is missing or has not its form")
    fits = False
    for secret in secrets:  # all of them, so that the time tells nothing
        expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        fits |= hmac.compare_digest(expected, signature)
    if not fits:
        raise Forged("the signature fits no secret")


def _told(value: Any, status: str) -> tuple[Outcome, bool]:
    """The outcome that a callback tells, and whether it leaves nothing to ask."""
    output = at(value, "output")
    told = facts(value, ("status", "duration_ms")) | _facts(None, output)
    if status in SUCCEEDED:
        found = pictures(output)
        return (Succeeded(found, told), True) if found else (Running(status, told), False)
    if status == "failed":
        code = code_of(output)
        return _failed(code, complaint(output), told), bool(code)
    return _cancelled(told), True
