"""Each field of each model's input: what is taken at its limits, what is refused just beyond, and with which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backdrop.errors import Problem, Rejected
from backdrop.fields import INPUTS
from backdrop.spec import parse

COLOUR: dict[str, Any] = {"color_red": 1, "color_green": 2, "color_blue": 3}
CHANGE, REMOVE = "imagepipeline/background-change", "imagepipeline/background-remove"
CUT, REPLACE, BRIA, FLAT = (
    "backgroundcut/remove-bg",
    "runflow/background-replace",
    "bria/background/remove",
    "runflow/background-color",
)
NEEDED: dict[str, dict[str, Any]] = {
    FLAT: COLOUR,
    REPLACE: {"reference": "_r.jpg"},
    BRIA: {},
    CUT: {"output_variants": [{}]},
    CHANGE: {"prompt": "x"},
    REMOVE: {},
}
LARGEST = 9_007_199_254_740_991


def read(model: str, given: dict[str, Any]) -> dict[str, Any]:
    """The input of a job of this model, as it would be sent."""
    values = {"model": model, "input": NEEDED[model] | given}
    return parse(json.dumps(values).encode(), "a.json").jobs[0].input


def problems(model: str, given: dict[str, Any]) -> list[Problem]:
    """What is wrong with such a job."""
    values = {"model": model, "input": NEEDED[model] | given}
    with pytest.raises(Rejected) as caught:
        parse(json.dumps(values).encode(), "a.json")
    return list(caught.value.problems)


def variant(given: dict[str, Any]) -> dict[str, Any]:
    """An input of one output variant."""
    return {"output_variants": [given]}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (FLAT, COLOUR),
        (REPLACE, {"prompt": ""}),
        (BRIA, {"sync_mode": False}),
        (
            CUT,
            variant(
                {
                    "format": "png",
                    "max_resolution": 12_000_000,
                    "quality": "medium",
                    "output_compression": 85,
                    "autocrop": False,
                }
            ),
        ),
        (
            CHANGE,
            {
                "prompt": "x",
                "use_segmentation": True,
                "seed": -1,
                "output_format": "webp",
                "num_inference_steps": 8,
                "true_cfg_scale": 4.0,
                "faster_inference": True,
            },
        ),
        (
            REMOVE,
            {
                "drop_shadow": False,
                "shadow_opacity": 0.38,
                "shadow_blur": 0.018,
                "shadow_dy": 0.022,
                "shadow_dx": 0.004,
                "output_format": "webp",
            },
        ),
    ],
)
def test_the_defaults_are_the_documented_ones(model: str, expected: dict[str, Any]) -> None:
    """A field with a documented default is filled in; one without stays out of the request."""
    assert read(model, {}) == expected


TAKEN = [
    *((FLAT, name, value) for name in COLOUR for value in (0, 255)),
    (REPLACE, "prompt", "Put it on oak."),
    (BRIA, "sync_mode", True),
    (CHANGE, "prompt", " a beach "),
    (CHANGE, "use_segmentation", False),
    (CHANGE, "subject_description", "amber glass bottle"),
    (CHANGE, "tone_correction", 0.0),
    (CHANGE, "tone_correction", 1.0),
    (CHANGE, "has_text", False),
    (CHANGE, "has_text", True),
    (CHANGE, "seed", -1),
    (CHANGE, "seed", LARGEST),
    *((CHANGE, "output_format", name) for name in ("webp", "jpeg", "png")),
    (CHANGE, "palette", ["#00ff00", "#0000ff"]),
    (CHANGE, "num_inference_steps", 1),
    (CHANGE, "num_inference_steps", 1000),
    (CHANGE, "true_cfg_scale", 0.0),
    (CHANGE, "true_cfg_scale", 100.0),
    (CHANGE, "faster_inference", False),
    (CHANGE, "harmonize_strength", 0.0),
    (CHANGE, "harmonize_strength", 1.0),
    (REMOVE, "recolor", "#f0f0f0"),
    (REMOVE, "drop_shadow", True),
    *((REMOVE, name, value) for name in ("shadow_opacity", "shadow_blur") for value in (0.0, 1.0)),
    *((REMOVE, name, value) for name in ("shadow_dy", "shadow_dx") for value in (-1.0, 1.0)),
    *((REMOVE, "output_format", name) for name in ("webp", "png")),
]


@pytest.mark.parametrize(("model", "name", "value"), TAKEN)
def test_a_value_at_its_limit_is_taken_as_it_is(model: str, name: str, value: Any) -> None:
    """Nothing that the provider's page allows is refused or changed."""
    assert read(model, {name: value})[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "png"),
        ("format", "webp"),
        ("max_resolution", 1),
        ("max_resolution", 12_000_000),
        ("quality", "low"),
        ("quality", "medium"),
        ("quality", "high"),
        ("background_color", "#1a01ff"),
        ("background_color", "#1a01ff80"),
        ("output_compression", 1),
        ("output_compression", 100),
        ("autocrop", True),
    ],
)
def test_a_variant_takes_every_documented_value(name: str, value: Any) -> None:
    """Each field of an output variant, at its limits."""
    assert read(CUT, variant({name: value}))["output_variants"][0][name] == value


