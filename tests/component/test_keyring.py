"""The two secrets, read from a real Secrets Manager over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from ground import Clock, Notebook, fresh, moto

from backdrop import keyring
from backdrop.errors import Later, Parked
from backdrop.world import Clients

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backdrop.world import World

PROVIDERS = {
    "runflow_api_key": "rf_live_one",
    "backgroundcut_api_key": "bc_one",
    "imagepipeline_api_key": "ip_one",
    "runflow_callback_secrets": ["whsec_new", "whsec_old"],
}
KEY = "k" * 64


@pytest.fixture(scope="module", autouse=True)
def _aws() -> Iterator[None]:
    with moto():
        yield


def put(world: World, name: str, value: Any) -> None:
    """Write a secret, as text or as JSON; it need not exist."""
    text = value if isinstance(value, str) else json.dumps(value)
    secrets = world.aws.secrets
    try:
        secrets.create_secret(Name=name, SecretString=text)
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId=name, SecretString=text)


def with_providers(value: Any, clients: Clients | None = None) -> World:
    """A fresh World with this provider secret."""
    world = fresh(clients)
    put(world, world.settings.provider_secret, value)
    return world


def with_callbacks(value: Any) -> World:
    """A fresh World with this callback secret."""
    world = fresh()
    put(world, world.settings.callback_secret, value)
    return world


def tick(world: World, seconds: float) -> None:
    """Move the World's clock."""
    cast("Clock", world.now).seconds += seconds


def test_provider_keys_are_read_by_name() -> None:
    """Each provider gets its own key, and Runflow's callback secrets keep their order."""
    keys = keyring.provider_keys(with_providers(PROVIDERS))
    assert [keys.key_for(name) for name in ("runflow", "backgroundcut", "imagepipeline")] == [
        "rf_live_one",
        "bc_one",
        "ip_one",
    ]
    assert keys.runflow_callback_secrets == ("whsec_new", "whsec_old")


@pytest.mark.parametrize(
    ("told", "expected"),
    [("whsec_only", ("whsec_only",)), ("", ()), ([], ()), ([" a ", "", "b\n"], ("a", "b"))],
)
def test_callback_secrets_may_be_a_list_or_one_string(told: Any, expected: tuple[str, ...]) -> None:
    """One string counts as a list of one, and empty ones count as none."""
    keys = keyring.provider_keys(with_providers({**PROVIDERS, "runflow_callback_secrets": told}))
    assert keys.runflow_callback_secrets == expected


def test_white_space_of_a_paste_is_no_part_of_a_key() -> None:
    """A key with a newline behind it works."""
    keys = keyring.provider_keys(with_providers({"runflow_api_key": " rf_live_one\n"}))
    assert keys.key_for("runflow") == "rf_live_one"


@pytest.mark.parametrize("value", [{}, {"backgroundcut_api_key": ""}, {"backgroundcut_api_key": "  "}])
def test_an_empty_key_parks_its_provider_only(value: dict[str, str]) -> None:
    """A provider without a key is refused with the command that sets it; the others go on."""
    keys = keyring.provider_keys(with_providers({"runflow_api_key": "rf_live_one", **value}))
    assert keys.key_for("runflow") == "rf_live_one"
    with pytest.raises(Parked) as caught:
        keys.key_for("backgroundcut")
    assert caught.value.code == "KEYS_MISSING"
    assert "backgroundcut_api_key" in caught.value.message
    assert f"aws secretsmanager put-secret-value --secret-id {keys.secret}" in caught.value.action
    assert keys.runflow_callback_secrets == ()


def test_a_secret_that_was_never_made_parks() -> None:
    """Without the secret, both readers park and name the secret and the command."""
    world = fresh()
    for name, read in (
        (world.settings.provider_secret, keyring.provider_keys),
        (world.settings.callback_secret, keyring.callback_keys),
    ):
        with pytest.raises(Parked) as caught:
            read(world)
        assert caught.value.code == "KEYS_MISSING"
        assert name in caught.value.message
        assert f"put-secret-value --secret-id {name} --secret-string" in caught.value.action


