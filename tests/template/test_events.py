"""The event files: each is what arrives, and the library reads it."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest
from ground import moto

from backdrop import callbacks, drops, spec, work
from backdrop.errors import Rejected
from backdrop.settings import Settings
from backdrop.telemetry import logger
from backdrop.world import Clients, World

EVENTS = Path(__file__).resolve().parents[2] / "events"
CALLBACK_KEY = "example-key-of-the-event-files-not-a-secret-0123456789"
CALLBACK_SECRET = "whsec_sandbox"
BUCKET = "backdrop-inputbucket-1a2b3c4d5e6f"
HARD_KEY = "summer sale 50%/café+bar/été (1).JPG"
ROUTE = "/callbacks/{provider}/{job}/{attempt}/{token}"
QUEUED = ("drop", "work")


def names(pattern: str) -> list[str]:
    """The event files that fit a pattern."""
    return sorted(path.name for path in EVENTS.glob(pattern))


def read(name: str) -> Any:
    """One event file."""
    return json.loads((EVENTS / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [name for name in names("*.json") if name.startswith(QUEUED)])
def test_queue_messages_are_whole(name: str) -> None:
    """A message's checksum fits its body, which is JSON, and its source is the queue that the function drains."""
    queue = "DropQueue" if name.startswith("drop") else "WorkQueue"
    for record in read(name)["Records"]:
        assert record["md5OfBody"] == hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()
        assert f"-{queue}-" in record["eventSourceARN"]
        json.loads(record["body"])


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("drop-photo.json", ["shoes/red.jpg"]),
        ("drop-sidecar.json", ["shoes/red.jpg.yaml"]),
        ("drop-multipart.json", ["studio/large.png"]),
        ("drop-copy.json", ["shoes/blue.jpg"]),
        ("drop-removed.json", ["shoes/red.jpg"]),
        ("drop-encoded-key.json", [HARD_KEY]),
        ("drop-batch.json", ["shoes/red.jpg.yaml", "shoes/red.jpg", "shoes/red.jpg"]),
        ("drop-test-event.json", []),
        ("work-drop.json", [HARD_KEY]),
    ],
)
def test_drops_are_read(name: str, keys: list[str]) -> None:
    """An S3 event names its keys percent-encoded, a message of our own as they are; S3's test event names none."""
    found = [drop for record in read(name)["Records"] for drop in drops.read_events(record["body"])]
    assert [(drop.bucket, drop.key) for drop in found] == [(BUCKET, key) for key in keys]


def test_work_and_schedule_are_told_apart() -> None:
    """What wakes reconcile is a queue's records, or the schedule's event without any."""
    assert set(json.loads(read("work-job.json")["Records"][0]["body"])) == {"job_id"}
    assert json.loads(read("work-waiting.json")["Records"][0]["body"]) == work.waiting(BUCKET, HARD_KEY)
    schedule = read("schedule.json")
    assert "Records" not in schedule
    assert schedule["resources"][0].endswith(":rule/backdrop-sweep")


@pytest.fixture(scope="module")
def world() -> Any:
    """A world whose callback key is the one that signed the event files."""
    with moto():
        secrets = boto3.client("secretsmanager")
        text = json.dumps({"current": "k1", "k1": CALLBACK_KEY})
        made = secrets.create_secret(Name=f"callback-{uuid.uuid4().hex}", SecretString=text)
        settings = Settings(
            job_table="-",
            input_bucket=BUCKET,
            output_bucket="-",
            staging_bucket="-",
            work_queue_url="-",
            provider_secret="-",
            callback_secret=made["ARN"],
        )
        yield World(settings, Clients(), logger())


@pytest.mark.parametrize("name", names("callback-*.json"))
def test_callbacks_come_by_the_templates_route(template: dict[str, Any], world: World, name: str) -> None:
    """A callback's path fits the route and is genuine, but for the one that is forged."""
    event = read(name)
    route = template["Resources"]["WebhookFunction"]["Properties"]["Events"]["Callback"]["Properties"]["Path"]
    assert event["resource"] == route == ROUTE
    assert event["path"] == ROUTE.format(**event["pathParameters"])
    assert event["headers"] == {header: values[-1] for header, values in event["multiValueHeaders"].items()}
    call = callbacks.read_path(event["pathParameters"])
    assert call is not None
    assert callbacks.genuine(world, call) is (name != "callback-forged-token.json")


@pytest.mark.parametrize("name", names("callback-runflow-*.json") + names("callback-bria-*.json"))
def test_runflow_signs_the_bytes(name: str) -> None:
    """Runflow's signature is over the body as it came; one file lacks it, as from an account without a secret."""
    event = read(name)
    signature = event["headers"].get("Runflow-Signature")
    expected = hmac.new(CALLBACK_SECRET.encode(), event["body"].encode(), "sha256").hexdigest()
    assert signature == (None if "unsigned" in name else expected)
    assert event["headers"]["Runflow-Request-Id"]


@pytest.mark.parametrize("path", sorted((EVENTS / "specs").glob("*.*")), ids=lambda path: path.name)
def test_sample_specs_run(path: Path) -> None:
    """Each sample spec is accepted as it stands."""
    assert spec.parse(path.read_bytes(), path.name).jobs


def test_sample_specs_cover_all_models() -> None:
    """There is a sample for each of the six models."""
    jobs = [job for path in (EVENTS / "specs").glob("*.*") for job in spec.parse(path.read_bytes(), path.name).jobs]
    assert {job.model for job in jobs} == {
        "runflow/background-color",
        "runflow/background-replace",
        "bria/background/remove",
        "backgroundcut/remove-bg",
        "imagepipeline/background-change",
        "imagepipeline/background-remove",
    }


@pytest.mark.parametrize("path", sorted((EVENTS / "specs" / "refused").glob("*.*")), ids=lambda path: path.name)
def test_sample_mistakes_are_refused_with_what_to_do(path: Path) -> None:
    """Each sample mistake is refused, and each problem says where it is and what to do."""
    with pytest.raises(Rejected) as refusal:
        spec.parse(path.read_bytes(), path.name)
    for problem in refusal.value.problems:
        assert problem.where
        assert problem.action
