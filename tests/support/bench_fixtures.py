"""The bench as a fixture: one AWS and one sandbox for all tests of a process, emptied after each of them."""

from __future__ import annotations

import secrets
import ssl
import time
from typing import TYPE_CHECKING

import boto3
import httpx
import pytest
import quick
from bench import PROVIDER_KEYS, ROOT, Bench, Counted, Door, Quiet

from backdrop import table
from backdrop.settings import Settings
from backdrop.world import Clients, World
from backdrop_cli import aws
from backdrop_cli import template as templates

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _aws(_inert_credentials: None) -> Iterator[templates.Template]:
    with quick.moto(), aws.serving_aws() as origin, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", origin)
        # A name of its own: each folder's conftest has this fixture, and moto's servers share their contents.
        place = templates.Place(endpoint_url=origin, stack=f"bench-{secrets.token_hex(3)}")
        template = templates.load(ROOT / "template.yaml", place)
        aws.build(boto3.session.Session(), template, {"ProviderSecret": PROVIDER_KEYS})
        patch.undo()
        yield template


@pytest.fixture(scope="session")
def _clients(_aws: templates.Template) -> Clients:
    """Every client, made once: they know nothing but where to ask, and making them is a quarter of a short test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", _aws.place.endpoint_url)
        return every_client()


SHARED = ("s3", "dynamodb", "dynamodb_once", "sqs", "secrets")


def every_client(kind: type[Clients] = Clients) -> Clients:
    """Clients that are all made; making them asks nobody anything, so that all environments may share them."""
    made = kind()
    for name in SHARED:
        getattr(made, name)
    return made


def fresh(made: Clients) -> Clients:
    """A new environment's clients, which share the connections of `made` but know no secret yet."""
    clients = Clients()
    clients.__dict__.update({name: getattr(made, name) for name in SHARED})
    return clients


@pytest.fixture(scope="session")
def _control(_sandbox: str) -> Iterator[httpx.Client]:
    """The sandbox's own routes; plain HTTP, so that no trusted roots are read for each question."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    once = {"Connection": "close"}  # on a kept one a delayed acknowledgement costs 40 ms
    with httpx.Client(base_url=f"{_sandbox}/_sandbox/", trust_env=False, verify=tls, headers=once) as client:
        yield client


@pytest.fixture(scope="session")
def _sandbox(_aws: templates.Template) -> Iterator[str]:
    from backdrop_cli.sandbox import server  # noqa: PLC0415 - seconds of imports, only for who asks for a sandbox

    with server.running(image_origins=[_aws.place.endpoint_url]) as box:
        yield box.url


@pytest.fixture
def bench(
    _aws: templates.Template,
    _clients: Clients,
    _sandbox: str,
    _control: httpx.Client,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    """An empty bench: trouble off, ledger empty, no messages, a folder of its own."""
    _control.post("reset").raise_for_status()
    # For each test anew: other tests of this process point the environment at servers of their own.
    monkeypatch.setenv("AWS_ENDPOINT_URL", _aws.place.endpoint_url)
    door, metrics, log, ahead = Door(), Counted(), Quiet(), [0.0]
    changes = getattr(request, "param", {})
    settings = Settings(
        job_table=_aws.name("JobTable"),
        input_bucket=_aws.name("InputBucket"),
        output_bucket=_aws.name("OutputBucket"),
        staging_bucket=_aws.name("StagingBucket"),
        work_queue_url=_clients.sqs.create_queue(QueueName=f"work-{time.time_ns()}")["QueueUrl"],
        provider_secret=_aws.name("ProviderSecret"),
        callback_secret=_aws.name("CallbackSecret"),
        callback_base_url=door.url,
        runflow_base_url=_sandbox,
        backgroundcut_base_url=_sandbox,
        imagepipeline_base_url=_sandbox,
        **changes,
    )
    world = World(settings, fresh(_clients), log, metrics, now=lambda: time.time() + ahead[0])
    safe = "".join(c if c.isalnum() else "-" for c in request.node.name)[:60]
    yield Bench(world, _sandbox, _control, door, metrics, log, f"{safe}-{time.time_ns()}", ahead)
    _close_rows(world)
    empty_buckets(_aws)
    empty_queues(_aws)
    door.close()


def empty_buckets(template: templates.Template) -> None:
    """Take every object away, with all its versions: moto copies whole buckets to list one folder's versions."""
    from moto.backends import get_backend  # noqa: PLC0415 - a second of imports

    for bucket in template.buckets:
        kept = get_backend("s3")[template.place.account]["aws"].buckets[bucket.name]
        for versions in [kept.keys.getlist(key) for key in kept.keys]:
            for version in versions:
                if hasattr(version, "dispose"):  # a delete marker holds nothing
                    version.dispose()
        kept.keys.clear()


def empty_queues(template: templates.Template) -> None:
    """Forget what S3 told the queues, which nobody drives here: moto looks through all of it for each new message."""
    from moto.backends import get_backend  # noqa: PLC0415 - a second of imports

    backend = get_backend("sqs")[template.place.account][template.place.region]
    for queue in template.queues:
        backend.queues[queue.name].last_purged_at = None  # once a minute, says SQS
        backend.purge_queue(queue.name)


def _close_rows(world: World) -> None:
    """Take every row away: the next test's sweep is to find its own."""
    reply = world.aws.dynamodb.scan(TableName=world.settings.job_table)
    for raw in reply["Items"]:
        table.delete(world, str(table.decode(raw["job_id"])))
