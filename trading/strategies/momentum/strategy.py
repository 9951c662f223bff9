"""The momentum strategy: scans, enters breakouts of strong names, leaves when momentum fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl

from trading.history import History
from trading.rules import ExitRule, Rules
from trading.strategies import rows as signal
from trading.strategies.base import (
    CANDIDATES,
    ParametersModel,
    Research,
    Strategy,
    Window,
    anchor_index,
    no_candidates,
    window_bounds,
)
from trading.strategies.momentum.entry import entry_signal, entry_strength, stop_price, target_price
from trading.strategies.momentum.exit import REASON, breaks_down, momentum_failure
from trading.strategies.momentum.features import Booleans, Features, Floats, Rows, features
from trading.strategies.momentum.parameters import MomentumParameters
from trading.strategies.momentum.scan import (
    crypto_leaders,
    last_scan,
    price_filters,
    ranking,
    remembered,
    score_filters,
    universe_gates,
)
from trading.strategies.momentum.score import momentum_score, trend_strength

NEAR_BARS = 100_000
"""Bars of the symbols whose indicators are computed together: few enough to stay near the cache."""
CHUNK_SLICES = 16
"""Runs of so many bars whose chosen rows are judged together: bounds the memory."""


class Chosen(NamedTuple):
    """Rows of a history with their features, and whether each is of a crypto name."""

    columns: Features
    rows: Rows
    crypto: Booleans


class Found(NamedTuple):
    """Candidates of some symbols, before the ranking across all."""

    rows: Rows
    score: Floats
    strength: Floats
    rsi: Floats
    dollar_volume: Floats
    full: Booleans


class Momentum(Strategy):
    """Momentum of stocks and crypto; the rules and their numbers are in ``parameters``.

    Candidates are all names that pass a scan, ranked; which of them are held already, and the limits on
    their number, depend on the portfolio and are applied by the decision (see :meth:`rules`). A session
    between two scans takes the names of the last scan and scores and filters them again.
    """

    key: ClassVar[str] = "momentum"
    type: ClassVar[str] = "stocks"
    Parameters: ClassVar[ParametersModel] = MomentumParameters
    parameters: MomentumParameters

    def rules(self) -> Rules:
        """Bracket that follows the fill, trailing stop, and limits of the candidate list."""
        leave, scanner = self.parameters.exit, self.parameters.scanner
        rule = ExitRule(
            follow_fill=self.parameters.stop.mode == "percent",
            trailing_activation=leave.trailing_stop_activation,
            trailing_distance=leave.trailing_stop_distance,
        )
        return Rules(
            exits={"stock": rule},
            max_candidates=scanner.max_candidates,
            max_per_sector=scanner.max_per_sector,
        )

    def research(self, history: History, window: Window, anchor: date | None = None) -> Research:
        """Signals and candidates of a window; see :meth:`trading.strategies.base.Strategy.research`."""
        first, end = window_bounds(window, len(history.sessions))
        if first == end or not len(history):
            return Research(signal.collected(), no_candidates())
        work = _Work(history, self.parameters, first, end, anchor_index(history, anchor))
        slices = list(signal.slices(history, NEAR_BARS))
        chunks = (slices[at : at + CHUNK_SLICES] for at in range(0, len(slices), CHUNK_SLICES))
        found, entries, exits = zip(*map(work.chunk, chunks), strict=True)
        return Research(
            signals=signal.collected(*entries, *exits),
            candidates=_ranked(history, found),
        )


class _Work:
    """One call of research: what all chunks share."""

    def __init__(
        self, history: History, parameters: MomentumParameters, first: int, end: int, anchor: int
    ) -> None:
        self.history, self.parameters = history, parameters
        self.first, self.end, self.anchor = first, end, anchor
        self.interval = parameters.scanner.rescan_interval_days
        self.since = int(last_scan(np.array([first]), anchor, self.interval)[0])
        self.crypto = np.array([kind == "crypto" for kind in history.asset_class])
        self.leader = crypto_leaders(history, parameters.indicators.dollar_volume, parameters.scanner)

    def chunk(self, slices: Sequence[tuple[int, int]]) -> tuple[Found, pl.DataFrame, pl.DataFrame]:
        """Candidates, entries and exits of runs of symbols."""
        passing, failing = map(_joined, zip(*(self._chosen(a, b) for a, b in slices), strict=True))
        found, entries = self._entries(*passing)
        return found, entries, self._exits(failing.columns, failing.rows)

    def _chosen(self, a: int, b: int) -> tuple[Chosen, Chosen]:
        """Rows of symbols ``a:b`` that pass what needs no score, and rows that break down."""
        history, start = self.history, int(self.history.offsets[a])
        columns = features(history, self.parameters.indicators, a, b)
        session = history.session_index[start : int(history.offsets[b])]
        crypto = np.repeat(self.crypto[a:b], np.diff(history.offsets[a : b + 1]))
        inside = session < self.end
        passing = np.flatnonzero(
            self._open(columns, crypto, start) & inside & (session >= min(self.since, self.first))
        )
        failing = np.flatnonzero(
            breaks_down(columns, self.parameters.exit) & inside & (session >= self.first)
        )
        return (
            Chosen(columns.take(passing), passing + start, crypto[passing]),
            Chosen(columns.take(failing), failing + start, crypto[failing]),
        )

    def _open(self, columns: Features, crypto: Booleans, start: int) -> Booleans:
        """Rows that pass every gate and every filter that needs no score."""
        bars = slice(start, start + len(crypto))
        scanner = self.parameters.scanner
        gates = universe_gates(columns, crypto, self.leader[bars], market_cap(self.history, bars), scanner)
        holds: Booleans = np.logical_and.reduce([*gates.values(), *price_filters(columns, scanner).values()])
        return holds

    def _entries(self, columns: Features, rows: Rows, crypto: Booleans) -> tuple[Found, pl.DataFrame]:
        parameters = self.parameters
        strength = trend_strength(columns, parameters.score.trend)
        score = momentum_score(columns, strength, parameters.score)
        passed = np.logical_and.reduce(
            list(score_filters(score, strength, parameters.scanner).values())
        ).nonzero()[0]
        session = self.history.session_index[rows[passed]].astype(np.int64)
        candidate, full = remembered(
            signal.symbol_of(self.history, rows[passed]), session, self.anchor, self.interval
        )
        kept = candidate & (session >= self.first)
        chosen = passed[kept]
        columns, rows, crypto = columns.take(chosen), rows[chosen], crypto[chosen]
        score, strength = score[chosen], strength[chosen]
        found = Found(rows, score, strength, columns.rsi, columns.dollar_volume, full[kept])
        enters = np.flatnonzero(entry_signal(columns, score, parameters.entry))
        return found, self._buy(
            columns.take(enters), rows[enters], crypto[enters], score[enters], strength[enters]
        )

    def _buy(
        self, columns: Features, rows: Rows, crypto: Booleans, score: Floats, strength: Floats
    ) -> pl.DataFrame:
        parameters = self.parameters
        points = entry_strength(columns, score, parameters.entry)
        return signal.signal_rows(
            self.history,
            rows,
            "BUY",
            strength=points,
            confidence=points / 100,
            stop=stop_price(columns, crypto, parameters.stop, parameters.exit),
            target=target_price(columns, crypto, parameters.exit),
            max_hold=parameters.exit.max_holding_days,
            reason="breakout",
            indicators=signal.figures(entry_figures(columns, score, strength)),
        )

    def _exits(self, columns: Features, rows: Rows) -> pl.DataFrame:
        parameters = self.parameters
        strength = trend_strength(columns, parameters.score.trend)
        score = momentum_score(columns, strength, parameters.score)
        fails = momentum_failure(columns, score, parameters.exit) & parameters.exit.momentum_failure
        chosen = np.flatnonzero(fails)
        columns = columns.take(chosen)
        return signal.signal_rows(
            self.history,
            rows[chosen],
            "CLOSE",
            direction="flat",
            reason=REASON,
            indicators=signal.figures(
                {
                    "sma_short": columns.sma_short / columns.factor,
                    "volume_ratio": columns.volume_ratio,
                    "histogram": columns.histogram / columns.factor,
                    "rsi": columns.rsi,
                    "score": score[chosen],
                }
            ),
        )


def _joined(parts: Sequence[Chosen]) -> Chosen:
    """Rows of several runs of symbols, one after the other."""
    columns, rows, crypto = zip(*parts, strict=True)
    joined = Features(*map(np.concatenate, zip(*columns, strict=True)))
    return Chosen(joined, np.concatenate(rows), np.concatenate(crypto))


def entry_figures(rows: Features, score: Floats, strength: Floats) -> dict[str, Floats]:
    """Indicator values of an entry by name; averages, range and channel in raw prices of the session."""
    factor = rows.factor
    return {
        "score": score,
        "trend_strength": strength,
        "rsi": rows.rsi,
        "histogram": rows.histogram / factor,
        "volume_ratio": rows.volume_ratio,
        "rate_of_change": rows.rate_of_change,
        "sma_short": rows.sma_short / factor,
        "sma_medium": rows.sma_medium / factor,
        "sma_long": rows.sma_long / factor,
        "prior_high": rows.prior_high / factor,
        "prior_low": rows.prior_low / factor,
        "atr": rows.atr / factor,
        "dollar_volume": rows.dollar_volume,
    }


def market_cap(history: History, bars: slice) -> Floats:
    """Market capitalisation of some bars, NaN where the history does not know it."""
    known: Floats | None = getattr(history, "market_cap", None)
    return np.full(bars.stop - bars.start, np.nan) if known is None else known[bars]


def _ranked(history: History, parts: tuple[Found, ...]) -> pl.DataFrame:
    found = Found(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    session = history.session_index[found.rows].astype(np.int64)
    symbol = signal.symbol_of(history, found.rows)
    order, rank = ranking(session, found.score, found.dollar_volume, symbol)
    identity = signal.identity(history, found.rows[order])
    scan = np.where(found.full[order], "full", "cached")
    return pl.DataFrame(
        {
            "session": identity["session"],
            "symbol": identity["symbol"],
            "rank": rank,
            "score": found.score[order],
            "trend_strength": found.strength[order],
            "close": identity["price"],
            "dollar_volume": found.dollar_volume[order],
            "rsi": found.rsi[order],
            "scan": pl.Series(scan.tolist(), dtype=pl.String),
        },
        schema=CANDIDATES,
    )
