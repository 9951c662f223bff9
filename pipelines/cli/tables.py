"""``desk query``, ``history``, ``diff``, ``export`` and ``maintain``: the lake's tables and their past."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import context
from pipelines.cli.exits import InputError, RefusedError
from pipelines.cli.forms import AsJson, FileForm, Form, Rows, print_frame_as, print_listing_as

if TYPE_CHECKING:
    import polars as pl
    from arro3.core import Table as ArrowTable

    from delta.lake import Lake
    from pipelines.cli.output import Listing

app = typer.Typer()

AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="Time, such as 2020-01-31 (its end) or 2020-01-31T21:00:00+00:00."),
]
Versions = Annotated[
    list[str] | None, typer.Option("--version", help="Version of every table (12) or of one (orders=12).")
]


@app.command()
def query(
    statement: Annotated[
        str, typer.Argument(metavar="SQL", help="One SELECT; - reads it from standard input.")
    ],
    as_of: AsOf = None,
    versions: Versions = None,
    form: Annotated[Form, typer.Option("--as", help="How to print the rows.")] = Form.TABLE,
    as_json: AsJson = False,
    rows: Rows = 100,
    to: Annotated[Path | None, typer.Option("--to", help="Write to a .csv or .parquet file instead.")] = None,
) -> None:
    """Ask the tables of the lake in SQL, now or as of any time or version.

    In the statement orders@12 is the table orders at version 12, beside orders itself.
    """
    from delta.query import ask, frame_of
    from pipelines.cli.output import note, print_csv

    everywhere, named = _chosen(as_of, versions)
    text = sys.stdin.read() if statement == "-" else statement
    answer = ask(context.lake(), text, everywhere, named)
    if to is not None:
        from delta.exporting import export_frame

        note(f"{export_frame(frame_of(answer), to):,} rows written to {to}")
    elif form is Form.CSV and not as_json:
        print_csv(frame_of(answer))
    else:  # without a frame: importing polars takes longer than most answers do
        print_listing_as(_listing(answer), as_json=as_json or form is Form.JSON, rows=rows)


def _listing(answer: ArrowTable) -> Listing:
    """Answer as rows to print."""
    from arro3.core import DataType

    from pipelines.cli.output import Listing

    rows = (
        row
        for batch in answer.to_batches()
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    )
    numbers = list(map(DataType.is_numeric, answer.schema.types))
    return Listing(answer.column_names, numbers, answer.num_rows, rows)


@app.command()
def history(
    table: Annotated[
        str | None, typer.Argument(help="Table; all tables with their newest version when left out.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Newest commits only.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the commits of a table, newest first: when, which run, from which versions."""
    from delta.kinds import Kind
    from delta.log import ENTRY, entries
    from pipelines.cli.output import Listing

    lake = context.lake()
    if table is None:
        columns = ("table", *(name for name in ENTRY if name not in ("inputs", "config_hash")))
        found = _newest(lake)
    else:
        columns, found = tuple(ENTRY), entries(lake, table, limit)
    rows = [[entry[name] for name in columns] for entry in found]
    numbers = [ENTRY.get(name) is Kind.INTEGER for name in columns]
    print_listing_as(Listing(columns, numbers, len(rows), rows), as_json=as_json)


@app.command()
def diff(
    table: Annotated[str, typer.Argument(help="Table.")],
    before: Annotated[str, typer.Argument(metavar="A", help="Version or time before.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Version or time after.")],
    as_json: AsJson = False,
    rows: Rows = 100,
) -> None:
    """Show the rows that differ between two versions of a table, column by column."""
    from delta.differences import diff as differences
    from pipelines.cli.output import note, print_frame, print_json
    from pipelines.cli.times import version_or_instant

    answer = differences(context.lake(), table, version_or_instant(before), version_or_instant(after))
    if as_json:
        print_json(answer)
    elif answer.is_empty():
        note("no differences")
    else:
        print_frame(_by_column(answer), rows)


