"""The README's last step, after all other scenarios: the buckets emptied, the stack deleted."""

import pytest
from botocore.exceptions import ClientError
from hosted import readme
from hosted.stage import Stage


def test_nothing_is_left_of_a_stack_that_was_removed(stage: Stage, walk: readme.Walk) -> None:
    """The README's last block empties the versioned buckets and deletes the stack with all that it made."""
    outputs = stage.deployed.outputs
    walk.step("remove")
    with pytest.raises(ClientError, match="does not exist"):
        stage.client("cloudformation").describe_stacks(StackName=stage.deployed.name)
    left = {bucket["Name"] for bucket in stage.s3.list_buckets()["Buckets"]}
    assert not left & {outputs[f"{name}BucketName"] for name in ("Input", "Output", "Staging")}
    assert stage.client("lambda").list_functions()["Functions"] == []
    assert stage.client("dynamodb").list_tables()["TableNames"] == []
    assert stage.sqs.list_queues().get("QueueUrls", []) == []
