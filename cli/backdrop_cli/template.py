"""The deployed system as template.yaml describes it, in the pieces that the embedded stack makes or drives.

Promises that every name, limit and environment variable of the stack comes from the template. Refuses, with the place
in the template, what it cannot resolve (`Unresolvable`). What stands in `parts` is read and nothing else.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from backdrop_cli.cloudformation import Resolver, Unresolvable, parse
from backdrop_cli.parts import (
    Bucket,
    Function,
    Notification,
    Place,
    Queue,
    QueueSource,
    Route,
    Schedule,
    Secret,
    Table,
    Template,
)

__all__ = ["Place", "Template", "Unresolvable", "load"]

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_RATE_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


def load(path: Path, place: Place, overrides: Mapping[str, str] | None = None) -> Template:
    """Read the template at `path` under `overrides` of its parameters.

    Raises:
        Unresolvable: it cannot be read, or something needed in it cannot be resolved.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        msg = f"cannot read the template {path}: {error.strerror}"
        raise Unresolvable(msg) from error
    return _Reader(parse(text), path.parent, place, overrides or {}).template()


_NAMED = {  # type -> the property that names it
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::Serverless::Function": "FunctionName",
    "AWS::Serverless::Api": "Name",
    "AWS::Serverless::LayerVersion": "LayerName",
    "AWS::SNS::Topic": "TopicName",
}


