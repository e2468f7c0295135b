"""The cut-out's mask against known ones, its corners, and photos without a subject."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backdrop_cli import photos
from backdrop_cli.pixels import codec, looks
from backdrop_cli.pixels.cut import cut


def overlap(alpha: Any, mask: Any) -> float:
    """Return intersection over union of two masks at half cover."""
    one, two = alpha > 127, mask > 127
    return float((one & two).sum() / max(1, (one | two).sum()))


PAIRS = [
    ("blob", "white"), ("box", "gradient"), ("ring", "spot"), ("bust", "gradient"), ("bottle", "table"),
    ("blob", "oak"), ("bottle", "grass"), ("box", "concrete"), ("blob", "bokeh"), ("ring", "tiles"),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "ground"), PAIRS)
def test_the_mask_of_a_drawn_scene_is_found(drawn: Callable[..., Any], subject: str, ground: str) -> None:
    """The cut-out overlaps the true mask by 0.9 on plain and 0.8 on busy grounds, and its free corners are clear."""
    scene = drawn(subject, ground, 11)
    alpha = cut(codec.read(scene.data)).alpha
    wanted = 0.9 if ground in ("white", "gradient", "spot", "table") else 0.8
    assert overlap(alpha, scene.mask) >= wanted
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        if scene.mask[row, column] == 0:
            assert alpha[row, column] < 8


@pytest.mark.parametrize("sample", photos.SAMPLES, ids=lambda sample: sample.name)
def test_the_mask_of_a_sample_photo_is_found(sample: photos.Sample) -> None:
    """Every sample photo has a megapixel or more and is cut out as well as its ground allows."""
    photo = codec.read(sample.data)
    assert photo.width * photo.height >= 1_000_000
    assert photo.rgb.shape[:2] == sample.mask.shape
    assert overlap(cut(photo).alpha, sample.mask) >= (0.9 if sample.background == "plain" else 0.8)


def test_samples_cover_the_forms_a_photo_comes_in() -> None:
    """Among the samples are a rotated JPEG, a PNG with alpha and a WebP."""
    opened = {sample.name: Image.open(io.BytesIO(sample.data)) for sample in photos.SAMPLES}
    assert opened["chair"].getexif()[0x0112] == 6
    assert opened["perfume"].mode == "RGBA"
    assert opened["vase"].format == "WEBP"
    assert photos.render("mug").filename == "mug.jpg"


def test_the_hole_of_a_handle_is_open() -> None:
    """The wall shows through the mug's handle, so the cut-out is clear there."""
    mug = photos.render("mug")
    alpha = cut(codec.read(mug.data)).alpha
    hole = np.zeros_like(mug.mask)
    hole[500:600, 640:690] = 1
    hole &= mug.mask == 0
    assert hole.sum() > 1000
    assert (alpha[hole > 0] < 30).mean() > 0.95


def test_an_alpha_of_its_own_is_kept() -> None:
    """A photo that comes with alpha keeps exactly that."""
    flacon = photos.render("perfume")
    result = Image.open(io.BytesIO(looks.bria_remove(flacon.data).data))
    assert np.array_equal(np.asarray(result)[:, :, 3], flacon.mask)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (1600, 20), (640, 480)])
def test_a_photo_without_a_subject_is_all_background(size: tuple[int, int]) -> None:
    """A photo of one colour has nothing to cut out: transparent, or wholly the asked colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (90, 120, 160)).save(buffer, "PNG")
    alone = np.asarray(Image.open(io.BytesIO(looks.bria_remove(buffer.getvalue()).data)))
    assert alone[:, :, 3].max() == 0
    coloured = np.asarray(
        Image.open(io.BytesIO(looks.background_color(buffer.getvalue(), red=1, green=2, blue=3).data))
    )
    assert (coloured == [1, 2, 3]).all()


def test_edges_are_free_of_the_old_background() -> None:
    """Half covered pixels of a red disc cut from green carry no green."""
    y, x = np.mgrid[0:300, 0:300]
    cover = np.clip(80.5 - np.hypot(x - 150, y - 150), 0, 1)[:, :, None]
    picture = np.array([200, 20, 20]) * cover + np.array([30, 200, 30]) * (1 - cover)
    buffer = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(buffer, "PNG")
    found = cut(codec.read(buffer.getvalue()))
    edge = (found.alpha > 60) & (found.alpha < 200)
    assert edge.sum() > 50
    assert np.median(found.rgb[edge][:, 1]) < 70
