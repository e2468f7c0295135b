"""What an invocation works with: settings, clients, clock, log and metrics, in one value that is handed down.

Promises that clients are made once for each environment, on first use, from one session; refuses to hold state that
changes. A test or the embedded stack makes its own World with another clock or endpoint.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Protocol, override

from backdrop.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient


CONNECT_SECONDS = 3
READ_SECONDS = 15  # botocore's own minute outlasts the invocations of submit and webhook: nothing would be tried again


class Clients:
    """The AWS clients, each made when first used."""

    @cached_property
    def _session(self) -> Any:
        import boto3  # noqa: PLC0415 - 300 ms: `--help` does without

        return boto3.session.Session()

    def _client(self, service: str, **more: Any) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - with boto3

        config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, **more)
        return self._session.client(service, config=config)

    @cached_property
    def s3(self) -> S3Client:
        """S3 with SigV4 and the region in the host.

        The global host of a new bucket answers 307 to the regional one, which no presigned URL survives.
        """
        client: S3Client = self._client("s3", signature_version="s3v4", s3={"addressing_style": "virtual"})
        return client

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """The low-level client: the resource costs 40 ms more to make."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    @cached_property
    def dynamodb_once(self) -> DynamoDBClient:
        """DynamoDB without retries: for what must not happen twice when a reply is lost."""
        client: DynamoDBClient = self._client("dynamodb", retries={"total_max_attempts": 1})
        return client

    @cached_property
    def sqs(self) -> SQSClient:
        """SQS."""
        client: SQSClient = self._client("sqs")
        return client

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        """Secrets Manager."""
        client: SecretsManagerClient = self._client("secretsmanager")
        return client


class LeanClients(Clients):
    """The clients of a function's execution environment, made in a third of the time; they do no more than it asks."""

    @cached_property
    @override
    def _session(self) -> Any:
        from backdrop import lean  # noqa: PLC0415 - botocore, 250 ms: the webhook refuses forged calls without it

        return lean.Session()


class Log(Protocol):
    """The structured log; Powertools' Logger is one. Extra fields go in as keywords."""

    def debug(self, msg: object, **fields: Any) -> None:
        """For whoever debugs."""

    def info(self, msg: object, **fields: Any) -> None:
        """What happened."""

    def warning(self, msg: object, **fields: Any) -> None:
        """What a person may want to know."""

    def error(self, msg: object, **fields: Any) -> None:
        """What a person should look at."""


def _no_metric(name: str, value: float = 1, **dimensions: str) -> None:
    """Count nothing: for worlds without a metrics sink."""


@dataclass(frozen=True)
class World:
    """Handed to every verb. `now` gives unix seconds; `time_left` the seconds this invocation still has."""

    settings: Settings
    aws: Clients
    log: Log
    metric: Callable[..., None] = _no_metric
    now: Callable[[], float] = time.time
    time_left: Callable[[], float] = field(default=lambda: 900.0)

    def within(self, remaining_milliseconds: Callable[[], int]) -> World:
        """The same world, for an invocation that ends when Lambda's context says."""
        return replace(self, time_left=lambda: remaining_milliseconds() / 1000)


@lru_cache(maxsize=1)
def deployed() -> World:
    """The World of this execution environment, made on its first use.

    Raises:
        ValueError: the environment lacks a variable that the template sets.
    """
    from backdrop import collector  # noqa: PLC0415 - what only a call that is let in needs
    from backdrop.telemetry import logger, metric  # noqa: PLC0415 - Powertools is not needed to refuse a forged call

    collector.rest()
    return World(Settings.from_environment(os.environ), LeanClients(), logger(), metric)
