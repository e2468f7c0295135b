"""The work queue's and the schedule's function: runs what blocks, polls what no callback came for, delivers, sweeps."""

import json
from typing import Any

from backdrop import batches
from backdrop.world import World, deployed


def handler(event: dict[str, Any], context: Any) -> Any:
    """Take a batch of work messages (ids to deliver again are answered), or the schedule's event (a sweep)."""
    world = deployed().within(context.get_remaining_time_in_millis)
    if "Records" not in event:
        from backdrop.workflow import sweeping  # noqa: PLC0415 - imported when the schedule comes

        return {"sent": sweeping.sweep(world)}
    return batches.take(world, event, lambda body: take_message(world, body))


def take_message(world: World, body: str) -> None:
    """Advance one job, tend one provider's gate, or look (again) at one drop and advance what comes of it."""
    message = json.loads(body)
    if "gate" in message:
        from backdrop.workflow import admitting  # noqa: PLC0415 - each step is imported with its first message

        admitting.tend(world, message["gate"])
        return
    from backdrop.workflow import posting  # noqa: PLC0415 - as above

    if "drop" in message or "waiting" in message:
        from backdrop.workflow import intake  # noqa: PLC0415 - as above: it alone needs pydantic

        look, named = (
            (intake.take_drop, message["drop"]) if "drop" in message else (intake.look_again, message["waiting"])
        )
        posting.begin(world, look(world, named["bucket"], named["key"]), may_block=True)
    else:
        posting.advance(world, message["job_id"], may_block=True)
