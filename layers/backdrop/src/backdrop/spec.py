"""A sidecar's text, read and checked: which jobs it asks for.

Promises that a Spec can be run as it stands: every default filled in, every value within the provider's limits. Refuses
everything else with a line, a field, what is allowed and what was probably meant, all problems at once, and before
anything is paid; whatever the bytes, the only error is Rejected. Pure.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from backdrop import documents, keys
from backdrop.catalogue import MODELS, closest_model
from backdrop.documents import MOST_BYTES, UNUSABLE, Document, Path
from backdrop.errors import Problem, Rejected
from backdrop.fields import INPUTS, Input, Look, Variant
from backdrop.jobspec import DEFAULT_OUTPUT, JobSpec, Spec, check_outputs, check_photo

__all__ = ["MOST_BYTES", "JobSpec", "Spec", "check_outputs", "check_photo", "json_schema", "parse"]

MAX_JOBS = 20
MAX_METADATA_BYTES = 4096
MAX_JOB_BYTES = 65_536
MAX_PROBLEMS = 50

_ANY_IMAGE = "\x01/\x02.jpg"  # a key that no template spells out


def parse(data: bytes, name: str, *, is_default: bool | None = None) -> Spec:
    """Read a spec's bytes. `name` is its key: the extension tells JSON from YAML, `_backdrop.*` is a folder default.

    Raises:
        Rejected: with every problem found, in the order of their lines.
    """
    try:
        return _parse(data, name, is_default=is_default)
    except Rejected:
        raise
    except Exception as error:  # noqa: BLE001 - a spec is a stranger's text: no fault of ours in reading it may escape
        problem = Problem(
            "SPEC_UNREADABLE",
            f"the spec could not be read ({type(error).__name__})",
            "Begin again from an example of the documentation; and please report this spec.",
        )
        raise Rejected(problem) from None


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a spec, for editors; docs/spec.schema.json is this."""
    from backdrop.schema import json_schema as make  # noqa: PLC0415 - only the laptop asks for it

    return make()


def _parse(data: bytes, name: str, *, is_default: bool | None) -> Spec:
    default = keys.classify(name) is keys.Kind.DEFAULT if is_default is None else is_default
    document = documents.read(data, name)
    if not isinstance(document.value, dict):
        document.complain("SPEC_SHAPE", (), "a spec is an object of fields", "Begin with `model:` and a model's name.")
        raise Rejected(*_in_order(document.problems))
    entries = list(_entries(document))
    jobs = [_job(place, values, default=default) for place, values in entries]
    spec = Spec(name, tuple(job for job in jobs if job), default)
    if not document.problems:
        _check_labels(document, spec)
    if not document.problems:
        places = [place for place, _ in entries]
        document.problems += check_outputs(spec, _ANY_IMAGE, where=lambda _, number: places[number].where(("output",)))
    if document.problems:
        raise Rejected(*_in_order(document.problems))
    return spec


def _in_order(problems: list[Problem]) -> list[Problem]:
    """The problems by line, each once: what stands beside `jobs` is checked with every job."""

    def line(problem: Problem) -> int:
        found = re.match(r"line (\d+)", problem.where)
        return int(found[1]) if found else 0

    once = sorted(dict.fromkeys(problems), key=line)
    if len(once) <= MAX_PROBLEMS:
        return once
    more = Problem("SPEC_MORE", f"and {len(once) - MAX_PROBLEMS} problems more", "Put these right first.")
    return [*once[:MAX_PROBLEMS], more]


# --- One look or several ---------------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """Where a job's fields stand: in its entry of `jobs`, or beside `jobs` as the common default."""

    document: Document
    prefix: Path = ()

    def path(self, inner: Path) -> Path:
        """The path in the document of a field that is `inner` to the merged job."""
        for count in range(len(inner), 0, -1):
            if (*self.prefix, *inner[:count]) in self.document.lines:
                break
            if inner[:count] in self.document.lines:
                return inner
        return (*self.prefix, *inner)

    def where(self, inner: Path) -> str:
        """Say where a field of the job stands."""
        return self.document.where(self.path(inner))

    def complain(self, code: str, inner: Path, message: str, action: str) -> None:
        """Note what is wrong with a field of the job."""
        self.document.complain(code, self.path(inner), message, action)


