"""What wakes the functions: threads that read the queues, and one that keeps the schedule.

Promises Lambda's behaviour towards SQS: a batch becomes one event, only what succeeded is deleted, the rest becomes
visible again when its time-out is over and reaches the dead-letter queue by the queue's own count. A batch is gathered
for as long as the source's batching window, from its first message on. A schedule never overlaps with itself. Refuses
nothing; what goes wrong is in the log. Each driver gathers a batch of its own, as each of Lambda's pollers does.
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backdrop_cli.lambdas import Lambda, Raised, report
from backdrop_cli.parts import Place, QueueSource, Schedule

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_WAIT_SECONDS = 1  # of a long poll: also the longest that a quiet driver takes to stop
_PAUSE_SECONDS = 0.2  # after a receive that failed
_GATHER_SECONDS = 0.1  # between two receives of one batch
_MOST_RECEIVED = 10  # SQS: by one receive


def sqs_event(messages: Sequence[Mapping[str, Any]], source: QueueSource, region: str) -> dict[str, Any]:
    """The event that Lambda makes of received messages."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": dict(message.get("Attributes", {})),
                "messageAttributes": {
                    name: _message_attribute(value) for name, value in message.get("MessageAttributes", {}).items()
                },
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": source.queue_arn,
                "awsRegion": region,
            }
            for message in messages
        ]
    }


def _message_attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"dataType": value["DataType"]}
    if "StringValue" in value:
        told["stringValue"] = value["StringValue"]
    return told


def failed_ids(reply: Any, sent: Sequence[str]) -> set[str]:
    """The ids of messages to deliver again, from what a function with partial batch responses returned.

    Like Lambda: nothing, an empty object or an empty list means that all succeeded; a list that is malformed, or names
    an id that was not sent, means that all failed.
    """
    everything = set(sent)
    if not reply:
        return set()
    if not isinstance(reply, dict):
        return everything
    told = reply.get("batchItemFailures")
    if told is None:
        return set()
    if not isinstance(told, list):
        return everything
    ids = {entry.get("itemIdentifier") if isinstance(entry, dict) else None for entry in told}
    return {str(one) for one in ids} if ids <= everything else everything


def _receive(sqs: "SQSClient", url: str, most: int, wait: int) -> list[Any]:
    received: Any = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=min(_MOST_RECEIVED, most),
        WaitTimeSeconds=wait,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    found: list[Any] = received.get("Messages", [])
    return found


def _gather(sqs: "SQSClient", url: str, source: QueueSource, *, wait: int) -> list[Any]:
    """One batch: what is there, and what more comes until it is full or the source's window is over."""
    messages = _receive(sqs, url, source.batch_size, wait)
    end = time.monotonic() + source.window
    while messages and len(messages) < source.batch_size and (left := end - time.monotonic()) > 0:
        time.sleep(min(_GATHER_SECONDS, left))
        messages += _receive(sqs, url, source.batch_size - len(messages), 0)
    return messages


def drain(sqs: "SQSClient", url: str, source: QueueSource, function: Lambda, *, region: str, wait: int) -> int:
    """Receive one batch, call the function, delete what succeeded; how many messages there were.

    `wait`: seconds until the first message; the source says how long more are then gathered.
    """
    messages = _gather(sqs, url, source, wait=wait)
    if not messages:
        return 0
    try:
        reply = function.invoke(sqs_event(messages, source, region))
    except Raised:
        return len(messages)
    ids = [message["MessageId"] for message in messages]
    failed = failed_ids(reply, ids) if source.partial else set()
    if failed:
        report("messages failed", function=function.function.logical_id, ids=sorted(failed))
    for message in messages:
        if message["MessageId"] not in failed:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return len(messages)


def queue_threads(
    sqs: "SQSClient",
    url: str,
    source: QueueSource,
    function: Lambda,
    *,
    region: str,
    stop: threading.Event,
) -> list[threading.Thread]:
    """Threads, not started, that drain the queue until `stop` is set: as many as the source's concurrency."""

    def work() -> None:
        while not stop.is_set():
            try:
                drain(sqs, url, source, function, region=region, wait=_WAIT_SECONDS)
            except Exception as error:  # noqa: BLE001 - a driver outlives whatever a receive raises
                if not stop.is_set():
                    report("queue driver", queue=source.queue_arn, error=f"{type(error).__name__}: {error}")
                stop.wait(_PAUSE_SECONDS)

    return [_thread(work, f"{function.function.logical_id}-{number}") for number in range(source.concurrency)]


def schedule_event(schedule: Schedule, place: Place) -> dict[str, Any]:
    """The event that EventBridge sends for a scheduled rule, or the rule's own input."""
    if schedule.event is not None:
        return dict(schedule.event)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": place.account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": place.region,
        "resources": [place.arn("events", f"rule/{schedule.name}")],
        "detail": {},
    }


def schedule_thread(
    schedule: Schedule, function: Lambda, place: Place, *, seconds: float, stop: threading.Event
) -> threading.Thread:
    """A thread, not started, that calls the function every `seconds` until `stop` is set."""

    def work() -> None:
        while not stop.wait(seconds):
            try:
                function.invoke(schedule_event(schedule, place))
            except Raised:
                continue  # it is in the log

    return _thread(work, f"{function.function.logical_id}-schedule")


def _thread(work: Callable[[], None], name: str) -> threading.Thread:
    return threading.Thread(target=work, name=name, daemon=True)
