"""What an operator can set, read once from the environment that the template gives each function.

Promises typed values with the template's names; refuses a missing or malformed variable with its name. Pure: the
environment is handed in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """Names of the stack's resources and the operator's parameters. Seconds, bytes and pixels as plain numbers."""

    job_table: str
    input_bucket: str
    output_bucket: str
    staging_bucket: str
    work_queue_url: str
    provider_secret: str
    callback_secret: str
    callback_base_url: str = ""
    runflow_base_url: str = "https://api.runflow.io"
    backgroundcut_base_url: str = "https://api.backgroundcut.co"
    imagepipeline_base_url: str = "https://api.imagepipeline.io"
    background_color_form: str = "auto"  # auto | runs | flat
    flat_input: str = "zip"  # zip | image: what the flat form's image_url points to
    presign_seconds: int = 3600
    result_max_bytes: int = 500_000_000
    result_max_pixels: int = 100_000_000
    result_seconds: int = 120
    deadline_seconds: int = 3600
    pairing_seconds: int = 20
    no_spec_seconds: int = 120
    patience_seconds: int = 900
    poll_after_seconds: int = 30
    hold_retry_seconds: int = 900
    runflow_at_a_time: int = 20
    backgroundcut_at_a_time: int = 10
    imagepipeline_at_a_time: int = 5
    daily_budget_usd: str = "0"  # for all providers together, by UTC day; 0 is no limit
    prices: tuple[str, ...] = ()  # "<model>=<dollars>": an operator's own, before the published ones
    retention_days: int = 90
    exempt_origins: tuple[str, ...] = ()  # for the laptop: origins excused from the public-address rule

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings; each field's variable is its name in upper case.

        Raises:
            ValueError: a variable is missing or not of its type; the message names it.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            text = environment.get(field.name.upper(), "")
            if text:
                values[field.name] = _read(field.name, str(field.type), text)
        missing = [f.name.upper() for f in fields(cls)[:7] if f.name not in values]
        if missing:
            msg = f"environment variables missing: {', '.join(missing)}"
            raise ValueError(msg)
        _check_money(values.get("daily_budget_usd", "0"), values.get("prices", ()))
        return cls(**values)

    def at_a_time(self, provider: str) -> int:
        """How many jobs of the provider may be between claim and outcome."""
        return int(getattr(self, f"{provider}_at_a_time"))

    @property
    def daily_budget(self) -> int:
        """The day's budget in micro-dollars; 0 is no limit."""
        return int(Decimal(self.daily_budget_usd) * 1_000_000)

    def base_url(self, provider: str) -> str:
        """The provider's base URL without a trailing slash; `provider` as in the model catalogue."""
        return str(getattr(self, f"{provider}_base_url")).rstrip("/")


def _check_money(limit: str, prices: tuple[str, ...]) -> None:
    """Refuse an amount that is none: a price that counted as nothing would spend beyond the budget."""
    for name, amount in [("DAILY_BUDGET_USD", limit), *(("PRICES", entry.partition("=")[2]) for entry in prices)]:
        if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,6})?", amount):
            msg = f"{name} holds {amount!r} where an amount in dollars belongs, such as 12.50"
            raise ValueError(msg)


def _read(name: str, kind: str, text: str) -> str | int | tuple[str, ...]:
    if "tuple" in kind:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if "int" not in kind:
        return text
    try:
        return int(text)
    except ValueError:
        msg = f"{name.upper()} must be a whole number, it is {text!r}"
        raise ValueError(msg) from None
