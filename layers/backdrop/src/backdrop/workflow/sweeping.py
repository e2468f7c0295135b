"""Finds whatever is due, whatever became of messages, leases and callbacks.

Promises that each row found is moved on in time before its work is sent, so that a sweep that dies loses nothing and
two sweeps at once send it once. Bounded by rows and by the time left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backdrop import jobs, keys, table, work
from backdrop.workflow import admitting

if TYPE_CHECKING:
    from backdrop.world import World

LOOK_AGAIN = 60.0  # seconds a row that was sent has until it is sent again
PAGE = 100
MOST_PAGES = 20  # of one shard in one sweep
TIME_MARGIN = 10.0


def sweep(world: World) -> int:
    """Send every due row to the work queue, and tend every provider's gate; how many were sent."""
    sent = sum(_sweep_shard(world, f"due#{shard}") for shard in range(keys.DUE_SHARDS))
    for provider in admitting.PROVIDERS:
        try:
            sent += admitting.tend(world, provider)
        except Exception as error:  # noqa: BLE001 - one provider's gate must not stop the others'
            world.log.warning("gate not tended", provider=provider, error=type(error).__name__)
    return sent


def _sweep_shard(world: World, partition: str) -> int:
    sent = 0
    for _ in range(MOST_PAGES):
        if world.time_left() < TIME_MARGIN:
            break
        page = list(table.due(world, partition, jobs.milliseconds(world), limit=PAGE))
        moved = [row for row, seen in page if jobs.look_again(world, row, seen, look_in=_pause(world, row))]
        work.send_all(world, [_message(world, row) for row in moved])
        sent += len(moved)
        if len(page) < PAGE:
            break
    return sent


def _pause(world: World, row: str) -> float:
    return float(world.settings.pairing_seconds) if row.startswith("drop#") else LOOK_AGAIN


def _message(world: World, row: str) -> object:
    """What to send for a row; a drop's key is in the row, its id only names it."""
    if row.startswith("drop#") and (item := table.get(world, row)):
        return work.waiting(item["bucket"], item["key"])
    return work.job(row)
