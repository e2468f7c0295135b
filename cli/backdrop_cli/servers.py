"""HTTP servers in a thread that can be stopped whole: their connections cut, their threads gone, their socket closed.

The standard library's threading server leaves the threads of kept-alive connections behind; these do not.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any

_JOIN_SECONDS = 5.0

if TYPE_CHECKING:
    _Base = BaseServer
else:
    _Base = object


class Whole(ThreadingMixIn, _Base):
    """Mixed into a threading HTTP server: remembers its connections, so that `cut` can end them."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self._live: dict[threading.Thread, socket.socket] = {}
        self._guard = threading.Lock()
        super().__init__(*args, **keywords)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection in a thread of its own."""
        worker = threading.Thread(target=self._serve, args=(request, client_address), name="connection", daemon=True)
        with self._guard:
            self._live[worker] = request
        worker.start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._guard:
                self._live.pop(threading.current_thread(), None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up in the middle is its own affair."""

    def cut(self) -> None:
        """End every connection and wait for its thread, at most a few seconds in all."""
        with self._guard:
            live = dict(self._live)
        for connection in live.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for worker in live:
            worker.join(_JOIN_SECONDS)


@contextmanager
def serving(server: Any, name: str) -> Iterator[str]:
    """Run a `Whole` server in a thread; gives its origin, and stops it whole."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name=name, daemon=True)
    thread.start()
    host, port = server.server_address[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.shutdown()
        thread.join(_JOIN_SECONDS)
        server.cut()
        server.server_close()


def free_port() -> int:
    """A port of the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
