"""The sandbox as a service: starting and stopping, its own routes, its page, and what it will fetch."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from desk import NO_TLS, RUNFLOW, Desk, Ground

from backdrop_cli.sandbox.__main__ import main
from backdrop_cli.sandbox.accounts import digest_of, read_accounts
from backdrop_cli.sandbox.images import origin_of, takes
from backdrop_cli.sandbox.ledger import body_digest, callback_reference, redact
from backdrop_cli.sandbox.server import running


def test_the_page_shows_runs_before_and_after(desk: Desk) -> None:
    """Recent runs stand on it with model, status, price and two thumbnails; client text is escaped."""
    assert "No runs yet" in desk.http.get("/").text
    run = desk.create(client_ref="<b>bold</b>").json()["id"]
    desk.ended(run)
    desk.upload()
    desk.process()
    desk.job_ended(desk.post_job(input_image=f"{desk.ground.origin}/text.txt").json()["job_id"])
    page = desk.http.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for text in ("runflow/background-color", "backgroundcut/remove-bg", "succeeded", "$0.12", "0.50 credits"):
        assert text in page.text
    assert "INPUT_INVALID" in page.text
    assert "&lt;b&gt;bold" in page.text
    assert "<b>bold" not in page.text
    sources = re.findall(r'<img src="([^"]+)"', page.text)
    assert len(sources) == 4
    for source in sources:
        picture = desk.http.get(source)
        assert picture.content[8:12] == b"WEBP"
        assert len(picture.content) < 20_000
    assert not re.search(r'(src|href)="https?:', page.text)
    assert desk.http.get("/_sandbox/page").text in page.text
    assert desk.http.get("/_sandbox/thumbnails/none/before.webp").status_code == 404
    assert desk.http.get(f"/_sandbox/thumbnails/{run}/other.webp").status_code == 404


def test_the_page_tells_the_trouble_in_force(desk: Desk) -> None:
    """Switches that are on are named, with how often they have happened."""
    assert "No trouble is switched on" in desk.http.get("/").text
    desk.sandbox.trouble(rate_limited=1)
    desk.create()
    assert "<code>rate_limited &times; 1</code>" in desk.http.get("/").text


def test_the_page_stays_short(desk: Desk) -> None:
    """However many runs there were, the page keeps the last sixty."""
    desk.sandbox.trouble(run_stuck=True)
    batch = {"input": [desk.color_input()] * 65}
    desk.http.post("/v1/models/runflow/background-color/batches", headers=RUNFLOW, json=batch)
    assert desk.http.get("/").text.count('<article class="run">') == 60


def test_requests_are_remembered_without_secrets(desk: Desk) -> None:
    """Each request to a provider's route is one entry with its status; the sandbox's own are none."""
    desk.create(callback_url=desk.hook, metadata={"a": 1})
    desk.http.get("/v1/runs/none", headers={**RUNFLOW, "idempotency-key": "k"})
    first, second = desk.sandbox.requests()
    assert (first["method"], first["path"], first["status"], first["provider"], first["kind"]) == (
        *("POST", "/v1/models/runflow/background-color/runs", 201, "runflow", "submit"),
    )
    assert first["route"] == "/v1/models/{model:path}/runs"
    assert first["body"]["metadata"] == {"a": 1}
    assert first["body"]["input"]["image_url"] == f"{desk.ground.origin}/photo.png?…"
    assert first["authorization"] == f"digest:{digest_of(RUNFLOW['authorization'])}"
    assert (second["status"], second["idempotency_key"], second["body"]) == (404, "k", None)


def test_a_repost_has_the_digest_of_the_first_post(desk: Desk) -> None:
    """Presigned queries differ from post to post: the ledger's digest does not see them, but sees other fields."""
    for query, red in (("X=1", 1), ("X=2", 1), ("X=2", 2)):
        desk.create(given=desk.color_input(image_url=f"{desk.ground.origin}/photo.png?{query}", color_red=red))
    first, second, third = (entry["digest"] for entry in desk.sandbox.ledger()["entries"])
    assert first == second != third


