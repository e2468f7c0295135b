"""The demo's own photos: rendered here, so nothing needs a licence and every true mask is known.

Promises seven photos of more than a megapixel, each a file as a camera or a shop would have it (JPEG with and
without EXIF rotation, PNG with alpha, WebP), the same bytes in every run; nothing is drawn before it is asked
for. Refuses names it does not know (KeyError).
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

import cv2
import numpy as np
from PIL import Image

from backdrop_cli.photos.furniture import chair, sneaker
from backdrop_cli.photos.paint import camera, tone
from backdrop_cli.photos.people import portrait
from backdrop_cli.photos.vessels import bottle, mug, perfume, vase
from backdrop_cli.pixels import compose, scene
from backdrop_cli.pixels.arrays import Pixels, Plane, blur, clouds, grid, seed_of, smoothstep, to_pixels
from backdrop_cli.pixels.textures import texture
from backdrop_cli.pixels.words import read_prompt

type Kind = Literal["plain", "busy"]
type _Painter = Callable[[tuple[int, int], np.random.Generator], tuple[Plane, Plane]]

_ROTATED = 6  # EXIF: the camera was turned; the viewer turns the picture a quarter clockwise


@dataclass(frozen=True)
class Sample:
    """A sample photo, its background "plain" or "busy"; drawn when first looked at."""

    name: str
    filename: str
    kind: Kind

    @property
    def background(self) -> Kind:
        """The same as `kind`."""
        return self.kind

    @cached_property
    def _drawn(self) -> tuple[bytes, Pixels]:
        return _draw(self.name)

    @property
    def data(self) -> bytes:
        """The file's bytes."""
        return self._drawn[0]

    @property
    def mask(self) -> Pixels:
        """The true mask of the upright picture, uint8 (H, W), 255 on the subject."""
        return self._drawn[1]


SAMPLES: tuple[Sample, ...] = (
    Sample("bottle", "bottle.jpg", "plain"),
    Sample("sneaker", "sneaker.jpg", "busy"),
    Sample("mug", "mug.jpg", "plain"),
    Sample("portrait", "portrait.jpg", "busy"),
    Sample("chair", "chair.jpg", "plain"),
    Sample("perfume", "perfume.png", "plain"),
    Sample("vase", "vase.webp", "plain"),
)


def render(name: str) -> Sample:
    """Return the sample called `name`; raises KeyError."""
    return {sample.name: sample for sample in SAMPLES}[name]


def reference() -> tuple[str, bytes]:
    """Return (filename, bytes) of a scene to set a subject on: a marble top in window light, JPEG 1600 x 1200."""
    plan = read_prompt("marble counter, morning window light, warm beige wall", 4)
    picture = scene.draw(plan, 1600, 1200, horizon=0.62)
    return "_scene.jpg", _encode(picture, "JPEG", quality=90)


def _encode(picture: Pixels, form: str, **settings: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, form, **cast("dict[str, str]", settings))
    return buffer.getvalue()


def _draw(name: str) -> tuple[bytes, Pixels]:
    random = np.random.default_rng(seed_of("photo", name))
    painter, ground, shape = _SHEETS[name]
    colours, mask = painter(shape, random)
    cover = to_pixels(mask)
    behind = ground(shape, random)
    if name != "portrait":
        side = 0.5 if name != "mug" else 0.8
        shadow = compose.contact_shadow(cover, strength=0.55, side=side, softness=1.5 if name == "vase" else 0.9)
        behind = behind * (1 - shadow[:, :, None] * np.array([0.95, 0.97, 1.0], np.float32))
    soft = blur(mask, 0.7)[:, :, None]
    picture = to_pixels(camera(behind * (1 - soft) + colours * soft, random))
    if name == "perfume":
        free = to_pixels(camera(colours, random, vignette=0.0))
        return _encode(np.dstack([free, cover]), "PNG", compress_level=3), cover
    if name == "vase":
        return _encode(picture, "WEBP", quality=90, method=1), cover
    if name == "chair":
        exif = Image.Exif()
        exif[0x0112] = _ROTATED
        stored = np.ascontiguousarray(np.rot90(picture))
        return _encode(stored, "JPEG", quality=92, exif=exif.tobytes()), cover
    return _encode(picture, "JPEG", quality=92), cover


