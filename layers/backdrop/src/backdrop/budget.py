"""What has been spent on each day, and the limit that an operator set for it.

Promises that a POST is charged before it is made, on the UTC day it is made, and never beyond the day's limit: one
conditional update. What was refused before it was accepted is taken back. A crash may leave a charge for what was never
posted; it never leaves a POST without its charge. Refuses nothing for a model whose price nobody publishes: it is
counted apart, and said.

The item of a day is `spend#<YYYY-MM-DD>`: `spent` in micro-dollars, `posts`, `unpriced` posts, and `extra`, what a
person allowed beyond the limit on that day.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from backdrop import table
from backdrop.errors import Parked

if TYPE_CHECKING:
    from backdrop.jobs import Job
    from backdrop.world import World

MICRO = 1_000_000  # micro-dollars in a dollar: prices have at most six places
_LOOKS = 2  # at the day's item: what was allowed beyond the limit is learnt from a refusal


def micro(dollars: str) -> int:
    """A price in dollars as whole micro-dollars; 0 for an unknown one."""
    return int(Decimal(dollars) * MICRO) if dollars else 0


def day_of(world: World) -> str:
    """Today's date in UTC."""
    return datetime.fromtimestamp(world.now(), UTC).date().isoformat()


def seconds_left(world: World) -> float:
    """Seconds until the next UTC day begins."""
    now = datetime.fromtimestamp(world.now(), UTC)
    tomorrow = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    return (tomorrow - now).total_seconds()


def item_id(day: str) -> str:
    """The key of a day's spend in the job table."""
    return f"spend#{day}"


def of_day(world: World, day: str) -> dict[str, Any]:
    """A day's item: spent, extra (micro-dollars), posts, unpriced; zeros where nothing was spent."""
    return {"spent": 0, "extra": 0, "posts": 0, "unpriced": 0} | (table.get(world, item_id(day)) or {})


def charge(world: World, job: Job, *, again: bool = False) -> str:
    """Count the job's next POST on today's spend; the mark to keep in its row, so that it is counted once.

    `again`: the repost of an attempt whose first POST may have been accepted, and stays counted.

    Raises:
        Parked: it would go beyond the day's limit.
    """
    day, price, limit = day_of(world), micro(job.price), world.settings.daily_budget
    mark = f"{job.attempt}{'r' if again or job.reposts else ''}@{day}"
    if job.charged == mark:
        return mark
    add = {"spent": price, "posts": 1} | ({} if job.price else {"unpriced": 1})
    expires = {"expires_at": int(world.now()) + world.settings.retention_days * 86_400}
    key, extra = item_id(day), 0
    item: dict[str, Any] | None = None
    for _ in range(_LOOKS):
        room = limit + extra - price
        guarded = bool(limit and price)  # an unknown price is not held by a limit
        if not guarded or room >= 0:
            guard = "attribute_not_exists(#spent) OR #spent <= :room" if guarded else ""
            values = {"room": room} if guarded else None
            tried = table.attempt(world, key, put=expires, add=add, condition=guard, values=values)
            if tried.done:
                return mark
            item = tried.item
        else:
            item = table.get(world, key)
        if not item or item.get("extra", 0) == extra:
            break
        extra = item["extra"]
    if price > limit:
        raise Parked(
            "ABOVE_BUDGET",
            f"one such job costs ${job.price}, more than the whole day's budget of ${limit / MICRO:.2f}",
            action="raise the stack's parameter DailyBudgetUsd above that price and run `backdrop resume`, "
            "or allow it for today with `backdrop resume --extra`",
            everyone=False,
        )
    if not (item or {}).get("told"):
        _tell(world, key)
    raise Parked(
        "OVER_BUDGET",
        f"this attempt's ${job.price} would exceed the day's budget of ${limit / MICRO:.2f}",
        action="it goes on by itself at 00:00 UTC; to let it go on today, allow more with `backdrop resume --extra`, "
        "or raise the stack's parameter DailyBudgetUsd and run `backdrop resume`",
        everyone=False,
    )


def _tell(world: World, key: str) -> None:
    """Say once a day that its budget is spent."""
    put = {"told": True, "expires_at": int(world.now()) + world.settings.retention_days * 86_400}
    if table.attempt(world, key, put=put, condition="attribute_not_exists(#told)").done:
        world.metric("BudgetReached")
        world.log.error("the day's budget is spent", item=key, budget_usd=world.settings.daily_budget_usd)


def refund(world: World, job: Job) -> None:
    """Take back the last charge of `job`, as its row was, for a POST that was refused before it was accepted.

    Call it after the row says so: then a crash counts too much, and never too little.
    """
    label, _, day = job.charged.partition("@")
    if label.rstrip("r") != str(job.attempt):
        return
    add = {"spent": -micro(job.price), "posts": -1} | ({} if job.price else {"unpriced": -1})
    with suppress(Exception):  # asked once: a repetition would take it back twice, none counts too much
        table.attempt(world, item_id(day), add=add, condition="attribute_exists(#spent)", once=True)


def allow(world: World, micro_dollars: int) -> int:
    """Allow so much beyond today's limit, in all; the same again allows no more. When that is spent it is said anew."""
    put = {"extra": micro_dollars, "expires_at": int(world.now()) + world.settings.retention_days * 86_400}
    item = table.attempt(world, item_id(day_of(world)), put=put, drop=("told",)).item or {}
    return int(item["extra"])
