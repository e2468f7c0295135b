"""The clients that an environment makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backdrop.world import Clients
from backdrop_cli.cloudformation import parse

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"


@pytest.mark.parametrize("name", ["s3", "dynamodb", "dynamodb_once", "sqs", "secrets"])
def test_a_hung_call_is_given_up_while_its_invocation_lives(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A request that AWS leaves without an answer is given up while the shortest invocation can still do something."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    functions = [one for one in parse(TEMPLATE.read_text())["Resources"].values() if one["Type"].endswith("::Function")]
    shortest = min(one["Properties"]["Timeout"] for one in functions)
    client: Any = getattr(Clients(), name)
    assert client.meta.config.connect_timeout + client.meta.config.read_timeout < shortest * 0.7
