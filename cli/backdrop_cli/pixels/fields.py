"""Measurements on a small photo that tell subject from ground: edges, colour densities, local means, smoothing.

All take CIE Lab as float32 (H, W, 3), L 0 to 100. Refuses nothing.
"""

from typing import Any, cast

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane

_BINS = (20, 24, 24)
_KERNEL = np.array([0.06, 0.24, 0.4, 0.24, 0.06], np.float32)


def lab_of(rgb: Pixels) -> Plane:
    """Return the Lab picture of 8-bit RGB."""
    return cast("Plane", cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))


def smoothed(lab: Plane) -> Plane:
    """Return the picture without noise and fine grain, edges kept: what colour bins are taken of."""
    return cast("Plane", cv2.bilateralFilter(lab, 7, 10, 3))


def _gradient(lab: Plane, sigma: float) -> tuple[Plane, Plane]:
    smooth = cv2.GaussianBlur(lab, (0, 0), sigma)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125)
    return cast("Plane", across), cast("Plane", down)


def edges(lab: Plane, scale: float = 1.0) -> tuple[Plane, Plane]:
    """Return (sharp, all) edge strength in Lab units per pixel.

    `sharp` is what a fine scale sees beyond a coarse one: a subject's outline has it, a soft shadow, a gradient or an
    out-of-focus backdrop has not.
    """
    fine = np.sqrt(sum((part**2).sum(axis=2) for part in _gradient(lab, scale)))
    coarse = np.sqrt(sum((part**2).sum(axis=2) for part in _gradient(lab, 3 * scale)))
    return np.maximum(fine - coarse, 0).astype(np.float32), fine.astype(np.float32)


def direction(lab: Plane) -> tuple[Plane, Plane]:
    """Return the structure tensor's (cos, sin) of twice the edge normal's angle, weighted by edge strength."""
    across, down = _gradient(lab, 1.0)
    xx, yy, xy = (across**2).sum(axis=2), (down**2).sum(axis=2), (across * down).sum(axis=2)
    return (xx - yy).astype(np.float32), (2 * xy).astype(np.float32)


def bins_of(lab: Plane) -> Any:
    """Return the colour bin (int32) of every pixel."""
    level = np.clip(lab[:, :, 0] * (_BINS[0] / 100), 0, _BINS[0] - 1).astype(np.int32)
    green_red = np.clip((lab[:, :, 1] + 80) * (_BINS[1] / 160), 0, _BINS[1] - 1).astype(np.int32)
    blue_yellow = np.clip((lab[:, :, 2] + 80) * (_BINS[2] / 160), 0, _BINS[2] - 1).astype(np.int32)
    return (level * _BINS[1] + green_red) * _BINS[2] + blue_yellow


def density(bins: Any, weight: Any) -> Plane:
    """Return the smoothed share of each colour bin among the weighted pixels (sums to 1)."""
    counts = np.bincount(bins.ravel(), np.asarray(weight, np.float64).ravel(), minlength=_BINS[0] * _BINS[1] * _BINS[2])
    cube = counts.reshape(_BINS).astype(np.float32)
    for axis in range(3):
        turned = np.moveaxis(cube, axis, 0)
        padded = np.pad(turned, ((2, 2), (0, 0), (0, 0)))
        summed = sum(_KERNEL[shift] * padded[shift : shift + turned.shape[0]] for shift in range(5))
        cube = np.moveaxis(np.asarray(summed), 0, axis)
    return cast("Plane", (cube / max(float(cube.sum()), 1e-9)).ravel().astype(np.float32))


def local_mean(picture: Plane, where: Mask, sigma: float) -> tuple[Plane, Plane]:
    """Return (mean of the picture over the nearby pixels of `where`, how much of that there is nearby)."""
    near = where.astype(np.float32)
    factor = max(1, int(sigma / 2))
    columns, rows = max(1, picture.shape[1] // factor), max(1, picture.shape[0] // factor)
    loaded = cv2.resize(picture * near[:, :, None], (columns, rows), interpolation=cv2.INTER_AREA)
    weight = cv2.resize(near, (columns, rows), interpolation=cv2.INTER_AREA)
    loaded = cv2.GaussianBlur(loaded, (0, 0), sigma / factor)
    weight = cv2.GaussianBlur(weight, (0, 0), sigma / factor)
    mean = loaded / (weight[:, :, None] + 1e-5)
    size = (picture.shape[1], picture.shape[0])
    return (
        cast("Plane", cv2.resize(mean, size, interpolation=cv2.INTER_LINEAR)),
        cast("Plane", cv2.resize(weight, size, interpolation=cv2.INTER_LINEAR)),
    )


def guided(guide: Plane, plane: Plane, radius: int, softness: float) -> Plane:
    """Return `plane` smoothed where the three-channel guide (0 to 1) is smooth, kept sharp at the guide's edges.

    The colour guided filter of He, Sun and Tang (2010): box means, one 3 x 3 linear system per pixel.
    """
    size = (2 * radius + 1, 2 * radius + 1)

    def box(picture: Any) -> Any:
        return cv2.blur(picture, size)

    mean_guide, mean_plane = box(guide), box(plane)
    cover = box(guide * plane[:, :, None]) - mean_guide * mean_plane[:, :, None]
    r, g, b = cv2.split(guide)
    mean_r, mean_g, mean_b = cv2.split(mean_guide)
    rr, rg, rb = box(r * r) - mean_r**2 + softness, box(r * g) - mean_r * mean_g, box(r * b) - mean_r * mean_b
    gg, gb, bb = box(g * g) - mean_g**2 + softness, box(g * b) - mean_g * mean_b, box(b * b) - mean_b**2 + softness
    inv_rr, inv_rg, inv_rb = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    inv_gg, inv_gb, inv_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    scale = rr * inv_rr + rg * inv_rg + rb * inv_rb
    x, y, z = cv2.split(cover)
    slope = cv2.merge(
        [
            (inv_rr * x + inv_rg * y + inv_rb * z) / scale,
            (inv_rg * x + inv_gg * y + inv_gb * z) / scale,
            (inv_rb * x + inv_gb * y + inv_bb * z) / scale,
        ]
    )
    offset = mean_plane - (slope * mean_guide).sum(axis=2)
    return cast("Plane", (box(slope) * guide).sum(axis=2) + box(offset))


def quadratic(lab: Plane, where: Mask) -> Plane:
    """Return the smooth ground (second degree in x and y, outliers discounted) fitted to the pixels of `where`."""
    height, width = where.shape
    rows, columns = np.nonzero(where)
    step = max(1, rows.size // 3000)
    rows, columns = rows[::step], columns[::step]
    terms = _terms(columns / width - 0.5, rows / height - 0.5)
    values = lab[rows, columns]
    trust = np.ones(rows.size)
    for _ in range(6):
        weights, *_ = np.linalg.lstsq(terms * trust[:, None], values * trust[:, None])
        away = np.linalg.norm(values - terms @ weights, axis=1)
        trust = 1 / (1 + (away / (1.5 * np.median(away) + 0.4)) ** 2)
    y, x = np.mgrid[0:height, 0:width]
    return cast("Plane", (_terms(x / width - 0.5, y / height - 0.5) @ weights).astype(np.float32))


def _terms(x: Any, y: Any) -> Any:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
