"""The cut-out's mask against known ones, its corners, and photos without a subject."""

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from backdrop_cli import photos
from backdrop_cli.pixels import codec, looks
from backdrop_cli.pixels.choose import clear_corners
from backdrop_cli.pixels.cut import cut
from backdrop_cli.pixels.fields import bins_of, lab_of
from backdrop_cli.pixels.readings import reconciled


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


def soft_lights(random: np.random.Generator) -> Any:
    """Return a dark ground (900 x 1200, 0 to 1) with forty-five lights out of focus."""
    ground = np.full((900, 1200, 3), (0.10, 0.16, 0.20), np.float32)
    for _ in range(45):
        light = np.zeros((900, 1200), np.float32)
        centre = (int(random.integers(1200)), int(random.integers(900)))
        cv2.circle(light, centre, int(random.integers(18, 70)), 1.0, -1, cv2.LINE_AA)
        ground += light[:, :, None] * random.uniform(0.05, 0.35, 3).astype(np.float32)
    return cv2.GaussianBlur(ground, (0, 0), 5)


def soft_clutter(random: np.random.Generator) -> Any:
    """Return a grey ground (900 x 1200, 0 to 1) with seventy coloured things out of focus."""
    ground = np.full((900, 1200, 3), (0.62, 0.60, 0.56), np.float32)
    for _ in range(70):
        centre, colour = (int(random.integers(1200)), int(random.integers(900))), random.uniform(0.2, 0.85, 3).tolist()
        if random.random() < 0.5:
            cv2.circle(ground, centre, int(random.integers(15, 65)), colour, -1, cv2.LINE_AA)
        else:
            size = (float(random.uniform(25, 150)), float(random.uniform(25, 110)))
            corners = cv2.boxPoints((centre, size, float(random.uniform(0, 90))))
            cv2.fillPoly(ground, [corners.astype(np.int32)], colour, cv2.LINE_AA)
    return cv2.GaussianBlur(ground, (0, 0), 4)


