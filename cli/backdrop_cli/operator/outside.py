"""What `check` asks beyond AWS: the keys in the secrets, each provider's word on its key, and the callback door.

Promises only free calls, and that no key, token or reply is on the screen: what is told of a provider's answer are
the library's own sentences. The two forged calls of the door count as `CallbacksRejected`, as anybody's would.
"""

import json
import re
from collections.abc import Iterator

from backdrop import keyring
from backdrop.errors import BackdropError, Later
from backdrop.providers.http import Reply, session
from backdrop.workflow import accounts
from backdrop.workflow.admitting import PROVIDERS
from backdrop_cli.operator.findings import Finding, good, untold, unused, wrong
from backdrop_cli.operator.reach import Found

# What a person may have left standing where a key belongs.
_PLACEHOLDER = re.compile(
    r"\W+|<.*>|\{.*\}|\[.*\]|x+|none|null|todo|secret|key|api[ _-]?key|change[ _-]?me|replace.*|(your|my)[ _-].*|\$\w+",
    re.IGNORECASE,
)
_DOOR_SECONDS = 30.0  # API Gateway waits 29
_JOB = "0" * 32
# Of the right form, from somebody who has not the key; and of none.
_FORGED = ("k1." + "A" * 43, "not-a-token")
_REFUSED, _CLIENT_ERRORS, _SERVER_ERRORS = 401, range(400, 500), range(500, 600)


def secrets(found: Found) -> Iterator[Finding]:
    """Whether the two secrets hold what is needed."""
    try:
        keys = keyring.provider_keys(found.world)
    except BackdropError as error:
        yield _refused("provider secret", error)
    else:
        held = [name for name in PROVIDERS if _given(keys, name)]
        left = [name for name in held if _PLACEHOLDER.fullmatch(_given(keys, name))]
        if not held:
            told = "holds no key of any provider"
            yield wrong("provider secret", told, f"put the keys that you have into {keys.secret}, see the README")
        elif left:
            fields = " and ".join(f"{name}_api_key" for name in left)
            yield wrong(
                "provider secret",
                f"holds a placeholder for {fields}",
                f"put the real key there, or take it out of {keys.secret}",
            )
        else:
            yield good("provider secret", f"holds keys of {', '.join(held)}")
        yield from _signatures(keys)
    try:
        current = keyring.callback_keys(found.world).current
    except BackdropError as error:
        yield _refused("callback secret", error)
    else:
        yield good("callback secret", f"callback URLs are signed with its key {current}")


def _given(keys: keyring.ProviderKeys, name: str) -> str:
    return str(getattr(keys, name))


def _signatures(keys: keyring.ProviderKeys) -> Iterator[Finding]:
    """Runflow's callback secrets; without one its callbacks are hints."""
    if any(_PLACEHOLDER.fullmatch(secret) for secret in keys.runflow_callback_secrets):
        yield wrong(
            "runflow signatures",
            "runflow_callback_secrets holds a placeholder: every callback of Runflow's would be refused",
            f"put the signing secret of your Runflow organisation there, or leave the list in {keys.secret} empty",
        )
    elif keys.runflow_callback_secrets:
        yield good("runflow signatures", "only signed callbacks of Runflow's are taken")
    elif keys.runflow:
        yield unused("runflow signatures", "no callback secret: Runflow is asked about each run that it calls for")


def provider(found: Found, name: str) -> Iterator[Finding]:
    """Whether a provider takes the key, by a call that costs nothing."""
    what = f"{name} key"
    try:
        keys = keyring.provider_keys(found.world)
        if not _given(keys, name):
            yield unused(what, f"no {name}_api_key in the provider secret: drops for its models are held")
        else:
            yield good(what, accounts.provider(found.world, name).check())
    except BackdropError as error:
        yield _refused(what, error)


def _refused(what: str, error: BackdropError) -> Finding:
    """A library error as a line; what is only busy just now is not called wrong."""
    told = untold if isinstance(error, Later) else wrong
    return told(what, error.message, error.action or "run backdrop check again in a minute")


def door(found: Found) -> Iterator[Finding]:
    """Whether the callback URL is reachable from here, and whether it refuses who has no key."""
    what, base = "callback URL", found.world.settings.callback_base_url
    try:
        with session("the callback URL", base, {}) as api:
            replies = [
                api.send("POST", f"/callbacks/runflow/{_JOB}/1/{token}", body={}, seconds=_DOOR_SECONDS)
                for token in _FORGED
            ]
    except BackdropError as error:
        yield wrong(what, error.message, f"providers call {base}: is CallbackBaseUrl right, and does its name resolve?")
        return
    yield _judged(what, base, replies)


def _judged(what: str, base: str, replies: list[Reply]) -> Finding:
    statuses = {reply.status for reply in replies}
    if statuses == {_REFUSED} and len({reply.body for reply in replies}) == 1 and _shaped(replies[0]):
        return good(what, f"{base} is reached and refuses a forged call ({_REFUSED})")
    told = " and ".join(str(status) for status in sorted(statuses))
    if statuses & set(_SERVER_ERRORS):
        return wrong(what, f"{base} answers a forged call with {told}", "read the log of webhook; is its layer there?")
    if statuses <= set(_CLIENT_ERRORS):
        return wrong(
            what,
            f"{base} refuses a forged call with {told}, and not in webhook's own words",
            "something else answers there: CallbackBaseUrl must lead to the stage v1 of the stack's API",
        )
    return wrong(
        what,
        f"{base} does not refuse a forged call, it answers {told}",
        "this is not webhook: correct CallbackBaseUrl, and let nothing stand before the API that answers by itself",
    )


def _shaped(reply: Reply) -> bool:
    try:
        return bool(json.loads(reply.body) == {"status": "refused"})
    except ValueError:
        return False