def test_every_field_of_every_model_is_tried_above() -> None:
    """A new field needs a row in the tables of this file."""
    tried = {(model, name) for model, name, _ in TAKEN} | {(CUT, "output_variants"), (REPLACE, "reference")}

    assert {(model, name) for model, fields in INPUTS.items() for name in fields.model_fields} == tried


def test_a_whole_number_is_taken_where_a_fraction_may_stand() -> None:
    """1 and 1.0 are the same strength, and the same job."""
    assert json.dumps(read(REMOVE, {"shadow_dy": 1})["shadow_dy"]) == "1.0"


def test_colours_are_written_one_way() -> None:
    """Case and a missing # make no other job; the request holds exactly #rrggbb."""
    assert read(REMOVE, {"recolor": "F0F0AB"}) == read(REMOVE, {"recolor": "#f0f0ab"})
    assert (
        read(CUT, variant({"background_color": "#FFFFFF80"}))["output_variants"][0]["background_color"] == "#ffffff80"
    )
    assert read(CHANGE, {"palette": ["#ABCDEF"]})["palette"] == ["#abcdef"]


def test_null_leaves_an_optional_field_out() -> None:
    """The provider's page lets background_color be null: transparent, as without it."""
    assert read(CUT, variant({"background_color": None})) == read(CUT, {})
    assert read(CHANGE, {"subject_description": None, "palette": None, "has_text": None}) == read(CHANGE, {})


def test_a_hundred_variants_are_taken() -> None:
    """The limit itself is allowed, in the order given."""
    made = [{"output_compression": 1 + number} for number in range(100)]

    found = read(CUT, {"output_variants": made})["output_variants"]

    assert [one["output_compression"] for one in found] == list(range(1, 101))


CHANNEL, STRENGTH, SHIFT = "a whole number from 0 to 255", "a number from 0 to 1", "a number from -1 to 1"
SEED, STEPS, SCALE = f"a whole number from -1 to {LARGEST}", "a whole number from 1 to 1000", "a number from 0 to 100"
TRUTH, FORMAT, PALETTE = "true or false", "one of webp, jpeg, png", "a list of 1 or more"
VARIANTS, COLOURED = "a list of 1 to 100", 'a colour, such as "#f0f0f0"'


