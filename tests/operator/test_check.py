"""`backdrop check`: what is well is said to be, what is not is said with what to do, and harms nothing else."""

from __future__ import annotations

import json
import secrets
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from bench import PROVIDER_KEYS
from standing import Standing, notify, stand
from typer.testing import CliRunner

from backdrop_cli import stack as embedded
from backdrop_cli.cloudformation import parse
from backdrop_cli.main import app
from backdrop_cli.operator import permits
from backdrop_cli.operator.permits import NEEDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from backdrop_cli.parts import Template
    from backdrop_cli.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
BASES = ("RunflowBaseUrl", "BackgroundcutBaseUrl", "ImagepipelineBaseUrl")
SECRETS = ("rf_live_sandbox", "bc_sandbox", "ip_live_sandbox", "whsec_sandbox")
# moto knows no simulation of IAM's: that it says so is a test of its own; the deployed template's is on LocalStack.
UNTOLD = {"submit permissions", "webhook permissions", "reconcile permissions"}


@pytest.fixture(scope="module")
def laptop(_aws: Template, _sandbox: str) -> Iterator[Stack]:
    """The embedded stack: a real door, real keys, no parts in CloudFormation."""
    with embedded.running(sandbox_url=_sandbox, endpoint_url=_aws.place.endpoint_url, drive=False) as running:
        yield running


@pytest.fixture(autouse=True)
def _endpoint(_aws: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", _aws.place.endpoint_url)


@pytest.fixture(scope="module")
def standing(laptop: Stack) -> Standing:
    """The template's parts in CloudFormation, with the laptop's door for their callbacks."""
    made = _stand(laptop)
    boto3.client("sns").subscribe(
        TopicArn=made.physical["AlarmTopic"], Protocol="sqs", Endpoint="arn:aws:sqs:eu-central-1:123456789012:pager"
    )
    return made


def _stand(laptop: Stack, door: str = "") -> Standing:
    # Lambda's simple form: moto would start a container for each call.
    httpx.post(
        f"{boto3.client('s3').meta.endpoint_url}/moto-api/config", json={"lambda": {"use_docker": False}}
    ).raise_for_status()
    name = f"shop-{secrets.token_hex(4)}"
    sandbox = laptop.world.settings.runflow_base_url
    return stand(name, {"CallbackBaseUrl": door or laptop.callback_url, **dict.fromkeys(BASES, sandbox)}, PROVIDER_KEYS)


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


# --- On a laptop -----------------------------------------------------------------------------------------------------


def test_a_laptop_in_order_is_well(laptop: Stack) -> None:
    """Keys that the providers take, a door that refuses a forged call and a notification: exit status 0."""
    told = check(laptop.template.place.stack, status=0)
    assert told["stack"]["verdict"] == "unused"
    assert {what for what, one in told.items() if one["verdict"] == "good"} == {
        "provider secret",
        "runflow signatures",
        "callback secret",
        "runflow key",
        "backgroundcut key",
        "imagepipeline key",
        "callback URL",
        "bucket notification",
    }
    assert "balance" in told["runflow key"]["message"]
    shown = CliRunner().invoke(app, ["check", "--stack", laptop.template.place.stack])
    assert shown.exit_code == 0
    assert "All is well." in shown.stdout
    assert not [secret for secret in SECRETS if secret in shown.output]


@pytest.fixture
def put(laptop: Stack) -> Iterator[Callable[[Any], None]]:
    """Puts something else into the provider secret, for one test."""
    client = boto3.client("secretsmanager", endpoint_url=laptop.endpoint_url)
    secret = laptop.template.name("ProviderSecret")

    def write(value: Any) -> None:
        client.put_secret_value(SecretId=secret, SecretString=value if isinstance(value, str) else json.dumps(value))

    yield write
    write(PROVIDER_KEYS)


def test_a_refused_key_is_told_apart_from_the_others(laptop: Stack, put: Callable[[Any], None]) -> None:
    """One provider's refusal is one line with what to do; it neither hides the others nor shows the key."""
    put(PROVIDER_KEYS | {"imagepipeline_api_key": "ip_live_of_somebody_else"})
    told = check(laptop.template.place.stack, status=3)
    assert amiss(told) == {"imagepipeline key"}
    assert "refuses the API key" in told["imagepipeline key"]["message"]
    assert "provider secret" in told["imagepipeline key"]["action"]
    shown = CliRunner().invoke(app, ["check", laptop.template.place.stack])
    assert "! imagepipeline key: put a valid" in shown.stdout
    assert "ip_live_of_somebody_else" not in shown.output


def test_a_provider_that_is_not_used_is_no_mistake(laptop: Stack, put: Callable[[Any], None]) -> None:
    """A key that is not there is told and is well, as long as there is another; without a signing secret likewise."""
    put({"runflow_api_key": "rf_live_sandbox", "backgroundcut_api_key": "", "runflow_callback_secrets": [""]})
    told = check(laptop.template.place.stack, status=0)
    unused = {what for what, one in told.items() if one["verdict"] == "unused"}
    assert unused == {"stack", "backgroundcut key", "imagepipeline key", "runflow signatures"}


@pytest.mark.parametrize(
    ("value", "what", "message"),
    [
        ({}, "provider secret", "holds no key of any provider"),
        (
            PROVIDER_KEYS | {"backgroundcut_api_key": "..."},
            "provider secret",
            "a placeholder for backgroundcut_api_key",
        ),
        (PROVIDER_KEYS | {"backgroundcut_api_key": "<key>"}, "provider secret", "a placeholder for backgroundcut"),
        (PROVIDER_KEYS | {"backgroundcut_api_key": "…"}, "provider secret", "not printable ASCII"),
        (PROVIDER_KEYS | {"runflow_callback_secrets": ["your-secret"]}, "runflow signatures", "placeholder"),
        ("not JSON", "provider secret", "it is not JSON"),
    ],
)
def test_what_the_secret_lacks_is_told(
    laptop: Stack, put: Callable[[Any], None], value: Any, what: str, message: str
) -> None:
    """A secret without keys, with placeholders or in another form is told with what to put there."""
    put(value)
    told = check(laptop.template.place.stack, status=3)
    assert what in amiss(told)
    assert message in told[what]["message"]


# --- The door --------------------------------------------------------------------------------------------------------


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that answers every POST alike; gives its origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b'{"status": "accepted"}', "does not refuse a forged call, it answers 200"),
        (302, b"", "does not refuse a forged call, it answers 302"),
        (403, b'{"message": "Forbidden"}', "not in webhook's own words"),
        (401, b"<html>log in</html>", "not in webhook's own words"),
        (502, b'{"status": "unavailable"}', "answers a forged call with 502"),
    ],
)
@pytest.mark.usefixtures("_nothing_simulated")
def test_a_door_that_is_not_the_webhooks_is_told(laptop: Stack, status: int, body: bytes, message: str) -> None:
    """Whatever else answers at the callback URL is wrong: what lets in anybody, and what lets in nobody."""
    with answering(status, body) as url:
        told = _door(laptop, url)
    assert message in told["message"]
    assert told["action"]


