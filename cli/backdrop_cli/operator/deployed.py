"""What `check` asks AWS: are the stack's parts there, switched on, joined as the template joins them, and watched.

Promises to look and to change nothing; the one thing it runs is `submit`, with S3's own test message, which names no
drop. Refuses to judge a stack on a laptop: CloudFormation names none of its parts there.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from backdrop_cli.operator.findings import Finding, good, unused, wrong
from backdrop_cli.operator.reach import Found
from backdrop_cli.operator.screen import counted

FUNCTIONS = {"submit": "SubmitFunction", "webhook": "WebhookFunction", "reconcile": "ReconcileFunction"}
_DRAINED = {"submit": "DropQueueUrl", "reconcile": "WorkQueueUrl"}
_EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
_WELL = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_MOST_ALARMS = 100  # of one DescribeAlarms
# What S3 sends when a notification is set up: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
_TEST = {
    "Records": [
        {
            "messageId": "backdrop-check",
            "eventSource": "aws:sqs",
            "body": json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}),
        }
    ]
}
_AGAIN = "deploy the stack again (sam build, sam deploy)"


def parts(found: Found) -> dict[str, dict[str, Any]]:
    """The stack's resources as CloudFormation lists them, by logical id; empty on a laptop."""
    pages = found.clients.cloudformation.get_paginator("list_stack_resources").paginate(StackName=found.name)
    return {one["LogicalResourceId"]: one for page in pages for one in page["StackResourceSummaries"]}


