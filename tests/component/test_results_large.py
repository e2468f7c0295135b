"""Large results, what is in the bucket meanwhile and afterwards, and finding again what is home already."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from hashlib import sha256
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ClientError
from ground import Notebook, fresh, moto
from homecoming import (
    END,
    JOB,
    MIB,
    PNG,
    bring,
    chunk,
    fails,
    header,
    large,
    limited,
    make,
    sent,
    stored,
)
from hostile import reply, serving

from backdrop import results
from backdrop.errors import Later, ProviderFailed
from backdrop.world import Clients

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backdrop.world import World


@pytest.fixture(scope="module", autouse=True)
def _aws() -> Iterator[None]:
    with moto():
        yield


@pytest.fixture
def world() -> World:
    """A World with an empty output bucket and the default exempt origins: none."""
    return make()


def test_an_endless_picture_is_a_final_failure_that_leaves_nothing(world: World) -> None:
    """Cut at the limit after parts had been stored, it leaves neither object nor upload."""
    endless = (piece for part in ([header(40, 30)], repeat(chunk(b"IDAT", bytes(MIB)))) for piece in part)
    fails(limited(world, result_max_bytes=20 * MIB), lambda _: sent(endless), "RESULT_TOO_LARGE")


def test_a_connection_that_breaks_after_parts_were_stored_leaves_nothing(world: World) -> None:
    """What was promised and not sent is a Later; the upload is aborted."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n"
    fails(world, lambda _: [head, *large(18 * MIB)], "RESULT_CUT_SHORT", kind=Later)


def test_a_large_result_without_its_end_leaves_nothing(world: World) -> None:
    """A truncated picture of many parts is never completed."""
    fails(world, lambda _: sent(large(18 * MIB, end=b"")), "RESULT_TRUNCATED")


@pytest.mark.parametrize("extra", [-1, 0, 1, 65_537])
def test_a_result_around_the_size_of_a_part_is_whole(world: World, extra: int) -> None:
    """At, below and just above one part, the stored bytes are the sent ones."""
    size = results.PART_BYTES + extra - len(header(40, 30)) - len(END) - 12
    data = header(40, 30) + chunk(b"IDAT", bytes(size)) + END
    assert len(data) == results.PART_BYTES + extra
    with serving(lambda _: [reply(data)]) as server:
        found = bring(world, f"{server.origin}/a", server.origin)
    told = world.aws.s3.get_object(Bucket=world.settings.output_bucket, Key=found.key)
    assert told["Body"].read() == data
    assert ("-" in told["ETag"]) == (extra > 0)
    assert found.sha256 == sha256(data).hexdigest()
    assert stored(world) == [found.key]


def test_a_large_result_goes_in_checked_parts() -> None:
    """Each part carries its SHA-256; the object has the same metadata, but for the digest that came after it."""
    world = make(Clients())
    body = b"".join(large(20 * MIB))
    parts: list[str] = []
    world.aws.s3.meta.events.register(
        "before-call.s3.UploadPart",
        lambda params, **_: parts.append(params["headers"]["x-amz-checksum-sha256"]),
    )
    with serving(lambda _: [reply(body)]) as server:
        found = bring(world, f"{server.origin}/a", server.origin)
    slices = [body[start : start + results.PART_BYTES] for start in range(0, len(body), results.PART_BYTES)]
    assert parts == [base64.b64encode(sha256(part).digest()).decode() for part in slices]
    told = world.aws.s3.head_object(Bucket=world.settings.output_bucket, Key=found.key)
    assert told["ContentType"] == "image/png"
    assert told["ContentLength"] == found.size == len(body)
    assert told["Metadata"] == {
        "job-id": JOB,
        "attempt": "1",
        "number": "1",
        "width": "40",
        "height": "30",
        "format": "png",
    }
    assert found.sha256 == sha256(body).hexdigest()


def test_nobody_sees_a_result_before_it_is_whole(world: World) -> None:
    """While parts are already stored, the key still shows what was there before."""
    bucket, seen = world.settings.output_bucket, []
    world.aws.s3.put_object(Bucket=bucket, Key="out/red.png", Body=b"before")

    def body(_: str) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        for index, piece in enumerate(large(20 * MIB)):
            if index == 19:
                until = time.monotonic() + 20
                while "Uploads" not in world.aws.s3.list_multipart_uploads(Bucket=bucket):
                    assert time.monotonic() < until
                    time.sleep(0.01)
                seen.append(world.aws.s3.get_object(Bucket=bucket, Key="out/red.png")["Body"].read())
            yield piece

    with serving(body) as server:
        bring(world, f"{server.origin}/a", server.origin)
    assert seen == [b"before"]
    assert stored(world) == ["out/red.png"]
    assert world.aws.s3.head_object(Bucket=bucket, Key="out/red.png")["ContentLength"] > 20 * MIB


def test_a_failure_leaves_an_earlier_result_as_it_was(world: World) -> None:
    """A later attempt that fails does not touch what an earlier one delivered."""
    with serving(lambda at: [reply(PNG if at == "/good" else PNG[:-20])]) as server:
        first = bring(world, f"{server.origin}/good", server.origin)
        with pytest.raises(ProviderFailed):
            bring(world, f"{server.origin}/bad", server.origin, attempt=2)
    assert results.already_home(world, [first.key], job_id=JOB, attempt=1, number=1) == first