def test_a_secret_that_is_set_after_a_failure_is_seen_at_once() -> None:
    """A failure is not remembered: the first read after the repair succeeds."""
    world = fresh()
    with pytest.raises(Parked):
        keyring.provider_keys(world)
    put(world, world.settings.provider_secret, PROVIDERS)
    assert keyring.provider_keys(world).runflow == "rf_live_one"


@pytest.mark.parametrize(
    "value",
    [
        "hunter2-not-json",
        '"hunter2"',
        '["hunter2"]',
        "[" * 5000 + '"hunter2"',
        {"runflow_api_key": 17, "x": "hunter2"},
        {"runflow_api_key": None, "x": "hunter2"},
        {"runflow_api_key": "hunter2\r\nX-Admin: 1"},
        {"runflow_api_key": "hunter2 ключ"},
        {"runflow_callback_secrets": {"a": "hunter2"}},
        {"runflow_callback_secrets": ["hunter2", 5]},
    ],
)
def test_a_malformed_provider_secret_parks_without_being_quoted(value: Any) -> None:
    """What is wrong is told, and no value of the secret with it."""
    world = with_providers(value)
    with pytest.raises(Parked) as caught:
        keyring.provider_keys(world)
    assert caught.value.code == "KEYS_MALFORMED"
    assert world.settings.provider_secret in caught.value.action
    assert "hunter2" not in f"{caught.value.message}{caught.value.action}"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "value",
    [
        {"k1": KEY},
        {"current": "k2", "k1": KEY},
        {"current": "current"},
        {"current": ["k1"], "k1": KEY},
        {"current": "k1", "k1": KEY[:31]},
        {"current": "k1", "k1": " " * 64},
        {"current": "k1", "k1": 12345678901234567890123456789012},
        {"current": "K1", "K1": KEY},
        {"current": "k1", "k1": KEY, "a.b": KEY},
        {"current": "k1", "k1": KEY, "": KEY},
        {"current": "k1", "k1": KEY, "k" * 17: KEY},
    ],
)
def test_a_malformed_callback_secret_parks(value: Any) -> None:
    """Callback keys that are weak, misnamed or without a current one let nothing in."""
    with pytest.raises(Parked) as caught:
        keyring.callback_keys(with_callbacks(value))
    assert caught.value.code == "KEYS_MALFORMED"
    assert KEY not in f"{caught.value.message}{caught.value.action}"


def test_callback_keys_are_read_by_key_id() -> None:
    """Every key is there under its id, and the current one is named."""
    keys = keyring.callback_keys(with_callbacks({"current": "k2", "k1": KEY, "k2": "j" * 32}))
    assert keys.current == "k2"
    assert keys.keys == {"k1": KEY, "k2": "j" * 32}


def test_no_key_shows_in_a_representation() -> None:
    """What a log line would print of either value holds no key."""
    world = with_providers(PROVIDERS)
    put(world, world.settings.callback_secret, {"current": "k1", "k1": KEY})
    shown = repr(keyring.provider_keys(world)) + repr(keyring.callback_keys(world))
    assert not [key for key in ("rf_live", "bc_one", "ip_one", "whsec", KEY) if key in shown]


def test_a_secret_is_read_once_until_a_refresh_is_asked_for() -> None:
    """A changed secret is not seen by a plain read, but by the first refresh."""
    world = with_providers(PROVIDERS)
    keyring.provider_keys(world)
    put(world, world.settings.provider_secret, {**PROVIDERS, "runflow_api_key": "rf_live_two"})
    assert keyring.provider_keys(world).runflow == "rf_live_one"
    assert keyring.provider_keys(world, refresh=True).runflow == "rf_live_two"
    assert keyring.provider_keys(world).runflow == "rf_live_two"


def test_refreshes_are_sixty_seconds_apart() -> None:
    """Within a minute of a refresh another one changes nothing; after it, it does."""
    world = with_providers(PROVIDERS)
    keyring.provider_keys(world)
    keyring.provider_keys(world, refresh=True)
    put(world, world.settings.provider_secret, {**PROVIDERS, "runflow_api_key": "rf_live_two"})
    tick(world, 59.5)
    assert keyring.provider_keys(world, refresh=True).runflow == "rf_live_one"
    tick(world, 0.5)
    assert keyring.provider_keys(world, refresh=True).runflow == "rf_live_two"


