"""The functions' service models, out of the installed botocore's: `python -m backdrop_cli.service_models`.

Promises botocore's own words for every operation that the library names in `lean.OPERATIONS`, with every shape that
these reach, and nothing else: no documentation, no other operation. Refuses an operation that botocore does not know.
The rules by which a service's endpoint is found stay those of the runtime's own botocore, which has to understand them.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.loaders

from backdrop.lean import MODELS, OPERATIONS

SAID_ELSEWHERE = frozenset({"documentation", "documentationUrl", "examples"})


def files() -> dict[str, str]:
    """Every file's text, by its path under `lean.MODELS`."""
    loader = botocore.loaders.create_loader()
    made = {"endpoints": endpoints(loader.load_data("endpoints"))}
    for service, operations in OPERATIONS.items():
        name = f"{service}/{loader.determine_latest_version(service, 'service-2')}/service-2"
        made[name] = model(loader.load_data(name), operations)
    return {f"{name}.json": json.dumps(told, separators=(",", ":")) + "\n" for name, told in made.items()}


def endpoints(told: Mapping[str, Any]) -> dict[str, Any]:
    """AWS's regions and partitions, with the endpoints of our services alone."""
    partitions = [
        {**partition, "services": {name: told for name, told in partition["services"].items() if name in OPERATIONS}}
        for partition in told["partitions"]
    ]
    return {**told, "partitions": partitions}


def model(told: Mapping[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    """A service's model with these operations alone, and the shapes that they reach.

    Raises:
        KeyError: the service has no such operation.
    """
    kept = {name: _bare(told["operations"][name]) for name in operations}
    shapes: dict[str, Any] = {}
    waiting = [name for operation in kept.values() for name in _named(operation)]
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = _bare(told["shapes"][name])
            waiting += _named(shapes[name])
    rest = {name: part for name, part in told.items() if name not in {"operations", "shapes", *SAID_ELSEWHERE}}
    return {**rest, "operations": kept, "shapes": {name: shapes[name] for name in sorted(shapes)}}


def _named(told: Any) -> Iterator[str]:
    """The shapes that a part of a model names."""
    for part in told.values() if isinstance(told, dict) else told if isinstance(told, list) else ():
        yield from _named(part)
    if isinstance(told, dict) and isinstance(told.get("shape"), str):
        yield told["shape"]


def _bare(told: Any) -> Any:
    """The same without what is only for people."""
    if isinstance(told, dict):
        return {name: _bare(part) for name, part in told.items() if name not in SAID_ELSEWHERE}
    return [_bare(part) for part in told] if isinstance(told, list) else told


def write(folder: Path = MODELS) -> None:
    """Write every file, and remove any other."""
    made = {folder / name: text for name, text in files().items()}
    for old in folder.rglob("*.json"):
        if old not in made:
            old.unlink()
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
