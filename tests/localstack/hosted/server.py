"""LocalStack as a process on the loopback, in a folder of its own, without Docker and without the network.

Promises that it answers before it is given to the caller, that its plug-ins are found without being installed, and
that it writes nowhere but into its folder. LocalStack 4.14 is the last free edition.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hosted import children

REGION = "eu-central-1"
ACCOUNT = "000000000000"
STACK = "backdrop"
API_ID = "backdrop"  # of the callback API: its URL must be known before it is deployed
# Any key gives LocalStack's one account, but for those of its own form.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}

# Of the process and of the container alike.
COMMON = {
    "DISABLE_EVENTS": "1",  # nothing is told to anybody
    "SQS_DISABLE_CLOUDWATCH_METRICS": "1",  # or an alarm of a scenario's dead letters is another one's trouble
    "SQS_ENDPOINT_STRATEGY": "path",  # queue URLs without host names of their own
    # An empty queue is asked again soon: its own back-off reaches ten seconds.
    "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": "0.2",
    "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": "0.5",
    "LAMBDA_KEEPALIVE_MS": "600000",
}

_START_SECONDS = 90.0
_METADATA = "Metadata-Version: 2.1\nName: backdrop-hosted\nVersion: 0\n"
_PLUGINS = """\
[localstack.lambda.runtime_executor]
process = hosted.executor:ProcessExecutorPlugin

[localstack.hooks.on_infra_start]
callback_api = hosted.services:name_callback_api

[localstack.aws.provider]
dynamodb:moto = hosted.services:dynamodb
"""


@dataclass(frozen=True)
class LocalStack:
    """A running LocalStack."""

    port: int
    logs: Path  # its own output is localstack.log, functions/ holds a file for each execution environment

    @property
    def url(self) -> str:
        """The endpoint of every service."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running(folder: Path, *, functions_python: Path) -> Iterator[LocalStack]:
    """Run LocalStack, with everything it writes in `folder`, until the end of the block.

    Args:
        folder: of its own; must exist.
        functions_python: runs the functions: a Python 3.13 with awslambdaric and boto3.

    Raises:
        children.NotRunning: it does not start.
    """
    port = children.free_port()
    logs = folder / "logs"
    environment = _environment(folder, port, functions_python)
    for name in ("HOME", "TEMP", "HOSTED_LOGS", "HOSTED_SCRATCH"):
        Path(environment[name]).mkdir(parents=True)
    _announce(folder / "plugins")
    command = [sys.executable, "-m", "localstack.runtime.main"]
    with children.running(
        "LocalStack", command, environment=environment, folder=folder, log=logs / "localstack.log"
    ) as child:
        child.wait_for(f"http://127.0.0.1:{port}/_localstack/health", seconds=_START_SECONDS)
        yield LocalStack(port, logs)


def _environment(folder: Path, port: int, functions_python: Path) -> dict[str, str]:
    return {
        **COMMON,
        "PATH": os.defpath,
        "HOME": str(folder / "home"),
        "TEMP": str(folder / "tmp"),  # TMPDIR means something else to LocalStack
        "LOCALSTACK_VOLUME_DIR": str(folder / "volume"),
        "FILESYSTEM_ROOT": str(folder / "volume"),
        "PYTHONPATH": os.pathsep.join([str(folder / "plugins"), str(children.HERE.parent)]),
        "PYTHONUNBUFFERED": "1",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        "DNS_ADDRESS": "0",  # no name server
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT": "60",
        "PROVIDER_OVERRIDE_DYNAMODB": "moto",
        "HOSTED_PYTHON": str(functions_python),
        "HOSTED_LOGS": str(folder / "logs" / "functions"),
        "HOSTED_SCRATCH": str(folder / "scratch"),
    }


def _announce(folder: Path) -> None:
    """Make the plug-ins known the way an installed distribution does: by its entry points."""
    told = folder / "backdrop_hosted-0.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text(_METADATA)
    (told / "entry_points.txt").write_text(_PLUGINS)
