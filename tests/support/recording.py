"""The real template with functions that only write down what reaches them, run by the embedded stack."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backdrop_cli import stack

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

# Writes each event to a file beside it; what the body says decides how it ends.
QUEUE_FUNCTION = """
import json, os, pathlib, threading
SEEN = pathlib.Path(__file__).with_name("events.jsonl")
LOCK = threading.Lock()
def handler(event, context):
    print("a line of the function's own")
    told = {"event": event, "left": context.get_remaining_time_in_millis(), "name": context.function_name,
            "arn": context.invoked_function_arn, "request": context.aws_request_id,
            "queue": os.environ["WORK_QUEUE_URL"]}
    with LOCK, SEEN.open("a") as file:
        file.write(json.dumps(told) + "\\n")
    records = event.get("Records", [])
    if any("raise" in record["body"] for record in records):
        raise ValueError("as asked")
    return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in records if "fail" in r["body"]]}
"""
WEB_FUNCTION = """
import json, pathlib
SEEN = pathlib.Path(__file__).with_name("events.jsonl")
def handler(event, context):
    with SEEN.open("a") as file:
        file.write(json.dumps({"event": event}) + "\\n")
    match event["pathParameters"]["job"]:
        case "raise":
            raise ValueError("as asked")
        case "malformed":
            return "not a proxy reply"
        case "binary":
            return {"statusCode": 201, "isBase64Encoded": True, "body": "AP8=",
                    "headers": {"Content-Type": "image/png"}, "multiValueHeaders": {"X-Many": ["a", "b"]}}
    return {"statusCode": 200, "body": "{}"}
"""


@dataclass(frozen=True)
class Recorded:
    """A running stack and what its functions have seen."""

    stack: stack.Stack
    folder: Path

    def seen(self, function: str) -> list[dict[str, Any]]:
        """What reached the function, in order."""
        path = self.folder / "functions" / function / "events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def records(self, function: str, word: str) -> list[dict[str, Any]]:
        """The SQS records with `word` in their body that reached the function."""
        records = [record for seen in self.seen(function) for record in seen["event"].get("Records", [])]
        return [record for record in records if word in record["body"]]

    def send(self, queue: str, body: str) -> None:
        """Put a message into a queue."""
        self.stack.sqs.send_message(QueueUrl=self.stack.queue_url(queue), MessageBody=body)

    def wait_for_message(self, queue: str, seconds: float = 15.0) -> str:
        """The body of the next message in a queue that nothing drains; empty when none comes."""
        url, end = self.stack.queue_url(queue), time.monotonic() + seconds
        while time.monotonic() < end:
            for message in self.stack.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
                return message["Body"]
        return ""


def make_project(folder: Path) -> Path:
    """The template and three recording functions in `folder`; the template's path."""
    for name, text in (("submit", QUEUE_FUNCTION), ("reconcile", QUEUE_FUNCTION), ("webhook", WEB_FUNCTION)):
        place = folder / "functions" / name
        place.mkdir(parents=True)
        (place / "app.py").write_text(text)
    return Path(shutil.copy(ROOT / "template.yaml", folder))


@contextmanager
def run_recorded(folder: Path, **settings: Any) -> Iterator[Recorded]:
    """Run the recording functions, in a stack of a name that no other test's has: moto's contents may be shared."""
    template, name = make_project(folder), f"shop-{secrets.token_hex(4)}"
    with stack.running(
        sandbox_url="http://127.0.0.1:9", name=name, template=template, log=folder / "log.jsonl", **settings
    ) as running:
        yield Recorded(running, folder)
