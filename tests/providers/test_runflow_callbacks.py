"""Runflow's callbacks: whose word is taken, what it says, and what is no callback at all."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from asking import SECRET
from hypothesis import given, settings
from hypothesis import strategies as st

from backdrop.providers import registry
from backdrop.providers.base import Callback, Failed, Forged, Malformed, Output, Running, Succeeded

EVENTS = Path(__file__).resolve().parents[2] / "events" / "providers"
COMPLETED = (EVENTS / "runflow-callback-completed.json").read_bytes().rstrip(b"\n")
VECTOR = "6ad17abc491af88dde2657d727bc47323ea802e99c9c5b5cab1359dffccf08be"
RUN = "0197f3a2-6c1e-7b44-9d0a-3f5e2c8a1b60"
URL = "https://files.example.test/out/0.png"


def read(body: bytes, *secrets: str, **headers: str) -> Callback:
    """Read a body under some secrets; header names as keywords."""
    provider = registry.make("runflow", base_url="http://h.test", key="rf_live_x", callback_secrets=secrets)
    return provider.read_callback(body, {name.replace("_", "-"): value for name, value in headers.items()})


def signed(value: Any, secret: str = SECRET, **headers: str) -> Callback:
    """Sign a body and read it."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return read(body, SECRET, runflow_signature=signature, **headers)


def callback(event: str = "run.completed", status: str | None = "succeeded", **fields: Any) -> dict[str, Any]:
    """A callback's JSON."""
    return {"event": event, "run_id": RUN, "status": status, "output": None, "duration_ms": 18342, **fields}


def test_the_documented_vector() -> None:
    """The page's key, body and signature (runflow.md, section 4.2) fit; its outcome is taken."""
    found = read(COMPLETED, "whsec_test_1234", runflow_signature=VECTOR, runflow_request_id="req_1")
    assert found == Callback(
        RUN, Succeeded((Output(URL),), {"status": "succeeded", "duration_ms": 18342}), trusted=True, request_id="req_1"
    )


def test_a_signature_over_reserialised_json_is_forged() -> None:
    """The raw bytes are signed: the same JSON written differently has another signature."""
    rewritten = json.dumps(json.loads(COMPLETED)).encode()
    other = hmac.new(b"whsec_test_1234", rewritten, hashlib.sha256).hexdigest()
    assert other.startswith("c39f6531")
    with pytest.raises(Forged):
        read(COMPLETED, "whsec_test_1234", runflow_signature=other)
    with pytest.raises(Forged):
        read(rewritten, "whsec_test_1234", runflow_signature=VECTOR)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "0" * 64,
        VECTOR.upper(),
        VECTOR + "0",
        VECTOR[:-1],
        f"sha256={VECTOR}",
        f"v1,{VECTOR}",
        f"{VECTOR},{VECTOR}",
        f" {VECTOR}",
        f"{VECTOR}é",
        f"{VECTOR}\n",
        "é" * 64,
        "\uff10" * 64,
    ],
)
def test_a_wrong_or_missing_signature_is_forged(signature: str) -> None:
    """With a secret configured nothing unsigned, wrongly signed or oddly spelt passes."""
    with pytest.raises(Forged):
        read(COMPLETED, "whsec_test_1234", runflow_signature=signature)


def test_a_missing_header_is_forged() -> None:
    """No header at all is refused as a wrong one is."""
    with pytest.raises(Forged):
        read(COMPLETED, "whsec_test_1234")


def test_any_of_several_secrets_may_sign() -> None:
    """During a rotation both the old secret and the new one are good, and no third."""
    for secret in ("whsec_old", "whsec_new", "whsec_other"):
        signature = hmac.new(secret.encode(), COMPLETED, hashlib.sha256).hexdigest()
        if secret == "whsec_other":
            with pytest.raises(Forged):
                read(COMPLETED, "whsec_old", "whsec_new", runflow_signature=signature)
        else:
            assert read(COMPLETED, "whsec_old", "whsec_new", runflow_signature=signature).trusted


def test_an_empty_secret_signs_nothing() -> None:
    """An empty entry in the list of secrets is no secret that anybody could sign with."""
    empty = hmac.new(b"", COMPLETED, hashlib.sha256).hexdigest()
    with pytest.raises(Forged):
        read(COMPLETED, "", "whsec_new", runflow_signature=empty)
    assert not read(COMPLETED, "", runflow_signature=empty).trusted


def test_without_secrets_a_callback_is_a_hint() -> None:
    """Nobody can prove it, so its outcome is to be asked for."""
    assert not read(COMPLETED).trusted
    assert not read(COMPLETED, runflow_signature=VECTOR).trusted


@pytest.mark.parametrize("status", ["cancelled", "canceled"])
@pytest.mark.parametrize("event", ["run.cancelled", "run.canceled"])
def test_both_spellings_of_cancelled(event: str, status: str) -> None:
    """Event and status may spell it differently; it is final."""
    found = signed(callback(event, status))
    assert found.trusted
    assert isinstance(found.outcome, Failed)
    assert (found.outcome.code, found.outcome.retryable) == ("RUN_CANCELLED", False)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("run.partial_succeeded", "partial_succeeded"),
        ("run.partial_succeeded", "succeeded"),
        ("run.completed", "partial_succeeded"),
        ("run.completed", "succeeded"),
        ("run.completed", None),
    ],
)
def test_partial_success_is_success(event: str, status: str | None) -> None:
    """What it did make is taken."""
    found = signed(callback(event, status, output={"image_urls": [URL]}))
    assert found.trusted
    assert isinstance(found.outcome, Succeeded)
    assert found.outcome.outputs == (Output(URL),)


