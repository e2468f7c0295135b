"""What a wrong input is told: colours, references, misspelt fields, fields that Backdrop fills."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backdrop.errors import Problem, Rejected
from backdrop.fields import FILLED, INPUTS
from backdrop.spec import parse

CHANGE, REMOVE = "imagepipeline/background-change", "imagepipeline/background-remove"
CUT, REPLACE = "backgroundcut/remove-bg", "runflow/background-replace"
BRIA, FLAT = "bria/background/remove", "runflow/background-color"
NEEDED: dict[str, dict[str, Any]] = {
    FLAT: {"color_red": 1, "color_green": 2, "color_blue": 3},
    REPLACE: {"reference": "_r.jpg"},
    BRIA: {},
    CUT: {"output_variants": [{}]},
    CHANGE: {"prompt": "x"},
    REMOVE: {},
}


def problems(model: str, given: dict[str, Any]) -> list[Problem]:
    """What is wrong with a job of this model and input."""
    values = {"model": model, "input": NEEDED[model] | given}
    with pytest.raises(Rejected) as caught:
        parse(json.dumps(values).encode(), "a.json")
    return list(caught.value.problems)


def variant(given: dict[str, Any]) -> dict[str, Any]:
    """An input of one output variant."""
    return {"output_variants": [given]}


OPAQUE, ALPHA, BARE = 'such as "#f0f0f0"', 'such as "#f0f0f0" or "#f0f0f080"', 'such as "#f0f0f0" or "f0f0f0"'


@pytest.mark.parametrize(
    ("model", "given", "allowed", "meant"),
    [
        (REMOVE, {"recolor": "#fff"}, BARE, "#ffffff"),
        (REMOVE, {"recolor": "white"}, BARE, "#ffffff"),
        (REMOVE, {"recolor": "#11223344"}, BARE, "#112233"),
        (REMOVE, {"recolor": "##112233"}, BARE, "#112233"),
        (REMOVE, {"recolor": " #112233"}, BARE, "#112233"),
        (REMOVE, {"recolor": "#11223"}, BARE, ""),
        (REMOVE, {"recolor": "#gggggg"}, BARE, ""),
        (REMOVE, {"recolor": ""}, BARE, ""),
        (CUT, variant({"background_color": "1A01FF"}), ALPHA, "#1a01ff"),
        (CUT, variant({"background_color": "#1a01ff8"}), ALPHA, ""),
        (CHANGE, {"palette": ["red"]}, OPAQUE, "#ff0000"),
        (CHANGE, {"palette": ["112233"]}, OPAQUE, "#112233"),
    ],
)
def test_a_wrong_colour_is_refused_with_the_one_meant(
    model: str, given: dict[str, Any], allowed: str, meant: str
) -> None:
    """Short, bare and named colours are understood well enough to say how to write them."""
    (problem,) = problems(model, given)

    assert problem.code == "FIELD_COLOUR"
    assert problem.message.endswith(f" must be a colour, {allowed}")
    suggestion = f'Did you mean "{meant}"? Keep the quotes.'
    assert problem.action == (suggestion if meant else f"Write a colour {allowed}, in quotes.")


@pytest.mark.parametrize("name", ["prompt", "subject_description"])
@pytest.mark.parametrize("blank", ["", " \t\n"])
def test_a_blank_description_is_refused(name: str, blank: str) -> None:
    """A scene of no words is a mistake, and would be paid for."""
    (problem,) = problems(CHANGE, {name: blank})

    assert (problem.code, problem.message) == ("FIELD_BLANK", f"{name} must not be blank")


@pytest.mark.parametrize(
    "reference",
    ["", "/abs.jpg", "a//b.jpg", "./b.jpg", "a/./b.jpg", "a/", "..", "a/..", "a\nb.jpg", "\x85.jpg", "\x7f"],
)
def test_a_reference_must_be_a_key(reference: str) -> None:
    """What cannot be a key relative to the photo is refused before anything is looked up."""
    (problem,) = problems(REPLACE, {"reference": reference})

    assert (problem.code, problem.where) == ("REFERENCE_NAME", "line 1, input.reference")
    assert "../_marble.jpg one folder up" in problem.action


def test_a_reference_must_not_be_a_url() -> None:
    """A reference lies in the input bucket; the advice says so."""
    (problem,) = problems(REPLACE, {"reference": "https://example.test/marble.jpg"})

    assert problem.message == "reference must be a key, not a URL"
    assert "Upload it to the input bucket" in problem.action


@pytest.mark.parametrize("name", sorted(FILLED))
@pytest.mark.parametrize("model", sorted(INPUTS))
def test_a_field_that_backdrop_fills_is_refused(model: str, name: str) -> None:
    """The provider's own names for the image are not the user's to give, and are not repeated with their value."""
    (problem,) = problems(model, {name: "secret"})

    assert (problem.code, problem.message) == ("FIELD_FILLED", f"Backdrop fills this: {name}")
    assert problem.action.startswith("Take it out")
    assert ("`reference`" in problem.action) == (name == "file_reference" and model == REPLACE)


def test_all_that_backdrop_fills_is_listed() -> None:
    """Each name that the providers' pages have for the image and the callback."""
    assert {
        "image_url", "zip_url", "input_image", "key", "input_key", "output_key",
        "file_image", "file_input", "file_reference", "callback_url",
    } == FILLED  # fmt: skip


