"""What the words of a prompt ask of a scene: surface, backdrop, light, mood.

Promises the same plan for the same prompt and seed, and a different one for another prompt: words it knows
steer, all others vary what is left open by their hash. Refuses nothing.
"""

import re
from dataclasses import dataclass

import numpy as np

from backdrop_cli.pixels.arrays import seed_of

type Colour = tuple[int, int, int]

# First match wins, so the specific stands before the general.
SURFACES: tuple[tuple[str, str], ...] = (
    (r"marbl", "marble"),
    (r"walnut|dark wood|mahogany", "walnut"),
    (r"wood|oak|plank|timber|cabin|pine", "oak"),
    (r"slate|basalt|rock|stone", "slate"),
    (r"concrete|cement|loft|street|urban|industrial", "concrete"),
    (r"linen|cloth|fabric|cotton|towel|bed|silk|velvet", "linen"),
    (r"beach|sand|desert|dune|shore|coast", "sand"),
    (r"snow|winter|ice|frost|ski|alpin|arctic", "snow"),
    (r"grass|meadow|garden|lawn|park|forest|moss|jungle|leaf|leaves|picnic|spring", "grass"),
    (r"neon|night|city|club|cyber|wet|rain", "gloss"),
    (r"kitchen|counter|bathroom|spa", "marble"),
    (r"desk|table|board|shelf", "oak"),
    (r"sunset|sunrise|dusk|dawn|sea|ocean|lake", "sand"),
)
BACKDROPS: tuple[tuple[str, str], ...] = (
    (r"neon|cyber|club", "neon"),
    (r"night|city|bokeh|street|party|christmas|festive", "city"),
    (r"beach|sea|ocean|shore|coast|lake|sunset|sunrise|dusk|dawn|desert|dune", "sea"),
    (r"forest|garden|jungle|meadow|park|grass|leaf|leaves|picnic|spring|moss", "forest"),
    (r"snow|winter|alpin|mountain|frost|ski|arctic|ice", "peaks"),
    (r"sky|cloud|heaven", "sky"),
    (r"kitchen|cafe|restaurant|living|room|interior|bathroom|loft|home|office|shelf|library|spa|bed", "room"),
    (r"window|morning|curtain|blind", "window"),
)
_COLOURS: dict[str, Colour] = {
    "red": (196, 62, 54), "orange": (226, 134, 62), "yellow": (232, 200, 92), "green": (104, 150, 98),
    "teal": (70, 140, 140), "blue": (84, 122, 182), "purple": (128, 98, 168), "violet": (128, 98, 168),
    "pink": (228, 160, 172), "brown": (134, 100, 74), "beige": (218, 202, 178), "cream": (238, 228, 208),
    "white": (240, 240, 238), "black": (38, 38, 42), "grey": (150, 152, 156), "gray": (150, 152, 156),
    "gold": (206, 168, 92), "mint": (178, 216, 196), "lavender": (196, 184, 222), "navy": (44, 58, 96),
    "coral": (236, 140, 118), "sage": (168, 180, 150), "peach": (244, 200, 172), "terracotta": (190, 112, 84),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What to draw: kinds by name, colours 0 to 255, light as signed or unit numbers."""

    surface: str
    backdrop: str
    tint: Colour | None
    side: float
    """Where the light comes from: -1 left to 1 right."""
    warmth: float
    """-1 cool to 1 warm."""
    brightness: float
    """-1 dark to 1 bright."""
    softness: float
    """0 hard to 1 soft."""
    seed: int


def normalise(prompt: str | None) -> str:
    """Return the prompt in lower case with single spaces."""
    return " ".join((prompt or "").lower().split())


def _first(table: tuple[tuple[str, str], ...], text: str, otherwise: str) -> str:
    return next((kind for pattern, kind in table if re.search(rf"\b(?:{pattern})", text)), otherwise)


def _lean(text: str, more: str, less: str) -> float:
    return float(bool(re.search(rf"\b(?:{more})", text))) - float(bool(re.search(rf"\b(?:{less})", text)))


def read_prompt(prompt: str | None, seed: int = 0) -> Plan:
    """Return the plan for a prompt and a seed."""
    text = normalise(prompt)
    number = seed_of("scene", text, seed)
    random = np.random.default_rng(number)
    chance = random.random(4)
    backdrop = _first(BACKDROPS, text, "studio")
    coin = -1.0 if chance[0] < 0.5 else 1.0  # noqa: PLR2004 - heads or tails
    side = _lean(text, r"right", r"left") or coin * float(0.5 + 0.5 * chance[1])
    warmth = _lean(
        text,
        r"warm|sunset|sunrise|morning|golden|candle|autumn|evening|cosy|cozy|dusk|dawn|summer",
        r"cool|cold|night|winter|snow|moon|icy|clinical|overcast|blue hour",
    )
    dark = r"dark|night|moody|evening|dim|dusk|shadow|candle|neon|noir|midnight"
    light = r"bright|light|sunny|airy|white|high.key|noon|morning|day"
    tint = next((colour for word, colour in _COLOURS.items() if re.search(rf"\b{word}\b", text)), None)
    plain = "plain" if backdrop == "studio" else "oak"
    return Plan(
        surface=_first(SURFACES, text, plain),
        backdrop=backdrop,
        tint=tint,
        side=side,
        warmth=float(np.clip(0.9 * warmth + (chance[2] - 0.5) * 0.3, -1, 1)),
        brightness=float(np.clip(0.9 * _lean(text, light, dark) + (chance[3] - 0.5) * 0.2, -1, 1)),
        softness=0.5
        + 0.5 * _lean(text, r"soft|gentle|diffuse|overcast|haze|foggy|misty", r"hard|harsh|crisp|sharp|direct|noon"),
        seed=number,
    )
