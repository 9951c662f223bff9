"""Options that several commands share: how rows are printed, and how many."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import polars as pl

    from pipelines.cli.output import Listing

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Rows = Annotated[int, typer.Option("--rows", min=0, help="Rows shown at most in a table; 0: all.")]


class Form(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class FileForm(StrEnum):
    """How rows are written to a file."""

    CSV = "csv"
    PARQUET = "parquet"


def print_frame_as(frame: pl.DataFrame, form: Form, rows: int = 0) -> None:
    """Print a frame in a form; ``rows`` holds for tables only."""
    from pipelines.cli.output import listing, print_csv

    if form is Form.CSV:
        print_csv(frame)
    else:
        print_listing_as(listing(frame), as_json=form is Form.JSON, rows=rows)


def print_listing_as(listed: Listing, *, as_json: bool, rows: int = 0) -> None:
    """Print rows as JSON or as a table; ``rows`` holds for tables only."""
    from pipelines.cli.output import print_json, print_listing

    if as_json:
        print_json([dict(zip(listed.columns, row, strict=True)) for row in listed.rows])
    else:
        print_listing(listed, rows)
