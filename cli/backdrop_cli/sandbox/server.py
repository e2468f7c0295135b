"""Starting and stopping the sandbox.

Promises that `running()` returns once the service answers, and that afterwards no thread, socket, task or file of it is
left. Listens on loopback only.
"""

import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from backdrop_cli.sandbox.accounts import DEFAULT_ACCOUNTS, Account
from backdrop_cli.sandbox.app import make
from backdrop_cli.sandbox.callbacks import RUNFLOW_BACKOFF
from backdrop_cli.sandbox.state import WORKERS, Setup

HOST = "127.0.0.1"
_START_SECONDS = 20.0
_STOP_SECONDS = 60
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # plain http only: reading the trusted roots would cost 30 ms a call


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox, in this process or another: its URL is the base URL of all three providers."""

    url: str

    def trouble(self, **switches: Any) -> dict[str, Any]:
        """Replace the trouble in force (names: `trouble.Trouble`); without any, end it all. Returns what is in force.

        Raises:
            ValueError: a switch is unknown or malformed.
        """
        return self._call("PUT", "/_sandbox/trouble", switches)

    def ledger(self) -> dict[str, Any]:
        """Accepted paid POSTs: `count`, `by_provider`, `by_model`, `by_reference`, `spent`, `entries`."""
        return self._call("GET", "/_sandbox/ledger")

    def requests(self) -> list[dict[str, Any]]:
        """The last requests, oldest first (fields: `ledger.Seen`)."""
        seen: list[dict[str, Any]] = self._call("GET", "/_sandbox/requests")["requests"]
        return seen

    def status(self) -> dict[str, Any]:
        """Counts and balances."""
        return self._call("GET", "/_sandbox/status")

    def advance(self, seconds: float) -> None:
        """Put the sandbox's clock on."""
        self._call("POST", "/_sandbox/clock", {"seconds": seconds})

    def reset(self) -> None:
        """Begin anew: nothing seen, nothing owed, no trouble."""
        self._call("POST", "/_sandbox/reset")

    def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        with httpx.Client(base_url=self.url, verify=_NO_TLS, trust_env=False) as client:
            reply = client.request(method, path, json=body)
        if reply.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise ValueError(str(reply.json()["detail"]))
        told: dict[str, Any] = reply.raise_for_status().json()
        return told


@contextmanager
def running(
    *,
    port: int = 0,
    image_origins: Sequence[str] = (),
    accounts: Sequence[Account] = DEFAULT_ACCOUNTS,
    clock: Callable[[], float] = time.time,
    callback_backoff: tuple[float, ...] = RUNFLOW_BACKOFF,
    workers: int = WORKERS,
) -> Iterator[Sandbox]:
    """A sandbox in a thread of this process. `port` 0 takes a free one; `clock` gives unix seconds.

    Raises:
        OSError: the port is taken.
        RuntimeError: it did not start.
    """
    with _bound(port) as listener, tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        setup = Setup(
            url=url_of(listener),
            folder=Path(folder),
            image_origins=tuple(image_origins),
            accounts=tuple(accounts),
            clock=clock,
            callback_backoff=callback_backoff,
            workers=workers,
        )
        server = make_server(setup)
        thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield Sandbox(setup.url)
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS)


def make_server(setup: Setup) -> uvicorn.Server:
    """The server of a sandbox; it is run with the socket whose URL the setup names."""
    front, connections = make(setup)
    config = uvicorn.Config(
        front,
        http=connections.protocol(),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        backlog=512,
    )
    return uvicorn.Server(config)


def url_of(listener: socket.socket) -> str:
    """The URL of a bound socket."""
    return f"http://{HOST}:{listener.getsockname()[1]}"


def bind(port: int) -> socket.socket:
    """A socket on loopback; 0 takes a free port. Raises OSError when it is taken, OverflowError when it is none."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except BaseException:
        listener.close()
        raise
    return listener


@contextmanager
def _bound(port: int) -> Iterator[socket.socket]:
    listener = bind(port)
    try:
        yield listener
    finally:
        listener.close()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            msg = "the sandbox did not start"
            raise RuntimeError(msg)
        time.sleep(0.01)
