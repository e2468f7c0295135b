"""The callback door on a laptop: an HTTP server that hands requests to functions in API Gateway's format.

Promises API Gateway's routing, limits and error answers (`gateway`), and that a function that raises is answered 502.
Refuses chunked requests and whatever is over 10 MB without reading it. Listens on the loopback only.
"""

import http.server
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, override

from backdrop_cli import gateway
from backdrop_cli.lambdas import Lambda, Raised
from backdrop_cli.parts import Place
from backdrop_cli.servers import Whole, serving

HOST = "127.0.0.1"
_IDLE_SECONDS = 30.0


class _Server(Whole, http.server.HTTPServer):
    """The standard library's server, stoppable whole."""

    def server_bind(self) -> None:
        """Bind without the reverse look-up of the host's name, which may take seconds."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment] # an IPv4 pair


@contextmanager
def listening(functions: Sequence[Lambda], place: Place, port: int = 0) -> Iterator[str]:
    """Serve the functions' routes; gives the listener's origin."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE_SECONDS
        disable_nagle_algorithm = True

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the path holds a token."""

        def do_ANY(self) -> None:
            answer = _take(self, functions, place)
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def __getattr__(self, name: str) -> Any:
            """Whatever the method is called, the answer is the API's: the base looks for `do_<METHOD>`."""
            if name.startswith("do_"):
                return self.do_ANY
            raise AttributeError(name)

    server = _Server((HOST, port), Handler)
    with serving(server, "listener") as origin:
        yield origin


def _take(handler: http.server.BaseHTTPRequestHandler, functions: Sequence[Lambda], place: Place) -> gateway.Answer:
    """Read a request and answer it; what cannot be read whole ends the connection."""
    length = handler.headers.get("Content-Length", "0")
    if "Transfer-Encoding" in handler.headers or not length.isdecimal():
        handler.close_connection = True
        return gateway.refuse(400)
    if int(length) > gateway.MOST_BYTES:
        handler.close_connection = True
        return gateway.TOO_LONG
    body = handler.rfile.read(int(length))
    if len(body) < int(length):
        handler.close_connection = True
        return gateway.refuse(400)
    headers = tuple((name, str(value)) for name, value in handler.headers.items())
    return answer(
        functions, place, gateway.Request(handler.command, handler.path, headers, body, handler.client_address[0])
    )


def answer(functions: Sequence[Lambda], place: Place, request: gateway.Request) -> gateway.Answer:
    """What API Gateway would answer to the request."""
    path = request.target.partition("?")[0]
    for function in functions:
        for route in function.function.routes:
            parameters = gateway.match(route, request.method, path)
            if parameters is None:
                continue
            event = gateway.event_of(request, route, parameters, place)
            if len(json.dumps(event)) > gateway.MOST_EVENT_BYTES:
                return gateway.TOO_LONG
            try:
                return gateway.answer_of(function.invoke(event))
            except Raised:
                return gateway.BROKEN
    return gateway.NO_ROUTE
