"""Rules that one bar breaks by itself or against its neighbours and the calendar: all of them block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")
CLOCK = "24/5"
"""Calendar whose sessions begin on the evening before."""


class Rule(NamedTuple):
    """A rule by name: where it is broken, and the figures to show."""

    name: str
    broken: pl.Expr
    reason: pl.Expr


def rules() -> Iterator[Rule]:
    """Rules over a frame with the bar's columns, ``calendar``, the session's hours and ``now``.

    The first rule that a row breaks names it, so the more basic ones come first. Null counts as in order in
    all but the first.
    """
    yield Rule(
        "complete",
        pl.any_horizontal(pl.col(name).is_null() for name in ("symbol", "session", "closes_at", *VALUES)),
        pl.lit("a value is missing"),
    )
    yield Rule(
        "finite",
        pl.any_horizontal(pl.col(name).is_finite().not_() for name in VALUES),
        _show("not finite: open {} high {} low {} close {} volume {}", *VALUES),
    )
    yield Rule("positive price", pl.col("low") <= 0, _show("low {} is not above 0", "low"))
    yield Rule(
        "low <= open, close <= high",
        pl.any_horizontal(pl.col(name).is_between("low", "high").not_() for name in ("open", "close")),
        _show("open {} high {} low {} close {}", *PRICES),
    )
    yield Rule("volume >= 0", pl.col("volume") < 0, _show("volume {} is negative", "volume"))
    key = ("symbol", "timeframe", "closes_at")
    yield Rule(
        "one bar an interval",
        pl.struct(key).is_duplicated(),
        _show("more than one {} bar closes at {}", "timeframe", "closes_at"),
    )
    before = pl.col("closes_at").shift(1).over("symbol", "timeframe")
    yield Rule(
        "ascending time",
        pl.col("closes_at") < before,
        pl.format(
            "closes at {} but follows a bar of {}",
            pl.col("closes_at").cast(pl.String),
            before.cast(pl.String),
        ),
    )
    yield Rule(
        "trading session",
        pl.col("session_close").is_null(),
        _show("{} is no session of {}", "session", "calendar"),
    )
    yield Rule("time zone", _outside_hours(), _show("closes at {}, the session runs {} .. {}", *_HOURS))
    yield Rule(
        "closed session",
        pl.col("session_close") > pl.col("now"),
        _show("the session closes at {}, it is {}", "session_close", "now"),
    )


_HOURS = ("closes_at", "session_open", "session_close")


def _outside_hours() -> pl.Expr:
    """Daily bars close with their session, intraday bars within it."""
    daily = pl.col("timeframe").is_in(["1d", "1w"])
    early = (pl.col("closes_at") <= pl.col("session_open")) & (pl.col("calendar") != CLOCK)
    late = pl.col("closes_at") > pl.col("session_close")
    return pl.when(daily).then(pl.col("closes_at") != pl.col("session_close")).otherwise(early | late)


def _show(text: str, *names: str) -> pl.Expr:
    return pl.format(text, *(pl.col(name).cast(pl.String).fill_null("nothing") for name in names))
