"""A spec's text, YAML or JSON, as plain values that remember their lines.

Promises for any bytes a Document or Rejected, in bounded time and memory. YAML is read by the rules of YAML 1.2's core
schema (`yes`, `0240`, `12:30` and dates are text), without tags, custom types or merge keys, with few aliases.
Refuses duplicate keys, NaN and Infinity, numbers too long to be exact, empty values, unpaired surrogates.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from backdrop.errors import Problem, Rejected
from backdrop.keys import SPEC_EXTENSIONS

MOST_BYTES = 65_536
MAX_DEPTH = 20
MAX_ALIASES = 16
MAX_DIGITS = 18  # what a 64-bit reader still holds

type Path = tuple[str | int, ...]


class Unusable:
    """Stands in a document for a value that is already complained of."""

    def __repr__(self) -> str:
        return "nothing usable"


UNUSABLE = Unusable()


@dataclass(slots=True)
class Document:
    """The value of a spec's text, the line of each of its fields (from 1), and what is wrong with single values."""

    text: str
    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def where(self, path: Path) -> str:
        """Say where: "line 3, jobs.0.input.color_red". A path not in the text has the line of what would hold it."""
        line = next(self.lines[path[:count]] for count in range(len(path), -1, -1) if path[:count] in self.lines)
        return _place(line, path)

    def complain(self, code: str, path: Path, message: str, action: str) -> Unusable:
        """Note what is wrong with the value at `path`; what this returns takes its place."""
        self.problems.append(Problem(code, message, action, self.where(path)))
        return UNUSABLE


