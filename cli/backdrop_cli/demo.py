"""The whole path on a laptop, once: start the stack and the sandbox, drop photos, wait, bring the results home.

Promises results and records under their keys in the out folder, one contact sheet, and exit status 0 only if every job
SUCCEEDED and was paid for once. Bounded: it waits WAIT_SECONDS for the jobs and ends everything it started.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from backdrop import keys, notices
from backdrop.states import State
from backdrop_cli import plans, stack, watch
from backdrop_cli.outfolder import OutFolder
from backdrop_cli.paths import printable
from backdrop_cli.sandbox_process import SandboxProcess, sandbox_process
from backdrop_cli.servers import free_port

if TYPE_CHECKING:
    from backdrop.jobs import Job

WAIT_SECONDS = 120.0
SHEET = "contact-sheet.jpg"

# Each provider's first paid request is answered 429; of the callbacks two are lost and the others come twice.
TROUBLE: dict[str, Any] = {
    "rate_limited": [
        {"times": 1, "route": "submit", "provider": provider, "retry_after": 1}
        for provider in ("runflow", "backgroundcut", "imagepipeline")
    ],
    "callback_lost": [
        {"times": 1, "provider": "runflow"},
        {"times": 1, "provider": "imagepipeline"},
    ],
    "callback_duplicated": True,
}


@dataclass(frozen=True)
class Options:
    """What the command was told."""

    out: Path
    image: Path | None = None
    spec: Path | None = None
    trouble: bool = False
    keep: bool = False
    localstack: bool = False


def demo(options: Options) -> int:
    """Run the demo; its exit status.

    Raises:
        paths.BadFile, outfolder.Foreign: a path is of no use; nothing was started.
        NotRunning, Unresolvable, OSError: it could not be started.
    """
    if options.image and options.spec:
        entries = plans.own(options.image, options.spec)
    else:
        from backdrop_cli.samples import samples  # noqa: PLC0415 - numpy, only for the sample photos

        entries = samples()
    out = OutFolder(options.out)
    console = Console()
    with ExitStack() as closing:
        running, sandbox = _hosted(closing, out) if options.localstack else _embedded(closing, out)
        if options.trouble:
            sandbox.call("PUT", "/_sandbox/trouble", TROUBLE)
        print(f"stack at {running.endpoint_url}, provider sandbox at {sandbox.url}", flush=True)
        drops = [entry.drop for entry in entries]
        dropping = _Dropping(running, entries)
        dropping.start()
        try:
            done = watch.follow(running, drops, console, seconds=WAIT_SECONDS, give_up=lambda: dropping.failed)
        finally:
            dropping.stop.set()
            dropping.join()
        if dropping.error:
            raise dropping.error
        results = _bring_home(running, drops, out)
        _print_table(console, results)
        good = done and all(watch.succeeded(drop) for drop in drops)
        for drop in drops:
            _print_trouble(drop, out)
        if options.trouble:
            fired = sandbox.call("GET", "/_sandbox/trouble")["fired"]
            print("trouble that happened: " + ", ".join(f"{name} {count}" for name, count in fired.items()))
        paid_once = _check_ledger(sandbox, drops)
        sheet = _draw_sheet(out, entries, results)
        if options.keep:
            from backdrop_cli import live  # noqa: PLC0415 - only when asked for

            live.stay(running, sandbox)
    if sheet:
        print(sheet)
    return 0 if good and paid_once else 1


def _embedded(closing: ExitStack, out: OutFolder) -> tuple[stack.Stack, SandboxProcess]:
    # Started first: it takes as long to import as the stack, on the other core.
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    sandbox = closing.enter_context(sandbox_process(image_origin=origin, log=out.place("logs/sandbox.log")))
    running = closing.enter_context(
        stack.running(sandbox_url=sandbox.url, name="backdrop", port=port, log=out.place("logs/functions.log"))
    )
    sandbox.wait()
    return running, sandbox


def _hosted(closing: ExitStack, out: OutFolder) -> tuple[stack.Stack, SandboxProcess]:
    from backdrop_cli import hosted  # noqa: PLC0415 - only when asked for

    return closing.enter_context(hosted.running(out.place("logs/localstack.log")))


class _Dropping(threading.Thread):
    """Puts the objects into the input bucket one after the other, while the progress is shown."""

    def __init__(self, running: stack.Stack, entries: Sequence[plans.Entry]) -> None:
        super().__init__(name="dropping", daemon=True)
        self.stop = threading.Event()
        self.error: Exception | None = None
        self._running = running
        self._entries = entries

    @property
    def failed(self) -> bool:
        """Whether it came to nothing; `error` says why."""
        return self.error is not None

    def run(self) -> None:
        """Do it."""
        try:
            self._drop_all()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again where the demo waits
            self.error = error

    def _drop_all(self) -> None:
        for entry in self._entries:
            for step in entry.steps:
                if self.stop.is_set():
                    return
                self._running.drop(step.key, step.data())
            entry.drop.uploaded_at = time.time()


@dataclass(frozen=True)
class Result:
    """One job with the pictures it brought."""

    drop: watch.Drop
    job: "Job"
    files: tuple[Path, ...]

    @property
    def total_seconds(self) -> float:
        """From the arrival of photo and spec to the result."""
        return max(0.0, self.job.delivered_at / 1000 - self.drop.uploaded_at)


def _bring_home(running: stack.Stack, drops: Sequence[watch.Drop], out: OutFolder) -> list[Result]:
    """Copy results, records and error files into the out folder, under their keys."""
    found = []
    for drop in drops:
        for job in drop.jobs.values():
            files = []
            if job.state is State.SUCCEEDED:
                for output in job.outputs:
                    files.append(out.write(output["key"], running.result(output["key"])))
                    record = keys.record_key(output["key"])
                    out.write(record, running.result(record))
            found.append(Result(drop, job, tuple(files)))
        if drop.error:
            text = json.dumps(drop.error, indent=2, ensure_ascii=False)
            out.write(keys.error_key(drop.key), text.encode("utf-8", "replace"))
    return found


def _print_table(console: Console, results: Sequence[Result]) -> None:
    if not results:
        return
    # Left to itself rich cuts paths to the width of the screen; they are here to be copied.
    wide = Console(width=max(console.width, 160), soft_wrap=True) if not console.is_terminal else console
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("file", "model"):
        table.add_column(title)
    for title in ("provider s", "total s", "price"):
        table.add_column(title, justify="right")
    table.add_column("result", overflow="fold")
    for result in results:
        job = result.job
        told = notices.seconds_between(job.posted_at, job.finished_at)
        paths = "\n".join(printable(str(path)) for path in result.files) or job.state.lower()
        table.add_row(
            Text(printable(job.key)),
            job.model,
            "" if told is None else f"{told:.1f}",
            f"{result.total_seconds:.1f}" if job.delivered_at else "",
            f"${job.price}" if job.price else "not published",
            Text(paths),
        )
    wide.print(table)
    prices = [Decimal(result.job.price) for result in results if result.job.price]
    print(f"{len(results)} jobs, ${sum(prices, Decimal(0))} at published prices (the sandbox charges nothing)")


def _print_trouble(drop: watch.Drop, out: OutFolder) -> None:
    """Why a drop did not succeed, as its error file tells it."""
    if watch.succeeded(drop):
        return
    name = printable(drop.key)
    if not drop.error:
        states = ", ".join(f"{label}: {job.state.lower()}" for label, job in drop.jobs.items()) or "no job"
        print(f"{name}: not finished ({states}); see {out.path / 'logs'}")
        return
    print(f"{name}: {drop.error.get('state', 'refused')}")
    for line in watch.problem_lines(drop.error):
        print(f"  {line}")
    print(f"  in full: {printable(str(out.place(keys.error_key(drop.key))))}")


def _check_ledger(sandbox: SandboxProcess, drops: Sequence[watch.Drop]) -> bool:
    """Whether the sandbox accepted exactly one paid request for each job that SUCCEEDED, and none twice."""
    jobs = [job for drop in drops for job in drop.jobs.values()]
    if not jobs or not all(job.state is State.SUCCEEDED for job in jobs):
        return True  # a job that failed may rightly have been tried again, or never paid for
    ledger = sandbox.call("GET", "/_sandbox/ledger")
    paid, wanted = Counter(ledger["by_model"]), Counter(job.model for job in jobs)
    once = paid == wanted and all(count == 1 for count in ledger["by_reference"].values())
    word = "one for each job" if once else f"expected {dict(wanted)}, found {dict(paid)}"
    print(f"paid requests that the providers accepted: {paid.total()} for {len(jobs)} jobs, {word}")
    return once


def _draw_sheet(out: OutFolder, entries: Sequence[plans.Entry], results: Sequence[Result]) -> Path | None:
    """Before and after side by side; None when there is no result."""
    from backdrop_cli.sheet import SheetRow, contact_sheet  # noqa: PLC0415 - Pillow, only when there is something to draw

    photos = {entry.drop.key: entry.photo for entry in entries}
    rows = [
        SheetRow(
            title=result.job.model,
            subtitle=f"{result.job.key}   {result.total_seconds:.1f} s   {_price(result.job)}",
            before=photos[result.job.key](),
            after=result.files,
        )
        for result in results
        if result.files
    ]
    if not rows:
        return None
    path = out.place(SHEET)
    contact_sheet(rows, path)
    return path


def _price(job: "Job") -> str:
    return f"${job.price}" if job.price else "price not published"
