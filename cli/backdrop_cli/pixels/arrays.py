"""Typed array steps shared by the picture modules: resize, blur, ramps, seeded noise.

Colours are RGB. `Pixels` are uint8 (H, W) or (H, W, C); `Plane` is float32 of the same shapes, 0 to 1 unless a
docstring says otherwise (OpenCV's stubs do not tell float32 from the rest, so the type does not either).
"""

import hashlib
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

type Pixels = npt.NDArray[np.uint8]
type Plane = npt.NDArray[Any]
type Mask = npt.NDArray[np.bool_]


def resize(picture: Any, width: int, height: int) -> Any:
    """Return the picture at width x height pixels: averaged when it shrinks, bicubic when it grows."""
    rows, columns = picture.shape[:2]
    if (columns, rows) == (width, height):
        return picture
    shrinks = width * height < columns * rows
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def fit_within(width: int, height: int, longest: int) -> tuple[int, int]:
    """Return the size scaled so that its longer side is at most `longest` pixels, each side at least 1."""
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def blur(plane: Any, sigma: float) -> Plane:
    """Return a Gaussian blur with standard deviation `sigma` pixels; wide blurs run on a reduced copy."""
    source = np.asarray(plane, np.float32)
    if sigma < 0.3:  # noqa: PLR2004 - below a third of a pixel a Gaussian changes nothing that 8 bits can show
        return source
    rows, columns = source.shape[:2]
    factor = int(min(sigma / 4, min(rows, columns) / 4))
    if factor >= 2:  # noqa: PLR2004 - a reduction needs a factor of two or more
        small = resize(source, max(1, columns // factor), max(1, rows // factor))
        small = cv2.GaussianBlur(small, (0, 0), sigma / factor, borderType=cv2.BORDER_REPLICATE)
        return cast("Plane", cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR))
    return cast("Plane", cv2.GaussianBlur(source, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def smoothstep(plane: Any, low: float, high: float) -> Plane:
    """Return 0 below `low`, 1 above `high`, a smooth cubic between."""
    ramp = np.clip((np.asarray(plane, np.float32) - low) / (high - low), 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def grid(width: int, height: int) -> tuple[Plane, Plane]:
    """Return x and y of every pixel centre as fractions of the width and of the height."""
    x = (np.arange(width, dtype=np.float32) + 0.5) / width
    y = (np.arange(height, dtype=np.float32) + 0.5) / height
    across, down = np.meshgrid(x, y)
    return across, down


def seed_of(*parts: object) -> int:
    """Return a 64-bit seed that depends on the parts only, not on the process (unlike `hash`)."""
    joined = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(joined.encode()).digest()[:8], "big")


def clouds(
    random: np.random.Generator, width: int, height: int, *, cells: float = 4, octaves: int = 5, fade: float = 0.5
) -> Plane:
    """Return smooth multi-scale noise, about 0 to 1: `cells` blobs across at the coarsest of `octaves` scales."""
    total = np.zeros((height, width), np.float32)
    weight, spent = 1.0, 0.0
    longest = max(width, height)
    for octave in range(octaves):
        across = cells * 2**octave
        columns = max(2, round(across * width / longest) + 1)
        rows = max(2, round(across * height / longest) + 1)
        if max(columns, rows) > longest:
            break
        knots = random.random((rows, columns), np.float32)
        total += weight * cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC)
        spent += weight
        weight *= fade
    result: Plane = np.clip(total / max(spent, 1e-6), 0, 1)
    return result


def soft_shoulder(picture: Any) -> Plane:
    """Return the picture with its lights bent toward 1 instead of cut off there."""
    start = np.float32(0.85)
    bent = start + (1 - start) * np.tanh((picture - start) / (1 - start))
    return cast("Plane", np.where(picture > start, bent, picture).astype(np.float32))


def to_pixels(plane: Any) -> Pixels:
    """Return 8-bit pixels of a 0 to 1 picture, rounded."""
    return cast("Pixels", np.clip(np.asarray(plane) * 255 + 0.5, 0, 255).astype(np.uint8))


def to_plane(pixels: Any) -> Plane:
    """Return the 0 to 1 picture of 8-bit pixels."""
    return cast("Plane", np.asarray(pixels, np.float32) / np.float32(255))
