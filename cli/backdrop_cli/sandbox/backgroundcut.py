"""BackgroundCut v3: upload, process, public URL, access token. Everything blocks; nothing is pushed.

Promises the order of checks of backgroundcut.md section 9 (401, then 400, then 404, then 402, then the work), a
hard delete two hours after the upload, and that a file lies only in the region that took it: a caller who is routed
elsewhere finds nothing there.

Chosen where the pages are silent: uploads above 12 MB answer 413 (v1 and v2 say so); an existing key is replaced; keys
have 1 to 1024 characters; at most 20 variants; a JPEG without a colour, a colour that is not `#rrggbb` or `#rrggbbaa`,
an unknown field or two variants with one key are 400; credits are taken only for work that succeeded; a call that
breaks in the work answers 500 and stands in the ledger without having been charged. An access token is asked for with
`endpoints` (paths), `path` (a key prefix) and `ttl_seconds` (1-3600, 600) and answered with `access_token`,
`expires_in`; used outside its list or its time it gets 403 or 401.
"""

import asyncio
import re
import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from backdrop_cli.sandbox.accounts import Account, credits_for, require_backgroundcut
from backdrop_cli.sandbox.bodies import NotJson, parse_json
from backdrop_cli.sandbox.files import File
from backdrop_cli.sandbox.replies import BACKGROUNDCUT, Refusal, backgroundcut_error
from backdrop_cli.sandbox.state import Shown, State, current, keep
from backdrop_cli.sandbox.work import BadPhoto, Drawn, pixels_of

router = APIRouter()

MODEL = "backgroundcut/remove-bg"
REGIONS = ("eu1", "us1")
MOST_BYTES = 12_000_000
FILE_SECONDS = 7200.0
MOST_VARIANTS = 20
_MOST_TOKENS = 1000
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?")
_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}

Here = Annotated[State, Depends(current)]


def _caller(request: Request, state: State) -> tuple[Account, Mapping[str, Any]]:
    """The account, and what an access token limits it to (empty for an API key). Raises 401 or 403."""
    header = request.headers.get("authorization", "")
    scheme, _, value = header.partition(" ")
    if scheme != "AccessToken":
        return require_backgroundcut(state.books, header), {}
    account, until, limits = state.tokens.get(value.strip(), (None, 0.0, {}))
    if account is None or state.now() >= until:
        raise backgroundcut_error(401, "The access token is invalid or has expired.")
    if request.url.path not in limits["endpoints"]:
        raise backgroundcut_error(403, "The access token does not allow this endpoint.")
    return account, limits


def _allow(limits: Mapping[str, Any], *keys: str) -> None:
    if limits and not all(key.startswith(limits["path"]) for key in keys):
        raise backgroundcut_error(403, "The access token does not allow this path.")


def _region(state: State, account: Account, kind: str) -> str:
    """Where the caller's request arrives; the `regional_404` switch sends it elsewhere."""
    home = state.region_of.get(account.org, REGIONS[0])
    moved = state.board.fires(state.board.trouble.regional_404, BACKGROUNDCUT, kind, MODEL)
    if moved is None:
        return home
    elsewhere = REGIONS[1 - REGIONS.index(home)]
    if moved.stays:
        state.region_of[account.org] = elsewhere
    return elsewhere


def _store(state: State, account: Account, region: str) -> dict[str, File]:
    return state.regions.setdefault((account.org, region), {})


def _lookup(state: State, store: dict[str, File], key: str, what: str) -> File:
    file = store.get(key)
    if file is None or state.files.get(file.id) is None:
        store.pop(key, None)
        raise backgroundcut_error(404, f"{what} not found.")
    return file


async def _json(request: Request) -> Any:
    try:
        body = parse_json(await request.body())
    except NotJson as error:
        raise backgroundcut_error(400, f"Malformed JSON: {error}.") from None
    if not isinstance(body, dict):
        raise backgroundcut_error(400, "Malformed JSON: expected an object.")
    return body


def _check[M: BaseModel](model: type[M], value: Any) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")
        raise backgroundcut_error(400, text if text.startswith("Invalid ") else f"{where}: {text}") from None


def _put(state: State, store: dict[str, File], key: str, data: bytes, media_type: str) -> File:
    file = state.files.put(
        data, provider=BACKGROUNDCUT, name=key, media_type=media_type, gone_at=state.now() + FILE_SECONDS
    )
    former = store.pop(key, None)
    if former is not None:
        state.files.drop(former.id)
    keep(store, key, file)
    return file


