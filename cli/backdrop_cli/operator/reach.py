"""A stack by its name: CloudFormation's outputs and parameters become the library's World.

Promises the deployed stack's own names and settings, found by one rule: an output or parameter is called like its
field of Settings in CamelCase, an output that names a resource with Name, Arn or Url at its end. A test holds the rule
against template.yaml. Refuses, with what to do, a stack that is not there, is not finished or is not Backdrop's.
"""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, override
from urllib.parse import urlsplit

from backdrop.catalogue import closest
from backdrop.settings import Settings
from backdrop.world import Clients, World
from backdrop_cli.operator.failures import BAD_INPUT, Stopped, Where, told
from backdrop_cli.paths import printable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Only the laptop has these: no output and no parameter names them.
NOT_DEPLOYED = frozenset({"exempt_origins"})
# Empty as a parameter means the API's own URL; the output has whichever it is.
_OTHERWISE = {"callback_base_url": "CallbackUrl"}
_MARK = "JobTableName"  # what every stack of Backdrop tells
_MOST_STACKS = 2000
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LAPTOP_REGION = "eu-central-1"


class Reach(Clients):
    """The library's clients, where the user says, and `where` that is with what the environment adds to it."""

    def __init__(self, where: Where) -> None:
        """Read the AWS configuration; no client is made yet.

        Raises:
            Stopped: it has no such profile.
        """
        self._guard = threading.Lock()
        self._others: dict[str, Any] = {}
        with told(where):
            self._real = _session(where)
        endpoint = where.endpoint_url or os.environ.get("AWS_ENDPOINT_URL", "")
        region = self._real.region_name or os.environ.get("AWS_REGION", "")
        if not region and urlsplit(endpoint).hostname in _LOOPBACK:
            region = _LAPTOP_REGION
        self.where = replace(where, endpoint_url=endpoint, region=region)

    @cached_property
    @override
    def _session(self) -> Any:
        where = self.where
        keys: dict[str, str] = {}
        if urlsplit(where.endpoint_url).hostname in _LOOPBACK and self._real.get_credentials() is None:
            # An emulator on this machine asks for some, whichever they are; nothing beyond it is given these.
            keys = {"aws_access_key_id": "laptop", "aws_secret_access_key": "laptop"}
        return _Pointed(self._real, where, keys)

    @cached_property
    @override
    def s3(self) -> "S3Client":
        """S3; by path at an endpoint of the user's, whose host name need not take a bucket's before it."""
        from botocore.config import Config  # noqa: PLC0415 - with boto3

        given = self.where.endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3")
        config = Config(signature_version="s3v4", s3={"addressing_style": "path" if given else "virtual"})
        client: S3Client = self._session.client("s3", config=config)
        return client

    @cached_property
    def cloudformation(self) -> Any:
        """CloudFormation."""
        return self._session.client("cloudformation")

    def other(self, service: str) -> Any:
        """A service that the library does not speak to; from any thread."""
        with self._guard:
            if service not in self._others:
                self._others[service] = self._session.client(service)
            return self._others[service]

    def close(self) -> None:
        """Close every client made so far."""
        for name in ("s3", "dynamodb", "sqs", "secrets", "cloudformation"):
            if name in vars(self):
                vars(self)[name].close()
        for client in self._others.values():
            client.close()


def _session(where: Where) -> Any:
    import boto3  # noqa: PLC0415 - 100 ms, only when a command runs
    import botocore.session  # noqa: PLC0415 - with boto3

    core = botocore.session.Session(profile=where.profile or None)
    core.register_component("data_loader", _descriptions())
    return boto3.Session(botocore_session=core, region_name=where.region or None)


@lru_cache(maxsize=1)
def _descriptions() -> Any:
    """AWS's own descriptions of its services, which take longest to read: once in a process."""
    import botocore.loaders  # noqa: PLC0415 - with boto3

    return botocore.loaders.create_loader()


@dataclass(frozen=True)
class _Pointed:
    """A boto3 session all of whose clients go to one endpoint."""

    session: Any
    where: Where
    keys: Mapping[str, str]

    def client(self, service: str, *, config: Any = None) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - with boto3

        patient = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 4},
            max_pool_connections=16,
        )
        return self.session.client(
            service,
            region_name=self.where.region or None,
            endpoint_url=self.where.endpoint_url or None,
            config=patient.merge(config) if config else patient,
            **self.keys,
        )


