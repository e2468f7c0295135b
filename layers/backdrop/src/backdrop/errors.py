"""What can go wrong, each leaf one behaviour.

    BackdropError
     ├── Rejected          the drop is wrong: spec or image. Terminal; the reason is written next to the output.
     ├── Parked            the account is wrong: no credits, bad key, over budget. The job waits; nothing was paid.
     ├── Later             the world is busy and said so before accepting. Waits its turn, loses nothing.
     ├── Unknown           a paid POST may or may not have been accepted. Never repeated blindly.
     ├── Expired           a result's URL no longer gives it. A fresh one is asked for before anything is called failed.
     └── ProviderFailed    the provider ran it and said no, or what it delivered cannot be taken.

Every error carries a `code` for machines, a sentence for people and, in `action`, what that person can do.
None of these texts may hold a key, a token or a presigned query: callers pass only fields they name.
"""

from typing import Any, NamedTuple


class Problem(NamedTuple):
    """One thing wrong with a drop.

    `where` is a line or a field ("line 3, jobs.0.input.color_red") or empty when it is the file as a whole.
    """

    code: str
    message: str
    action: str
    where: str = ""

    def as_dict(self) -> dict[str, str]:
        """The problem as it stands in an error file; an empty `where` is left out."""
        told = {"code": self.code, "where": self.where, "message": self.message, "action": self.action}
        return {name: text for name, text in told.items() if text}


class BackdropError(Exception):
    """The root. `code` is stable, upper case with underscores; `action` tells a person what to do."""

    def __init__(self, code: str, message: str, *, action: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.action = action

    def as_problem(self) -> Problem:
        """The error as one entry of an error file."""
        return Problem(code=self.code, message=self.message, action=self.action)


class Rejected(BackdropError):
    """The drop cannot become a job as it stands. Holds every problem found, at least one."""

    def __init__(self, *problems: Problem) -> None:
        if not problems:
            msg = "a rejection needs at least one problem"
            raise ValueError(msg)
        first = problems[0]
        super().__init__(first.code, first.message, action=first.action)
        self.problems = problems


class Parked(BackdropError):
    """The account cannot pay or is not let in: the job is HELD, nothing was charged.

    `everyone`: no job of this provider can be paid for, so none is to be posted meanwhile.
    """

    def __init__(self, code: str, message: str, *, action: str = "", everyone: bool = True) -> None:
        super().__init__(code, message, action=action)
        self.everyone = everyone


class Later(BackdropError):
    """Known not to have been accepted; worth the same request again after `retry_after` seconds.

    `form`, when set, is the route to take next time (background-color's `flat` after `runs` answered 404 or 405).
    `everyone`: it is the provider that is busy, not this job, so nobody is to ask it meanwhile.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after: float | None = None,
        form: str = "",
        action: str = "",
        everyone: bool = False,
    ) -> None:
        super().__init__(code, message, action=action)
        self.retry_after = retry_after
        self.form = form
        self.everyone = everyone


class Unknown(BackdropError):
    """The request left, no usable answer came: it may have been accepted and charged."""


class Expired(BackdropError):
    """The URL no longer gives the result: ask the provider for a fresh one before anything is called failed."""


class ProviderFailed(BackdropError):
    """The provider's final no. `retryable`: a new attempt may succeed. `facts`: named fields of its reply, kept."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        action: str = "",
        facts: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message, action=action)
        self.retryable = retryable
        self.facts = dict(facts or {})
