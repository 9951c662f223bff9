"""Write ``docs/reference.md`` from the contracts of the tables and from the command line itself.

Run it with ``python docs/make_reference.py`` after a change of either; a test holds the file in step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Any

import polars as pl
import typer

from delta.contracts import BOOK, CONTROL, MARKET, Table
from pipelines.cli import exits
from pipelines.cli.main import app

PAGE = Path(__file__).with_name("reference.md")
FAMILIES = (
    ("Market", MARKET, "What happened at the exchanges. Shared by all books."),
    ("Book", BOOK, "What a book decided and what became of it. Every row carries the name of its book."),
    ("Control", CONTROL, "What the desk keeps about itself."),
)
HEAD = """# Reference

Tables and commands, written by `docs/make_reference.py` from the code.

- [Tables](#tables): columns, keys and checks.
- [Commands](#commands): arguments, options and exit codes.

The user guide shows how they are used: [user_guide.md](user_guide.md). Keys of the configuration are in
[configuration.md](configuration.md).
"""
TABLES = """## Tables

Each table is a Delta table in a folder of its name in the lake. A write is checked against the contract
first. One row that breaks a rule refuses the whole write.

- *Key*: columns that are unique together.
- *Replaces*: a run replaces exactly the rows of its scope, in one commit. *Appends only*: rows are never
  replaced.
- Every column is required unless it is marked optional.
- Times are UTC. Money is in the currency of the row. Prices are raw, that is, not adjusted.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, TABLES, *tables(), "## Commands", "", *commands()]).rstrip() + "\n"


def tables() -> Iterator[str]:
    """Section of every family of tables."""
    for title, family, purpose in FAMILIES:
        yield from (f"### {title}", "", purpose, "")
        for table in family:
            yield from table_lines(table)


def table_lines(table: type[Table]) -> Iterator[str]:
    """One table: purpose, key, scope, columns, checks."""
    scope = f"Replaces by {ticked(table.scope)}." if table.scope else "Appends only."
    yield from (f"#### `{table.name}`", "", cleandoc(table.__doc__ or "").replace("``", "`"), "")
    yield from (f"Key: {ticked(table.key)}. {scope}", "")
    yield from ("| column | type | meaning |", "|---|---|---|")
    for name, column in table.columns().items():
        meaning = column.meaning + (" (optional)" if column.optional else "")
        yield f"| `{name}` | {type_name(column.dtype)} | {cell(meaning)} |"
    yield ""
    if table.checks:
        yield from ("Checks: " + "; ".join(f"`{check.rule}`" for check in table.checks) + ".", "")


def commands() -> Iterator[str]:
    """Options of the program, exit codes, and every command."""
    program = typer.main.get_command(app)
    yield from ("Usage: `desk [options] command [arguments]`. Options before the command:", "")
    yield from parameters(program.params)
    codes = cleandoc(exits.__doc__ or "").split("\n\n", 1)[1]
    yield from ("An error is one line on standard error. The exit code tells its kind:", "", codes, "")
    for path, command in walked("desk", program):
        yield from command_lines(path, command)


def walked(path: str, group: Any) -> Iterator[tuple[str, Any]]:
    """Every command below a group with its full name."""
    for name, command in group.commands.items():
        if getattr(command, "invoke_without_command", False):
            yield f"{path} {name}", command
        if hasattr(command, "commands"):
            yield from walked(f"{path} {name}", command)
        else:
            yield f"{path} {name}", command


def command_lines(path: str, command: Any) -> Iterator[str]:
    """One command: purpose, usage, arguments and options."""
    yield from (f"### `{path}`", "", cleandoc(command.help or ""), "")
    yield from parameters(command.params)


def parameters(found: Sequence[Any]) -> Iterator[str]:
    """Arguments and options as a table; nothing where there are none."""
    rows = [parameter(one) for one in found if "--help" not in one.opts and not one.hidden]
    rows = [row for row in rows if "completion" not in row]
    if rows:
        yield from ("| | meaning |", "|---|---|", *rows, "")


def parameter(one: Any) -> str:
    """One row: how it is written, and what it means."""
    written = one.name.upper() if one.param_type_name == "argument" else ", ".join([*one.opts])
    if one.secondary_opts:
        written += ", " + ", ".join(one.secondary_opts)
    elif one.param_type_name == "option" and not one.is_flag:
        written += f" {(one.metavar or one.name).upper()}"
    default = one.default if isinstance(one.default, str | int) and not isinstance(one.default, bool) else ""
    told = f" (default: `{default}`)" if default != "" else ""
    return f"| `{cell(written)}` | {cell(one.help or '')}{told} |"


def type_name(dtype: pl.DataType) -> str:
    """Name of a type as people write it."""
    if isinstance(dtype, pl.Datetime):
        return f"Datetime({dtype.time_unit}, {dtype.time_zone})"
    return str(dtype)


def ticked(names: Sequence[str]) -> str:
    """Names as code, with commas."""
    return ", ".join(f"`{name}`" for name in names)


def cell(text: str) -> str:
    """Text that fits into a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
