"""The rest of the template: what keeps, what carries, what is let in, what is watched."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from backdrop import telemetry

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
    },
    "AWS::DynamoDB::Table": {"JobTable"},
    "AWS::SecretsManager::Secret": {"ProviderSecret", "CallbackSecret"},
}
# docs.aws.amazon.com: lambda/latest/dg/monitoring-metrics-types.html,
# AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html,
# apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
AWS_METRICS = {
    "AWS/Lambda": ({"Invocations", "Errors", "Throttles", "Duration"}, [{"FunctionName"}]),
    "AWS/SQS": ({"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"}, [{"QueueName"}]),
    "AWS/ApiGateway": ({"Count", "4XXError", "5XXError"}, [{"ApiName", "Stage"}]),
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


def of_type(resources: Resources, kind: str) -> dict[str, Any]:
    """Properties of the resources of a type, by logical id."""
    return {name: resource.get("Properties", {}) for name, resource in resources.items() if resource["Type"] == kind}


@pytest.mark.parametrize("kind", NAMES)
def test_names(resources: Resources, kind: str) -> None:
    """The resources that the command line, the tests and the documentation speak of have these logical ids."""
    assert set(of_type(resources, kind)) == NAMES[kind]


def test_cfn_lint_finds_nothing_even_to_remark(root: Path) -> None:
    """cfn-lint has no error, no warning and no remark; its remarks hold the deletion policies of what keeps data."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--include-checks", "I", "--", "template.yaml"]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")


# --- Parameters and outputs ------------------------------------------------------------------------------------------


def test_every_parameter_says_what_it_is_and_has_a_default(template: Resources) -> None:
    """A guided deployment asks only what it explains, and Enter is an answer."""
    grouped = [
        name
        for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        for name in group["Parameters"]
    ]
    assert sorted(grouped) == sorted(template["Parameters"])
    for name, parameter in template["Parameters"].items():
        assert len(parameter["Description"]) > 10, name
        default = str(parameter["Default"])
        if parameter["Type"] == "Number":
            assert "AllowedValues" in parameter or {"MinValue", "MaxValue"} <= set(parameter), name
            assert parameter.get("MinValue", 0) <= int(default) <= parameter.get("MaxValue", int(default)), name
        elif "AllowedPattern" in parameter:
            assert re.fullmatch(parameter["AllowedPattern"], default), name
        else:
            assert default in parameter["AllowedValues"], name


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://hooks.example.com", True),
        ("https://hooks.example.com/backdrop", True),
        ("http://127.0.0.1:4566/_aws/execute-api/a1b2/v1", True),
        ("https://hooks.example.com/", False),
        ("http://hooks.example.com", False),
        ("https://hooks.example.com?x=1", False),
        ("hooks.example.com", False),
    ],
)
def test_a_callback_url_of_ones_own(template: Resources, url: str, fits: bool) -> None:  # noqa: FBT001 - a column of the table
    """CallbackBaseUrl is https without a slash at its end, or a laptop's own address."""
    assert bool(re.fullmatch(template["Parameters"]["CallbackBaseUrl"]["AllowedPattern"], url)) is fits


def test_outputs_say_what_to_do_next(template: Resources) -> None:
    """After a deployment the outputs name what one needs, and the commands of the first drop in their order."""
    outputs = template["Outputs"]
    assert all(output["Description"] for output in outputs.values())
    assert outputs["InputBucketName"]["Value"] == {"Ref": "InputBucket"}
    assert outputs["OutputBucketName"]["Value"] == {"Ref": "OutputBucket"}
    steps = [output["Value"]["Fn::Sub"] for name, output in outputs.items() if name.startswith("Next")]
    assert "put-secret-value" in steps[0]
    assert "${InputBucket}" in steps[1]
    assert "${InputBucket}" in steps[2]
    assert "${OutputBucket}" in steps[3]


def test_samconfig_belongs_to_no_account(root: Path) -> None:
    """The defaults of the SAM command line name no region, profile, bucket or role."""
    text = (root / "samconfig.toml").read_text(encoding="utf-8")
    settings = tomllib.loads(text)["default"]
    assert settings["deploy"]["parameters"]["capabilities"] == "CAPABILITY_IAM"
    assert settings["validate"]["parameters"]["lint"] is True
    used = {name for command in settings.values() for name in command["parameters"]}
    assert not used & {"region", "profile", "s3_bucket", "role_arn", "parameter_overrides", "image_repository"}


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


