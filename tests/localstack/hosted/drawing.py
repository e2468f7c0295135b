"""Draws the demo's sample photos into a folder: `python drawing.py FOLDER`, run in the project's own environment."""

import sys
from pathlib import Path

from backdrop_cli import photos


def main(folder: Path) -> None:
    """One file for each sample, and the scene that stands for a reference picture."""
    for name in ("sneaker", "mug", "portrait", "perfume", "bottle", "chair", "vase"):
        sample = photos.render(name)
        (folder / sample.filename).write_bytes(sample.data)
    (folder / "scene.jpg").write_bytes(photos.reference()[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
