"""The callback door: URLs that only we can have made, and the check of those that come back.

Promises that a path of the wrong form is refused with nothing but the standard library, that a token is good
for one provider, job and attempt only, and that a check takes the same time for every wrong token of a known
key. Reads API Gateway's proxy events, whatever stands in them. Refuses every other spelling of a good token
(base64url has one canonical form here) and everything when the keys cannot be read.

    {base}/callbacks/{provider}/{job}/{attempt}/{key id}.{HMAC-SHA256 as 43 characters of base64url}
"""

import hmac
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backdrop import keyring
from backdrop.errors import Parked

if TYPE_CHECKING:
    from backdrop.world import World

PROVIDERS = frozenset({"runflow", "backgroundcut", "imagepipeline"})

_DOMAIN = "backdrop-callback-v1"
_JOB = re.compile(r"[0-9a-f]{32}")
_ATTEMPT = re.compile(r"[1-9][0-9]?")
# 43 characters hold 258 bits, an HMAC-SHA256 256: the two spare bits are zero; that leaves 16 last
# characters.
_TOKEN = re.compile(r"[a-z0-9]{1,16}\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


@dataclass(frozen=True, slots=True)
class Call:
    """What a callback's path says, by its form: nothing is checked yet."""

    provider: str
    job_id: str
    attempt: int
    token: str = field(repr=False)


def read_path(path_parameters: object) -> Call | None:
    """Read API Gateway's `pathParameters` (provider, job, attempt, token); None when one has not its form."""
    if not isinstance(path_parameters, Mapping):
        return None
    provider, job_id, attempt, token = (path_parameters.get(name) for name in ("provider", "job", "attempt", "token"))
    if (
        not isinstance(provider, str)
        or not isinstance(job_id, str)
        or not isinstance(attempt, str)
        or not isinstance(token, str)
    ):
        return None
    if not _formed(provider, job_id, attempt) or not _TOKEN.fullmatch(token):
        return None
    return Call(provider=provider, job_id=job_id, attempt=int(attempt), token=token)


def read_body(event: Mapping[str, Any]) -> bytes:
    """The body of a proxy event as it came over the wire: signatures are over these bytes.

    Raises:
        ValueError: it is no text, or said to be base64 and is not.
    """
    text, encoded = event.get("body"), event.get("isBase64Encoded")
    if not isinstance(text, str | None) or not isinstance(encoded, bool | None):
        raise ValueError("the event holds no body")  # noqa: TRY004 - one error for whatever a caller may send
    if encoded:
        return b64decode(text or "", validate=True)
    return (text or "").encode("utf-8", "surrogatepass")


def read_headers(event: Mapping[str, Any]) -> dict[str, str]:
    """A proxy event's headers with names in lower case; one that came more than once is joined: it fits no signature.

    Only `multiValueHeaders` is read: `headers` keeps the last of several values.
    """
    many = event.get("multiValueHeaders")
    read: dict[str, list[str]] = {}
    for name, values in many.items() if isinstance(many, Mapping) else ():
        texts = [str(value) for value in values] if isinstance(values, list) else []
        read.setdefault(str(name).lower(), []).extend(texts)
    return {name: ",".join(texts) for name, texts in read.items()}


def mint(world: "World", provider: str, job_id: str, attempt: int) -> str:
    """The URL that a provider is to call when the attempt is finished, signed with the current key.

    Raises:
        Parked: no base URL is set (CALLBACK_URL_MISSING), or the callback keys are not in order (KEYS_…).
        Later: Secrets Manager could not be asked.
        ValueError: `provider`, `job_id` or `attempt` (1 to 99) is none that a path could name.
    """
    if not _formed(provider, job_id, str(attempt)):
        raise ValueError("a callback URL names a known provider, a job id of 32 hex digits and an attempt from 1 to 99")
    base = world.settings.callback_base_url.rstrip("/")
    if not base:
        raise Parked(
            "CALLBACK_URL_MISSING",
            "no base URL for callbacks is set",
            action="Set the environment variable CALLBACK_BASE_URL to the URL of the callback API's stage.",
        )
    keys = keyring.callback_keys(world)
    token = _token(keys.current, keys.keys[keys.current], provider, job_id, attempt)
    return f"{base}/callbacks/{provider}/{job_id}/{attempt}/{token}"


def genuine(world: "World", call: Call) -> bool:
    """Whether this stack minted the URL that was called.

    An unknown key id reads the secret again, once and rate-limited: another environment may sign with a newer
    key.

    Raises:
        Parked: the callback keys are not in order; nothing can be let in.
        Later: Secrets Manager could not be asked.
    """
    key_id = call.token.partition(".")[0]
    key = keyring.callback_keys(world).keys.get(key_id)
    if key is None:
        key = keyring.callback_keys(world, refresh=True).keys.get(key_id)
    if key is None:
        return False
    expected = _token(key_id, key, call.provider, call.job_id, call.attempt)
    return hmac.compare_digest(expected.encode(), call.token.encode(errors="backslashreplace"))


def _formed(provider: str, job_id: str, attempt: str) -> bool:
    return provider in PROVIDERS and bool(_JOB.fullmatch(job_id)) and bool(_ATTEMPT.fullmatch(attempt))


def _token(key_id: str, key: str, provider: str, job_id: str, attempt: int) -> str:
    parts = [part.encode() for part in (_DOMAIN, provider, job_id, str(attempt))]
    # Each part behind its length, so that no two lists of parts give the same bytes.
    signed = b"".join(len(part).to_bytes(2) + part for part in parts)
    code = urlsafe_b64encode(hmac.digest(key.encode(), signed, "sha256")).rstrip(b"=").decode()
    return f"{key_id}.{code}"
