"""`backdrop check`: what is well is said to be, what is not is said with what to do, and harms nothing else."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from bench import PROVIDER_KEYS
from checked import SECRETS, amiss, check, stand_beside
from typer.testing import CliRunner

from backdrop_cli.main import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backdrop_cli.stack import Stack

pytestmark = pytest.mark.usefixtures("_at_the_laptop")


# --- On a laptop -----------------------------------------------------------------------------------------------------


def test_a_laptop_in_order_is_well(laptop: Stack) -> None:
    """Keys that the providers take, a door that refuses a forged call and a notification: exit status 0."""
    told = check(laptop.template.place.stack, status=0)
    assert told["stack"]["verdict"] == "unused"
    assert {what for what, one in told.items() if one["verdict"] == "good"} == {
        "provider secret",
        "runflow signatures",
        "callback secret",
        "runflow key",
        "backgroundcut key",
        "imagepipeline key",
        "callback URL",
        "bucket notification",
    }
    assert "balance" in told["runflow key"]["message"]
    shown = CliRunner().invoke(app, ["check", "--stack", laptop.template.place.stack])
    assert shown.exit_code == 0
    assert "All is well." in shown.stdout
    assert not [secret for secret in SECRETS if secret in shown.output]


@pytest.fixture
def put(laptop: Stack) -> Iterator[Callable[[Any], None]]:
    """Puts something else into the provider secret, for one test."""
    client = boto3.client("secretsmanager", endpoint_url=laptop.endpoint_url)
    secret = laptop.template.name("ProviderSecret")

    def write(value: Any) -> None:
        client.put_secret_value(SecretId=secret, SecretString=value if isinstance(value, str) else json.dumps(value))

    yield write
    write(PROVIDER_KEYS)


def test_a_refused_key_is_told_apart_from_the_others(laptop: Stack, put: Callable[[Any], None]) -> None:
    """One provider's refusal is one line with what to do; it neither hides the others nor shows the key."""
    put(PROVIDER_KEYS | {"imagepipeline_api_key": "ip_live_of_somebody_else"})
    told = check(laptop.template.place.stack, status=3)
    assert amiss(told) == {"imagepipeline key"}
    assert "refuses the API key" in told["imagepipeline key"]["message"]
    assert "provider secret" in told["imagepipeline key"]["action"]
    shown = CliRunner().invoke(app, ["check", laptop.template.place.stack])
    assert "! imagepipeline key: put a valid" in shown.stdout
    assert "ip_live_of_somebody_else" not in shown.output


def test_a_provider_that_is_not_used_is_no_mistake(laptop: Stack, put: Callable[[Any], None]) -> None:
    """A key that is not there is told and is well, as long as there is another; without a signing secret likewise."""
    put({"runflow_api_key": "rf_live_sandbox", "backgroundcut_api_key": "", "runflow_callback_secrets": [""]})
    told = check(laptop.template.place.stack, status=0)
    unused = {what for what, one in told.items() if one["verdict"] == "unused"}
    assert unused == {"stack", "backgroundcut key", "imagepipeline key", "runflow signatures"}


@pytest.mark.parametrize(
    ("value", "what", "message"),
    [
        ({}, "provider secret", "holds no key of any provider"),
        (
            PROVIDER_KEYS | {"backgroundcut_api_key": "..."},
            "provider secret",
            "a placeholder for backgroundcut_api_key",
        ),
        (PROVIDER_KEYS | {"backgroundcut_api_key": "<key>"}, "provider secret", "a placeholder for backgroundcut"),
        (PROVIDER_KEYS | {"backgroundcut_api_key": "…"}, "provider secret", "not printable ASCII"),
        (PROVIDER_KEYS | {"runflow_callback_secrets": ["your-secret"]}, "runflow signatures", "placeholder"),
        ("not JSON", "provider secret", "it is not JSON"),
    ],
)
def test_what_the_secret_lacks_is_told(
    laptop: Stack, put: Callable[[Any], None], value: Any, what: str, message: str
) -> None:
    """A secret without keys, with placeholders or in another form is told with what to put there."""
    put(value)
    told = check(laptop.template.place.stack, status=3)
    assert what in amiss(told)
    assert message in told[what]["message"]


# --- The door --------------------------------------------------------------------------------------------------------


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that answers every POST alike; gives its origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b'{"status": "accepted"}', "does not refuse a forged call, it answers 200"),
        (302, b"", "does not refuse a forged call, it answers 302"),
        (403, b'{"message": "Forbidden"}', "not in webhook's own words"),
        (401, b"<html>log in</html>", "not in webhook's own words"),
        (502, b'{"status": "unavailable"}', "answers a forged call with 502"),
    ],
)
@pytest.mark.usefixtures("_nothing_simulated")
def test_a_door_that_is_not_the_webhooks_is_told(laptop: Stack, status: int, body: bytes, message: str) -> None:
    """Whatever else answers at the callback URL is wrong: what lets in anybody, and what lets in nobody."""
    with answering(status, body) as url:
        told = _door(laptop, url)
    assert message in told["message"]
    assert told["action"]


@pytest.mark.usefixtures("_nothing_simulated")
def test_a_door_that_nobody_opens_is_told(laptop: Stack) -> None:
    """A callback URL that cannot be reached from here is wrong, with the URL that providers would call."""
    told = _door(laptop, "http://127.0.0.1:9")
    assert "could not be reached" in told["message"]
    assert "http://127.0.0.1:9" in told["action"]


def _door(laptop: Stack, url: str) -> dict[str, str]:
    told = check(stand_beside(laptop, url).name, status=3)
    assert told["callback URL"]["verdict"] == "wrong"
    return told["callback URL"]
