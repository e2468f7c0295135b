"""A provider made of bytes: a server on loopback that answers each request with exactly what a test gives it.

Promises that a request is read whole before it is answered, so that a test decides whether an answer arrives, and that
every request is kept. Connections stay open between requests unless an answer says otherwise.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import struct
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Asked:
    """One request. `connection` counts the connections from 1; header names are in lower case."""

    connection: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def data(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What goes back: `sent`, in one piece; then the connection stays, is closed, is reset, or is kept silent."""

    sent: bytes = b""
    then: str = "stay"  # stay | close | reset | silence


DROPPED = Answer(then="reset")
SILENCE = Answer(then="silence")


def raw(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> Answer:
    """An HTTP/1.1 reply; `length` is what Content-Length claims, the truth when None."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unlikely"
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} {phrase}", f"Content-Length: {size}", *headers, "", ""]
    return Answer("\r\n".join(lines).encode() + body, "stay" if size == len(body) else "close")


def told(status: int, value: Any, *headers: str) -> Answer:
    """A JSON reply."""
    return raw(status, json.dumps(value).encode(), "Content-Type: application/json", *headers)


@dataclass
class Wire:
    """The running server. `answer` is called for each request; `asked` keeps them."""

    url: str
    answer: Callable[[Asked], Answer] = field(default=lambda _: raw(500))
    asked: list[Asked] = field(default_factory=list)

    def always(self, answer: Answer) -> None:
        """Answer everything alike."""
        self.answer = lambda _: answer

    def in_turn(self, *answers: Answer) -> None:
        """Answer the first request with the first, and so on; the last one goes on for ever."""
        left = list(answers)
        self.answer = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def by_path(self, **answers: Answer) -> None:
        """Answer by the first name found in the path, with `_` for `-`; anything else is 404."""
        self.answer = lambda asked: next(
            (answer for name, answer in answers.items() if name.replace("_", "-") in asked.path), raw(404)
        )


@contextlib.contextmanager
def wired() -> Iterator[Wire]:
    """A Wire on a free port; leaving ends it."""
    over = threading.Event()
    count = iter(range(1, 1_000_000))
    wire: Wire

    class Handler(socketserver.StreamRequestHandler):
        timeout = 20

        def handle(self) -> None:
            number = next(count)
            with contextlib.suppress(OSError, ValueError):
                while not over.is_set() and (asked := _read(self.rfile, number)):
                    wire.asked.append(asked)
                    answer = wire.answer(asked)
                    self.wfile.write(answer.sent)
                    if answer.then == "silence":
                        over.wait(10)
                    if answer.then == "reset":
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    if answer.then != "stay":
                        return

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()
            self.connection.close()

    class Listener(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

    with Listener(("127.0.0.1", 0), Handler) as listener:
        wire = Wire(f"http://127.0.0.1:{listener.server_address[1]}")
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield wire
        finally:
            over.set()
            listener.shutdown()
            thread.join(5)


def _read(stream: Any, number: int) -> Asked | None:
    line = stream.readline(65_536).decode("latin-1").split()
    if len(line) != 3:
        return None
    headers: dict[str, str] = {}
    while text := stream.readline(65_536).decode("latin-1").strip():
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    return Asked(number, line[0], line[1], headers, body)
