"""The deployed stack with the provider sandbox beside it, as the scenarios use it.

Promises that a wait is bounded and says what it waited for. Refuses to know the library: what is seen is what a user
or an operator could see, the buckets, the table, the queues, the logs and what the providers were asked.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hosted import children
from hosted.deployment import BIN, Deployed

_CALL_SECONDS = 30.0
_LOOK_SECONDS = 0.3
_SANDBOX_SECONDS = 60.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class TooLate(AssertionError):
    """What was waited for did not come about in time."""


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes


def request(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    """One HTTP request without any proxy; every status is an answer."""
    asked = urllib.request.Request(  # noqa: S310 - http, to the loopback
        url, data=body, method=method, headers={"Content-Type": "application/json", **(headers or {})}
    )
    try:
        with _OPENER.open(asked, timeout=_CALL_SECONDS) as reply:
            return Reply(reply.status, reply.read())
    except urllib.error.HTTPError as refused:
        return Reply(refused.code, refused.read())


@contextmanager
def sandbox(port: int, folder: Path, image_origins: Sequence[str], url: str = "") -> Iterator[str]:
    """Run the provider sandbox, which fetches photos from `image_origins` only; gives its origin.

    Args:
        port: of the loopback.
        folder: for its log and its files.
        image_origins: of S3, as the functions know it.
        url: what the functions know it by, where that is another than its origin.

    Raises:
        children.NotRunning: it does not start.
    """
    origin = f"http://127.0.0.1:{port}"
    command: list[str | Path] = [BIN / "python", "-m", "backdrop_cli.sandbox", "--port", str(port)]
    command += [word for one in image_origins for word in ("--image-origin", one)]
    command += ["--url", url] if url not in {"", origin} else []
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)}
    with children.running(
        "the provider sandbox", command, environment=environment, folder=folder, log=folder / "logs" / "sandbox.log"
    ) as child:
        child.wait_for(f"{origin}/_sandbox/status", seconds=_SANDBOX_SECONDS)
        yield origin


@dataclass(frozen=True)
class Stage:
    """A stack that runs. `client` makes a boto3 client of a service, for this stack's endpoint."""

    client: Callable[[str], Any]
    deployed: Deployed
    sandbox_url: str
    logs: Path | None  # where LocalStack writes, when it is a process of this machine
    photos: Mapping[str, bytes]
    _marks: dict[Path, int] = field(default_factory=dict)  # how long each log file was when the scenario began
    _since: list[float] = field(default_factory=lambda: [0.0])

    @cached_property
    def s3(self) -> Any:
        """S3."""
        return self.client("s3")

    @cached_property
    def sqs(self) -> Any:
        """SQS."""
        return self.client("sqs")

    @cached_property
    def _decode(self) -> Callable[[Any], Any]:
        from boto3.dynamodb.types import TypeDeserializer  # noqa: PLC0415 - with boto3

        return TypeDeserializer().deserialize

    # ------------------------------------------------------------------------------------------- the user's side

    def photo(self, name: str) -> bytes:
        """The bytes of a sample photo."""
        return self.photos[self._file(name)]

    def key(self, folder: str, name: str) -> str:
        """A sample photo's key in a folder."""
        return f"{folder}/{self._file(name)}"

    def _file(self, name: str) -> str:
        (file,) = (file for file in self.photos if file.rpartition(".")[0] == name)
        return file

    def drop(self, key: str, data: bytes | str) -> None:
        """Put an object into the input bucket."""
        body = data.encode() if isinstance(data, str) else data
        self.s3.put_object(Bucket=self.deployed.outputs["InputBucketName"], Key=key, Body=body)

    def results(self, prefix: str = "") -> list[str]:
        """The keys in the output bucket that begin with `prefix`."""
        reply = self.s3.list_objects_v2(Bucket=self.deployed.outputs["OutputBucketName"], Prefix=prefix)
        return [entry["Key"] for entry in reply.get("Contents", [])]

    def result(self, key: str) -> tuple[bytes, str]:
        """An object of the output bucket and its Content-Type."""
        reply = self.s3.get_object(Bucket=self.deployed.outputs["OutputBucketName"], Key=key)
        return reply["Body"].read(), reply["ContentType"]

    def document(self, key: str) -> dict[str, Any]:
        """A record or an error file."""
        return dict(json.loads(self.result(key)[0]))

    # --------------------------------------------------------------------------------------- the operator's side

    def rows(self) -> list[dict[str, Any]]:
        """Every item of the job table."""
        table = self.deployed.outputs["JobTableName"]
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [{name: self._decode(value) for name, value in item.items()} for page in pages for item in page["Items"]]

    def jobs(self, key: str) -> list[dict[str, Any]]:
        """The jobs of one photo."""
        return [row for row in self.rows() if "model" in row and row.get("key") == key]

    def messages(self, output: str) -> int:
        """How many messages a queue holds, seen or not; `output` names its URL."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.sqs.get_queue_attributes(QueueUrl=self.deployed.outputs[output], AttributeNames=names)
        return sum(int(told["Attributes"][name]) for name in names)

    def sweep(self) -> None:
        """Wake `reconcile` as the schedule does, without waiting for its minute."""
        event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
        self.client("lambda").invoke(FunctionName=self.function("ReconcileFunction"), Payload=json.dumps(event))

    def function(self, logical_id: str) -> str:
        """The name of a deployed function."""
        detail = self.client("cloudformation").describe_stack_resource(
            StackName=self.deployed.name, LogicalResourceId=logical_id
        )
        return str(detail["StackResourceDetail"]["PhysicalResourceId"])

    def log(self, name: str, since: float = 0.0) -> list[str]:
        """The lines of a function's log group (`submit`, `webhook`, `reconcile`) since a unix time, oldest first."""
        group = f"/backdrop/{self.deployed.name}/{name}"
        if self.logs is None:  # in its container LocalStack does not heed LoggingConfig
            group = f"/aws/lambda/{self.function(f'{name.capitalize()}Function')}"
        pages = (
            self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=group, startTime=int(since * 1000))
        )
        return [event["message"].rstrip("\n") for page in pages for event in page["events"]]

    def listen(self) -> None:
        """From here on, what is logged is heard."""
        self._since[0] = time.time()
        self._marks.clear()
        self._marks.update({path: path.stat().st_size for path in self._files()})

    def heard(self, functions: Iterable[str]) -> dict[str, list[str]]:
        """The lines logged since `listen`: of all that runs here, else of the functions' log groups."""
        if self.logs is None:
            return {name: self.log(name, since=self._since[0]) for name in functions}
        heard = {}
        for path in self._files():
            data = path.read_bytes()[self._marks.get(path, 0) :]
            if data:
                heard[str(path.relative_to(self.logs))] = data.decode(errors="replace").splitlines()
        return heard

    def _files(self) -> list[Path]:
        return sorted(self.logs.rglob("*.log")) if self.logs else []

    # -------------------------------------------------------------------------------------- the providers' side

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the sandbox's control routes."""
        reply = request(
            method, f"{self.sandbox_url}/_sandbox/{path}", None if body is None else json.dumps(body).encode()
        )
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    def paid(self, job_id: str) -> int:
        """How many paid requests the providers accepted for a job, in all its attempts."""
        by_reference = self.control("GET", "ledger")["by_reference"]
        return sum(count for reference, count in by_reference.items() if str(reference).find(job_id) >= 0)

    # ------------------------------------------------------------------------------------------------- patience

    def wait[T](self, what: str, look: Callable[[], T], seconds: float = 60.0) -> T:
        """Look until something true comes of it, and give that.

        Raises:
            TooLate: nothing did within `seconds`.
        """
        end = time.monotonic() + seconds
        while not (found := look()):
            if time.monotonic() > end:
                raise TooLate(f"{what}: not within {seconds:.0f} s")
            time.sleep(_LOOK_SECONDS)
        return found

    def succeeded(self, key: str, count: int = 1, seconds: float = 60.0) -> list[dict[str, Any]]:
        """The jobs of a photo once `count` of them have SUCCEEDED."""

        def look() -> list[dict[str, Any]]:
            jobs = self.jobs(key)
            # LocalStack writes a row's attributes one by one: between two of them a scan sees half of the last move.
            good = [job for job in jobs if job["state"] == "SUCCEEDED" and "delivered_at" in job]
            if any(job["state"] == "FAILED" for job in jobs):
                raise AssertionError(self.document(f"{key}.error.json"))
            return good if len(good) >= count else []

        return self.wait(f"{count} result(s) of {key}", look, seconds)
