"""Reading foreign JSON: bounded, scrubbed, never a surprise."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backdrop.errors import Later, Parked
from backdrop.providers import backgroundcut, imagepipeline, registry, runflow
from backdrop.providers.http import Reply
from backdrop.providers.replies import (
    MESSAGE_CHARACTERS,
    Rule,
    at,
    code_of,
    complaint,
    facts,
    identity,
    link,
    parse,
    refusal,
    retry_after,
    tell,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["code", "message", "errors", "detail", "error", "error_code", "loc", "msg", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
SECRETS = (
    "rf_live_9aK2mQ",
    "ip_live_77ab",
    "whsec_Zz81",
    "AKIAIOSFODNN7EXAMPLEKEY",
    "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY",
    "k1.luJzWGfzS2SnBjsse2vIL7ZEJMoy6Mc2pDEXKVslvIY",
    "k1.luJzWGfzSkSnBjssexvILyZEJMoyxMcxpDEXKVslvIY",
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("plain words", "plain words"),
        ("two\n lines\tand\x00 more", "two lines and more"),
        ("see https://b.s3.test/k/photo.png?X-Amz-Signature=ab12 now", "see https://b.s3.test/… now"),
        ("at https://user:pass@host.test:8443/x", "at https://host.test:8443/…"),
        ("callback https://h.test/callbacks/runflow/0a/1/k1.abc failed", "callback https://h.test/… failed"),
        ('"https://h.test/a?b=c", again', '"https://h.test/…", again'),
        ("got data:image/png;base64,iVBORw0KGgo= there", "got data:… there"),
        ("key rf_live_abc123 is old", "key … is old"),
        ("secret whsec_abc is wrong", "secret … is wrong"),
        ("Authorization: Bearer abc123", "Authorization: Bearer …"),
        ("header was Token 0a1b2c", "header was Token …"),
        ("Invalid token provided", "Invalid token provided"),
        ("X-Amz-Security-Token=FwoGZXIv and api_key: a1b2c3d4", "X-Amz-Security-Token=… and api_key: …"),
        ("password=hunter", "password=…"),
        ("api_key: This field is required", "api_key: This field is required"),
        ("run 0197f3a2-6c1e-7b44-9d0a-3f5e2c8a1b60 failed", "run 0197f3a2-6c1e-7b44-9d0a-3f5e2c8a1b60 failed"),
        ("token was 0123456789abcdef0123456789abcdef", "token was …"),
        ("half of luJzWGfzSkSnBjssexvILyZEJM", "half of …"),
        ("ORGANIZATION_MEMBERSHIP_REQUIRED", "ORGANIZATION_MEMBERSHIP_REQUIRED"),
        ("InvalidParameterCombinationException", "InvalidParameterCombinationException"),
        ("the_name_of_a_very_long_field", "the_name_of_a_very_long_field"),
        (None, ""),
        (["list"], ""),
        (7, ""),
    ],
)
def test_tell_scrubs(said: Any, told: str) -> None:
    """A provider's text is shown on one line without keys, paths and queries; no text gives none."""
    assert tell(said) == told


def test_tell_hides_what_it_is_given() -> None:
    """A key of no known shape is hidden because it is named."""
    assert tell("the key hunter is bad", hide=("hunter", "")) == "the key … is bad"


