"""The work queue's and the schedule's function: runs what blocks, polls what no callback came for, delivers, sweeps."""

import json
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from backdrop.world import World, deployed

_processor = BatchProcessor(event_type=EventType.SQS)


def handler(event: dict[str, Any], context: Any) -> Any:
    """Take a batch of work messages (ids to deliver again are answered), or the schedule's event (a sweep)."""
    world = deployed().within(context.get_remaining_time_in_millis)
    if "Records" not in event:
        from backdrop.workflow import sweeping  # noqa: PLC0415 - imported when the schedule comes

        return {"sent": sweeping.sweep(world)}

    def take(record: SQSRecord) -> None:
        try:
            take_message(world, record.body)
        except Exception as error:  # Powertools reports the message to SQS without a line in the log
            world.log.warning("message failed", message_id=record.message_id, error=type(error).__name__)
            raise

    return process_partial_response(event=event, record_handler=take, processor=_processor, context=context)


def take_message(world: World, body: str) -> None:
    """Advance one job, tend one provider's gate, or look (again) at one drop and advance what comes of it."""
    from backdrop.workflow import admitting, intake, posting  # noqa: PLC0415 - imported with the first message

    message = json.loads(body)
    if "gate" in message:
        admitting.tend(world, message["gate"])
    elif "drop" in message:
        ready = intake.take_drop(world, message["drop"]["bucket"], message["drop"]["key"])
        posting.begin(world, ready, may_block=True)
    elif "waiting" in message:
        ready = intake.look_again(world, message["waiting"]["bucket"], message["waiting"]["key"])
        posting.begin(world, ready, may_block=True)
    else:
        posting.advance(world, message["job_id"], may_block=True)
