"""What a photo's header says, for real files, for files that are something else, and for any bytes at all."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from backdrop import pictures
from backdrop.errors import Rejected
from backdrop.pictures import NeedsMore, NotAPicture, Picture, describe

# How long one example takes depends on who else uses the machine.
PATIENT = settings(deadline=None)
SIZE = (37, 21)


def made(kind: str, mode: str = "RGB", *, size: tuple[int, int] = SIZE, **options: Any) -> bytes:
    """A real file of that kind, written by Pillow."""
    file = io.BytesIO()
    Image.new(mode, size, 100 if mode == "P" else 0).save(file, kind, **options)
    return file.getvalue()


def film(kind: str, **options: Any) -> bytes:
    """A file of two pictures."""
    second = Image.new("RGB", SIZE, (9, 200, 30))
    return made(kind, save_all=True, append_images=[second], **options)


def turned(orientation: int) -> Image.Exif:
    """EXIF with an orientation among other things."""
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (made("PNG"), Picture("png", 37, 21, "RGB")),
        (made("PNG", "RGBA"), Picture("png", 37, 21, "RGBA", has_alpha=True)),
        (made("PNG", "LA"), Picture("png", 37, 21, "LA", has_alpha=True)),
        (made("PNG", "L"), Picture("png", 37, 21, "L")),
        (made("PNG", "P"), Picture("png", 37, 21, "P")),
        (made("PNG", "P", transparency=0), Picture("png", 37, 21, "P", has_alpha=True)),
        (made("PNG", exif=turned(6)), Picture("png", 37, 21, "RGB", orientation=6)),
        (film("PNG"), Picture("png", 37, 21, "RGB", animated=True)),
        (made("JPEG"), Picture("jpeg", 37, 21, "RGB")),
        (made("JPEG", progressive=True), Picture("jpeg", 37, 21, "RGB")),
        (made("JPEG", "L"), Picture("jpeg", 37, 21, "L")),
        (made("JPEG", "CMYK"), Picture("jpeg", 37, 21, "CMYK")),
        (made("JPEG", exif=turned(8)), Picture("jpeg", 37, 21, "RGB", orientation=8)),
        (made("JPEG", exif=turned(9)), Picture("jpeg", 37, 21, "RGB", orientation=1)),
        (made("JPEG", icc_profile=b"x" * 90_000), Picture("jpeg", 37, 21, "RGB")),
        (made("WEBP"), Picture("webp", 37, 21, "RGB")),
        (made("WEBP", lossless=True), Picture("webp", 37, 21, "RGB")),
        (made("WEBP", "RGBA"), Picture("webp", 37, 21, "RGBA", has_alpha=True)),
        (made("WEBP", "RGBA", lossless=True), Picture("webp", 37, 21, "RGBA", has_alpha=True)),
        (made("WEBP", icc_profile=b"x" * 300), Picture("webp", 37, 21, "RGB")),
        (film("WEBP"), Picture("webp", 37, 21, "RGB", animated=True)),
        (made("GIF"), Picture("gif", 37, 21, "P")),
        (made("GIF", "P", transparency=100, optimize=False), Picture("gif", 37, 21, "P", has_alpha=True)),
        (film("GIF", disposal=2), Picture("gif", 37, 21, "P", animated=True)),
        (film("GIF", disposal=2, loop=0), Picture("gif", 37, 21, "P", animated=True)),
        (made("PNG", size=(1, 70_000)), Picture("png", 1, 70_000, "RGB")),
        (made("WEBP", size=(16_383, 1)), Picture("webp", 16_383, 1, "RGB")),
        (made("JPEG", size=(300, 65_500)), Picture("jpeg", 300, 65_500, "RGB")),
    ],
)
def test_a_real_file_is_described(data: bytes, expected: Picture) -> None:
    """Format, size, channels, animation, orientation and alpha, as another library wrote them."""
    assert describe(data, complete=True) == expected
    assert describe(data + b"anything after it") == expected


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_upright_size_follows_the_orientation(orientation: int) -> None:
    """Orientations 5 to 8 swap the sides."""
    picture = describe(made("JPEG", exif=turned(orientation)))

    assert picture.orientation == orientation
    assert picture.upright == ((21, 37) if orientation >= 5 else (37, 21))


def test_exif_of_the_other_byte_order_is_read() -> None:
    """Cameras write either; Pillow one."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x03\x00\x00"
    exif = b"Exif\0\0MM\0*\0\0\0\x08\x00\x01" + entry + b"\0\0\0\0"
    data = made("JPEG")

    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    assert describe(data[:2] + segment + data[2:]).orientation == 3


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"II*\0",
        b"XX*\0\x08\0\0\0\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x09\0\0\0\x01",
        b"II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0",
        b"II*\0\x08\0\0\0\x01\0" + b"\x12\x01\x04\0\x01\0\0\0\x06\0\0\0",
        b"II*\0\x08\0\0\0\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x00\0\0\0",
        b"II*\0\x08\0\0\0\x00\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0",
    ],
)
def test_exif_that_is_broken_is_left_aside(exif: bytes) -> None:
    """A broken note about the orientation does not cost the photo."""
    data, block = made("JPEG"), b"Exif\0\0" + exif
    segment = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block

    assert describe(data[:2] + segment + data[2:]) == Picture("jpeg", 37, 21, "RGB")


