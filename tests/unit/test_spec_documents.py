"""A spec's text: how YAML and JSON are read, which line is told, what is refused before any field is looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backdrop.documents import MOST_BYTES, UNUSABLE, Document, read


def yaml(text: str) -> Document:
    """Read as YAML."""
    return read(text.encode(), "a.jpg.yaml")


def values(text: str, name: str = "a.yaml") -> Any:
    """The value of a text that has nothing wrong with it."""
    document = read(text.encode(), name)
    assert document.problems == []
    return document.value


def complaints(text: str, name: str = "a.yaml") -> list[tuple[str, str]]:
    """What is wrong with single values, and where."""
    return [(problem.code, problem.where) for problem in read(text.encode(), name).problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("false", False),
        ("False", False),
        ("FALSE", False),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("~", None),
        ("nil", "nil"),
        ("0", 0),
        ("-0", 0),
        ("240", 240),
        ("+5", 5),
        ("-5", -5),
        ("9" * 18, 999_999_999_999_999_999),
        ("-" + "9" * 18, -999_999_999_999_999_999),
        ("0240", "0240"),
        ("-0240", "-0240"),
        ("0x1f", "0x1f"),
        ("0o17", "0o17"),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.5", -1.5),
        ("+1.5", 1.5),
        ("1e3", 1000.0),
        ("1E-3", 0.001),
        ("1.5e+2", 150.0),
        ("00.5", 0.5),
        ("1e", "1e"),
        (".", "."),
        ("e5", "e5"),
        ("1.2.3", "1.2.3"),
        ("12:30", "12:30"),
        ("1:02:03", "1:02:03"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("F0F0F0", "F0F0F0"),
        ("000000", "000000"),
        ("'240'", "240"),
        ('"true"', "true"),
        ('""', ""),
        ("''", ""),
        ('"a\\u00e9\\n"', "aé\n"),
        ("|\n  two\n  lines", "two\nlines"),
        (">\n  one\n  line\n", "one line\n"),
        ("plain text # a comment", "plain text"),
        ("a#b", "a#b"),
        ("[1, [two]]", [1, ["two"]]),
        ("{b: 2, a: {}}", {"b": 2, "a": {}}),
        ("\n  - 1\n  - x: 2\n    y: 3", [1, {"x": 2, "y": 3}]),
        ("=", "="),
        ("<<", "<<"),
        ("'ü €  🙂'", "ü €  🙂"),
    ],
)
def test_a_yaml_value_is_what_yaml_1_2_says(text: str, value: Any) -> None:
    """Only true, false, null and plain decimal numbers are not text."""
    found = values(f"x: {text}")["x"]

    assert found == value
    assert type(found) is type(value)


def test_a_merge_key_is_a_field_like_any_other() -> None:
    """YAML 1.1's merge is not made, so that nothing comes from elsewhere unseen."""
    assert values("a: &a {x: 1}\nb:\n  <<: *a\n") == {"a": {"x": 1}, "b": {"<<": {"x": 1}}}


def test_keys_are_text_whatever_they_look_like() -> None:
    """`on:` and `1:` are the names on and 1."""
    assert values("on: 1\n1: 2\nnull: 3\n") == {"on": 1, "1": 2, "null": 3}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -17,
        999_999_999_999_999_999,
        0.25,
        -1e-7,
        "",
        'ü\n"\\/🙂',
        [],
        {},
        [[], {}, [1, "a"]],
        {"": {"a": [None]}},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_value_is_read_as_it_was_written(value: Any, indent: int | None) -> None:
    """The reader that keeps lines agrees with Python's own; ASCII escapes included."""
    for ascii_only in (True, False):
        text = json.dumps({"x": value, "y": [value, value]}, indent=indent, ensure_ascii=ascii_only)
        found = values(text, "a.json")
        assert found == {"x": value, "y": [value, value]}
        assert type(found["x"]) is type(value)


def test_yaml_fields_have_their_lines() -> None:
    """A field's line is that of its name; an item's that of its first character; comments count."""
    document = yaml(
        "# one\nmodel: x\n\ninput:\n  a: 1\n  b:\n    - 1\n    -\n      c: 2\n  long: >\n    x\n    y\n  d: 3\n"
    )

    lines = {".".join(map(str, path)): line for path, line in document.lines.items()}
    assert lines == {
        "": 2,
        "model": 2,
        "input": 4,
        "input.a": 5,
        "input.b": 6,
        "input.b.0": 7,
        "input.b.1": 9,
        "input.b.1.c": 9,
        "input.long": 10,
        "input.d": 13,
    }


def test_json_fields_have_their_lines() -> None:
    """The same for JSON, however its lines are broken."""
    document = read(b'\n{"a":\n 1, "b": [\n\n {"c"\n: 2}, "x\\ny",\r\n 3]\n}', "a.json")

    lines = {".".join(map(str, path)): line for path, line in document.lines.items()}
    assert lines == {"": 2, "a": 2, "b": 3, "b.0": 5, "b.0.c": 5, "b.1": 6, "b.2": 7}


