"""The real template on LocalStack, for the demo: built, deployed, with the provider sandbox beside it.

Promises a stack that answers what the embedded one answers, with its own names from CloudFormation, and that all of it
ends with the block. LocalStack lives in an environment of its own (`make demo STACK=localstack` makes it), so
tests/localstack's `python -m hosted` starts and keeps everything; this only asks it where.
"""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, override

from backdrop_cli.operator.failures import Where
from backdrop_cli.operator.reach import Found, Reach, find
from backdrop_cli.parts import Place
from backdrop_cli.sandbox_process import NotRunning, SandboxProcess
from backdrop_cli.stack import Stack, template_path
from backdrop_cli.template import load

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_START_SECONDS = 600.0  # sam build and two deploys, on a slow machine
_STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Hosted(Stack):
    """A deployed stack; its names are CloudFormation's."""

    found: Found

    @cached_property
    @override
    def s3(self) -> "S3Client":
        return self.world.aws.s3

    @cached_property
    @override
    def sqs(self) -> "SQSClient":
        return self.world.aws.sqs

    @cached_property
    @override
    def dynamodb(self) -> "DynamoDBClient":
        return self.world.aws.dynamodb

    @property
    @override
    def input_bucket(self) -> str:
        return self.world.settings.input_bucket

    @property
    @override
    def output_bucket(self) -> str:
        return self.world.settings.output_bucket

    @property
    @override
    def staging_bucket(self) -> str:
        return self.world.settings.staging_bucket

    @property
    @override
    def table(self) -> str:
        return self.world.settings.job_table


@contextmanager
def running(log: Path) -> Iterator[tuple[Hosted, SandboxProcess]]:
    """Run the template on LocalStack, and the sandbox; what they say goes to `log`.

    Raises:
        NotRunning: LocalStack's environment is missing, or something did not start.
    """
    root = template_path().parent
    python = root / ".venv-localstack" / "bin" / "python"
    if not python.is_file():
        msg = "there is no environment with LocalStack: make demo STACK=localstack makes it"
        raise NotRunning(msg)
    log.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="backdrop-") as folder, log.open("wb") as output:
        process = subprocess.Popen(
            [python, "-m", "hosted", folder],
            cwd=root / "tests" / "localstack",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,  # Ctrl-C must reach the demo first, which then ends this
        )
        try:
            told = _ready(process, log)
            reach = Reach(Where(stack=told["stack"], region=told["region"], endpoint_url=told["endpoint_url"]))
            try:
                found = find(reach)
                place = Place(endpoint_url=told["endpoint_url"], stack=told["stack"], region=told["region"])
                stack = Hosted(
                    template=load(template_path(), place, {}),
                    functions={},
                    session=None,  # type: ignore[arg-type]  # its clients are the world's
                    world=found.world,
                    endpoint_url=told["endpoint_url"],
                    callback_url=found.outputs["CallbackUrl"],
                    found=found,
                )
                yield stack, SandboxProcess(told["sandbox_url"], log, process)
            finally:
                reach.close()
        finally:
            _end(process)


def _ready(process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    """Tell its steps, and give what it says at last."""
    overdue = threading.Timer(_START_SECONDS, process.kill)
    overdue.start()
    try:
        for line in process.stdout or ():
            text = line.decode().strip()
            if text.startswith("{"):
                told: dict[str, Any] = json.loads(text)
                return told
            print(f"  {text}", flush=True)
    finally:
        overdue.cancel()
    msg = f"the stack on LocalStack did not start; the reason is in {log}"
    raise NotRunning(msg)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if process.stdin:
            process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