@app.command()
def export(
    table: Annotated[str, typer.Argument(help="Table.")],
    form: Annotated[FileForm, typer.Option("--as", help="Form of the file.")] = FileForm.CSV,
    to: Annotated[
        Path | None, typer.Option("--to", help="File; TABLE.csv or TABLE.parquet when left out.")
    ] = None,
    as_of: AsOf = None,
    versions: Versions = None,
) -> None:
    """Write a table, now or as of any time or version, to a file that appears when it is complete."""
    from delta.exporting import export as write_out
    from pipelines.cli.output import note

    everywhere, named = _chosen(as_of, versions)
    version = named.pop(table, everywhere)
    if named or isinstance(version, tuple):
        raise InputError(f"export writes one version of {table}; give one --version")
    target = to or Path(f"{table}.{form}")
    if target.suffix.lower() != f".{form}":
        raise InputError(f"{target}: --as {form} writes a file that ends in .{form}")
    count = write_out(context.lake(), table, target, version)
    note(f"{count:,} rows written to {target}")


@app.command()
def maintain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    unreferenced: Annotated[
        bool, typer.Option("--unreferenced", help="Also give up old versions that no run refers to.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm --unreferenced.")] = False,
    as_json: AsJson = False,
) -> None:
    """Join small files, write checkpoints, and remove what crashed writes left behind.

    Every version stays readable, except with --unreferenced those that no run refers to.
    """
    from delta.maintenance import checkpoint, compact, vacuum
    from pipelines.cli.output import note, print_json

    if unreferenced and not (yes or dry_run):
        raise RefusedError("--unreferenced gives up versions for good; look with --dry-run, then add --yes")
    lake = context.lake()
    joined = compact(lake, dry_run=dry_run)
    checkpoints = {} if dry_run else checkpoint(lake)
    removed = vacuum(lake, unreferenced=unreferenced, dry_run=dry_run)
    if as_json:
        print_json({"compacted": joined, "checkpoints": checkpoints, "removed": removed})
        return
    print_frame_as(joined, Form.TABLE, 0)
    would = "would be " if dry_run else ""
    note(f"{len(checkpoints)} checkpoints written; {removed.height:,} files {would}removed")


def _chosen(
    as_of: str | None, versions: list[str] | None
) -> tuple[int | datetime | None, dict[str, int | tuple[int, ...]]]:
    """Version or time of all tables, and versions of single ones."""
    from pipelines.cli.times import instant, table_versions

    everywhere, named = table_versions(versions or ())
    if as_of is not None and everywhere is not None:
        raise InputError("--as-of and --version say different things of every table; give one of them")
    fixed = {name: numbers[0] if len(numbers) == 1 else numbers for name, numbers in named.items()}
    return (instant(as_of) if as_of is not None else everywhere), fixed


def _newest(lake: Lake) -> list[dict[str, Any]]:
    """Newest commit of every table that exists."""
    from delta.contracts import TABLES
    from delta.log import entries

    return [{"table": name, **entry} for name in TABLES for entry in entries(lake, name, 1)]


def _by_column(answer: pl.DataFrame) -> pl.DataFrame:
    """Differences as rows of key, change, column, before and after."""
    import polars as pl

    keys = answer.columns[: answer.columns.index("change")]
    lines = []
    for row in answer.iter_rows(named=True):
        head = {name: row[name] for name in (*keys, "change")}
        for column in row["differing"] or [None]:
            values = {side: _cell(row[side], column) for side in ("before", "after")}
            lines.append({**head, "column": column, **values})
    return pl.DataFrame(lines, infer_schema_length=None)


def _cell(row: dict[str, Any] | None, column: str | None) -> str | None:
    """One value of a row, or the whole row where it came or went."""
    from pipelines.cli.output import text_of

    if row is None:
        return None
    if column is not None:
        return text_of(row[column])
    return ", ".join(f"{name} {text_of(value)}" for name, value in row.items() if value is not None)
