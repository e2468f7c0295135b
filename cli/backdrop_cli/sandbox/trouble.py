"""The switches for trouble: what can be made to go wrong, how often, and for whom.

Promises that everything is off by default and that a given seed and order of requests always gives the same trouble.
A switch is written as `true` (always), a whole number (the next N that match), a fraction (a probability), an object
(`{"times": 2, "skip": 1, "provider": "runflow", "route": "submit", ...}`) or a list of these; the first that fires
counts. Refuses unknown names and values out of range, so a misspelt switch never goes unnoticed.

Modes stand beside the switches: where the providers' pages disagree or are silent, a mode chooses.
"""

import random
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

type Kind = Literal["submit", "upload", "status", "public-url", "account", "result"]
"""What a route is for; `submit` is a paid POST, `result` the download of a picture."""

API_KINDS = frozenset({"submit", "upload", "status", "public-url", "account"})


class Switch(BaseModel):
    """When and for whom; neither `times` nor `chance` means always. `skip` lets the first matches pass."""

    model_config = ConfigDict(extra="forbid")
    applies_to: ClassVar[frozenset[str]] = API_KINDS

    times: int | None = Field(default=None, ge=0, le=1_000_000)
    chance: float | None = Field(default=None, ge=0, le=1)
    skip: int = Field(default=0, ge=0, le=1_000_000)
    provider: Literal["", "runflow", "backgroundcut", "imagepipeline"] = ""
    route: Kind | Literal[""] = ""
    model: str = ""
    _seen: int = PrivateAttr(0)
    _fired: int = PrivateAttr(0)

    @model_validator(mode="after")
    def _one_way_of_counting(self) -> "Switch":
        if self.times is not None and self.chance is not None:
            msg = "give times or chance, not both"
            raise ValueError(msg)
        return self

    def matches(self, provider: str, kind: str, model: str) -> bool:
        """Whether the switch is meant for this request or run."""
        routes = {self.route} if self.route else self.applies_to
        return self.provider in {"", provider} and kind in routes and self.model in {"", model}

    def decide(self, dice: random.Random) -> bool:
        """Count one match; whether the trouble happens to it."""
        self._seen += 1
        if self._seen <= self.skip:
            return False
        if self.times is not None:
            happens = self._fired < self.times
        else:
            happens = self.chance is None or dice.random() < self.chance
        self._fired += happens
        return happens

    @property
    def fired(self) -> int:
        """How often it has happened."""
        return self._fired


class Paid(Switch):
    """Concerns paid POSTs unless a route is named."""

    applies_to = frozenset({"submit"})


class Download(Switch):
    """Concerns the download of results."""

    applies_to = frozenset({"result"})


class Regional(Switch):
    """The call reaches another region, where the file is not (backgroundcut.md section 0).

    With `stays` the caller is routed there from now on, as after a DNS change; without, only this once.
    """

    applies_to = frozenset({"submit", "public-url"})
    stays: bool = False


class Latency(Switch):
    """Waits `ms` before the request is looked at, or with `after` before its answer is sent."""

    ms: int = Field(default=500, ge=0, le=600_000)
    after: bool = False


class RateLimited(Switch):
    """429. `retry_after` in seconds (null: no header), as an HTTP date with `http_date`.

    BackgroundCut documents no Retry-After, so its header is sent only when `retry_after` is given.
    """

    retry_after: float | None = Field(default=1.0, ge=0, le=86_400)
    http_date: bool = False


class ServerError(Switch):
    """A 5xx before anything was accepted."""

    status: int = Field(default=500, ge=500, le=599)


class ServerErrorAfter(Paid):
    """A 5xx in place of the answer to something that was accepted."""

    status: int = Field(default=500, ge=500, le=599)


class MissingRoute(Paid):
    """404 or 405 on Runflow's `/v1/models/…/runs` route, so that only the flat form is left."""

    status: Literal[404, 405] = 404


class Forbidden(Switch):
    """403; `code` is Runflow's (runflow.md section 6)."""

    code: str = "PERMISSION_DENIED"


class ExpiredResult(Download):
    """The result URL is refused, as an expired or vanished one is."""

    status: Literal[403, 404, 410] = 403


class SlowResult(Download):
    """The picture arrives at `bytes_per_second`."""

    bytes_per_second: int = Field(default=10_000, ge=1)


class RedirectedResult(Download):
    """The result URL answers 302 to `to`."""

    to: str = "http://169.254.169.254/latest/meta-data/"


class RunFails(Paid):
    """The run is accepted and fails. `retryable` chooses the default code and is told where a provider tells it."""

    code: str = ""
    message: str = "The model failed to produce a result."
    stage: str = "execution"
    retryable: bool = True


class SlowRun(Paid):
    """The run takes `ms` longer."""

    ms: int = Field(default=1000, ge=0, le=3_600_000)


