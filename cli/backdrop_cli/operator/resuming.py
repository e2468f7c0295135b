"""`backdrop resume`: held jobs try again now.

Promises nothing is charged that the account or the budget does not allow: what still cannot be paid is held again. It
releases no more than were held when it began, so that it ends although some are held again meanwhile.
"""

import re
from decimal import Decimal

from backdrop import budget
from backdrop.catalogue import closest
from backdrop.workflow import admitting
from backdrop_cli.operator import rows
from backdrop_cli.operator.admission import spending
from backdrop_cli.operator.failures import BAD_INPUT, Stopped
from backdrop_cli.operator.reach import Found
from backdrop_cli.operator.screen import counted, progress, say, show_json

_DOLLARS = re.compile(r"[0-9]{1,7}(\.[0-9]{1,6})?")
_MOST = 100_000  # held jobs of one partition


def resume(found: Found, *, provider: str, extra: str, as_json: bool) -> int:
    """Release the held jobs of one provider, or of all; today `extra` dollars in all may exceed the budget."""
    if provider and provider not in admitting.PROVIDERS:
        raise Stopped(_unknown(provider), BAD_INPUT)
    if extra:
        _allow(found, extra)
        if not as_json:  # said before what takes long: whoever interrupts that knows what holds
            allowed = spending(found.world)
            say(f"Today ${allowed.extra} may be spent beyond the budget of ${allowed.limit}.")
    released = _release(found, (provider,) if provider else admitting.PROVIDERS, quiet=as_json)
    today = spending(found.world)
    if as_json:
        show_json({"stack": found.name, "released": released, "spending": today.as_dict()})
        return 0
    for name, number in released.items():
        say(f"{name}: {counted(number, 'held job')} released")
    if any(released.values()):
        say("They try again now. A job whose account still refuses it is held again; nothing is charged for that.")
        if today.reached:
            say(f"Today's budget of ${today.limit} is spent: jobs over it are held again; --extra USD allows more.")
    return 0


def _release(found: Found, providers: tuple[str, ...], *, quiet: bool) -> dict[str, int]:
    """Release in turns what is held, all providers one after the other in each; how many of each."""
    released = dict.fromkeys(providers, 0)
    partitions = dict.fromkeys(name for one in providers for name in rows.held_partitions(one))
    there = sum(len(rows.opened(found.world, partition, most=_MOST).keys) for partition in partitions)
    with progress("releasing", there, quiet=quiet) as tick:
        while True:
            before = sum(released.values())
            for name in providers:
                count = admitting.resume_all(found.world, name)
                released[name] += count
                tick(count)
            if sum(released.values()) == before or sum(released.values()) >= there:
                return released


def _allow(found: Found, text: str) -> None:
    """Allow so many dollars beyond today's budget, in all: said again, it adds nothing."""
    if not _DOLLARS.fullmatch(text):
        raise Stopped(f"--extra {text!r} is no amount in dollars: write one such as 5 or 12.50", BAD_INPUT)
    if not found.world.settings.daily_budget:
        raise Stopped(
            f"the stack {found.name} has no daily budget (DailyBudgetUsd is 0): --extra adds to nothing", BAD_INPUT
        )
    budget.allow(found.world, int(Decimal(text) * budget.MICRO))


def _unknown(name: str) -> str:
    meant = closest(name, list(admitting.PROVIDERS))
    known = ", ".join(admitting.PROVIDERS)
    return f"there is no provider {name}; " + (f"did you mean {meant}?" if meant else f"there are {known}")
