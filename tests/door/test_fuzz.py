"""The door against events of any shape: whatever a caller, or API Gateway itself, might one day hand in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench import BRIA, CUT
from doorway import event, ring
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from doorway import Doorway

ODD = [
    "\udcff",
    "\x00",
    "٣",
    "POST",
    "true",
    "runflow",
    "0" * 32,
    "1",
    "k1." + "A" * 43,
    "Runflow-Signature",
    "=",
    "{}",
]
texts = st.one_of(st.sampled_from(ODD), st.text(max_size=30))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.integers(), inner, max_size=3),
    max_leaves=8,
)
some_json = st.sampled_from(
    ['{"job_id": "x"}', '{"job_id": "x", "status": "lost"}', '{"event": "run.completed"}', "[" * 9_999]
)


def events(good: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Anything at all, or the event of a genuine call with any of its fields missing or replaced; never its body."""
    path = st.fixed_dictionaries(
        {}, optional={name: st.just(value) | anything for name, value in good["pathParameters"].items()}
    )
    headers = st.dictionaries(texts, st.lists(texts, max_size=3) | anything, max_size=4)
    fields = {
        "httpMethod": st.just("POST") | anything,
        "pathParameters": st.just(good["pathParameters"]) | path | anything,
        "multiValueHeaders": st.just(good["multiValueHeaders"]) | headers | anything,
        "headers": headers | anything,
        "body": texts | some_json | anything,
        "isBase64Encoded": st.booleans() | anything,
        "requestContext": anything,
        "queryStringParameters": anything,
    }
    sure = {"pathParameters": st.just(good["pathParameters"]), "body": texts | some_json | anything}
    rest = {name: field for name, field in fields.items() if name not in sure}
    return (
        anything
        | st.fixed_dictionaries({}, optional=fields)
        | st.fixed_dictionaries(sure, optional=rest)
        | st.fixed_dictionaries({**sure, "multiValueHeaders": st.just(good["multiValueHeaders"])})
    )


def test_no_event_of_any_shape_is_a_5xx_or_a_write(door: Doorway) -> None:
    """Fuzzed: missing keys, None and wrong types anywhere never give a 5xx or an exception, and never a write."""
    for seed, spec in enumerate((BRIA, CUT)):
        good = event(door.running(spec, seed=seed))
        before = door.stored()
        door.tap.forget()

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(told=events(good))
        def fuzz(told: Any) -> None:
            status, word = ring(told)
            assert 400 <= status < 500
            assert word in {"refused", "malformed", "unknown", "too large"}

        fuzz()
        assert set(door.asked_of_aws()) <= {"GetSecretValue"}
        assert door.stored() == before
