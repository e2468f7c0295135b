"""The drop queue's function: each message names keys in the input bucket; what lies there becomes jobs.

Promises to report the messages that failed one by one, so that the others are not delivered again.
"""

import gc
from typing import Any

from backdrop import batches
from backdrop.world import World, deployed

gc.set_threshold(100_000)  # modules and clients are no garbage: to look for some takes a tenth of a cold start


def handler(event: dict[str, Any], context: Any) -> Any:
    """Take an SQS batch of S3 notifications; answer with the ids of those to deliver again."""
    world = deployed().within(context.get_remaining_time_in_millis)
    return batches.take(world, event, lambda body: take_message(world, body))


def take_message(world: World, body: str) -> None:
    """Act on one message: every key it names, and the first step of every job that comes of it."""
    from backdrop import drops  # noqa: PLC0415 - imported with the first drop
    from backdrop.workflow import intake, posting  # noqa: PLC0415 - the same

    for dropped in drops.read_events(body):
        posting.begin(world, intake.take_drop(world, dropped.bucket, dropped.key), may_block=False)
