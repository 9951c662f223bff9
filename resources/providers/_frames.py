"""From a web service's rows to the columns of the tables: close times, sessions, instruments."""

from __future__ import annotations

import importlib
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from delta.contracts import OptionQuotes, Rates
from resources import calendar
from resources.calendar import ALL_DAY, WEEKDAYS
from resources.providers.base import (
    BARS,
    CORPORATE_ACTIONS,
    INSTRUMENTS,
    Answer,
    NoData,
    Request,
    Unsupported,
)
from trading.resampling import SPANS

RATES = pl.Schema({name: dtype for name, dtype in Rates.schema().items() if name != "known_at"})
OPTION_QUOTES = pl.Schema(
    {name: dtype for name, dtype in OptionQuotes.schema().items() if name != "known_at"}
)
"""Columns of what the desk learns, without the time it learned it."""
PRICES = ("open", "high", "low", "close", "volume")
UNTOLD = date(1970, 1, 1)
"""Beginning of an instrument whose service does not tell it: the same in every answer."""
SETTLED = timedelta(days=2)
"""Age after which a session's data is taken for complete."""


def now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)


def validity(last: date, at: datetime, kept: timedelta = timedelta(days=1)) -> timedelta | None:
    """How long an answer up to a session stands for a new one: not at all while the range may grow."""
    return kept if last + SETTLED <= at.date() else None


def daily(
    frame: pl.DataFrame, symbol: str, timeframe: str, trading_calendar: str, source: str
) -> pl.DataFrame:
    """Bars of whole sessions (``1d`` and ``1w``), stamped with the true close of the session.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns session, open, high, low, close, volume.
    symbol, timeframe, source : str
        Constant columns of the result.
    trading_calendar : str
        Calendar whose closes stamp the bars; a day that is no session is stamped with its midnight, and
        the quality checks have the say.

    Returns
    -------
    polars.DataFrame
        Schema :data:`resources.providers.base.BARS`, in the order given.
    """
    if frame.is_empty():
        return BARS.to_frame()
    days = frame["session"].cast(pl.Date)
    closes = calendar.sessions(trading_calendar, days.min(), days.max()).select("session", "closes_at")  # type: ignore[arg-type]
    midnight = (pl.col("session").cast(pl.Datetime("us")) + timedelta(days=1)).dt.replace_time_zone("UTC")
    return (
        frame.with_columns(days)
        .join(closes, on="session", how="left", maintain_order="left")
        .with_columns(pl.col("closes_at").fill_null(midnight))
        .pipe(_columns, symbol, timeframe, source)
    )


def intraday(
    frame: pl.DataFrame, symbol: str, timeframe: str, trading_calendar: str, source: str
) -> pl.DataFrame:
    """Bars within sessions from their opening times.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns starts_at (UTC), open, high, low, close, volume.
    symbol, timeframe, source : str
        Constant columns of the result.
    trading_calendar : str
        Calendar; a session is the date in its time zone, and a bar ends with its session at the latest.
        Where sessions follow each other without a break, a bar that spans two belongs to the one it ends
        in, so that no session knows what came after it.
    """
    if frame.is_empty():
        return BARS.to_frame()
    zone = time_zone(trading_calendar)
    ends = pl.col("starts_at") + SPANS[timeframe]
    belongs = ends - timedelta(microseconds=1) if trading_calendar == ALL_DAY else pl.col("starts_at")
    framed = frame.with_columns(
        belongs.dt.convert_time_zone(zone).dt.date().alias("session"), ends.alias("closes_at")
    )
    if trading_calendar != ALL_DAY:
        first, last = framed["session"].min(), framed["session"].max()
        hours = calendar.sessions(trading_calendar, first, last).select("session", ends_at="closes_at")  # type: ignore[arg-type]
        capped = pl.when(pl.col("starts_at") < pl.col("ends_at")).then(
            pl.min_horizontal("closes_at", "ends_at")
        )
        framed = framed.join(hours, on="session", how="left", maintain_order="left").with_columns(
            capped.otherwise(pl.col("closes_at")).alias("closes_at")
        )
    return _columns(framed, symbol, timeframe, source)


def opened_session(at: datetime, trading_calendar: str) -> date:
    """Session that a quote belongs to: the last one that had opened by then."""
    recent = calendar.sessions(trading_calendar, at.date() - timedelta(days=10), at.date())
    found: date = recent.filter(pl.col("opens_at") <= at)["session"][-1]
    return found


