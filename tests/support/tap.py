"""A relay on loopback that keeps what passes it: what was really asked, whoever asked it and in whichever process.

Promises every byte of both directions, unchanged, before it is handed on; and the requests among them, read back.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wire import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Passage:
    """One connection: what the client sent and what it got."""

    asked: bytearray = field(default_factory=bytearray)
    told: bytearray = field(default_factory=bytearray)


@dataclass
class Tap:
    """The running relay."""

    url: str
    passages: list[Passage] = field(default_factory=list)

    def requests(self) -> list[Asked]:
        """Every request that has passed whole, in the order of its connections."""
        return [asked for number, one in enumerate(self.passages, 1) for asked in read(bytes(one.asked), number)]

    def forget(self) -> None:
        """Keep nothing of what has passed."""
        for one in self.passages:
            one.asked.clear()
            one.told.clear()

    def everything(self) -> str:
        """All bytes of both directions, as text."""
        return "\n".join(bytes(way).decode("latin-1") for one in self.passages for way in (one.asked, one.told))


def read(stream: bytes, connection: int) -> list[Asked]:
    """The requests in what a client sent over one connection; one that is not whole is left out."""
    found = []
    while (end := stream.find(b"\r\n\r\n")) >= 0:
        line, *rest = stream[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in rest)}
        stream = stream[end + 4 :]
        if headers.get("transfer-encoding", "") == "chunked":
            body, stream = unchunk(stream)
        else:
            length = int(headers.get("content-length", "0"))
            if len(stream) < length:
                break
            body, stream = stream[:length], stream[length:]
        method, target, *_ = line.split(" ")
        found.append(Asked(connection, method, target, headers, body))
    return found


def unchunk(stream: bytes) -> tuple[bytes, bytes]:
    """A chunked body, and what comes after it."""
    body = b""
    while stream:
        size, _, stream = stream.partition(b"\r\n")
        count = int(size.partition(b";")[0], 16)
        if not count:
            return body, stream.partition(b"\r\n")[2]
        body, stream = body + stream[:count], stream[count + 2 :]
    return body, b""


@contextlib.contextmanager
def tapping(url: str = "") -> Iterator[tuple[Tap, list[str]]]:
    """A relay to `url`, or, where that is not known yet, to the first member of the list that comes with it."""
    targets = [url] if url else []
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    tap = Tap(f"http://127.0.0.1:{listener.getsockname()[1]}")
    open_sockets: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                kept += data
                sink.sendall(data)
        for end in (sink, source):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_WR if end is sink else socket.SHUT_RD)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                parts = urlsplit(targets[0])
                server = socket.create_connection((parts.hostname, parts.port), timeout=10)
                server.settimeout(None)
                open_sockets.extend([client, server])
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                passage = Passage()
                tap.passages.append(passage)
                for way in ((client, server, passage.asked), (server, client, passage.told)):
                    threading.Thread(target=pump, args=way, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield tap, targets
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for one in open_sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