def read(data: bytes, name: str) -> Document:
    """Read a spec's bytes, as YAML or JSON by the extension of `name`.

    Raises:
        Rejected: too large, not UTF-8, not readable as YAML or JSON, nested too deep, empty.
    """
    if len(data) > MOST_BYTES:
        _refuse("SPEC_TOO_LARGE", f"the spec has {len(data)} bytes; at most {MOST_BYTES} are read", "Make it shorter.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        _refuse("SPEC_ENCODING", "the spec is not UTF-8 text", "Save it as UTF-8.", line)
    if not text.strip():
        _refuse_nothing()
    ending = name.lower().rpartition(".")[1:]
    if "".join(ending) not in SPEC_EXTENSIONS:
        _refuse("SPEC_NAME", f"{name} is no name of a spec", "Specs end in .yaml, .yml or .json.")
    document = Document(text)
    if ending[1] == "json":
        _read_json(document)
    else:
        _read_yaml(document)
    return document


def _place(line: int, path: Path) -> str:
    return ", ".join(filter(None, [f"line {line}", _cut(".".join(map(str, path)), 200)]))


def _cut(text: str, most: int = 60) -> str:
    """The text, or its beginning: what a stranger wrote is repeated only so far."""
    return text if len(text) <= most else text[:most] + "…"


def _refuse(code: str, message: str, action: str, line: int = 0) -> NoReturn:
    raise Rejected(Problem(code, message, action, f"line {line}" if line else ""))


def _refuse_nothing() -> NoReturn:
    _refuse("SPEC_EMPTY", "the spec is empty", "Write at least `model:` and the name of a model.")


def _too_deep(line: int) -> NoReturn:
    _refuse("SPEC_TOO_DEEP", f"the spec is nested more than {MAX_DEPTH} levels deep", "Make it flatter.", line)


_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|-?Infinity|NaN")


def _number(document: Document, path: Path, text: str) -> Any:
    """The value of a number as written, or None when `text` is not one."""
    if _NOT_FINITE.fullmatch(text):
        message = f"{text} is not a number JSON knows"
        return document.complain("FIELD_NOT_FINITE", path, message, "Write a finite number.")
    if _WHOLE.fullmatch(text):
        if len(text.lstrip("+-")) > MAX_DIGITS:
            message = f"a whole number of more than {MAX_DIGITS} digits is not exact everywhere"
            return document.complain("FIELD_NUMBER_TOO_LONG", path, message, "Quote it to make it text.")
        return int(text)
    # "0240" is octal to one YAML reader and decimal to the next: it stays text, and its field asks for a plain number.
    if _FRACTION.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
        return document.complain(
            "FIELD_NOT_FINITE", path, f"{_cut(text)} is too large a number", "Write a finite number."
        )
    return None


def _string(document: Document, path: Path, text: str) -> Any:
    if _SURROGATE.search(text):
        message = "the text holds half of a surrogate pair, which is no character"
        return document.complain("FIELD_TEXT", path, message, "Write the character itself.")
    return text


def _key(document: Document, path: Path, name: Any, line: int, seen: dict[str, Any]) -> Path:
    """The path of a mapping's key; complains of one that cannot be, or is there twice."""
    if not isinstance(name, str) or _SURROGATE.search(name):
        _refuse("SPEC_KEY", "a field's name must be text", "Quote it, and write whole characters.", line)
    full = (*path, name)
    if name in seen:
        before = document.lines[full]
        message = f"{_cut(name)} stands here twice: in line {before} and in line {line}"
        document.problems.append(Problem("FIELD_DUPLICATE", message, "Keep one of them.", _place(line, full)))
    else:
        document.lines[full] = line
    return full


# --- YAML ------------------------------------------------------------------------------------------------------------

_BARE_COLOUR = re.compile(r"[:\[,-]\s*(#[0-9A-Fa-f]{3,8})\b")
_QUOTE = 'In YAML an unquoted # begins a comment: quote the colour, "{}".'
_EMPTY = 'Give it a value, or leave the field out. In YAML an unquoted # begins a comment: quote a colour, "#f0f0f0".'


def _bare_colour(text: str, line: int) -> str:
    """A colour that stands unquoted in a line of YAML, where it is a comment; empty when there is none."""
    lines = text.split("\n")
    found = _BARE_COLOUR.search(lines[line - 1]) if 0 < line <= len(lines) else None
    return found[1] if found else ""


def _read_yaml(document: Document) -> None:
    import yaml  # noqa: PLC0415 - 17 ms that a JSON spec does not need

    try:
        # The events of the plainest loader: no tag is resolved and no object is made but here.
        events = yaml.parse(document.text, Loader=yaml.BaseLoader)
        _Yaml(document, events).read()
    except yaml.reader.ReaderError as error:
        line = document.text[: error.position].count("\n") + 1
        _refuse("SPEC_SYNTAX", "the spec holds a character that YAML does not allow", "Remove it.", line)
    except yaml.MarkedYAMLError as error:
        _refuse_syntax(document.text, error)
    except (ValueError, OverflowError):
        # PyYAML's own: an escape beyond Unicode, a version of thousands of digits.
        _refuse("SPEC_SYNTAX", "this is not YAML: a number in an escape or a directive is too large", "Remove it.")


def _refuse_syntax(text: str, error: Any) -> NoReturn:
    """Say where YAML's reader stopped, and why it probably did."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1
    told = ", ".join(filter(None, [error.context, error.problem]))
    for at in (line, line - 1):  # the reader often stops only in the line after
        colour = _bare_colour(text, at)
        if colour:
            _refuse("SPEC_SYNTAX", f"this is not YAML: {told}", _QUOTE.format(colour), at)
    advice = "Check this line and the one above: indentation, quotes, brackets, a space after each colon."
    if "\\t" in told:
        advice = "Indent with spaces: YAML does not allow tabs there."
    elif "mapping values" in told:
        advice = "Check the indentation, and quote a text that holds a colon."
    _refuse("SPEC_SYNTAX", f"this is not YAML: {told}", advice, line)


class _Yaml:
    """Builds values from YAML's events, so that nothing is built which was not counted."""

    def __init__(self, document: Document, events: Iterator[Any]) -> None:
        self.document = document
        self.events = events
        self.anchors: dict[str, Any] = {}
        self.aliases = 0

    def read(self) -> None:
        """Read the one document there may be."""
        documents = 0
        for event in self.events:
            if type(event).__name__ != "DocumentStartEvent":
                continue
            documents += 1
            if documents > 1:
                action = "Keep one; several looks stand in one `jobs:` list."
                _refuse("SPEC_SEVERAL", "the spec holds more than one YAML document", action, event.start_mark.line + 1)
            self.document.value = self.build(next(self.events), (), 0)
        if not documents:
            _refuse_nothing()

    def build(self, event: Any, path: Path, depth: int) -> Any:
        """The value that begins with `event`."""
        line = event.start_mark.line + 1
        self.document.lines.setdefault(path, line)
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self.alias(event.anchor, line)
        if event.tag is not None:
            self.document.complain(
                "SPEC_TAG", path, f"{_cut(event.tag)} is a YAML tag; none is read", "Remove the tag."
            )
        if kind == "ScalarEvent":
            value = self.scalar(event, path)
        elif depth >= MAX_DEPTH:
            _too_deep(line)
        elif kind == "SequenceStartEvent":
            value = self.sequence(path, depth)
        else:
            value = self.mapping(path, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = value
        return value

    def alias(self, name: str, line: int) -> Any:
        """What an anchor named before; not expanded here, but counted: copies of copies grow fast."""
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            _refuse("SPEC_ALIASES", f"the spec has more than {MAX_ALIASES} aliases", "Write the values out.", line)
        if name not in self.anchors:
            _refuse("SPEC_SYNTAX", f"*{_cut(name)} refers to no value above it", "Write the value out.", line)
        return self.anchors[name]

    def sequence(self, path: Path, depth: int) -> list[Any]:
        """A list, up to its end."""
        items: list[Any] = []
        while type(event := next(self.events)).__name__ != "SequenceEndEvent":
            items.append(self.build(event, (*path, len(items)), depth + 1))
        return items

    def mapping(self, path: Path, depth: int) -> dict[str, Any]:
        """An object, up to its end."""
        found: dict[str, Any] = {}
        while type(event := next(self.events)).__name__ != "MappingEndEvent":
            line = event.start_mark.line + 1
            name = event.value if type(event).__name__ == "ScalarEvent" else None
            full = _key(self.document, path, name, line, found)
            value = self.build(next(self.events), full, depth + 1)
            found.setdefault(full[-1], value)  # type: ignore[arg-type] # a path ends in the key, which is text
        return found

    def scalar(self, event: Any, path: Path) -> Any:
        """Text, number, truth or null, by YAML 1.2's core schema; an empty value is complained of."""
        text = event.value
        if not event.implicit[0]:
            return _string(self.document, path, text)
        if text == "":
            return self.empty(path)
        if text in ("~", "null", "Null", "NULL"):
            return None
        if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
            return text.lower() == "true"
        number = _number(self.document, path, text)
        return _string(self.document, path, text) if number is None else number

    def empty(self, path: Path) -> Any:
        """Complain of a field without a value: most often an unquoted colour, which YAML takes for a comment."""
        name = _cut(str(path[-1])) if path else "the spec"
        colour = _bare_colour(self.document.text, self.document.lines[path])
        advice = _QUOTE.format(colour) if colour else _EMPTY
        return self.document.complain("FIELD_EMPTY", path, f"{name} has no value", advice)


# --- JSON ------------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+)')
_WORDS = {"true": True, "false": False, "null": None}


def _read_json(document: Document) -> None:
    try:
        # Only for its complaints: numbers stay text, so that one of 5,000 digits is no error of Python's.
        json.loads(document.text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        advice = "Check this line and the one above: quotes, commas, brackets."
        if document.text.lstrip()[:1] not in ("{", "["):
            advice = "A spec in JSON begins with {. If this is YAML, name the file .yaml."
        _refuse("SPEC_SYNTAX", f"this is not JSON: {error.msg}", advice, error.lineno)
    except RecursionError:
        _too_deep(1)
    document.value = _Json(document).build((), 0)


class _Json:
    """Builds values from JSON's tokens, with their lines. The text is known to be well formed."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.at = 0
        self.line = 1

    def token(self) -> str:
        """The next token; moves on to its line."""
        found = _TOKEN.match(self.document.text, self.at)
        assert found is not None  # noqa: S101 - json.loads has read this very text
        self.line += self.document.text.count("\n", self.at, found.start(1))
        self.at = found.end()
        return found[1]

    def build(self, path: Path, depth: int, token: str = "") -> Any:
        """The value that begins with `token`, or with the next one."""
        token = token or self.token()
        self.document.lines.setdefault(path, self.line)
        if token[0] == '"':
            return _string(self.document, path, json.loads(token))
        if token in _WORDS:
            return _WORDS[token]
        if token not in ("{", "["):
            return _number(self.document, path, token)
        if depth >= MAX_DEPTH:
            _too_deep(self.line)
        return self.mapping(path, depth) if token == "{" else self.sequence(path, depth)  # noqa: S105 - a bracket

    def sequence(self, path: Path, depth: int) -> list[Any]:
        """A list, up to its end."""
        items: list[Any] = []
        token = self.token()
        while token != "]":  # noqa: S105 - a bracket
            items.append(self.build((*path, len(items)), depth + 1, token))
            token = self.token()
            if token == ",":  # noqa: S105 - a comma
                token = self.token()
        return items

    def mapping(self, path: Path, depth: int) -> dict[str, Any]:
        """An object, up to its end."""
        found: dict[str, Any] = {}
        token = self.token()
        while token != "}":  # noqa: S105 - a bracket
            if token != ",":  # noqa: S105 - a comma
                name = json.loads(token)
                full = _key(self.document, path, name, self.line, found)
                self.token()  # the colon
                value = self.build(full, depth + 1)
                found.setdefault(name, value)
            token = self.token()
        return found
