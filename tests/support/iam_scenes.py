"""The scenes in which every permission of every function is used.

Promises that the functions' own handlers do what they do when a drop is refused, mended, deleted or comes again; when
an event, a callback or a whole invocation is lost; when an account, the day's budget or a provider's pace holds a job;
and when a result is large, or ends too early. With `faults_scenes` (every model in each form, ended by callback and by
poll) that is every way to every call. Each scene makes sure that it came to what it is there for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import picture
from faults_scenes import BRIA, REMOVE, SCENES
from faults_wire import Fault
from homecoming import MIB, large, sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_stage import Stage

LONG = 10 * MIB  # a first part and a second: a result of more than 8 MiB goes in parts


def whole() -> Iterator[bytes]:
    """A result that goes in parts."""
    return sent(large(LONG))


def cut() -> Iterator[bytes]:
    """One of which a part is stored when it turns out to lack its end."""
    return sent(large(LONG, end=b""))


def photo(seed: int = 0) -> bytes:
    """A tiny one: the sandbox draws it in milliseconds."""
    return picture(seed=seed, size=(64, 48))


def spec_first(stage: Stage) -> None:
    """The other order of arrival."""
    life = stage.life()
    life.put("a.png.json", BRIA)
    life.now()
    life.put("a.png", photo())
    life.end()


def refused_and_mended(stage: Stage) -> None:
    """A spec that is wrong, and then is right while no callback comes: the poll takes the error file away."""
    life = stage.life(callback_lost=True)
    life.put("a.png", photo())
    life.put("a.png.json", {**BRIA, "input": {"colour": 3}})
    life.now()
    assert life.errors() == ["a.png"]
    life.put("a.png.json", BRIA)
    life.end()


def stray_files_and_empty_ones(stage: Stage) -> None:
    """What is neither photo nor spec is answered, and the answer goes with it; so is a photo without a byte."""
    life = stage.life()
    life.put("notes.txt", b"for later")
    life.put("empty.png", b"")
    life.put("empty.png.json", BRIA)
    life.later()
    assert life.errors() == ["empty.png", "notes.txt"]
    for name in ("notes.txt", "empty.png", "empty.png.json"):
        life.delete(name)
        life.later()
    assert life.errors() == []


def half_a_drop(stage: Stage) -> None:
    """A photo without a spec and a spec without a photo are told of; what comes after all is taken."""
    life = stage.life()
    life.put("a.png", photo())
    life.put("b.png.json", BRIA)
    life.later()
    assert life.errors() == ["a.png", "b.png"]
    life.put("a.png.json", BRIA)
    life.put("b.png", photo(1))
    life.end()


def event_lost(stage: Stage) -> None:
    """S3 never said that the spec came: the sweep looks at the photo that waits, and finds it."""
    life = stage.life()
    life.put("a.png", photo())
    life.now()
    life.put("a.png.json", BRIA)
    life.lose_event()
    life.end()


def there_before(stage: Stage) -> None:
    """A photo and its sidecar lay there before the stack did: the operator asks for them."""
    life = stage.life()
    life.put("a.png.json", BRIA)
    life.lose_event()
    life.put("a.png", photo())
    life.lose_event()
    life.backfill("a.png")
    life.end()


def deleted_while_it_waits(stage: Stage) -> None:
    """A photo that is deleted before its turn cancels its job."""
    life = stage.life(rate_limited={"retry_after": 600})
    life.put("a.png", photo())
    life.put("a.png.json", BRIA)
    life.now()
    assert life.states() == ["QUEUED"]
    life.delete("a.png")
    life.now()
    assert life.states() == ["FAILED"]


def failed_and_dropped_again(stage: Stage) -> None:
    """A run that fails for good, told by callback; then the same photo again, which is another attempt."""
    life = stage.life(run_fails={"times": 1, "retryable": False})
    life.put("a.png", photo())
    life.put("a.png.json", BRIA)
    life.later()
    assert (life.states(), life.errors()) == (["FAILED"], ["a.png"])
    life.put("a.png", photo())
    life.end()


def account_without_credits(stage: Stage) -> None:
    """Two jobs are held when the account is empty, and go on when it is not."""
    life = stage.life(settings={"HOLD_RETRY_SECONDS": "60"}, no_credits={"times": 2})
    for name in ("a.png", "b.png"):
        life.put(name, photo(len(life.calls)))
        life.put(f"{name}.json", BRIA)
        life.now()
    assert life.states() == ["HELD", "HELD"]
    life.end()


def budget_spent(stage: Stage) -> None:
    """The day's budget has room for one job; the other is held until the next day."""
    life = stage.life(settings={"DAILY_BUDGET_USD": "0.02", "POLL_AFTER_SECONDS": "3600"})
    for name in ("a.png", "b.png"):
        life.put(name, photo(len(life.calls)))
        life.put(f"{name}.json", BRIA)
        life.now()
    assert "HELD" in life.states()
    life.end()


def one_at_a_time(stage: Stage) -> None:
    """A provider that takes one job at a time: who is done hands its place to the next."""
    life = stage.life(settings={"IMAGEPIPELINE_AT_A_TIME": "1"})
    for name in ("a.png", "b.png"):
        life.put(name, photo(len(life.calls)))
        life.put(f"{name}.json", REMOVE)
    life.end()


def large_result_by_callback(stage: Stage) -> None:
    """It ends too early, twice, once for the webhook and once for reconcile; then it is brought home in parts."""
    with stage.crooked(cut, cut, whole) as (life, provider):
        life.put("a.png", photo())
        life.put("a.png.json", BRIA)
        life.now()
        life.call_back(provider)
        life.end()


def large_result_of_a_dead_invocation(stage: Stage) -> None:
    """Its last part was stored when the invocation died: it is found, and read for its digest."""
    with stage.crooked(whole) as (life, _):
        life.put("a.png", photo())
        life.put("a.png.json", BRIA)
        life.strike(Fault.KILLED_AFTER, "reconcile", "POST uploadId=")
        life.end()


def large_result_at_once(stage: Stage) -> None:
    """The answer to the POST names it, so submit fetches it: it ends too early, and reconcile brings it home."""
    with stage.crooked(cut, whole) as (life, provider):
        provider.at_once = True
        life.put("a.png", photo())
        life.put("a.png.json", BRIA)
        life.end()


DIRECTED: tuple[Callable[[Stage], None], ...] = (
    spec_first,
    refused_and_mended,
    stray_files_and_empty_ones,
    half_a_drop,
    event_lost,
    there_before,
    deleted_while_it_waits,
    failed_and_dropped_again,
    account_without_credits,
    budget_spent,
    one_at_a_time,
    large_result_by_callback,
    large_result_of_a_dead_invocation,
    large_result_at_once,
)


def play_all(stage: Stage) -> None:
    """Every scene, the harness's own first."""
    for scene in SCENES:
        stage.of(scene).play()
    for directed in DIRECTED:
        directed(stage)
