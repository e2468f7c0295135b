"""What wakes the functions: queues, dead letters, the schedule."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from backdrop_cli.drivers import failed_ids

if TYPE_CHECKING:
    from recording import Recorded


@pytest.mark.parametrize(
    ("reply", "again"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, {"b"}),
        ({"batchItemFailures": [{"itemIdentifier": "other"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, {"a", "b"}),
        ({"batchItemFailures": [{"wrong": "a"}]}, {"a", "b"}),
        ({"batchItemFailures": "a"}, {"a", "b"}),
        ("text", {"a", "b"}),
    ],
)
def test_reads_partial_batch_responses_as_lambda_does(reply: Any, again: set[str]) -> None:
    """A malformed response counts as a failure of the whole batch, an empty one as success."""
    assert failed_ids(reply, ["a", "b"]) == again


def test_a_drop_reaches_submit_as_an_sqs_event(recorded: Recorded) -> None:
    """An object put into the input bucket arrives as the record that Lambda would hand over."""
    recorded.stack.drop("shoes/rot + 100%.jpg", b"photo")
    assert recorded.stack.wait(lambda: bool(recorded.records("submit", "100%25.jpg")))
    record = recorded.records("submit", "100%25.jpg")[0]
    assert set(record) == {
        "messageId",
        "receiptHandle",
        "body",
        "attributes",
        "messageAttributes",
        "md5OfBody",
        "eventSource",
        "eventSourceARN",
        "awsRegion",
    }
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].endswith(f":{recorded.stack.template.place.stack}-DropQueue")
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    named = json.loads(record["body"])["Records"][0]["s3"]
    assert named["bucket"]["name"] == recorded.stack.input_bucket
    seen = recorded.seen("submit")[0]
    assert 0 < seen["left"] <= 30_000
    assert seen["name"] in seen["arn"]
    assert seen["queue"] == recorded.stack.queue_url("WorkQueue")


def test_only_failed_messages_come_again(recorded: Recorded) -> None:
    """Of a batch, what succeeded is deleted at once; what failed comes again and ends as a dead letter."""
    for body in ("good one", "fail here", "good two"):
        recorded.send("DropQueue", body)
    assert recorded.stack.wait(lambda: len(recorded.records("submit", "fail here")) == 2)
    counts = [record["attributes"]["ApproximateReceiveCount"] for record in recorded.records("submit", "fail here")]
    assert counts == ["1", "2"]
    assert recorded.wait_for_message("DropDeadLetterQueue") == "fail here"
    assert len(recorded.records("submit", "good one")) == len(recorded.records("submit", "good two")) == 1


def test_a_message_that_breaks_the_function_ends_as_a_dead_letter(recorded: Recorded) -> None:
    """A handler that raises keeps its message, which comes again until its queue gives it up; the log tells why."""
    recorded.send("WorkQueue", "raise on this")
    assert recorded.wait_for_message("WorkDeadLetterQueue") == "raise on this"
    assert len(recorded.records("reconcile", "raise on this")) == 2
    log = (recorded.folder / "log.jsonl").read_text()
    assert "ValueError: as asked" in log
    recorded.send("WorkQueue", "afterwards")
    assert recorded.stack.wait(lambda: bool(recorded.records("reconcile", "afterwards")))


def test_the_schedule_fires(recorded: Recorded) -> None:
    """The function on a schedule is woken again and again with EventBridge's event."""

    def scheduled() -> list[dict[str, Any]]:
        return [seen["event"] for seen in recorded.seen("reconcile") if "Records" not in seen["event"]]

    assert recorded.stack.wait(lambda: len(scheduled()) >= 2)
    event = scheduled()[0]
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert event["resources"] == ["arn:aws:events:eu-central-1:123456789012:rule/Sweep"]
    assert event["id"] != scheduled()[1]["id"]
