"""The command `backdrop`. Each command imports what it needs when it runs: `--help` answers at once."""

import errno
import io
import shlex
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from backdrop_cli.endings import ended_alike
from backdrop_cli.operator.commands import register

app = typer.Typer(
    name="backdrop",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_EXIT_BAD_INPUT = 2
_EXIT_INTERRUPTED = 130


def main() -> None:
    """The console's entry point."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path may hold what the terminal cannot show
    app()


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's form of a callback
    if wanted:
        try:
            print(f"backdrop {version('backdrop')}")
        except PackageNotFoundError:
            print("backdrop, not installed")
        raise typer.Exit


@app.callback()
def backdrop(
    _version: Annotated[  # noqa: FBT002 - typer's form of a flag
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Drop a photo and a small spec into a bucket; get it back with its background removed, recoloured or replaced.

    On this laptop, without an account: the deployed system runs in one process, the providers are a sandbox beside it.
    The operator's commands (status, check, explain, resume, redrive, backfill) work on any stack, here or deployed.
    """


_Trouble = Annotated[bool, typer.Option("--trouble", help="With lost and duplicate callbacks and 429s.")]
_Keep = Annotated[bool, typer.Option("--keep", help="Keep the stack running afterwards, until Ctrl-C.")]


@app.command(
    short_help="Run the whole path once: six models, real pixels.", context_settings={"allow_extra_args": True}
)
def demo(  # noqa: PLR0917 - typer calls it by keyword
    context: typer.Context,
    image: Annotated[str, typer.Option(envvar="IMAGE", metavar="PATH", help="A photo of yours; needs --spec.")] = "",
    spec: Annotated[
        str, typer.Option(envvar="SPEC", metavar="PATH", help="Its spec, YAML or JSON; needs --image.")
    ] = "",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the results go.")] = Path("out"),
    trouble: _Trouble = False,  # noqa: FBT002 - typer's form of a flag
    keep: _Keep = False,  # noqa: FBT002 - the same
    stack: Annotated[
        Literal["embedded", "localstack"],
        typer.Option(help="What runs it: this process, or the template deployed to LocalStack."),
    ] = "embedded",
) -> None:
    """Run the whole path once, with sample photos for all six models or with a photo of yours.

    Exit status: 0 every job succeeded, 1 not every one did, 2 a path is of no use or the demo could not start.

    \b
    Examples:
      backdrop demo
      backdrop demo --image "red shoe.jpg" --spec shoe.yaml --out results
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    if context.args:
        pairs = zip(("--image", "--spec"), context.args, strict=False)
        given = " ".join(f"{option} {shlex.quote(value)}" for option, value in pairs)
        _fail(f"unexpected {shlex.join(context.args)}: did you mean backdrop demo {given}?")
    if bool(image) != bool(spec):
        lacking = "a spec: add --spec PATH (or SPEC=PATH)" if image else "a photo: add --image PATH (or IMAGE=PATH)"
        _fail(f"the {'image' if image else 'spec'} needs {lacking}")
    from backdrop_cli import demo as module  # noqa: PLC0415 - see the module's docstring

    options = module.Options(
        out=out,
        image=Path(image) if image else None,
        spec=Path(spec) if spec else None,
        trouble=trouble,
        keep=keep,
        localstack=stack == "localstack",
    )
    _run(lambda: module.demo(options))


@app.command(short_help="Keep the stack running, to drop files into.")
def up(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Port of the AWS endpoint; 0 takes any that is free.")
    ] = 4599,
) -> None:
    """Keep the stack and the sandbox running, and tell how to drop files into it with the AWS CLI.

    \b
    Example:
      backdrop up --port 4599
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    from backdrop_cli import live  # noqa: PLC0415 - see the module's docstring

    _run(lambda: live.up(port))


@app.command(short_help="Say what a spec would run and what it costs.")
def validate(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="A spec, YAML or JSON.", show_default=False)],
    image: Annotated[
        Path | None, typer.Argument(metavar="IMAGE", help="The photo it is for.", show_default=False)
    ] = None,
) -> None:
    """Say what a spec would run and what it costs, or everything that is wrong with it. Uploads nothing.

    Exit status: 0 good, 1 refused, 2 a file cannot be read.

    \b
    Examples:
      backdrop validate shoe.jpg.yaml
      backdrop validate shoe.yaml shoe.jpg
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    from backdrop_cli.paths import BadFile, printable  # noqa: PLC0415 - see the module's docstring
    from backdrop_cli.validate import validate as check  # noqa: PLC0415 - the same

    try:
        good, lines = check(spec, image)
    except BadFile as error:
        _fail(str(error))
    for line in lines:
        print(printable(line))
    raise typer.Exit(0 if good else 1)


@app.command()
def schema() -> None:
    """Print the JSON Schema of specs, for editors.

    \b
    Example:
      backdrop schema > spec.schema.json
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    from backdrop.schema import text  # noqa: PLC0415 - see the module's docstring

    print(text(), end="")


@app.command(short_help="Run the provider sandbox alone.")
def sandbox(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Port to listen on; 0 takes any that is free.")
    ] = 0,
    image_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="An origin of plain http photos, such as the stack's S3; may be repeated."),
    ] = None,
    accounts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keys and balances, a JSON list, instead of the default keys.")
    ] = None,
) -> None:
    """Run the twin of the three providers alone, until Ctrl-C. Its page with recent runs is at /.

    PUT /_sandbox/trouble switches trouble, GET /_sandbox/ledger tells what was paid for.

    \b
    Example:
      backdrop sandbox --port 8800
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    from backdrop_cli.sandbox.__main__ import main as run  # noqa: PLC0415 - see the module's docstring

    arguments = ["--port", str(port)]
    for origin in image_origin or ():
        arguments += ["--image-origin", origin]
    if accounts:
        arguments += ["--accounts", str(accounts)]
    raise typer.Exit(run(arguments))


register(app)


def _run(command: Callable[[], int]) -> None:
    """Run a command and end with its status; what a person can put right is one sentence, not a stack trace."""
    from backdrop_cli.cloudformation import Unresolvable  # noqa: PLC0415 - the same
    from backdrop_cli.outfolder import Foreign  # noqa: PLC0415 - see the module's docstring
    from backdrop_cli.paths import BadFile  # noqa: PLC0415 - the same
    from backdrop_cli.sandbox_process import NotRunning  # noqa: PLC0415 - the same

    try:
        with ended_alike():
            status = command()
    except (BadFile, Foreign, NotRunning, Unresolvable) as error:
        _fail(str(error))
    except OSError as error:
        hint = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}{hint}")
    except KeyboardInterrupt:
        _fail("interrupted", _EXIT_INTERRUPTED)
    raise typer.Exit(status)


def _fail(message: str, status: int = _EXIT_BAD_INPUT) -> NoReturn:
    print(f"backdrop: {message}", file=sys.stderr)
    raise typer.Exit(status)
