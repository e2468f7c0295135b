"""What the demo drops when it is given nothing: seven sample photos, with specs for all six models.

Promises every way in that the README names: photo first and spec first, YAML and JSON, one spec with two looks, a
folder default, a reference picture. A photo is drawn when its turn comes.
"""

from functools import cache

from backdrop import spec
from backdrop_cli import photos
from backdrop_cli.plans import Entry, Step
from backdrop_cli.watch import Drop

# (folder, photo, what the spec's name adds to the photo's, whether the spec comes first, the spec)
_DROPS: tuple[tuple[str, str, str, bool, str], ...] = (
    (
        "linen",  # matched by a folder default, so it waits a moment for a spec of its own: first in the row
        "vase",
        "_backdrop.yaml",
        True,
        """\
model: bria/background/remove
""",
    ),
    (
        "shop",
        "sneaker",
        ".json",
        True,
        """\
{
  "model": "backgroundcut/remove-bg",
  "input": {
    "output_variants": [
      {"format": "png", "quality": "high"},
      {"format": "jpeg", "background_color": "#ffffff", "output_compression": 90},
      {"format": "webp", "background_color": "#ffe8c8", "max_resolution": 1000000}
    ]
  },
  "metadata": {"sku": "S-42"}
}
""",
    ),
    (
        "shop",
        "mug",
        ".yaml",
        False,
        """\
model: imagepipeline/background-change
input:
  prompt: on a rustic oak table in a sunlit kitchen
  seed: 7
  output_format: png
""",
    ),
    (
        "people",
        "portrait",
        ".yaml",
        True,
        """\
model: imagepipeline/background-remove
input: {recolor: "#dfe7ee", drop_shadow: true, output_format: jpeg}
""",
    ),
    (
        "shop",
        "perfume",
        ".json",
        True,
        """\
{
  "model": "runflow/background-replace",
  "input": {"reference": "_scene.jpg", "prompt": "a bottle of perfume on marble, soft morning light"}
}
""",
    ),
    (
        "shop",
        "bottle",
        ".yaml",
        False,
        """\
model: runflow/background-color
input: {color_red: 240, color_green: 240, color_blue: 240}
metadata: {sku: A-17}
""",
    ),
    (
        "shop",
        "chair",
        ".yaml",
        False,
        """\
jobs:
  - {model: bria/background/remove, label: cutout, input: {sync_mode: true}}
  - {model: runflow/background-color, label: sand, input: {color_red: 226, color_green: 214, color_blue: 196}}
""",
    ),
)


def samples() -> list[Entry]:
    """The sample drops; nothing is drawn yet."""
    return [_entry(*one) for one in _DROPS]


def _entry(folder: str, name: str, suffix: str, spec_first: bool, text: str) -> Entry:  # noqa: FBT001 - a column
    sample = photos.render(name)
    key = f"{folder}/{sample.filename}"
    spec_key = f"{folder}/{suffix}" if suffix.startswith("_") else key + suffix
    parsed = spec.parse(text.encode(), spec_key)
    photo = Step(key, lambda: sample.data)
    sidecar = Step(spec_key, text.encode)
    pair = (sidecar, photo) if spec_first else (photo, sidecar)
    references = [Step(f"{folder}/{job.reference}", _scene) for job in parsed.jobs if job.reference]
    wanted = tuple((job.label, job.model) for job in parsed.jobs)
    return Entry(Drop(key, wanted), (*references, *pair), photo.data)


@cache
def _scene() -> bytes:
    return photos.reference()[1]
