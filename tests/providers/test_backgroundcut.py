"""BackgroundCut: one session of upload, process and minting, and what becomes of its troubles."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asking import REFERENCE, VARIANT, Photo, client, posted_for, request_for
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import DROPPED, Answer, raw, told

from backdrop.errors import BackdropError, Later, Parked, Unknown
from backdrop.providers.backgroundcut import KEEP_SECONDS, BackgroundCut, output_keys
from backdrop.providers.base import Accepted, Finished, Malformed, Output, Running, Succeeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from wire import Asked, Wire

MODEL = "backgroundcut/remove-bg"
EVENTS = Path(__file__).resolve().parents[2] / "events" / "providers"
TWO = [
    {**VARIANT, "format": "jpeg", "background_color": "#1a01ff", "output_compression": 90},
    {**VARIANT, "quality": "high", "autocrop": True, "max_resolution": 4_000_000},
]
KEYS = [f"backdrop/{REFERENCE}/1.jpg", f"backdrop/{REFERENCE}/2.png"]


def store(asked: Asked) -> Answer:
    """A provider that is well: each key has a URL of its own."""
    if "upload" in asked.path:
        return told(200, {"success": True})
    if "process" in asked.path:
        return told(200, {"output_keys": [one["output_key"] for one in asked.data["output_variants"]]})
    return told(200, {"url": f"https://store.example.test/{asked.data['key']}?sig=1"})


def well_but(**answers: Callable[[Asked, int], Answer | None]) -> Callable[[Asked], Answer]:
    """A provider that is well but for some routes; each is told how often it was asked before."""
    count: dict[str, int] = {}

    def reply(asked: Asked) -> Answer:
        for name, answer in answers.items():
            if name in asked.path:
                before = count.get(name, 0)
                count[name] = before + 1
                return answer(asked, before) or store(asked)
        return store(asked)

    return reply


def routes(wire: Wire) -> list[str]:
    """The last part of each path that was asked."""
    return [asked.path.rstrip("/").rpartition("/")[2] for asked in wire.asked]


def urls(outcome: Any) -> list[str]:
    """The keys in an outcome's URLs."""
    assert isinstance(outcome, Succeeded)
    return [output.url.partition("?")[0].removeprefix("https://store.example.test/") for output in outcome.outputs]


def test_everything_is_sent_as_documented(wire: Wire, photo: Photo) -> None:
    """Multipart with file and key, then every field of each variant, then a key per URL; the token on each."""
    wire.answer = store
    reply = client("backgroundcut", wire.url).submit(request_for(MODEL, photo, output_variants=TWO))
    assert isinstance(reply, Finished)
    assert urls(reply.outcome) == KEYS
    assert isinstance(reply.outcome, Succeeded)
    assert [output.format for output in reply.outcome.outputs] == ["jpeg", "png"]
    upload, process, *mints = wire.asked
    assert upload.path == "/v3/file-ops/upload/"
    assert upload.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="key"\r\n\r\nbackdrop/' + photo.digest.encode() + b".png\r\n" in upload.body
    assert b'name="file"; filename="image.png"\r\nContent-Type: image/png\r\n\r\n' + photo.data in upload.body
    assert process.path == "/v3/tools/ai/remove-bg/process/"
    assert process.data == {
        "input_key": f"backdrop/{photo.digest}.png",
        "output_variants": [
            {"output_key": KEYS[0], **TWO[0]},
            {"output_key": KEYS[1], **{name: value for name, value in TWO[1].items() if value is not None}},
        ],
    }
    assert [mint.data for mint in mints] == [{"key": key} for key in KEYS]
    assert {asked.headers["authorization"] for asked in wire.asked} == {"Token bc_sandbox"}


def test_an_upload_is_shared(wire: Wire, photo: Photo) -> None:
    """Jobs on the same bytes share one upload for a little less than the two hours that it lives."""
    wire.answer = store
    provider = client("backgroundcut", wire.url)
    for _ in range(3):
        provider.submit(request_for(MODEL, photo))
    assert routes(wire).count("upload") == 1
    assert photo.kept_for == [KEEP_SECONDS]
    assert 6000 <= KEEP_SECONDS < 7200


@pytest.mark.parametrize("remembered", [True, False])
def test_a_lost_upload_is_made_once_more(wire: Wire, photo: Photo, *, remembered: bool) -> None:
    """404 from process (gone, or another region): not accepted, so the photo is uploaded again and it is redone."""
    if remembered:
        photo.remember("backgroundcut", f"backdrop/{photo.digest}.png", 60)
    wire.answer = well_but(process=lambda _, before: None if before else told(404, {"detail": "Not found."}))
    reply = client("backgroundcut", wire.url).submit(request_for(MODEL, photo))
    assert isinstance(reply, Finished)
    first = ["process"] if remembered else ["upload", "process"]
    assert routes(wire) == [*first, "upload", "process", "get-public-url"]


