"""BackgroundCut v3: upload, process, public URL, access token. Everything blocks; nothing is pushed.

Promises what `backgroundcut_space` does, and a hard delete two hours after the upload: a caller who is routed to
another region finds nothing there. The segmentation by points stands in `backgroundcut_segment`.

Chosen where the pages are silent: uploads above 12 MB answer 413 (v1 and v2 say so); an existing key is replaced; keys
have 1 to 1024 characters; at most 20 variants; a JPEG without a colour, a colour that is not `#rrggbb` or `#rrggbbaa`,
an unknown field or two variants with one key are 400. An access token is asked for with `endpoints` (paths), `path` (a
key prefix) and `ttl_seconds` (1-3600, 600) and answered with `access_token`, `expires_in`; used outside its list or its
time it gets 403 or 401.
"""

import asyncio
import re
import secrets
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from backdrop_cli.sandbox import backgroundcut_segment
from backdrop_cli.sandbox.accounts import credits_for
from backdrop_cli.sandbox.backgroundcut_space import (
    LONGEST_KEY,
    Here,
    Order,
    allow,
    carry_out,
    check,
    find_caller,
    lookup,
    open_store,
    put,
    read_object,
    unreadable,
)
from backdrop_cli.sandbox.replies import backgroundcut_error
from backdrop_cli.sandbox.state import keep
from backdrop_cli.sandbox.work import BadPhoto, pixels_of

router = APIRouter()
router.include_router(backgroundcut_segment.router)

MODEL = "backgroundcut/remove-bg"
MOST_BYTES = 12_000_000
MOST_VARIANTS = 20
_MOST_TOKENS = 1000
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?")
_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@router.post("/v3/file-ops/upload/")
async def upload(request: Request, state: Here) -> JSONResponse:
    """Multipart `file` and `key`; `{"success": true}`."""
    account, limits = find_caller(request, state)
    try:
        async with request.form(max_files=1, max_fields=10, max_part_size=4096) as form:
            file, key = form.get("file"), form.get("key")
            if not isinstance(file, UploadFile):
                raise backgroundcut_error(400, "file: This field is required.")
            data = await file.read(MOST_BYTES + 1)
    except HTTPException:
        raise backgroundcut_error(400, "The multipart body is malformed.") from None
    if not isinstance(key, str) or not 1 <= len(key) <= LONGEST_KEY:
        raise backgroundcut_error(400, "key: This field is required (1 to 1024 characters).")
    if len(data) > MOST_BYTES:
        raise backgroundcut_error(413, "The file is larger than 12 MB.")
    media_type = _picture_type(data)
    if not media_type:
        raise backgroundcut_error(400, "file: Upload a PNG, JPEG or WebP image.")
    allow(limits, key)
    put(state, open_store(state, account, "upload", MODEL), key, data, media_type)
    return JSONResponse({"success": True})


def _picture_type(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _TYPES.items() if data.startswith(magic)), "")


class Variant(BaseModel):
    """One output of a process call."""

    model_config = ConfigDict(extra="forbid", strict=True)

    output_key: str = Field(min_length=1, max_length=LONGEST_KEY)
    format: Literal["png", "jpeg", "webp"] = "png"
    max_resolution: int = Field(default=12_000_000, ge=1, le=25_000_000)
    quality: Literal["low", "medium", "high"] = "medium"
    background_color: str | None = None
    output_compression: int = Field(default=85, ge=1, le=100)
    autocrop: bool = False

    @field_validator("background_color")
    @classmethod
    def _is_hex(cls, value: str | None) -> str | None:
        if value is not None and not _COLOUR.fullmatch(value):
            raise ValueError("Invalid background_color. Expected hex string like #ffffff.")
        return value

    @model_validator(mode="after")
    def _jpeg_needs_a_colour(self) -> "Variant":
        if self.format == "jpeg" and (
            self.background_color is None or self.background_color[7:].lower() not in {"", "ff"}
        ):
            raise ValueError("Invalid background_color. JPEG cannot be transparent: an opaque colour is required.")
        return self


class ProcessBody(BaseModel):
    """A process call."""

    model_config = ConfigDict(extra="forbid", strict=True)

    input_key: str = Field(min_length=1, max_length=LONGEST_KEY)
    output_variants: list[Variant] = Field(min_length=1, max_length=MOST_VARIANTS)

    @model_validator(mode="after")
    def _keys_differ(self) -> "ProcessBody":
        keys = [one.output_key for one in self.output_variants]
        if len(set(keys)) < len(keys):
            raise ValueError("Invalid output_variants. Two of them share an output_key.")
        return self


@router.post("/v3/tools/ai/remove-bg/process/")
async def process(request: Request, state: Here) -> JSONResponse:
    """Blocks until every variant is made; `output_keys` in the order asked for."""
    account, limits = find_caller(request, state)
    body = await read_object(request)
    given = check(ProcessBody, body)
    keys = [one.output_key for one in given.output_variants]
    allow(limits, given.input_key, *keys)
    store = open_store(state, account, "submit", MODEL)
    photo = lookup(state, store, given.input_key, "input_key").path.read_bytes()
    variants = [one.model_dump() for one in given.output_variants]
    try:
        price = credits_for(await asyncio.to_thread(pixels_of, photo), variants)
    except BadPhoto as error:
        raise unreadable(error) from None
    order = Order(MODEL, keys[0], price, body, photo, {"output_variants": variants})
    drawn = await carry_out(state, account, order)
    for key, picture in zip(keys, drawn.pictures, strict=True):
        put(state, store, key, picture.data, picture.media_type)
    return JSONResponse({"output_keys": keys})


class KeyBody(BaseModel):
    """The body of get-public-url."""

    key: str = Field(min_length=1, max_length=LONGEST_KEY)


@router.post("/v3/file-ops/get-public-url/")
async def get_public_url(request: Request, state: Here) -> JSONResponse:
    """A presigned URL that needs no key."""
    account, limits = find_caller(request, state)
    given = check(KeyBody, await read_object(request))
    allow(limits, given.key)
    store = open_store(state, account, "public-url", MODEL)
    return JSONResponse({"url": state.url_of(lookup(state, store, given.key, "key"))})


class TokenBody(BaseModel):
    """What an access token is asked for with."""

    model_config = ConfigDict(strict=True)

    endpoints: list[str] = Field(min_length=1, max_length=20)
    path: str = Field(default="", max_length=LONGEST_KEY)
    ttl_seconds: int = Field(default=600, ge=1, le=3600)


@router.post("/v3/auth/access-token/")
async def access_token(request: Request, state: Here) -> JSONResponse:
    """A short-lived token limited to endpoints and a path; made with an API key only."""
    account, limits = find_caller(request, state)
    if limits:
        raise backgroundcut_error(403, "An API key is required.")
    given = check(TokenBody, await read_object(request))
    token = secrets.token_urlsafe(32)
    limited = {"endpoints": tuple(given.endpoints), "path": given.path}
    keep(state.tokens, token, (account, state.now() + given.ttl_seconds, limited), _MOST_TOKENS)
    return JSONResponse({"access_token": token, "expires_in": given.ttl_seconds})
