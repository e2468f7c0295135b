"""The three Runflow models: their input schemas, prices and output shapes, and what becomes of their inputs.

Chosen where the pages are silent: unknown input fields are refused (422 `extra_forbidden`), so that a client's slip
shows; a URL that no fetch could serve is refused at creation, one that fails when fetched fails the run; names in a zip
match exactly, a missing one fails the run (`INPUT_INVALID`); inline data URIs are taken by the template-backed models
and refused with 422 by `bria/background/remove` (runflow.md section 2.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from backdrop_cli.sandbox.bodies import check, runflow_invalid
from backdrop_cli.sandbox.images import Fetcher, Unfetched, is_zip, read_member, takes
from backdrop_cli.sandbox.work import Picture

COLOR = "runflow/background-color"
REPLACE = "runflow/background-replace"
BRIA = "bria/background/remove"

_URL = 2_000_000


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ColorInput(_Input):
    """background-color on the `/runs` route (runflow.md section 3)."""

    image_url: str = Field(min_length=1, max_length=_URL)
    color_red: int = Field(ge=0, le=255)
    color_green: int = Field(ge=0, le=255)
    color_blue: int = Field(ge=0, le=255)


class FlatColorInput(ColorInput):
    """background-color on the flat route: `file_input` names the photo inside a zip (seed 000)."""

    model_config = ConfigDict(extra="ignore", strict=True)

    file_input: str | None = Field(default=None, min_length=1, max_length=1024)


class ReplaceInput(_Input):
    """background-replace (seed 001)."""

    zip_url: str = Field(min_length=1, max_length=_URL)
    file_image: str = Field(min_length=1, max_length=1024)
    file_reference: str = Field(min_length=1, max_length=1024)
    prompt: str = Field(default="", max_length=10_000)


class BriaInput(_Input):
    """bria/background/remove (seed 004)."""

    image_url: str = Field(min_length=1, max_length=_URL)
    sync_mode: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A model the sandbox runs. Only template-backed ones take batches (runflow.md section 5)."""

    id: str
    uuid: str
    schema: type[_Input]
    template_backed: bool


MODELS: Mapping[str, Known] = {
    one.id: one
    for one in (
        Known(COLOR, "0190c2a0-0000-7000-8000-000000000001", ColorInput, template_backed=True),
        Known(REPLACE, "0190c2a0-0000-7000-8000-000000000002", ReplaceInput, template_backed=True),
        Known(BRIA, "0190c2a0-0000-7000-8000-000000000003", BriaInput, template_backed=False),
    )
}


def check_input(model: Known, given: Any, fetcher: Fetcher) -> dict[str, Any]:
    """The input of a run as it was sent, once it satisfies the model's schema.

    Raises:
        Refusal: 422 with `errors[]`.
    """
    parsed = check(model.schema, given, lambda found: runflow_invalid(_under_input(found)))
    check_url(parsed, fetcher, inline=model.template_backed, prefix=("input",))
    return dict(given)


def check_url(parsed: BaseModel, fetcher: Fetcher, *, inline: bool, prefix: tuple[str, ...]) -> None:
    """Refuse (422) a file URL that could never be fetched."""
    name = "zip_url" if isinstance(parsed, ReplaceInput) else "image_url"
    url: str = getattr(parsed, name)
    if url.startswith("runflow://assets/") or takes(url, fetcher.origins):
        return
    if url.startswith("data:") and inline:
        return
    raise runflow_invalid([{"loc": [*prefix, name], "msg": "An HTTPS URL is required", "type": "url_scheme"}])


def _under_input(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "loc": ["input", *one["loc"]]} for one in found]


async def fetch_inputs(fetcher: Fetcher, model: str, given: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """The photo and the reference (empty for models without one).

    Raises:
        Unfetched: one of them cannot be had.
    """
    if model == REPLACE:
        archive = await fetcher.fetch(given["zip_url"])
        return read_member(archive, given["file_image"]), read_member(archive, given["file_reference"])
    data = await fetcher.fetch(given["image_url"])
    if is_zip(data):
        name = given.get("file_input")
        if not name:
            raise Unfetched("image_url is a zip and no file_input names the photo in it", invalid=True)
        return read_member(data, name), b""
    return data, b""


def output_of(model: str, urls: list[str], pictures: tuple[Picture, ...], inference_ms: int) -> dict[str, Any]:
    """A run's output in the shape of its model's page."""
    if model != BRIA:
        return {"image_urls": urls}
    entries = [
        {"url": url, "type": "image", "width": picture.width, "height": picture.height, "duration": None}
        for url, picture in zip(urls, pictures, strict=True)
    ]
    return {"outputs": entries, "nsfw_detected": None, "seed": None, "timing": {"inference_ms": inference_ms}}
