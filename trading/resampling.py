"""Ticks to bars, and bars to bars of a longer timeframe, inside the sessions of one calendar.

Intervals follow the exchange's clock, an hour begins at the full hour of its time zone, and none reaches
beyond its session: New York's first hourly bar runs from 9:30 to 10:00, and on a half day the last one ends
at 13:00. A bar is stamped with its close and holds nothing that came later; one that is not closed yet is
not there. A weekly bar closes with the last session of its calendar week.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

SPANS = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "30m": timedelta(minutes=30),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "1w": timedelta(weeks=1),
}
"""Length of an interval; those of a day and more end with a session."""
BARS = ("symbol", "timeframe", "session", "closes_at", "open", "high", "low", "close", "volume", "source")
_DAY = SPANS["1d"]


class ResamplingError(ValueError):
    """Bars that cannot be made of what is given, such as five minutes of an hour."""


def bars_from_ticks(
    ticks: pl.DataFrame,
    timeframe: str,
    sessions: pl.DataFrame,
    *,
    zone: str = "UTC",
    until: datetime | None = None,
    fold: bool = False,
) -> pl.DataFrame:
    """Bars of any timeframe out of ticks.

    A tick belongs to the interval that begins at or before it. One at the very close of a session belongs
    to that session unless the next one opens there and then.

    Parameters
    ----------
    ticks : polars.DataFrame
        ``symbol, at (UTC), price, size, source`` in any order; ticks of one instant keep their order.
    timeframe : str
        One of :data:`SPANS`.
    sessions : polars.DataFrame
        ``session, opens_at, closes_at`` of one calendar over the whole range, the week after it included
        for weekly bars.
    zone : str
        Time zone of the exchange.
    until : datetime, optional
        Bars that close later are not closed yet and left out; None: the time of the last tick.
    fold : bool
        Count ticks between two sessions to the later one, as foreign exchange does with Sunday evenings;
        otherwise they are left out.

    Returns
    -------
    polars.DataFrame
        Columns :data:`BARS`, by symbol and time; intervals without a tick are absent.
    """
    _known(timeframe)
    until = until or _last(ticks, "at")
    placed = _placed(ticks, sessions, fold=fold)
    if SPANS[timeframe] < _DAY:
        end = _bucket_end(pl.col("at"), timeframe, zone, begins=True)
        placed = placed.with_columns(_end=end)
    else:
        placed = _with_last_session(placed, timeframe, sessions)
    figures = (
        pl.col("price").first().alias("open"),
        pl.col("price").max().alias("high"),
        pl.col("price").min().alias("low"),
        pl.col("price").last().alias("close"),
        pl.col("size").sum().alias("volume"),
    )
    return _grouped(placed.sort("symbol", "at", maintain_order=True), timeframe, figures, until)


def quotes_to_ticks(quotes: pl.DataFrame, side: str = "mid") -> pl.DataFrame:
    """Ticks out of quotes.

    Parameters
    ----------
    quotes : polars.DataFrame
        ``symbol, at, bid, ask, bid_volume, ask_volume, source``.
    side : str
        ``bid``, ``ask``, or ``mid``: the mean price and the sum of the volumes.
    """
    prices = {"bid": pl.col("bid"), "ask": pl.col("ask"), "mid": (pl.col("bid") + pl.col("ask")) / 2}
    sizes = {
        "bid": pl.col("bid_volume"),
        "ask": pl.col("ask_volume"),
        "mid": pl.col("bid_volume") + pl.col("ask_volume"),
    }
    if side not in prices:
        raise ResamplingError(f"side {side!r}: choose bid, ask or mid")
    return quotes.select("symbol", "at", price=prices[side], size=sizes[side], source=pl.col("source"))


def resample(
    bars: pl.DataFrame,
    timeframe: str,
    sessions: pl.DataFrame,
    *,
    zone: str = "UTC",
    until: datetime | None = None,
) -> pl.DataFrame:
    """Bars of a longer timeframe out of shorter ones.

    Parameters
    ----------
    bars : polars.DataFrame
        Columns :data:`BARS` of one timeframe whose length divides the asked one; one version a bar.
    timeframe, sessions, zone : as for :func:`bars_from_ticks`
    until : datetime, optional
        Bars that close later are left out; None: the close of the last bar given.

    Raises
    ------
    ResamplingError
        When the bars are of several timeframes or of one that does not divide the asked one, or lie
        outside the sessions given.
    """
    _known(timeframe)
    if bars.is_empty():
        return bars.select(BARS)
    _require_shorter(bars["timeframe"].unique().to_list(), timeframe)
    until = until or _last(bars, "closes_at")
    hours = sessions.select("session", "opens_at", _close="closes_at")
    placed = bars.join(hours, on="session", how="left", maintain_order="left")
    if placed["_close"].null_count():
        stray = placed.filter(pl.col("_close").is_null()).row(0, named=True)
        raise ResamplingError(f"{stray['symbol']}: {stray['session']} is none of the sessions given")
    if SPANS[timeframe] < _DAY:
        placed = placed.with_columns(_end=_bucket_end(pl.col("closes_at"), timeframe, zone, begins=False))
    else:
        placed = _with_last_session(placed, timeframe, sessions)
    figures = (
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )
    return _grouped(placed.sort("symbol", "closes_at", maintain_order=True), timeframe, figures, until)


def visible(bars: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Bars that had closed at a time (aware, of any time zone)."""
    return bars.filter(pl.col("closes_at") <= at.astimezone(UTC))


