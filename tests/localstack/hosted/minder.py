"""Keeps one command and ends it, with all that it started, when standard input closes: `minder.py COMMAND`.

Whoever started it holds the other end of that pipe, so that nothing outlives it, however it ends. The command leads a
process group of its own: it is first asked to end, then made to. Exits with the command's status.
"""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

GRACE_SECONDS = 4.0
_LOOK_SECONDS = 0.1


def main(command: list[str]) -> int:
    """Run `command` until it ends or standard input closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C is for whoever started this; closing the pipe is its word
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_listen_again,  # noqa: PLW1509 - no threads
    )
    while process.poll() is None:
        readable, _, _ = select.select([0], [], [], _LOOK_SECONDS)
        if readable and not os.read(0, 1024):
            break
    _end(process)
    return process.returncode


def _listen_again() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the group: what the command leaves behind goes with it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    until = time.monotonic() + GRACE_SECONDS
    while process.poll() is None and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS / 2)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
