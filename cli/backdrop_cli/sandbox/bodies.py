"""Reading what a client sends: JSON bodies, checked by pydantic, refused in the provider's words.

Promises that whatever bytes arrive end in a value or in a documented refusal, never in a fault: no NaN or infinity, no
lone surrogates, no nesting deeper than the parser, no number too long to read.
"""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ValidationError

from backdrop_cli.sandbox.replies import Refusal, imagepipeline_error, runflow_error

_DEEPEST = 60


class NotJson(ValueError):
    """The body is not usable JSON; the message says why."""


def parse_json(data: bytes) -> Any:
    """Parse JSON that can be written again as it is.

    Raises:
        NotJson: it cannot.
    """
    try:
        value = json.loads(data, parse_constant=_no_constant, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise NotJson(f"the body is not JSON ({type(error).__name__})") from None
    if _depth(value) > _DEEPEST:
        raise NotJson("the body is nested too deeply")
    return value


def _no_constant(text: str) -> float:
    raise ValueError(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level and depth <= _DEEPEST:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth


def problems(error: ValidationError, prefix: Sequence[str | int] = ()) -> list[dict[str, Any]]:
    """What pydantic found as `{"loc", "msg", "type"}`, without the values that were sent."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [{"loc": [*prefix, *one["loc"]], "msg": one["msg"], "type": one["type"]} for one in found]


def check[M: BaseModel](model: type[M], value: Any, refuse: Callable[[list[dict[str, Any]]], Refusal]) -> M:
    """`value` as `model`; what is wrong with it goes to `refuse`, whose answer is raised."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise refuse(problems(error)) from None


async def runflow_body(request: Request) -> Any:
    """The JSON of a Runflow request. Raises 400."""
    try:
        return parse_json(await request.body())
    except NotJson as error:
        raise runflow_error(400, str(error)) from None


def runflow_invalid(found: list[dict[str, Any]]) -> Refusal:
    """Runflow's 422 (the inner shape of `errors[]` is inferred: runflow.md section 6)."""
    return runflow_error(422, "Request validation failed", errors=found)


async def imagepipeline_body(request: Request) -> Any:
    """The JSON of an ImagePipeline request. Raises FastAPI's 422 for a body that is no JSON."""
    try:
        return parse_json(await request.body())
    except NotJson as error:
        detail = [{"loc": ["body", 0], "msg": str(error), "type": "json_invalid"}]
        raise imagepipeline_error(422, detail=detail) from None


def imagepipeline_invalid(found: list[dict[str, Any]]) -> Refusal:
    """FastAPI's 422 list."""
    return imagepipeline_error(422, detail=[{**one, "loc": ["body", *one["loc"]]} for one in found])
