"""``desk scan`` and ``desk analyze``: what the rules say of the names in the lake; nothing is written."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import context
from pipelines.cli.exits import InputError, MissingError
from pipelines.cli.forms import AsJson

if TYPE_CHECKING:
    from delta import Pins
    from trading.analysis import Analysis, Conditions
    from trading.book import BookConfig
    from trading.history import History
    from trading.strategies.base import Research
    from trading.strategies.momentum.parameters import MomentumParameters

app = typer.Typer()

Session = Annotated[
    str | None, typer.Option("--date", help="Session, such as 2012-03-01; the newest when left out.")
]
AsOf = Annotated[str | None, typer.Option("--as-of", help="Use only what the lake held at this time.")]

FIRST = date(1990, 1, 2)
"""Start of the rhythm of scans where no book gives one."""

CHART_SESSIONS = 130
CHART_AVERAGES = (20, 50)


@app.command()
def scan(
    book: Annotated[str, typer.Argument(help="Name or file of the book.")],
    session: Session = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Show the candidates and signals of a book's strategies at the close of a session."""
    from pipelines.cli.output import note, print_frame, print_json

    config = context.book(book)
    history, day = _history(config, session, as_of)
    found = _research(config, history, day)
    candidates, signals = found.candidates, found.signals
    if as_json:
        print_json({"book": config.name, "session": day, "candidates": candidates, "signals": signals})
        return
    typer.echo(f"{config.name}, close of {day}: {candidates.height} candidates, {signals.height} signals")
    for frame, name in ((candidates, "candidates"), (signals.drop("indicators"), "signals")):
        if frame.is_empty():
            note(f"no {name}")
        else:
            typer.echo("")
            print_frame(frame.drop("session"))


@app.command()
def analyze(
    symbol: Annotated[str, typer.Argument(help="Symbol.")],
    session: Session = None,
    book: Annotated[
        str | None, typer.Option("--book", help="Take rules and universe of this book; else the defaults.")
    ] = None,
    as_of: AsOf = None,
    chart: Annotated[bool, typer.Option(help="Draw the price with its averages.")] = True,
    as_json: AsJson = False,
) -> None:
    """Explain what the momentum rules say of a symbol: every figure, every condition, the verdict."""
    from pipelines.cli.output import print_json
    from trading.analysis import analyze as explain

    config = context.book(book) if book else _any_book(symbol)
    history, day = _history(config, session, as_of, symbol)
    result = explain(history, symbol, day, _rules(config), config.start)
    if as_json:
        print_json(result.as_dict())
        return
    _print_analysis(result)
    if chart:
        typer.echo(_chart(history, symbol, day))


def _history(
    book: BookConfig, session: str | None, as_of: str | None, symbol: str | None = None
) -> tuple[History, date]:
    """History of a book's universe, and the session asked for or the newest one with bars."""
    from assets.inputs import MARKET_READS, read_market
    from delta import pin
    from pipelines.cli.times import day as as_day
    from pipelines.cli.times import instant

    pins = pin(context.lake(), MARKET_READS, instant(as_of) if as_of else None)
    newest = _newest_session(pins, book, symbol)
    if newest is None:
        what = symbol or f"the universe of {book.name}"
        raise MissingError(f"the lake has no {book.timeframe} bars of {what}; run: desk data ingest")
    # Later bars do no harm: a verdict follows from bars up to its session alone.
    return read_market(pins, book, newest).history, as_day(session) if session else newest


def _newest_session(pins: Pins, book: BookConfig, symbol: str | None) -> date | None:
    import polars as pl

    from delta.contracts import Bars

    names = [symbol] if symbol else list(book.universe.symbols)
    where = pl.col("timeframe") == book.timeframe
    where = where & pl.col("symbol").is_in(names) if names else where
    found: date | None = (
        pins.read(Bars, where=where, columns=["session"]).select(pl.max("session")).collect().item()
    )
    return found


def _research(book: BookConfig, history: History, session: date) -> Research:
    """Candidates and signals of one session, as a run of the book would find them."""
    from assets.research import asked_strategies
    from trading.history import HistoryError

    try:
        at = history.index(session)
    except HistoryError:
        raise InputError(f"{session} is no session of {book.calendar} that the lake has bars of") from None
    return asked_strategies(book, history, (at, at + 1))


def _any_book(symbol: str) -> BookConfig:
    """Default rules over everything that the lake knows."""
    from trading.book import BookConfig

    classes = ["stock", "etf", "crypto"]
    return BookConfig.model_validate(
        {
            "name": "defaults",
            "start": FIRST,
            "strategies": {"momentum": {}},
            "universe": {"asset_classes": classes},
        }
    )


def _rules(book: BookConfig) -> MomentumParameters:
    """Parameters of the book's momentum strategy.

    Raises
    ------
    InputError
        It has none.
    """
    from trading.strategies.momentum.parameters import MomentumParameters

    for name, strategy in book.strategies.items():
        if strategy.class_ is None and (strategy.key or name) == "momentum":
            return MomentumParameters.model_validate(strategy.params)
    raise InputError(f"book {book.name} has no momentum strategy; desk analyze explains its rules only")


def _print_analysis(result: Analysis) -> None:
    from pipelines.cli.output import print_table, text_of

    typer.echo(
        f"{result.symbol} at the close of {result.session}: {text_of(result.close)} -> {result.verdict}"
    )
    typer.echo(f"  {result.why}" if result.why else "")
    figures = {
        "score": result.score,
        "trend strength": result.trend_strength,
        "entry strength": result.strength,
        "rank": result.rank,
        "stop": result.stop,
        "target": result.target,
        "trailing from": result.trailing_from,
        "longest holding": result.max_hold,
    }
    groups = {"figure": figures, "indicator": result.indicators, "points of the score": result.score_points}
    for name, values in groups.items():
        print_table((name, "value"), values.items(), right=(False, True))
        typer.echo("")
    print_table(("condition", "", "measured", "asked", "holds"), _condition_rows(result))


def _condition_rows(result: Analysis) -> Iterable[tuple[Any, ...]]:
    groups: dict[str, Conditions] = {
        "universe": result.gates,
        "filter": result.filters,
        "entry": result.entry,
        "momentum failure": result.failure,
    }
    for group, conditions in groups.items():
        for one in conditions:
            yield group, one.name, one.figure, one.required, "yes" if one.holds else "no"


def _chart(history: History, symbol: str, session: date) -> str:
    """Price with its averages up to a session, in prices adjusted as of it."""
    import shutil

    from trading.indicators import adjusted, simple_moving_average
    from trading.reporting.terminal import price_chart

    index = history.symbols.index(symbol)
    prices = adjusted(history, index, index + 1)
    days = history.sessions[history.session_index[history.rows(symbol)]].tolist()
    end = sum(day <= session for day in days)
    shown = slice(max(0, end - CHART_SESSIONS), end)
    factor = prices.factor[end - 1]
    lines = {
        f"SMA {window}": simple_moving_average(prices.close, prices.offsets, window)[shown] / factor
        for window in CHART_AVERAGES
    }
    terminal = sys.stdout.isatty()
    return price_chart(
        days[shown],
        (prices.close[shown] / factor).tolist(),
        {name: values.tolist() for name, values in lines.items()},
        width=min(shutil.get_terminal_size((100, 30)).columns, 120),
        colour=terminal and not _no_colour(),
    )


def _no_colour() -> bool:
    import os

    return bool(os.environ.get("NO_COLOR"))
