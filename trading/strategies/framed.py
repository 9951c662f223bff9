"""Strategies written on a frame: the usual way, for built-ins and for a user's own class."""

from __future__ import annotations

import sys
import traceback
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, ClassVar

import numpy as np
import polars as pl

from trading.history import History
from trading.indicators import Indicator, Prices, adjusted
from trading.indicators.slices import Floats
from trading.strategies import rows as signal
from trading.strategies.base import (
    Research,
    Strategy,
    StrategyError,
    Window,
    no_candidates,
    window_bounds,
)
from trading.strategies.validation import requests

SLICE_BARS = 2_000_000
"""Bars worked on together for a strategy that looks at each symbol alone."""


class FramedStrategy(Strategy):
    """A strategy as one function from a frame of bars to a frame of what it wants.

    Write a class with ``signals`` and, where wanted, ``Parameters`` and ``indicators``; deriving from this
    class is possible and not necessary. Name it in a book as ``class = "my_module:MyStrategy"``.

    ``signals`` is given a polars frame with one row per symbol and session, sorted by symbol and session,
    known at the close of the session:

    ``symbol, session``
        A session without a bar has no row.
    ``open, high, low, close, volume``
        Adjusted for splits and dividends as one continuous series, fit for averages and comparisons over
        time. It starts at the first bar's raw prices, so its level may be far from the market's.
    ``raw_open, raw_high, raw_low, raw_close, raw_volume``
        As traded, fit for price limits and dollar amounts. ``close = raw_close * factor``.
    ``factor, asset_class, sector``
        Adjustment factor, and what the symbol is.
    one column per declared indicator
        Null while it warms up. ``indicators`` is a mapping, or a method or property that returns one, such
        as ``{"slow": Indicator("simple_moving_average", window=50)}``; prices are in the unit of ``close``.

    It returns a frame with ``symbol`` and ``session`` and any of these, usually the given frame with columns
    added; a row that asks for nothing is left out:

    ``entry, exit``
        Booleans: enter long (short where ``direction`` is ``"short"``) and leave.
    ``weight``
        Share of the strategy's equity to hold, -1..1; null asks for nothing, 0 for none of it.
    ``action``
        BUY, SELL, SHORT, COVER, CLOSE, ROLL or HOLD, in place of ``entry`` and ``exit``.
    ``stop, target``
        Prices in the unit of ``close``; the desk turns them into raw prices.
    ``strength`` (0..100), ``confidence`` (0..1), ``max_hold`` (sessions), ``reason``
        Optional.

    Decisions are taken on the close of the row's session and fill from the next one, so a row must not use
    a later bar: ``trading.strategies.truncation.truncation_differences`` finds out. A method ``rules`` that
    returns :class:`trading.rules.Rules` adds a trailing stop, or stops that follow the fill.

    Attributes
    ----------
    cross_sectional : bool
        Whether rows of one symbol depend on other symbols (ranking). Where they do not, False lets the
        desk work on a few symbols at a time.

    Examples
    --------
    >>> class Cross:
    ...     class Parameters(BaseModel):
    ...         fast: int = 20
    ...         slow: int = 50
    ...
    ...     def signals(self, frame):
    ...         fast, slow = (
    ...             pl.col("close").rolling_mean(n).over("symbol")
    ...             for n in (self.parameters.fast, self.parameters.slow)
    ...         )
    ...         return frame.with_columns(entry=fast > slow, exit=fast < slow)
    """

    cross_sectional: ClassVar[bool] = True

    @abstractmethod
    def signals(self, frame: pl.DataFrame) -> pl.DataFrame:
        """What the strategy asks for; see the class."""

    def declared(self) -> dict[str, Indicator]:
        """Indicators by the name of their column."""
        given: Any = getattr(self, "indicators", {})
        given = given() if callable(given) else given
        if not isinstance(given, Mapping) or not all(isinstance(one, Indicator) for one in given.values()):
            raise StrategyError(f"{self.name()}: indicators must map column names to Indicator(...)")
        return dict(given)

    def name(self) -> str:
        """How errors call the strategy."""
        return self.key or f"{type(self).__module__}:{type(self).__qualname__}"

    def research(self, history: History, window: Window, anchor: date | None = None) -> Research:
        """Signals of a window; see :meth:`trading.strategies.base.Strategy.research`."""
        first, end = window_bounds(window, len(history.sessions))
        if first == end or not len(history):
            return Research(signal.collected(), no_candidates())
        parts = [self._slice(history, a, b, first, end) for a, b in self._slices(history)]
        return Research(signal.collected(*parts), no_candidates())

    def _slices(self, history: History) -> Iterator[tuple[int, int]]:
        if self.cross_sectional:
            return iter([(0, len(history.symbols))])
        return signal.slices(history, SLICE_BARS)

    def _slice(self, history: History, a: int, b: int, first: int, end: int) -> pl.DataFrame:
        prices = adjusted(history, a, b)
        declared = self.declared()
        columns = {name: one.compute(prices) for name, one in declared.items()}
        returned = self._called(bar_frame(history, prices, columns, a, b))
        asked = requests(returned, history, self.name())
        session = history.session_index[asked["_row"].to_numpy()]
        asked = asked.filter(pl.Series((session >= first) & (session < end)))
        return self._signals(history, asked, declared, columns, int(history.offsets[a]))

    def _signals(
        self,
        history: History,
        asked: pl.DataFrame,
        declared: dict[str, Indicator],
        columns: dict[str, Floats],
        start: int,
    ) -> pl.DataFrame:
        rows = asked["_row"].to_numpy()
        factor = history.price_factor[rows]
        values = {
            name: columns[name][rows - start] / (factor if one.in_price else 1.0)
            for name, one in declared.items()
        }
        given = {name: asked[name] for name in asked.columns if name != "_row"}
        given["stop"], given["target"] = given["stop"] / factor, given["target"] / factor
        if values:
            given["indicators"] = signal.figures(values)
        return signal.signal_rows(history, rows, **given)

    def _called(self, frame: pl.DataFrame) -> Any:
        try:
            return self.signals(frame)
        except Exception as error:
            raise StrategyError(f"{self.name()}: signals raised {_described(error)}") from error