def test_an_upload_that_stays_lost_is_later(wire: Wire, photo: Photo) -> None:
    """One new upload, no more: another turn may reach the right server."""
    wire.answer = well_but(process=lambda *_: raw(404))
    with pytest.raises(Later) as caught:
        client("backgroundcut", wire.url).submit(request_for(MODEL, photo))
    assert caught.value.code == "UPLOAD_GONE"
    assert routes(wire) == ["upload", "process", "upload", "process"]


def test_a_dropped_upload_is_later_and_a_dropped_process_unknown(wire: Wire, photo: Photo) -> None:
    """An upload costs nothing; process is charged and has no idempotency key."""
    provider = client("backgroundcut", wire.url)
    wire.answer = well_but(upload=lambda *_: DROPPED)
    with pytest.raises(Later):
        provider.submit(request_for(MODEL, photo))
    assert photo.memory == {}
    wire.answer = well_but(process=lambda *_: DROPPED)
    with pytest.raises(Unknown):
        provider.submit(request_for(MODEL, photo))
    assert routes(wire).count("process") == 1


@pytest.mark.parametrize(
    "body",
    [
        {"output_keys": KEYS},
        {"output_keys": KEYS[::-1]},
        {"output_keys": KEYS[:1]},
        {"output_keys": [KEYS[0], KEYS[0]]},
        {"output_keys": [KEYS[0], 7]},
        {"output_keys": "all"},
        {},
        [],
        None,
    ],
)
def test_our_own_keys_name_their_variants(wire: Wire, photo: Photo, body: Any) -> None:
    """We chose the keys: whatever order or form the reply has, each variant is asked for by its own."""
    wire.answer = well_but(process=lambda *_: told(200, body))
    reply = client("backgroundcut", wire.url).submit(request_for(MODEL, photo, output_variants=TWO))
    assert isinstance(reply, Finished)
    assert urls(reply.outcome) == KEYS


def test_keys_that_the_provider_chose_count_by_their_order(wire: Wire, photo: Photo) -> None:
    """Should the reply name wholly others, it names them in the variants' order (seed 002)."""
    wire.answer = well_but(process=lambda *_: told(200, {"output_keys": ["space/b", "space/a"]}))
    reply = client("backgroundcut", wire.url).submit(request_for(MODEL, photo, output_variants=TWO))
    assert isinstance(reply, Finished)
    assert urls(reply.outcome) == ["space/b", "space/a"]


@pytest.mark.parametrize("trouble", [DROPPED, raw(500), raw(200, b"{}")], ids=["dropped", "500", "empty"])
def test_minting_is_tried_twice(wire: Wire, photo: Photo, trouble: Answer) -> None:
    """One lost answer does not put a paid picture in doubt."""
    wire.answer = well_but(get=lambda _, before: None if before else trouble)
    reply = client("backgroundcut", wire.url).submit(request_for(MODEL, photo))
    assert isinstance(reply, Finished)
    assert routes(wire).count("get-public-url") == 2


UNMINTED = (
    pytest.param(DROPPED, 2, Later, id="dropped"),
    pytest.param(raw(500), 2, Later, id="500"),
    pytest.param(raw(503), 2, Later, id="503"),
    pytest.param(raw(302, b"", "Location: https://elsewhere.example.test/"), 2, Later, id="302"),
    pytest.param(raw(200, b"{}"), 2, Later, id="empty"),
    pytest.param(raw(200, b'{"url": "https://store.ex', length=200), 2, Later, id="truncated"),
    pytest.param(told(200, {"url": "ftp://store.example.test/1"}), 2, Later, id="no-link"),
    pytest.param(raw(429, b"", "Retry-After: 7"), 1, Later, id="429"),
    pytest.param(raw(401), 1, Parked, id="401"),
    pytest.param(raw(402), 1, Parked, id="402"),
    pytest.param(raw(404), 1, None, id="404"),
    pytest.param(raw(400), 1, None, id="400"),
)


