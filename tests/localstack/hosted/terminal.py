"""A shell on a terminal, at which a test sits as a person would: it types commands and answers what is asked.

Promises that variables outlive a command, that every wait is bounded, and that a command which fails, asks what it
should not, or does not end is an error with all that was on the screen.
"""

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_QUESTION = re.compile(r"[^\n]*\[[^\n]*\]: ?$")  # how the SAM command line asks
_QUIET_SECONDS = 0.3  # on the screen before what stands there counts as a question
_MOST_QUESTIONS = 200
_END_SECONDS = 5.0
_DONE, _FAILED = "::done::", "::failed::"


class Failed(AssertionError):
    """A command failed; the message is what stood on the screen."""


class Terminal:
    """A shell. It ends with the test that holds it: the terminal is closed."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        ours, theirs = pty.openpty()
        self._screen = ours
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "--noediting"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**environment, "TERM": "dumb", "PS1": "", "PS2": ""},
            start_new_session=True,
        )
        os.close(theirs)

    def run(self, commands: str, answer: Callable[[str], str] = lambda _: "", *, seconds: float) -> str:
        """Run commands; what was on the screen. `answer` gives what is typed at a question, "" being Enter.

        Raises:
            Failed: one of them failed, or they did not end in time.
        """
        script = self._folder / ".typed.sh"
        script.write_text(commands, encoding="utf-8")
        # Each word is put together by the shell, so that what was typed is not taken for what it says.
        self._type(
            f'set -eu; trap \'echo ::fail""ed::\' EXIT; . ./{script.name}; trap - EXIT; set +eu; echo ::do""ne::'
        )
        return self._watch(answer, time.monotonic() + seconds)

    def _watch(self, answer: Callable[[str], str], end: float) -> str:
        seen, questions, heard = "", 0, time.monotonic()
        asked_at = 0
        while time.monotonic() < end and questions < _MOST_QUESTIONS:
            readable, _, _ = select.select([self._screen], [], [], 0.1)
            if readable:
                data = b""
                with suppress(OSError):
                    data = os.read(self._screen, 65536)
                if not data:
                    raise Failed(seen)
                seen += _COLOURS.sub("", data.decode(errors="replace")).replace("\r", "")
                heard = time.monotonic()
            if _DONE in seen:
                return seen.partition(_DONE)[0]
            if _FAILED in seen:
                raise Failed(seen)
            question = _QUESTION.search(seen, asked_at)
            if question and time.monotonic() - heard > _QUIET_SECONDS:
                questions += 1
                asked_at = len(seen)
                self._type(answer(question[0].strip()))
        raise Failed(f"{seen}\n(it did not end, or asked {questions} questions)")

    def _type(self, line: str) -> None:
        os.write(self._screen, f"{line}\n".encode())

    def close(self) -> None:
        """Hang up: the shell and all that it runs end, at the latest by force."""
        os.close(self._screen)
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGHUP)
        with suppress(subprocess.TimeoutExpired):
            self._shell.wait(_END_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)  # without job control its commands are in its group
        self._shell.wait()
