"""The sandbox's own routes: trouble, ledger, requests, reset, the clock, and the pictures of its page.

Promises that none of them shows a key, a token or a presigned query.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from backdrop_cli.sandbox.bodies import NotJson, check, parse_json
from backdrop_cli.sandbox.page import render, render_body
from backdrop_cli.sandbox.replies import Refusal
from backdrop_cli.sandbox.runflow_records import first_secrets
from backdrop_cli.sandbox.state import State, current
from backdrop_cli.sandbox.trouble import Trouble

router = APIRouter()

Here = Annotated[State, Depends(current)]

_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
)


async def _body(request: Request) -> Any:
    try:
        return parse_json(await request.body())
    except NotJson as error:
        raise Refusal(400, {"detail": str(error)}) from None


def _invalid(found: list[dict[str, Any]]) -> Refusal:
    return Refusal(422, {"detail": found})


@router.get("/", include_in_schema=False)
async def page(state: Here) -> HTMLResponse:
    """The page: recent runs, before and after."""
    return HTMLResponse(render(state), headers={"content-security-policy": _POLICY})


@router.get("/_sandbox/page")
async def page_body(state: Here) -> HTMLResponse:
    """What the page puts in place of its middle every two seconds."""
    return HTMLResponse(render_body(state), headers={"content-security-policy": _POLICY})


@router.get("/_sandbox/thumbnails/{run_id}/{which}.webp")
async def thumbnail(state: Here, run_id: str, which: str) -> Response:
    """A small picture of a run: `before` or `after`."""
    shown = state.shown.get(run_id)
    data = {"before": shown.before, "after": shown.after}.get(which, b"") if shown else b""
    if not data:
        return Response(status_code=404)
    return Response(data, media_type="image/webp", headers={"cache-control": "max-age=3600"})


@router.get("/_sandbox/trouble")
async def read_trouble(state: Here) -> JSONResponse:
    """The trouble in force, and how often each kind has happened."""
    return JSONResponse(state.board.told())


@router.put("/_sandbox/trouble")
async def put_trouble(request: Request, state: Here) -> JSONResponse:
    """Replace the trouble in force; `{}` ends all of it."""
    state.board.put(check(Trouble, await _body(request), _invalid))
    return JSONResponse(state.board.told())


@router.get("/_sandbox/ledger")
async def read_ledger(state: Here) -> JSONResponse:
    """Accepted paid POSTs."""
    return JSONResponse(state.ledger.told())


@router.get("/_sandbox/requests")
async def read_requests(state: Here) -> JSONResponse:
    """The last requests to the providers' routes."""
    return JSONResponse(state.requests.told())


@router.post("/_sandbox/reset")
async def reset(state: Here) -> JSONResponse:
    """Begin anew: nothing seen, nothing owed, no trouble."""
    await state.reset()
    state.secrets[:] = first_secrets(state.setup.accounts, state.now())
    state.board.put(Trouble())
    return JSONResponse({"reset": True})


class Advance(BaseModel):
    """How far to put the clock on."""

    model_config = ConfigDict(extra="forbid")

    seconds: float = Field(ge=0, le=10_000_000)


@router.post("/_sandbox/clock")
async def advance(request: Request, state: Here) -> JSONResponse:
    """Put the sandbox's clock on, so that URLs, files and tokens run out."""
    state.offset[0] += check(Advance, await _body(request), _invalid).seconds
    return JSONResponse({"now": state.now()})


@router.get("/_sandbox/status")
async def status(state: Here) -> JSONResponse:
    """Counts and balances; `working` runs are being carried out, `asleep` of them only wait for the clock."""
    balances = {f"{one.provider} {one.org}": str(state.books.balance(one)) for one in state.books.accounts}
    return JSONResponse(
        {
            "accepted": state.ledger.count,
            "requests": state.requests.count,
            "callbacks_sent": state.outbox.sent,
            "callbacks_lost": state.outbox.lost,
            "working": len(state.tasks),
            "asleep": sum(until > state.now() for until in state.asleep),
            "callbacks_pending": state.outbox.pending,
            "wakes_at": min(state.asleep, default=None),
            "most_at_once": state.most_at_once,
            "balances": balances,
        }
    )
