"""Keeps the deployed template running for another program: `python -m hosted FOLDER`, until standard input closes.

Prints one line of JSON when all is ready (`endpoint_url`, `region`, `stack`, `sandbox_url`), after lines of progress
that do not begin with a brace. Everything it writes goes into FOLDER. Exit status 1: something did not start.
"""

import functools
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import boto3

from hosted import children, deployment, server
from hosted.server import STACK
from hosted.stage import sandbox

# What a laptop sets otherwise than a deployment: `backdrop_cli.stack` has the same.
LAPTOP = {
    "PairingSeconds": "2",
    "NoSpecSeconds": "6",
    "PollAfterSeconds": "3",
    "PatienceSeconds": "30",
    "HoldRetrySeconds": "5",
    "DropBatchingSeconds": "0",
}


def main(folder: Path) -> int:
    """Build, start, deploy, say where, and wait."""
    try:
        with ExitStack() as closing:
            _say(json.dumps(_start(closing, folder)))
            sys.stdin.read()
    except (children.NotRunning, deployment.Refused) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _start(closing: ExitStack, folder: Path) -> dict[str, str]:
    pool = closing.enter_context(ThreadPoolExecutor(1))
    built = pool.submit(deployment.build)
    python = deployment.ROOT / ".venv-localstack" / "lambda" / "bin" / "python"
    with _told("LocalStack starts"):
        localstack = closing.enter_context(server.running(folder, functions_python=python))
    url = closing.enter_context(sandbox(children.free_port(), folder, (localstack.url,)))
    with _told("sam build"):
        template = built.result()
    session = boto3.Session(
        aws_access_key_id=server.CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=server.CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=server.REGION,
    )
    deployment.install(
        functools.partial(session.client, endpoint_url=localstack.url),
        name=STACK,
        endpoint_url=localstack.url,
        built=template,
        home=folder,
        providers_url=url,
        parameters=LAPTOP,
        step=_told,
    )
    return {"endpoint_url": localstack.url, "region": server.REGION, "stack": STACK, "sandbox_url": url}


@contextmanager
def _told(what: str) -> Iterator[None]:
    _say(what)
    yield


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
