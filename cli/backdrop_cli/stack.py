"""The embedded stack: the deployed system in one process, every name and setting from template.yaml.

`with running(sandbox_url=...) as stack` gives moto's server with the template's resources, the functions loaded from
their own files, and threads that wake them from the queues, the schedule and an HTTP listener. Promises to put the
process's environment back and to leave no thread. Refuses to run twice in a process at a time: the functions read
os.environ, as they do in Lambda.
"""

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backdrop_cli import aws, drivers, listener
from backdrop_cli.cloudformation import Unresolvable
from backdrop_cli.lambdas import Lambda, logging_to, report
from backdrop_cli.parts import Place, Template
from backdrop_cli.template import load

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from backdrop.jobs import Job
    from backdrop.world import World

# What a laptop sets otherwise than a deployment: waits for people and for the internet, cut to seconds, none for what
# saves requests that cost nothing here, and no more threads than two cores are good for. All are parameters of the
# template.
LAPTOP: Mapping[str, str] = {
    "PairingSeconds": "2",
    "NoSpecSeconds": "6",
    "PollAfterSeconds": "3",
    "PatienceSeconds": "30",
    "HoldRetrySeconds": "5",
    "DropBatchingSeconds": "0",
    "DropConcurrency": "4",
    "WorkConcurrency": "4",
}
SCHEDULE_SECONDS = 1.0  # in place of the template's minute

SANDBOX_KEYS: Mapping[str, Any] = {
    "runflow_api_key": "rf_live_sandbox",
    "backgroundcut_api_key": "bc_sandbox",
    "imagepipeline_api_key": "ip_live_sandbox",
    "runflow_callback_secrets": ["whsec_sandbox"],
}

_STOP_SECONDS = 10.0  # that an invocation under way has to end
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "laptop", "AWS_SECRET_ACCESS_KEY": "laptop"}
_one_at_a_time = threading.Lock()


def template_path() -> Path:
    """Where template.yaml lies: in the checkout that this package belongs to, or in the current folder.

    Raises:
        Unresolvable: there is none.
    """
    for folder in (Path(__file__).resolve().parents[2], Path.cwd()):
        if (folder / "template.yaml").is_file():
            return folder / "template.yaml"
    msg = "there is no template.yaml: run this from a checkout of Backdrop"
    raise Unresolvable(msg)


@dataclass(frozen=True)
class Stack:
    """A running stack."""

    template: Template
    functions: Mapping[str, Lambda]  # by logical id
    session: "boto3.Session"
    world: "World"  # the library's view of the stack, for reading what it did
    endpoint_url: str
    callback_url: str

    @cached_property
    def s3(self) -> "S3Client":
        """S3 of the stack."""
        return self.session.client("s3")

    @cached_property
    def sqs(self) -> "SQSClient":
        """SQS of the stack."""
        return self.session.client("sqs")

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """DynamoDB of the stack."""
        return self.session.client("dynamodb")

    @property
    def input_bucket(self) -> str:
        """The name of the bucket that photos are dropped into."""
        return self.template.name("InputBucket")

    @property
    def output_bucket(self) -> str:
        """The name of the bucket that results appear in."""
        return self.template.name("OutputBucket")

    @property
    def staging_bucket(self) -> str:
        """The name of the bucket of zips."""
        return self.template.name("StagingBucket")

    @property
    def table(self) -> str:
        """The name of the job table."""
        return self.template.name("JobTable")

    def queue_url(self, logical_id: str) -> str:
        """The URL of a queue."""
        (queue,) = (queue for queue in self.template.queues if queue.logical_id == logical_id)
        return self.template.queue_url(queue)

    def invoke(self, logical_id: str, event: Any) -> Any:
        """Call a function with an event; what it returned.

        Raises:
            lambdas.Raised: it raised.
        """
        return self.functions[logical_id].invoke(event)

    def drop(self, key: str, data: bytes) -> None:
        """Put an object into the input bucket."""
        self.s3.put_object(Bucket=self.input_bucket, Key=key, Body=data)

    def result(self, key: str) -> bytes:
        """The bytes of an object in the output bucket.

        Raises:
            botocore.exceptions.ClientError: there is none.
        """
        return self.s3.get_object(Bucket=self.output_bucket, Key=key)["Body"].read()

    def results(self) -> list[str]:
        """The keys in the output bucket, sorted."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.output_bucket)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def rows(self) -> list[dict[str, Any]]:
        """Every item of the job table: jobs, and the rows of drops and memos."""
        from backdrop import table  # noqa: PLC0415 - the library is imported when a stack runs

        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return [{name: table.decode(value) for name, value in item.items()} for page in pages for item in page["Items"]]

    def jobs(self) -> "list[Job]":
        """Every job, oldest first."""
        from backdrop import jobs  # noqa: PLC0415 - the library is imported when a stack runs

        found = jobs.many(self.world, (str(row["job_id"]) for row in self.rows() if "model" in row))
        return sorted(found, key=lambda job: (job.created_at, job.job_id))

    def wait(self, condition: Callable[[], bool], seconds: float = 30.0) -> bool:
        """Look every tenth of a second until the condition holds; whether it did within `seconds`."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True


