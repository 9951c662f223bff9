"""Crossing of two simple moving averages."""

from __future__ import annotations

from typing import ClassVar

import polars as pl
from pydantic import Field, model_validator

from trading.indicators import ROUNDING, Indicator
from trading.strategies.base import Parameters, ParametersModel
from trading.strategies.framed import FramedStrategy


class SmaCrossParameters(Parameters):
    """Windows of the two averages in bars; ``stop_loss`` as a share of the close, 0 for none."""

    fast: int = Field(default=20, ge=1, le=1_000)
    slow: int = Field(default=50, ge=2, le=2_000)
    stop_loss: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _ordered(self) -> SmaCrossParameters:
        if self.fast >= self.slow:
            raise ValueError(f"fast {self.fast} must be below slow {self.slow}")
        return self


class SmaCross(FramedStrategy):
    """Enter on the session the fast average rises above the slow one, leave when it falls below."""

    key: ClassVar[str] = "sma_cross"
    Parameters: ClassVar[ParametersModel] = SmaCrossParameters
    cross_sectional: ClassVar[bool] = False
    parameters: SmaCrossParameters

    def indicators(self) -> dict[str, Indicator]:
        """The two averages."""
        return {
            "fast": Indicator("simple_moving_average", window=self.parameters.fast),
            "slow": Indicator("simple_moving_average", window=self.parameters.slow),
        }

    def signals(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows on which the averages cross."""
        over = pl.col("fast") > pl.col("slow") * (1 + ROUNDING)
        before = over.shift(1).over("symbol")
        loss = self.parameters.stop_loss
        return (
            frame.lazy()
            .with_columns(entry=over & ~before, exit=~over & before)
            .filter(pl.col("entry") | pl.col("exit"))
            .select(
                "symbol",
                "session",
                "entry",
                "exit",
                stop=pl.when(pl.col("entry")).then(pl.col("close") * (1 - loss)) if loss else None,
                reason=pl.when(pl.col("entry")).then(pl.lit("cross_up")).otherwise(pl.lit("cross_down")),
            )
            .collect()
        )
