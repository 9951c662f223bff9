"""Cboe: delayed chains of US options with volatility and greeks, and daily levels of its indices; no key.

Stock prices are left out on purpose: the service gives them adjusted for splits, and the desk keeps raw
ones. Quotes are at least fifteen minutes old.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from resources.calendar import STOCKS
from resources.http import HttpProvider, HttpSettings, Pace
from resources.http_errors import LATER, excerpt, json_of
from resources.providers import _frames
from resources.providers.base import (
    Answer,
    Capabilities,
    MalformedAnswer,
    NoData,
    ProviderError,
    Request,
    UnknownSymbol,
    require_timeframe,
)
from trading.option_symbols import canonical_column

NAME = "cboe"
INDICES = frozenset(
    [
        "VIX",
        "VIX9D",
        "VIX3M",
        "VIX6M",
        "VXN",
        "RVX",
        "GVZ",
        "OVX",
        "SPX",
        "NDX",
        "RUT",
        "DJX",
        "XSP",
        "OEX",
        "SKEW",
    ]
)
"""Underlyings and levels that the service writes with a leading underscore."""
FRESH = timedelta(minutes=5)


class CboeSettings(HttpSettings):
    """Settings of Cboe.

    Attributes
    ----------
    directory_url : str
        Address of the list of underlyings.
    """

    base_url: str = "https://cdn.cboe.com"
    directory_url: str = "https://www.cboe.com"


class Cboe(HttpProvider):
    """Provider of Cboe's delayed option chains and index levels."""

    name: ClassVar[str] = NAME
    Settings: ClassVar[type[CboeSettings]] = CboeSettings
    capabilities: ClassVar[Capabilities] = Capabilities(asset_classes=("option", "index"), chains=True)
    pace = (Pace(5, 1.0),)
    settings: CboeSettings

    def symbols(self) -> list[str]:
        """Underlyings that have listed options."""
        return self.client.fetch(
            "/us/options/symboldir/equity-index-options/download",
            parse_directory,
            parameters={"csv": "true"},
            base_url=self.settings.directory_url,
            valid_for=timedelta(days=1),
        )

    def fetch(self, request: Request) -> Answer:
        """Daily levels of indices; chains come from :meth:`chain`."""
        require_timeframe(self, request)
        return _frames.joined([self._index(symbol, request) for symbol in request.symbols])

    def chain(
        self,
        underlying: str,
        *,
        expiries: Iterable[date] | None = None,
        strikes: tuple[float, float] | None = None,
    ) -> pl.DataFrame:
        """Quotes of the whole chain of an underlying, from one request.

        Parameters
        ----------
        underlying : str
            Stock, fund or index.
        expiries : iterable of date, optional
            Only these.
        strikes : tuple of float, optional
            Lowest and highest strike.

        Returns
        -------
        polars.DataFrame
            Columns of the table ``option_quotes`` without ``known_at``.
        """
        name = self.ticker(underlying)
        frame = self.client.fetch(
            f"/api/global/delayed_quotes/options/{'_' * (name in INDICES)}{name}.json",
            lambda body: parse_chain(body, underlying),
            symbol=underlying,
            valid_for=FRESH,
        )
        if expiries is not None:
            frame = frame.filter(pl.col("expiry").is_in(list(expiries)))
        if strikes is not None:
            frame = frame.filter(pl.col("strike").is_between(*strikes))
        if frame.is_empty():
            raise NoData(
                NAME, "no option in the chain asked for", symbol=underlying, remedy="widen the bounds"
            )
        return frame

    @staticmethod
    def refusal(status: int, body: str) -> type[ProviderError] | None:
        """The file store answers 403 to a name that it does not have."""
        del body
        return UnknownSymbol if status == 403 else None

    def _index(self, symbol: str, request: Request) -> Answer:
        at = _frames.now()
        levels = self.client.fetch(
            f"/api/global/us_indices/daily_prices/{self.ticker(symbol)}_History.csv",
            lambda body: parse_levels(body, symbol),
            symbol=symbol,
            valid_for=_frames.validity(request.last, at),
        )
        bars = _frames.within(_frames.daily(levels, symbol, "1d", STOCKS, NAME), request, at)
        listing = _frames.instrument(
            symbol,
            source=NAME,
            asset_class="index",
            exchange="XCBO",
            trading_calendar=STOCKS,
            currency="USD",
            valid_from=levels["session"].min() or request.first,  # type: ignore[arg-type]
        )
        return Answer(_frames.required(bars, NAME, symbol, request), instruments=listing)


