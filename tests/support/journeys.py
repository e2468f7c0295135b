"""A job whose result is brought home from where nothing should be brought home from."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from bench import Bench, start
from crooked import Crooked, providing

from backdrop import jobs
from backdrop.states import TERMINAL, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from backdrop.jobs import Job

MOST_ROUNDS = 20


@dataclass
class Journey:
    """A bench whose Runflow is crooked, with the exempt origins empty."""

    bench: Bench
    provider: Crooked
    count: int = 0

    def begin(self) -> Job:
        """A new job, RUNNING; its result lies wherever the provider says by then."""
        self.count += 1
        key = start(self.bench, name=f"{self.count}.png", seed=self.count)
        (job,) = jobs.of_source(self.bench.world, self.bench.world.settings.input_bucket, key)
        assert job.state is State.RUNNING
        return job

    def end(self, job: Job, *, seconds: float = 60) -> Job:
        """Ask the provider about it, as often as it takes; each time `seconds` are left for fetching."""
        hurried = replace(self.bench, world=replace(self.bench.world, time_left=lambda: seconds + 5))
        for _ in range(MOST_ROUNDS):
            hurried.advance(job)
            found = self.now(job)
            if found.state in TERMINAL:
                return found
            self.bench.later(400)
        pytest.fail(f"{job.job_id} never ended")

    def now(self, job: Job) -> Job:
        """The job as it is now."""
        found = jobs.get(self.bench.world, job.job_id)
        assert found
        return found

    def failure(self, job: Job) -> tuple[str, str]:
        """Code and text of a FAILED job's reason, having made sure that nothing else was written for it."""
        assert job.state is State.FAILED, job.state
        world, bucket = self.bench.world, self.bench.world.settings.output_bucket
        versions = world.aws.s3.list_object_versions(Bucket=bucket, Prefix=job.key).get("Versions", [])
        assert {one["Key"] for one in versions} == {f"{job.key}.error.json"}
        assert not world.aws.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        (problem,) = self.bench.error(job.key)["problems"]
        assert {name: problem[name] for name in job.error} == job.error
        assert "deadbeef" not in str(problem)
        return job.error["code"], job.error["message"]


@pytest.fixture
def journey(bench: Bench) -> Iterator[Journey]:
    """A bench with a crooked provider in Runflow's place."""
    with providing() as provider:
        settings = replace(bench.world.settings, runflow_base_url=provider.origin)
        assert settings.exempt_origins == ()
        yield Journey(replace(bench, world=replace(bench.world, settings=settings)), provider)


@dataclass
class Outdoors:
    """The internet as this machine sees it: `answers` are what DNS says of a name, the last one for ever.

    Nothing leaves the machine: whoever dials an address that is not loopback is noted and refused.
    """

    answers: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    dialled: list[tuple[str, int]] = field(default_factory=list)


@pytest.fixture
def outdoors(monkeypatch: pytest.MonkeyPatch) -> Outdoors:
    """DNS and the wires beyond loopback, in the place of the operating system's."""
    found = Outdoors()
    resolve, connect = socket.getaddrinfo, socket.create_connection

    def getaddrinfo(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if host not in found.answers:
            return resolve(host, port, *args, **more)
        found.asked.append(host)
        answers = found.answers[host]
        told = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)) for address in told]

    def create_connection(address: tuple[str, int], *args: Any, **more: Any) -> socket.socket:
        if address[0] == "127.0.0.1" and address[1] != 443:
            return connect(address, *args, **more)
        found.dialled.append((address[0], address[1]))
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    return found