def test_redaction() -> None:
    """Queries, credentials in URLs, callback tokens, data URIs and named secrets are taken out; the rest is kept."""
    given = {
        "image_url": "https://user:pw@s3.test/a.png?X-Amz-Signature=1#f",
        "callback_url": "https://h.test/callbacks/runflow/job/1/token",
        "inline": "data:image/png;base64,AAAA",
        "plain_secret": "whsec_x",
        "deep": {"list": ["x" * 600, 1, None, True]},
        "broken": "http://[::1/x",
    }
    kept = redact(given)
    assert kept["image_url"] == "https://s3.test/a.png?…"
    assert kept["callback_url"] == f"https://h.test/callbacks/runflow/job/1/digest:{digest_of('token')}"
    assert kept["inline"] == "data:image/png;base64,… (26 characters)"
    assert kept["plain_secret"] == f"digest:{digest_of('whsec_x')}"
    assert kept["deep"]["list"] == ["x" * 500, 1, None, True]
    assert kept["broken"] == "…"
    assert callback_reference(given["callback_url"]) == "/callbacks/runflow/job/1"  # type: ignore[arg-type] # a string
    assert callback_reference("") == ""
    assert body_digest(given) == body_digest({**given, "image_url": "https://s3.test/a.png?other"})


def test_reset_begins_anew(desk: Desk) -> None:
    """Runs, ledger, requests, files, trouble, clock and balances are as at the start."""
    run = desk.create().json()["id"]
    url = desk.ended(run)["output"]["image_urls"][0]
    desk.sandbox.trouble(callback_lost=True)
    desk.sandbox.advance(10)
    desk.sandbox.reset()
    assert desk.run(run)["code"] == "RUN_NOT_FOUND"
    assert desk.http.get(url).status_code == 404
    assert desk.sandbox.ledger()["count"] == 0
    assert desk.http.get("/_sandbox/trouble").json()["fired"] == {}
    assert desk.sandbox.status()["balances"]["runflow org_sandbox"] == "10000"
    assert desk.http.post("/_sandbox/clock", json={"seconds": -1}).status_code == 422
    assert desk.http.post("/_sandbox/clock", content=b"{").status_code == 400
    assert desk.http.get("/_sandbox/nothing").json() == {"detail": "Not found."}


def test_the_clock_can_be_injected(web: Ground) -> None:
    """Records, expiries and deletions follow the clock that the sandbox was given."""
    now = [1_700_000_000.0]
    with (
        running(image_origins=[web.origin], clock=lambda: now[0]) as sandbox,
        httpx.Client(base_url=sandbox.url, trust_env=False, verify=NO_TLS) as http,
    ):
        desk = Desk(sandbox, web, http)
        assert desk.create().json()["created_at"] == "2023-11-14T22:13:20.000000Z"
        desk.upload()
        url = desk.public_url("in/photo.png").json()["url"]
        assert http.get(url).status_code == 200
        now[0] += 901
        assert http.get(url).status_code == 403
        now[0] += 7200
        assert desk.process().status_code == 404


def test_nothing_is_left_after_stopping(web: Ground) -> None:
    """The threads and the port are gone, though a run was at work and a callback was waiting."""
    before = set(threading.enumerate())
    with (
        running(image_origins=[web.origin]) as sandbox,
        httpx.Client(base_url=sandbox.url, trust_env=False, verify=NO_TLS) as http,
    ):
        desk = Desk(sandbox, web, http)
        sandbox.trouble(callback_late={"seconds": 600})
        desk.ended(desk.create(callback_url=desk.hook).json()["id"])
        sandbox.trouble(slow_run={"ms": 600_000})
        desk.create()
    until = time.monotonic() + 10  # a helper of the event loop ends when it has read that it shall
    while (left := set(threading.enumerate()) - before) and time.monotonic() < until:
        time.sleep(0.02)
    assert left == set()
    with pytest.raises(httpx.ConnectError):
        httpx.get(sandbox.url, trust_env=False, verify=NO_TLS)


