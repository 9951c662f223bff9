"""Daily bars of many symbols as flat arrays: what indicators, strategies and the day loop read.

Bars of one symbol lie together, oldest first; a session without a bar is simply absent, so a missing bar
never poisons an indicator.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.adjust import forward_factors

Floats = NDArray[np.float64]
Slots = NDArray[np.signedinteger[Any]]
PRICES = ("open", "high", "low", "close", "volume")
FLAT = ("session_index", *PRICES, "price_factor", "split_factor", "market_cap")
"""Arrays with one value a bar."""
CAP_HOLDS = 400
"""Days for which a market capitalisation stands."""


class HistoryError(ValueError):
    """Frames that make no history, such as two bars of one session."""


@dataclass(frozen=True)
class History:
    """Raw bars with forward factors; L bars of N symbols over T sessions.

    The total return price of a bar is ``close x price_factor``, the split-adjusted price
    ``close x split_factor``; divide by the factor of session t for the series as of t. Adjusted volume is
    ``volume / split_factor``: split-adjusted price times adjusted volume is the raw dollar volume.

    Attributes
    ----------
    sessions : array (T,) of datetime64[D]
        Every session of the calendar in the range, ascending.
    symbols : tuple of str
        N symbols, sorted.
    offsets : array (N + 1,)
        Bars of symbol i are rows ``offsets[i]:offsets[i + 1]``.
    session_index : array (L,)
        Index of each bar's session in ``sessions``, ascending within a symbol.
    open, high, low, close, volume : arrays (L,)
        Raw.
    price_factor, split_factor : arrays (L,)
        Forward factors, 1 on the first bar; see :mod:`trading.adjust`. ``price_factor`` contains the
        splits.
    asset_class : tuple of str
        Per symbol; ``stock`` where the instrument is not described.
    sector : tuple of str or None
        Per symbol.
    market_cap : array (L,), optional
        Market capitalisation as the instruments tell it for the session, nan where unknown; None: they
        tell none.
    """

    sessions: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    offsets: NDArray[np.int64]
    session_index: NDArray[np.int32]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    price_factor: Floats
    split_factor: Floats
    asset_class: tuple[str, ...]
    sector: tuple[str | None, ...]
    market_cap: Floats | None = None

    def __len__(self) -> int:
        """Number of bars."""
        return len(self.session_index)

    def rows(self, symbol: str) -> slice:
        """Rows of one symbol; empty where it has no bars."""
        at = bisect_left(self.symbols, symbol)
        if at == len(self.symbols) or self.symbols[at] != symbol:
            return slice(0, 0)
        return slice(int(self.offsets[at]), int(self.offsets[at + 1]))

    def index(self, session: date) -> int:
        """Index of a session.

        Raises
        ------
        HistoryError
            When the day is no session of the range.
        """
        day = np.datetime64(session, "D")
        at = int(np.searchsorted(self.sessions, day))
        if at == len(self.sessions) or self.sessions[at] != day:
            raise HistoryError(f"history: {session} is no session of the range {_range(self.sessions)}")
        return at


def newest(rows: pl.DataFrame, key: tuple[str, ...], as_of: datetime | None = None) -> pl.DataFrame:
    """Newest version of every row that was known at a time.

    Parameters
    ----------
    rows : polars.DataFrame
        Rows with ``known_at``; several versions of a key are corrections.
    key : tuple of str
        Columns that name a row, such as ``("symbol", "timeframe", "closes_at")``.
    as_of : datetime, optional
        Only rows known by then; None: everything known.

    Returns
    -------
    polars.DataFrame
        One row a key, in the order of the first appearance; the frame itself when nothing was corrected.
    """
    known = rows if as_of is None else rows.filter(pl.col("known_at") <= as_of)
    if known["known_at"].n_unique() <= 1:
        return known
    return (
        known.with_row_index("_row")
        .sort("known_at", maintain_order=True)
        .unique(list(key), keep="last", maintain_order=False)
        .sort("_row")
        .drop("_row")
    )


def history_from_frames(
    bars: pl.DataFrame, actions: pl.DataFrame, instruments: pl.DataFrame, sessions: pl.DataFrame
) -> History:
    """Build a history from the frames of one timeframe with one bar a session.

    Parameters
    ----------
    bars : polars.DataFrame
        ``symbol, session, open, high, low, close, volume`` in any order. With a column ``known_at`` the
        newest version of a bar is taken; without it two bars of a session are refused.
    actions, instruments : polars.DataFrame
        Corporate actions and instruments, newest versions; empty frames will do.
    sessions : polars.DataFrame
        ``session``: every session of the calendar in the range. Bars on other days are left out (a
        weekend of crypto in a book of stocks).

    Returns
    -------
    History

    Raises
    ------
    HistoryError
        On two bars of one session, or an empty calendar.
    AdjustError
        On a corporate action that cannot be right.
    """
    days = np.unique(sessions["session"].to_physical().to_numpy())
    if not len(days):
        raise HistoryError("history: the calendar has no session in the range; choose a longer range")
    symbols, code = _codes(bars["symbol"])
    order, position = _order(bars, code, len(symbols), days)
    code, session_index = np.divmod(position, len(days))
    offsets = np.searchsorted(code, np.arange(len(symbols) + 1)).astype(np.int64)
    keep = np.flatnonzero(np.diff(offsets))
    symbols, offsets = tuple(symbols[i] for i in keep), np.append(offsets[keep], offsets[-1])
    session_index = session_index.astype(np.int32)
    values = {name: _gather(bars[name], order) for name in PRICES}
    price_factor, split_factor = forward_factors(
        symbols, offsets, days[session_index], values["close"], actions
    )
    asset_class, sector = _described(symbols, instruments)
    return History(
        sessions=days.astype("datetime64[D]"),
        symbols=symbols,
        offsets=offsets,
        session_index=session_index,
        **values,
        price_factor=price_factor,
        split_factor=split_factor,
        asset_class=asset_class,
        sector=sector,
        market_cap=_market_caps(symbols, offsets, days[session_index], instruments),
    )


def until(history: History, session: date) -> History:
    """History cut off after a session: what was there at its close. Symbols without bars are left out."""
    end = int(np.searchsorted(history.sessions, np.datetime64(session, "D"), side="right"))
    return _restrict(history, history.session_index < end, history.sessions[:end])


def select(history: History, symbols: tuple[str, ...]) -> History:
    """History of some of the symbols; names without bars are left out."""
    wanted = {*symbols}
    places = [at for at, symbol in enumerate(history.symbols) if symbol in wanted]
    bounds = [slice(int(history.offsets[at]), int(history.offsets[at + 1])) for at in places]
    flat = {
        name: np.concatenate([values[:0], *(values[own] for own in bounds)])
        for name, values in _flat(history).items()
    }
    lengths = [own.stop - own.start for own in bounds]
    return _of(history, places, np.cumsum([0, *lengths], dtype=np.int64), flat)


def dense(history: History, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scatter a flat array (L,) into sessions by symbols (T, N), NaN where there is no bar."""
    out = np.full((len(history.sessions), len(history.symbols)), np.nan)
    for i, (start, end) in enumerate(zip(history.offsets[:-1], history.offsets[1:], strict=True)):
        out[history.session_index[start:end], i] = values[start:end]
    return out


