"""The command line: help, mistakes answered with what was meant, exit statuses."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from backdrop_cli.main import app

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

COMMANDS = ("demo", "up", "validate", "schema", "sandbox")


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    """The command in this process, with IMAGE and SPEC unset unless given."""
    return CliRunner().invoke(app, list(arguments), env={"IMAGE": "", "SPEC": "", **(env or {})})


def test_help_lists_the_commands_at_once() -> None:
    """`backdrop --help` names every command and takes less than a second, imports included."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "backdrop_cli", "--help"], capture_output=True, text=True, check=False, timeout=30
    )
    seconds = time.monotonic() - begun
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)
    assert seconds < 2.0


def test_help_imports_nothing_heavy() -> None:
    """Help needs neither boto3 nor moto nor pictures: they are what costs time."""
    code = (
        "import sys\nfrom backdrop_cli.main import app\n"
        "print({'boto3', 'moto', 'numpy', 'cv2', 'fastapi', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_helps(command: str) -> None:
    """Each command's help says what it does and how it is called."""
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "--" in result.output
    assert len(result.output.splitlines()) > 5


@pytest.mark.parametrize("command", COMMANDS)
def test_help_gives_an_example(command: str) -> None:
    """Each command's help holds a line that can be copied."""
    assert f"  backdrop {command}" in run(command, "--help").output.partition("Example")[2]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("dmo",), "demo"),
        (("valdate", "x.yaml"), "validate"),
        (("demo", "--imge", "x"), "--image"),
        (("demo", "--truble"), "--trouble"),
        (("up", "--prt", "1"), "--port"),
        (("demo", "red shoe.jpg", "shoe.yaml"), "--image 'red shoe.jpg' --spec shoe.yaml"),
        (("up", "--port", "99999"), "65535"),
        (("sandbox", "--prot", "1"), "--port"),
    ],
)
def test_a_mistyped_argument_is_answered_with_what_was_meant(arguments: tuple[str, ...], meant: str) -> None:
    """A near miss of a command or an option names the right one, and ends with status 2."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert meant in result.output


def test_version() -> None:
    """`--version` tells the version and ends well."""
    result = run("--version")
    assert (result.exit_code, result.output.split()[0]) == (0, "backdrop")


def test_schema_is_json_schema() -> None:
    """`backdrop schema` prints the schema that the library makes."""
    schema = json.loads(run("schema").output)
    assert schema["$schema"].startswith("https://json-schema.org/")


@pytest.mark.parametrize(
    ("arguments", "env", "told"),
    [
        (("--image", "a.jpg"), {}, "needs a spec"),
        (("--spec", "a.yaml"), {}, "needs a photo"),
        ((), {"IMAGE": "a.jpg"}, "needs a spec"),
        (("--image", "missing.jpg", "--spec", "missing.yaml"), {}, "cannot read the image missing.jpg"),
        ((), {"IMAGE": "missing.jpg", "SPEC": "missing.yaml"}, "cannot read the image missing.jpg"),
    ],
)
def test_demo_refuses_paths_of_no_use(arguments: tuple[str, ...], env: dict[str, str], told: str) -> None:
    """A path that is missing or alone is a sentence and status 2, before anything is started."""
    result = run("demo", *arguments, env=env)
    assert result.exit_code == 2
    assert told in result.output
    assert "Traceback" not in result.output


def test_demo_refuses_a_spec_of_another_kind(tmp_path: Path) -> None:
    """A spec that is neither YAML nor JSON by its name is told which endings there are."""
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "a.toml").write_bytes(b"x")
    result = run("demo", "--image", str(tmp_path / "a.jpg"), "--spec", str(tmp_path / "a.toml"))
    assert result.exit_code == 2
    assert ".yaml" in result.output


def test_demo_leaves_a_foreign_folder_alone(tmp_path: Path) -> None:
    """A folder with files that no demo wrote is refused and stays as it is."""
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "a.yaml").write_bytes(b"x")
    arguments = ("--image", str(tmp_path / "a.jpg"), "--spec", str(tmp_path / "a.yaml"), "--out", str(tmp_path))
    result = run("demo", *arguments)
    assert result.exit_code == 2
    assert "--out" in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.yaml"]


def test_up_tells_of_a_port_that_is_taken(tmp_path: Path) -> None:
    """A port in use is a sentence, not a stack trace."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run("up", "--port", str(taken.getsockname()[1]), env={"TMPDIR": str(tmp_path)})
    assert result.exit_code == 2
    assert "in use" in result.output
    assert "--port" in result.output
    assert "Traceback" not in result.output
