"""The template reader: the real template, and CloudFormation's language by example."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from backdrop.settings import Settings
from backdrop_cli.cloudformation import Resolver, Unresolvable, parse
from backdrop_cli.parts import Place
from backdrop_cli.template import load

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
PLACE = Place(endpoint_url="http://127.0.0.1:4599", stack="shop")


def resolver(text: str, **overrides: str) -> Resolver:
    """A resolver of a small template in which the resource `Thing` answers Ref and Arn."""
    document = parse(text + "\nResources: {Thing: {Type: X}}")
    answers = {("Thing", ""): "thing", ("Thing", "Arn"): "arn:thing"}
    return Resolver(document, overrides, {"AWS::Region": "r1"}, lambda name, what: answers.get((name, what)))


def value(text: str) -> Any:
    """What one YAML value with CloudFormation's tags resolves to."""
    document = parse(f"Value: {text}\nResources: {{}}")["Value"]
    return resolver(
        "Parameters: {Name: {Type: String, Default: abc}, List: {Type: CommaDelimitedList, Default: 'a, b'}}\n"
        "Conditions: {Is: !Equals [!Ref Name, abc], Isnt: !Not [!Condition Is],"
        " Both: !And [!Condition Is, !Condition Isnt], Any: !Or [!Condition Is, !Condition Isnt]}\n"
        "Mappings: {M: {r1: {size: 7}}}"
    ).value(document, "here")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!Ref Name", "abc"),
        ("!Ref List", ["a", "b"]),
        ("!Ref Thing", "thing"),
        ("!Ref AWS::Region", "r1"),
        ("!GetAtt Thing.Arn", "arn:thing"),
        ("{Fn::GetAtt: [Thing, Arn]}", "arn:thing"),
        ("!Sub 'a-${Name}-${Thing}-${Thing.Arn}-${AWS::Region}-${!Kept}'", "a-abc-thing-arn:thing-r1-${Kept}"),
        ("!Sub ['${x}/${Name}', {x: !Ref Thing}]", "thing/abc"),
        ("!If [Is, 1, 2]", 1),
        ("!If [Isnt, 1, 2]", 2),
        ("!If [Both, 1, 2]", 2),
        ("!If [Any, 1, 2]", 1),
        ("!If [Isnt, 1, !Ref AWS::NoValue]", None),
        ("{a: !Ref AWS::NoValue, b: [!Ref AWS::NoValue, 1]}", {"b": [1]}),
        ("!Join ['-', [a, !Ref Name]]", "a-abc"),
        ("!Select [1, !Split ['/', 'x/y']]", "y"),
        ("!FindInMap [M, !Ref AWS::Region, size]", 7),
    ],
)
def test_resolves_what_cloudformation_resolves(text: str, expected: Any) -> None:
    """Each intrinsic function gives what CloudFormation gives."""
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("!Ref Missing", "!Ref Missing"),
        ("!GetAtt Thing.Colour", "!GetAtt Thing.Colour"),
        ("!Sub '${Missing.Arn}'", "!GetAtt Missing.Arn"),
        ("!ImportValue other", "Fn::ImportValue"),
        ("!If [Nobody, 1, 2]", "Nobody"),
        ("!FindInMap [M, r9, size]", "M.r9.size"),
        ("{a: {b: [0, !Ref Missing]}}", "here.a.b[1]"),
    ],
)
def test_names_the_place_of_what_it_cannot_resolve(text: str, named: str) -> None:
    """Whatever cannot be resolved is refused with its place, never guessed."""
    with pytest.raises(Unresolvable) as caught:
        value(text)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "overrides", "named"),
    [
        ("{A: {Type: String}}", {}, "Parameters.A"),
        ("{A: {Type: String, Default: x}}", {"B": "1"}, "no parameter B"),
        ("{A: {Type: String, Default: x, AllowedValues: [x, y]}}", {"A": "z"}, "x, y"),
    ],
)
def test_refuses_parameters_that_do_not_fit(parameters: str, overrides: dict[str, str], named: str) -> None:
    """A parameter without a value, one that is not there and one that is not allowed are told by name."""
    with pytest.raises(Unresolvable) as caught:
        resolver(f"Parameters: {parameters}", **overrides)
    assert named in str(caught.value)


def test_a_circle_of_conditions_ends() -> None:
    """Conditions that name each other are refused instead of followed for ever."""
    circle = resolver("Conditions: {A: !Condition B, B: !Not [!Condition A]}")
    with pytest.raises(Unresolvable, match="circle"):
        circle.holds("A")


@pytest.mark.parametrize("text", ["a: [", "- a", "Resources: 3", ""])
def test_refuses_what_is_no_template(text: str) -> None:
    """Text that is not YAML, or holds no resources, is told as such."""
    with pytest.raises(Unresolvable):
        parse(text)


