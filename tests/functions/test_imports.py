"""What importing a function costs, as the set of modules that come with it: times are for `make bench`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("boto3", "botocore.client", "httpx", "pydantic", "yaml", "asyncio", "aws_xray_sdk", "cv2", "numpy", "moto")


def imported(program: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `program`; what measures coverage would bring its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {program}; print(' '.join(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return set(done.stdout.split())


def loading(name: str) -> str:
    """A program that imports one function as Lambda does."""
    return f"sys.path.insert(0, {str(ROOT / 'functions' / name)!r}); import app"


@pytest.mark.parametrize("name", ["submit", "webhook", "reconcile"])
def test_importing_a_function_imports_nothing_heavy(name: str) -> None:
    """boto3, httpx, pydantic and yaml wait for the first message that needs them; the tracer is never imported."""
    assert not imported(loading(name)) & set(HEAVY)


@pytest.mark.parametrize("step", ["posting", "receiving", "sweeping", "admitting"])
def test_only_reading_a_spec_takes_pydantic(step: str) -> None:
    """A job's row is read without the spec's schema: callbacks, sweeps and work messages do without pydantic."""
    loaded = imported(f"import backdrop.workflow.{step}")
    assert "backdrop.jobs" in loaded
    assert not loaded & {"pydantic", "backdrop.spec", "yaml", "asyncio"}


@pytest.mark.parametrize("name", ["s3", "dynamodb", "sqs", "secrets"])
def test_a_client_of_a_function_takes_no_boto3(name: str) -> None:
    """The functions' AWS clients are made by botocore alone; boto3 brings s3transfer and multiprocessing with it."""
    loaded = imported(f"from backdrop.world import LeanClients; LeanClients().{name}")
    assert "botocore.client" in loaded
    assert not loaded & {"boto3", "s3transfer", "multiprocessing"}


def test_a_post_takes_nothing_that_only_a_result_needs() -> None:
    """Whoever posts a job that is only taken loads neither what fetches results nor what they are stored with."""
    loaded = imported("import backdrop.workflow.posting, backdrop.workflow.intake")
    assert not loaded & {"httpcore", "httpx", "certifi", "backdrop.results", "backdrop.fetch"}


def test_a_path_of_the_wrong_form_is_refused_with_the_standard_library() -> None:
    """A callback whose token has the wrong form loads neither boto3 nor Powertools."""
    call = "print(app.handler({'pathParameters': {'provider': 'runflow', 'token': 'x'}}, None)['statusCode'])"
    loaded = imported(f"{loading('webhook')}; {call}")
    assert "401" in loaded
    assert not loaded & {*HEAVY, "aws_lambda_powertools"}


def test_the_collector_rests_until_a_photo_may_be_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """From its World's making to the first session with a provider an environment is looked through rarely."""
    for name in ("JOB_TABLE", "INPUT_BUCKET", "OUTPUT_BUCKET", "STAGING_BUCKET", "WORK_QUEUE_URL", "PROVIDER_SECRET"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("CALLBACK_SECRET", "x")
    told = imported(
        "import gc; usual = gc.get_threshold(); from backdrop.world import deployed; deployed(); deployed(); "
        "resting = gc.get_threshold(); from backdrop.providers import http; "
        "http.session('runflow', 'https://x', {}).__enter__(); print(resting[0], usual == gc.get_threshold())"
    )
    assert {"100000", "True"} <= told