def headphones() -> list[tuple[Any, tuple[float, float, float]]]:
    """Return the cover and colour of each part: a thin open bow and two cups."""
    bow, cups = np.zeros((900, 1200), np.float32), np.zeros((900, 1200), np.float32)
    cv2.ellipse(bow, (600, 470), (215, 240), 0, 170, 370, 1.0, 34, cv2.LINE_AA)
    for x in (380, 820):
        cv2.ellipse(cups, (x, 550), (58, 118), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    return [(bow, (0.72, 0.30, 0.46)), (cups, (0.35, 0.10, 0.16))]


def cup() -> list[tuple[Any, tuple[float, float, float]]]:
    """Return the cover and colour of each part: a wide cup with a handle and a band."""
    body, band = np.zeros((900, 1200), np.float32), np.zeros((900, 1200), np.float32)
    cv2.ellipse(body, (780, 450), (110, 130), 0, -100, 100, 1.0, 40, cv2.LINE_AA)
    corners = np.array([(390, 260), (790, 260), (740, 680), (440, 680)], np.int32)
    cv2.fillPoly(body, [corners], 1.0, cv2.LINE_AA)
    cv2.rectangle(band, (425, 420), (756, 480), 1.0, -1)
    return [(body, (0.20, 0.30, 0.55)), (band, (0.90, 0.86, 0.78))]


@pytest.mark.parametrize(
    ("parts", "ground", "seed"),
    [(headphones, soft_lights, 0), (headphones, soft_lights, 3), (headphones, soft_clutter, 0), (cup, soft_clutter, 1)],
)
def test_a_subject_in_focus_stands_out_from_what_is_not(
    parts: Callable[[], list[tuple[Any, Any]]], ground: Callable[[np.random.Generator], Any], seed: int
) -> None:
    """Thin or parted subjects are cut from lights and clutter that are out of focus."""
    random = np.random.default_rng(seed)
    picture, mask = ground(random), np.zeros((900, 1200), np.float32)
    for cover, colour in parts():
        grain = 1 + 0.03 * random.standard_normal(cover.shape).astype(np.float32)
        paint = np.array(colour, np.float32) * grain[:, :, None]
        picture = picture * (1 - cover[:, :, None]) + paint * cover[:, :, None]
        mask = np.maximum(mask, cover)
    noisy = np.clip(picture * 255 + random.normal(0, 2.5, picture.shape), 0, 255).astype(np.uint8)
    assert overlap(cut(codec.Photo(noisy, None)).alpha, mask * 255) >= 0.8


def soft_room(random: np.random.Generator) -> Any:
    """Return a room (900 x 1200, 0 to 1) out of focus: wall, floor, sofa, pictures and a window at the frame."""
    ground = np.full((900, 1200, 3), (0.62, 0.60, 0.56), np.float32)
    ground[660:] = np.array((0.45, 0.34, 0.26)) * (1 + 0.05 * random.standard_normal((240, 1, 1)))
    for left, top, right, bottom, colour in (
        (150, 430, 860, 720, (0.46, 0.30, 0.42)), (840, 0, 1200, 430, (0.85, 0.90, 0.95)),
        (230, 130, 420, 300, (0.20, 0.36, 0.34)), (450, 90, 600, 220, (0.50, 0.62, 0.40)),
    ):  # fmt: skip
        cv2.rectangle(ground, (left, top), (right, bottom), colour, -1)
    return cv2.GaussianBlur(ground, (0, 0), 3)


def test_a_subject_in_focus_stands_out_from_a_soft_room() -> None:
    """Furniture behind the subject, larger than it and of one piece with it, is left behind when it is out of focus."""
    random = np.random.default_rng(2)
    picture, mask = soft_room(random), np.zeros((900, 1200), np.float32)
    for cover, colour in cup():
        paint = np.array(colour, np.float32) * (1 + 0.03 * random.standard_normal((900, 1200, 1)))
        picture = picture * (1 - cover[:, :, None]) + paint * cover[:, :, None]
        mask = np.maximum(mask, cover)
    noisy = np.clip(picture * 255 + random.normal(0, 2.5, picture.shape), 0, 255).astype(np.uint8)
    assert overlap(cut(codec.Photo(noisy, None)).alpha, mask * 255) >= 0.8


@pytest.mark.parametrize("mirrored", [False, True])
def test_shoulders_that_fill_a_lower_corner_are_the_subject(*, mirrored: bool) -> None:
    """A portrait whose one shoulder leaves at the side, the other below, keeps both on a plain ground."""
    mask: Any = np.zeros((640, 480), np.uint8)
    cv2.ellipse(mask, (285, 330), (85, 110), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(mask, (300, 650), (240, 200), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cover = (mask / 255)[:, :, None]
    paint = np.where(np.arange(640)[:, None, None] < 445, (200.0, 160.0, 135.0), (120.0, 124.0, 130.0))
    noise = np.random.default_rng(4).normal(0, 2.5, (640, 480, 3))
    picture = np.clip((236, 234, 230) * (1 - cover) + paint * cover + noise, 0, 255).astype(np.uint8)
    if mirrored:
        picture, mask = picture[:, ::-1], mask[:, ::-1]
    assert overlap(cut(codec.Photo(np.ascontiguousarray(picture), None)).alpha, mask) >= 0.9


def bricks(random: np.random.Generator, height: int, width: int) -> Any:
    """Return a wall of bricks (0 to 255), each a little lighter or darker than the next."""
    wall = np.full((height, width, 3), (184, 178, 168), np.float32)
    for row in range(0, height, 28):
        for left in range(-70 + row // 28 % 2 * 35, width, 70):
            colour = np.array((168.0, 92.0, 70.0)) * random.uniform(0.75, 1.15)
            cv2.rectangle(wall, (left + 2, row + 2), (left + 67, row + 25), colour.tolist(), -1)
    return wall


@pytest.mark.parametrize("shirt", [(70.0, 40.0, 150.0), (205.0, 200.0, 60.0)])
def test_shoulders_that_fill_the_lower_frame_are_cut_from_bricks(shirt: tuple[float, float, float]) -> None:
    """A shirt that covers most of the lower border and reaches both sides is the subject's, not the wall's."""
    random = np.random.default_rng(6)
    picture, mask = bricks(random, 640, 480), np.zeros((640, 480), np.uint8)
    for centre, axes, colour in (
        ((250, 660), (265, 215), shirt), ((255, 250), (105, 125), (52.0, 38.0, 30.0)),
        ((250, 420), (48, 90), (190.0, 142.0, 116.0)), ((255, 275), (80, 105), (222.0, 172.0, 142.0)),
    ):  # fmt: skip
        cv2.ellipse(picture, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
    noisy = np.clip(picture + random.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
    assert overlap(cut(codec.Photo(noisy, None)).alpha, mask) >= 0.8


def blocks(random: np.random.Generator) -> Any:
    """Return a ground (487 x 641, 0 to 255) of even blocks of every colour."""
    wide = random.uniform(0, 255, (61, 81, 3)).astype(np.float32)
    return cv2.resize(wide, (648, 488), interpolation=cv2.INTER_NEAREST)[:487, :641]


def rectangles(random: np.random.Generator) -> Any:
    """Return a ground (487 x 641, 0 to 255) of rectangles of every size and colour, one over the other."""
    ground = np.full((487, 641, 3), 90, np.float32)
    for _ in range(150):
        x, y = int(random.integers(641)), int(random.integers(487))
        corner = (x + int(random.integers(10, 80)), y + int(random.integers(10, 80)))
        cv2.rectangle(ground, (x, y), corner, random.uniform(0, 255, 3).tolist(), -1)
    return ground


@pytest.mark.parametrize(("ground", "seed"), [(blocks, 1), (rectangles, 1), (rectangles, 3)])
def test_one_thing_is_cut_from_a_ground_that_has_every_colour(
    ground: Callable[[np.random.Generator], Any], seed: int
) -> None:
    """A plain-coloured, grainy shape stands out from a ground in which its colour occurs too, at any size of photo."""
    random = np.random.default_rng(seed)
    picture, mask = ground(random), np.zeros((487, 641), np.uint8)
    angles = np.linspace(0, 2 * np.pi, 6, endpoint=False) + random.uniform(-0.2, 0.2, 6)
    reach = 125 * random.uniform(0.7, 1.1, 6)
    corners = np.stack([320 + reach * np.cos(angles), 240 + reach * np.sin(angles)], axis=1)
    cv2.fillPoly(mask, [corners.astype(np.int32)], 255, cv2.LINE_AA)
    cover = (mask / 255)[:, :, None]
    paint = random.uniform(60, 200, 3) * (1 + 0.12 * random.standard_normal((487, 641, 1)))
    noisy = picture * (1 - cover) + paint * cover + random.normal(0, 4, picture.shape)
    photo = codec.Photo(np.clip(noisy, 0, 255).astype(np.uint8), None)
    assert overlap(cut(photo).alpha, mask) >= 0.8


def test_a_light_behind_the_hair_is_not_the_subject() -> None:
    """No lump of the ground larger than a fleck remains beside the sample portrait."""
    sample = photos.render("portrait")
    alpha = cut(codec.read(sample.data)).alpha
    beside = ((alpha > 127) & (sample.mask < 128)).astype(np.uint8)
    assert cv2.morphologyEx(beside, cv2.MORPH_OPEN, np.ones((13, 13), np.uint8)).sum() == 0


def test_small_parts_at_a_corner_are_cleared() -> None:
    """A fleck in a corner goes, alone or joined by a thin neck; a large subject that fills a corner stays."""
    mask = np.zeros((300, 400), bool)
    mask[90:260, 120:290] = True
    mask[:40, :40] = True
    mask[280:, 380:] = True
    mask[30:100, 38:41] = True
    mask[97:100, 38:125] = True
    cleared = clear_corners(mask)
    assert not cleared[:30, :30].any()
    assert not cleared[280:, 380:].any()
    assert cleared[95:255, 125:285].all()
    large = np.zeros((300, 400), bool)
    large[100:, 60:] = True
    assert np.array_equal(clear_corners(large), large)


def test_two_masks_settle_a_lump_by_its_colour() -> None:
    """Of two masks that differ by a lump, the one wins whose side has the lump's colour."""
    picture = np.full((200, 200, 3), (60, 140, 60), np.uint8)
    picture[60:140, 60:140] = (180, 50, 50)
    bins = bins_of(lab_of(picture))
    true = np.zeros((200, 200), bool)
    true[60:140, 60:140] = True
    lumpy, dented = true.copy(), true.copy()
    lumpy[80:100, 140:160] = True
    dented[80:100, 60:80] = False
    assert np.array_equal(reconciled(lumpy, true, bins), true)
    assert np.array_equal(reconciled(dented, true, bins), true)


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


def test_a_hole_with_the_subjects_own_shadow_is_open() -> None:
    """Through a cup's handle the ground shows, also where the cup's shadow falls on it."""
    height, width = 450, 600
    mask: Any = np.zeros((height, width), np.uint8)
    cv2.rectangle(mask, (225, 150), (360, 380), 255, -1)
    cv2.ellipse(mask, (380, 250), (45, 60), 0, 0, 360, 255, 15)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.8)
    shadow: Any = cv2.GaussianBlur(np.roll(mask, (12, 15), (0, 1)).astype(np.float32) / 255, (0, 0), 9) * 0.35
    ground: Any = np.full((height, width, 3), (228, 226, 222), np.float32) * (1 - shadow[:, :, None])
    cover = mask[:, :, None] / 255
    noise = np.random.default_rng(5).normal(0, 4, (height, width, 1))
    photo = ground * (1 - cover) + np.array((40, 90, 170), np.float32) * cover + noise
    encoded = cv2.imencode(".png", np.clip(photo, 0, 255).astype(np.uint8)[:, :, ::-1])[1].tobytes()
    found = np.asarray(Image.open(io.BytesIO(looks.bria_remove(encoded).data)))[:, :, 3]
    assert overlap(found, mask) > 0.95


def test_a_photo_cut_again_gets_the_mask_found_before(drawn: Callable[..., Any]) -> None:
    """Two photos of one size in turn, each twice: the same cut-out both times, and each photo its own."""
    one, other = (codec.read(drawn(subject, "white", 11).data) for subject in ("blob", "box"))
    first, second = cut(one).alpha, cut(other).alpha
    assert np.array_equal(cut(one).alpha, first)
    assert np.array_equal(cut(other).alpha, second)
    assert overlap(first, second) < 0.9
