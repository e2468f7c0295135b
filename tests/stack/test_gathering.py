"""How a driver gathers a batch: as long as the batching window is open, and no more than the batch size."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from recording import run_recorded

from backdrop_cli.drivers import drain

if TYPE_CHECKING:
    from pathlib import Path

    from recording import Recorded


def _drain(made: Recorded) -> int:
    """Let one driver hand one batch to submit; how many messages it had."""
    submit = made.stack.functions["SubmitFunction"]
    (source,) = submit.function.queues
    return drain(made.stack.sqs, made.stack.queue_url("DropQueue"), source, submit, region="eu-central-1", wait=1)


def test_a_batch_is_gathered_as_long_as_the_window_is_open(tmp_path: Path) -> None:
    """What comes within the window of the first message is in its batch; without a window each comes alone."""
    for window, batches in (("1", [["one", "two"]]), ("0", [["one"], ["two"]])):
        folder = tmp_path / window
        with run_recorded(folder, drive=False, overrides={"DropBatchingSeconds": window}) as made:
            made.stack.sqs.purge_queue(QueueUrl=made.stack.queue_url("DropQueue"))  # S3's own test message
            made.send("DropQueue", "one")
            later = threading.Timer(0.3, made.send, ("DropQueue", "two"))
            later.start()
            assert [_drain(made) for _ in batches] == [len(batch) for batch in batches]
            later.join(5)
            seen = [[record["body"] for record in one["event"]["Records"]] for one in made.seen("submit")]
            assert seen == batches


def test_a_full_batch_does_not_wait(tmp_path: Path) -> None:
    """Ten messages are a batch, however long the window."""
    with run_recorded(tmp_path, drive=False, overrides={"DropBatchingSeconds": "10"}) as made:
        for number in range(11):
            made.send("DropQueue", f"message {number}")
        began = time.monotonic()
        assert _drain(made) == 10
        assert time.monotonic() - began < 8
