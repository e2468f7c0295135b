"""The cold start: each function's first invocation doing its real work, against a handler that only makes its clients.

Both are whole processes under `awslambdaric` with the built layer, in turn; from process start to reply. The work is
real as well: submit makes a job of a photo and posts it to the sandbox, webhook brings a result home after a signed
callback, reconcile sweeps, or asks about a run whose callback never came and brings its result home.
"""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plots
import starting
from bench import BRIA
from report import Detail, Plot, Row, Section, ratios, spread
from scene import standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bench import Call
    from scene import Scene
    from starting import Code, Started

RUNS = 7
TRACED = 3  # runs with -X importtime
SLOW_RUNS = 5
SHOWN = 14  # packages
FUNCTIONS = ("submit", "webhook", "reconcile")


@dataclass(frozen=True)
class Case:
    """A first invocation that is measured: `event` makes a fresh one, `right` judges the reply.

    `clients`: it makes AWS clients; `posts`: a run is under way afterwards.
    """

    label: str
    function: str
    at_most: float
    event: Callable[[], Any]
    right: Callable[[Any], bool]
    clients: bool = True
    posts: bool = False


@dataclass(frozen=True)
class Events:
    """Makes fresh events; `finish` has the run of a posted photo end as usual, so that its place is free again."""

    scene: Scene

    def photo(self) -> dict[str, Any]:
        """A new photo beside its spec."""
        return self.scene.drop_event(self.scene.upload(BRIA))

    def called(self) -> dict[str, Any]:
        """The callback of a run that was posted just now, signed and not taken yet."""
        return self.scene.call_event(self._finished())

    def overdue(self) -> dict[str, Any]:
        """The work message for a run that has ended and whose callback was lost."""
        return self.scene.work_event({"job_id": self._finished().path.split("/")[-3]})

    def _finished(self) -> Call:
        """Have a photo posted by this process; its callback, once it has come."""
        known = len(self.scene.door.calls)
        self.scene.stack.invoke("SubmitFunction", self.photo())
        return self.scene.callback(known)

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Whatever is posted inside gets its callback taken by this process's webhook."""
        known = len(self.scene.door.calls)
        yield
        self.scene.stack.invoke("WebhookFunction", self.scene.call_event(self.scene.callback(known)))


def cases(events: Events) -> list[Case]:
    """What is measured, in the page's order."""

    def taken(reply: Any) -> bool:
        return bool(reply == {"batchItemFailures": []})

    def answered(status: int) -> Callable[[Any], bool]:
        return lambda reply: bool(reply["statusCode"] == status)

    forged = {"pathParameters": {"provider": "runflow", "job": "0" * 32, "attempt": "1", "token": "x"}}
    sweep = events.scene.schedule_event
    return [
        Case("submit: a photo is posted", "submit", 1.4, events.photo, taken, posts=True),
        Case("webhook: a result is brought home", "webhook", 1.25, events.called, answered(200)),
        Case("webhook: a token of the wrong form", "webhook", 0.25, lambda: forged, answered(401), clients=False),
        Case("reconcile: a sweep, nothing due", "reconcile", 1.4, sweep, lambda reply: bool(reply == {"sent": 0})),
        Case("reconcile: a callback was lost", "reconcile", 1.4, events.overdue, taken),
    ]


def measure(say: Callable[[str], None]) -> Section:
    """A row for each case, and one for each improvement that is taken back."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        say("building the layer for this machine")
        layer = starting.build_layer(folder / "built")
        codes = {name: starting.function(name, folder / "functions" / name, layer) for name in FUNCTIONS}
        with standing(folder) as scene:
            events = Events(scene)
            told = cases(events)
            runs = []
            for number, case in enumerate(told):
                say(f"{case.label}, {RUNS} pairs")
                runs.append(_case(events, case, codes[case.function], folder / "floors" / str(number)))
            undone = {}
            for label, slow in _undone(folder, layer).items():
                say(f"{label}, {SLOW_RUNS} pairs")
                undone[label] = [
                    (_one(events, told[0], slow), _one(events, told[0], codes["submit"])) for _ in range(SLOW_RUNS)
                ]
            say("what importing takes, by module")
            traces = {case.label: _trace(events, case, codes[case.function]) for case in told if case.clients}
    return _section(runs, undone, traces)


def _undone(folder: Path, layer: Path) -> dict[str, Code]:
    """Submit with one improvement taken back: compiled files, the functions' own clients, batches without asyncio."""
    bare = starting.without_compiled(layer, folder / "bare")
    whole = starting.with_whole_clients(layer, folder / "whole")
    loaded = starting.function("submit", folder / "loaded", layer)
    app, old = loaded.folder / "app.py", "from backdrop import batches\n"
    text = app.read_text(encoding="utf-8")
    if old not in text:
        raise ValueError(f"app.py has no {old!r}")
    app.write_text(text.replace(old, f"import aws_lambda_powertools.utilities.batch\n{old}"), encoding="utf-8")
    return {
        "submit without .pyc files in the layer": starting.function("submit", folder / "slow", bare),
        "submit with boto3's clients": starting.function("submit", folder / "clients", whole),
        "submit with Powertools' batch utility": loaded,
    }


@dataclass(frozen=True)
class Runs:
    """A case's runs in turn with its floor's, whose handler makes `clients`."""

    case: Case
    clients: tuple[str, ...]
    ours: tuple[Started, ...]
    floors: tuple[Started, ...]


