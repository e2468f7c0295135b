"""Many things done at AWS at once: in parallel where they only read, ten a message batch where they send."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import TYPE_CHECKING, Any

from backdrop import work
from backdrop_cli.operator.failures import Stopped

if TYPE_CHECKING:
    from backdrop.world import World

_THREADS = 8
_TRIES = 5
_FIRST_PAUSE = 0.2


def each[Given, Made](
    make: Callable[[Given], Made], given: Iterable[Given], tick: Callable[[int], None]
) -> Iterator[Made]:
    """`make` of each, in order, several at a time; `tick(1)` for each that is done."""
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for batch in batched(given, 50 * _THREADS, strict=False):
                for made in pool.map(make, batch):
                    tick(1)
                    yield made
        finally:
            pool.shutdown(cancel_futures=True)


def send_all(world: "World", messages: Sequence[object], tick: Callable[[int], None]) -> None:
    """Send messages to the work queue ten at a time, those that are not taken again.

    Raises:
        Stopped: SQS does not take some of them.
    """
    for batch in batched(messages, work.BATCH, strict=False):
        left: list[Any] = [{"Id": str(n), "MessageBody": json.dumps(message)} for n, message in enumerate(batch)]
        for attempt in range(_TRIES):
            reply = world.aws.sqs.send_message_batch(QueueUrl=world.settings.work_queue_url, Entries=left)
            failed = {entry["Id"] for entry in reply.get("Failed", [])}
            left = [entry for entry in left if entry["Id"] in failed]
            if not left:
                break
            time.sleep(_FIRST_PAUSE * 2**attempt)
        else:
            raise Stopped(
                "the work queue takes no more messages just now: run the same command again, it skips what is done"
            )
        tick(len(batch))