def _codes(column: pl.Series) -> tuple[tuple[str, ...], Slots]:
    """Distinct symbols, sorted, and the place of each row's symbol among them.

    Bars of a symbol mostly lie together: texts are compared once a run of rows.
    """
    runs = column.rle().struct.unnest()
    symbols = runs["value"].unique().sort()
    code = runs["value"].cast(pl.Enum(symbols)).to_physical().to_numpy().astype(np.int32)
    return tuple(symbols), np.repeat(code, runs["len"].to_numpy())


def _order(
    bars: pl.DataFrame, code: Slots, symbols: int, days: NDArray[np.int32]
) -> tuple[NDArray[np.int64] | None, Slots]:
    """Rows of ``bars`` by symbol and session (None: as they stand), and ``symbol x T + session`` of each.

    A scatter over the symbol-session plane replaces the sort, so the cost is linear.
    """
    cell = _cells(bars["session"], code, symbols, days)
    if len(cell) and cell[0] >= 0 and bool(np.all(cell[1:] > cell[:-1])):
        return None, cell
    plane: Slots = np.full(symbols * len(days), -1, dtype=_integers(len(cell)))
    inside = np.flatnonzero(cell >= 0)
    plane[cell[inside]] = inside
    position = np.flatnonzero(plane >= 0)
    if len(position) < len(inside):
        _settle(bars, cell, inside, plane)
    return plane[position].astype(np.int64), position


def _cells(session: pl.Series, code: Slots, symbols: int, days: NDArray[np.int32]) -> Slots:
    """Cell ``symbol x T + session`` of every bar, -1 on days that are no session."""
    # The last place of the lookup stands for every day outside of the range.
    lookup = np.full(int(days[-1] - days[0]) + 2, -1, dtype=np.int32)
    lookup[days - days[0]] = np.arange(len(days), dtype=np.int32)
    after = session.to_physical().to_numpy() - days[0]
    index = lookup[np.where((after >= 0) & (after < len(lookup)), after, -1)]
    cell: Slots = code.astype(_integers(symbols * len(days))) * len(days) + index
    cell[index < 0] = -1
    return cell