def test_a_sync_callback_brings_its_media() -> None:
    """A data URI in the callback is the picture, and says its format."""
    output = {
        "outputs": [{"url": "data:image/png;base64,AA==", "type": "image", "width": 3, "height": 2}],
        "nsfw_detected": False,
        "seed": None,
        "timing": {"inference_ms": 910},
    }
    found = signed(callback(output=output))
    assert found.trusted
    assert isinstance(found.outcome, Succeeded)
    assert found.outcome.outputs == (Output("data:image/png;base64,AA==", "png"),)
    assert found.outcome.facts == {
        "status": "succeeded",
        "duration_ms": 18342,
        "nsfw_detected": False,
        "seed": None,
        "timing": {"inference_ms": 910},
        "outputs": [{"type": "image", "width": 3, "height": 2}],
    }


def test_a_failure_with_its_reason_is_taken() -> None:
    """One documented shape of a failure's output is an error envelope: it says all there is to know."""
    output = {"code": "MODEL_UNAVAILABLE", "message": "down", "errors": None}
    found = signed(callback("run.failed", "failed", output=output))
    assert found.trusted
    assert isinstance(found.outcome, Failed)
    assert found.outcome.retryable
    assert "MODEL_UNAVAILABLE" in found.outcome.message
    assert "down" in found.outcome.message


@pytest.mark.parametrize(
    ("event", "status", "output"),
    [
        pytest.param("run.failed", "failed", None, id="failure without a reason"),
        pytest.param("run.failed", "failed", {}, id="failure with an empty reason"),
        pytest.param("run.completed", "succeeded", None, id="success without media"),
        pytest.param("run.completed", "succeeded", {"outputs": []}, id="success with no outputs"),
    ],
)
def test_a_signed_callback_that_leaves_something_to_ask_is_a_hint(event: str, status: str, output: Any) -> None:
    """The reason of a failure stands in the run's record only, and so may a picture: the run is read."""
    found = signed(callback(event, status, output=output))
    assert not found.trusted
    assert isinstance(found.outcome, Failed | Running)
    assert found.run_id == RUN


@pytest.mark.parametrize(
    "value",
    [
        callback("run.completed", "failed"),
        callback("run.failed", "succeeded"),
        callback("run.cancelled", "failed"),
        callback("run.started", "running"),
        callback("batch.succeeded", "succeeded", batch_id=RUN, run_id=None),
        callback("batch.succeeded", "succeeded"),
        callback(run_id=None),
        callback(run_id=7),
        callback(run_id="../../admin"),
        callback(run_id="x" * 201),
        {**callback(), "event": None},
        {**callback(), "event": ["run.completed"]},
        {},
        [],
        None,
        7,
        b"",
        b"not json",
        b"\xff\xfe{}",
        b"[" * 200_000,
        b'{"event": "run.completed", "run_id": NaN}',
    ],
)
def test_what_is_no_callback_is_malformed(value: Any) -> None:
    """Even signed: events of batches, contradictions, ids that could leave their place in a path, and no JSON."""
    with pytest.raises(Malformed) as caught:
        signed(value)
    assert "admin" not in str(caught.value)


def test_the_signature_is_checked_before_the_body_is_read() -> None:
    """A forger learns nothing about what would be malformed."""
    with pytest.raises(Forged):
        read(b"not json", SECRET, runflow_signature="0" * 64)


@pytest.mark.parametrize(
    ("header", "request_id"),
    [("req_0197f3a2example", "req_0197f3a2example"), ("a\nb\x00", "a b"), ("x" * 500, "x" * 99 + "…"), ("", "")],
)
def test_the_request_id_is_fit_for_a_log(header: str, request_id: str) -> None:
    """Printable and bounded."""
    assert signed(callback(output={"url": URL}), runflow_request_id=header).request_id == request_id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["event", "run_id", "status", "output", "outputs", "url"]), inner, max_size=6)
    ),
    max_leaves=10,
)
EVENT = st.sampled_from(["run.completed", "run.failed", "run.cancelled", "run.partial_succeeded"])


@settings(deadline=None, max_examples=60)
@given(value=JSON, event=EVENT, body=st.binary(max_size=100))
def test_any_signed_body_is_a_callback_or_malformed(value: Any, event: str, body: bytes) -> None:
    """Whatever is signed, it ends in a callback or in Malformed."""
    whole = {**value, "event": event, "run_id": RUN} if isinstance(value, dict) else value
    for one in (whole, body):
        try:
            found = signed(one)
        except Malformed:
            continue
        assert found.run_id == RUN
        json.dumps(dict(found.outcome.facts), allow_nan=False)


@settings(deadline=None, max_examples=60)
@given(body=st.binary(max_size=200), signature=st.text(max_size=70))
def test_nothing_unsigned_passes(body: bytes, signature: str) -> None:
    """Without the secret no body and no signature is let in."""
    with pytest.raises(Forged):
        read(body, SECRET, runflow_signature=signature)


def test_a_callback_is_read_without_an_http_client() -> None:
    """The webhook's cold start does not pay for one."""
    code = (
        "import sys; from backdrop.providers import registry;"
        "p = registry.make('runflow', base_url='http://h.test', key='k');"
        'p.read_callback(b\'{"event": "run.cancelled", "run_id": "r", "status": "cancelled"}\', {});'
        "print(sorted({'httpx', 'boto3', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
