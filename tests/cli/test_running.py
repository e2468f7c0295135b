"""The commands that run the stack, as processes: a demo of one's own files, and a stack that stays."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 90.0


def photo() -> bytes:
    """A photo with a subject in its middle."""
    image = Image.new("RGB", (320, 240), (240, 240, 240))
    ImageDraw.Draw(image).ellipse((110, 60, 210, 200), fill=(150, 40, 60))
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def demo(folder: Path, image: str, spec: str, *arguments: str, text: str) -> subprocess.CompletedProcess[str]:
    """`backdrop demo` with a photo and a spec of those names, run in `folder`."""
    (folder / image).write_bytes(photo())
    (folder / spec).write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "backdrop_cli", "demo", "--image", image, "--spec", spec, *arguments],
        cwd=folder,
        env={**os.environ, "AWS_PROFILE": "nobody", "HTTP_PROXY": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def test_a_demo_of_ones_own_files(tmp_path: Path) -> None:
    """Two jobs with trouble on: every result and record lies in out/, the last line is the contact sheet's path."""
    text = """
jobs:
  - {model: bria/background/remove, label: cutout}
  - model: backgroundcut/remove-bg
    input: {output_variants: [{format: jpeg, background_color: "#ffffff"}, {format: png}]}
"""
    name = "rot + 100% 靴.png"
    done = demo(tmp_path, name, "any.yaml", "--trouble", text=text)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == str(Path("out") / "contact-sheet.jpg")
    assert "2 for 2 jobs, one for each job" in done.stdout
    for path, form in ((f"{name}.cutout.png", "PNG"), (f"{name}.remove-bg.1.jpg", "JPEG"), (lines[-1], "JPEG")):
        place = tmp_path / path if path == lines[-1] else tmp_path / "out" / "drop" / path
        with Image.open(place) as image:
            assert image.format == form
    record = json.loads((tmp_path / "out" / "drop" / f"{name}.cutout.png.json").read_text())
    assert record["model"] == "bria/background/remove"
    assert "Traceback" not in done.stdout + done.stderr


def test_a_demo_of_a_bad_spec(tmp_path: Path) -> None:
    """The reason, its place and what to do are on the screen and in an error file; status 1."""
    done = demo(tmp_path, "a.png", "a.yaml", text="model: bria/background/remove\ninput: {sync_mod: true}\n")
    assert done.returncode == 1
    assert "line 2" in done.stdout
    assert "sync_mode" in done.stdout
    error = json.loads((tmp_path / "out" / "drop" / "a.png.error.json").read_text())
    assert error["state"] == "rejected"
    assert "Traceback" not in done.stdout + done.stderr


class Up:
    """`backdrop up` as a process; its lines are read as they come."""

    def __init__(self, folder: Path) -> None:
        """Start it; logs go below `folder`."""
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "backdrop_cli", "up", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        self.text = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.text += line

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match of the pattern in what it has printed."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = re.search(pattern, self.text)
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(self.text)

    def end(self, number: int) -> int:
        """Send a signal; the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(30)
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_stays_until_it_is_ended(tmp_path: Path, number: int) -> None:
    """It tells how to drop files, tells of each job, and ends cleanly: no process and no file is left."""
    up = Up(tmp_path)
    try:
        endpoint = up.wait_for(r"AWS_ENDPOINT_URL=(\S+)")[1]
        page = up.wait_for(r"before and after: (\S+)")[1]
        bucket = up.wait_for(r"aws s3 cp photo.jpg s3://([^/]+)/")[1]
        up.wait_for("Ctrl-C")
        client: Any = boto3.client("s3", endpoint_url=endpoint)
        client.put_object(Bucket=bucket, Key="a.png", Body=photo())
        client.put_object(Bucket=bucket, Key="a.png.yaml", Body=b"model: bria/background/remove\n")
        client.put_object(Bucket=bucket, Key="b.txt", Body=b"?")
        client.close()
        up.wait_for(r"succeeded +a\.png +bria/background/remove.*a\.png\.remove\.png")
        up.wait_for(r"refused +b\.txt\.error\.json\n +\S+")
    finally:
        status = up.end(number)
    assert status == 0
    assert "Traceback" not in up.text
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="refused"):
        __import__("urllib.request").request.urlopen(page, timeout=2)
