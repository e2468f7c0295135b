"""The drop queue's function: each message names keys in the input bucket; what lies there becomes jobs.

Promises to report the messages that failed one by one, so that the others are not delivered again.
"""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from backdrop.world import World, deployed

_processor = BatchProcessor(event_type=EventType.SQS)


def handler(event: dict[str, Any], context: Any) -> Any:
    """Take an SQS batch of S3 notifications; answer with the ids of those to deliver again."""
    world = deployed().within(context.get_remaining_time_in_millis)

    def take(record: SQSRecord) -> None:
        try:
            take_message(world, record.body)
        except Exception as error:  # Powertools reports the message to SQS without a line in the log
            world.log.warning("message failed", message_id=record.message_id, error=type(error).__name__)
            raise

    return process_partial_response(event=event, record_handler=take, processor=_processor, context=context)


def take_message(world: World, body: str) -> None:
    """Act on one message: every key it names, and the first step of every job that comes of it."""
    from backdrop import drops  # noqa: PLC0415 - imported with the first drop
    from backdrop.workflow import intake, posting  # noqa: PLC0415 - the same

    for dropped in drops.read_events(body):
        posting.begin(world, intake.take_drop(world, dropped.bucket, dropped.key), may_block=False)
