"""Runflow: background-color, background-replace and bria/background/remove, run by api.runflow.io.

Promises that every paid POST names its attempt (`client_ref`, `metadata.backdrop_reference`, Idempotency-Key), so that
after a lost reply the run can be found by any of them. Refuses to take the flat form (`/v1/run/…`) for anything but
background-color; nothing can be found there once its reply is lost, and its result is in that reply alone.
Sources: docs.runflow.io (concepts/runs, requests, errors, rate-limits; api-reference/models) and the model pages.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from backdrop.errors import BackdropError, Later, Parked, ProviderFailed
from backdrop.providers import runflow_runs
from backdrop.providers.base import Accepted, Failed, Finished, Posted, Running, Succeeded
from backdrop.providers.http import MEDIA_BYTES, Session, lost, session
from backdrop.providers.replies import AGAIN, Rule, facts, identity, parse, refusal, text, unasked, usual

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from backdrop.providers.base import Callback, Outcome, Request

COLOR = "runflow/background-color"
REPLACE = "runflow/background-replace"
CREATE_SECONDS = 15.0  # with the connection's 5, what `submit` may spend of its 30
SYNC_SECONDS = 120.0  # in `sync_mode` the reply may wait for the picture; most models take under 60 s
FLAT_SECONDS = 300.0  # the flat form answers with the picture; no page says how long it may take
ASK_SECONDS = 10.0
SEARCH_SECONDS = 15.0
SYNC_BYTES = 32_000_000  # a reply in sync_mode holds the whole picture, in base64
METADATA_NAME = "backdrop_reference"

_PAGE = 100
_MOST_PAGES = 3
_CLOCK_SKEW = 300.0

_USUAL = usual("Runflow", "runflow_api_key")
RULES: tuple[Rule, ...] = (
    Rule(
        (),
        "later",
        "UNAVAILABLE",
        "the model is not available at Runflow just now",
        AGAIN,
        {"MODEL_UNAVAILABLE"},
        everyone=False,
    ),
    Rule({503}, "later", "UNAVAILABLE", "Runflow is not available just now", AGAIN),
    *_USUAL,
)
# The flat form answers when the run has ended: any 5xx of it may be the end of a run that was accepted.
FLAT_RULES: tuple[Rule, ...] = (
    _USUAL[0],
    Rule(
        range(500, 600),
        "unknown",
        "SERVER_ERROR",
        "Runflow's flat form had a fault of its own",
        "nothing can be asked there; Backdrop waits before it would post again",
    ),
    *(rule for rule in _USUAL[1:] if rule.code != "SERVER_ERROR"),
)
_ROUTE_ACTION = "set the parameter BackgroundColorForm to auto, runs or flat, whichever this account has"


class Runflow:
    """Runflow's client. `callback_secrets`: any of them may sign; `flat_input`: "zip" or "image" for the flat form.

    `clock` counts seconds and never goes back.
    """

    name = "runflow"

    def __init__(
        self,
        *,
        base_url: str,
        key: str,
        callback_secrets: tuple[str, ...] = (),
        flat_input: str = "zip",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url
        self._key = key
        self._secrets = tuple(secret for secret in callback_secrets if secret)
        self._flat_input = flat_input
        self._clock = clock

    def blocks(self, model: str, form: str) -> bool:
        """The flat form waits for the picture, and so does a run in `sync_mode`."""
        return form == "sync" or (model == COLOR and form == "flat")

    def submit_seconds(self, model: str, form: str) -> float:
        """320 for the flat form, 140 in `sync_mode`, 20 otherwise: connecting, sending, the wait for the answer."""
        if form == "sync":
            return SYNC_SECONDS + 20.0
        return FLAT_SECONDS + 20.0 if self.blocks(model, form) else CREATE_SECONDS + 5.0

    def submit(self, request: Request) -> Accepted | Finished:
        """Make the paid POST. With form "auto", 404 and 405 are Later with `form="flat"`: not accepted there."""
        if request.model == COLOR and request.form == "flat":
            return self._submit_flat(request)
        body = {
            "input": _runs_input(request),
            "callback_url": request.callback_url or None,
            "metadata": {**request.metadata, METADATA_NAME: request.reference},
            "client_ref": request.reference,
        }
        sync_mode = _in_sync(request)
        with self._session() as api:
            reply = api.send(
                "POST",
                f"/v1/models/{request.model}/runs",
                paid=True,
                body=body,
                headers={"Idempotency-Key": request.reference},
                seconds=SYNC_SECONDS if request.form == "sync" else CREATE_SECONDS,
                most=SYNC_BYTES if sync_mode else MEDIA_BYTES,
            )
        if reply.accepted:
            taken = runflow_runs.created(parse(reply.body), sync_mode=sync_mode)
            if taken is not None:
                return taken
        if request.model == COLOR and reply.status in {404, 405}:
            raise _no_runs_route(request.form, reply.status)
        if reply.status == 409:  # noqa: PLR2004 - CONFLICT: our own Idempotency-Key, so an earlier POST was accepted
            known = self._find_quietly(request)
            if known is not None:
                return known
        raise refusal(RULES, reply, paid=True, hide=(self._key,))

    def _find_quietly(self, request: Request) -> Accepted | Finished | None:
        with suppress(Later, Parked):
            return self.find(Posted(request.model, request.form, request.input, request.reference))
        return None

    def _submit_flat(self, request: Request) -> Accepted | Finished:
        colours = {name: request.input[name] for name in ("color_red", "color_green", "color_blue")}
        if self._flat_input == "image":
            photo = {"image_url": request.source.url(), "file_input": request.source.filename}
        else:
            archive = request.source.archive()
            photo = {"image_url": archive.url, "file_input": archive.file_image}
        with self._session() as api:
            reply = api.send(
                "POST",
                f"/v1/run/{request.model}",
                paid=True,
                body={**photo, **colours},
                # Not the `runs` form's key: the same key with another body would be a conflict.
                headers={"Idempotency-Key": f"{request.reference}-flat"},
                seconds=FLAT_SECONDS,
                most=MEDIA_BYTES,
            )
        if reply.accepted:
            taken = runflow_runs.answered(parse(reply.body))
            if taken is not None:
                return taken
        if reply.status in {404, 405}:
            raise _no_route(f"/v1/run/{request.model}", reply.status)
        raise refusal(FLAT_RULES, reply, paid=True, hide=(self._key,))

    def find(self, posted: Posted) -> Accepted | Finished | None:
        """Look for the attempt among the account's runs; the flat form keeps no trace.

        Raises:
            Later, Parked: the list could not be read.
        """
        if posted.run_id:
            with suppress(ProviderFailed):  # it is not known there
                return _known(self._record(posted.run_id), posted)
            return None
        if posted.model == COLOR and posted.form == "flat":
            return None
        found: list[Accepted | Finished] = []
        until = self._clock() + SEARCH_SECONDS
        with self._session() as api:
            # First asked for by name; then, because no page says what `q` looks at, the newest runs are gone through.
            for query in ({"q": posted.reference}, {}):
                try:
                    for record in self._rows(api, query, posted, until):
                        taken = _known(record, posted) if _is_ours(record, posted.reference) else None
                        if taken is not None:
                            found.append(taken)
                except (Later, Parked):
                    if not found:  # what names this attempt counts, however much was left unread
                        raise
                if found:
                    return max(found, key=_worth)
        return None

    def _rows(self, api: Session, query: Mapping[str, str], posted: Posted, until: float) -> Iterator[Any]:
        """Run records, page by page, until they are older than the POST, or enough, or time is up."""
        cursor = ""
        for _ in range(_MOST_PAGES):
            if self._clock() > until:
                break
            params = {"limit": str(_PAGE), **query, **({"pq": cursor} if cursor else {})}
            reply = api.send("GET", "/v1/runs", params=params, seconds=ASK_SECONDS, most=MEDIA_BYTES)
            page = parse(reply.body) if reply.accepted else None
            if page is None:
                error = refusal(RULES, reply, paid=False, hide=(self._key,))
                if isinstance(error, ProviderFailed):  # the list takes no such question: it cannot be asked
                    return
                raise error
            rows = runflow_runs.rows_of(page)[:_PAGE]
            yield from rows
            cursor = text(page, "next_pq")[:1000]
            if not cursor or not rows or runflow_runs.made_before(rows[-1], posted.posted_at - _CLOCK_SKEW):
                return
        raise Later("SEARCH_UNFINISHED", "Runflow lists more runs than could be read in this turn", action=AGAIN)

    def poll(self, posted: Posted) -> Outcome:
        """Read the run. Its URLs are signed anew on each read.

        Raises:
            Later, Parked: it could not be read.
            ProviderFailed: Runflow knows no such run (RUN_NOT_FOUND).
        """
        if not posted.run_id:
            return self._poll_unnamed(posted)
        return _outcome(self._record(posted.run_id), posted)

    def _poll_unnamed(self, posted: Posted) -> Outcome:
        if posted.model == COLOR and posted.form == "flat":
            return Failed(
                "RESULT_NOT_KEPT",
                "the flat form's answer alone held the picture's URL, and it could not be brought home then",
                retryable=False,
                action="drop the photo again to run it anew, or set BackgroundColorForm to runs",
            )
        match self.find(posted):
            case Finished(outcome=outcome):
                return outcome
            case Accepted(facts=told):
                return Running("found", told)
            case _:
                raise Later("RUN_UNNAMED", "Runflow's run of this job has no name yet", action=AGAIN)

    def _record(self, run_id: str) -> Any:
        if not identity(run_id):
            raise _no_run(400)
        with self._session() as api:
            reply = api.send("GET", f"/v1/runs/{run_id}", seconds=ASK_SECONDS, most=MEDIA_BYTES)
        record = parse(reply.body) if reply.accepted else None
        if isinstance(record, dict) and identity(record, "id") in {run_id, ""}:
            return record
        if reply.status == 404:  # noqa: PLR2004 - RUN_NOT_FOUND
            raise _no_run(404)
        if reply.accepted:
            raise lost("Runflow", "unreadable", paid=False)
        raise refusal(RULES, reply, paid=False, hide=(self._key,))

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> Callback:
        """Read a callback: see `runflow_runs.read_callback`."""
        return runflow_runs.read_callback(body, headers, self._secrets)

    def check(self) -> str:
        """Prove the key with `GET /v1/auth/me`; the balance is told when it can be read."""
        with self._session() as api:
            reply = api.send("GET", "/v1/auth/me", seconds=ASK_SECONDS)
            if not reply.accepted:
                raise unasked(refusal(RULES, reply, paid=False, hide=(self._key,)))
            with suppress(BackdropError):
                balance = _balance(parse(api.send("GET", "/v1/billing/balance", seconds=ASK_SECONDS).body))
                if balance:
                    return f"Runflow takes the key; the balance is {balance}"
        return "Runflow takes the key"

    def _session(self) -> AbstractContextManager[Session]:
        return session("Runflow", self._base_url, {"Authorization": f"Bearer {self._key}"})


def _runs_input(request: Request) -> dict[str, Any]:
    if request.model == REPLACE:
        archive = request.source.archive()
        prompt = request.input.get("prompt")
        return {
            "zip_url": archive.url,
            "file_image": archive.file_image,
            "file_reference": archive.file_reference,
            **({"prompt": prompt} if prompt else {}),
        }
    return {"image_url": request.source.url(), **request.input}


def _outcome(record: Any, posted: Posted) -> Outcome:
    return runflow_runs.outcome(record, sync_mode=_in_sync(posted))


def _known(record: Any, posted: Posted) -> Accepted | Finished | None:
    return runflow_runs.known(record, sync_mode=_in_sync(posted))


def _in_sync(about: Request | Posted) -> bool:
    return about.input.get("sync_mode") is True


def _worth(found: Accepted | Finished) -> int:
    """Of several runs of one attempt the one to take: a success, else one that runs."""
    if isinstance(found, Accepted):
        return 1
    return 2 if isinstance(found.outcome, Succeeded) else 0


def _is_ours(record: Any, reference: str) -> bool:
    return reference != "" and reference in {text(record, "client_ref"), text(record, "metadata", METADATA_NAME)}


def _balance(value: Any) -> str:
    for found in facts(value, ("balance", "available", "balance_usd", "credits", "amount")).values():
        if isinstance(found, int | float) and not isinstance(found, bool):
            return f"{found:.2f}"
        if isinstance(found, str) and re.fullmatch(r"-?[0-9]{1,12}(?:\.[0-9]{1,12})?", found):
            return found
    return ""


def _no_runs_route(form: str, status: int) -> BackdropError:
    if form == "auto":
        message = f"Runflow has no runs route for this model ({status}); the flat form is next"
        return Later("USE_FLAT_FORM", message, retry_after=0, form="flat", action=AGAIN)
    return _no_route("/v1/models/…/runs", status)


def _no_route(route: str, status: int) -> ProviderFailed:
    return ProviderFailed("ROUTE_MISSING", f"Runflow does not know the route {route} ({status})", action=_ROUTE_ACTION)


def _no_run(status: int) -> ProviderFailed:
    return ProviderFailed(
        "RUN_NOT_FOUND",
        f"Runflow knows no such run ({status})",
        action="check that runflow_api_key is of the account that ran it; otherwise drop the photo again",
    )
