"""The guarded download over real connections: pinning, TLS, redirects, what it sends and what it hands on."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from hostile import identity, redirect, reply, serving
from outside import PUBLIC, SECRET, Outside, get, later, refused

from backdrop import fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


def test_a_plain_download_gives_the_bytes_and_sends_nothing_of_ours() -> None:
    """The request carries the host, asks for identity, and holds no key, cookie or referrer."""
    with serving(lambda _: [reply(b"picture", content_type="Image/PNG; q=1")]) as server:
        url = f"{server.origin}/a/b.PNG?{SECRET}&x=%2F+y#part"
        with fetch.download(url, allowed_origins=[server.origin], max_bytes=7, seconds=5) as found:
            assert (found.status, found.content_type, found.length, found.extension) == (200, "image/png", 7, "png")
            assert b"".join(found.chunks) == b"picture"
    (head,) = server.requests
    line, *rest = head.splitlines()
    assert line == f"GET /a/b.PNG?{SECRET}&x=%2F+y HTTP/1.1"
    assert {name.partition(":")[0].lower() for name in rest} == {
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "user-agent",
    }
    assert f"Host: 127.0.0.1:{server.port}" in rest
    assert "Accept-Encoding: identity" in rest


def test_a_path_that_nobody_encoded_is_encoded_and_no_other_is_touched() -> None:
    """Spaces and letters beyond ASCII are percent-encoded; what is encoded or signed stays as it is."""
    with serving(lambda _: [reply(b"picture")]) as server:
        for path in ("/a b/\u00fc\\.png", "/a%2Fb+c/(d)~!$&'*,;=:@?sig=a%2Bb%3D&x=/?#f", "?x", ""):
            assert get(server.origin + path, server.origin) == b"picture"
    assert [head.split()[1] for head in server.requests] == [
        "/a%20b/%C3%BC%5C.png",
        "/a%2Fb+c/(d)~!$&'*,;=:@?sig=a%2Bb%3D&x=/?",
        "/?x",
        "/",
    ]


def test_a_name_whose_address_changes_after_the_check_is_reached_at_the_checked_address(tmp_path: Path) -> None:
    """DNS that answers a public address first and loopback ever after leads to the public one, asked for once."""
    who = identity(tmp_path, "cdn.example.test")
    with serving(lambda _: [reply(b"picture")], tls=who.server) as server:
        outside = Outside([[PUBLIC], ["127.0.0.1"]], server.port, who.client)
        assert get("https://cdn.example.test/a.png", network=outside.network()) == b"picture"
    assert outside.asked == [("cdn.example.test", 443)]
    assert outside.dialled == [(PUBLIC, 443)]


def test_each_redirect_is_resolved_and_checked_anew(tmp_path: Path) -> None:
    """A name that turns private between two hops is refused at the second."""
    who = identity(tmp_path, "cdn.example.test")
    with serving(lambda _: [redirect("/b.png")], tls=who.server) as server:
        outside = Outside([[PUBLIC], ["127.0.0.1"]], server.port, who.client)
        with refused():
            get("https://cdn.example.test/a.png", network=outside.network())
    assert outside.dialled == [(PUBLIC, 443)]


def test_the_name_goes_with_the_pinned_address(tmp_path: Path) -> None:
    """Connected to by address, the server still hears the name: in SNI and in the Host header."""
    who = identity(tmp_path, "cdn.example.test")
    with serving(lambda _: [reply(b"picture")], tls=who.server) as server:
        outside = Outside([[PUBLIC]], server.port, who.client)
        assert get("https://cdn.example.test/a.png", network=outside.network()) == b"picture"
    assert server.names == ["cdn.example.test"]
    assert "Host: cdn.example.test\n" in server.requests[0]


def test_the_certificate_is_verified_for_the_name(tmp_path: Path) -> None:
    """A trusted certificate of another name is refused, though it names the very address that is connected to."""
    who = identity(tmp_path, "other.example.test", PUBLIC)
    with serving(lambda _: [reply(b"picture")], tls=who.server) as server:
        outside = Outside([[PUBLIC]], server.port, who.client)
        with later("RESULT_UNREACHABLE"):
            get("https://cdn.example.test/a.png", network=outside.network())
    assert server.requests == []


def test_a_certificate_of_nobody_known_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default context trusts public authorities only, whatever file the environment names."""
    who = identity(tmp_path, "cdn.example.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cdn.example.test.pem"))
    with serving(lambda _: [reply(b"picture")], tls=who.server) as server:
        outside = Outside([[PUBLIC]], server.port)
        network = fetch.Network(outside.resolve, outside.dial, fetch.NETWORK.tls)
        with later("RESULT_UNREACHABLE"):
            get("https://cdn.example.test/a.png", network=network)
    assert server.requests == []


