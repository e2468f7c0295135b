"""The deployed system in pieces, with a relay on every wire between them.

Each function is a process of its own with the template's environment, the sandbox another; the gateway and the drivers
of the queues run here.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import boto3
import httpx
from bench import ROOT
from eavesdropping import Secrets, written_to_aws
from tap import Tap, tapping

from backdrop_cli import aws, drivers, listener
from backdrop_cli import template as templates
from backdrop_cli.lambdas import Lambda, Raised, logging_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from backdrop_cli.parts import Function, Template

QUICK = {
    "LogLevel": "DEBUG",
    "PairingSeconds": "0",
    "DropBatchingSeconds": "0",
    "NoSpecSeconds": "1",
    "PollAfterSeconds": "30",
    "HoldRetrySeconds": "86400",
    "PatienceSeconds": "60",
}


@dataclass
class Remote:
    """A function in a process of its own; stands for `lambdas.Lambda` towards listener and drivers."""

    function: Function
    process: subprocess.Popen[str]
    replies: Any
    ahead: list[float]
    invocations: list[str] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def order(self, **told: Any) -> dict[str, Any]:
        """Send one order; the answer."""
        assert self.process.stdin
        with self.guard:
            self.process.stdin.write(json.dumps({**told, "ahead": self.ahead[0]}) + "\n")
            self.process.stdin.flush()
            answer: dict[str, Any] = json.loads(self.replies.readline())
            self.invocations.append(json.dumps(answer))
            return answer

    def invoke(self, event: Any) -> Any:
        """Call the handler."""
        answer = self.order(event=event)
        if "error" in answer:
            raise Raised(answer["error"])
        return answer["reply"]


@dataclass
class Scene:
    """The running system. `taps` are the relays: aws, providers, callbacks."""

    template: Template
    session: boto3.Session
    endpoint: str
    folder: Path
    remotes: dict[str, Remote]
    taps: dict[str, Tap]
    sandbox: str
    callback_url: str
    secrets: Secrets
    ahead: list[float]

    def client(self, service: Any) -> Any:
        """An AWS client of the test's own, which passes no relay."""
        return self.session.client(service, endpoint_url=self.endpoint)

    def trouble(self, **switches: Any) -> None:
        """Switch trouble on in the sandbox."""
        httpx.put(f"{self.sandbox}/_sandbox/trouble", json=switches, trust_env=False).raise_for_status()

    def drop(self, name: str, data: bytes, spec: dict[str, Any] | bytes | None = None) -> None:
        """Put a photo, and its spec, into the input bucket."""
        body = json.dumps(spec).encode() if isinstance(spec, dict) else spec
        for key, content in ((f"{name}.json", body), (name, data)):
            if content is not None:
                self.client("s3").put_object(Bucket=self.template.name("InputBucket"), Key=key, Body=content)

    def drain(self) -> int:
        """Hand every message that is there to its function; how many there were."""
        done = 0
        sqs = self.client("sqs")
        for name, queue in (("SubmitFunction", "DropQueue"), ("ReconcileFunction", "WorkQueue")):
            remote = self.remotes[name]
            (source,) = remote.function.queues
            url = f"{self.endpoint}/{self.template.place.account}/{self.template.name(queue)}"
            while count := drivers.drain(sqs, url, source, cast("Lambda", remote), region="eu-central-1", wait=0):
                done += count
        return done

    def turn(self, rounds: int, *, until: str = "", step: float = 60.0) -> None:
        """Let messages, callbacks and sweeps pass, `step` seconds between; no longer than a job is in such a state."""
        for _ in range(rounds):
            self.drain()
            if until and not set(self.states()) & set(until.split()):
                return
            time.sleep(0.05)
            self.ahead[0] += step
            if step:
                self.remotes["ReconcileFunction"].invoke({"source": "aws.events", "detail-type": "Scheduled Event"})
        self.drain()

    def states(self) -> list[str]:
        """The states of all jobs."""
        items = self.client("dynamodb").scan(TableName=self.template.name("JobTable"))["Items"]
        return [item["state"]["S"] for item in items if "model" in item]

    def call(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> int:
        """Call the gateway as a stranger would; the status."""
        return httpx.post(self.callback_url + path, content=body, headers=headers, trust_env=False).status_code

    def written(self) -> dict[str, str]:
        """Everything that was written, by place."""
        found = written_to_aws(self.taps["aws"])
        for file in sorted(self.folder.glob("*.log")):
            found[file.name] = file.read_text(errors="replace")
        found["replies"] = "\n".join(line for remote in self.remotes.values() for line in remote.invocations)
        for page in ("requests", "ledger", "status"):
            found[f"the sandbox's {page}"] = httpx.get(f"{self.sandbox}/_sandbox/{page}", trust_env=False).text
        dynamodb, s3, sqs = self.client("dynamodb"), self.client("s3"), self.client("sqs")
        found["table items"] = str(dynamodb.scan(TableName=self.template.name("JobTable"))["Items"])
        for name in ("OutputBucket", "StagingBucket"):
            bucket = self.template.name(name)
            for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                told = s3.get_object(Bucket=bucket, Key=entry["Key"])
                found[f"{name}/{entry['Key']}"] = f"{told['Metadata']} {told['Body'].read().decode('latin-1')}"
        for queue in self.template.queues:
            url = f"{self.endpoint}/{self.template.place.account}/{queue.name}"
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
            found[f"queue {queue.logical_id}"] = str([one["Body"] for one in messages.get("Messages", [])])
        return found

    def leaks(self) -> list[str]:
        """Where a secret that was used stands in what was written."""
        self.secrets.overhear(*self.taps.values())
        return self.secrets.leaks(self.written())


@contextmanager
def staged(folder: Path, endpoint: str) -> Iterator[Scene]:
    """The system on moto's server at `endpoint`, with keys that nobody else has; its logs lie in `folder`."""
    known, keys = Secrets(), _make_keys()
    for name, value in keys.items():
        for one in value if isinstance(value, list) else [value]:
            known.add(name, one)
    credentials = {"AWS_ACCESS_KEY_ID": f"ASIA{secrets.token_hex(8).upper()}"}
    credentials |= {"AWS_SECRET_ACCESS_KEY": secrets.token_hex(20), "AWS_SESSION_TOKEN": secrets.token_hex(60)}
    for name, value in credentials.items():
        known.add(name, value)
    with ExitStack() as closing:
        tap, _ = closing.enter_context(tapping(endpoint))
        sandbox = closing.enter_context(_sandbox(folder, tap.url, keys))
        providers, _ = closing.enter_context(tapping(sandbox))
        callbacks, behind = closing.enter_context(tapping())
        place = templates.Place(endpoint_url=tap.url, stack=f"apart-{secrets.token_hex(4)}")
        bases = ("RunflowBaseUrl", "BackgroundcutBaseUrl", "ImagepipelineBaseUrl")
        parameters = {**QUICK, "CallbackBaseUrl": callbacks.url, **dict.fromkeys(bases, providers.url)}
        template = templates.load(ROOT / "template.yaml", place, parameters)
        session = boto3.session.Session()
        with _endpoint(endpoint):
            aws.build(session, template, {"ProviderSecret": keys})
            manager = session.client("secretsmanager")
            made = json.loads(manager.get_secret_value(SecretId=template.name("CallbackSecret"))["SecretString"])
        known.add("a callback key", made["k1"])
        log = closing.enter_context((folder / "gateway.log").open("w", buffering=1))
        closing.enter_context(logging_to(log))
        ahead = [0.0]
        more = {**credentials, "AWS_ENDPOINT_URL": tap.url, "EXEMPT_ORIGINS": sandbox}  # it signs for its own origin
        remotes = {
            one.logical_id: closing.enter_context(_remote(one, folder, more, ahead)) for one in template.functions
        }
        gateway = [cast("Lambda", remotes["WebhookFunction"])]
        behind.append(closing.enter_context(listener.listening(gateway, place)))
        taps = {"aws": tap, "providers": providers, "callbacks": callbacks}
        yield Scene(template, session, endpoint, folder, remotes, taps, sandbox, callbacks.url, known, ahead)


def _make_keys() -> dict[str, Any]:
    return {
        "runflow_api_key": f"rf_live_{secrets.token_hex(16)}",
        "backgroundcut_api_key": f"bc_{secrets.token_hex(16)}",
        "imagepipeline_api_key": f"ip_live_{secrets.token_hex(16)}",
        "runflow_callback_secrets": [f"whsec_{secrets.token_hex(16)}", f"whsec_{secrets.token_hex(16)}"],
    }


@contextmanager
def _endpoint(url: str) -> Iterator[None]:
    before = os.environ.get("AWS_ENDPOINT_URL")
    os.environ["AWS_ENDPOINT_URL"] = url
    try:
        yield
    finally:
        if before is None:
            del os.environ["AWS_ENDPOINT_URL"]
        else:
            os.environ["AWS_ENDPOINT_URL"] = before


@contextmanager
def _sandbox(folder: Path, image_origin: str, keys: dict[str, Any]) -> Iterator[str]:
    """The sandbox as a process with accounts for these keys; its origin."""
    rows = [
        {"provider": name, "key": keys[f"{name}_api_key"], "org": "org_apart"}
        for name in ("runflow", "backgroundcut", "imagepipeline")
    ]
    rows[0]["callback_secrets"] = keys["runflow_callback_secrets"]
    accounts = folder / "accounts.json"
    accounts.write_text(json.dumps(rows))
    command = [
        sys.executable,
        "-m",
        "backdrop_cli.sandbox",
        "--image-origin",
        image_origin,
        "--accounts",
        str(accounts),
    ]
    with _process(command, folder / "sandbox", os.environ) as process:
        out, until = folder / "sandbox.out.log", time.monotonic() + 30
        while "ready at" not in (text := out.read_text()):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield text.split()[-1]


@contextmanager
def _remote(function: Function, folder: Path, more: dict[str, str], ahead: list[float]) -> Iterator[Remote]:
    reading, writing = os.pipe()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "POWERTOOLS_"))}
    environment = {**kept, **function.environment, "AWS_DEFAULT_REGION": "eu-central-1", **more}
    command = [sys.executable, str(ROOT / "tests/support/invoked.py"), str(function.code), str(writing)]
    with _process(command, folder / function.logical_id, environment, pass_fds=[writing]) as process:
        os.close(writing)
        with os.fdopen(reading) as replies:
            yield Remote(function, process, replies, ahead)
            assert process.stdin
            process.stdin.close()  # ends it in order
            process.wait(20)


@contextmanager
def _process(command: list[str], log: Path, environment: Any, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A process whose standard output and error go to files beside each other; ended on leaving."""
    with (
        log.with_suffix(".out.log").open("w") as out,
        log.with_suffix(".err.log").open("w") as err,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=out, stderr=err, text=True, env=dict(environment), **more
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)