def test_tell_cuts_long_texts_without_halving_a_secret() -> None:
    """A text is cut to its limit; a word that the reading limit cuts through is dropped, not half shown."""
    assert len(tell("word " * 500)) == MESSAGE_CHARACTERS
    padding = "https://h.test/" + "x" * 3970  # shrinks to a few characters, so the end of what was read is shown
    assert "hunt" not in tell(f"{padding} hunter-of-keys-hunter", hide=("hunter-of-keys-hunter",))


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60), st.sampled_from(SECRETS), st.text(max_size=60))
def test_tell_shows_no_secret_in_a_query(before: str, secret: str, after: str) -> None:
    """Whatever stands around it, a secret in a URL's query is not shown."""
    assert secret not in tell(f"{before} https://h.test/p?sig={secret} {after}")


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=5000) | st.binary(max_size=2000).map(lambda b: b.decode("latin-1")))
def test_tell_is_one_bounded_line(said: str) -> None:
    """Whatever is said, what is told is one printable line within the limit."""
    told = tell(said)
    assert len(told) <= MESSAGE_CHARACTERS
    assert told.isprintable()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 1.0),
        ("0.2", 1.0),
        ("2.5", 2.5),
        (" 12 ", 12.0),
        ("86400", 3600.0),
        ("9" * 400, 3600.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 1.0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 3600.0),
        ("Fri, 01 Jan 2100 00:00:00", 3600.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("1e3", None),
        ("Mon, 99 Foo 10000 00:00:00 GMT", None),
        ("²", None),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    """Retry-After counts as seconds or HTTP date, within 1 s and 1 h; anything else counts as absent."""
    assert retry_after({"retry-after": header}) == seconds


def test_retry_after_as_a_date_counts_from_now() -> None:
    """A date two minutes ahead is a wait of two minutes."""
    moment = datetime.now(UTC) + timedelta(seconds=120)
    found = retry_after({"retry-after": format_datetime(moment, usegmt=True)})
    assert found is not None
    assert 115 < found <= 120


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=200))
def test_retry_after_takes_any_header(header: str) -> None:
    """No header raises, and every wait is within its bounds."""
    found = retry_after({"retry-after": header})
    assert found is None or 1 <= found <= 3600


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"null", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b'{"a": NaN}', None),
        (b'{"a": Infinity}', None),
        (b"[" * 100_000, None),
        (b'{"a": ' + b"9" * 5000 + b"}", None),
        ('{"a": "\ud83d"}'.encode("utf-8", "surrogatepass"), None),
        (b"{'a': 1}", None),
    ],
)
def test_parse(body: bytes, value: Any) -> None:
    """Strict JSON in UTF-8, of any depth and length, or None."""
    assert parse(body) == value


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300))
def test_parse_takes_any_bytes(body: bytes) -> None:
    """No body raises."""
    parse(body)


@pytest.mark.parametrize(
    ("path", "found"),
    [((), {"a": [{"b": 1}]}), (("a", 0, "b"), 1), (("a", 1), None), (("a", "b"), None), ((0,), None), (("x",), None)],
)
def test_at(path: tuple[str | int, ...], found: Any) -> None:
    """A path that leads nowhere finds None."""
    assert at({"a": [{"b": 1}]}, *path) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("0197f3a2-6c1e-7b44-9d0a-3f5e2c8a1b60", True),
        ("job_7be1c09a", True),
        ("a" * 200, True),
        ("a" * 201, False),
        ("", False),
        (".", False),
        ("..", False),
        ("a/b", False),
        ("a?b", False),
        ("a%2fb", False),
        ("a\n", False),
        ("é", False),
        (7, False),
        (None, False),
    ],
)
def test_identity(value: Any, found: bool) -> None:  # noqa: FBT001 - a row of the table
    """An id is safe to stand in a path, or it is none."""
    assert identity({"id": value}, "id") == (value if found else "")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("https://h.test/x", True),
        ("HTTPS://h.test/x", True),
        ("http://h.test", True),
        ("https://h.test/" + "x" * 15_985, True),
        ("https://h.test/" + "x" * 15_986, False),
        ("ftp://h.test/x", False),
        ("file:///etc/passwd", False),
        ("data:image/png;base64,AA==", False),
        ("//h.test/x", False),
        ("", False),
        (["https://h.test"], False),
    ],
)
def test_link(value: Any, found: bool) -> None:  # noqa: FBT001 - a row of the table
    """Only http(s) URLs of a sane length are links."""
    assert link({"url": value}, "url") == (value if found else "")


