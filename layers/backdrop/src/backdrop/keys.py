"""Every name that is derived from another: what a key is, where its spec lies, what its output and job are called.

Promises that equal inputs give equal names in every process, that names of different things differ, and that no name
exceeds what S3 takes (1024 bytes of UTF-8). Refuses nothing by itself but a reference that leaves the bucket; no I/O.
"""

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any

from backdrop.errors import Problem, Rejected

EXTENSIONS: Mapping[str, str] = {"png": "png", "jpeg": "jpg", "webp": "webp", "gif": "gif"}
PHOTO_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".gif")
# Pictures that no provider takes: they count as images, so that reading them gives the reason.
FOREIGN_EXTENSIONS = (".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp", ".psd", ".svg")
SPEC_EXTENSIONS = (".json", ".yaml", ".yml")  # in the order of asking: what programs write comes first
DEFAULT_STEM = "_backdrop"
MAX_KEY_BYTES = 1024  # docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
DUE_SHARDS = 8

_IMAGE_EXTENSIONS = frozenset(PHOTO_EXTENSIONS + FOREIGN_EXTENSIONS)
_PLACEHOLDER = re.compile(r"\{(folder|name|label|ext)\}")
_FOLDER_SEGMENT = re.compile(r"(?:^|(?<=/))\{folder\}/")


class Kind(StrEnum):
    """What a key of the input bucket is."""

    IMAGE = "image"
    SIDECAR = "sidecar"
    DEFAULT = "default"
    SUPPORT = "support"  # references and folder markers: never a job
    OTHER = "other"  # nothing Backdrop knows: see `probable_intent`


def classify(key: str) -> Kind:
    """What `key` is, by its name alone; extensions count in any case."""
    *folders, name = key.split("/")
    if not name or any(folder.startswith("_") for folder in folders):
        return Kind.SUPPORT
    stem, extension = _split(name)
    if name.startswith("_"):
        return Kind.DEFAULT if stem == DEFAULT_STEM and extension in SPEC_EXTENSIONS else Kind.SUPPORT
    if extension in _IMAGE_EXTENSIONS:
        return Kind.IMAGE
    if extension in SPEC_EXTENSIONS and _split(stem)[1] in _IMAGE_EXTENSIONS:
        return Kind.SIDECAR
    return Kind.OTHER


def image_of(sidecar_key: str) -> str:
    """The image that a sidecar belongs to: its key without the last extension.

    Raises:
        ValueError: the key is not a sidecar's.
    """
    if classify(sidecar_key) is not Kind.SIDECAR:
        raise ValueError("not the key of a sidecar")
    return sidecar_key.rpartition(".")[0]


def folders_up(key: str) -> list[str]:
    """The folders that hold `key`, nearest first, without a trailing slash; "" is the root of the bucket."""
    parts = key.split("/")[:-1]
    folders = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return list(dict.fromkeys([*folders, ""]))


def reference_key(image_key: str, reference: str) -> str:
    """The key of a reference image that the spec names relative to the photo; `../` goes one folder up.

    Raises:
        Rejected: the reference climbs out of the bucket.
    """
    folders = image_key.split("/")[:-1]
    for part in reference.split("/"):
        if part != "..":
            folders.append(part)
        elif folders:
            folders.pop()
        else:
            raise Rejected(
                Problem(
                    "REFERENCE_OUTSIDE",
                    f"the reference {reference!r} leads out of the bucket",
                    "Name the reference by its key relative to the photo, for example _marble.jpg beside it.",
                    "input.reference",
                )
            )
    return "/".join(folders)


def output_key(template: str, image_key: str, label: str, ext: str, number: int | None = None) -> str:
    """The key of a result: the template with its placeholders filled in.

    `ext` is a file extension without its dot (a value of EXTENSIONS). `number`, counted from 1, is given when a job has
    several outputs and goes before the extension. An image in no folder gets no leading slash.
    """
    folder, slash, name = image_key.rpartition("/")
    if not slash:
        template = _FOLDER_SEGMENT.sub("", template)
    numbered = ext if number is None else f"{number}.{ext}"
    values = {"folder": folder, "name": name, "label": label, "ext": numbered}
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)


def record_key(output_key: str) -> str:
    """The key of the record that lies beside a result."""
    return output_key + ".json"


def error_key(image_key: str) -> str:
    """The key of the file that says what is wrong with a drop.

    A name that would exceed S3's limit is cut and gets a digest of the whole, so that it can always be written.
    """
    key = image_key + ".error.json"
    if len(key.encode()) <= MAX_KEY_BYTES:
        return key
    tail = f".{_digest(image_key)}.error.json"
    return image_key.encode()[: MAX_KEY_BYTES - len(tail)].decode(errors="ignore") + tail


def job_id(bucket: str, key: str, etag: str, normalised: Mapping[str, Any], reference_etag: str) -> str:
    """The job's name, 32 lower-case hex digits, the same for the same drop however often it is told of.

    `normalised` is JobSpec.normalised(), which holds the label. ETags count with or without their quotes: S3's events
    and its API differ in that.
    """
    return _digest([bucket, key, etag.strip('"'), dict(normalised), reference_etag.strip('"')])


def due_shard(job_id: str) -> int:
    """Which of the DUE_SHARDS parts of the `open` index a job is in, 0 to DUE_SHARDS - 1."""
    return int(job_id[:8], 16) % DUE_SHARDS


def drop_row_id(bucket: str, key: str) -> str:
    """The row of a drop that is no job (waiting, orphaned, rejected), in the table of jobs."""
    return "drop#" + _digest([bucket, key])


def attempt_reference(job_id: str, attempt: int) -> str:
    """What one attempt is called at the provider: `client_ref`, Idempotency-Key, stem of output keys."""
    return f"{job_id}-{attempt}"


def probable_intent(key: str) -> Problem:
    """Why a key of Kind.OTHER is nothing Backdrop runs, and what it was probably meant to be."""
    name = key.rpartition("/")[2]
    stem, extension = _split(name)
    if extension in SPEC_EXTENSIONS and stem.lower().strip("_. ") == DEFAULT_STEM.strip("_"):
        advice = f"For the default of its folder, name it {DEFAULT_STEM}{extension}."
    elif extension in SPEC_EXTENSIONS:
        advice = (
            f"Name a spec like its photo, with the photo's extension: {stem}.jpg{extension} for {stem}.jpg. "
            f"The default of a folder is called {DEFAULT_STEM}.yaml; a name that begins with _ is left alone."
        )
    elif _split(stem)[1] in _IMAGE_EXTENSIONS:
        advice = f"For the spec of {stem}, name it {stem}.yaml or {stem}.json."
    else:
        advice = (
            f"Photos end in {', '.join(PHOTO_EXTENSIONS)}; a spec is named like its photo plus .yaml, .yml or .json. "
            "A name that begins with _ is left alone."
        )
    what = "a spec without a photo" if extension in SPEC_EXTENSIONS else "neither a photo nor a spec"
    return Problem("NOT_A_DROP", f"by its name, {name} is {what}", advice)


def _split(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    return (stem, dot + extension.lower()) if dot else (name, "")


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256(text.encode()).hexdigest()[:32]
