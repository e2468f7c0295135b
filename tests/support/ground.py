"""A World on moto's servers over real HTTP, for tests of one module: fresh buckets and secrets for each."""

from __future__ import annotations

import logging
import os
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest
from moto.server import ThreadedMotoServer

from backdrop.settings import Settings
from backdrop.world import Clients, World

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Notebook:
    """A log that keeps its lines."""

    lines: list[tuple[object, dict[str, Any]]] = field(default_factory=list)

    def _keep(self, msg: object, **fields: Any) -> None:
        self.lines.append((msg, fields))

    debug = info = warning = error = _keep


@dataclass
class Clock:
    """A clock that a test moves."""

    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        """Unix seconds."""
        return self.seconds


@contextmanager
def moto() -> Iterator[str]:
    """Serve AWS on loopback, with the environment pointing there; its URL."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", url)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        try:
            yield url
        finally:
            server.stop()


@lru_cache(maxsize=8)
def _clients(_endpoint: str | None) -> Clients:
    return Clients()


def fresh(clients: Clients | None = None, **more: Any) -> World:
    """A World whose bucket and secrets bear names that no other test has; nothing is created. Its clock is a Clock.

    Clients are shared by all Worlds of one endpoint unless they are handed in: making them takes longest.
    """
    tag = uuid.uuid4().hex[:12]
    names: dict[str, Any] = {
        "job_table": f"jobs-{tag}",
        "input_bucket": f"in-{tag}",
        "output_bucket": f"out-{tag}",
        "staging_bucket": f"staging-{tag}",
        "work_queue_url": f"http://127.0.0.1/{tag}",
        "provider_secret": f"providers-{tag}",
        "callback_secret": f"callbacks-{tag}",
        "callback_base_url": "https://hooks.example.test/prod/",
    }
    return World(
        Settings(**{**names, **more}), clients or _clients(os.environ.get("AWS_ENDPOINT_URL")), Notebook(), now=Clock()
    )
