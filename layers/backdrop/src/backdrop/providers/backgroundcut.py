"""BackgroundCut v3: backgroundcut/remove-bg, cut out in any number of variants, by api.backgroundcut.co.

Promises upload, process and minting over one session (a file lives on the server that took it), one new upload when
that server no longer has it, and output keys that only this attempt uses, so that after a lost reply its pictures can
be asked for. Refuses to start `process` when there is less time than it may take. There are no callbacks.
Sources: backgroundcut.co/api/docs/v3 and its examples.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from backdrop.errors import BackdropError, Later, Parked, ProviderFailed
from backdrop.providers.base import Accepted, Finished, Malformed, Output, Running, Succeeded
from backdrop.providers.http import Session, lost, session
from backdrop.providers.replies import AGAIN, Rule, at, link, parse, refusal, unasked, usual

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from backdrop.providers.base import Callback, Outcome, Posted, Request, Source

UPLOAD_SECONDS = 60.0
PROCESS_SECONDS = 300.0
MINT_SECONDS = 10.0
MINTING_SECONDS = 20.0  # for all the variants together, at least
CONNECT_SECONDS = 5.0
KEEP_SECONDS = 6600  # an upload is deleted after two hours; ten minutes are left for what is done with it
MEMO = "backgroundcut"

_MINT_TRIES = 2
_GONE = 404
_EXTENSIONS = {"jpeg": "jpg"}
_ROUTES = {"upload": "/v3/file-ops/upload/", "process": "/v3/tools/ai/remove-bg/process/"}
_MINT = "/v3/file-ops/get-public-url/"

UPLOAD_RULES = usual("BackgroundCut", "backgroundcut_api_key")
RULES: tuple[Rule, ...] = (
    Rule(
        {_GONE},
        "later",
        "UPLOAD_GONE",
        "BackgroundCut has lost the uploaded photo (it keeps one for two hours, in one region only)",
        "nothing to do: Backdrop uploads it again",
        everyone=False,
    ),
    *UPLOAD_RULES,
)


class BackgroundCut:
    """BackgroundCut's client. `clock` counts seconds and never goes back."""

    name = "backgroundcut"

    def __init__(self, *, base_url: str, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._base_url = base_url
        self._key = key
        self._clock = clock

    def blocks(self, model: str, form: str) -> bool:
        """Always: the process call answers when the pictures are made."""
        del model, form
        return True

    def submit_seconds(self, model: str, form: str) -> float:
        """385: connecting, 60 for an upload, 300 for process, 20 for minting the URLs."""
        del model, form
        return CONNECT_SECONDS + UPLOAD_SECONDS + PROCESS_SECONDS + MINTING_SECONDS

    def submit(self, request: Request) -> Accepted | Finished:
        """Upload unless these bytes lie there already, process, and mint a URL for each variant, in their order."""
        until = self._clock() + self.submit_seconds(request.model, request.form)
        wanted = output_keys(request.input, request.reference)
        with self._session() as api:
            key = request.source.recall(MEMO)
            if not key:
                key = self._upload(api, request.source)
            told = self._process(api, request, key, wanted, until)
            if told is None:  # the file is not where we were routed to: not accepted, so nothing is charged
                key = self._upload(api, request.source)
                told = self._process(api, request, key, wanted, until)
            if told is None:
                raise Later("UPLOAD_GONE", RULES[0].message, action=RULES[0].action)
            return self._deliver(api, request, told, until)

    def _upload(self, api: Session, source: Source) -> str:
        """Upload the photo under a key of its own bytes. Nothing is charged for it, so a lost reply is Later."""
        extension = source.filename.rpartition(".")[2]
        key = f"backdrop/{source.digest}.{extension}"
        reply = api.send(
            "POST",
            _ROUTES["upload"],
            seconds=UPLOAD_SECONDS,
            files={"file": (source.filename, source.read(), source.content_type)},
            form={"key": key},
        )
        if not reply.accepted:
            raise refusal(UPLOAD_RULES, reply, paid=False, hide=(self._key,))
        if at(parse(reply.body), "success") is False:
            raise Later(
                "UPLOAD_REFUSED", "BackgroundCut did not keep the uploaded photo, and gave no reason", action=AGAIN
            )
        source.remember(MEMO, key, KEEP_SECONDS)
        return key

    def _process(
        self, api: Session, request: Request, key: str, wanted: Sequence[str], until: float
    ) -> tuple[str, ...] | None:
        """The paid POST: the keys of the outputs, or None when the input is not there (404)."""
        if self._clock() + PROCESS_SECONDS + MINTING_SECONDS > until:
            raise Later(
                "NO_TIME", "uploading to BackgroundCut took too long to start the work in this turn", action=AGAIN
            )
        variants = zip(request.input["output_variants"], wanted, strict=True)
        body = {"input_key": key, "output_variants": [_variant(given, name) for given, name in variants]}
        reply = api.send("POST", _ROUTES["process"], paid=True, body=body, seconds=PROCESS_SECONDS)
        if reply.accepted:
            return _told_keys(parse(reply.body), wanted)
        if reply.status == _GONE:
            return None
        raise refusal(RULES, reply, paid=True, hide=(self._key,))

    def _deliver(self, api: Session, request: Request, names: tuple[str, ...], until: float) -> Accepted | Finished:
        """Mint the URLs of what was just paid for; if that fails it is accepted all the same, and asked for by poll."""
        found = None
        with suppress(Later, Parked, ProviderFailed):
            found = self._mint_all(api, request.input, names, until)
        return Finished(Succeeded(found)) if found else Accepted(request.reference)

    def _mint_all(
        self, api: Session, fields: Mapping[str, Any], names: Sequence[str], until: float
    ) -> tuple[Output, ...] | None:
        """A fresh URL for each output, in order; None when one of them is not there."""
        outputs = []
        for variant, name in zip(fields["output_variants"], names, strict=True):
            url = self._mint(api, name, until)
            if not url:
                return None
            outputs.append(Output(url, str(variant.get("format") or "png")))
        return tuple(outputs)

    def _mint(self, api: Session, key: str, until: float) -> str:
        """A presigned URL, or empty when the file is not there. A lost reply is asked for once more.

        Raises:
            Later, Parked, ProviderFailed: it could not be asked.
        """
        error: BackdropError = Later(
            "NO_TIME", "there was no time left to ask BackgroundCut for its URLs", action=AGAIN
        )
        for _ in range(_MINT_TRIES):
            left = until - self._clock()
            if left <= 0:
                break
            try:
                reply = api.send("POST", _MINT, body={"key": key}, seconds=min(MINT_SECONDS, left))
            except Later as again:
                error = again
                continue
            url = link(parse(reply.body), "url") if reply.accepted else ""
            if url:
                return url
            if reply.status == _GONE:
                return ""
            error = lost("BackgroundCut", "unreadable", paid=False)
            if not reply.accepted:
                error = refusal(RULES, reply, paid=False, hide=(self._key,))
                if not isinstance(error, Later) or reply.status == 429:  # noqa: PLR2004 - asking at once makes it worse
                    break
        raise error

    def find(self, posted: Posted) -> Accepted | Finished | None:
        """Ask for the attempt's own output keys: all there is a success, one missing means no trace.

        Raises:
            Later, Parked: it could not be asked.
        """
        until = self._clock() + MINTING_SECONDS
        try:
            with self._session() as api:
                found = self._mint_all(api, posted.input, output_keys(posted.input, posted.reference), until)
        except ProviderFailed:
            return None
        return Finished(Succeeded(found)) if found else None

    def poll(self, posted: Posted) -> Outcome:
        """Mint the URLs again; Running while a file is not there, since another region may have it."""
        found = self.find(posted)
        return found.outcome if isinstance(found, Finished) else Running("not_there")

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> Callback:
        """BackgroundCut sends none."""
        del body, headers
        raise Malformed("BackgroundCut sends no callbacks")

    def check(self) -> str:
        """Ask for a file that cannot exist: 404 proves the key. No page names a free call about the account."""
        with self._session() as api:
            reply = api.send("POST", _MINT, body={"key": "backdrop/no-such-file"}, seconds=MINT_SECONDS)
        if reply.accepted or reply.status == _GONE:
            return "BackgroundCut takes the key (it tells no balance)"
        raise unasked(refusal(RULES, reply, paid=False, hide=(self._key,)))

    def _session(self) -> AbstractContextManager[Session]:
        return session("BackgroundCut", self._base_url, {"Authorization": f"Token {self._key}"})


def output_keys(fields: Mapping[str, Any], reference: str) -> list[str]:
    """Where the variants of one attempt are stored: `backdrop/<reference>/<n>.<ext>`, n from 1."""
    formats = [str(variant.get("format") or "png") for variant in fields["output_variants"]]
    return [f"backdrop/{reference}/{n}.{_EXTENSIONS.get(name, name)}" for n, name in enumerate(formats, 1)]


def _variant(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"output_key": name, **{field: value for field, value in given.items() if value is not None}}


def _told_keys(value: Any, wanted: Sequence[str]) -> tuple[str, ...]:
    """The outputs' keys in the variants' order: ours, each naming its variant, unless the reply names wholly others."""
    told = at(value, "output_keys")
    named = [key for key in told if isinstance(key, str) and key] if isinstance(told, list) else []
    if len(named) == len(wanted) == len(set(named)) and not set(named) & set(wanted):
        return tuple(named)
    return tuple(wanted)
