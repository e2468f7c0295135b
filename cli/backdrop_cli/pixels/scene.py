"""Draw a scene for a subject to stand in: a surface in perspective before a backdrop out of focus.

Promises the same pixels for the same plan and size. Refuses nothing: an unknown prompt gives a studio.
"""

from typing import cast

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import (
    Pixels,
    Plane,
    blur,
    clouds,
    fit_within,
    grid,
    resize,
    smoothstep,
    soft_shoulder,
    to_pixels,
)
from backdrop_cli.pixels.textures import texture
from backdrop_cli.pixels.words import Plan

_DRAWN = 960
_GLOSSY = {"marble": 0.22, "gloss": 0.6, "slate": 0.08, "oak": 0.10, "walnut": 0.14, "plain": 0.10, "concrete": 0.05}


def draw(plan: Plan, width: int, height: int, *, horizon: float | None, detail: float = 1.0) -> Pixels:
    """Return the scene, width x height.

    `horizon` is where surface and backdrop meet, as a fraction of the height from the top; None for no surface
    (a subject
    cut by the frame). `detail` 0 to 1 is how much fine structure is drawn.
    """
    random = np.random.default_rng(plan.seed)
    longest = round(_DRAWN * (0.3 + 0.7 * detail))
    columns, rows = fit_within(width, height, longest)
    picture = _backdrop(plan, random, columns, rows, 0.72 if horizon is None else horizon)
    if horizon is not None:
        picture = _lay_surface(picture, plan, random, horizon)
    picture = _light(picture, plan)
    full = resize(picture, width, height)
    fine = np.random.default_rng(plan.seed + 1).normal(0, 0.006 + 0.006 * detail, (min(height, 512), min(width, 512)))
    tiled = np.tile(fine.astype(np.float32), (-(-height // fine.shape[0]), -(-width // fine.shape[1])))
    return to_pixels(full + tiled[:height, :width, None])


def _backdrop(plan: Plan, random: np.random.Generator, width: int, height: int, horizon: float) -> Plane:
    painters = {
        "studio": _studio, "window": _window, "room": _room, "sea": _sea, "forest": _forest, "peaks": _peaks,
        "sky": _sky, "city": _city, "neon": _neon,
    }  # fmt: skip
    return painters[plan.backdrop](plan, random, width, height, horizon)


def _vertical(height: int, width: int, stops: list[tuple[float, tuple[int, int, int]]]) -> Plane:
    y = (np.arange(height) + 0.5) / height
    places = [place for place, _ in stops]
    channels = [np.interp(y, places, [colour[c] / 255 for _, colour in stops]) for c in range(3)]
    column = np.stack(channels, axis=1).astype(np.float32)
    return np.repeat(column[:, None, :], width, axis=1)


def _hue(plan: Plan, random: np.random.Generator) -> tuple[float, float, float]:
    if plan.tint is not None:
        return plan.tint
    soft = [(206, 198, 188), (188, 196, 204), (200, 206, 194), (216, 200, 196), (190, 186, 200), (176, 190, 190)]
    return soft[int(random.integers(len(soft)))]


def _studio(plan: Plan, random: np.random.Generator, width: int, height: int, horizon: float) -> Plane:
    base = np.array(_hue(plan, random), np.float32) / 255
    x, y = grid(width, height)
    glow = np.exp(-(((x - 0.5 - 0.22 * plan.side) / 0.55) ** 2 + ((y - 0.40 * horizon - 0.1) / 0.5) ** 2))
    mottled = clouds(random, width, height, cells=3, octaves=4) - 0.5
    return cast("Plane", base * (0.72 + 0.36 * glow + 0.06 * mottled)[:, :, None])


def _window(plan: Plan, random: np.random.Generator, width: int, height: int, horizon: float) -> Plane:
    wall = _studio(plan, random, width, height, horizon) * 0.86
    x, y = grid(width, height)
    slant = x - plan.side * 0.30 * (y - 0.3) - random.uniform(-0.12, 0.12)
    panes = np.zeros((height, width), np.float32)
    for row in range(3):
        for column in range(2):
            left, top = 0.22 + column * 0.30, -0.05 + row * 0.26
            inside = smoothstep(slant, left, left + 0.012) * smoothstep(-slant, -left - 0.265, -left - 0.253)
            panes = np.maximum(
                panes, inside * smoothstep(y, top, top + 0.012) * smoothstep(-y, -top - 0.24, -top - 0.228)
            )
    leaves = smoothstep(clouds(random, width, height, cells=6, octaves=3), 0.42, 0.6)
    beam = blur(panes * (0.45 + 0.55 * leaves), 0.006 * width + 2 * plan.softness)
    sun = np.array([0.34, 0.29, 0.20], np.float32)
    return cast("Plane", wall + beam[:, :, None] * sun)


def _room(plan: Plan, random: np.random.Generator, width: int, height: int, horizon: float) -> Plane:
    picture = _studio(plan, random, width, height, horizon) * np.array([0.95, 0.92, 0.88], np.float32)
    for shelf in range(2):
        base = int(height * horizon * (0.40 + 0.36 * shelf))
        cv2.rectangle(picture, (0, base), (width, base + max(2, height // 50)), (0.50, 0.38, 0.28), -1)
        x = 0
        while x < width:
            across = int(width * random.uniform(0.03, 0.09))
            tall = int(height * random.uniform(0.06, 0.22))
            hue = np.array(
                [[[random.uniform(0, 360), random.uniform(0.05, 0.4), random.uniform(0.35, 0.9)]]], np.float32
            )
            colour = tuple(float(c) for c in cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0])
            if random.random() < 0.7:  # noqa: PLR2004 - seven things to three gaps
                cv2.rectangle(picture, (x, base - tall), (x + across, base), colour, -1)
            x += across + int(width * random.uniform(0.005, 0.03))
    lamp = _bokeh(random, width, height, 7, [(255, 214, 150)], size=(0.02, 0.05), bottom=horizon * 0.6)
    return blur(picture, 0.014 * max(width, height)) + 0.5 * lamp


def _sea(plan: Plan, random: np.random.Generator, width: int, height: int, horizon: float) -> Plane:
    line = horizon * 0.78
    if plan.warmth > 0.3:  # noqa: PLR2004 - a warm plan is an evening
        sky = [
            (0.0, (74, 92, 150)),
            (0.45 * line, (204, 136, 138)),
            (0.85 * line, (252, 182, 108)),
            (line, (255, 222, 160)),
        ]
        water = [(line, (196, 140, 120)), (horizon, (92, 88, 122)), (1.0, (70, 70, 100))]
    else:
        sky = [(0.0, (96, 156, 214)), (0.7 * line, (172, 208, 234)), (line, (222, 234, 240))]
        water = [(line, (84, 150, 176)), (horizon, (112, 186, 190)), (1.0, (120, 190, 190))]
    picture = _vertical(height, width, sky)
    below = _vertical(height, width, water)
    x, y = grid(width, height)
    swell = cv2.resize(random.random((max(2, height // 5), max(2, width // 60)), np.float32), (width, height))
    below += (swell - 0.5)[:, :, None] * 0.10
    sun_x = 0.5 + 0.28 * plan.side
    sun = np.exp(-(((x - sun_x) * width) ** 2 + ((y - line * 0.86) * height) ** 2) / (0.10 * width) ** 2)
    glitter = np.exp(-(((x - sun_x) / 0.10) ** 2)) * (0.4 + 0.8 * swell)
    puffs = smoothstep(clouds(random, width, height, cells=3, octaves=5), 0.5, 0.8) * smoothstep(-y, -0.8 * line, -0.1)
    picture = picture + 0.30 * puffs[:, :, None] + sun[:, :, None] * np.array([0.5, 0.36, 0.16], np.float32)
    below = below + (0.25 * glitter)[:, :, None] * np.array([1, 0.8, 0.5], np.float32)
    edge = smoothstep(y, line - 0.004, line + 0.004)[:, :, None]
    return blur(picture * (1 - edge) + below * edge, 0.004 * width)


def _bokeh(
    random: np.random.Generator,
    width: int,
    height: int,
    count: int,
    colours: list[tuple[int, int, int]],
    *,
    size: tuple[float, float],
    bottom: float = 1.0,
) -> Plane:
    light = np.zeros((height, width, 3), np.float32)
    for _ in range(count):
        radius = max(1, int(max(width, height) * random.uniform(*size)))
        centre = (int(random.uniform(0, width)), int(random.uniform(0, bottom * height)))
        strength = random.uniform(0.25, 0.8)
        colour = np.array(colours[int(random.integers(len(colours)))], np.float32) / 255 * strength
        left, top = max(0, centre[0] - radius - 2), max(0, centre[1] - radius - 2)
        part = light[top : centre[1] + radius + 3, left : centre[0] + radius + 3]
        if not part.size:
            continue
        disc = np.zeros(part.shape[:2], np.float32)
        here = (centre[0] - left, centre[1] - top)
        cv2.circle(disc, here, radius, 0.75, -1, cv2.LINE_AA)
        cv2.circle(disc, here, radius, 1.0, max(1, radius // 9), cv2.LINE_AA)
        part += disc[:, :, None] * colour
    return blur(light, 0.003 * max(width, height))


def _forest(plan: Plan, random: np.random.Generator, width: int, height: int, horizon: float) -> Plane:
    picture = _vertical(
        height,
        width,
        [(0, (176, 196, 128)), (0.5 * horizon, (104, 138, 78)), (horizon, (52, 78, 42)), (1, (40, 60, 34))],
    )
    masses = clouds(random, width, height, cells=5, octaves=4)
    picture *= (0.55 + 0.9 * masses)[:, :, None]
    for _ in range(7):
        x = int(random.uniform(0, width))
        across = max(2, int(width * random.uniform(0.015, 0.05)))
        cv2.line(picture, (x, 0), (x + int(random.uniform(-20, 20)), int(horizon * height)), (0.24, 0.19, 0.13), across)
    spots = _bokeh(
        random,
        width,
        height,
        46,
        [(236, 240, 170), (190, 220, 120), (255, 250, 214)],
        size=(0.008, 0.032),
        bottom=0.8 * horizon,
    )
    return blur(picture, 0.020 * max(width, height)) + 0.55 * spots + 0.02 * plan.warmth


def _peaks(plan: Plan, random: np.random.Generator, width: int, height: int, horizon: float) -> Plane:
    picture = _vertical(height, width, [(0, (126, 166, 214)), (0.6 * horizon, (204, 222, 238)), (1, (236, 242, 248))])
    x = np.linspace(0, 1, width)
    for layer, (base, tone) in enumerate(((0.62, (168, 188, 214)), (0.78, (128, 152, 184)), (0.94, (88, 112, 140)))):
        knots = random.random(9 + 4 * layer)
        ridge = np.interp(x, np.linspace(0, 1, knots.size), knots) + 0.06 * np.interp(
            x, np.linspace(0, 1, 60), random.random(60)
        )
        top = (horizon * (base - 0.34 * ridge)) * height
        inside = np.arange(height)[:, None] > top[None, :]
        snow = smoothstep(-(np.arange(height)[:, None] - top[None, :]) / height, -0.09, -0.01)[:, :, None]
        colour = np.array(tone, np.float32) / 255 * (1 - 0.6 * snow) + 0.58 * snow
        picture = np.where(inside[:, :, None], colour, picture).astype(np.float32)
    return blur(picture, 0.006 * max(width, height)) + 0.02 * plan.warmth


def _sky(plan: Plan, random: np.random.Generator, width: int, height: int, horizon: float) -> Plane:
    picture = _vertical(height, width, [(0, (72, 136, 208)), (horizon, (190, 218, 240)), (1, (214, 230, 244))])
    _, y = grid(width, height)
    puffs = smoothstep(clouds(random, width, height, cells=3, octaves=7, fade=0.52), 0.46, 0.72) * (1 - 0.5 * y)
    veil = puffs[:, :, None]
    return cast("Plane", picture * (1 - veil) + np.float32(0.985) * veil + 0.02 * plan.warmth)


def _city(plan: Plan, random: np.random.Generator, width: int, height: int, horizon: float) -> Plane:
    picture = _vertical(height, width, [(0, (18, 22, 42)), (horizon, (52, 46, 66)), (1, (30, 28, 40))])
    colours = [(255, 190, 110), (255, 226, 170), (120, 170, 255), (255, 110, 90), (190, 240, 220)]
    spots = _bokeh(random, width, height, 60, colours, size=(0.008, 0.04), bottom=horizon)
    return picture + 0.85 * spots + 0.02 * plan.warmth


def _neon(plan: Plan, random: np.random.Generator, width: int, height: int, horizon: float) -> Plane:
    picture = _vertical(height, width, [(0, (14, 10, 30)), (horizon, (34, 16, 52)), (1, (18, 12, 30))])
    tubes = np.zeros((height, width, 3), np.float32)
    colours = [(1.0, 0.18, 0.62), (0.12, 0.85, 1.0), (0.62, 0.3, 1.0), (1.0, 0.55, 0.15)]
    for _ in range(6):
        start = (int(random.uniform(0, width)), int(random.uniform(0, horizon * height)))
        if random.random() < 0.5:  # noqa: PLR2004 - a coin
            end = (start[0], int(random.uniform(0, horizon * height)))
        else:
            end = (int(random.uniform(0, width)), start[1])
        cv2.line(tubes, start, end, colours[int(random.integers(4))], max(2, width // 150), cv2.LINE_AA)
    glow = 0.9 * blur(tubes, 0.004 * width) + 3.0 * blur(tubes, 0.03 * width) + 3.5 * blur(tubes, 0.12 * width)
    return picture + glow + 0.02 * plan.warmth


def _lay_surface(picture: Plane, plan: Plan, random: np.random.Generator, horizon: float) -> Plane:
    height, width = picture.shape[:2]
    flat = texture(plan.surface, random)
    if plan.surface == "plain":
        flat = flat * (np.array(_hue(plan, np.random.default_rng(plan.seed)), np.float32) / 255 / 0.86)
    size = flat.shape[0]
    line = min(height - 1, round(horizon * height))
    below = np.arange(line, height, dtype=np.float32)
    depth = 1 / ((below - line) / height + 0.14)
    x = (np.arange(width, dtype=np.float32) + 0.5) / width - 0.5
    u = (x[None, :] * depth[:, None]) * 0.16 * size * (width / height) + size / 2 + random.uniform(-60, 60)
    v = np.repeat((depth * 0.19 * size)[:, None], width, axis=1)
    ground = cv2.remap(
        flat, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    glossy = _GLOSSY.get(plan.surface, 0.0)
    if glossy:
        mirrored = picture[max(0, line - ground.shape[0]) : line][::-1]
        mirrored = np.pad(mirrored, ((0, ground.shape[0] - mirrored.shape[0]), (0, 0), (0, 0)), mode="edge")
        mirrored = cv2.blur(np.ascontiguousarray(mirrored), (max(1, width // 40), max(1, height // 12)))
        ground = ground * (1 - glossy * 0.6) + mirrored * glossy
    nearness = ((below - line) / max(1, height - line))[:, None, None]
    far = cv2.GaussianBlur(ground, (0, 0), 0.004 * width + 0.5)
    ground = far * (1 - np.clip(nearness * 2.2, 0, 1)) + ground * np.clip(nearness * 2.2, 0, 1)
    ground = ground * (0.86 + 0.18 * nearness)
    joined = picture.copy()
    joined[line:] = ground
    # The far edge of the surface is out of focus: blend a few rows.
    band = max(1, round(0.006 * height * (6 if plan.surface == "plain" else 1)))
    top, bottom = max(0, line - band), min(height, line + band)
    ramp = np.linspace(0, 1, bottom - top, dtype=np.float32)[:, None, None]
    joined[top:bottom] = joined[top : top + 1] * (1 - ramp) + joined[bottom - 1 : bottom] * ramp
    return joined


def _light(picture: Plane, plan: Plan) -> Plane:
    height, width = picture.shape[:2]
    x, y = grid(width, height)
    slope = 1 + (0.16 - 0.06 * plan.softness) * plan.side * (x - 0.5) * 2
    vignette = 1 - 0.22 * np.clip((x - 0.5) ** 2 + (y - 0.5) ** 2 - 0.12, 0, 1)
    warm = np.array([1 + 0.07 * plan.warmth, 1 + 0.01 * plan.warmth, 1 - 0.09 * plan.warmth], np.float32)
    lit = np.clip(picture, 0, 1.6) * (slope * vignette)[:, :, None] * warm
    lit = np.clip(lit, 0, None) ** np.float32(1 - 0.22 * plan.brightness)
    return soft_shoulder(lit)
