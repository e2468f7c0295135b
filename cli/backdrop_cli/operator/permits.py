"""What each function's role must be allowed, and whether IAM allows it: by its own simulation, which calls nothing.

Promises the statements of template.yaml (a test compares them), judged for the role as it is now: with whatever an
organisation, a boundary or a person has added to it or taken away. What a service control policy does at run time,
the simulation may not see. Refuses to guess where the caller may not simulate.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from backdrop_cli.operator.deployed import FUNCTIONS
from backdrop_cli.operator.findings import Finding, good, wrong
from backdrop_cli.operator.reach import Found

# Each line: actions, and the resources that every one of them is needed on. A resource is a logical id of the template,
# with `/*` for what lies in a bucket and `/index/NAME` for an index.
_DRAIN = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_READ, _STAGE = ("s3:GetObject", "s3:GetObjectVersion"), ("s3:GetObject", "s3:PutObject")
_WRITE = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
_ROWS = (
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
)
_LOG = ("logs:CreateLogStream", "logs:PutLogEvents")
_TRACE = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")

type Permits = tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]

_SHARED: Permits = (
    (("sqs:SendMessage",), ("WorkQueue",)),
    (_WRITE, ("OutputBucket/*",)),
    (("dynamodb:Query",), ("JobTable/index/by_source", "JobTable/index/open")),
    (("secretsmanager:GetSecretValue",), ("ProviderSecret", "CallbackSecret")),
    (_TRACE, ("*",)),
)
_TAKES_DROPS: Permits = (
    (_READ, ("InputBucket/*",)),
    (("s3:ListBucket",), ("InputBucket", "OutputBucket")),
    (_STAGE, ("StagingBucket/*",)),
    (_ROWS, ("JobTable",)),
)
NEEDS: Mapping[str, Permits] = {
    "submit": (*_SHARED, *_TAKES_DROPS, (_DRAIN, ("DropQueue",)), (_LOG, ("SubmitLog",))),
    "webhook": (
        *_SHARED,
        (("s3:ListBucket",), ("OutputBucket",)),
        (("dynamodb:GetItem", "dynamodb:UpdateItem"), ("JobTable",)),
        (_LOG, ("WebhookLog",)),
    ),
    "reconcile": (
        *_SHARED,
        *_TAKES_DROPS,
        (_DRAIN, ("WorkQueue",)),
        (("sqs:SendMessage",), ("SweepDeadLetterQueue",)),
        (_LOG, ("ReconcileLog",)),
    ),
}
_ALLOWED = "allowed"
_ROLES = {"submit": "SubmitRole", "webhook": "WebhookRole", "reconcile": "ReconcileRole"}
_MOST_TOLD = 3


def permissions(found: Found, resources: Mapping[str, Any], name: str) -> Iterator[Finding]:
    """Whether a function's role may do what the function does."""
    what = f"{name} permissions"
    physical = {logical: str(one.get("PhysicalResourceId", "")) for logical, one in resources.items()}
    settings = found.world.settings
    physical |= {"ProviderSecret": settings.provider_secret, "CallbackSecret": settings.callback_secret}
    needed = {resource.partition("/")[0] for _, named in NEEDS[name] for resource in named} | {FUNCTIONS[name]}
    missing = sorted(needed - {"*", *physical})
    if missing:
        yield wrong(what, f"the stack has no {', '.join(missing)}", "deploy the stack again (sam build, sam deploy)")
        return
    function = found.clients.other("lambda").get_function_configuration(FunctionName=physical[FUNCTIONS[name]])
    partition, region, account = _place(function["FunctionArn"])
    denied = [
        f"{action} on {arn.rpartition(':')[2]}"
        for actions, resource in _each(NEEDS[name])
        for arn in (_arn(resource, physical, partition, region, account),)
        for action in _denied(found, function["Role"], actions, arn)
    ]
    if denied:
        more = f" and {len(denied) - _MOST_TOLD} more" if len(denied) > _MOST_TOLD else ""
        told = "; ".join(denied[:_MOST_TOLD])
        role = physical.get(_ROLES[name], function["Role"])
        yield wrong(
            what, f"not allowed: {told}{more}", f"put back into {role} what template.yaml grants, or deploy again"
        )
    else:
        yield good(what, f"all that {name} does is allowed")


def _each(permits: Permits) -> Iterator[tuple[tuple[str, ...], str]]:
    """One resource at a time: of several IAM would tell but one decision."""
    for actions, resources in permits:
        for resource in resources:
            yield actions, resource


def _denied(found: Found, role: str, actions: tuple[str, ...], arn: str) -> Iterator[str]:
    """The actions that the role is not allowed on the resource."""
    pages = (
        found.clients.other("iam")
        .get_paginator("simulate_principal_policy")
        .paginate(PolicySourceArn=role, ActionNames=list(actions), ResourceArns=[arn])
    )
    for page in pages:
        for result in page["EvaluationResults"]:
            if result["EvalDecision"] != _ALLOWED:
                yield str(result["EvalActionName"])


def _place(arn: str) -> tuple[str, str, str]:
    _, partition, _, region, account, *_ = arn.split(":")
    return partition, region, account


def _arn(named: str, physical: Mapping[str, str], partition: str, region: str, account: str) -> str:
    """The ARN of one of NEEDS' resources."""
    logical, slash, rest = named.partition("/")
    if logical == "*":
        return "*"
    name = physical[logical]
    tail = f"{slash}{rest}"
    if logical.endswith("Bucket"):
        return f"arn:{partition}:s3:::{name}{tail}"
    if logical.endswith("Queue"):
        return f"arn:{partition}:sqs:{region}:{account}:{name.rpartition('/')[2]}"
    if logical.endswith("Table"):
        return f"arn:{partition}:dynamodb:{region}:{account}:table/{name}{tail}"
    if logical.endswith("Secret"):
        return name
    return f"arn:{partition}:logs:{region}:{account}:log-group:{name}:*"
