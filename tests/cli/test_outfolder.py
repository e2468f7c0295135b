"""The out folder: emptied only of what an earlier demo wrote, written only inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backdrop_cli.outfolder import MARKER, Foreign, OutFolder

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[str]:
    """The files below a folder but for the marker, sorted."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != MARKER)


def test_the_next_demo_removes_what_the_last_one_wrote(tmp_path: Path) -> None:
    """Its own files and the folders they leave empty go; what somebody put beside them stays."""
    first = OutFolder(tmp_path / "out")
    first.write("a/b/x.png", b"1")
    first.write("line\nbreak \\n.png", b"2")
    (tmp_path / "out" / "a" / "mine.txt").write_text("keep")
    second = OutFolder(tmp_path / "out")
    assert names(second.path) == ["a/mine.txt"]
    assert not (second.path / "a" / "b").exists()


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    """Files without a demo's list are somebody else's; a file is no folder."""
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(Foreign):
        OutFolder(tmp_path)
    assert names(tmp_path) == ["note.txt"]
    with pytest.raises(Foreign):
        OutFolder(tmp_path / "note.txt")


def test_another_demos_folder_inside_is_no_stranger(tmp_path: Path) -> None:
    """A demo in out/ runs where an earlier one wrote to out/trouble, and leaves it alone."""
    OutFolder(tmp_path / "out" / "trouble").write("a.png", b"x")
    OutFolder(tmp_path / "out")
    assert (tmp_path / "out" / "trouble" / "a.png").exists()


def test_a_list_that_points_outside_removes_nothing_there(tmp_path: Path) -> None:
    """A marker that was tampered with, or a link, leads to no file outside of the folder."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.txt").write_text("mine")
    out = OutFolder(tmp_path / "out")
    (out.path / "link").symlink_to(tmp_path / "outside")
    marker = out.path / MARKER
    marker.write_text(marker.read_text() + '"../outside/a.txt"\n"link/a.txt"\n')
    OutFolder(tmp_path / "out")
    assert (tmp_path / "outside" / "a.txt").exists()


@given(key=st.text(min_size=1, max_size=400))
def test_every_key_is_a_file_inside(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    """Whatever a key holds, its file lies in the folder and can be read back."""
    out = OutFolder(tmp_path_factory.getbasetemp() / "keys")
    if "\ud800" <= max(key) <= "\udfff":
        return  # S3 has no such keys
    path = out.write(key, b"x")
    assert path.resolve().is_relative_to(out.path.resolve())
    assert path.read_bytes() == b"x"


def test_long_names_stay_apart(tmp_path: Path) -> None:
    """Names longer than a file system takes are cut, and still differ."""
    out = OutFolder(tmp_path / "out")
    paths = {out.write("ä" * 300 + end, b"x") for end in ("1.png", "2.png")}
    assert len(paths) == 2
    assert all(path.suffix == ".png" for path in paths)
