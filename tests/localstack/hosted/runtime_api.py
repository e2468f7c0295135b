"""The Lambda Runtime API for one process: what `awslambdaric` asks for its work and tells its answers.

Promises the routes of https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html that a runtime client calls, on
the loopback, for one invocation at a time. Refuses nothing: whoever reads `events` decides what a silence means.
"""

import queue
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

_PREFIX = "/2018-06-01/runtime/"


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event on its way to a handler; `deadline` in milliseconds since 1970."""

    request_id: str
    function_arn: str
    trace_id: str
    deadline: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """What the process did: asked for work, gave up in its initialisation, answered or raised, or ended."""

    kind: Literal["asks", "init error", "response", "error", "exit"]
    request_id: str = ""
    body: bytes = b""


class RuntimeApi(ThreadingHTTPServer):
    """Serves one process; `events` tells what it did, in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events: queue.Queue[Event] = queue.Queue()
        self._work: queue.Queue[Invocation | None] = queue.Queue()
        threading.Thread(target=self.serve_forever, args=(0.1,), name="runtime-api", daemon=True).start()

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API holds."""
        return f"127.0.0.1:{self.server_port}"

    def give(self, invocation: Invocation) -> None:
        """Hand out work to the process, now or when it asks."""
        self._work.put(invocation)

    def take(self) -> Invocation | None:
        """The next work, waited for as long as it takes; None when the server closes."""
        return self._work.get()

    def close(self) -> None:
        """Stop serving; a request for work goes unanswered."""
        self._work.put(None)
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a process that dies in the middle of a request is told of by its exit."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # with delayed acknowledgements each invocation would take 45 ms more
    wbufsize = -1  # one packet for headers and body
    server: RuntimeApi

    def do_GET(self) -> None:
        if self.path != f"{_PREFIX}invocation/next":
            self._answer(404)
            return
        self.server.events.put(Event("asks"))
        work = self.server.take()
        if work is None:
            self.close_connection = True
            return
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": work.request_id,
            "Lambda-Runtime-Invoked-Function-Arn": work.function_arn,
            "Lambda-Runtime-Trace-Id": work.trace_id,
            "Lambda-Runtime-Deadline-Ms": str(work.deadline),
        }
        self._answer(200, work.payload, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        match self.path.removeprefix(_PREFIX).split("/"):
            case ["init", "error"]:
                event = Event("init error", body=body)
            case ["invocation", request_id, "response"]:
                event = Event("response", request_id, body)
            case ["invocation", request_id, "error"]:
                event = Event("error", request_id, body)
            case _:
                self._answer(404)
                return
        self._answer(202, b'{"status":"OK"}')
        self.server.events.put(event)

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""