def test_a_bucket_that_refuses_is_not_the_providers_fault(world: World) -> None:
    """S3's own error goes up unchanged, for one part and for many, and a failed abort only leaves a log line."""
    nowhere = fresh()
    with serving(lambda _: [reply(PNG)]) as server, pytest.raises(ClientError):
        bring(nowhere, f"{server.origin}/a", server.origin)
    bucket, clients = world.settings.output_bucket, world.aws

    def body(_: str) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        for index, piece in enumerate(large(20 * MIB)):
            if index == 14:
                until = time.monotonic() + 20
                while "Uploads" not in clients.s3.list_multipart_uploads(Bucket=bucket):
                    assert time.monotonic() < until
                    time.sleep(0.01)
                clients.s3.delete_bucket(Bucket=bucket)
            yield piece

    with serving(body) as server, pytest.raises(ClientError):
        bring(world, f"{server.origin}/a", server.origin)
    (line,) = cast("Notebook", world.log).lines
    assert line[0] == "an upload could not be aborted"


def test_a_picture_with_a_long_header_is_understood(world: World) -> None:
    """Metadata of megabytes before the pixels, as provenance data is, does not hide what the picture is."""
    provenance = chunk(b"caBX", bytes(3 * MIB))
    data = header(40, 30) + provenance + chunk(b"IDAT", b"x") + END
    with serving(lambda _: [reply(data)]) as server:
        assert bring(world, f"{server.origin}/a", server.origin, "png").size == len(data)


def test_an_output_that_is_home_is_found_again(world: World) -> None:
    """Among the keys it could have, the one that carries job, attempt and number is found, as it was told then."""
    with serving(lambda _: [reply(PNG)]) as server:
        found = bring(world, f"{server.origin}/a", server.origin, attempt=2, number=3)
    keys = [f"out/red.{fmt}" for fmt in ("webp", "jpeg", "png")]
    assert results.already_home(world, keys, job_id=JOB, attempt=2, number=3) == found
    assert results.already_home(world, keys, job_id=JOB, attempt=1, number=3) is None
    assert results.already_home(world, keys, job_id=JOB, attempt=2, number=1) is None
    assert results.already_home(world, keys, job_id=JOB[::-1], attempt=2, number=3) is None
    assert results.already_home(world, keys[:2], job_id=JOB, attempt=2, number=3) is None


def test_a_large_output_that_is_home_is_found_with_its_digest(world: World) -> None:
    """What was stored in parts has no digest in its metadata: it is read once more, from the bucket."""
    with serving(lambda _: sent(large(9 * MIB))) as server:
        found = bring(world, f"{server.origin}/a", server.origin)
    assert results.already_home(world, [found.key], job_id=JOB, attempt=1, number=1) == found


@pytest.mark.parametrize("change", [{"width": "-1"}, {"height": ""}, {"format": "tiff"}, {"format": ""}])
def test_an_output_whose_marks_were_tampered_with_is_not_home(world: World, change: dict[str, str]) -> None:
    """Metadata that this code would not have written counts for nothing."""
    marks = {"job-id": JOB, "attempt": "1", "number": "1", "width": "40", "height": "30", "format": "png", **change}
    world.aws.s3.put_object(Bucket=world.settings.output_bucket, Key="k", Body=PNG, Metadata=marks)
    assert results.already_home(world, ["k"], job_id=JOB, attempt=1, number=1) is None


def test_a_bucket_that_cannot_be_asked_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only 404 means "not home": a refusal is not taken for one."""
    assert results.already_home(fresh(), ["k"], job_id=JOB, attempt=1, number=1) is None
    with serving(lambda _: [reply(b"", status="403 Forbidden")]) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.origin)
        with pytest.raises(ClientError):
            results.already_home(fresh(), ["k"], job_id=JOB, attempt=1, number=1)


LARGEST = 500  # MiB
BRING = """
import json, re, sys
from pathlib import Path
from ground import fresh
from backdrop import results, world
world.READ_SECONDS = 120  # moto joins 60 parts before it answers; S3 answers at once and sends blanks meanwhile
from backdrop.providers.base import Output
url, bucket = sys.argv[1:]
found = results.bring_home(
    fresh(output_bucket=bucket, result_max_bytes=600_000_000),
    Output(url),
    key_for=lambda _: "large.png",
    job_id="0" * 32,
    attempt=1,
    number=1,
    provider_origin=url,
)
peak = re.search("VmHWM:[^0-9]*([0-9]+) kB", Path("/proc/self/status").read_text())[1]
print(json.dumps({"sha256": found.sha256, "peak": int(peak) / 1024}))
"""


@pytest.mark.timeout(300)
def test_memory_stays_flat_from_one_megabyte_to_five_hundred(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays flat from 1 MB to 500 MB: peaks of the two processes differ by less than 32 MB."""
    # getrusage would tell the larger of this process (which is moto) and the child: fork hands its peak on.
    monkeypatch.setenv("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", "65536")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1] / "support"))
    peaks, digests = {}, {}
    with serving(lambda at: sent(large(int(at.strip("/")) * MIB))) as server:
        for size in (1, LARGEST):
            command = [sys.executable, "-c", BRING, f"{server.origin}/{size}", world.settings.output_bucket]
            done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=True)
            told = json.loads(done.stdout)
            peaks[size], digests[size] = told["peak"], told["sha256"]
    assert digests[1] == sha256(b"".join(large(MIB))).hexdigest() != digests[LARGEST]
    head = world.aws.s3.head_object(Bucket=world.settings.output_bucket, Key="large.png")
    assert head["ContentLength"] > 500_000_000
    assert peaks[LARGEST] - peaks[1] < 32, peaks
