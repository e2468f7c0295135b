"""The command line against a bench: the bench's names stand in CloudFormation as a stack, as a deployment's would."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from typer.testing import CliRunner

from backdrop.settings import Settings
from backdrop_cli import aws
from backdrop_cli.main import app
from backdrop_cli.operator import explaining, naming
from backdrop_cli.operator.failures import Where
from backdrop_cli.operator.reach import NOT_DEPLOYED, Found, Reach, find, named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench import Bench
    from typer.testing import Result

    from backdrop_cli.parts import Template


@dataclass(frozen=True)
class Console:
    """A terminal at which the operator of a bench's stack sits."""

    bench: Bench
    stack: str
    dead_letters: dict[str, str]  # output -> queue URL

    def run(
        self, command: str, *arguments: str, answer: str = "", env: Mapping[str, str | None] | None = None
    ) -> Result:
        """Run a command against the stack; `answer` is typed at its question, `env` changes the environment."""
        return CliRunner().invoke(app, [command, *arguments, "--stack", self.stack], input=answer, env=env)

    def json(self, command: str, *arguments: str, status: int = 0) -> Any:
        """What a command tells a script; its exit status must be as given."""
        result = self.run(command, *arguments, "--json")
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    @cached_property
    def found(self) -> Found:
        """The stack as a command finds it."""
        clients = Reach(Where(self.stack))
        found = find(clients)
        clients.close()
        return replace(found, world=self.bench.world)

    def explain(self, asked: str) -> Any:
        """What `explain` tells a script of a name."""
        return explaining.gather(self.found, naming.resolve(self.found, asked), asked)

    def send(self, output: str, body: str) -> None:
        """Put a message into one of the stack's queues, by the output that names it."""
        self.bench.world.aws.sqs.send_message(QueueUrl=self.dead_letters[output], MessageBody=body)

    def messages(self, url: str) -> list[str]:
        """The bodies of up to ten messages of a queue, which they leave."""
        sqs = self.bench.world.aws.sqs
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages", [])
        for message in received:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in received]


def outputs_and_parameters(settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """What a stack of these settings would tell."""
    outputs, parameters = {}, {}
    for field in fields(Settings):
        if field.name in NOT_DEPLOYED:
            continue
        value: Any = getattr(settings, field.name)
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        if field.name in {one.name for one in fields(Settings)[:7]}:
            outputs[named(field.name)[-1]] = text
        else:
            parameters[named(field.name)[0]] = text
    return outputs, parameters


def console(bench: Bench, template: Template, **changes: str) -> Console:
    """Register the bench's stack, with queues of its own; `changes` are outputs that are told otherwise."""
    sqs, unique = boto3.client("sqs"), secrets.token_hex(4)
    names = ("DropQueueUrl", "DropDeadLetterQueueUrl", "WorkDeadLetterQueueUrl", "SweepDeadLetterQueueUrl")
    queues = {name: sqs.create_queue(QueueName=f"{name}-{unique}")["QueueUrl"] for name in names}
    outputs, parameters = outputs_and_parameters(bench.world.settings)
    told = {name: value for name, value in (outputs | queues | changes).items() if value}
    stack = f"shop-{unique}"
    place = replace(template.place, stack=stack)
    aws.announce(replace(template, place=place, outputs=told, parameters=parameters))
    return Console(bench, stack, queues)
