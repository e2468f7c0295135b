"""The names a spec gives: labels, output templates, and the collisions of both."""

from __future__ import annotations

import json

import pytest

from backdrop.errors import Problem, Rejected
from backdrop.spec import parse

BRIA = "model: bria/background/remove\n"


def problems(text: str, name: str = "shoes/red.jpg.yaml") -> list[Problem]:
    """What is wrong with a spec."""
    with pytest.raises(Rejected) as caught:
        parse(text.encode(), name)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("label", "action"),
    [
        ("My Label!", "Did you mean my-label?"),
        ("_x", "Did you mean x?"),
        ("a.b", "Did you mean a-b?"),
        ("é", "Write a short word, such as cutout."),
        ("a" * 65, f"Did you mean {'a' * 64}?"),
    ],
)
def test_a_label_is_a_safe_word(label: str, action: str) -> None:
    """A label goes into keys: its characters are few, and the nearest such word is suggested."""
    (problem,) = problems(f"{BRIA}label: {json.dumps(label)}\n")

    assert (problem.code, problem.where, problem.action) == ("LABEL_CHARACTERS", "line 2, label", action)
    assert problem.message == ("label may hold a-z, 0-9, - and _ only, at most 64, and begins with a letter or digit")


@pytest.mark.parametrize("label", ["a", "0", "a-b_c9", "a" * 64])
def test_a_safe_word_is_a_label(label: str) -> None:
    """The limits themselves are allowed."""
    assert parse(f'{BRIA}label: "{label}"\n'.encode(), "a.yaml").jobs[0].label == label


END = "Let it end in .{ext}, for example {folder}/{name}.{label}.{ext}."
FOUR = "The placeholders are {folder} {name} {label} {ext}."


@pytest.mark.parametrize(
    ("output", "code", "action"),
    [
        ("{fodler}/{name}.{ext}", "OUTPUT_PLACEHOLDER", "Did you mean {folder}?"),
        ("{stem}.{ext}", "OUTPUT_PLACEHOLDER", FOUR),
        ("{Name}.{ext}", "OUTPUT_PLACEHOLDER", "Did you mean {name}?"),
        ("{name.{ext}", "OUTPUT_PLACEHOLDER", "Did you mean {name}?"),
        ("name}.{ext}", "OUTPUT_PLACEHOLDER", FOUR),
        ("{}.{ext}", "OUTPUT_PLACEHOLDER", FOUR),
        ("{{name}}.{ext}", "OUTPUT_PLACEHOLDER", FOUR),
        ("{name}.png", "OUTPUT_EXTENSION", END),
        ("{name}{ext}", "OUTPUT_EXTENSION", END),
        ("{name}.{ext}.json", "OUTPUT_EXTENSION", END),
        ("{ext}/{name}.{ext}", "OUTPUT_EXTENSION", END),
        ("", "OUTPUT_EXTENSION", END),
        ("/{name}.{ext}", "OUTPUT_KEY", None),
        ("a//{name}.{ext}", "OUTPUT_KEY", None),
        ("../{name}.{ext}", "OUTPUT_KEY", None),
        ("a/../{name}.{ext}", "OUTPUT_KEY", None),
        (".{ext}", "OUTPUT_KEY", None),
        ("{folder}/.{ext}", "OUTPUT_KEY", None),
        ("a\n{name}.{ext}", "OUTPUT_KEY", None),
        ("\x7f{name}.{ext}", "OUTPUT_KEY", None),
    ],
)
def test_an_output_template_that_cannot_be_written_is_refused(output: str, code: str, action: str | None) -> None:
    """Placeholders are the documented four, the extension is the bytes' own, and the result is a plain key."""
    text = json.dumps({"model": "bria/background/remove", "output": output})

    (problem,) = problems(text, "a.json")

    assert (problem.code, problem.where) == (code, "line 1, output")
    assert problem.action == (
        action or "Name a file of the output bucket, without / at its start, // and .. and control characters."
    )


@pytest.mark.parametrize("output", ["a.{ext}", "{label}.{ext}", "{folder}/x y/{name}.{ext}", "ö/{name}-{label}.{ext}"])
def test_an_output_template_may_be_any_plain_key(output: str) -> None:
    """A sidecar's template need not hold {name}."""
    text = json.dumps({"model": "bria/background/remove", "output": output})

    assert parse(text.encode(), "a.jpg.json").jobs[0].output == output


def test_a_folder_defaults_output_must_hold_the_name() -> None:
    """Or every photo of the folder would be written to one key."""
    text = f"{BRIA}output: same.{{ext}}\n"

    (problem,) = problems(text, "shoes/_backdrop.yaml")

    assert (problem.code, problem.where) == ("OUTPUT_NAME", "line 2, output")
    assert problem.action == "For example {folder}/{name}.{label}.{ext}."
    assert len(parse(text.encode(), "shoes/red.jpg.yaml").jobs) == 1


def test_two_jobs_of_one_label_are_refused() -> None:
    """They would be one job and one result; each is asked to have its own."""
    text = "jobs:\n  - {model: bria/background/remove}\n  - {model: bria/background/remove, revision: 2}\n"

    assert problems(text) == [
        Problem(
            "LABEL_TWICE",
            "jobs 0 and 1 both have the label remove",
            "Give each a label of its own, for example label: cutout.",
            "line 3, jobs.1.label",
        ),
    ]


def test_a_label_beside_jobs_is_the_same_for_all() -> None:
    """And so is refused as soon as there are two."""
    text = "label: x\njobs:\n  - {model: bria/background/remove}\n  - {model: imagepipeline/background-remove}\n"

    (problem,) = problems(text)

    assert (problem.code, problem.where) == ("LABEL_TWICE", "line 4, jobs.1.label")


def test_templates_that_collide_for_every_photo_are_refused() -> None:
    """Two looks written to one key are refused when the spec is read."""
    text = """\
output: "{folder}/{name}.{ext}"
jobs:
  - {model: bria/background/remove}
  - {model: imagepipeline/background-remove}
  - {model: bria/background/remove, label: other, output: "{folder}/{name}.{ext}"}
"""
    found = problems(text)

    assert [(problem.code, problem.where) for problem in found] == [
        ("OUTPUT_TWICE", "line 1, output"),
        ("OUTPUT_TWICE", "line 5, jobs.2.output"),
        ("OUTPUT_TWICE", "line 5, jobs.2.output"),
    ]
    assert found[0].message == "jobs remove and background-remove would write the same output"
