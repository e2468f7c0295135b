"""What the providers' tests share: a provider of raw bytes, the sandbox, and a photo in every shape."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageDraw
from wire import Wire, raw, wired

from backdrop.providers import registry
from backdrop.providers.base import Archive, Posted, Request
from backdrop_cli.sandbox import server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backdrop.providers.base import Provider
    from backdrop_cli.sandbox.server import Sandbox

KEYS = {"runflow": "rf_live_sandbox", "backgroundcut": "bc_sandbox", "imagepipeline": "ip_live_sandbox"}
SECRET = "whsec_sandbox"
REFERENCE = "0123456789abcdef0123456789abcdef-1"
CALLBACK = "https://hooks.example.test/callbacks/runflow/0123/1/k1.token"
COLOUR = {"color_red": 10, "color_green": 200, "color_blue": 30}
VARIANT = {
    "format": "png",
    "max_resolution": 12_000_000,
    "quality": "medium",
    "background_color": None,
    "output_compression": 85,
    "autocrop": False,
}
INPUTS: dict[str, dict[str, Any]] = {
    "runflow/background-color": COLOUR,
    "runflow/background-replace": {"reference": "_scene.png", "prompt": "a pale oak shelf"},
    "bria/background/remove": {"sync_mode": False},
    "backgroundcut/remove-bg": {"output_variants": [VARIANT]},
    "imagepipeline/background-change": {
        "prompt": "on grey slate",
        "use_segmentation": True,
        "subject_description": None,
        "tone_correction": None,
        "has_text": None,
        "seed": -1,
        "output_format": "webp",
        "palette": None,
        "num_inference_steps": 8,
        "true_cfg_scale": 4.0,
        "faster_inference": True,
        "harmonize_strength": None,
    },
    "imagepipeline/background-remove": {
        "recolor": None,
        "drop_shadow": False,
        "shadow_opacity": 0.38,
        "shadow_blur": 0.018,
        "shadow_dy": 0.022,
        "shadow_dx": 0.004,
        "output_format": "webp",
    },
}


@dataclass
class Photo:
    """A photo and a reference on a shelf that serves them, as `providers.base.Source` wants it."""

    shelf: str
    data: bytes
    digest: str = "d1ce" * 8
    filename: str = "image.png"
    content_type: str = "image/png"
    memory: dict[str, str] = field(default_factory=dict)
    kept_for: list[int] = field(default_factory=list)

    def url(self) -> str:
        """The photo's URL, with a query that must not be told."""
        return f"{self.shelf}/photo.png?X-Amz-Signature=5ec3e75e"

    def archive(self) -> Archive:
        """The zip's URL."""
        return Archive(f"{self.shelf}/inputs.zip?X-Amz-Signature=5ec3e75e", "image.png", "reference.png")

    def read(self) -> bytes:
        """The photo's bytes."""
        return self.data

    def recall(self, name: str) -> str:
        """What `remember` kept."""
        return self.memory.get(name, "")

    def remember(self, name: str, value: str, seconds: int) -> None:
        """Keep it."""
        self.memory[name] = value
        self.kept_for.append(seconds)


def picture() -> bytes:
    """A small photo: a dark disc on white."""
    image = Image.new("RGB", (96, 80), "white")
    ImageDraw.Draw(image).ellipse((28, 20, 68, 60), fill=(120, 40, 30))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def zipped(data: bytes) -> bytes:
    """The photo twice: as itself and as the reference."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        bundle.writestr("image.png", data)
        bundle.writestr("reference.png", data)
    return out.getvalue()


@pytest.fixture(scope="session")
def line() -> Iterator[Wire]:
    """A provider of raw bytes, for tests that ask it more than once."""
    with wired() as wire:
        yield wire


@pytest.fixture
def wire(line: Wire) -> Wire:
    """A provider of raw bytes that has been asked nothing yet."""
    line.asked.clear()
    line.always(raw(500))
    return line


@pytest.fixture(scope="session")
def shelf() -> Iterator[Wire]:
    """Where the photo lies."""
    data = picture()
    with wired() as wire:
        wire.by_path(photo=raw(200, data), inputs=raw(200, zipped(data)))
        yield wire


@pytest.fixture
def photo(shelf: Wire) -> Photo:
    """The photo."""
    return Photo(shelf.url, picture())


@pytest.fixture(scope="session")
def _sandbox(shelf: Wire) -> Iterator[Sandbox]:
    with server.running(image_origins=[shelf.url]) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_sandbox: Sandbox) -> Sandbox:
    """The sandbox, with nothing seen and no trouble."""
    _sandbox.reset()
    return _sandbox


def provider_of(model: str) -> str:
    """The provider that runs a model."""
    name = model.partition("/")[0]
    return "runflow" if name == "bria" else name


def client(name: str, base_url: str, *, key: str = "", flat_input: str = "zip") -> Provider:
    """A provider's client with the sandbox's key."""
    return registry.make(
        name, base_url=base_url, key=key or KEYS[name], callback_secrets=(SECRET,), flat_input=flat_input
    )


def request_for(model: str, source: Photo, *, form: str = "", **fields: Any) -> Request:
    """A request with every default filled in but for `fields`."""
    return Request(
        model=model,
        form=form,
        input={**INPUTS[model], **fields},
        source=source,
        callback_url=CALLBACK,
        metadata={"sku": "A-17"},
        reference=REFERENCE,
    )


def posted_for(model: str, *, run_id: str = "", form: str = "", posted_at: float = 0.0, **fields: Any) -> Posted:
    """What is known of that request afterwards."""
    return Posted(model, form, {**INPUTS[model], **fields}, REFERENCE, run_id, posted_at)
