"""The rest of the template: what keeps, what carries, what is let in."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from settled import of_type

type Resources = dict[str, Any]

NAMES = {
    "AWS::Serverless::Function": {"SubmitFunction", "WebhookFunction", "ReconcileFunction"},
    "AWS::Serverless::LayerVersion": {"BackdropLayer"},
    "AWS::Serverless::Api": {"CallbackApi"},
    "AWS::S3::Bucket": {"InputBucket", "OutputBucket", "StagingBucket"},
    "AWS::SQS::Queue": {
        "DropQueue",
        "DropDeadLetterQueue",
        "WorkQueue",
        "WorkDeadLetterQueue",
        "SweepDeadLetterQueue",
        "AlarmMailDeadLetterQueue",
    },
    "AWS::DynamoDB::Table": {"JobTable"},
    "AWS::SecretsManager::Secret": {"ProviderSecret", "CallbackSecret"},
}
# What an access log may hold: nothing of the request's path, which carries the token.
ACCESS_LOG = {
    "requestId",
    "requestTimeEpoch",
    "identity.sourceIp",
    "httpMethod",
    "status",
    "error.responseType",
    "responseLatency",
    "integration.status",
    "integration.latency",
    "responseLength",
}


@pytest.mark.parametrize("kind", NAMES)
def test_names(resources: Resources, kind: str) -> None:
    """The resources that the command line, the tests and the documentation speak of have these logical ids."""
    assert set(of_type(resources, kind)) == NAMES[kind]


# --- What keeps ------------------------------------------------------------------------------------------------------


def refused_without_tls(resources: Resources, kind: str, field: str) -> set[str]:
    """The resources whose policy of type `kind` denies what comes without TLS."""
    found = set()
    for policy in of_type(resources, kind).values():
        targets = policy[field] if isinstance(policy[field], list) else [policy[field]]
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Deny" and statement.get("Condition") == {
                "Bool": {"aws:SecureTransport": "false"}
            }:
                assert statement["Principal"] == "*"
                found |= {target["Ref"] for target in targets}
    return found


def test_nothing_is_reached_without_tls(resources: Resources) -> None:
    """Every bucket, queue and topic refuses a request that is not over TLS."""
    assert refused_without_tls(resources, "AWS::S3::BucketPolicy", "Bucket") == NAMES["AWS::S3::Bucket"]
    assert refused_without_tls(resources, "AWS::SQS::QueuePolicy", "Queues") == NAMES["AWS::SQS::Queue"]
    assert refused_without_tls(resources, "AWS::SNS::TopicPolicy", "Topics") == {"AlarmTopic"}


@pytest.mark.parametrize("name", sorted(NAMES["AWS::S3::Bucket"]))
def test_buckets_are_private_and_encrypted(resources: Resources, name: str) -> None:
    """No bucket can be made public; all are encrypted; an upload that was given up does not linger."""
    bucket = resources[name]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    rules = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert [rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules] == ["AES256"]
    lifecycle = bucket["LifecycleConfiguration"]["Rules"]
    assert {"DaysAfterInitiation": 1} in [rule.get("AbortIncompleteMultipartUpload") for rule in lifecycle]
    assert all(rule["Status"] == "Enabled" for rule in lifecycle)
    # CloudFormation refuses a rule with none of these (aws-cloudformation/cloudformation-coverage-roadmap, issue 1124).
    needed = {"AbortIncompleteMultipartUpload", "ExpirationInDays", "NoncurrentVersionExpiration"}
    assert all(rule.keys() & needed for rule in lifecycle)


def test_photos_and_results_are_versioned_and_staged_zips_go(resources: Resources) -> None:
    """What is overwritten can be had back; what is staged is out of sight after a day, and gone after another."""
    for name in NAMES["AWS::S3::Bucket"]:
        assert resources[name]["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = resources["StagingBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert [rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule] == [1]
    assert {"NoncurrentDays": 1} in [rule.get("NoncurrentVersionExpiration") for rule in rules]
    assert [rule for rule in rules if "Prefix" in rule or "TagFilters" in rule] == []


def test_the_input_bucket_tells_the_drop_queue_of_all_that_comes_and_goes(resources: Resources) -> None:
    """Every way of making or deleting an object is told, and S3 of this account may tell it before it tries."""
    bucket = resources["InputBucket"]
    told = bucket["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert {entry["Event"] for entry in told} == {"s3:ObjectCreated:*", "s3:ObjectRemoved:*"}
    assert all(entry["Queue"] == {"Fn::GetAtt": ["DropQueue", "Arn"]} for entry in told)
    assert all("Filter" not in entry for entry in told)  # suffixes are case-sensitive: .JPG would be lost
    assert bucket["DependsOn"] == "DropQueuePolicy"
    statement = resources["DropQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_results_are_announced(resources: Resources) -> None:
    """The output bucket tells EventBridge of each object."""
    told = resources["OutputBucket"]["Properties"]["NotificationConfiguration"]
    assert told == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


@pytest.mark.parametrize("name", sorted(NAMES["AWS::SQS::Queue"]))
def test_queues_are_encrypted_by_sqs(deployed: Resources, name: str) -> None:
    """By SQS's own keys: S3 and EventBridge cannot send under the AWS-managed KMS key."""
    queue = deployed[name]["Properties"]
    assert queue["SqsManagedSseEnabled"] is True
    assert "KmsMasterKeyId" not in queue