def test_a_public_address_by_itself_is_verified_as_such(tmp_path: Path) -> None:
    """An IPv6 literal is connected to when its certificate names that address, and named in brackets."""
    who = identity(tmp_path, "2606:4700::1111")
    with serving(lambda _: [reply(b"picture")], tls=who.server) as server:
        outside = Outside(port=server.port, client=who.client)
        assert get("https://[2606:4700:0::1111]/a.png", network=outside.network()) == b"picture"
    assert outside.dialled == [("2606:4700::1111", 443)]
    assert "Host: [2606:4700::1111]\n" in server.requests[0]


@pytest.mark.parametrize("excuse", ["http://127.0.0.1:{other}", "https://127.0.0.1:{port}", "http://localhost:{port}"])
def test_only_the_exact_origin_is_excused(excuse: str) -> None:
    """Another port, scheme or name of the same server is not excused with it."""
    with serving(lambda _: [reply(b"picture")]) as server:
        wrong = excuse.format(port=server.port, other=server.port + 1)
        with refused():
            get(f"{server.origin}/a.png", wrong)
        assert get(f"{server.origin}/a.png", wrong, f"{server.origin}/some/base/path?x") == b"picture"
    assert len(server.requests) == 1


def test_an_excused_name_is_tried_at_each_of_its_addresses() -> None:
    """When the first address refuses, the next is tried: localhost is often two."""
    with serving(lambda _: [reply(b"picture")]) as server:
        network = fetch.Network(lambda *_: ["127.0.0.2", "127.0.0.1"], fetch.NETWORK.dial, fetch.NETWORK.tls)
        url = f"http://stack.test:{server.port}"
        assert get(f"{url}/a.png", url, network=network) == b"picture"


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/a.png",
        "https://127.0.0.1/a.png",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:169.254.169.254]/",
        "https://2852039166/",
        "//127.0.0.1:1/a.png",
        "http://localhost/",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "https://user:pass@cdn.example.test/",
        "https://[::1",
        "",
    ],
)
def test_a_redirect_is_checked_like_a_first_url(location: str) -> None:
    """From an excused server, a redirect to anywhere that is not excused or public is refused."""
    with serving(lambda _: [redirect(location + f"?{SECRET}" if location else "")]) as server, refused():
        get(f"{server.origin}/a.png", server.origin)


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
def test_a_redirect_to_the_same_origin_is_followed(status: str) -> None:
    """Relative and absolute locations lead on, with every status that redirects."""
    answers = {"/a": "b?x=1", "/b?x=1": "", "/c": ""}
    with serving(lambda at: [redirect(answers[at], status) if answers[at] else reply(b"picture")]) as server:
        assert get(f"{server.origin}/a", server.origin) == b"picture"
    assert [head.split()[1] for head in server.requests] == ["/a", "/b?x=1"]


def test_three_redirects_are_followed_and_a_fourth_is_not() -> None:
    """The chain has an end."""
    with serving(lambda at: [redirect(f"/{int(at[1:]) - 1}") if at != "/0" else reply(b"picture")]) as server:
        assert get(f"{server.origin}/3", server.origin) == b"picture"
        with refused():
            get(f"{server.origin}/4", server.origin)
    assert len(server.requests) == 8


@pytest.mark.parametrize("status", [200, 304, 403, 404, 429, 500])
def test_any_other_status_is_handed_on(status: int) -> None:
    """What a status means is for the caller to say."""
    with serving(lambda _: [reply(b"", "Retry-After: 7", status=f"{status} x")]) as server:
        url = f"{server.origin}/a.png"
        with fetch.download(url, allowed_origins=[server.origin], max_bytes=9, seconds=5) as found:
            assert (found.status, found.retry_after) == (status, 7.0)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request goes to the address that was checked, whatever the environment recommends."""
    with serving(lambda _: [reply(b"proxied")]) as proxy, serving(lambda _: [reply(b"picture")]) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        assert get(f"{server.origin}/a.png", server.origin) == b"picture"
    assert proxy.requests == []


def test_nobody_there_is_a_later() -> None:
    """A closed port may open again."""
    with later("RESULT_UNREACHABLE"):
        get(f"http://127.0.0.1:1/a.png?{SECRET}", "http://127.0.0.1:1")


def test_a_name_without_an_address_is_a_later() -> None:
    """DNS may be late: no address, or an answer that is an error, is not final."""

    def nowhere(host: str, _: int) -> Iterable[str]:
        raise OSError(f"{host} is unknown")

    tried: list[Callable[[str, int], Iterable[str]]] = [nowhere, lambda *_: []]
    for resolve in tried:
        with later("RESULT_UNREACHABLE"):
            get(
                f"https://cdn.example.test/?{SECRET}",
                network=fetch.Network(resolve, Outside().dial, ssl.create_default_context),
            )
