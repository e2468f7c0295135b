"""What the benches count with: shares of busy places, lines of the bill, and the rate at which the gate binds."""

from __future__ import annotations

from collections import Counter

import prices
import pytest
from cost_usage import of_calls, sampled, thousand
from metering import Metered
from quotas_limits import PARTITION_WRITES, RUN_SECONDS, Constants, gate_rate
from scale import AT_A_TIME, busy

RUN = 12.8  # seconds


def _call(service: str, verb: str, **more: object) -> Metered:
    return Metered(service, verb, 200, sent=1, received=1, seconds=0.0, **more)  # type: ignore[arg-type]


def test_a_provider_without_a_gap_is_wholly_busy() -> None:
    """Each run begins when the one before it in its place ends."""
    assert busy([RUN * turn for turn in range(20) for _ in range(AT_A_TIME)]) == pytest.approx(100)


def test_a_gap_between_runs_is_idle() -> None:
    """A place that stands empty for a fifth of its time was busy for four fifths."""
    assert busy([RUN * 1.25 * turn for turn in range(200) for _ in range(AT_A_TIME)]) == pytest.approx(80, abs=0.5)


def test_each_request_is_in_one_line_of_the_bill() -> None:
    """S3 by method, the table by units, a delete of an object free, a provider's request nobody's."""
    calls = [
        _call("s3", "LIST", what="inputbucket"),
        _call("s3", "HEAD", what="outputbucket"),
        _call("s3", "PUT", what="outputbucket"),
        _call("s3", "PUT", what="stagingbucket"),
        _call("s3", "DELETE", what="outputbucket"),
        _call("dynamodb", "UpdateItem", writes=Counter({"table": 2, "open": 2})),
        _call("dynamodb", "Query", reads=0.5),
        _call("sqs", "SendMessage"),
        _call("secretsmanager", "GetSecretValue"),
        _call("runflow", "submit"),
    ]
    used = {name: amount for name, amount in of_calls(calls).items() if amount}
    told = {"S3 lists": 1, "S3 reads": 1, "S3 writes": 2, "output events": 1, "table writes": 4, "table reads": 0.5}
    assert used == {**told, "queues": 1, "secrets": 1}
    assert thousand({"S3 lists": 4}) == {"S3 lists": pytest.approx(0.02)}


def test_few_invocations_are_all_traced_and_of_many_one_in_twenty() -> None:
    """The first of each second is recorded, and 5 % of the rest."""
    assert [prices.traced(rate) for rate in (0.1, 1.0)] == [1.0, 1.0]
    assert prices.traced(21.0) == pytest.approx(2 / 21)
    assert prices.traced(1e6) == pytest.approx(0.05, rel=1e-4)
    assert sampled({"traces": 3.0, "queues": 2.0}, 21 * 86_400) == {"traces": pytest.approx(6 / 21), "queues": 2.0}


def test_what_has_no_price_is_not_priced() -> None:
    """A line that nobody looked up is an error, not nothing."""
    with pytest.raises(KeyError):
        thousand({"rockets": 1})


def test_the_gate_binds_where_its_writes_fill_a_partition() -> None:
    """At the rate found, the writes of an item with all jobs under way in it are just the partition's units."""
    nothing: dict[str, float] = {}
    told = Constants(nothing, nothing, nothing, nothing, nothing, 3.0, 60.0, 50.0, nothing)
    rate = gate_rate(told)
    kilobytes = (60.0 + 50.0 * rate * RUN_SECONDS) / 1024
    assert 3.0 * rate * kilobytes == pytest.approx(PARTITION_WRITES)
