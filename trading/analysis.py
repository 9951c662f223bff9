"""Why the momentum rules want a symbol on a session, or do not: every figure and every condition."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from trading import indicators
from trading.history import History
from trading.strategies.momentum.entry import entry_conditions, entry_strength, stop_price, target_price
from trading.strategies.momentum.exit import failure_signs
from trading.strategies.momentum.features import Features, Floats, features
from trading.strategies.momentum.parameters import IndicatorParameters, MomentumParameters
from trading.strategies.momentum.scan import crypto_leaders, price_filters, score_filters, universe_gates
from trading.strategies.momentum.score import momentum_score, score_parts, trend_parts, trend_strength
from trading.strategies.momentum.strategy import Momentum, market_cap


class AnalysisError(ValueError):
    """A symbol or session that the history does not have."""


@dataclass(frozen=True)
class Condition:
    """One condition: what was measured, what is asked for, and whether it holds.

    Attributes
    ----------
    name : str
        Name in the rules.
    figure : float, optional
        What was measured; None while it is not known.
    required : str
        What is asked for, such as ``> 187.3``.
    holds : bool
        The verdict.
    """

    name: str
    figure: float | None
    required: str
    holds: bool


Conditions = tuple[Condition, ...]
Measured = dict[str, tuple[Floats | None, str]]


@dataclass(frozen=True)
class Analysis:
    """Everything the momentum rules say of one symbol at the close of one session; prices are raw.

    Attributes
    ----------
    verdict : str
        BUY or CLOSE as the strategy signals it (CLOSE means: where it is held), or NONE.
    why : str
        What speaks against an entry, or the reason of the signal.
    rank, scan : int, str, optional
        Place among the session's candidates, and whether a full or cached scan found it.
    score, trend_strength, strength : float, optional
        0..100; None while a part is not known.
    stop, target, trailing_from, max_hold : float, float, float, int
        Exits of an entry at this close: stop and target prices, the high from which the stop trails, and
        the longest holding in sessions.
    """

    symbol: str
    session: date
    asset_class: str
    close: float
    verdict: str
    why: str
    rank: int | None
    scan: str | None
    score: float | None
    trend_strength: float | None
    strength: float | None
    stop: float | None
    target: float
    trailing_from: float
    max_hold: int
    indicators: dict[str, float | None]
    score_points: dict[str, float | None]
    trend_points: dict[str, float]
    gates: Conditions
    filters: Conditions
    entry: Conditions
    failure: Conditions

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON apart from the date."""
        return asdict(self)


def analyze(
    history: History,
    symbol: str,
    session: date | None = None,
    parameters: MomentumParameters | None = None,
    anchor: date | None = None,
) -> Analysis:
    """Apply the momentum rules to one symbol at one close.

    Parameters
    ----------
    history : History
        Bars of the universe; the ranking is among its symbols.
    session : date, optional
        Session whose close is looked at; None: the symbol's last bar.
    parameters : MomentumParameters, optional
        The book's; the defaults otherwise.
    anchor : date, optional
        First session of the book, for the rhythm of scans.

    Raises
    ------
    AnalysisError
        When there is no such symbol, or no bar of it in the session.
    """
    rules = parameters or MomentumParameters()
    row, index = _row(history, symbol, session)
    first = int(history.offsets[index])
    here = features(history, rules.indicators, index, index + 1).take(np.array([row - first]))
    crypto = np.array([history.asset_class[index] == "crypto"])
    strength = trend_strength(here, rules.score.trend)
    score = momentum_score(here, strength, rules.score)
    at = int(history.session_index[row])
    entry = _entry(here, score, rules)
    verdict, why, rank, scan = _verdict(history, symbol, at, rules, anchor)
    gates, filters = _gates(history, row, here, crypto, rules), _filters(here, score, strength, rules)
    if verdict == "NONE":
        why = "; ".join(
            f"{group} {one.name}: {_text(one.figure)}, asked {one.required}"
            for group, conditions in (("gate", gates), ("filter", filters), ("entry", entry))
            for one in conditions
            if not one.holds
        ) or ("not found by the last full scan" if rank is None else why)
    close = float(history.close[row])
    return Analysis(
        symbol=symbol,
        session=history.sessions[at].item(),
        asset_class=history.asset_class[index],
        close=close,
        verdict=verdict,
        why=why,
        rank=rank,
        scan=scan,
        score=_number(score[0]),
        trend_strength=_number(strength[0]),
        strength=_number(entry_strength(here, score, rules.entry)[0]),
        stop=_number(stop_price(here, crypto, rules.stop, rules.exit)[0]),
        target=float(target_price(here, crypto, rules.exit)[0]),
        trailing_from=close * (1 + rules.exit.trailing_stop_activation),
        max_hold=rules.exit.max_holding_days,
        indicators=_indicators(history, index, row - first, here, rules.indicators),
        score_points={
            name: _number(points[0]) for name, points in score_parts(here, strength, rules.score).items()
        },
        trend_points={
            name: getattr(rules.score.trend, name) * float(holds[0])
            for name, holds in trend_parts(here).items()
        },
        gates=gates,
        filters=filters,
        entry=entry,
        failure=_failure(here, score, rules),
    )


