"""What each model's picture is: format, size, corner colours, and that every field changes it."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backdrop_cli import photos
from backdrop_cli.pixels import looks

CORNERS = ((0, 0), (0, -1), (-1, 0), (-1, -1))


def pixels(result: looks.Rendered) -> Any:
    """Return the result decoded, after checking that its label tells the truth."""
    image = Image.open(io.BytesIO(result.data))
    assert image.format == {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP"}[result.format]
    assert image.size == (result.width, result.height)
    return np.asarray(image).astype(int)


def test_background_color_is_pure_at_the_corners_and_shaded_at_the_subject(small_photo: bytes) -> None:
    """The ground is exactly the asked colour in every corner and about 30 % darker beside the subject."""
    picture = pixels(looks.background_color(small_photo, red=200, green=100, blue=50))
    for row, column in CORNERS:
        assert picture[row, column].tolist() == [200, 100, 50]
    beside = picture[140, 105] / [200, 100, 50]
    assert (abs(beside - 0.71) < 0.06).all()


def test_rotated_photos_come_back_upright() -> None:
    """A JPEG with EXIF rotation gives a result of the upright size."""
    chair = photos.render("chair")
    result = looks.background_color(chair.data, red=9, green=9, blue=9)
    assert (result.height, result.width) == chair.mask.shape


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("colour", ["#ff2200", "#123456"])
@pytest.mark.parametrize("compression", [5, 60, 95])
def test_remove_bg_keeps_the_asked_colour(small_photo: bytes, form: str, colour: str, compression: int) -> None:
    """Corners are within 3 of the asked colour, within 6 for WebP and for JPEG below quality 85."""
    fields = {"format": form, "background_color": colour, "output_compression": compression, "quality": "low"}
    (result,) = looks.remove_bg(small_photo, [fields])
    picture = pixels(result)
    limit = 0 if form == "png" else 3 if form == "jpeg" and compression >= 85 else 6
    for row, column in CORNERS:
        assert abs(picture[row, column, :3] - list(bytes.fromhex(colour[1:]))).max() <= limit


BASE_VARIANT: dict[str, Any] = {"format": "webp", "quality": "medium", "output_compression": 85}
VARIANTS: list[tuple[str, Any]] = [
    ("format", "png"), ("max_resolution", 20_000), ("quality", "low"), ("quality", "high"), ("autocrop", True),
    ("background_color", "#aabbcc"), ("background_color", "#aabbcc80"), ("output_compression", 20),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), VARIANTS)
def test_every_field_of_remove_bg_changes_the_picture(small_photo: bytes, name: str, value: Any) -> None:
    """A variant with one field changed is another file."""
    plain, changed = looks.remove_bg(small_photo, [BASE_VARIANT, {**BASE_VARIANT, name: value}])
    assert plain.data != changed.data


def test_remove_bg_variants_come_in_order_with_crop_and_limit(small_photo: bytes) -> None:
    """One result per variant, in order; autocrop leaves the subject's box, max_resolution its number of pixels."""
    crop, limit, veil = looks.remove_bg(
        small_photo,
        [
            {"autocrop": True},
            {"max_resolution": 10_000, "format": "jpeg", "background_color": "#fff0f0"},
            {"background_color": "#10203080"},
        ],
    )
    assert abs(crop.width - 146) < 12
    assert abs(crop.height - 170) < 12
    assert 9_000 < limit.width * limit.height <= 10_000
    assert limit.format == "jpeg"
    assert pixels(veil)[0, 0].tolist() == [16, 32, 48, 128]


BASE_CHANGE: dict[str, Any] = {"prompt": "studio", "seed": 5, "output_format": "png"}
CHANGES: list[tuple[str, Any, Any]] = [
    ("prompt", "studio", "on a slate table"), ("prompt", "plugh", "xyzzy"), ("seed", 5, 6),
    ("use_segmentation", True, False), ("subject_description", "", "a red disc"), ("subject_description", "a", "b"),
    ("tone_correction", 0.2, 0.9), ("has_text", True, False), ("output_format", "png", "webp"),
    ("palette", [], ["#ff8800"]), ("palette", ["#ff8800", "#0044aa"], ["#0044aa", "#ff8800"]),
    ("num_inference_steps", 8, 12), ("true_cfg_scale", 4.0, 6.0), ("faster_inference", True, False),
    ("harmonize_strength", 0.1, 0.8),
]  # fmt: skip


