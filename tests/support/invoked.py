"""A deployed function in a process of its own, as the Lambda runtime holds it, with everything at DEBUG.

Run with the folder of the function and the number of a pipe: it reads one order a line from its standard input
(`event`, `ahead`: seconds its clock is put on; or `say`: something to log) and answers each with a line on the pipe.
Its standard output and error are what CloudWatch would keep.
"""

import json
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

_ahead = [0.0]
_clock = time.time
time.time = lambda: _clock() + _ahead[0]  # before anything of the function is imported

from backdrop_cli.lambdas import Context  # noqa: E402 - after the clock


def main(folder: str, pipe: str) -> None:
    """Serve orders until the input ends."""
    root = logging.getLogger()  # as the runtime does where ApplicationLogLevel is DEBUG: every logger speaks
    root.addHandler(logging.StreamHandler(sys.stderr))
    root.setLevel(logging.DEBUG)
    root.debug("every logger speaks")
    sys.path.insert(0, folder)
    import app  # type: ignore[import-not-found] # noqa: PLC0415 - the function's own module, as Lambda finds it

    with os.fdopen(int(pipe), "w") as replies:
        for line in sys.stdin:
            order = json.loads(line)
            _ahead[0] = order.get("ahead", 0.0)
            replies.write(json.dumps(_say(order["say"]) if "say" in order else _invoke(app, order["event"])) + "\n")
            replies.flush()


def _invoke(app: Any, event: Any) -> dict[str, Any]:
    name = Path(sys.argv[1]).name
    context = Context(name, f"arn:aws:lambda:eu-central-1:123456789012:function:{name}", 1024, time.monotonic() + 420)
    try:
        return {"reply": app.handler(event, context)}
    except Exception as error:  # noqa: BLE001 - the runtime logs whatever a handler raises, in this form
        told = {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": traceback.format_exc()}
        sys.stderr.write(json.dumps({"level": "ERROR", **told}) + "\n")
        return {"error": type(error).__name__}


def _say(text: str) -> dict[str, Any]:
    from backdrop.telemetry import logger  # noqa: PLC0415 - what the functions log with

    logger().info("a line of the test's own", said=text)
    return {"reply": None}


if __name__ == "__main__":
    main(*sys.argv[1:])
