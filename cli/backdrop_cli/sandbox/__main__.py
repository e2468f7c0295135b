"""The sandbox as a process: `python -m backdrop_cli.sandbox --port 8411`."""

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from backdrop_cli.sandbox.accounts import DEFAULT_ACCOUNTS, Account, read_accounts
from backdrop_cli.sandbox.server import bind, make_server, url_of
from backdrop_cli.sandbox.state import WORKERS, Setup


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted. Prints `sandbox ready at URL` once the service answers; returns an exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m backdrop_cli.sandbox",
        description="A twin of the three providers on one loopback origin. Its page is at /.",
        epilog="Trouble is switched with PUT /_sandbox/trouble; what was paid stands at GET /_sandbox/ledger.",
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port to listen on (default: a free one)")
    parser.add_argument(
        "--image-origin",
        action="append",
        default=[],
        metavar="URL",
        help="origin from which plain http image URLs are fetched, the stack's S3; may be given several times",
    )
    parser.add_argument(
        "--accounts",
        type=Path,
        metavar="FILE",
        help="JSON list of accounts (provider, key, org, balance, callback_secrets) instead of the default keys",
    )
    parser.add_argument("--workers", type=int, default=WORKERS, metavar="N", help="picture work at a time")
    given = parser.parse_args(arguments)
    try:
        accounts = _accounts(given.accounts)
        listener = bind(given.port)
    except (OSError, ValueError, OverflowError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    with listener, tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        setup = Setup(
            url=url_of(listener),
            folder=Path(folder),
            image_origins=tuple(given.image_origin),
            accounts=accounts,
            workers=max(1, given.workers),
        )
        signal.signal(signal.SIGTERM, _leave)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(make_server(setup), listener, setup.url))
    return 0


async def _serve(server: uvicorn.Server, listener: socket.socket, url: str) -> None:
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells in no other way
        await asyncio.sleep(0.01)
    if server.started:
        print(f"sandbox ready at {url}", flush=True)
    await serving


def _leave(*_: object) -> None:
    # uvicorn raises the signal again once it has stopped: leave by the door, so that the folder is cleaned up
    sys.exit(0)


def _accounts(path: Path | None) -> tuple[Account, ...]:
    if path is None:
        return DEFAULT_ACCOUNTS
    rows = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        msg = f"{path}: expected a JSON list of objects"
        raise ValueError(msg)
    return read_accounts(rows)


if __name__ == "__main__":
    sys.exit(main())