def _white(shape: tuple[int, int], random: np.random.Generator) -> Plane:
    height, width = shape
    x, y = grid(width, height)
    level = 0.965 - 0.05 * ((x - 0.45) ** 2 + (y - 0.4) ** 2) + 0 * random.random()
    return cast("Plane", level[:, :, None] * np.array([1.0, 0.998, 0.99], np.float32))


def _planks(shape: tuple[int, int], random: np.random.Generator) -> Plane:
    height, width = shape
    flat = np.rot90(texture("walnut", random)).copy()
    boards = cv2.resize(flat, (width, height), interpolation=cv2.INTER_CUBIC)
    x, y = grid(width, height)
    return cast("Plane", np.clip(boards * (1.65 - 0.55 * ((x - 0.4) ** 2 + (y - 0.4) ** 2))[:, :, None], 0, 1))


def _table(shape: tuple[int, int], random: np.random.Generator) -> Plane:
    height, width = shape
    x, y = grid(width, height)
    wall = np.array(tone("e9c9b4"), np.float32) * (1.02 - 0.26 * (x - 0.1) - 0.10 * y)[:, :, None]
    top = np.array(tone("d7ab90"), np.float32) * (1.04 - 0.20 * x)[:, :, None]
    mottled = 1 + 0.03 * (clouds(random, width, height, cells=4, octaves=4) - 0.5)
    edge = smoothstep(y, 0.655, 0.672)[:, :, None]
    return cast("Plane", (wall * (1 - edge) + top * edge) * mottled[:, :, None])


def _park(shape: tuple[int, int], random: np.random.Generator) -> Plane:
    height, width = shape
    plan = read_prompt("forest in warm golden light", int(random.integers(1000)))
    return scene.draw(plan, width, height, horizon=None).astype(np.float32) / 255


def _room(shape: tuple[int, int], random: np.random.Generator) -> Plane:
    height, width = shape
    x, y = grid(width, height)
    wall = np.array(tone("cfd9dc"), np.float32) * (1.0 + 0.10 * (0.5 - x) - 0.05 * y)[:, :, None]
    floor = np.array(tone("b9b3aa"), np.float32) * (0.92 + 0.16 * y)[:, :, None]
    rough = 1 + 0.035 * (clouds(random, width, height, cells=30, octaves=4) - 0.5)
    skirting = smoothstep(y, 0.745, 0.75)[:, :, None]
    return cast("Plane", (wall * (1 - skirting) + floor * skirting) * rough[:, :, None])


def _teal(shape: tuple[int, int], random: np.random.Generator) -> Plane:
    height, width = shape
    x, y = grid(width, height)
    glow = np.exp(-(((x - 0.42) / 0.55) ** 2 + ((y - 0.38) / 0.5) ** 2))
    paper = 1 + 0.02 * (clouds(random, width, height, cells=60, octaves=3) - 0.5)
    return cast("Plane", np.array(tone("5b8a8c"), np.float32) * ((0.74 + 0.34 * glow) * paper)[:, :, None])


type _Ground = Callable[[tuple[int, int], np.random.Generator], Plane]

_SHEETS: dict[str, tuple[_Painter, _Ground, tuple[int, int]]] = {
    "bottle": (bottle, _white, (1200, 960)),
    "sneaker": (sneaker, _planks, (960, 1280)),
    "mug": (mug, _table, (960, 1280)),
    "portrait": (portrait, _park, (1200, 960)),
    "chair": (chair, _room, (1200, 960)),
    "perfume": (perfume, _white, (1120, 1000)),
    "vase": (vase, _teal, (1200, 960)),
}
