"""Hostile requests: whatever arrives, the answer is one that the pages know, and nothing is accepted by accident."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from desk import BACKGROUNDCUT, IMAGEPIPELINE, RUNFLOW, Desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

POSTS = [
    ("/v1/models/runflow/background-color/runs", RUNFLOW),
    ("/v1/models/runflow/background-replace/runs", RUNFLOW),
    ("/v1/models/bria/background/remove/runs", RUNFLOW),
    ("/v1/models/runflow/background-color/batches", RUNFLOW),
    ("/v1/run/runflow/background-color", RUNFLOW),
    ("/v1/callback-secrets", RUNFLOW),
    ("/v1/asset-uploads", RUNFLOW),
    ("/v3/tools/ai/remove-bg/process/", BACKGROUNDCUT),
    ("/v3/file-ops/get-public-url/", BACKGROUNDCUT),
    ("/v3/file-ops/upload/", BACKGROUNDCUT),
    ("/v3/auth/access-token/", BACKGROUNDCUT),
    ("/background/change/image/v1", IMAGEPIPELINE),
    ("/background/remove/image/v1", IMAGEPIPELINE),
    ("/upload/image/v1", IMAGEPIPELINE),
]
DOCUMENTED = {200, 201, 400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 429}

text = st.text(max_size=30)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)
names = st.sampled_from(
    [
        *("input", "image_url", "color_red", "zip_url", "file_image", "callback_url", "metadata", "client_ref"),
        *("input_key", "output_variants", "key", "input_image", "prompt", "recolor", "seed", "palette", "label"),
        *("filename", "mime_type", "size_bytes", "endpoints", "sync_mode"),
    ]
)
bodies = st.dictionaries(names | text, values, max_size=6)
quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@quick
@given(where=st.sampled_from(POSTS), body=bodies)
def test_any_json_gets_a_documented_answer(desk: Desk, where: tuple[str, dict[str, str]], body: dict[str, Any]) -> None:
    """Objects of known and unknown fields with values of any type never end in a fault."""
    reply = desk.http.post(where[0], headers=where[1], json=body)
    assert reply.status_code in DOCUMENTED, reply.text
    assert isinstance(reply.json(), dict)


@quick
@given(
    where=st.sampled_from(POSTS),
    body=st.binary(max_size=60)
    | st.sampled_from(
        [
            b"[" * 20_000,
            b'{"input":' * 2_000,
            b'{"input": 1e999}',
            b'{"input": ' + b"9" * 10_000 + b"}",
            b'{"input": {"image_url": "\\ud800"}}',
            b'{"input": -Infinity}',
            b"\xff\xfe\x00",
            b'{"a":' + b"[" * 90 + b"]" * 90 + b"}",
        ]
    ),
    kind=st.sampled_from(["application/json", "multipart/form-data; boundary=x", "text/plain"]),
)
def test_any_bytes_get_a_documented_answer(
    desk: Desk, where: tuple[str, dict[str, str]], body: bytes, kind: str
) -> None:
    """Bytes that are no JSON, too deep, too long or unprintable are refused."""
    reply = desk.http.post(where[0], headers={**where[1], "content-type": kind}, content=body)
    assert reply.status_code in DOCUMENTED, reply.text


@quick
@given(
    path=st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), max_size=40),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    start=st.sampled_from(["/v1/", "/v1/runs/", "/v1/models/", "/v3/", "/background/", "/results/", "/uploads/", "/"]),
    query=st.dictionaries(st.sampled_from(["limit", "pq", "q", "fields", "expires", "signature"]), text, max_size=3),
)
def test_any_path_gets_a_documented_answer(
    desk: Desk, path: str, method: str, start: str, query: dict[str, str]
) -> None:
    """Unknown paths, methods and queries are refused in the provider's words."""
    reply = desk.http.request(method, start + quote(path), headers=RUNFLOW, params=query)
    assert reply.status_code in DOCUMENTED | {301, 307}, reply.text


def test_ids_with_hostile_values_reach_no_file(desk: Desk) -> None:
    """A path that climbs, or a signature for another file, opens nothing."""
    url = desk.ended(desk.create().json()["id"])["output"]["image_urls"][0]
    other = desk.ended(desk.create().json()["id"])["output"]["image_urls"][0]
    query = url.partition("?")[2]
    assert desk.http.get(f"{other.partition('?')[0]}?{query}").status_code == 403
    assert desk.http.get(f"/results/runflow/..%2f..%2fetc%2fpasswd/x?{query}").status_code in {403, 404}
    assert desk.http.get(url.replace("/results/runflow/", "/results/backgroundcut/")).status_code == 404
    assert desk.http.get(url.replace("expires=", "expires=x")).status_code == 403


def test_a_body_beyond_the_bound_is_413(desk: Desk) -> None:
    """JSON above 2 MB is refused before it is parsed, in each provider's words, however it is announced."""

    def chunks() -> Any:
        for _ in range(30):
            yield b" " * 100_000

    for path, headers in POSTS:
        if "upload" not in path:
            reply = desk.http.post(path, headers=headers, content=chunks())
            assert reply.status_code == 413, path
            assert json.loads(reply.content)


def test_secrets_are_kept_nowhere(desk: Desk) -> None:
    """No key, presigned query, callback token or inline picture is shown by log, ledger, trouble or page."""
    desk.create(callback_url=desk.hook, metadata={"link": "https://u:pw@example.test/a?token=t0ps3cret"})
    desk.create(given=desk.color_input(image_url="data:image/png;base64,aW5saW5lLXBpY3R1cmU="))
    desk.post_job(callback_url=desk.hook)
    desk.http.post("/v1/callback-secrets", headers=RUNFLOW, json={"label": "x"})
    shown = "".join(
        desk.http.get(path).text
        for path in ("/_sandbox/requests", "/_sandbox/ledger", "/_sandbox/trouble", "/_sandbox/status", "/")
    )
    for secret in (
        *("rf_live_sandbox", "ip_live_sandbox", "X-Amz-Signature=secret", "tokentokentoken", "t0ps3cret", "u:pw@"),
        *("aW5saW5l", "whsec_"),
    ):
        assert secret not in shown
    assert "digest:" in shown


def test_many_at_once_are_all_counted(desk: Desk) -> None:
    """Concurrent posts are each one line with an id of its own."""
    desk.sandbox.trouble(run_stuck=True)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: desk.create(client_ref=f"many-{n}"), range(24)))
    assert {one.status_code for one in replies} == {201}
    assert len({one.json()["id"] for one in replies}) == 24
    ledger = desk.sandbox.ledger()
    assert ledger["count"] == 24
    assert set(ledger["by_reference"].values()) == {1}
