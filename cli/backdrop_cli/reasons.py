"""Every code that an error file, a record or the log may hold, read off the source: what it says and what to do.

Promises the texts as the code has them, with … where a value is filled in. Refuses nothing: a code whose text is not
written out where it is raised is listed without one.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import backdrop

_CODE = re.compile(r"[A-Z][A-Z]+(?:_[A-Z]+)+")
_RAISED = {"Problem", "Later", "Parked", "Unknown", "ProviderFailed", "Failed"}
_ACTION = 2  # where the action stands when it is not named: Problem(code, message, action)


@dataclass(frozen=True, slots=True)
class Reason:
    """One code with the texts that go with it."""

    code: str
    message: str
    action: str


def reasons() -> list[Reason]:
    """Every code once, by name; where it is raised in several places, the first that says what to do."""
    found: dict[str, Reason] = {}
    for path in sorted(Path(backdrop.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        scopes: list[ast.Module | ast.FunctionDef] = [tree]
        scopes += [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for scope in scopes:
            for one in _in_scope(scope, tree):
                if not (one.code in found and found[one.code].action):
                    found[one.code] = one
    return sorted(found.values(), key=lambda one: one.code)


def _in_scope(scope: ast.Module | ast.FunctionDef, module: ast.Module) -> Iterator[Reason]:
    """What a function raises; texts that it, or its module, gave a name before are known by that name."""
    named = [*module.body, *(ast.walk(scope) if scope is not module else ())]
    for node in ast.walk(scope) if scope is not module else _outside_functions(module):
        if isinstance(node, ast.Call):
            known: dict[str, str] = {}
            for line in sorted((one for one in named if isinstance(one, ast.Assign)), key=lambda one: one.lineno):
                if line.lineno <= node.lineno and isinstance(line.targets[0], ast.Name):
                    known[line.targets[0].id] = _text(line.value, known)
            one = _reason(node, known)
            if one:
                yield one


def _outside_functions(module: ast.Module) -> Iterator[ast.AST]:
    for statement in module.body:
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield from ast.walk(statement)


def _reason(node: ast.Call, known: dict[str, str]) -> Reason | None:
    name = getattr(node.func, "id", "")
    given = {word.arg: _text(word.value, known) for word in node.keywords if word.arg}
    texts = [_text(one, known) for one in node.args]
    if name == "Rule":  # statuses, what it becomes, code, message, action
        texts = texts[2:]
    elif name not in _RAISED:
        return None
    if not texts or not _CODE.fullmatch(texts[0]):
        return None
    action = given.get("action", "")
    if not action and name in {"Problem", "Rule"} and len(texts) > _ACTION:
        action = texts[_ACTION]
    return Reason(texts[0], texts[1] if len(texts) > 1 else "", action)


def _text(node: ast.expr, known: dict[str, str]) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, known) or "…" for part in parts)
        case ast.Name(id=name):
            return known.get(name, "")
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, known) + _text(right, known)
    return ""
