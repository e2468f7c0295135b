"""The operator's commands on the command line: help, mistakes, interruptions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from bench import start
from typer.testing import CliRunner

from backdrop_cli.main import app
from backdrop_cli.operator import screen

if TYPE_CHECKING:
    from bench import Bench
    from console import Console

COMMANDS = ("status", "check", "explain", "resume", "redrive", "backfill")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_helps(command: str) -> None:
    """Help tells what the command does, its exit statuses, examples to copy, and where it finds the stack."""
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"  backdrop {command}" in result.output.partition("Example")[2]
    for part in ("Exit status: 0", "--stack", "--region", "--profile", "--endpoint-url", "--json"):
        assert part in result.output


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("statsu",), "status"),
        (("explian", "x"), "explain"),
        (("redrive", "--reson", "X"), "--reason"),
        (("redrive", "--dead-leters"), "--dead-letters"),
        (("status", "--jsn"), "--json"),
        (("chek",), "check"),
        (("check", "--regoin", "x"), "--region"),
        (("resume", "--provdier", "x"), "--provider"),
        (("backfill",), "PREFIX"),
        (("backfill", "x", "--limit", "0"), "--limit"),
        (("explain",), "KEY"),
    ],
)
def test_a_mistyped_argument_is_answered_with_what_was_meant(arguments: tuple[str, ...], meant: str) -> None:
    """A near miss of a command or an option names the right one; status 2."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2
    assert meant in result.output


def test_the_environment_may_name_the_stack(desk: Console) -> None:
    """BACKDROP_STACK stands for --stack."""
    result = CliRunner().invoke(app, ["status", "--json"], env={"BACKDROP_STACK": desk.stack})
    assert result.exit_code == 0
    assert f'"stack": "{desk.stack}"' in result.stdout


def test_a_mistake_of_our_own_is_no_stack_trace(desk: Console) -> None:
    """What nobody foresaw, such as a row of another shape, is one sentence with its place, and status 1."""
    table = desk.bench.world.settings.job_table
    desk.bench.world.aws.dynamodb.put_item(
        TableName=table, Item={"job_id": {"S": "gate#runflow"}, "places": {"S": "not a map"}}
    )
    result = desk.run("status")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("backdrop: a mistake of backdrop's own, please report it: ")
    assert "Traceback" not in result.stderr


def test_an_interrupted_command_says_so(bench: Bench, desk: Console) -> None:
    """Ctrl-C at a question: one sentence, status 130, nothing done."""
    bench.put("a.png", b"x")
    bench.put("a.png.json", '{"model": "bria/background/remove"}')
    process = subprocess.Popen(
        [sys.executable, "-m", "backdrop_cli", "backfill", f"{bench.folder}/", "--stack", desk.stack],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr
    asked = ""
    until = time.monotonic() + 30
    while not asked.endswith("[y/N]") and time.monotonic() < until:
        asked += process.stderr.read(1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130, asked + told
    assert "interrupted" in told
    assert "Traceback" not in told
    assert bench.work() == 0


def test_a_name_that_a_terminal_would_act_on_is_written_out(bench: Bench, desk: Console) -> None:
    """A key with control characters is shown, not obeyed, in tables and sentences alike."""
    bench.trouble(run_stuck=True)
    key = start(bench, name="a\x1b[2Jb.png")
    for result in (desk.run("status"), desk.run("explain", key)):
        assert "\x1b" not in result.output
        assert "a\\x1b[2Jb.png" in result.output


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (90, "2 min"), (7260, "2 h 1 min"), (260_000, "3 days")],
)
def test_stretches_of_time_as_people_say_them(seconds: float, words: str) -> None:
    """Seconds, minutes, hours and days."""
    assert screen.span(seconds) == words
