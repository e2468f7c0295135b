"""Texts that are refused as a whole: no YAML, no JSON, too large, too deep; each with its line and what to look for."""

from __future__ import annotations

import pytest

from backdrop.documents import MOST_BYTES, read
from backdrop.errors import Problem, Rejected


def refusal(data: bytes | str, name: str = "a.jpg.yaml") -> Problem:
    """Why a text is refused as a whole."""
    with pytest.raises(Rejected) as caught:
        read(data.encode() if isinstance(data, str) else data, name)
    (problem,) = caught.value.problems
    return problem


LOOK = "Check this line and the one above: indentation, quotes, brackets, a space after each colon."
LOOK_JSON = "Check this line and the one above: quotes, commas, brackets."
CUT_SHORT = "while parsing a flow node, expected the node content, but found '<stream end>'"
IN_ESCAPE = "a number in an escape or a directive is too large"
WHOLE = "Quote it, and write whole characters."
QUOTE = 'In YAML an unquoted # begins a comment: quote the colour, "{}".'
WRITE = "Write at least `model:` and the name of a model."


@pytest.mark.parametrize("text", ["", " \n\t\n", "# nothing\n", "\ufeff"])
def test_an_empty_spec_is_refused(text: str) -> None:
    """A file without a value, were it only a comment."""
    assert refusal(text) == Problem("SPEC_EMPTY", "the spec is empty", WRITE)


@pytest.mark.parametrize(
    ("text", "line", "reason", "action"),
    [
        ("a: 1\nb: [x\n", 3, "while parsing a flow sequence, expected ',' or ']', but got '<stream end>'", LOOK),
        (
            "a: b: c\n",
            1,
            "mapping values are not allowed here",
            "Check the indentation, and quote a text that holds a colon.",
        ),
        ("x: 1\ni: {recolor: #F0F0F0}\n", 2, CUT_SHORT, QUOTE.format("#F0F0F0")),
        ("x: 1\ny: 2\ni: {recolor: #F0F0F0}\n", 3, CUT_SHORT, QUOTE.format("#F0F0F0")),
        ("x: 1\ni: {p: [#abcdef]}", 2, CUT_SHORT, QUOTE.format("#abcdef")),
        ("x: 1\ni: {p: #abcdef, q: [", 2, CUT_SHORT, QUOTE.format("#abcdef")),
        ("x: #abc\ni: [\n\n", 4, CUT_SHORT, LOOK),
        (
            "a: 1\n\tb: 2\n",
            2,
            "while scanning for the next token, found character '\\t' that cannot start any token",
            "Indent with spaces: YAML does not allow tabs there.",
        ),
    ],
)
def test_a_text_that_is_no_yaml_is_refused_with_its_line(text: str, line: int, reason: str, action: str) -> None:
    """What stops the reader is told with the line and what to look for; never as Python's error."""
    assert refusal(text) == Problem("SPEC_SYNTAX", f"this is not YAML: {reason}", action, f"line {line}")


