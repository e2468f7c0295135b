"""The connections of one server, so that trouble can cut one off.

Promises that a request's connection can be ended without an answer, or in the middle of one after what was written
is sent. ASGI has no message for either, so uvicorn's protocol class is told apart by its one hook.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Connections:
    """The open connections by the client's address and port."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol(self) -> type[H11Protocol]:
        """A protocol class for uvicorn's `http` setting that keeps this register."""
        register = self._open

        class Registered(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
                super().connection_made(transport)
                if self.client is not None:
                    register[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                if self.client is not None:
                    register.pop(self.client, None)
                super().connection_lost(exc)

        return Registered

    async def cut(self, scope: Scope, receive: Receive, *, flush: bool = False) -> None:
        """End the request's connection now; with `flush` after what was written has left. Waits until it is gone."""
        transport = self._open.get(tuple(scope.get("client") or ()))
        if transport is None:
            return
        if flush:
            transport.close()
        else:
            transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass
