"""The template as one set of parameters makes it: conditions decided, what they leave out left out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backdrop_cli import cloudformation

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
PATCHED = "BACKDROP_TEMPLATE"  # a test of the tests hands them a copy with something broken in it


def path() -> Path:
    """template.yaml, or the copy that the environment names."""
    return Path(os.environ.get(PATCHED) or ROOT / "template.yaml")


def read() -> dict[str, Any]:
    """That template, every intrinsic function in its long form."""
    return cloudformation.parse(path().read_text(encoding="utf-8"))


def settle(template: Mapping[str, Any], **parameters: str) -> dict[str, Any]:
    """The resources that these parameters give: no `Fn::If` is left and no AWS::NoValue; references stay as written."""
    resolver = cloudformation.Resolver(template, parameters, {}, lambda _name, _attribute: None)
    gone = {"Ref": "AWS::NoValue"}

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [member for member in map(walk, node) if member != gone]
        if not isinstance(node, dict):
            return node
        if set(node) == {"Fn::If"}:
            condition, chosen, other = node["Fn::If"]
            return walk(chosen if resolver.holds(condition) else other)
        pairs = ((name, walk(member)) for name, member in node.items())
        return {name: member for name, member in pairs if member != gone}

    there = {
        name: resource
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or resolver.holds(resource["Condition"])
    }
    settled: dict[str, Any] = walk(there)
    return settled


def merged(template: Mapping[str, Any], resources: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties of each function as SAM merges them with the Globals; environment variables flattened."""
    shared = template["Globals"]["Function"]
    functions = {}
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            own = resource["Properties"]
            variables = {**shared["Environment"]["Variables"], **own.get("Environment", {}).get("Variables", {})}
            functions[name] = {**shared, **own, "Variables": variables}
    return functions


def settled_functions(template: Mapping[str, Any], **parameters: str) -> dict[str, dict[str, Any]]:
    """`merged`, as these parameters give it."""
    written = merged(template, template["Resources"])
    wrapped = {name: {"Type": "AWS::Serverless::Function", "Properties": one} for name, one in written.items()}
    made = settle({**template, "Resources": wrapped}, **parameters)
    return {name: one["Properties"] for name, one in made.items()}


def of_type(resources: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Properties of the resources of a type, by logical id."""
    return {name: resource.get("Properties", {}) for name, resource in resources.items() if resource["Type"] == kind}