def test_facts_are_named_plain_and_bounded() -> None:
    """Of a reply only what was named, and of that only plain values, is kept."""
    reply = {
        "cost": "0.12",
        "duration_ms": 18342,
        "balance": 42.1,
        "flag": True,
        "huge": 10**31,
        "inf": float("inf"),
        "list": [1],
        "none": None,
        "timing": {"inference_ms": 910, "deep": {"a": 1}, "bad name": 1, "far": float("-inf"), "none": None},
        "url": "https://h.test/p?sig=ab12",
        "long": "word " * 100,
        "unnamed": 1,
    }
    kept = facts(reply, (*[name for name in reply if name != "unnamed"], "absent"))
    assert kept == {
        "cost": "0.12",
        "duration_ms": 18342,
        "balance": 42.1,
        "flag": True,
        "timing": {"inference_ms": 910, "none": None},
        "url": "https://h.test/…",
        "long": ("word " * 100)[:199] + "…",
    }
    assert facts(reply, ("none",), nulls=True) == {"none": None}
    assert facts([], ("cost",)) == {}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"code": "X", "message": "Nope", "errors": None}, "Nope"),
        ({"message": "Bad", "errors": [{"loc": ["input", "a", 0], "msg": "too big"}]}, "Bad; input.a.0: too big"),
        ({"errors": ["one", {"field": "two", "message": "is bad"}, 3]}, "one; two: is bad"),
        ({"detail": "Insufficient credits."}, "Insufficient credits."),
        ({"detail": [{"loc": ["body", "prompt"], "msg": "field required"}]}, "prompt: field required"),
        ({"detail": {"color": ["no", "never"], "size": "big"}}, "color: no; size: big"),
        ({"key": ["This field is required."], "stray": "text"}, "key: This field is required."),
        ({"error": True, "error_code": "X", "message": "Balance too low"}, "Balance too low"),
        ({"error": "It broke", "error_code": "X"}, "It broke"),
        ({"error": {"code": "X", "message": "It broke"}}, "It broke"),
        ({"message": "same", "detail": "same"}, "same"),
        ({"secret_input": {"a": "value"}}, ""),
        ("text", ""),
        (None, ""),
    ],
)
def test_complaint(body: Any, said: str) -> None:
    """Each documented shape of an error is told; places that no page names are not."""
    assert complaint(body) == said


@settings(deadline=None, max_examples=60)
@given(JSON)
def test_complaint_takes_any_json(body: Any) -> None:
    """No error body raises, and none fills a page."""
    assert len(complaint(body)) <= MESSAGE_CHARACTERS
    assert re.fullmatch(r"[A-Z0-9_.-]{0,64}", code_of(body))


TABLES = {
    "runflow": runflow.RULES,
    "runflow flat": runflow.FLAT_RULES,
    "backgroundcut upload": backgroundcut.UPLOAD_RULES,
    "backgroundcut": backgroundcut.RULES,
    "imagepipeline": imagepipeline.RULES,
}


@pytest.mark.parametrize("name", TABLES)
@settings(deadline=None, max_examples=60)
@given(
    status=st.integers(100, 999),
    body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()),
    paid=st.booleans(),
)
def test_every_reply_has_a_rule(name: str, status: int, body: bytes, paid: bool) -> None:  # noqa: FBT001 - generated
    """Any status with any body is one of the leaves, with an action; unpaid, it is never Unknown."""
    error = refusal(TABLES[name], Reply(status, {}, body), paid=paid)
    assert error.action
    assert paid or type(error).__name__ != "Unknown"


@pytest.mark.parametrize("name", TABLES)
def test_no_rule_is_out_of_reach(name: str) -> None:
    """Each row of a table is the first to cover some reply: a row that never counts would mislead its reader."""
    rules = TABLES[name]
    codes = ["", *sorted({code for rule in rules for code in rule.codes})]
    reached = {
        next(place for place, rule in enumerate(rules) if rule.covers(status, code))
        for status in range(100, 1000)
        for code in codes
    }
    assert reached == set(range(len(rules)))


def test_a_rule_pauses_when_the_reply_tells_no_wait() -> None:
    """The table's pause counts when there is no Retry-After, which otherwise wins."""
    rules = (Rule((), "later", "BUSY", "busy", "wait", pause=60.0),)
    for headers, pause in (({}, 60.0), ({"retry-after": "5"}, 5.0)):
        error = refusal(rules, Reply(429, headers, b""), paid=True)
        assert isinstance(error, Later)
        assert error.retry_after == pause


def test_a_message_holds_status_code_and_words() -> None:
    """What a person reads: our sentence, the status, the provider's code and its words."""
    body = b'{"code": "insufficient_credit", "message": "Top up"}'
    error = refusal(runflow.RULES, Reply(402, {}, body), paid=True)
    assert isinstance(error, Parked)
    assert error.message == "the Runflow account has no credit left (402 INSUFFICIENT_CREDIT): Top up"
    assert "go on by themselves" in error.action


def test_an_unknown_provider_is_refused() -> None:
    """The registry knows its three and invents none."""
    for name in ("runflow", "backgroundcut", "imagepipeline"):
        assert registry.make(name, base_url="http://h.test", key="k").name == name
    with pytest.raises(KeyError):
        registry.make("someone", base_url="http://h.test", key="k")
