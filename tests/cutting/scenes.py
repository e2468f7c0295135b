"""Scenes with a known subject: any painted thing before any painted ground, as a camera would have it.

Promises that a seed gives the same scene in every run and on every machine of one version of the libraries. Refuses
nothing; a subject that could not be told from its ground by its colour is drawn again, at most a dozen times.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from grounds import BUSY, PLAIN
from subjects import STANDING, SUBJECTS, Painted, Painter

from backdrop_cli.photos.furniture import chair, sneaker
from backdrop_cli.photos.paint import camera
from backdrop_cli.photos.people import portrait
from backdrop_cli.photos.vessels import bottle, mug, perfume, vase
from backdrop_cli.pixels.arrays import Mask, Pixels, Plane, to_pixels

SHAPES = ((900, 1200), (1200, 900), (1024, 1024), (853, 1280))
_TRIES = 12
_TOLD_APART = 15  # in Lab, of medians


@dataclass(frozen=True)
class Scene:
    """A photo (uint8 (H, W, 3)), the true mask of its subject, and what was drawn."""

    photo: Pixels
    mask: Mask
    subject: str
    ground: str
    plain: bool


def _sample(paint: Callable[[tuple[int, int], np.random.Generator], Painted], *, stands: bool = False) -> Painter:
    """Return the painter of a sample photo's subject, smaller and moved unless it stands on the lower border."""

    def painter(height: int, width: int, random: np.random.Generator) -> Painted:
        colours, cover = paint((height, width), random)
        if stands:
            return colours, cover
        scale = random.uniform(0.55, 1.05)
        left = width * ((1 - scale) / 2 + random.uniform(-0.1, 0.1))
        top = height * ((1 - scale) / 2 + random.uniform(-0.08, 0.08))
        move = np.array([[scale, 0, left], [0, scale, top]], np.float32)
        size = (width, height)
        return (
            cv2.warpAffine(np.asarray(colours, np.float32), move, size, flags=cv2.INTER_AREA),
            cv2.warpAffine(np.asarray(cover, np.float32), move, size, flags=cv2.INTER_AREA),
        )

    return painter


_SAMPLES: dict[str, Painter] = {
    "sample chair": _sample(chair),
    "sample sneaker": _sample(sneaker),
    "sample portrait": _sample(portrait, stands=True),
    "sample bottle": _sample(bottle),
    "sample mug": _sample(mug),
    "sample perfume": _sample(perfume),
    "sample vase": _sample(vase),
}
THINGS: dict[str, Painter] = {**SUBJECTS, **_SAMPLES}


def draw(seed: int, *, plain: bool = False) -> Scene:
    """Return the scene of this seed, on a plain or on a busy ground."""
    random = np.random.default_rng([seed, int(plain)])
    height, width = SHAPES[random.integers(len(SHAPES))]
    grounds = PLAIN if plain else BUSY
    # A third of the subjects are the sample photos', which are drawn with more care.
    things = _SAMPLES if random.random() < 1 / 3 else SUBJECTS
    ground = list(grounds)[random.integers(len(grounds))]
    subject = list(things)[random.integers(len(things))]
    behind = grounds[ground](height, width, random)
    if not plain and random.random() < 0.3:
        behind = _turned(behind, random)
    if not plain and random.random() < 0.15:
        behind = cv2.GaussianBlur(behind, (0, 0), random.uniform(2, 9))
    colours, cover = _told_apart(THINGS[subject], behind, random)
    if subject not in STANDING and subject != "sample portrait" and random.random() < 0.5:
        behind = behind * (1 - _shadow(cover, random)[:, :, None])
    soft = cv2.GaussianBlur(cover, (0, 0), random.uniform(0.5, 1.1))[:, :, None]
    return Scene(_taken(behind * (1 - soft) + colours * soft, random), cover > 0.5, subject, ground, plain)


def _told_apart(paint: Painter, behind: Plane, random: np.random.Generator) -> Painted:
    """Return the subject in colours that the ground around it has not."""
    height, width = behind.shape[:2]
    near = np.ones((41, 41), np.uint8)
    for _ in range(_TRIES):
        colours, cover = paint(height, width, random)
        if random.random() < 0.4:
            colours = _turned(colours, random)
        if random.random() < 0.5:
            colours, cover = np.ascontiguousarray(colours[:, ::-1]), np.ascontiguousarray(cover[:, ::-1])
        inside = cover > 0.5
        around = (cv2.dilate(inside.astype(np.uint8), near) > 0) & ~inside
        if not inside.any() or not around.any():
            continue
        pair = np.array([[np.median(colours[inside], axis=0), np.median(behind[around], axis=0)]], np.float32)
        ours, theirs = cv2.cvtColor(np.clip(pair, 0, 1), cv2.COLOR_RGB2LAB)[0]
        if float(np.linalg.norm(ours - theirs)) > _TOLD_APART:
            break
    return np.asarray(colours, np.float32), np.asarray(cover, np.float32)


def _turned(picture: Plane, random: np.random.Generator) -> Plane:
    """Return the picture with its hues turned and its lightness moved."""
    lab = cv2.cvtColor(np.clip(picture, 0, 1).astype(np.float32), cv2.COLOR_RGB2LAB)
    angle, strength = random.uniform(0, 2 * np.pi), random.uniform(0.6, 1.2)
    green_red, blue_yellow = lab[:, :, 1].copy(), lab[:, :, 2].copy()
    lab[:, :, 1] = strength * (green_red * np.cos(angle) - blue_yellow * np.sin(angle))
    lab[:, :, 2] = strength * (green_red * np.sin(angle) + blue_yellow * np.cos(angle))
    lab[:, :, 0] = np.clip(50 + (lab[:, :, 0] - 50) * random.uniform(0.8, 1.1) + random.uniform(-12, 12), 2, 98)
    return cast("Plane", np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1))


def _shadow(cover: Plane, random: np.random.Generator) -> Plane:
    height, width = cover.shape
    move = np.array([[1, 0, random.uniform(-15, 15)], [0, 1, random.uniform(4, 18)]], np.float32)
    moved = cv2.warpAffine(cover, move, (width, height))
    return cv2.GaussianBlur(moved, (0, 0), random.uniform(6, 20)) * random.uniform(0.15, 0.45)


def _taken(picture: Plane, random: np.random.Generator) -> Pixels:
    """Return the picture with a camera's noise and vignette, or plain noise, and a JPEG's traces."""
    if random.random() < 0.5:
        picture = camera(picture, random)
    else:
        noise = random.standard_normal(picture.shape, np.float32)
        picture = picture + noise * np.float32(random.uniform(0.003, 0.014))
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(78, 96))]
    _, encoded = cv2.imencode(".jpg", to_pixels(picture)[:, :, ::-1], quality)
    decoded = cast("Pixels", cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(decoded[:, :, ::-1])
