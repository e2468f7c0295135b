"""What a spec asks for, once it is read: jobs, what they are called, what they write, which photos they take.

Promises that a job put into plain JSON and back is the same job. Refuses, before anything is paid, outputs that would
collide and photos that the provider would not take. No I/O; imports no schema, so that a job's row can be read without.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from backdrop import keys
from backdrop.catalogue import MODELS
from backdrop.errors import Problem
from backdrop.pictures import Picture

DEFAULT_OUTPUT = "{folder}/{name}.{label}.{ext}"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One look of one photo. `input` holds JSON types, its defaults filled in.

    `reference` is the key of the reference picture relative to the photo, "" if none; it stands apart from `input`.
    """

    model: str
    label: str
    input: dict[str, Any]
    reference: str = ""
    output: str = DEFAULT_OUTPUT
    metadata: dict[str, Any] = field(default_factory=dict)
    revision: int = 1

    @property
    def formats(self) -> tuple[str, ...]:
        """The format of each output, in order: "png", "jpeg", "webp", or "" where the provider decides."""
        if "output_variants" in self.input:
            return tuple(variant["format"] for variant in self.input["output_variants"])
        return (self.input.get("output_format", ""),)

    def normalised(self) -> dict[str, Any]:
        """The job as JSON types, the same for specs that mean the same: what the job id hashes and the row keeps."""
        return asdict(self)

    @classmethod
    def from_normalised(cls, values: Mapping[str, Any]) -> Self:
        """The job that `normalised` described.

        Raises:
            KeyError: a field is missing.
        """
        return cls(**{part.name: values[part.name] for part in fields(cls)})


@dataclass(frozen=True, slots=True)
class Spec:
    """What one sidecar or folder default asks for: at least one job."""

    name: str
    jobs: tuple[JobSpec, ...]
    is_default: bool = False


def _output_of(spec: Spec, number: int) -> str:
    return "output" if len(spec.jobs) == 1 else f"jobs.{number}.output"


def check_outputs(spec: Spec, image_key: str, *, where: Callable[[Spec, int], str] = _output_of) -> list[Problem]:
    """What is wrong with the names that the spec's outputs would have for this image; empty when nothing is.

    Two jobs must not write the same key, and no key nor that of its record may exceed S3's 1024 bytes. `where` says
    where the template of the spec's nth job, counted from 0, stands.
    """
    problems = []
    stems = [keys.output_key(job.output, image_key, job.label, "")[:-1] for job in spec.jobs]
    for number, (job, stem) in enumerate(zip(spec.jobs, stems, strict=True)):
        longest = keys.record_key(f"{stem}.{len(job.formats)}.webp")
        if len(longest.encode()) > keys.MAX_KEY_BYTES:
            message = f"the output of {job.label} would have a key of more than {keys.MAX_KEY_BYTES} bytes"
            action = "Shorten the output template or the photo's key."
            problems.append(Problem("OUTPUT_TOO_LONG", message, action, where(spec, number)))
        for before, before_stem in zip(spec.jobs[:number], stems, strict=False):
            if _collide(before, before_stem, job, stem):
                message = f"jobs {before.label} and {job.label} would write the same output"
                action = "Let each output template hold {label}, or give each job a template of its own."
                problems.append(Problem("OUTPUT_TWICE", message, action, where(spec, number)))
    return problems


def _collide(one: JobSpec, one_stem: str, other: JobSpec, other_stem: str) -> bool:
    one_names, other_names = _names(one, one_stem), _names(other, other_stem)
    if one_names and other_names:
        return not one_names.isdisjoint(other_names)
    # A provider that decides on format and number may write any of them.
    ends = r"(?:\.\d+)?"
    return bool(
        re.fullmatch(re.escape(one_stem) + ends, other_stem) or re.fullmatch(re.escape(other_stem) + ends, one_stem)
    )


def _names(job: JobSpec, stem: str) -> set[str]:
    """Every key the job will write, or none when the provider decides."""
    if "" in job.formats:
        return set()
    if len(job.formats) == 1:
        return {f"{stem}.{keys.EXTENSIONS[job.formats[0]]}"}
    return {f"{stem}.{number}.{keys.EXTENSIONS[name]}" for number, name in enumerate(job.formats, start=1)}


# --- The photo -------------------------------------------------------------------------------------------------------


def check_photo(job: JobSpec, picture: Picture, size: int) -> list[Problem]:
    """What the job's provider would refuse in this photo of `size` bytes, before it is paid for; empty when nothing."""
    model = MODELS[job.model]
    formats = ", ".join(sorted(model.photo_formats))
    problems = []

    def add(code: str, message: str, action: str) -> None:
        problems.append(Problem(code, message, action))

    if size == 0:
        add("PHOTO_EMPTY", "the photo is empty", "Upload it again, whole.")
    if picture.format not in model.photo_formats:
        add("PHOTO_FORMAT", f"{model.name} takes {formats}; the photo is {picture.format}", "Save it as PNG or JPEG.")
    if picture.mode == "CMYK":
        add("PHOTO_CMYK", "the photo has the colours of print (CMYK), which providers misread", "Save it as RGB.")
    if picture.animated:
        add("PHOTO_ANIMATED", "the photo is animated", "Save one picture of it.")
    if model.max_photo_bytes is not None and size > model.max_photo_bytes:
        message = f"the photo has {size} bytes; {model.name} takes at most {model.max_photo_bytes}"
        add("PHOTO_TOO_LARGE", message, "Save it smaller, or choose another model.")
    return problems