@dataclass(frozen=True)
class Found:
    """A stack of Backdrop's: the library's World of it, and what only the operator needs."""

    name: str
    where: Where
    world: World
    outputs: Mapping[str, str]
    clients: Reach

    def output(self, name: str) -> str:
        """An output's value.

        Raises:
            Stopped: the stack is of a version that does not have it.
        """
        if not self.outputs.get(name):
            raise Stopped(_outdated(self.name, name))
        return self.outputs[name]


def find(clients: Reach) -> Found:
    """The stack that the clients' `where` names.

    Raises:
        Stopped: there is none, or it is not Backdrop's, or it is not finished.
    """
    where = clients.where
    stack = _describe(where, clients)
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
    if _MARK not in outputs:
        status = str(stack.get("StackStatus", ""))
        if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}:
            raise Stopped(f"the stack {where.stack} is not ready, it is {status}: deploy it, or wait for that")
        raise Stopped(f"the stack {where.stack} is not one of Backdrop's: {_others(where, clients)}")
    settings = settings_of(where.stack, outputs, parameters)
    return Found(where.stack, where, World(settings, clients, _Quiet()), outputs, clients)


def settings_of(stack: str, outputs: Mapping[str, str], parameters: Mapping[str, str]) -> Settings:
    """The settings of a stack, from its outputs and parameters.

    Raises:
        Stopped: it lacks one that the library needs: an older version's, or a newer one's with another meaning.
    """
    environment = {}
    for field in fields(Settings):
        if field.name in NOT_DEPLOYED:
            continue
        names = named(field.name)
        found = [outputs[name] for name in names if outputs.get(name)]
        found += [parameters[name] for name in names[:1] if parameters.get(name)]
        if found:
            environment[field.name.upper()] = found[0]
        elif field.name in _NEEDED:
            raise Stopped(_outdated(stack, names[-1]))
    try:
        return Settings.from_environment(environment)
    except ValueError as error:
        raise Stopped(f"the stack {stack} has a setting that this backdrop cannot read: {error}") from None


_NEEDED = frozenset(field.name for field in fields(Settings)[:7])


def named(field: str) -> tuple[str, ...]:
    """What a parameter or an output of a field of Settings may be called, the parameter's name first."""
    camel = "".join(word.capitalize() for word in field.split("_"))
    if field in _OTHERWISE:
        return camel, _OTHERWISE[field]
    if field.endswith("_secret"):
        return camel, f"{camel}Arn"
    return (camel, f"{camel}Name") if not field.endswith("_url") else (camel,)


def _outdated(stack: str, name: str) -> str:
    return f"the stack {stack} has no output {name}: an older version made it; deploy this one (sam build, sam deploy)"


def _describe(where: Where, clients: Reach) -> dict[str, Any]:
    from botocore.exceptions import ClientError, ParamValidationError  # noqa: PLC0415 - as above

    try:
        found: dict[str, Any] = clients.cloudformation.describe_stacks(StackName=where.stack)["Stacks"][0]
    except ParamValidationError:
        raise Stopped(f"{printable(where.stack)!r} is no name of a stack", BAD_INPUT) from None
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        name = printable(where.stack)
        raise Stopped(f"there is no stack {name} in {where.told()}: {_others(where, clients)}") from None
    return found


def _others(where: Where, clients: Reach) -> str:
    """What to do instead, with the names of the stacks that are Backdrop's."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

    names = []
    try:
        pages = clients.cloudformation.get_paginator("describe_stacks").paginate(
            PaginationConfig={"MaxItems": _MOST_STACKS}
        )
        for page in pages:
            names += [
                str(stack["StackName"])
                for stack in page["Stacks"]
                if any(one["OutputKey"] == _MARK for one in stack.get("Outputs", []))
            ]
    except ClientError:
        return "name the right one with --stack, --region, --profile or --endpoint-url"
    if not names:
        return "none of Backdrop's is there; is --region, --profile or --endpoint-url right? (make up starts one)"
    meant = closest(where.stack, names)
    return f"did you mean --stack {meant}?" if meant else f"Backdrop's are {', '.join(sorted(names))}; add --stack NAME"


class _Quiet:
    """A log that keeps nothing: the screen is for what was asked."""

    def debug(self, msg: object, **fields: Any) -> None: ...
    def info(self, msg: object, **fields: Any) -> None: ...
    def warning(self, msg: object, **fields: Any) -> None: ...
    def error(self, msg: object, **fields: Any) -> None: ...
