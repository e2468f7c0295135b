"""The parts of a template that the embedded stack makes or drives, as plain values.

What a laptop has no use for (roles, alarms, dashboards, log groups, lifecycle rules) is not among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backdrop_cli.cloudformation import Unresolvable


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stack stands: what the pseudo-parameters answer."""

    endpoint_url: str
    stack: str = "backdrop"
    region: str = "eu-central-1"
    account: str = "123456789012"

    def arn(self, service: str, resource: str) -> str:
        """`arn:aws:<service>:<region>:<account>:<resource>`."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True, slots=True)
class Notification:
    """What an S3 bucket tells a queue."""

    queue_arn: str
    event: str
    rules: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Bucket:
    """An S3 bucket."""

    logical_id: str
    name: str
    versioned: bool
    notifications: tuple[Notification, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue; `attributes` as CreateQueue takes them."""

    logical_id: str
    name: str
    arn: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A DynamoDB table; `request` as CreateTable takes it, `expiry` its TTL attribute or empty."""

    logical_id: str
    name: str
    request: Mapping[str, Any]
    expiry: str


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secrets Manager secret: `text` as written, else `generate` as GenerateSecretString says, else no value."""

    logical_id: str
    name: str
    text: str
    generate: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class QueueSource:
    """Drives a function. `partial`: it reports batch item failures; `window`: seconds that a batch is gathered."""

    queue_arn: str
    batch_size: int
    partial: bool
    concurrency: int
    window: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """A rule that wakes a function every `seconds`."""

    name: str
    seconds: int
    event: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path of the REST API; `binary_types` are its API's binary media types."""

    method: str
    path: str
    binary_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function: where its code lies and what drives it."""

    logical_id: str
    name: str
    arn: str
    code: Path
    handler: str
    timeout: int
    memory: int
    environment: Mapping[str, str]
    queues: tuple[QueueSource, ...]
    schedules: tuple[Schedule, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """The parts of one template, in its order, under one set of parameters."""

    place: Place
    parameters: Mapping[str, Any]
    buckets: tuple[Bucket, ...]
    queues: tuple[Queue, ...]
    tables: tuple[Table, ...]
    secrets: tuple[Secret, ...]
    functions: tuple[Function, ...]
    outputs: Mapping[str, str]  # without those of resources that a laptop has no use for

    def name(self, logical_id: str) -> str:
        """The physical name of a bucket, queue, table, secret or function.

        Raises:
            Unresolvable: the template has none of that logical id.
        """
        parts: list[Bucket | Queue | Table | Secret | Function]
        parts = [*self.buckets, *self.queues, *self.tables, *self.secrets, *self.functions]
        for part in parts:
            if part.logical_id == logical_id:
                return part.name
        msg = f"the template has no resource {logical_id}"
        raise Unresolvable(msg)

    def queue_url(self, queue: Queue) -> str:
        """The queue's URL at the stack's endpoint."""
        return f"{self.place.endpoint_url}/{self.place.account}/{queue.name}"
