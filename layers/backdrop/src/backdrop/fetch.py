"""A guarded download: bytes from an address that somebody else chose.

Promises to speak https to public addresses on port 443 and to nothing else, unless the exact origin is among those
excused; to connect to the very address that was checked; to check each redirect like a first URL; and to stay within
a size and a time, headers and handshakes included. Refuses credentials in a URL, every spelling of a host that
readers could understand differently, compressed bodies, proxies and certificates named by the environment; it sends
no cookie, no key and no referrer. What it raises quotes an origin, never a path or a query.

Built on httpcore, on which httpx is built, because only there can the connection itself be pinned: the host stays in
the request, so the Host header, SNI and the certificate check are those of an ordinary request for that name.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from base64 import b64decode
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes, urljoin

import certifi
import httpcore

from backdrop import origins
from backdrop.errors import Later, ProviderFailed
from backdrop.origins import Unreadable, authority, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from backdrop.origins import Origin

MAX_REDIRECTS = 3
CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0  # between two reads; the whole has a limit of its own

_MAX_ADDRESSES_TRIED = 4
_CHUNK = 65_536
_HTTPS_PORT = 443
_DATA = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_HEADERS = [("Accept", "*/*"), ("Accept-Encoding", "identity"), ("Connection", "close"), ("User-Agent", "backdrop")]
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Network:
    """How to reach the world; a test hands in another.

    `resolve` gives every address of a host, as text, once for each hop; `dial` connects to one of them and to nothing
    else; `tls` makes the context that verifies certificates; `clock` counts seconds and never goes back.
    """

    resolve: Callable[[str, int], Iterable[str]]
    dial: Callable[[str, int, float], httpcore.NetworkStream]
    tls: Callable[[], ssl.SSLContext]
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Download:
    """A reply whose body has not been read yet. `content_type` is in lower case, without parameters, or empty.

    `length` is what the header claims, in bytes. `chunks` yields the body once and raises what `download` raises.
    """

    status: int
    content_type: str
    length: int | None
    retry_after: float | None
    extension: str  # of the last URL's path, in lower case, without its dot
    chunks: Iterator[bytes]


@contextmanager
def download(
    url: str,
    *,
    allowed_origins: Collection[str] = (),
    max_bytes: int,
    seconds: float,
    network: Network | None = None,
) -> Iterator[Download]:
    """Open `url` for reading; whatever its status, except that redirects have been followed.

    `allowed_origins` (scheme, host and port of each URL given) are excused from the rules of https, port and public
    addresses. `seconds` is the limit of the whole, the reading included; it is noticed when the next bytes are read.

    Raises:
        ProviderFailed: RESULT_URL_REFUSED, RESULT_TOO_LARGE (claimed or read), RESULT_ENCODED (compressed).
        Later: RESULT_UNREACHABLE, RESULT_TIMEOUT, RESULT_CUT_SHORT (fewer bytes than announced).
        ValueError: an allowed origin is not a URL.
    """
    if url[:5].lower() == "data:":
        yield _decode(url, max_bytes)
        return
    network = network or NETWORK
    allowed = frozenset(origins.origin(text) for text in allowed_origins)
    deadline = network.clock() + seconds
    for _ in range(MAX_REDIRECTS + 1):
        place, target = _read(url)
        addresses = _addresses(place, excused=place in allowed, network=network)
        with _open(place, target, _Pinned(addresses, network, deadline), network) as response:
            if response.status not in _REDIRECTS:
                yield _describe(place, target, response, max_bytes)
                return
            url = _next(url, response)
    raise _refused(f"it leads through more than {MAX_REDIRECTS} redirects")


def _refused(why: str) -> ProviderFailed:
    return ProviderFailed(
        "RESULT_URL_REFUSED",
        f"the address of the result is refused: {why}",
        action="Results come by https from public addresses only; tell the provider's support what it sent.",
    )


def _read(url: str) -> tuple[Origin, str]:
    try:
        return origins.read(url)
    except Unreadable as error:
        raise _refused(str(error)) from None


def _addresses(place: Origin, *, excused: bool, network: Network) -> list[str]:
    """The addresses to connect to, each of them checked, in the resolver's order."""
    scheme, host, port = place
    if not excused and (scheme != "https" or port != _HTTPS_PORT):
        raise _refused(f"{shown(place)} is not https on port 443")
    try:
        told: Sequence[str] = [str(ip_address(host))]
    except ValueError:
        try:
            told = list(network.resolve(host, port))
        except OSError as error:
            raise Later("RESULT_UNREACHABLE", f"{shown(place)} has no address ({type(error).__name__})") from None
    if not told:
        raise Later("RESULT_UNREACHABLE", f"{shown(place)} has no address")
    if not excused and not all(origins.public(ip_address(address)) for address in told):
        raise _refused(f"{shown(place)} is not a public address")
    return list(told)


@contextmanager
def _open(place: Origin, target: str, pinned: _Pinned, network: Network) -> Iterator[httpcore.Response]:
    scheme, host, port = place
    with _told(place):
        context = network.tls() if scheme == "https" else None
        address = httpcore.URL(scheme=scheme, host=host, port=port, target=target)
        headers = [("Host", authority(place)), *_HEADERS]
        timeout = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS}
        pool = httpcore.ConnectionPool(ssl_context=context, max_connections=1, network_backend=pinned)
        with pool, pool.stream("GET", address, headers=headers, extensions={"timeout": timeout}) as response:
            yield response