def _row(history: History, symbol: str, session: date | None) -> tuple[int, int]:
    """Row of the history and index of the symbol."""
    bars = history.rows(symbol)
    if bars.start == bars.stop:
        near = ", ".join(history.symbols[:8])
        raise AnalysisError(
            f"{symbol}: no bars; the history has {near}{'...' if len(history.symbols) > 8 else ''}"
        )
    index = history.symbols.index(symbol)
    if session is None:
        return bars.stop - 1, index
    days = history.sessions[history.session_index[bars]]
    day = np.datetime64(session, "D")
    at = int(np.searchsorted(days, day))
    if at == len(days) or days[at] != day:
        before = f"; the bar before is of {days[at - 1]}" if at else ""
        raise AnalysisError(f"{symbol}: no bar on {session}{before}")
    return bars.start + at, index


def _verdict(
    history: History, symbol: str, at: int, rules: MomentumParameters, anchor: date | None
) -> tuple[str, str, int | None, str | None]:
    """What the strategy itself says, so that an analysis can never disagree with a run."""
    found = Momentum(rules).research(history, (at, at + 1), anchor)
    signals = {row["action"]: row for row in found.signals.iter_rows(named=True) if row["symbol"] == symbol}
    listed = next((row for row in found.candidates.iter_rows(named=True) if row["symbol"] == symbol), None)
    rank, scan = (listed["rank"], listed["scan"]) if listed else (None, None)
    for action in ("BUY", "CLOSE"):
        if action in signals:
            return action, signals[action]["reason"], rank, scan
    return "NONE", "", rank, scan


def _gates(history: History, row: int, here: Features, crypto: Any, rules: MomentumParameters) -> Conditions:
    scanner = rules.scanner
    kind = "crypto" if crypto[0] else "stock"
    leader = np.zeros(1, dtype=bool)
    if crypto[0]:
        leader = crypto_leaders(history, rules.indicators.dollar_volume, scanner)[row : row + 1]
    cap = market_cap(history, slice(row, row + 1))
    holds = universe_gates(here, crypto, leader, cap, scanner)
    figures: Measured = {
        "market_cap": (cap, f">= {scanner.stock_min_market_cap:g} where known"),
        "dollar_volume": (here.dollar_volume, f">= {getattr(scanner, f'{kind}_min_volume'):g}"),
        "price": (here.raw_close, f">= {getattr(scanner, f'{kind}_min_price'):g}"),
        "history": (here.bars, f">= {scanner.min_bars} bars"),
        "crypto_top": (None, f"among the {scanner.crypto_top_n} largest, no stablecoin"),
    }
    if kind == "stock":
        figures.pop("crypto_top")
    else:
        figures.pop("market_cap")
    return _conditions(figures, holds)


def _filters(here: Features, score: Floats, strength: Floats, rules: MomentumParameters) -> Conditions:
    scanner = rules.scanner
    figures: Measured = {
        "score": (score, f">= {scanner.momentum_threshold:g}"),
        "rsi": (here.rsi, f"{scanner.rsi_min:g}..{scanner.rsi_max:g}"),
        "trend_strength": (strength, f">= {scanner.min_trend_strength:g}"),
        "above_medium": (here.raw_close, f"> {_price(here, here.sma_medium)}"),
        "above_long": (here.raw_close, f"> {_price(here, here.sma_long)}"),
    }
    return _conditions(figures, price_filters(here, scanner) | score_filters(score, strength, scanner))


