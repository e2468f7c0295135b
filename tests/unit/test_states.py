"""The table of moves is the design's picture, neither more nor less."""

import pytest

from backdrop.states import MOVES, OPEN, TERMINAL, State, allows

# One line a move: its name, where it may start, where it ends.
DESIGN = {
    "claim": ("QUEUED", "SUBMITTING"),
    "reclaim": ("SUBMITTING", "SUBMITTING"),
    "doubt": ("SUBMITTING", "SUBMITTING"),
    "accept": ("SUBMITTING", "RUNNING"),
    "postpone": ("SUBMITTING", "QUEUED"),
    "hold": ("QUEUED SUBMITTING", "HELD"),
    "resume": ("HELD", "QUEUED"),
    "watch": ("RUNNING", "RUNNING"),
    "revive": ("FAILED", "RUNNING"),
    "finish": ("SUBMITTING RUNNING QUEUED HELD FAILED", "DELIVERING"),
    "retake": ("DELIVERING", "DELIVERING"),
    "lose": ("DELIVERING", "SUBMITTING"),
    "deliver": ("DELIVERING", "SUCCEEDED"),
    "retry": ("SUBMITTING RUNNING DELIVERING", "QUEUED"),
    "fail": ("QUEUED SUBMITTING RUNNING DELIVERING HELD", "FAILED"),
    "redrive": ("FAILED", "QUEUED"),
}


def test_the_moves_are_those_of_the_design() -> None:
    """Each move starts and ends where the design draws it, and says why it is made."""
    found = {name: ({str(s) for s in move.sources}, str(move.target)) for name, move in MOVES.items()}
    assert found == {name: (set(sources.split()), target) for name, (sources, target) in DESIGN.items()}
    assert all(move.why for move in MOVES.values())


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", sorted(DESIGN))
def test_a_move_is_allowed_only_from_its_sources(name: str, state: State) -> None:
    """`allows` says yes for every source of a move and no for every other state."""
    assert allows(name, state) is (str(state) in DESIGN[name][0].split())


def test_a_move_cannot_be_changed() -> None:
    """A move is a fact: no code can widen its sources."""
    with pytest.raises(AttributeError):
        MOVES["claim"].target = State.FAILED  # type: ignore[misc] # what must not work
    with pytest.raises((AttributeError, TypeError)):
        MOVES["claim"].extra = 1  # type: ignore[attr-defined] # the same


def test_open_is_every_other_state() -> None:
    """A job is open in exactly the states that are not terminal."""
    assert {str(state) for state in OPEN} == {"QUEUED", "SUBMITTING", "RUNNING", "DELIVERING", "HELD"}


def test_terminal_states_end() -> None:
    """SUCCEEDED is left by no move; FAILED only by a redrive or by a late success, which is paid for."""
    assert {State.SUCCEEDED, State.FAILED} == TERMINAL
    assert set(State) == OPEN | TERMINAL
    assert not OPEN & TERMINAL
    leaving = {name for name, move in MOVES.items() if move.sources & TERMINAL}
    assert leaving == {"redrive", "finish", "revive"}
    assert not any(State.SUCCEEDED in move.sources for move in MOVES.values())
