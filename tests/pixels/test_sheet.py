"""The contact sheet's size, formats and what it does with pictures it cannot read."""

from pathlib import Path

import pytest
from PIL import Image

from backdrop_cli.pixels import looks
from backdrop_cli.sheet import SheetRow, contact_sheet


@pytest.mark.parametrize(("count", "ending"), [(0, "png"), (1, "jpg"), (5, "png"), (12, "jpg")])
def test_a_sheet_has_room_for_every_row(small_photo: bytes, tmp_path: Path, count: int, ending: str) -> None:
    """A page 2000 pixels wide is written in the format of its name, taller with more rows."""
    after = looks.bria_remove(small_photo).data
    rows = [SheetRow(f"model {number}", "0.4 s", small_photo, (after,) * (number % 5)) for number in range(count)]
    path = tmp_path / f"sheet.{ending}"
    contact_sheet(rows, path, title="Before and after")
    with Image.open(path) as page:
        assert page.format == {"png": "PNG", "jpg": "JPEG"}[ending]
        assert page.width == 2000
        assert page.height > 100 + 200 * (count > 1)


def test_a_sheet_survives_what_it_cannot_show(small_photo: bytes, tmp_path: Path) -> None:
    """Missing files, broken bytes and endless titles still give a page."""
    photo = tmp_path / "photo.png"
    photo.write_bytes(small_photo)
    rows = [SheetRow("x" * 400, "y" * 400, photo, [tmp_path / "none.png"]), SheetRow("", "", b"broken", [b""])]
    contact_sheet(rows, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
