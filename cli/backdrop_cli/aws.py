"""The stack's storage and queues: moto's server over real HTTP, and the template's resources made in it.

Promises every bucket, queue, table and secret of the template with the settings that the functions rely on
(versioning, notifications, redrive, visibility, indexes, expiry). Refuses to serve beyond this machine. moto's own
CloudFormation leaves out bucket notifications without a word, so the resources are made by plain calls.
"""

import json
import logging
import os
import secrets
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from backdrop_cli.cloudformation import Unresolvable
from backdrop_cli.parts import Bucket, Secret, Template
from backdrop_cli.servers import Whole, serving

if TYPE_CHECKING:
    import boto3

HOST = "127.0.0.1"
# moto keeps an object in memory up to this many bytes, the rest on disk: photos would fill the memory.
_BUFFER_SETTING, _BUFFER_BYTES = "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", "65536"
_SHORTEST_GENERATED = 32

_running: list[str] = []  # origins of this process's servers
_exported: list[str] = []  # what was set in the environment for them
_announced: list[Template] = []  # what CloudFormation will be told when it is first asked
_guard = threading.Lock()


@contextmanager
def serving_aws(port: int = 0) -> Iterator[str]:
    """Run moto's server on the loopback; gives its origin.

    Servers of one process share their contents, which go with the last of them.

    Raises:
        OSError: the port is taken.
    """
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - a second of imports, only for a stack
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import ThreadedWSGIServer  # noqa: PLC0415 - the same

    class Server(Whole, ThreadedWSGIServer):
        """werkzeug's threading server, stoppable whole."""

    class Handler(MotoRequestHandler):
        """Kept-alive connections, and no line on the screen for each request."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
            """Say nothing."""

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # A socket of our own: werkzeug ends the whole process when a port is taken.
    with socket.create_server((HOST, port)) as bound:
        app = _one_at_a_time(DomainDispatcherApplication(create_backend_app))
        server = Server(HOST, port, app, Handler, fd=bound.fileno())
    with serving(server, "moto") as origin:
        with _guard:
            if not _running and _BUFFER_SETTING not in os.environ:
                os.environ[_BUFFER_SETTING] = _BUFFER_BYTES
                _exported.append(_BUFFER_SETTING)
            _running.append(origin)
        try:
            yield origin
        finally:
            with _guard:
                _running.remove(origin)
                if not _running:
                    _reset()
                    while _exported:
                        os.environ.pop(_exported.pop(), None)


def _one_at_a_time(app: Any) -> Any:
    """Serve DynamoDB's requests one after the other: moto checks a condition and writes without a lock between.

    Under load two claims of one job did both succeed, and it was paid for twice. CloudFormation is told of the stacks
    when it is first asked: to import it takes two seconds, which nobody waits for who does not ask.
    """
    lock = threading.Lock()

    def serve(environ: Any, start_response: Any) -> Any:
        if "/cloudformation/" in environ.get("HTTP_AUTHORIZATION", ""):
            _tell_cloudformation()
        if not environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB_"):
            return app(environ, start_response)
        with lock:
            return app(environ, start_response)

    return serve


def announce(template: Template) -> None:
    """Let CloudFormation know the stack by its name, outputs and parameters, as `describe-stacks` tells them.

    It makes nothing of it: the resources are made by `build`.
    """
    with _guard:
        _announced.append(template)


def _tell_cloudformation() -> None:
    with _guard:
        while _announced:
            template = _announced.pop(0)
            document = {
                "Description": "Backdrop on this machine",
                "Parameters": {name: {"Type": "String"} for name in template.parameters},
                "Resources": {},
                "Outputs": {name: {"Value": value} for name, value in template.outputs.items()},
            }
            parameters = {
                name: ",".join(value) if isinstance(value, list) else str(value)
                for name, value in template.parameters.items()
            }
            _cloudformation(template).create_stack(template.place.stack, json.dumps(document), parameters)


def _cloudformation(template: Template) -> Any:
    from moto.cloudformation.models import cloudformation_backends  # noqa: PLC0415 - two seconds of imports

    return cloudformation_backends[template.place.account][template.place.region]


def _reset() -> None:
    """Empty moto, which keeps its contents for the process."""
    from moto.backends import get_backend  # noqa: PLC0415 - with moto
    from moto.core.model_instances import reset_model_data  # noqa: PLC0415 - with moto

    services = ["s3", "sqs", "dynamodb", "secretsmanager"]
    if "moto.cloudformation.models" in sys.modules:
        services.append("cloudformation")
    for service in services:
        accounts: Any = get_backend(service)  # type: ignore[call-overload] # declared for each name by itself
        for account in accounts.values():
            for backend in account.values():
                backend.reset()
    _announced.clear()
    reset_model_data()


def build(session: "boto3.Session", template: Template, secret_values: Mapping[str, Mapping[str, Any]]) -> None:
    """Make the template's resources. `secret_values`: by logical id, for secrets that the template leaves empty."""
    _build_queues(session, template)
    s3: Any = session.client("s3")
    for bucket in template.buckets:
        _build_bucket(s3, bucket, template.place.region)
    dynamodb: Any = session.client("dynamodb")
    for table in template.tables:
        dynamodb.create_table(**table.request)
        if table.expiry:
            ttl = {"Enabled": True, "AttributeName": table.expiry}
            dynamodb.update_time_to_live(TableName=table.name, TimeToLiveSpecification=ttl)
    manager: Any = session.client("secretsmanager")
    for secret in template.secrets:
        text = _secret_text(secret, secret_values)
        manager.create_secret(Name=secret.name, **({"SecretString": text} if text else {}))


def _build_queues(session: "boto3.Session", template: Template) -> None:
    sqs: Any = session.client("sqs")
    redrives = {}
    for queue in template.queues:
        attributes = dict(queue.attributes)
        if "RedrivePolicy" in attributes:
            redrives[template.queue_url(queue)] = attributes.pop("RedrivePolicy")
        sqs.create_queue(QueueName=queue.name, Attributes=attributes)
    for url, policy in redrives.items():  # when all of them are there, in whatever order the template has them
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})


def _build_bucket(s3: Any, bucket: Bucket, region: str) -> None:
    s3.create_bucket(Bucket=bucket.name, CreateBucketConfiguration={"LocationConstraint": region})
    if bucket.versioned:
        s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    told = []
    for one in bucket.notifications:
        entry: dict[str, Any] = {"QueueArn": one.queue_arn, "Events": [one.event]}
        if one.rules:
            entry["Filter"] = {"Key": {"FilterRules": [{"Name": name, "Value": value} for name, value in one.rules]}}
        told.append(entry)
    if told:
        s3.put_bucket_notification_configuration(
            Bucket=bucket.name, NotificationConfiguration={"QueueConfigurations": told}
        )


def _secret_text(secret: Secret, values: Mapping[str, Mapping[str, Any]]) -> str:
    if secret.logical_id in values:
        return json.dumps(values[secret.logical_id])
    if secret.text or not secret.generate:
        return secret.text
    length = max(_SHORTEST_GENERATED, int(secret.generate.get("PasswordLength", _SHORTEST_GENERATED)))
    made = secrets.token_hex(length)[:length]
    name = secret.generate.get("GenerateStringKey")
    if not name:
        return made
    around = secret.generate.get("SecretStringTemplate", "{}")
    try:
        return json.dumps({**json.loads(around), str(name): made})
    except ValueError as error:
        msg = f"{secret.logical_id}: SecretStringTemplate is not JSON"
        raise Unresolvable(msg) from error
