"""The verbs, and the only place that knows the order of steps.

    intake.take_drop      a key was named: what lies there becomes jobs, a wait, or a refusal; `look_again` if it waits
    posting.advance       whatever a job needs next: claim and post, ask, fetch; `begin` for those just made
    finishing.complete    an outcome is known: deliver, try again, or fail
    receiving.receive     a callback came
    sweeping.sweep        whatever is due, whatever became of messages, leases and callbacks

Each is imported by whoever needs it: a forged callback is refused before any of them.
"""
