"""What is refused before it is paid for, and what the user then reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bench import picture, start

from backdrop.states import State

if TYPE_CHECKING:
    from bench import Bench

BRIA: dict[str, Any] = {"model": "bria/background/remove"}

WRONG = {
    "misspelt": (
        "model: runflow/background-color\ninput: {colour_red: 1, color_green: 2, color_blue: 3}\n",
        "color_red",
    ),
    "range": ("model: runflow/background-color\ninput: {color_red: 256, color_green: 2, color_blue: 3}\n", "255"),
    "model": ("model: runflow/background-colour\ninput: {}\n", "runflow/background-color"),
    "yaml": ("model: [bria\n", "line"),
    "filled": ("model: bria/background/remove\ninput: {image_url: x}\n", "Backdrop fills this"),
    "empty": ("", "model"),
}


@pytest.mark.parametrize("case", sorted(WRONG))
def test_a_wrong_spec_is_answered_beside_the_output(bench: Bench, case: str) -> None:
    """A wrong spec leaves an error file that names the place and what was meant; nothing is posted."""
    text, meant = WRONG[case]
    key = bench.drop("a.png", picture())
    bench.drop("a.png.yaml", text)
    told = bench.error(key)
    assert meant in str(told["problems"])
    assert told["paid"] is False
    assert "Traceback" not in str(told)
    assert not bench.jobs()
    bench.drop("a.png.yaml", "model: bria/background/remove\n")
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]
    assert bench.outputs() == [f"{key}.remove.png", f"{key}.remove.png.json"]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.heic", b"\x00\x00\x00\x18ftypheic" + bytes(64), "PHOTO_FORMAT"),
        ("a.png", b"", "PHOTO_EMPTY"),
        ("a.png", b"not a picture at all", "PHOTO_UNREADABLE"),
        ("a.jpg", b"\xff\xd8\xff\xe0\x00", "PHOTO_UNREADABLE"),
        ("notes.docx", b"PK", "NOT_A_DROP"),
        ("red.yaml", b"model: x", "NOT_A_DROP"),
    ],
)
def test_what_is_no_photo_is_answered(bench: Bench, name: str, data: bytes, code: str) -> None:
    """An unsupported, empty or broken file leaves an error file that says what to do, and no job."""
    bench.put(f"{name}.json", BRIA)
    key = bench.drop(name, data)
    problem = bench.error(key)["problems"][0]
    assert problem["code"] == code
    assert problem["message"]
    assert problem["action"]
    assert not bench.jobs()


def test_a_jpeg_without_a_colour_is_refused(bench: Bench) -> None:
    """JPEG has no transparency: asked for without a colour it is refused before anything is paid."""
    key = bench.drop("a.png", picture())
    bench.drop("a.png.json", {"model": "imagepipeline/background-remove", "input": {"output_format": "jpeg"}})
    assert bench.error(key)["problems"][0]["code"] == "JPEG_NEEDS_COLOUR"
    assert not bench.paid()


def test_two_specs_for_one_photo_are_refused(bench: Bench) -> None:
    """Which of two sidecars is meant cannot be known: both are named, and one deleted is enough."""
    bench.put("a.png.json", BRIA)
    other = bench.put("a.png.YAML", "model: bria/background/remove\n")
    key = bench.drop("a.png", picture())
    problem = bench.error(key)["problems"][0]
    assert problem["code"] == "TWO_SPECS"
    bench.remove(other)
    assert [job.state for job in bench.finish()] == [State.SUCCEEDED]


def test_a_missing_reference_is_refused(bench: Bench) -> None:
    """background-replace whose reference is not there says which key it looked for."""
    key = bench.drop("a.png", picture())
    bench.drop("a.png.json", {"model": "runflow/background-replace", "input": {"reference": "_scene.png"}})
    problem = bench.error(key)["problems"][0]
    assert problem["code"] == "REFERENCE_MISSING"
    assert f"{bench.folder}/_scene.png" in problem["message"]


def test_templates_that_collide_are_refused(bench: Bench) -> None:
    """Two jobs whose outputs would have one name are refused before anything is paid."""
    key = bench.drop("a.png", picture())
    jobs = [{**BRIA, "label": "one", "output": "x.{ext}"}, {**BRIA, "label": "two", "output": "x.{ext}"}]
    bench.drop("a.png.json", {"jobs": jobs})
    assert bench.error(key)["problems"]
    assert not bench.jobs()


def test_a_wrong_default_is_told_at_once(bench: Bench) -> None:
    """A folder default that cannot be read has an error file of its own, which goes when it is mended."""
    key = bench.drop("_backdrop.yaml", "model: bria/background/removed\n")
    assert bench.error(key)["problems"]
    bench.drop("_backdrop.yaml", "model: bria/background/remove\n")
    assert not bench.outputs()


def test_support_files_start_nothing(bench: Bench) -> None:
    """A name that begins with _ is a reference or a default: no job, no wait, no error."""
    bench.drop("_scene.png", picture())
    bench.drop("_refs/scene.png", picture())
    bench.later(600)
    assert bench.sweep() == 0
    assert not bench.outputs()


@pytest.mark.parametrize("first", ["a.png", "a.png.json"])
def test_a_refused_drop_that_is_taken_away_leaves_nothing(bench: Bench, first: str) -> None:
    """Photo and sidecar of a refused drop are deleted one by one, in either order: its error file goes as well."""
    start(bench, {"model": "runflow/background-colour"})
    assert bench.outputs()
    for name in (first, *({"a.png", "a.png.json"} - {first})):
        bench.remove(f"{bench.folder}/{name}")
    assert not bench.outputs()
    bench.later(3600)
    bench.sweep()
    assert not bench.outputs()
