"""`backdrop check` of a stack with its parts in CloudFormation: each that is broken is named, with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from checked import amiss, check, stand_beside
from standing import Standing, notify

from backdrop_cli.cloudformation import parse
from backdrop_cli.operator.permits import NEEDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from backdrop_cli.stack import Stack

pytestmark = pytest.mark.usefixtures("_at_the_laptop")

ROOT = Path(__file__).resolve().parents[2]
# moto knows no simulation of IAM's: that it says so is a test of its own; the deployed template's is on LocalStack.
UNTOLD = {"submit permissions", "webhook permissions", "reconcile permissions"}


@pytest.fixture(scope="module")
def standing(laptop: Stack) -> Standing:
    """The template's parts in CloudFormation, with the laptop's door for their callbacks."""
    made = stand_beside(laptop)
    boto3.client("sns").subscribe(
        TopicArn=made.physical["AlarmTopic"], Protocol="sqs", Endpoint="arn:aws:sqs:eu-central-1:123456789012:pager"
    )
    return made


def test_parts_in_order_are_well(standing: Standing) -> None:
    """Of a stack with its parts in order nothing is wrong; what AWS does not tell is not called well."""
    told = check(standing.name, status=3)
    assert amiss(told) == UNTOLD
    assert {told[what]["verdict"] for what in UNTOLD} == {"untold"}
    assert "does not answer that question" in told["submit permissions"]["message"]
    good = {what for what, one in told.items() if one["verdict"] == "good"}
    assert {"stack", "submit", "submit mapping", "webhook", "reconcile", "reconcile mapping", "start"} <= good
    assert {"schedule", "alarms", "alarm subscriber", "bucket notification"} <= good


def _switch_off(one: Standing) -> None:
    boto3.client("lambda").update_event_source_mapping(UUID=one.mapping("SubmitFunction"), Enabled=False)


def _unmap(one: Standing) -> None:
    boto3.client("lambda").delete_event_source_mapping(UUID=one.mapping("ReconcileFunction"))


def _reserve_nothing(one: Standing) -> None:
    boto3.client("lambda").put_function_concurrency(
        FunctionName=one.physical["WebhookFunction"], ReservedConcurrentExecutions=0
    )


def _disable_rule(one: Standing) -> None:
    boto3.client("events").disable_rule(Name=f"{one.name}-sweep")


def _aim_nowhere(one: Standing) -> None:
    boto3.client("events").remove_targets(Rule=f"{one.name}-sweep", Ids=["reconcile"])


def _delete_rule(one: Standing) -> None:
    _aim_nowhere(one)
    boto3.client("events").delete_rule(Name=f"{one.name}-sweep")


def _forget_removals(one: Standing) -> None:
    notify(one.outputs["InputBucketName"], one.outputs["DropQueueUrl"], ("s3:ObjectCreated:*",))


def _silence(one: Standing) -> None:
    boto3.client("cloudwatch").disable_alarm_actions(AlarmNames=[one.physical["JobsFailedAlarm"]])


def _delete_alarm(one: Standing) -> None:
    boto3.client("cloudwatch").delete_alarms(AlarmNames=[one.physical["JobsFailedAlarm"]])


def _ring(one: Standing) -> None:
    boto3.client("cloudwatch").set_alarm_state(
        AlarmName=one.physical["JobsFailedAlarm"], StateValue="ALARM", StateReason="a test"
    )


def _nothing(one: Standing) -> None:
    """Nobody has subscribed."""


BROKEN = [
    (_switch_off, "submit mapping", "it is Disabled"),
    (_unmap, "reconcile mapping", "nothing hands the messages"),
    (_reserve_nothing, "webhook", "switched off"),
    (_disable_rule, "schedule", "is DISABLED"),
    (_aim_nowhere, "schedule", "does not wake reconcile"),
    (_delete_rule, "schedule", "there is no rule"),
    (_forget_removals, "bucket notification", "s3:ObjectRemoved:*"),
    (_silence, "alarms", "without an action"),
    (_delete_alarm, "alarms", "alarms are there"),
    (_ring, "alarms", "in alarm now"),
    (_nothing, "alarm subscriber", "nobody hears of alarms"),
]


@pytest.mark.usefixtures("_nothing_simulated")
@pytest.mark.parametrize(("damage", "what", "message"), BROKEN, ids=lambda value: getattr(value, "__name__", None))
def test_a_part_that_is_broken_is_told(
    laptop: Stack, damage: Callable[[Standing], None], what: str, message: str
) -> None:
    """Each part that is missing, switched off or joined otherwise is the one line that is wrong, with what to do."""
    one = stand_beside(laptop)
    damage(one)
    told = check(one.name, status=3)
    assert amiss(told) == {what, "alarm subscriber"}
    assert told[what]["verdict"] == "wrong"
    assert message in told[what]["message"]


@pytest.mark.usefixtures("_nothing_simulated")
def test_a_part_that_was_deleted_leaves_the_others_told(laptop: Stack) -> None:
    """What AWS answers of a function that somebody deleted is a sentence in its line; all other lines are there."""
    one = stand_beside(laptop)
    boto3.client("lambda").delete_function(FunctionName=one.physical["WebhookFunction"])
    told = check(one.name, status=3)
    assert told["webhook"]["verdict"] == "untold"
    assert "not there" in told["webhook"]["message"] + told["webhook"]["action"]
    assert told["submit"]["verdict"] == told["reconcile"]["verdict"] == "good"


def test_the_permissions_asked_about_are_the_templates() -> None:
    """What is simulated for each function is what the template allows it, action by action and resource by resource."""
    resources = parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"]
    for name, needed in NEEDS.items():
        (policy,) = resources[f"{name.capitalize()}Role"]["Properties"]["Policies"]
        allowed = {
            (action, _named(resource))
            for statement in policy["PolicyDocument"]["Statement"]
            for action in _listed(statement["Action"])
            for resource in _listed(statement["Resource"])
        }
        assert {(action, resource) for actions, named in needed for action in actions for resource in named} == allowed


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _named(resource: Any) -> str:
    """A resource of a statement as `permits` names it."""
    if resource == "*":
        return "*"
    ((how, what),) = resource.items()
    text = what if isinstance(what, str) else what[0]
    return text.removeprefix("${").replace(".Arn}", "") if how == "Fn::Sub" else text
