"""What `check` finds: a line for each thing that was looked at, good, wrong, or not to be told.

Promises that one thing which cannot be asked leaves the others unharmed, and that no line repeats what AWS quotes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from backdrop_cli.operator.failures import Stopped, Where, told


class Verdict(StrEnum):
    """How a thing is. UNTOLD is not good: only what was seen to be well is."""

    GOOD = "good"
    WRONG = "wrong"
    UNTOLD = "untold"
    UNUSED = "unused"  # not there, and need not be


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `action` says what to do; empty where there is nothing to do."""

    what: str
    verdict: Verdict
    message: str
    action: str = ""

    def as_dict(self) -> dict[str, str]:
        """It for a script."""
        return {"what": self.what, "verdict": str(self.verdict), "message": self.message, "action": self.action}


def good(what: str, message: str) -> Finding:
    """It is as it should be."""
    return Finding(what, Verdict.GOOD, message)


def wrong(what: str, message: str, action: str) -> Finding:
    """It needs a person, who is told what to do."""
    return Finding(what, Verdict.WRONG, message, action)


def untold(what: str, message: str, action: str = "") -> Finding:
    """It could not be seen."""
    return Finding(what, Verdict.UNTOLD, message, action)


def unused(what: str, message: str) -> Finding:
    """It is not there, and nothing needs it."""
    return Finding(what, Verdict.UNUSED, message)


def asked(where: Where, what: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What `look` finds; what AWS refuses to tell becomes a line of its own, after what was found before."""
    found: list[Finding] = []
    try:
        with told(where):
            for one in look():
                found.append(one)  # noqa: PERF402 - what was found before a refusal stays
    except Stopped as stopped:
        message, told_what_to_do, action = str(stopped).rpartition(": ")
        if not told_what_to_do:
            message, action = action, "look in the AWS console, or ask somebody who may see that"
        found.append(untold(what, message, action))
    return found