@router.post("/v3/file-ops/upload/")
async def upload(request: Request, state: Here) -> JSONResponse:
    """Multipart `file` and `key`; `{"success": true}`."""
    account, limits = _caller(request, state)
    try:
        async with request.form(max_files=1, max_fields=10, max_part_size=4096) as form:
            file, key = form.get("file"), form.get("key")
            if not isinstance(file, UploadFile):
                raise backgroundcut_error(400, "file: This field is required.")
            data = await file.read(MOST_BYTES + 1)
    except HTTPException:
        raise backgroundcut_error(400, "The multipart body is malformed.") from None
    if not isinstance(key, str) or not 1 <= len(key) <= 1024:  # noqa: PLR2004 - S3's own limit on keys
        raise backgroundcut_error(400, "key: This field is required (1 to 1024 characters).")
    if len(data) > MOST_BYTES:
        raise backgroundcut_error(413, "The file is larger than 12 MB.")
    media_type = _picture_type(data)
    if not media_type:
        raise backgroundcut_error(400, "file: Upload a PNG, JPEG or WebP image.")
    _allow(limits, key)
    _put(state, _store(state, account, _region(state, account, "upload")), key, data, media_type)
    return JSONResponse({"success": True})


def _picture_type(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _TYPES.items() if data.startswith(magic)), "")


class Variant(BaseModel):
    """One output of a process call."""

    model_config = ConfigDict(extra="forbid", strict=True)

    output_key: str = Field(min_length=1, max_length=1024)
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

    input_key: str = Field(min_length=1, max_length=1024)
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
    account, limits = _caller(request, state)
    body = await _json(request)
    given = _check(ProcessBody, body)
    keys = [one.output_key for one in given.output_variants]
    _allow(limits, given.input_key, *keys)
    store = _store(state, account, _region(state, account, "submit"))
    photo = _lookup(state, store, given.input_key, "input_key").path.read_bytes()
    variants = [one.model_dump() for one in given.output_variants]
    try:
        price = credits_for(await asyncio.to_thread(pixels_of, photo), variants)
    except BadPhoto as error:
        raise backgroundcut_error(400, f"The image cannot be read: {error.reason}.") from None
    if not state.books.take(account, price):
        raise backgroundcut_error(402, "Insufficient credits.")
    now = state.now()
    run_id = f"bc_{secrets.token_hex(8)}"
    line: dict[str, Any] = {
        "at": now,
        "provider": BACKGROUNDCUT,
        "model": MODEL,
        "reference": keys[0],
        "run_id": run_id,
    }
    shown = state.show(Shown(run_id, BACKGROUNDCUT, MODEL, keys[0], now, "running", f"{price} credits"))
    try:
        drawn = await _work(state, photo, variants, shown)
    except BaseException as error:
        state.books.give_back(account, price)
        shown.price = "not charged"
        if not isinstance(error, Refusal) or error.status >= 500:  # noqa: PLR2004 - a 400 was not accepted
            state.ledger.accept(**line, body=body, price=price)
        raise
    state.ledger.accept(**line, body=body, price=price)
    for key, picture in zip(keys, drawn.pictures, strict=True):
        _put(state, store, key, picture.data, picture.media_type)
    return JSONResponse({"output_keys": keys})


async def _work(state: State, photo: bytes, variants: list[dict[str, Any]], shown: Shown) -> Drawn:
    fails = state.board.fires(state.board.trouble.run_fails, BACKGROUNDCUT, "submit", MODEL)
    shown.status = "failed"
    if fails is not None:
        shown.note = fails.message
        raise backgroundcut_error(500 if fails.retryable else 400, fails.message)
    try:
        drawn = await state.draw(MODEL, photo, {"output_variants": variants})
    except BadPhoto as error:
        shown.note = error.reason
        raise backgroundcut_error(400, f"The image cannot be read: {error.reason}.") from None
    shown.status, shown.ms = "succeeded", round((state.now() - shown.began) * 1000)
    shown.before, shown.after = drawn.before, drawn.after
    return drawn


class KeyBody(BaseModel):
    """The body of get-public-url."""

    key: str = Field(min_length=1, max_length=1024)


@router.post("/v3/file-ops/get-public-url/")
async def get_public_url(request: Request, state: Here) -> JSONResponse:
    """A presigned URL that needs no key."""
    account, limits = _caller(request, state)
    given = _check(KeyBody, await _json(request))
    _allow(limits, given.key)
    store = _store(state, account, _region(state, account, "public-url"))
    return JSONResponse({"url": state.url_of(_lookup(state, store, given.key, "key"))})


class TokenBody(BaseModel):
    """What an access token is asked for with."""

    model_config = ConfigDict(strict=True)

    endpoints: list[str] = Field(min_length=1, max_length=20)
    path: str = Field(default="", max_length=1024)
    ttl_seconds: int = Field(default=600, ge=1, le=3600)


@router.post("/v3/auth/access-token/")
async def access_token(request: Request, state: Here) -> JSONResponse:
    """A short-lived token limited to endpoints and a path; made with an API key only."""
    account, limits = _caller(request, state)
    if limits:
        raise backgroundcut_error(403, "An API key is required.")
    given = _check(TokenBody, await _json(request))
    token = secrets.token_urlsafe(32)
    limited = {"endpoints": tuple(given.endpoints), "path": given.path}
    keep(state.tokens, token, (account, state.now() + given.ttl_seconds, limited), _MOST_TOKENS)
    return JSONResponse({"access_token": token, "expires_in": given.ttl_seconds})
