"""The functions of the template: what they are given, what drives them, what they may do."""

from __future__ import annotations

import ast
import re
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

import pytest

from backdrop.settings import Settings
from backdrop_cli.template import Place, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

type Resources = dict[str, Any]

FUNCTIONS = ("SubmitFunction", "WebhookFunction", "ReconcileFunction")
NEVER_DEPLOYED = {"EXEMPT_ORIGINS"}  # the laptop's exception to the public-address rule
ONLY_WHO_POSTS = "CALLBACK_BASE_URL"  # the webhook would make a cycle with the API that invokes it
LONGEST_HANDLER = 60


def parameter_of(field: str) -> str:
    """The parameter that a setting comes from: `no_spec_seconds` from NoSpecSeconds."""
    return "".join(word.capitalize() for word in field.split("_"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_environment_is_exactly_the_settings(functions: Resources, name: str) -> None:
    """Each function gets every setting under its name, what Powertools reads, and nothing else."""
    expected = {field.name.upper() for field in fields(Settings)} - NEVER_DEPLOYED
    if name == "WebhookFunction":
        expected.discard(ONLY_WHO_POSTS)
    given = set(functions[name]["Variables"])
    assert {variable for variable in given if not variable.startswith(("POWERTOOLS_", "PYDANTIC_"))} == expected


def test_parameters_default_to_the_settings_defaults(template: Resources, functions: Resources) -> None:
    """What an operator can set has one default, in the template as in the library."""
    for field in fields(Settings):
        if field.default is MISSING or field.name.upper() in NEVER_DEPLOYED | {ONLY_WHO_POSTS}:
            continue
        parameter = parameter_of(field.name)
        default = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
        assert str(template["Parameters"][parameter]["Default"]) == default, parameter
        for function in functions.values():
            assert function["Variables"][field.name.upper()] == {"Ref": parameter}
    assert (
        template["Parameters"]["CallbackBaseUrl"]["Default"]
        == Settings.__dataclass_fields__["callback_base_url"].default
    )


def test_the_environment_can_be_read(root: Path) -> None:
    """The settings that the library reads from a function's environment are those of the stack."""
    stack = load(root / "template.yaml", Place(endpoint_url="http://127.0.0.1:1"))
    for function in stack.functions:
        environment = {**function.environment, ONLY_WHO_POSTS: ""}
        settings = Settings.from_environment(environment)
        assert settings.job_table == stack.name("JobTable")
        assert settings.input_bucket == stack.name("InputBucket")
        assert settings.output_bucket == stack.name("OutputBucket")
        assert settings.staging_bucket == stack.name("StagingBucket")
        assert settings.work_queue_url.endswith(f"/{stack.name('WorkQueue')}")
        assert settings.pairing_seconds == Settings.__dataclass_fields__["pairing_seconds"].default


def test_only_who_posts_knows_the_callback_url(functions: Resources) -> None:
    """Submit and reconcile take the callback URL from the parameter, or from the API; the webhook from neither."""
    for name in ("SubmitFunction", "ReconcileFunction"):
        condition, given, made = functions[name]["Variables"][ONLY_WHO_POSTS]["Fn::If"]
        assert (condition, given) == ("HasCallbackBaseUrl", {"Ref": "CallbackBaseUrl"})
        assert made == {"Fn::Sub": "https://${CallbackApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/v1"}
    webhook = {key: value for key, value in functions["WebhookFunction"].items() if key != "Events"}
    assert "CallbackApi" not in repr(webhook)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_runtime(functions: Resources, deployed_functions: Resources, name: str) -> None:
    """Every function runs Python 3.13 on arm64 with the layer, traced, with a size and a time limit of its own."""
    function = functions[name]
    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    assert function.get("Layers") == [{"Ref": "BackdropLayer"}]
    assert function["Tracing"] == "Active"
    assert function["MemorySize"] >= 512
    assert "ReservedConcurrentExecutions" not in deployed_functions[name]


def test_time_limits(functions: Resources) -> None:
    """Submit is short, the webhook answers before API Gateway gives up, reconcile outlasts the longest call."""
    limits = {name: function["Timeout"] for name, function in functions.items()}
    assert limits == {"SubmitFunction": 30, "WebhookFunction": 28, "ReconcileFunction": 420}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_handler_is_there_and_short(root: Path, functions: Resources, name: str) -> None:
    """The handler that the template names exists, takes an event and a context, and fits on a page."""
    function = functions[name]
    module, entry = function["Handler"].split(".")
    source = (root / function["CodeUri"] / f"{module}.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST_HANDLER
    handlers = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == entry]
    assert [len(node.args.args) for node in handlers] == [2]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_logs_are_json_and_end(resources: Resources, functions: Resources, name: str) -> None:
    """Each function writes JSON to a log group of the stack that is kept as long as the operator says."""
    logging = functions[name]["LoggingConfig"]
    assert logging["LogFormat"] == "JSON"
    group = resources[logging["LogGroup"]["Ref"]]
    assert group["Type"] == "AWS::Logs::LogGroup"
    assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


# --- What drives them ------------------------------------------------------------------------------------------------


def mappings(functions: Resources) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Function, queue and properties of each SQS event."""
    for name, function in functions.items():
        for event in function.get("Events", {}).values():
            if event["Type"] == "SQS":
                properties = event["Properties"]
                yield name, properties["Queue"]["Fn::GetAtt"][0], properties


def test_what_drives_what(functions: Resources) -> None:
    """Drops are gathered and go to submit in tens, work to reconcile one at a time; each failure is reported alone."""
    found = {name: (queue, properties) for name, queue, properties in mappings(functions)}
    assert {name: (queue, properties["BatchSize"]) for name, (queue, properties) in found.items()} == {
        "SubmitFunction": ("DropQueue", 10),
        "ReconcileFunction": ("WorkQueue", 1),
    }
    windows = {name: properties.get("MaximumBatchingWindowInSeconds") for name, (_, properties) in found.items()}
    assert windows == {"SubmitFunction": {"Ref": "DropBatchingSeconds"}, "ReconcileFunction": None}
    for _, properties in found.values():
        assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_every_drained_queue_has_a_dead_letter_queue(
    template: Resources, resources: Resources, functions: Resources
) -> None:
    """A message that fails again and again ends in a queue that keeps it longer and raises an alarm."""
    for name, queue, properties in mappings(functions):
        source = resources[queue]["Properties"]
        target = source["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        assert resources[target]["Properties"]["MessageRetentionPeriod"] > source["MessageRetentionPeriod"]
        alarmed = {
            resource["Properties"]["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
            for resource in resources.values()
            if resource["Type"] == "AWS::CloudWatch::Alarm"
            and resource["Properties"]["MetricName"] == "ApproximateNumberOfMessagesVisible"
        }
        assert target in alarmed
        visibility = template["Parameters"][source["VisibilityTimeout"]["Ref"]]
        assert visibility["Default"] > functions[name]["Timeout"]
        most = template["Parameters"][properties["ScalingConfig"]["MaximumConcurrency"]["Ref"]]
        assert most["MinValue"] == 2  # AWS takes no less
        assert most["Default"] >= most["MinValue"]


def test_visibility_and_receives_by_default(template: Resources) -> None:
    """Drops have six times their timeout and the longest window; work comes again after its lease; five tries each."""
    defaults = {name: declared["Default"] for name, declared in template["Parameters"].items()}
    assert (defaults["DropVisibilitySeconds"], defaults["WorkVisibilitySeconds"]) == (190, 450)
    assert defaults["DropVisibilitySeconds"] == 6 * 30 + template["Parameters"]["DropBatchingSeconds"]["MaxValue"]
    assert defaults["MaxReceiveCount"] == 5


def test_the_schedule_sweeps_every_minute_and_a_failure_is_kept(resources: Resources, functions: Resources) -> None:
    """A rule wakes reconcile each minute; what it cannot deliver, or reconcile not finish, goes to one queue."""
    function = functions["ReconcileFunction"]
    schedules = [event for event in function["Events"].values() if event["Type"] == "Schedule"]
    assert [event["Properties"]["Schedule"] for event in schedules] == ["rate(1 minute)"]
    queue = {"Fn::GetAtt": ["SweepDeadLetterQueue", "Arn"]}
    assert schedules[0]["Properties"]["DeadLetterConfig"] == {"Arn": queue}
    assert function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"] == {"Type": "SQS", "Destination": queue}
    rule = schedules[0]["Properties"]["Name"]["Fn::Sub"]
    allowed = resources["SweepDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    assert allowed["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"].endswith(f":rule/{rule}")


def test_recursion_is_allowed_where_messages_come_back(resources: Resources, functions: Resources) -> None:
    """A function that may send to the queue that drives it says so, or AWS would stop it after 16 rounds."""
    for name, queue, _ in mappings(functions):
        arn = {"Fn::GetAtt": [queue, "Arn"]}
        sends = any(
            "sqs:SendMessage" in actions and arn in targets for actions, targets in grants(resources, functions[name])
        )
        assert functions[name].get("RecursiveLoop") == ("Allow" if sends else None), name


# --- What they may do ------------------------------------------------------------------------------------------------


def listed(value: Any) -> list[Any]:
    """A list, of one member if need be."""
    return value if isinstance(value, list) else [value]


def grants(resources: Resources, function: Resources) -> Iterator[tuple[list[str], list[Any]]]:
    """Actions and resources of each statement of the function's role."""
    role = resources[function["Role"]["Fn::GetAtt"][0]]["Properties"]
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            yield listed(statement["Action"]), listed(statement["Resource"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_permissions_are_spelt_out(resources: Resources, functions: Resources, name: str) -> None:
    """No action and no resource is a wildcard but X-Ray's, which knows no resources; no policy of AWS's is used."""
    role = resources[functions[name]["Role"]["Fn::GetAtt"][0]]["Properties"]
    assert not role.get("ManagedPolicyArns")
    for actions, targets in grants(resources, functions[name]):
        assert not [action for action in actions if "*" in action]
        if targets == ["*"]:
            assert {action.split(":")[0] for action in actions} == {"xray"}
            continue
        for target in targets:
            text = target.get("Fn::Sub") or ".".join(target.get("Fn::GetAtt") or [target.get("Ref", "")])
            owner = re.match(r"(?:\$\{)?(\w+)", text)
            assert owner, text
            assert owner[1] in resources, text


def test_each_function_has_a_role_of_its_own(functions: Resources) -> None:
    """What one function may do, no other may by accident."""
    roles = {function["Role"]["Fn::GetAtt"][0] for function in functions.values()}
    assert len(roles) == len(functions)


def allowed(resources: Resources, function: Resources) -> set[tuple[str, str]]:
    """Every (action, resource) of a function, the resource as text."""
    return {
        (action, str(target))
        for actions, targets in grants(resources, function)
        for action in actions
        for target in targets
    }


def test_reconcile_may_do_what_the_others_may(resources: Resources, functions: Resources) -> None:
    """It finishes whatever either began: its role is the union, but for the drop queue and the others' logs."""
    own = allowed(resources, functions["ReconcileFunction"])
    for name in ("SubmitFunction", "WebhookFunction"):
        more = allowed(resources, functions[name]) - own
        assert {target for _, target in more} <= {
            str({"Fn::GetAtt": [other, "Arn"]}) for other in ("DropQueue", "SubmitLog", "WebhookLog")
        }


def test_nothing_writes_to_the_input_bucket(resources: Resources, functions: Resources) -> None:
    """The input bucket is the user's: functions read it, and the webhook not even that."""
    for name, function in functions.items():
        actions = {action for action, target in allowed(resources, function) if "InputBucket" in target}
        readable = {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}
        assert actions == (set() if name == "WebhookFunction" else readable)


def test_a_missing_key_answers_404(resources: Resources, functions: Resources) -> None:
    """Who looks for a key may list its bucket, or S3 answers 403 for a missing one; staged zips nobody looks for."""
    for function in functions.values():
        permitted = allowed(resources, function)
        read = {target for action, target in permitted if action == "s3:GetObject"}
        for target in read:
            bucket = re.search(r"\$\{(\w+)\.Arn\}", target)
            assert bucket
            if bucket[1] == "StagingBucket":
                continue
            assert ("s3:ListBucket", str({"Fn::GetAtt": [bucket[1], "Arn"]})) in permitted


def test_a_callback_makes_no_row_and_deletes_none(resources: Resources, functions: Resources) -> None:
    """What comes from outside may only move jobs that are there."""
    actions = {action for action, _ in allowed(resources, functions["WebhookFunction"])}
    assert {action for action in actions if action.startswith("dynamodb:")} == {
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "dynamodb:Query",
    }
