"""Functions that die and messages that nobody can read: nothing is lost, all else goes on."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hosted.fixtures import UNREADABLE
from hosted.stage import Stage, request

SPEC = "model: bria/background/remove\n"
BLOCKING = "model: backgroundcut/remove-bg\ninput: {output_variants: [{format: png}]}\n"  # reconcile's own
HALVES = 2
DYING = "import os\n\n\ndef handler(event, context):\n    os._exit(7)\n"


def test_a_function_that_crashes_leaves_its_drop_in_the_dead_letter_queue_from_which_it_can_be_redriven(
    stage: Stage,
) -> None:
    """A deploy that kills `submit` loses no drop: they wait in the dead-letter queue and succeed when moved back."""
    key = stage.key("crash", "vase")
    with _code(stage, "SubmitFunction", DYING):
        reply = stage.client("lambda").invoke(FunctionName=stage.function("SubmitFunction"), Payload=b"{}")
        assert reply["FunctionError"] == "Unhandled"
        assert b"Runtime.ExitError" in reply["Payload"].read()
        stage.drop(f"{key}.yaml", SPEC)
        stage.drop(key, stage.photo("vase"))
        # Both halves: of one that was read the sweep would know.
        stage.wait("their messages are given up", lambda: stage.messages("DropDeadLetterQueueUrl") == HALVES)
        assert stage.jobs(key) == []
    _redrive(stage, "DropDeadLetterQueueUrl", "DropQueueUrl")
    (job,) = stage.succeeded(key)
    assert stage.paid(job["job_id"]) == 1
    assert stage.messages("DropDeadLetterQueueUrl") == 0


def test_a_message_that_nobody_can_read_ends_in_the_dead_letter_queue_and_stops_nothing(stage: Stage) -> None:
    """Work that cannot be read is tried again, then set aside as it was; a drop behind it succeeds meanwhile."""
    key = stage.key("behind", "vase")
    stage.drop(key, stage.photo("vase"))
    stage.drop(f"{key}.yaml", BLOCKING)
    stage.succeeded(key)
    queue = stage.deployed.outputs["WorkDeadLetterQueueUrl"]
    stage.wait("it is given up", lambda: stage.messages("WorkDeadLetterQueueUrl"))
    (message,) = stage.sqs.receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == UNREADABLE
    stage.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_a_function_that_dies_in_the_middle_is_replaced_and_the_drop_goes_on(stage: Stage) -> None:
    """A process of `submit` that dies under a drop costs one visibility time, not the drop."""
    key = stage.key("once", "vase")
    stage.drop(f"{key}.yaml", SPEC)
    stage.wait("the spec waits for its photo", lambda: _waits(stage, key))
    with _code(stage, "SubmitFunction", DYING):
        stage.drop(key, stage.photo("vase"))
        stage.wait("the message is in hand", lambda: _in_hand(stage))
    (job,) = stage.succeeded(key)
    assert stage.paid(job["job_id"]) == 1


def _waits(stage: Stage, key: str) -> bool:
    return any(row["job_id"].startswith("drop#") and row.get("key") == key for row in stage.rows())


def _in_hand(stage: Stage) -> int:
    name = "ApproximateNumberOfMessagesNotVisible"
    told = stage.sqs.get_queue_attributes(QueueUrl=stage.deployed.outputs["DropQueueUrl"], AttributeNames=[name])
    return int(told["Attributes"][name])


@contextmanager
def _code(stage: Stage, logical_id: str, text: str) -> Iterator[None]:
    """Deploy other code to a function for a while."""
    functions, name = stage.client("lambda"), stage.function(logical_id)
    before = request("GET", functions.get_function(FunctionName=name)["Code"]["Location"])
    assert before.status == 200
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", text)
    _deploy(functions, name, packed.getvalue())
    try:
        yield
    finally:
        _deploy(functions, name, before.body)


def _deploy(functions: Any, name: str, archive: bytes) -> None:
    functions.update_function_code(FunctionName=name, ZipFile=archive)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def _redrive(stage: Stage, source: str, target: str) -> None:
    """Move the messages of a dead-letter queue back, as the console's redrive does."""
    arns = {
        output: stage.sqs.get_queue_attributes(QueueUrl=stage.deployed.outputs[output], AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        for output in (source, target)
    }
    policy = stage.sqs.get_queue_attributes(QueueUrl=stage.deployed.outputs[target], AttributeNames=["RedrivePolicy"])[
        "Attributes"
    ]["RedrivePolicy"]
    assert json.loads(policy)["deadLetterTargetArn"] == arns[source]
    stage.sqs.start_message_move_task(SourceArn=arns[source], DestinationArn=arns[target])
