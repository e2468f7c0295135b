"""Pictures on disk behind signed URLs that run out.

Promises that a URL opens one file until its time, by the sandbox's clock, and nothing else; that the store stays within
its bounds by dropping the oldest files. Refuses a missing, wrong or expired signature with 403 and a file that is gone
with 404, in the XML of an S3-like store, since the providers' results lie in such stores.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

MOST_FILES = 5_000
MOST_BYTES = 2_000_000_000
MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}
EXTENSIONS = {"png": "png", "jpeg": "jpg", "webp": "webp", "gif": "gif"}


@dataclass(frozen=True, slots=True)
class File:
    """One stored file; `gone_at` is when the provider deletes it (unix seconds, None: not by time)."""

    id: str
    provider: str
    name: str
    media_type: str
    size: int
    path: Path
    gone_at: float | None = None


class Files:
    """The store of one sandbox, below a folder that it owns. Used from the server's event loop only."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._files: OrderedDict[str, File] = OrderedDict()
        self._bytes = 0

    def put(self, data: bytes, *, provider: str, name: str, media_type: str, gone_at: float | None = None) -> File:
        """Store bytes under a fresh id."""
        file_id = secrets.token_hex(12)
        path = self._folder / file_id
        path.write_bytes(data)
        file = File(file_id, provider, name, media_type, len(data), path, gone_at)
        self._files[file_id] = file
        self._bytes += len(data)
        while len(self._files) > MOST_FILES or (self._bytes > MOST_BYTES and len(self._files) > 1):
            self.drop(next(iter(self._files)))
        return file

    def get(self, file_id: str) -> File | None:
        """The file, or None when it was never there, has been dropped or its time has come."""
        file = self._files.get(file_id)
        if file is not None and file.gone_at is not None and self._clock() >= file.gone_at:
            self.drop(file_id)
            return None
        return file

    def read(self, file_id: str) -> bytes | None:
        """The file's bytes, or None as for `get`."""
        file = self.get(file_id)
        return file.path.read_bytes() if file else None

    def drop(self, file_id: str) -> None:
        """Delete a file; nothing happens when it is gone already."""
        file = self._files.pop(file_id, None)
        if file is not None:
            self._bytes -= file.size
            file.path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete every file."""
        for file_id in list(self._files):
            self.drop(file_id)

    def path_for(self, file: File, seconds: float) -> str:
        """Path and query of a URL good for `seconds` and never longer than the file."""
        expires = self._clock() + seconds
        if file.gone_at is not None:
            expires = min(expires, file.gone_at)
        query = urlencode({"expires": f"{expires:.3f}", "signature": self.sign(file.id, f"{expires:.3f}")})
        return f"/results/{file.provider}/{file.id}/{quote(file.name.rpartition('/')[2] or 'file')}?{query}"

    def opens(self, file_id: str, expires: str, signature: str) -> bool:
        """Whether a URL's signature is genuine and its time has not come."""
        expected = self.sign(file_id, expires)
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass")):
            return False
        return self._clock() < float(expires)

    def sign(self, file_id: str, expires: str) -> str:
        """The signature of a URL for `file_id` that is good until `expires`."""
        text = f"{file_id}\n{expires}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()
