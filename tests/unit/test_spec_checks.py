"""What is checked once the photo is known: where its outputs would go, and whether the provider takes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backdrop.errors import Problem
from backdrop.pictures import Picture
from backdrop.spec import JobSpec, Spec, check_outputs, check_photo, parse

PHOTO = Picture("jpeg", 1200, 800, "RGB")


def job(model: str, output: str, label: str = "x", formats: tuple[str, ...] = ("",)) -> JobSpec:
    """A job that writes `output` in these formats; several make it one of output variants."""
    given: dict[str, Any] = {}
    if len(formats) > 1:
        given = {"output_variants": [{"format": name} for name in formats]}
    elif formats[0]:
        given = {"output_format": formats[0]}
    return JobSpec(model=model, label=label, input=given, output=output)


def collide(*jobs: JobSpec, image: str = "shoes/red.jpg") -> bool:
    """Whether the jobs would share a key for this image."""
    found = check_outputs(Spec("s.yaml", jobs), image)
    assert all(problem.code == "OUTPUT_TWICE" for problem in found)
    return bool(found)


ASKED = ("png",)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("{name}.{ext}", ASKED), ("{name}.{ext}", ASKED), True),
        (("{name}.{ext}", ASKED), ("{name}.{ext}", ("webp",)), False),
        (("{name}.{ext}", ("jpeg",)), ("{name}.{ext}", ("jpeg",)), True),
        (("{name}.{ext}", ASKED), ("{folder}/{name}.{ext}", ASKED), False),
        (("shoes/{name}.{ext}", ASKED), ("{folder}/red.jpg.{ext}", ASKED), True),
        (("{name}.1.{ext}", ASKED), ("{name}.2.{ext}", ASKED), False),
        (("{name}.1.{ext}", ASKED), ("{name}.{ext}", ("png", "png")), True),
        (("{name}.2.{ext}", ASKED), ("{name}.{ext}", ("webp", "png")), True),
        (("{name}.2.{ext}", ASKED), ("{name}.{ext}", ("png", "webp")), False),
        (("{name}.3.{ext}", ASKED), ("{name}.{ext}", ("png", "png")), False),
        (("{name}.{ext}", ASKED), ("{name}.{ext}", ("png", "png")), False),
        (("{name}.{ext}", ("",)), ("{name}.{ext}", ("webp",)), True),
        (("{name}.{ext}", ("",)), ("{name}.{ext}", ("",)), True),
        (("{name}.{ext}", ("",)), ("{name}.12.{ext}", ("png",)), True),
        (("{name}.12.{ext}", ("png",)), ("{name}.{ext}", ("",)), True),
        (("{name}.{ext}", ("",)), ("{name}.x.{ext}", ("png",)), False),
        (("{name}.{ext}", ("",)), ("{name}x1.{ext}", ("png",)), False),
    ],
)
def test_outputs_that_would_share_a_key_are_told(
    one: tuple[str, tuple[str, ...]], other: tuple[str, tuple[str, ...]], *, expected: bool
) -> None:
    """Compared are the rendered keys, with the numbers and extensions the job asks for or may get."""
    left = job("m", one[0], "a", one[1])
    right = job("m", other[0], "b", other[1])

    assert collide(left, right) is expected
    assert collide(right, left) is expected


def test_a_collision_that_only_one_photo_has_is_found_for_that_photo() -> None:
    """A template that spells out what another fills in collides for that name alone."""
    jobs = (job("m", "{folder}/{name}.a.{ext}", "a"), job("m", "shoes/red.jpg.a.{ext}", "b"))

    assert collide(*jobs, image="shoes/red.jpg")
    assert not collide(*jobs, image="shoes/blue.jpg")


def test_every_pair_of_jobs_is_compared() -> None:
    """The problem names the two labels and the later job's template."""
    jobs = (
        job("m", "a.{ext}", "one"),
        job("m", "b.{ext}", "two"),
        job("m", "a.{ext}", "three"),
        job("m", "b.{ext}", "4"),
    )

    assert check_outputs(Spec("s.yaml", jobs), "red.jpg") == [
        Problem(
            "OUTPUT_TWICE",
            f"jobs {one} and {other} would write the same output",
            "Let each output template hold {label}, or give each job a template of its own.",
            f"jobs.{number}.output",
        )
        for one, other, number in (("one", "three", 2), ("two", "4", 3))
    ]


