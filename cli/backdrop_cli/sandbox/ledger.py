"""What was paid for and what was asked: the ledger of accepted paid POSTs, and the last requests.

Promises that every acceptance of a paid POST is one line, two of the same being two lines: the ledger never
deduplicates. Refuses to keep secrets: queries of URLs, tokens at the end of callback paths, keys and the bytes of data
URIs are taken out before anything is kept.
"""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from backdrop_cli.sandbox.accounts import digest_of

KEPT_REQUESTS = 5_000
KEPT_LINES = 100_000
_LONGEST = 500
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One accepted paid POST. `reference` is what the client called it, `digest` names the body without secrets."""

    number: int
    at: float
    provider: str
    model: str
    reference: str
    digest: str
    run_id: str
    price: Decimal
    unit: str
    idempotency_key: str

    def as_dict(self) -> dict[str, Any]:
        """The line as JSON; the price as a decimal string."""
        return {**asdict(self), "price": str(self.price)}


class Ledger:
    """Accepted paid POSTs, oldest first; at most `KEPT_LINES`, counted for ever."""

    def __init__(self) -> None:
        self.count = 0
        self.lines: deque[Line] = deque(maxlen=KEPT_LINES)

    def accept(
        self,
        *,
        at: float,
        provider: str,
        model: str,
        reference: str,
        body: Any,
        run_id: str,
        price: Decimal,
        idempotency_key: str = "",
    ) -> None:
        """Write one line. `at` in unix seconds; `body` is the parsed JSON of the POST."""
        self.count += 1
        unit = "credits" if provider == "backgroundcut" else "usd"
        line = Line(self.count, at, provider, model, reference, body_digest(body), run_id, price, unit, idempotency_key)
        self.lines.append(line)

    def clear(self) -> None:
        """Forget everything."""
        self.count = 0
        self.lines.clear()

    def told(self) -> dict[str, Any]:
        """The ledger as JSON: the count, sums by provider, model and reference, and the entries."""
        spent: dict[str, Decimal] = {}
        for line in self.lines:
            name = f"{line.provider} {line.unit}"
            spent[name] = spent.get(name, Decimal(0)) + line.price
        return {
            "count": self.count,
            "by_provider": Counter(line.provider for line in self.lines),
            "by_model": Counter(line.model for line in self.lines),
            "by_reference": Counter(line.reference for line in self.lines if line.reference),
            "spent": {name: str(amount) for name, amount in spent.items()},
            "entries": [line.as_dict() for line in self.lines],
        }


def body_digest(body: Any) -> str:
    """SHA-256 (first 16 hex digits) of the body as canonical JSON, secrets taken out: a repost has the same."""
    text = json.dumps(redact(body), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def callback_reference(url: str) -> str:
    """The path of a callback URL without its last segment, which may be a token."""
    return urlsplit(url).path.rpartition("/")[0] if url else ""


def redact(value: Any, name: str = "", depth: int = 0) -> Any:
    """A copy of parsed JSON fit to be kept and shown: see the module's promise. Strings are cut at 500 characters."""
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {str(key)[:_LONGEST]: redact(item, str(key), depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [redact(item, name, depth + 1) for item in value[:_LONGEST]]
    if isinstance(value, str):
        return _redact_text(value, name)
    return value


def _redact_text(text: str, name: str) -> str:
    if name in {"plain_secret", "secret", "access_token", "authorization"}:
        return f"digest:{digest_of(text)}"
    if text.startswith("data:"):
        return f"{text.partition(',')[0][:100]},… ({len(text)} characters)"
    if "://" not in text:
        return text[:_LONGEST]
    try:
        parts = urlsplit(text)
    except ValueError:
        return "…"
    path = parts.path
    if name == "callback_url":
        head, _, last = path.rpartition("/")
        path = f"{head}/digest:{digest_of(last)}"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "…" if parts.query else "", ""))[:_LONGEST]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it is remembered: no secrets."""

    number: int
    at: float
    provider: str
    kind: str
    method: str
    path: str
    route: str
    status: int
    trouble: str
    authorization: str
    idempotency_key: str
    body: Any
    ms: float


class Requests:
    """The last `KEPT_REQUESTS` requests, oldest first."""

    def __init__(self) -> None:
        self.count = 0
        self.seen: deque[Seen] = deque(maxlen=KEPT_REQUESTS)

    def add(self, **fields: Any) -> None:
        """Remember one; `fields` are those of `Seen` but for its number."""
        self.count += 1
        self.seen.append(Seen(number=self.count, **fields))

    def clear(self) -> None:
        """Forget everything."""
        self.count = 0
        self.seen.clear()

    def told(self) -> dict[str, Any]:
        """The requests as JSON."""
        return {"count": self.count, "requests": [asdict(one) for one in self.seen]}