@pytest.mark.parametrize(
    ("model", "name", "action"),
    [
        (FLAT, "color_gren", "Did you mean color_green?"),
        (FLAT, "Color-Red", "Did you mean color_red?"),
        (REMOVE, "recolour", "Did you mean recolor?"),
        (REMOVE, "zzz", "Take it out."),
        (BRIA, "recolor", "It is a field of imagepipeline/background-remove; take it out."),
        (BRIA, "metadata", "Put it beside `model`, not under `input`."),
        (BRIA, "jobs", "Take it out: one list of jobs stands at the top."),
        (CUT, "format", "Put it into an entry of `output_variants`."),
        (CUT, "background_color", "Put it into an entry of `output_variants`."),
    ],
)
def test_an_unknown_field_is_refused_with_the_one_meant(model: str, name: str, action: str) -> None:
    """A typo gets its correction, a field of elsewhere its place; either way what is taken is listed."""
    (problem,) = [one for one in problems(model, {name: "a secret"}) if one.code == "FIELD_UNKNOWN"]

    assert problem.action == action
    listed = ", ".join(INPUTS[model].model_fields)
    assert problem.message == f"there is no field {name!r} here; {model} takes {listed}"
    assert problem.where == f"line 1, input.{name}"


@pytest.mark.parametrize(
    ("model", "name", "rule"),
    [
        (FLAT, "color_red", "a whole number from 0 to 255"),
        (REPLACE, "reference", "text"),
        (CUT, "output_variants", "a list of 1 to 100"),
        (CHANGE, "prompt", "text"),
    ],
)
def test_a_missing_field_is_named_with_what_it_holds(model: str, name: str, rule: str) -> None:
    """A required field that is not there is asked for."""
    values = {"model": model, "input": {key: value for key, value in NEEDED[model].items() if key != name}}

    with pytest.raises(Rejected) as caught:
        parse(json.dumps(values).encode(), "a.json")

    (problem,) = caught.value.problems
    assert problem == Problem("FIELD_MISSING", f"{model} needs {name}: {rule}", f"Add {name}.", f"line 1, input.{name}")


def test_a_misspelt_field_is_told_once() -> None:
    """The field that a typo leaves missing is not complained of a second time; one that is really missing is."""
    values = {"model": FLAT, "input": {"color_rde": 1, "color_green": 1}}

    with pytest.raises(Rejected) as caught:
        parse(json.dumps(values, indent=1).encode(), "a.json")

    assert [(one.code, one.where) for one in caught.value.problems] == [
        ("FIELD_MISSING", "line 3, input.color_blue"),
        ("FIELD_UNKNOWN", "line 4, input.color_rde"),
    ]


def test_a_long_value_is_cut() -> None:
    """An error file repeats no essay."""
    (problem,) = problems(FLAT, {"color_red": "y" * 300})

    assert problem.message == f'color_red must be a whole number from 0 to 255; it is the text "{"y" * 60}"…'


def test_a_long_name_is_cut() -> None:
    """Nor does it repeat at length a text that was pasted in as a name."""
    long = "z" * 300
    found = [
        *problems(BRIA, {long: 1}),
        *refused(f"model: {BRIA}\noutput: '{{{long}}}.{{ext}}'\n"),
        *refused(f"model: {BRIA}\nmetadata:\n  {long}: 1\n  {long}: 2\n"),
        *refused(f"model: {BRIA}\nmetadata: {{{long}: }}\n"),
        *refused(f"model: {BRIA}\nmetadata: {{a: {'9' * 400}.0, b: !{long} 1}}\n"),
        *refused(f"a: *{long}\n"),
        *refused(f"model: {long}\n"),
    ]

    assert [problem.message.count("z") for problem in found] == [60, 59, 60, 60, 0, 59, 60, 80]
    assert found[4].message == f"{'9' * 60}… is too large a number"
    assert [problem.where.count("z") for problem in found] == [194, 0, 191, 191, 0, 0, 0, 0]
    assert found[0].where.endswith("z…")


def refused(text: str) -> list[Problem]:
    """What is wrong with a spec in YAML."""
    with pytest.raises(Rejected) as caught:
        parse(text.encode(), "a.yaml")
    return list(caught.value.problems)
