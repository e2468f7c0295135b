"""What a demo drops: the user's own photo and spec, or sample photos with specs for all six models.

Promises keys that the library takes for what they are, whatever characters a path holds. Refuses files that cannot
become a drop, with what to do (`BadFile`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backdrop import keys, spec
from backdrop.errors import Rejected
from backdrop_cli.paths import BadFile, printable, read, refuse_swapped
from backdrop_cli.watch import Drop

FOLDER = "drop"


@dataclass(frozen=True)
class Step:
    """One object to put into the input bucket. `data` is called when its turn comes: samples are drawn then."""

    key: str
    data: Callable[[], bytes]


@dataclass(frozen=True)
class Entry:
    """A drop and its objects in the order of their arrival."""

    drop: Drop
    steps: tuple[Step, ...]
    photo: Callable[[], bytes]


def own(image: Path, spec_file: Path) -> list[Entry]:
    """The user's photo with the user's spec, under the folder `drop/`.

    Raises:
        BadFile: a path cannot be read, or its name cannot be a key.
    """
    refuse_swapped(spec_file, image, keys.SPEC_EXTENSIONS)
    photo, text = read(image, "image"), read(spec_file, "spec")
    extension = spec_file.suffix.lower()
    if extension not in keys.SPEC_EXTENSIONS:
        msg = f"the spec {_shown(spec_file)} must end in {', '.join(keys.SPEC_EXTENSIONS)}"
        raise BadFile(msg)
    try:
        image.name.encode()
    except UnicodeEncodeError:
        msg = f"the name of the image {_shown(image)} is not UTF-8, which a key must be: rename it"
        raise BadFile(msg) from None
    if keys.classify(image.name) in {keys.Kind.SUPPORT, keys.Kind.DEFAULT}:
        msg = f"{_shown(image)} begins with _, which marks support files that are never run: rename it"
        raise BadFile(msg)
    key = f"{FOLDER}/{image.name}"
    sidecar = key + extension
    wanted: tuple[tuple[str, str], ...] = ()
    references: list[Step] = []
    try:
        parsed = spec.parse(text, sidecar)
    except Rejected:
        pass  # the stack refuses it too, and its error file is what the demo is to show
    else:
        wanted = tuple((job.label, job.model) for job in parsed.jobs)
        references = [step for job in parsed.jobs for step in _reference(image, spec_file, key, job.reference)]
    steps = (*references, Step(key, lambda: photo), Step(sidecar, lambda: text))
    return [Entry(Drop(key, wanted), steps, lambda: photo)]


def _reference(image: Path, spec_file: Path, key: str, reference: str) -> Iterator[Step]:
    """The spec's reference picture, where it lies beside the image or the spec; the stack tells of a missing one."""
    if not reference:
        return
    try:
        target = keys.reference_key(key, reference)
    except Rejected:
        return
    for folder in (image.parent, spec_file.parent):
        path = folder / reference
        if path.is_file():
            yield Step(target, partial(read, path, "reference"))
            return


def _shown(path: Path) -> str:
    return printable(str(path))
