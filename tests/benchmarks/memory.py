"""Peak memory and time of bringing results of 1 to 500 MB home, each in a process as the functions have it.

Against what a short example does: the whole body in memory, then one request to S3. The result is a PNG that the
sending side makes up while it sends, so that nothing of it lies in this process either.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import plots
import starting
from homecoming import MIB, large, sent
from hostile import serving
from report import Detail, Plot, Row, Section, ratios, spread
from starting import LAMBDA_PYTHON

from backdrop_cli import aws

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SIZES = (1, 10, 100, 500)
RUNS = 3
TARGET = 32.0
LONGEST = 200  # seconds for one result
_MEASURED = """
import json, re, sys, time
url, bucket = sys.argv[1:]
{setting}
begun = time.perf_counter()
size = bring(url, bucket)
took = time.perf_counter() - begun
status = open("/proc/self/status").read()
print(json.dumps({{"size": size, "seconds": took, "peak": int(re.search(r"VmHWM:\\s*(\\d+) kB", status)[1]) / 1024}}))
"""
OURS = _MEASURED.format(
    setting="""
import logging
from backdrop import results, world as library
library.READ_SECONDS = 120  # moto joins 60 parts before it answers; S3 answers at once and sends blanks meanwhile
from backdrop.providers.base import Output
from backdrop.settings import Settings
from backdrop.world import Clients, World
names = ("job_table", "input_bucket", "output_bucket", "staging_bucket", "work_queue_url", "provider_secret",
         "callback_secret", "callback_base_url")
settings = Settings(**dict.fromkeys(names, bucket), result_max_bytes=600_000_000)
world = World(settings, Clients(), logging.getLogger())
world.aws.s3  # made beforehand, as the example's is
def bring(url, bucket):
    return results.bring_home(world, Output(url), key_for=lambda _: "large.png", job_id="0" * 32, attempt=1, number=1,
                              provider_origin=url).size
"""
)
SIMPLE = _MEASURED.format(
    setting="""
import boto3, httpx
s3 = boto3.client("s3")
def bring(url, bucket):
    body = httpx.get(url, trust_env=False, timeout=60).content
    s3.put_object(Bucket=bucket, Key="large.png", Body=body)
    return len(body)
"""
)
_REGION = "eu-central-1"
_BUCKET = "results"


@dataclass(frozen=True, slots=True)
class Run:
    """One result brought home: seconds from the request to the last write, and the process's peak in MB."""

    seconds: float
    peak: float


def measure(say: Callable[[str], None]) -> Section:
    """One row that is judged, and how the time of a large result compares."""
    ours: dict[int, list[Run]] = {}
    simple: dict[int, list[Run]] = {}
    with tempfile.TemporaryDirectory() as folder, aws.serving_aws() as origin:
        say("building the layer for this machine")
        layer = starting.build_layer(Path(folder))
        environment = {
            "PATH": "",
            "PYTHONPATH": str(layer),
            "AWS_ENDPOINT_URL": origin,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": _REGION,
        }
        session: Any = boto3.session.Session("bench", "bench", region_name=_REGION)
        s3 = session.client("s3", endpoint_url=origin)
        s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": _REGION})
        with serving(lambda at: sent(large(int(at.strip("/")) * MIB))) as server:
            for size in SIZES:
                say(f"a result of {size} MB, {RUNS} times in turn")
                ours[size], simple[size] = [], []
                for run in range(RUNS):
                    ours[size].append(_one(OURS, f"{server.origin}/{size}", environment))
                    if size < SIZES[-1] or not run:  # the largest once: it is the slowest, and its time is not told
                        simple[size].append(_one(SIMPLE, f"{server.origin}/{size}", environment))
    return _section(ours, simple)


def _one(program: str, url: str, environment: Mapping[str, str]) -> Run:
    command: list[str | Path] = [LAMBDA_PYTHON, "-c", program, url, _BUCKET]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=LONGEST, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    told = json.loads(done.stdout)
    size = int(url.rpartition("/")[2])
    if not size * MIB <= told["size"] <= size * MIB + MIB:
        raise RuntimeError(f"{told['size']} bytes came of {size} MB")
    return Run(told["seconds"], told["peak"])


def _section(ours: Mapping[int, Sequence[Run]], simple: Mapping[int, Sequence[Run]]) -> Section:
    flat = spread(
        max(run.peak for run in runs) - min(run.peak for run in runs)
        for runs in zip(*(ours[size] for size in SIZES), strict=True)
    )
    rows = [
        Row("largest peak less the smallest, 1 to 500 MB", flat, "MB", at_most=TARGET, how="within one round of sizes")
    ]
    for size in SIZES:
        peak = spread(run.peak for run in ours[size])
        rows.append(Row(f"peak at {size} MB", peak, "MB", how="VmHWM of the process"))
    for size in SIZES[1:-1]:
        told = ratios([run.seconds for run in ours[size]], [run.seconds for run in simple[size]])
        rows.append(Row(f"time of {size} MB", told, how="Backdrop / the example"))
    cells = [
        (
            f"{size} MB",
            *(f"{statistics.median(run.peak for run in runs[size]):.0f}" for runs in (ours, simple)),
            *(f"{statistics.median(run.seconds for run in runs[size]):.2f}" for runs in (ours, simple)),
        )
        for size in SIZES
    ]
    heads = ("result", "peak MB", "the example's", "seconds", "the example's")
    return Section(
        title="Memory",
        against=(
            "Peak resident memory of a process that brings one result home, and nothing else, over the result's size; "
            "beside it a short example: httpx with the whole body in memory, one request to S3."
        ),
        rows=tuple(rows),
        details=(Detail("Medians on this machine", heads, tuple(cells)),),
        plots=(_plot(ours, simple),),
    )


def _plot(ours: Mapping[int, Sequence[Run]], simple: Mapping[int, Sequence[Run]]) -> Plot:
    with plots.drawing("memory", "size of the result, MB", "peak resident memory, MB") as axes:
        for runs, label, colour in ((simple, "the whole body in memory", plots.FLOOR), (ours, "Backdrop", plots.OURS)):
            peaks = [[run.peak for run in runs[size]] for size in SIZES]
            axes.plot(SIZES, [statistics.median(some) for some in peaks], "o-", color=colour, label=label)
        least = min(run.peak for runs in ours.values() for run in runs)
        axes.axhspan(least, least + TARGET, color=plots.OURS, alpha=0.12, label=f"within {TARGET:.0f} MB", linewidth=0)
        axes.set_xscale("log")
        axes.set_xticks(SIZES, [str(size) for size in SIZES])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        plots.legend(axes)
    return Plot(plots.file("memory"), "Peak memory of bringing one result home.")
