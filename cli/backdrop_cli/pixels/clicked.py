"""Cut out what was clicked on: a mask grown from points, not from what stands out in the photo.

`clicked` promises a mask of the upright photo's size that holds what the foreground points hit and nothing of what the
background points hit (a speck of a few pixels may be smoothed away), the same for the same photo and points. The
object is looked for in two ways, by the edges around the points and by the colours of the frame; of the two the one
with the crisper outline, the colours further from the rest and the larger area is taken, and a click on the ground
takes the ground. One click on a part that is set off sharply may take that part alone: a further point adds the rest.
A background point takes away what lies on its side of the edges within the object, or half of it where there are none;
outside the object it changes nothing. Refuses with `UnreadablePhoto` what `codec` refuses; a point outside the photo
counts at its edge.
"""

# ruff: noqa: PLR2004 - a method of measured thresholds; each stands where it is explained

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from backdrop_cli.pixels.arrays import Mask, Pixels, Plane, fit_within, resize, smoothstep, to_pixels, to_plane
from backdrop_cli.pixels.codec import Rendered, encode, read
from backdrop_cli.pixels.fields import bins_of, density, edges, guided, lab_of

type Points = Sequence[tuple[float, float]]
type Labels = npt.NDArray[np.int32]

_LONGEST = 256
_SHORTEST = 48
_OUTLINED = 1600
_ROUNDS = 4
_FLAT = 1.0
_DISC = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))


@dataclass(frozen=True)
class _Scene:
    """A small photo: its pixels, the same with texture flattened, and the frame around it."""

    rgb: Pixels
    flat: Pixels
    frame: Mask


def clicked(photo: bytes, *, foreground: Points, background: Points = ()) -> Rendered:
    """Return the mask as a grey JPEG: white where the foreground points' objects are, black elsewhere.

    Points are (x, y) in pixels of the upright photo, from its upper left corner; at least one is in the foreground.
    """
    upright = read(photo)
    mask = _outlined(upright.rgb, mask_of(upright.rgb, foreground, background))
    return encode(np.repeat(to_pixels(mask)[:, :, None], 3, axis=2), "jpeg")


def mask_of(rgb: Pixels, foreground: Points, background: Points = ()) -> Mask:
    """Return the mask at the working size (longer side 256 pixels, shorter at least 48)."""
    height, width = rgb.shape[:2]
    columns, rows = (max(_SHORTEST, side) for side in fit_within(width, height, _LONGEST))
    small = np.ascontiguousarray(resize(rgb, columns, rows))
    scene = _Scene(small, cast("Pixels", cv2.pyrMeanShiftFiltering(small, 6, 14)), _frame(rows, columns))
    wanted = _spots((rows, columns), (columns / width, rows / height), foreground)
    unwanted = _spots((rows, columns), (columns / width, rows / height), background) & ~wanted
    return _without(scene, _object(scene, wanted), wanted, unwanted)


def _frame(rows: int, columns: int) -> Mask:
    wide = max(2, round(0.02 * min(rows, columns)))
    frame = np.ones((rows, columns), bool)
    frame[wide:-wide, wide:-wide] = False
    return frame


def _spots(shape: tuple[int, int], scale: tuple[float, float], points: Points) -> Mask:
    """Return a small disc around each point (given in pixels of the photo, `scale` of which make one here)."""
    drawn = np.zeros(shape, np.uint8)
    radius = max(2, round(0.01 * max(shape)))
    for x, y in points:
        column = min(max(int(x * scale[0]), 0), shape[1] - 1)
        row = min(max(int(y * scale[1]), 0), shape[0] - 1)
        cv2.circle(drawn, (column, row), radius, 1, -1)
    return drawn > 0


