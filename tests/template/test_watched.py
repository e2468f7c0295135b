"""Alarms and dashboard: each watches a metric that AWS documents or that this code emits, by the right dimensions."""

from __future__ import annotations

import re
from typing import Any

import pytest
from settled import of_type
from watching import STACK, Watched, watched

from backdrop import telemetry

type Resources = dict[str, Any]

# Namespace -> the page of docs.aws.amazon.com that lists its metrics, those used here, their dimensions.
AWS_METRICS = {
    "AWS/Lambda": (
        "lambda/latest/dg/monitoring-metrics-types.html",
        {"Invocations", "Errors", "Throttles", "Duration"},
        {"FunctionName"},
    ),
    "AWS/SQS": (
        "AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html",
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
        {"QueueName"},
    ),
    "AWS/ApiGateway": (
        "apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html",
        {"Count", "4XXError", "5XXError"},
        {"ApiName", "Stage"},
    ),
}
NAMED_BY = {"FunctionName": "AWS::Serverless::Function", "QueueName": "AWS::SQS::Queue"}


@pytest.fixture(scope="module")
def rows(template: Resources) -> list[Watched]:
    """All that is watched."""
    return list(watched(template))


def test_every_metric_watched_is_documented_or_our_own(rows: list[Watched]) -> None:
    """A name that nobody emits would be an alarm that never rings: none is watched."""
    for row in rows:
        names = set(telemetry.MEASURES) if row.namespace == telemetry.NAMESPACE else AWS_METRICS[row.namespace][1]
        assert row.name in names, row
    assert len(rows) > 50


def test_every_metric_is_watched_by_its_own_dimensions(resources: Resources, rows: list[Watched]) -> None:
    """CloudWatch finds a metric by all of its dimensions: their names are the source's, their values of this stack."""
    for row in rows:
        dimensions = dict(row.dimensions)
        if row.namespace == telemetry.NAMESPACE:
            assert dimensions == {"service": STACK}, row
            continue
        assert set(dimensions) == AWS_METRICS[row.namespace][2], row
        for dimension in set(dimensions) & set(NAMED_BY):
            assert resources[dimensions[dimension]]["Type"] == NAMED_BY[dimension], row


def test_every_alarm_is_alive(resources: Resources) -> None:
    """An alarm's description begins with what to do, it tells the topic, and silence is no alarm."""
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    for name, alarm in alarms.items():
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert re.match(r"(Read|Raise|Ask|Top up|Check|Compare|Run|Wait) ", alarm["AlarmDescription"]), name
    assert {alarm["MetricName"] for alarm in alarms.values()} >= {
        "CallbackLost",
        "BreakerOpened",
        "BudgetReached",
        "OldestOpenSeconds",
        "RepostsAfterUnknown",
        "CallbacksRejected",
        "JobsFailed",
    }


def test_every_function_and_queue_is_watched(resources: Resources, rows: list[Watched]) -> None:
    """Errors and throttles of each function and each dead-letter queue raise an alarm; all stand on the dashboard.

    The mails of the alarms have no alarm: its mail would not arrive either.
    """
    alarmed = {(row.name, value) for row in rows if row.where in resources for _, value in row.dimensions}
    shown = {(row.name, value) for row in rows if row.where not in resources for _, value in row.dimensions}
    wanted = {(name, one) for one in of_type(resources, NAMED_BY["FunctionName"]) for name in ("Errors", "Throttles")}
    letters = {one for one in of_type(resources, NAMED_BY["QueueName"]) if one.endswith("DeadLetterQueue")}
    visible = {("ApproximateNumberOfMessagesVisible", one) for one in letters}
    assert wanted | visible <= shown
    assert wanted | visible - {("ApproximateNumberOfMessagesVisible", "AlarmMailDeadLetterQueue")} <= alarmed


def test_api_metrics_name_the_api(resources: Resources, rows: list[Watched]) -> None:
    """API Gateway's metrics carry the API's name and stage, not its id: so does whoever watches them."""
    api = resources["CallbackApi"]["Properties"]
    name = api["Name"]["Fn::Sub"].replace("${AWS::StackName}", STACK)
    found = {row.dimensions for row in rows if row.namespace == "AWS/ApiGateway"}
    assert found == {frozenset({("ApiName", name), ("Stage", api["StageName"])})}


def test_a_metric_says_whose_it_is(functions: Resources) -> None:
    """Two stacks in one account do not share an alarm: the dimension `service` is the stack's name."""
    for function in functions.values():
        assert function["Variables"]["POWERTOOLS_SERVICE_NAME"] == {"Ref": "AWS::StackName"}
        assert function["Variables"]["POWERTOOLS_METRICS_NAMESPACE"] == telemetry.NAMESPACE
