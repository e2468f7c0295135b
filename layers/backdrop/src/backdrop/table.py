"""Items of the job table as plain dictionaries: encoding, reading, and one conditional update.

Promises that every change of an existing item names the condition under which it may happen, and tells the caller
whether it did. Refuses floats that DynamoDB cannot hold by writing times as milliseconds.
"""

from __future__ import annotations

import re
from itertools import batched
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from backdrop.world import World

MOST_AT_ONCE = 100  # keys of one BatchGetItem: DynamoDB's own limit


def encode(value: Any) -> Any:
    """One Python value as a DynamoDB attribute value: str, int, bool, None, list, dict with string keys."""
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case None:
            return {"NULL": True}
        case list() | tuple():
            return {"L": [encode(member) for member in value]}
        case dict():
            return {"M": {str(name): encode(member) for name, member in value.items()}}
    msg = f"the job table does not hold a {type(value).__name__}"
    raise TypeError(msg)


def decode(attribute: Mapping[str, Any]) -> Any:
    """The inverse of `encode`."""
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return int(value)
        case "NULL":
            return None
        case "L":
            return [decode(member) for member in value]
        case "M":
            return {name: decode(member) for name, member in value.items()}
    return value


def _item(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: decode(attribute) for name, attribute in raw.items()}


def get(world: World, key: str) -> dict[str, Any] | None:
    """The item under `key`, read consistently, or None."""
    reply = world.aws.dynamodb.get_item(
        TableName=world.settings.job_table, Key={"job_id": {"S": key}}, ConsistentRead=True
    )
    return _item(reply["Item"]) if "Item" in reply else None