def _integers(largest: int) -> type[np.signedinteger[Any]]:
    """Narrower type of integers that holds a number: half the memory, and faster."""
    return np.int32 if largest < 2**31 else np.int64


def _settle(
    bars: pl.DataFrame,
    cell: Slots,
    inside: NDArray[np.int64],
    plane: Slots,
) -> None:
    """Give the cells that several rows claim to the row known last."""
    losers = inside[plane[cell[inside]] != inside]
    rows = np.union1d(losers, plane[cell[losers]])
    if "known_at" not in bars.columns:
        row = bars.row(int(losers[0]), named=True)
        raise HistoryError(
            f"history: {row['symbol']} has two bars of session {row['session']}; keep the newest of each"
        )
    known = bars["known_at"].gather(rows).to_physical().to_numpy()
    for row in rows[np.argsort(known, kind="stable")]:
        plane[cell[row]] = row


def _gather(column: pl.Series, order: NDArray[np.int64] | None) -> Floats:
    values = column.cast(pl.Float64).to_numpy()
    return values if order is None else values[order]


def _described(
    symbols: tuple[str, ...], instruments: pl.DataFrame
) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    """Asset class and sector of each symbol by its latest period."""
    latest = instruments.sort("valid_from").unique("symbol", keep="last", maintain_order=True)
    known = {row[0]: row[1:] for row in latest.select("symbol", "asset_class", "sector").iter_rows()}
    pairs = [known.get(symbol, ("stock", None)) for symbol in symbols]
    return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


def _market_caps(
    symbols: tuple[str, ...], offsets: NDArray[np.int64], day: NDArray[np.int32], instruments: pl.DataFrame
) -> Floats | None:
    """Capitalisation of each bar's session: the newest one told for a period that began by then.

    One that is older than :data:`CAP_HOLDS` days is not known any more. None where none was ever told.
    """
    if "market_cap" not in instruments.columns:
        return None
    told = (
        instruments.lazy()
        .filter(pl.col("market_cap").is_not_null(), pl.col("symbol").is_in(list(symbols)))
        .sort("symbol", "valid_from")
        .select("symbol", pl.col("valid_from").to_physical(), "market_cap")
        .collect()
    )
    if told.is_empty():
        return None
    out = np.full(len(day), np.nan)
    code = {symbol: i for i, symbol in enumerate(symbols)}
    for (symbol,), rows in told.group_by("symbol", maintain_order=True):
        own = slice(int(offsets[code[str(symbol)]]), int(offsets[code[str(symbol)] + 1]))
        since = rows["valid_from"].to_numpy()
        at = np.searchsorted(since, day[own], side="right") - 1
        fresh = (at >= 0) & (day[own] - since[at] <= CAP_HOLDS)
        out[own] = np.where(fresh, rows["market_cap"].to_numpy()[at], np.nan)
    return out


def _restrict(history: History, keep: NDArray[np.bool_], sessions: NDArray[np.datetime64]) -> History:
    flat = {name: values[keep] for name, values in _flat(history).items()}
    # Bars kept of each symbol: a running count read at the symbol's ends.
    running = np.concatenate([[0], np.cumsum(keep)])[history.offsets]
    left = np.flatnonzero(np.diff(running))
    offsets = np.append(running[left], running[-1]).astype(np.int64)
    return replace(_of(history, left, offsets, flat), sessions=sessions)


def _flat(history: History) -> dict[str, NDArray[Any]]:
    """Arrays with one value a bar, by name."""
    arrays = {name: getattr(history, name) for name in FLAT}
    return {name: values for name, values in arrays.items() if values is not None}


def _of(
    history: History, places: Iterable[int], offsets: NDArray[np.int64], flat: Mapping[str, NDArray[Any]]
) -> History:
    """The same history with the symbols at some places, and their bars."""
    left = list(places)
    return replace(
        history,
        symbols=tuple(history.symbols[i] for i in left),
        offsets=offsets,
        asset_class=tuple(history.asset_class[i] for i in left),
        sector=tuple(history.sector[i] for i in left),
        **flat,
    )


def _range(sessions: NDArray[np.datetime64]) -> str:
    return f"{sessions[0]} .. {sessions[-1]}" if len(sessions) else "(empty)"
