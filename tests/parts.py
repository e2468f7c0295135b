"""Runs the parts of `make test` one after the other and says how long each took.

It promises that a part which fails, leaves a process behind or changes the checkout fails the whole; the parts after
it still run. Usage: parts.py MAKE TARGET...
"""

import os
import shutil
import signal
import subprocess
import sys
import time

LINGER_SECONDS = 3.0  # what a part started may take this long to notice that it is over


def main(make: str, parts: list[str]) -> int:
    """Run each of `parts` as a make target; 0 when all was well."""
    before = checkout()
    results = []
    for part in parts:
        say(f"--- {part}")
        begun = time.monotonic()
        verdict = run([make, "--no-print-directory", part])
        results.append((part, time.monotonic() - begun, verdict))
    say("---")
    for part, seconds, verdict in results:
        say(f"{part:<20} {seconds:7.1f} s  {verdict or 'ok'}")
    say(f"{'together':<20} {sum(seconds for _, seconds, _ in results):7.1f} s")
    changed = checkout() != before
    if changed:
        say("The checkout is not what it was: see git status.")
    return 1 if changed or any(verdict for _, _, verdict in results) else 0


def run(command: list[str]) -> str:
    """Run `command` as the head of its own process group; what went wrong, or nothing."""
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGTERM)
            raise
    verdict = f"failed ({status})" if status else ""
    until = time.monotonic() + LINGER_SECONDS
    while alive(process.pid):
        if time.monotonic() > until:
            os.killpg(process.pid, signal.SIGKILL)
            return f"{verdict} left a process behind".strip()
        time.sleep(0.05)
    return verdict


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
