"""Which URLs and addresses a download may go to: everything else is refused before a connection."""

from __future__ import annotations

import ssl
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from outside import PUBLIC, SECRET, Outside, get, later, refused

from backdrop import fetch, origins
from backdrop.errors import BackdropError

unhurried = settings(deadline=None)  # how long one example takes says nothing on a busy machine


FORBIDDEN = [
    "http://cdn.example.test/a.png",
    "http://93.184.216.34/a.png",
    "https://cdn.example.test:8443/a.png",
    "https://cdn.example.test:80/a.png",
    "https://127.0.0.1/a.png",
    "https://localhost/a.png",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2/v2/credentials",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://198.18.0.1/",
    "https://192.88.99.1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::ffff:93.184.216.34]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::169.254.169.254]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[2001:0:7f00:1::1]/",
    "https://[2001:db8::1]/",
    "https://[ff02::1]/",
    "https://[fec0::1]/",
    "https://[1::2::3]/",
    "https://[127.0.0.1]/",
    "https://2130706433/",
    "https://2852039166/latest/meta-data/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://0251.0376.0251.0376/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.01/",
    "https://1.2.3.4.5/",
    "https://256.256.256.256/",
    "https://93.184.216.34./",
    "https://localhost./",
    "https://cdn.example.test./",
    "https://.example.test/",
    "https://a..example.test/",
    "https://-a.example.test/",
    "https://\u2488\u2489/",
    "https://①②⑦.0.0.1/",
    "https://127。0。0。1/",
    "https://exämple.test/",
    "https://cdn.example.test%2f@127.0.0.1/",
    "https://user@cdn.example.test/",
    "https://user:pass@cdn.example.test/",
    "https://@cdn.example.test/",
    "https://cdn.example.test\\@127.0.0.1/",
    "https://cdn.example.test\\.evil.test/",
    "https://cdn.example.test:443:80/",
    "https://cdn.example.test:/",
    "https://cdn.example.test:0/",
    "https://cdn.example.test:65536/",
    "https://cdn.example.test:+443/",
    "https://cdn.example.test:٤٤٣/",
    "https://cdn.example.test/\r\nHost: evil",
    "https://cdn.example.test/\x00",
    "https://cdn.example.test/\ud800",
    " https://cdn.example.test/",
    "https:cdn.example.test/",
    "https:/cdn.example.test/",
    "https:///cdn.example.test/",
    "https://",
    "//cdn.example.test/",
    "/a.png",
    "",
    "ftp://cdn.example.test/",
    "file:///etc/passwd",
    "gopher://cdn.example.test/",
    "javascript:alert(1)",
    "http\u017f://cdn.example.test/",
    "https://cdn.example.test/" + "a" * 20_000,
    "https://" + "a" * 64 + ".test/",
    "https://" + ".".join(["a" * 60] * 5) + "/",
]


@pytest.mark.parametrize("url", FORBIDDEN, ids=range(len(FORBIDDEN)))
def test_a_url_against_the_rules_is_refused_before_any_connection(url: str) -> None:
    """Other schemes, ports, private addresses and odd spellings are refused, even where the name looks public."""
    names = {"localhost": "127.0.0.1"}
    outside = Outside()
    network = fetch.Network(lambda host, _: [names.get(host, PUBLIC)], outside.dial, ssl.create_default_context)
    with refused():
        get(f"{url}?{SECRET}" if url.startswith("https://cdn") else url, network=network)
    assert outside.dialled == []


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example.test/a.png",
        "HTTPS://CDN.example.TEST:443?x",
        "https://93.184.216.34/",
        "https://[2606:2800:220:1::1]/",
        "https://my_bucket.s3.example.test/a b/ü.png",
    ],
)
def test_a_public_https_url_is_dialled(url: str) -> None:
    """The rules let an ordinary URL through, in any case and by name or address."""
    outside = Outside([[PUBLIC]])
    with later("RESULT_UNREACHABLE"):
        get(url, network=outside.network())
    assert [port for _, port in outside.dialled] == [443]


