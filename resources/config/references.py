"""Checks of a book against what there is: strategies with their parameters, and trading calendars."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError

from resources.calendar import ALL_DAY, STOCKS, WEEKDAYS
from resources.config.problems import Source, explained, line, suggestion
from trading.book import BookConfig, StrategyConfig
from trading.strategies.base import Parameters, StrategyError
from trading.strategies.registry import available, load

_THERE = {ALL_DAY, WEEKDAYS, STOCKS}
"""Calendars that are there without a look."""


def book_problems(book: BookConfig, source: Source) -> list[str]:
    """What is wrong with the names and parameters in a book, one line each; empty when nothing is."""
    problems = list(_calendar_problems(book.calendar, source))
    for name, strategy in book.strategies.items():
        problems += _problems(name, strategy, book.timeframe, source)
    return problems


def _calendar_problems(name: str, source: Source) -> Iterator[str]:
    if name in _THERE:
        return
    import exchange_calendars  # noqa: PLC0415 - brings pandas, which takes longer than most commands

    known = exchange_calendars.get_calendar_names(include_aliases=True)
    if name not in known:
        yield line(source, ("calendar",), f"no such calendar{suggestion(name, known)}")


def _problems(name: str, strategy: StrategyConfig, timeframe: str, source: Source) -> Iterator[str]:
    path = ("strategies", name)
    model: type[BaseModel] | None = None
    if strategy.class_ is None:
        key, known = strategy.key or name, available()
        if key not in known:
            where = (*path, "key") if strategy.key else path
            yield line(source, where, f"no such strategy{suggestion(key, sorted(known))}")
            return
        model = parameters_model(known[key])
    if model is not None:
        try:
            model.model_validate(strategy.params)
        except ValidationError as error:
            yield from explained(error, model, source, (*path, "params"))
            return
    try:
        load(strategy, name, timeframe)
    except StrategyError as error:
        yield from (f"{source.file}: {problem}" for problem in str(error).splitlines())


def parameters_model(place: str) -> type[BaseModel] | None:
    """Model of the parameters of a strategy at ``module:Class``; None where it cannot be imported."""
    module, _, name = place.partition(":")
    try:
        found: type[BaseModel] = getattr(
            getattr(importlib.import_module(module), name), "Parameters", Parameters
        )
    except (ImportError, AttributeError):
        return None  # loading the strategy tells what is wrong
    return found