def stack(found: Found, resources: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the last deploy came to its end."""
    if not resources:
        yield unused("stack", "it runs on a laptop: its functions, mappings and alarms are not AWS's")
        return
    (told,) = found.clients.cloudformation.describe_stacks(StackName=found.name)["Stacks"]
    status = str(told["StackStatus"])
    if status in _WELL:
        yield good("stack", f"{status}, {counted(len(resources), 'resource')}")
    else:
        yield wrong("stack", f"it is {status}", "read the stack's events in CloudFormation, then deploy again")


def function(found: Found, resources: Mapping[str, Any], name: str) -> Iterator[Finding]:
    """Whether a function is ready for calls, and drains its queue."""
    physical = _physical(resources, FUNCTIONS[name])
    if not physical:
        yield wrong(name, "the stack has no such function", _AGAIN)
        return
    functions = found.clients.other("lambda")
    told = functions.get_function_configuration(FunctionName=physical)
    state, update = told.get("State", "Active"), told.get("LastUpdateStatus", "Successful")
    reserved = functions.get_function_concurrency(FunctionName=physical).get("ReservedConcurrentExecutions")
    if state not in {"Active", "Inactive"} or update != "Successful":
        yield wrong(name, f"the function is {state}, its last update {update}", _AGAIN)
    elif reserved == 0:
        yield wrong(name, "the function's reserved concurrency is 0: it is switched off", "remove that limit in Lambda")
    else:
        yield good(name, f"{told.get('Runtime', '')}, {told.get('MemorySize', '')} MB, ready")
    if name in _DRAINED:
        yield from _mapping(found, functions, physical, name)


def _mapping(found: Found, functions: Any, physical: str, name: str) -> Iterator[Finding]:
    what, queue = f"{name} mapping", _queue_arn(found, found.output(_DRAINED[name]))
    pages = functions.get_paginator("list_event_source_mappings").paginate(FunctionName=physical)
    states = [one["State"] for page in pages for one in page["EventSourceMappings"] if one["EventSourceArn"] == queue]
    if not states:
        yield wrong(what, f"nothing hands the messages of its queue to {name}", _AGAIN)
    elif states != ["Enabled"]:
        yield wrong(what, f"it is {' and '.join(states)}", "enable the function's trigger in Lambda, or wait a moment")
    else:
        yield good(what, "enabled")


def notification(found: Found) -> Iterator[Finding]:
    """Whether S3 tells the drop queue of every drop."""
    bucket = found.world.settings.input_bucket
    told = found.clients.s3.get_bucket_notification_configuration(Bucket=bucket)
    queue = _queue_arn(found, found.output("DropQueueUrl"))
    mine = [
        one for one in told.get("QueueConfigurations", []) if one["QueueArn"] == queue and not one.get("Filter", {})
    ]
    events = {str(event) for one in mine for event in one["Events"]}
    missing = [event for event in _EVENTS if event not in events]
    if missing:
        lacking = " and ".join(missing)
        yield wrong("bucket notification", f"{bucket} does not tell the drop queue of {lacking}", _AGAIN)
    else:
        yield good("bucket notification", f"{bucket} tells the drop queue of every drop")


def schedule(found: Found, resources: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the sweep is on, aimed at `reconcile`, and let in by it."""
    rules, name = found.clients.other("events"), f"{found.name}-sweep"
    physical = _physical(resources, FUNCTIONS["reconcile"])
    if not any(one["Name"] == name for one in rules.list_rules(NamePrefix=name)["Rules"]):
        yield wrong("schedule", f"there is no rule {name}: lost callbacks stay lost", _AGAIN)
        return
    state = rules.describe_rule(Name=name)["State"]
    targets = [one["Arn"] for one in rules.list_targets_by_rule(Rule=name)["Targets"]]
    if state != "ENABLED":
        yield wrong("schedule", f"the rule {name} is {state}: lost callbacks stay lost", "enable it in EventBridge")
    elif not any(arn.endswith(f":{physical}") for arn in targets):
        yield wrong("schedule", f"the rule {name} does not wake reconcile", _AGAIN)
    else:
        yield good("schedule", "enabled, once a minute")


def start(found: Found, resources: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether `submit` starts with its layer and its settings: it is handed the test that S3 itself sends."""
    physical = _physical(resources, FUNCTIONS["submit"])
    if not physical:
        return
    reply = found.clients.other("lambda").invoke(FunctionName=physical, Payload=json.dumps(_TEST))
    kind = ""
    if reply.get("FunctionError"):
        told = _json(reply["Payload"].read())
        kind = str(told.get("errorType") or reply["FunctionError"])
    if kind:
        yield wrong("start", f"submit does not start ({kind})", f"read its log; is its layer there? Else {_AGAIN}")
    else:
        yield good("start", "submit starts, with its layer and its settings")


def alarms(found: Found, resources: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the alarms are on, and whether anybody hears of them."""
    names = [one["PhysicalResourceId"] for one in resources.values() if one["ResourceType"] == "AWS::CloudWatch::Alarm"]
    watch = found.clients.other("cloudwatch")
    told = watch.describe_alarms(AlarmNames=names[:_MOST_ALARMS])["MetricAlarms"] if names else []
    silent = [one["AlarmName"] for one in told if not one.get("ActionsEnabled", True) or not one.get("AlarmActions")]
    ringing = [one["AlarmName"] for one in told if one.get("StateValue") == "ALARM"]
    if len(told) < len(names) or not names:
        yield wrong("alarms", f"{len(told)} of {counted(len(names), 'alarm')} are there", _AGAIN)
    elif silent:
        yield wrong("alarms", f"without an action: {', '.join(silent)}", "enable their actions in CloudWatch")
    elif ringing:
        yield wrong("alarms", f"in alarm now: {', '.join(ringing)}", "see docs/operations.md: what to do at night")
    else:
        yield good("alarms", f"{counted(len(names), 'alarm')}, all quiet")
    yield from _subscribers(found, resources)


def _subscribers(found: Found, resources: Mapping[str, Any]) -> Iterator[Finding]:
    what, topic = "alarm subscriber", _physical(resources, "AlarmTopic")
    if not topic:
        yield wrong(what, "the stack has no alarm topic", _AGAIN)
        return
    pages = found.clients.other("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    subscriptions = [one for page in pages for one in page["Subscriptions"]]
    confirmed = [one for one in subscriptions if one["SubscriptionArn"].startswith("arn:")]
    if confirmed:
        yield good(what, f"{counted(len(confirmed), 'subscriber')} confirmed")
    elif subscriptions:
        told = "no subscription is confirmed: it waits, or somebody has unsubscribed"
        yield wrong(what, told, f"follow the link in the mail that SNS has sent, or subscribe to {topic} again")
    else:
        yield wrong(what, "nobody hears of alarms", f"deploy with AlarmEmail, or subscribe to {topic}")


def _physical(resources: Mapping[str, Any], logical_id: str) -> str:
    return str(resources.get(logical_id, {}).get("PhysicalResourceId", ""))


def _queue_arn(found: Found, url: str) -> str:
    name: Any = "QueueArn"
    return found.clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]


def _json(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
