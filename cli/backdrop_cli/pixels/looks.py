"""The six models of the provider sandbox, on real pixels: bytes in, an encoded picture out.

Promises the size of the upright photo (unless `autocrop` or `max_resolution` says otherwise), the format asked
for, the same bytes for the same arguments, and that every field changes the picture. Refuses a photo that
cannot be read (`UnreadablePhoto`); fields are taken as checked by the caller, a missing or null one means its
documented default.
"""

import math
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import cv2
import numpy as np

from backdrop_cli.pixels import compose, scene
from backdrop_cli.pixels.arrays import (
    Pixels,
    Plane,
    blur,
    grid,
    resize,
    seed_of,
    smoothstep,
    soft_shoulder,
    to_pixels,
    to_plane,
)
from backdrop_cli.pixels.codec import Photo, Rendered, UnreadablePhoto, encode, read
from backdrop_cli.pixels.cut import Cutout, cut
from backdrop_cli.pixels.words import Plan, read_prompt

__all__ = [
    "Rendered",
    "UnreadablePhoto",
    "background_color",
    "background_replace",
    "bria_remove",
    "change",
    "remove",
    "remove_bg",
]

SHADING = 0.30
"""How much darker than the asked colour the ground is at the subject: `shading_percent` is fixed at 30 by the model."""


def background_color(photo: bytes, *, red: int, green: int, blue: int) -> Rendered:
    """Return the subject on one colour as PNG, RGB: 30 % darker at the subject, exactly the colour at the corners."""
    source = read(photo)
    subject = cut(source)
    colour = np.array([red, green, blue], np.float32) / 255
    shade = 1 - np.float32(SHADING) * compose.halo(subject.alpha)
    ground = to_pixels(colour * shade[:, :, None])
    return encode(compose.over(subject.rgb, subject.alpha, ground), "png")


def background_replace(photo: bytes, reference: bytes, *, prompt: str = "") -> Rendered:
    """Return the subject on the reference, cover-fitted to the photo's size, as PNG, RGB.

    The subject's tone is drawn toward the reference and it stands on a contact shadow. A prompt steers light, warmth,
    side and softness; words it does not know vary them slightly.
    """
    source, ground_source = read(photo), read(reference)
    subject = cut(source)
    ground = compose.cover_fit(_opaque(ground_source), source.width, source.height)
    plan = read_prompt(prompt) if prompt.strip() else None
    side = plan.side if plan else _bright_side(ground)
    if plan is not None:
        ground = _relight(ground, plan)
    softness = 0.6 + 1.2 * plan.softness if plan else 1.0
    lit = compose.match_light(subject.rgb, subject.alpha, ground, 0.8)
    lit = compose.side_light(lit, subject.alpha, side, 0.10)
    shadow = compose.contact_shadow(subject.alpha, strength=0.62, side=-side, softness=softness)
    return encode(compose.over(lit, subject.alpha, compose.darken(ground, shadow)), "png")


def _opaque(photo: Photo) -> Pixels:
    if photo.alpha is None:
        return photo.rgb
    return compose.over(photo.rgb, photo.alpha, compose.solid(photo.width, photo.height, (255, 255, 255)))


def _bright_side(picture: Pixels) -> float:
    small = compose.luminance(to_plane(resize(picture, 16, 8)))
    difference = float(small[:, 8:].mean() - small[:, :8].mean())
    return float(np.clip(difference * 6, -1, 1))


def _relight(ground: Pixels, plan: Plan) -> Pixels:
    """Return the reference under the light of a prompt."""
    height, width = ground.shape[:2]
    x, y = grid(width, height)
    reach = 0.45 + 0.4 * plan.softness
    pool = np.exp(-(((x - 0.5 - 0.35 * plan.side) / reach) ** 2 + ((y - 0.35) / (reach + 0.2)) ** 2))
    gain = (0.86 + 0.20 * pool) * (1 + (0.10 if plan.brightness > 0 else 0.25) * plan.brightness)
    warm = np.array([1 + 0.09 * plan.warmth, 1 + 0.015 * plan.warmth, 1 - 0.12 * plan.warmth], np.float32)
    lit = to_plane(ground) * gain[:, :, None] * warm
    if plan.tint is not None:
        lit = lit * 0.82 + 0.18 * np.array(plan.tint, np.float32) / 255
    return to_pixels(soft_shoulder(lit))


