"""What a job's table requests are charged: a further write, a larger row or an index more is a decision.

From a cold environment, photo first and sidecar second, nothing going wrong, as in `test_requests`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import units
from faults_life import Life
from faults_scenes import scene
from faults_wire import CURRENT
from metering import Metered, metered

if TYPE_CHECKING:
    from faults_ground import Ground
    from faults_scenes import Scene

BUDGET = {  # by scene: write units, read units
    "color runs": (17, 6.0),
    "color flat zip": (19, 6.0),
    "replace": (17, 6.0),
    "bria": (17, 6.0),
    "variants": (20, 7.0),
    "change": (17, 6.0),
    "remove": (17, 6.0),
    "bria by a folder's default": (20, 5.0),
    "two jobs of one drop": (31, 13.5),
}
BATCHED = (13, 3.5)  # "bria", both files in one batch
INDEXES = {"open": ("open", "open_at", "job_id"), "by_day": ("day", "job_id")}
ROW = {"job_id": {"S": "j"}, "open": {"S": "due#1"}, "open_at": {"N": "5"}, "day": {"S": "2026-11-30#1"}}


@pytest.mark.parametrize("name", BUDGET)
def test_a_job_is_charged_no_more_than_it_needs(ground: Ground, name: str) -> None:
    """Write and read units of an undisturbed life are exactly those of the table."""
    assert _charged(ground, scene(name)) == BUDGET[name]


def test_both_files_in_one_batch_are_charged_less(ground: Ground) -> None:
    """The same job whose two events reach one invocation: no row of a drop that waits is made and taken away."""
    photo, sidecar = scene("bria").drops
    assert _charged(ground, replace(scene("bria"), drops=((*photo, *sidecar),))) == BATCHED


def _charged(ground: Ground, played: Scene) -> tuple[int, float]:
    passed: list[Metered] = []
    with metered(ground.template, lambda: CURRENT.get() is not None, passed.append):
        Life(ground, played).play()
    return sum(call.writes.total() for call in passed), sum(call.reads for call in passed)


def test_a_size_is_that_of_names_and_values() -> None:
    """UTF-8 for text, two digits a byte for numbers, three bytes and one for each member of what is nested."""
    assert units.size_of({"ä": {"S": "grün"}}) == 2 + 5
    assert units.size_of({"n": {"N": "1796035408390"}}) == 1 + 8
    assert units.size_of({"b": {"BOOL": True}}) == 2
    assert units.size_of({"m": {"M": {"k": {"S": "vv"}}}}) == 1 + 3 + 1 + 1 + 2
    assert units.size_of({"l": {"L": [{"S": "a"}, {"S": "b"}]}}) == 1 + 3 + 2 * 2


def test_a_write_is_charged_by_the_larger_of_before_and_after() -> None:
    """In steps of 1 KB, at least one: what shrinks is charged as it was, and what is refused by what is there."""
    large = {**ROW, "spec": {"S": "x" * 1500}}
    assert units.written(None, None, INDEXES) == {"table": 1}
    assert units.written(large, ROW, {}) == {"table": 2}
    assert units.written(large, large, INDEXES) == {"table": 2}


def test_an_index_is_charged_for_what_enters_moves_and_leaves() -> None:
    """A new entry is one write, a moved one two, one that leaves one, and one that stays none."""
    later = {**ROW, "open_at": {"N": "6"}}
    done = {name: value for name, value in ROW.items() if not name.startswith("open")}
    assert units.written(None, ROW, INDEXES) == {"table": 1, "open": 1, "by_day": 1}
    assert units.written(ROW, later, INDEXES) == {"table": 1, "open": 2}
    assert units.written(ROW, done, INDEXES) == {"table": 1, "open": 1}
    assert units.placed(ROW, later, INDEXES) == {"open:due#1": 2}


def test_a_read_is_charged_by_4_kb() -> None:
    """Half when it need not be consistent, and one step when nothing is there."""
    assert units.read(0, consistent=True) == 1
    assert units.read(4097, consistent=True) == 2
    assert units.read(100, consistent=False) == 0.5
