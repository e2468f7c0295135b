"""Processes that run beside the tests: reached before they are used, and gone afterwards, whatever happens.

Promises bounded waits, output in a file, and that a child ends with its parent, also when that is killed (minder).
"""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hosted import minder

HERE = Path(__file__).resolve().parent
_STOP_SECONDS = minder.GRACE_SECONDS + 5
_CALL_SECONDS = 5.0
_TOLD_LINES = 40


class NotRunning(Exception):
    """A child ended or does not answer; the message holds the last lines of its output."""


@dataclass(frozen=True)
class Child:
    """A command that was started; its output goes to `log`."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    def wait_for(self, url: str, *, seconds: float) -> None:
        """Return when `url` answers.

        Raises:
            NotRunning: the child ended, or did not answer in time.
        """
        end = time.monotonic() + seconds
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while True:
            try:
                with opener.open(url, timeout=_CALL_SECONDS):
                    return
            except OSError:
                if self.process.poll() is not None:
                    raise NotRunning(f"{self.name} ended\n{self.tail()}") from None
                if time.monotonic() > end:
                    raise NotRunning(f"{self.name} did not answer within {seconds} s\n{self.tail()}") from None
            time.sleep(0.1)

    def tail(self, lines: int = _TOLD_LINES) -> str:
        """The last lines of its output."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


@contextmanager
def running(
    name: str, command: Sequence[str | Path], *, environment: Mapping[str, str], folder: Path, log: Path
) -> Iterator[Child]:
    """Run `command` in `folder` until the end of the block."""
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = [sys.executable, "-S", HERE / "minder.py", *command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in kept],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,  # Ctrl-C at the terminal must reach the tests first, which then end this
        )
    try:
        yield Child(name, log, process)
    finally:
        with suppress(OSError):
            if process.stdin:
                process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port of the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