def bar_frame(history: History, prices: Prices, columns: dict[str, Floats], a: int, b: int) -> pl.DataFrame:
    """Frame of bars and indicator columns of symbols ``a:b``, as strategies are given it."""
    bars = slice(int(history.offsets[a]), int(history.offsets[b]))
    identity = signal.identity(history, np.arange(bars.start, bars.stop))
    lengths = np.diff(history.offsets[a : b + 1])
    code = np.repeat(np.arange(b - a), lengths)
    frame = pl.DataFrame(
        {
            "symbol": identity["symbol"],
            "session": identity["session"],
            **{name: getattr(prices, name) for name in ("open", "high", "low", "close", "volume")},
            **{
                f"raw_{name}": getattr(history, name)[bars]
                for name in ("open", "high", "low", "close", "volume")
            },
            "factor": prices.factor,
            "asset_class": pl.Series(history.asset_class[a:b], dtype=pl.String).gather(code),
            "sector": pl.Series(history.sector[a:b], dtype=pl.String).gather(code),
        }
    )
    return frame.with_columns(pl.Series(name, values).fill_nan(None) for name, values in columns.items())


def _described(error: Exception) -> str:
    """Type and message of an error on one line, with the last line of code outside of libraries."""
    message = " ".join(str(error).split())[:300]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and not frame.filename.startswith(sys.base_prefix)
    ]
    place = f" (line {frames[-1].lineno}: {frames[-1].line})" if len(frames) > 1 else ""
    return f"{type(error).__name__}: {message}{place}"
