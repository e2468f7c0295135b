"""The commands that run the stack, as processes: a demo of one's own files, and a stack that stays."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from PIL import Image, ImageDraw

from backdrop_cli.sandbox_process import NotRunning, sandbox_process

SECONDS = 90.0
HOSTILE = {"AWS_PROFILE": "nobody", "HTTP_PROXY": "http://127.0.0.1:9"}  # of the user's; must lead nowhere
TWO = """
jobs:
  - {model: bria/background/remove, label: cutout}
  - model: backgroundcut/remove-bg
    input: {output_variants: [{format: jpeg, background_color: "#ffffff"}, {format: png}]}
"""


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
        env={**os.environ, **HOSTILE},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def test_a_demo_of_a_bad_spec(tmp_path: Path) -> None:
    """The reason, its place and what to do are on the screen and in an error file; status 1."""
    done = demo(tmp_path, "a.png", "a.yaml", text="model: bria/background/remove\ninput: {sync_mod: true}\n")
    assert done.returncode == 1
    assert "line 2" in done.stdout
    assert "sync_mode" in done.stdout
    error = json.loads((tmp_path / "out" / "drop" / "a.png.error.json").read_text())
    assert error["state"] == "rejected"
    assert "Traceback" not in done.stdout + done.stderr


class Running:
    """`backdrop` as a process that stays; its lines are read as they come."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        """Start it in `folder`; its temporary files go there too."""
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "backdrop_cli", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(folder), **HOSTILE},
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


def test_a_demo_of_ones_own_files(tmp_path: Path) -> None:
    """Two jobs with trouble: results and records lie in out/; kept until Ctrl-C, the last line is the sheet's path."""
    name = "rot + 100% 靴.png"
    (tmp_path / name).write_bytes(photo())
    (tmp_path / "any.yaml").write_text(TWO)
    made = Running(tmp_path, "demo", "--image", name, "--spec", "any.yaml", "--trouble", "--keep")
    try:
        made.wait_for("Ctrl-C")
    finally:
        status = made.end(signal.SIGINT)
    assert status == 0, made.text
    last = made.text.splitlines()[-1]
    assert last == str(Path("out") / "contact-sheet.jpg")
    assert "2 for 2 jobs, one for each job" in made.text
    assert re.search(r"trouble that happened: .*rate_limited 2", made.text)
    drop = Path("out") / "drop"
    for path, form in (
        (drop / f"{name}.cutout.png", "PNG"),
        (drop / f"{name}.remove-bg.1.jpg", "JPEG"),
        (drop / f"{name}.remove-bg.2.png", "PNG"),
        (last, "JPEG"),
    ):
        with Image.open(tmp_path / path) as image:
            assert image.format == form
    record = json.loads((tmp_path / drop / f"{name}.cutout.png.json").read_text())
    assert record["model"] == "bria/background/remove"
    assert "Traceback" not in made.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_stays_until_it_is_ended(tmp_path: Path, number: int) -> None:
    """It tells how to drop files, tells of each job, and ends cleanly: no process and no file is left."""
    up = Running(tmp_path, "up", "--port", "0")
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
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", urlsplit(page).port or 0)) != 0


def test_a_sandbox_that_does_not_start_is_told(tmp_path: Path) -> None:
    """When the sandbox ends before it answers, the message names its status and where its output is."""
    log = tmp_path / "sandbox.log"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with sandbox_process(image_origin="http://127.0.0.1:9", log=log, port=port) as sandbox:
            sandbox.process.wait(SECONDS)
            taken.close()
            with pytest.raises(NotRunning, match=r"ended with status 2.*sandbox\.log"):
                sandbox.wait()
