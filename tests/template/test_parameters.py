"""Parameters, outputs and samconfig.toml: what a deployment asks, takes and tells."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from settled import of_type, settle, settled_functions

if TYPE_CHECKING:
    from pathlib import Path

type Resources = dict[str, Any]


# --- Parameters and outputs ------------------------------------------------------------------------------------------


def test_every_parameter_says_what_it_is_and_has_a_default(template: Resources) -> None:
    """Every parameter is explained and bounded, and its default is within the bounds: Enter is an answer."""
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


# --- Options that are off by default ---------------------------------------------------------------------------------

KEY = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
KEYED = {  # type -> the property that takes the key; a function's is checked apart
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::SecretsManager::Secret": "KmsKeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
}


@pytest.mark.parametrize("kind", KEYED)
def test_a_key_of_ones_own_encrypts_everything_or_nothing(template: Resources, kind: str) -> None:
    """KmsKeyArn reaches every resource that can take it; by default none names a key."""
    chosen = of_type(settle(template, KmsKeyArn=KEY), kind)
    plain = of_type(settle(template), kind)
    assert chosen
    for name in chosen:
        assert chosen[name][KEYED[kind]] == {"Ref": "KmsKeyArn"}, name
        assert KEYED[kind] not in plain[name], name
        assert chosen[name].get("SqsManagedSseEnabled", False) is False  # SQS takes one or the other
    assert re.fullmatch(template["Parameters"]["KmsKeyArn"]["AllowedPattern"], KEY)


def test_a_key_of_ones_own_encrypts_table_and_settings(template: Resources) -> None:
    """The job table and the functions' environment take the key too; the buckets do not: S3's own keys serve there."""
    chosen = settle(template, KmsKeyArn=KEY)
    assert chosen["JobTable"]["Properties"]["SSESpecification"]["KMSMasterKeyId"] == {"Ref": "KmsKeyArn"}
    assert "KMSMasterKeyId" not in settle(template)["JobTable"]["Properties"]["SSESpecification"]
    for given, name in ((KEY, True), ("", False)):
        functions = settled_functions(template, KmsKeyArn=given).values()
        assert all(("KmsKeyArn" in function) is name for function in functions)


def test_access_logs_go_where_one_says(template: Resources) -> None:
    """With a bucket named every bucket writes access logs there, each under its own prefix; by default none."""
    chosen = of_type(settle(template, AccessLogBucket="my-logs"), "AWS::S3::Bucket")
    logging = [bucket["LoggingConfiguration"] for bucket in chosen.values()]
    assert all(one["DestinationBucketName"] == {"Ref": "AccessLogBucket"} for one in logging)
    assert len({one["LogFilePrefix"]["Fn::Sub"] for one in logging}) == len(chosen)
    assert not any("LoggingConfiguration" in bucket for bucket in of_type(settle(template), "AWS::S3::Bucket").values())


def test_concurrency_is_reserved_only_on_demand(template: Resources) -> None:
    """By default nothing is taken out of the account's limit: a fresh account may have only ten executions."""
    chosen = settled_functions(template, ReservedConcurrency="30")
    assert {str(one["ReservedConcurrentExecutions"]) for one in chosen.values()} == {"{'Ref': 'ReservedConcurrency'}"}
    assert not any("ReservedConcurrentExecutions" in one for one in settled_functions(template).values())


# --- The order of questions ------------------------------------------------------------------------------------------

YOURS = ["AlarmEmail", "DailyBudgetUsd", "ApiGatewayLogRole", "CallbackBaseUrl"]


def test_what_only_a_person_knows_is_asked_first(template: Resources) -> None:
    """Questions come in the template's order: first the few that are the operator's to answer, then by group."""
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert groups[0]["Parameters"] == YOURS
    assert list(template["Parameters"]) == [name for group in groups for name in group["Parameters"]]


def test_a_times_name_says_its_unit(template: Resources) -> None:
    """A guided deployment shows no descriptions: a name that is a number says in what."""
    units = r"(Seconds|Days|Bytes|Pixels|Concurrency|Count|AtATime)$"
    numbers = [name for name, one in template["Parameters"].items() if one["Type"] == "Number"]
    assert len(numbers) > 15
    assert not [name for name in numbers if not re.search(units, name)]
