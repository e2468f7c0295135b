"""What a photo is, read from the first bytes of its file; no pixel is decoded.

Promises, for any bytes at all and in bounded time, one of three answers: a Picture, NotAPicture with the reason and
what to do, or NeedsMore when the header is longer than what was given. Refuses to trust a file's name.

Sources: PNG (w3.org/TR/png-3), JPEG (ITU-T T.81 annex B), EXIF 2.32, WebP (RFC 9649), GIF89a.
"""

from struct import unpack_from
from typing import NamedTuple

from backdrop.errors import Problem, Rejected

HEAD_BYTES = 131_072  # holds the header of nearly every photo, with its EXIF preview and colour profile
_MAX_STEPS = 20_000  # segments, chunks or blocks looked at before a header counts as malformed
_MAX_HEAD_BYTES = 16_777_216  # a header said to reach further is malformed
_MAX_SIDE = 1_000_000

_TURNED = frozenset({5, 6, 7, 8})  # the EXIF orientations that swap the sides
_TAKEN = "Save it as PNG, JPEG or WebP and upload that."


class Picture(NamedTuple):
    """A header's facts. Width and height in pixels as stored, before the EXIF orientation (1 to 8) is applied.

    `mode` is Pillow's word: "L", "LA", "P", "RGB", "RGBA", "CMYK". `animated` of a GIF is as far as the head shows. A
    WebP's orientation lies behind its pixels and is not read: it is told as 1.
    """

    format: str
    width: int
    height: int
    mode: str
    animated: bool = False
    orientation: int = 1
    has_alpha: bool = False

    @property
    def channels(self) -> int:
        """How many channels each pixel has; a palette counts as one."""
        return 1 if self.mode == "P" else len(self.mode)

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as a viewer shows them, after the EXIF orientation."""
        return (self.height, self.width) if self.orientation in _TURNED else (self.width, self.height)


class NotAPicture(Rejected):
    """The bytes are no picture that can be read here; `reason` says why."""

    def __init__(self, reason: str, action: str = _TAKEN, code: str = "PHOTO_UNREADABLE") -> None:
        super().__init__(Problem(code, reason, action))
        self.reason = reason


class NeedsMore(Exception):
    """The head is too short: read at least `at_least` bytes from the start of the file."""

    def __init__(self, at_least: int) -> None:
        super().__init__(f"at least {at_least} bytes are needed")
        self.at_least = at_least


def describe(head: bytes, *, complete: bool = False) -> Picture:
    """Read a picture's header from the first bytes of its file.

    HEAD_BYTES are normally enough. `complete` says that `head` is the whole file, so that a file cut short is told as
    such.

    Raises:
        NotAPicture: empty, malformed, or of a format that no provider takes; it is a Rejected.
        NeedsMore: the header goes on beyond `head` (never when `complete`).
    """
    try:
        return _describe(head)
    except NeedsMore:
        if complete:
            raise NotAPicture(
                "the file ends before its header does: it is cut short", "Upload it again, whole."
            ) from None
        raise


def _describe(head: bytes) -> Picture:
    if not head:
        raise NotAPicture("the file is empty", "Upload it again, whole.", "PHOTO_EMPTY")
    for signature, read in _READERS:
        if head.startswith(signature):
            return read(head)
    if head[:4] == b"RIFF":
        return _webp(head)
    foreign = _foreign(head)
    if foreign:
        raise NotAPicture(f"the file is {foreign}, which no provider takes", code="PHOTO_FORMAT")
    if any(signature.startswith(head) for signature in (*_SIGNATURES, b"RIFF")):
        raise NeedsMore(64)
    raise NotAPicture("the file is not a picture: its first bytes are none that PNG, JPEG, WebP or GIF begin with")


def _bytes(head: bytes, start: int, count: int) -> bytes:
    if start + count > _MAX_HEAD_BYTES:
        raise NotAPicture(f"its header claims to go on for more than {_MAX_HEAD_BYTES} bytes, which cannot be")
    if start + count > len(head):
        raise NeedsMore(start + count)
    return head[start : start + count]


def _sized(picture: Picture) -> Picture:
    if not (0 < picture.width <= _MAX_SIDE and 0 < picture.height <= _MAX_SIDE):
        raise NotAPicture(f"its header says {picture.width} x {picture.height} pixels, which cannot be")
    return picture


# PNG: chunks of length, type, data and checksum; the first is IHDR, acTL before IDAT means animated.
_PNG_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}


def _png(head: bytes) -> Picture:
    width, height, _depth, colour = unpack_from(">IIBB", _bytes(head, 16, 10))
    mode = _PNG_MODES.get(colour, "")
    if _bytes(head, 12, 4) != b"IHDR" or not mode:
        raise NotAPicture("the file begins like a PNG but its header is malformed")
    animated, transparent, orientation, at = False, False, 1, 8
    for _ in range(_MAX_STEPS):
        length, kind = unpack_from(">I4s", _bytes(head, at, 8))
        if kind in (b"IDAT", b"IEND"):
            alpha = transparent or mode in ("LA", "RGBA")
            return _sized(Picture("png", width, height, mode, animated, orientation, alpha))
        animated |= kind == b"acTL"
        transparent |= kind == b"tRNS"
        if kind == b"eXIf":
            orientation = _orientation(_bytes(head, at + 8, length))
        at += 12 + length
    raise NotAPicture("the file begins like a PNG but its picture never comes")


# JPEG: segments of marker and length; SOF holds the size, APP1 the EXIF.
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_NO_HEADER = frozenset({0x00, 0xD9, 0xDA})  # data, the end or a scan, before any frame
_FILL, _APP1, _EXIF = 0xFF, 0xE1, b"Exif\0\0"
_JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}


def _jpeg(head: bytes) -> Picture:
    orientation, at = 1, 2
    for _ in range(_MAX_STEPS):
        lead, marker = _bytes(head, at, 2)
        if lead != _FILL or marker in _NO_HEADER:
            break
        if marker == _FILL or marker in _STANDALONE:
            at += 1 if marker == _FILL else 2
            continue
        (length,) = unpack_from(">H", _bytes(head, at + 2, 2))
        if marker in _SOF:
            height, width, components = unpack_from(">HHB", _bytes(head, at + 5, 5))
            mode = _JPEG_MODES.get(components)
            if mode is None:
                raise NotAPicture(f"it is a JPEG of {components} colour channels, which cannot be read")
            return _sized(Picture("jpeg", width, height, mode, orientation=orientation))
        if marker == _APP1 and head[at + 4 : at + 10] == _EXIF:
            orientation = _orientation(_bytes(head, at + 10, max(length - 8, 0)))
        at += 2 + length
    raise NotAPicture("the file begins like a JPEG but its header is malformed")


_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_HEADER, _ENTRY, _ORIENTATION, _SHORT = 8, 12, 0x0112, 3


def _orientation(exif: bytes) -> int:
    """The orientation of an EXIF block (a TIFF header and its first directory); 1 when it tells none that is valid."""
    order = _ORDERS.get(exif[:4])
    if order is None or len(exif) < _TIFF_HEADER:
        return 1
    (start,) = unpack_from(order + "I", exif, 4)
    if start + 2 > len(exif):
        return 1
    (count,) = unpack_from(order + "H", exif, start)
    last = min(start + 2 + _ENTRY * count, len(exif) - _ENTRY + 1)
    for entry in range(start + 2, last, _ENTRY):
        tag, kind, _number, value = unpack_from(order + "HHIH", exif, entry)
        if tag == _ORIENTATION and kind == _SHORT:
            return value if value in range(1, 9) else 1
    return 1


# WebP: a RIFF container; the first chunk tells which of three kinds.
_LOSSLESS = 0x2F


def _webp(head: bytes) -> Picture:
    if _bytes(head, 8, 4) != b"WEBP":
        raise NotAPicture("the file is a RIFF container but no WebP picture (sound or film)")
    kind = _bytes(head, 12, 4)
    data = _bytes(head, 20, 10) if kind in (b"VP8X", b"VP8 ") else _bytes(head, 20, 5)
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[4:7], "little")
        height = 1 + int.from_bytes(data[7:10], "little")
        return _webp_picture(width, height, alpha=bool(data[0] & 0x10), animated=bool(data[0] & 0x02))
    if kind == b"VP8L" and data[0] == _LOSSLESS:
        bits = int.from_bytes(data[1:5], "little")
        return _webp_picture(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), alpha=bool(bits >> 28 & 1))
    if kind == b"VP8 " and data[3:6] == b"\x9d\x01\x2a":
        width, height = unpack_from("<HH", data, 6)
        return _webp_picture(width & 0x3FFF, height & 0x3FFF, alpha=False)
    raise NotAPicture("the file begins like a WebP but its header is malformed")


def _webp_picture(width: int, height: int, *, alpha: bool, animated: bool = False) -> Picture:
    return _sized(Picture("webp", width, height, "RGBA" if alpha else "RGB", animated, has_alpha=alpha))


# GIF: blocks; a second picture or the looping extension means animated.
def _gif(head: bytes) -> Picture:
    width, height, flags = unpack_from("<HHB", _bytes(head, 6, 5))
    animated, alpha = _gif_blocks(head[:HEAD_BYTES], 13 + _gif_table(flags))
    return _sized(Picture("gif", width, height, "P", animated, has_alpha=alpha))


def _gif_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


_IMAGE, _EXTENSION, _APPLICATION, _CONTROL = 0x2C, 0x21, 0xFF, 0xF9
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def _gif_blocks(head: bytes, at: int) -> tuple[bool, bool]:
    """Whether it is animated and whether it has transparency, as far as `head` shows."""
    pictures, alpha = 0, False
    while at + 10 <= len(head) and head[at] in {_IMAGE, _EXTENSION}:
        if head[at] == _IMAGE:
            if pictures:
                return True, alpha
            pictures += 1
            at = _gif_skip(head, at + 11 + _gif_table(head[at + 9]))
            continue
        if head[at + 1] == _APPLICATION and head[at + 3 : at + 14] in _LOOPS:
            return True, alpha
        alpha |= head[at + 1] == _CONTROL and bool(head[at + 3] & 1)
        at = _gif_skip(head, at + 2)
    return False, alpha


def _gif_skip(head: bytes, at: int) -> int:
    while at < len(head) and head[at]:
        at += 1 + head[at]
    return at + 1


_READERS = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"GIF87a", _gif),
    (b"GIF89a", _gif),
)
_SIGNATURES = tuple(signature for signature, _ in _READERS)

_FOREIGN = (
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"II+\0", "a TIFF"),
    (b"MM\0+", "a TIFF"),
    (b"BM", "a BMP"),
    (b"8BPS", "a Photoshop file"),
    (b"%PDF-", "a PDF"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"\0\0\x01\0", "an icon file"),
)
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


def _foreign(head: bytes) -> str:
    """The name of a format that is known but not taken, with its article; empty when it is none of them."""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in (b"avif", b"avis") or b"avif" in head[16:64]:
            return "an AVIF"
        return "a HEIC (an iPhone's own format)" if brand in _HEIF_BRANDS else "a film"
    for signature, name in _FOREIGN:
        if head.startswith(signature):
            return name
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<svg") or (
        start.startswith((b"<?xml", b"<!doctype svg", b"<!--")) and b"<svg" in head[:4096]
    ):
        return "an SVG"
    return "a web page" if start.startswith((b"<!doctype html", b"<html")) else ""