def test_fill_bytes_and_lone_markers_are_passed_over() -> None:
    """JPEG allows any number of FF before a marker, and markers without a length."""
    data = made("JPEG")

    assert describe(data[:2] + b"\xff\xff\xff\x01\xff\xff\xd0" + data[2:]).width == 37


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 2), ("P", 1), ("RGB", 3), ("RGBA", 4), ("CMYK", 4)])
def test_a_mode_has_its_channels(mode: str, channels: int) -> None:
    """A palette counts as one."""
    assert Picture("png", 1, 1, mode).channels == channels


@pytest.mark.parametrize(
    "data", [made(kind, icc_profile=b"x" * 5000) for kind in ("PNG", "JPEG", "WEBP")] + [made("GIF")]
)
def test_a_short_head_asks_for_more_until_it_is_enough(data: bytes) -> None:
    """However little is read at first, asking leads to the answer in a few steps, and never for less."""
    length = 1
    for _ in range(20):
        asked = needed(data[:length])
        if not asked:
            break
        assert asked > length
        length = asked

    assert describe(data[:length]).width == 37


def needed(head: bytes) -> int:
    """How many bytes a header asks for; none when these are enough."""
    try:
        describe(head)
    except NeedsMore as more:
        return more.at_least
    return 0


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_file_cut_short_is_told_as_such(kind: str) -> None:
    """When there is no more to read, the header will never come."""
    with pytest.raises(NotAPicture) as caught:
        describe(made(kind)[:20], complete=True)

    assert "cut short" in caught.value.reason
    assert caught.value.problems[0].action == "Upload it again, whole."


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50), "a HEIC (an iPhone's own format)"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(50), "a HEIC (an iPhone's own format)"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0avifmif1" + bytes(50), "an AVIF"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + bytes(50), "an AVIF"),
        (b"\0\0\0\x1cftypavis\0\0\0\0xxxx" + bytes(50), "an AVIF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp42" + bytes(50), "a film"),
        (made("TIFF"), "a TIFF"),
        (b"MM\0*\0\0\0\x08" + bytes(50), "a TIFF"),
        (b"II+\0" + bytes(50), "a TIFF"),
        (made("BMP"), "a BMP"),
        (b"8BPS\0\x01" + bytes(50), "a Photoshop file"),
        (b"%PDF-1.7\n" + bytes(50), "a PDF"),
        (b"\xff\x0a" + bytes(50), "a JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50), "a JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50), "a JPEG 2000"),
        (made("ICO", size=(16, 16)), "an icon file"),
        (b'<svg xmlns="x"/>', "an SVG"),
        (b'\xef\xbb\xbf <?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="x"/>', "an SVG"),
        (b"<!-- x --><SVG><svg/>", "an SVG"),
        (b"<!DOCTYPE html><p>", "a web page"),
        (b"\n<html><svg>", "a web page"),
    ],
)
def test_another_format_is_called_by_its_name(data: bytes, name: str) -> None:
    """The refusal names what the file really is and what to do, whatever its extension says."""
    with pytest.raises(NotAPicture) as caught:
        describe(data)

    (problem,) = caught.value.problems
    assert problem.code == "PHOTO_FORMAT"
    assert problem.message == f"the file is {name}, which no provider takes"
    assert problem.action == "Save it as PNG, JPEG or WebP and upload that."


