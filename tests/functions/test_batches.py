"""A batch of messages: which of them come again, and what is said of them."""

from __future__ import annotations

from typing import Any

import pytest
from ground import Notebook, fresh

from backdrop import batches


def batch(*bodies: str) -> dict[str, Any]:
    """An SQS event; each message is named by its place."""
    return {"Records": [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies)]}


def taking(body: str) -> None:
    """Fail on what says so, quoting what must not be repeated."""
    if body.startswith("bad"):
        raise ValueError(f"key rf_live_secret of {body}")


def test_only_what_failed_comes_again() -> None:
    """Messages after a failed one are taken, and the reply names the failed ones in their order."""
    taken: list[str] = []

    def noting(body: str) -> None:
        taken.append(body)
        taking(body)

    reply = batches.take(fresh(), batch("a", "bad b", "c", "bad d"), noting)
    assert taken == ["a", "bad b", "c", "bad d"]
    assert reply == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m3"}]}


@pytest.mark.parametrize("bodies", [(), ("a",), ("a", "b")])
def test_a_batch_that_went_well_names_nothing(bodies: tuple[str, ...]) -> None:
    """An empty list tells SQS to delete them all; a batch without messages is well too."""
    assert batches.take(fresh(), batch(*bodies), taking) == {"batchItemFailures": []}


@pytest.mark.parametrize("bodies", [("bad a",), ("bad a", "bad b")])
def test_a_batch_that_failed_whole_is_an_error(bodies: tuple[str, ...]) -> None:
    """When nothing of a batch could be taken the function fails, so that its alarm sees it."""
    with pytest.raises(batches.AllFailed, match=f"each of {len(bodies)} messages failed"):
        batches.take(fresh(), batch(*bodies), taking)


def test_a_failure_is_logged_without_its_words() -> None:
    """The log tells the message's id and the kind of error, never the error's text or the body."""
    world = fresh()
    batches.take(world, batch("a", "bad b"), taking)
    assert isinstance(world.log, Notebook)
    assert world.log.lines == [("message failed", {"message_id": "m1", "error": "ValueError"})]
