"""What pydantic found wrong with a spec, said so that a person can put it right.

Promises, for each error, one Problem with what is wrong, what is allowed and what was probably meant. Refuses to repeat
the value of a field it does not know: a key pasted by mistake must not end in an error file.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from backdrop.catalogue import closest
from backdrop.documents import UNUSABLE, Path
from backdrop.errors import Problem
from backdrop.fields import FILLED, INPUTS, Look, Variant

A_SPEC = "a spec"
_MEANT = "Did you mean {}?"
_TELLING = 60  # characters of a value that are repeated


class Holder(NamedTuple):
    """What holds fields: what it is called in messages, and the JSON schema of each field it takes."""

    name: str
    fields: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, fields: type[BaseModel], name: str) -> Self:
        """The holder that a pydantic model describes; an optional field is told as what it holds."""
        schema = fields.model_json_schema()["properties"]
        return cls(name, {field: value.get("anyOf", [value])[0] for field, value in schema.items()})


def explain(error: ErrorDetails, path: Path, where: str, holder: Holder) -> list[Problem]:
    """One error of pydantic's as a Problem; none when the document has complained of that value already.

    `path` is the field's place within what was checked, `where` its line and place in the document.
    """
    if error["input"] is UNUSABLE:
        return []
    name = str(path[-1]) if path else "it"
    kind, schema = error["type"], holder.fields.get(name, {})
    if isinstance(path[-1], int):
        name = f"{path[-2]}.{name}"
    if kind == "missing":
        return [Problem("FIELD_MISSING", f"{holder.name} needs {name}: {allowed(schema)}", f"Add {name}.", where)]
    if kind == "extra_forbidden":
        return [_unknown(name, where, holder)]
    if kind == "wrong":
        said = error["ctx"]
        return [Problem(str(said["code"]), f"{name} {said['reason']}", str(said["action"]), where)]
    code = "FIELD_TYPE" if kind.endswith("_type") else "FIELD_VALUE"
    message = f"{name} must be {allowed(schema)}; it is {_said(error['input'])}"
    return [Problem(code, message, _advice(error["input"], schema), where)]


def without_echoes(problems: list[Problem]) -> list[Problem]:
    """The problems without those that a misspelt name causes a second time, as a field that is missing."""
    meant = {problem.action for problem in problems if problem.code == "FIELD_UNKNOWN"}
    return [
        problem
        for problem in problems
        if problem.code != "FIELD_MISSING"
        or _MEANT.format(problem.action.removeprefix("Add ").removesuffix(".")) not in meant
    ]


def _unknown(name: str, where: str, holder: Holder) -> Problem:
    if name in FILLED:
        action = "Take it out."
        if "reference" in name and "reference" in holder.fields:
            action = "Take it out; name the background's key in `reference`."
        return Problem("FIELD_FILLED", f"Backdrop fills this: {name}", action, where)
    choices = list(holder.fields)
    if holder.name == A_SPEC and name != "jobs":
        choices.append("jobs")
    message = f"there is no field {name[:_TELLING]!r} here; {holder.name} takes {', '.join(choices)}"
    return Problem("FIELD_UNKNOWN", message, _place_of(name, choices, holder), where)


def _place_of(name: str, choices: list[str], holder: Holder) -> str:
    """What was probably meant by a field that is not taken here: another name, or another place."""
    meant = closest(name, choices)
    owner = next((model for model, fields in INPUTS.items() if name in fields.model_fields), "")
    if meant:
        return _MEANT.format(meant)
    if name == "jobs":
        return "Take it out: one list of jobs stands at the top."
    if name in Variant.model_fields and "output_variants" in holder.fields:
        return "Put it into an entry of `output_variants`."
    if holder.name == A_SPEC and (owner or name in Variant.model_fields):
        return f"Put it under `input`: it is a field of {owner or 'backgroundcut/remove-bg'}."
    if name in Look.model_fields:
        return "Put it beside `model`, not under `input`."
    return f"It is a field of {owner}; take it out." if owner else "Take it out."


def _advice(value: Any, schema: Mapping[str, Any]) -> str:
    """What to write instead of a value of the wrong type or range."""
    kind = schema.get("type", "")
    if value is None:
        return "Leave the field out, or give it a value."
    if isinstance(value, str) and "enum" in schema:
        meant = closest(value.replace("jpg", "jpeg"), schema["enum"])
        return _MEANT.format(meant) if meant else f"Write {allowed(schema)}."
    if isinstance(value, str):
        return _unquoted(value.strip(), schema)
    if kind == "string" and not isinstance(value, dict | list):
        return "Put the colour in quotes." if _is_colour(schema) else "Put it in quotes."
    if kind == "boolean" and value in {0, 1}:
        return f"Write {str(bool(value)).lower()}."
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return f"Write {int(value)}."
    return f"Write {allowed(schema)}."


_TRUTHS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def _unquoted(text: str, schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "")
    truth = _TRUTHS.get(text.lower(), text.lower())
    if kind == "boolean" and truth in {"true", "false"}:
        return f"Write {truth}, without quotes."
    try:
        number = float(text)
    except ValueError:
        return f"Write {allowed(schema)}."
    plain = f"{number:.12g}"
    return f"Write {plain}, without quotes." if kind in {"integer", "number"} else f"Write {allowed(schema)}."


def _said(value: Any) -> str:
    """A value as it stands in a spec, cut to a line."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f"the text {json.dumps(value[:_TELLING], ensure_ascii=False)}" + ("…" if len(value) > _TELLING else "")
    return json.dumps(value)


_TYPES = {"string": "text", "boolean": "true or false", "integer": "a whole number", "number": "a number"}


def _is_colour(schema: Mapping[str, Any]) -> bool:
    return "#" in schema.get("pattern", "")


def allowed(schema: Mapping[str, Any]) -> str:
    """What a field of this JSON schema may hold, in words: "a whole number from 0 to 255"."""
    kind = schema.get("type", "")
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if kind == "array":
        most = f" to {schema['maxItems']}" if "maxItems" in schema else " or more"
        return f"a list of {schema['minItems']}{most}"
    if _is_colour(schema):
        return 'a colour, such as "#f0f0f0"'
    if "minimum" in schema:
        return f"{_TYPES[kind]} from {schema['minimum']} to {schema['maximum']}"
    return _TYPES.get(kind, "an object of fields")