@pytest.mark.parametrize("missing", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize(("trouble", "tries", "leaf"), UNMINTED)
def test_a_paid_picture_without_a_url_is_accepted_and_polled_later(
    wire: Wire, photo: Photo, *, trouble: Answer, tries: int, leaf: type[BackdropError] | None, missing: int
) -> None:
    """`process` took the job: it is Accepted under its reference, no poll gives it up, and one brings all of it."""
    wire.answer = well_but(get=lambda asked, _: trouble if asked.data["key"] == KEYS[missing] else None)
    provider = client("backgroundcut", wire.url)
    posted = posted_for(MODEL, run_id=REFERENCE, output_variants=TWO)
    assert provider.submit(request_for(MODEL, photo, output_variants=TWO)) == Accepted(REFERENCE)
    assert routes(wire) == ["upload", "process", *["get-public-url"] * (missing + tries)]
    if leaf is None:
        assert provider.poll(posted) == Running("not_there")
    else:
        with pytest.raises(leaf):
            provider.poll(posted)
    wire.answer = store
    assert urls(provider.poll(posted)) == KEYS
    assert routes(wire).count("process") == 1


def test_one_missing_variant_is_no_trace(wire: Wire) -> None:
    """Only all of an attempt's pictures prove that it was made."""
    wire.answer = well_but(get=lambda asked, _: raw(404) if asked.data["key"] == KEYS[1] else None)
    assert client("backgroundcut", wire.url).find(posted_for(MODEL, output_variants=TWO)) is None


def test_a_poll_mints_again(wire: Wire) -> None:
    """An expired URL is replaced by a fresh one of the same key."""
    wire.answer = store
    outcome = client("backgroundcut", wire.url).poll(posted_for(MODEL, output_variants=TWO))
    assert urls(outcome) == KEYS


def test_no_paid_post_starts_without_its_time(wire: Wire, photo: Photo) -> None:
    """After a slow upload the work waits for another turn, which finds the upload remembered; nothing is charged."""
    moments = iter([0.0, 70.0])
    provider = BackgroundCut(base_url=wire.url, key="bc_sandbox", clock=lambda: next(moments))
    wire.answer = store
    with pytest.raises(Later) as caught:
        provider.submit(request_for(MODEL, photo))
    assert caught.value.code == "NO_TIME"
    assert routes(wire) == ["upload"]
    assert photo.memory


def test_minting_ends_with_its_time(wire: Wire, photo: Photo) -> None:
    """What is paid for and cannot be asked for in this turn is accepted, and polled in another."""
    moments = iter([0.0, 10.0, 400.0])
    provider = BackgroundCut(base_url=wire.url, key="bc_sandbox", clock=lambda: next(moments))
    wire.answer = store
    assert provider.submit(request_for(MODEL, photo)) == Accepted(REFERENCE)
    assert routes(wire) == ["upload", "process"]
    outcome = client("backgroundcut", wire.url).poll(posted_for(MODEL, run_id=REFERENCE))
    assert urls(outcome) == [f"backdrop/{REFERENCE}/1.png"]
    assert routes(wire) == ["upload", "process", "get-public-url"]


def test_it_blocks_for_less_than_its_function_lives() -> None:
    """`reconcile` has 420 seconds: upload, the longest process call and minting fit in, and reading the photo."""
    provider = client("backgroundcut", "http://h.test")
    assert provider.blocks(MODEL, "")
    assert 360 < provider.submit_seconds(MODEL, "") < 410


@pytest.mark.parametrize(
    ("variants", "keys"),
    [
        ([{"format": "jpeg"}, {"format": "webp"}, {}], ["1.jpg", "2.webp", "3.png"]),
        ([{"format": None}], ["1.png"]),
    ],
)
def test_output_keys_are_the_attempts_own(variants: list[dict[str, Any]], keys: list[str]) -> None:
    """One key per variant, by number, below the attempt's reference: an older attempt's picture is never mistaken."""
    assert output_keys({"output_variants": variants}, "job-2") == [f"backdrop/job-2/{key}" for key in keys]


def test_it_sends_no_callbacks(wire: Wire) -> None:
    """Whatever comes is none of its."""
    with pytest.raises(Malformed):
        client("backgroundcut", wire.url).read_callback(b"{}", {})


def test_check_asks_for_what_cannot_exist(wire: Wire) -> None:
    """404 proves the key, for free."""
    wire.always(told(404, {"detail": "Not found."}))
    assert "takes the key" in client("backgroundcut", wire.url).check()
    assert wire.asked[0].data == {"key": "backdrop/no-such-file"}


def test_the_sample_replies_are_read(wire: Wire, photo: Photo) -> None:
    """The provider's replies in the event files."""
    processed, public = (
        json.loads((EVENTS / f"backgroundcut-{name}.json").read_text(encoding="utf-8"))
        for name in ("processed", "public-url")
    )
    wire.by_path(upload=told(200, {"success": True}), process=told(200, processed), get_public_url=told(200, public))
    reply = client("backgroundcut", wire.url).submit(request_for(MODEL, photo, output_variants=TWO))
    assert isinstance(reply, Finished)
    assert reply.outcome == Succeeded((Output(public["url"], "jpeg"), Output(public["url"], "png")))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["success", "output_keys", "url", "detail"]), inner, max_size=4)
    ),
    max_leaves=6,
)
STATUS = st.sampled_from([200, 201, 302, 400, 404, 429, 500])


@settings(deadline=None, max_examples=40)
@given(answers=st.lists(st.tuples(STATUS, JSON), min_size=5, max_size=5))
def test_any_replies_end_in_pictures_or_a_leaf(line: Wire, answers: list[tuple[int, Any]]) -> None:
    """Whatever the three routes answer: a job that `process` took is never raised away, one that it refused always."""
    line.asked.clear()
    line.in_turn(*(told(status, value) for status, value in answers))
    reply: Accepted | Finished | None = None
    with suppress(BackdropError):
        reply = client("backgroundcut", line.url).submit(request_for(MODEL, Photo("http://h.test", b"x")))
    statuses = [answers[min(number, len(answers) - 1)][0] for number in range(len(line.asked))]
    processed = [status for status, route in zip(statuses, routes(line), strict=True) if route == "process"]
    assert (reply is not None) == any(status in {200, 201} for status in processed)
    if reply is not None:
        assert reply == Accepted(REFERENCE) or isinstance(reply, Finished)
