"""The structured log and the metrics of the deployed functions: Powertools, set from the template's environment.

Promises one JSON object a line with the job id as `correlation_id`, and metrics in CloudWatch's embedded format in
the namespace Backdrop with the one dimension `service`. Tracing is switched on in the template, not imported here:
Powertools' Tracer costs 200 ms at every cold start.
"""

import logging
from functools import lru_cache

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "Backdrop"
SERVICE = "backdrop"
# At DEBUG these log whole replies and signed requests: API keys, callback keys, presigned queries.
TALKATIVE = ("boto3", "botocore", "httpcore", "httpx", "s3transfer", "urllib3")


@lru_cache(maxsize=1)
def logger() -> Logger:
    """The environment's one log; its level is POWERTOOLS_LOG_LEVEL's, but for the libraries that would log secrets."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    return Logger(service=SERVICE)


def metric(name: str, value: float = 1) -> None:
    """Count `value` under `name`, at once: an invocation that is killed later has counted what it did."""
    dimensions = {"service": SERVICE}
    with single_metric(
        name=name, unit=MetricUnit.Count, value=value, namespace=NAMESPACE, default_dimensions=dimensions
    ):
        pass
