"""The download of finished pictures, and the trouble with it.

Promises the bytes as made, with their type and length, to whoever holds a URL that is good; 403 for a bad or expired
one and 404 for a file that is gone, both in the XML of an S3-like store.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, StreamingResponse
from starlette.responses import Response

from backdrop_cli.sandbox.connections import Connections, Receive, Scope, Send
from backdrop_cli.sandbox.files import File
from backdrop_cli.sandbox.state import State, current

router = APIRouter()

Here = Annotated[State, Depends(current)]

_PAGE = "<!doctype html><title>Just a moment</title><h1>Checking your browser</h1>"
_TICK = 0.05


class Truncated(Response):
    """Announces the whole length, sends half, and hangs up."""

    def __init__(self, file: File, connections: Connections) -> None:
        super().__init__(media_type=file.media_type)
        self._file = file
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        headers = [
            (b"content-type", self._file.media_type.encode()),
            (b"content-length", str(self._file.size).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        half = self._file.path.read_bytes()[: self._file.size // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await self._connections.cut(scope, receive, flush=True)


def _xml(status: int, code: str, text: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{text}</Message></Error>'
    return Response(body, status, media_type="application/xml")


async def _slowly(data: bytes, bytes_per_second: int) -> AsyncIterator[bytes]:
    step = max(1, int(bytes_per_second * _TICK))
    for at in range(0, len(data), step):
        yield data[at : at + step]
        await asyncio.sleep(_TICK)


@router.get("/results/{provider}/{file_id}/{name}")
async def download(request: Request, state: Here, provider: str, file_id: str, name: str) -> Response:  # noqa: ARG001 - the name is for people
    """One file."""
    query = request.query_params
    if not state.files.opens(file_id, query.get("expires", ""), query.get("signature", "")):
        return _xml(403, "AccessDenied", "Request has expired")
    file = state.files.get(file_id)
    if file is None or file.provider != provider:
        return _xml(404, "NoSuchKey", "The specified key does not exist.")
    spoilt = _spoilt(state, file, request.app.state.connections)
    if spoilt is not None:
        return spoilt
    return FileResponse(file.path, media_type=file.media_type)


def _spoilt(state: State, file: File, connections: Any) -> Response | None:
    trouble, fires = state.board.trouble, state.board.fires
    about = (file.provider, "result")
    if expired := fires(trouble.expired_result, *about):
        return _xml(expired.status, "AccessDenied", "Request has expired")
    if fires(trouble.html_result, *about):
        return HTMLResponse(_PAGE)
    if elsewhere := fires(trouble.redirected_result, *about):
        return RedirectResponse(elsewhere.to, 302)
    if fires(trouble.truncated_result, *about):
        return Truncated(file, connections)
    if slow := fires(trouble.slow_result, *about):
        headers = {"content-length": str(file.size)}
        body = _slowly(file.path.read_bytes(), slow.bytes_per_second)
        return StreamingResponse(body, headers=headers, media_type=file.media_type)
    return None
