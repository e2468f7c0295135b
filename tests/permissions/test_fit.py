"""The permissions fit: what the functions do they may do, and what they may do they do.

Each check is followed, at the end, by templates that it must not let pass.
"""

from __future__ import annotations

import ast
import copy
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import iam_needs
import pytest
from botocore import xform_name
from iam_needs import forbidden, idle, needs, stale, wide
from iam_policies import TEMPLATE, Deployed, Unreadable
from iam_recorder import LIBRARY

from backdrop_cli.cloudformation import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_recorder import Call

    type Calls = frozenset[Call]
    type Deploying = Callable[[dict[str, Any]], Deployed]

pytestmark = pytest.mark.timeout(240)  # whichever is first plays the scenes: half a minute of a core

PATCHES = Path(__file__).parent / "patches"
CLIENTS = {"s3", "_s3", "dynamodb", "dynamodb_once", "sqs", "secrets", "client"}
# What no function calls: an operator's command does, with the operator's own permissions.
NOT_A_FUNCTIONS = {"workflow/redriving.py"}


def test_every_call_is_allowed(calls: Calls, deployed: Deployed) -> None:
    """Whatever a function asks AWS for, and Lambda in its name, its role allows, and no resource's policy denies."""
    wrong = forbidden(needs(calls, deployed), deployed)
    assert not wrong, "\n".join(wrong)


def test_every_permission_is_used(calls: Calls, deployed: Deployed) -> None:
    """Each action that a role allows is needed, on each resource on which it is allowed."""
    wrong = idle(needs(calls, deployed), deployed)
    assert not wrong, "\n".join(wrong)


def test_the_list_of_what_is_unseen_is_needed(calls: Calls, deployed: Deployed) -> None:
    """Each entry of unseen.toml has its reason, and leads to something that no call shows."""
    wrong = stale(calls, deployed)
    assert not wrong, "\n".join(wrong)


def test_nothing_is_allowed_at_large(deployed: Deployed) -> None:
    """No action is a wildcard, and no resource but X-Ray's is unnamed."""
    wrong = wide(deployed)
    assert not wrong, "\n".join(wrong)


def call_sites() -> Iterator[tuple[str, int, int]]:
    """Where the library calls AWS: file, first and last line."""
    session = botocore.session.get_session()
    services = ("s3", "dynamodb", "sqs", "secretsmanager")
    known = {xform_name(name) for one in services for name in session.get_service_model(one).operation_names}
    known |= {"generate_presigned_url", "get_paginator", "upload_fileobj", "download_fileobj"}
    for file in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr=verb, value=ast.Name(id=of) | ast.Attribute(attr=of))):
                    if verb in known and of in CLIENTS:
                        yield str(file.relative_to(LIBRARY)), node.lineno, node.end_lineno or node.lineno


def test_every_line_that_calls_aws_is_played(calls: Calls) -> None:
    """The scenes are wide enough: no line of the library calls AWS without one of them."""
    there = {site for site in call_sites() if site[0] not in NOT_A_FUNCTIONS}
    assert len(there) > 15
    played = {(file, int(line)) for file, _, line in (one.site.rpartition(":") for one in calls)}
    for file, first, last in sorted(there):
        assert any(name == file and first <= line <= last for name, line in played), f"{file}:{first} is not played"
    for name, line in sorted(played):
        assert any(name == file and first <= line <= last for file, first, last in there), f"{name}:{line} is not seen"


def test_the_events_show_what_needs_care(calls: Calls) -> None:
    """Presigned reads, by version too, are those of who signed; the parts of an upload, and its end, are seen."""
    presigned = {
        (one.function, one.action, one.resource.split(":")[-1].split("/")[0]) for one in calls if one.presigned
    }
    assert presigned == {
        (function, action, bucket)
        for function in ("submit", "reconcile")
        for action, bucket in (("s3:GetObjectVersion", "faults-inputbucket"), ("s3:GetObject", "faults-stagingbucket"))
    }
    for function in ("submit", "webhook", "reconcile"):
        mine = {one.action for one in calls if one.function == function}
        assert {"s3:AbortMultipartUpload", "s3:PutObject", "s3:DeleteObject"} <= mine, function


def test_a_second_witness_agrees(calls: Calls, witnessed: frozenset[tuple[str, str]]) -> None:
    """What AWS's server was asked, a provider's fetches too, is what the events showed, each key by itself."""
    named = {resource for _, resource in witnessed}
    heard = {(one.action, one.resource if one.resource in named else "*") for one in calls}
    assert witnessed == heard
    assert sum(resource.startswith("arn:aws:s3:") for resource in named) > 20


# --- what they must not let pass -------------------------------------------------------------------------------------

CHECKS: dict[str, Callable[[Calls, Deployed], None]] = {
    "test_every_call_is_allowed": test_every_call_is_allowed,
    "test_every_permission_is_used": test_every_permission_is_used,
    "test_nothing_is_allowed_at_large": lambda _, deployed: test_nothing_is_allowed_at_large(deployed),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in PATCHES.glob("*.toml")))
