"""What AWS tools generate is what the handlers take: SAM's own events, through each function's handler, to the outcome.

The keys are encoded as S3 encodes them, and the objects were really uploaded in the way that the event tells of.
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from arriving import at_the_door, by_proxy, generate, in_messages, invoke, of_s3
from bench import BRIA, picture

from backdrop.states import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arriving import Event
    from bench import Bench

COMMANDS = {
    "put": ["s3", "put", "--region", "eu-central-1"],
    "delete": ["s3", "delete", "--region", "eu-central-1"],
    "message": ["sqs", "receive-message", "--queue-name", "drops"],
    "schedule": ["cloudwatch", "scheduled-event", "--rule", "backdrop-sweep"],
    "request": ["apigateway", "aws-proxy"],
}
KEYS = ["plain.png", "with space/and+plus 100%.png", "été/写真 №5 (1).PNG", "a&b=c;d@e,$f!.png", "%2B%20 already.png"]
NOTHING_FAILED: Event = {"batchItemFailures": []}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Event]:
    """One event of each kind, by SAM."""
    events = generate(tmp_path_factory.mktemp("home"), list(COMMANDS.values()))
    return dict(zip(COMMANDS, events, strict=True))


@pytest.fixture
def call(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], Any]:
    """A function's handler in its environment."""
    return lambda name, event: invoke(bench, monkeypatch, name, event)


def put(bench: Bench, key: str, data: bytes) -> None:
    """As the console and `aws s3 cp` upload a small file."""
    bench.world.aws.s3.put_object(Bucket=bench.world.settings.input_bucket, Key=key, Body=data)


def copy(bench: Bench, key: str, data: bytes) -> None:
    """As `aws s3 cp` copies or moves what is there."""
    bucket = bench.world.settings.input_bucket
    put(bench, f"{key}.original", data)
    source: Any = {"Bucket": bucket, "Key": f"{key}.original"}
    bench.world.aws.s3.copy_object(Bucket=bucket, Key=key, CopySource=source)


def complete(bench: Bench, key: str, data: bytes) -> None:
    """As `aws s3 cp` uploads a large file: in parts, with an ETag that is no checksum."""
    s3: Any = bench.world.aws.s3
    where = {"Bucket": bench.world.settings.input_bucket, "Key": key}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    part = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=data)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)