def test_a_missing_template_is_told(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(Unresolvable, match=r"nowhere\.yaml"):
        load(tmp_path / "nowhere.yaml", PLACE)


def test_reads_the_real_template() -> None:
    """Names, notifications, redrive, visibility and what drives each function come from template.yaml."""
    read = load(TEMPLATE, PLACE, {"WorkVisibilitySeconds": "77", "WorkConcurrency": "3", "DropBatchingSeconds": "7"})
    assert {bucket.logical_id for bucket in read.buckets} == {"InputBucket", "OutputBucket", "StagingBucket"}
    drops = next(bucket for bucket in read.buckets if bucket.logical_id == "InputBucket")
    assert drops.name == "shop-inputbucket"
    assert drops.versioned
    drop_queue = next(queue for queue in read.queues if queue.logical_id == "DropQueue")
    assert {one.queue_arn for one in drops.notifications} == {drop_queue.arn}
    assert "s3:ObjectCreated:*" in {one.event for one in drops.notifications}
    work = next(queue for queue in read.queues if queue.logical_id == "WorkQueue")
    assert work.attributes["VisibilityTimeout"] == "77"
    assert "WorkDeadLetterQueue" in work.attributes["RedrivePolicy"]
    functions = {function.logical_id: function for function in read.functions}
    assert set(functions) == {"SubmitFunction", "WebhookFunction", "ReconcileFunction"}
    (source,) = functions["ReconcileFunction"].queues
    assert (source.queue_arn, source.batch_size, source.partial, source.concurrency) == (work.arn, 1, True, 3)
    (drop_source,) = functions["SubmitFunction"].queues
    assert (drop_source.batch_size, drop_source.window, source.window) == (10, 7, 0)
    (schedule,) = functions["ReconcileFunction"].schedules
    assert schedule.seconds == 60
    (route,) = functions["WebhookFunction"].routes
    assert (route.method, route.path) == ("POST", "/callbacks/{provider}/{job}/{attempt}/{token}")
    assert all((function.code / "app.py").is_file() for function in read.functions)


def test_every_function_gets_every_setting() -> None:
    """The environment of each function makes Settings, with the parameters' values in it."""
    base = "http://127.0.0.1:1"
    read = load(TEMPLATE, PLACE, {"PairingSeconds": "2", "RunflowBaseUrl": base, "CallbackBaseUrl": f"{base}/cb"})
    for function in read.functions:
        made = Settings.from_environment(function.environment)
        assert (made.pairing_seconds, made.runflow_base_url) == (2, base)
        assert made.work_queue_url == "http://127.0.0.1:4599/123456789012/shop-WorkQueue"
        told = {field.name.upper() for field in fields(Settings)} - {"EXEMPT_ORIGINS"}
        assert told - set(function.environment) <= {"CALLBACK_BASE_URL"}
    assert read.functions[0].environment["CALLBACK_BASE_URL"] == f"{base}/cb"


def test_the_callback_url_is_the_apis_own_by_default() -> None:
    """Without a parameter the callback URL is that of the API, as in a deployment."""
    environment = load(TEMPLATE, PLACE).functions[0].environment
    assert environment["CALLBACK_BASE_URL"] == "https://callbackapi.execute-api.eu-central-1.amazonaws.com/v1"


def test_an_unknown_schedule_is_refused(tmp_path: Path) -> None:
    """A schedule that a laptop cannot keep is told, not left out."""
    changed = TEMPLATE.read_text().replace("rate(1 minute)", "cron(0 9 * * ? *)")
    (tmp_path / "template.yaml").write_text(changed)
    with pytest.raises(Unresolvable, match="cron"):
        load(tmp_path / "template.yaml", PLACE)


def test_the_table_is_made_as_the_template_says() -> None:
    """Keys, indexes and expiry of the job table go into CreateTable as they stand."""
    (table,) = load(TEMPLATE, PLACE).tables
    assert table.expiry == "expires_at"
    assert {index["IndexName"] for index in table.request["GlobalSecondaryIndexes"]} == {
        "by_source",
        "by_day",
        "open",
    }


def test_a_rule_of_its_own_drives_its_target(tmp_path: Path) -> None:
    """A schedule written as an AWS::Events::Rule is kept like one of a function's events."""
    text = """
Resources:
  Waker:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(2 hours)
      Targets: [{Id: a, Arn: !GetAtt Work.Arn, Input: '{"hello": 1}'}]
  Work:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: code, Handler: app.handler}
  Never:
    Type: AWS::S3::Bucket
    Condition: Never
Conditions: {Never: !Equals [a, b]}
"""
    (tmp_path / "template.yaml").write_text(text)
    read = load(tmp_path / "template.yaml", PLACE)
    (schedule,) = read.functions[0].schedules
    assert (schedule.seconds, schedule.event) == (7200, {"hello": 1})
    assert read.buckets == ()
    with pytest.raises(Unresolvable, match="Never"):
        read.name("Never")
