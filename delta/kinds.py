"""The seven types that a table may use, named as Delta names them."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


class Kind(StrEnum):
    """Type of a column: what a Delta table and a polars frame both keep without a silent change."""

    STRING = "string"
    INTEGER = "long"
    NUMBER = "double"
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "timestamp"
    STRINGS = "array<string>"

    @property
    def dtype(self) -> pl.DataType:
        """The type as polars has it."""
        return _dtypes()[self]


@cache
def _dtypes() -> dict[Kind, pl.DataType]:
    import polars as pl  # noqa: PLC0415 - takes longer than what can be answered without it

    return {
        Kind.STRING: pl.String(),
        Kind.INTEGER: pl.Int64(),
        Kind.NUMBER: pl.Float64(),
        Kind.BOOLEAN: pl.Boolean(),
        Kind.DATE: pl.Date(),
        Kind.INSTANT: pl.Datetime("us", "UTC"),
        Kind.STRINGS: pl.List(pl.String),
    }
