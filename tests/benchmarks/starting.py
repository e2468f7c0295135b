"""A function's first invocation, as Lambda makes it: a fresh process under `awslambdaric`, its code, the built layer.

Promises what Lambda promises such a process: the function's environment and nothing else, its layer before the
packages of the runtime, read-only code. Times run from the start of the process to the arrival of its reply.
"""

from __future__ import annotations

import json
import os
import platform
import py_compile
import queue
import re
import shutil
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hosted.runtime_api import Invocation, RuntimeApi
from report import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = HERE.parents[1]
LAMBDA_PYTHON = ROOT / ".venv-localstack" / "lambda" / "bin" / "python"  # awslambdaric, boto3 and nothing else
LONGEST = 60.0  # seconds for one first invocation
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)")
_SERVICES = {"dynamodb_once": "dynamodb", "secrets": "secretsmanager"}  # where World calls a client otherwise
_FLOOR = """
import boto3
session = boto3.session.Session()
clients = [session.client(name) for name in {clients!r}]
def handler(event, context):
    return {{"statusCode": 200}}
"""
_ASKING = """
from app import handler as asked
def handler(event, context):
    reply = asked(event, context)
    from backdrop.world import deployed
    return {"reply": reply, "made": [name for name in vars(deployed().aws) if not name.startswith("_")]}
"""


@dataclass(frozen=True, slots=True)
class Code:
    """What one process runs: a folder with app.py, and the layer's."""

    folder: Path
    layer: Path


@dataclass(frozen=True, slots=True)
class Started:
    """One first invocation: seconds from the start of the process to its reply, by the clock and on the processor."""

    wall: float
    cpu: float
    reply: Any
    told: str  # its standard error


def build_layer(folder: Path) -> Path:
    """Build the layer for this machine as `sam build` does for Lambda's; the folder that goes on the path.

    Raises:
        subprocess.CalledProcessError: the layer cannot be built.
    """
    binaries = ROOT / ".venv" / "bin"
    told = {
        "ARTIFACTS_DIR": str(folder),
        "BACKDROP_ARCHITECTURE": platform.machine(),
        "UV": str(binaries / "uv"),
        "PYTHON313": str(binaries / "python"),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command: list[str | Path] = ["make", "-s", "-C", ROOT / "layers" / "backdrop", "build-BackdropLayer"]
    subprocess.run(command, check=True, env={**kept, **told}, timeout=200)
    return folder / "python"


def without_compiled(layer: Path, folder: Path) -> Path:
    """A copy of a layer without its .pyc files."""
    return shutil.copytree(layer, folder, ignore=shutil.ignore_patterns("__pycache__"))


def with_whole_clients(layer: Path, folder: Path) -> Path:
    """A copy of a layer whose functions make boto3's clients, of AWS's whole service models."""
    copied = shutil.copytree(layer, folder)
    module = copied / "backdrop" / "world.py"
    text, lean = module.read_text(encoding="utf-8"), "LeanClients(), logger()"
    if lean not in text:
        raise ValueError(f"world.py has no {lean!r}")
    module.write_text(text.replace(lean, "Clients(), logger()"), encoding="utf-8")
    py_compile.compile(str(module), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, doraise=True)
    return copied


def function(name: str, folder: Path, layer: Path) -> Code:
    """A function's code as it is deployed, not compiled; beside it `asking.py`, which also says what it made."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "functions" / name / "app.py", folder)
    (folder / "asking.py").write_text(_ASKING, encoding="utf-8")
    return Code(folder, layer)


def floor(clients: Sequence[str], folder: Path, layer: Path) -> Code:
    """A handler that makes AWS clients with boto3 and answers."""
    folder.mkdir(parents=True)
    (folder / "app.py").write_text(_FLOOR.format(clients=tuple(clients)), encoding="utf-8")
    return Code(folder, layer)


def clients(told: Mapping[str, Any]) -> list[str]:
    """The AWS clients, by service, that an invocation of `asking.handler` has made, as its reply says."""
    return sorted({_SERVICES.get(name, name) for name in told["made"]})


def start(
    code: Code,
    event: Any,
    environment: Mapping[str, str],
    *,
    flags: Sequence[str] = (),
    handler: str = "app",
) -> Started:
    """Start a process, give it one event, wait for its reply, and end it.

    Raises:
        RuntimeError: it ended, raised or took more than LONGEST seconds.
    """
    api = RuntimeApi()
    work = Invocation(
        request_id=str(uuid.uuid4()),
        function_arn="arn:aws:lambda:eu-central-1:123456789012:function:bench",
        trace_id="Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0",
        deadline=int((time.time() + 420) * 1000),
        payload=json.dumps(event).encode(),
    )
    api.give(work)
    errors = code.folder / f"{work.request_id}.err"
    command: list[str | Path] = [LAMBDA_PYTHON, *flags, "-m", "awslambdaric", f"{handler}.handler"]
    with errors.open("wb") as stderr:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=_environment(code, environment, api.address),
            cwd=code.folder,
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=subprocess.STDOUT,
        )
        try:
            body = _reply(api, process, begun)
            wall = time.perf_counter() - begun
            cpu = _cpu(process.pid)
        finally:
            api.close()
            process.kill()
            process.wait()
    told = errors.read_text(encoding="utf-8", errors="replace")
    errors.unlink()
    if body is None:
        raise RuntimeError(told[-4000:])
    return Started(wall, cpu, json.loads(body), told)


def _environment(code: Code, environment: Mapping[str, str], api: str) -> dict[str, str]:
    return {
        **environment,
        "AWS_LAMBDA_RUNTIME_API": api,
        "LAMBDA_TASK_ROOT": str(code.folder),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join([str(code.folder), str(code.layer)]),
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",  # /var/task and /opt are read-only in Lambda
    }


def _reply(api: RuntimeApi, process: subprocess.Popen[bytes], begun: float) -> bytes | None:
    """The body of the response; None when there was none."""
    while time.perf_counter() - begun < LONGEST:
        try:
            event = api.events.get(timeout=0.5)
        except queue.Empty:
            if process.poll() is not None:
                return None
            continue
        if event.kind == "response":
            return event.body
        if event.kind != "asks":
            return None
    return None


def _cpu(pid: int) -> float:
    """Seconds that a process, all its threads together, has spent on a processor."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9


def imports(told: str) -> Iterator[tuple[str, float]]:
    """What `-X importtime` wrote: each module with the seconds that it took itself, without those it imports."""
    for line in told.splitlines():
        if found := _IMPORT.match(line):
            yield found[2], int(found[1]) / 1e6
