"""The structured log and the metrics of the deployed functions: Powertools, set from the template's environment.

Promises one JSON object a line with the job id as `correlation_id`, and metrics in CloudWatch's embedded format in
the namespace Backdrop with the dimension `service`, the stack's name; nothing is measured that `MEASURES` does not
explain. Tracing is switched on in the template, not imported here: Powertools' Tracer costs 200 ms at every cold start.
"""

import logging
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "Backdrop"
# At DEBUG these log whole replies and signed requests: API keys, callback keys, presigned queries.
TALKATIVE = ("boto3", "botocore", "httpcore", "httpx", "s3transfer", "urllib3")


class Measure(NamedTuple):
    """What a metric counts, in which unit, and what to do when it moves."""

    unit: Literal["Count", "Seconds", "None"]
    meaning: str
    action: str = ""
    dimension: str = ""  # beside `service`


MEASURES: Mapping[str, Measure] = {
    "JobsQueued": Measure("Count", "drops that became a job"),
    "JobsSubmitted": Measure("Count", "jobs that a provider took, each a paid request"),
    "JobsSucceeded": Measure("Count", "jobs whose every output lies in the output bucket"),
    "JobsFailed": Measure("Count", "jobs that ended without a result", "read the error files in the output bucket"),
    "JobsFailedByReason": Measure(
        "Count", "the same, by the code that stands in the error file", "look the code up below", "reason"
    ),
    "JobsHeld": Measure("Count", "jobs that began to wait for the account or for the next day's budget"),
    "JobsRetried": Measure("Count", "attempts that a retryable failure opened: each is a further paid request"),
    "JobsPostponed": Measure("Count", "requests that a provider turned away before it took them; nothing was paid"),
    "DropsRejected": Measure("Count", "drops that became no job", "read the error files in the output bucket"),
    "BreakerOpened": Measure(
        "Count",
        "a provider refused the account (no credits, a refused key): its jobs are held, none is posted in vain",
        "top the account up or put a valid key into the provider secret; then `backdrop resume`, or wait for the probe",
    ),
    "BudgetReached": Measure(
        "Count",
        "the day's budget is spent; said once a day",
        "wait for 00:00 UTC, or allow more today with `backdrop resume --extra`, or raise DailyBudgetUsd",
    ),
    "CallbackLost": Measure(
        "Count",
        "runs that had ended without a callback 30 seconds after it was due; they were asked about instead",
        "check that the callback URL can be reached from outside, then ask the provider",
    ),
    "CallbacksRejected": Measure(
        "Count",
        "callbacks that were not genuine, or of no job",
        "check that the callback secrets match the provider's; else somebody is guessing, in vain",
    ),
    "RepostsAfterUnknown": Measure(
        "Count",
        "paid requests that went unanswered, left no trace, and were sent once more after PatienceSeconds",
        "compare the provider's bill with the job table",
    ),
    "OldestOpenSeconds": Measure(
        "Seconds",
        "the age of each open job when it was looked at again; its maximum is the oldest (held jobs are not looked at)",
        "`backdrop status` names the oldest, `backdrop explain` says what it waits for",
    ),
    "SpendUsd": Measure("None", "what jobs that were taken cost, in US dollars, at the prices Backdrop knows"),
    "UnpricedSubmitted": Measure(
        "Count",
        "jobs that were taken and whose price nobody publishes: they count as nothing in SpendUsd and the budget",
        "set your own price with the parameter Prices",
    ),
}
_UNITS = {"Count": MetricUnit.Count, "Seconds": MetricUnit.Seconds, "None": MetricUnit.NoUnit}


def service() -> str:
    """What this stack is called in logs and metrics: the template gives it the stack's name."""
    return os.environ.get("POWERTOOLS_SERVICE_NAME", "backdrop")


@lru_cache(maxsize=1)
def logger() -> Logger:
    """The environment's one log; its level is POWERTOOLS_LOG_LEVEL's, but for the libraries that would log secrets."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    return Logger(service=service())


def metric(name: str, value: float = 1, **dimensions: str) -> None:
    """Measure `value` under `name`, at once: an invocation that is killed later has measured what it did.

    Raises:
        KeyError: `MEASURES` does not explain it.
    """
    unit = _UNITS[MEASURES[name].unit]
    always = {"service": service()}
    with single_metric(name=name, unit=unit, value=value, namespace=NAMESPACE, default_dimensions=always) as written:
        for dimension, text in dimensions.items():
            written.add_dimension(dimension, text)
