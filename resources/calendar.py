"""Trading calendars: sessions with their true opening and closing times, half days included.

``exchange_calendars`` knows the holidays; this module keeps its answer as polars frames, forty years at a
time: a build costs much the same for one year as for forty. It is kept in memory, and as a file for the
next process. :func:`usual_calendar` says which one an asset class trades on where nobody tells it.
"""

from __future__ import annotations

import difflib
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from typing import Any

import polars as pl

from delta.contracts import Sessions
from resources.calendar_files import kept

ALL_DAY, WEEKDAYS, STOCKS = "24/7", "24/5", "XNYS"
"""Calendars of crypto, of foreign exchange and of everything that an exchange lists."""
EARLIEST, LATEST = date(1950, 1, 1), date(2099, 12, 31)
SPAN = 40
"""Years that are built at a time."""
_SEARCH = timedelta(days=14)


class CalendarError(ValueError):
    """An unknown calendar, or a day that it does not cover."""


def usual_calendar(asset_class: str) -> str:
    """Calendar that an asset class trades on where neither the lake nor a provider tells another."""
    return {"crypto": ALL_DAY, "fx": WEEKDAYS}.get(asset_class, STOCKS)


def sessions(calendar: str, first: date, last: date) -> pl.DataFrame:
    """Sessions from the first to the last day, both included.

    Parameters
    ----------
    calendar : str
        Name in ``exchange_calendars``.
    first, last : date
        Any days; not necessarily sessions.

    Returns
    -------
    polars.DataFrame
        Rows of the table ``sessions``, ascending; empty where the exchange was not yet recorded.

    Raises
    ------
    CalendarError
        On an unknown name, one that cannot be built, or a range outside 1950..2099.
    """
    if last < first:
        return Sessions.schema().to_frame()
    if first < EARLIEST or last > LATEST:
        raise CalendarError(
            f"calendar {calendar}: {first} .. {last} lies outside {EARLIEST} .. {LATEST}; correct the dates"
        )
    spans = range((first.year - EARLIEST.year) // SPAN, (last.year - EARLIEST.year) // SPAN + 1)
    parts = [_part(*_years(calendar, EARLIEST.year + SPAN * span), first, last) for span in spans]
    return parts[0] if len(parts) == 1 else pl.concat(parts)


def session_closes(calendar: str, first: date, last: date) -> dict[date, datetime]:
    """Closing time (UTC) of every session of a range."""
    frame = sessions(calendar, first, last)
    return dict(zip(frame["session"], frame["closes_at"], strict=True))


def session_close(calendar: str, session: date) -> datetime:
    """Closing time (UTC) of one session.

    Raises
    ------
    CalendarError
        When the day is no session; names the ones before and after.
    """
    closes = session_closes(calendar, session, session)
    if not closes:
        before, after = previous_session(calendar, session), next_session(calendar, session)
        raise CalendarError(
            f"calendar {calendar}: {session} is no session; the nearest are {before} and {after}"
        )
    return closes[session]


def is_session(calendar: str, day: date) -> bool:
    """Whether the exchange opens on a day."""
    return not sessions(calendar, day, day).is_empty()


def previous_session(calendar: str, day: date) -> date:
    """Last session before a day, the day itself excluded."""
    return _nearest(calendar, sessions(calendar, day - _SEARCH, day - timedelta(days=1)), -1, day)


def next_session(calendar: str, day: date) -> date:
    """First session after a day, the day itself excluded."""
    return _nearest(calendar, sessions(calendar, day + timedelta(days=1), day + _SEARCH), 0, day)


def last_closed_session(calendar: str, now: datetime) -> date:
    """Last session whose close is not later than ``now`` (aware, of any time zone)."""
    if now.tzinfo is None:
        raise CalendarError(f"calendar {calendar}: {now} has no time zone; give an aware time")
    at = now.astimezone(UTC)
    frame = sessions(calendar, at.date() - _SEARCH, at.date() + timedelta(days=1))
    return _nearest(calendar, frame.filter(pl.col("closes_at") <= at), -1, at.date())


def with_closes(bars: pl.DataFrame, calendar: str) -> pl.DataFrame:
    """Stamp daily bars with the close of their session.

    Parameters
    ----------
    bars : polars.DataFrame
        Column ``session``.
    calendar : str
        Calendar of all the rows.

    Returns
    -------
    polars.DataFrame
        The rows in their order with ``closes_at``. A day that is no session gets the end of the day in
        UTC, so that the quality checks can name it.
    """
    if bars.is_empty():
        return bars.with_columns(pl.lit(None, Sessions.schema()["closes_at"]).alias("closes_at"))
    days = bars["session"].drop_nulls()
    lower, upper = days.min(), days.max()
    first = lower if isinstance(lower, date) else EARLIEST
    last = upper if isinstance(upper, date) else EARLIEST
    closes = sessions(calendar, max(first, EARLIEST), min(last, LATEST)).select("session", "closes_at")
    midnight = (pl.col("session") + pl.duration(days=1)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return bars.join(closes, on="session", how="left", maintain_order="left").with_columns(
        pl.col("closes_at").fill_null(midnight)
    )


def with_sessions(bars: pl.DataFrame, calendar: str, minutes: int) -> pl.DataFrame:
    """Give intraday bars their session and close.

    Parameters
    ----------
    bars : polars.DataFrame
        Column ``start``: beginning of each interval, UTC.
    calendar : str
        Calendar of all the rows.
    minutes : int
        Length of the interval.

    Returns
    -------
    polars.DataFrame
        The rows in their order with ``session`` and ``closes_at``, which is never later than the close of
        the session. Intervals outside of opening hours are left out, save on ``24/5``: what is traded on a
        Sunday evening belongs to Monday's session.
    """
    days = bars["start"].dt.date().drop_nulls().sort()
    first, last = (days[0], days[-1]) if len(days) else (EARLIEST, EARLIEST)
    hours = sessions(calendar, max(first, EARLIEST), min(last + _SEARCH, LATEST))
    placed = (
        bars.with_row_index("_row")
        .sort("start")
        .join_asof(
            hours.select("session", "opens_at", _close="closes_at"),
            left_on="start",
            right_on="_close",
            strategy="forward",
            allow_exact_matches=False,
            coalesce=False,
        )
        .sort("_row")
        .with_columns(closes_at=pl.min_horizontal(pl.col("start") + pl.duration(minutes=minutes), "_close"))
    )
    inside = pl.lit(calendar == WEEKDAYS) | (pl.col("closes_at") > pl.col("opens_at"))
    return placed.filter(inside).drop("_row", "_close", "opens_at")


def _nearest(calendar: str, frame: pl.DataFrame, at: int, day: date) -> date:
    if frame.is_empty():
        raise CalendarError(f"calendar {calendar}: no session within {_SEARCH.days} days of {day}")
    found: date = frame["session"][at]
    return found


def _part(frame: pl.DataFrame, days: Sequence[date], first: date, last: date) -> pl.DataFrame:
    """Rows of a range: found in the ascending days, since a session asks dozens of times."""
    begin = bisect_left(days, first)
    return frame.slice(begin, bisect_right(days, last) - begin)


@lru_cache(maxsize=64)
def _years(calendar: str, first: int) -> tuple[pl.DataFrame, list[date]]:
    frame = kept(calendar, first, partial(_built, calendar, first))
    return frame, frame["session"].to_list()


def _built(calendar: str, first: int) -> pl.DataFrame:
    """Sessions of the years from one on; a part of them where the calendar's bounds cut in."""
    built = _build(calendar, date(first, 1, 1), date(min(first + SPAN - 1, LATEST.year), 12, 31))
    if built is None:
        return Sessions.schema().to_frame()
    early = {stamp.date() for stamp in built.early_closes}
    frame = pl.DataFrame(
        {
            "session": built.sessions_nanos,
            "opens_at": built.opens_nanos,
            "closes_at": built.closes_nanos,
        }
    )
    instants = [
        pl.from_epoch(pl.col(name) // 1000, "us").dt.replace_time_zone("UTC") for name in frame.columns
    ]
    return frame.select(
        pl.lit(calendar).alias("calendar"),
        instants[0].dt.date(),
        *instants[1:],
        instants[0].dt.date().is_in(list(early)).alias("half_day"),
    )


def _build(calendar: str, first: date, last: date) -> Any:
    """Calendar of a range, cut to its bounds; None where nothing is left."""
    # The package brings pandas; commands that need no calendar must not pay for it.
    import exchange_calendars as known  # noqa: PLC0415

    names = known.get_calendar_names(include_aliases=True)
    if calendar not in names:
        near = difflib.get_close_matches(calendar.upper(), names, n=3) or [STOCKS, ALL_DAY, WEEKDAYS]
        raise CalendarError(f"calendar {calendar!r} is unknown; did you mean {', '.join(near)}?")
    build = partial(_quietly, known.get_calendar, calendar)
    try:
        return build(start=str(first), end=str(last))
    except (ValueError, NotImplementedError):
        bounded = _buildable(calendar, build)
    lower, upper = bounded.bound_min(), bounded.bound_max()
    first = first if lower is None else max(first, lower.date())
    last = last if upper is None else min(last, upper.date())
    if first >= last:
        return None
    return _buildable(calendar, partial(build, start=str(first), end=str(last)))


def _buildable(calendar: str, build: Callable[..., Any]) -> Any:
    """The calendar built; some that the package names it cannot build at all."""
    try:
        return build()
    except (ValueError, NotImplementedError) as error:
        said = " ".join(str(error).split())[:120]
        raise CalendarError(
            f"calendar {calendar}: exchange_calendars cannot build it ({said}); choose another calendar"
        ) from error


def _quietly(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call without the deprecation warnings that the package draws from pandas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return function(*arguments, **named)