@pytest.mark.parametrize(("name", "one", "two"), CHANGES)
def test_every_field_of_change_changes_the_picture(small_photo: bytes, name: str, one: Any, two: Any) -> None:
    """Two values of a field give two pictures of the photo's size."""
    first = looks.change(small_photo, **{**BASE_CHANGE, name: one})
    second = looks.change(small_photo, **{**BASE_CHANGE, name: two})
    assert (first.width, first.height) == (360, 300)
    if name != "output_format":
        assert abs(pixels(first) - pixels(second)).max() > 0
    assert first.data != second.data


def test_change_is_repeatable_but_for_a_random_seed(small_photo: bytes) -> None:
    """The same prompt and seed give the same bytes, seed -1 another picture each time; nulls mean the defaults."""
    assert looks.change(small_photo, **BASE_CHANGE).data == looks.change(small_photo, **BASE_CHANGE, palette=None).data
    free = {**BASE_CHANGE, "seed": -1}
    assert looks.change(small_photo, **free).data != looks.change(small_photo, **free).data


KEYWORDS = ["marble kitchen", "beach sunset", "forest", "neon night", "snow mountain", "sky, linen beige"]


@pytest.mark.parametrize("prompt", KEYWORDS)
def test_every_kind_of_scene_can_be_drawn(small_photo: bytes, prompt: str) -> None:
    """Each family of words draws a scene that is not flat."""
    picture = pixels(looks.change(small_photo, prompt=prompt, seed=1, output_format="png"))
    assert picture[:60].std() > 1.5


BASE_REMOVE: dict[str, Any] = {"recolor": "#e0e4f0", "drop_shadow": True, "output_format": "png"}
REMOVALS: list[tuple[str, Any]] = [
    ("recolor", "#f0e0e0"), ("recolor", None), ("drop_shadow", False), ("shadow_opacity", 0.8), ("shadow_blur", 0.05),
    ("shadow_dy", 0.08), ("shadow_dx", 0.06), ("output_format", "jpeg"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), REMOVALS)
def test_every_field_of_remove_changes_the_picture(small_photo: bytes, name: str, value: Any) -> None:
    """A request with one field changed is another file; the cut-out beside it is always a PNG with alpha."""
    plain, cutout = looks.remove(small_photo, **BASE_REMOVE)
    changed, _ = looks.remove(small_photo, **{**BASE_REMOVE, name: value})
    assert plain.data != changed.data
    assert pixels(cutout).shape == (300, 360, 4)


def test_remove_keeps_recolour_and_puts_the_shadow_in_the_alpha(small_photo: bytes) -> None:
    """With a colour its corners are exact, `#` or not; without one the shadow lies, half clear, below the subject."""
    recoloured, _ = looks.remove(small_photo, recolor="F0F0F0", drop_shadow=True, output_format="png")
    picture = pixels(recoloured)
    for row, column in CORNERS:
        assert picture[row, column].tolist() == [240, 240, 240]
    shadowed, cutout = looks.remove(small_photo, drop_shadow=True, shadow_dy=0.08, output_format="png")
    below = np.s_[228:240, 170:190]
    assert 20 < pixels(shadowed)[below][:, :, 3].mean() < 120
    assert pixels(cutout)[below][:, :, 3].max() < 8


@pytest.mark.parametrize("prompt", ["warm evening", "bright, from the left", "soft, from the right", "plugh"])
def test_background_replace_listens_to_the_prompt(small_photo: bytes, scenery: bytes, prompt: str) -> None:
    """A prompt changes the picture, the same way each time; the size stays the photo's."""
    plain = looks.background_replace(small_photo, scenery, prompt="")
    steered = looks.background_replace(small_photo, scenery, prompt=prompt)
    assert steered.data == looks.background_replace(small_photo, scenery, prompt=prompt).data
    assert abs(pixels(plain) - pixels(steered)).mean() > 0.3
    assert (plain.width, plain.height) == (360, 300)


def test_the_sample_scene_is_a_picture() -> None:
    """The reference that comes with the samples is a JPEG under a support file's name."""
    filename, data = photos.reference()
    assert filename == "_scene.jpg"
    assert Image.open(io.BytesIO(data)).size == (1600, 1200)
