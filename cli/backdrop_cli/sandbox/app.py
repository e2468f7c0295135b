"""The sandbox as one ASGI application.

Promises that every error, wherever it arises, has the words of the provider whose route it is.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from backdrop_cli.sandbox import backgroundcut, control, imagepipeline, results, runflow
from backdrop_cli.sandbox.connections import Connections
from backdrop_cli.sandbox.front import Front, classify
from backdrop_cli.sandbox.replies import Refusal, error_of
from backdrop_cli.sandbox.runflow_records import first_secrets
from backdrop_cli.sandbox.state import Setup, opened


def make(setup: Setup) -> tuple[Front, Connections]:
    """The application, and the register of connections that its server must keep."""
    connections = Connections()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(setup) as state:
            state.secrets.extend(first_secrets(setup.accounts, state.now()))
            app.state.sandbox = front.state = state
            yield
            front.state = None

    app = FastAPI(
        title="Provider sandbox",
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.connections = connections
    for part in (control, results, backgroundcut, imagepipeline, runflow):
        app.include_router(part.router)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    front = Front(app, connections)
    return front, connections


async def _refused(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Refusal):
        raise error
    return JSONResponse(error.body, error.status, error.headers)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    provider, _ = classify(request.method, request.url.path)
    refusal = error_of(provider, error.status_code, headers=error.headers)
    return JSONResponse(refusal.body, refusal.status, refusal.headers)
