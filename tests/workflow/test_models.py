"""Every model, in every form, from drop to result."""

from __future__ import annotations

import io
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from bench import picture
from PIL import Image

from backdrop.states import State

if TYPE_CHECKING:
    from bench import Bench

COLOR = {"model": "runflow/background-color", "input": {"color_red": 10, "color_green": 200, "color_blue": 30}}
REPLACE = {"model": "runflow/background-replace", "input": {"reference": "_scene.png", "prompt": "warm evening light"}}
BRIA: dict[str, Any] = {"model": "bria/background/remove"}
BRIA_SYNC = {"model": "bria/background/remove", "input": {"sync_mode": True}}
VARIANTS = {
    "model": "backgroundcut/remove-bg",
    "input": {
        "output_variants": [
            {"format": "jpeg", "background_color": "#1A01FF", "output_compression": 90},
            {"format": "png"},
            {"format": "webp", "background_color": "#ffffff80", "autocrop": True},
        ]
    },
}
CHANGE = {"model": "imagepipeline/background-change", "input": {"prompt": "on a marble counter", "seed": 7}}
REMOVE = {"model": "imagepipeline/background-remove", "input": {"output_format": "png", "drop_shadow": True}}
RECOLOR = {
    "model": "imagepipeline/background-remove",
    "input": {"recolor": "#F0F0F0", "drop_shadow": True, "output_format": "jpeg"},
}


def shape(data: bytes) -> tuple[str, tuple[int, int]]:
    """Format and dimensions of a picture, fully decoded."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return str(image.format).lower(), image.size


@pytest.mark.parametrize(
    ("spec", "formats"),
    [
        pytest.param(COLOR, ["png"], id="color"),
        pytest.param(REPLACE, ["png"], id="replace"),
        pytest.param(BRIA, ["png"], id="bria"),
        pytest.param(BRIA_SYNC, ["png"], id="bria-sync"),
        pytest.param(VARIANTS, ["jpeg", "png", "webp"], id="variants"),
        pytest.param(CHANGE, ["webp"], id="change"),
        pytest.param(REMOVE, ["png"], id="remove"),
        pytest.param(RECOLOR, ["jpeg"], id="recolor"),
    ],
)
def test_a_drop_becomes_its_result(bench: Bench, spec: dict[str, Any], formats: list[str]) -> None:
    """A photo and its spec become every output that was asked for, each with a record, for one paid POST."""
    bench.put("_scene.png", picture(seed=99, size=(300, 200)))
    key = bench.drop("red shoe+1%é.PNG", picture(seed=1))
    bench.drop("red shoe+1%é.PNG.json", spec)
    (job,) = bench.finish()
    assert job.state is State.SUCCEEDED, job.error
    assert len(bench.paid()) == 1
    records = [json.loads(bench.output(f"{output['key']}.json")) for output in job.outputs]
    assert [record["output"]["format"] for record in records] == formats
    for output, record in zip(job.outputs, records, strict=True):
        data, told = bench.output(output["key"]), record["output"]
        assert shape(data) == (told["format"], (told["width"], told["height"]))
        assert sha256(data).hexdigest() == told["sha256"]
        assert told["key"] == output["key"]
        assert output["key"].startswith(f"{key}.{job.label}.")
        assert record["job_id"] == job.job_id
        assert record["source"]["version_id"] == job.version_id
        assert record["times"]["total_seconds"] is not None
    assert set(bench.outputs()) == {o["key"] for o in job.outputs} | {f"{o['key']}.json" for o in job.outputs}


@pytest.mark.parametrize(
    "bench",
    [
        pytest.param({"background_color_form": "flat"}, id="zip"),
        pytest.param({"background_color_form": "flat", "flat_input": "image"}, id="image"),
    ],
    indirect=True,
)
def test_the_flat_form_answers_at_once(bench: Bench) -> None:
    """background-color's flat form, with a zip or the plain image, delivers without a callback."""
    bench.drop("a.png", picture())
    bench.drop("a.png.json", COLOR)
    (job,) = bench.finish()
    assert job.state is State.SUCCEEDED, job.error
    assert job.form == "flat"
    assert not bench.door.calls
    assert len(bench.paid()) == 1


@pytest.mark.parametrize("status", [404, 405])
def test_auto_takes_the_flat_form_when_the_runs_route_is_missing(bench: Bench, status: int) -> None:
    """A 404 or 405 of the runs route was not accepted: the flat form is posted, once."""
    bench.trouble(runs_route_missing={"status": status})
    bench.drop("a.png", picture())
    bench.drop("a.png.json", COLOR)
    (job,) = bench.finish()
    assert job.state is State.SUCCEEDED, job.error
    assert job.form == "flat"
    assert len(bench.paid()) == 1


def test_what_bria_tells_is_kept(bench: Bench) -> None:
    """nsfw_detected, seed, timing and duration_ms of the run stand in the record."""
    bench.drop("a.png", picture())
    bench.drop("a.png.json", BRIA)
    (job,) = bench.finish()
    record = json.loads(bench.output(f"{job.outputs[0]['key']}.json"))
    assert {"nsfw_detected", "seed", "timing", "duration_ms"} <= set(record["provider_facts"])
    assert record["price_usd"] == "0.018"


def test_one_upload_serves_two_jobs_on_the_same_bytes(bench: Bench) -> None:
    """BackgroundCut keeps an upload for two hours: a second job on the same bytes does not upload again."""
    data = picture(seed=5)
    bench.drop("a.png", data)
    bench.drop("a.png.json", {"model": "backgroundcut/remove-bg", "input": {"output_variants": [{}]}})
    bench.finish()
    bench.drop("b.png", data)
    bench.drop("b.png.json", {"model": "backgroundcut/remove-bg", "input": {"output_variants": [{"format": "webp"}]}})
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED] * 2
    uploads = [seen for seen in bench.requests() if seen["path"] == "/v3/file-ops/upload/"]
    assert len(uploads) == 1


def test_several_jobs_of_one_drop(bench: Bench) -> None:
    """`jobs` makes several looks of one photo; what stands beside it is their common default."""
    bench.drop("a.png", picture())
    spec = {"metadata": {"sku": "A-17"}, "jobs": [BRIA, {**COLOR, "label": "green"}]}
    bench.drop("a.png.json", spec)
    done = bench.finish()
    assert {job.label for job in done} == {"remove", "green"}
    assert {job.state for job in done} == {State.SUCCEEDED}
    for job in done:
        assert json.loads(bench.output(f"{job.outputs[0]['key']}.json"))["metadata"] == {"sku": "A-17"}
