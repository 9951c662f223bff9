"""Breakout above the upper Bollinger band."""

from __future__ import annotations

from typing import ClassVar

import polars as pl
from pydantic import Field

from trading.indicators import Indicator
from trading.strategies.base import Parameters, ParametersModel
from trading.strategies.framed import FramedStrategy


class BollingerBreakoutParameters(Parameters):
    """Window in bars and width in standard deviations; ``stop_loss`` as a share of the close, 0 for none."""

    window: int = Field(default=20, ge=2, le=1_000)
    deviations: float = Field(default=2.0, gt=0, le=10)
    stop_loss: float = Field(default=0.0, ge=0, lt=1)


class BollingerBreakout(FramedStrategy):
    """Enter when the close rises above the upper band, leave when it falls below the middle one."""

    key: ClassVar[str] = "bollinger_breakout"
    Parameters: ClassVar[ParametersModel] = BollingerBreakoutParameters
    cross_sectional: ClassVar[bool] = False
    parameters: BollingerBreakoutParameters

    def indicators(self) -> dict[str, Indicator]:
        """Upper and middle band."""
        window, deviations = self.parameters.window, self.parameters.deviations
        return {
            "upper": Indicator("bollinger_upper", window=window, deviations=deviations),
            "middle": Indicator("bollinger_middle", window=window, deviations=deviations),
        }

    def signals(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows on which the close leaves the bands upwards, or falls through the middle."""
        close = pl.col("close")
        beyond, below = close > pl.col("upper"), close < pl.col("middle")
        loss = self.parameters.stop_loss
        return (
            frame.lazy()
            .with_columns(
                entry=beyond & ~beyond.shift(1).over("symbol"), exit=below & ~below.shift(1).over("symbol")
            )
            .filter(pl.col("entry") | pl.col("exit"))
            .select(
                "symbol",
                "session",
                "entry",
                "exit",
                stop=pl.when(pl.col("entry")).then(close * (1 - loss)) if loss else None,
                reason=pl.when(pl.col("entry")).then(pl.lit("breakout")).otherwise(pl.lit("middle_band")),
            )
            .collect()
        )
