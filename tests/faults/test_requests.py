"""What a job asks of AWS and of its provider, request by request: a new one is a decision.

From cold environments, photo first and sidecar second, nothing going wrong. A warm one saves the secrets and the
writing of the gate: six requests.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from faults_scenes import scene
from faults_verdict import record

from backdrop.world import Clients

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults_ground import Ground
    from faults_verdict import Recorded
    from faults_wire import Call

KINDS = ("table reads", "table writes", "S3 reads", "S3 lists", "S3 writes", "queue", "secrets", "provider")
READS = {"GetItem", "Query"}
BUDGET = {  # by scene, in the order of KINDS
    "color runs": (4, 12, 4, 4, 2, 0, 4, 2),
    "color flat zip": (4, 11, 5, 4, 3, 1, 3, 2),
    "color flat image": (4, 11, 4, 4, 2, 1, 3, 2),
    "color auto, no runs route": (5, 15, 5, 4, 3, 1, 4, 3),
    "replace": (4, 12, 7, 4, 3, 0, 4, 2),
    "bria": (4, 12, 4, 4, 2, 0, 4, 2),
    "bria sync": (5, 12, 4, 4, 2, 1, 5, 1),
    "variants": (5, 12, 5, 4, 4, 1, 3, 6),
    "change": (4, 12, 4, 4, 2, 0, 4, 3),
    "remove": (4, 12, 4, 4, 2, 0, 4, 3),
    "bria by a folder's default": (5, 12, 7, 4, 2, 1, 4, 2),
    "two jobs of one drop": (11, 20, 5, 4, 4, 0, 4, 4),
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
    counted = Counter(kind_of(call) for call in recorded(name).calls)
    assert tuple(counted[kind] for kind in KINDS) == BUDGET[name]


def test_making_clients_asks_nobody(ground: Ground, recorded: Callable[[str], Recorded]) -> None:
    """Environments may share their clients: with clients of its own each asks for just the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(ground), "environment", lambda _: Clients())
        assert record(ground, scene("bria")).names == recorded("bria").names
