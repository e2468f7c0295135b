"""What the roles must allow: the calls that were overheard, and what unseen.toml derives from how things are wired.

Promises one set of needs, each with its reason, that the policies are held against from both sides: every need is
allowed, and everything allowed is needed.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench import ROOT
from faults_invocation import FUNCTIONS
from iam_policies import fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_policies import Deployed
    from iam_recorder import Call

UNSEEN = ROOT / "tests" / "permissions" / "unseen.toml"
_BUCKET = re.compile(r"arn:aws:s3:::[^/]+(?=/)")
_NAMED = re.compile(r"arn:aws:[a-z0-9]+:[a-z0-9-]*:[0-9]*:[^*?]+([/:][*])?")


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """Something that a function needs. `why` is where the library calls it, or the reason in unseen.toml."""

    function: str
    action: str
    resource: str
    why: str


def shown(calls: Iterable[Call]) -> set[Need]:
    """What the calls need."""
    return {
        Need(one.function, one.action, one.resource, f"{one.site}{', presigned' if one.presigned else ''}")
        for one in calls
    }


def entries() -> list[dict[str, Any]]:
    """The reasoned list."""
    found: list[dict[str, Any]] = tomllib.loads(UNSEEN.read_text(encoding="utf-8"))["unseen"]
    return found


def unseen(entry: dict[str, Any], calls: Iterable[Call], deployed: Deployed) -> set[Need]:
    """What one entry of the list needs."""
    places = _missing(calls) if "missing" in entry else _wired(entry, deployed)
    return {Need(function, action, place, entry["reason"]) for function, place in places for action in entry["actions"]}


def _missing(calls: Iterable[Call]) -> Iterator[tuple[str, str]]:
    for one in calls:
        if one.status == 404 and (bucket := _BUCKET.match(one.resource)):  # it found nothing
            yield one.function, bucket[0]


def _wired(entry: dict[str, Any], deployed: Deployed) -> Iterator[tuple[str, str]]:
    shared = deployed.document.get("Globals", {}).get("Function", {})
    for logical_id, function in FUNCTIONS.items():
        properties = {**shared, **deployed.document["Resources"][logical_id]["Properties"]}
        for found in _walk(properties, entry["wire"].split(".")):
            yield function, deployed.resolve(entry["resource"].replace("{value}", deployed.text(found)))


def _walk(node: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield node
    elif isinstance(node, dict):
        for name in node if path[0] == "*" else [path[0]]:
            if name in node:
                yield from _walk(node[name], path[1:])


def needs(calls: Iterable[Call], deployed: Deployed) -> set[Need]:
    """Everything that must be allowed."""
    return shown(calls).union(*(unseen(entry, calls, deployed) for entry in entries()))


def forbidden(wanted: Iterable[Need], deployed: Deployed) -> list[str]:
    """What is needed and not allowed."""
    return sorted(
        f"{one.function} needs {one.action} on {one.resource} ({one.why}), which its role does not allow"
        for one in wanted
        if not deployed.allows(one.function, one.action, one.resource)
    )


def idle(wanted: Iterable[Need], deployed: Deployed) -> list[str]:
    """What is allowed and not needed: each action of each statement on each of its resources by itself."""
    used = list(wanted)
    return sorted(
        f"{function} may {action} on {resource} ({statement.place}), which nothing needs"
        for function, statements in deployed.roles.items()
        for statement in statements
        for action in statement.actions
        for resource in statement.resources
        if not any(
            one.function == function and fits(action, one.action, case=False) and fits(resource, one.resource)
            for one in used
        )
    )


def stale(calls: Iterable[Call], deployed: Deployed) -> list[str]:
    """Entries of the list that are about nothing any more, or about nothing but what the calls show."""
    seen = {(one.function, one.action, one.resource) for one in calls}
    told = []
    for entry in entries():
        found = unseen(entry, calls, deployed)
        if not entry["reason"].endswith("."):
            told.append(f"{entry['actions']}: the entry gives no reason")
        for action in entry["actions"]:
            mine = {(one.function, one.action, one.resource) for one in found if one.action == action}
            if not mine - seen:
                why = "the functions' own calls show it" if mine else "nothing of the template leads to it"
                told.append(f"{action} ({entry['reason']}) need not be on the list: {why}")
    return told


def wide(deployed: Deployed) -> list[str]:
    """Wildcards: no action is one, and a resource ends in one only where keys, or a log's streams, come and go."""
    told = []
    for statement in (one for statements in deployed.roles.values() for one in statements):
        told += [
            f"{statement.place}: the action {one} is a wildcard" for one in statement.actions if set(one) & {*"*?"}
        ]
        traces = all(action.startswith("xray:") for action in statement.actions)
        told += [
            f"{statement.place}: the resource {one} is too wide"
            for one in statement.resources
            if not _NAMED.fullmatch(one) and not (traces and one == "*")
        ]
    return told
