"""What the harness leaves out of moto's and botocore's work changes none of their answers."""

from __future__ import annotations

import http.client
import io
from concurrent.futures import ProcessPoolExecutor
from importlib.util import module_from_spec, spec_from_file_location
from multiprocessing import get_context
from typing import Any

import pytest
from quick import headers, moto, plain
from quick_answers import asked


def test_moto_answers_as_it_did() -> None:
    """Each answer, and each refusal, is the same with and without what is left out."""
    with ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:  # where nothing is left out yet
        slow = elsewhere.submit(asked).result(60)
    with moto():
        quick = asked()
    assert quick == slow
    assert len(quick) == 18


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ({"S": ""}, True),
        ({"N": "1.5"}, True),
        ({"L": [{"BOOL": True}, {"M": {"a": {"NULL": True}}}]}, True),
        ({"N": 1}, False),
        ({"B": b"a"}, False),
        ({"L": [{"S": 1}]}, False),
        ({"S": "a", "N": "1"}, False),
        ("S", False),
    ],
)
def test_plain_is_what_needs_no_change(attribute: Any, *, expected: bool) -> None:
    """Only an attribute that is in its wire form already goes out as it is."""
    assert plain(attribute) is expected


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n",
        b"A: b\r\nC-d:  e f \r\nA: again\r\nEmpty:\r\n\r\nbody",
        b"A: b\r\n folded\r\nC: d\r\n\r\n",
        b"A: b\r\nno colon\r\nC: d\r\n\r\n",
        b"A: caf\xe9\r\n\r\n",
        b"A_b: c\r\nD: e: f\r\n\r\n",
        b"A: b\n\n",
    ],
)
def test_headers_are_what_they_were(sent: bytes) -> None:
    """Plain headers and odd ones read as the standard library reads them, and leave the body where it is."""
    found = spec_from_file_location("as_python_has_it", http.client.__file__)
    assert found
    assert found.loader
    pristine = module_from_spec(found)
    found.loader.exec_module(pristine)
    quick, slow = io.BytesIO(sent), io.BytesIO(sent)
    ours, theirs = headers(pristine.parse_headers)(quick), pristine.parse_headers(slow)
    assert ours.items() == theirs.items()
    assert [ours.get_all(name) for name in ours] == [theirs.get_all(name) for name in theirs]
    assert quick.read() == slow.read()
