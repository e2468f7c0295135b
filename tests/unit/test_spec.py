"""What a spec asks for when it is right: one look or several, defaults filled in, the same meaning the same job."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from backdrop import schema
from backdrop.errors import Rejected
from backdrop.spec import JobSpec, Spec, json_schema, parse

COLOUR = {"color_red": 240, "color_green": 241, "color_blue": 242}
DOCS = Path(__file__).parents[2] / "docs"

RIGHT: list[dict[str, Any]] = [
    {"model": "runflow/background-color", "input": COLOUR},
    {"model": "runflow/background-replace", "input": {"reference": "_marble.jpg"}},
    {"model": "bria/background/remove"},
    {
        "model": "bria/background/remove",
        "input": {"sync_mode": True},
        "label": "x",
        "revision": 2,
        "metadata": {"a": 1},
    },
    {"model": "backgroundcut/remove-bg", "input": {"output_variants": [{}, {"background_color": "#ffffff80"}]}},
    {"model": "imagepipeline/background-change", "input": {"prompt": "on a beach", "palette": ["#ff0000"]}},
    {"model": "imagepipeline/background-remove", "input": {"recolor": "F0F0F0", "drop_shadow": True}},
    {"jobs": [{"model": "bria/background/remove"}, {"model": "imagepipeline/background-remove"}]},
    {
        "model": "runflow/background-color",
        "input": {"color_red": 1},
        "jobs": [{"input": {"color_green": 2, "color_blue": 3}}],
    },
]
WRONG: list[dict[str, Any]] = [
    {},
    {"model": "bria/background/removed"},
    {"model": "runflow/background-color"},
    {"model": "runflow/background-color", "input": COLOUR | {"color_red": 256}},
    {"model": "runflow/background-color", "input": COLOUR | {"prompt": "x"}},
    {"model": "runflow/background-replace", "input": {"prompt": "x"}},
    {"model": "bria/background/remove", "outputs": "x"},
    {"model": "bria/background/remove", "output": "no-extension"},
    {"model": "bria/background/remove", "label": "No Label"},
    {"model": "backgroundcut/remove-bg", "input": {"output_variants": []}},
    {"model": "imagepipeline/background-remove", "input": {"recolor": "#fff"}},
    {"jobs": []},
    {"jobs": [{"modell": "bria/background/remove"}]},
    {"jobs": [{"model": "bria/background/remove", "input": {"sync": True}}]},
    {"jobs": [{"model": "bria/background/remove"}], "mode": 1},
    {"jobs": [{"model": "runflow/background-color", "input": COLOUR | {"color_red": -1}}]},
]


def read(values: dict[str, Any], name: str = "shoes/red.jpg.json") -> Spec:
    """The spec of these values, written as JSON."""
    return parse(json.dumps(values).encode(), name)


def test_one_look_in_yaml_becomes_one_job_with_every_default() -> None:
    """The first example of the documentation is one job, and what it leaves out is filled in."""
    text = b"model: runflow/background-color\ninput: {color_red: 240, color_green: 241, color_blue: 242}\n"

    spec = parse(text, "shoes/red.jpg.yaml")

    expected = JobSpec(
        model="runflow/background-color",
        label="background-color",
        input=COLOUR,
        reference="",
        output="{folder}/{name}.{label}.{ext}",
        metadata={},
        revision=1,
    )
    assert spec == Spec("shoes/red.jpg.yaml", (expected,), is_default=False)


def test_every_field_that_is_given_is_kept() -> None:
    """Label, output, metadata and revision of the spec are those of the job."""
    given = {
        "model": "bria/background/remove",
        "input": {"sync_mode": True},
        "label": "cut_out-2",
        "output": "done/{label}/{name}.{ext}",
        "metadata": {"sku": "A-17", "sizes": [1, 2.5, None, True]},
        "revision": 3,
    }

    (job,) = read(given).jobs

    assert job.normalised() == given | {"reference": ""}


def test_yaml_and_json_of_the_same_spec_are_the_same_jobs() -> None:
    """The format of the file changes nothing about the job, so nothing about its id; YAML 1.1's surprises are text."""
    yaml = b"""
# a comment
metadata: {sku: 00017, when: 2024-01-01, at: 12:30, on: yes, hex: 0x1f, none: ~, "null": "null"}
jobs:
  - model: backgroundcut/remove-bg
    input:
      output_variants:
        - {format: jpeg, background_color: "#FFFFFF"}
        - format: png
"""
    same = {
        "metadata": {
            "sku": "00017",
            "when": "2024-01-01",
            "at": "12:30",
            "on": "yes",
            "hex": "0x1f",
            "none": None,
            "null": "null",
        },
        "jobs": [
            {
                "model": "backgroundcut/remove-bg",
                "input": {"output_variants": [{"format": "jpeg", "background_color": "#ffffff"}, {"format": "png"}]},
            }
        ],
    }

    assert parse(yaml, "a.jpg.yml").jobs == read(same).jobs


@pytest.mark.parametrize("name", ["a.jpg.JSON", "a.jpg.Json", "x/_backdrop.json"])
def test_the_extension_counts_in_any_case(name: str) -> None:
    """A sidecar called .JSON is read as JSON."""
    assert read({"model": "bria/background/remove"}, name).jobs[0].model == "bria/background/remove"


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.yaml", "model: bria/background/remove\n"), ("a.json", '{"model": "bria/background/remove"}')],
)
def test_a_byte_order_mark_is_no_part_of_the_spec(name: str, text: str) -> None:
    """Editors on Windows put one before UTF-8 text, and end lines their own way."""
    assert len(parse(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(), name).jobs) == 1


