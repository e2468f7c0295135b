"""The folder that a demo leaves: results under their keys, and a list of what it wrote.

Promises to remove only files that an earlier demo listed as its own, and to write nowhere else. Refuses a folder with
files in it that no demo has made (`Foreign`).
"""

import hashlib
import json
from pathlib import Path

MARKER = ".backdrop-demo"
_HEADLINE = "Written by `backdrop demo`: the files below are its own, and the next demo removes them."
_MOST_NAME_BYTES = 255  # of one name, on every usual file system


class Foreign(Exception):
    """The folder is somebody else's; the message says what to do."""


class OutFolder:
    """A folder ready to be written to."""

    def __init__(self, path: Path) -> None:
        """Make the folder, or empty it of what an earlier demo wrote.

        Raises:
            Foreign: it holds files and no demo's list, or it is not a folder.
            OSError: it cannot be made or written.
        """
        self.path = path
        self._marker = path / MARKER
        self._listed: set[str] = set()
        if path.exists() and not path.is_dir():
            msg = f"{path} is not a folder; name another with --out"
            raise Foreign(msg)
        path.mkdir(parents=True, exist_ok=True)
        if self._marker.is_file():
            self._empty()
        elif not all((entry / MARKER).is_file() for entry in path.iterdir()):  # other demos' folders are no strangers
            msg = f"{path} holds files that no demo wrote; name another folder with --out, or empty it yourself"
            raise Foreign(msg)
        self._marker.write_text(_HEADLINE + "\n", encoding="utf-8")

    def place(self, key: str) -> Path:
        """Where the file of that key goes, listed as the demo's own; its folders are made."""
        names = [_file_name(part) for part in key.split("/") if part not in {"", ".", ".."}]
        path = self.path.joinpath(*names or ["_"])
        listed = path.relative_to(self.path).as_posix()
        if listed not in self._listed:
            self._listed.add(listed)
            with self._marker.open("a", encoding="utf-8") as marker:
                marker.write(json.dumps(listed) + "\n")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, key: str, data: bytes) -> Path:
        """Write the file of that key; its path."""
        path = self.place(key)
        path.write_bytes(data)
        return path

    def _empty(self) -> None:
        root = self.path.resolve()
        lines = self._marker.read_text(encoding="utf-8").splitlines()[1:]
        folders: set[Path] = set()
        for line in filter(None, lines):
            path = self.path / json.loads(line)
            if not path.parent.resolve().is_relative_to(root) or path.is_dir():
                continue
            path.unlink(missing_ok=True)
            folders.update(parent for parent in path.parents if parent != self.path and self.path in parent.parents)
        for folder in sorted(folders, key=lambda one: len(one.parts), reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _file_name(part: str) -> str:
    """The part as a name that a file system takes: NUL replaced, and cut, with a digest, when it is too long."""
    name = part.replace("\0", "_")
    if len(name.encode("utf-8", "surrogateescape")) <= _MOST_NAME_BYTES:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    stem, dot, extension = name.rpartition(".")
    tail = f"~{digest}{dot}{extension}" if dot and len(extension) < len(digest) else f"~{digest}"
    kept = (stem if dot else name).encode("utf-8", "surrogateescape")[: _MOST_NAME_BYTES - len(tail.encode())]
    return kept.decode("utf-8", "ignore") + tail
