"""What `sam deploy --guided` asks: SAM itself, asked by somebody who types nothing but Enter.

SAM asks for every parameter of a template, also for those that samconfig.toml answers, and shows no descriptions.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import settled
from arriving import without_the_internet
from building import SAM

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = ["Stack Name", "AWS Region"]
AFTER = [
    "Confirm changes before deploy",
    "Allow SAM CLI IAM role creation",
    "Disable rollback",
    "Save arguments to configuration file",
    "SAM configuration file",
    "SAM configuration environment",
]
QUESTION = re.compile(r"^\t(?:\x1b\[1m)?(.+?)(?:\x1b\[0m)? \[(.*?)\]: ?", re.MULTILINE)
NO_AWS = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(scope="module")
def asked(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[tuple[str, str]]]:
    """What was printed when every answer was Enter, and the questions in it with their defaults."""
    folder = tmp_path_factory.mktemp("guided")
    shutil.copy(settled.path(), folder / "template.yaml")
    shutil.copy(root / "samconfig.toml", folder)
    for name in ("functions", "layers"):
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [SAM, "deploy", "--guided"],
        cwd=folder,
        env={**without_the_internet(folder), **NO_AWS},
        input="\n" * 100,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.stdout, QUESTION.findall(done.stdout.replace("]: \t", "]: \n\t"))


@pytest.mark.timeout(180)
def test_enter_is_an_answer_to_every_question(asked: tuple[str, list[tuple[str, str]]]) -> None:
    """Whoever only presses Enter comes to the deployment itself: no question stops it, and none has no default.

    SAM asks whether it is okay that a route "has no authentication", and takes Enter for a no; it is not asked here.
    """
    told, questions = asked
    assert "Looking for resources needed for deployment" in told
    assert "has no authentication" not in told
    assert "Security Constraints" not in told
    assert len(questions) == len(set(questions))


@pytest.mark.timeout(180)
def test_the_questions_are_the_parameters_in_their_order(
    template: dict[str, Any], asked: tuple[str, list[tuple[str, str]]]
) -> None:
    """Stack and region, then the parameters as they stand in the template, each with its default, then SAM's own."""
    _, questions = asked
    parameters = [(f"Parameter {name}", str(one["Default"])) for name, one in template["Parameters"].items()]
    assert [name for name, _ in questions[:2]] == BEFORE
    assert questions[2 : 2 + len(parameters)] == parameters
    assert [name for name, _ in questions[2 + len(parameters) :]] == AFTER


@pytest.mark.timeout(180)
def test_what_is_asked_needs_no_look_into_the_account(asked: tuple[str, list[tuple[str, str]]]) -> None:
    """The first four are a person's to answer; none of all asks for an id, and an ARN only of who has one to demand."""
    _, questions = asked
    names = [name.removeprefix("Parameter ") for name, _ in questions if name.startswith("Parameter ")]
    assert names[:4] == ["AlarmEmail", "DailyBudgetUsd", "ApiGatewayLogRole", "CallbackBaseUrl"]
    assert [name for name in names if re.search(r"(Arn|Id|Ids|Key|Token|Secret)$", name)] == ["KmsKeyArn"]
