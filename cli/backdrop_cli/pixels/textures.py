"""Surfaces seen from above, square and seamless by reflection: marble, wood, slate, linen, sand, snow and more.

Promises (size, size, 3) float pictures, 0 to 1, that depend on the generator only. Refuses kinds it does not
know.
"""

from collections.abc import Callable
from typing import cast

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Plane, blur, clouds

_SIZE = 640


def _mix(low: tuple[int, int, int], high: tuple[int, int, int], amount: Plane) -> Plane:
    a, b = np.array(low, np.float32) / 255, np.array(high, np.float32) / 255
    return cast("Plane", a + (b - a) * amount[:, :, None])


def _grain(random: np.random.Generator, spread: float) -> Plane:
    return random.normal(0, spread, (_SIZE, _SIZE, 1)).astype(np.float32)


def _marble(random: np.random.Generator) -> Plane:
    base = clouds(random, _SIZE, _SIZE, cells=3, octaves=5)
    picture = _mix((226, 225, 224), (250, 249, 247), base)
    for cells, width, depth in ((2.0, 0.018, 0.34), (3.5, 0.010, 0.22), (6.0, 0.007, 0.12)):
        field = clouds(random, _SIZE, _SIZE, cells=cells, octaves=6, fade=0.55)
        vein = np.exp(-np.abs(field - np.float32(0.5)) / width)
        fading = clouds(random, _SIZE, _SIZE, cells=2, octaves=3)
        strength = (vein * np.clip(fading * 2 - 0.6, 0, 1) * depth)[:, :, None]
        picture = picture * (1 - strength) + np.array([0.46, 0.46, 0.48], np.float32) * strength
    return picture


def _wood(random: np.random.Generator, low: tuple[int, int, int], high: tuple[int, int, int]) -> Plane:
    planks = 5
    across = _SIZE // planks
    picture = np.empty((_SIZE, _SIZE, 3), np.float32)
    y = np.arange(_SIZE, dtype=np.float32)[:, None]
    for plank in range(planks):
        columns = slice(plank * across, (plank + 1) * across if plank < planks - 1 else _SIZE)
        count = columns.stop - columns.start
        warp = cv2.resize(random.random((5, 3), np.float32), (count, _SIZE), interpolation=cv2.INTER_CUBIC)
        x = np.arange(count, dtype=np.float32)[None, :]
        rings = 0.5 + 0.5 * np.sin(x * 0.16 + warp * 16 + random.uniform(0, 6) + 0 * y)
        fibre = cv2.resize(random.random((12, count), np.float32), (count, _SIZE), interpolation=cv2.INTER_LINEAR)
        tone = np.clip(0.30 * rings + 0.45 * fibre + 0.25 * warp + random.uniform(-0.16, 0.16), 0, 1)
        part = _mix(low, high, tone.astype(np.float32))
        part[:, :2] *= 0.5
        part[:, 2:4] *= 0.82
        picture[:, columns] = part
    return picture


def _slate(random: np.random.Generator) -> Plane:
    rough = clouds(random, _SIZE, _SIZE, cells=4, octaves=7, fade=0.6)
    relief = rough - np.roll(rough, (2, 2), (0, 1))
    tone = np.clip(0.35 + 0.5 * rough + 5 * relief, 0, 1).astype(np.float32)
    return _mix((44, 48, 54), (104, 110, 118), tone)


def _concrete(random: np.random.Generator) -> Plane:
    tone = clouds(random, _SIZE, _SIZE, cells=4, octaves=7, fade=0.62)
    picture = _mix((148, 147, 144), (206, 205, 201), tone) + _grain(random, 0.012)
    pores = (random.random((_SIZE, _SIZE), np.float32) > 0.9985).astype(np.float32)  # noqa: PLR2004 - one pore in 700
    return cast("Plane", picture * (1 - 0.5 * np.clip(blur(pores, 1.1) * 5, 0, 1))[:, :, None])


def _linen(random: np.random.Generator) -> Plane:
    warp = np.repeat(random.random((1, _SIZE // 2), np.float32), 2, axis=1)[:, :_SIZE]
    weft = np.repeat(random.random((_SIZE // 2, 1), np.float32), 2, axis=0)[:_SIZE]
    check = ((np.arange(_SIZE)[:, None] // 2 + np.arange(_SIZE)[None, :] // 2) % 2).astype(np.float32)
    folds = clouds(random, _SIZE, _SIZE, cells=2.5, octaves=3)
    tone = np.clip(0.2 + 0.18 * warp + 0.18 * weft + 0.10 * check + 0.42 * folds, 0, 1).astype(np.float32)
    return _mix((176, 166, 150), (240, 234, 222), tone)


def _sand(random: np.random.Generator) -> Plane:
    ripple = clouds(random, _SIZE, _SIZE, cells=3, octaves=4)
    y = np.arange(_SIZE, dtype=np.float32)[:, None]
    waves = 0.5 + 0.5 * np.sin(y * 0.14 + ripple * 14)
    tone = (0.55 * clouds(random, _SIZE, _SIZE, cells=5, octaves=6, fade=0.6) + 0.3 * waves + 0.1).astype(np.float32)
    return _mix((182, 152, 112), (238, 216, 178), tone) + _grain(random, 0.03)


def _snow(random: np.random.Generator) -> Plane:
    drift = clouds(random, _SIZE, _SIZE, cells=4, octaves=5)
    relief = drift - np.roll(drift, 5, 1)
    tone = np.clip(0.62 + 0.2 * drift + 3 * relief, 0, 1).astype(np.float32)
    return _mix((188, 204, 226), (252, 253, 255), tone) + _grain(random, 0.008)


def _grass(random: np.random.Generator) -> Plane:
    blades = cv2.resize(random.random((_SIZE // 10, _SIZE), np.float32), (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC)
    patches = clouds(random, _SIZE, _SIZE, cells=5, octaves=5)
    tone = np.clip(0.65 * blades + 0.55 * patches - 0.15, 0, 1).astype(np.float32)
    return _mix((38, 62, 28), (142, 172, 84), tone)


def _gloss(random: np.random.Generator) -> Plane:
    tone = clouds(random, _SIZE, _SIZE, cells=4, octaves=6, fade=0.6)
    return _mix((16, 17, 22), (50, 52, 62), tone)


def _plain(random: np.random.Generator) -> Plane:
    return _mix((222, 219, 214), (230, 227, 222), clouds(random, _SIZE, _SIZE, cells=2, octaves=2))


_KINDS: dict[str, Callable[[np.random.Generator], Plane]] = {
    "marble": _marble,
    "oak": lambda random: _wood(random, (128, 88, 54), (214, 172, 122)),
    "walnut": lambda random: _wood(random, (52, 34, 24), (120, 82, 56)),
    "slate": _slate,
    "concrete": _concrete,
    "linen": _linen,
    "sand": _sand,
    "snow": _snow,
    "grass": _grass,
    "gloss": _gloss,
    "plain": _plain,
}


def texture(kind: str, random: np.random.Generator) -> Plane:
    """Return the surface `kind` (640, 640, 3), colours 0 to 1; raises KeyError for a kind it does not know."""
    return np.clip(_KINDS[kind](random), 0, 1)
