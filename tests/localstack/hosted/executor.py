"""LocalStack's plug-in that runs deployed functions as processes: `awslambdaric` over the deployed zip and layers.

Promises what Lambda promises a function: its environment and nothing else, its layers before the packages of the
runtime, a deadline that ends the process, a fresh one after a crash, its output in CloudWatch Logs under the group
that the template names, between platform lines. Refuses images: only zips are run.

Each execution environment leaves `<function>-<id>.log` and, while its process lives, `.pid` in HOSTED_LOGS.
HOSTED_PYTHON names the Python that has awslambdaric and boto3, and nothing else.
"""

import json
import os
import queue
import shutil
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from hosted.runtime_api import Event, Invocation, RuntimeApi

INIT_SECONDS = 30.0  # Lambda gives 10; a shared machine may be slow
_STOP_SECONDS = 2.0
_LOOPBACK = "127.0.0.1"


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """Found by LocalStack as LAMBDA_RUNTIME_EXECUTOR=process."""

    name = "process"

    def load(self, *_args: Any, **_keywords: Any) -> type[RuntimeExecutor]:
        """The executor; the log group of a function becomes the one that it was configured with."""
        ExecutionEnvironment.get_log_group_name = _log_group
        return ProcessExecutor


def _log_group(environment: ExecutionEnvironment) -> str:
    version = environment.function_version
    return version.config.logging_config.get("LogGroup") or f"/aws/lambda/{version.id.function_name}"