def test_a_taken_port_is_told() -> None:
    """OSError, at once."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        running(port=taken.getsockname()[1]).__enter__()


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("http://127.0.0.1:9000/a.png", True),
        ("http://127.0.0.1:9001/a.png", False),
        ("http://localhost:9000/a.png", False),
        ("http://127.0.0.1:9000@evil.test/a.png", False),
        ("https://example.test/a.png", True),
        ("https:///a.png", False),
        ("ftp://127.0.0.1:9000/a.png", False),
        ("http://[::1", False),
    ],
)
def test_plain_http_inputs_come_from_the_named_origins_only(url: str, *, good: bool) -> None:
    """Http from the exact origins, https from anywhere, nothing else."""
    assert takes(url, ["http://127.0.0.1:9000"]) == good
    assert origin_of("https://example.test/") == "https://example.test:443"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1"])
def test_https_inputs_come_from_public_addresses_only(desk: Desk, host: str) -> None:
    """A private, loopback or link-local address is not connected to: the run fails as invalid."""
    run = desk.create(given=desk.color_input(image_url=f"https://{host}/a.png")).json()["id"]
    record = desk.ended(run)
    assert record["failure_code"] == "INPUT_INVALID"
    assert "public address" in record["failure_message"]


def test_accounts_are_read_from_json() -> None:
    """Fields are those of Account; unknown ones, wrong ones and other providers are refused by name."""
    (account,) = read_accounts([{"provider": "runflow", "key": "k", "org": "o", "callback_secrets": ["s"]}])
    assert account.callback_secrets == ("s",)
    assert account.balance == 10_000
    assert "'k'" not in repr(account)
    for wrong in ({"provider": "other"}, {"colour": 1}, {"balance": "much"}):
        with pytest.raises(ValueError, match="account 0"):
            read_accounts([{"provider": "runflow", "key": "k", "org": "o", **wrong}])


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The sandbox as a process of its own."""
    command = [sys.executable, "-m", "backdrop_cli.sandbox", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_process_tells_its_url_and_ends_well(tmp_path: Path, how: signal.Signals) -> None:
    """It prints one line when it is ready, serves the accounts of its file, and ends with status 0, its folder gone."""
    accounts = tmp_path / "accounts.json"
    accounts.write_text(json.dumps([{"provider": "runflow", "key": "rf_live_mine", "org": "mine"}]))
    folder = tmp_path / "temporary"
    folder.mkdir()
    os.environ["TMPDIR"] = str(folder)
    try:
        with process("--accounts", str(accounts), "--image-origin", "http://127.0.0.1:9") as started:
            assert started.stdout is not None
            line = started.stdout.readline()
            assert line.startswith("sandbox ready at http://127.0.0.1:")
            url = line.split()[-1]
            mine = {"authorization": "Bearer rf_live_mine"}
            assert httpx.get(f"{url}/v1/auth/me", headers=mine, verify=NO_TLS).json()["org_id"] == "mine"
            assert httpx.get(f"{url}/v1/auth/me", headers=RUNFLOW, verify=NO_TLS).status_code == 401
            started.send_signal(how)
            assert started.wait(10) == 0
    finally:
        del os.environ["TMPDIR"]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--help"], 0, "--image-origin"),
        (["--port", "x"], 2, "invalid int"),
        (["--port", "99999"], 2, "sandbox: "),
        (["--accounts", "nowhere.json"], 2, "nowhere.json"),
        (["--accounts", __file__], 2, "sandbox: "),
    ],
)
def test_the_command_line_helps(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    """--help tells the options; a wrong argument ends with status 2 and a sentence."""
    try:
        ended: object = main(arguments)
    except SystemExit as left:
        ended = left.code
    told = capsys.readouterr()
    assert ended == status
    assert said in told.out + told.err


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/moved/photo.png", "INPUT_FETCH_FAILED", "answered 302"),
        ("/missing.png", "INPUT_FETCH_FAILED", "answered 404"),
        ("/large.png", "INPUT_INVALID", "too large"),
    ],
)
def test_inputs_are_fetched_within_bounds(desk: Desk, path: str, code: str, said: str) -> None:
    """No redirect is followed, an error status is told, and what is too large is not read to its end."""
    desk.ground.files["/large.png"] = bytes(60_000_001)
    run = desk.create(given=desk.color_input(image_url=f"{desk.ground.origin}{path}")).json()["id"]
    record = desk.ended(run)
    del desk.ground.files["/large.png"]
    assert record["failure_code"] == code
    assert said in record["failure_message"]


def test_an_origin_that_is_down_fails_the_run(web: Ground) -> None:
    """A refused connection is a failed fetch, named by its kind."""
    with (
        running(image_origins=["http://127.0.0.1:9"]) as sandbox,
        httpx.Client(base_url=sandbox.url, trust_env=False, verify=NO_TLS) as http,
    ):
        desk = Desk(sandbox, web, http)
        run = desk.create(given=desk.color_input(image_url="http://127.0.0.1:9/a.png")).json()["id"]
        record = desk.ended(run)
    assert record["failure_code"] == "INPUT_FETCH_FAILED"
    assert "ConnectError" in record["failure_message"]
