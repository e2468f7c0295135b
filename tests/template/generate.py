"""Prints what `sam local generate-event` generates, for many at once: SAM takes a second or two to start.

Runs in .venv-sam. Reads a JSON list of argument lists from standard input, writes a JSON list of events.
"""

import json
import sys

from click.testing import CliRunner
from samcli.cli.main import cli


def generate(arguments: list[str]) -> object:
    """The event of one command line.

    Raises:
        SystemExit: SAM refused it.
    """
    done = CliRunner().invoke(cli, ["local", "generate-event", *arguments])
    if done.exit_code:
        raise SystemExit(f"{arguments}: {done.output} {done.exception!r}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    json.dump([generate(arguments) for arguments in json.load(sys.stdin)], sys.stdout)
