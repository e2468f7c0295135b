"""Runs the parts of `make test` and says how long each took, those joined by a plus side by side.

It promises that a part which fails, leaves a process behind or changes the checkout fails the whole; the parts after
it still run. Of parts side by side the first prints as it goes, each other one when it has ended, so that no lines
mix. Usage: parts.py MAKE TARGET[+TARGET...]...
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import IO

_heads: set[int] = set()  # the process groups of what runs
LINGER_SECONDS = 3.0  # what a part started may take this long to notice that it is over


def main(make: str, parts: list[str]) -> int:
    """Run each of `parts` as a make target; 0 when all was well."""
    before = checkout()
    begun = time.monotonic()
    results = [result for group in parts for result in side_by_side(make, group.split("+"))]
    say("---")
    for part, seconds, verdict in results:
        say(f"{part:<20} {seconds:7.1f} s  {verdict or 'ok'}")
    say(f"{'together':<20} {time.monotonic() - begun:7.1f} s")
    changed = checkout() != before
    if changed:
        say("The checkout is not what it was: see git status.")
    return 1 if changed or any(verdict for _, _, verdict in results) else 0


def side_by_side(make: str, parts: list[str]) -> list[tuple[str, float, str]]:
    """Run parts at once; of each its name, its seconds and what went wrong."""

    def play(part: str, output: IO[bytes] | None) -> tuple[str, float, str]:
        begun = time.monotonic()
        verdict = run([make, "--no-print-directory", part], output)
        return part, time.monotonic() - begun, verdict

    first, *others = parts
    say(f"--- {' and, beside it, '.join(parts)}")
    with ExitStack() as closing, ThreadPoolExecutor(len(parts)) as pool:
        kept = [closing.enter_context(tempfile.TemporaryFile()) for _ in others]
        playing = [pool.submit(play, part, output) for part, output in zip(others, kept, strict=True)]
        try:
            results = [play(first, None)]
            for part, output, one in zip(others, kept, playing, strict=True):
                results.append(one.result())
                say(f"--- {part}")
                output.seek(0)
                shutil.copyfileobj(output, sys.stdout.buffer)
                sys.stdout.flush()
        except KeyboardInterrupt:
            end_all()  # whoever interrupts one part means all
            raise
    return results


def run(command: list[str], output: IO[bytes] | None = None) -> str:
    """Run `command` as the head of its own process group, printing into `output`; what went wrong, or nothing."""
    errors = None if output is None else subprocess.STDOUT
    with subprocess.Popen(command, start_new_session=True, stdout=output, stderr=errors) as process:
        _heads.add(process.pid)
        status = process.wait()
    verdict = f"failed ({status})" if status else ""
    until = time.monotonic() + LINGER_SECONDS
    while alive(process.pid):
        if time.monotonic() > until:
            os.killpg(process.pid, signal.SIGKILL)
            verdict = f"{verdict} left a process behind".strip()
            break
        time.sleep(0.05)
    _heads.discard(process.pid)
    return verdict


def end_all() -> None:
    """Ask everything that still runs to end."""
    for head in sorted(_heads):
        with suppress(ProcessLookupError):
            os.killpg(head, signal.SIGTERM)


def alive(group: int) -> bool:
    """Whether a process of the group still runs; one that has ended and is waited for by nobody does not count."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    ps = shutil.which("ps")
    if ps is None:
        return True
    listing = subprocess.run([ps, "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=False).stdout
    rows = (line.split() for line in listing.splitlines())
    return any(row[0] == str(group) and not row[1].startswith("Z") for row in rows)


def checkout() -> str:
    """What git says of the working tree; empty where there is no git or no repository."""
    git = shutil.which("git")
    if git is None:
        return ""
    return subprocess.run([git, "status", "--porcelain"], capture_output=True, text=True, check=False).stdout


def say(line: str) -> None:
    """Print at once: what the parts print must stand in order."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
