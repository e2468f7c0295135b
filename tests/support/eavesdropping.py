"""What was secret on the wire, and everything that was written: so that the one can be looked for in the other."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap import Tap

# What passes a wire and must be written nowhere; the group is the secret itself.
_SECRETS: Mapping[str, re.Pattern[str]] = {
    "a presigned signature": re.compile(r"X-Amz-Signature=([0-9a-f]{64})"),
    "a presigned credential": re.compile(r"X-Amz-Credential=([A-Z0-9]{16,})"),
    "a session token": re.compile(r"X-Amz-Security-Token=([A-Za-z0-9%/+=_-]{20,})"),
    "a result's signature": re.compile(r"[?&]signature=([0-9A-Za-z%_-]{16,})"),
    "an AWS signature": re.compile(r"Authorization: AWS4-HMAC-SHA256 [^\r\n]*Signature=([0-9a-f]{64})"),
    "an API key": re.compile(r"(?:Authorization: Bearer |X-API-Key: )([^\r\n]{8,})", re.IGNORECASE),
    "a callback's signature": re.compile(r"Runflow-Signature: ([0-9a-f]{64})", re.IGNORECASE),
    "a callback's token": re.compile(r"/callbacks/[a-z]+/[0-9a-f]{32}/[0-9]+/([a-z0-9]{1,16}\.[A-Za-z0-9_-]{43})"),
    "a data URI": re.compile(r"data:image/[a-z]+;base64,[A-Za-z0-9+/]{40}([A-Za-z0-9+/]{60})"),
    "a picture in base64": re.compile(r'"result_base64": ?"[A-Za-z0-9+/]{40}([A-Za-z0-9+/]{60})'),
}
KINDS = frozenset(_SECRETS)
_ENOUGH = 20  # characters of a secret that are as good as all of it


@dataclass
class Secrets:
    """Secrets, and what each of them is."""

    known: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, secret: str) -> None:
        """Keep one, in each way that it could be written."""
        for text in {secret, unquote(secret)}:
            for spelt in (text, quote(text, safe=""), json.dumps(text)[1:-1]):
                self.known[spelt] = kind
                if len(spelt) > 2 * _ENOUGH:
                    self.known[spelt[:_ENOUGH]] = self.known[spelt[-_ENOUGH:]] = f"part of {kind}"

    def overhear(self, *taps: Tap) -> None:
        """Keep every secret that has passed."""
        for tap in taps:
            text = tap.everything()
            for kind, pattern in _SECRETS.items():
                for found in set(pattern.findall(text)):
                    self.add(kind, found)

    def leaks(self, written: Mapping[str, str]) -> list[str]:
        """Where a secret stands, and what it is: `place: kind`, sorted; never the secret itself."""
        found = {
            f"{place}: {kind.removeprefix('part of ')}"
            for place, text in written.items()
            for secret, kind in self.known.items()
            if secret in text
        }
        return sorted(found)


def written_to_aws(tap: Tap) -> dict[str, str]:
    """Every byte that was written to AWS, by place: items, messages, objects with their keys and metadata."""
    places: dict[str, list[str]] = {}
    for asked in tap.requests():
        service, _, action = asked.headers.get("x-amz-target", "").partition(".")
        if service:
            if not action.startswith(("Get", "Query", "Scan", "BatchGet", "Receive", "DeleteMessage")):
                places.setdefault(f"written to {service.partition('_')[0]}", []).append(asked.body.decode())
        elif asked.method in {"PUT", "POST", "DELETE"}:
            told = [f"{name}: {value}" for name, value in asked.headers.items() if name.startswith("x-amz-meta-")]
            places.setdefault("written to S3", []).extend([asked.target, *told, asked.body.decode("latin-1")])
    return {place: "\n".join(texts) for place, texts in places.items()}
