"""The overhead: from a drop's event to its result in the bucket, without the provider's time, against two floors.

The functions' own handlers, warm, in this process, called as Lambda would call them; each request goes over HTTP to
servers that serve the floors as well. What the sandbox says that it took for each request is taken off on both sides,
and the pictures are a few pixels, made between the two invocations that are timed.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import floors
import plots
from bench import BRIA, CUT
from report import Detail, Plot, Row, Section, ratios
from scene import standing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scene import Scene

RUNS = 9
WARMING = 1
TARGET = 1.3
SPECS: tuple[Mapping[str, Any], ...] = (
    {"model": "runflow/background-color", "input": {"color_red": 240, "color_green": 240, "color_blue": 240}},
    {"model": "runflow/background-replace", "input": {"reference": "_reference.png"}},
    {"model": "backgroundcut/remove-bg", "input": {"output_variants": [{"format": "png"}]}},
    {"model": "imagepipeline/background-change", "input": {"prompt": "on an oak table", "output_format": "png"}},
    CUT,
    BRIA,
)

NOTES = (
    """Backdrop's time is that of both S3 events in one batch to `submit`, and of `webhook` (BackgroundCut: of
    `reconcile`). Neither floor looks at the photo, checks the spec or the callback, keeps a record beside the result or
    minds error files; with BackgroundCut there is no `accept`.""",
    """All servers are on the loopback: a request to AWS takes some milliseconds there, as within a region.""",
)


@dataclass
class Watch:
    """Counts what is timed: seconds without those that the provider says it took meanwhile; seconds on a processor.

    The latter are this process's: the functions', or the floor's, and those of AWS's servers, not the sandbox's.
    """

    scene: Scene
    seconds: float = 0.0
    cpu: float = 0.0

    def time[Reply](self, work: Callable[[], Reply]) -> Reply:
        """Do it, timed."""
        seen = self.scene.asked()
        begun, spent = time.perf_counter(), time.process_time()
        reply = work()
        self.seconds += time.perf_counter() - begun
        self.cpu += time.process_time() - spent
        self.seconds -= self.scene.provider_seconds(seen)
        return reply


def _ours(scene: Scene, spec: Mapping[str, Any]) -> Watch:
    """One drop by the functions: both its events in one batch, then what the provider's answer asks for."""
    key, watch, known = scene.upload(spec), Watch(scene), len(scene.door.calls)
    event = scene.drop_event(f"{key}.json", key)
    watch.time(lambda: scene.stack.invoke("SubmitFunction", event))
    if spec["model"].startswith("backgroundcut"):
        for message in scene.messages():
            work = scene.work_event(message)
            watch.time(partial(scene.stack.invoke, "ReconcileFunction", work))
    else:
        call = scene.call_event(scene.callback(known))
        reply = watch.time(lambda: scene.stack.invoke("WebhookFunction", call))
        if reply["statusCode"] != 200:
            raise RuntimeError(f"{spec['model']}: the webhook answered {reply}")
    (found,) = scene.results(key)
    scene.stack.result(found)
    return watch


def _floor(scene: Scene, spec: Mapping[str, Any], *, rules: bool) -> Watch:
    """The same drop by a floor."""
    key, watch, known = scene.upload(spec), Watch(scene), len(scene.door.calls)
    one = floors.Floor(scene.stack.world, scene.sandbox.url, f"{scene.door.url}/floor/{key}", rules)
    url = watch.time(lambda: one.begin(key))
    if url:
        stored = watch.time(lambda: one.finish(key, url))
    else:
        body = scene.callback(known).body
        stored = watch.time(lambda: one.finish(key, floors.result_url(body)))
    scene.stack.result(stored)
    return watch


def measure(say: Callable[[str], None]) -> Section:
    """Two rows for each model: against the rule floor, which is judged, and against the bare one."""
    times = {}
    with tempfile.TemporaryDirectory() as folder, standing(Path(folder)) as scene:
        floors.prepare(scene.stack.world)
        for spec in SPECS:
            say(f"{spec['model']}, {RUNS} times in turn with each floor")
            for _ in range(WARMING):
                _one(scene, spec)
            times[spec["model"]] = [_one(scene, spec) for _ in range(RUNS)]
    return _section(times)


def _one(scene: Scene, spec: Mapping[str, Any]) -> tuple[Watch, Watch, Watch]:
    return _ours(scene, spec), _floor(scene, spec, rules=True), _floor(scene, spec, rules=False)


def _section(times: Mapping[str, list[tuple[Watch, Watch, Watch]]]) -> Section:
    rows, cells = [], []
    for model, runs in times.items():
        ours, ruled, bare = ([run.seconds for run in column] for column in zip(*runs, strict=True))
        cpu, least = ([run.cpu for run in column] for column in list(zip(*runs, strict=True))[:2])
        rows.append(Row(model, ratios(ours, ruled), at_most=TARGET, how="drop to result / the rule floor"))
        rows.append(Row(f"{model}: processor", ratios(cpu, least), how="the same in seconds on a processor"))
        rows.append(Row(f"{model}: bare", ratios(ours, bare), how="drop to result / the bare floor"))
        cells.append((model, *(f"{statistics.median(column) * 1000:.0f}" for column in (ours, ruled, bare))))
    writes = tuple((name, why) for name, why in floors.WRITES.items())
    return Section(
        title="Overhead",
        against=(
            "One photo and its spec, warm, without the provider's time. The bare floor reads the spec, posts, fetches "
            "the result and stores it; the rule floor also makes the writes below. Same clients, same servers, in turn."
        ),
        rows=tuple(rows),
        notes=NOTES,
        details=(
            Detail("Medians on this machine, ms", ("model", "Backdrop", "rule floor", "bare floor"), tuple(cells)),
            Detail("The writes of the rule floor", ("write", "what for"), writes),
        ),
        plots=(_plot(times),),
    )


def _plot(times: Mapping[str, list[tuple[Watch, Watch, Watch]]]) -> Plot:
    with plots.drawing("overhead", "drop to result without the provider's time, ms (medians)", "") as axes:
        names = ("Backdrop", "rule floor", "bare floor")
        for number, (name, colour) in enumerate(zip(names, (plots.OURS, plots.THIRD, plots.FLOOR), strict=True)):
            medians = [statistics.median(run[number].seconds for run in runs) * 1000 for runs in times.values()]
            places = [at + 0.27 * (number - 1) for at in range(len(times))]
            axes.barh(places, medians, height=0.25, color=colour, label=name)
        axes.set_yticks(range(len(times)), list(times))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        plots.legend(axes)
    return Plot(plots.file("overhead"), "What Backdrop adds to a provider's time, beside the two floors.")
