"""CloudFormation's little language: tags, parameters, conditions and intrinsic functions, resolved without AWS.

Promises the value that CloudFormation would arrive at, from the parameters' defaults and the caller's overrides.
Refuses to guess: whatever it cannot resolve raises `Unresolvable` with the place in the template. Pure: reads text.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$\{(!?[^}]*)\}")
_ABSENT = object()  # AWS::NoValue: the property is as if it had not been written


class Unresolvable(Exception):
    """The template says something that this reader does not understand; the message names the place."""


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags (`!Ref`) written out in their long form."""


def _long_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type] # YAML has three kinds of node
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


def parse(text: str) -> dict[str, Any]:
    """The template's text as a dictionary, every intrinsic function in its long form.

    Raises:
        Unresolvable: it is not YAML, or not a template.
    """
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.YAMLError as error:
        msg = f"not YAML: {error}"
        raise Unresolvable(msg) from error
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        msg = "not a CloudFormation template: it has no Resources"
        raise Unresolvable(msg)
    return document


type Attributes = Callable[[str, str], Any]  # (logical id, attribute or "" for Ref) -> value, or None


class Resolver:
    """Resolves what stands in one template; made with the final parameters and with what resources answer."""

    def __init__(
        self, document: Mapping[str, Any], overrides: Mapping[str, str], pseudo: Mapping[str, str], of: Attributes
    ) -> None:
        """Take the template; `pseudo` answers AWS::Region and its like, `of` answers Ref and GetAtt of a resource.

        Raises:
            Unresolvable: an override names no parameter, or is not allowed; or a parameter has no value.
        """
        self._document = document
        self._pseudo = pseudo
        self._of = of
        self._open: list[str] = []  # names of conditions being decided: a cycle would not end
        self.parameters = _parameters(document.get("Parameters") or {}, overrides)

    def holds(self, condition: str) -> bool:
        """Whether the named condition is true."""
        conditions = self._document.get("Conditions") or {}
        if condition not in conditions or condition in self._open:
            msg = f"Conditions: {condition} is {'not there' if condition not in conditions else 'a circle'}"
            raise Unresolvable(msg)
        self._open.append(condition)
        try:
            return self._truth(conditions[condition], f"Conditions.{condition}")
        finally:
            self._open.pop()

    def value(self, node: Any, where: str) -> Any:
        """`node` with every function in it resolved; None where it resolves to AWS::NoValue.

        Raises:
            Unresolvable: something in it cannot be.
        """
        found = self._value(node, where)
        return None if found is _ABSENT else found

    def _value(self, node: Any, where: str) -> Any:
        if isinstance(node, list):
            members = (self._value(member, f"{where}[{n}]") for n, member in enumerate(node))
            return [member for member in members if member is not _ABSENT]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name == "Ref":
                return self._ref(argument, where)
            if isinstance(name, str) and name.startswith("Fn::"):
                return self._call(name.removeprefix("Fn::"), argument, where)
        pairs = ((name, self._value(member, f"{where}.{name}")) for name, member in node.items())
        return {name: member for name, member in pairs if member is not _ABSENT}

    def _ref(self, name: str, where: str) -> Any:
        if name == "AWS::NoValue":
            return _ABSENT
        if name in self.parameters:
            return self.parameters[name]
        if name in self._pseudo:
            return self._pseudo[name]
        return self._attribute(name, "", where)

    def _attribute(self, name: str, attribute: str, where: str) -> Any:
        found = self._of(name, attribute)
        if found is None:
            what = f"!GetAtt {name}.{attribute}" if attribute else f"!Ref {name}"
            msg = f"{where}: cannot resolve {what}"
            raise Unresolvable(msg)
        return found

    def _call(self, name: str, argument: Any, where: str) -> Any:
        match name, argument:
            case "GetAtt", [str(resource), str(attribute)]:
                return self._attribute(resource, attribute, where)
            case "Sub", str():
                return self._substitute(argument, {}, where)
            case "Sub", [str(text), dict(variables)]:
                return self._substitute(text, self.value(variables, where), where)
            case "If", [str(condition), chosen, other]:
                return self._value(chosen if self.holds(condition) else other, where)
            case "Join", [str(between), parts]:
                return between.join(str(part) for part in self.value(parts, where))
            case "Select", [index, members]:
                return self.value(members, where)[int(self.value(index, where))]
            case "Split", [str(between), text]:
                return str(self.value(text, where)).split(between)
            case "FindInMap", [table, row, column]:
                path = [str(self.value(part, where)) for part in (table, row, column)]
                return self._look_up(path, where)
        msg = f"{where}: Fn::{name} in this form is not understood"
        raise Unresolvable(msg)

    def _look_up(self, path: list[str], where: str) -> Any:
        found: Any = self._document.get("Mappings") or {}
        for step in path:
            if not isinstance(found, dict) or step not in found:
                msg = f"{where}: Mappings has no {'.'.join(path)}"
                raise Unresolvable(msg)
            found = found[step]
        return found

    def _substitute(self, text: str, variables: Mapping[str, Any], where: str) -> str:
        def replacement(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in variables:
                return str(variables[name])
            resource, _, attribute = name.partition(".")
            return str(self._attribute(resource, attribute, where) if attribute else self._ref(name, where))

        return _VARIABLE.sub(replacement, text)

    def _truth(self, node: Any, where: str) -> bool:
        match node:
            case {"Condition": str(name)}:
                return self.holds(name)
            case {"Fn::Equals": [left, right]}:
                return str(self.value(left, where)) == str(self.value(right, where))
            case {"Fn::Not": [inner]}:
                return not self._truth(inner, where)
            case {"Fn::And": list(inner)}:
                return all(self._truth(one, where) for one in inner)
            case {"Fn::Or": list(inner)}:
                return any(self._truth(one, where) for one in inner)
        msg = f"{where}: not a condition that is understood"
        raise Unresolvable(msg)


def _parameters(declared: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, Any]:
    unknown = sorted(set(overrides) - set(declared))
    if unknown:
        msg = f"the template has no parameter {', '.join(unknown)}; it has {', '.join(sorted(declared))}"
        raise Unresolvable(msg)
    values: dict[str, Any] = {}
    for name, declaration in declared.items():
        if name not in overrides and "Default" not in declaration:
            msg = f"Parameters.{name}: has no Default and was not given"
            raise Unresolvable(msg)
        text = str(overrides.get(name, declaration.get("Default")))
        _check_parameter(name, declaration, text)
        listed = declaration.get("Type") == "CommaDelimitedList"
        values[name] = [part.strip() for part in text.split(",")] if listed else text
    return values


def _check_parameter(name: str, declaration: Mapping[str, Any], text: str) -> None:
    # AllowedPattern, MinValue and MaxValue guard a deployment; a laptop's plain http and short waits lie outside.
    allowed = [str(one) for one in declaration.get("AllowedValues", ())]
    if allowed and text not in allowed:
        msg = f"Parameters.{name}: {text!r} is not one of {', '.join(allowed)}"
        raise Unresolvable(msg)
