"""What DynamoDB charges for a request: read and write units by the sizes of items and index entries.

Promises the rules of DynamoDB's pages: a write is charged by the larger of the item before and after, in steps of 1 KB,
one unit at least, also when its condition fails; each index entry that is made, moved or taken away is a write of its
own (moved: two); a read is charged in steps of 4 KB, half of that when it need not be consistent.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    type Item = Mapping[str, Any]  # attribute values as they are sent: {"S": "..."} and so on

WRITE_BYTES = 1024
READ_BYTES = 4096
ROW_OVERHEAD = 100  # bytes that each stored item and each stored index entry takes beside its own
_NESTED = 3  # bytes of a list or map, and one more for each member


def size_of(item: Item) -> int:
    """Bytes of an item: the names of its attributes and their values."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(attribute: Mapping[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            # Zeros at the end take no room. They are counted: else a row were larger at one moment than at another.
            digits = "" if value == "0" else str(value).lstrip("-").replace(".", "")
            return 1 + math.ceil(len(digits) / 2)
        case "L":
            return _NESTED + sum(1 + _size(member) for member in value)
        case "M":
            return _NESTED + sum(1 + len(name.encode()) + _size(member) for name, member in value.items())
    return 1  # a boolean, or nothing


def indexes_of(request: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Of a CreateTable request: each KEYS_ONLY index's attributes, its own keys first.

    Raises:
        ValueError: an index projects more than keys; its entries would change with what it projects.
    """
    own = [key["AttributeName"] for key in request["KeySchema"]]
    found: dict[str, tuple[str, ...]] = {}
    for index in request.get("GlobalSecondaryIndexes", []):
        if index["Projection"]["ProjectionType"] != "KEYS_ONLY":
            msg = f"{index['IndexName']} projects more than keys"
            raise ValueError(msg)
        keys = [key["AttributeName"] for key in index["KeySchema"]]
        found[index["IndexName"]] = (*keys, *(name for name in own if name not in keys))
    return found


def written(before: Item | None, after: Item | None, indexes: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Units of one write, by where they are charged: `table`, and each index that has to be changed.

    `after` is `before` when the condition failed; None stands for no item.
    """
    larger = max(size_of(before or {}), size_of(after or {}))
    charged = {"table": _steps(larger, WRITE_BYTES)}
    for name, attributes in indexes.items():
        then, now = _entry(before, attributes), _entry(after, attributes)
        if then != now:
            charged[name] = sum(_steps(size_of(entry), WRITE_BYTES) for entry in (then, now) if entry is not None)
    return charged


def placed(before: Item | None, after: Item | None, indexes: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The index units of one write, by `<index>:<value of its partition key>`: where a partition gets hot."""
    charged: dict[str, int] = {}
    for name, attributes in indexes.items():
        entries = (_entry(before, attributes), _entry(after, attributes))
        if entries[0] != entries[1]:
            for entry in (entry for entry in entries if entry is not None):
                where = f"{name}:{entry[attributes[0]]['S']}"
                charged[where] = charged.get(where, 0) + _steps(size_of(entry), WRITE_BYTES)
    return charged


def _entry(item: Item | None, attributes: Sequence[str]) -> Item | None:
    """What an index holds of an item: nothing, unless the item has all of its keys."""
    if item is None or any(name not in item for name in attributes):
        return None
    return {name: item[name] for name in attributes}


def read(sizes: int, *, consistent: bool) -> float:
    """Units of reading so many bytes in one request: an item, or all that a query found."""
    return _steps(sizes, READ_BYTES) * (1.0 if consistent else 0.5)


def stored(item: Item, indexes: Mapping[str, Sequence[str]]) -> int:
    """Bytes that an item takes in the table and in its indexes."""
    entries = [entry for attributes in indexes.values() if (entry := _entry(item, attributes)) is not None]
    return sum(size_of(one) + ROW_OVERHEAD for one in (item, *entries))


def _steps(size: int, step: int) -> int:
    return max(1, math.ceil(size / step))
