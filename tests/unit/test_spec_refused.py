"""What a wrong spec is told: the line, the field, what is allowed, what was probably meant; all of it at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backdrop.catalogue import MODELS
from backdrop.errors import Problem, Rejected
from backdrop.spec import parse

BRIA = "model: bria/background/remove\n"
EMPTY = 'Give it a value, or leave the field out. In YAML an unquoted # begins a comment: quote a colour, "#f0f0f0".'


def problems(text: str, name: str = "shoes/red.jpg.yaml") -> list[Problem]:
    """What is wrong with a spec."""
    with pytest.raises(Rejected) as caught:
        parse(text.encode(), name)
    return list(caught.value.problems)


def told(text: str, name: str = "shoes/red.jpg.yaml") -> list[tuple[str, str]]:
    """The same as codes and places."""
    return [(problem.code, problem.where) for problem in problems(text, name)]


def test_all_problems_are_told_at_once_in_the_order_of_their_lines() -> None:
    """One look at the error file is enough to put everything right."""
    text = """\
label: My Label
model: runflow/background-color
revision: 0
input:
  color_red: "240"
  color_grene: 1
  color_blue: 300
  image_url: x
metadata: [1]
outptu: x.{ext}
"""
    assert told(text) == [
        ("LABEL_CHARACTERS", "line 1, label"),
        ("FIELD_VALUE", "line 3, revision"),
        ("FIELD_TYPE", "line 5, input.color_red"),
        ("FIELD_UNKNOWN", "line 6, input.color_grene"),
        ("FIELD_VALUE", "line 7, input.color_blue"),
        ("FIELD_FILLED", "line 8, input.image_url"),
        ("FIELD_TYPE", "line 9, metadata"),
        ("FIELD_UNKNOWN", "line 10, outptu"),
    ]


def test_the_lines_of_json_are_told_too() -> None:
    """A JSON spec names the line of the field, not that of its object."""
    text = (
        '{"model": "runflow/background-color",\n\n "input": {"color_red": 1,\n  "color_green":\n 2, "color_blue": 999}}'
    )

    assert told(text, "a.json") == [("FIELD_VALUE", "line 5, input.color_blue")]


def test_what_is_wrong_beside_jobs_is_told_once_and_there() -> None:
    """A field of the common default is checked with every job and complained of in its own line."""
    text = """\
input:
  color_red: 1
  color_green: 999
jobs:
  - {model: runflow/background-color, label: a, input: {color_blue: 1}}
  - model: runflow/background-color
    label: b
    input:
      color_blue: -1
  - {model: runflow/background-color, label: c}
