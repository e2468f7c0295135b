"""Lambda functions called in this process: loaded from where the template says, given a context, their output logged.

Promises a handler of its own module for each function, a context that counts down from the function's timeout, and
that whatever a function prints goes to the stack's log and never to the screen. Refuses to kill: Python cannot end a
thread, so a function that overruns its timeout is logged and goes on.
"""

import importlib.util
import io
import json
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO, cast

from backdrop_cli.cloudformation import Unresolvable
from backdrop_cli.parts import Function


@dataclass(frozen=True)
class Context:
    """What Lambda hands to a handler beside the event."""

    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: int
    deadline: float  # monotonic seconds
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"
    log_stream_name: str = "laptop"

    @property
    def log_group_name(self) -> str:
        """The function's log group."""
        return f"/aws/lambda/{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout, never below 0."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))


class Raised(Exception):
    """A handler raised; the message is Lambda's `errorType: errorMessage`."""


type Handler = Callable[[Any, Context], Any]


class Lambda:
    """A loaded function. Like Lambda it keeps environments: each a module of its own, one invocation at a time."""

    def __init__(self, function: Function) -> None:
        """Make the first environment.

        Raises:
            Unresolvable: the file or the handler in it is not there.
        """
        self.function = function
        self._made = 0
        self._guard = threading.Lock()
        self._idle = [self._environment()]

    def invoke(self, event: Any) -> Any:
        """Call the handler with an event; what it returns.

        Raises:
            Raised: the handler raised; its traceback is in the log.
        """
        with self._guard:
            handler = self._idle.pop() if self._idle else None
        handler = handler or self._environment()
        started = time.monotonic()
        context = Context(
            function_name=self.function.name,
            invoked_function_arn=self.function.arn,
            memory_limit_in_mb=self.function.memory,
            deadline=started + self.function.timeout,
        )
        try:
            with _logged():
                return handler(event, context)
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            self._report("invocation raised", context, error=told, traceback=traceback.format_exc())
            raise Raised(told) from error
        finally:
            with self._guard:
                self._idle.append(handler)
            took = time.monotonic() - started
            if took > self.function.timeout:
                self._report("invocation overran its timeout", context, seconds=took)

    def _report(self, message: str, context: Context, **fields: Any) -> None:
        report(message, function=self.function.logical_id, request_id=context.aws_request_id, **fields)

    def _environment(self) -> Handler:
        function = self.function
        file, _, name = function.handler.rpartition(".")
        path = function.code / f"{file.replace('.', '/')}.py"
        with self._guard:
            self._made += 1
            module_name = f"backdrop_function_{function.logical_id}_{self._made}"
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None or not path.is_file():
            msg = f"{function.logical_id}: there is no {path}"
            raise Unresolvable(msg)
        module = importlib.util.module_from_spec(spec)
        with _logged():
            spec.loader.exec_module(module)
        handler = getattr(module, name, None)
        if not callable(handler):
            msg = f"{function.logical_id}: {path} has no {name}()"
            raise Unresolvable(msg)
        return cast("Handler", handler)


_inside = threading.local()


class _Routed(io.TextIOBase):
    """Stands for sys.stdout or sys.stderr: what a function prints goes to the log, all else to the screen.

    Log handlers made inside a function keep this object, so it outlives the stack that put it in place.
    """

    log: TextIO | None = None  # of the one stack that runs
    lock = threading.Lock()

    def __init__(self, screen: TextIO) -> None:
        self.screen: TextIO | None = screen

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.screen is not None and self.screen.isatty()

    def fileno(self) -> int:
        if self.screen is None:
            raise io.UnsupportedOperation("fileno")
        return self.screen.fileno()

    def write(self, text: str) -> int:
        if getattr(_inside, "function", False) or self.screen is None:
            with _Routed.lock:
                return _Routed.log.write(text) if _Routed.log else len(text)
        return self.screen.write(text)

    def flush(self) -> None:
        if self.screen is not None and not getattr(_inside, "function", False):
            self.screen.flush()


@contextmanager
def _logged() -> Iterator[None]:
    """While inside, this thread's prints are a function's."""
    before = getattr(_inside, "function", False)
    _inside.function = True
    try:
        yield
    finally:
        _inside.function = before


def report(message: str, **fields: Any) -> None:
    """Write a line of the stack's own into the log, as JSON like the functions' lines."""
    line = json.dumps({"level": "STACK", "time": time.time(), "message": message, **fields}, default=str)
    with _Routed.lock:
        if _Routed.log:
            _Routed.log.write(line + "\n")


@contextmanager
def logging_to(log: TextIO) -> Iterator[None]:
    """Send what functions print to `log`."""
    out, err = sys.stdout, sys.stderr
    routed = (_Routed(out), _Routed(err))
    _Routed.log = log
    sys.stdout, sys.stderr = routed
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err
        for stream in routed:
            stream.screen = None
        with _Routed.lock:
            _Routed.log = None
