"""Channel breakout of the Turtles: in on a new high, out on a new low, stop in average true ranges."""

from __future__ import annotations

from typing import ClassVar

import polars as pl
from pydantic import Field

from trading.indicators import Indicator
from trading.strategies.base import Parameters, ParametersModel
from trading.strategies.framed import FramedStrategy


class TurtleParameters(Parameters):
    """Windows in bars; the stop lies ``stop_ranges`` average true ranges below the close.

    Without ``stop_ranges`` (0) there is no stop.
    """

    entry_window: int = Field(default=20, ge=1, le=1_000)
    exit_window: int = Field(default=10, ge=1, le=1_000)
    range_window: int = Field(default=20, ge=1, le=1_000)
    stop_ranges: float = Field(default=2.0, ge=0, le=20)


class Turtle(FramedStrategy):
    """Enter when the close exceeds the high of the bars before, leave when it falls below their low.

    The bar itself never counts in the channel. [1]_

    References
    ----------
    .. [1] C. Faith, The Original Turtle Trading Rules, 2003.
    """

    key: ClassVar[str] = "turtle"
    Parameters: ClassVar[ParametersModel] = TurtleParameters
    cross_sectional: ClassVar[bool] = False
    parameters: TurtleParameters

    def indicators(self) -> dict[str, Indicator]:
        """Entry and exit channel and the range."""
        return {
            "entry_high": Indicator("prior_high", window=self.parameters.entry_window),
            "exit_low": Indicator("prior_low", window=self.parameters.exit_window),
            "range": Indicator("average_true_range", window=self.parameters.range_window),
        }

    def signals(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows that break out or fall back."""
        close = pl.col("close")
        enters, leaves = close > pl.col("entry_high"), close < pl.col("exit_low")
        stop = close - self.parameters.stop_ranges * pl.col("range")
        return (
            frame.lazy()
            .filter(enters | leaves)
            .select(
                "symbol",
                "session",
                entry=enters & pl.col("range").is_not_null(),
                exit=leaves,
                stop=pl.when((stop > 0) & (stop < close)).then(stop),
                reason=pl.when(enters).then(pl.lit("breakout")).otherwise(pl.lit("channel_exit")),
            )
            .collect()
        )
