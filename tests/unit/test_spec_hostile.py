"""Whatever the bytes, a spec is read or refused with reasons: no other error, no fault hidden behind one."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import pytest
import yaml
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from backdrop.errors import Rejected
from backdrop.spec import JobSpec, parse

# How long one example takes depends on who else uses the machine.
PATIENT = settings(deadline=None)
NAMES = st.sampled_from(["shoes/red.jpg.yaml", "red.jpg.yml", "red.jpg.json", "_backdrop.yaml", "red.jpg.JSON", "x"])
RIGHT = [
    b'model: backgroundcut/remove-bg\ninput: {output_variants: [{format: jpeg, background_color: "#ffffff"}, {}]}\n',
    b"""
jobs:
  - &a {model: bria/background/remove, label: cutout}
  - model: imagepipeline/background-remove
    input: {recolor: 'F0F0F0', shadow_dy: 0.5}
metadata: {sku: A-17}
""",
    b'{"model": "runflow/background-color", "input": {"color_red": 1, "color_green": 2, "color_blue": 3}}',
    b"model: runflow/background-replace\ninput:\n  reference: _marble.jpg\n  prompt: |\n    oak\n    light\n",
]
WORDS = st.sampled_from(
    [
        "model", "input", "jobs", "label", "output", "metadata", "revision", "reference", "prompt", "recolor", "key",
        "output_variants", "color_red", "bria/background/remove", "backgroundcut/remove-bg", "runflow/background-color",
        "imagepipeline/background-change", "imagepipeline/background-remove", "runflow/background-replace", "format",
        "#ffffff", "jpeg", "{name}.{ext}", "yes", "240", "", "\ud800", "palette",
    ]
)  # fmt: skip
SCALARS = st.one_of(
    WORDS, st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.integers(-1, 256)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)


def answer(data: bytes, name: str) -> None:
    """Read the spec; what comes back must be jobs that can be kept, or reasons that can be written."""
    try:
        spec = parse(data, name)
    except Rejected as error:
        problems = error.problems
    else:
        problems = ()
        assert spec.jobs
        for job in spec.jobs:
            kept = json.loads(json.dumps(job.normalised(), allow_nan=False, ensure_ascii=False).encode())
            assert JobSpec.from_normalised(kept) == job
    assert len(problems) <= 51
    for problem in problems:
        assert problem.code != "SPEC_UNREADABLE"
        assert problem.message
        assert problem.action
        assert re.fullmatch(r"|line [1-9]\d*(?:, .+)?", problem.where, re.DOTALL)
        json.dumps(problem.as_dict(), ensure_ascii=False).encode()


@PATIENT
@given(st.binary(max_size=300), NAMES)
@example(b"\xff\xfe", "a.yaml")
@example(b"%YAML 1.1\n--- !!python/object/apply:os.system ['x']\n", "a.yaml")
@example(b"a: &a [x]\n" + b"b: *a\n" * 20, "a.yaml")
@example(b"&a {*a : *a}", "a.yaml")
@example(b"? ", "a.yaml")
@example(b"- ", "a.yaml")
@example(b"{", "a.json")
@example(b"1" * 5000, "a.json")
@example(b"- " * 500, "a.yaml")
def test_any_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    """Bytes of any kind, under any name."""
    answer(data, name)


@PATIENT
@given(st.text(alphabet="{}[]:,-#&*!|>'\"%@`? \n\tmodelinputjbs019.\\~\x85\u2028\ufeff", max_size=80), NAMES)
def test_any_punctuation_is_read_or_refused(text: str, name: str) -> None:
    """Text of the characters that mean something to YAML and JSON."""
    answer(text.encode(), name)


@PATIENT
@given(st.sampled_from(RIGHT), st.integers(0, 400), st.integers(0, 8), st.binary(max_size=6), NAMES)
def test_a_damaged_spec_is_read_or_refused(right: bytes, at: int, cut: int, put: bytes, name: str) -> None:
    """A right spec with some bytes taken out and others put in."""
    at %= len(right) + 1
    answer(right[:at] + put + right[at + cut :], name)


@settings(PATIENT, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, st.booleans())
def test_any_values_are_read_or_refused(tree: Any, as_yaml: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
    """Well-formed JSON and YAML of the right words in the wrong places."""
    if as_yaml:
        answer(yaml.safe_dump(tree, allow_unicode=False).encode(errors="replace"), "a.yaml")
    else:
        answer(json.dumps(tree).encode(), "a.json")


@settings(PATIENT, max_examples=50)
@given(st.dictionaries(st.text(max_size=8).filter(lambda text: text.isprintable()), TREES, max_size=3))
def test_a_job_beside_any_metadata_is_the_same_in_yaml_and_json(metadata: dict[str, Any]) -> None:
    """Both formats are read to the same values, or both are refused.

    Bare in YAML, NEL, LS and PS are line breaks, which a quoted text folds (YAML 1.1, 5.4); JSON knows them as text.
    """
    spec = {"model": "bria/background/remove", "metadata": metadata}
    assume(not any(line_break in json.dumps(spec, ensure_ascii=False) for line_break in "\x85\u2028\u2029"))
    found: list[Any] = []
    for name, data in (
        ("a.json", json.dumps(spec).encode()),
        ("a.yaml", json.dumps(spec, ensure_ascii=False).encode(errors="surrogatepass")),
    ):
        try:
            found.append(parse(data, name).jobs[0].metadata)
        except Rejected:
            found.append(None)
    assert found[0] == found[1] or None in found


def test_a_fault_of_ours_is_a_refusal_too() -> None:
    """What no test has thought of costs the user one drop and no stack trace."""
    with pytest.raises(Rejected) as caught:
        parse(cast("bytes", None), "a.yaml")

    assert (caught.value.code, caught.value.message) == ("SPEC_UNREADABLE", "the spec could not be read (TypeError)")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