def bria_remove(photo: bytes) -> Rendered:
    """Return the cut-out as PNG with straight alpha, its edge colours freed of the old background."""
    return encode(_rgba(cut(read(photo))), "png")


def _rgba(subject: Cutout) -> Pixels:
    return np.dstack((subject.rgb, subject.alpha))


def remove_bg(photo: bytes, variants: Sequence[Mapping[str, Any]]) -> list[Rendered]:
    """Return one picture per BackgroundCut variant, in order.

    Fields: `format` png|jpeg|webp, `max_resolution` (pixels in all, only ever shrinks), `quality` low|medium|high (how
    finely the edge is worked), `background_color` null|#rrggbb|#rrggbbaa, `output_compression` 1-100, `autocrop`.
    """
    source = read(photo)
    cuts: dict[str, Cutout] = {}
    results = []
    for variant in variants:
        fineness = variant.get("quality") or "medium"
        if fineness not in cuts:
            cuts[fineness] = cut(source, fineness)
        results.append(_variant(cuts[fineness], variant))
    return results


def _variant(subject: Cutout, fields: Mapping[str, Any]) -> Rendered:
    form = fields.get("format") or "png"
    picture = _on_colour(subject, fields.get("background_color"))
    if fields.get("autocrop"):
        picture = _autocrop(picture, subject.alpha)
    limit = fields.get("max_resolution") or 12_000_000
    height, width = picture.shape[:2]
    if width * height > limit:
        scale = math.sqrt(limit / (width * height))
        picture = _shrink(picture, max(1, math.floor(width * scale)), max(1, math.floor(height * scale)))
    return encode(picture, form, quality=fields.get("output_compression") or 85)


def _shrink(picture: Pixels, width: int, height: int) -> Pixels:
    """Return the picture smaller; colours are averaged by their cover so that hidden ones do not bleed in."""
    if picture.shape[2] == 3:  # noqa: PLR2004 - RGB
        return cast("Pixels", resize(picture, width, height))
    cover = to_plane(picture[:, :, 3])
    loaded = to_plane(picture[:, :, :3]) * cover[:, :, None]
    small_cover = resize(cover, width, height)
    small = resize(loaded, width, height) / np.maximum(small_cover, 1e-3)[:, :, None]
    return np.dstack((to_pixels(small), to_pixels(small_cover)))


def _autocrop(picture: Pixels, alpha: Pixels) -> Pixels:
    box = compose.bounding_box(alpha)
    if box is None:
        return picture
    height, width = alpha.shape
    margin = round(0.02 * max(box.right - box.left, box.bottom - box.top))
    part = picture[
        max(0, box.top - margin) : min(height, box.bottom + margin),
        max(0, box.left - margin) : min(width, box.right + margin),
    ]
    return np.ascontiguousarray(part)


def _on_colour(subject: Cutout, colour: str | None) -> Pixels:
    """Return RGBA on nothing or on a see-through colour, RGB on a full one."""
    if not colour:
        return _rgba(subject)
    red, green, blue, cover = read_colour(colour)
    height, width = subject.alpha.shape
    if cover == 255:  # noqa: PLR2004 - opaque
        return compose.over(subject.rgb, subject.alpha, compose.solid(width, height, (red, green, blue)))
    front = to_plane(subject.alpha)
    behind = (1 - front) * np.float32(cover / 255)
    total = front + behind
    ground = np.array([red, green, blue], np.float32) / 255
    mixed = to_plane(subject.rgb) * front[:, :, None] + ground * behind[:, :, None]
    rgb = to_pixels(mixed / np.maximum(total, 1e-6)[:, :, None])
    rgb[total == 0] = (red, green, blue)
    return np.dstack((rgb, to_pixels(total)))


