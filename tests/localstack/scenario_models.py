"""Every model through the deployed stack, the photo first and the spec first."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hosted.fixtures import AFTER
from hosted.stage import Stage

MAGIC = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF"}


@dataclass(frozen=True)
class Look:
    """A photo with its spec; `results` are the keys that must appear, `callbacks` whether its provider calls back."""

    model: str
    photo: str
    spec: str  # what is added to the photo's key
    text: str
    results: tuple[str, ...]
    callbacks: bool = True
    reference: str = ""


LOOKS = (
    Look(
        "runflow/background-color",
        "bottle",
        ".yaml",
        "model: runflow/background-color\ninput: {color_red: 240, color_green: 240, color_blue: 240}\n",
        ("background-color.png",),
    ),
    Look(
        "runflow/background-replace",
        "mug",
        ".json",
        '{"model": "runflow/background-replace", "input": {"reference": "_scene.jpg", "prompt": "on marble"}}',
        ("background-replace.png",),
        reference="_scene.jpg",
    ),
    Look(
        "backgroundcut/remove-bg",
        "sneaker",
        ".json",
        '{"model": "backgroundcut/remove-bg", "input": {"output_variants": [{"format": "png"}, {"format": "webp"}]}}',
        ("remove-bg.1.png", "remove-bg.2.webp"),
        callbacks=False,
    ),
    Look(
        "imagepipeline/background-change",
        "vase",
        ".yml",
        "model: imagepipeline/background-change\ninput: {prompt: on a rustic oak table, seed: 7, output_format: png}\n",
        ("background-change.png",),
    ),
    Look(
        "imagepipeline/background-remove",
        "portrait",
        ".yaml",
        'model: imagepipeline/background-remove\ninput: {recolor: "#dfe7ee", output_format: jpeg}\n',
        ("background-remove.jpg",),
    ),
    Look("bria/background/remove", "chair", ".yaml", "model: bria/background/remove\n", ("remove.png",)),
)


FIRST = ("photo", "spec")


@pytest.fixture(scope="module")
def since(stage: Stage) -> float:
    """Every model's photo and spec, in either order, dropped at once as a folder is uploaded; when."""
    begun = time.time()
    looks = [(look, first) for look in LOOKS for first in FIRST]
    for look, first in looks:
        if look.reference:
            stage.drop(f"{first} first/{look.reference}", stage.photo("scene"))
    for turn in range(2):
        for look, first in looks:
            key = _key(stage, look, first)
            halves: list[tuple[str, bytes | str]] = [(key, stage.photo(look.photo)), (key + look.spec, look.text)]
            stage.drop(*halves[turn if first == "photo" else 1 - turn])
    return begun


def _key(stage: Stage, look: Look, first: str) -> str:
    return stage.key(f"{first} first", look.photo)  # S3 encodes the blank in its event


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.model)
def test_a_photo_and_its_spec_become_a_result(
    stage: Stage, since: float, look: Look, first: str, record_property: Callable[[str, object], None]
) -> None:
    """Photo and spec, in either order, become whole results with records, for one paid request each."""
    key = _key(stage, look, first)
    (job,) = stage.succeeded(key, seconds=120)
    record_property(AFTER, round(int(job["delivered_at"]) / 1000 - since))
    assert job["model"] == look.model
    for ending in look.results:
        _check_result(stage, f"{key}.{ending}", job)
    assert stage.paid(job["job_id"]) == 1
    assert f"{key}.error.json" not in stage.results(key)
    if look.callbacks:
        stage.wait("the callback came through the API", lambda: _called_back(stage, job["job_id"]))


def _called_back(stage: Stage, job_id: str) -> list[str]:
    return [line for line in stage.log("webhook") if job_id in line and '"message":"callback"' in line]


def _check_result(stage: Stage, key: str, job: dict[str, Any]) -> None:
    data, content_type = stage.result(key)
    assert data.startswith(MAGIC[content_type])
    record = stage.document(f"{key}.json")
    assert record["job_id"] == job["job_id"]
    assert record["output"]["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_folder_default_serves_a_photo_that_has_no_spec_of_its_own(stage: Stage) -> None:
    """A photo below a `_backdrop.yaml` waits a moment for a spec of its own and then takes the default."""
    key = stage.key("linen/vases", "vase")
    stage.drop("linen/_backdrop.yaml", "model: bria/background/remove\n")
    stage.drop(key, stage.photo("vase"))
    (job,) = stage.succeeded(key)
    assert stage.paid(job["job_id"]) == 1


def test_one_spec_asks_for_two_looks(stage: Stage) -> None:
    """Two jobs of one spec bring two results, and each is paid for once."""
    key = stage.key("two", "vase")
    stage.drop(key, stage.photo("vase"))
    stage.drop(
        f"{key}.yaml",
        "jobs:\n"
        "  - {model: bria/background/remove, label: cutout, input: {sync_mode: true}}\n"
        "  - {model: runflow/background-color, label: sand, input: {color_red: 9, color_green: 9, color_blue: 9}}\n",
    )
    jobs = stage.succeeded(key, count=2)
    assert {f"{key}.cutout.png", f"{key}.sand.png"} <= set(stage.results("two/"))
    assert [stage.paid(job["job_id"]) for job in jobs] == [1, 1]


@pytest.mark.parametrize("how", ["copied", "uploaded in parts"])
def test_a_photo_may_come_by_any_way_that_s3_has(stage: Stage, how: str) -> None:
    """A photo that is copied within S3, or uploaded in parts, is a drop like any other."""
    key = stage.key(how, "vase")
    bucket = stage.deployed.outputs["InputBucketName"]
    stage.drop(f"{key}.yaml", "model: bria/background/remove\n")
    if how == "copied":
        stage.drop("_archive/original", stage.photo("vase"))
        stage.s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": "_archive/original"})
    else:
        upload = stage.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        named = {"Bucket": bucket, "Key": key, "UploadId": upload}
        part = stage.s3.upload_part(**named, PartNumber=1, Body=stage.photo("vase"))
        parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
        stage.s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    (job,) = stage.succeeded(key)
    assert stage.paid(job["job_id"]) == 1
