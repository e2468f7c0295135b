"""Fetching what a run was given: photos and zips, by URL, data URI or reference.

Promises bounded time and size, and that plain `http` is fetched only from the origins the sandbox was started with (the
stack's own S3), `https` from those or from public addresses, connected to by the address that was checked. Follows no
redirect: an answer other than 200 is a failure. Refuses everything else with `Unfetched`, whose text names no query.
"""

import asyncio
import base64
import binascii
import io
import ipaddress
import socket
import zipfile
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import httpx

from backdrop_cli.sandbox.files import Files

MOST_BYTES = 60_000_000
MOST_SECONDS = 30.0
MOST_MEMBERS = 100


class Unfetched(Exception):
    """An input that could not be had; `reason` is for a person, `invalid` when it was had but is no good."""

    def __init__(self, reason: str, *, invalid: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.invalid = invalid


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, with the default port spelt out; "" when it is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname and port else ""


def takes(url: str, origins: Sequence[str]) -> bool:
    """Whether a URL is of a kind that the sandbox would fetch at all."""
    if url.startswith("https://"):
        return bool(origin_of(url))
    return url.startswith("http://") and origin_of(url) in {origin_of(one) for one in origins}


class Fetcher:
    """Fetches inputs for one sandbox; `own` is its own URL, whose files are read from the store."""

    def __init__(self, client: httpx.AsyncClient, files: Files, origins: Sequence[str], own: str) -> None:
        self._client = client
        self._files = files
        self.origins = (*origins, own)
        self._own = own

    async def fetch(self, url: str) -> bytes:
        """The bytes behind `url`, at most `MOST_BYTES` in `MOST_SECONDS`.

        Raises:
            Unfetched: they cannot be had.
        """
        if url.startswith(f"{self._own}/results/"):
            return self._read_own(url)
        if not takes(url, self.origins):
            raise Unfetched("the URL is not https, or not of an allowed origin", invalid=True)
        try:
            async with asyncio.timeout(MOST_SECONDS):
                return await self._stream(url)
        except TimeoutError:
            raise Unfetched("the input did not arrive in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise Unfetched(f"the input could not be fetched ({type(error).__name__})") from None

    @staticmethod
    def decode(url: str) -> bytes:
        """The bytes of a data URI. Raises `Unfetched`."""
        head, comma, body = url.partition(",")
        if not comma or len(body) > MOST_BYTES:
            raise Unfetched("the data URI is malformed or too large", invalid=True)
        if not head.endswith(";base64"):
            return unquote_to_bytes(body)
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise Unfetched("the data URI is not base64", invalid=True) from None

    async def _stream(self, url: str) -> bytes:
        target, headers, extensions = await self._pinned(url)
        async with self._client.stream("GET", target, headers=headers, extensions=extensions) as reply:
            if reply.status_code != httpx.codes.OK:
                raise Unfetched(f"the input URL answered {reply.status_code}")
            data = bytearray()
            async for chunk in reply.aiter_bytes():
                data += chunk
                if len(data) > MOST_BYTES:
                    raise Unfetched("the input is too large", invalid=True)
        return bytes(data)

    async def _pinned(self, url: str) -> tuple[httpx.URL, dict[str, str], dict[str, Any]]:
        parsed = httpx.URL(url)
        if origin_of(url) in {origin_of(one) for one in self.origins}:
            return parsed, {}, {}
        found = await asyncio.get_running_loop().getaddrinfo(parsed.host, parsed.port or 443, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        if not addresses or not all(ipaddress.ip_address(address).is_global for address in addresses):
            raise Unfetched("the input URL is not on a public address", invalid=True)
        headers = {"host": parsed.netloc.decode("ascii")}
        return parsed.copy_with(host=addresses[0]), headers, {"sni_hostname": parsed.host}

    def _read_own(self, url: str) -> bytes:
        parts = urlsplit(url)
        query = httpx.QueryParams(parts.query)
        file_id = parts.path.split("/")[3] if parts.path.count("/") > 3 else ""  # noqa: PLR2004 - /results/p/id/name
        if not self._files.opens(file_id, query.get("expires", ""), query.get("signature", "")):
            raise Unfetched("the input URL answered 403")
        data = self._files.read(file_id)
        if data is None:
            raise Unfetched("the input URL answered 404")
        return data


def read_member(archive: bytes, name: str) -> bytes:
    """One member of a zip, by its exact name (runflow.md section 3 leaves folders and case open: exact it is).

    Raises:
        Unfetched: no zip, no such member, or one that would unpack to more than `MOST_BYTES`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            data = _unpacked(opened, name)
    except Unfetched:
        raise
    except Exception as error:  # noqa: BLE001 - zipfile lets its decompressors' own errors through (zlib, lzma, ...)
        raise Unfetched(f"the zip cannot be read ({type(error).__name__})", invalid=True) from None
    if len(data) > MOST_BYTES:
        raise Unfetched(f"the file {name[:200]!r} in the zip is too large", invalid=True)
    return data


def _unpacked(archive: zipfile.ZipFile, name: str) -> bytes:
    if len(archive.infolist()) > MOST_MEMBERS:
        raise Unfetched("the zip has too many members", invalid=True)
    if name not in archive.namelist():
        raise Unfetched(f"the zip has no file named {name[:200]!r}", invalid=True)
    with archive.open(name) as member:
        return member.read(MOST_BYTES + 1)


def is_zip(data: bytes) -> bool:
    """Whether bytes begin as a zip does."""
    return data[:4] in {b"PK\x03\x04", b"PK\x05\x06"}