@pytest.mark.usefixtures("_nothing_simulated")
def test_a_door_that_nobody_opens_is_told(laptop: Stack) -> None:
    """A callback URL that cannot be reached from here is wrong, with the URL that providers would call."""
    told = _door(laptop, "http://127.0.0.1:9")
    assert "could not be reached" in told["message"]
    assert "http://127.0.0.1:9" in told["action"]


def _door(laptop: Stack, url: str) -> dict[str, str]:
    told = check(_stand(laptop, url).name, status=3)
    assert told["callback URL"]["verdict"] == "wrong"
    return told["callback URL"]


# --- The parts -------------------------------------------------------------------------------------------------------


def test_parts_in_order_are_well(standing: Standing) -> None:
    """Of a stack with its parts in order nothing is wrong; what AWS does not tell is not called well."""
    told = check(standing.name, status=3)
    assert amiss(told) == UNTOLD
    assert {told[what]["verdict"] for what in UNTOLD} == {"untold"}
    assert "does not answer that question" in told["submit permissions"]["message"]
    good = {what for what, one in told.items() if one["verdict"] == "good"}
    assert {"stack", "submit", "submit mapping", "webhook", "reconcile", "reconcile mapping", "start"} <= good
    assert {"schedule", "alarms", "alarm subscriber", "bucket notification"} <= good


@pytest.fixture
def _nothing_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """No permission is asked about: moto answers each question, four times, that it cannot."""
    monkeypatch.setattr(permits, "NEEDS", dict.fromkeys(NEEDS, ()))


def _switch_off(one: Standing) -> None:
    boto3.client("lambda").update_event_source_mapping(UUID=one.mapping("SubmitFunction"), Enabled=False)