def test_photos_and_results_are_versioned_and_staged_zips_go(resources: Resources) -> None:
    """What is overwritten in the input or the output can be had back; what is staged is gone after a day."""
    for name in ("InputBucket", "OutputBucket"):
        assert resources[name]["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    staging = resources["StagingBucket"]["Properties"]
    assert "VersioningConfiguration" not in staging
    assert [rule.get("ExpirationInDays") for rule in staging["LifecycleConfiguration"]["Rules"]] == [1]


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
def test_queues_are_encrypted_by_sqs(resources: Resources, name: str) -> None:
    """By SQS's own keys: S3 and EventBridge cannot send under the AWS-managed KMS key."""
    queue = resources[name]["Properties"]
    assert queue["SqsManagedSseEnabled"] is True
    assert "KmsMasterKeyId" not in queue


def test_the_table(resources: Resources) -> None:
    """One item a job; two indexes for people and one, sparse, of what is open; on demand, recoverable, expiring."""
    table = resources["JobTable"]["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}

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


# --- What is watched -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_metrics(root: Path) -> set[str]:
    """Every name that the library hands to `metric(...)`."""
    found = set()
    for path in sorted((root / "layers/backdrop/src/backdrop").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "metric":
                found |= {str(one.value) for one in node.args[:1] if isinstance(one, ast.Constant)}
    return found


def check_metric(namespace: str, name: str, dimensions: dict[str, Any], own: set[str]) -> None:
    """The metric is one that AWS documents, or one that the library emits."""
    if namespace == telemetry.NAMESPACE:
        assert dimensions in ({"service": {"Ref": "AWS::StackName"}}, {"service": "${AWS::StackName}"})
        assert name in own
        return
    names, shapes = AWS_METRICS[namespace]
    assert name in names
    assert set(dimensions) in shapes


def test_every_alarm_is_alive(resources: Resources, own_metrics: set[str]) -> None:
    """An alarm's metric exists, its description begins with what to do, and silence is no alarm."""
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    for name, alarm in alarms.items():
        dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
        check_metric(alarm["Namespace"], alarm["MetricName"], dimensions, own_metrics)
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert re.match(r"(Read|Raise|Ask|Top up|Check|Compare|Run|Wait) ", alarm["AlarmDescription"]), name
        for dimension in ("QueueName", "FunctionName"):
            if dimension in dimensions:
                target = dimensions[dimension]
                assert (target.get("Ref") or target["Fn::GetAtt"][0]) in resources
    assert {alarm["MetricName"] for alarm in alarms.values()} >= {
        "CallbackLost",
        "BreakerOpened",
        "BudgetReached",
        "OldestOpenSeconds",
        "RepostsAfterUnknown",
        "CallbacksRejected",
        "JobsFailed",
    }


def test_every_metric_is_explained_and_emitted(own_metrics: set[str]) -> None:
    """Nothing is measured without saying what it means, and nothing is explained that is never measured."""
    assert own_metrics == set(telemetry.MEASURES)


def test_a_metric_says_whose_it_is(functions: Resources) -> None:
    """Two stacks in one account do not share an alarm: the dimension `service` is the stack's name."""
    for function in functions.values():
        assert function["Variables"]["POWERTOOLS_SERVICE_NAME"] == {"Ref": "AWS::StackName"}


def test_api_alarms_name_the_api(resources: Resources) -> None:
    """API Gateway's metrics carry the API's name, not its id: the alarm has the same."""
    api = resources["CallbackApi"]["Properties"]
    dimensions = {one["Name"]: one["Value"] for one in resources["CallbackErrorsAlarm"]["Properties"]["Dimensions"]}
    assert dimensions == {"ApiName": api["Name"], "Stage": api["StageName"]}


def test_the_dashboard_shows_metrics_that_exist(resources: Resources, own_metrics: set[str]) -> None:
    """The dashboard is JSON, and each of its metrics is one that AWS documents or the library emits."""
    text = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for named in re.findall(r"\$\{(\w+)[.}]", text):
        assert named in resources or named == "AWS", named
    shown = 0
    for widget in json.loads(text)["widgets"]:
        previous: list[str] = []
        for row in widget["properties"]["metrics"]:
            given = [part for part in row if isinstance(part, str)]
            if given[0] == "...":
                given = [*previous[:-1], *given[1:]]
            given = [previous[place] if part == "." else part for place, part in enumerate(given)]
            previous = given
            check_metric(given[0], given[1], dict(zip(given[2::2], given[3::2], strict=True)), own_metrics)
            shown += 1
    assert shown > 20


# --- The layer -------------------------------------------------------------------------------------------------------


def test_the_layer_is_built_by_its_makefile(root: Path, resources: Resources) -> None:
    """SAM finds the recipe by the layer's logical id, and builds for the functions' architecture."""
    layer = resources["BackdropLayer"]
    assert layer["Metadata"] == {"BuildMethod": "makefile", "BuildArchitecture": "arm64"}
    makefile = (root / layer["Properties"]["ContentUri"] / "Makefile").read_text(encoding="utf-8")
    assert "\nbuild-BackdropLayer:" in makefile


def test_the_layer_holds_what_the_library_imports_and_no_boto3(root: Path) -> None:
    """Every declared dependency is locked with hashes; the runtime's own boto3 is not shipped again."""
    locked = (root / "layers/backdrop/requirements.txt").read_text(encoding="utf-8")
    names = {line.split("==")[0] for line in locked.splitlines() if "==" in line and not line.startswith((" ", "#"))}
    declared = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert set(declared) <= names
    assert not names & {"boto3", "botocore"}
    assert locked.count("--hash=sha256:") >= len(names)


@pytest.mark.parametrize(
    "path", ["requirements-dev.txt", "layers/backdrop/requirements.txt", "tests/template/requirements-sam.txt"]
)
def test_locked_requirements_name_no_host(root: Path, path: str) -> None:
    """A lock holds names, versions and hashes; where they come from is the machine's affair."""
    text = (root / path).read_text(encoding="utf-8")
    assert "--hash=sha256:" in text
    assert not re.search(r"https?://|file:|--index-url|--find-links", text)