def test_the_default_template_never_collides() -> None:
    """Labels differ, so the keys do."""
    text = json.dumps(
        {"jobs": [{"model": "bria/background/remove", "label": label} for label in ("a", "a-1", "a_1", "1", "b")]}
    )

    assert check_outputs(parse(text.encode(), "x.json"), "deep/er/x.1.jpg") == []


@pytest.mark.parametrize(("length", "fits"), [(1024, True), (1025, False)])
def test_a_key_that_would_be_too_long_is_told_before_payment(length: int, *, fits: bool) -> None:
    """S3 takes keys of 1024 bytes: the longest name, that of the record, has to fit."""
    longest = len(".x.1.webp.json")
    image = "é" * ((length - longest) // 2) + "a" * ((length - longest) % 2)
    spec = Spec("s.yaml", (JobSpec("bria/background/remove", "x", {}),))

    found = check_outputs(spec, image)

    assert (found == []) is fits
    if not fits:
        assert [(problem.code, problem.where) for problem in found] == [("OUTPUT_TOO_LONG", "output")]
        assert found[0].message == "the output of x would have a key of more than 1024 bytes"


def look(model: str) -> JobSpec:
    """A job of this model."""
    return JobSpec(model, "x", {})


MODELS = (
    "runflow/background-color",
    "runflow/background-replace",
    "bria/background/remove",
    "backgroundcut/remove-bg",
    "imagepipeline/background-change",
    "imagepipeline/background-remove",
)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["png", "jpeg", "webp"])
def test_the_usual_formats_go_to_everyone(model: str, name: str) -> None:
    """PNG, JPEG and WebP of ordinary size are refused by nobody."""
    assert check_photo(look(model), PHOTO._replace(format=name), 1_000_000) == []


@pytest.mark.parametrize("model", MODELS)
def test_a_gif_goes_to_imagepipeline_only(model: str) -> None:
    """Only ImagePipeline documents GIF; elsewhere the refusal lists what is taken."""
    found = check_photo(look(model), Picture("gif", 10, 10, "P"), 1000)

    if model.startswith("imagepipeline/"):
        assert found == []
    else:
        assert found == [
            Problem("PHOTO_FORMAT", f"{model} takes jpeg, png, webp; the photo is gif", "Save it as PNG or JPEG.")
        ]


@pytest.mark.parametrize(
    ("change", "size", "code", "action"),
    [
        ({"mode": "CMYK"}, 10, "PHOTO_CMYK", "Save it as RGB."),
        ({"format": "webp", "animated": True}, 10, "PHOTO_ANIMATED", "Save one picture of it."),
        ({}, 0, "PHOTO_EMPTY", "Upload it again, whole."),
    ],
)
@pytest.mark.parametrize("model", MODELS)
def test_what_no_provider_takes_is_refused_for_all(
    model: str, change: dict[str, Any], size: int, code: str, action: str
) -> None:
    """Print colours, animation and no bytes at all."""
    (problem,) = check_photo(look(model), PHOTO._replace(**change), size)

    assert (problem.code, problem.action) == (code, action)


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("backgroundcut/remove-bg", 12_000_000),
        ("runflow/background-color", 52_428_800),
        ("runflow/background-replace", 52_428_800),
        ("bria/background/remove", 52_428_800),
    ],
)
def test_a_photo_beyond_the_documented_size_is_refused(model: str, most: int) -> None:
    """The limit itself is allowed; a byte more is told with both figures."""
    assert check_photo(look(model), PHOTO, most) == []
    assert check_photo(look(model), PHOTO, most + 1) == [
        Problem(
            "PHOTO_TOO_LARGE",
            f"the photo has {most + 1} bytes; {model} takes at most {most}",
            "Save it smaller, or choose another model.",
        )
    ]


def test_where_no_limit_is_documented_none_is_invented() -> None:
    """ImagePipeline publishes no size; and no provider a number of pixels for what is sent to it."""
    huge = PHOTO._replace(width=100_000, height=100_000)

    assert check_photo(look("imagepipeline/background-remove"), huge, 10**9) == []


def test_everything_wrong_with_a_photo_is_told_at_once() -> None:
    """A CMYK photo that is too large as well needs one new upload, not two."""
    photo = PHOTO._replace(mode="CMYK")

    found = check_photo(look("backgroundcut/remove-bg"), photo, 99_000_000)

    assert [problem.code for problem in found] == ["PHOTO_CMYK", "PHOTO_TOO_LARGE"]
