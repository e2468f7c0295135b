"""How long a function waits for AWS and for a provider, where no bench can tell: this machine has neither.

Promises round figures on the slow side of what is usual within a region, in one place. They go into the virtual clock
of the scale runs and into the seconds of Lambda that are priced; both say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metering import Metered

SECONDS = {
    "dynamodb": 0.006,  # AWS: single-digit milliseconds
    "s3": 0.030,  # reads and lists; AWS promises 0.1 to 0.2, a small object in the region takes 0.01 to 0.04
    "s3 PUT": 0.050,
    "sqs": 0.010,
    "secretsmanager": 0.020,
    "provider": 0.300,  # an API's answer, with a fresh connection and TLS
    "result": 0.100,  # a result's first byte
}
BYTES_A_SECOND = 40e6  # what a function of 1 GB takes in or sends
VCPU_MEGABYTES = 1769  # of memory that give a function one whole processor; AWS: Lambda, "Configuring memory"


def seconds(call: Metered) -> float:
    """What one request takes on the clock, its bytes with it."""
    kind = f"{call.service} {call.verb}"
    if not call.aws:
        kind = "result" if call.verb == "result" else "provider"
    return SECONDS.get(kind, SECONDS.get(call.service, 0.0)) + (call.sent + call.received) / BYTES_A_SECOND


def processor(measured: float, megabytes: int) -> float:
    """Seconds that so much processor time takes in a function of that memory, which has a share of a processor."""
    return measured * max(1.0, VCPU_MEGABYTES / megabytes)
