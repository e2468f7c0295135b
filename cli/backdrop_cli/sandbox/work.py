"""The picture work of a run, as one call in a worker thread.

Promises what `backdrop_cli.pixels.looks` promises, for each model under the provider's own field names, and thumbnails
of before and after for the page. Imports the picture modules on first use, so the service starts at once. Refuses a
photo it cannot read with `BadPhoto`.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backdrop_cli.sandbox.files import EXTENSIONS, MEDIA_TYPES

if TYPE_CHECKING:
    from backdrop_cli.pixels.looks import Rendered

THUMBNAIL = 220


class BadPhoto(Exception):
    """The photo cannot be worked on; `reason` is for a person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Picture:
    """One finished picture. `format` is "png", "jpeg" or "webp"."""

    data: bytes
    format: str
    width: int
    height: int

    @property
    def media_type(self) -> str:
        """Its Content-Type."""
        return MEDIA_TYPES.get(self.format, "application/octet-stream")

    @property
    def extension(self) -> str:
        """Its file name's extension, without the dot."""
        return EXTENSIONS.get(self.format, "bin")


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a run made: its pictures in order, and small WebP thumbnails of before and after (may be empty)."""

    pictures: tuple[Picture, ...]
    before: bytes
    after: bytes


def draw(model: str, photo: bytes, fields: Mapping[str, Any], reference: bytes = b"") -> Drawn:
    """Do the work of `model`. `fields` are the provider's input fields, `reference` a second picture.

    Raises:
        BadPhoto: the photo or the reference cannot be read.
    """
    from backdrop_cli.pixels.looks import UnreadablePhoto  # noqa: PLC0415 - OpenCV takes 300 ms to import

    try:
        rendered = _LOOKS[model](photo, fields, reference)
    except UnreadablePhoto as error:
        raise BadPhoto(error.reason) from None
    pictures = tuple(Picture(one.data, one.format, one.width, one.height) for one in rendered)
    return Drawn(pictures, thumbnail(photo), thumbnail(pictures[0].data))


def _background_color(photo: bytes, fields: Mapping[str, Any], _: bytes) -> Sequence["Rendered"]:
    from backdrop_cli.pixels import looks  # noqa: PLC0415 - as in `draw`

    channels = {name: fields[f"color_{name}"] for name in ("red", "green", "blue")}
    return (looks.background_color(photo, **channels),)


def _background_replace(photo: bytes, fields: Mapping[str, Any], reference: bytes) -> Sequence["Rendered"]:
    from backdrop_cli.pixels import looks  # noqa: PLC0415 - as in `draw`

    return (looks.background_replace(photo, reference, prompt=fields.get("prompt") or ""),)


def _bria_remove(photo: bytes, _: Mapping[str, Any], __: bytes) -> Sequence["Rendered"]:
    from backdrop_cli.pixels import looks  # noqa: PLC0415 - as in `draw`

    return (looks.bria_remove(photo),)


def _remove_bg(photo: bytes, fields: Mapping[str, Any], _: bytes) -> Sequence["Rendered"]:
    from backdrop_cli.pixels import looks  # noqa: PLC0415 - as in `draw`

    return looks.remove_bg(photo, list(fields["output_variants"]))


def _ai_cut(photo: bytes, fields: Mapping[str, Any], _: bytes) -> Sequence["Rendered"]:
    from backdrop_cli.pixels import clicked  # noqa: PLC0415 - as in `draw`

    return (clicked.clicked(photo, **fields),)


def _change(photo: bytes, fields: Mapping[str, Any], _: bytes) -> Sequence["Rendered"]:
    from backdrop_cli.pixels import looks  # noqa: PLC0415 - as in `draw`

    return (looks.change(photo, **fields),)


def _remove(photo: bytes, fields: Mapping[str, Any], _: bytes) -> Sequence["Rendered"]:
    from backdrop_cli.pixels import looks  # noqa: PLC0415 - as in `draw`

    return looks.remove(photo, **fields)


_LOOKS: Mapping[str, Callable[[bytes, Mapping[str, Any], bytes], Sequence["Rendered"]]] = {
    "runflow/background-color": _background_color,
    "runflow/background-replace": _background_replace,
    "bria/background/remove": _bria_remove,
    "backgroundcut/remove-bg": _remove_bg,
    "backgroundcut/ai-cut": _ai_cut,
    "imagepipeline/background-change": _change,
    "imagepipeline/background-remove": _remove,
}


def pixels_of(photo: bytes) -> int:
    """Width times height, from the header alone.

    Raises:
        BadPhoto: the bytes are no picture.
    """
    from PIL import Image  # noqa: PLC0415 - as in `draw`

    try:
        with Image.open(io.BytesIO(photo)) as opened:
            return opened.width * opened.height
    except Exception as error:  # noqa: BLE001 - Pillow's readers raise whatever their format's parser does
        raise BadPhoto(f"the file is not a readable picture ({type(error).__name__})") from None


def thumbnail(data: bytes) -> bytes:
    """A WebP at most `THUMBNAIL` pixels wide or high, upright; empty when the bytes are no picture."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - as in `draw`

    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.draft("RGB", (THUMBNAIL * 2, THUMBNAIL * 2))
            small = ImageOps.exif_transpose(opened)
            small.thumbnail((THUMBNAIL, THUMBNAIL))
            made = io.BytesIO()
            small.convert("RGBA" if "A" in small.getbands() or "transparency" in small.info else "RGB").save(
                made, "WEBP", quality=80
            )
            return made.getvalue()
    except Exception:  # noqa: BLE001 - as in `pixels_of`; a page without a thumbnail is still a page
        return b""