def test_jobs_take_what_stands_beside_them_and_their_own_wins() -> None:
    """The common default is merged into each job; input and metadata field by field, one level deep."""
    spec = read(
        {
            "model": "runflow/background-color",
            "input": {"color_red": 1, "color_green": 2},
            "metadata": {"sku": "A", "deep": {"a": 1}},
            "revision": 7,
            "jobs": [
                {"input": {"color_blue": 3}, "label": "one"},
                {"input": {"color_blue": 4, "color_red": 5}, "metadata": {"deep": {"b": 2}}, "revision": 8},
            ],
        }
    )

    one, two = spec.jobs
    assert one.input == {"color_red": 1, "color_green": 2, "color_blue": 3}
    assert two.input == {"color_red": 5, "color_green": 2, "color_blue": 4}
    assert (one.metadata, two.metadata) == ({"sku": "A", "deep": {"a": 1}}, {"sku": "A", "deep": {"b": 2}})
    assert (one.revision, two.revision) == (7, 8)
    assert (one.label, two.label) == ("one", "background-color")


@pytest.mark.parametrize(
    ("model", "label"),
    [
        ("bria/background/remove", "remove"),
        ("imagepipeline/background-remove", "background-remove"),
    ],
)
def test_a_label_defaults_from_the_model(model: str, label: str) -> None:
    """A look without a label is called by its model's last part."""
    assert read({"model": model}).jobs[0].label == label


def test_twenty_jobs_may_come_from_one_drop() -> None:
    """The documented limit itself is allowed."""
    jobs = [{"model": "bria/background/remove", "label": f"l{number}"} for number in range(20)]

    assert len(read({"jobs": jobs}).jobs) == 20


def test_the_reference_stands_apart_from_the_input() -> None:
    """What is sent to the provider never holds the key of the reference."""
    (job,) = read({"model": "runflow/background-replace", "input": {"reference": "../_refs/Marble 1.jpg"}}).jobs

    assert job.reference == "../_refs/Marble 1.jpg"
    assert job.input == {"prompt": ""}


@pytest.mark.parametrize(
    ("values", "formats"),
    [
        ({"model": "bria/background/remove"}, ("",)),
        ({"model": "imagepipeline/background-remove"}, ("webp",)),
        ({"model": "imagepipeline/background-change", "input": {"prompt": "x", "output_format": "png"}}, ("png",)),
        (
            {
                "model": "backgroundcut/remove-bg",
                "input": {
                    "output_variants": [{"format": "webp"}, {}, {"format": "jpeg", "background_color": "#000000"}]
                },
            },
            ("webp", "png", "jpeg"),
        ),
    ],
)
def test_the_formats_of_the_outputs_are_known_when_they_are_asked_for(
    values: dict[str, Any], formats: tuple[str, ...]
) -> None:
    """One format for each output, in order; empty where the provider decides."""
    assert read(values).jobs[0].formats == formats


@pytest.mark.parametrize("values", RIGHT)
def test_a_job_survives_being_kept_as_json(values: dict[str, Any]) -> None:
    """What the job table keeps is enough to make the same job again."""
    for job in read(values).jobs:
        kept = json.loads(json.dumps(job.normalised()))
        assert JobSpec.from_normalised(kept) == job


def test_a_job_is_not_changed_by_changing_what_was_kept() -> None:
    """The normalised form is a copy, down to its innermost list."""
    (job,) = read({"model": "backgroundcut/remove-bg", "input": {"output_variants": [{}]}}).jobs
    before = json.dumps(job.normalised())

    job.normalised()["input"]["output_variants"][0]["format"] = "gif"

    assert json.dumps(job.normalised()) == before


def test_a_folder_default_is_known_by_its_name_or_by_being_told() -> None:
    """`_backdrop.*` is a default; a caller that knows better says so."""
    text = b"model: bria/background/remove"

    assert parse(text, "shoes/_backdrop.yaml").is_default
    assert not parse(text, "shoes/red.jpg.yaml").is_default
    assert parse(text, "any.yaml", is_default=True).is_default
    assert not parse(text, "shoes/_backdrop.yaml", is_default=False).is_default


def test_a_few_aliases_are_read() -> None:
    """YAML's way not to write a thing twice works within its limit."""
    text = b"""
jobs:
  - {model: runflow/background-color, input: &grey {color_red: 9, color_green: 9, color_blue: 9}, label: a}
  - {model: runflow/background-color, input: *grey, label: b}
"""
    one, two = parse(text, "a.yaml").jobs

    assert one.input == two.input == {"color_red": 9, "color_green": 9, "color_blue": 9}


@pytest.mark.parametrize("values", RIGHT)
def test_the_schema_takes_what_is_right(values: dict[str, Any]) -> None:
    """An editor that uses the JSON Schema marks nothing in a spec that would run."""
    assert read(values).jobs
    jsonschema.validate(values, json_schema(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("values", WRONG)
def test_the_schema_refuses_what_is_plainly_wrong(values: dict[str, Any]) -> None:
    """What the schema refuses, the reader refuses too."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, json_schema(), cls=jsonschema.Draft202012Validator)

    with pytest.raises(Rejected):
        read(values)


def test_the_documented_schema_is_current() -> None:
    """docs/spec.schema.json is what `python -m backdrop.schema` prints, and is a valid schema."""
    assert (DOCS / "spec.schema.json").read_text(encoding="utf-8") == schema.text()
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_the_schema_is_printed_by_its_module() -> None:
    """The command that the documentation names makes the documented file."""
    command = [sys.executable, "-m", "backdrop.schema"]

    printed = subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout

    assert printed == schema.text()
