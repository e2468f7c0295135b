"""A crash at any instant loses nothing: a sample of what `make faults` plays whole."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from faults_life import Life
from faults_scenes import SCENES
from faults_verdict import Recorded, plans, strike
from faults_wire import Fault

from backdrop.table import decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults_ground import Ground
    from faults_invocation import Plan

NAMES = [one.name for one in SCENES]


def sample(every: list[Plan], turn: int) -> list[Plan]:
    """Some lives, their calls spread over the whole life: every other scene has the same half of the faults."""
    step = len(every) // len(Fault)
    while step % 2 == 0 or step % 5 == 0:  # so that the step goes through all the ten faults
        step -= 1
    chosen = every[step // 2 :: step][: len(Fault)]
    assert Counter(plan.fault for plan in chosen) == Counter(Fault)
    return chosen[turn % 2 :: 2]


@pytest.mark.parametrize("name", NAMES)
def test_every_outside_call_is_a_point(recorded: Callable[[str], Recorded], name: str) -> None:
    """The number of points equals what the servers' own request logs count."""
    there = recorded(name)
    assert there.served == tuple(call.line for call in there.calls if call.group)
    assert there.asked == tuple(call.line for call in there.calls if not call.group)
    assert len(there.served) + len(there.asked) == len(there.calls) > 30


@pytest.mark.parametrize("name", NAMES)
def test_a_crash_at_any_instant_loses_nothing(ground: Ground, recorded: Callable[[str], Recorded], name: str) -> None:
    """A crash at any instant loses nothing."""
    there = recorded(name)
    chosen = sample(plans(there), NAMES.index(name))
    wrong = [verdict.told(name) for plan in chosen if (verdict := strike(ground, there, plan)).wrong]
    assert not wrong, "\n\n".join(wrong)


def test_the_store_is_what_the_api_tells(ground: Ground) -> None:
    """Rows and objects as the harness reads them out of moto's store are those that AWS's API hands out."""
    life = Life(ground, SCENES[0])
    life.play()
    reply = ground.own.dynamodb.scan(TableName=ground.template.name("JobTable"), ConsistentRead=True)
    told = {item["job_id"]["S"]: {name: decode(value) for name, value in item.items()} for item in reply["Items"]}
    assert told == {row["job_id"]: row for row in ground.rows()} == {job_id: ground.row(job_id) for job_id in told}
    assert len(told) > 2
    s3, bucket = ground.own.s3, ground.template.name("OutputBucket")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    there = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    assert there == ground.objects("OutputBucket") != {}
    s3.delete_object(Bucket=bucket, Key=keys[0])
    assert keys[0] not in ground.objects("OutputBucket")


def test_a_message_that_becomes_visible_this_very_moment_is_waited_for(ground: Ground) -> None:
    """Moto hands it out a millisecond later: the harness moves the clock instead of asking again and again."""
    life = Life(ground, SCENES[0])
    (queue,) = (queue for queue in ground.template.queues if queue.logical_id == "WorkQueue")
    url = ground.template.queue_url(queue)
    ground.own.sqs.send_message(QueueUrl=url, MessageBody="{}")
    assert ground.own.sqs.receive_message(QueueUrl=url, VisibilityTimeout=7)["Messages"]
    moment = ground.next_message(url)
    assert moment
    ground.clock.move(moment - ground.clock())
    if ground.clock() < moment:  # by the last bit of a float
        ground.clock.start += moment - ground.clock()
    assert not life.deliver_messages()
    ground.clock.move(0.002)
    assert life.deliver_messages()
    ground.empty()


def test_the_staging_bucket_empties_itself(ground: Ground) -> None:
    """No staged object without an expiry: the template lets the staging bucket keep one for a day."""
    from bench import ROOT  # noqa: PLC0415 - for this test alone

    from backdrop_cli.cloudformation import parse  # noqa: PLC0415 - the same

    assert ground.template.name("StagingBucket")
    bucket = parse((ROOT / "template.yaml").read_text())["Resources"]["StagingBucket"]["Properties"]
    rules = [rule for rule in bucket["LifecycleConfiguration"]["Rules"] if rule["Status"] == "Enabled"]
    assert any(rule.get("ExpirationInDays") == 1 and not rule.keys() & {"Prefix", "Filter"} for rule in rules)
