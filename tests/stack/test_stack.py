"""The embedded stack as a whole: what it makes, what it leaves behind, what it refuses."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from recording import make_project, run_recorded

from backdrop.settings import Settings
from backdrop_cli import aws, stack
from backdrop_cli.cloudformation import Unresolvable
from backdrop_cli.lambdas import Raised

if TYPE_CHECKING:
    from pathlib import Path

    from recording import Recorded


def test_makes_the_resources_of_the_template(tmp_path: Path) -> None:
    """Versioning, notifications, redrive, indexes, expiry and secrets are there as the template says."""
    with run_recorded(tmp_path, drive=False) as made:
        running = made.stack
        client: Any = running.session.client("secretsmanager")
        assert running.s3.get_bucket_versioning(Bucket=running.input_bucket)["Status"] == "Enabled"
        assert running.s3.get_bucket_versioning(Bucket=running.staging_bucket)["Status"] == "Enabled"
        told = running.s3.get_bucket_notification_configuration(Bucket=running.input_bucket)
        assert all(
            one["QueueArn"].endswith(f":{running.template.place.stack}-DropQueue")
            for one in told["QueueConfigurations"]
        )
        attributes = running.sqs.get_queue_attributes(QueueUrl=running.queue_url("WorkQueue"), AttributeNames=["All"])
        assert attributes["Attributes"]["VisibilityTimeout"] == "450"
        assert json.loads(attributes["Attributes"]["RedrivePolicy"])["maxReceiveCount"] == 5
        table = running.dynamodb.describe_table(TableName=running.table)["Table"]
        assert {index["IndexName"] for index in table["GlobalSecondaryIndexes"]} == {"by_source", "by_day", "open"}
        ttl = running.dynamodb.describe_time_to_live(TableName=running.table)["TimeToLiveDescription"]
        assert ttl["AttributeName"] == "expires_at"
        settings = Settings.from_environment(os.environ)
        keys = json.loads(client.get_secret_value(SecretId=settings.callback_secret)["SecretString"])
        assert keys["current"] == "k1"
        assert len(keys["k1"]) == 64
        providers = json.loads(client.get_secret_value(SecretId=settings.provider_secret)["SecretString"])
        assert providers == stack.SANDBOX_KEYS
        assert settings.callback_base_url == running.callback_url
        client.close()


def _arrived(made: Recorded) -> bool:
    return bool(made.records("submit", "a.txt"))


def test_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads, ports, the environment and moto's state are as before; a stack after it starts empty."""
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    before, threads = dict(os.environ), set(threading.enumerate())
    ports = []
    for name in ("first", "second"):
        with run_recorded(tmp_path / name) as made:
            assert made.stack.results() == []
            assert made.stack.rows() == []
            assert "AWS_PROFILE" not in os.environ
            made.stack.drop("a.txt", b"x")
            assert made.stack.wait(partial(_arrived, made))
            ports += [urlsplit(url).port for url in (made.stack.endpoint_url, made.stack.callback_url)]
        assert dict(os.environ) == before
        assert set(threading.enumerate()) == threads
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port or 0)) != 0


def test_only_one_runs_at_a_time(tmp_path: Path) -> None:
    """A second stack in the same process is refused and does not disturb the first."""
    with run_recorded(tmp_path / "first", drive=False) as made:
        with pytest.raises(RuntimeError, match="another stack"), run_recorded(tmp_path / "second"):
            pass
        assert made.stack.results() == []


def test_functions_print_into_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a function prints stands in the log; what the caller prints goes to the screen."""
    with run_recorded(tmp_path, drive=False) as made:
        sys.stdout.write("to the screen\n")
        made.stack.invoke("SubmitFunction", {"Records": []})
    captured = capsys.readouterr()
    assert captured.out == "to the screen\n"
    assert "a line of the function's own" in (tmp_path / "log.jsonl").read_text()


def test_a_handler_that_raises_tells_its_message(tmp_path: Path) -> None:
    """The caller gets Lambda's type and message, the log the traceback."""
    with run_recorded(tmp_path, drive=False) as made, pytest.raises(Raised, match="ValueError: as asked"):
        made.stack.invoke("SubmitFunction", {"Records": [{"body": "raise", "messageId": "1"}]})
    assert "Traceback" in (tmp_path / "log.jsonl").read_text()


