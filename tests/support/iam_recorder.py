"""Every AWS call that a function makes, as IAM sees it, overheard from botocore's own events.

Promises each call of an invocation with the function that made it, what IAM asks for it, the line of the library it
came from, and how it was answered; and each presigned URL as the call that whoever holds it makes in the function's
name. Refuses to leave out an operation it does not understand: it is kept as what it is. Calls of the harness itself
pass other clients.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import iam_actions
from bench import ROOT
from faults_invocation import Invocation
from faults_wire import CURRENT

from backdrop.lean import Session
from backdrop.world import Clients

if TYPE_CHECKING:
    from backdrop_cli.parts import Place

LIBRARY = ROOT / "layers" / "backdrop" / "src" / "backdrop"
CLIENTS = ("s3", "dynamodb", "dynamodb_once", "sqs", "secrets")
_OVERHEARD = "overheard"


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """What a function asked for. `site` is `file:line` in the library; `status` the reply's, 0 while there is none."""

    function: str
    action: str
    resource: str
    site: str
    presigned: bool = False
    status: int = 0


@dataclass
class Recorder:
    """Clients for the functions, and what passed them. Made once the environment leads to the servers."""

    place: Place
    calls: set[Call] = field(default_factory=set)

    def __post_init__(self) -> None:
        session = Session()
        events: Any = session.core  # whose handlers' type is wider than ours
        events.register("before-parameter-build", self._hear)
        events.register("after-call", self._answered)
        self._clients = Clients()
        self._clients.__dict__["_session"] = session
        for name in CLIENTS:
            getattr(self._clients, name)

    def environment(self) -> Clients:
        """The clients of a fresh environment: it has read no secret yet."""
        fresh = Clients()
        fresh.__dict__.update({name: getattr(self._clients, name) for name in CLIENTS})
        return fresh

    def _hear(self, *, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        invocation = CURRENT.get()
        assert isinstance(invocation, Invocation), f"{model.name} outside of an invocation"
        service = model.service_model.service_name
        try:
            asked = iam_actions.asked(service, model.name, params, self.place)
        except iam_actions.Unmapped as unknown:
            asked = ((str(unknown), "whatever it is about, unknown to iam_actions.py,"),)
        presigned, site = bool(context.get("is_presign_request")), _site()
        heard = [Call(invocation.function, action, resource, site, presigned) for action, resource in asked]
        self.calls.update(heard)
        context[_OVERHEARD] = heard

    def _answered(self, *, http_response: Any, context: dict[str, Any], **_: Any) -> None:
        for one in context.get(_OVERHEARD, ()):
            told = Call(one.function, one.action, one.resource, one.site, status=http_response.status_code)
            self.calls.add(told)


def _site() -> str:
    """Where in the library the call stands."""
    for frame, line in traceback.walk_stack(None):
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(LIBRARY):
            return f"{file.relative_to(LIBRARY)}:{line}"
    return "?"
