"""All kinds of requests, and what moto says to them: for whoever holds two of its servers against each other."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from bench import PROVIDER_KEYS, ROOT
from botocore.exceptions import ClientError
from faults_ground import INERT

from backdrop_cli import aws
from backdrop_cli import template as templates

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = {"#state": "state", "#places": "places", "#at": "open_at", "#gone": "gone", "#n": "n"}
ITEM: dict[str, Any] = {
    "job_id": {"S": "a"},
    "state": {"S": ""},
    "open": {"S": "due#1"},
    "open_at": {"N": "12"},
    "places": {"M": {"x": {"S": "1"}, "deep": {"L": [{"N": "1.50"}, {"NULL": True}, {"BOOL": False}]}}},
    "gone": {"SS": ["u", "v"]},
    "raw": {"B": b"\x00\x01"},
}


def answers(origin: str) -> Iterator[Any]:
    """What moto says to all kinds of requests, the names of this stack taken out."""
    stack = f"quick-{secrets.token_hex(4)}"
    template = templates.load(ROOT / "template.yaml", templates.Place(endpoint_url=origin, stack=stack))
    session = boto3.session.Session(region_name=INERT["AWS_REGION"])
    aws.build(session, template, {"ProviderSecret": PROVIDER_KEYS})
    dynamodb, sqs = session.client("dynamodb", endpoint_url=origin), session.client("sqs", endpoint_url=origin)
    manager, table = session.client("secretsmanager", endpoint_url=origin), template.name("JobTable")
    row: dict[str, Any] = {"TableName": table, "Key": {"job_id": {"S": "a"}}}
    for number in range(6):
        more = {"job_id": {"S": f"{5 - number}"}, "open": {"S": f"due#{number % 2}"}, "open_at": {"N": str(number)}}
        dynamodb.put_item(TableName=table, Item={**ITEM, **more})
    yield dynamodb.put_item(TableName=table, Item=ITEM, ReturnValues="ALL_OLD")
    yield dynamodb.get_item(**row, ConsistentRead=True)
    yield dynamodb.get_item(TableName=table, Key={"job_id": {"S": "nobody"}})
    for partition, limit in (("due#1", 100), ("due#0", 2), ("due#7", 100)):
        yield dynamodb.query(
            TableName=table,
            IndexName="open",
            KeyConditionExpression="#open = :p AND #at <= :until",
            ExpressionAttributeNames={"#open": "open", "#at": "open_at"},
            ExpressionAttributeValues={":p": {"S": partition}, ":until": {"N": "12"}},
            Limit=limit,
        )
    changes: list[dict[str, Any]] = [
        {"UpdateExpression": "SET #state = :s, #places.x = :s REMOVE #gone ADD #n :one"},
        {"UpdateExpression": "SET #state = :s, #places.x = :s REMOVE #gone ADD #n :one"},
        {"UpdateExpression": "SET #state = :s", "ConditionExpression": "#n = :one"},
        {"UpdateExpression": "SET #state = :s", "ConditionExpression": "#n > :one AND attribute_exists(#places.x)"},
        {"UpdateExpression": "SET #places.nowhere.x = :s"},
        {"UpdateExpression": "SET #state = :s SET #n = :s"},
    ]
    for change in changes:
        said = " ".join(change.values())
        names = {alias: name for alias, name in NAMES.items() if alias in said}
        values = {name: value for name, value in ((":s", {"S": "x"}), (":one", {"N": "1"})) if name in said}
        given = {**change, "ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
        try:
            yield dynamodb.update_item(**row, **given, ReturnValues="ALL_NEW")
        except ClientError as error:
            yield error.response
    yield dynamodb.scan(TableName=table)
    url = template.queue_url(next(queue for queue in template.queues if queue.logical_id == "WorkQueue"))
    sqs.send_message(QueueUrl=url, MessageBody="hello", DelaySeconds=0)
    yield [message["Body"] for message in sqs.receive_message(QueueUrl=url)["Messages"]]
    yield json.loads(manager.get_secret_value(SecretId=template.name("ProviderSecret"))["SecretString"])
    for wrong in (
        lambda: manager.get_secret_value(SecretId="nothing"),
        lambda: sqs.receive_message(QueueUrl=f"{url}-nothing"),
        lambda: dynamodb.get_item(TableName="nothing", Key=row["Key"]),
    ):
        try:
            yield wrong()
        except ClientError as error:
            yield error.response


def bare(answer: Any) -> Any:
    """An answer without what is another's in each: ids and dates."""
    if not isinstance(answer, dict):
        return answer
    about = answer.get("ResponseMetadata", {})
    kept = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    return {**kept, "status": about.get("HTTPStatusCode"), "type": about.get("HTTPHeaders", {}).get("content-type")}


def asked() -> list[Any]:
    """All answers of a server of its own."""
    with aws.serving_aws() as origin, pytest.MonkeyPatch.context() as patch:
        for name, value in {**INERT, "AWS_ENDPOINT_URL": origin}.items():
            patch.setenv(name, value)
        said = json.dumps([bare(answer) for answer in answers(origin)], default=repr)
    stack = next(word for word in said.split('"') if word.startswith("quick-")).split("-JobTable")[0]
    told: list[Any] = json.loads(said.replace(stack, "stack").replace(origin, "origin"))
    return told