@pytest.mark.parametrize(
    ("model", "name", "value", "rule", "shown", "action"),
    [
        (FLAT, "color_red", -1, CHANNEL, "-1", ""),
        (FLAT, "color_green", 256, CHANNEL, "256", ""),
        (FLAT, "color_blue", "240", CHANNEL, 'the text "240"', "Write 240, without quotes."),
        (FLAT, "color_red", "024", CHANNEL, 'the text "024"', "Write 24, without quotes."),
        (FLAT, "color_red", "red", CHANNEL, 'the text "red"', ""),
        (FLAT, "color_red", True, CHANNEL, "true", ""),
        (FLAT, "color_red", 240.0, CHANNEL, "240.0", "Write 240."),
        (FLAT, "color_red", 240.5, CHANNEL, "240.5", ""),
        (FLAT, "color_red", None, CHANNEL, "null", "Leave the field out, or give it a value."),
        (FLAT, "color_red", [1], CHANNEL, "a list of 1", ""),
        (FLAT, "color_red", {}, CHANNEL, "an object", ""),
        (REPLACE, "prompt", 5, "text", "5", "Put it in quotes."),
        (REPLACE, "prompt", False, "text", "false", "Put it in quotes."),
        (REPLACE, "prompt", ["x"], "text", "a list of 1", ""),
        (REPLACE, "reference", 7, "text", "7", "Put it in quotes."),
        (BRIA, "sync_mode", 1, TRUTH, "1", "Write true."),
        (BRIA, "sync_mode", 0, TRUTH, "0", "Write false."),
        (BRIA, "sync_mode", 2, TRUTH, "2", ""),
        (BRIA, "sync_mode", "yes", TRUTH, 'the text "yes"', "Write true, without quotes."),
        (BRIA, "sync_mode", "On", TRUTH, 'the text "On"', "Write true, without quotes."),
        (BRIA, "sync_mode", "y", TRUTH, 'the text "y"', "Write true, without quotes."),
        (BRIA, "sync_mode", "NO", TRUTH, 'the text "NO"', "Write false, without quotes."),
        (BRIA, "sync_mode", "Off", TRUTH, 'the text "Off"', "Write false, without quotes."),
        (BRIA, "sync_mode", "n", TRUTH, 'the text "n"', "Write false, without quotes."),
        (BRIA, "sync_mode", " TRUE", TRUTH, 'the text " TRUE"', "Write true, without quotes."),
        (BRIA, "sync_mode", "1", TRUTH, 'the text "1"', ""),
        (BRIA, "sync_mode", "maybe", TRUTH, 'the text "maybe"', ""),
        (CHANGE, "tone_correction", 1.01, STRENGTH, "1.01", ""),
        (CHANGE, "tone_correction", -0.01, STRENGTH, "-0.01", ""),
        (CHANGE, "tone_correction", "0.5", STRENGTH, 'the text "0.5"', "Write 0.5, without quotes."),
        (CHANGE, "tone_correction", True, STRENGTH, "true", ""),
        (CHANGE, "harmonize_strength", 2, STRENGTH, "2", ""),
        (CHANGE, "has_text", "no", TRUTH, 'the text "no"', "Write false, without quotes."),
        (CHANGE, "seed", -2, SEED, "-2", ""),
        (CHANGE, "seed", LARGEST + 1, SEED, f"{LARGEST + 1}", ""),
        (CHANGE, "output_format", "jpg", FORMAT, 'the text "jpg"', "Did you mean jpeg?"),
        (CHANGE, "output_format", "PNG", FORMAT, 'the text "PNG"', "Did you mean png?"),
        (CHANGE, "output_format", "bmp2000", FORMAT, 'the text "bmp2000"', ""),
        (CHANGE, "output_format", 1, FORMAT, "1", "Put it in quotes."),
        (CHANGE, "palette", [], PALETTE, "a list of 0", ""),
        (CHANGE, "palette", "#ffffff", PALETTE, 'the text "#ffffff"', ""),
        (CHANGE, "num_inference_steps", 0, STEPS, "0", ""),
        (CHANGE, "num_inference_steps", 1001, STEPS, "1001", ""),
        (CHANGE, "true_cfg_scale", -1, SCALE, "-1", ""),
        (CHANGE, "true_cfg_scale", 101, SCALE, "101", ""),
        (REMOVE, "recolor", 101010, COLOURED, "101010", "Put the colour in quotes."),
        (REMOVE, "shadow_opacity", 1.5, STRENGTH, "1.5", ""),
        (REMOVE, "shadow_blur", -0.1, STRENGTH, "-0.1", ""),
        (REMOVE, "shadow_dy", -1.1, SHIFT, "-1.1", ""),
        (REMOVE, "shadow_dx", 1.1, SHIFT, "1.1", ""),
        (CUT, "output_variants", [], VARIANTS, "a list of 0", ""),
        (CUT, "output_variants", [{}] * 101, VARIANTS, "a list of 101", ""),
        (CUT, "output_variants", {}, VARIANTS, "an object", ""),
    ],
)
def test_a_value_beyond_its_limit_is_refused_with_what_is_allowed(
    model: str, name: str, value: Any, *, rule: str, shown: str, action: str
) -> None:
    """The refusal names the field, what it may hold, what it holds, and what to write."""
    (problem,) = problems(model, {name: value})

    assert problem.message == f"{name} must be {rule}; it is {shown}"
    assert problem.action == (action or f"Write {rule}.")
    assert problem.where == f"line 1, input.{name}"
    assert problem.code in {"FIELD_TYPE", "FIELD_VALUE"}


