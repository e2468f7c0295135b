"""What a spec would run, what it costs and what is wrong with it, before anything is uploaded.

Promises the library's own reading of spec and photo, and every problem at once. Refuses to guess a price that the
provider does not publish. Reads two files at most, writes none, calls nobody.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from backdrop import catalogue, keys, pictures, spec
from backdrop.errors import Problem, Rejected
from backdrop.pictures import Picture
from backdrop.spec import JobSpec, Spec
from backdrop_cli.paths import read, refuse_swapped

_MOST_HEAD_BYTES = 16_777_216


def validate(spec_path: Path, image_path: Path | None) -> tuple[bool, list[str]]:
    """Whether the spec (for the photo, when one is given) would run, and lines that tell about it.

    Raises:
        BadFile: a file cannot be read, or they are given the wrong way round.
    """
    if image_path is not None:
        refuse_swapped(spec_path, image_path, keys.SPEC_EXTENSIONS)
    data = read(spec_path, "spec", spec.MOST_BYTES + 1)
    try:
        wanted = spec.parse(data, spec_path.name)
    except Rejected as refusal:
        return False, list(refusal_lines(spec_path.name, refusal.problems))
    image_key = _image_key(spec_path, image_path)
    problems = list(spec.check_outputs(wanted, image_key))
    picture = None
    if image_path is not None:
        try:
            picture, size = look(image_path)
            for job in wanted.jobs:
                problems += spec.check_photo(job, picture, size)
        except Rejected as refusal:
            problems += refusal.problems
    if problems:
        return False, list(refusal_lines(spec_path.name, tuple(dict.fromkeys(problems))))
    return True, list(_plan(wanted, spec_path, image_key, picture))


def look(image_path: Path) -> tuple[Picture, int]:
    """What the photo's header says, and its size in bytes.

    Raises:
        Rejected: it is not a photo.
        BadFile: it cannot be read.
    """
    head = read(image_path, "image", _MOST_HEAD_BYTES)
    return pictures.describe(head, complete=True), image_path.stat().st_size


def refusal_lines(name: str, problems: Sequence[Problem]) -> Iterator[str]:
    """Problems as a person reads them: where, what, what to do."""
    count = len(problems)
    yield f"{name}: refused, {count} problem{'s' if count > 1 else ''}; nothing would be paid"
    for problem in problems:
        where = f"{problem.where}: " if problem.where else ""
        yield f"  {where}{problem.message}"
        if problem.action:
            yield f"    -> {problem.action}"


def _image_key(spec_path: Path, image_path: Path | None) -> str:
    if image_path is not None:
        return image_path.name
    if keys.classify(spec_path.name) is keys.Kind.SIDECAR:
        return keys.image_of(spec_path.name)
    return "photo.jpg"


def _plan(wanted: Spec, spec_path: Path, image_key: str, picture: Picture | None) -> Iterator[str]:
    count = len(wanted.jobs)
    yield f"{spec_path.name}: good, {count} job{'s' if count > 1 else ''} for {image_key}"
    if picture is not None:
        width, height = picture.upright
        yield f"  {image_key}: {picture.format}, {width} x {height} pixels"
    for job in wanted.jobs:
        model = catalogue.MODELS[job.model]
        yield f"  {job.label}: {job.model}, by {model.provider}"
        yield f"    price   {_price(job)}"
        for output in output_keys(job, image_key):
            yield f"    result  {output}"
        if job.reference:
            yield f"    needs   {job.reference} in the input bucket, seen from where the photo lies"
    yield from _total(wanted)
    own = wanted.is_default or keys.classify(spec_path.name) is keys.Kind.SIDECAR
    if not own or (not wanted.is_default and keys.image_of(spec_path.name) != image_key):
        yield f"  To use it, upload it as {image_key}{spec_path.suffix} beside {image_key}."


def output_keys(job: JobSpec, image_key: str) -> list[str]:
    """The keys of the job's results; `png` stands in where the provider decides on the format."""
    many = len(job.formats) > 1
    return [
        keys.output_key(job.output, image_key, job.label, keys.EXTENSIONS.get(form, "png"), number if many else None)
        for number, form in enumerate(job.formats, start=1)
    ]


def _price(job: JobSpec) -> str:
    price = catalogue.price(job.model, job.input)
    note = catalogue.MODELS[job.model].price_note
    return note if price is None else f"${price} {note}"


def _total(wanted: Spec) -> Iterator[str]:
    prices = [catalogue.price(job.model, job.input) for job in wanted.jobs]
    known = [price for price in prices if price is not None]
    if known:
        rest = len(prices) - len(known)
        others = f", and {rest} whose price is not published in dollars" if rest else ""
        yield f"  in all: ${sum(known, Decimal(0))}{others}"
