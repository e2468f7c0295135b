"""The contact sheet: every job's photo before and after, side by side, in one picture.

Promises a light page about 2000 pixels wide, a JPEG or a PNG by the path's ending, with a checkerboard wherever
a result is see-through, and no font file (Pillow's own is used). A picture that cannot be read gets an empty
frame that says so.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from backdrop_cli.pixels.arrays import blur

_PAGE = (246, 245, 242)
_CARD = (255, 255, 255)
_INK = (32, 33, 36)
_QUIET = (112, 114, 120)
_MARGIN = 36
_GAP = 24
_PAD = 18
_ACROSS = ((1, 1), (8, 2))
_CHECK = ((255, 255, 255), (226, 228, 231))


@dataclass(frozen=True)
class SheetRow:
    """One job: `title` (the model), `subtitle` (times and price), the photo `before` and the results `after`."""

    title: str
    subtitle: str
    before: Path | bytes
    after: Sequence[Path | bytes] = field(default_factory=tuple)


def contact_sheet(rows: Sequence[SheetRow], path: Path, *, title: str = "", columns: int | None = None) -> None:
    """Draw the rows as cards and write them to `path`.

    `columns` is 2 for up to eight rows and 3 beyond unless given; raises OSError when the path cannot be written.
    """
    across = columns or next((count for most, count in _ACROSS if len(rows) <= most), 3)
    page_width = 2000
    card_width = (page_width - 2 * _MARGIN - (across - 1) * _GAP) // across
    picture_height = round((card_width - 2 * _PAD - 12) / 2 * 0.98)
    card_height = picture_height + 2 * _PAD + 78
    head = 78 if title else 0
    deep = -(-len(rows) // across)
    page_height = 2 * _MARGIN + head + max(1, deep) * card_height + max(0, deep - 1) * _GAP
    page = Image.new("RGB", (page_width, page_height), _PAGE)
    places = [
        (_MARGIN + (number % across) * (card_width + _GAP), _MARGIN + head + (number // across) * (card_height + _GAP))
        for number in range(len(rows))
    ]
    page = _shadowed(page, [(x, y, x + card_width, y + card_height) for x, y in places])
    draw = ImageDraw.Draw(page)
    if title:
        draw.text((_MARGIN + 2, _MARGIN + 8), title, fill=_INK, font=_font(38))
    for row, (x, y) in zip(rows, places, strict=True):
        draw.rounded_rectangle((x, y, x + card_width, y + card_height), 14, fill=_CARD)
        _card(page, draw, row, (x + _PAD, y + _PAD), (card_width - 2 * _PAD, picture_height))
    if path.suffix.lower() in (".jpg", ".jpeg"):
        page.save(path, "JPEG", quality=90, subsampling=0)
    else:
        page.save(path, "PNG", compress_level=6)


def _shadowed(page: Image.Image, boxes: Sequence[tuple[int, int, int, int]]) -> Image.Image:
    veil = Image.new("L", page.size, 0)
    draw = ImageDraw.Draw(veil)
    for left, top, right, bottom in boxes:
        draw.rounded_rectangle((left, top + 5, right, bottom + 5), 14, fill=255)
    shade = blur(np.asarray(veil, np.float32) / 255, 9.0)[:, :, None] * np.float32(0.10)
    pixels = np.asarray(page, np.float32) * (1 - shade) + np.array([40, 42, 50], np.float32) * shade
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _card(
    page: Image.Image, draw: ImageDraw.ImageDraw, row: SheetRow, place: tuple[int, int], room: tuple[int, int]
) -> None:
    x, y = place
    width, height = room
    half = (width - 12) // 2
    _picture(page, draw, row.before, (x, y), (half, height))
    _results(page, draw, row.after, (x + width - half, y), (half, height))
    _arrow(draw, x + width // 2, y + height // 2)
    text_y = y + height + 16
    draw.text((x + 2, text_y), _fitted(draw, row.title, width, 27), fill=_INK, font=_font(27))
    draw.text((x + 2, text_y + 38), _fitted(draw, row.subtitle, width, 21), fill=_QUIET, font=_font(21))


def _arrow(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    draw.ellipse((x - 19, y - 19, x + 19, y + 19), fill=_CARD, outline=(222, 222, 220), width=2)
    draw.line([(x - 7, y), (x + 8, y)], fill=_INK, width=3)
    draw.line([(x + 1, y - 7), (x + 8, y), (x + 1, y + 7)], fill=_INK, width=3, joint="curve")


def _fitted(draw: ImageDraw.ImageDraw, text: str, width: int, size: float) -> str:
    """Return the text, cut with three dots if it is wider than the room."""
    font = _font(size)
    if draw.textlength(text, font=font) <= width:
        return text
    while text and draw.textlength(text + "...", font=font) > width:
        text = text[:-1]
    return text.rstrip() + "..."


def _results(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    results: Sequence[Path | bytes],
    place: tuple[int, int],
    room: tuple[int, int],
) -> None:
    """Draw one result in the whole room, several in a grid of two across."""
    count = min(len(results), 4)
    if count <= 1:
        _picture(page, draw, results[0] if results else b"", place, room)
        return
    # Two stand one over the other: the room is upright.
    across = {2: 1}.get(count, 2)
    down = -(-count // across)
    width, height = (room[0] - 8 * (across - 1)) // across, (room[1] - 8 * (down - 1)) // down
    for number in range(count):
        x = place[0] + (number % across) * (width + 8)
        y = place[1] + (number // across) * (height + 8)
        _picture(page, draw, results[number], (x, y), (width, height))


def _picture(
    page: Image.Image, draw: ImageDraw.ImageDraw, source: Path | bytes, place: tuple[int, int], room: tuple[int, int]
) -> None:
    image = _opened(source)
    if image is None:
        draw.rounded_rectangle((*place, place[0] + room[0], place[1] + room[1]), 8, fill=(240, 239, 236))
        middle = (place[0] + room[0] // 2, place[1] + room[1] // 2)
        draw.text(middle, "no picture", fill=_QUIET, font=_font(20), anchor="mm")
        return
    tile = _fill(image, room)
    corners = Image.new("L", room, 0)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, room[0] - 1, room[1] - 1), 8, fill=255)
    page.paste(tile, place, corners)


def _opened(source: Path | bytes) -> Image.Image | None:
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            image.draft("RGB", (1200, 1200))
            upright = ImageOps.exif_transpose(image)
            see_through = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
            return upright.convert("RGBA" if see_through else "RGB")
    except (OSError, ValueError, SyntaxError):
        return None


def _fill(image: Image.Image, room: tuple[int, int]) -> Image.Image:
    """Return the whole picture in the room: on a checkerboard if see-through, else on its own blurred edge colour."""
    width, height = room
    scale = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    place = ((width - size[0]) // 2, (height - size[1]) // 2)
    small = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if image.mode == "RGBA":
        cells = (np.indices((height, width)) // 14).sum(axis=0) % 2
        tile = Image.fromarray(np.array(_CHECK, np.uint8)[cells])
        tile.paste(small, place, small)
        return tile
    tile = Image.new("RGB", room, (240, 239, 236))
    tile.paste(small, place)
    return tile
