"""Where drops are played: the fault harness's servers, a meter on the wire, and the functions' own log and metrics.

Promises that only what an invocation sends is metered, and moves the virtual clock by what it would take; and that a
photo's pixels are drawn once: the provider's work is not what is measured.
"""

from __future__ import annotations

import io
import json
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cost_waits
import pytest
import scale_moto
from bench import load_function
from faults_ground import Door, standing
from metering import Metered, metered

from backdrop import telemetry, world
from backdrop_cli.sandbox import state, work

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from faults_ground import Ground
    from metering import Meter

REFUSED = 300  # statuses from here on
FUNCTIONS = {"SubmitFunction": "submit", "ReconcileFunction": "reconcile", "WebhookFunction": "webhook"}


class Letters(Door):
    """A door that says how many have come."""

    def come(self, life: str) -> int:
        """How many callbacks of a life have come."""
        return len(self._letters.get(life, ()))


class Tally(io.TextIOBase):
    """A stream that only counts: bytes and lines."""

    def __init__(self) -> None:
        self.bytes = self.lines = 0

    def write(self, text: str) -> int:
        """Count."""
        self.bytes += len(text.encode())
        self.lines += text.count("\n")
        return len(text)


@dataclass
class Stand:
    """The servers, the meter, and what the invocation of the moment has sent."""

    ground: Ground
    letters: Letters
    tally: Tally
    calls: list[Metered] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)  # when paid POSTs of this play were answered
    meter: Meter | None = None
    inside: bool = False
    world: world.World | None = None


@contextmanager
def stand() -> Iterator[Stand]:
    """A stand for plays, with moto's server and the sandbox."""
    with ExitStack() as closing:
        closing.enter_context(scale_moto.quicker())
        ground = closing.enter_context(standing())
        letters, tally = Letters(), Tally()
        closing.callback(letters.close)
        here = Stand(ground, letters, tally)

        def tell(call: Metered) -> None:
            here.calls.append(call)
            ground.clock.move(cost_waits.seconds(call))
            if call.verb == "submit" and call.status < REFUSED:
                here.accepted.append(ground.clock())

        here.meter = closing.enter_context(metered(ground.template, lambda: here.inside, tell))
        patch = closing.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(state, "draw", _drawn_once(work.draw))
        patch.setenv("POWERTOOLS_LOG_LEVEL", "INFO")
        telemetry.logger.cache_clear()
        closing.callback(telemetry.logger.cache_clear)
        with redirect_stdout(tally):
            telemetry.logger()

        def deployed() -> world.World:
            assert here.world is not None
            return here.world

        for name in FUNCTIONS.values():
            module = load_function(name, "bench_play")
            if hasattr(module, "deployed"):
                patch.setattr(module, "deployed", deployed)
        patch.setattr(world, "deployed", deployed)
        yield here


def _drawn_once(draw: Any) -> Any:
    """Like `draw`, but for the same photo and fields the same drawing."""

    @lru_cache(maxsize=64)
    def kept(model: str, photo: bytes, fields: str, reference: bytes) -> Any:
        return draw(model, photo, json.loads(fields), reference)

    def drawn(model: str, photo: bytes, fields: Mapping[str, Any], reference: bytes = b"") -> Any:
        return kept(model, photo, json.dumps(dict(fields), sort_keys=True, default=str), reference)

    return drawn