@contextmanager
def _told(place: Origin) -> Iterator[None]:
    """Tell the network's troubles as Later."""
    try:
        yield
    except httpcore.TimeoutException:
        raise Later("RESULT_TIMEOUT", f"{shown(place)} took too long to hand over the result") from None
    except (httpcore.RemoteProtocolError, httpcore.ReadError):
        raise Later("RESULT_CUT_SHORT", f"{shown(place)} broke off while it handed over the result") from None
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        why = type(error.__cause__ or error).__name__
        raise Later("RESULT_UNREACHABLE", f"{shown(place)} could not be reached ({why})") from None


class _Pinned(httpcore.NetworkBackend):
    """Connects to checked addresses only, whatever host it is asked for."""

    def __init__(self, addresses: Sequence[str], network: Network, deadline: float) -> None:
        self._addresses = addresses[:_MAX_ADDRESSES_TRIED]
        self._network = network
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the point of this class
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore's interface
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - httpcore's interface
    ) -> httpcore.NetworkStream:
        trouble: Exception = httpcore.ConnectError("no address")
        for address in self._addresses:
            try:
                stream = self._network.dial(address, port, self._left(timeout))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trouble = error
            else:
                return _Hurried(stream, self._left)
        raise trouble

    def _left(self, timeout: float | None) -> float:
        """The seconds that the next step may take."""
        left = self._deadline - self._network.clock()
        if left <= 0:
            raise httpcore.ReadTimeout("the time for the whole has run out")
        return left if timeout is None else min(left, timeout)


class _Hurried(httpcore.NetworkStream):
    """A stream on which no step outlasts the deadline of the whole: httpcore's own timeouts begin anew each time."""

    def __init__(self, stream: httpcore.NetworkStream, left: Callable[[float | None], float]) -> None:
        self._stream = stream
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Hurried(self._stream.start_tls(ssl_context, server_hostname, self._left(timeout)), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _header(response: httpcore.Response, name: bytes) -> str:
    """A header's values joined by commas, empty when there is none."""
    return ",".join(value.decode("latin-1") for key, value in response.headers if key.lower() == name).strip()


def _next(url: str, response: httpcore.Response) -> str:
    location = _header(response, b"location")
    if not location:
        raise _refused("it is redirected to nowhere")
    try:
        return urljoin(url, location)
    except ValueError:
        raise _refused("it is redirected to what is no URL") from None


def _describe(place: Origin, target: str, response: httpcore.Response, max_bytes: int) -> Download:
    if _header(response, b"content-encoding").lower() not in ("", "identity"):
        raise ProviderFailed("RESULT_ENCODED", f"{shown(place)} sent the result compressed, unasked")
    claimed = _header(response, b"content-length").partition(",")[0]
    length = int(claimed) if claimed.isascii() and claimed.isdigit() else None
    if length is not None and length > max_bytes:
        raise _too_large(max_bytes)
    waits = _header(response, b"retry-after")
    path = target.partition("?")[0].rpartition("/")[2]
    return Download(
        status=response.status,
        content_type=_media_type(_header(response, b"content-type")),
        length=length,
        retry_after=float(waits[:6]) if waits.isascii() and waits.isdigit() else None,
        extension=unquote(path).rpartition(".")[2].lower() if "." in path else "",
        chunks=_chunks(place, response, max_bytes),
    )


def _media_type(header: str) -> str:
    return header.partition(";")[0].partition(",")[0].strip().lower()


def _chunks(place: Origin, response: httpcore.Response, max_bytes: int) -> Iterator[bytes]:
    size = 0
    with _told(place):
        for chunk in response.iter_stream():
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            yield chunk


def _too_large(max_bytes: int) -> ProviderFailed:
    return ProviderFailed(
        "RESULT_TOO_LARGE",
        f"the result is larger than {max_bytes} bytes",
        action="Ask for a smaller result, or raise the stack's ResultMaxBytes.",
    )


def _decode(url: str, max_bytes: int) -> Download:
    """A data URI (RFC 2397) as if it had been downloaded."""
    found = _DATA.match(url)
    if not found:
        raise _refused("it is not a data URI that can be read")
    body = url[found.end() :]
    if len(body) > 4 * max_bytes + 12:  # the most that base64 takes with every character percent-encoded
        raise _too_large(max_bytes)
    if found[2].lower().endswith(";base64"):
        text = unquote(body) if "%" in body else body
        if not _BASE64.fullmatch(text) or len(text) % 4:
            raise _refused("its data URI is not valid base64")
        data = b64decode(text)
    else:
        try:
            data = unquote_to_bytes(body)
        except UnicodeEncodeError:
            raise _refused("its data URI is not text") from None
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    pieces = (data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK))
    return Download(200, _media_type(found[1]), len(data), None, "", pieces)


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _dial(address: str, port: int, timeout: float) -> httpcore.NetworkStream:
    return httpcore.SyncBackend().connect_tcp(address, port, timeout)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    # Not create_default_context: it takes certificates from, and writes keys to, files that the environment names.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(certifi.where())
    return context


NETWORK = Network(resolve=_resolve, dial=_dial, tls=_tls)