def test_a_patch_makes_its_check_fail(calls: Calls, deploying: Deploying, name: str) -> None:
    """Each patch of template.yaml makes the check that it names fail, in the words that it names, and no other's."""
    patch = tomllib.loads((PATCHES / f"{name}.toml").read_text(encoding="utf-8"))
    text = TEMPLATE.read_text(encoding="utf-8")
    assert text.count(patch["old"]) == 1, f"{name} no longer fits template.yaml: mend the patch"
    patched = deploying(parse(text.replace(patch["old"], patch["new"])))
    for check, run in CHECKS.items():
        if check not in patch["fails"]:
            run(calls, patched)
            continue
        with pytest.raises(AssertionError) as told:
            run(calls, patched)
        for words in patch["fails"][check]:
            assert words in str(told.value)


@pytest.mark.parametrize(
    ("entry", "check", "says"),
    [
        (
            {"wire": "VpcConfig.SubnetIds", "actions": ["ec2:CreateNetworkInterface"], "resource": "*"},
            test_the_list_of_what_is_unseen_is_needed,
            "ec2:CreateNetworkInterface (Invented.) need not be on the list: nothing of the template leads to it",
        ),
        (
            {"wire": "Timeout", "actions": ["sqs:SendMessage"], "resource": "${WorkQueue.Arn}"},
            test_the_list_of_what_is_unseen_is_needed,
            "sqs:SendMessage (Invented.) need not be on the list: the functions' own calls show it",
        ),
        (
            {"wire": "Timeout", "actions": ["sqs:SendMessage"], "resource": "${DropQueue.Arn}"},
            test_every_call_is_allowed,
            "faults-DropQueue (Invented.), which its role does not allow",
        ),
    ],
)
def test_an_entry_that_is_not_needed_is_found(
    calls: Calls, deployed: Deployed, monkeypatch: pytest.MonkeyPatch, *, entry: dict[str, Any], check: Any, says: str
) -> None:
    """What nothing of the template leads to, what the calls show, and what no policy has must not be on the list."""
    more = [*iam_needs.entries(), {**entry, "reason": "Invented."}]
    monkeypatch.setattr(iam_needs, "entries", lambda: more)
    with pytest.raises(AssertionError, match=re.escape(says)):
        check(calls, deployed)


def statements(document: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Every statement of the functions' roles: the role and the statement's place in it."""
    for role in ("SubmitRole", "WebhookRole", "ReconcileRole"):
        (policy,) = document["Resources"][role]["Properties"]["Policies"]
        yield from ((role, number) for number in range(len(policy["PolicyDocument"]["Statement"])))


def of_role(document: dict[str, Any], role: str) -> list[dict[str, Any]]:
    """The statements of a role, to be changed."""
    found: list[dict[str, Any]] = document["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"][
        "Statement"
    ]
    return found


def test_no_statement_can_be_missed(calls: Calls, document: dict[str, Any], deploying: Deploying) -> None:
    """Whichever statement is taken out of whichever role, a call is no longer allowed."""
    for role, number in list(statements(document)):
        changed = copy.deepcopy(document)
        gone = of_role(changed, role).pop(number)
        short = role.removesuffix("Role").lower()
        with pytest.raises(AssertionError, match=f"(?m)^{short} needs ") as told:
            test_every_call_is_allowed(calls, deploying(changed))
        actions = gone["Action"] if isinstance(gone["Action"], list) else [gone["Action"]]
        assert all(f"{short} needs {action} on" in str(told.value) for action in actions), (role, gone["Sid"])


def test_no_action_can_be_missed_nor_its_resource(calls: Calls, document: dict[str, Any], deploying: Deploying) -> None:
    """Whichever action is taken out of a statement, and whichever resource, a call is no longer allowed."""
    for role, number in list(statements(document)):
        for name in ("Action", "Resource"):
            value = of_role(document, role)[number][name]
            for one in range(len(value)) if isinstance(value, list) and len(value) > 1 else ():
                changed = copy.deepcopy(document)
                of_role(changed, role)[number][name] = value[:one] + value[one + 1 :]
                with pytest.raises(AssertionError, match="which its role does not allow"):
                    test_every_call_is_allowed(calls, deploying(changed))


@pytest.mark.parametrize(
    ("role", "change"),
    [
        ("SubmitRole", {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/AmazonS3FullAccess"]}),
        ("WebhookRole", {"PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        ("ReconcileRole", {"AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Principal": "*"}]}}),
    ],
)
def test_a_role_is_read_whole_or_not_at_all(
    document: dict[str, Any], deploying: Deploying, role: str, change: dict[str, Any]
) -> None:
    """What would allow more, or less, or somebody else, than the statements that are read here is refused."""
    document["Resources"][role]["Properties"] |= change
    with pytest.raises(Unreadable, match=role):
        _ = deploying(document).roles


def test_a_resource_that_denies_is_heard(calls: Calls, document: dict[str, Any], deploying: Deploying) -> None:
    """A bucket's own policy that denies what a role allows makes the call fail, as it would in AWS."""
    policy = document["Resources"]["OutputBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    policy.append({**policy[0], "Sid": "NoDeletions", "Action": "s3:DeleteObject"})
    del policy[-1]["Condition"]
    with pytest.raises(AssertionError, match="webhook needs s3:DeleteObject"):
        test_every_call_is_allowed(calls, deploying(document))
