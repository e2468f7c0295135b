"""Seeded scenes with known masks: other shapes, grounds and lights than the sample photos have."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from PIL import Image

from backdrop_cli.photos.paint import camera, curve, ellipse, lay, polygon, shaded
from backdrop_cli.pixels import compose
from backdrop_cli.pixels.arrays import Pixels, Plane, blur, clouds, grid, resize, to_pixels
from backdrop_cli.pixels.textures import texture

SHAPE = (900, 1200)
SUBJECTS = ("blob", "box", "ring", "bust", "bottle")
PLAIN = ("white", "gradient", "spot", "table")
BUSY = ("oak", "grass", "concrete", "bokeh", "tiles")


@dataclass(frozen=True)
class Scene:
    """A photo's bytes (JPEG) with its true mask."""

    data: bytes
    mask: Pixels


def _subject(kind: str, random: np.random.Generator) -> Plane:
    height, width = SHAPE
    size = float(random.uniform(0.24, 0.34)) * height
    cx, cy = width * float(random.uniform(0.38, 0.62)), height * float(random.uniform(0.45, 0.55))
    if kind == "blob":
        angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        reach = size * random.uniform(0.75, 1.15, 12)
        return polygon(
            SHAPE, curve([(cx + r * np.cos(a), cy + r * np.sin(a)) for r, a in zip(reach, angle, strict=True)])
        )
    if kind == "box":
        turn = float(random.uniform(0, 1.5))
        corners = [(1, 0.7), (-1, 0.7), (-1, -0.7), (1, -0.7)]
        c, s = np.cos(turn) * size, np.sin(turn) * size
        return polygon(SHAPE, [(cx + c * x - s * y, cy + s * x + c * y) for x, y in corners])
    if kind == "ring":
        return ellipse(SHAPE, (cx, cy), (size, size)) - ellipse(SHAPE, (cx, cy), (size * 0.58, size * 0.58))
    if kind == "bust":
        head = ellipse(SHAPE, (width / 2, height * 0.36), (size * 0.5, size * 0.66))
        neck = polygon(
            SHAPE,
            [
                (width / 2 - 60, height * 0.4),
                (width / 2 + 60, height * 0.4),
                (width / 2 + 70, height),
                (width / 2 - 70, height),
            ],
        )
        shoulders = ellipse(SHAPE, (width / 2, height * 1.05), (size * 1.3, height * 0.4))
        return np.maximum(np.maximum(head, neck), shoulders)
    neck = polygon(
        SHAPE,
        [(cx - 0.2 * size, cy - size), (cx + 0.2 * size, cy - size), (cx + 0.2 * size, cy), (cx - 0.2 * size, cy)],
    )
    body = polygon(
        SHAPE,
        curve(
            [
                (cx - 0.5 * size, cy + size),
                (cx - 0.5 * size, cy - 0.2 * size),
                (cx, cy - 0.55 * size),
                (cx + 0.5 * size, cy - 0.2 * size),
                (cx + 0.5 * size, cy + size),
            ]
        ),
    )
    return np.maximum(neck, body)


def _ground(kind: str, random: np.random.Generator) -> Plane:
    height, width = SHAPE
    x, y = grid(width, height)
    tint = (
        np.array([0.80, 0.72, 0.62], np.float32) if random.random() < 0.5 else np.array([0.62, 0.74, 0.82], np.float32)
    )
    if kind == "white":
        return np.repeat((0.97 - 0.05 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))[:, :, None], 3, axis=2)
    if kind == "gradient":
        return np.asarray(tint * (0.75 + 0.3 * x + 0.1 * y)[:, :, None], np.float32)
    if kind == "spot":
        return np.asarray(
            tint * (0.6 + 0.4 * np.exp(-((x - 0.5) ** 2 + (y - 0.45) ** 2) / 0.2))[:, :, None], np.float32
        )
    if kind == "table":
        return np.asarray(np.where((y > 0.66)[:, :, None], tint * 0.85, tint), np.float32)
    if kind == "bokeh":
        field = np.asarray(
            np.array([0.12, 0.16, 0.26], np.float32) * (0.6 + clouds(random, width, height))[:, :, None], np.float32
        )
        for _ in range(30):
            spot = ellipse(SHAPE, (random.uniform(0, width), random.uniform(0, height)), (random.uniform(15, 50),) * 2)
            field += spot[:, :, None] * random.uniform(0.05, 0.25, 3).astype(np.float32)
        return blur(field, 8.0)
    if kind == "tiles":
        light = np.where((x * 16 % 1 < 0.05) | (y * 12 % 1 < 0.05), 0.55, 0.85)
        return np.asarray(tint * light[:, :, None], np.float32)
    return np.asarray(resize(texture(kind, random), width, height), np.float32)


def draw(subject: str, ground: str, seed: int) -> Scene:
    """Return one scene, the same for the same arguments."""
    random = np.random.default_rng(seed)
    mask = _subject(subject, random)
    behind = _ground(ground, random)
    if subject != "bust":
        shade = compose.contact_shadow(to_pixels(mask), strength=0.4, side=0.5, softness=1.6)
        behind = behind * (1 - shade[:, :, None])
    depth = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    lit = 0.6 + 0.4 * np.clip(depth / depth.max() * 2, 0, 1)
    colours = [(0.72, 0.16, 0.18), (0.16, 0.22, 0.50), (0.86, 0.66, 0.14)]
    colour = colours[int(random.integers(3))] if ground != "bokeh" else (0.86, 0.66, 0.44)
    photo = lay(np.zeros((*SHAPE, 3), np.float32), np.ones(SHAPE, np.float32), shaded(colour, lit.astype(np.float32)))
    soft = blur(mask, 0.7)[:, :, None]
    picture = to_pixels(camera(behind * (1 - soft) + photo * soft, random))
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=88)
    return Scene(buffer.getvalue(), to_pixels(mask))


@pytest.fixture(scope="session")
def drawn() -> Callable[[str, str, int], Scene]:
    """Give the function that draws a scene."""
    return draw


@pytest.fixture(scope="session")
def small_photo() -> bytes:
    """Give a small photo (360 x 300, PNG) of a red disc with a mark on a light ground, quick to work on."""
    random = np.random.default_rng(3)
    picture = np.full((300, 360, 3), 232, np.float32) + random.normal(0, 2, (300, 360, 3))
    disc = ellipse((300, 360), (180, 140), (70, 82))[:, :, None]
    picture = picture * (1 - disc) + np.array([180, 40, 44]) * disc
    stripe = disc * (np.abs(np.arange(300)[:, None, None] - 130) < 12)
    picture = picture * (1 - stripe) + np.array([240, 220, 90]) * stripe
    buffer = io.BytesIO()
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def scenery() -> bytes:
    """Give a small reference picture (500 x 400, JPEG): grey stone under a blue wall."""
    picture = np.full((400, 500, 3), (90, 120, 170), np.uint8)
    picture[260:] = (130, 128, 124)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG")
    return buffer.getvalue()