"""
    assert told(text) == [
        ("FIELD_MISSING", "line 1, input.color_blue"),
        ("FIELD_VALUE", "line 3, input.color_green"),
        ("FIELD_VALUE", "line 9, jobs.1.input.color_blue"),
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("runflow/background-colour", "runflow/background-color"),
        ("Runflow/Background_Color", "runflow/background-color"),
        ("background-replace", "runflow/background-replace"),
        ("bria/remove", "bria/background/remove"),
        ("runflow/background-remove", "runflow/background-replace"),
        ("backgroundcut/removebg", "backgroundcut/remove-bg"),
        ("imagepipeline/background-change/v1", "imagepipeline/background-change"),
        ("imagepipe/background-remove", "imagepipeline/background-remove"),
        ("remove-bg", "backgroundcut/remove-bg"),
        ("backgrond-change", "imagepipeline/background-change"),
    ],
)
def test_an_unknown_model_is_refused_with_the_one_meant(name: str, meant: str) -> None:
    """A misspelt or shortened model gets its correction and the list of all."""
    first, *_ = [one for one in problems(f"\nmodel: {name}\n") if one.code == "MODEL_UNKNOWN"]

    assert first.where == "line 2, model"
    assert first.action == f"Did you mean {meant}?"
    assert first.message == f"there is no model {name!r}; the models are {', '.join(MODELS)}"


@pytest.mark.parametrize("name", ["dall-e", "''", "x" * 5000])
def test_a_model_like_none_of_them_gets_the_list(name: str) -> None:
    """Nothing is suggested that was hardly meant, and nothing long is repeated."""
    (problem,) = problems(f"model: {name}\n")

    assert problem.action == "Write one of them."
    assert all(model in problem.message for model in MODELS)
    assert len(problem.message) < 400


def test_the_input_is_checked_as_that_of_the_model_meant() -> None:
    """A misspelt model does not hide what else is wrong."""
    text = "model: runflow/background-colour\ninput: {color_red: 1, color_green: 1, color_blue: 999}\n"

    assert told(text) == [("MODEL_UNKNOWN", "line 1, model"), ("FIELD_VALUE", "line 2, input.color_blue")]


REVISION = "a whole number from 1 to 9007199254740991"


@pytest.mark.parametrize(
    ("field", "rule", "shown", "action"),
    [
        ("model: 5", "text", "5", "Put it in quotes."),
        ("input: [1]", "an object of fields", "a list of 1", "Write an object of fields."),
        ("metadata: x", "an object of fields", 'the text "x"', "Write an object of fields."),
        ("revision: true", REVISION, "true", f"Write {REVISION}."),
        ("revision: 2.0", REVISION, "2.0", "Write 2."),
        ("revision: 0", REVISION, "0", f"Write {REVISION}."),
        ("label: 7", "text", "7", "Put it in quotes."),
        ("output: 7", "text", "7", "Put it in quotes."),
        ("label: null", "text", "null", "Leave the field out, or give it a value."),
    ],
)
def test_a_wrong_value_beside_input_is_told(field: str, rule: str, shown: str, action: str) -> None:
    """Each field beside `input` has its type and its limits."""
    name = field.partition(":")[0]
    before = "" if name == "model" else BRIA

    (problem,) = problems(before + field)

    assert problem.code in {"FIELD_TYPE", "FIELD_VALUE"}
    assert (problem.message, problem.action) == (f"{name} must be {rule}; it is {shown}", action)
    assert problem.where == f"line {2 if before else 1}, {name}"


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("sync_mode", "Put it under `input`: it is a field of bria/background/remove."),
        ("autocrop", "Put it under `input`: it is a field of backgroundcut/remove-bg."),
        ("job", "Did you mean jobs?"),
        ("Meta-Data", "Did you mean metadata?"),
        ("webhook", "Take it out."),
    ],
)
def test_an_unknown_field_beside_input_is_told(name: str, action: str) -> None:
    """With the field or the place that was meant, and all that a spec takes."""
    takes = "a spec takes model, input, output, metadata, revision, label, jobs"

    (problem,) = problems(f"{BRIA}{name}: 1\n")

    assert problem == Problem("FIELD_UNKNOWN", f"there is no field {name!r} here; {takes}", action, f"line 2, {name}")


def test_jobs_within_jobs_are_refused() -> None:
    """One list of jobs is enough; the fields of one job are listed."""
    takes = "a spec takes model, input, output, metadata, revision, label"

    (problem,) = problems(BRIA + "jobs:\n  - jobs: []\n")

    assert problem.message == f"there is no field 'jobs' here; {takes}"
    assert problem.action == "Take it out: one list of jobs stands at the top."
    assert problem.where == "line 3, jobs.0.jobs"


JOBS = "jobs must be a list of 1 to 20 looks"
ENTRY = "Write each look as an entry: - model: ..."
SHAPE = ("SPEC_SHAPE", "a spec is an object of fields", "Begin with `model:` and a model's name.")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("label: x\n", Problem("FIELD_MISSING", "a spec needs model: text", "Add model.", "line 1, model")),
        (
            BRIA + "callback_url: x",
            Problem("FIELD_FILLED", "Backdrop fills this: callback_url", "Take it out.", "line 2, callback_url"),
        ),
        (BRIA + "jobs: {}", Problem("SPEC_JOBS", JOBS, ENTRY, "line 2, jobs")),
        (BRIA + "jobs: []", Problem("SPEC_JOBS", JOBS, ENTRY, "line 2, jobs")),
        (BRIA + f"jobs: [{'{}, ' * 21}]", Problem("SPEC_JOBS", JOBS, ENTRY, "line 2, jobs")),
        (
            BRIA + "jobs:\n  - {}\n  - bria\n",
            Problem(
                "SPEC_JOBS", "an entry of jobs is an object of fields", "Write it as - model: ...", "line 4, jobs.1"
            ),
        ),
        ("- model: x\n", Problem(*SHAPE, "line 1")),
        ("\n\njust text\n", Problem(*SHAPE, "line 3")),
        ("null\n", Problem(*SHAPE, "line 1")),
        (BRIA + "jobs:\n", Problem("FIELD_EMPTY", "jobs has no value", EMPTY, "line 2, jobs")),
        (BRIA + "jobs:\n  -\n", Problem("FIELD_EMPTY", "0 has no value", EMPTY, "line 3, jobs.0")),
        (BRIA + "input:\n", Problem("FIELD_EMPTY", "input has no value", EMPTY, "line 2, input")),
        ("model:\n", Problem("FIELD_EMPTY", "model has no value", EMPTY, "line 1, model")),
    ],
)
def test_a_spec_of_the_wrong_shape_is_told(text: str, problem: Problem) -> None:
    """Once, and where it is."""
    assert problems(text) == [problem]


@pytest.mark.parametrize("size", [4096, 4097])
def test_metadata_is_bounded(size: int) -> None:
    """4 KB as compact JSON in UTF-8, defaults merged in; a byte more is refused."""
    note = "é" + "x" * (size - len('{"a":"é"}'.encode()))
    text = json.dumps({"model": "bria/background/remove", "jobs": [{"metadata": {"a": note}}]})

    if size > 4096:
        assert problems(text, "a.json") == [
            Problem(
                "METADATA_TOO_LARGE",
                "metadata has 4097 bytes as JSON; at most 4096 are kept",
                "Make it shorter.",
                "line 1, jobs.0.metadata",
            )
        ]
    else:
        assert parse(text.encode(), "a.json").jobs[0].metadata == {"a": note}


def test_a_job_is_bounded_whatever_its_aliases_unfold_to() -> None:
    """Aliases may not make a job larger than the file could be."""
    text = (
        "model: backgroundcut/remove-bg\n"
        f"metadata: {{x: &long {'y' * 4000}}}\n"
        f"input: {{output_variants: &all [{'{}, ' * 100}]}}\n"
    )
    assert len(parse(text.encode(), "a.yaml").jobs) == 1

    prompt = "p" * 30_000
    text = f"model: imagepipeline/background-change\ninput: {{prompt: &p {prompt}, subject_description: *p}}\n"
    assert len(parse(text.encode(), "a.yaml").jobs) == 1

    text = text.replace(prompt, prompt + "p" * 3000)
    assert told(text) == [("SPEC_TOO_LARGE", "line 2, input")]


def test_a_flood_of_problems_is_cut() -> None:
    """Fifty problems are told, and how many more there are."""
    text = BRIA + "".join(f"field{number}: 1\n" for number in range(60))

    found = problems(text)

    assert len(found) == 51
    assert found[49].where == "line 51, field49"
    assert (found[50].code, found[50].message) == ("SPEC_MORE", "and 10 problems more")
    assert len(problems(BRIA + "".join(f"field{number}: 1\n" for number in range(50)))) == 50


def test_the_error_itself_tells_its_first_problem() -> None:
    """What is logged of a rejection is the problem nearest the top of the file."""
    with pytest.raises(Rejected) as caught:
        parse(b"model: bria/background/remove\nrevision: 0\nlabel: ''\n", "a.yaml")

    assert caught.value.code == "FIELD_VALUE"
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("value", ["sk-live-1234567", {"x": "sk-live-1234567"}])
def test_the_value_of_an_unknown_field_is_not_repeated(value: Any) -> None:
    """A key pasted into a spec does not end up in an error file."""
    text = json.dumps(
        {"model": "bria/background/remove", "input": {"api_key": value, "key": value}, "x_api_key": value}
    )

    assert "sk-live" not in repr(problems(text, "a.json"))
