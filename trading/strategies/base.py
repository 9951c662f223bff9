"""What a strategy is: parameters, what it declares, and one pure function from bars to signals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, NamedTuple

import numpy as np
import polars as pl
from pydantic import BaseModel

from trading.configuration import Model
from trading.history import History
from trading.rules import Rules


class StrategyError(ValueError):
    """A strategy that cannot be loaded, or that returned what no desk can act on."""


class Parameters(Model):
    """Base of parameter models: unknown keys, NaN and infinities are refused and values never change."""


SIGNALS = pl.Schema(
    {
        "session": pl.Date(),
        "symbol": pl.String(),
        "action": pl.String(),
        "direction": pl.String(),
        "strength": pl.Float64(),
        "confidence": pl.Float64(),
        "price": pl.Float64(),
        "stop": pl.Float64(),
        "target": pl.Float64(),
        "weight": pl.Float64(),
        "max_hold": pl.Int64(),
        "timeframe": pl.String(),
        "reason": pl.String(),
        "indicators": pl.String(),
    }
)
"""The columns of the signals table that a strategy fills."""

CANDIDATES = pl.Schema(
    {
        "session": pl.Date(),
        "symbol": pl.String(),
        "rank": pl.Int64(),
        "score": pl.Float64(),
        "trend_strength": pl.Float64(),
        "close": pl.Float64(),
        "dollar_volume": pl.Float64(),
        "rsi": pl.Float64(),
        "scan": pl.String(),
    }
)
"""The columns of the candidates table that a strategy fills."""

Window = slice | tuple[int, int]
ParametersModel = type[BaseModel]


class Research(NamedTuple):
    """What a strategy found in a window of sessions.

    Attributes
    ----------
    signals : polars.DataFrame
        Rows of :data:`SIGNALS`, by session, symbol and action.
    candidates : polars.DataFrame
        Rows of :data:`CANDIDATES`, by session and rank; empty for a strategy that does not scan.
    """

    signals: pl.DataFrame
    candidates: pl.DataFrame


class Strategy(ABC):
    """A strategy over the whole universe: computes all sessions of a window in one call.

    Most strategies are easier written as a :class:`trading.strategies.framed.FramedStrategy`.

    Attributes
    ----------
    key : str
        Name in the registry.
    type : str
        ``stocks``, ``options``, ``mixed``, ``hedging`` or ``cash``.
    timeframes : tuple of str
        Timeframes it can work on.
    Parameters : type of pydantic.BaseModel
        Model of the parameters.
    """

    key: ClassVar[str] = ""
    type: ClassVar[str] = "stocks"
    timeframes: ClassVar[tuple[str, ...]] = ("1d",)
    Parameters: ClassVar[ParametersModel] = Parameters

    def __init__(self, parameters: BaseModel | Mapping[str, Any] | None = None) -> None:
        if isinstance(parameters, self.Parameters):
            self.parameters: Any = parameters
        else:
            self.parameters = self.Parameters.model_validate(dict(parameters or {}))

    @abstractmethod
    def research(self, history: History, window: Window, anchor: date | None = None) -> Research:
        """Signals and candidates of the sessions in a window.

        Parameters
        ----------
        history : History
            All bars known, from well before the window; a row of session t must follow from bars up to t
            alone.
        window : slice or (first, end)
            Indices of ``history.sessions``, the end excluded.
        anchor : date, optional
            First session of the book, from which intervals are counted so that no result depends on how
            a run is cut; None: the first session of the history.
        """

    def rules(self) -> Rules:
        """How positions are protected and candidates limited, for the decision."""
        return Rules()


def window_bounds(window: Window, sessions: int) -> tuple[int, int]:
    """First and end index of a window within ``sessions`` sessions."""
    first, end, _ = (window if isinstance(window, slice) else slice(*window)).indices(sessions)
    return first, max(first, end)


def anchor_index(history: History, anchor: date | None) -> int:
    """Index of the first session on or after the anchor.

    Raises
    ------
    StrategyError
        When the history does not reach back to the anchor: counting from anywhere else would shift
        every interval.
    """
    if anchor is None or not len(history.sessions):
        return 0
    day = np.datetime64(anchor, "D")
    if day < history.sessions[0]:
        raise StrategyError(
            f"the history starts {history.sessions[0]}, after the first session {anchor} that intervals are "
            "counted from; load sessions from there on"
        )
    return int(np.searchsorted(history.sessions, day))


def no_candidates() -> pl.DataFrame:
    """Candidates of a strategy that does not scan."""
    return pl.DataFrame(schema=CANDIDATES)
