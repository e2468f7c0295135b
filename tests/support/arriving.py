"""Events as SAM generates them, handed to the deployed handlers on the bench."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import fields
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, unquote

from bench import load_function

from backdrop.callbacks import read_path
from backdrop_cli.lambdas import Context

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest
    from bench import Bench, Call

ROOT = Path(__file__).resolve().parents[2]
SAM_PYTHON = ROOT / ".venv-sam" / "bin" / "python"
ROUTE = "/callbacks/{provider}/{job}/{attempt}/{token}"

type Event = dict[str, Any]


def without_the_internet(home: Path) -> dict[str, str]:
    """An environment in which SAM tells nobody anything and asks nobody for a newer version."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COVERAGE_"))}
    dead = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9")
    return {**kept, **dead, "NO_PROXY": "127.0.0.1", "HOME": str(home), "SAM_CLI_TELEMETRY": "0"}


def generate(home: Path, commands: Sequence[Sequence[str]]) -> list[Event]:
    """What `sam local generate-event` gives for each of `commands`; `make .venv-sam/.ready` must have been."""
    assert SAM_PYTHON.exists(), "make .venv-sam/.ready first"
    done = subprocess.run(
        [SAM_PYTHON, ROOT / "tests" / "template" / "generate.py"],
        input=json.dumps([list(one) for one in commands]),
        env=without_the_internet(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    events: list[Event] = json.loads(done.stdout)
    return events


def of_s3(generated: Event, bench: Bench, key: str, name: str) -> Event:
    """A generated S3 event as S3 sends it: of this bench's bucket, the key encoded in S3's way (`+` is a space)."""
    event: Event = json.loads(json.dumps(generated))
    (record,) = event["Records"]
    record["eventName"] = name
    record["s3"]["bucket"]["name"] = bench.world.settings.input_bucket
    record["s3"]["object"]["key"] = quote_plus(key, safe="/")
    return event


def in_messages(generated: Event, bodies: Sequence[str]) -> Event:
    """A generated SQS event with a message for each body. SAM's own `--body` takes no JSON: it breaks on the quotes."""
    (shape,) = generated["Records"]
    return {
        "Records": [
            {
                **shape,
                "messageId": f"{shape['messageId'][:-4]}{number:04}",
                "body": body,
                "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
            }
            for number, body in enumerate(bodies)
        ]
    }


def by_proxy(call: Call) -> list[str]:
    """The arguments of `generate-event` for a callback that came."""
    path = unquote(call.path)
    return ["--method", "POST", "--path", path[1:], "--resource", ROUTE, "--body", call.body.decode()]


def at_the_door(generated: Event, call: Call) -> Event:
    """A generated proxy request as API Gateway fills it in for our route: parameters and headers of the call."""
    _, _, provider, job, attempt, token = unquote(call.path).split("/")
    parameters = {"provider": provider, "job": job, "attempt": attempt, "token": token}
    assert read_path(parameters)
    more = {name: [value] for name, value in call.headers.items()}
    return {
        **generated,
        "pathParameters": parameters,
        "headers": {**generated["headers"], **call.headers},
        "multiValueHeaders": {**generated["multiValueHeaders"], **more},
    }


def invoke(bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str, event: Any) -> Any:
    """Call a function's handler with its environment; what it returns, as Lambda would pass it on."""
    function = load_function(name, "arriving")
    for field in fields(bench.world.settings):
        value = getattr(bench.world.settings, field.name)
        monkeypatch.setenv(field.name.upper(), ",".join(value) if isinstance(value, tuple) else str(value))
    from backdrop.world import deployed  # noqa: PLC0415 - beside what it resets

    deployed.cache_clear()
    try:
        context = Context(name, f"arn:aws:lambda:eu-central-1:123456789012:function:{name}", 1024, monotonic() + 28)
        return json.loads(json.dumps(function.handler(json.loads(json.dumps(event)), context)))
    finally:
        deployed.cache_clear()
