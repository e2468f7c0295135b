"""A stack that stays: how to reach it, and each job as it finishes, until Ctrl-C."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING

from backdrop import notices
from backdrop.states import TERMINAL
from backdrop_cli import stack
from backdrop_cli.paths import printable
from backdrop_cli.sandbox_process import SandboxProcess, sandbox_process
from backdrop_cli.servers import free_port
from backdrop_cli.watch import changed, problem_lines

if TYPE_CHECKING:
    from backdrop.jobs import Job

_LOOK_SECONDS = 0.5


def up(port: int) -> int:
    """Run the stack and the sandbox until Ctrl-C; `port` is the AWS endpoint's, 0 for any.

    Raises:
        NotRunning, Unresolvable, OSError: it could not be started.
    """
    port = port or free_port()
    with ExitStack() as closing:
        folder = Path(closing.enter_context(TemporaryDirectory(prefix="backdrop-")))
        sandbox = closing.enter_context(
            sandbox_process(image_origin=f"http://127.0.0.1:{port}", log=folder / "sandbox.log")
        )
        running = closing.enter_context(
            stack.running(sandbox_url=sandbox.url, name="backdrop", port=port, log=folder / "functions.log")
        )
        sandbox.wait()
        print(f"logs: {folder}")
        stay(running, sandbox)
    return 0


def stay(running: stack.Stack, sandbox: SandboxProcess) -> None:
    """Tell how to reach the stack, then tell of each job that finishes, until Ctrl-C."""
    print(how_to(running, sandbox.url), flush=True)
    with _until_told() as ended:
        for line in _news(running, ended):
            print(line, flush=True)
    print("stopping", flush=True)


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """An event that Ctrl-C and its like set: an exception in the middle of a request would leave its connection torn.

    A second Ctrl-C, for whoever cannot wait, interrupts as usual.
    """
    ended = threading.Event()

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.default_int_handler)
        ended.set()

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def how_to(running: stack.Stack, sandbox_url: str) -> str:
    """The commands of the AWS CLI that drop a photo and list the results."""
    place = running.template.place
    return f"""\
The stack is running. In another terminal:

  export AWS_ACCESS_KEY_ID=laptop AWS_SECRET_ACCESS_KEY=laptop AWS_DEFAULT_REGION={place.region}
  export AWS_ENDPOINT_URL={running.endpoint_url}
  printf 'model: bria/background/remove\\n' > photo.jpg.yaml
  aws s3 cp photo.jpg s3://{running.input_bucket}/
  aws s3 cp photo.jpg.yaml s3://{running.input_bucket}/
  aws s3 ls --recursive s3://{running.output_bucket}/
  aws s3 cp --recursive s3://{running.output_bucket}/ results/
  .venv/bin/backdrop status
  .venv/bin/backdrop explain photo.jpg

Recent runs of the provider sandbox, before and after: {sandbox_url}/
Each job is told here as it finishes. Ctrl-C stops everything; nothing is kept.
"""


def _news(running: stack.Stack, ended: threading.Event) -> Iterator[str]:
    """A line for each job that finishes and for each error file that appears, until `ended`."""
    known: dict[str, Job] = {}
    errors: dict[str, str] = {}
    while not ended.is_set():
        for job in changed(running, known):
            known[job.job_id] = job
            if job.state in TERMINAL:
                seconds = notices.seconds_between(job.posted_at, job.finished_at)
                took = "" if seconds is None else f"  {seconds:.1f} s"
                outputs = ", ".join(str(output["key"]) for output in job.outputs)
                yield printable(f"{job.state.lower():<9}  {job.key}  {job.model}{took}  {outputs}")
        there = {key for key in running.results() if key.endswith(".error.json")}
        for key in sorted(there):
            text = running.result(key).decode()
            if errors.get(key) != text:
                errors[key] = text
                yield printable(f"refused    {key}")
                yield from (f"           {line}" for line in problem_lines(json.loads(text)))
        errors = {key: text for key, text in errors.items() if key in there}
        ended.wait(_LOOK_SECONDS)
