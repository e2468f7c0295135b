"""An SQS batch, message by message, answered as an event source with partial batch responses wants it.

Promises that a message which fails is the only one to come again, and that nothing of it but its id and the kind of
error is logged. Refuses to call a batch well in which every message failed: it raises, and Lambda's Errors count it.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backdrop.world import World


class AllFailed(Exception):
    """No message of the batch could be taken; all of them come again."""


def take(world: World, event: Mapping[str, Any], taking: Callable[[str], None]) -> dict[str, list[dict[str, str]]]:
    """Give the body of each message to `taking`; the ids of those that it raised on.

    Raises:
        AllFailed: it raised on each of them.
    """
    failed = []
    for record in event["Records"]:
        try:
            taking(record["body"])
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are to be taken
            world.log.warning("message failed", message_id=record["messageId"], error=type(error).__name__)
            failed.append({"itemIdentifier": record["messageId"]})
    if failed and len(failed) == len(event["Records"]):
        raise AllFailed(f"each of {len(failed)} messages failed")
    return {"batchItemFailures": failed}
