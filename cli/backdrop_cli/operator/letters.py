"""The queues' depths, and dead letters taken back to where they came from.

Promises to send a message before it is deleted, so that none is lost; one that is moved twice by a crash between the
two only asks twice for the same thing. Refuses to move more than were there when it began.
"""

from typing import TYPE_CHECKING, Any

from backdrop_cli.operator.reach import Found
from backdrop_cli.operator.screen import progress

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# Dead-letter queue -> the queue its messages came from. A sweep's needs none: the next comes within a minute.
HOMES = {"DropDeadLetterQueueUrl": "DropQueueUrl", "WorkDeadLetterQueueUrl": "WorkQueueUrl"}
_DEPTHS = {
    "drops": "DropQueueUrl",
    "work": "WorkQueueUrl",
    "drop_dead_letters": "DropDeadLetterQueueUrl",
    "work_dead_letters": "WorkDeadLetterQueueUrl",
    "sweep_dead_letters": "SweepDeadLetterQueueUrl",
}
_BATCH = 10
_HIDDEN_SECONDS = 60  # a message that was received and not moved is back after this
_EMPTY_RECEIVES = 3  # in a row: SQS asks a part of its servers each time


def depths(found: Found) -> dict[str, int]:
    """How many messages stand in each queue, about; those being worked on are not among them."""
    return {name: depth(found.world.aws.sqs, found.output(output)) for name, output in _DEPTHS.items()}


def depth(sqs: "SQSClient", url: str) -> int:
    """How many messages stand in a queue, about."""
    name: Any = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def dead(found: Found) -> dict[str, int]:
    """Messages in each dead-letter queue, about."""
    return {name: depth(found.world.aws.sqs, found.output(name)) for name in HOMES}


def move_back(found: Found, *, quiet: bool) -> int:
    """Move the dead letters back to their queues; how many were moved."""
    moved = 0
    for name, home in HOMES.items():
        sqs, source = found.world.aws.sqs, found.output(name)
        most = depth(sqs, source)
        with progress("moving messages", most, quiet=quiet) as tick:
            empty = 0
            done = 0
            while done < most and empty < _EMPTY_RECEIVES:
                count = _move(sqs, source, found.output(home), most - done)
                empty = 0 if count else empty + 1
                done += count
                tick(count)
        moved += done
    return moved


def _move(sqs: "SQSClient", source: str, target: str, most: int) -> int:
    """Receive, send, delete, in this order; how many."""
    received = sqs.receive_message(
        QueueUrl=source,
        MaxNumberOfMessages=min(_BATCH, most),
        VisibilityTimeout=_HIDDEN_SECONDS,
        WaitTimeSeconds=1,
    ).get("Messages", [])
    if not received:
        return 0
    entries: list[Any] = [{"Id": str(n), "MessageBody": one["Body"]} for n, one in enumerate(received)]
    sent = {entry["Id"] for entry in sqs.send_message_batch(QueueUrl=target, Entries=entries).get("Successful", [])}
    gone: list[Any] = [
        {"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(received) if str(n) in sent
    ]
    if gone:
        sqs.delete_message_batch(QueueUrl=source, Entries=gone)
    return len(gone)
