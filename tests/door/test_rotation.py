"""Keys and secrets are lists, so that each can be replaced while callbacks are under way."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from bench import PROVIDER_KEYS
from doorway import event, path_of, ring, sign

from backdrop import callbacks
from backdrop.states import State
from backdrop.world import World

if TYPE_CHECKING:
    from doorway import Doorway

OLD, NEW = "o" * 64, "n" * 64


def secret(door: Doorway, value: object) -> str:
    """A new secret; its name."""
    name = f"rotation-{uuid.uuid4().hex}"
    door.bench.world.aws.secrets.create_secret(Name=name, SecretString=json.dumps(value))
    return name


def put(door: Doorway, name: str, value: object) -> None:
    """Give a secret another value."""
    door.bench.world.aws.secrets.put_secret_value(SecretId=name, SecretString=json.dumps(value))


def path_by(door: Doorway, keys: dict[str, str]) -> dict[str, str]:
    """The path of a callback to the bench's one job as an environment with these callback keys would mint it."""
    world = door.bench.world
    there = World(replace(world.settings, callback_secret=secret(door, keys)), world.aws, world.log)
    job = door.bench.only()
    return path_of(callbacks.mint(there, job.provider, job.job_id, 1))


def test_callback_keys_are_a_list(door: Doorway) -> None:
    """While a callback key is replaced the old and the new are both good; one taken out of the list is not."""
    name = secret(door, {"current": "k1", "k1": OLD})
    door.reopen(callback_secret=name)
    call = door.running()
    old, new = path_by(door, {"current": "k1", "k1": OLD}), path_by(door, {"current": "k2", "k2": NEW})
    before = door.stored()
    told = event(call, body="", multiValueHeaders=sign(b""))
    assert ring({**told, "pathParameters": old}) == (400, "malformed")
    put(door, name, {"current": "k2", "k1": OLD, "k2": NEW})
    assert ring({**told, "pathParameters": new}) == (400, "malformed")  # by an environment that knew the old one only
    put(door, name, {"current": "k2", "k2": NEW})
    door.reopen()
    assert ring({**event(call), "pathParameters": old}) == (401, "refused")
    assert door.stored() == before
    assert ring({**event(call), "pathParameters": new}) == (200, "taken")
    assert door.bench.only().state is State.SUCCEEDED


def test_runflows_secrets_are_a_list(door: Doorway) -> None:
    """While Runflow's secret is replaced either may sign; one taken out of the list fits no longer."""
    name = secret(door, {**PROVIDER_KEYS, "runflow_callback_secrets": ["whsec_old", "whsec_new"]})
    door.reopen(provider_secret=name)
    call = door.running()
    before = door.stored()
    for known, expected in (("whsec_old", 400), ("whsec_new", 400), ("whsec_sandbox", 401), ("", 401)):
        assert ring(event(call, body="{}", multiValueHeaders=sign(b"{}", known)))[0] == expected, known
    put(door, name, {**PROVIDER_KEYS, "runflow_callback_secrets": ["whsec_new"]})
    door.reopen()
    assert ring(event(call, multiValueHeaders=sign(call.body, "whsec_old"))) == (401, "refused")
    assert door.stored() == before
    assert ring(event(call, multiValueHeaders=sign(call.body, "whsec_new"))) == (200, "taken")
    assert door.bench.only().state is State.SUCCEEDED


def test_a_secret_that_came_after_the_environment_began_is_found(door: Doorway) -> None:
    """A signature that fits no secret is held against the list as it is now, before it is called forged."""
    name = secret(door, {**PROVIDER_KEYS, "runflow_callback_secrets": ["whsec_old"]})
    door.reopen(provider_secret=name)
    call = door.running()
    assert ring(event(call, body="{}", multiValueHeaders=sign(b"{}", "whsec_old"))) == (400, "malformed")
    put(door, name, {**PROVIDER_KEYS, "runflow_callback_secrets": ["whsec_old", "whsec_new"]})
    assert ring(event(call, multiValueHeaders=sign(call.body, "whsec_new"))) == (200, "taken")


def test_without_keys_the_door_is_shut(door: Doorway) -> None:
    """With the callback keys or the secrets unreadable nobody is let in: 503, so that the provider tries again."""
    call = door.running()
    before = door.stored()
    for settings in ({"callback_secret": "nowhere"}, {"callback_secret": secret(door, {"current": "k1"})}):
        door.reopen(**settings)
        assert ring(event(call)) == (503, "unavailable")
    door.reopen(callback_secret=door.bench.world.settings.callback_secret, provider_secret="nowhere")
    assert ring(event(call)) == (503, "unavailable")
    assert "GetItem" not in door.asked_of_aws()
    assert door.stored() == before
