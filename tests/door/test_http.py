"""The door from outside: the deployed handler behind the embedded gateway, over plain sockets."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from bench import BRIA, picture
from doorway import sign

from backdrop import callbacks
from backdrop.states import State
from backdrop_cli import drivers, stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Street:
    """The running stack with one RUNNING job, whose callback was lost, and the path that it would have called."""

    stack: stack.Stack
    log: Path
    path: str
    good: bytes

    def stored(self) -> dict[str, Any]:
        """Everything that is stored."""
        s3 = self.stack.s3
        told: dict[str, Any] = {"rows": sorted(json.dumps(row, sort_keys=True) for row in self.stack.rows())}
        for bucket in (self.stack.input_bucket, self.stack.output_bucket, self.stack.staging_bucket):
            told[bucket] = [
                (one["Key"], one["VersionId"]) for one in s3.list_object_versions(Bucket=bucket).get("Versions", [])
            ]
        url = self.stack.queue_url("WorkQueue")
        counts = self.stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return told | {"messages": sum(int(n) for name, n in counts.items() if name.startswith("ApproximateNumber"))}

    def send(self, request: bytes) -> tuple[int, Any]:
        """Send bytes over a connection of their own; status and body of what comes back."""
        parts = urlsplit(self.stack.callback_url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
            with suppress(OSError):  # refused before it was read, so the sender may see the connection go
                connection.sendall(request)
            received = b""
            with suppress(OSError):
                while data := connection.recv(65_536):
                    received += data
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), json.loads(body or b"null")

    def post(
        self, body: bytes, *headers: bytes, path: str = "", method: str = "POST", length: int | None = None
    ) -> bytes:
        """A request, as raw as it is sent."""
        size = len(body) if length is None else length
        lines = [
            f"{method} {path or self.path} HTTP/1.1".encode(),
            b"Host: localhost",
            b"Connection: close",
            f"Content-Length: {size}".encode(),
            *headers,
        ]
        return b"\r\n".join([*lines, b"", b""]) + body

    def signed(self, body: bytes, *headers: bytes, **more: Any) -> bytes:
        """A request that Runflow signed."""
        return self.post(body, f"Runflow-Signature: {sign(body)['Runflow-Signature'][0]}".encode(), *headers, **more)


@pytest.fixture
def street(_aws: Any, _sandbox: str, tmp_path: Path) -> Iterator[Street]:
    """The deployed functions on a stack of their own that nothing drives, and one job."""
    log = tmp_path / "log.jsonl"
    httpx.put(f"{_sandbox}/_sandbox/trouble", json={"callback_lost": True}, trust_env=False).raise_for_status()
    with stack.running(sandbox_url=_sandbox, endpoint_url=_aws.place.endpoint_url, drive=False, log=log) as made:
        made.drop("a.png", picture())
        made.drop("a.png.json", json.dumps(BRIA).encode())
        submit = made.functions["SubmitFunction"]
        (source,) = submit.function.queues
        while drivers.drain(made.sqs, made.queue_url("DropQueue"), source, submit, region="eu-central-1", wait=0):
            pass
        (job,) = made.jobs()
        assert job.state is State.RUNNING
        _ended(_sandbox)
        url = callbacks.mint(made.world, "runflow", job.job_id, 1)
        good = json.dumps({"event": "run.completed", "run_id": job.run_id, "status": "succeeded"}).encode()
        yield Street(made, log, urlsplit(url).path, good)
    httpx.post(f"{_sandbox}/_sandbox/reset", trust_env=False).raise_for_status()


def _ended(sandbox: str) -> None:
    """Wait until the run has ended at the provider: a callback that is believed is one that it confirms."""
    until = time.monotonic() + 30
    while httpx.get(f"{sandbox}/_sandbox/status", trust_env=False).json()["working"]:
        assert time.monotonic() < until
        time.sleep(0.05)


def requests(street: Street) -> dict[str, bytes]:
    """What nobody should send, by name."""
    good, path = street.good, street.path
    head, _, token = path.rpartition("/")
    signature = sign(good)["Runflow-Signature"][0].encode()
    return {
        "unsigned": street.post(good),
        "signed twice": street.signed(good, b"Runflow-Signature: " + signature),
        "signed in two spellings": street.post(good, b"runflow-signature: 0", b"RUNFLOW-SIGNATURE: " + signature),
        "a folded header": street.post(good, b"Runflow-Signature:\r\n " + signature[:32] + b"\r\n " + signature[32:]),
        "bytes in a header": street.post(good, b"Runflow-Signature: \xff\xfe\x00\x80"),
        "a header without a name": street.post(good, b": x", b"Runflow-Signature: " + signature[:-1]),
        "a line that is no header": street.post(good, b"hello", b"Runflow-Signature: " + signature),
        "ninety headers": street.post(good, *[b"X-%d: %s" % (n, b"y" * 500) for n in range(90)]),
        "no body": street.post(b""),
        "not UTF-8": street.signed(b'{"event": "\xff\xfe"}'),
        "binary": street.signed(bytes(range(256)), b"Content-Type: application/octet-stream"),
        "not JSON": street.signed(b"event=run.completed", b"Content-Type: application/x-www-form-urlencoded"),
        "deep JSON": street.signed(b'{"a":' * 100_000),
        "5 MB": street.signed(good + b" " * (5_000_001 - len(good))),
        "5 MB in base64": street.signed(b"\xff" * 4_800_000),
        "7 MB": street.signed(b"x" * 7_000_000),
        "more than 10 MB": street.post(b"x" * 100_000, length=10_000_001),
        "chunked": street.post(good, b"Transfer-Encoding: chunked", b"Runflow-Signature: " + signature),
        "a negative length": street.post(good, length=-1),
        "no token": street.signed(good, path=head),
        "an empty token": street.signed(good, path=f"{head}/"),
        "a wrong token": street.signed(good, path=f"{head}/k1.{'A' * 43}"),
        "a token with a NUL": street.signed(good, path=f"{path}%00"),
        "a token with a line end": street.signed(good, path=f"{path}%0a"),
        "a token that is no UTF-8": street.signed(good, path=f"{head}/%ff%fe{token}"),
        "another attempt": street.signed(good, path=path.replace(f"/1/{token}", f"/2/{token}")),
        "an unknown provider": street.signed(good, path=path.replace("/runflow/", "/bria/")),
        "another provider": street.signed(good, path=path.replace("/runflow/", "/imagepipeline/")),
        "a longer path": street.signed(good, path=f"{path}/more"),
        "a token in the query": street.signed(good, path=f"{head}?token={token}"),
        **{
            method: street.signed(good, method=method)
            for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
        },
    }


def test_whatever_comes_over_http_is_a_4xx_of_one_shape(street: Street) -> None:
    """Duplicate and garbage headers, non-UTF-8, 5 MB and more, wrong method, unknown provider: 4xx, nothing written.

    What API Gateway answers before the function (no such route, too long) has the shape of the function's answers.
    """
    before = street.stored()
    answers = {name: street.send(request) for name, request in requests(street).items()}
    assert {name: status for name, (status, _) in answers.items() if not 400 <= status < 500} == {}
    assert {name for name, (_, told) in answers.items() if told and set(told) != {"status"}} == set()
    assert {answers[name][1]["status"] for name in ("GET", "no token", "7 MB", "chunked")} == {"refused"}
    assert answers["5 MB"] == (413, {"status": "too large"})
    assert answers["not UTF-8"] == answers["deep JSON"] == (400, {"status": "malformed"})
    assert (
        answers["a wrong token"]
        == answers["unsigned"]
        == answers["an unknown provider"]
        == (401, {"status": "refused"})
    )
    assert street.stored() == before
    assert "invocation raised" not in street.log.read_text()
    assert street.send(street.signed(street.good)) == (
        200,
        {"status": "taken"},
    )  # what was refused was refused for cause
    assert [job.state for job in street.stack.jobs()] == [State.SUCCEEDED]