def beside(bars: pl.DataFrame, longer: pl.DataFrame, prefix: str) -> pl.DataFrame:
    """Bars with the figures of the last longer bar that had closed by the close of each.

    Parameters
    ----------
    bars, longer : polars.DataFrame
        Columns :data:`BARS`, of a short and a long timeframe.
    prefix : str
        Put before ``closes_at, open, high, low, close, volume`` of the longer bar; null before the first.
    """
    names = ("closes_at", "open", "high", "low", "close", "volume")
    higher = longer.select("symbol", *(pl.col(name).alias(prefix + name) for name in names))
    return (
        bars.with_row_index("_row")
        .sort("closes_at")
        .join_asof(
            higher.sort(f"{prefix}closes_at"),
            left_on="closes_at",
            right_on=f"{prefix}closes_at",
            by="symbol",
            strategy="backward",
            coalesce=False,
            check_sortedness=False,
        )
        .sort("_row")
        .drop("_row")
    )


def _placed(ticks: pl.DataFrame, sessions: pl.DataFrame, *, fold: bool) -> pl.DataFrame:
    """Ticks within sessions, with the session's date and hours."""
    hours = sessions.select("session", "opens_at", _close="closes_at").sort("_close")
    # A close that is the next session's open hands its instant on.
    last = pl.col("opens_at").shift(-1).fill_null(pl.col("opens_at")) != pl.col("_close")
    hours = hours.with_columns(_through=pl.col("_close") - pl.when(last).then(timedelta(0)).otherwise(_TICK))
    placed = (
        ticks.with_row_index("_row")
        .sort("at")
        .join_asof(hours, left_on="at", right_on="_through", strategy="forward", coalesce=False)
        .sort("_row")
    )
    inside = pl.col("session").is_not_null() & (pl.lit(fold) | (pl.col("at") >= pl.col("opens_at")))
    return placed.filter(inside).drop("_row", "_through")


_TICK = timedelta(microseconds=1)


def _bucket_end(at: pl.Expr, timeframe: str, zone: str, *, begins: bool) -> pl.Expr:
    """End of the interval that begins at or before an instant, or that ends at or after it."""
    span = SPANS[timeframe] // _TICK
    opens = pl.col("opens_at")
    wall = opens.dt.convert_time_zone(zone).dt.time().cast(pl.Int64) // 1000
    # Midnight by the clock that the session opens with.
    elapsed = (at - opens).dt.total_microseconds() + wall
    number = elapsed // span + 1 if begins else (elapsed + span - 1) // span
    end = opens + pl.duration(microseconds=number * span - wall)
    return pl.min_horizontal(end, "_close").alias("_end")


def _with_last_session(placed: pl.DataFrame, timeframe: str, sessions: pl.DataFrame) -> pl.DataFrame:
    """Rows stamped with the session that ends their day or week.

    A week whose end cannot be seen, because no later session is given, has no close.
    """
    if timeframe == "1d":
        return placed.with_columns(_end=pl.col("_close"))
    monday = pl.col("session").dt.truncate("1w")
    weeks = (
        sessions.group_by(monday.alias("_week"))
        .agg(pl.col("session").max().alias("_last"), pl.col("closes_at").max().alias("_end"))
        .sort("_week")
        .filter(pl.col("_week") < pl.col("_week").max())
    )
    return (
        placed.with_columns(_week=monday)
        .join(weeks, on="_week", how="inner", maintain_order="left")
        .with_columns(session=pl.col("_last"))
    )


def _grouped(
    rows: pl.DataFrame, timeframe: str, figures: tuple[pl.Expr, ...], until: datetime | None
) -> pl.DataFrame:
    closed = rows if until is None else rows.filter(pl.col("_end") <= until.astimezone(UTC))
    return (
        closed.group_by("symbol", "session", "_end", maintain_order=True)
        .agg(*figures, pl.col("source").first())
        .with_columns(timeframe=pl.lit(timeframe))
        .rename({"_end": "closes_at"})
        .select(BARS)
    )


def _last(rows: pl.DataFrame, column: str) -> datetime | None:
    found = rows[column].max()
    return found if isinstance(found, datetime) else None


def _known(timeframe: str) -> None:
    if timeframe not in SPANS:
        raise ResamplingError(f"timeframe {timeframe!r}: choose one of {', '.join(SPANS)}")


def _require_shorter(given: list[str], timeframe: str) -> None:
    if len(given) > 1:
        raise ResamplingError(f"bars of {', '.join(sorted(given))}: give those of one timeframe")
    short, long = SPANS[given[0]], SPANS[timeframe]
    if short > long or long % short:
        raise ResamplingError(f"{timeframe} bars cannot be made of {given[0]} bars; give shorter ones")
