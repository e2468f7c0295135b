"""How findings are judged; what is found is `make findings`' to say, in an environment of its own."""

from __future__ import annotations

from findings import MOST_SKIPPED, SKIPPED, Finding, judge

KNOWN = [Finding("a tool", rule, "Api", "says something") for rule in SKIPPED]


def test_what_has_a_reason_is_let_be() -> None:
    """The findings that are skipped, and no others: there is nothing to say."""
    assert judge(KNOWN) == []


def test_any_other_finding_is_told() -> None:
    """A finding without a reason is told with its rule and its place."""
    (told,) = judge([*KNOWN, Finding("checkov", "CKV_AWS_19", "InputBucket", "not encrypted")])
    assert "CKV_AWS_19" in told
    assert "InputBucket" in told


def test_a_reason_that_is_needed_no_more_is_told() -> None:
    """A rule that has nothing left to find is to be taken out again."""
    (told,) = judge(KNOWN[1:])
    assert told.startswith(KNOWN[0].rule)


def test_five_rules_are_skipped_at_most() -> None:
    """Of all tools together, each with its reason."""
    assert len(SKIPPED) <= MOST_SKIPPED == 5
    assert all(len(reason.split()) > 5 for reason in SKIPPED.values())
