"""template.yaml, built and deployed as a user would: `sam build`, `sam deploy`, the keys put into the secret.

Promises the real template, its parameters and nothing else; the endpoint is told to SAM by AWS_ENDPOINT_URL alone.
Refuses to guess: an output that the stack lacks is an error.
"""

import json
import os
import platform
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hosted.server import API_ID, CREDENTIALS, REGION

ROOT = Path(__file__).resolve().parents[3]
BIN, SAM = ROOT / ".venv" / "bin", ROOT / ".venv-sam" / "bin" / "sam"
BUILT = ROOT / ".aws-sam" / "localstack" / "build"  # its parent gets SAM's own notes

PROVIDER_URLS = ("RunflowBaseUrl", "BackgroundcutBaseUrl", "ImagepipelineBaseUrl")
_BUILD_SECONDS = 300.0
_DEPLOY_SECONDS = 300.0
_ARCHITECTURES = {"arm64": "aarch64", "amd64": "x86_64"}

# What the demo's sandbox takes; `backdrop_cli.stack` has the same.
SANDBOX_KEYS: Mapping[str, Any] = {
    "runflow_api_key": "rf_live_sandbox",
    "backgroundcut_api_key": "bc_sandbox",
    "imagepipeline_api_key": "ip_live_sandbox",
    "runflow_callback_secrets": ["whsec_sandbox"],
}


# What SAM is told on LocalStack: to report nothing, and to look often.
PATIENT = {"NO_PROXY": "127.0.0.1,localhost", "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.5"}


class Refused(Exception):
    """A command failed; the message is what it said."""


@dataclass(frozen=True)
class Deployed:
    """A deployed stack and its outputs."""

    name: str
    endpoint_url: str
    outputs: Mapping[str, str]

    @property
    def callback_base_url(self) -> str:
        """Where LocalStack serves the API: the URL that the template composes is AWS's own."""
        return f"{self.endpoint_url}/_aws/execute-api/{self.outputs['CallbackApiId']}/v1"


def architecture() -> str:
    """What the layer is built for here: this machine's, where the deployed one is for arm64 (docs/decisions.md)."""
    machine = platform.machine().lower()
    return _ARCHITECTURES.get(machine, machine)


def build() -> Path:
    """Run `sam build`; the folder it leaves, which holds the built template.

    Raises:
        Refused: it failed.
    """
    environment = {
        **os.environ,
        "SAM_CLI_TELEMETRY": "0",
        "BACKDROP_ARCHITECTURE": architecture(),
        "UV": str(BIN / "uv"),
        "PYTHON": str(BIN / "python"),
        "PYTHON313": str(BIN / "python"),
    }
    _run([SAM, "build", "--build-dir", BUILT], environment, _BUILD_SECONDS)
    return BUILT


def deploy(
    client: Any, *, name: str, endpoint_url: str, built: Path, home: Path, parameters: Mapping[str, str]
) -> Deployed:
    """Run `sam deploy`; the stack with its outputs.

    Args:
        client: of CloudFormation.
        name: the stack's.
        endpoint_url: where AWS is.
        built: what `build` gave.
        home: a folder that SAM may take for the user's.
        parameters: over the template's defaults.

    Raises:
        Refused: it failed.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **CREDENTIALS,
        "HOME": str(home),
        **PATIENT,
        "AWS_ENDPOINT_URL": endpoint_url,
    }
    overrides = [f"{key}={value}" for key, value in parameters.items()]
    _run(
        [
            *(SAM, "deploy", "--template-file", built / "template.yaml", "--config-file", ROOT / "samconfig.toml"),
            *("--stack-name", name, "--region", REGION, "--no-confirm-changeset", "--no-progressbar"),
            *("--parameter-overrides", *overrides),
        ],
        environment,
        _DEPLOY_SECONDS,
    )
    return find(client, name=name, endpoint_url=endpoint_url)


def find(client: Any, *, name: str, endpoint_url: str) -> Deployed:
    """A stack that is there, with its outputs."""
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    told = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return Deployed(name, endpoint_url, told)


def expected_callback_url(endpoint_url: str) -> str:
    """Where LocalStack will serve the API that `services` has named for it."""
    return f"{endpoint_url}/_aws/execute-api/{API_ID}/v1"


def install(
    client: Callable[[str], Any],
    *,
    name: str,
    endpoint_url: str,
    built: Path,
    home: Path,
    providers_url: str,
    parameters: Mapping[str, str],
    step: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> Deployed:
    """Deploy, with the URL that the API will have, and put in the keys.

    Args:
        client: makes a client of a service.
        name: the stack's.
        endpoint_url: where AWS is.
        built: what `build` gave.
        home: a folder that SAM may take for the user's.
        providers_url: the base URL of all three providers.
        parameters: over the template's defaults.
        step: is told of each step.

    Raises:
        Refused: a deploy failed.
    """
    given = {
        **parameters,
        **dict.fromkeys(PROVIDER_URLS, providers_url),
        "CallbackBaseUrl": expected_callback_url(endpoint_url),
    }
    with step("sam deploy"):
        deployed = deploy(
            client("cloudformation"), name=name, endpoint_url=endpoint_url, built=built, home=home, parameters=given
        )
    client("secretsmanager").put_secret_value(
        SecretId=deployed.outputs["ProviderSecretArn"], SecretString=json.dumps(SANDBOX_KEYS)
    )
    return deployed


def _run(command: list[Any], environment: Mapping[str, str], seconds: float) -> None:
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            env=dict(environment),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise Refused(f"{' '.join(words[:2])} took more than {seconds} s\n{late.output}") from None
    if done.returncode:
        raise Refused(f"{' '.join(words[:2])} failed ({done.returncode})\n{done.stdout}")