def read_colour(text: str) -> tuple[int, int, int, int]:
    """Return red, green, blue, alpha (0 to 255) of `#rrggbb` or `#rrggbbaa`, the `#` optional; raises ValueError."""
    found = re.fullmatch(r"#?([0-9a-fA-F]{6})([0-9a-fA-F]{2})?", text.strip())
    if not found:
        raise ValueError(f"{text!r} is no colour like #f0f0f0")
    rgb = bytes.fromhex(found[1])
    return rgb[0], rgb[1], rgb[2], int(found[2] or "ff", 16)


@dataclass(frozen=True)
class _Change:
    """The fields of background/change with their documented or, where none is, chosen defaults."""

    prompt: str
    use_segmentation: bool = True
    subject_description: str = ""
    tone_correction: float = 0.5
    has_text: bool | None = None
    seed: int = -1
    output_format: str = "webp"
    palette: tuple[str, ...] = ()
    num_inference_steps: int = 8
    true_cfg_scale: float = 4.0
    faster_inference: bool = True
    harmonize_strength: float = 0.5


def change(photo: bytes, **fields: Any) -> Rendered:
    """Return the subject in a scene drawn from `prompt` and `seed` (-1: a random one), of the photo's size.

    Takes the fields of ImagePipeline's background/change: use_segmentation, subject_description, tone_correction,
    has_text, output_format, palette, num_inference_steps, true_cfg_scale, faster_inference, harmonize_strength. Null or
    missing means the default; others (input_image, callback_url) are ignored.
    """
    known = {name: fields[name] for name in _Change.__dataclass_fields__ if fields.get(name) is not None}
    asked = _Change(**{"prompt": "", **known})
    if asked.seed < 0:
        asked = replace(asked, seed=secrets.randbelow(2**31))
    source = read(photo)
    subject = cut(source) if asked.use_segmentation else _uncut(source)
    plan = _plan(asked)
    ground = _ground(asked, plan, subject)
    lit = _harmonised(asked, plan, subject, ground)
    strength = 0.30 + 0.5 * asked.harmonize_strength
    if asked.use_segmentation:
        shadow = compose.contact_shadow(
            subject.alpha, strength=strength, side=-plan.side, softness=0.6 + 1.2 * plan.softness
        )
        ground = compose.darken(ground, shadow)
    return encode(compose.over(lit, subject.alpha, ground), asked.output_format)


def _uncut(photo: Photo) -> Cutout:
    """Return the photo unsegmented, fading out along a soft ellipse."""
    x, y = grid(photo.width, photo.height)
    away = np.hypot((x - 0.5) / 0.5, (y - 0.5) / 0.5)
    return Cutout(_opaque(photo), to_pixels(1 - smoothstep(away, 0.72, 1.0)))


def _plan(asked: _Change) -> Plan:
    plan = read_prompt(asked.prompt, asked.seed)
    if asked.palette:
        red, green, blue, _ = read_colour(asked.palette[0])
        plan = replace(plan, tint=(red, green, blue))
    return plan


def _ground(asked: _Change, plan: Plan, subject: Cutout) -> Pixels:
    height, width = subject.alpha.shape
    steps = max(1, asked.num_inference_steps)
    detail = steps / (steps + 4) * (0.8 if asked.faster_inference else 1.0)
    picture = to_plane(scene.draw(plan, width, height, horizon=_horizon(subject.alpha), detail=detail))
    push = 1 + 0.07 * (asked.true_cfg_scale - 4)
    grey = compose.luminance(picture)[:, :, None]
    picture = grey + (picture - grey) * np.float32(max(0.0, push))
    picture = (picture - 0.5) * np.float32(1 + 0.02 * (asked.true_cfg_scale - 4)) + 0.5
    for place, colour in enumerate(asked.palette):
        red, green, blue, _ = read_colour(colour)
        # Each colour of the palette owns a band of tones, the first the darkest.
        middle = (place + 0.5) / len(asked.palette)
        weight = np.clip(1 - np.abs(grey - middle) * len(asked.palette), 0, 1) * 0.30
        picture = picture * (1 - weight) + np.array([red, green, blue], np.float32) / 255 * weight
    return to_pixels(picture)