PNG = made("PNG")
JPEG = made("JPEG")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello world, this is text", "first bytes are none that PNG, JPEG, WebP or GIF begin with"),
        (b"<p>xml?", "first bytes are none"),
        (b"RIFF\x10\0\0\0WAVEfmt " + bytes(50), "sound or film"),
        (b"RIFF\x10\0\0\0WEBPXXXX" + bytes(50), "begins like a WebP but its header is malformed"),
        (b"RIFF\x10\0\0\0WEBPVP8L" + bytes(50), "begins like a WebP but its header is malformed"),
        (b"RIFF\x10\0\0\0WEBPVP8 " + bytes(50), "begins like a WebP but its header is malformed"),
        (PNG[:12] + b"IDAT" + PNG[16:], "begins like a PNG but its header is malformed"),
        (PNG[:25] + b"\x05" + PNG[26:], "begins like a PNG but its header is malformed"),
        (PNG[:16] + bytes(4) + PNG[20:], "its header says 0 x 21 pixels, which cannot be"),
        (PNG[:20] + b"\x7f\0\0\0" + PNG[24:], "pixels, which cannot be"),
        (PNG[:33] + b"\x7f\0\0\0zTXt" + bytes(50), "its header claims to go on for more than 16777216 bytes"),
        (PNG[:33] + (bytes(4) + b"zTXt" + bytes(4)) * 20_001, "begins like a PNG but its picture never comes"),
        (b"\xff\xd8\xff\xd9" + bytes(50), "begins like a JPEG but its header is malformed"),
        (b"\xff\xd8\xff\xda" + bytes(50), "begins like a JPEG but its header is malformed"),
        (b"\xff\xd8\xff\x00" + bytes(50), "begins like a JPEG but its header is malformed"),
        (b"\xff\xd8\xff\xe0\0\0" + bytes(50), "begins like a JPEG but its header is malformed"),
        (b"\xff\xd8" + b"\xff\xd0" * 20_001 + bytes(50), "begins like a JPEG but its header is malformed"),
        (b"\xff\xd8\xff\xc0\0\x11\x08\0\x15\0\x25\x02" + bytes(50), "a JPEG of 2 colour channels"),
        (b"\xff\xd8\xff\xc0\0\x11\x08\0\0\0\x25\x03" + bytes(50), "its header says 37 x 0 pixels"),
    ],
)
def test_what_is_no_readable_picture_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    """A header that lies or never ends costs bounded work and says why."""
    with pytest.raises(NotAPicture, match=r".+") as caught:
        describe(data)

    assert reason in caught.value.reason
    assert caught.value.problems[0].code == "PHOTO_UNREADABLE"
    assert caught.value.problems[0].action


def test_an_empty_file_is_told_as_empty() -> None:
    """The most common broken upload has a code of its own."""
    with pytest.raises(Rejected) as caught:
        describe(b"")

    assert (caught.value.code, caught.value.message) == ("PHOTO_EMPTY", "the file is empty")


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_every_kind_of_jpeg_frame_is_read(marker: int) -> None:
    """Baseline, progressive, arithmetic: all tell their size in the same place."""
    frame = bytes([0xFF, 0xD8, 0xFF, marker]) + b"\0\x11\x08\0\x15\0\x25\x03"

    assert describe(frame) == Picture("jpeg", 37, 21, "RGB")


@pytest.mark.parametrize("marker", [0xC4, 0xC8, 0xCC, 0xDB, 0xE0, 0xFE])
def test_no_other_segment_is_a_frame(marker: int) -> None:
    """Tables and notes may hold any bytes."""
    note = bytes([0xFF, marker]) + b"\0\x08\x08\xff\xff\xff\xff\x02"

    assert describe(JPEG[:2] + note + JPEG[2:]) == Picture("jpeg", 37, 21, "RGB")


def test_the_head_is_enough_for_a_photo_with_a_preview() -> None:
    """A camera's EXIF holds up to 64 KB; the size comes after it."""
    exif = turned(6)
    exif[0x927C] = b"m" * 60_000
    data = made("JPEG", size=(3000, 2000), exif=exif, icc_profile=b"x" * 3000)

    assert describe(data[: pictures.HEAD_BYTES]) == Picture("jpeg", 3000, 2000, "RGB", orientation=6)


FILES = [made("PNG", "RGBA"), JPEG, made("JPEG", exif=turned(6)), made("WEBP"), made("WEBP", "RGBA"), film("WEBP")]
FILES += [film("GIF"), made("GIF"), film("PNG"), made("WEBP", lossless=True), made("TIFF")]


def answer(data: bytes, *, complete: bool) -> None:
    """Describe the bytes; what comes back must be one of the three answers."""
    try:
        picture = describe(data, complete=complete)
    except NotAPicture as refusal:
        told = (refusal.reason, refusal.action)
        assert all(told)
    except NeedsMore as more:
        least = more.at_least
        assert not complete
        assert least > len(data)
    else:
        assert 0 < picture.width <= 1_000_000
        assert 0 < picture.height <= 1_000_000
        assert picture.orientation in range(1, 9)
        assert picture.channels in range(1, 5)


@PATIENT
@given(st.binary(max_size=200), st.booleans())
@example(b"\x89PNG\r\n\x1a\n", True)  # noqa: FBT003 - hypothesis takes examples by position
@example(b"GIF89a", False)  # noqa: FBT003 - the same
def test_any_bytes_have_an_answer(data: bytes, complete: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
    """Bytes of any kind."""
    answer(data, complete=complete)


@PATIENT
@given(st.sampled_from(FILES), st.integers(0, 120), st.integers(0, 4), st.binary(max_size=8), st.booleans())
def test_a_damaged_file_has_an_answer(
    file: bytes,
    at: int,
    cut: int,
    put: bytes,
    complete: bool,  # noqa: FBT001 - hypothesis passes it by name
) -> None:
    """A real file with some bytes taken out and others put in."""
    answer(file[:at] + put + file[at + cut :], complete=complete)


@PATIENT
@given(st.sampled_from(FILES), st.integers(0, 2000))
def test_a_file_cut_anywhere_has_an_answer(file: bytes, at: int) -> None:
    """A real file that ends early."""
    answer(file[:at], complete=False)
    answer(file[:at], complete=True)
