"""Which strategies there are, and how a book's section becomes one."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import polars as pl
from pydantic import BaseModel, ValidationError

from trading.book import StrategyConfig
from trading.rules import Rules
from trading.strategies.base import Parameters, Strategy, StrategyError
from trading.strategies.framed import FramedStrategy

GROUP = "desk.strategies"
"""Entry-point group under which other packages offer strategies."""

BUILT_IN = {
    "momentum": "trading.strategies.momentum.strategy:Momentum",
    "turtle": "trading.strategies.turtle:Turtle",
    "sma_cross": "trading.strategies.sma_cross:SmaCross",
    "bollinger_breakout": "trading.strategies.bollinger_breakout:BollingerBreakout",
    "buy_and_hold": "trading.strategies.buy_and_hold:BuyAndHold",
}
"""Strategies of the desk: key to ``module:Class``."""


def available() -> dict[str, str]:
    """Every key that a book may name, with the ``module:Class`` behind it; built-ins win."""
    return {**{point.name: point.value for point in _offered()}, **BUILT_IN}


def load(config: StrategyConfig, name: str, timeframe: str = "1d") -> Strategy:
    """Make the strategy of one section of a book.

    Parameters
    ----------
    config : StrategyConfig
        Key of a registered strategy or class of a user's own, and parameters. A module is looked for in
        the current directory, too.
    name : str
        Name of the section; the key where the section gives neither key nor class.
    timeframe : str
        Timeframe of the book.

    Raises
    ------
    StrategyError
        Unknown key, module or class, unsupported timeframe, every bad parameter: one line each.
    """
    place = f"strategies.{name}"
    found = _class(config, name, place)
    problems = []
    model = _parameters_model(found, place)
    try:
        parameters: BaseModel | None = model.model_validate(config.params)
    except ValidationError as error:
        problems += _parameter_problems(error, model, f"{place}.params")
    timeframes = tuple(getattr(found, "timeframes", ("1d",)))
    if timeframe not in timeframes:
        problems.append(
            f"{place}: timeframe {timeframe} is not supported; it works on {', '.join(timeframes)}"
        )
    if problems:
        raise StrategyError("\n".join(problems))
    return _made(found, parameters, place)


def load_all(configs: Mapping[str, StrategyConfig], timeframe: str = "1d") -> dict[str, Strategy]:
    """Make every enabled strategy of a book; what is wrong with any of them is told at once."""
    made, problems = {}, []
    for name, config in configs.items():
        if not config.enabled:
            continue
        try:
            made[name] = load(config, name, timeframe)
        except StrategyError as error:
            problems.append(str(error))
    if problems:
        raise StrategyError("\n".join(problems))
    return made


def _offered() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=GROUP))


def _class(config: StrategyConfig, name: str, place: str) -> Any:
    if config.class_:
        return _imported(config.class_, f"{place}.class")
    key = config.key or name
    # What others offer is only looked for when need be: it reads the metadata of every installed package.
    found = BUILT_IN.get(key) or available().get(key)
    if found is None:
        raise StrategyError(
            f"{place}: strategy {key!r} is not known; known are {', '.join(sorted(available()))}, "
            'or name a class of your own as class = "module:Class"'
        )
    return _imported(found, f"{place}.key")


def _imported(path: str, place: str) -> Any:
    module_name, _, class_name = path.partition(":")
    try:
        with _current_directory_importable():
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise StrategyError(
                f"{place}: {module_name} needs the module {error.name}; install it"
            ) from error
        raise StrategyError(
            f"{place}: no module {module_name} in {os.getcwd()} or on the Python path"
        ) from error
    except Exception as error:
        message = " ".join(str(error).split())[:300]
        raise StrategyError(
            f"{place}: importing {module_name} raised {type(error).__name__}: {message}"
        ) from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        offered = [
            one
            for one, value in vars(module).items()
            if isinstance(value, type) and hasattr(value, "signals")
        ]
        raise StrategyError(
            f"{place}: {module_name} has no class {class_name}; "
            f"strategies in it: {', '.join(offered) or 'none'}"
        )
    return found


@contextmanager
def _current_directory_importable() -> Iterator[None]:
    here = os.getcwd()
    if here in sys.path or "" in sys.path:
        yield
        return
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _parameters_model(found: type, place: str) -> type[BaseModel]:
    model = getattr(found, "Parameters", Parameters)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise StrategyError(f"{place}: {found.__name__}.Parameters must be a pydantic model")
    return model


def _made(found: type, parameters: BaseModel | None, place: str) -> Strategy:
    if issubclass(found, Strategy):
        made: Strategy = found(parameters)
        return made
    if not callable(getattr(found, "signals", None)):
        raise StrategyError(f"{place}: {found.__name__} has no method signals(self, frame)")
    declared = {name: getattr(found, name) for name in _DECLARED if hasattr(found, name)}
    adapted: type[PlainStrategy] = type(found.__name__, (PlainStrategy,), declared)
    return adapted(found, parameters)


_DECLARED = ("key", "type", "timeframes", "cross_sectional")


class PlainStrategy(FramedStrategy):
    """A user's class that derives from nothing, made a strategy."""

    def __init__(self, found: type, parameters: BaseModel | None) -> None:
        self.parameters = parameters
        self._name = f"{found.__module__}:{found.__qualname__}"
        try:
            takes = bool(inspect.signature(found).parameters) and found.__init__ is not object.__init__  # type: ignore[misc]
            self._inner = found(parameters) if takes else found()
        except Exception as error:
            raise StrategyError(f"{self._name}: making it raised {type(error).__name__}: {error}") from error
        if not hasattr(self._inner, "parameters"):
            self._inner.parameters = parameters
        if hasattr(self._inner, "indicators"):
            self.indicators = self._inner.indicators

    def name(self) -> str:
        """How errors call the strategy."""
        return self._name

    def rules(self) -> Rules:
        """Rules of the user's class, where it has some."""
        own = getattr(self._inner, "rules", None)
        return own() if callable(own) else Rules()

    def signals(self, frame: pl.DataFrame) -> pl.DataFrame:
        """What the user's class asks for."""
        asked: pl.DataFrame = self._inner.signals(frame)
        return asked


def _parameter_problems(error: ValidationError, model: type[BaseModel], place: str) -> list[str]:
    return [_problem(one, model, place) for one in error.errors()]


def _problem(one: Any, model: type[BaseModel], place: str) -> str:
    where = ".".join([place, *(str(part) for part in one["loc"])])
    if one["type"] == "extra_forbidden":
        allowed = ", ".join(_fields(model, one["loc"][:-1])) or "none"
        return f"{where}: unknown parameter; known are {allowed}"
    message = one["msg"].removeprefix("Value error, ")
    given = "" if isinstance(one["input"], dict) else f" (given {one['input']!r})"
    return f"{where}: {message}{given}"


def _fields(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