class LateCallback(Paid):
    """The callback leaves `seconds` late."""

    seconds: float = Field(default=5.0, ge=0, le=86_400)


class DuplicatedCallback(Paid):
    """The callback is sent `copies` times more."""

    copies: int = Field(default=1, ge=1, le=10)


class ReorderedCallback(Paid):
    """The callback is held back until another has been sent, at most `seconds`."""

    seconds: float = Field(default=3.0, ge=0, le=600)


def _as_list(value: Any) -> Any:
    if value is None or value is False:
        return []
    given = value if isinstance(value, list) else [value]
    return [_as_object(one) for one in given]


def _as_object(value: Any) -> Any:
    if value is True:
        return {}
    if isinstance(value, int):
        return {"times": value}
    if isinstance(value, float):
        return {"chance": value}
    return value


type Many[S] = Annotated[list[S], BeforeValidator(_as_list)]


class Trouble(BaseModel):
    """Everything that can be switched. An absent name is off, or the mode's default."""

    model_config = ConfigDict(extra="forbid")

    seed: int = 0

    latency: Many[Latency] = []
    rate_limited: Many[RateLimited] = []
    server_error_before: Many[ServerError] = []
    server_error_after: Many[ServerErrorAfter] = []
    dropped_before: Many[Switch] = []
    dropped_after: Many[Paid] = []
    unavailable: Many[Switch] = []
    refused_key: Many[Switch] = []
    forbidden: Many[Forbidden] = []
    no_credits: Many[Paid] = []
    runs_route_missing: Many[MissingRoute] = []
    regional_404: Many[Regional] = []

    run_fails: Many[RunFails] = []
    run_cancelled: Many[Paid] = []
    run_partial: Many[Paid] = []
    run_stuck: Many[Paid] = []
    slow_run: Many[SlowRun] = []

    callback_lost: Many[Paid] = []
    callback_late: Many[LateCallback] = []
    callback_duplicated: Many[DuplicatedCallback] = []
    callback_reordered: Many[ReorderedCallback] = []
    callback_forged: Many[Paid] = []
    callback_unsigned: Many[Paid] = []
    callback_reserialised: Many[Paid] = []

    expired_result: Many[ExpiredResult] = []
    slow_result: Many[SlowResult] = []
    truncated_result: Many[Download] = []
    html_result: Many[Download] = []
    redirected_result: Many[RedirectedResult] = []

    honour_idempotency_key: bool = False
    callback_retries_any_failure: bool = False
    failed_output: Literal["null", "envelope"] = "null"
    run_cancelled_spelling: Literal["canceled", "cancelled"] = "canceled"
    callback_cancelled_spelling: Literal["canceled", "cancelled"] = "cancelled"
    sync_media: Literal["both", "reply", "callback", "neither"] = "both"
    sync_wait_seconds: float = Field(default=8.0, ge=0, le=60)
    flat_needs_file_input: bool = False
    result_base64_below: int = Field(default=0, ge=0, le=4_000_000)
    result_url_only_with_recolor: bool = False
    queued_status_code: Literal[200, 202] = 200
    runflow_runs_at_a_time: int = Field(default=8, ge=1, le=10_000)
    imagepipeline_jobs_at_a_time: int = Field(default=0, ge=0, le=10_000)
    runflow_url_seconds: int = Field(default=3600, ge=1)
    backgroundcut_url_seconds: int = Field(default=900, ge=1)
    imagepipeline_url_seconds: int = Field(default=86_400, ge=1)
    requests_per_minute: int = Field(default=100_000, ge=1)


class Switchboard:
    """The trouble in force. Used from the server's event loop only."""

    def __init__(self) -> None:
        self.trouble = Trouble()
        self._dice = random.Random(0)  # noqa: S311 - trouble must be repeatable, not unguessable

    def put(self, trouble: Trouble) -> None:
        """Replace what is in force; counters and dice begin anew."""
        self.trouble = trouble
        self._dice = random.Random(trouble.seed)  # noqa: S311 - as above

    def fires[S: Switch](self, switches: Sequence[S], provider: str, kind: str, model: str = "") -> S | None:
        """The first of `switches` that happens to this request or run, counted; None when none does."""
        for switch in switches:
            if switch.matches(provider, kind, model) and switch.decide(self._dice):
                return switch
        return None

    def told(self) -> dict[str, Any]:
        """What is in force as JSON: every mode, each switch that is on, and under `fired` how often each happened."""
        fired: dict[str, int] = {}
        shown: dict[str, Any] = {}
        for name in Trouble.model_fields:
            value = getattr(self.trouble, name)
            if not isinstance(value, list):
                shown[name] = value
            elif value:
                shown[name] = [one.model_dump(exclude_defaults=True) for one in value]
                fired[name] = sum(one.fired for one in value)
        return {**shown, "fired": fired}