def test_an_environment_serves_one_invocation_at_a_time(tmp_path: Path) -> None:
    """Invocations at the same time get modules of their own, as Lambda gives them environments of their own."""
    template = make_project(tmp_path)
    (tmp_path / "functions/submit/app.py").write_text(
        "import threading\nLOCK = threading.Lock()\nGATE = threading.Event()\n"
        "def handler(event, context):\n"
        "    alone = LOCK.acquire(blocking=False)\n"
        "    GATE.wait(0.3)\n"
        "    return alone and (LOCK.release() or True)\n"
    )
    answers: list[Any] = []
    with stack.running(sandbox_url="http://127.0.0.1:9", template=template, drive=False) as running:
        callers = [
            threading.Thread(target=lambda: answers.append(running.invoke("SubmitFunction", {}))) for _ in range(4)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(10)
    assert answers == [True] * 4


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda folder: (folder / "functions/submit/app.py").unlink(), "app.py"),
        (lambda folder: (folder / "functions/submit/app.py").write_text("x = 1"), "has no handler"),
    ],
)
def test_a_function_that_is_not_there_is_told(tmp_path: Path, change: Any, named: str) -> None:
    """A missing file or handler is a sentence that names it."""
    template = make_project(tmp_path)
    change(tmp_path)
    with (
        pytest.raises(Unresolvable, match=named),
        stack.running(sandbox_url="http://127.0.0.1:9", template=template, drive=False),
    ):
        pass


def test_functions_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """One process has one environment: a variable with two values is told, not overwritten."""
    template = make_project(tmp_path)
    text = template.read_text()
    code = "CodeUri: functions/webhook"
    text = text.replace(code, f"{code}\n      Environment: {{Variables: {{JOB_TABLE: other}}}}", 1)
    template.write_text(text)
    with pytest.raises(Unresolvable, match="JOB_TABLE"), stack.running(sandbox_url="http://x", template=template):
        pass


def test_runs_on_an_endpoint_of_the_callers(tmp_path: Path) -> None:
    """Moto's server can be started first, so that a sandbox can be told its origin before the stack is there."""
    with aws.serving_aws() as origin, run_recorded(tmp_path, endpoint_url=origin, drive=False) as made:
        assert made.stack.endpoint_url == origin
        made.stack.drop("a.txt", b"x")


def test_a_conditional_write_has_one_winner(tmp_path: Path) -> None:
    """Of many that claim the same row at the same moment exactly one succeeds, as in DynamoDB."""
    with run_recorded(tmp_path, drive=False) as made:
        running, won = made.stack, []
        refusal = running.dynamodb.exceptions.ConditionalCheckFailedException  # made here: two threads would make two
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)  # threads change places within a write, as they do under load

        def claim(barrier: threading.Barrier, row: str) -> None:
            barrier.wait(10)
            try:
                running.dynamodb.update_item(
                    TableName=running.table,
                    Key={"job_id": {"S": row}},
                    UpdateExpression="SET lease = :me",
                    ConditionExpression="attribute_not_exists(lease)",
                    ExpressionAttributeValues={":me": {"S": threading.current_thread().name}},
                )
                won.append(row)
            except refusal:
                pass

        try:
            for row in map(str, range(10)):
                barrier = threading.Barrier(12)
                claimers = [threading.Thread(target=claim, args=(barrier, row)) for _ in range(12)]
                for claimer in claimers:
                    claimer.start()
                for claimer in claimers:
                    claimer.join(20)
        finally:
            sys.setswitchinterval(interval)
        assert sorted(won) == sorted(map(str, range(10)))


def test_a_put_is_not_kept_waiting(tmp_path: Path) -> None:
    """The server answers `Expect: 100-continue` at once: boto3 waits a second for it otherwise."""
    with run_recorded(tmp_path, drive=False) as made:
        made.stack.drop("first.txt", b"x")
        begun = time.monotonic()
        for number in range(5):
            made.stack.drop(f"{number}.txt", b"x")
        assert time.monotonic() - begun < 4.0
