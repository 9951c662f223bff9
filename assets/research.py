"""Research of a book: candidates, signals and regimes of a range of sessions, from one pass over history."""

from collections.abc import Mapping
from datetime import date

import polars as pl

from assets.inputs import (
    MARKET_READS,
    MarketFrames,
    clipped,
    refuse_stale,
    refuse_traded,
    replaced_range,
)
from assets.shared import shared_market
from assets.stage import RESEARCH, Stage, frame_of
from delta import Commit, Lake, pin
from delta.contracts import Candidates, OrderEvents, Regimes, Signals
from resources.calendar import session_closes
from trading.book import BookConfig
from trading.history import History, select
from trading.regime import regimes
from trading.strategies.base import CANDIDATES, SIGNALS, Research, Strategy, Window
from trading.strategies.registry import load_all


def research(lake: Lake, book: BookConfig, first: date, last: date, run_id: str) -> dict[str, Commit]:
    """Write the candidates, signals and regimes of a book's sessions.

    Parameters
    ----------
    first, last : date
        Range of days; the book's own start and end hold within it.

    Returns
    -------
    dict
        Table to commit; empty when the book trades on none of the days.

    Raises
    ------
    MissingDataError
        When bars are missing, or those of the last session have not come yet.
    RefusedError
        When a broker has already traded a session of the range.
    OvertakenError
        When another run researched the book at the same time.
    """
    window = clipped(book, first, last)
    if window is None:
        return {}
    refuse_traded(pin(lake, [OrderEvents]), book, *window)
    stage = Stage(lake, run_id, RESEARCH, pin(lake, MARKET_READS), book)
    market = shared_market(stage.pins, book, window[1])
    refuse_stale(stage.pins, book, market, window[1])
    frames = research_frames(book, market, *window)
    scope = {"book": book.name, "session": replaced_range(book, *window)}
    for table in (Candidates, Signals, Regimes):
        stage.refuse_overtaken()
        stage.write(table, frames[table.name], scope)
    stage.refuse_overtaken(all_tables=True)
    stage.record(*window)
    return stage.commits


def research_frames(
    book: BookConfig, market: MarketFrames, first: date, last: date
) -> Mapping[str, pl.DataFrame]:
    """Candidates, signals and regimes of the sessions ``first`` to ``last``, as rows of their tables."""
    history = market.history
    window = (history.index(first), history.index(last) + 1)
    closes = session_closes(book.calendar, first, last)
    known = pl.DataFrame({"session": list(closes), "known_at": list(closes.values())})
    found = asked_strategies(book, history, window)
    candidates, signals = (
        rows.join(known, on="session", maintain_order="left") for rows in (found.candidates, found.signals)
    )
    return {
        "candidates": frame_of(Candidates, candidates, book=book.name),
        "signals": frame_of(Signals, signals, book=book.name),
        "regimes": _regimes(book, market, window, known),
    }


def asked_strategies(book: BookConfig, history: History, window: Window) -> Research:
    """What the enabled strategies of a book find in the symbols that each may trade.

    Parameters
    ----------
    window : tuple of int
        Sessions of the history, ``[first, end)``.

    Returns
    -------
    Research
        Rows of all strategies, with the name of each in a column ``strategy`` before the others.

    Raises
    ------
    StrategyError
        On an unknown strategy, a bad parameter, or a strategy that fails.
    """
    # A book whose strategies all rest finds nothing, in the same columns.
    parts = [_labelled("", Research(SIGNALS.to_frame(), CANDIDATES.to_frame()))]
    for name, strategy in strategies(book).items():
        chosen = tradable(book, name, history.symbols)
        seen = history if len(chosen) == len(history.symbols) else select(history, chosen)
        parts.append(_labelled(name, strategy.research(seen, window, book.start)))
    return Research(*map(pl.concat, zip(*parts, strict=True)))


def _labelled(strategy: str, found: Research) -> Research:
    """Rows in the columns and types of their schemas, after the name of the strategy."""
    label = pl.lit(strategy).alias("strategy")
    signals, candidates = (
        rows.select(label, *(pl.col(name).cast(dtype) for name, dtype in schema.items()))
        for rows, schema in ((found.signals, SIGNALS), (found.candidates, CANDIDATES))
    )
    return Research(signals, candidates)


def strategies(book: BookConfig) -> dict[str, Strategy]:
    """Enabled strategies of a book, by name.

    Raises
    ------
    StrategyError
        On unknown strategies and bad parameters; all of them at once.
    """
    return load_all(book.strategies, book.timeframe)


def tradable(book: BookConfig, strategy: str, symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Symbols that a strategy may trade: its own, or the universe.

    The benchmark, and what a name of the universe has spun off, are only read.
    """
    own = book.strategies[strategy].symbols
    if own:
        return tuple(symbol for symbol in symbols if symbol in own)
    kept = book.universe.symbols
    return tuple(symbol for symbol in symbols if not kept or symbol in kept)


def _regimes(
    book: BookConfig, market: MarketFrames, window: tuple[int, int], known: pl.DataFrame
) -> pl.DataFrame:
    if book.benchmark is None or not book.risk.regime:
        return Regimes.schema().to_frame()
    found = regimes(market.history, book.benchmark, window)
    return frame_of(Regimes, found.join(known, on="session"), book=book.name, benchmark=book.benchmark)
