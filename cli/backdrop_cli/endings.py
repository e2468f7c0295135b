"""How a command ends that is told to: by Ctrl-C, by SIGTERM, or with its terminal."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ended_alike() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal all end a command in order, even where a shell had the first ignored."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), signal.default_int_handler) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
