"""One row for each input field: two values, two different requests at the sandbox, which takes both.

That the pictures differ too is the sandbox's to show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from asking import INPUTS, VARIANT, client, provider_of, request_for

from backdrop.fields import INPUTS as DOCUMENTED
from backdrop.fields import Variant

if TYPE_CHECKING:
    from asking import Photo

    from backdrop_cli.sandbox.server import Sandbox

COLOR, REPLACE, BRIA = "runflow/background-color", "runflow/background-replace", "bria/background/remove"
CUT = "backgroundcut/remove-bg"
CHANGE, REMOVE = "imagepipeline/background-change", "imagepipeline/background-remove"

FIELDS: tuple[tuple[str, str, Any, Any], ...] = (
    (COLOR, "color_red", 0, 255),
    (COLOR, "color_green", 0, 255),
    (COLOR, "color_blue", 0, 255),
    (REPLACE, "prompt", "", "soft window light"),
    (BRIA, "sync_mode", False, True),
    (CHANGE, "prompt", "on slate", "on sand"),
    (CHANGE, "use_segmentation", True, False),
    (CHANGE, "subject_description", None, "an amber bottle"),
    (CHANGE, "tone_correction", None, 0.5),
    (CHANGE, "has_text", None, False),
    (CHANGE, "seed", -1, 7),
    (CHANGE, "output_format", "webp", "png"),
    (CHANGE, "palette", None, ["#102030"]),
    (CHANGE, "num_inference_steps", 8, 12),
    (CHANGE, "true_cfg_scale", 4.0, 2.5),
    (CHANGE, "faster_inference", True, False),
    (CHANGE, "harmonize_strength", None, 0.4),
    (REMOVE, "recolor", None, "#f0f0f0"),
    (REMOVE, "drop_shadow", False, True),
    (REMOVE, "shadow_opacity", 0.38, 0.5),
    (REMOVE, "shadow_blur", 0.018, 0.03),
    (REMOVE, "shadow_dy", 0.022, 0.05),
    (REMOVE, "shadow_dx", 0.004, -0.01),
    (REMOVE, "output_format", "webp", "png"),
)
VARIANT_FIELDS: tuple[tuple[str, Any, Any], ...] = (
    ("format", "png", "webp"),
    ("max_resolution", 12_000_000, 4000),
    ("quality", "low", "high"),
    ("background_color", None, "#1a01ff"),
    ("output_compression", 85, 20),
    ("autocrop", False, True),
)


def sent(sandbox: Sandbox) -> list[Any]:
    """The bodies of the paid POSTs that were accepted."""
    return [one["body"] for one in sandbox.requests() if one["kind"] == "submit" and one["status"] < 300]


@pytest.mark.parametrize(("model", "field", "first", "second"), FIELDS)
def test_a_field_reaches_the_provider(
    sandbox: Sandbox, photo: Photo, *, model: str, field: str, first: Any, second: Any
) -> None:
    """Both values are taken, and they are all that differs."""
    sandbox.trouble(run_stuck=True, sync_wait_seconds=0)  # the request is what counts here, not the picture
    provider = client(provider_of(model), sandbox.url)
    for value in (first, second):
        provider.submit(request_for(model, photo, **{field: value}))
    inputs = [body.get("input", body) for body in sent(sandbox)]
    assert [given.get(field) for given in inputs] == [None if value == "" else value for value in (first, second)]
    before, after = ({name: value for name, value in given.items() if name != field} for given in inputs)
    assert before == after


@pytest.mark.parametrize(("field", "first", "second"), VARIANT_FIELDS)
def test_a_variants_field_reaches_the_provider(
    sandbox: Sandbox, photo: Photo, field: str, first: Any, second: Any
) -> None:
    """Both values are taken, in one request, in their order."""
    variants = [{**VARIANT, field: first}, {**VARIANT, field: second}]
    client("backgroundcut", sandbox.url).submit(request_for(CUT, photo, output_variants=variants))
    (body,) = sent(sandbox)
    assert [variant.get(field) for variant in body["output_variants"]] == [first, second]


@pytest.mark.parametrize("field", ["color_red", "color_green", "color_blue"])
def test_a_channel_reaches_the_flat_form(sandbox: Sandbox, photo: Photo, field: str) -> None:
    """The flat form carries the same three channels."""
    provider = client("runflow", sandbox.url)
    for value in (0, 255):
        provider.submit(request_for(COLOR, photo, form="flat", **{field: value}))
    assert [body[field] for body in sent(sandbox)] == [0, 255]


def test_every_documented_field_has_its_row() -> None:
    """A field that a spec may hold and no row here changes would not be known to reach its provider."""
    rows = {(model, field) for model, field, _, _ in FIELDS} | {(CUT, "output_variants"), (REPLACE, "reference")}
    assert rows == {(name, field) for name, model in DOCUMENTED.items() for field in model.model_fields}
    assert {field for field, _, _ in VARIANT_FIELDS} == set(Variant.model_fields)
    assert {name: set(fields) for name, fields in INPUTS.items()} == {
        name: set(model.model_fields) for name, model in DOCUMENTED.items()
    }
