"""The webhook's handler as deployed, and everything that a caller might change: what was asked, what is stored."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from bench import BRIA, Call, load_function, picture
from tap import tapping

from backdrop import callbacks, jobs
from backdrop.settings import Settings
from backdrop.world import deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench import Bench
    from tap import Tap

    from backdrop.jobs import Job

SECRET = "whsec_sandbox"


@dataclass(frozen=True)
class Context:
    """As much of Lambda's context as the handler uses."""

    milliseconds: int = 15_000

    def get_remaining_time_in_millis(self) -> int:
        """What is left of the invocation."""
        return self.milliseconds


@dataclass(frozen=True)
class Doorway:
    """A bench and the deployed handler beside it: it shares nothing with the bench but what is stored."""

    bench: Bench
    tap: Tap

    def reopen(self, **settings: str) -> None:
        """Start a new environment of the function, with other settings."""
        os.environ.update({name.upper(): value for name, value in settings.items()})
        deployed.cache_clear()

    def asked_of_aws(self) -> list[str]:
        """What the handler asked AWS for, since last told to forget: `GetItem`, `SendMessage`, `PUT /bucket/key`."""
        return [
            asked.headers.get("x-amz-target", f"{asked.method} {asked.path}").rpartition(".")[2]
            for asked in self.tap.requests()
        ]

    def stored(self) -> dict[str, Any]:
        """Everything that is stored: rows, every version in every bucket, uploads left open, messages counted."""
        world = self.bench.world
        rows = world.aws.dynamodb.scan(TableName=world.settings.job_table)["Items"]
        told: dict[str, Any] = {"rows": sorted(json.dumps(row, sort_keys=True) for row in rows)}
        for bucket in (world.settings.input_bucket, world.settings.output_bucket, world.settings.staging_bucket):
            pages = list(world.aws.s3.get_paginator("list_object_versions").paginate(Bucket=bucket))
            entries = [one for page in pages for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
            told[bucket] = sorted((one["Key"], one["VersionId"], str(one["LastModified"])) for one in entries)
            told[f"{bucket} open"] = len(world.aws.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []))
        queue = world.aws.sqs.get_queue_attributes(QueueUrl=world.settings.work_queue_url, AttributeNames=["All"])
        counts = [int(value) for name, value in queue["Attributes"].items() if name.startswith("ApproximateNumber")]
        return told | {"messages": sum(counts)}

    def running(self, spec: dict[str, Any] = BRIA, *, seed: int = 0) -> Call:
        """A job whose callback has come and was not delivered yet."""
        known = len(self.bench.door.calls)
        self.bench.drop(f"{seed}.png", picture(seed=seed))
        self.bench.drop(f"{seed}.png.json", spec)
        call = self.bench.calls(known + 1)[-1]
        self.tap.forget()
        return call

    def job_of(self, call: Call) -> Job:
        """The job that a callback is about."""
        job = jobs.get(self.bench.world, path_of(call.path)["job"])
        assert job
        return job

    def path_for(self, call: Call, *, attempt: int = 1) -> dict[str, str]:
        """The path parameters of a genuine callback to an attempt of the same job."""
        job = self.job_of(call)
        return path_of(callbacks.mint(self.bench.world, job.provider, job.job_id, attempt))


@pytest.fixture
def door(bench: Bench) -> Iterator[Doorway]:
    """A bench whose settings are the environment of the deployed handler, behind a relay that counts."""
    before = dict(os.environ)
    for name in ("s3", "dynamodb", "sqs", "secrets"):
        getattr(bench.world.aws, name)  # made now, they know the way that passes no relay
    with tapping(os.environ["AWS_ENDPOINT_URL"]) as (tap, _):
        for field in fields(Settings):
            value = getattr(bench.world.settings, field.name)
            os.environ[field.name.upper()] = ",".join(value) if isinstance(value, tuple) else str(value)
        os.environ["AWS_ENDPOINT_URL"] = tap.url
        deployed.cache_clear()
        yield Doorway(bench, tap)
        deployed.cache_clear()
    os.environ.clear()
    os.environ.update(before)


def path_of(url: str) -> dict[str, str]:
    """The path parameters that API Gateway would read from a callback's URL or path."""
    *_, provider, job, attempt, token = unquote(url).split("/")
    return {"provider": provider, "job": job, "attempt": attempt, "token": token}


def event(call: Call, **changes: Any) -> dict[str, Any]:
    """The proxy event of a callback."""
    return {
        "httpMethod": "POST",
        "pathParameters": path_of(call.path),
        "multiValueHeaders": {name.title(): [value] for name, value in call.headers.items()},
        "headers": {name.title(): value for name, value in call.headers.items()},
        "body": call.body.decode(),
        "isBase64Encoded": False,
        **changes,
    }


def sign(body: bytes, secret: str = SECRET) -> dict[str, list[str]]:
    """Headers of a body that Runflow signed."""
    return {"Runflow-Signature": [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()]}


def ring(given_event: Any) -> tuple[int, str]:
    """Call the handler; status and word. Every answer has the one shape."""
    answer = load_function("webhook").handler(given_event, Context())
    assert set(answer) == {"statusCode", "headers", "body"}
    assert answer["headers"] == {"Content-Type": "application/json"}
    word = json.loads(answer["body"])
    assert set(word) == {"status"}
    return answer["statusCode"], word["status"]
