"""Runflow's assets: the upload of an input in three steps (runflow.md section 2.1), and inline inputs kept as assets.

Promises the limits of the page (filename 1-500, mime type 1-255, 1 to 52 428 800 bytes), an upload URL that needs no
key and runs out after 15 minutes, and a fresh signed URL on each read. Takes the picture types and zip.
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from backdrop_cli.sandbox.accounts import Account
from backdrop_cli.sandbox.bodies import check, runflow_body, runflow_invalid
from backdrop_cli.sandbox.replies import RUNFLOW, runflow_error
from backdrop_cli.sandbox.runflow_access import Caller, Here
from backdrop_cli.sandbox.runflow_records import MOST_ASSETS, Asset
from backdrop_cli.sandbox.state import State, iso, keep, uuid7

router = APIRouter()

MOST_BYTES = 52_428_800
TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif", "application/zip")
_UPLOAD_SECONDS = 900.0


class NewAsset(BaseModel):
    """What an upload is announced with."""

    model_config = ConfigDict(extra="ignore", strict=True)

    filename: str = Field(min_length=1, max_length=500)
    mime_type: str = Field(min_length=1, max_length=255)
    size_bytes: int = Field(ge=1, le=MOST_BYTES)


def _record(state: State, asset: Asset) -> dict[str, Any]:
    return {
        "id": asset.id,
        "org_id": asset.org,
        "folder_id": None,
        "name": asset.name,
        "r2_key": f"{asset.org}/{asset.id}",
        "url": state.url_of(asset.file) if asset.file else None,
        "thumbnail_url": None,
        "mime_type": asset.media_type,
        "size_bytes": asset.size,
        "asset_type": "archive" if asset.media_type == "application/zip" else "image",
        "source_type": asset.source,
        "source_id": None,
        "created_by": None,
        "created_at": iso(asset.created_at),
        "updated_at": iso(asset.confirmed_at or asset.created_at),
        "deleted_at": None,
        "deleted_by": None,
        "created_by_user": None,
    }


@router.post("/v1/asset-uploads", status_code=201)
async def announce(request: Request, state: Here, account: Caller) -> JSONResponse:
    """201 with the asset's id and where to PUT its bytes."""
    given = check(NewAsset, await runflow_body(request), runflow_invalid)
    if given.mime_type not in TYPES:
        raise runflow_invalid([{"loc": ["mime_type"], "msg": f"One of {', '.join(TYPES)}", "type": "enum"}])
    now = state.now()
    asset = Asset(uuid7(now), account.org, given.filename, given.mime_type, given.size_bytes, now)
    keep(state.assets, asset.id, asset, MOST_ASSETS)
    until = f"{now + _UPLOAD_SECONDS:.3f}"
    query = f"expires={until}&signature={state.files.sign(asset.id, until)}"
    return JSONResponse({"asset_id": asset.id, "upload_url": f"{state.setup.url}/uploads/{asset.id}?{query}"}, 201)


@router.put("/uploads/{asset_id}")
async def receive(request: Request, state: Here, asset_id: str) -> Response:
    """The bytes, without a key. 403 when the URL is not genuine or has expired, 400 for another size or type."""
    query = request.query_params
    asset = state.assets.get(asset_id)
    if asset is None or not state.files.opens(asset_id, query.get("expires", ""), query.get("signature", "")):
        return Response(status_code=403)
    data = await request.body()
    sent = request.headers.get("content-type", "").partition(";")[0]
    if len(data) != asset.size or sent != asset.media_type:
        return Response(status_code=400)
    asset.file = state.files.put(data, provider=RUNFLOW, name=asset.name, media_type=asset.media_type)
    return Response(status_code=200)


def _asset_of(state: State, account: Account, asset_id: str) -> Asset:
    asset = state.assets.get(asset_id)
    if asset is None or asset.org != account.org:
        raise runflow_error(404, "Asset not found.")
    return asset


@router.post("/v1/asset-uploads/{asset_id}/confirmations", status_code=201)
async def confirm(request: Request, state: Here, account: Caller, asset_id: str) -> JSONResponse:
    """201 with the asset. 422 when no bytes have come."""
    asset = _asset_of(state, account, asset_id)
    if await request.body():
        await runflow_body(request)
    if asset.file is None:
        raise runflow_invalid([{"loc": [], "msg": "Nothing was uploaded.", "type": "conflict"}])
    asset.confirmed_at = state.now()
    return JSONResponse(_record(state, asset), 201)


@router.get("/v1/assets/types")
async def types(_: Caller) -> list[dict[str, Any]]:
    """The types that may be uploaded."""
    return [{"mime_type": one, "max_size_bytes": MOST_BYTES} for one in TYPES]


@router.get("/v1/assets/{asset_id}")
async def read_asset(state: Here, account: Caller, asset_id: str) -> JSONResponse:
    """The asset with a fresh URL. 404 before it is confirmed."""
    asset = _asset_of(state, account, asset_id)
    if asset.confirmed_at is None:
        raise runflow_error(404, "Asset not found.")
    return JSONResponse(_record(state, asset))
