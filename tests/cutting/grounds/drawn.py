"""The project's own grounds: its surfaces seen from above, and the scenes that it draws for prompts.

Promises `Ground` painters once a family is chosen. Raises KeyError for a family it does not know.
"""

import cv2
import numpy as np

from backdrop_cli.pixels.arrays import Plane, to_plane
from backdrop_cli.pixels.scene import draw
from backdrop_cli.pixels.textures import texture
from backdrop_cli.pixels.words import read_prompt

SURFACES = {
    "wood": ("oak", "walnut"),
    "stone": ("marble", "slate", "concrete"),
    "linen": ("linen",),
    "ground": ("sand", "snow", "grass"),
    "plain": ("plain", "gloss"),
}
PROMPTS = {
    "nature": (
        "beach in sunny light",
        "garden with flowers",
        "forest path",
        "mountain lake",
        "snowy mountain",
        "desert at sunset",
        "sky with clouds",
    ),
    "indoors": (
        "kitchen counter, morning light",
        "living room with window",
        "window with morning sun",
        "cafe with oak tables",
        "library shelf, evening",
    ),
    "town": ("city street at night", "neon street", "christmas party", "rainy street at dusk"),
    "studio": ("studio", "white studio, bright", "dark studio", "terracotta studio, soft light"),
}


def surface(family: str, height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint one of the family's textures: turned or not, nearer or farther, brighter or darker."""
    flat = texture(str(random.choice(SURFACES[family])), random)
    turn = 0.0 if random.random() < 0.5 else random.uniform(0, 360)
    turned = cv2.getRotationMatrix2D((flat.shape[1] / 2, flat.shape[0] / 2), turn, random.uniform(0.8, 2.2))
    moved = np.array([width - flat.shape[1], height - flat.shape[0]]) / 2 + random.uniform(-150, 150, 2)
    turned = np.column_stack([turned[:, :2], turned[:, 2] + moved])
    seen = cv2.warpAffine(flat, turned, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(seen * np.float32(random.uniform(0.6, 1.2)), np.float32)


def scene(family: str, height: int, width: int, random: np.random.Generator) -> Plane:
    """Paint the scene of one of the family's prompts, its surface's far edge at half to four fifths of the height."""
    plan = read_prompt(str(random.choice(PROMPTS[family])), int(random.integers(2**31)))
    horizon = None if random.random() < 0.2 else random.uniform(0.5, 0.8)
    return to_plane(draw(plan, width, height, horizon=horizon))
