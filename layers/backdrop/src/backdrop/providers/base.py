"""What a provider is asked and what it answers.

A provider is a small class of its own file that knows HTTP and one API, and no AWS. It promises to raise only the
errors of `backdrop.errors` (Later, Parked, Unknown, ProviderFailed) and to keep, of any reply, only fields it names.
A new provider is one file and one line in `providers.registry`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol


class Archive(NamedTuple):
    """A zip staged for the provider: where it lies and what its members are called."""

    url: str
    file_image: str
    file_reference: str = ""


class Source(Protocol):
    """The photo, in whichever shape the provider takes it. Each call makes it, so only what is needed is made."""

    @property
    def filename(self) -> str:
        """A plain ASCII name with the photo's extension."""

    @property
    def content_type(self) -> str:
        """The photo's media type, by its bytes."""

    @property
    def digest(self) -> str:
        """Names the bytes: the same photo gives the same digest (hex)."""

    def url(self) -> str:
        """A presigned GET URL of the photo, fresh."""

    def archive(self) -> Archive:
        """A staged zip of the photo and, when the spec names one, the reference."""

    def read(self) -> bytes:
        """The photo's bytes (at most 12 MB for the one provider that takes bytes: checked before)."""

    def recall(self, name: str) -> str:
        """What was remembered under `name` for these bytes, or empty when it is not known or too old."""

    def remember(self, name: str, value: str, seconds: int) -> None:
        """Keep a short text under `name` for these bytes, for `seconds`."""


class Request(NamedTuple):
    """One job, once. A repost of the same attempt carries the same `reference`."""

    model: str
    form: str  # runflow/background-color: "runs" or "flat"; empty elsewhere
    input: Mapping[str, Any]  # the spec's input with every default filled in
    source: Source
    callback_url: str
    metadata: Mapping[str, Any]
    reference: str  # "<job id>-<attempt>": client_ref, Idempotency-Key, stem of the output keys


class Posted(NamedTuple):
    """What is known of a job that was, or may have been, posted; enough to ask the provider about it."""

    model: str
    form: str
    input: Mapping[str, Any]
    reference: str
    run_id: str = ""  # empty when the reply was lost
    posted_at: float = 0.0  # unix seconds


@dataclass(frozen=True, slots=True)
class Output:
    """One picture to bring home. `url` may be presigned or a data URI: never stored, never logged."""

    url: str = field(repr=False)
    format: str = ""  # "png", "jpeg", "webp" as asked for or told; empty when nobody said


class Running(NamedTuple):
    """Not finished. `status` is the provider's own word."""

    status: str
    facts: Mapping[str, Any] = {}


class Succeeded(NamedTuple):
    """Finished well; outputs in their documented order, at least one."""

    outputs: tuple[Output, ...]
    facts: Mapping[str, Any] = {}


class Failed(NamedTuple):
    """Finished badly. `retryable`: a new attempt (a new charge) may succeed."""

    code: str
    message: str
    retryable: bool
    action: str = ""
    facts: Mapping[str, Any] = {}


type Outcome = Running | Succeeded | Failed


class Accepted(NamedTuple):
    """The provider took the job and will finish it later."""

    run_id: str
    facts: Mapping[str, Any] = {}


class Finished(NamedTuple):
    """The provider answered at once."""

    outcome: Succeeded | Failed
    run_id: str = ""


class Callback(NamedTuple):
    """What a callback says. `trusted`: signed, so its outcome may be acted on; otherwise it is a hint to poll."""

    run_id: str
    outcome: Outcome
    trusted: bool
    request_id: str = ""  # Runflow-Request-Id, for the log


class Provider(Protocol):
    """One paid API. Every method may raise Later, Parked, Unknown or ProviderFailed, and nothing else."""

    name: str

    def blocks(self, model: str, form: str) -> bool:
        """Whether `submit` waits for the picture (so it belongs to `reconcile`, not to `submit`)."""

    def submit_seconds(self, model: str, form: str) -> float:
        """The longest `submit` may take, uploads included, in seconds."""

    def submit(self, request: Request) -> Accepted | Finished:
        """Make the one paid POST, on a fresh connection.

        Raises:
            Later: known not to have been accepted.
            Parked: no credits or a refused key; not accepted.
            Unknown: may have been accepted.
            ProviderFailed: a documented no.
        """

    def find(self, posted: Posted) -> Accepted | Finished | None:
        """After Unknown: what the provider knows of this attempt; None when it has no trace or cannot be asked."""

    def poll(self, posted: Posted) -> Outcome:
        """Ask how a known run stands. Outputs carry fresh URLs.

        Raises:
            Later: could not be asked just now.
        """

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> Callback:
        """Read a callback's raw bytes; header names in lower case.

        Raises:
            Forged: a signature is required and this one is missing or wrong.
            Malformed: not a callback of this provider.
        """

    def check(self) -> str:
        """A free call that proves the key: a sentence about the account.

        Raises:
            Parked: the key is refused.
            Later: could not be asked.
        """


class Forged(Exception):
    """A callback whose signature is missing or wrong."""


class Malformed(Exception):
    """A body that is not this provider's callback. The message says why, without quoting it."""
