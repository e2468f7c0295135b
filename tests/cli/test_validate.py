"""`backdrop validate`: what would run and what it costs, or everything that is wrong."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from typer.testing import CliRunner

from backdrop_cli.main import app

if TYPE_CHECKING:
    from pathlib import Path

TWO = """
jobs:
  - {model: bria/background/remove, label: cutout}
  - model: backgroundcut/remove-bg
    input: {output_variants: [{format: jpeg, background_color: "#ffffff"}, {format: png}]}
"""


def validate(*paths: Path) -> tuple[int, str]:
    """Exit status and output of `backdrop validate`."""
    result = CliRunner().invoke(app, ["validate", *map(str, paths)])
    return result.exit_code, result.output


def picture(path: Path, form: str = "JPEG", mode: str = "RGB") -> Path:
    """A small picture at `path`."""
    data = io.BytesIO()
    Image.new(mode, (64, 48)).save(data, form)
    path.write_bytes(data.getvalue())
    return path


def written(path: Path, text: str) -> Path:
    """A file with that text at `path`."""
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_spec_tells_what_would_run(tmp_path: Path) -> None:
    """Each job with its model, price and the keys of its results; the sum; the photo's size."""
    image = picture(tmp_path / "rot + 100%.jpg")
    status, output = validate(written(tmp_path / "rot + 100%.jpg.yaml", TWO), image)
    assert status == 0
    assert "2 jobs for rot + 100%.jpg" in output
    assert "64 x 48 pixels" in output
    assert "$0.018 per request" in output
    assert "no price in dollars is published" in output
    assert "rot + 100%.jpg.cutout.png" in output
    assert "rot + 100%.jpg.remove-bg.1.jpg" in output
    assert "rot + 100%.jpg.remove-bg.2.png" in output
    assert "in all: $0.018, and 1 whose price is not published in dollars" in output


def test_without_a_photo_the_name_tells_which_it_is_for(tmp_path: Path) -> None:
    """A sidecar's own photo is assumed; another name is told how to become one."""
    status, output = validate(written(tmp_path / "shoe.png.yaml", "model: bria/background/remove\n"))
    assert (status, "for shoe.png" in output, "To use it" in output) == (0, True, False)
    status, output = validate(written(tmp_path / "any.yaml", "model: bria/background/remove\n"))
    assert (status, "upload it as photo.jpg.yaml" in output) == (0, True)


def test_a_reference_is_named_with_its_key(tmp_path: Path) -> None:
    """What else must lie in the bucket is told."""
    text = "model: runflow/background-replace\ninput: {reference: ../_scene.jpg}\n"
    status, output = validate(written(tmp_path / "a.yaml", text))
    assert (status, "needs   ../_scene.jpg" in output) == (0, True)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.jpg.yaml", "model: bria/background/remove\ninput: {sync_mod: true}\n", ["line 2", "sync_mod", "sync_mode"]),
        ("a.jpg.yaml", "model: runflow/background-color\ninput: {color_red: 256}\n", ["color_red", "color_green"]),
        ("a.jpg.json", '{"model": "bria/background/remov"}', ["bria/background/remove"]),
        ("a.jpg.yaml", "model: [\n", ["line"]),
        ("a.jpg.txt", "model: bria/background/remove\n", [".yaml"]),
        ("a.jpg.yaml", "", ["a.jpg.yaml"]),
    ],
)
def test_a_bad_spec_tells_every_problem(tmp_path: Path, name: str, text: str, told: list[str]) -> None:
    """Line, field, what is allowed and what to do; status 1 and no stack trace."""
    status, output = validate(written(tmp_path / name, text))
    assert status == 1
    assert "refused" in output
    assert "->" in output
    assert [word for word in told if word not in output] == []
    assert "Traceback" not in output


def test_a_photo_that_the_provider_would_refuse(tmp_path: Path) -> None:
    """What would be refused after paying is refused before: the wrong colours, no picture at all, an empty file."""
    spec = written(tmp_path / "a.yaml", "model: bria/background/remove\n")
    status, output = validate(spec, picture(tmp_path / "print.jpg", mode="CMYK"))
    assert (status, "CMYK" in output) == (1, True)
    assert validate(spec, written(tmp_path / "no.jpg", "no picture"))[0] == 1
    assert validate(spec, written(tmp_path / "empty.jpg", ""))[0] == 1


def test_missing_files_are_told_with_the_nearest_name(tmp_path: Path) -> None:
    """A mistyped path is answered with the file that was probably meant, status 2."""
    written(tmp_path / "shoe.yaml", "model: bria/background/remove\n")
    status, output = validate(tmp_path / "shoe.ymal")
    assert status == 2
    assert f"did you mean {tmp_path / 'shoe.yaml'}?" in output.replace("\n", "")
    status, output = validate(tmp_path / "shoe.yaml", tmp_path / "nowhere" / "x.jpg")
    assert (status, "cannot read the image" in output) == (2, True)
    status, output = validate(tmp_path)
    assert (status, "cannot read the spec" in output) == (2, True)


def test_the_wrong_way_round_is_noticed(tmp_path: Path) -> None:
    """Photo and spec in each other's place are told so."""
    status, output = validate(
        picture(tmp_path / "a.jpg"), written(tmp_path / "a.yaml", "model: bria/background/remove\n")
    )
    assert (status, "other way round" in output) == (2, True)


def test_nothing_reaches_the_terminal_that_it_would_act_on(tmp_path: Path) -> None:
    """Control characters of a spec's text are written out."""
    _, output = validate(written(tmp_path / "a.yaml", 'model: "\\e[31mred"\n'))
    assert "\x1b" not in output
