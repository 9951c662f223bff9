"""The command ``desk``: options, commands, and how an error ends.

Nothing heavy is imported here or at the head of a command's file: ``desk --help`` answers at once.
"""

from __future__ import annotations

import gc
import os
import sys
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from pipelines.cli import context
from pipelines.cli.commands import Program
from pipelines.cli.exits import Exit, exit_code

SELDOM = 50_000
"""New objects before Python looks for garbage. What imports make stays, and looking through all of it a
hundred times, as it does with the usual 700, takes a tenth of a short command's time."""

app = typer.Typer(
    name="desk",
    cls=Program,
    help="A systematic trading desk: data, backtests, paper and live books over a versioned lake.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 configuration or input refused, 4 data missing, "
    "5 action refused, 130 interrupted.",
    no_args_is_help=True,
    context_settings={"max_content_width": 110},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"desk {version('deltadesk')}")
        raise typer.Exit


@app.callback()
def options(
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The desk's file; else DESK_CONFIG, else config/desk.toml."),
    ] = None,
    lake: Annotated[
        str | None, typer.Option("--lake", help="Lake to use instead of the configured one.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Keep the options for the command."""
    context.remember(config, lake)


def main() -> None:
    """Entry point of the program."""
    gc.set_threshold(SELDOM)
    code = run(sys.argv[1:])
    gc.freeze()  # nor when the program ends: all that is left goes with the process
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code; an error is one line on standard error."""
    debug = "--debug" in arguments
    try:
        result = _program().main(
            [argument for argument in arguments if argument != "--debug"],
            prog_name="desk",
            standalone_mode=False,
        )
        sys.stdout.flush()
        if result == Exit.INTERRUPTED:  # what an interrupt has become on its way through the parser
            _tell("interrupted")
        return int(result or Exit.DONE)
    except TyperException as error:
        _tell(_usage(error))
        return Exit.USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has left
        return Exit.FAILED
    except (Exception, KeyboardInterrupt, typer.Abort) as error:
        return _failed(error, debug)


@cache
def _program() -> Any:
    """The commands as the parser needs them: made once a process."""
    return typer.main.get_command(app)


def _usage(error: TyperException) -> str:
    """Message about a wrong command line; a group without a command answers with its help instead."""
    message = error.format_message()
    command = getattr(getattr(error, "ctx", None), "command_path", "desk")
    return message if "\n" in message else f"{message.rstrip('.')} (see {command} --help)"


def _failed(error: BaseException, debug: bool) -> int:
    """Tell an error and give its code."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        _tell("interrupted")
        return Exit.INTERRUPTED
    if debug:
        import traceback

        traceback.print_exception(error)
    code = exit_code(error)
    if code is not None:
        _tell(str(error))
        return code
    what = " ".join(str(error).split())
    _tell(f"unexpected {type(error).__name__}: {what}; --debug shows where")
    return Exit.FAILED


def _tell(message: str) -> None:
    """One line on standard error; a configuration with several problems has one line each."""
    lines = [message] if message.startswith("Usage:") else [f"desk: {line}" for line in message.splitlines()]
    typer.echo("\n".join(lines), err=True)
