"""Who may call, and what they have left.

Promises that a key is checked, that a key of one provider opens no other, and that nothing is accepted which the
balance does not cover. Balances are US dollars at Runflow and ImagePipeline and credits at BackgroundCut; keys with the
same `org` share one. Refuses to tell a key: only a digest of it is ever shown.

Prices that no page gives: background-change 0.06 and background-remove 0.02 US dollars (imagepipeline.md section 8:
no pricing page found), BackgroundCut's steps between 0.5 credit below 1 megapixel and 1.1 at 12 (linear between).
"""

import hashlib
import hmac
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from backdrop_cli.sandbox.replies import (
    BACKGROUNDCUT,
    IMAGEPIPELINE,
    PROVIDERS,
    RUNFLOW,
    backgroundcut_error,
    imagepipeline_error,
    runflow_error,
)

PRICES: Mapping[str, Decimal] = {
    "runflow/background-color": Decimal("0.12"),
    "runflow/background-replace": Decimal("0.35"),
    "bria/background/remove": Decimal("0.018"),
    "imagepipeline/background-change": Decimal("0.06"),
    "imagepipeline/background-remove": Decimal("0.02"),
}
_MEGAPIXEL = 1_000_000
_AUTOCROP = Decimal("0.5")
_VARIANT = Decimal("0.25")


@dataclass(frozen=True, slots=True)
class Account:
    """One key and what it opens.

    `refuses` is the code of the 403 that every call of this key gets ("" for none), `operations` the ImagePipeline
    endpoints in the plan (empty: all), `admin` a Runflow `rf_svc_` key.
    """

    provider: str
    key: str = field(repr=False)
    org: str
    balance: Decimal = Decimal(10_000)
    admin: bool = False
    refuses: str = ""
    operations: tuple[str, ...] = ()
    callback_secrets: tuple[str, ...] = field(default=(), repr=False)


DEFAULT_ACCOUNTS: tuple[Account, ...] = (
    Account(RUNFLOW, "rf_live_sandbox", "org_sandbox", callback_secrets=("whsec_sandbox",)),
    Account(RUNFLOW, "rf_svc_sandbox", "org_sandbox", admin=True),
    Account(BACKGROUNDCUT, "bc_sandbox", "space_sandbox"),
    Account(IMAGEPIPELINE, "ip_live_sandbox", "usr_sandbox"),
)


def read_accounts(rows: Iterable[Mapping[str, Any]]) -> tuple[Account, ...]:
    """Accounts of a parsed JSON list of objects with the fields of `Account`.

    Raises:
        ValueError: a field is unknown, missing or of the wrong type; the message names it, never the key.
    """
    accounts = []
    for number, row in enumerate(rows):
        given = dict(row)
        for name in ("operations", "callback_secrets"):
            given[name] = tuple(given.get(name, ()))
        try:
            given["balance"] = Decimal(str(given.get("balance", 10_000)))
            account = Account(**given)
        except (TypeError, ArithmeticError) as error:
            msg = f"account {number}: {error}"
            raise ValueError(msg) from None
        if account.provider not in PROVIDERS:
            msg = f"account {number}: provider must be one of {', '.join(PROVIDERS)}"
            raise ValueError(msg)
        accounts.append(account)
    return tuple(accounts)


def digest_of(text: str) -> str:
    """The first 12 hex digits of SHA-256: enough to tell keys apart, useless to whoever reads it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class Books:
    """The accounts and their balances. Safe from several threads."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self.accounts = tuple(accounts)
        self._lock = threading.Lock()
        self._balances: dict[tuple[str, str], Decimal] = {}
        self.reset()

    def reset(self) -> None:
        """Give every account the balance it began with; the first account of an org sets it."""
        with self._lock:
            self._balances.clear()
            for account in self.accounts:
                self._balances.setdefault((account.provider, account.org), account.balance)

    def find(self, provider: str, key: str) -> Account | None:
        """The account of a key, compared in constant time; None when it opens nothing at this provider."""
        found = None
        for account in self.accounts:
            same = hmac.compare_digest(account.key.encode(), key.encode("utf-8", "surrogatepass"))
            if same and account.provider == provider:
                found = account
        return found

    def balance(self, account: Account) -> Decimal:
        """What is left, in the provider's unit."""
        with self._lock:
            return self._balances[account.provider, account.org]

    def take(self, account: Account, amount: Decimal) -> bool:
        """Take `amount` if it is there; whether it was."""
        with self._lock:
            left = self._balances[account.provider, account.org] - amount
            if left < 0:
                return False
            self._balances[account.provider, account.org] = left
            return True

    def give_back(self, account: Account, amount: Decimal) -> None:
        """Return what a failed run was charged."""
        with self._lock:
            self._balances[account.provider, account.org] += amount


def credits_for(pixels: int, variants: Iterable[Mapping[str, Any]]) -> Decimal:
    """BackgroundCut's credits for one process call on a photo of `pixels` (backgroundcut.md section 7)."""
    share = min(max(Decimal(pixels - _MEGAPIXEL) / (11 * _MEGAPIXEL), Decimal(0)), Decimal(1))
    total = Decimal("0.5") + (Decimal("0.6") * share).quantize(Decimal("0.01"))
    given = list(variants)
    total += _VARIANT * max(len(given) - 1, 0)
    return total + (_AUTOCROP if any(variant.get("autocrop") for variant in given) else 0)


def require_runflow(books: Books, authorization: str) -> Account:
    """The account of a Bearer key.

    Raises:
        Refusal: 401 UNAUTHORIZED, or 403 with the account's own code.
    """
    scheme, _, key = authorization.partition(" ")
    account = books.find(RUNFLOW, key.strip()) if scheme.lower() == "bearer" else None
    if account is None:
        raise runflow_error(401, "Missing or invalid API key.")
    if account.refuses:
        raise runflow_error(403, code=account.refuses)
    return account


def require_backgroundcut(books: Books, authorization: str) -> Account:
    """The account of a `Token` key.

    Raises:
        Refusal: 401.
    """
    scheme, _, key = authorization.partition(" ")
    account = books.find(BACKGROUNDCUT, key.strip()) if scheme == "Token" else None
    if account is None:
        raise backgroundcut_error(401, "Authentication credentials were not provided or are invalid.")
    if account.refuses:
        raise backgroundcut_error(403, account.refuses)
    return account


def require_imagepipeline(books: Books, key: str) -> Account:
    """The account of an `X-API-Key`.

    Raises:
        Refusal: 401, or 403 with the account's own code.
    """
    account = books.find(IMAGEPIPELINE, key.strip())
    if account is None:
        raise imagepipeline_error(401, "Missing or invalid API key.")
    if account.refuses:
        raise imagepipeline_error(403, code=account.refuses)
    return account
