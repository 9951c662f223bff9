"""Rules on corporate actions and instruments, and the comparison of two providers."""

from __future__ import annotations

import polars as pl

from trading.quality.findings import rejected

CASH = ("cash_dividend", "special_dividend")
LARGEST_SPLIT = 10_000.0


def check_actions(actions: pl.DataFrame, bars: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Corporate actions that may be written, and the findings on the others.

    Parameters
    ----------
    actions : polars.DataFrame
        Columns of the table ``corporate_actions`` without ``known_at``.
    bars : polars.DataFrame
        Bars known, with ``symbol, session, closes_at, close``; those before the ex date bound a dividend.

    Returns
    -------
    accepted : polars.DataFrame
        The actions in order.
    findings : polars.DataFrame
        The others: no positive finite value, a split beyond 1:10000, a dividend not below the price.
    """
    if actions.is_empty():
        return actions, rejected(actions, "corporate_actions", [], "ex_date")
    closes = bars.select("symbol", "closes_at", day="session", before="close").drop_nulls().sort("closes_at")
    priced = (
        actions.with_row_index("_row")
        .sort("ex_date")
        .join_asof(
            closes.sort("day", "closes_at").drop("closes_at"),
            left_on="ex_date",
            right_on="day",
            by="symbol",
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .sort("_row")
        .rechunk()
    )
    value, split = pl.col("value"), pl.col("action") == "split"
    needs_value = pl.col("action").is_in(["split", "spin_off", *CASH])
    rule = (
        pl.when(pl.any_horizontal(pl.col(name).is_null() for name in ("symbol", "ex_date", "action")))
        .then(pl.lit("complete"))
        .when(needs_value & (value.is_null() | value.is_finite().not_() | (value <= 0)))
        .then(pl.lit("positive value"))
        .when(split & value.is_between(1 / LARGEST_SPLIT, LARGEST_SPLIT).not_())
        .then(pl.lit("split ratio"))
        .when(pl.col("action").is_in(CASH) & (value >= pl.col("before")))
        .then(pl.lit("dividend below the price"))
        .when(pl.struct("symbol", "ex_date", "action").is_duplicated())
        .then(pl.lit("one action of a kind a day"))
    )
    shown = pl.format(
        "{} of {} on {}, close before it {}",
        *(
            pl.col(name).cast(pl.String).fill_null("nothing")
            for name in ("action", "value", "ex_date", "before")
        ),
    )
    judged = priced.with_columns(rule=rule, reason=shown)
    bad = judged.filter(pl.col("rule").is_not_null())
    good = judged.filter(pl.col("rule").is_null()).select(actions.columns)
    return good, rejected(bad, "corporate_actions", actions.columns, "ex_date")


def currency_changes(new: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Findings on instruments whose currency is another than the one known, or changes among the new.

    Parameters
    ----------
    new, known : polars.DataFrame
        Columns of the table ``instruments`` without ``known_at``.
    """
    columns = [name for name in new.columns if name in known.columns]
    both = pl.concat([known.select(columns), new.select(columns)])
    usual = both.group_by("symbol", maintain_order=True).agg(pl.col("currency").first().alias("usual"))
    bad = (
        new.join(usual, on="symbol", how="left", maintain_order="left")
        .filter(pl.col("currency") != pl.col("usual"))
        .rechunk()
        .with_columns(
            rule=pl.lit("one currency"),
            reason=pl.format("prices in {}, known in {}", "currency", "usual"),
        )
    )
    return rejected(bad, "instruments", new.columns, "valid_from")


def disagreements(first: pl.DataFrame, second: pl.DataFrame, tolerance: float = 0.005) -> pl.DataFrame:
    """Bars on which two providers differ.

    Parameters
    ----------
    first, second : polars.DataFrame
        Bars of the same symbols and timeframe; ``symbol, closes_at, close, source``.
    tolerance : float
        Relative difference of the closes from which on they disagree.

    Returns
    -------
    polars.DataFrame
        ``symbol, closes_at, close, source`` of the first, ``other_close, other_source`` and ``difference``.
    """
    columns = ("symbol", "closes_at", "close", "source")
    return (
        first.select(columns)
        .join(
            second.select("symbol", "closes_at", other_close="close", other_source="source"),
            on=["symbol", "closes_at"],
            maintain_order="left",
        )
        .with_columns(difference=(pl.col("other_close") / pl.col("close") - 1).abs())
        .filter(pl.col("difference") > tolerance)
    )
