"""What a demo of the user's own files drops."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backdrop import keys
from backdrop_cli import plans
from backdrop_cli.paths import BadFile

SPEC = b"model: bria/background/remove\n"


def files(folder: Path, image: str = "a.jpg", spec: str = "a.yaml", text: bytes = SPEC) -> tuple[Path, Path]:
    """A photo and a spec in `folder`."""
    (folder / image).write_bytes(b"photo")
    (folder / spec).write_bytes(text)
    return folder / image, folder / spec


@pytest.mark.parametrize("name", ["rot + 100%.jpg", "Schuh grün.PNG", "靴 #1?.webp", "a b&c=d.jpeg", "-rf.gif"])
@pytest.mark.parametrize("ending", [".yaml", ".YML", ".json"])
def test_the_key_is_the_files_name(tmp_path: Path, name: str, ending: str) -> None:
    """Whatever the name holds, photo and sidecar are keys that the library pairs."""
    text = b'{"model": "bria/background/remove"}' if ending == ".json" else SPEC
    (entry,) = plans.own(*files(tmp_path, name, f"spec{ending}", text))
    photo, sidecar = entry.steps
    assert photo.key == entry.drop.key == f"drop/{name}"
    assert keys.image_of(sidecar.key) == photo.key
    assert (photo.data(), sidecar.data(), entry.photo()) == (b"photo", text, b"photo")
    assert entry.drop.wanted == (("remove", "bria/background/remove"),)


def test_a_reference_beside_the_photo_comes_first(tmp_path: Path) -> None:
    """The reference picture that the spec names is dropped too, under the key that the library will look for."""
    text = b"model: runflow/background-replace\ninput: {reference: ../rooms/_white.jpg}\n"
    (tmp_path / "photos").mkdir()
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms" / "_white.jpg").write_bytes(b"room")
    (entry,) = plans.own(*files(tmp_path / "photos", text=text))
    assert [step.key for step in entry.steps] == ["rooms/_white.jpg", "drop/a.jpg", "drop/a.jpg.yaml"]
    assert entry.steps[0].data() == b"room"


@pytest.mark.parametrize("reference", ["_missing.jpg", "../../../_out.jpg"])
def test_a_missing_reference_is_left_to_the_stack(tmp_path: Path, reference: str) -> None:
    """A reference that is not there, or leads out of the bucket, stops nothing here."""
    text = f"model: runflow/background-replace\ninput: {{reference: {reference}}}\n".encode()
    (entry,) = plans.own(*files(tmp_path, text=text))
    assert len(entry.steps) == 2


def test_a_bad_spec_is_dropped_all_the_same(tmp_path: Path) -> None:
    """The stack is to refuse it, with an error file: what would run is not known."""
    (entry,) = plans.own(*files(tmp_path, text=b"model: nope\n"))
    assert (entry.drop.wanted, len(entry.steps)) == ((), 2)


@pytest.mark.parametrize(
    ("image", "spec", "told"),
    [
        ("_a.jpg", "a.yaml", "begins with _"),
        ("a.jpg", "a.txt", ".yaml"),
        ("a.yaml", "a.jpg", "other way round"),
    ],
)
def test_names_that_can_be_no_drop_are_refused(tmp_path: Path, image: str, spec: str, told: str) -> None:
    """A support file's name, a spec of another ending, and the two in each other's place."""
    with pytest.raises(BadFile, match=told):
        plans.own(*files(tmp_path, image, spec))


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A file name that is not UTF-8 can be no key, and its message can be printed."""
    image = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))
    image.write_bytes(b"x")
    with pytest.raises(BadFile) as caught:
        plans.own(image, files(tmp_path)[1])
    str(caught.value).encode()


@given(text=st.text(min_size=1, max_size=60))
def test_any_path_is_read_or_refused(text: str) -> None:
    """Whatever is given as a path, the answer is a BadFile whose message fits a terminal."""
    with pytest.raises(BadFile) as caught:
        plans.own(Path("/nonexistent") / text, Path("/nonexistent/a.yaml"))
    assert str(caught.value).isprintable()
