"""A server on loopback that sends exactly the bytes a test gives it, however wrong, and the certificates to go with it.

Promises raw control: nothing is framed, closed or corrected by itself but the end of a reply.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socketserver
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

type Answer = Callable[[str], Iterable[bytes]]


@dataclass
class Server:
    """A running server. `requests` holds each request's head, `names` what each client asked for by SNI."""

    port: int
    requests: list[str] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """Its plain http origin."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def serving(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve `answer(target)`, piece by piece as it yields them, to each request; closing ends what still runs."""
    over = threading.Event()
    server: Server

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                if tls is not None:
                    self.request = self.connection = tls.wrap_socket(self.connection, server_side=True)
                    self.rfile.close()
                    self.rfile = self.connection.makefile("rb")
                self.connection.settimeout(20)
                head = "".join(iter(lambda: self.rfile.readline(65_536).decode("latin-1").rstrip("\r\n") + "\n", "\n"))
                server.requests.append(head)
                for piece in answer(head.split(" ")[1]):
                    if over.is_set():
                        return
                    self.connection.sendall(piece)

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()
            self.connection.close()

    class Listener(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Listener(("127.0.0.1", 0), Handler) as listener:
        server = Server(listener.server_address[1])
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: server.names.append(name)
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            over.set()
            listener.shutdown()
            thread.join(5)


def reply(
    body: bytes = b"", *headers: str, status: str = "200 OK", length: int | None = None, content_type: str = ""
) -> bytes:
    """A whole HTTP/1.1 reply; `length` is what Content-Length claims, the truth when None."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    """A redirect to `location`."""
    return reply(b"", f"Location: {location}", status=status)


@dataclass(frozen=True)
class Identity:
    """A certificate for `names`, and the contexts of a server that shows it and of a client that trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def identity(folder: Path, *names: str) -> Identity:
    """Make a certificate of its own authority for `names` (hosts or addresses)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = dt.datetime.now(dt.UTC)
    told: list[x509.GeneralName] = []
    for name in names:
        try:
            told.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            told.append(x509.DNSName(name))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName(told), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{names[0].replace(':', '_')}.pem"
    path.write_bytes(pem + secret)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=pem.decode())
    return Identity(server, client)