def _one(events: Events, case: Case, code: Code, *, flags: Sequence[str] = (), handler: str = "app") -> Started:
    environment, event = events.scene.environment(case.function), case.event()
    asked = events.scene.asked()
    with events.finishing() if case.posts else nullcontext():
        done = starting.start(code, event, environment, flags=flags, handler=handler)
        done = replace(done, wall=done.wall - events.scene.provider_seconds(asked))
    if handler == "app" and not case.right(done.reply):
        raise RuntimeError(f"{case.label}: {done.reply} {done.told[-2000:]}")
    return done


def _case(events: Events, case: Case, code: Code, folder: Path) -> Runs:
    # The one that is refused makes no client: it is held against its function's other case.
    like = case if case.clients else next(one for one in cases(events) if one.function == case.function)
    needed = starting.clients(_one(events, like, code, handler="asking").reply)
    floor = starting.floor(needed, folder, code.layer)
    environment = events.scene.environment(case.function)
    starting.start(floor, {}, environment)
    pairs = [(_one(events, case, code), starting.start(floor, {}, environment)) for _ in range(RUNS)]
    ours, floors = zip(*pairs, strict=True)
    return Runs(case, tuple(needed), ours, floors)


def _trace(events: Events, case: Case, code: Code) -> dict[str, float]:
    """Seconds that importing takes by package, the median of TRACED runs."""
    found: dict[str, list[float]] = defaultdict(lambda: [0.0] * TRACED)
    for run in range(TRACED):
        for module, took in starting.imports(_one(events, case, code, flags=("-X", "importtime")).told):
            found[module.partition(".")[0]][run] += took
    return {package: statistics.median(took) for package, took in found.items()}


def _section(
    runs: list[Runs], undone: Mapping[str, list[tuple[Started, Started]]], traces: Mapping[str, Mapping[str, float]]
) -> Section:
    rows = []
    for one in runs:
        wall = ratios([run.wall for run in one.ours], [run.wall for run in one.floors])
        cpu = ratios([run.cpu for run in one.ours], [run.cpu for run in one.floors])
        rows.append(Row(one.case.label, wall, at_most=one.case.at_most, how=f"floor makes {', '.join(one.clients)}"))
        rows.append(Row(f"{one.case.label}: processor time", cpu, how="the same, seconds on a processor"))
    for label, pairs in undone.items():
        slow, quick = ([pair[side].cpu for pair in pairs] for side in (0, 1))
        rows.append(Row(label, ratios(slow, quick), how="undone / as it is, seconds on a processor"))
    return Section(
        title="Cold start",
        against=(
            "A handler under awslambdaric that makes, with boto3, the AWS clients that the function's first invocation "
            f"makes, and answers; {RUNS} pairs of processes in turn, from process start to reply. What the sandbox "
            "says that it took is taken off."
        ),
        rows=tuple(rows),
        details=(_times(runs), _packages(traces)),
        plots=(_plot(runs),),
    )


def _times(runs: list[Runs]) -> Detail:
    cells = [
        (one.case.label, *(f"{_median(some, kind):.0f}" for kind in ("wall", "cpu") for some in (one.ours, one.floors)))
        for one in runs
    ]
    heads = ("first invocation", "ms by the clock", "its floor", "ms on a processor", "its floor")
    return Detail("Medians on this machine", heads, tuple(cells))


def _median(runs: tuple[Started, ...], kind: str) -> float:
    return 1000 * statistics.median(run.cpu if kind == "cpu" else run.wall for run in runs)


def _packages(traces: Mapping[str, Mapping[str, float]]) -> Detail:
    together = {
        package: sum(trace.get(package, 0.0) for trace in traces.values()) for one in traces.values() for package in one
    }
    shown = sorted(together, key=lambda package: -together[package])[:SHOWN]
    cells = [(package, *(f"{trace.get(package, 0.0) * 1000:.0f}" for trace in traces.values())) for package in shown]
    rest = [sum(took for package, took in trace.items() if package not in shown) for trace in traces.values()]
    cells.append(("all others", *(f"{took * 1000:.0f}" for took in rest)))
    cells.append(("together", *(f"{sum(trace.values()) * 1000:.0f}" for trace in traces.values())))
    title = f"What importing takes by package (`-X importtime`, which slows it; ms, medians of {TRACED})"
    return Detail(title, ("package", *traces), tuple(cells))


def _plot(runs: list[Runs]) -> Plot:
    with plots.drawing("coldstart", "time from process start to reply / its floor's", "", height=3.4) as axes:
        labels = [one.case.label for one in runs]
        for at, one in enumerate(runs):
            quotients = [ours.wall / floor.wall for ours, floor in zip(one.ours, one.floors, strict=True)]
            told = spread(quotients)
            axes.barh(at, told.median, height=0.55, color=plots.OURS, label="" if at else "median")
            axes.plot(
                quotients, [at] * len(quotients), "|", color="black", markersize=9, label="" if at else "each run"
            )
            axes.plot(
                [one.case.at_most] * 2,
                [at - 0.4, at + 0.4],
                color=plots.LIMIT,
                linewidth=2.5,
                label="" if at else "target",
            )
        axes.axvline(1, color=plots.FLOOR, linewidth=1.5, label="floor")
        axes.set_yticks(range(len(labels)), labels)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        plots.legend(axes)
    return Plot(plots.file("coldstart"), "First invocations against a handler that only makes the same AWS clients.")