@pytest.mark.parametrize(
    ("text", "code", "where", "message", "action"),
    [
        (
            "a: 1\n---\nb: 2\n",
            "SPEC_SEVERAL",
            "line 2",
            "the spec holds more than one YAML document",
            "Keep one; several looks stand in one `jobs:` list.",
        ),
        ("a: *b\n", "SPEC_SYNTAX", "line 1", "*b refers to no value above it", "Write the value out."),
        ("a: &b [*b]\n", "SPEC_SYNTAX", "line 1", "*b refers to no value above it", "Write the value out."),
        ("a: 1\n? [x]\n: 2\n", "SPEC_KEY", "line 2", "a field's name must be text", WHOLE),
        ("a: 1\n*x : 2\n", "SPEC_KEY", "line 2", "a field's name must be text", WHOLE),
        ('"\\udfff": 2\n', "SPEC_KEY", "line 1", "a field's name must be text", WHOLE),
        (
            "a: 1\nb: \x01\n",
            "SPEC_SYNTAX",
            "line 2",
            "the spec holds a character that YAML does not allow",
            "Remove it.",
        ),
        ('a: "\\UFFFFFFFF"\n', "SPEC_SYNTAX", "", f"this is not YAML: {IN_ESCAPE}", "Remove it."),
        (f"%YAML {'9' * 5000}.1\n---\na: 1\n", "SPEC_SYNTAX", "", f"this is not YAML: {IN_ESCAPE}", "Remove it."),
        (
            f"a: 1\nb: {'[' * 19}{']' * 19}\nc: {'[' * 20}{']' * 20}",
            "SPEC_TOO_DEEP",
            "line 3",
            "the spec is nested more than 20 levels deep",
            "Make it flatter.",
        ),
        (
            "a: &a 1\nb:\n" + "  - *a\n" * 17,
            "SPEC_ALIASES",
            "line 19",
            "the spec has more than 16 aliases",
            "Write the values out.",
        ),
    ],
)
def test_yaml_beyond_what_a_spec_needs_is_refused_with_its_line(
    text: str, code: str, where: str, message: str, action: str
) -> None:
    """Several documents, keys that are no text, anchors of themselves, depth and copies without end."""
    assert refusal(text) == Problem(code, message, action, where)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('{"a": 1,\n "b": }', 2, "Expecting value"),
        ('{"a": 1}\n{}', 2, "Extra data"),
        ('{"a": "\n"}', 1, "Invalid control character at"),
        ("[1,]", 1, "Illegal trailing comma before end of array"),
    ],
)
def test_a_text_that_is_no_json_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    """The same for JSON."""
    assert refusal(text, "a.json") == Problem("SPEC_SYNTAX", f"this is not JSON: {reason}", LOOK_JSON, f"line {line}")


def test_yaml_under_the_name_of_json_is_recognised() -> None:
    """The name is wrong, not the text."""
    advice = "A spec in JSON begins with {. If this is YAML, name the file .yaml."

    problem = refusal("\nmodel: x\n", "a.json")

    assert problem == Problem("SPEC_SYNTAX", "this is not JSON: Expecting value", advice, "line 2")


@pytest.mark.parametrize("text", [f'{{"a":\n {"[" * 20}{"]" * 20}}}', "\n" + "[" * 60_000 + "]" * 5_000])
def test_json_without_end_is_refused(text: str) -> None:
    """Twenty levels are enough; thousands do not exhaust the reader."""
    problem = refusal(text, "a.json")

    assert (problem.code, problem.message) == ("SPEC_TOO_DEEP", "the spec is nested more than 20 levels deep")
    assert problem.where == ("line 2" if "a" in text else "line 1")


def test_half_a_surrogate_pair_is_no_name() -> None:
    """What could not be written into an error file is not taken for a field's name."""
    assert refusal('{"\\udfff": 2}', "a.json") == Problem("SPEC_KEY", "a field's name must be text", WHOLE, "line 1")


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
def test_a_spec_that_is_too_large_is_refused_unread(name: str) -> None:
    """A byte more than 64 KB."""
    problem = refusal(b"{" * (MOST_BYTES + 1), name)

    assert problem == Problem("SPEC_TOO_LARGE", "the spec has 65537 bytes; at most 65536 are read", "Make it shorter.")


@pytest.mark.parametrize(
    ("data", "where"),
    [("model: é".encode("latin-1"), "line 1"), (b"a: 1\nb: \xff", "line 2"), ("model: x".encode("utf-16"), "line 1")],
)
def test_a_spec_in_another_encoding_is_refused(data: bytes, where: str) -> None:
    """UTF-8 only; the line of the first byte that is not is told."""
    assert refusal(data) == Problem("SPEC_ENCODING", "the spec is not UTF-8 text", "Save it as UTF-8.", where)


@pytest.mark.parametrize("name", ["a.txt", "yaml", "a.yaml.bak", "json5"])
def test_a_name_that_is_no_specs_is_refused(name: str) -> None:
    """Which format it is cannot be told from such a name; `yaml` alone has no extension."""
    assert refusal("a: 1", name).code == "SPEC_NAME"