def _unmap(one: Standing) -> None:
    boto3.client("lambda").delete_event_source_mapping(UUID=one.mapping("ReconcileFunction"))


def _reserve_nothing(one: Standing) -> None:
    boto3.client("lambda").put_function_concurrency(
        FunctionName=one.physical["WebhookFunction"], ReservedConcurrentExecutions=0
    )


def _disable_rule(one: Standing) -> None:
    boto3.client("events").disable_rule(Name=f"{one.name}-sweep")


def _aim_nowhere(one: Standing) -> None:
    boto3.client("events").remove_targets(Rule=f"{one.name}-sweep", Ids=["reconcile"])


def _delete_rule(one: Standing) -> None:
    _aim_nowhere(one)
    boto3.client("events").delete_rule(Name=f"{one.name}-sweep")


def _forget_removals(one: Standing) -> None:
    notify(one.outputs["InputBucketName"], one.outputs["DropQueueUrl"], ("s3:ObjectCreated:*",))


def _silence(one: Standing) -> None:
    boto3.client("cloudwatch").disable_alarm_actions(AlarmNames=[one.physical["JobsFailedAlarm"]])


def _delete_alarm(one: Standing) -> None:
    boto3.client("cloudwatch").delete_alarms(AlarmNames=[one.physical["JobsFailedAlarm"]])


def _ring(one: Standing) -> None:
    boto3.client("cloudwatch").set_alarm_state(
        AlarmName=one.physical["JobsFailedAlarm"], StateValue="ALARM", StateReason="a test"
    )


def _nothing(one: Standing) -> None:
    """Nobody has subscribed."""


BROKEN = [
    (_switch_off, "submit mapping", "it is Disabled"),
    (_unmap, "reconcile mapping", "nothing hands the messages"),
    (_reserve_nothing, "webhook", "switched off"),
    (_disable_rule, "schedule", "is DISABLED"),
    (_aim_nowhere, "schedule", "does not wake reconcile"),
    (_delete_rule, "schedule", "there is no rule"),
    (_forget_removals, "bucket notification", "s3:ObjectRemoved:*"),
    (_silence, "alarms", "without an action"),
    (_delete_alarm, "alarms", "alarms are there"),
    (_ring, "alarms", "in alarm now"),
    (_nothing, "alarm subscriber", "nobody hears of alarms"),
]


@pytest.mark.usefixtures("_nothing_simulated")
@pytest.mark.parametrize(("damage", "what", "message"), BROKEN, ids=lambda value: getattr(value, "__name__", None))
def test_a_part_that_is_broken_is_told(
    laptop: Stack, damage: Callable[[Standing], None], what: str, message: str
) -> None:
    """Each part that is missing, switched off or joined otherwise is the one line that is wrong, with what to do."""
    one = _stand(laptop)
    damage(one)
    told = check(one.name, status=3)
    assert amiss(told) == {what, "alarm subscriber"}
    assert told[what]["verdict"] == "wrong"
    assert message in told[what]["message"]


@pytest.mark.usefixtures("_nothing_simulated")
def test_a_part_that_was_deleted_leaves_the_others_told(laptop: Stack) -> None:
    """What AWS answers of a function that somebody deleted is a sentence in its line; all other lines are there."""
    one = _stand(laptop)
    boto3.client("lambda").delete_function(FunctionName=one.physical["WebhookFunction"])
    told = check(one.name, status=3)
    assert told["webhook"]["verdict"] == "untold"
    assert "not there" in told["webhook"]["message"] + told["webhook"]["action"]
    assert told["submit"]["verdict"] == told["reconcile"]["verdict"] == "good"


def test_the_permissions_asked_about_are_the_templates() -> None:
    """What is simulated for each function is what the template allows it, action by action and resource by resource."""
    resources = parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"]
    for name, needed in NEEDS.items():
        (policy,) = resources[f"{name.capitalize()}Role"]["Properties"]["Policies"]
        allowed = {
            (action, _named(resource))
            for statement in policy["PolicyDocument"]["Statement"]
            for action in _listed(statement["Action"])
            for resource in _listed(statement["Resource"])
        }
        assert {(action, resource) for actions, named in needed for action in actions for resource in named} == allowed


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _named(resource: Any) -> str:
    """A resource of a statement as `permits` names it."""
    if resource == "*":
        return "*"
    ((how, what),) = resource.items()
    text = what if isinstance(what, str) else what[0]
    return text.removeprefix("${").replace(".Arn}", "") if how == "Fn::Sub" else text
