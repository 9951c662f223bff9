"""A user's strategy: once a month the 50 names that rose most over half a year, in equal parts."""

from __future__ import annotations

import polars as pl
from pydantic import BaseModel


class TopMomentum:
    """Rebalances on the first session of a month; what is no longer among the best is sold."""

    class Parameters(BaseModel):
        """Sessions that the rise is measured over, and the number of names held."""

        lookback: int = 126
        names: int = 50

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    def signals(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Weights on the first session of each month, none on other days."""
        days = frame.select(pl.col("session").unique().sort())
        firsts = days.filter(pl.col("session").dt.month() != pl.col("session").shift().dt.month())
        rise = (pl.col("close") / pl.col("close").shift(self.parameters.lookback)).over("symbol") - 1.0
        return (
            frame.select("symbol", "session", rise=rise)
            .join(firsts, on="session", how="semi")
            .drop_nulls("rise")
            .sort("session", "rise", "symbol", descending=[False, True, False])
            .group_by("session", maintain_order=True)
            .head(self.parameters.names)
            .select("symbol", "session", weight=pl.lit(1.0 / self.parameters.names))
        )