def _horizon(alpha: Pixels) -> float | None:
    """Return where the surface should end so that the subject stands on it; None when the frame cuts the subject."""
    box = compose.bounding_box(alpha)
    height = alpha.shape[0]
    if box is None:
        return 0.66
    if box.bottom >= 0.985 * height:
        return None
    return float(np.clip(box.bottom / height - 0.16, 0.30, 0.80))


def _harmonised(asked: _Change, plan: Plan, subject: Cutout, ground: Pixels) -> Pixels:
    rgb = compose.match_light(subject.rgb, subject.alpha, ground, asked.tone_correction)
    told = seed_of("subject", asked.subject_description.strip().lower()) if asked.subject_description.strip() else 0
    lean = ((told % 1000) / 1000 - 0.5) * 0.12 if told else 0.0
    rgb = compose.side_light(rgb, subject.alpha, plan.side, 0.16 * asked.harmonize_strength + lean)
    text = _looks_printed(subject) if asked.has_text is None else asked.has_text
    if text:
        return rgb
    plane = to_plane(rgb)
    return to_pixels(plane + 0.45 * (plane - blur(plane, max(0.8, 0.0012 * max(rgb.shape)))))


def _looks_printed(subject: Cutout) -> bool:
    """Return whether the subject's inside is dense with fine strokes, as print is."""
    columns, rows = min(400, subject.rgb.shape[1]), min(400, subject.rgb.shape[0])
    grey = cv2.cvtColor(np.ascontiguousarray(resize(subject.rgb, columns, rows)), cv2.COLOR_RGB2GRAY)
    deep = cv2.erode(resize(subject.alpha, columns, rows), np.ones((9, 9), np.uint8))
    inside = deep > 200  # noqa: PLR2004 - well inside
    strokes = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((7, 7), np.uint8)) > 60  # noqa: PLR2004 - ink on paper
    return bool(inside.any() and strokes[inside].mean() > 0.02)  # noqa: PLR2004 - a line of print


def remove(photo: bytes, **fields: Any) -> tuple[Rendered, Rendered]:
    """Return (result, cut-out as PNG) of ImagePipeline's background/remove.

    `recolor` "#rrggbb" or null; `drop_shadow` with `shadow_opacity` 0-1, `shadow_blur` and `shadow_dx` as
    fractions of the
    width, `shadow_dy` of the height; `output_format` webp|jpeg|png. Without `recolor` the shadow lies in the alpha.
    """
    subject = cut(read(photo))
    result = _shadowed(subject, fields)
    return encode(result, fields.get("output_format") or "webp"), encode(_rgba(subject), "png")


def _shadowed(subject: Cutout, fields: Mapping[str, Any]) -> Pixels:
    height, width = subject.alpha.shape
    recolor = fields.get("recolor")
    shadow: Plane | None = None
    if fields.get("drop_shadow"):
        shadow = compose.drop_shadow(
            subject.alpha,
            opacity=_or(fields.get("shadow_opacity"), 0.38),
            sigma=_or(fields.get("shadow_blur"), 0.018) * width,
            right=_or(fields.get("shadow_dx"), 0.004) * width,
            down=_or(fields.get("shadow_dy"), 0.022) * height,
        )
    if recolor:
        ground = compose.solid(width, height, read_colour(recolor)[:3])
        if shadow is not None:
            ground = compose.darken(ground, shadow)
        return compose.over(subject.rgb, subject.alpha, ground)
    if shadow is None:
        return _rgba(subject)
    front = to_plane(subject.alpha)
    total = front + (1 - front) * shadow
    share = (front / np.maximum(total, 1e-6))[:, :, None]
    return np.dstack((to_pixels(to_plane(subject.rgb) * share), to_pixels(total)))


def _or(value: float | None, default: float) -> float:
    return default if value is None else float(value)
