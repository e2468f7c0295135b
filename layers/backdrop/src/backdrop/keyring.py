"""The two secrets: the providers' keys, and the keys that sign callback URLs.

Promises that each secret is read once for each environment and again only when it is old (MAX_AGE_SECONDS) or
when a caller was let down by it (`refresh=True`, at most every REFRESH_SECONDS), by one thread at a time; a
secret that can no longer be read leaves the last good value in use. Refuses a secret that is missing or
malformed with Parked, naming the secret and the command that sets it, never a value. No boto3 until a secret
is read.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from backdrop.errors import BackdropError, Later, Parked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backdrop.world import Clients, World

REFRESH_SECONDS = 60.0
MAX_AGE_SECONDS = 900.0  # so that a key taken out of a secret stops working within a quarter of an hour
MIN_CALLBACK_KEY_LENGTH = 32

_WITHOUT_VALUE = ("ResourceNotFoundException", "InvalidRequestException")  # never set; marked for deletion
_CLOSED = ("AccessDeniedException", "AccessDenied", "DecryptionFailure")
_KEY_ID = re.compile(r"[a-z0-9]{1,16}")
_PROVIDER_SHAPE = (
    '{"runflow_api_key": "…", "backgroundcut_api_key": "…", "imagepipeline_api_key": "…", '
    '"runflow_callback_secrets": ["…"]}'
)
_CALLBACK_SHAPE = '{"current": "k1", "k1": "…64 random characters…"}'


@dataclass(frozen=True, slots=True)
class ProviderKeys:
    """What each provider knows us by; empty means "not configured". `secret` names where it stands."""

    secret: str
    runflow: str = field(repr=False)
    backgroundcut: str = field(repr=False)
    imagepipeline: str = field(repr=False)
    runflow_callback_secrets: tuple[str, ...] = field(repr=False)

    def key_for(self, provider: str) -> str:
        """The API key of a provider, named as in the model catalogue.

        Raises:
            Parked: the secret holds none (KEYS_MISSING).
        """
        key = {
            "runflow": self.runflow,
            "backgroundcut": self.backgroundcut,
            "imagepipeline": self.imagepipeline,
        }[provider]
        if not key:
            raise Parked(
                "KEYS_MISSING",
                f"the secret {self.secret} holds no {provider}_api_key",
                action=_put(self.secret, _PROVIDER_SHAPE),
            )
        return key


@dataclass(frozen=True, slots=True)
class CallbackKeys:
    """The keys that sign callback URLs by key id; `current` names the one that signs new URLs."""

    current: str
    keys: Mapping[str, str] = field(repr=False)


def provider_keys(world: World, *, refresh: bool = False) -> ProviderKeys:
    """The providers' keys. `refresh` after a provider refused one, or a signature fitted none.

    Raises:
        Parked: the secret has no value (KEYS_MISSING), is malformed (KEYS_MALFORMED) or may not be read
            (KEYS_UNREADABLE).
        Later: Secrets Manager could not be asked.
    """
    return _cached(world, world.settings.provider_secret, _read_provider_keys, _PROVIDER_SHAPE, refresh=refresh)


def callback_keys(world: World, *, refresh: bool = False) -> CallbackKeys:
    """The callback keys. `refresh` after a key id that is not among them.

    Raises:
        Parked: the secret has no value (KEYS_MISSING), is malformed (KEYS_MALFORMED) or may not be read
            (KEYS_UNREADABLE).
        Later: Secrets Manager could not be asked.
    """
    return _cached(world, world.settings.callback_secret, _read_callback_keys, _CALLBACK_SHAPE, refresh=refresh)


class _Entry:
    """One secret as this environment knows it; `lock` is held while it is read."""

    __slots__ = ("lock", "read_at", "refreshed_at", "value")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: Any = None
        self.read_at = 0.0
        self.refreshed_at = float("-inf")


# By the clients, which are made once for each environment and know the endpoint.
_entries: WeakKeyDictionary[Clients, dict[tuple[str, object], _Entry]] = WeakKeyDictionary()
_entries_lock = threading.Lock()


def _cached[Keys](world: World, name: str, parse: Callable[[str, str], Keys], shape: str, *, refresh: bool) -> Keys:
    with _entries_lock:
        entry = _entries.setdefault(world.aws, {}).setdefault((name, parse), _Entry())
    with entry.lock:
        now = world.now()
        if entry.value is None:
            entry.value = parse(name, _fetch(world, name, shape))
            entry.read_at = now
        elif (refresh or _past(now, entry.read_at, MAX_AGE_SECONDS)) and _past(
            now, entry.refreshed_at, REFRESH_SECONDS
        ):
            entry.refreshed_at = now
            try:
                entry.value = parse(name, _fetch(world, name, shape))
                entry.read_at = now
            except BackdropError as error:
                world.log.warning("a secret could not be read again", secret=name, code=error.code)
        return cast("Keys", entry.value)


def _past(now: float, then: float, seconds: float) -> bool:
    """Whether `seconds` have gone by; a clock that was set back counts so, or nothing would be read again."""
    return not 0 <= now - then < seconds


def _fetch(world: World, name: str, shape: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only when a secret is read

    try:
        reply = world.aws.secrets.get_secret_value(SecretId=name)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _WITHOUT_VALUE:
            raise Parked("KEYS_MISSING", f"the secret {name} has no value", action=_put(name, shape)) from None
        if code in _CLOSED:
            raise Parked(
                "KEYS_UNREADABLE",
                f"the secret {name} may not be read ({code})",
                action=f"Grant the function's role secretsmanager:GetSecretValue on {name}.",
            ) from None
        raise _unavailable(name, code) from None
    except BotoCoreError as error:
        raise _unavailable(name, type(error).__name__) from None
    return str(reply.get("SecretString", ""))


def _unavailable(name: str, why: str) -> Later:
    return Later("KEYS_UNAVAILABLE", f"the secret {name} could not be read just now ({why})", retry_after=5)


def _put(name: str, shape: str) -> str:
    return f"Run: aws secretsmanager put-secret-value --secret-id {name} --secret-string '{shape}'"


def _malformed(name: str, why: str, shape: str) -> Parked:
    return Parked("KEYS_MALFORMED", f"the secret {name} is malformed: {why}", action=_put(name, shape))


def _object(name: str, text: str, shape: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise _malformed(name, "it is not JSON", shape) from None
    if not isinstance(value, dict):
        raise _malformed(name, "it is not a JSON object", shape)
    return value


def _text(name: str, field_name: str, value: Any, shape: str) -> str:
    """A key without the white space that a paste leaves; it must fit into an HTTP header."""
    if not isinstance(value, str):
        raise _malformed(name, f"{field_name} is not a string", shape)
    stripped = value.strip()
    if not (stripped.isascii() and stripped.isprintable()):
        raise _malformed(name, f"{field_name} holds characters that are not printable ASCII", shape)
    return stripped


def _read_provider_keys(name: str, text: str) -> ProviderKeys:
    told = _object(name, text, _PROVIDER_SHAPE)
    api_keys = {
        provider: _text(name, f"{provider}_api_key", told.get(f"{provider}_api_key", ""), _PROVIDER_SHAPE)
        for provider in ("runflow", "backgroundcut", "imagepipeline")
    }
    secrets = told.get("runflow_callback_secrets", [])
    if isinstance(secrets, str):
        secrets = [secrets]
    if not isinstance(secrets, list):
        raise _malformed(name, "runflow_callback_secrets is neither a list nor a string", _PROVIDER_SHAPE)
    texts = (_text(name, "runflow_callback_secrets", secret, _PROVIDER_SHAPE) for secret in secrets)
    return ProviderKeys(secret=name, runflow_callback_secrets=tuple(secret for secret in texts if secret), **api_keys)


def _read_callback_keys(name: str, text: str) -> CallbackKeys:
    told = _object(name, text, _CALLBACK_SHAPE)
    current = told.pop("current", None)
    keys: dict[str, str] = {}
    for key_id, value in told.items():
        if not _KEY_ID.fullmatch(key_id):
            raise _malformed(name, "a key id is 1 to 16 lower-case letters or digits", _CALLBACK_SHAPE)
        keys[key_id] = _text(name, key_id, value, _CALLBACK_SHAPE)
        if len(keys[key_id]) < MIN_CALLBACK_KEY_LENGTH:
            why = f"the key {key_id} is shorter than {MIN_CALLBACK_KEY_LENGTH} characters"
            raise _malformed(name, why, _CALLBACK_SHAPE)
    if not isinstance(current, str) or current not in keys:
        raise _malformed(name, "current does not name one of its keys", _CALLBACK_SHAPE)
    return CallbackKeys(current=current, keys=keys)
