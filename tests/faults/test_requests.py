"""What a job asks of AWS and of its provider, request by request: a new one is a decision.

From cold environments, photo first and sidecar second where nothing else is said, nothing going wrong. A warm one saves
the secrets and the writing of the gate: six requests.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from faults_scenes import scene
from faults_verdict import record

from backdrop.world import Clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from faults_ground import Ground
    from faults_verdict import Recorded
    from faults_wire import Call

KINDS = ("table reads", "table writes", "S3 reads", "S3 lists", "S3 writes", "queue", "secrets", "provider")
READS = {"GetItem", "BatchGetItem", "Query"}
BUDGET = {  # by scene, in the order of KINDS
    "color runs": (6, 11, 7, 1, 2, 1, 4, 2),
    "color flat zip": (6, 11, 8, 1, 3, 2, 3, 2),
    "color flat image": (6, 11, 7, 1, 2, 2, 3, 2),
    "color auto, no runs route": (7, 14, 8, 1, 3, 2, 4, 3),
    "replace": (6, 11, 10, 1, 3, 1, 4, 2),
    "bria": (6, 11, 7, 1, 2, 1, 4, 2),
    "bria sync": (7, 12, 7, 1, 2, 2, 5, 1),
    "variants": (7, 12, 8, 1, 4, 2, 3, 6),
    "change": (6, 11, 7, 1, 2, 1, 4, 3),
    "remove": (6, 11, 7, 1, 2, 1, 4, 3),
    "bria by a folder's default": (6, 12, 9, 2, 2, 1, 4, 2),
    "two jobs of one drop": (13, 19, 8, 1, 4, 1, 4, 4),
}
ARRIVING = {  # "bria", otherwise arriving
    "sidecar first": (5, 11, 5, 1, 2, 0, 4, 2),
    "both in one batch": (3, 9, 3, 1, 2, 0, 4, 2),
}


def kind_of(call: Call) -> str:
    """Which column a call counts in."""
    verb = call.name.split()[1]
    if call.service == "dynamodb":
        return "table reads" if verb in READS else "table writes"
    if call.service == "s3":
        if call.name.endswith(" list"):
            return "S3 lists"
        return "S3 reads" if verb in {"GET", "HEAD"} else "S3 writes"
    return {"sqs": "queue", "secretsmanager": "secrets"}.get(call.service, "provider")


@pytest.mark.parametrize("name", BUDGET)
def test_a_job_asks_for_no_more_than_it_needs(recorded: Callable[[str], Recorded], name: str) -> None:
    """Requests of each kind in an undisturbed life are exactly those of the table."""
    assert _counted(recorded(name).calls) == BUDGET[name]


@pytest.mark.parametrize("name", ARRIVING)
def test_other_orders_of_arrival_ask_for_no_more(ground: Ground, name: str) -> None:
    """The same job whose sidecar comes first, and one whose two events reach one invocation, which looks once."""
    photo, sidecar = scene("bria").drops
    drops = (sidecar, photo) if name == "sidecar first" else ((*photo, *sidecar),)
    assert _counted(record(ground, replace(scene("bria"), drops=drops)).calls) == ARRIVING[name]


def test_making_clients_asks_nobody(ground: Ground, recorded: Callable[[str], Recorded]) -> None:
    """Environments may share their clients: with its own, boto3's whole ones, each asks for just the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(ground), "environment", lambda _: Clients())
        assert record(ground, scene("bria")).names == recorded("bria").names


def _counted(calls: Iterable[Call]) -> tuple[int, ...]:
    counted = Counter(kind_of(call) for call in calls)
    return tuple(counted[kind] for kind in KINDS)
