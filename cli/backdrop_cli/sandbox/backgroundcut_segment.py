"""BackgroundCut v3: AI Cut, the segmentation of what was clicked on (backgroundcut.md section 5).

Promises the checks and the charging of `backgroundcut_space`, and work on the photo's pixels: see `pixels.clicked`.
Each call begins anew with all the points it is given, as the provider's example says of refinements.

In doubt, and chosen here. The page does not say what the output shows; it is a mask, white on the clicked objects: the
route is called segment, its output is always a JPEG, which has no alpha, and unlike remove-bg it takes no colour to set
a subject on. Points are pixels of the upright photo from its upper left corner (the example's 250, 300 are no
fractions). A key that does not end in `.jpg` or `.jpeg` in lower case, a photo that is no JPEG whatever its key, no
foreground point, more than 200 points of a kind, a point outside the photo or an unknown field are 400;
`background_points` may be left out. A call costs one credit: an earlier shape took one for a whole session of
refinements, and today's page names no price.
"""

import asyncio
import io
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

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
from backdrop_cli.sandbox.work import BadPhoto

router = APIRouter()

MODEL = "backgroundcut/ai-cut"
PRICE = Decimal(1)
MOST_POINTS = 200
_ORIENTATION = 0x0112
_ON_ITS_SIDE = range(5, 9)


def _is_jpeg_key(value: str) -> str:
    if not value.endswith((".jpg", ".jpeg")):
        raise ValueError("must end in .jpg or .jpeg")
    return value


type _Key = Annotated[str, Field(min_length=1, max_length=LONGEST_KEY), AfterValidator(_is_jpeg_key)]


class Point(BaseModel):
    """A place in the photo, in pixels."""

    model_config = ConfigDict(extra="forbid", strict=True)

    x: float = Field(ge=0)
    y: float = Field(ge=0)


class SegmentBody(BaseModel):
    """A segment call."""

    model_config = ConfigDict(extra="forbid", strict=True)

    input_key: _Key
    output_key: _Key
    foreground_points: list[Point] = Field(min_length=1, max_length=MOST_POINTS)
    background_points: list[Point] = Field(default=[], max_length=MOST_POINTS)


@router.post("/v3/tools/ai/ai-cut/segment/")
async def segment(request: Request, state: Here) -> JSONResponse:
    """Blocks until the mask is made; `output_key` as it was asked for."""
    account, limits = find_caller(request, state)
    body = await read_object(request)
    given = check(SegmentBody, body)
    allow(limits, given.input_key, given.output_key)
    store = open_store(state, account, "submit", MODEL)
    file = lookup(state, store, given.input_key, "input_key")
    if file.media_type != "image/jpeg":
        raise backgroundcut_error(400, "input_key: AI Cut takes JPEG images only.")
    photo = file.path.read_bytes()
    try:
        width, height = await asyncio.to_thread(_upright_size, photo)
    except BadPhoto as error:
        raise unreadable(error) from None
    if any(point.x >= width or point.y >= height for point in (*given.foreground_points, *given.background_points)):
        raise backgroundcut_error(400, f"Invalid point. The image has {width} x {height} pixels.")
    fields = {
        "foreground": [(point.x, point.y) for point in given.foreground_points],
        "background": [(point.x, point.y) for point in given.background_points],
    }
    order = Order(MODEL, given.output_key, PRICE, body, photo, fields)
    (picture,) = (await carry_out(state, account, order)).pictures
    put(state, store, given.output_key, picture.data, picture.media_type)
    return JSONResponse({"output_key": given.output_key})


def _upright_size(photo: bytes) -> tuple[int, int]:
    """Width and height as the photo is looked at, from its header alone. Raises `BadPhoto`."""
    from PIL import Image  # noqa: PLC0415 - the service starts before the picture modules are there

    try:
        with Image.open(io.BytesIO(photo)) as opened:
            on_its_side = opened.getexif().get(_ORIENTATION) in _ON_ITS_SIDE
            return (opened.height, opened.width) if on_its_side else (opened.width, opened.height)
    except Exception as error:  # noqa: BLE001 - Pillow's readers raise whatever their format's parser does
        raise BadPhoto(f"the file is not a readable picture ({type(error).__name__})") from None
