"""The page says what each function may do: docs/security.md against template.yaml."""

from __future__ import annotations

import re
from typing import Any

from bench import ROOT
from faults_invocation import FUNCTIONS

PAGE = ROOT / "docs" / "security.md"
COLUMNS = ["statement", "of", "may", "on", "why"]


def listed(value: Any) -> list[Any]:
    """A list, of one member if need be."""
    return value if isinstance(value, list) else [value]


def spelt(resource: Any) -> str:
    """A resource by its name in the template: `JobTable`, `InputBucket/*`."""
    match resource:
        case {"Fn::GetAtt": [str(name), "Arn"]} | {"Ref": str(name)}:
            return name
        case {"Fn::Sub": str(text)}:
            return re.sub(r"^\$\{(\w+)\.Arn\}", r"\1", text)
    return str(resource)


def written() -> set[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    """The table's rows, one for each function: statement, function, actions, resources."""
    section = PAGE.read_text(encoding="utf-8").partition("## What each function may do")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    assert rows[0] == COLUMNS
    found = set()
    for statement, functions, actions, resources, why in rows[2:]:
        assert why, statement
        for function in functions.split(", "):
            names = tuple(sorted(re.findall("`([^`]+)`", actions))), tuple(sorted(re.findall("`([^`]+)`", resources)))
            found.add((statement.strip("`"), function, *names))
    return found


def test_the_page_says_what_each_role_may_do(document: dict[str, Any]) -> None:
    """Each statement of each role stands in the page's table with its actions, its resources and why; nothing else."""
    there = set()
    for logical_id, function in FUNCTIONS.items():
        role = document["Resources"][logical_id]["Properties"]["Role"]["Fn::GetAtt"][0]
        for policy in document["Resources"][role]["Properties"]["Policies"]:
            for one in policy["PolicyDocument"]["Statement"]:
                resources = tuple(sorted(spelt(resource) for resource in listed(one["Resource"])))
                there.add((one["Sid"], function, tuple(sorted(listed(one["Action"]))), resources))
    assert written() == there
