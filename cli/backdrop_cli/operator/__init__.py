"""The operator's commands: status, check, explain, resume, redrive, backfill, against any stack and any endpoint.

    commands      the command line; everything else is imported when a command runs
    reach         a stack by its name: its outputs and parameters become the library's World
    failures      what AWS refuses, as one sentence with what to do
    screen        tables, progress, questions, JSON
    rows admission prices                       bounded reading of the job table; who is let in; money
    status  explaining naming stories  resuming one command each
    redriving selecting letters  backfilling  sending
    checking findings  outside deployed permits       what `check` looks at

Promises no stack trace, no secret on the screen, and no write to the job table but by the library's verbs.
"""