class _Ended(Exception):
    """The process is not there any more, or never got ready; `answer` is what Lambda would answer."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer.decode(errors="replace"))
        self.answer = answer


class _Process:
    """One `awslambdaric`, from its start to its end. Its output is appended to `log`."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path, log: Path) -> None:
        self._api = RuntimeApi()
        self._pid_file = log.with_suffix(".pid")
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._pid_file.write_text(str(self._process.pid))
        threading.Thread(target=self._tell_of_its_end, name="process-watch", daemon=True).start()

    def _tell_of_its_end(self) -> None:
        status = self._process.wait()
        self._pid_file.unlink(missing_ok=True)
        self._api.events.put(Event("exit", body=str(status).encode()))

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self, seconds: float) -> None:
        """Return when it asks for its first work.

        Raises:
            _Ended: it gave up, ended or took too long.
        """
        event = self._next(time.monotonic() + seconds)
        if event is None:
            raise _Ended(_error("Sandbox.Timedout", f"the initialisation took more than {seconds:.0f} s"))
        if event.kind == "init error":
            raise _Ended(event.body)
        if event.kind == "exit":
            raise _Ended(_error("Runtime.ExitError", f"the runtime ended with status {event.body.decode()}"))

    def invoke(self, work: Invocation) -> Event:
        """Hand out work; how it ended.

        Raises:
            _Ended: the process ended, or had to be ended at its deadline.
        """
        self._api.give(work)
        while True:
            event = self._next(time.monotonic() + work.deadline / 1000 - time.time())
            if event is None:
                told = f"{work.request_id} Task timed out"
                raise _Ended(_error("Sandbox.Timedout", told))
            if event.kind == "exit":
                told = f"RequestId: {work.request_id} Error: Runtime exited with status {event.body.decode()}"
                raise _Ended(_error("Runtime.ExitError", told))
            if event.request_id == work.request_id:
                return event

    def _next(self, end: float) -> Event | None:
        try:
            return self._api.events.get(timeout=max(0.001, end - time.monotonic()))
        except queue.Empty:
            return None

    def end(self) -> None:
        """End the process and its server."""
        self._api.close()
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class ProcessExecutor(RuntimeExecutor):
    """One execution environment: at most one process at a time, a new one after a crash or a timeout."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:  # noqa: A002 - LocalStack's name
        super().__init__(id, function_version)
        name = f"{function_version.id.function_name}-{id[:8]}"
        self._log = Path(os.environ["HOSTED_LOGS"]) / f"{name}.log"
        self._scratch = Path(os.environ["HOSTED_SCRATCH"]) / name  # the function's /tmp
        self._environment: dict[str, str] = {}
        self._process: _Process | None = None
        self._guard = threading.Lock()

    def start(self, env_vars: dict[str, Any]) -> None:
        """Start the first process.

        Raises:
            StatusErrorException: it did not get ready; the payload says why, as Lambda would.
        """
        root, layers = self._code()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._environment = {
            **{name: str(value) for name, value in env_vars.items()},
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LAMBDA_TASK_ROOT": str(root),
            "PYTHONPATH": os.pathsep.join([str(root), *(str(layer / "python") for layer in layers)]),
            "PYTHONNOUSERSITE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",  # /var/task and /opt are read-only in Lambda
            "TMPDIR": str(self._scratch),
        }
        try:
            self._boot()
        except _Ended as ended:
            raise StatusErrorException("the function's initialisation failed", payload=ended.answer) from ended

    def _code(self) -> tuple[Path, list[Path]]:
        config = self.function_version.config
        return config.code.get_unzipped_code_location(), [
            layer.code.get_unzipped_code_location() for layer in config.layers
        ]

    def _boot(self) -> _Process:
        root = Path(self._environment["LAMBDA_TASK_ROOT"])
        command = [os.environ["HOSTED_PYTHON"], "-m", "awslambdaric", self._environment["_HANDLER"]]
        self._say("platform.initStart", functionName=self.function_version.id.function_name)
        process = _Process(command, self._environment, root, self._log)
        with self._guard:
            self._process = process
        try:
            process.wait_until_ready(INIT_SECONDS)
        except _Ended as ended:
            self._say("platform.initReport", status="error", answer=ended.answer.decode(errors="replace"))
            process.end()
            raise
        return process

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Run one invocation to its end, its deadline at the latest."""
        begun, seconds = time.monotonic(), self.function_version.config.timeout
        position = self._log.stat().st_size
        request_id = payload["invoke-id"]
        self._say("platform.start", requestId=request_id)
        failed, status = True, "error"
        try:
            process = self._process if self._process and self._process.alive else self._boot()
            event = process.invoke(
                Invocation(
                    request_id=request_id,
                    function_arn=payload["invoked-function-arn"],
                    trace_id=payload["trace-id"],
                    deadline=int((time.time() + seconds) * 1000),
                    payload=payload["payload"].encode(),
                )
            )
            body, failed = event.body, event.kind != "response"
            status = "error" if failed else "success"
        except _Ended as ended:
            body, status = ended.answer, "failure"
            if self._process:
                self._process.end()
        took = round((time.monotonic() - begun) * 1000)
        self._say("platform.report", requestId=request_id, status=status, durationMs=took)
        return InvocationResult(request_id, body, is_error=failed, logs=self._read(position))

    def stop(self) -> None:
        """End the process; its log stays."""
        with self._guard:
            process, self._process = self._process, None
        if process:
            process.end()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _say(self, kind: str, **record: Any) -> None:
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "type": kind, "record": record}
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def _read(self, position: int = 0) -> str:
        with suppress(OSError), self._log.open("rb") as log:
            log.seek(position)
            return log.read().decode(errors="replace")
        return ""

    def get_logs(self) -> str:
        """All that the environment has written."""
        return self._read()

    def get_address(self) -> str:
        """Where the environment is, for LocalStack."""
        return _LOOPBACK

    def get_endpoint_from_executor(self) -> str:
        """Where LocalStack is, for the environment."""
        return _LOOPBACK

    def get_runtime_endpoint(self) -> str:
        """Where LocalStack's own starter would report; nothing here does."""
        return f"http://{_LOOPBACK}/_localstack_lambda/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unzip the code and the layers."""
        function_version.config.code.prepare_for_execution()
        for layer in function_version.config.layers:
            layer.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Leave the files: they go with the folder that LocalStack lives in."""


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
