"""The states of a job and the moves between them, as data.

Promises that a move which is not in `MOVES` cannot be written: `jobs` builds every conditional update from this
table. Refuses nothing itself; it holds no I/O and no clock.
"""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a job stands. SUCCEEDED and FAILED are terminal."""

    QUEUED = "QUEUED"
    SUBMITTING = "SUBMITTING"
    RUNNING = "RUNNING"
    DELIVERING = "DELIVERING"
    HELD = "HELD"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED})
OPEN = frozenset(State) - TERMINAL
SWEPT = OPEN - {State.QUEUED, State.HELD}  # those that the sweep looks at by time, not their provider's gate


class Move(NamedTuple):
    """One allowed change: from any of `sources` to `target`, and why it happens."""

    sources: frozenset[State]
    target: State
    why: str


def _move(target: State, *sources: State, why: str) -> Move:
    return Move(frozenset(sources), target, why)


_S = State

MOVES: dict[str, Move] = {
    "claim": _move(_S.SUBMITTING, _S.QUEUED, why="its turn has come: a lease is taken before the paid POST"),
    "reclaim": _move(_S.SUBMITTING, _S.SUBMITTING, why="a lease ran out, so the last POST is unknown: ask first"),
    "doubt": _move(_S.SUBMITTING, _S.SUBMITTING, why="the POST went unanswered: it may have been accepted"),
    "accept": _move(_S.RUNNING, _S.SUBMITTING, why="the provider took it and named a run"),
    "postpone": _move(_S.QUEUED, _S.SUBMITTING, why="the provider is busy and said so before accepting"),
    "hold": _move(_S.HELD, _S.QUEUED, _S.SUBMITTING, why="the account cannot pay or is not let in"),
    "resume": _move(_S.QUEUED, _S.HELD, why="the account may be in order again: by itself or by command"),
    "watch": _move(_S.RUNNING, _S.RUNNING, why="asked, and it is still running: look again later"),
    "revive": _move(
        _S.RUNNING, _S.FAILED, why="its run is said to have succeeded after all: asked until it is certain"
    ),
    "finish": _move(
        _S.DELIVERING,
        _S.SUBMITTING,
        _S.RUNNING,
        _S.QUEUED,
        _S.HELD,
        _S.FAILED,
        why="a success of any opened attempt is taken: it is paid for",
    ),
    "retake": _move(_S.DELIVERING, _S.DELIVERING, why="a delivery's lease ran out or its fetch failed: again"),
    "lose": _move(_S.SUBMITTING, _S.DELIVERING, why="the one reply that named the result is lost: it went unanswered"),
    "deliver": _move(_S.SUCCEEDED, _S.DELIVERING, why="every output is whole in the output bucket"),
    "retry": _move(_S.QUEUED, _S.SUBMITTING, _S.RUNNING, _S.DELIVERING, why="a retryable failure opens a new attempt"),
    "fail": _move(
        _S.FAILED,
        _S.QUEUED,
        _S.SUBMITTING,
        _S.RUNNING,
        _S.DELIVERING,
        _S.HELD,
        why="the final no, with its reason",
    ),
    "redrive": _move(_S.QUEUED, _S.FAILED, why="dropped again or asked for by command: a new attempt"),
}


def allows(name: str, state: State) -> bool:
    """Whether the move `name` may be made from `state`."""
    return state in MOVES[name].sources
