"""A provider that takes every job and then names whatever result a test wants, served as wrong as a test wants.

It speaks as much of Runflow as a job needs. Its results may lie on itself (`result`), on its own origin, which the
rules of public addresses excuse, or anywhere else.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass
class Crooked:
    """The running provider. `url` is where it says the next result lies, `result` what it serves for that itself.

    `at_once`: it says so in its answer to the POST.
    """

    origin: str
    over: Event
    url: str = ""
    result: Callable[[], Iterable[bytes]] = field(default=list)
    at_once: bool = False
    runs: int = 0
    fetched: int = 0
    posted: list[dict[str, Any]] = field(default_factory=list)

    def serve(self, name: str, result: Callable[[], Iterable[bytes]]) -> None:
        """Let the next result lie here, under a name and a query that must not be told."""
        self.url, self.result = f"{self.origin}/results/{name}?X-Amz-Signature=deadbeef", result

    def record(self, run_id: str) -> dict[str, Any]:
        """What its status route says of a run: finished, and where its result lies."""
        output = {"outputs": [{"url": self.url, "type": "image"}]}
        return {"id": run_id, "status_code": "succeeded", "output": output}


@contextlib.contextmanager
def providing() -> Iterator[Crooked]:
    """A crooked provider on a free port; leaving ends it."""
    crooked: Crooked

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            crooked.posted.append(json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0")))))
            crooked.runs += 1
            run = f"run-{crooked.runs}"
            self._say(201, crooked.record(run) if crooked.at_once else {"id": run, "status_code": "queued"})

        def do_GET(self) -> None:
            if self.path.startswith("/v1/runs/"):
                self._say(200, crooked.record(self.path.rpartition("/")[2]))
                return
            crooked.fetched += 1
            with contextlib.suppress(OSError):
                for piece in crooked.result():
                    if crooked.over.is_set():
                        break
                    self.wfile.write(piece)
            self.close_connection = True

        def _say(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    crooked = Crooked(f"http://127.0.0.1:{server.server_address[1]}", Event())
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield crooked
    finally:
        crooked.over.set()
        server.shutdown()
        thread.join(5)
        server.server_close()