def test_every_address_of_a_name_is_checked() -> None:
    """One private address among public ones refuses the name, wherever it stands."""
    for answer in ([PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC], [PUBLIC, "::1"], [PUBLIC, "fe80::1%eth0"]):
        outside = Outside([answer])
        with refused():
            get("https://cdn.example.test/", network=outside.network())
        assert outside.dialled == []


SPECIAL = [
    IPv4Network(text)
    for text in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ]
]
inside = st.sampled_from(SPECIAL).flatmap(
    lambda net: st.integers(int(net.network_address), int(net.broadcast_address)).map(IPv4Address)
)


@unhurried
@given(address=inside, low=st.integers(0, 2**64 - 1))
def test_no_special_address_is_public_in_any_form(address: IPv4Address, low: int) -> None:
    """A special IPv4 address is not public, nor any IPv6 address that embeds it."""
    value = int(address)
    forms = [
        0xFFFF << 32 | value,  # mapped
        value,  # compatible
        0xFFFF << 48 | value,  # translated
        0x64FF9B << 96 | value,  # NAT64
        0x2002 << 112 | value << 80 | low,  # 6to4
        0x20010000 << 96 | value << 64 | low,  # Teredo, as its server
        0x20010000 << 96 | (low >> 32) << 32 | value ^ 0xFFFFFFFF,  # Teredo, as its client
    ]
    assert not origins.public(address)
    assert not [form for form in forms if origins.public(IPv6Address(form))]


@unhurried
@given(
    value=st.one_of(
        st.integers(0, 2**125 - 1),
        st.integers(2**126, 2**128 - 1),
        st.integers(0, 2**112 - 1).map(lambda low: 0x2002 << 112 | low),
    )
)
def test_no_ipv6_address_outside_global_unicast_is_public(value: int) -> None:
    """Only 2000::/3 is public, and of it not 6to4."""
    assert not origins.public(IPv6Address(value))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::200e"])
def test_ordinary_addresses_are_public(address: str) -> None:
    """The rule refuses nobody's real server."""
    assert origins.public(ip_address(address))


addresses = st.one_of(
    st.sampled_from([PUBLIC, "127.0.0.1", "::1", "10.1.2.3", "2606:4700::1111", "169.254.169.254"]),
    st.ip_addresses().map(str),
)
hosts = st.one_of(
    st.text("abc019.-_x[]:%@\\/ß①", max_size=12),
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.integers(0, 2**32).map(str),
    st.integers(0, 2**32).map(hex),
    st.just("cdn.example.test"),
)
urls = st.one_of(
    st.text(),
    st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(["https", "http", "HTTPS", "ftp", "file"]),
        hosts,
        st.sampled_from(["", ":443", ":80", ":0443", ":99999", ":"]),
        st.text(max_size=8).map(lambda text: "/" + text),
    ),
)


@unhurried
@given(url=urls, answer=st.lists(addresses, max_size=3))
def test_whatever_the_url_only_public_addresses_on_443_are_dialled(url: str, answer: list[str]) -> None:
    """For any text and any resolver, a connection is only ever tried to a public address, port 443."""
    assume(url[:5].lower() != "data:")
    outside = Outside([answer])
    with pytest.raises(BackdropError) as caught:
        get(url, network=outside.network())
    assert caught.value.code in ("RESULT_URL_REFUSED", "RESULT_UNREACHABLE")
    assert all(port == 443 and origins.public(ip_address(address)) for address, port in outside.dialled)
    assert not (outside.asked and outside.dialled) or all(origins.public(ip_address(told)) for told in answer)


def test_an_origin_has_one_spelling() -> None:
    """Case, default port and path do not make another origin; what is no URL is none."""
    assert origins.origin("HTTPS://Api.Example.Test/v1?x") == ("https", "api.example.test", 443)
    assert origins.origin("http://[0:0::1]:80") == origins.origin("http://[::1]") == ("http", "::1", 80)
    for text in ("api.example.test", "https://user@api.example.test", "https://127.1"):
        with pytest.raises(ValueError, match="it"):
            origins.origin(text)


def test_an_allowed_origin_that_is_no_url_is_an_error_of_the_setting() -> None:
    """A misspelt setting opens nothing and does not pass in silence."""
    with pytest.raises(ValueError, match="plain http"):
        get("https://cdn.example.test/", "127.0.0.1:8080")
