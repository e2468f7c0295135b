"""What happens on the wire, and what is known of the request afterwards."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from asking import KEYS, client, request_for
from hostile import identity, serving
from wire import DROPPED, SILENCE, Answer, raw, told

from backdrop.errors import BackdropError, Later, Parked, ProviderFailed, Unknown
from backdrop.providers.base import Accepted
from backdrop.providers.http import session

if TYPE_CHECKING:
    from pathlib import Path

    from asking import Photo
    from wire import Asked, Wire

COLOR, CUT = "runflow/background-color", "backgroundcut/remove-bg"
CHANGE = "imagepipeline/background-change"


def send(wire: Wire, *, paid: bool, seconds: float = 2.0, **options: Any) -> Any:
    """One request to the wire."""
    with session("Someone", wire.url, {"Authorization": "Bearer abc"}) as api:
        return api.send("POST", "/x", paid=paid, seconds=seconds, **options)


LOST = {
    "dropped": DROPPED,
    "closed": Answer(then="close"),
    "cut in the head": Answer(b"HTTP/1.1 200 OK\r\nContent-Le", then="close"),
    "cut in the body": raw(200, b'{"id": "a"', length=900),
    "garbage": Answer(b"\x00\xff\x13\x37 what\r\n\r\n", then="close"),
    "another protocol": Answer(b"SSH-2.0-OpenSSH_9.6\r\n", then="close"),
    "no status": Answer(b"HTTP/1.1 OK\r\n\r\n", then="close"),
    "bad length": Answer(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}", then="close"),
    "bad chunks": Answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", then="close"),
    "endless head": Answer(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 60_000, then="close"),
    "bad redirect": raw(302, b"", "Location: http://[::1"),
    "too large": raw(200, b"x" * 5000),
}


@pytest.mark.parametrize("fault", LOST)
def test_a_paid_request_without_a_usable_answer_is_unknown(wire: Wire, fault: str) -> None:
    """It left, so it may have been accepted."""
    wire.always(LOST[fault])
    with pytest.raises(Unknown) as caught:
        send(wire, paid=True, most=4000)
    assert caught.value.code == "REPLY_LOST"
    assert wire.url not in caught.value.message
    assert len(wire.asked) == 1


@pytest.mark.parametrize("fault", LOST)
def test_a_free_request_without_a_usable_answer_is_later(wire: Wire, fault: str) -> None:
    """Nothing can have been charged: it is asked again."""
    wire.always(LOST[fault])
    with pytest.raises(Later) as caught:
        send(wire, paid=False, most=4000)
    assert caught.value.code == "REPLY_LOST"


@pytest.mark.parametrize(
    ("paid", "leaf"), [pytest.param(True, Unknown, id="paid"), pytest.param(False, Later, id="free")]
)
def test_silence_ends_after_its_time(wire: Wire, paid: bool, leaf: type[BackdropError]) -> None:  # noqa: FBT001 - a row
    """A server that accepts and says nothing is given up."""
    wire.always(SILENCE)
    begun = time.monotonic()
    with pytest.raises(leaf):
        send(wire, paid=paid, seconds=0.2)
    assert time.monotonic() - begun < 3


def test_nobody_listening_is_later(photo: Photo) -> None:
    """A connection that is refused certainly brought nothing: Later, even for a paid POST."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for model, name in ((COLOR, "runflow"), (CUT, "backgroundcut"), (CHANGE, "imagepipeline")):
            with pytest.raises(Later) as caught:
                client(name, url).submit(request_for(model, photo))
            assert caught.value.code == "NOT_REACHED"


def test_a_certificate_that_nobody_vouches_for_is_later(tmp_path: Path) -> None:
    """A handshake that fails brought nothing: Later, and not a byte of the request was sent."""
    known = identity(tmp_path, "127.0.0.1")
    with (
        serving(lambda _: [], tls=known.server) as server,
        session("Someone", f"https://127.0.0.1:{server.port}", {}) as api,
    ):
        with pytest.raises(Later) as caught:
            api.send("POST", "/x", paid=True, seconds=2.0)
        assert server.requests == []
    assert caught.value.code == "NOT_REACHED"


def test_an_unknown_host_is_later() -> None:
    """A name that leads nowhere brought nothing: Later."""
    with session("Someone", "http://no-such-host.invalid", {}) as api, pytest.raises(Later):
        api.send("POST", "/x", paid=True, seconds=2.0)