def _entry(here: Features, score: Floats, rules: MomentumParameters) -> Conditions:
    entry = rules.entry
    figures: Measured = {
        "breakout": (here.raw_close, f"> {_price(here, here.prior_high)}"),
        "volume": (here.volume_ratio, f">= {entry.volume_surge_threshold:g}"),
        "macd": (here.histogram / here.factor, "> 0"),
        "above_average": (here.raw_close, f"> {_price(here, here.sma_medium)}"),
        "average_rising": (here.sma_medium / here.factor, f"> {_price(here, here.sma_medium_before)}"),
        "score": (score, f">= {entry.score_high:g}"),
        "rsi": (here.rsi, f"{entry.rsi_min:g}..{entry.rsi_max:g}"),
    }
    return _conditions(figures, entry_conditions(here, score, entry))


def _failure(here: Features, score: Floats, rules: MomentumParameters) -> Conditions:
    leave = rules.exit
    figures: Measured = {
        "below_short": (here.raw_close, f"< {_price(here, here.sma_short)}"),
        "volume": (here.volume_ratio, f"> {leave.failure_volume_ratio:g}"),
        "macd": (here.histogram / here.factor, "< 0"),
        "rsi": (here.rsi, f"< {leave.failure_rsi:g}"),
        "score": (score, f"< {leave.failure_score:g}"),
    }
    holds = failure_signs(here, score, leave) | {
        "below_short": indicators.above(here.sma_short, here.close),
        "volume": here.volume_ratio > leave.failure_volume_ratio,
    }
    return _conditions(figures, holds)


def _conditions(figures: Measured, holds: dict[str, Any]) -> Conditions:
    return tuple(
        Condition(name, None if figure is None else _number(figure[0]), required, bool(holds[name][0]))
        for name, (figure, required) in figures.items()
    )


def _indicators(
    history: History, index: int, row: int, here: Features, windows: IndicatorParameters
) -> dict[str, float | None]:
    """Every indicator of the rules at one bar; prices raw."""
    prices = indicators.adjusted(history, index, index + 1)
    close, offsets = prices.close, prices.offsets
    fast = indicators.exponential_moving_average(close, offsets, windows.ema_fast)
    slow = indicators.exponential_moving_average(close, offsets, windows.ema_slow)
    line, signal, histogram = indicators.moving_average_convergence_divergence(
        close, offsets, windows.ema_fast, windows.ema_slow, windows.macd_signal
    )
    in_price = {
        f"sma_{windows.sma_short}": here.sma_short[0],
        f"sma_{windows.sma_medium}": here.sma_medium[0],
        f"sma_{windows.sma_long}": here.sma_long[0],
        f"ema_{windows.ema_fast}": fast[row],
        f"ema_{windows.ema_slow}": slow[row],
        "macd": line[row],
        "macd_signal": signal[row],
        "macd_histogram": histogram[row],
        f"atr_{windows.atr}": here.atr[0],
        f"prior_high_{windows.channel}": here.prior_high[0],
        f"prior_low_{windows.channel}": here.prior_low[0],
    }
    others = {
        f"rsi_{windows.rsi}": here.rsi[0],
        f"roc_{windows.roc_short}": here.rate_of_change[0],
        f"roc_{windows.roc_long}": indicators.rate_of_change(close, offsets, windows.roc_long)[row],
        "volume": history.volume[int(history.offsets[index]) + row],
        "volume_ratio": here.volume_ratio[0],
        "dollar_volume": here.dollar_volume[0],
        "bars": here.bars[0],
    }
    return {name: _number(value / here.factor[0]) for name, value in in_price.items()} | {
        name: _number(value) for name, value in others.items()
    }


def _price(here: Features, values: Floats) -> str:
    return _text(_number(values[0] / here.factor[0]))


def _text(figure: float | None) -> str:
    return "not known yet" if figure is None else f"{figure:.6g}"


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
