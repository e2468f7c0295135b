"""Photo bytes to pixels and back.

Promises upright RGB (EXIF orientation applied), 8 bits, and the photo's own alpha when it has one; encodes PNG,
JPEG and WebP so that a flat colour survives. Refuses with `UnreadablePhoto`: bytes that are no PNG, JPEG, WebP
or GIF, cut short, CMYK, or larger than `MAX_PIXELS`.
"""

import io
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import (
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from backdrop_cli.pixels.arrays import Pixels

MAX_PIXELS = 80_000_000
"""More than any provider's page takes, and below Pillow's own warning."""

_READERS = (PngImagePlugin, JpegImagePlugin, MpoImagePlugin, WebPImagePlugin, GifImagePlugin)
"""Imported so that they are registered: Pillow looks formats up by name before it loads its plugins."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_OPAQUE = 250


class UnreadablePhoto(Exception):
    """The bytes are not a photo that can be worked on; `reason` says why, for a person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Photo:
    """An upright photo: `rgb` (H, W, 3) uint8, `alpha` (H, W) uint8 or None when it is opaque."""

    rgb: Pixels
    alpha: Pixels | None

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.rgb.shape[0])


@dataclass(frozen=True)
class Rendered:
    """An encoded picture: its bytes, `format` ("png", "jpeg" or "webp") and size in pixels."""

    data: bytes
    format: str
    width: int
    height: int


def read(data: bytes) -> Photo:
    """Return the upright photo in `data`; raises UnreadablePhoto."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check(image)
            image.load()
            upright = ImageOps.exif_transpose(image)
            return _pixels(upright)
    except UnreadablePhoto:
        raise
    except Exception as fault:
        # Pillow's readers raise a dozen kinds (struct.error, zlib.error, SyntaxError, ...) on hostile bytes.
        raise UnreadablePhoto(f"The photo cannot be read: {_first_line(fault)}") from fault


def _check(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise UnreadablePhoto(
            f"The photo has {image.width} x {image.height} pixels; {MAX_PIXELS:,} in all is the limit."
        )
    if image.mode in ("CMYK", "YCCK"):
        raise UnreadablePhoto("The photo is CMYK; save it as RGB.")


def _first_line(fault: Exception) -> str:
    text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
    return "it is not a PNG, JPEG, WebP or GIF picture." if "cannot identify" in text else text[:160]


def _pixels(image: Image.Image) -> Photo:
    if image.mode in _DEEP:
        deep = np.asarray(image).astype(np.int64)
        narrow = deep.max(initial=0) <= np.iinfo(np.uint8).max
        grey = np.clip(deep if narrow else deep // 257, 0, 255).astype(np.uint8)
        return Photo(np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2)), None)
    if image.mode == "F":
        raise UnreadablePhoto("The photo has floating-point pixels; save it with 8 or 16 bits.")
    see_through = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    if not see_through:
        return Photo(np.ascontiguousarray(np.asarray(image.convert("RGB"))), None)
    pixels = np.asarray(image.convert("RGBA"))
    alpha = np.ascontiguousarray(pixels[:, :, 3])
    return Photo(np.ascontiguousarray(pixels[:, :, :3]), None if alpha.min() >= _OPAQUE else alpha)


def encode(picture: Pixels, form: str, *, quality: int | None = None) -> Rendered:
    """Return (H, W, 3) RGB or (H, W, 4) RGBA pixels encoded.

    `quality` is 1 to 100: JPEG and WebP quality (92 and 90 unless given); for PNG the higher it is, the less
    is spent on
    compression. A JPEG has no alpha: RGBA is set on white.
    """
    height, width = picture.shape[:2]
    if form == "png":
        data = _png(picture, quality)
    elif form == "webp":
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "WEBP", quality=_webp_quality(quality), method=2, alpha_quality=100)
        data = buffer.getvalue()
    elif form in ("jpeg", "jpg"):
        form = "jpeg"
        data = _jpeg(_on_white(picture), 92 if quality is None else quality)
    else:
        raise ValueError(f"unknown picture format {form!r}")
    return Rendered(data, form, width, height)


def _webp_quality(quality: int | None) -> int:
    """Return the encoder's own setting: the lower half no longer keeps a flat colour, so the scale starts above it."""
    return 90 if quality is None else round(60 + 0.4 * quality)


def _png(picture: Pixels, quality: int | None) -> bytes:
    level = 3 if quality is None else round(1 + (100 - quality) * 8 / 99)
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[picture.shape[2]]
    swapped = cv2.cvtColor(picture, order)
    done, encoded = cv2.imencode(".png", swapped, [cv2.IMWRITE_PNG_COMPRESSION, level])
    if not done:
        raise RuntimeError("PNG encoding failed")
    return bytes(encoded)


def _on_white(picture: Pixels) -> Pixels:
    if picture.shape[2] == 3:  # noqa: PLR2004 - RGB
        return picture
    alpha = picture[:, :, 3:].astype(np.uint16)
    return ((picture[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


# ITU-T T.81 annex K, in zigzag-free row order as Pillow takes them.
_LUMA = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)
_CHROMA = (
    "17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99 " + "99 " * 32
)
_FLATTEST = 8


def _tables(quality: int) -> list[list[int]]:
    """Return the usual tables for a quality with a finer constant term, so that a flat colour stays that colour."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality  # noqa: PLR2004 - the usual scaling's own bend
    tables = []
    for base in (_LUMA, _CHROMA):
        table = [min(255, max(1, int((int(step) * scale + 50) / 100))) for step in base.split()]
        table[0] = min(table[0], _FLATTEST)
        tables.append(table)
    return tables


def _jpeg(picture: Pixels, quality: int) -> bytes:
    buffer = io.BytesIO()
    settings: dict[str, Any] = {"qtables": _tables(quality), "subsampling": 0}
    Image.fromarray(picture).save(buffer, "JPEG", **settings)
    return buffer.getvalue()
