"""Batches of drops at a busy provider, with invocations that die: `batches.py 500 2000` is a part of `make faults`.

The provider fails a job when more than 5 run at a time, and answers 30 % of requests with 429 or a documented 503. 500
drops: 500 SUCCEEDED, never more than 5 in flight, no drop in a dead-letter queue, no double payment, the places of
crashed holders freed. 2,000 drops cost the same number of requests each as 500, within 5 %.

Prints what each batch came to, and of two or more what one drop costs in requests in the last and in the first. Ends
with 1 when anything is wrong with a batch, or when a drop of the last costs over 5 % more.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from bulk import BUSY, Bulk, Told, check
from faults_ground import Ground, standing
from faults_invocation import deployed

MOST = 1.05
KILLED_OF = 40
TOLD_EVERY = 200  # invocations


class Watched(Bulk):
    """A batch that tells how it goes on: thousands of drops take a quarter of an hour."""

    def invoke(self, logical_id: str, event: Any) -> tuple[str, Any]:
        """Invoke a function, and count it."""
        if len(self.invocations) % TOLD_EVERY == 0:
            minutes = self.ground.clock.ahead / 60
            sys.stderr.write(
                f"\r{self.drops} drops: {len(self.invocations)} invocations, {minutes:.0f} virtual minutes "
            )
            sys.stderr.flush()
        return super().invoke(logical_id, event)


def play(ground: Ground, drops: int) -> tuple[Told, list[str]]:
    """A batch, and what is wrong with it."""
    began = time.monotonic()
    batch = Watched(ground, drops, trouble=BUSY, kill_every=KILLED_OF)
    batch.play()
    sys.stderr.write("\n")
    told = batch.told()
    wrong = check(told, drops)
    say(
        f"{drops:>6} drops: {told.states}, {told.paid} paid, at most {told.most_at_once} at a time, "
        f"{told.killed} invocations killed, {told.aws / drops:.1f} requests to AWS and "
        f"{told.provider / drops:.2f} to the provider a drop, {time.monotonic() - began:.0f} s"
    )
    for line in wrong:
        say(f"        {line}")
    return told, wrong


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(batches: list[int]) -> int:
    """Play them all; 0 when all is well."""
    with standing() as ground, deployed():
        played = [play(ground, drops) for drops in batches]
    each = [told.requests_each(drops) for (told, _), drops in zip(played, batches, strict=True)]
    if len(each) > 1:
        say(f"a drop among {batches[-1]:,} costs {each[-1] / each[0]:.3f} of one among {batches[0]:,} (at most {MOST})")
    return int(any(wrong for _, wrong in played) or each[-1] > each[0] * MOST)


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:]] or [500, 2000]))
