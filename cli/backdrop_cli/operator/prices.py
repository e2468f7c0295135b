"""What something will cost at list prices, and what may have been paid already.

Promises to say for how many jobs no price is known; refuses to guess one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from backdrop import catalogue
from backdrop_cli.operator.screen import counted

if TYPE_CHECKING:
    from backdrop.world import World

# A job that FAILED for one of these was, or may have been, accepted and charged: another attempt may pay twice.
_PERHAPS_PAID = frozenset({"OUTCOME_UNKNOWN", "DEADLINE_PASSED", "SYNC_MEDIA_GONE", "RUN_NOT_FOUND"})


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars for `priced` jobs, and `unpriced` ones of which nobody publishes a price."""

    dollars: Decimal
    priced: int
    unpriced: int

    def sentence(self) -> str:
        """It in words."""
        known = f"${self.dollars} at list prices" + (f" for {counted(self.priced, 'job')}" if self.unpriced else "")
        unknown = f"{counted(self.unpriced, 'job')} whose price is not published in dollars"
        if not self.unpriced:
            return known
        return f"{known}, and {unknown}" if self.priced else f"unknown: {unknown}"

    def as_dict(self) -> dict[str, Any]:
        """It for a script."""
        return {"usd": str(self.dollars), "priced_jobs": self.priced, "unpriced_jobs": self.unpriced}


def price(world: "World", model: str, wanted: Mapping[str, Any]) -> Decimal | None:
    """What one attempt costs in US dollars; None when no price is known."""
    return catalogue.price(model, wanted, world.settings.prices) if model in catalogue.MODELS else None


def cost(world: "World", wanted: Iterable[tuple[str, Mapping[str, Any]]]) -> Cost:
    """The cost of one attempt of each model with its input."""
    prices = [price(world, model, told) for model, told in wanted]
    known = [one for one in prices if one is not None]
    return Cost(sum(known, Decimal(0)), len(known), len(prices) - len(known))


def perhaps_paid(code: str, reposts: int = 0) -> bool:
    """Whether a job that FAILED with this code, after so many reposts of a request, may have been paid for."""
    return reposts > 0 or code in _PERHAPS_PAID or code.startswith("RESULT_")
