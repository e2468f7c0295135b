"""Python's garbage collector, which finds nothing while an environment loads what it needs.

Promises that it looks rarely, not never, from `rest` to the first `work`: the modules of a first invocation are a
hundred thousand objects that all stay, and looking through them time and again takes an eighth of it. Whoever makes
large objects in circles, as httpx does of a request and its body, calls `work` before.
"""

import gc

LOADING = 100_000  # objects made, less those that are gone, between two looks

_usual: list[tuple[int, int, int]] = []


def rest() -> None:
    """Look rarely, until `work`."""
    if not _usual:
        _usual.append(gc.get_threshold())
        gc.set_threshold(LOADING, *_usual[0][1:])


def work() -> None:
    """Look as often as before `rest`."""
    if _usual:
        gc.set_threshold(*_usual.pop())