@contextmanager
def running(
    *,
    sandbox_url: str,
    endpoint_url: str = "",
    name: str = "",
    overrides: Mapping[str, str] | None = None,
    provider_keys: Mapping[str, Any] = SANDBOX_KEYS,
    template: Path | None = None,
    log: Path | None = None,
    port: int = 0,
    drive: bool = True,
    schedule_seconds: float = SCHEDULE_SECONDS,
) -> Iterator[Stack]:
    """Run the stack against the providers at `sandbox_url` (one origin for all three).

    Args:
        sandbox_url: the base URL of every provider.
        endpoint_url: the origin of a `serving_aws()` of this process; empty: one is started for the stack on `port`.
        name: the stack's, with which all names begin; empty: one that no other stack of this process has.
        overrides: parameters of the template, over LAPTOP's.
        provider_keys: what the provider secret holds.
        template: another template than the project's.
        log: where the functions' output goes; None: nowhere.
        port: of the AWS endpoint; 0: any that is free.
        drive: False: no driver runs, the caller invokes the functions; the listener still listens.
        schedule_seconds: how often the schedule fires.

    Raises:
        Unresolvable: the template cannot be read.
        OSError: a port is taken.
        RuntimeError: another stack runs in this process.
    """
    if not _one_at_a_time.acquire(blocking=False):
        msg = "another stack is running in this process"
        raise RuntimeError(msg)
    with ExitStack() as closing:
        closing.callback(_one_at_a_time.release)
        origin = endpoint_url or closing.enter_context(aws.serving_aws(port))
        closing.enter_context(logging_to(_opened(closing, log)))
        functions: list[Lambda] = []
        place = Place(endpoint_url=origin, stack=name or f"backdrop-{secrets.token_hex(3)}")
        callback_url = closing.enter_context(listener.listening(functions, place))
        parameters = {
            **LAPTOP,
            "CallbackBaseUrl": callback_url,
            "RunflowBaseUrl": sandbox_url,
            "BackgroundcutBaseUrl": sandbox_url,
            "ImagepipelineBaseUrl": sandbox_url,
            **(overrides or {}),
        }
        read = load(template or template_path(), place, parameters)
        closing.enter_context(_environment(read))
        stack = _built(closing, read, functions, provider_keys, callback_url)
        if drive:
            closing.enter_context(_driven(stack, schedule_seconds))
        yield stack


def _opened(closing: ExitStack, log: Path | None) -> Any:
    if log is None:
        return closing.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
    log.parent.mkdir(parents=True, exist_ok=True)
    return closing.enter_context(log.open("w", encoding="utf-8", buffering=1, errors="backslashreplace"))


def _built(
    closing: ExitStack,
    template: Template,
    functions: list[Lambda],
    provider_keys: Mapping[str, Any],
    callback_url: str,
) -> Stack:
    import boto3  # noqa: PLC0415 - 150 ms, only for a stack

    from backdrop import world as library  # noqa: PLC0415 - the library is imported when a stack runs
    from backdrop.settings import Settings  # noqa: PLC0415 - the same

    library.deployed.cache_clear()
    closing.callback(_close_deployed)
    session = boto3.Session()
    clients = library.Clients()
    closing.callback(_close, clients)
    aws.build(session, template, {"ProviderSecret": provider_keys})
    aws.announce(template)
    functions.extend(Lambda(function) for function in template.functions)
    stack = Stack(
        template=template,
        functions={one.function.logical_id: one for one in functions},
        session=session,
        world=library.World(Settings.from_environment(os.environ), clients, _Quiet()),
        endpoint_url=template.place.endpoint_url,
        callback_url=callback_url,
    )
    closing.callback(_close, stack)
    return stack


@contextmanager
def _driven(stack: Stack, schedule_seconds: float) -> Iterator[None]:
    stop = threading.Event()
    place = stack.template.place
    arns = {queue.arn: stack.template.queue_url(queue) for queue in stack.template.queues}
    threads = []
    for function in stack.functions.values():
        for source in function.function.queues:
            url = arns[source.queue_arn]
            threads += drivers.queue_threads(stack.sqs, url, source, function, region=place.region, stop=stop)
        for schedule in function.function.schedules:
            threads.append(drivers.schedule_thread(schedule, function, place, seconds=schedule_seconds, stop=stop))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        end = time.monotonic() + _STOP_SECONDS
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                report("a driver did not stop in time", thread=thread.name)


@contextmanager
def _environment(template: Template) -> Iterator[None]:
    """The environment of the functions, and nothing of the user's that would lead a client elsewhere."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update(_CREDENTIALS)
    os.environ.update(
        {
            "AWS_ENDPOINT_URL": template.place.endpoint_url,
            "AWS_DEFAULT_REGION": template.place.region,
            "AWS_REGION": template.place.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
    )
    os.environ.update(_shared_environment(template))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _shared_environment(template: Template) -> dict[str, str]:
    """One environment for all functions: in a process there is only one, so they must not contradict each other."""
    shared: dict[str, str] = {}
    for function in template.functions:
        for name, value in function.environment.items():
            if shared.setdefault(name, value) != value:
                msg = f"{function.logical_id}: {name} differs from another function's; the embedded stack has one of it"
                raise Unresolvable(msg)
    return shared


def _close_deployed() -> None:
    from backdrop import world as library  # noqa: PLC0415 - the library is imported when a stack runs

    if library.deployed.cache_info().currsize:
        _close(library.deployed().aws)
    library.deployed.cache_clear()


def _close(holder: Any) -> None:
    """Close the boto3 clients that `holder` has made so far."""
    for value in list(vars(holder).values()):
        if hasattr(value, "close") and hasattr(value, "meta"):
            value.close()


class _Quiet:
    """A log that keeps nothing: what the command itself reads of the table is no news."""

    def debug(self, msg: object, **fields: Any) -> None: ...
    def info(self, msg: object, **fields: Any) -> None: ...
    def warning(self, msg: object, **fields: Any) -> None: ...
    def error(self, msg: object, **fields: Any) -> None: ...