def test_the_table(deployed: Resources) -> None:
    """One item a job; two indexes for people and one, sparse, of what is open; on demand, recoverable, expiring."""
    table = deployed["JobTable"]["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}

    def keys(schema: list[dict[str, str]]) -> tuple[str, ...]:
        return tuple(part["AttributeName"] for part in sorted(schema, key=lambda part: part["KeyType"]))

    assert keys(table["KeySchema"]) == ("job_id",)
    assert {index["IndexName"]: keys(index["KeySchema"]) for index in table["GlobalSecondaryIndexes"]} == {
        "by_source": ("source", "job_id"),
        "by_day": ("day", "job_id"),
        "open": ("open", "open_at"),
    }
    for index in table["GlobalSecondaryIndexes"]:
        assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    types = {part["AttributeName"]: part["AttributeType"] for part in table["AttributeDefinitions"]}
    assert types == {"job_id": "S", "source": "S", "day": "S", "open": "S", "open_at": "N"}


def test_secrets(resources: Resources) -> None:
    """The provider keys are never in the template, so no update writes over them; the callback key is generated."""
    provider = resources["ProviderSecret"]["Properties"]
    assert not {"SecretString", "GenerateSecretString"} & set(provider)
    generated = resources["CallbackSecret"]["Properties"]["GenerateSecretString"]
    first = json.loads(generated["SecretStringTemplate"])
    assert first == {"current": generated["GenerateStringKey"]}
    assert generated["PasswordLength"] == 64
    assert generated["ExcludePunctuation"] is True


# --- What is let in --------------------------------------------------------------------------------------------------


def test_the_callback_route(resources: Resources, functions: Resources) -> None:
    """The API has one route, a POST to the webhook, whose parts are those that the library reads."""
    routes = [
        (name, event["Properties"])
        for name, function in functions.items()
        for event in function.get("Events", {}).values()
        if event["Type"] == "Api"
    ]
    assert [(name, route["Method"], route["Path"]) for name, route in routes] == [
        ("WebhookFunction", "post", "/callbacks/{provider}/{job}/{attempt}/{token}")
    ]
    assert routes[0][1]["RestApiId"] == {"Ref": "CallbackApi"}
    api = resources["CallbackApi"]["Properties"]
    assert api["EndpointConfiguration"] == {"Type": "REGIONAL"}
    assert api["StageName"] == "v1"


def test_the_callback_api_is_throttled(resources: Resources) -> None:
    """A flood is turned away before it costs anything."""
    settings = resources["CallbackApi"]["Properties"]["MethodSettings"]
    assert [(one["ResourcePath"], one["HttpMethod"]) for one in settings] == [("/*", "*")]
    assert 0 < settings[0]["ThrottlingRateLimit"] <= settings[0]["ThrottlingBurstLimit"]


def test_no_log_of_the_api_holds_the_token(resources: Resources) -> None:
    """The access log holds nothing of the path; what would hold it, tracing and execution logs, is off."""
    api = resources["CallbackApi"]["Properties"]
    text = api["AccessLogSetting"]["Format"]
    assert isinstance(json.loads(text), dict)
    assert set(re.findall(r"\$context\.([\w.]+)", text)) <= ACCESS_LOG
    assert api["TracingEnabled"] is False
    assert {(one["LoggingLevel"], one["DataTraceEnabled"]) for one in api["MethodSettings"]} == {("OFF", False)}
    group = api["AccessLogSetting"]["DestinationArn"]["Fn::GetAtt"][0]
    assert resources[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_the_accounts_log_role_is_made_first_or_left_alone(resources: Resources) -> None:
    """A fresh account refuses a stage with an access log: the stage waits for the role, where it is to be made."""
    variables = resources["CallbackApi"]["Properties"]["Variables"]
    made = {"Fn::If": ["MakesApiGatewayLogRole", {"Ref": "ApiGatewayAccount"}, "existing"]}
    assert made in variables.values()
    for name in ("ApiGatewayAccount", "ApiGatewayRole"):
        assert resources[name]["Condition"] == "MakesApiGatewayLogRole"
        assert resources[name]["DeletionPolicy"] == "Retain"  # other APIs of the account log through it
