"""Cut the subject out of a photo: found small, its edge worked out at full size.

Promises an alpha of the photo's size that is 0 away from the subject and 255 inside it, and the subject's own
colours at the edge, freed of the ground. A photo with an alpha of its own keeps it. A photo in which nothing
stands out has an alpha of 0 everywhere: that is an answer, not an error.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

import hashlib
from dataclasses import dataclass
from threading import Lock

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane, resize, to_pixels, to_plane
from backdrop_cli.pixels.choose import subject_of
from backdrop_cli.pixels.codec import Photo
from backdrop_cli.pixels.fields import local_mean

_LONGEST = 480
_SHORTEST = 48
_SMALLEST_SUBJECT = 0.001
_KEPT = 32  # masks at working size: a quarter of a MB each
_lately: dict[bytes, Mask] = {}  # the last one last
_lock = Lock()


@dataclass(frozen=True)
class Cutout:
    """The subject: `rgb` its own colours (H, W, 3), `alpha` (H, W), both uint8 and of the photo's size."""

    rgb: Pixels
    alpha: Pixels


def cut(photo: Photo, fineness: str = "high") -> Cutout:
    """Return the subject of the photo.

    `fineness` is how the edge is worked: "low" takes it as found at a quarter of the working size, "medium"
    works it out
    from the colours and smooths it, "high" keeps all of its detail.
    """
    if photo.alpha is not None:
        return Cutout(_cleared(photo.rgb, photo.alpha), photo.alpha)
    width, height = working_size(photo.width, photo.height)
    small = np.ascontiguousarray(resize(photo.rgb, width, height))
    mask = _subject(small, photo.rgb) if min(width, height) >= 16 else np.zeros((height, width), bool)
    if mask.mean() < _SMALLEST_SUBJECT:
        return Cutout(np.zeros_like(photo.rgb), np.zeros(photo.rgb.shape[:2], np.uint8))
    if fineness == "low":
        coarse = resize(mask.astype(np.float32), max(1, width // 2), max(1, height // 2))
        alpha = to_pixels(np.clip(resize(coarse, photo.width, photo.height) * 1.1 - 0.05, 0, 1))
        return Cutout(_cleared(photo.rgb, alpha), alpha)
    return _worked_out(photo.rgb, to_plane(small), mask, smoothing=1.0 if fineness == "medium" else 0.4)


def _subject(small: Pixels, photo: Pixels) -> Mask:
    """Return the subject's mask; of a photo cut lately (two jobs of one drop, a job tried again) the one found then."""
    digest = hashlib.sha256(np.ascontiguousarray(photo).data).digest() + repr(photo.shape).encode()
    with _lock:
        mask = _lately.pop(digest, None)
    if mask is None:
        mask = subject_of(small, photo)
    with _lock:
        _lately[digest] = mask
        while len(_lately) > _KEPT:
            del _lately[next(iter(_lately))]
    return mask


def working_size(width: int, height: int) -> tuple[int, int]:
    """Return the (width, height) at which the subject of a photo of this size is found."""
    scale = min(1.0, max(_LONGEST / max(width, height), _SHORTEST / min(width, height)))
    scale = min(scale, np.sqrt(4 * _LONGEST * _LONGEST / (width * height)))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _cleared(rgb: Pixels, alpha: Pixels) -> Pixels:
    """Return the colours with nothing left of the ground where it is wholly transparent."""
    return np.where(alpha[:, :, None] > 0, rgb, 0).astype(np.uint8)


def _worked_out(rgb: Pixels, small: Plane, mask: Mask, *, smoothing: float) -> Cutout:
    """Return the cut-out whose edge pixels are unmixed from the nearby colours of subject and ground."""
    height, width = rgb.shape[:2]
    rows, columns = mask.shape
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.1)
    alpha = np.clip(cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    band = np.flatnonzero((alpha > 0.04) & (alpha < 0.96))
    inside = alpha >= 0.96
    y, x = np.divmod(band, width)
    sample_x = ((x + 0.5) * (columns / width) - 0.5).astype(np.float32)
    sample_y = ((y + 0.5) * (rows / height) - 0.5).astype(np.float32)
    subject, subject_spread, have_subject = _sampled(small, _core(mask), sample_x, sample_y)
    ground, ground_spread, have_ground = _sampled(small, _core(~mask), sample_x, sample_y)
    here = rgb.reshape(-1, 3)[band].astype(np.float32) / 255
    difference = subject - ground
    power = (difference**2).sum(axis=1)
    mixed = ((here - ground) * difference).sum(axis=1) / (power + 1e-4)
    contrast = np.sqrt(power)
    sure = np.clip((contrast - 0.03) / 0.12, 0, 1) / (1 + 2.5 * (subject_spread + ground_spread) / (contrast + 1e-3))
    sure = np.where((have_subject > 1e-3) & (have_ground > 1e-3), sure, 0)
    guess = alpha.reshape(-1)[band]
    # The mask says how far the colours may move the edge: near its outline freely, at the band's rims not at all.
    freedom = np.clip(np.minimum(guess - 0.04, 0.96 - guess) / 0.12, 0, 1)
    sharp_guess = np.clip((guess - 0.5) * 1.8 + 0.5, 0, 1)
    weight = sure * freedom
    worked = np.where(freedom > 0, weight * np.clip(mixed, 0, 1) + (1 - weight) * sharp_guess, sharp_guess)
    alpha = inside.astype(np.float32)
    alpha.reshape(-1)[band] = worked
    alpha = cv2.GaussianBlur(alpha, (0, 0), smoothing * max(1.0, width / columns / 2))
    alpha = np.clip((alpha - 0.04) / 0.92, 0, 1)
    cover = alpha.reshape(-1)[band][:, None]
    unmixed = (here - (1 - cover) * ground) / np.maximum(cover, 0.25)
    blend = np.clip(cover * 1.2, 0, 1)
    colour = np.clip(blend * np.clip(unmixed, 0, 1) + (1 - blend) * subject, 0, 1)
    colour = np.where((have_subject > 1e-3)[:, None], colour, here)
    result = rgb.copy()
    result.reshape(-1, 3)[band] = to_pixels(colour)
    cover_pixels = to_pixels(alpha)
    return Cutout(_cleared(result, cover_pixels), cover_pixels)


def _core(mask: Mask) -> Mask:
    """Return the mask without the pixels that may be mixed; of a thin part its middle stays."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    middle = (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)) - 0.1) & (depth >= 1.3)
    return (depth > 2.0) | middle


def _sampled(small: Plane, where: Mask, x: Plane, y: Plane) -> tuple[Plane, Plane, Plane]:
    """Return colour, spread and presence of the pixels of `where` near the given places (pixels of the small photo)."""
    squares = np.concatenate([small, small**2], axis=2)
    parts = [local_mean(np.ascontiguousarray(squares[:, :, half]), where, 3.0) for half in (np.s_[:3], np.s_[3:])]
    (mean, weight), (mean_square, _) = parts
    spread = np.sqrt(np.clip(mean_square - mean**2, 0, None).sum(axis=2))
    stacked = np.dstack([mean, spread, weight]).astype(np.float32)
    taken = _remap(stacked, x, y)
    return taken[:, :3], taken[:, 3], taken[:, 4]


def _remap(picture: Plane, x: Plane, y: Plane) -> Plane:
    """Return bilinear samples (n, channels); in rows of 4096, as OpenCV's remap is limited to 32767 a side."""
    count = x.size
    padded = -(-count // 4096) * 4096
    grid_x = np.zeros(padded, np.float32)
    grid_y = np.zeros(padded, np.float32)
    grid_x[:count], grid_y[:count] = x, y
    layers = [
        cv2.remap(
            np.ascontiguousarray(picture[:, :, layer]),
            grid_x.reshape(-1, 4096),
            grid_y.reshape(-1, 4096),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ).ravel()[:count]
        for layer in range(picture.shape[2])
    ]
    return np.stack(layers, axis=1).astype(np.float32)
