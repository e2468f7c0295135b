"""A sandbox, a small web server that serves photos and takes callbacks, and the calls that most tests make."""

import io
import ssl
import threading
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from backdrop_cli.sandbox.server import Sandbox, running

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # plain http only: reading the trusted roots takes its time
RUNFLOW = {"authorization": "Bearer rf_live_sandbox"}
BACKGROUNDCUT = {"authorization": "Token bc_sandbox"}
IMAGEPIPELINE = {"x-api-key": "ip_live_sandbox"}


def draw_photo(form: str = "PNG", colour: tuple[int, int, int] = (180, 40, 30)) -> bytes:
    """A red block on near white, 160 x 120."""
    pixels = np.full((120, 160, 3), 246, np.uint8)
    pixels[30:100, 50:110] = colour
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, form)
    return made.getvalue()


def draw_archive(**members: bytes) -> bytes:
    """A zip; `__` in a name stands for the dot."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return made.getvalue()


def draw_bomb() -> bytes:
    """A small zip whose one member, a.png, unpacks to more than 60 MB."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.png", "w") as member:
        for _ in range(61):
            member.write(bytes(1_000_000))
    return made.getvalue()


@dataclass
class Call:
    """One callback as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Ground:
    """The web around the sandbox: files to fetch, and a receiver of callbacks whose answers can be scripted."""

    origin: str
    files: dict[str, bytes] = field(repr=False)
    calls: list[Call] = field(default_factory=list)
    answers: deque[int] = field(default_factory=deque)

    def wait(self, count: int = 1, seconds: float = 8.0) -> list[Call]:
        """The callbacks, once there are `count` of them; fails after `seconds`."""
        until = time.monotonic() + seconds
        while len(self.calls) < count:
            assert time.monotonic() < until, f"{len(self.calls)} of {count} callbacks came"
            time.sleep(0.01)
        return self.calls


@pytest.fixture(scope="session")
def _web() -> Iterator[Ground]:
    ground = Ground(
        "",
        {
            "/photo.png": draw_photo(),
            "/photo.jpg": draw_photo("JPEG"),
            "/text.txt": b"this is no picture",
            "/inputs.zip": draw_archive(image__png=draw_photo(), reference__png=draw_photo(colour=(20, 90, 160))),
            "/broken.zip": b"PK\x03\x04 and then nothing that makes sense",
        },
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = ground.files.get(self.path.partition("?")[0])
            moved = self.path.startswith("/moved/")
            self.send_response(302 if moved else 200 if data else 404)
            if moved:
                self.send_header("location", self.path.removeprefix("/moved"))
            self.end_headers()
            self.wfile.write(data or b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            ground.calls.append(Call(self.path, headers, body, time.monotonic()))
            self.send_response(ground.answers.popleft() if ground.answers else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    ground.origin = f"http://127.0.0.1:{server.server_port}"
    yield ground
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def _sandbox(_web: Ground) -> Iterator[Sandbox]:
    with running(image_origins=[_web.origin], callback_backoff=(0.03, 0.06)) as sandbox:
        yield sandbox


@dataclass
class Desk:
    """A client's desk: the sandbox, the web around it, and the usual calls."""

    sandbox: Sandbox
    ground: Ground
    http: httpx.Client

    @property
    def photo(self) -> str:
        """A presigned-looking URL of a photo."""
        return f"{self.ground.origin}/photo.png?X-Amz-Signature=secret"

    @property
    def hook(self) -> str:
        """A callback URL with a token at its end."""
        return f"{self.ground.origin}/callbacks/any/job/1/tokentokentoken"

    def color_input(self, **changes: Any) -> dict[str, Any]:
        """A good input of background-color."""
        return {"image_url": self.photo, "color_red": 10, "color_green": 200, "color_blue": 30, **changes}

    def create(self, model: str = "runflow/background-color", given: Any = None, **body: Any) -> httpx.Response:
        """POST a run."""
        sent = {"input": self.color_input() if given is None else given, **body}
        return self.http.post(f"/v1/models/{model}/runs", headers=RUNFLOW, json=sent)

    def run(self, run_id: str) -> dict[str, Any]:
        """Read a run's record."""
        told: dict[str, Any] = self.http.get(f"/v1/runs/{run_id}", headers=RUNFLOW).json()
        return told

    def ended(self, run_id: str) -> dict[str, Any]:
        """The record of a run, once it is terminal."""
        return wait_for(lambda: self.run(run_id), lambda told: told["completed_at"] is not None)

    def post_job(self, operation: str = "remove", **fields: Any) -> httpx.Response:
        """POST an ImagePipeline job."""
        sent = {"input_image": self.photo, **({"prompt": "a beach"} if operation == "change" else {}), **fields}
        return self.http.post(f"/background/{operation}/image/v1", headers=IMAGEPIPELINE, json=sent)

    def job(self, job_id: str, operation: str = "remove") -> dict[str, Any]:
        """Read a job's status."""
        path = f"/background/{operation}/image/v1/status/{job_id}"
        told: dict[str, Any] = self.http.get(path, headers=IMAGEPIPELINE).json()
        return told

    def job_ended(self, job_id: str, operation: str = "remove") -> dict[str, Any]:
        """A job's status, once it is terminal."""
        return wait_for(
            lambda: self.job(job_id, operation), lambda told: told["status"] in {"completed", "failed", "cancelled"}
        )

    def upload(self, key: str = "in/photo.png", data: bytes | None = None) -> httpx.Response:
        """Upload to BackgroundCut."""
        files = {"file": ("photo.png", draw_photo() if data is None else data, "image/png")}
        return self.http.post("/v3/file-ops/upload/", headers=BACKGROUNDCUT, files=files, data={"key": key})

    def process(self, *variants: dict[str, Any], key: str = "in/photo.png") -> httpx.Response:
        """Process at BackgroundCut."""
        sent = {"input_key": key, "output_variants": list(variants) or [{"output_key": "out/cut.png"}]}
        return self.http.post("/v3/tools/ai/remove-bg/process/", headers=BACKGROUNDCUT, json=sent)

    def public_url(self, key: str) -> httpx.Response:
        """Ask BackgroundCut for a URL."""
        return self.http.post("/v3/file-ops/get-public-url/", headers=BACKGROUNDCUT, json={"key": key})


def wait_for(
    ask: Callable[[], dict[str, Any]], good: Callable[[dict[str, Any]], bool], seconds: float = 10.0
) -> dict[str, Any]:
    """Ask until the answer is good; fails after `seconds`."""
    until = time.monotonic() + seconds
    while not good(told := ask()):
        assert time.monotonic() < until, told
        time.sleep(0.01)
    return told


@pytest.fixture
def desk(_sandbox: Sandbox, _web: Ground) -> Iterator[Desk]:
    """A desk before a sandbox that has just been reset."""
    _sandbox.reset()
    _web.calls.clear()
    _web.answers.clear()
    with httpx.Client(base_url=_sandbox.url, timeout=30, trust_env=False, verify=NO_TLS) as http:
        yield Desk(_sandbox, _web, http)


@pytest.fixture
def web(_web: Ground) -> Ground:
    """The web alone, for tests that start a sandbox of their own."""
    _web.calls.clear()
    _web.answers.clear()
    return _web
