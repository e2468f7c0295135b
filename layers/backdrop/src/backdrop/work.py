"""The work queue: messages that make things fast.

Promises nothing about arrival: the table makes it sure, the sweep finds whatever is due. A message names a job, a
drop or a provider's gate, and carries no state.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backdrop.world import World

LONGEST_DELAY = 900  # seconds: SQS's own limit
BATCH = 10  # messages a request: SQS's own limit


def job(job_id: str) -> dict[str, str]:
    """The message that asks for a job to be advanced."""
    return {"job_id": job_id}


def drop(bucket: str, key: str) -> dict[str, dict[str, str]]:
    """The message that asks for a drop to be looked at, as an event of S3 would."""
    return {"drop": {"bucket": bucket, "key": key}}


def waiting(bucket: str, key: str) -> dict[str, dict[str, str]]:
    """The message that asks for a drop to be looked at again, if it waits still."""
    return {"waiting": {"bucket": bucket, "key": key}}


def gate(provider: str) -> dict[str, str]:
    """The message that asks for a provider's gate to be tended."""
    return {"gate": provider}


def send(world: World, message: object, *, delay: float = 0) -> None:
    """Send one message, to arrive in `delay` seconds or after."""
    world.aws.sqs.send_message(
        QueueUrl=world.settings.work_queue_url,
        MessageBody=json.dumps(message),
        DelaySeconds=min(LONGEST_DELAY, max(0, math.ceil(delay))),  # not a moment before its time
    )


def send_all(world: World, messages: Sequence[object]) -> None:
    """Send messages ten at a time. One that is not taken is not sent again: the sweep will find its row."""
    for start in range(0, len(messages), BATCH):
        entries: list[Any] = [
            {"Id": str(number), "MessageBody": json.dumps(message)}
            for number, message in enumerate(messages[start : start + BATCH])
        ]
        world.aws.sqs.send_message_batch(QueueUrl=world.settings.work_queue_url, Entries=entries)
