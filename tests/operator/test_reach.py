"""How a command finds its stack, and what it says when it does not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from console import console, outputs_and_parameters
from recording import make_project, run_recorded
from typer.testing import CliRunner

from backdrop.settings import Settings
from backdrop_cli import aws
from backdrop_cli.cloudformation import parse
from backdrop_cli.main import app
from backdrop_cli.operator import failures, reach

if TYPE_CHECKING:
    from bench import Bench
    from console import Console

    from backdrop_cli.parts import Template

TEMPLATE: dict[str, Any] = parse((Path(__file__).resolve().parents[2] / "template.yaml").read_text(encoding="utf-8"))
VARIABLES: dict[str, Any] = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]


@pytest.mark.parametrize("field", [field.name for field in fields(Settings) if field.name not in reach.NOT_DEPLOYED])
def test_every_setting_is_found_by_its_name(field: str) -> None:
    """A field of Settings, its variable, and the parameter or output that tells it are called alike in the template."""
    names = reach.named(field)
    told = {name: output["Value"] for name, output in TEMPLATE["Outputs"].items()}
    if field == "callback_base_url":
        assert names[0] in TEMPLATE["Parameters"]
        assert names[1] in told
        return
    (source,) = VARIABLES[field.upper()].values()
    if source in TEMPLATE["Parameters"]:
        assert source == names[0]
        assert names[-1] not in told
    else:
        assert [told[name] for name in names if name in told] == [{"Ref": source}]
        assert not set(names) & set(TEMPLATE["Parameters"])


def test_no_variable_of_the_functions_is_unknown_to_settings() -> None:
    """What the template hands to the functions, and the command reads, are the same settings."""
    mine = {name for name in VARIABLES if not name.startswith(("POWERTOOLS_", "PYDANTIC_"))}
    known = {field.name.upper() for field in fields(Settings)} - {name.upper() for name in reach.NOT_DEPLOYED}
    assert mine <= known
    assert known - mine <= {"CALLBACK_BASE_URL"}


def test_the_embedded_stack_is_found_like_a_deployed_one(tmp_path: Path) -> None:
    """What the command reads of the stack by its name is what the stack's functions have in their environment."""
    overrides = {"DailyBudgetUsd": "2.50", "Prices": "backgroundcut/remove-bg=0.05"}
    with run_recorded(tmp_path, drive=False, overrides=overrides) as made:
        where = failures.Where(made.stack.template.place.stack, "eu-central-1", "", made.stack.endpoint_url)
        clients = reach.Reach(where)
        found = reach.find(clients)
        clients.close()
        assert found.world.settings == Settings.from_environment(os.environ)
        assert found.output("DropQueueUrl") == made.stack.queue_url("DropQueue")