WAYS = {
    "ObjectCreated:Put": put,
    "ObjectCreated:Post": put,
    "ObjectCreated:Copy": copy,
    "ObjectCreated:CompleteMultipartUpload": complete,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_uploading_becomes_one_job(
    bench: Bench, generated: dict[str, Event], call: Callable[[str, Any], Any], way: str
) -> None:
    """Put, form post, copy and the end of a multipart upload: the photo is read, and its job taken by the provider."""
    key = bench.put("a.png.json", BRIA).removesuffix(".json")
    WAYS[way](bench, key, picture())
    event = in_messages(generated["message"], [json.dumps(of_s3(generated["put"], bench, key, way))])
    assert call("submit", event) == NOTHING_FAILED
    job = bench.only()
    assert (job.key, job.state) == (key, State.RUNNING)
    assert len(bench.paid()) == 1


@pytest.mark.parametrize("name", KEYS)
def test_keys_come_encoded_and_are_found(
    bench: Bench, generated: dict[str, Event], call: Callable[[str, Any], Any], name: str
) -> None:
    """Spaces as `+`, percent signs, other scripts: the object that S3 meant is the one that becomes a job."""
    key = f"{bench.folder}/{name}"
    put(bench, f"{key}.json", json.dumps(BRIA).encode())
    put(bench, key, picture())
    body = json.dumps(of_s3(generated["put"], bench, key, "ObjectCreated:Put"))
    assert call("submit", in_messages(generated["message"], [body])) == NOTHING_FAILED
    assert [(job.key, job.state) for job in bench.jobs()] == [(key, State.RUNNING)]


def test_sams_own_encoding_is_read_as_well(
    bench: Bench, tmp_path: Path, call: Callable[[str, Any], Any], generated: dict[str, Event]
) -> None:
    """SAM writes a space as %20 where S3 writes `+`: both name the same key."""
    key = f"{bench.folder}/a b+c%.png"
    put(bench, f"{key}.json", json.dumps(BRIA).encode())
    put(bench, key, picture())
    (event,) = generate(tmp_path, [[*COMMANDS["put"], "--bucket", bench.world.settings.input_bucket, "--key", key]])
    assert "%20" in event["Records"][0]["s3"]["object"]["key"]
    assert call("submit", in_messages(generated["message"], [json.dumps(event)])) == NOTHING_FAILED
    assert bench.only().key == key


def test_a_wrong_spec_is_answered(bench: Bench, generated: dict[str, Event], call: Callable[[str, Any], Any]) -> None:
    """A drop that is refused is no failed message: its reason lies in the output bucket, and nothing was paid."""
    key = bench.put("a.png", picture())
    bench.put("a.png.json", {"model": "bria/background/remove", "input": {"colour": 1}})
    body = json.dumps(of_s3(generated["put"], bench, key, "ObjectCreated:Put"))
    assert call("submit", in_messages(generated["message"], [body])) == NOTHING_FAILED
    assert not bench.jobs()
    assert not bench.paid()
    assert "colour" in json.dumps(bench.error(key))


@pytest.mark.parametrize("way", ["ObjectRemoved:DeleteMarkerCreated", "ObjectRemoved:Delete"])
def test_deleting_a_photo_cancels_what_waits(
    bench: Bench, generated: dict[str, Event], call: Callable[[str, Any], Any], way: str
) -> None:
    """A delete marker, as in a versioned bucket, or a deleted version: the job that was held is not run any more."""
    bench.trouble(no_credits=True)
    key = bench.put("a.png", picture())
    bench.put("a.png.json", BRIA)
    come = json.dumps(of_s3(generated["put"], bench, key, "ObjectCreated:Put"))
    assert call("submit", in_messages(generated["message"], [come])) == NOTHING_FAILED
    assert bench.only().state is State.HELD
    bench.world.aws.s3.delete_object(Bucket=bench.world.settings.input_bucket, Key=key)
    gone = json.dumps(of_s3(generated["delete"], bench, key, way))
    assert call("submit", in_messages(generated["message"], [gone])) == NOTHING_FAILED
    assert (bench.only().state, bench.only().error["code"]) == (State.FAILED, "CANCELLED")
    assert not bench.paid()


def test_a_marker_that_comes_late_cancels_nothing(
    bench: Bench, generated: dict[str, Event], call: Callable[[str, Any], Any]
) -> None:
    """What lies there now is what counts: the event of an older deletion does no harm to the photo of today."""
    key = bench.put("a.png", picture())
    bench.put("a.png.json", BRIA)
    gone = json.dumps(of_s3(generated["delete"], bench, key, "ObjectRemoved:DeleteMarkerCreated"))
    assert call("submit", in_messages(generated["message"], [gone])) == NOTHING_FAILED
    assert bench.only().state is State.RUNNING


def test_the_test_event_of_a_new_notification_is_let_pass(
    bench: Bench, generated: dict[str, Event], call: Callable[[str, Any], Any]
) -> None:
    """S3 sends it once, when the stack is made; taken for a failure it would end as the first dead letter.

    SAM generates none; this is https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    bucket = bench.world.settings.input_bucket
    told = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-20T10:15:02.481Z", "Bucket": bucket}
    told |= {"RequestId": "5582815E1AEA5ADF", "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXA"}
    assert call("submit", in_messages(generated["message"], [json.dumps(told)])) == NOTHING_FAILED
    assert not bench.jobs()


def test_one_bad_message_of_a_batch_is_handed_back_alone(
    bench: Bench, generated: dict[str, Event], call: Callable[[str, Any], Any]
) -> None:
    """SAM's default body is no drop: that message alone comes again, and the photos beside it are jobs."""
    keys = []
    for number in range(2):
        keys.append(bench.put(f"{number}.png", picture(seed=number)))
        bench.put(f"{number}.png.json", BRIA)
    drops = [json.dumps(of_s3(generated["put"], bench, key, "ObjectCreated:Put")) for key in keys]
    (unasked,) = (record["body"] for record in generated["message"]["Records"])
    event = in_messages(generated["message"], [drops[0], unasked, drops[1]])
    failed = [{"itemIdentifier": event["Records"][1]["messageId"]}]
    assert call("submit", event) == {"batchItemFailures": failed}
    assert [(job.key, job.state) for job in bench.jobs()] == [(key, State.RUNNING) for key in keys]


def dropped(bench: Bench, generated: dict[str, Event], call: Callable[[str, Any], Any]) -> None:
    """A photo and its spec come, and the provider takes the job."""
    key = bench.put("a.png", picture())
    bench.put("a.png.json", BRIA)
    body = json.dumps(of_s3(generated["put"], bench, key, "ObjectCreated:Put"))
    assert call("submit", in_messages(generated["message"], [body])) == NOTHING_FAILED


def test_a_callback_comes_through_the_gateway(
    bench: Bench, tmp_path: Path, generated: dict[str, Event], call: Callable[[str, Any], Any]
) -> None:
    """A proxy request with the provider's signed bytes, base64-encoded as for binary media, delivers the result."""
    dropped(bench, generated, call)
    (came,) = bench.calls()
    (request,) = generate(tmp_path, [[*COMMANDS["request"], *by_proxy(came)]])
    assert request["isBase64Encoded"]
    assert base64.b64decode(request["body"]) == came.body
    reply = call("webhook", at_the_door(request, came))
    assert (reply["statusCode"], bench.only().state) == (200, State.SUCCEEDED)
    assert json.loads(reply["body"])
    assert len(bench.outputs()) == 2  # the result and its record


@pytest.mark.parametrize("case", ["as generated", "another body", "no path parameters"])
def test_a_request_that_is_no_callback_is_refused(
    bench: Bench, generated: dict[str, Event], call: Callable[[str, Any], Any], case: str
) -> None:
    """SAM's request as it is, or with a body that nobody signed: 401, and the job goes on waiting for its own."""
    dropped(bench, generated, call)
    (came,) = bench.calls()
    request = generated["request"]
    if case == "another body":
        request = at_the_door(request, came)
    if case == "no path parameters":
        request = {**request, "pathParameters": None}
    assert call("webhook", request)["statusCode"] == 401
    assert bench.only().state is State.RUNNING


@pytest.mark.parametrize("bench", [{"poll_after_seconds": 1}], indirect=True)
def test_the_schedule_finds_what_no_callback_came_for(
    bench: Bench, generated: dict[str, Event], call: Callable[[str, Any], Any]
) -> None:
    """The scheduled event wakes a sweep; its message, in SQS's shape, has the run asked about and delivered."""
    bench.trouble(callback_lost=True)
    dropped(bench, generated, call)
    until = time.monotonic() + 20
    while bench.only().state is not State.SUCCEEDED:
        assert time.monotonic() < until, bench.only()
        time.sleep(0.3)
        assert set(call("reconcile", generated["schedule"])) == {"sent"}
        queue = bench.world.settings.work_queue_url
        found = bench.world.aws.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            assert call("reconcile", in_messages(generated["message"], [message["Body"]])) == NOTHING_FAILED
            bench.world.aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert len(bench.paid()) == 1