def test_an_old_value_is_read_again_by_itself() -> None:
    """A key that was taken out of the secret is gone after a quarter of an hour, unasked."""
    world = with_callbacks({"current": "k1", "k1": KEY, "k0": KEY})
    keyring.callback_keys(world)
    put(world, world.settings.callback_secret, {"current": "k1", "k1": KEY})
    tick(world, 899)
    assert "k0" in keyring.callback_keys(world).keys
    tick(world, 1)
    assert "k0" not in keyring.callback_keys(world).keys


def test_a_clock_that_is_set_back_does_not_stop_refreshes() -> None:
    """After a jump into the past the next refresh still reads."""
    world = with_providers(PROVIDERS)
    keyring.provider_keys(world)
    keyring.provider_keys(world, refresh=True)
    put(world, world.settings.provider_secret, {**PROVIDERS, "runflow_api_key": "rf_live_two"})
    tick(world, -86_400)
    assert keyring.provider_keys(world, refresh=True).runflow == "rf_live_two"


def test_a_broken_secret_leaves_the_last_good_value_in_use() -> None:
    """A refresh that finds nonsense changes nothing and says so in the log, without the nonsense."""
    world = with_providers(PROVIDERS)
    keyring.provider_keys(world)
    put(world, world.settings.provider_secret, "hunter2")
    assert keyring.provider_keys(world, refresh=True).runflow == "rf_live_one"
    (line,) = cast("Notebook", world.log).lines
    assert line[1] == {"secret": world.settings.provider_secret, "code": "KEYS_MALFORMED"}


def test_each_environment_has_its_own_cache() -> None:
    """Another environment (other clients) reads for itself."""
    world = with_providers(PROVIDERS)
    keyring.provider_keys(world)
    put(world, world.settings.provider_secret, {**PROVIDERS, "runflow_api_key": "rf_live_two"})
    assert keyring.provider_keys(replace(world, aws=Clients())).runflow == "rf_live_two"
    assert keyring.provider_keys(world).runflow == "rf_live_one"


def test_threads_that_start_together_read_the_secret_once() -> None:
    """Eight threads on a cold environment cause one call to Secrets Manager, and all get the same value."""
    world = with_providers(PROVIDERS, Clients())
    calls: list[str] = []
    world.aws.secrets.meta.events.register(
        "before-call.secrets-manager.GetSecretValue", lambda **_: calls.append("read")
    )
    start = threading.Barrier(8)
    found: list[str] = []

    def read() -> None:
        start.wait(5)
        found.append(keyring.provider_keys(world).runflow)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == ["rf_live_one"] * 8
    assert calls == ["read"]


def test_an_endpoint_that_cannot_be_reached_is_a_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection to Secrets Manager is not the account's fault: try again soon."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(Later) as caught:
        keyring.provider_keys(fresh())
    assert caught.value.code == "KEYS_UNAVAILABLE"
    assert caught.value.retry_after


@pytest.mark.parametrize(
    ("code", "expected"),
    [("AccessDeniedException", "KEYS_UNREADABLE"), ("ThrottlingException", "KEYS_UNAVAILABLE")],
)
def test_what_secrets_manager_says_decides_who_must_act(
    code: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed secret parks with the permission to grant; a throttle is a Later."""
    from hostile import reply, serving  # noqa: PLC0415 - only this test has a server that refuses

    body = json.dumps({"__type": code, "message": "no"}).encode()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with serving(lambda _: [reply(body, status="400 Bad Request")]) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.origin)
        with pytest.raises(Parked if "DENIED" in code.upper() else Later) as caught:
            keyring.provider_keys(fresh())
    assert caught.value.code == expected
    assert ("secretsmanager:GetSecretValue" in caught.value.action) == (expected == "KEYS_UNREADABLE")


def test_the_module_itself_needs_no_aws_library() -> None:
    """Importing the keyring imports neither boto3 nor botocore: a forged call is refused before either."""
    code = "import sys, backdrop.keyring; print(sorted({'boto3', 'botocore'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
