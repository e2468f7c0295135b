"""What each function may do, as deployed: the policies of template.yaml with every name resolved, and a judge of them.

Promises the statements of each function's own role, and the denials of the buckets' and queues' own policies. Refuses
(`Unreadable`) what would let a role do more than is read here: a managed policy, a boundary, a policy attached from
elsewhere, NotAction and the like, a condition that is not understood. https://docs.aws.amazon.com/IAM/latest/
UserGuide/reference_policies_evaluation-logic_policy-eval-basics-single-account.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from bench import ROOT
from faults_invocation import FUNCTIONS

from backdrop_cli import template as templates
from backdrop_cli.cloudformation import Resolver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backdrop_cli.parts import Place, Template

TEMPLATE = ROOT / "template.yaml"
_ATTACHED = {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy", "AWS::IAM::UserPolicy"}
_OF_RESOURCES = {"AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"}
_KNOWN = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
_LAMBDA = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
_CONTEXT = {"aws:SecureTransport": "true"}  # boto3 calls over TLS


class Unreadable(AssertionError):
    """The template says something about permissions that is not understood here."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, resolved. `place` names it for a person."""

    place: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def covers(self, action: str, resource: str) -> bool:
        """Whether it is about this action on this resource."""
        return any(fits(one, action, case=False) for one in self.actions) and any(
            fits(one, resource) for one in self.resources
        )


def fits(pattern: str, text: str, *, case: bool = True) -> bool:
    """IAM's patterns: `*` is anything, `?` any one character, and nothing else is special."""
    parts = (".*" if one == "*" else "." if one == "?" else re.escape(one) for one in pattern)
    return bool(re.fullmatch("".join(parts), text, re.DOTALL | (0 if case else re.IGNORECASE)))


@lru_cache(maxsize=4)
def _names(place: Place) -> Template:
    """The stack's resources by name, which do not depend on what a role may do."""
    return templates.load(TEMPLATE, place)


class Deployed:
    """The permissions of one template, parsed; resources have the names of the stack at `place`."""

    def __init__(self, document: dict[str, Any], place: Place) -> None:
        self.document = document
        self._place = place
        self._names = _names(place)
        pseudo = {
            "AWS::Region": place.region,
            "AWS::AccountId": place.account,
            "AWS::Partition": "aws",
            "AWS::StackName": place.stack,
            "AWS::URLSuffix": "amazonaws.com",
        }
        self._resolver = Resolver(self.document, {}, pseudo, self._answer)

    def resolve(self, text: str) -> str:
        """`${InputBucket.Arn}/*` and the like, as CloudFormation substitutes them."""
        return str(self._resolver.value({"Fn::Sub": text}, text))

    def text(self, node: Any) -> str:
        """What stands in the template, resolved, as text."""
        return str(self._resolver.value(node, "a function"))

    def allows(self, function: str, action: str, resource: str) -> bool:
        """Whether the function may do this: its role says so, and no resource's own policy denies it."""
        granted = any(one.covers(action, resource) for one in self.roles[function])
        return granted and not any(one.covers(action, resource) for one in self.denials)

    @cached_property
    def roles(self) -> dict[str, tuple[Statement, ...]]:
        """The statements of each function's role, by the function's short name."""
        attached = [name for name, one in self.document["Resources"].items() if one["Type"] in _ATTACHED]
        if attached:
            raise Unreadable(f"{', '.join(attached)}: a function's permissions stand in its role")
        return {short: tuple(self._role(logical_id)) for logical_id, short in FUNCTIONS.items()}

    def _role(self, function: str) -> Iterator[Statement]:
        own = self.document["Resources"][function]["Properties"]
        shared = self.document.get("Globals", {}).get("Function", {})
        if "Policies" in own or "Policies" in shared or "PermissionsBoundary" in {**shared, **own}:
            raise Unreadable(f"{function}: SAM leaves these Policies out, since the function has a role of its own")
        match own.get("Role"):
            case {"Fn::GetAtt": [str(role), "Arn"]}:
                pass
            case other:
                raise Unreadable(f"{function}.Role: a role of this template, not {other}")
        properties = self.document["Resources"][role]["Properties"]
        if extra := set(properties) - {"AssumeRolePolicyDocument", "Policies", "Description", "RoleName", "Tags"}:
            raise Unreadable(f"{role}: {', '.join(sorted(extra))} may allow or deny what is not read here")
        trust = properties["AssumeRolePolicyDocument"]["Statement"]
        if trust != [_LAMBDA]:
            raise Unreadable(f"{role}: Lambda alone may take it, not {trust}")
        for policy in properties["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                if (found := self._statement(role, statement, "Allow")) is None:
                    raise Unreadable(f"{role}, {statement.get('Sid')}: only Allow without a condition is understood")
                yield found

    @cached_property
    def denials(self) -> tuple[Statement, ...]:
        """What the resources' own policies deny to a function; what they allow is for AWS's services."""
        every = (
            self._statement(name, statement, "Deny")
            for name, one in self.document["Resources"].items()
            if one["Type"] in _OF_RESOURCES
            for statement in one["Properties"]["PolicyDocument"]["Statement"]
        )
        return tuple(one for one in every if one is not None)

    def _statement(self, owner: str, statement: dict[str, Any], effect: str) -> Statement | None:
        """The statement, or None when it is of the other effect or its condition does not hold."""
        place = f"{owner}, {statement.get('Sid', 'a statement without Sid')}"
        if unknown := set(statement) - _KNOWN:
            raise Unreadable(f"{place}: {', '.join(sorted(unknown))} is not understood")
        if statement["Effect"] != effect or not self._holds(statement.get("Condition") or {}, place):
            return None
        actions = tuple(_listed(statement["Action"]))
        resources = tuple(str(one) for one in _listed(self._resolver.value(statement["Resource"], place)))
        return Statement(place, actions, resources)

    def _holds(self, condition: dict[str, Any], place: str) -> bool:
        for operator, wanted in condition.items():
            for key, value in wanted.items():
                if operator != "Bool" or key not in _CONTEXT:
                    raise Unreadable(f"{place}: the condition {operator} of {key} is not understood")
                if _CONTEXT[key] not in [str(one).lower() for one in _listed(value)]:
                    return False
        return True

    def _answer(self, logical_id: str, attribute: str) -> Any:
        """What CloudFormation answers to Ref (no attribute) and GetAtt; None when it is not known here."""
        kind = self.document["Resources"].get(logical_id, {}).get("Type")
        if kind == "AWS::Logs::LogGroup":
            group = self._resolver.value(self.document["Resources"][logical_id]["Properties"]["LogGroupName"], "")
            return {"": group, "Arn": f"{self._place.arn('logs', f'log-group:{group}')}:*"}.get(attribute)
        services = {
            "AWS::S3::Bucket": ("", ""),
            "AWS::SQS::Queue": ("sqs", ""),
            "AWS::DynamoDB::Table": ("dynamodb", "table/"),
            "AWS::SecretsManager::Secret": ("secretsmanager", "secret:"),
        }
        if kind not in services:
            return None
        service, prefix = services[kind]
        name = self._names.name(logical_id)
        arn = self._place.arn(service, f"{prefix}{name}") if service else f"arn:aws:s3:::{name}"
        if kind == "AWS::SecretsManager::Secret":
            return {"": arn, "Id": arn}.get(attribute)
        return {"": name, "Arn": arn, "QueueName": name}.get(attribute)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