def test_where_names_the_line_that_holds_what_is_not_there() -> None:
    """A missing field has the line of the object it is missing from."""
    document = yaml("a: 1\nb:\n  c: [1]\n")

    assert document.where(("b", "c", 0)) == "line 3, b.c.0"
    assert document.where(("b", "c", 7)) == "line 3, b.c.7"
    assert document.where(("b", "x", "y")) == "line 2, b.x.y"
    assert document.where(("z",)) == "line 1, z"
    assert document.where(()) == "line 1"


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("x: 1\nrecolor: #F0F0F0\ny: 2\n", '"#F0F0F0"'),
        ("x: 1\nrecolor:   #abc # grey\n", '"#abc"'),
        ("x: 1\nrecolor:\n", '"#f0f0f0"'),
        ("x: 1\nrecolor: # a remark\n", '"#f0f0f0"'),
    ],
)
def test_an_empty_value_is_told_with_the_quoting_it_lacks(text: str, colour: str) -> None:
    """In YAML an unquoted colour is a comment: the advice quotes the very colour when it can be seen."""
    document = yaml(text)

    (problem,) = document.problems
    assert (problem.code, problem.where, problem.message) == ("FIELD_EMPTY", "line 2, recolor", "recolor has no value")
    assert "an unquoted # begins a comment" in problem.action
    assert colour in problem.action
    assert ("leave the field out" in problem.action) == (colour == '"#f0f0f0"')
    assert document.value["recolor"] is UNUSABLE
    assert repr(UNUSABLE) == "nothing usable"


def test_an_empty_item_is_told_by_its_number() -> None:
    """A palette of unquoted colours."""
    assert complaints("palette:\n  - '#ffffff'\n  - #000000\n") == [("FIELD_EMPTY", "line 3, palette.1")]
    assert '"#000000"' in yaml("palette:\n  - '#ffffff'\n  - #000000\n").problems[0].action


def test_several_values_are_complained_of_at_once() -> None:
    """Reading goes on after a value that cannot be used."""
    text = 'a: .nan\nb: -.inf\nc: 1e999\nd: 1234567890123456789\ne: "\\ud800"\nf: !!int 3\nf: 4\ng:\n'

    assert complaints(text) == [
        ("FIELD_NOT_FINITE", "line 1, a"),
        ("FIELD_NOT_FINITE", "line 2, b"),
        ("FIELD_NOT_FINITE", "line 3, c"),
        ("FIELD_NUMBER_TOO_LONG", "line 4, d"),
        ("FIELD_TEXT", "line 5, e"),
        ("SPEC_TAG", "line 6, f"),
        ("FIELD_DUPLICATE", "line 7, f"),
        ("FIELD_EMPTY", "line 8, g"),
    ]
    assert [problem.message for problem in yaml(text).problems] == [
        ".nan is not a number JSON knows",
        "-.inf is not a number JSON knows",
        "1e999 is too large a number",
        "a whole number of more than 18 digits is not exact everywhere",
        "the text holds half of a surrogate pair, which is no character",
        "tag:yaml.org,2002:int is a YAML tag; none is read",
        "f stands here twice: in line 6 and in line 7",
        "g has no value",
    ]
    assert yaml(text).value["f"] == "3"


def test_the_same_goes_for_json() -> None:
    """Python's reader would take the last of two, NaN and numbers without end."""
    text = '{"a": NaN,\n"b": -Infinity,\n"c": 1e999,\n"d": 1234567890123456789,\n"e": "\\ud800",\n'
    text += '"f": [Infinity],\n"f": 4}'

    assert complaints(text, "a.json") == [
        ("FIELD_NOT_FINITE", "line 1, a"),
        ("FIELD_NOT_FINITE", "line 2, b"),
        ("FIELD_NOT_FINITE", "line 3, c"),
        ("FIELD_NUMBER_TOO_LONG", "line 4, d"),
        ("FIELD_TEXT", "line 5, e"),
        ("FIELD_NOT_FINITE", "line 6, f.0"),
        ("FIELD_DUPLICATE", "line 7, f"),
    ]
    assert read(text.encode(), "a.json").value["f"] == [UNUSABLE]


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_a_duplicate_deep_in_the_spec_is_told_with_both_lines(name: str) -> None:
    """Which of two values was meant cannot be known."""
    text = '{"jobs": [{"model": 1,\n"label": 2,\n"model": 3}]}'

    (problem,) = read(text.encode(), name).problems

    assert problem.where == "line 3, jobs.0.model"
    assert problem.message == "model stands here twice: in line 1 and in line 3"
    assert problem.action == "Keep one of them."


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_a_pair_of_escapes_is_one_character_in_json(name: str) -> None:
    """JSON writes an emoji as two escapes; YAML does not."""
    document = read(b'{"x": "\\ud83d\\ude42"}', name)

    assert (document.value["x"] == "🙂") == (name == "a.json")
    assert bool(document.problems) == (name == "a.yaml")


def test_the_limits_themselves_are_allowed() -> None:
    """Sixteen aliases, twenty levels, 64 KB."""
    assert len(values("a: &a 1\nb:\n" + "  - *a\n" * 16)["b"]) == 16
    assert values("b: " + "[" * 19 + "]" * 19)["b"]
    assert values('{"a": ' + "[" * 19 + "]" * 19 + "}", "a.json")["a"]
    assert MOST_BYTES == 65_536
    assert values('{"a": 1}' + " " * (MOST_BYTES - 8), "a.json") == {"a": 1}
