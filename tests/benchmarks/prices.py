"""AWS's list prices, and what so much of everything costs.

Promises prices of one region, each with the page it stands on, and nothing taken off: no free tier, no discount for
much, no savings plan. Looked up on READ; where AWS's page and pages about it differ, the dearer one. A price is never
guessed: what is not here cannot be priced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REGION = "us-east-1 (N. Virginia)"
READ = "2026-11-30"
MILLION, GIGABYTE = 1e6, 2.0**30
HOURS_A_MONTH = 730.0

# Of Lambda's invocations X-Ray records the first of each second and one of twenty of the others, and that cannot be
# configured: docs.aws.amazon.com/lambda/latest/dg/services-xray.html, read on READ. It does not say whether all
# functions share that second or each has its own: each, which is dearer.
TRACED_A_SECOND, TRACED_OF_THE_REST = 1.0, 0.05
FREE_TRACES = 100_000  # a month, for ever: aws.amazon.com/xray/pricing; told, and not taken off


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for `each` of something; `words` say of what, `page` where that stands."""

    dollars: float
    each: float
    words: str
    page: str


def _aws(page: str) -> str:
    return f"https://aws.amazon.com/{page}/pricing/"


PRICES: Mapping[str, Price] = {
    "Lambda time": Price(0.0000133334, 1, "GB-second, arm64", _aws("lambda")),
    "Lambda requests": Price(0.20, MILLION, "million invocations", _aws("lambda")),
    "table writes": Price(0.625, MILLION, "million write request units, on demand", _aws("dynamodb")),
    "table reads": Price(0.125, MILLION, "million read request units, on demand", _aws("dynamodb")),
    "table storage": Price(0.25 + 0.20, GIGABYTE, "GB-month, 0.25 and 0.20 for its backups (PITR)", _aws("dynamodb")),
    "S3 writes": Price(0.005, 1e3, "thousand PUT, COPY, POST", _aws("s3")),
    "S3 lists": Price(0.005, 1e3, "thousand LIST", _aws("s3")),
    "S3 reads": Price(0.0004, 1e3, "thousand GET, HEAD", _aws("s3")),
    "queues": Price(0.40, MILLION, "million requests of standard queues", _aws("sqs")),
    "callback API": Price(3.50, MILLION, "million calls of a REST API", _aws("api-gateway")),
    "secrets": Price(0.05, 1e4, "ten thousand calls", _aws("secrets-manager")),
    "logs": Price(0.50, GIGABYTE, "GB taken in by CloudWatch Logs", _aws("cloudwatch")),
    "traces": Price(5.00, MILLION, "million traces recorded by X-Ray", _aws("xray")),
    "output events": Price(1.00, MILLION, "million opt-in events, of which S3's are", _aws("eventbridge")),
    "transfer out": Price(0.09, GIGABYTE, "GB to the internet", "https://aws.amazon.com/ec2/pricing/on-demand/"),
    "state transitions": Price(0.025, 1e3, "thousand state transitions, standard workflow", _aws("step-functions")),
    "secret kept": Price(0.40, 1, "secret and month", _aws("secrets-manager")),
    "alarm": Price(0.10, 1, "alarm and month", _aws("cloudwatch")),
    "metric": Price(0.30, 1, "metric of one's own and month, while it is written", _aws("cloudwatch")),
    "dashboard": Price(3.00, 1, "dashboard and month", _aws("cloudwatch")),
}


def traced(invocations_a_second: float) -> float:
    """The share of a function's invocations that X-Ray records when so many come evenly; all of one and fewer."""
    more = max(0.0, invocations_a_second - TRACED_A_SECOND)
    return 1.0 if more == 0 else (TRACED_A_SECOND + TRACED_OF_THE_REST * more) / invocations_a_second


def dollars(used: Mapping[str, float]) -> dict[str, float]:
    """What so much costs, by name.

    Raises:
        KeyError: there is no price of that name.
    """
    return {name: amount * PRICES[name].dollars / PRICES[name].each for name, amount in used.items()}
