"""Bounded reading of the job table: what is open, what came on a day, many rows at once.

Promises never to scan, and to say when a bound cut something off. What is read so is eventually consistent: good for
telling and for choosing, never for writing.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import batched
from typing import TYPE_CHECKING, Any

from backdrop import jobs, keys, table
from backdrop.states import State
from backdrop.workflow.admitting import PROVIDERS, pool_over_budget, pools
from backdrop_cli.operator.failures import Stopped

if TYPE_CHECKING:
    from backdrop.world import World

_BATCH = 100  # rows a BatchGetItem: DynamoDB's own limit
_TRIES = 8
_FIRST_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Line:
    """What is told of one job's row; times in milliseconds, `moved_at` that of its last move."""

    job_id: str
    state: State
    model: str
    provider: str
    label: str
    key: str
    attempt: int
    price: str
    reposts: int
    created_at: int
    moved_at: int
    open: str
    open_at: int
    input: Mapping[str, Any]
    error: Mapping[str, Any]

    @property
    def code(self) -> str:
        """The reason's code; empty when there is none."""
        return str(self.error.get("code", ""))


@dataclass(frozen=True, slots=True)
class Slice:
    """Keys of rows with a time (0 where the index has none); `more` when a bound cut the rest off."""

    keys: tuple[tuple[str, int], ...]
    more: bool = False


def due_partitions() -> tuple[str, ...]:
    """The parts of the `open` index where the sweep looks."""
    return tuple(f"due#{shard}" for shard in range(keys.DUE_SHARDS))


def held_partitions(provider: str = "") -> tuple[str, ...]:
    """The parts of the `open` index that hold HELD jobs, of one provider or of all."""
    names = (provider,) if provider else PROVIDERS
    return tuple(partition for name in names for partition in pools(name))


def over_budget(partition: str) -> bool:
    """Whether what is held there waits for the next day's budget."""
    return any(partition == jobs.held_partition(pool_over_budget(name)) for name in PROVIDERS)


def opened(world: "World", partition: str, *, most: int) -> Slice:
    """The rows of a part of the `open` index, those that are due first before the others."""
    return _query(world, "open", "open", partition, most)


def of_day(world: "World", day: date, *, most: int) -> Slice:
    """The jobs, and the drops that were refused (`drop#…`), of a day (UTC), in no order."""
    found: list[tuple[str, int]] = []
    for shard in range(keys.DUE_SHARDS):
        part = _query(world, "by_day", "day", f"{day.isoformat()}#{shard}", most - len(found))
        found += part.keys
        if part.more:
            return Slice(tuple(found), more=True)
    return Slice(tuple(found))


def _query(world: "World", index: str, name: str, value: str, most: int) -> Slice:
    found: list[tuple[str, int]] = []
    asked: dict[str, Any] = {
        "TableName": world.settings.job_table,
        "IndexName": index,
        "KeyConditionExpression": "#name = :value",
        "ExpressionAttributeNames": {"#name": name},
        "ExpressionAttributeValues": {":value": {"S": value}},
    }
    while True:
        reply = world.aws.dynamodb.query(**asked, Limit=most - len(found) + 1)
        for raw in reply["Items"]:
            at = table.decode(raw["open_at"]) if "open_at" in raw else 0
            found.append((str(table.decode(raw["job_id"])), int(at)))
        if len(found) > most:
            return Slice(tuple(found[:most]), more=True)
        if "LastEvaluatedKey" not in reply:
            return Slice(tuple(found))
        asked["ExclusiveStartKey"] = reply["LastEvaluatedKey"]


def ahead_of(world: "World", partition: str, until: int) -> int:
    """How many rows of a part of the `open` index come before the time `until`; at most a page of them is counted."""
    reply = world.aws.dynamodb.query(
        TableName=world.settings.job_table,
        IndexName="open",
        KeyConditionExpression="#open = :partition AND #open_at < :until",
        ExpressionAttributeNames={"#open": "open", "#open_at": "open_at"},
        ExpressionAttributeValues={":partition": {"S": partition}, ":until": {"N": str(until)}},
        Select="COUNT",
    )
    return int(reply["Count"])


def read(world: "World", job_ids: Sequence[str], *, tick: Callable[[int], None] = lambda _: None) -> Iterator[Line]:
    """The jobs among the rows with these keys, a hundred a request; rows of drops are left out.

    Raises:
        Stopped: DynamoDB is busy beyond patience.
    """
    for batch in batched(dict.fromkeys(job_ids), _BATCH, strict=False):
        for item in _batch(world, batch):
            if item.get("state") in State.__members__:
                yield line(item)
        tick(len(batch))


def _batch(world: "World", job_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    name = world.settings.job_table
    wanted: Any = {name: {"Keys": [{"job_id": {"S": job_id}} for job_id in job_ids]}}
    for attempt in range(_TRIES):
        reply = world.aws.dynamodb.batch_get_item(RequestItems=wanted)
        for raw in reply["Responses"].get(name, []):
            yield {attribute: table.decode(value) for attribute, value in raw.items()}
        wanted = reply.get("UnprocessedKeys")
        if not wanted:
            return
        time.sleep(_FIRST_PAUSE * 2**attempt)
    raise Stopped("the job table is too busy to be read: run the same command again in a minute")


def line(item: Mapping[str, Any]) -> Line:
    """A row of the table as a line."""
    spec = json.loads(item["spec"])
    return Line(
        job_id=str(item["job_id"]),
        state=State(item["state"]),
        model=str(item["model"]),
        provider=str(item["provider"]),
        label=str(item["label"]),
        key=str(item["key"]),
        attempt=int(item["attempt"]),
        price=str(item.get("price", "")),
        reposts=int(item.get("reposts", 0)),
        created_at=int(item["created_at"]),
        moved_at=int(item.get("moved_at", item["created_at"])),
        open=str(item.get("open", "")),
        open_at=int(item.get("open_at", 0)),
        input=spec.get("input", {}),
        error=json.loads(item.get("error") or "{}"),
    )