class _Reader:
    """One reading of one template."""

    def __init__(self, document: dict[str, Any], folder: Path, place: Place, overrides: Mapping[str, str]) -> None:
        self._document = document
        self._folder = folder
        self._place = place
        pseudo = {
            "AWS::Region": place.region,
            "AWS::AccountId": place.account,
            "AWS::Partition": "aws",
            "AWS::StackName": place.stack,
            "AWS::URLSuffix": "amazonaws.com",
        }
        self._resolver = Resolver(document, overrides, pseudo, self._answer)

    def template(self) -> Template:
        return Template(
            place=self._place,
            parameters=self._resolver.parameters,
            buckets=tuple(self._bucket(*found) for found in self._of_type("AWS::S3::Bucket")),
            queues=tuple(self._queue(*found) for found in self._of_type("AWS::SQS::Queue")),
            tables=tuple(self._table(*found) for found in self._of_type("AWS::DynamoDB::Table")),
            secrets=tuple(self._secret(*found) for found in self._of_type("AWS::SecretsManager::Secret")),
            functions=tuple(self._function(*found) for found in self._of_type("AWS::Serverless::Function")),
            outputs=dict(self._outputs()),
        )

    def _outputs(self) -> Iterator[tuple[str, str]]:
        """What the stack tells of itself; an output that names what is not made here (a dashboard) is left out."""
        for name, output in (self._document.get("Outputs") or {}).items():
            with suppress(Unresolvable):
                yield name, str(self._resolver.value(output["Value"], f"Outputs.{name}"))

    def _of_type(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for logical_id, resource in self._document["Resources"].items():
            condition = resource.get("Condition")
            if resource.get("Type") == kind and (not condition or self._resolver.holds(condition)):
                found.append((logical_id, resource.get("Properties") or {}))
        return found

    def _get(self, logical_id: str, properties: Mapping[str, Any], path: str, default: Any = None) -> Any:
        """The resolved value at a dotted path of the properties; only that part is resolved."""
        node: Any = properties
        *parents, last = path.split(".")
        for step in parents:
            node = node.get(step) or {}
            if set(node) & {"Fn::If"}:
                node = self._resolver.value(node, f"{logical_id}.{path}") or {}
        found = self._resolver.value(node.get(last), f"{logical_id}.{path}")
        return default if found is None else found

    def _name(self, logical_id: str) -> str:
        resource = self._document["Resources"][logical_id]
        naming = _NAMED[resource["Type"]]
        given = self._get(logical_id, resource.get("Properties") or {}, naming)
        if given:
            return str(given)
        made = f"{self._place.stack}-{logical_id}"
        return made.lower() if resource["Type"] == "AWS::S3::Bucket" else made

    def _answer(self, logical_id: str, attribute: str) -> Any:
        """What Ref (no attribute) and GetAtt give for a resource of this template; None when not known."""
        resource = self._document["Resources"].get(logical_id)
        if resource is None or resource.get("Type") not in _NAMED:
            return None
        name, place = self._name(logical_id), self._place
        answers = {
            "AWS::S3::Bucket": {"": name, "Arn": f"arn:aws:s3:::{name}"},
            "AWS::SQS::Queue": {
                "": f"{place.endpoint_url}/{place.account}/{name}",
                "QueueUrl": f"{place.endpoint_url}/{place.account}/{name}",
                "Arn": place.arn("sqs", name),
                "QueueName": name,
            },
            "AWS::DynamoDB::Table": {"": name, "Arn": place.arn("dynamodb", f"table/{name}")},
            "AWS::SecretsManager::Secret": {
                "": place.arn("secretsmanager", f"secret:{name}"),
                "Id": place.arn("secretsmanager", f"secret:{name}"),
            },
            "AWS::Serverless::Function": {"": name, "Arn": place.arn("lambda", f"function:{name}")},
            "AWS::Serverless::Api": {"": logical_id.lower()},
            "AWS::Serverless::LayerVersion": {"": place.arn("lambda", f"layer:{name}:1")},
            "AWS::SNS::Topic": {"": place.arn("sns", name), "TopicName": name},
        }
        return answers[resource["Type"]].get(attribute)

    def _bucket(self, logical_id: str, properties: dict[str, Any]) -> Bucket:
        told = self._get(logical_id, properties, "NotificationConfiguration.QueueConfigurations", [])
        notifications = []
        for one in told:
            rules = ((one.get("Filter") or {}).get("S3Key") or {}).get("Rules") or []
            pairs = tuple((str(rule["Name"]).lower(), str(rule["Value"])) for rule in rules)
            notifications.append(Notification(str(one["Queue"]), str(one["Event"]), pairs))
        return Bucket(
            logical_id=logical_id,
            name=self._name(logical_id),
            versioned=self._get(logical_id, properties, "VersioningConfiguration.Status") == "Enabled",
            notifications=tuple(notifications),
        )

    def _queue(self, logical_id: str, properties: dict[str, Any]) -> Queue:
        attributes = {}
        for name in ("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "MaximumMessageSize"):
            value = self._get(logical_id, properties, name)
            if value is not None:
                attributes[name] = str(value)
        redrive = self._get(logical_id, properties, "RedrivePolicy")
        if redrive:
            attributes["RedrivePolicy"] = json.dumps(redrive)
        name = self._name(logical_id)
        return Queue(logical_id, name, self._place.arn("sqs", name), attributes)

    def _table(self, logical_id: str, properties: dict[str, Any]) -> Table:
        request: dict[str, Any] = {"TableName": self._name(logical_id)}
        for name in ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes"):
            value = self._get(logical_id, properties, name)
            if value is not None:
                request[name] = value
        expiry = self._get(logical_id, properties, "TimeToLiveSpecification.AttributeName", "")
        return Table(logical_id, request["TableName"], request, str(expiry))

    def _secret(self, logical_id: str, properties: dict[str, Any]) -> Secret:
        return Secret(
            logical_id=logical_id,
            name=self._name(logical_id),
            text=str(self._get(logical_id, properties, "SecretString", "")),
            generate=self._get(logical_id, properties, "GenerateSecretString", {}),
        )

    def _function(self, logical_id: str, properties: dict[str, Any]) -> Function:
        shared = (self._document.get("Globals") or {}).get("Function") or {}

        def setting(name: str, default: Any) -> Any:
            found = self._get(logical_id, properties, name)
            return self._get("Globals.Function", shared, name, default) if found is None else found

        environment = {
            **self._get("Globals.Function", shared, "Environment.Variables", {}),
            **self._get(logical_id, properties, "Environment.Variables", {}),
        }
        events = [(f"{logical_id}.Events.{name}", event) for name, event in (properties.get("Events") or {}).items()]
        name = self._name(logical_id)
        return Function(
            logical_id=logical_id,
            name=name,
            arn=self._place.arn("lambda", f"function:{name}"),
            code=self._folder / str(setting("CodeUri", ".")),
            handler=str(setting("Handler", "app.handler")),
            timeout=int(setting("Timeout", 3)),
            memory=int(setting("MemorySize", 128)),
            environment={name: _as_text(value) for name, value in environment.items()},
            queues=tuple(self._source(where, event) for where, event in events if event["Type"] == "SQS"),
            schedules=(
                *(self._schedule(where, event) for where, event in events if event["Type"] == "Schedule"),
                *self._rules(logical_id),
            ),
            routes=tuple(self._route(where, event) for where, event in events if event["Type"] == "Api"),
        )

    def _source(self, where: str, event: Mapping[str, Any]) -> QueueSource:
        properties = event["Properties"]
        reports = self._get(where, properties, "FunctionResponseTypes", [])
        return QueueSource(
            queue_arn=str(self._get(where, properties, "Queue")),
            batch_size=int(self._get(where, properties, "BatchSize", 10)),
            partial="ReportBatchItemFailures" in reports,
            concurrency=int(self._get(where, properties, "ScalingConfig.MaximumConcurrency", 2)),
            window=int(self._get(where, properties, "MaximumBatchingWindowInSeconds", 0)),
        )

    def _schedule(self, where: str, event: Mapping[str, Any]) -> Schedule:
        properties = event["Properties"]
        return Schedule(
            name=where.rsplit(".", 1)[-1],
            seconds=_rate(str(self._get(where, properties, "Schedule", "")), where),
            event=_json(self._get(where, properties, "Input")),
        )

    def _rules(self, function: str) -> list[Schedule]:
        """EventBridge rules written as resources of their own that target `function`."""
        found = []
        for logical_id, properties in self._of_type("AWS::Events::Rule"):
            if "ScheduleExpression" not in properties:
                continue
            arn = self._answer(function, "Arn")
            for target in self._get(logical_id, properties, "Targets", []):
                if target.get("Arn") == arn:
                    rate = str(self._get(logical_id, properties, "ScheduleExpression"))
                    seconds = _rate(rate, f"{logical_id}.ScheduleExpression")
                    found.append(Schedule(logical_id, seconds, _json(target.get("Input"))))
        return found

    def _route(self, where: str, event: Mapping[str, Any]) -> Route:
        properties = event["Properties"]
        shared = (self._document.get("Globals") or {}).get("Api") or {}
        types = list(self._get("Globals.Api", shared, "BinaryMediaTypes", []))
        api = (properties.get("RestApiId") or {}).get("Ref", "")
        for logical_id, found in self._of_type("AWS::Serverless::Api"):
            if logical_id == api:
                types += self._get(logical_id, found, "BinaryMediaTypes", [])
        return Route(
            method=str(self._get(where, properties, "Method")).upper(),
            path=str(self._get(where, properties, "Path")),
            binary_types=tuple(str(one).replace("~1", "/") for one in types),
        )


def _rate(expression: str, where: str) -> int:
    match = _RATE.fullmatch(expression)
    if not match:
        msg = f"{where}: only rate(...) schedules run on a laptop, not {expression!r}"
        raise Unresolvable(msg)
    return int(match[1]) * _RATE_SECONDS[match[2]]


def _json(text: Any) -> dict[str, Any] | None:
    return json.loads(text) if text else None


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
