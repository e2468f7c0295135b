"""Callback URLs: minted, read back and checked, with the keys in a real Secrets Manager over HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from ground import Clock, fresh, moto
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backdrop import callbacks, catalogue
from backdrop.errors import Parked
from backdrop.world import Clients

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backdrop.world import World

KEY, OTHER = "k" * 64, "j" * 64
JOB = "0123456789abcdef" * 2
PROVIDERS = sorted(callbacks.PROVIDERS)

unhurried = settings(deadline=None)  # how long one example takes says nothing on a busy machine
jobs = st.text("0123456789abcdef", min_size=32, max_size=32)
attempts = st.integers(1, 99)
providers = st.sampled_from(PROVIDERS)


@pytest.fixture(scope="module", autouse=True)
def _aws() -> Iterator[None]:
    with moto():
        yield


@pytest.fixture(scope="module")
def world(_aws: None) -> World:
    """A World whose current callback key is k1."""
    return make()


def make(clients: Clients | None = None, **keys: str) -> World:
    """A fresh World with its callback secret; `current` and a key `k1` when nothing is said."""
    made = fresh(clients)
    store(made, keys or {"current": "k1", "k1": KEY})
    return made


def store(world: World, keys: dict[str, str]) -> None:
    """Write the callback secret, whether or not it exists."""
    secrets, name, text = world.aws.secrets, world.settings.callback_secret, json.dumps(keys)
    try:
        secrets.create_secret(Name=name, SecretString=text)
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId=name, SecretString=text)


def called(url: str) -> dict[str, str]:
    """The path parameters that API Gateway would read from a minted URL."""
    *_, word, provider, job, attempt, token = url.split("/")
    assert word == "callbacks"
    return {"provider": provider, "job": job, "attempt": attempt, "token": token}


def let_in(world: World, path: dict[str, Any] | None) -> bool:
    """Whether the door opens to these path parameters."""
    call = callbacks.read_path(path)
    return call is not None and callbacks.genuine(world, call)


def test_the_url_is_the_documented_one(world: World) -> None:
    """The URL is base, provider, job, attempt and a token that anyone with the key can compute by hand."""
    parts = [b"backdrop-callback-v1", b"runflow", JOB.encode(), b"7"]
    signed = b"".join(bytes([0, len(part)]) + part for part in parts)
    code = base64.urlsafe_b64encode(hmac.new(KEY.encode(), signed, hashlib.sha256).digest()).decode().rstrip("=")
    assert (
        callbacks.mint(world, "runflow", JOB, 7)
        == f"https://hooks.example.test/prod/callbacks/runflow/{JOB}/7/k1.{code}"
    )


@unhurried
@given(provider=providers, job=jobs, attempt=attempts)
def test_a_minted_url_is_read_back_and_let_in(world: World, provider: str, job: str, attempt: int) -> None:
    """Whatever is minted opens the door and says what it was minted for."""
    path = called(callbacks.mint(world, provider, job, attempt))
    call = callbacks.read_path(path)
    assert call == callbacks.Call(provider, job, attempt, path["token"])
    assert callbacks.genuine(world, call)


@unhurried
@given(ours=st.tuples(providers, jobs, attempts), theirs=st.tuples(providers, jobs, attempts))
def test_a_token_is_good_for_one_provider_job_and_attempt(
    world: World, ours: tuple[str, str, int], theirs: tuple[str, str, int]
) -> None:
    """The token of another provider, job or attempt is refused."""
    assume(ours != theirs)
    token = called(callbacks.mint(world, *theirs))["token"]
    assert not let_in(world, {**called(callbacks.mint(world, *ours)), "token": token})


@pytest.mark.parametrize("change", [{"provider": "imagepipeline"}, {"job": JOB[::-1]}, {"attempt": "2"}])
def test_one_changed_part_is_enough_to_be_refused(world: World, change: dict[str, str]) -> None:
    """With provider, job or attempt alone changed, the token no longer fits."""
    path = called(callbacks.mint(world, "runflow", JOB, 1))
    assert let_in(world, path)
    assert not let_in(world, {**path, **change})


@unhurried
@given(data=st.data())
def test_a_token_with_any_character_changed_is_refused(world: World, data: st.DataObject) -> None:
    """One character replaced, dropped or added anywhere in the token closes the door."""
    path = called(callbacks.mint(world, "runflow", JOB, 1))
    token = path["token"]
    at = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.one_of(st.sampled_from(string.ascii_letters + string.digits + "-_.=/+"), st.characters()))
    changed = data.draw(
        st.sampled_from(
            [
                token[:at] + character + token[at + 1 :],
                token[:at] + token[at + 1 :],
                token[:at] + character + token[at:],
            ]
        )
    )
    assume(changed != token)
    assert not let_in(world, {**path, "token": changed})


@unhurried
@given(text=st.text())
def test_no_text_is_a_token(world: World, text: str) -> None:
    """Arbitrary text in the place of the token closes the door."""
    assert not let_in(world, {**called(callbacks.mint(world, "runflow", JOB, 1)), "token": text})


def test_the_spare_bits_of_the_last_character_have_one_spelling(world: World) -> None:
    """Of the four last characters that decode to the same code, only the canonical one opens the door."""
    path = called(callbacks.mint(world, "runflow", JOB, 1))
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    head, last = path["token"][:-1], path["token"][-1]
    decoded = base64.urlsafe_b64decode(path["token"].partition(".")[2] + "=")
    twins = [
        head + other
        for other in alphabet
        if other != last and base64.urlsafe_b64decode((head + other).partition(".")[2] + "=") == decoded
    ]
    assert len(twins) == 3
    assert [callbacks.read_path({**path, "token": twin}) for twin in twins] == [None] * 3
    assert not any(callbacks.genuine(world, callbacks.Call("runflow", JOB, 1, twin)) for twin in twins)


TOKEN = "k1." + "A" * 43
GOOD = {"provider": "runflow", "job": JOB, "attempt": "1", "token": TOKEN}


@pytest.mark.parametrize("attempt", ["1", "9", "10", "99"])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("kid", ["k", "0", "k1", "a" * 16])
def test_every_path_of_the_right_form_is_read(provider: str, attempt: str, kid: str) -> None:
    """The known providers, attempts from 1 to 99 and key ids of 1 to 16 characters pass by their form."""
    token = f"{kid}.{'A' * 43}"
    call = callbacks.read_path({"provider": provider, "job": JOB, "attempt": attempt, "token": token})
    assert call == callbacks.Call(provider, JOB, int(attempt), token)


@pytest.mark.parametrize("last", string.ascii_letters + string.digits + "-_")
def test_a_token_ends_in_one_of_sixteen_characters(last: str) -> None:
    """A last character is taken exactly when its two spare bits are zero."""
    value = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_").index(last)
    read = callbacks.read_path({**GOOD, "token": TOKEN[:-1] + last})
    assert (read is not None) == (value % 4 == 0)


BAD = [
    ("provider", ["", "Runflow", "runflow ", "runflow\n", "bria", "../runflow", "runflow/imagepipeline"]),
    ("job", ["", JOB[:-1], JOB + "0", JOB.upper(), JOB[:-1] + "g", JOB + "\n", JOB[:-1] + "٣", " " + JOB[1:]]),
    ("attempt", ["", "0", "00", "01", "100", "-1", "+1", "1.0", "1 ", "1\n", "٣", "²", "1e1", "x"]),
    (
        "token",
        [
            "",
            "A" * 43,
            "." + "A" * 43,
            "k1" + "A" * 43,
            "k1." + "A" * 42,
            "k1." + "A" * 44,
            "K1." + "A" * 43,
            "k-1." + "A" * 43,
            "a" * 17 + "." + "A" * 43,
            "k1." + "A" * 42 + "=",
            "k1." + "A" * 42 + "+",
            "k1." + "A" * 42 + "/",
            TOKEN + "\n",
            " " + TOKEN,
            TOKEN + ".A",
            "k1:" + "A" * 43,
            "\u017f1." + "A" * 43,
        ],
    ),
]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD for value in values])
def test_a_path_of_the_wrong_form_is_refused(name: str, value: str) -> None:
    """Each part has one exact form; anything near it is refused."""
    assert callbacks.read_path(GOOD) is not None
    assert callbacks.read_path({**GOOD, name: value}) is None


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, 1, b"k1", ["1"], True])
def test_a_part_that_is_missing_or_no_text_is_refused(name: str, value: Any) -> None:
    """A hostile event may hold anything: what is no text, or is not there, is refused."""
    assert callbacks.read_path({**GOOD, name: value}) is None
    assert callbacks.read_path({key: text for key, text in GOOD.items() if key != name}) is None


@pytest.mark.parametrize("path", [None, {}])
def test_no_path_at_all_is_refused(path: dict[str, str] | None) -> None:
    """API Gateway sends null where there are no parameters."""
    assert callbacks.read_path(path) is None


@unhurried
@given(path=st.dictionaries(st.sampled_from(sorted(GOOD)), st.text()))
def test_no_text_anywhere_breaks_the_reader(path: dict[str, str]) -> None:
    """Arbitrary parameters are refused or of the right form, never an error."""
    call = callbacks.read_path(path)
    assert call is None or callbacks.read_path(GOOD | path) == call


def test_a_call_made_by_hand_is_refused_not_an_error(world: World) -> None:
    """Text that no header could carry, in a token, is a no."""
    for token in ("", "k1", "k1.", "k1.\ud800", "k1.ключ", "\ud800.x"):
        assert not callbacks.genuine(world, callbacks.Call("runflow", JOB, 1, token))


@pytest.mark.parametrize(
    ("provider", "job", "attempt"),
    [("bria", JOB, 1), ("runflow", "x", 1), ("runflow", JOB, 0), ("runflow", JOB, 100), ("runflow", JOB, -1)],
)
def test_nothing_is_minted_that_could_not_be_read_back(world: World, provider: str, job: str, attempt: int) -> None:
    """A URL that the door would refuse by its form is never handed out."""
    with pytest.raises(ValueError, match="callback URL"):
        callbacks.mint(world, provider, job, attempt)


def test_without_a_base_url_the_job_is_parked(world: World) -> None:
    """A stack that does not know its own address says so."""
    homeless = replace(world, settings=replace(world.settings, callback_base_url=""))
    with pytest.raises(Parked) as caught:
        callbacks.mint(homeless, "runflow", JOB, 1)
    assert caught.value.code == "CALLBACK_URL_MISSING"
    assert "CALLBACK_BASE_URL" in caught.value.action
    assert "no base URL" in caught.value.message


def test_without_keys_nothing_is_minted_and_nothing_let_in() -> None:
    """The door fails closed: with no callback secret both directions park."""
    world = fresh()
    with pytest.raises(Parked):
        callbacks.mint(world, "runflow", JOB, 1)
    with pytest.raises(Parked):
        callbacks.genuine(world, callbacks.Call("runflow", JOB, 1, TOKEN))


def test_tokens_of_the_old_and_the_new_key_are_let_in_after_a_rotation() -> None:
    """A new current key signs new URLs while those of the old one still work."""
    world = make()
    old = called(callbacks.mint(world, "runflow", JOB, 1))
    store(world, {"current": "k2", "k1": KEY, "k2": OTHER})
    later = replace(world, aws=Clients())
    new = called(callbacks.mint(later, "runflow", JOB, 1))
    assert (old["token"][:3], new["token"][:3]) == ("k1.", "k2.")
    assert let_in(later, old)
    assert let_in(later, new)


def test_a_key_id_that_is_not_known_yet_is_looked_up() -> None:
    """An environment that started before the rotation lets in a token of the new key, at once."""
    world = make()
    callbacks.mint(world, "runflow", JOB, 1)
    store(world, {"current": "k2", "k1": KEY, "k2": OTHER})
    assert let_in(world, called(callbacks.mint(replace(world, aws=Clients()), "runflow", JOB, 1)))


def test_a_token_of_a_key_that_was_taken_out_is_refused() -> None:
    """What the removed key signed no longer opens the door."""
    world = make()
    old = called(callbacks.mint(world, "runflow", JOB, 1))
    store(world, {"current": "k2", "k2": OTHER})
    assert let_in(world, old)
    cast("Clock", world.now).seconds += 900
    assert not let_in(world, old)


def test_the_same_key_id_with_another_key_is_refused() -> None:
    """The key counts, not its name."""
    forger = make(current="k1", k1=OTHER)
    assert not let_in(make(), called(callbacks.mint(forger, "runflow", JOB, 1)))


def test_unknown_key_ids_cannot_be_used_to_flood_secrets_manager() -> None:
    """Fifty tokens of invented keys cause two reads of the secret: the first one and one refresh."""
    world = make(Clients())
    reads: list[str] = []
    world.aws.secrets.meta.events.register(
        "before-call.secrets-manager.GetSecretValue", lambda **_: reads.append("read")
    )
    assert not any(let_in(world, {**GOOD, "token": f"x{number}." + "A" * 43}) for number in range(50))
    assert len(reads) == 2


def test_a_known_key_id_never_reads_the_secret_again() -> None:
    """A wrong token of a known key costs one read in all."""
    world = make(Clients())
    reads: list[str] = []
    world.aws.secrets.meta.events.register(
        "before-call.secrets-manager.GetSecretValue", lambda **_: reads.append("read")
    )
    assert not any(let_in(world, GOOD) for _ in range(5))
    assert len(reads) == 1


def test_the_token_shows_in_no_representation() -> None:
    """What a log line would print of a call holds no token."""
    call = callbacks.read_path(GOOD)
    assert call is not None
    assert "AAAA" not in repr(call)
    assert JOB in repr(call)


def test_the_known_providers_are_those_of_the_catalogue() -> None:
    """The door knows every provider that a model may name, and no other."""
    assert {model.provider for model in catalogue.MODELS.values()} == callbacks.PROVIDERS


def test_a_path_is_refused_with_the_standard_library_alone() -> None:
    """Reading a path imports none of what the layer or the runtime brings."""
    code = (
        "import sys; from backdrop import callbacks; callbacks.read_path({'provider': 'x'});"
        "print(sorted({'boto3', 'botocore', 'httpx', 'httpcore', 'pydantic', 'yaml', 'aws_lambda_powertools', 'ssl'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
