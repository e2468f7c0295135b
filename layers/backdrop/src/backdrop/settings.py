"""What an operator can set, read once from the environment that the template gives each function.

Promises typed values with the template's names; refuses a missing or malformed variable with its name. Pure: the
environment is handed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
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
        return cls(**values)

    def base_url(self, provider: str) -> str:
        """The provider's base URL without a trailing slash; `provider` as in the model catalogue."""
        return str(getattr(self, f"{provider}_base_url")).rstrip("/")


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
