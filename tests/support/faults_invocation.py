"""One invocation of a function, with the fault that may strike one of its calls.

Promises what Lambda promises: an invocation whose time is over is killed, and a killed one does nothing more, in
`finally` blocks neither. The functions' own handlers run; the one thing that is handed to them is the World of their
environment (`world.deployed`, where the deployed one is made), because its clock is the virtual one.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from bench import load_function
from faults_wire import CURRENT, Call, Fault, Killed, Seam

from backdrop import world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from faults_life import Life

    from backdrop_cli.parts import Function

CALL_SECONDS = 0.01  # that a call takes
FUNCTIONS = {"SubmitFunction": "submit", "ReconcileFunction": "reconcile", "WebhookFunction": "webhook"}


@dataclass(frozen=True, slots=True)
class Plan:
    """Which call of the life goes wrong, and how."""

    at: int
    fault: Fault


@dataclass
class Counts:
    """Metrics as they were counted; `log` keeps every line that was logged, with the virtual second."""

    clock: Callable[[], float]
    values: dict[str, float] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def __call__(self, name: str, value: float = 1, **_: str) -> None:
        """Count."""
        self.values[name] = self.values.get(name, 0) + value

    def _keep(self, msg: object, **fields: Any) -> None:
        self.log.append(f"{self.clock():.2f} {msg} {fields}")

    debug = info = warning = error = _keep


@dataclass
class Environment:
    """An execution environment of one function."""

    function: Function
    world: world.World


class Invocation:
    """One invocation: the gate through which its calls go, and Lambda's context."""

    def __init__(self, life: Life, environment: Environment, event: Any) -> None:
        self.life = life
        self.environment = environment
        self.event = event
        self.function = FUNCTIONS[environment.function.logical_id]
        self.function_name = environment.function.name
        self.memory_limit_in_mb = environment.function.memory
        self.invoked_function_arn = environment.function.arn
        self.aws_request_id = "harness"
        self.deadline = life.ground.clock() + environment.function.timeout
        self.dead = False
        self.calls: list[Call] = []
        self.refused = ("", Fault.OUTAGE)  # botocore's tries of one call that all go wrong

    def get_remaining_time_in_millis(self) -> int:
        """As Lambda's context has it."""
        return max(0, int((self.deadline - self.life.ground.clock()) * 1000))

    def die(self) -> None:
        """Be killed."""
        self.dead = True
        raise Killed

    def passing[R](self, call: Call, send: Callable[[], R], seam: Seam[R]) -> R:
        """See `faults_wire.Gate`."""
        clock = self.life.ground.clock
        if self.dead or clock() >= self.deadline:
            self.die()
        self.calls.append(call)
        index = self.life.write(call)
        clock.move(CALL_SECONDS)
        plan = self.life.plan
        if call.group and call.group == self.refused[0]:
            return self._strike(self.refused[1], call, send, seam)
        if plan is None or index != plan.at:
            return self._send(call, send)
        self.life.struck = call
        return self._strike(plan.fault, call, send, seam)

    def _send[R](self, call: Call, send: Callable[[], R]) -> R:
        self.life.paid |= call.paid
        return send()

    def _strike[R](self, fault: Fault, call: Call, send: Callable[[], R], seam: Seam[R]) -> R:
        clock = self.life.ground.clock
        aws = bool(call.group)
        if fault in {Fault.KILLED_AFTER, Fault.TIMEOUT_AFTER, Fault.ERROR_AFTER}:
            seam.finish(self._send(call, send))
        match fault:
            case Fault.KILLED_BEFORE | Fault.KILLED_AFTER:
                self.die()
            case Fault.THROTTLED:
                return seam.throttled()
            case Fault.ERROR_BEFORE:
                return seam.broken()
            case Fault.ERROR_AFTER | Fault.OUTAGE if aws:
                self.refused = (call.group, fault)
                return seam.broken()
            case Fault.ERROR_AFTER:
                return seam.broken()
            case Fault.OUTAGE:
                clock.move(5.0)
                seam.unreached()
            case Fault.TIMEOUT_BEFORE | Fault.TIMEOUT_AFTER:
                clock.move(seam.timeout)
                seam.timed_out()
            case Fault.OVERTAKEN | Fault.PAUSED:
                self.life.overtake(self, pause=fault is Fault.PAUSED)
        return self._send(call, send)


def _load(name: str) -> ModuleType:
    return load_function(name, "faults_function")


def handler_of(name: str) -> Callable[[Any, Any], Any]:
    """A function's handler; its module is loaded once."""
    handler: Callable[[Any, Any], Any] = _load(name).handler
    return handler


def _world_of_the_environment() -> world.World:
    invocation = CURRENT.get()
    assert isinstance(invocation, Invocation)
    return invocation.environment.world


@contextmanager
def deployed() -> Iterator[None]:
    """While inside, a handler's World is that of its environment in the harness: its clock is the virtual one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in FUNCTIONS.values():
            module = _load(name)
            if hasattr(module, "deployed"):
                patch.setattr(module, "deployed", _world_of_the_environment)
        patch.setattr(world, "deployed", _world_of_the_environment)
        yield
