"""The provider sandbox beside the stack, as a process of its own: its pixels must not slow the functions down.

Promises that it is reached before it is given to the caller, and gone afterwards, ended by its own process id.
"""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backdrop_cli.servers import free_port

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_CALL_SECONDS = 10.0


class NotRunning(Exception):
    """The sandbox did not start or does not answer; the message says where its output is."""


@dataclass(frozen=True)
class SandboxProcess:
    """A sandbox that was started; `wait` before the first use."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Return when it answers.

        Raises:
            NotRunning: it ended, or did not answer in time.
        """
        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.call("GET", "/_sandbox/ledger")
            except (OSError, urllib.error.URLError):
                code = self.process.poll()
                if code is not None or time.monotonic() > end:
                    why = f"ended with status {code}" if code is not None else "does not answer"
                    msg = f"the provider sandbox {why}; its output is in {self.log}"
                    raise NotRunning(msg) from None
                time.sleep(0.05)
            else:
                return

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call of its control routes; the JSON of its answer.

        Raises:
            OSError: it does not answer, or with an error.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - http, to the sandbox that was just started
            self.url + path, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_CALL_SECONDS) as reply:
            return json.load(reply)


@contextmanager
def sandbox_process(*, image_origin: str, log: Path, port: int = 0) -> Iterator[SandboxProcess]:
    """Start the sandbox, which fetches photos from `image_origin` only; end it afterwards."""
    port = port or free_port()
    command = [sys.executable, "-m", "backdrop_cli.sandbox", "--port", str(port), "--image-origin", image_origin]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        # A session of its own: Ctrl-C at the terminal must reach the stack first, which then ends the sandbox.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield SandboxProcess(f"http://127.0.0.1:{port}", log, process)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
