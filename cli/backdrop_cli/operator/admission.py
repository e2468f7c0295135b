"""How each provider's jobs are let in, and the day's spending, as the library's gates and budget have them.

Promises a reading that is good before the first job: no places taken, no breaker, nothing spent. Reads only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from backdrop import budget, gates, jobs
from backdrop_cli.operator.screen import stamp

if TYPE_CHECKING:
    from backdrop.world import World


@dataclass(frozen=True, slots=True)
class Admission:
    """A provider's gate; times in milliseconds, 0 for none. `breaker` says why nobody is let in; empty: closed."""

    provider: str
    taken: int
    places: int
    breaker: Mapping[str, Any]
    probe_at: int
    not_before: int

    @property
    def reason(self) -> str:
        """Why the breaker is open, in words."""
        return f"{self.breaker.get('code', '')}: {self.breaker.get('message', '')}"

    def as_dict(self) -> dict[str, Any]:
        """It for a script."""
        told = {name: self.breaker.get(name) for name in ("code", "message", "action")}
        breaker = {**told, "since": stamp(int(self.breaker.get("since") or 0)), "probe_at": stamp(self.probe_at)}
        return {
            "places": {"taken": self.taken, "of": self.places},
            "breaker": breaker if self.breaker else None,
            "not_before": stamp(self.not_before),
        }


@dataclass(frozen=True, slots=True)
class Spending:
    """What a UTC day's attempts cost, in dollars; `limit` is None when there is none, `extra` was allowed beyond it."""

    day: str
    spent: Decimal
    unpriced: int
    extra: Decimal
    limit: Decimal | None

    @property
    def reached(self) -> bool:
        """Whether nothing more may be spent today."""
        return self.limit is not None and self.spent >= self.limit + self.extra

    def as_dict(self) -> dict[str, Any]:
        """It for a script."""
        return {
            "day": self.day,
            "spent_usd": str(self.spent),
            "unpriced_attempts": self.unpriced,
            "budget_usd": None if self.limit is None else str(self.limit),
            "extra_usd": str(self.extra),
        }


def admission(world: "World", provider: str) -> Admission:
    """The provider's gate now."""
    gate = gates.read(world, provider)
    now = jobs.milliseconds(world)
    return Admission(
        provider=provider,
        taken=len(gate.places) if gate else 0,
        places=world.settings.at_a_time(provider),
        breaker=gate.breaker if gate else {},
        probe_at=gate.probe_at if gate and gate.breaker else 0,
        not_before=gate.not_before if gate and gate.paused(now) else 0,
    )


def spending(world: "World") -> Spending:
    """Today's."""
    day = budget.day_of(world)
    item = budget.of_day(world, day)
    limit = world.settings.daily_budget
    return Spending(
        day, _usd(item["spent"]), int(item["unpriced"]), _usd(item["extra"]), _usd(limit) if limit else None
    )


def _usd(micro: int) -> Decimal:
    return (Decimal(micro) / budget.MICRO).quantize(Decimal("0.000001")).normalize() + Decimal("0.00")