def test_cloudformation_is_told_of_a_stack_only_when_it_is_asked() -> None:
    """Its two seconds of imports come with the first question, which is answered with the stacks that run."""
    code = (
        "import os, sys, boto3\n"
        "from backdrop_cli import aws, stack, template\n"
        "with aws.serving_aws() as origin:\n"
        "    place = template.Place(endpoint_url=origin, stack='mine')\n"
        "    aws.announce(template.load(stack.template_path(), place))\n"
        "    before = 'moto.cloudformation.models' in sys.modules\n"
        "    client = boto3.client('cloudformation', endpoint_url=origin)\n"
        "    told = client.describe_stacks()['Stacks']\n"
        "    client.close()\n"
        "    print(before, [one['StackName'] for one in told], told[0]['StackStatus'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False ['mine'] CREATE_COMPLETE"


NOWHERE: dict[str, str | None] = dict.fromkeys(
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ENDPOINT_URL")
) | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def test_an_endpoint_on_this_machine_needs_no_credentials(desk: Console) -> None:
    """Against an emulator the command works without keys and without a region; nothing else is given made-up keys."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    assert desk.run("status", "--endpoint-url", endpoint, env=NOWHERE).exit_code == 0
    away = desk.run("status", "--region", "eu-central-1", "--endpoint-url", "http://backdrop.invalid:1", env=NOWHERE)
    assert away.exit_code == 1
    assert "no AWS credentials" in away.stderr


def test_no_region_is_a_sentence(desk: Console) -> None:
    """Without a region the command says how to name one."""
    result = desk.run("status", env=NOWHERE)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--region" in result.stderr


def test_a_stack_that_is_not_there_is_answered_with_what_is(desk: Console) -> None:
    """The message names region and endpoint, and the stack that was meant; status 1."""
    near = desk.stack.replace("shop-", "shpo-")
    result = CliRunner().invoke(app, ["status", "--stack", near])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"backdrop: there is no stack {near} in region eu-central-1 at http://127.0.0.1:")
    assert "did you mean --stack shop-" in result.stderr
    far = CliRunner().invoke(app, ["status", "--stack", "zzzzzzzzzzzzzzzzzzzzzz"])
    assert desk.stack in far.stderr
    assert "add --stack NAME" in far.stderr


def test_the_wrong_region_is_told(desk: Console) -> None:
    """In a region without any stack of Backdrop's the message says to check region, profile and endpoint."""
    result = desk.run("status", "--region", "us-east-1")
    assert result.exit_code == 1
    assert "in region us-east-1" in result.stderr
    assert "--region, --profile or --endpoint-url right?" in result.stderr


def test_a_stack_of_no_use_is_told(bench: Bench, deployed: Template) -> None:
    """A foreign stack, an older one and one whose parts are gone are each a sentence; status 1."""
    expected = {
        ("JobTableName", ""): "is not one of Backdrop's",
        ("WorkQueueUrl", ""): "has no output WorkQueueUrl: an older version made it",
        ("DropQueueUrl", ""): "has no output DropQueueUrl: an older version made it",
        ("JobTableName", "nowhere"): "something that the stack",
    }
    for (name, value), told in expected.items():
        result = console(bench, deployed, **{name: value}).run("status")
        assert (result.exit_code, result.stdout) == (1, "")
        assert told in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_a_setting_that_cannot_be_read_is_told(bench: Bench, deployed: Template) -> None:
    """A parameter of another meaning than this version's is a sentence that names it."""
    made = console(bench, deployed)
    place = replace(deployed.place, stack=f"{made.stack}-odd")
    outputs, _ = outputs_and_parameters(bench.world.settings)
    aws.announce(replace(deployed, place=place, outputs=outputs, parameters={"PairingSeconds": "soon"}))
    result = CliRunner().invoke(app, ["status", "--stack", place.stack])
    assert result.exit_code == 1
    assert "PAIRING_SECONDS must be a whole number" in result.stderr


def test_a_place_of_no_use_is_told(tmp_path: Path, desk: Console) -> None:
    """An endpoint nobody listens on, one that is no URL, no profile, no name of a stack: a sentence each."""
    config = tmp_path / "config"
    config.write_text("[profile staging]\nregion = eu-central-1\n")
    expected = {
        ("--endpoint-url", "http://127.0.0.1:1"): (1, "cannot reach http://127.0.0.1:1"),
        ("--endpoint-url", "localhost"): (2, "localhost is not a URL"),
        ("--profile", "stagin"): (1, "there is no AWS profile stagin; did you mean staging?"),
        ("--stack", "not a name!"): (1, "no stack"),
    }
    for arguments, (status, told) in expected.items():
        given = ["status", "--stack", desk.stack, *arguments]
        result = CliRunner().invoke(app, given, env={"AWS_CONFIG_FILE": str(config)})
        assert (result.exit_code, result.stdout) == (status, "")
        assert told in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ExpiredToken", "log in again"),
        ("InvalidClientTokenId", "log in again"),
        ("AccessDeniedException", "may not Query"),
        ("AccessDenied", "ask for that permission"),
        ("ResourceNotFoundException", "Deploy the stack again"),
        ("ThrottlingException", "in a minute"),
        ("SomethingElse", "refused Query (SomethingElse)"),
    ],
)
def test_what_aws_refuses_is_a_sentence(code: str, told: str) -> None:
    """Each family of AWS's refusals says what to do."""
    assert told in failures.refused(failures.Where(region="eu-central-1"), code, "Query")


def test_a_refusal_of_aws_repeats_nothing_it_quotes() -> None:
    """A client error's own message, which may hold a key id or a signed request, is not on the screen."""
    reply: Any = {"Error": {"Code": "SignatureDoesNotMatch", "Message": "AKIAEXAMPLE signed X-Amz-Signature=5ec3e7"}}
    with pytest.raises(failures.Stopped) as stopped, failures.told(failures.Where()):
        raise ClientError(reply, "Query")
    assert "SignatureDoesNotMatch" in str(stopped.value)
    assert "AKIA" not in str(stopped.value)
    assert "5ec3e7" not in str(stopped.value)


def test_a_project_of_ones_own_has_its_own_outputs(tmp_path: Path) -> None:
    """Outputs of what a laptop does not make (a dashboard) are left out; all others are told."""
    from backdrop_cli import template  # noqa: PLC0415 - beside its one use

    read = template.load(make_project(tmp_path), template.Place(endpoint_url="http://127.0.0.1:1"))
    assert set(TEMPLATE["Outputs"]) - set(read.outputs) == {"DashboardUrl"}
    assert not [value for value in read.outputs.values() if re.search(r"\$\{|Fn::|\{'Ref", value)]


def test_json_stays_json_when_it_fails(desk: Console) -> None:
    """A script that asks for JSON gets nothing on standard output that is not."""
    result = CliRunner().invoke(app, ["status", "--json", "--stack", f"{desk.stack}x"])
    assert result.stdout == ""
    assert result.exit_code == 1
    assert boto3.client("cloudformation").describe_stacks(StackName=desk.stack)["Stacks"]
    assert json.loads(desk.run("status", "--json").stdout)["stack"] == desk.stack
