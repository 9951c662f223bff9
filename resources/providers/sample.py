"""Sample bars that come with the ``bokeh_sampledata`` package: five stocks, 2000 to 2013, no network.

Raw daily prices and an adjusted close from the public-domain WIKI collection. The collection multiplies
its adjusted close by ``(close + dividend) / close`` of the ex date, so each dividend is read back as
``close x (jump - 1)`` and reconciles with the adjusted series to its printed digits.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar

import polars as pl

from resources.calendar import STOCKS, with_closes
from resources.providers import base
from resources.providers.factors import SPECIAL, shortest, split_ratio

_FILE = "_data/stocks.csv.gz"
_EXCHANGES = {"IBM": "XNYS"}
_ROUNDING = 5e-7
"""The adjusted close is printed with six decimals."""
_NOISE = 1e-4
"""Jumps of the ratio below this are rounding."""
_SMALLEST_SPLIT = 1.2


class Sample:
    """Provider of the sample bars; see the module."""

    name: ClassVar[str] = "sample"
    capabilities: ClassVar[base.Capabilities] = base.Capabilities(("stock",), ("1d",), corporate_actions=True)
    Settings: ClassVar[type[base.Settings]] = base.Settings

    def __init__(self, settings: Any = None) -> None:
        self.settings = settings or self.Settings()

    def symbols(self) -> list[str]:
        """AAPL, FB, GOOG, IBM and MSFT."""
        return sorted(_prices()["symbol"].unique())

    def fetch(self, request: base.Request) -> base.Answer:
        """Bars, derived corporate actions and instruments; see :class:`resources.providers.base.Provider`."""
        base.require_timeframe(self, request)
        known = self.symbols()
        for symbol in request.symbols:
            if symbol not in known:
                raise base.UnknownSymbol(
                    self.name, "not in the sample", symbol=symbol, remedy=f"it has {', '.join(known)}"
                )
            self._require_bars(symbol, request.first, request.last)
        chosen = pl.col("symbol").is_in(list(request.symbols))
        bars = _prices().filter(chosen, pl.col("session").is_between(request.first, request.last))
        return base.Answer(
            bars=with_closes(bars, STOCKS)
            .with_columns(timeframe=pl.lit("1d"), source=pl.lit(self.name))
            .select(base.BARS.names()),
            corporate_actions=_actions(self.name).filter(
                chosen, pl.col("ex_date").is_between(request.first, request.last)
            ),
            instruments=_instruments(self.name).filter(chosen),
        )

    def _require_bars(self, symbol: str, first: date, last: date) -> None:
        rows = _prices().filter(pl.col("symbol") == symbol)["session"]
        if not rows.is_between(first, last).any():
            raise base.NoData(
                self.name,
                f"no bars in {first} .. {last}",
                symbol=symbol,
                remedy=f"the sample has {rows[0]} .. {rows[-1]}",
            )


PROVIDER = Sample


@cache
def _prices() -> pl.DataFrame:
    try:
        text = gzip.decompress((files("bokeh_sampledata") / _FILE).read_bytes())
    except (OSError, EOFError) as error:
        raise base.MalformedAnswer(
            "sample",
            f"cannot read {_FILE} of the package bokeh_sampledata: {error}",
            remedy="install bokeh_sampledata 2026.1 or later again",
        ) from error
    frame = pl.read_csv(text, try_parse_dates=True)
    return frame.select(
        symbol="Ticker",
        session="Date",
        open="Open",
        high="High",
        low="Low",
        close="Close",
        volume=pl.col("Volume").cast(pl.Float64),
        adjusted="Adj Close",
    ).sort("symbol", "session")


@cache
def _actions(source: str) -> pl.DataFrame:
    rows = [
        (symbol, *event, None, None, "USD", source)
        for (symbol,), bars in _prices().group_by("symbol", maintain_order=True)
        for event in _events(bars)
    ]
    return pl.DataFrame(rows, schema=base.CORPORATE_ACTIONS, orient="row")


def _events(bars: pl.DataFrame) -> Iterator[tuple[date, str, float]]:
    """Ex date, action and value wherever the ratio of adjusted to raw close jumps."""
    ratio, slack = pl.col("adjusted") / pl.col("close"), _ROUNDING / pl.col("adjusted")
    jumps = bars.select(
        "session",
        "close",
        before=pl.col("close").shift(1),
        jump=ratio / ratio.shift(1),
        slack=slack + slack.shift(1),
    ).filter((pl.col("jump") - 1).abs() > _NOISE)
    regular = 0.0
    for session, close, before, jump, slack_ in jumps.iter_rows():
        low, high = jump * (1 - slack_), jump * (1 + slack_)
        if jump > _SMALLEST_SPLIT:
            yield session, "split", split_ratio(low, high)
            continue
        cash = shortest(close * (low - 1), close * (high - 1))
        if regular and cash > SPECIAL * before:
            # The company paid its ordinary dividend on the same day.
            yield session, "special_dividend", round(cash - regular, 6)
            cash = regular
        regular = cash
        yield session, "cash_dividend", cash


@cache
def _instruments(source: str) -> pl.DataFrame:
    return (
        _prices()
        .group_by("symbol", maintain_order=True)
        .agg(valid_from=pl.col("session").min())
        .select(
            "symbol",
            ticker="symbol",
            asset_class=pl.lit("stock"),
            exchange=pl.col("symbol").replace_strict(_EXCHANGES, default="XNAS"),
            calendar=pl.lit(STOCKS),
            currency=pl.lit("USD"),
            sector=pl.lit("Information Technology"),
            market_cap=pl.lit(None, pl.Float64),
            multiplier=pl.lit(1.0),
            valid_from="valid_from",
            valid_to=pl.lit(None, pl.Date),
            predecessor=pl.lit(None, pl.String),
            source=pl.lit(source),
        )
    )
