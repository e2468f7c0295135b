"""The drop queue's function: each message names keys in the input bucket; what lies there becomes jobs.

Promises to report the messages that failed one by one, so that the others are not delivered again; and to look once
where several messages of a batch name the same: all of it lay there before the batch came.
"""

from typing import TYPE_CHECKING, Any

from backdrop import batches
from backdrop.world import World, deployed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backdrop.drops import Dropped


def handler(event: dict[str, Any], context: Any) -> Any:
    """Take an SQS batch of S3 notifications; answer with the ids of those to deliver again."""
    return take_batch(deployed().within(context.get_remaining_time_in_millis), event)


def take_batch(world: World, event: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """`handler`, in a world."""
    from backdrop import drops  # noqa: PLC0415 - imported with the first drop

    instead = drops.shared_looks(record["body"] for record in event["Records"])
    seen: set[Dropped] = set()
    return batches.take(world, event, lambda body: take_message(world, body, instead, seen))


def take_message(world: World, body: str, instead: "Mapping[Dropped, Dropped]", seen: "set[Dropped]") -> None:
    """Act on one message: every key it names, and the first step of every job that comes of it.

    `instead`: which look of this batch stands for a key's own; `seen`: the looks that have succeeded, added to here.
    """
    from backdrop import drops  # noqa: PLC0415 - as above
    from backdrop.workflow import intake, posting  # noqa: PLC0415 - as above

    for dropped in drops.read_events(body):
        look = instead.get(dropped, dropped)
        if look not in seen:
            posting.begin(world, intake.take_drop(world, look.bucket, look.key), may_block=False)
            seen.add(look)  # not before: a look that raised has to be taken again by whoever else names it
