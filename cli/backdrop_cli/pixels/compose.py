"""Set a cut-out subject on something: blending, shadows, light matching.

Promises pictures of exactly the size given; a background pixel that neither subject nor shadow reaches keeps
its value.
"""

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Pixels, Plane, blur, resize, smoothstep, to_pixels, to_plane

_WEIGHTS = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709 luminance


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int


def bounding_box(alpha: Pixels) -> Box | None:
    """Return the box of all pixels at least half covered, or None when there is none."""
    rows = np.flatnonzero((alpha >= 128).any(axis=1))  # noqa: PLR2004 - half of 255
    columns = np.flatnonzero((alpha >= 128).any(axis=0))  # noqa: PLR2004 - the same
    if not rows.size:
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def over(rgb: Pixels, alpha: Pixels, background: Pixels) -> Pixels:
    """Return straight-alpha `rgb` laid over an opaque background, all of one size."""
    result = background.copy()
    box = _touched(alpha)
    if box is None:
        return result
    part = np.s_[box.top : box.bottom, box.left : box.right]
    cover = alpha[part][:, :, None].astype(np.uint16)
    mixed = rgb[part].astype(np.uint16) * cover + result[part].astype(np.uint16) * (255 - cover)
    result[part] = ((mixed + 127) // 255).astype(np.uint8)
    return result


def _touched(alpha: Pixels) -> Box | None:
    rows = np.flatnonzero(alpha.any(axis=1))
    columns = np.flatnonzero(alpha.any(axis=0))
    if not rows.size:
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def darken(background: Pixels, cover: Plane, tint: tuple[float, float, float] = (0, 0, 0)) -> Pixels:
    """Return the background with a shadow of strength `cover` (0 to 1, (H, W)) in the colour `tint` (0 to 1)."""
    veil = cover[:, :, None]
    shade = np.array(tint, np.float32)
    picture = to_plane(background)
    return to_pixels(picture * (1 - veil) + shade * veil)


def solid(width: int, height: int, colour: tuple[int, int, int]) -> Pixels:
    """Return a picture of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def drop_shadow(alpha: Pixels, *, opacity: float, sigma: float, right: float, down: float) -> Plane:
    """Return the strength (0 to `opacity`) of the subject's blurred copy moved by `right` and `down` pixels."""
    height, width = alpha.shape
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    moved = cv2.warpAffine(to_plane(alpha), move, (width, height), flags=cv2.INTER_LINEAR)
    strength = blur(moved, sigma) * np.float32(opacity)
    # A Gaussian never ends; what 8 bits would show as less than one step is cut so that the colour stays exact.
    return np.where(strength < 0.004, 0, strength).astype(np.float32)  # noqa: PLR2004 - one step of 255


def contact_shadow(alpha: Pixels, *, strength: float = 0.55, side: float = 0.0, softness: float = 1.0) -> Plane:
    """Return the shadow a standing subject throws on the ground under it.

    Tight and dark where it touches, wide and soft around; `side` (-1 left to 1 right) is where the shadow falls.
    """
    height, width = alpha.shape
    box = bounding_box(alpha)
    shade = np.zeros((height, width), np.float32)
    if box is None or box.bottom >= height - 1:
        return shade
    across, tall = box.right - box.left, box.bottom - box.top
    near = _footprint(alpha, box, flatten=0.10, reach=0.30, shear=side * 0.6)
    far = _footprint(alpha, box, flatten=0.22, reach=0.9, shear=side * 1.2)
    scale = np.sqrt(across * tall) * softness
    shade = np.maximum(0.95 * blur(near, 0.012 * scale + 0.5), 0.62 * blur(far, 0.05 * scale + 0.5))
    ends = smoothstep(np.minimum(np.arange(width) + 1, width - np.arange(width)) / width, 0, 0.04)
    return np.where(shade < 0.006, 0, np.clip(shade, 0, 1) * strength) * ends[None, :]  # noqa: PLR2004 - as above


def _footprint(alpha: Pixels, box: Box, *, flatten: float, reach: float, shear: float) -> Plane:
    """Return the lower `reach` of the subject laid flat on the ground behind and before its foot."""
    height, width = alpha.shape
    tall = box.bottom - box.top
    top = box.bottom - reach * tall
    foot = box.bottom - 0.02 * tall
    # y' = foot + (y - bottom) * flatten + a little forward; x' = x + shear * (bottom - y) * flatten
    move = np.array(
        [
            [1, -shear * flatten, shear * flatten * box.bottom],
            [0, flatten, foot - flatten * box.bottom + 0.25 * flatten * tall * reach],
        ],
        np.float32,
    )
    part = to_plane(alpha)
    part[: max(0, int(top))] = 0
    return cast("Plane", cv2.warpAffine(part, move, (width, height), flags=cv2.INTER_LINEAR))


def match_light(rgb: Pixels, alpha: Pixels, scene: Pixels, amount: float) -> Pixels:
    """Return the subject's colours moved by `amount` (0 to 1) toward the scene's mean tone, lightness far less."""
    if amount <= 0:
        return rgb
    small = resize(scene, 32, 32)
    lab_scene = cv2.cvtColor(to_plane(small), cv2.COLOR_RGB2LAB).reshape(-1, 3).mean(axis=0)
    columns, rows = min(64, rgb.shape[1]), min(64, rgb.shape[0])
    weight = to_plane(resize(alpha, columns, rows)).reshape(-1, 1) + 1e-4
    lab_small = cv2.cvtColor(to_plane(resize(rgb, columns, rows)), cv2.COLOR_RGB2LAB).reshape(-1, 3)
    mean = (lab_small * weight).sum(axis=0) / weight.sum()
    shift: Plane = np.clip(lab_scene - mean, -60, 60) * np.array([0.22, 0.35, 0.35], np.float32) * amount
    lab: Plane = cv2.cvtColor(to_plane(rgb), cv2.COLOR_RGB2LAB)
    # Highlights and blacks keep their lightness: a shift there looks like fog.
    hold = 1 - np.abs(lab[:, :, :1] / 50 - 1) ** 2
    lab[:, :, :1] += shift[0] * hold
    lab[:, :, 1:] += shift[1:] * (0.4 + 0.6 * hold)
    return to_pixels(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


def cover_fit(picture: Pixels, width: int, height: int) -> Pixels:
    """Return the picture scaled and centre-cropped so that it fills width x height."""
    rows, columns = picture.shape[:2]
    scale = max(width / columns, height / rows)
    across = min(columns, max(1, round(width / scale)))
    down = min(rows, max(1, round(height / scale)))
    left, top = (columns - across) // 2, (rows - down) // 2
    part = np.ascontiguousarray(picture[top : top + down, left : left + across])
    return cast("Pixels", resize(part, width, height))


def luminance(picture: Plane) -> Plane:
    """Return the (H, W) luminance of a 0 to 1 picture."""
    return picture @ _WEIGHTS


def halo(alpha: Pixels) -> Plane:
    """Return 1 at the subject falling smoothly to exactly 0 at every corner of the picture."""
    height, width = alpha.shape
    columns, rows = max(1, width // 8), max(1, height // 8)
    small = resize(alpha, columns, rows)
    if not (small >= 128).any():  # noqa: PLR2004 - half of 255
        return np.zeros((height, width), np.float32)
    away = cv2.distanceTransform((small < 128).astype(np.uint8), cv2.DIST_L2, 5)  # noqa: PLR2004 - half of 255
    reach = 0.62 * max(columns, rows)
    glow = np.clip(1 - away / reach, 0, 1) ** 1.6
    x = (np.arange(columns) + 0.5) / columns
    y = (np.arange(rows) + 0.5) / rows
    corner = np.hypot(np.minimum(x, 1 - x)[None, :], np.minimum(y, 1 - y)[:, None])
    window = smoothstep(corner, 0.08, 0.42)
    return cast("Plane", resize(blur(glow, 0.02 * reach).astype(np.float32) * window, width, height))


def side_light(rgb: Pixels, alpha: Pixels, side: float, amount: float) -> Pixels:
    """Return the subject up to `amount` brighter toward `side` (-1 left to 1 right) and darker away from it."""
    box = bounding_box(alpha)
    if box is None or amount == 0:
        return rgb
    x = np.arange(rgb.shape[1], dtype=np.float32)
    slope = np.clip((x - (box.left + box.right) / 2) / max(1, box.right - box.left) * 2, -1, 1)
    gain = 1 + slope * np.float32(side * amount) + np.float32(0.2 * amount)
    return to_pixels(to_plane(rgb) * gain[None, :, None])