def _object(scene: _Scene, wanted: Mask) -> Mask:
    """Return the objects at the wanted spots, joined to them."""
    lab = lab_of(scene.rgb)
    patch = _joined(edges(lab_of(scene.flat))[1] <= _FLAT, wanted)
    patch = cv2.dilate(patch.astype(np.uint8), _DISC) > 0
    around = scene.frame & ~patch
    if around.sum() < 0.5 * scene.frame.sum():  # the ground itself was clicked on: it goes around the frame
        return _joined(_settled(scene, patch, wanted, np.zeros_like(wanted)), wanted)
    marks = np.where(wanted, 1, np.where(around, 2, 0)).astype(np.int32)
    within = _flooded(scene.flat, marks) == 1
    found = [_joined(_settled(scene, guess, wanted, around), wanted) for guess in (within, ~around)]
    bins, (_, strength) = bins_of(lab), edges(lab)
    return max(found, key=lambda mask: _merit(mask, bins, strength))


def _flooded(flat: Pixels, marks: Labels) -> Labels:
    """Return for every pixel the mark that reaches it first over the lowest edges, -1 on the lines between."""
    wide = ((2, 2), (2, 2))  # the outermost pixels belong to nobody in OpenCV's watershed, so they lie outside
    flooded = cv2.watershed(np.pad(flat, (*wide, (0, 0)), mode="edge"), np.pad(marks, wide, mode="edge"))
    return cast("Labels", flooded[2:-2, 2:-2])


def _joined(mask: Mask, spots: Mask) -> Mask:
    """Return the parts of the mask, taken with the spots, that touch a spot."""
    _, labels = cv2.connectedComponents((mask | spots).astype(np.uint8), connectivity=4)
    return np.isin(labels, np.unique(labels[spots]))


def _settled(scene: _Scene, guess: Mask, wanted: Mask, around: Mask) -> Mask:
    """Return the guess corrected by GrabCut: the spots are surely the object, `around` surely is not."""
    marks = np.where(guess, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[around] = cv2.GC_BGD
    marks[wanted] = cv2.GC_FGD
    if np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).all():
        return np.ones_like(wanted)
    cv2.setRNGSeed(1)  # its clusters begin at random places; the same photo must give the same mask
    ours, theirs = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(scene.rgb, marks, (0, 0, 0, 0), theirs, ours, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _merit(mask: Mask, bins: Plane, strength: Plane) -> float:
    """Return how much like a whole object the mask is: colours apart, outline along edges, and not a mere part."""
    outline = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    crisp = float(np.log(strength[outline] + 0.3).mean()) if outline.any() else -9.0
    odds = np.log((density(bins, mask)[bins] + 1e-6) / (density(bins, ~mask)[bins] + 1e-6))
    odds = np.clip(odds, -3, 3)
    apart = 0.5 * float(odds[mask].mean()) - 0.5 * float(odds[~mask].mean()) if not mask.all() else 0.0
    return apart + 0.5 * crisp + 0.6 * float(np.log(mask.mean()))


def _without(scene: _Scene, mask: Mask, wanted: Mask, unwanted: Mask) -> Mask:
    """Return the mask without what the unwanted spots reach within it over lower edges than the wanted ones do."""
    if not (mask & unwanted).any():
        return mask
    marks = np.where(wanted, 1, np.where(unwanted, 2, np.where(mask, 0, 3))).astype(np.int32)
    lost = _flooded(scene.flat, marks) == 2
    lost = cv2.dilate(lost.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0  # the lines between belong to nobody
    return _joined(mask & ~(lost | unwanted) | wanted, wanted)


def _outlined(rgb: Pixels, mask: Mask) -> Plane:
    """Return the mask at the photo's size, 0 to 1, its outline drawn onto the photo's own edges."""
    height, width = rgb.shape[:2]
    columns, rows = fit_within(width, height, _OUTLINED)
    soft = resize(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8), columns, rows)
    radius = max(1, round(1.5 * columns / mask.shape[1]))
    fine = guided(to_plane(resize(rgb, columns, rows)), soft, radius, 1e-3)
    return smoothstep(resize(fine.astype(np.float32), width, height), 0.25, 0.75)