@lru_cache(maxsize=16)
def time_zone(trading_calendar: str) -> str:
    """Time zone in which a calendar's sessions are dates."""
    if trading_calendar in {ALL_DAY, WEEKDAYS}:
        return "UTC"
    import exchange_calendars as known  # noqa: PLC0415 - brings pandas

    zone = known.get_calendar(trading_calendar, start="2024-01-01", end="2024-02-01").tz
    return str(ZoneInfo(str(zone)))


def regular(frame: pl.DataFrame, trading_calendar: str) -> pl.DataFrame:
    """Rows whose ``starts_at`` lies within a session of a calendar: no trading before or after hours."""
    if frame.is_empty() or trading_calendar == ALL_DAY:
        return frame
    days = frame["starts_at"].dt.convert_time_zone(time_zone(trading_calendar)).dt.date()
    hours = calendar.sessions(trading_calendar, days.min(), days.max())  # type: ignore[arg-type]
    placed = frame.with_columns(days.alias("session")).join(hours, on="session", maintain_order="left")
    inside = (pl.col("starts_at") >= pl.col("opens_at")) & (pl.col("starts_at") < pl.col("closes_at"))
    return placed.filter(inside).select(frame.columns)


def within(bars: pl.DataFrame, request: Request, at: datetime) -> pl.DataFrame:
    """The bars of the asked sessions that have closed."""
    return bars.filter(pl.col("session").is_between(request.first, request.last), pl.col("closes_at") <= at)


def required(bars: pl.DataFrame, provider: str, symbol: str, request: Request) -> pl.DataFrame:
    """The bars, or :class:`NoData` where there are none."""
    if bars.is_empty():
        raise NoData(
            provider,
            f"no {request.timeframe} bars from {request.first} to {request.last}",
            symbol=symbol,
            remedy="ask for another range, or another provider",
        )
    return bars


def resampled(frame: pl.DataFrame, every: str) -> pl.DataFrame:
    """Longer bars out of shorter ones (columns starts_at, open, high, low, close, volume), in UTC."""
    return (
        frame.sort("starts_at")
        .group_by_dynamic("starts_at", every=every)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
    )


def instrument(
    symbol: str,
    *,
    source: str,
    asset_class: str,
    exchange: str,
    trading_calendar: str,
    currency: str,
    valid_from: date = UNTOLD,
    valid_to: date | None = None,
    ticker: str | None = None,
    multiplier: float = 1.0,
) -> pl.DataFrame:
    """One row of the table ``instruments``."""
    row = {
        "symbol": symbol,
        "ticker": ticker or symbol,
        "asset_class": asset_class,
        "exchange": exchange,
        "calendar": trading_calendar,
        "currency": currency,
        "multiplier": multiplier,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "source": source,
    }
    return pl.DataFrame([row], schema={name: INSTRUMENTS[name] for name in row}).pipe(filled, INSTRUMENTS)


def actions(
    frame: pl.DataFrame, symbol: str, currency: str, source: str, *, kind: str | None = None
) -> pl.DataFrame:
    """Rows of the table ``corporate_actions`` from columns ex_date and value (and action)."""
    constants = [
        pl.lit(symbol).alias("symbol"),
        pl.lit(currency).alias("currency"),
        pl.lit(source).alias("source"),
    ]
    if kind is not None:
        constants.append(pl.lit(kind).alias("action"))
    return frame.with_columns(constants).pipe(filled, CORPORATE_ACTIONS)


def optional(module: str, provider: str, package: str, name: str) -> Any:
    """A module of an optional package.

    Raises
    ------
    Unsupported
        When the package is not installed; names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        remedy = f"install it with the extra: pip install 'deltadesk[{name}]'"
        raise Unsupported(provider, f"the package {package} is not installed", remedy=remedy) from None


def joined(answers: list[Answer]) -> Answer:
    """One answer out of those of single symbols."""
    return Answer(
        pl.concat([BARS.to_frame(), *(answer.bars for answer in answers)]),
        pl.concat([CORPORATE_ACTIONS.to_frame(), *(answer.corporate_actions for answer in answers)]),
        pl.concat([INSTRUMENTS.to_frame(), *(answer.instruments for answer in answers)]),
    )


def _columns(frame: pl.DataFrame, symbol: str, timeframe: str, source: str) -> pl.DataFrame:
    return frame.with_columns(
        pl.lit(symbol).alias("symbol"), pl.lit(timeframe).alias("timeframe"), pl.lit(source).alias("source")
    ).select(pl.col(name).cast(dtype) for name, dtype in BARS.items())


def filled(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The columns of a schema in order, those that are missing as null."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )
