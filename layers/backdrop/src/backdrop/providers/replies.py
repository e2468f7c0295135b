"""Reading what a provider wrote: any bytes in, only named, bounded and scrubbed values out.

Promises that no reply, whatever its JSON, raises anything here, that a text taken from one holds no key, no query and
no path of a URL, and that what a status means is data: a table of `Rule`, one for each provider, read from the top.
Refuses to guess: a reply that no rule covers is Unknown after a paid request, Later after any other.
"""

from __future__ import annotations

import json
import math
import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn

from backdrop.errors import BackdropError, Later, Parked, ProviderFailed, Unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from backdrop.providers.http import Reply

AGAIN = "nothing to do: Backdrop tries again by itself"
LOOKS = "nothing to do: Backdrop asks the provider, and waits, before it would post again"
MESSAGE_CHARACTERS = 300
LONGEST_PAUSE = 3600.0
SHORTEST_PAUSE = 1.0

_READ_CHARACTERS = 4000
_MOST_COMPLAINTS = 5
_LARGEST = 10**30
_LONGEST_URL = 16_000
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


# --- Values ----------------------------------------------------------------------------------------------------------


def parse(body: bytes) -> Any:
    """The JSON value of a body; None for whatever is no strict JSON in UTF-8."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def at(value: Any, *path: str | int) -> Any:
    """What lies at `path` in parsed JSON; None where the path leads nowhere."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def text(value: Any, *path: str | int) -> str:
    """The text at `path`, or empty when there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def identity(value: Any, *path: str | int) -> str:
    """The id at `path`: a text that is safe in a URL's path; empty for anything else."""
    found = text(value, *path)
    return found if _ID.fullmatch(found) else ""


def link(value: Any, *path: str | int) -> str:
    """The http(s) URL at `path`, of at most 16,000 characters; empty when there is none."""
    found = text(value, *path)
    return found if found[:8].lower().startswith(("https://", "http://")) and len(found) <= _LONGEST_URL else ""


def facts(value: Any, names: Iterable[str], *, nulls: bool = False) -> dict[str, Any]:
    """The named fields of a reply that are truth, finite number, short text or (one level of) an object of these.

    `nulls`: a field that is null is kept too, for fields where that says something.
    """
    kept: dict[str, Any] = {}
    for name in names:
        if isinstance(value, dict) and name in value and (nulls or value[name] is not None):
            found = value[name]
            if isinstance(found, dict):
                plain = [(inner, item) for inner, item in list(found.items())[:20] if _NAME.fullmatch(inner)]
                kept[name] = {inner: _plain(item) for inner, item in plain if _is_plain(item)}
            elif _is_plain(found):
                kept[name] = _plain(found)
    return kept


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) < _LARGEST
    return value is None or isinstance(value, str)


def _plain(value: Any) -> Any:
    return tell(value, most=200) if isinstance(value, str) else value


# --- Texts -----------------------------------------------------------------------------------------------------------

_URL = re.compile(r"([a-z][a-z0-9+.-]{1,20}):/{2}(?:[^\s/\"'<>]*@)?([a-z0-9.:\[\]-]*)[^\s\"'<>]*", re.IGNORECASE)
_DATA = re.compile(r"data:[^\s\"'<>]*", re.IGNORECASE)
_KEY = re.compile(r"\b(?:rf|ip|bc|sk|pk)_(?:live|svc|test|sandbox)\w*|\bwhsec_\w+", re.IGNORECASE)
_SCHEME = re.compile(r"\b(bearer|token|accesstoken|basic)\s+(?=[^\s\d]*\d)[^\s,;\"'<>]+", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"\b([\w-]{0,40}(?:signature|credential|secret|token|password|api[_-]?key|authorization))(\s*=\s*|\s*:\s*(?=[^\s\d]*\d))"
    r"[^\s,;&\"'<>]+",
    re.IGNORECASE,
)
_OPAQUE = re.compile(r"[A-Za-z0-9_+=~%-]{20,}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# Long words that are read: small_letters, CAPITALS, CamelCase, X-Header. One token in 1,500 has no digit; it is none.
_READABLE = re.compile(
    r"(?:[a-z_-]++|[A-Z_-]++|[a-z]*+(?>[A-Z][a-z]{2,}+[_-]?+)++|(?>[A-Z][a-z]*+-){1,8}+[A-Z][a-z]*+)=?"
)


def tell(value: Any, *, hide: Collection[str] = (), most: int = MESSAGE_CHARACTERS) -> str:
    """A provider's text as it may be shown and kept: one line of at most `most` characters, without secrets.

    Of a URL only scheme and host stay (a callback URL's path holds a token, a presigned one's query a signature);
    each of `hide`, whatever looks like a key, and long opaque words become "…". Empty when `value` is no text.
    """
    if not isinstance(value, str):
        return ""
    told = value
    if len(told) > _READ_CHARACTERS:  # what is cut through may be half a key that no pattern knows
        told = told[:_READ_CHARACTERS].rpartition(" ")[0]
    told = " ".join("".join(c if c.isprintable() else " " for c in told).split())
    for secret in hide:
        if secret:
            told = told.replace(secret, "…")
    told = _DATA.sub("data:…", _URL.sub(r"\1://\2/…", told))
    told = _ASSIGNED.sub(r"\1\2…", _SCHEME.sub(r"\1 …", _KEY.sub("…", told)))
    told = _OPAQUE.sub(_hide_opaque, told)
    return told if len(told) <= most else told[: most - 1] + "…"


def _hide_opaque(found: re.Match[str]) -> str:
    word = found[0]
    plain = _READABLE.fullmatch(word) or _UUID.fullmatch(word) or not any(c.isalpha() for c in word)
    return word if plain else "…"


def complaint(value: Any, *, hide: Collection[str] = ()) -> str:
    """What an error's body says, from the places that the pages name, bounded and scrubbed.

    Runflow `message` and `errors[]`, BackgroundCut `detail` or fields with lists of texts, ImagePipeline `detail[]`
    (loc, msg) or `message`; the SDK's `error` as text or object.
    """
    said: list[str] = []
    for name in ("message", "detail", "error"):
        found = at(value, name)
        found = at(found, "message") if name == "error" and isinstance(found, dict) else found
        said += [found] if isinstance(found, str) else _findings(found)
    said += _findings(at(value, "errors"))
    if not said and isinstance(value, dict):
        said += _findings({name: item for name, item in value.items() if isinstance(item, list)})
    return tell("; ".join(dict.fromkeys(part for part in said if part)), hide=hide)


def _findings(found: Any) -> list[str]:
    """A list of {loc, msg}, or an object of fields with a text or a list of texts each."""
    if isinstance(found, list):
        return [_finding(one) for one in found[:_MOST_COMPLAINTS]]
    if not isinstance(found, dict):
        return []
    named = [(name, item) for name, item in list(found.items())[:_MOST_COMPLAINTS] if _NAME.fullmatch(name)]
    texts = [(name, item[0] if isinstance(item, list) and item else item) for name, item in named]
    return [f"{name}: {item}" for name, item in texts if isinstance(item, str) and name not in {"code", "error_code"}]


def _finding(one: Any) -> str:
    if isinstance(one, str):
        return one
    said = text(one, "msg") or text(one, "message")
    where = at(one, "loc")
    steps = where if isinstance(where, list) else [text(one, "field")]
    place = ".".join(str(step)[:60] for step in steps[:8] if isinstance(step, str | int) and step not in {"", "body"})
    return f"{place}: {said}" if place and said else said


def code_of(value: Any) -> str:
    """The provider's own error code in upper case; empty when it tells none."""
    for path in (("code",), ("error_code",), ("error", "code")):
        found = text(value, *path)
        if _CODE.fullmatch(found):
            return found.upper()
    return ""


# A provider could not fetch its input. Presigned URLs die with the session that signed them; a new attempt signs anew.
_UNFETCHED = (
    r"(?i)\b(?:could\s?n[o']t|can\s?not|can't|unable to|failed to|failed while|failure)\s+(?:be\s+)?"
    r"(?:fetch|download|retriev)|\bnot\s+be\s+(?:fetch|download|retriev)|\b(?:fetch|download)\w*\s+failed"
)


def unfetched(said: str) -> bool:
    """Whether a provider says that it could not fetch its input."""
    return bool(re.search(_UNFETCHED, said))


# --- What a status means ---------------------------------------------------------------------------------------------

type Leaf = Literal["later", "parked", "unknown", "failed"]

CREDIT_CODES = frozenset({"INSUFFICIENT_CREDIT", "INSUFFICIENT_CREDITS", "INSUFFICIENT_BALANCE"})


class Rule(NamedTuple):
    """One row of a provider's table. Empty `statuses` or `codes` match any.

    `becomes` is the error's leaf after a paid request; after any other, "unknown" is Later, since nothing can have been
    charged. `pause` is the wait, in seconds, when the reply tells none. `everyone`: it is so for every job of the
    provider, not for this one alone.
    """

    statuses: Collection[int]
    becomes: Leaf
    code: str
    message: str
    action: str
    codes: Collection[str] = ()
    pause: float | None = None
    everyone: bool = True

    def covers(self, status: int, told: str) -> bool:
        """Whether a reply with this status and the provider's own code is this row's."""
        return (not self.statuses or status in self.statuses) and (not self.codes or told in self.codes)


def usual(provider: str, key_field: str, *, pause: float | None = None) -> tuple[Rule, ...]:
    """What a status means at every provider, for the end of its table. `provider` as people call it."""
    resume = "held jobs then go on by themselves"
    spec = "correct the spec as the message says and drop it again"
    top_up = f"top up the {provider} account; {resume}"
    new_key = f"put a valid {key_field} into the provider secret; {resume}"
    let_in = f"see in {provider}'s console what the account lacks (verified e-mail, permission, plan); {resume}"
    return (
        Rule((), "parked", "NO_CREDITS", f"the {provider} account has no credit left", top_up, CREDIT_CODES),
        Rule({401}, "parked", "KEY_REFUSED", f"{provider} refuses the API key", new_key),
        Rule({402}, "parked", "NO_CREDITS", f"the {provider} account has no credit left", top_up),
        Rule({403}, "parked", "NOT_ALLOWED", f"{provider} does not let this account do that", let_in, everyone=False),
        Rule({429}, "later", "RATE_LIMITED", f"{provider} asks for slower requests", AGAIN, pause=pause),
        Rule({413}, "failed", "PHOTO_TOO_LARGE", f"the photo is too large for {provider}", "drop a smaller photo"),
        Rule({400, 422}, "failed", "REQUEST_REFUSED", f"{provider} refuses the request", spec),
        Rule({404, 405}, "failed", "ROUTE_MISSING", f"{provider} does not know this route", "check the base URL"),
        Rule({408, 499}, "unknown", "TIMED_OUT", f"{provider} gave the request up", LOOKS),
        Rule({409}, "unknown", "CONFLICT", f"{provider} has seen this request before", LOOKS),
        Rule(range(400, 500), "failed", "REQUEST_REFUSED", f"{provider} refuses the request", spec),
        Rule(range(500, 600), "unknown", "SERVER_ERROR", f"{provider} had a fault of its own", LOOKS),
        Rule(range(300, 400), "unknown", "REDIRECTED", f"{provider} redirects, which is not documented", LOOKS),
        Rule((), "unknown", "REPLY_UNREADABLE", f"{provider} gave an answer that cannot be read", LOOKS),
    )


def refusal(rules: Iterable[Rule], reply: Reply, *, paid: bool, hide: Collection[str] = ()) -> BackdropError:
    """The error that a reply is, by the first of `rules` that covers it. The last rule must cover everything."""
    value = parse(reply.body)
    told = code_of(value)
    rule = next(rule for rule in rules if rule.covers(reply.status, told))
    said = complaint(value, hide=hide)
    shown = " ".join(filter(None, [str(reply.status), tell(told, hide=hide)]))
    message = f"{rule.message} ({shown})" + (f": {said}" if said else "")
    if rule.becomes == "parked":
        return Parked(rule.code, message, action=rule.action, everyone=rule.everyone)
    if rule.becomes == "failed":
        return ProviderFailed(rule.code, message, retryable=False, action=rule.action)
    if rule.becomes == "unknown" and paid:
        return Unknown(rule.code, message, action=rule.action)
    pause = retry_after(reply.headers)
    wait = rule.pause if pause is None else pause
    return Later(rule.code, message, retry_after=wait, action=rule.action, everyone=rule.everyone)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by Retry-After, as seconds or HTTP date (RFC 9110, 10.2.3), from 1 s to 1 h; None if absent."""
    told = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", told):
        seconds = float(told[:20])
    else:
        try:
            moment = parsedate_to_datetime(told[:100])
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    return min(max(seconds, SHORTEST_PAUSE), LONGEST_PAUSE)


def unasked(error: BackdropError) -> Later | Parked:
    """For a free question about the account: a refused key, or "not just now", and nothing else."""
    return error if isinstance(error, Later | Parked) else Later("NOT_ASKED", error.message, action=error.action)
