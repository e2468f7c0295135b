"""Files that a command is given: read, or refused with what was probably meant; and text fit for a terminal."""

from difflib import get_close_matches
from pathlib import Path


class BadFile(Exception):
    """A path that was given is of no use; the message says why and what to do."""


def read(path: Path, what: str, most: int = -1) -> bytes:
    """The file's bytes, at most `most` of them; `what` it is called in the message.

    Raises:
        BadFile: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        msg = f"cannot read the {what} {printable(str(path))}: {error.strerror}{_meant(path)}"
        raise BadFile(msg) from None
    except ValueError:
        msg = f"cannot read the {what}: {printable(str(path))} is not a path"
        raise BadFile(msg) from None


def refuse_swapped(spec: Path, image: Path, specs: tuple[str, ...]) -> None:
    """Refuse a photo given as the spec and a spec given as the photo.

    Raises:
        BadFile: that is how they were given.
    """
    if image.suffix.lower() in specs and spec.suffix.lower() not in specs:
        msg = f"{printable(image.name)} is a spec and {printable(spec.name)} is not: give them the other way round"
        raise BadFile(msg)


def _meant(path: Path) -> str:
    try:
        names = [other.name for other in path.parent.iterdir()]
    except OSError:
        return ""
    found = get_close_matches(path.name, names, n=1)
    return f"; did you mean {printable(str(path.parent / found[0]))}?" if found and found[0] != path.name else ""


def printable(text: str) -> str:
    """The text with what a terminal would act on written out."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "replace").decode() for one in text)