def get_many(world: World, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The items under `keys`, each read consistently; missing ones are left out. One request for up to 100."""
    found: dict[str, dict[str, Any]] = {}
    name = world.settings.job_table
    for some in batched(dict.fromkeys(keys), MOST_AT_ONCE, strict=False):
        asked: Any = {name: {"Keys": [{"job_id": {"S": key}} for key in some], "ConsistentRead": True}}
        reply: Any = world.aws.dynamodb.batch_get_item(RequestItems=asked)
        items = [_item(raw) for raw in reply["Responses"].get(name, [])]
        left = reply.get("UnprocessedKeys", {}).get(name, {}).get("Keys", [])  # too much at once for the table
        items += [item for raw in left if (item := get(world, str(raw["job_id"]["S"])))]
        found |= {item["job_id"]: item for item in items}
    return found


def create(world: World, item: dict[str, Any]) -> bool:
    """Write a new item; False when its key is already there."""
    return _put(world, item, condition="attribute_not_exists(job_id)")


def replace(
    world: World, item: dict[str, Any], *, condition: str = "", values: Mapping[str, Any] | None = None
) -> bool:
    """Write an item over what lies under its key, if `condition` holds of that. Never for jobs."""
    return _put(world, item, condition=condition, values=values)


def _guard(condition: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a request says of its condition, which is written as for `attempt`."""
    guard: dict[str, Any] = {"ConditionExpression": condition} if condition else {}
    if names := {alias: alias[1:] for alias in re.findall(r"#\w+", condition)}:
        guard["ExpressionAttributeNames"] = names
    if values:
        guard["ExpressionAttributeValues"] = {f":{name}": encode(value) for name, value in values.items()}
    return guard


def _put(world: World, item: dict[str, Any], *, condition: str, values: Mapping[str, Any] | None = None) -> bool:
    client = world.aws.dynamodb
    try:
        client.put_item(
            TableName=world.settings.job_table,
            Item={name: encode(value) for name, value in item.items()},
            **_guard(condition, values),
        )
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def delete(world: World, key: str, *, condition: str = "", values: Mapping[str, Any] | None = None) -> bool:
    """Remove an item, if `condition` holds of it; fine when it is not there. For rows of drops, never for jobs."""
    client = world.aws.dynamodb
    try:
        client.delete_item(TableName=world.settings.job_table, Key={"job_id": {"S": key}}, **_guard(condition, values))
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


class Tried(NamedTuple):
    """A conditional change: whether it was `done`, and the item as it then is, or as it was that refused it."""

    done: bool
    item: dict[str, Any] | None


def change(
    world: World,
    key: str,
    *,
    put: Mapping[str, Any],
    drop: tuple[str, ...] = (),
    condition: str,
    values: Mapping[str, Any],
) -> dict[str, Any] | None:
    """`attempt`, for whom a refusal needs no reason: the item as it then is, or None when the condition fails."""
    tried = attempt(world, key, put=put, drop=drop, condition=condition, values=values)
    return tried.item if tried.done else None


def attempt(
    world: World,
    key: str,
    *,
    put: Mapping[str, Any] | None = None,
    drop: tuple[str, ...] = (),
    add: Mapping[str, int] | None = None,
    condition: str = "",
    values: Mapping[str, Any] | None = None,
    once: bool = False,
) -> Tried:
    """Set `put`, remove `drop`, add the numbers of `add`, if `condition` holds. `once`: the client does not retry.

    In `condition` an attribute is written `#name`, a value `:name` with its value in `values`. Names may be paths of
    one dot ("runs.a1"): the parent must be there.
    """
    put, add = dict(put or {}), dict(add or {})
    clauses = {
        "SET": [f"{_aliased(path)} = :p{number}" for number, path in enumerate(put)],
        "REMOVE": [_aliased(path) for path in drop],
        "ADD": [f"{_aliased(path)} :a{number}" for number, path in enumerate(add)],
    }
    expression = " ".join(f"{verb} {', '.join(parts)}" for verb, parts in clauses.items() if parts)
    names = {alias: alias[1:] for alias in re.findall(r"#\w+", f"{expression} {condition}")}
    bound = {f":p{number}": encode(value) for number, value in enumerate(put.values())}
    bound |= {f":a{number}": encode(value) for number, value in enumerate(add.values())}
    bound |= {f":{name}": encode(value) for name, value in (values or {}).items()}
    asked: dict[str, Any] = {
        "TableName": world.settings.job_table,
        "Key": {"job_id": {"S": key}},
        "UpdateExpression": expression,
        "ExpressionAttributeNames": names,
        "ReturnValues": "ALL_NEW",
    }
    if bound:
        asked["ExpressionAttributeValues"] = bound
    if condition:
        asked |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    client = world.aws.dynamodb_once if once else world.aws.dynamodb
    try:
        reply = client.update_item(**asked)
    except client.exceptions.ConditionalCheckFailedException as refused:
        there: Any = refused.response.get("Item")
        return Tried(done=False, item=_item(there) if there else None)
    return Tried(done=True, item=_item(reply["Attributes"]))


def _aliased(path: str) -> str:
    """Every name behind an alias: many of DynamoDB's reserved words (`state`, `key`, `source`) are names here."""
    return ".".join(f"#{part}" for part in path.split("."))


def due(world: World, partition: str, until: int, *, limit: int) -> Iterator[tuple[str, int]]:
    """Keys and times of the `open` index in `partition` that are due at `until` (milliseconds), oldest first."""
    asked: dict[str, Any] = {
        "TableName": world.settings.job_table,
        "IndexName": "open",
        "KeyConditionExpression": "#open = :partition AND #open_at <= :until",
        "ExpressionAttributeNames": {"#open": "open", "#open_at": "open_at"},
        "ExpressionAttributeValues": {":partition": {"S": partition}, ":until": {"N": str(until)}},
        "Limit": limit,
    }
    reply = world.aws.dynamodb.query(**asked)
    for raw in reply["Items"]:
        item = _item(raw)
        yield item["job_id"], item["open_at"]


def of_source(world: World, source: str, *, limit: int = 100) -> list[str]:
    """Ids of the jobs whose `source` this is (`<bucket>/<key>`), at most `limit`; eventually consistent."""
    reply = world.aws.dynamodb.query(
        TableName=world.settings.job_table,
        IndexName="by_source",
        KeyConditionExpression="#source = :source",
        ExpressionAttributeNames={"#source": "source"},
        ExpressionAttributeValues={":source": {"S": source}},
        Limit=limit,
    )
    return [str(_item(raw)["job_id"]) for raw in reply["Items"]]
