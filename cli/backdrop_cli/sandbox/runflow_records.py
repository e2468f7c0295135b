"""What Runflow keeps for an organisation besides its runs: callback secrets, webhook subscriptions and assets.

Promises that inline inputs become `runflow://assets/…` references, as the provider makes them (runflow.md section 2.1),
so that no record holds a picture.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from backdrop_cli.sandbox.accounts import Account
from backdrop_cli.sandbox.bodies import runflow_invalid
from backdrop_cli.sandbox.callbacks import Delivery
from backdrop_cli.sandbox.files import File
from backdrop_cli.sandbox.images import Fetcher, Unfetched
from backdrop_cli.sandbox.replies import RUNFLOW
from backdrop_cli.sandbox.state import State, keep, uuid7

MOST_ASSETS = 5_000
SCHEME = "runflow://assets/"


@dataclass(slots=True)
class Secret:
    """One signing secret of an organisation."""

    id: str
    org: str
    plain: str = field(repr=False)
    is_current: bool
    created_at: float
    updated_at: float
    label: str | None = None
    last_used_at: float | None = None


def first_secrets(accounts: Iterable[Account], now: float) -> list[Secret]:
    """The secrets that the accounts begin with; of each organisation the first one signs."""
    made: list[Secret] = []
    for account in accounts:
        for plain in account.callback_secrets:
            current = not any(one.org == account.org and one.is_current for one in made)
            made.append(Secret(uuid7(now), account.org, plain, current, now, now))
    return made


def signing_secret(state: State, org: str) -> Secret | None:
    """The organisation's current secret, or None: callbacks then go unsigned."""
    return next((one for one in state.secrets if one.org == org and one.is_current), None)


@dataclass(slots=True)
class Subscription:
    """An organisation's wish to hear of every run: `secret` signs (empty: unsigned), `events` empty means all."""

    id: str
    org: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    events: tuple[str, ...]
    created_at: float
    deliveries: list[Delivery] = field(default_factory=list)


@dataclass(slots=True)
class Asset:
    """One uploaded input. `file` is there once the bytes are, `confirmed_at` once the client said so."""

    id: str
    org: str
    name: str
    media_type: str
    size: int
    created_at: float
    file: File | None = None
    confirmed_at: float | None = None
    source: str = "upload"


def keep_inline(state: State, account: Account, given: dict[str, Any]) -> dict[str, Any]:
    """The input with each `data:` URI turned into a `runflow://assets/…` reference, as the provider does.

    Raises:
        Refusal: 422 when a data URI does not decode.
    """
    changed = dict(given)
    for name in ("image_url", "zip_url"):
        text = given.get(name, "")
        if not text.startswith("data:"):
            continue
        try:
            data = Fetcher.decode(text)
        except Unfetched as error:
            raise runflow_invalid([{"loc": ["input", name], "msg": error.reason, "type": "data_uri"}]) from None
        media_type = text[5:].partition(",")[0].partition(";")[0] or "application/octet-stream"
        now = state.now()
        file = state.files.put(data, provider=RUNFLOW, name="inline", media_type=media_type)
        asset = Asset(uuid7(now), account.org, "inline", media_type, len(data), now, file, now, "inline")
        keep(state.assets, asset.id, asset, MOST_ASSETS)
        changed[name] = SCHEME + asset.id
    return changed


def resolve(state: State, org: str, given: dict[str, Any]) -> dict[str, Any]:
    """The input with each asset reference turned into a URL that can be fetched.

    Raises:
        Unfetched: there is no such asset.
    """
    changed = dict(given)
    for name in ("image_url", "zip_url"):
        text = given.get(name, "")
        if text.startswith(SCHEME):
            asset = state.assets.get(text.removeprefix(SCHEME))
            if asset is None or asset.org != org or asset.file is None or asset.confirmed_at is None:
                raise Unfetched("the asset does not exist", invalid=True)
            changed[name] = state.url_of(asset.file)
    return changed
