"""The template's own resources in moto's CloudFormation: a stack whose parts are there to be looked at, and to break.

SAM's functions are written out as what SAM makes of them; what moto has no use for (policies, the API) is left out. The
secrets and the bucket's notification are made by hand: moto's CloudFormation knows neither.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from backdrop_cli.cloudformation import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
_KEPT = frozenset(
    {
        "AWS::CloudWatch::Alarm",
        "AWS::DynamoDB::Table",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
    }
)
# What moto's CloudFormation passes over with a warning is made by this: an alarm, by CloudWatch's own call.
_ALARM = "AWS::CloudWatch::Alarm"
_LEFT_OUT = frozenset({"ApiGatewayRole"})
_CODE = "def handler(event, context):\n    return {}\n"


@dataclass(frozen=True)
class Standing:
    """A stack in moto's CloudFormation; `physical` are its resources' names by logical id."""

    name: str
    physical: Mapping[str, str]
    outputs: Mapping[str, str]

    def mapping(self, function: str) -> str:
        """The UUID of a function's mapping."""
        told = boto3.client("lambda").list_event_source_mappings(FunctionName=self.physical[function])
        return str(told["EventSourceMappings"][0]["UUID"])


def _teach_alarms() -> None:
    """Let moto's CloudFormation make alarms, which it does not know."""
    from moto.cloudformation import parsing  # noqa: PLC0415 - two seconds of imports
    from moto.core.common_models import CloudFormationModel  # noqa: PLC0415 - with it

    if _ALARM in parsing.get_model_map():
        return

    class Alarm(CloudFormationModel):
        """An alarm of a stack; moto wants to know of which service it is."""

        __module__ = "moto.cloudwatch.of_a_stack"

        def __init__(self, name: str) -> None:
            self.physical_resource_id = name

        @staticmethod
        def cloudformation_name_type() -> str:
            return "AlarmName"

        @staticmethod
        def cloudformation_type() -> str:
            return _ALARM

        @classmethod
        def create_from_cloudformation_json(
            cls, resource_name: str, cloudformation_json: Any, *_: Any, **__: Any
        ) -> Any:
            """Put the alarm under the name that the stack gives it."""
            boto3.client("cloudwatch").put_metric_alarm(
                AlarmName=resource_name,
                **{key: _typed(value) for key, value in cloudformation_json["Properties"].items()},
            )
            return cls(resource_name)

    for cached in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        cached.cache_clear()
    parsing.get_model_map()  # keeps the class, which nothing else does


def _typed(value: Any) -> Any:
    return float(value) if isinstance(value, str) and value.isdecimal() else value


def stand(name: str, parameters: Mapping[str, str], keys: Mapping[str, Any]) -> Standing:
    """Make the stack, with `keys` in its provider secret."""
    _teach_alarms()
    cloudformation, manager = boto3.client("cloudformation"), boto3.client("secretsmanager")
    values = {"ProviderSecret": dict(keys), "CallbackSecret": {"current": "k1", "k1": secrets.token_hex(32)}}
    text = json.dumps(_document(parse((ROOT / "template.yaml").read_text(encoding="utf-8"))))
    for secret, value in values.items():
        made = manager.create_secret(Name=f"{name}-{secret}", SecretString=json.dumps(value))
        text = text.replace(json.dumps({"Ref": secret}), json.dumps(made["ARN"]))
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=text,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    resources = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    physical = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}
    (told,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in told["Outputs"]}
    notify(outputs["InputBucketName"], outputs["DropQueueUrl"])
    return Standing(name, physical, outputs)


def notify(bucket: str, queue_url: str, events: tuple[str, ...] = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")) -> None:
    """Let a bucket tell a queue of events."""
    told = boto3.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    configuration: Any = {
        "QueueConfigurations": [{"QueueArn": told["Attributes"]["QueueArn"], "Events": [event]} for event in events]
    }
    boto3.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def _document(template: dict[str, Any]) -> dict[str, Any]:
    shared = template["Globals"]["Function"]
    resources: dict[str, Any] = {}
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            resources |= _function(logical_id, resource["Properties"], shared)
        elif resource["Type"] in _KEPT and logical_id not in _LEFT_OUT:
            resources[logical_id] = {key: value for key, value in resource.items() if key != "DependsOn"}
    outputs = {
        name: {"Value": {"Ref": "CallbackBaseUrl"} if name == "CallbackUrl" else output["Value"]}
        for name, output in template["Outputs"].items()
        if name.endswith(("Name", "Arn", "QueueUrl", "CallbackUrl"))
    }
    return {
        "Parameters": {
            name: {key: value for key, value in one.items() if key in {"Type", "Default"}}
            for name, one in template["Parameters"].items()
        },
        "Conditions": template["Conditions"],
        "Resources": resources,
        "Outputs": outputs,
    }


def _function(logical_id: str, properties: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """What SAM makes of a function and its events."""
    made: dict[str, Any] = {
        logical_id: {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {"ZipFile": _CODE},
                "Handler": "index.handler",
                "Runtime": shared["Runtime"],
                "Role": properties["Role"],
                "MemorySize": properties["MemorySize"],
                "Timeout": properties["Timeout"],
                "Environment": {"Variables": shared["Environment"]["Variables"]},
            },
        }
    }
    for name, event in properties["Events"].items():
        given = event["Properties"]
        if event["Type"] == "SQS":
            made[f"{logical_id}{name}"] = {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": given["Queue"],
                    "FunctionName": {"Ref": logical_id},
                    "BatchSize": given["BatchSize"],
                },
            }
        elif event["Type"] == "Schedule":
            made[f"{logical_id}{name}"] = {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "Name": given["Name"],
                    "ScheduleExpression": given["Schedule"],
                    "State": "ENABLED",
                    "Targets": [{"Id": "reconcile", "Arn": {"Fn::GetAtt": [logical_id, "Arn"]}}],
                },
            }
    return made