def parse_chain(body: bytes, underlying: str) -> pl.DataFrame:
    """Option quotes out of a chain.

    A volatility of 0 means that none could be computed, a bid or offer of size 0 that there is none, a
    last price of 0 that the contract never traded: all three become null.
    """
    document = json_of(body, NAME, underlying, dict)
    rows: list[dict[str, Any]] = document["data"]["options"]
    quoted_at = datetime.fromisoformat(document["timestamp"]).replace(tzinfo=UTC)
    numbers = (
        "bid",
        "ask",
        "bid_size",
        "ask_size",
        "volume",
        "open_interest",
        "delta",
        "gamma",
        "vega",
        "theta",
    )
    columns = {name: [row[name] for row in rows] for name in (*numbers, "iv", "last_trade_price")}
    frame = pl.DataFrame(
        {"symbol": [row["option"] for row in rows], **columns},
        schema={"symbol": pl.String, **dict.fromkeys(columns, pl.Float64)},
    )
    code = pl.col("symbol").str.extract_groups(r"^(?<root>.+?)(?<day>\d{6})(?<right>[CP])(?<strike>\d{8})$")
    parsed = frame.with_columns(code.struct.unnest())
    if parsed["strike"].null_count():
        wrong = parsed.filter(pl.col("strike").is_null())["symbol"][0]
        raise MalformedAnswer(NAME, f"{wrong!r} is no option symbol", symbol=underlying, remedy=LATER)
    return parsed.select(
        canonical_column(pl.col("symbol")),
        pl.lit(underlying).alias("underlying"),
        pl.lit(_frames.opened_session(quoted_at, STOCKS)).alias("session"),
        pl.lit(quoted_at).dt.cast_time_unit("us").alias("quoted_at"),
        ("20" + pl.col("day")).str.to_date("%Y%m%d").alias("expiry"),
        pl.col("strike").cast(pl.Float64) / 1000,
        pl.col("right").replace_strict({"C": "call", "P": "put"}),
        pl.lit(100.0).alias("multiplier"),
        pl.when(pl.col("bid_size") > 0).then("bid").alias("bid"),
        pl.when(pl.col("ask_size") > 0).then("ask").alias("ask"),
        _unless_zero("last_trade_price").alias("last"),
        "volume",
        "open_interest",
        _unless_zero("iv").alias("implied_volatility"),
        "delta",
        "gamma",
        "vega",
        "theta",
        pl.lit(float(document["data"]["current_price"])).alias("underlying_price"),
        pl.lit(NAME).alias("source"),
    ).pipe(_frames.filled, _frames.OPTION_QUOTES)


def parse_levels(body: bytes, symbol: str) -> pl.DataFrame:
    """Daily levels: open, high, low and close, or one value that stands for all four; no volume."""
    lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    if not lines or lines[0][:1] != ["DATE"] or len(lines[0]) not in {2, 5}:
        raise MalformedAnswer(
            NAME, f"no table of levels: {excerpt(body) or 'empty'}", symbol=symbol, remedy=LATER
        )
    rows = [
        (datetime.strptime(day, "%m/%d/%Y").date(), *map(float, values * (4 // len(values))), 0.0)  # noqa: DTZ007
        for day, *values in lines[1:]
    ]
    schema = {"session": pl.Date, **dict.fromkeys(_frames.PRICES, pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def parse_directory(body: bytes) -> list[str]:
    """Underlyings out of the list."""
    rows = csv.DictReader(io.StringIO(body.decode("utf-8-sig")), skipinitialspace=True)
    return sorted({row["Stock Symbol"].strip() for row in rows})


def _unless_zero(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != 0).then(pl.col(name))


PROVIDER = Cboe