def _entries(document: Document) -> Iterator[tuple[_Place, dict[str, Any]]]:
    """Each job's fields over those beside `jobs`: its own win; input and metadata are merged field by field."""
    if "jobs" not in document.value:
        yield _Place(document), document.value
        return
    common = {name: value for name, value in document.value.items() if name != "jobs"}
    jobs = document.value["jobs"]
    if not isinstance(jobs, list) or not 1 <= len(jobs) <= MAX_JOBS:
        if jobs is not UNUSABLE:
            message = f"jobs must be a list of 1 to {MAX_JOBS} looks"
            document.complain("SPEC_JOBS", ("jobs",), message, "Write each look as an entry: - model: ...")
        return
    for number, job in enumerate(jobs):
        place = _Place(document, ("jobs", number))
        if isinstance(job, dict):
            yield place, _merged(common, job)
        elif job is not UNUSABLE:
            message = "an entry of jobs is an object of fields"
            document.complain("SPEC_JOBS", place.prefix, message, "Write it as - model: ...")


def _merged(common: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    merged = {**common, **job}
    for name in ("input", "metadata"):
        below, above = common.get(name), job.get(name)
        if isinstance(below, dict) and isinstance(above, dict):
            merged[name] = {**below, **above}
    return merged


# --- One job ---------------------------------------------------------------------------------------------------------


def _job(place: _Place, values: dict[str, Any], *, default: bool) -> JobSpec | None:
    """The job, or None after complaining of all that is wrong with it."""
    look = _checked(place, (), Look, values)
    name = values.get("model")
    if not isinstance(name, str):
        return None
    known = name in INPUTS
    meant = name if known else closest_model(name)
    if not known:
        action = f"Did you mean {meant}?" if meant else "Write one of them."
        message = f"there is no model {name[:80]!r}; the models are {', '.join(INPUTS)}"
        place.complain("MODEL_UNKNOWN", ("model",), message, action)
    given = values.get("input", {})
    if meant not in INPUTS or not isinstance(given, dict):
        return None
    made = _checked(place, ("input",), INPUTS[meant], given)
    if look is None or made is None or not known:
        return None
    job = _made(look, made)
    _check_job(place, job, default=default)
    return job


def _made(look: Look, made: Input) -> JobSpec:
    values = made.model_dump(mode="json", exclude_none=True)
    reference = values.pop("reference", "")
    return JobSpec(
        model=look.model,
        label=look.label or MODELS[look.model].label,
        input=values,
        reference=reference,
        output=look.output,
        metadata=look.metadata,
        revision=look.revision,
    )


def _check_job(place: _Place, job: JobSpec, *, default: bool) -> None:
    if default and "{name}" not in job.output:
        message = "the output of a folder default must hold {name}, or all its photos would share one result"
        place.complain("OUTPUT_NAME", ("output",), message, f"For example {DEFAULT_OUTPUT}.")
    size = _size(job.metadata)
    if size > MAX_METADATA_BYTES:
        message = f"metadata has {size} bytes as JSON; at most {MAX_METADATA_BYTES} are kept"
        place.complain("METADATA_TOO_LARGE", ("metadata",), message, "Make it shorter.")
    elif _size(job.normalised()) > MAX_JOB_BYTES:
        message = f"one look has more than {MAX_JOB_BYTES} bytes when written out"
        place.complain("SPEC_TOO_LARGE", ("input",), message, "Make it shorter.")


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode())


def _checked[Fields: BaseModel](place: _Place, start: Path, fields: type[Fields], values: Any) -> Fields | None:
    """The values as `fields`, or None after complaining of every one that is wrong."""
    try:
        return fields.model_validate(values)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False)
    from backdrop import refusals  # noqa: PLC0415 - only what is wrong needs words

    here = refusals.Holder.of(fields, fields.model if issubclass(fields, Input) else refusals.A_SPEC)
    variant = refusals.Holder.of(Variant, "an output variant")
    found = []
    for error in errors:
        inner: Path = tuple(error["loc"])
        if error["type"] == "wrong" and error["ctx"]["field"]:
            inner = (*inner, error["ctx"]["field"])
        nested = "output_variants" in inner[:-2]
        where = place.where((*start, *inner))
        found += refusals.explain(error, inner, where, variant if nested else here)
    place.document.problems += refusals.without_echoes(found)
    return None


# --- Several jobs of one photo ---------------------------------------------------------------------------------------


def _check_labels(document: Document, spec: Spec) -> None:
    first: dict[str, int] = {}
    for number, job in enumerate(spec.jobs):
        before = first.setdefault(job.label, number)
        if before != number:
            message = f"jobs {before} and {number} both have the label {job.label}"
            action = "Give each a label of its own, for example label: cutout."
            document.complain("LABEL_TWICE", ("jobs", number, "label"), message, action)