@pytest.mark.parametrize("url", ["", "api.example.test", "ftp://h.test", "http://", "http://[::1"])
def test_a_base_url_that_is_none_parks(url: str) -> None:
    """A wrong parameter is the operator's to correct; the job waits for it."""
    with pytest.raises(Parked) as caught, session("Someone", url, {}) as api:
        api.send("POST", "/x", paid=True, seconds=1.0)
    assert caught.value.code == "BASE_URL_WRONG"


@pytest.mark.parametrize("key", ["ключ", "line\nbreak", "tab\there", "nul\x00"])
@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_no_header_can_hold_parks(wire: Wire, name: str, key: str) -> None:
    """A key that was pasted badly is the account's matter, and is not shown."""
    with pytest.raises(Parked) as caught:
        client(name, wire.url, key=key).check()
    assert caught.value.code == "KEY_MALFORMED"
    assert key not in str(caught.value)
    assert wire.asked == []


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_a_value_that_json_cannot_hold_fails(wire: Wire, value: Any) -> None:
    """Such a request is not sent."""
    with pytest.raises(ProviderFailed) as caught:
        send(wire, paid=True, body={"x": value})
    assert caught.value.code == "REQUEST_UNSENDABLE"
    assert wire.asked == []


def test_a_refusal_counts_by_its_status_even_when_cut_short(wire: Wire) -> None:
    """The status line of a refusal says enough: its lost or endless body does not make it Unknown."""
    for body in (raw(402, b'{"code"', length=99_999_999), raw(402, b"x" * 300_000)):
        wire.always(body)
        reply = send(wire, paid=True)
        assert reply.status == 402
        assert len(reply.body) <= 100_000


def test_a_compressed_reply_is_not_unfolded(wire: Wire) -> None:
    """A body that was compressed against our asking counts as unreadable."""
    wire.always(raw(200, b"\x1f\x8b" + b"0" * 50, "Content-Encoding: gzip"))
    assert send(wire, paid=True).body == b""
    assert wire.asked[0].headers["accept-encoding"] == "identity"


def test_redirects_are_not_followed(wire: Wire) -> None:
    """The key goes nowhere but to the base URL."""
    wire.always(raw(307, b"", f"Location: {wire.url}/elsewhere"))
    assert send(wire, paid=True).status == 307
    assert [asked.path for asked in wire.asked] == ["/x"]


def test_the_environments_proxies_are_ignored(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says about proxies and netrc does not count."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    wire.always(told(200, {}))
    assert send(wire, paid=True).status == 200


def test_a_base_url_may_have_a_path(wire: Wire) -> None:
    """A gateway's prefix stays, with or without a slash at its end."""
    wire.always(raw(200))
    with session("Someone", f"{wire.url}/gateway/", {}) as api:
        api.send("GET", "/v1/runs", seconds=2.0, params={"q": "a b&c"})
    assert wire.asked[0].target in {"/gateway/v1/runs?q=a+b%26c", "/gateway/v1/runs?q=a%20b%26c"}


def test_each_paid_post_has_a_connection_of_its_own(wire: Wire, photo: Photo) -> None:
    """A kept connection that has gone stale would make the failure of a paid POST ambiguous."""
    wire.always(told(201, {"id": "run-1", "job_id": "job_1", "status_code": "queued", "status": "queued"}))
    for model, name in ((COLOR, "runflow"), (CHANGE, "imagepipeline")):
        provider = client(name, wire.url)
        for _ in range(2):
            assert isinstance(provider.submit(request_for(model, photo)), Accepted)
    assert len({asked.connection for asked in wire.asked}) == 4


def test_backgroundcut_keeps_one_connection(wire: Wire, photo: Photo) -> None:
    """Upload, process and minting go to the server that took the file."""

    def reply(asked: Asked) -> Answer:
        if "upload" in asked.path:
            return told(200, {"success": True})
        if "process" in asked.path:
            return told(200, {"output_keys": [v["output_key"] for v in asked.data["output_variants"]]})
        return told(200, {"url": "https://store.example.test/x?sig=1"})

    wire.answer = reply
    client("backgroundcut", wire.url).submit(request_for(CUT, photo))
    assert [asked.path.rstrip("/").rpartition("/")[2] for asked in wire.asked] == [
        "upload",
        "process",
        "get-public-url",
    ]
    assert len({asked.connection for asked in wire.asked}) == 1
