"""Reading and writing picture bytes, friendly and hostile."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backdrop_cli.pixels import codec, looks


def saved(image: Image.Image, form: str, **fields: Any) -> bytes:
    """Return the image's file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **fields)
    return buffer.getvalue()


def _ramp(mode: str) -> Image.Image:
    grey = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1)))
    return grey.convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_opaque_modes_become_rgb(mode: str) -> None:
    """Bilevel, grey, palette and RGB photos are read as RGB without alpha."""
    photo = codec.read(saved(_ramp(mode), "PNG"))
    assert photo.rgb.shape == (48, 64, 3)
    assert photo.alpha is None


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_kept_only_when_it_says_something(mode: str) -> None:
    """A photo's alpha counts when some of it is see-through."""
    full = _ramp(mode)
    assert codec.read(saved(full, "PNG")).alpha is None
    full.putalpha(_ramp("L"))
    alpha = codec.read(saved(full, "PNG")).alpha
    assert alpha is not None
    assert alpha[0, 10] == 40


def test_palette_transparency_is_alpha() -> None:
    """A palette PNG with a see-through colour has alpha."""
    photo = codec.read(saved(_ramp("P"), "PNG", transparency=0))
    assert photo.alpha is not None


def test_sixteen_bits_become_eight() -> None:
    """A 16-bit grey PNG is scaled, not cut off."""
    deep = Image.fromarray(np.full((20, 30), 32896, np.uint16))
    assert codec.read(saved(deep, "PNG")).rgb[0, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int) -> None:
    """Each EXIF orientation gives the upright size."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = codec.read(saved(_ramp("RGB"), "JPEG", exif=exif.tobytes()))
    assert (photo.width, photo.height) == ((64, 48) if orientation < 5 else (48, 64))


def test_cmyk_is_refused_with_its_reason() -> None:
    """A CMYK JPEG is unreadable, and the reason names it."""
    with pytest.raises(codec.UnreadablePhoto, match="CMYK"):
        codec.read(saved(_ramp("CMYK"), "JPEG"))


def test_a_photo_cut_short_is_refused() -> None:
    """Half a JPEG is unreadable."""
    data = saved(_ramp("RGB").resize((640, 480)), "JPEG")
    with pytest.raises(codec.UnreadablePhoto) as caught:
        looks.bria_remove(data[: len(data) // 2])
    assert caught.value.reason


def test_a_huge_photo_is_refused_before_it_is_decoded() -> None:
    """More pixels than the limit are refused from the header."""
    data = saved(Image.new("1", (10_000, 8_001)), "PNG")
    with pytest.raises(codec.UnreadablePhoto, match="limit"):
        codec.read(data)


PREFIXES = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\x10\x00\x00\x00WEBPVP8 ", b"GIF89a"]


@settings(max_examples=120, deadline=None)
@given(prefix=st.sampled_from(PREFIXES), tail=st.binary(max_size=300))
def test_hostile_bytes_only_ever_raise_unreadable_photo(prefix: bytes, tail: bytes) -> None:
    """Whatever the bytes, the one error is UnreadablePhoto."""
    with pytest.raises(codec.UnreadablePhoto):
        codec.read(prefix + tail)


@settings(max_examples=80, deadline=None)
@given(place=st.integers(8, 5_000), value=st.integers(0, 255), form=st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_a_flipped_byte_is_read_or_refused(place: int, value: int, form: str) -> None:
    """A damaged file is read or refused, never anything else."""
    data = bytearray(saved(_ramp("RGB"), form))
    data[place % len(data)] = value
    try:
        photo = codec.read(bytes(data))
    except codec.UnreadablePhoto:
        return
    assert photo.rgb.ndim == 3


@pytest.mark.parametrize("quality", [1, 30, 85, 100])
def test_jpeg_quality_decides_the_size_not_the_flat_colour(quality: int) -> None:
    """A flat colour survives any JPEG quality; detail costs more bytes at a higher one."""
    flat = np.full((64, 64, 3), (201, 33, 77), np.uint8)
    decoded = np.asarray(Image.open(io.BytesIO(codec.encode(flat, "jpeg", quality=quality).data))).astype(int)
    assert abs(decoded - [201, 33, 77]).max() <= 3
    noisy = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    sizes = [len(codec.encode(noisy, "jpeg", quality=step).data) for step in (10, 50, 95)]
    assert sizes == sorted(sizes)


def test_an_unknown_format_is_a_fault_of_the_caller() -> None:
    """Encoding to a format that no provider has raises ValueError."""
    with pytest.raises(ValueError, match="bmp"):
        codec.encode(np.zeros((2, 2, 3), np.uint8), "bmp")
