"""The operator's commands on the command line. What they need is imported when one runs: `--help` answers at once."""

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backdrop_cli.endings import ended_alike

if TYPE_CHECKING:
    from collections.abc import Callable

    from backdrop_cli.operator.reach import Found

_Stack = Annotated[str, typer.Option(envvar="BACKDROP_STACK", metavar="NAME", help="The stack's name.")]
_Region = Annotated[str, typer.Option(metavar="REGION", help="Its AWS region; else the environment's.")]
_Profile = Annotated[str, typer.Option(metavar="PROFILE", help="The AWS profile; else the environment's.")]
_Endpoint = Annotated[
    str, typer.Option("--endpoint-url", metavar="URL", help="Another endpoint than AWS's; else AWS_ENDPOINT_URL's.")
]
_Json = Annotated[bool, typer.Option("--json", help="One JSON document for scripts; asks nothing.")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")]
_Provider = Annotated[str, typer.Option(metavar="NAME", help="runflow, backgroundcut or imagepipeline; else all.")]

_PROGRAM = "backdrop"


def register(app: typer.Typer) -> None:
    """Add the commands to the program's."""
    app.command(short_help="How the stack is: jobs, held ones, failures, queues.")(status)
    app.command(short_help="After a deploy: will it work? Keys, callback URL, permissions, alarms.")(check)
    app.command(short_help="Why a file is where it is, and what to do.")(explain)
    app.command(short_help="Let held jobs try again now.")(resume)
    app.command(short_help="Run failed jobs again, after saying what it costs.")(redrive)
    app.command(short_help="Run photos that lay there before the stack did.")(backfill)


def status(
    stack: _Stack = "backdrop",
    region: _Region = "",
    profile: _Profile = "",
    endpoint_url: _Endpoint = "",
    as_json: _Json = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Tell how the stack is: open jobs by state and provider, what is held and why, spending, queues, failures.

    Finished jobs are counted among those that came today and yesterday (UTC). The number of requests is bounded;
    where a figure is cut off, it says "at least".

    Exit status: 0 all is well, 1 it could not be told, 2 a mistyped argument, 3 something needs a person (held jobs,
    failures, dead letters, a spent budget, work that nobody looks at).

    \b
    Examples:
      backdrop status
      backdrop status --endpoint-url http://127.0.0.1:4599
      backdrop status --json --stack shop --region eu-west-1 | jq .attention
    """  # noqa: D301 - \b is click's mark for lines that stay as they are

    def run(found: "Found") -> int:
        from backdrop_cli.operator import status as command  # noqa: PLC0415 - see the module's docstring

        return command.status(found, as_json=as_json)

    _run(run, stack, region, profile, endpoint_url)


def check(  # noqa: PLR0917 - typer calls it by keyword
    name: Annotated[
        str, typer.Argument(metavar="[STACK]", help="The stack's name, as --stack.", show_default=False)
    ] = "",
    stack: _Stack = "backdrop",
    region: _Region = "",
    profile: _Profile = "",
    endpoint_url: _Endpoint = "",
    as_json: _Json = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Say after a deploy whether it will work, with what to do where it will not.

    It looks at the keys (each provider is asked by a call that is free), the two secrets, the callback URL and whether
    it refuses a forged call, the functions and what wakes them, what their roles may do, and who hears of alarms. It
    changes nothing and shows no key.

    Exit status: 0 all is well, 1 the stack could not be found, 2 a mistyped argument, 3 something needs a person or
    could not be told (each such line says what to do).

    \b
    Examples:
      backdrop check
      backdrop check shop --region eu-west-1
      backdrop check --json | jq '.checks[] | select(.verdict != "good")'
    """  # noqa: D301 - \b is click's mark for lines that stay as they are

    def run(found: "Found") -> int:
        from backdrop_cli.operator import checking as command  # noqa: PLC0415 - see the module's docstring

        return command.check(found, as_json=as_json)

    _run(run, name or stack, region, profile, endpoint_url)


def explain(  # noqa: PLR0917 - typer calls it by keyword
    key: Annotated[str, typer.Argument(metavar="KEY", help="A photo, spec, result, record, error file or job id.")],
    stack: _Stack = "backdrop",
    region: _Region = "",
    profile: _Profile = "",
    endpoint_url: _Endpoint = "",
    as_json: _Json = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Say why a file is where it is: its spec, its jobs, what each waits for, what happened, what to do next.

    KEY may also be an s3:// address of one of the stack's two buckets.

    Exit status: 0 it is done or goes on by itself, 1 nothing is known of it, 2 a mistyped argument, 3 it needs a
    person.

    \b
    Examples:
      backdrop explain shoes/red.jpg
      backdrop explain shoes/red.jpg.background-color.png
      backdrop explain shoes/red.jpg.error.json --json
    """  # noqa: D301 - \b is click's mark for lines that stay as they are

    def run(found: "Found") -> int:
        from backdrop_cli.operator import explaining as command  # noqa: PLC0415 - see the module's docstring

        return command.explain(found, key, as_json=as_json)

    _run(run, stack, region, profile, endpoint_url)


def resume(  # noqa: PLR0917 - typer calls it by keyword
    provider: _Provider = "",
    extra: Annotated[str, typer.Option(metavar="USD", help="Allow so much beyond today's budget, in all.")] = "",
    stack: _Stack = "backdrop",
    region: _Region = "",
    profile: _Profile = "",
    endpoint_url: _Endpoint = "",
    as_json: _Json = False,  # noqa: FBT002 - typer's form of a flag
) -> None:
    """Let held jobs try again now: closes the breakers of providers and releases what was held, also over the budget.

    Nothing is charged that would not be: a job whose account still refuses it is held again, and so is one that
    today's budget still has no room for.

    Exit status: 0 done (also when nothing was held), 1 it could not be done, 2 a mistyped argument.

    \b
    Examples:
      backdrop resume
      backdrop resume --provider runflow
      backdrop resume --extra 12.50
    """  # noqa: D301 - \b is click's mark for lines that stay as they are

    def run(found: "Found") -> int:
        from backdrop_cli.operator import resuming as command  # noqa: PLC0415 - see the module's docstring

        return command.resume(found, provider=provider, extra=extra, as_json=as_json)

    _run(run, stack, region, profile, endpoint_url)


def redrive(  # noqa: PLR0917 - typer calls it by keyword
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="A photo, or what keys begin with (shoes/); may be repeated."),
    ] = None,
    reason: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="The reason they failed for; may be repeated.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="Failed since: 90m, 2h, 3d, or 2026-01-31T14:00.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Failed before that time.")] = "",
    dead_letters: Annotated[  # noqa: FBT002 - typer's form of a flag
        bool, typer.Option("--dead-letters", help="Also move messages of the dead-letter queues back.")
    ] = False,
    yes: _Yes = False,  # noqa: FBT002 - typer's form of a flag
    dry_run: _DryRun = False,  # noqa: FBT002 - the same
    stack: _Stack = "backdrop",
    region: _Region = "",
    profile: _Profile = "",
    endpoint_url: _Endpoint = "",
    as_json: _Json = False,  # noqa: FBT002 - the same
) -> None:
    """Run failed jobs again, each as a new attempt, after saying how many, what they cost and which may be paid for.

    What is named together must all hold. With nothing named it lists the reasons there are. Without --since it looks
    at jobs that came in the last 7 days, with it also at the 2 days before; a photo's own key is always found.

    Exit status: 0 done (also when there was nothing to do, or you said no), 1 it could not be done, 2 a mistyped
    argument, nothing named, or nobody to ask, 3 some jobs cannot run again and need a person.

    \b
    Examples:
      backdrop redrive
      backdrop redrive --key shoes/red.jpg
      backdrop redrive --reason NO_TIME --since 2h --dry-run
      backdrop redrive --key shoes/ --since 2026-01-31T14:00 --until 2026-01-31T16:00 --yes --json
      backdrop redrive --dead-letters
    """  # noqa: D301 - \b is click's mark for lines that stay as they are

    def run(found: "Found") -> int:
        from backdrop.jobs import milliseconds  # noqa: PLC0415 - see the module's docstring
        from backdrop_cli.operator import redriving as command  # noqa: PLC0415 - the same
        from backdrop_cli.operator.selecting import Wanted, moment  # noqa: PLC0415 - the same

        now = milliseconds(found.world)
        wanted = Wanted(
            keys=tuple(key or ()),
            reasons=tuple(reason or ()),
            since=moment(since, "--since", now),
            until=moment(until, "--until", now),
        )
        return command.redrive(found, wanted, dead_letters=dead_letters, yes=yes, dry_run=dry_run, as_json=as_json)

    _run(run, stack, region, profile, endpoint_url)


def backfill(  # noqa: PLR0917 - typer calls it by keyword
    prefix: Annotated[
        str, typer.Argument(metavar="PREFIX", help="What their keys begin with; '' is the whole bucket.")
    ],
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, metavar="N", help="Photos to send in one run, at most.")
    ] = 10_000,
    yes: _Yes = False,  # noqa: FBT002 - typer's form of a flag
    dry_run: _DryRun = False,  # noqa: FBT002 - the same
    stack: _Stack = "backdrop",
    region: _Region = "",
    profile: _Profile = "",
    endpoint_url: _Endpoint = "",
    as_json: _Json = False,  # noqa: FBT002 - the same
) -> None:
    """Run photos that lay in the input bucket before the stack did, after saying how many and what they cost.

    Only photos without any job or row, and with a spec that holds (their own or a folder's default), are sent. Run
    again, it goes on where it ended.

    Exit status: 0 done (also when there was nothing to do, or you said no), 1 it could not be done, 2 a mistyped
    argument or nobody to ask, 3 photos were left out for want of a spec that holds.

    \b
    Examples:
      backdrop backfill shoes/ --dry-run
      backdrop backfill shoes/ --yes --json
    """  # noqa: D301 - \b is click's mark for lines that stay as they are

    def run(found: "Found") -> int:
        from backdrop_cli.operator import backfilling as command  # noqa: PLC0415 - see the module's docstring

        return command.backfill(found, prefix, limit=limit, yes=yes, dry_run=dry_run, as_json=as_json)

    _run(run, stack, region, profile, endpoint_url)


def _run(command: "Callable[[Found], int]", stack: str, region: str, profile: str, endpoint_url: str) -> None:
    """Find the stack, run the command against it and end with its status; whatever goes wrong is one sentence."""
    from backdrop_cli.operator import failures, reach  # noqa: PLC0415 - see the module's docstring
    from backdrop_cli.paths import printable  # noqa: PLC0415 - the same

    try:
        clients = reach.Reach(failures.Where(stack, region, profile, endpoint_url))
        try:
            with ended_alike(), failures.told(clients.where):
                status = command(reach.find(clients))
        finally:
            clients.close()
    except failures.Stopped as stopped:
        print(f"{_PROGRAM}: {printable(str(stopped))}", file=sys.stderr)
        raise typer.Exit(stopped.status) from None
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - a stack trace is nothing to an operator; its last place is to us
        frame = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
        print(f"{_PROGRAM}: a mistake of backdrop's own, please report it: {told}", file=sys.stderr)
        raise typer.Exit(failures.ERROR) from None
    except KeyboardInterrupt:
        print(f"\n{_PROGRAM}: interrupted; run it again, what is done is not done twice", file=sys.stderr)
        raise typer.Exit(failures.INTERRUPTED) from None
    raise typer.Exit(status)