PIXELS, COMPRESSION = "a whole number from 1 to 12000000", "a whole number from 1 to 100"


@pytest.mark.parametrize(
    ("given", "message", "action"),
    [
        ({"format": "jpg"}, 'must be one of png, jpeg, webp; it is the text "jpg"', "Did you mean jpeg?"),
        ({"quality": "High"}, 'must be one of low, medium, high; it is the text "High"', "Did you mean high?"),
        ({"max_resolution": 12_000_001}, f"must be {PIXELS}; it is 12000001", f"Write {PIXELS}."),
        ({"max_resolution": 0}, f"must be {PIXELS}; it is 0", f"Write {PIXELS}."),
        ({"output_compression": 0}, f"must be {COMPRESSION}; it is 0", f"Write {COMPRESSION}."),
        ({"output_compression": 101}, f"must be {COMPRESSION}; it is 101", f"Write {COMPRESSION}."),
        ({"autocrop": "true"}, 'must be true or false; it is the text "true"', "Write true, without quotes."),
        ({"background_color": 5}, f"must be {COLOURED}; it is 5", "Put the colour in quotes."),
        (
            {"format": "jpeg"},
            "is jpeg, which cannot be transparent, and there is no colour",
            'Add background_color, for example "#ffffff", or ask for png or webp.',
        ),
        (
            {"background_color": "#11223344", "format": "jpeg"},
            "is partly transparent, which jpeg cannot be",
            'Write "#112233" without its alpha, or ask for png or webp.',
        ),
    ],
)
def test_a_wrong_variant_is_refused_at_its_field(given: dict[str, Any], message: str, action: str) -> None:
    """The refusal names which variant and which field of it."""
    (problem,) = problems(CUT, {"output_variants": [{}, given]})

    name = next(iter(given))
    assert (problem.message, problem.action) == (f"{name} {message}", action)
    assert problem.where == f"line 1, input.output_variants.1.{name}"


def test_an_unknown_field_of_a_variant_is_refused() -> None:
    """What a variant takes is listed; what Backdrop fills is said to be filled."""
    typo, filled = problems(CUT, {"output_variants": [{"autocorp": True, "output_key": "x"}]})

    fields = "format, max_resolution, quality, background_color, output_compression, autocrop"
    assert typo.message == f"there is no field 'autocorp' here; an output variant takes {fields}"
    assert typo.action == "Did you mean autocrop?"
    assert typo.where == "line 1, input.output_variants.0.autocorp"
    assert (filled.message, filled.action) == ("Backdrop fills this: output_key", "Take it out.")


def test_a_variant_that_is_no_object_is_refused_by_its_number() -> None:
    """A list of names is not a list of variants."""
    (problem,) = problems(CUT, {"output_variants": ["png"]})

    assert problem.message == 'output_variants.0 must be an object of fields; it is the text "png"'
    assert problem.where == "line 1, input.output_variants.0"


def test_an_opaque_colour_with_alpha_may_be_a_jpeg() -> None:
    """Its alpha is ff: it hides everything."""
    assert (
        read(CUT, variant({"format": "jpeg", "background_color": "#112233FF"}))["output_variants"][0]["format"]
        == "jpeg"
    )


def test_a_jpeg_of_a_cut_out_needs_a_colour() -> None:
    """JPEG has no alpha; what a provider would make of it is not documented, so it is not paid for."""
    (problem,) = problems(REMOVE, {"output_format": "jpeg", "drop_shadow": True})

    assert problem.code == "JPEG_NEEDS_COLOUR"
    assert problem.where == "line 1, input.output_format"
    assert problem.action == 'Add recolor, for example "#ffffff", or ask for png or webp.'
    assert read(REMOVE, {"output_format": "jpeg", "recolor": "#ffffff"})["output_format"] == "jpeg"
