"""`backdrop check`: after a deploy, whether it will work: keys, callback URL, secrets, parts, permissions, alarms.

Promises a line for each thing looked at, good or with what to do, and exit status 0 only if all of them are good. It
costs nothing, changes nothing and shows no key. All is asked at once, so that one slow answer holds up no other.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from backdrop import jobs
from backdrop.workflow.admitting import PROVIDERS
from backdrop_cli.operator import deployed, outside, permits
from backdrop_cli.operator.failures import PERSON
from backdrop_cli.operator.findings import Finding, Verdict, asked
from backdrop_cli.operator.reach import Found
from backdrop_cli.operator.screen import counted, say, show_json, show_table, stamp

_AT_A_TIME = 8
_WELL = frozenset({Verdict.GOOD, Verdict.UNUSED})
_SHOWN = {Verdict.GOOD: "ok", Verdict.WRONG: "WRONG", Verdict.UNTOLD: "?", Verdict.UNUSED: "-"}

type Look = tuple[str, Callable[[], Iterator[Finding]]]


def check(found: Found, *, as_json: bool) -> int:
    """Tell whether the stack will work; 0 when all is well, 3 when something needs a person or could not be told."""
    findings = gather(found)
    amiss = [one for one in findings if one.verdict not in _WELL]
    if as_json:
        show_json(
            {
                "stack": found.name,
                "region": found.where.region,
                "endpoint": found.where.endpoint_url or None,
                "at": stamp(jobs.milliseconds(found.world)),
                "well": not amiss,
                "checks": [one.as_dict() for one in findings],
            }
        )
    else:
        _show(findings, amiss)
    return PERSON if amiss else 0


def gather(found: Found) -> list[Finding]:
    """Everything that is told, in the order of a drop's way through the stack."""
    resources = deployed.parts(found)
    looks = [*_looks(found, resources)]
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        parts = pool.map(lambda look: asked(found.where, *look), looks)
        return [finding for part in parts for finding in part]


def _looks(found: Found, resources: Mapping[str, Any]) -> Iterator[Look]:
    """What is looked at. A stack on a laptop has no resources of its own."""
    yield "stack", partial(deployed.stack, found, resources)
    yield "secrets", partial(outside.secrets, found)
    for provider in PROVIDERS:
        yield f"{provider} key", partial(outside.provider, found, provider)
    yield "callback URL", partial(outside.door, found)
    yield "bucket notification", partial(deployed.notification, found)
    if not resources:
        return
    for name in deployed.FUNCTIONS:
        yield name, partial(deployed.function, found, resources, name)
    yield "start", partial(deployed.start, found, resources)
    yield "schedule", partial(deployed.schedule, found, resources)
    for name in deployed.FUNCTIONS:
        yield f"{name} permissions", partial(permits.permissions, found, resources, name)
    yield "alarms", partial(deployed.alarms, found, resources)


def _show(findings: list[Finding], amiss: list[Finding]) -> None:
    show_table(["", "what", "how it is"], [(_SHOWN[one.verdict], one.what, one.message) for one in findings])
    say()
    if not amiss:
        say("All is well.")
    for one in amiss:
        say(f"! {one.what}: {one.action or one.message}")
    if amiss:
        say(f"{counted(len(amiss), 'thing')} of {len(findings)} to look at; then run backdrop check again.")
