"""The JSON Schema of a spec, made from the models that check it.

`python -m backdrop.schema` prints it; docs/spec.schema.json is that, and a test says so. It promises that what `parse`
takes in JSON, it takes; it is for editors and refuses less than `parse` does.
"""

import json
import sys
from typing import Any

from backdrop.fields import INPUTS, Input, Look
from backdrop.spec import MAX_JOBS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema, draft 2020-12: one look, or `jobs` with their common default beside them."""
    definitions: dict[str, Any] = {}
    for fields in INPUTS.values():
        made = fields.model_json_schema(ref_template="#/$defs/{model}")
        definitions |= made.pop("$defs", {})
        # What a job of several leaves out may stand in their common default: of it nothing is required.
        definitions |= {fields.__name__: made, f"{fields.__name__}Part": {**made, "required": []}}
    own = Look.model_json_schema()["properties"]
    own["model"]["enum"] = list(INPUTS)
    own["label"].pop("default")  # it comes from the model
    look = {"type": "object", "additionalProperties": False, "properties": own}
    job = look | {"allOf": [_input_of(model, f"{fields.__name__}Part") for model, fields in INPUTS.items()]}
    jobs = {"type": "array", "minItems": 1, "maxItems": MAX_JOBS, "items": {"$ref": "#/$defs/Job"}}
    needy = [_input_of(model, fields.__name__, needed=_needs(fields)) for model, fields in INPUTS.items()]
    return {
        "$schema": DIALECT,
        "title": "Backdrop spec",
        "description": "What is to be made of a photo: one look, or several under `jobs`.",
        "if": {"required": ["jobs"]},
        "then": look | {"properties": own | {"jobs": jobs}},
        "else": look | {"required": ["model"], "allOf": needy},
        "$defs": definitions | {"Job": job},
    }


def _needs(fields: type[Input]) -> bool:
    return any(field.is_required() for field in fields.model_fields.values())


def _input_of(model: str, definition: str, *, needed: bool = False) -> dict[str, Any]:
    """If the look names this model, its input is as defined, and has to be there when it is needed."""
    then: dict[str, Any] = {"properties": {"input": {"$ref": f"#/$defs/{definition}"}}}
    return {
        "if": {"properties": {"model": {"const": model}}, "required": ["model"]},
        "then": then | ({"required": ["input"]} if needed else {}),
    }


def text() -> str:
    """The schema as docs/spec.schema.json holds it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
