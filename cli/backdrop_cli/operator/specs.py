"""The spec of each photo of a listing, by the listing's names alone; each spec is read once, however many it governs.

Promises the library's rule: a sidecar, else the nearest folder default. A backfill of thousands would otherwise list
and read thousands of times.
"""

from collections.abc import Iterator, Sequence

from backdrop import drops, keys, spec
from backdrop.errors import Rejected
from backdrop.spec import JobSpec
from backdrop_cli.operator.reach import Found


class Specs:
    """The spec of each photo, by the names that were listed; each spec is read once."""

    def __init__(self, found: Found, there: Sequence[str], prefix: str) -> None:
        self._found = found
        self._sidecars: dict[str, list[str]] = {}
        self._defaults: dict[str, list[str]] = {}
        self._read: dict[str, tuple[JobSpec, ...] | Rejected] = {}
        for key in there:
            self._note(key)
        for folder in keys.folders_up(prefix):  # above what was listed
            if not folder.startswith(prefix) or not prefix:
                for key in self._in(folder):
                    self._note(key)

    def _note(self, key: str) -> None:
        kind = keys.classify(key)
        if kind is keys.Kind.SIDECAR:
            names = self._sidecars.setdefault(keys.image_of(key), [])
        elif kind is keys.Kind.DEFAULT:
            names = self._defaults.setdefault(key.rpartition("/")[0], [])
        else:
            return
        if key not in names:
            names.append(key)

    def _in(self, folder: str) -> Iterator[str]:
        start = f"{folder}/{keys.DEFAULT_STEM}." if folder else f"{keys.DEFAULT_STEM}."
        world = self._found.world
        reply = world.aws.s3.list_objects_v2(Bucket=world.settings.input_bucket, Prefix=start, Delimiter="/")
        yield from (entry["Key"] for entry in reply.get("Contents", []))

    def of(self, key: str) -> str:
        """The key of the photo's spec; empty when it has none.

        Raises:
            Rejected: it has two, as the library says it.
        """
        if key in self._sidecars:
            return self._one(key, self._sidecars[key])
        for folder in keys.folders_up(key):
            if folder in self._defaults:
                return self._one(key, self._defaults[folder])
        return ""

    def _one(self, key: str, names: Sequence[str]) -> str:
        if len(names) > 1:
            drops.find_spec(self._found.world, self._found.world.settings.input_bucket, key)
        return names[0]

    def of_or_photo(self, key: str) -> str:
        """The photo's spec, or the photo itself where it has two: what a refusal is about."""
        try:
            return self.of(key)
        except Rejected:
            return key

    def jobs(self, key: str) -> tuple[JobSpec, ...]:
        """The jobs that a spec asks for.

        Raises:
            Rejected: it cannot be read.
        """
        if key not in self._read:
            self._read[key] = self._parse(key)
        made = self._read[key]
        if isinstance(made, Rejected):
            raise made
        return made

    def _parse(self, key: str) -> tuple[JobSpec, ...] | Rejected:
        world = self._found.world
        try:
            there = drops.look(world, world.settings.input_bucket, key, most=spec.MOST_BYTES + 1)
            return spec.parse(there.head if there else b"", key).jobs
        except Rejected as refusal:
            return refusal
