"""`backdrop check` as a test runs it, and stacks for it to look at."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING

import boto3
import httpx
from bench import PROVIDER_KEYS
from standing import Standing, stand
from typer.testing import CliRunner

from backdrop_cli.main import app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backdrop_cli.stack import Stack

SECRETS = ("rf_live_sandbox", "bc_sandbox", "ip_live_sandbox", "whsec_sandbox")
_BASES = ("RunflowBaseUrl", "BackgroundcutBaseUrl", "ImagepipelineBaseUrl")


def stand_beside(laptop: Stack, door: str = "") -> Standing:
    """The template's parts in CloudFormation, their callbacks at the laptop's door or another; the stack."""
    # Lambda's simple form: moto would start a container for each call.
    httpx.post(
        f"{boto3.client('s3').meta.endpoint_url}/moto-api/config", json={"lambda": {"use_docker": False}}
    ).raise_for_status()
    name = f"shop-{secrets.token_hex(4)}"
    sandbox = laptop.world.settings.runflow_base_url
    return stand(
        name, {"CallbackBaseUrl": door or laptop.callback_url, **dict.fromkeys(_BASES, sandbox)}, PROVIDER_KEYS
    )


def check(name: str, *, status: int) -> dict[str, dict[str, str]]:
    """What the command tells of each thing, by its name."""
    result = CliRunner().invoke(app, ["check", name, "--json"])
    assert result.exit_code == status, result.output
    assert not [secret for secret in SECRETS if secret in result.output]
    # The door's function runs in this process too, and prints its metrics: a line each, before the answer.
    told = json.loads(result.stdout[result.stdout.index("{\n") :])
    assert told["well"] is (status == 0)
    return {one["what"]: one for one in told["checks"]}


def amiss(told: Mapping[str, Mapping[str, str]]) -> set[str]:
    """What is wrong, or could not be told; each says what to do."""
    found = {what for what, one in told.items() if one["verdict"] not in {"good", "unused"}}
    assert [what for what in found if not told[what]["action"]] == []
    return found
