"""Tiingo: raw daily prices with splits and dividends, IEX intraday bars, crypto and market capitalisation.

A pair such as ``BTC-USD`` (or a symbol listed in ``crypto``) is a crypto pair, everything else a stock or
fund. Daily bars are the raw columns, never the adjusted ones.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import date, timedelta
from typing import Any, ClassVar

import polars as pl

from resources.calendar import ALL_DAY, STOCKS
from resources.http import HttpProvider, HttpSettings, Pace
from resources.http_errors import json_of
from resources.keys import Key
from resources.providers import _frames
from resources.providers.base import (
    Answer,
    BadKey,
    Capabilities,
    MalformedAnswer,
    ProviderError,
    RateLimited,
    Request,
    UnknownSymbol,
    Unsupported,
    require_timeframe,
)

NAME = "tiingo"
STEPS = {"1m": "1min", "5m": "5min", "15m": "15min", "30m": "30min", "1h": "1hour", "4h": "4hour"}
SPANS = {"1d": "daily", "1w": "weekly"}
CRYPTO_SPANS = {**STEPS, "1d": "1day"}
PAIR = re.compile(r"^([A-Z0-9]{2,12})[-/](USD|USDT|USDC|EUR|GBP|BTC|ETH)$")
STILL_LISTED = timedelta(days=10)
SAID: tuple[tuple[str, type[ProviderError]], ...] = (
    ("not found", UnknownSymbol),
    ("not supported", UnknownSymbol),
    ("token", BadKey),
    ("permission", BadKey),
    ("allocation", RateLimited),
    ("limit", RateLimited),
)


class TiingoSettings(HttpSettings):
    """Settings of Tiingo.

    Attributes
    ----------
    tickers_url : str
        Address of the list of all tickers.
    crypto : tuple of str
        Symbols that are crypto pairs although they do not look like one.
    """

    base_url: str = "https://api.tiingo.com"
    tickers_url: str = "https://apimedia.tiingo.com"
    crypto: tuple[str, ...] = ()


class Tiingo(HttpProvider):
    """Provider of Tiingo's stock, fund and crypto prices."""

    name: ClassVar[str] = NAME
    Settings: ClassVar[type[TiingoSettings]] = TiingoSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        asset_classes=("stock", "etf", "crypto"),
        timeframes=(*STEPS, *SPANS),
        corporate_actions=True,
        needs_key="TIINGO_API_KEY",
    )
    key = Key("TIINGO_API_KEY", header="Authorization", prefix="Token ")
    pace = (Pace(20, 1.0),)
    settings: TiingoSettings

    def symbols(self) -> list[str]:
        """Every ticker of Tiingo's list of stocks, funds and trusts in dollars."""
        return self.client.fetch(
            "/docs/tiingo/daily/supported_tickers.zip",
            parse_tickers,
            base_url=self.settings.tickers_url,
            valid_for=timedelta(days=1),
        )

    def fetch(self, request: Request) -> Answer:
        """Bars, and for daily stock bars splits, dividends and the listing."""
        require_timeframe(self, request)
        return _frames.joined([self._one(symbol, request) for symbol in request.symbols])

    def market_caps(self, symbol: str, first: date, last: date) -> pl.DataFrame:
        """Market capitalisation by date (columns symbol, session, market_cap)."""
        return self.client.fetch(
            f"/tiingo/fundamentals/{self.ticker(symbol)}/daily",
            lambda body: parse_market_caps(body, symbol),
            parameters={"startDate": first, "endDate": last, "format": "json"},
            symbol=symbol,
            valid_for=_frames.validity(last, _frames.now()),
        )

    @staticmethod
    def refusal(status: int, body: str) -> type[ProviderError] | None:
        """Tiingo says in words what a status leaves open."""
        return _said(body) if status in {400, 403} else None

    def _one(self, symbol: str, request: Request) -> Answer:
        if symbol in self.settings.crypto or PAIR.match(symbol):
            return self._crypto(symbol, request)
        if request.timeframe in STEPS:
            return self._iex(symbol, request)
        return self._stock(symbol, request)

    def _stock(self, symbol: str, request: Request) -> Answer:
        ticker, at = self.ticker(symbol), _frames.now()
        prices = self.client.fetch(
            f"/tiingo/daily/{ticker}/prices",
            lambda body: parse_prices(body, symbol),
            parameters={
                "startDate": request.first,
                "endDate": request.last,
                "format": "json",
                "resampleFreq": SPANS[request.timeframe],
            },
            symbol=symbol,
            valid_for=_frames.validity(request.last, at),
        )
        bars = _frames.within(_frames.daily(prices, symbol, request.timeframe, STOCKS, NAME), request, at)
        _frames.required(bars, NAME, symbol, request)
        events = parse_actions(prices, symbol) if request.timeframe == "1d" else Answer().corporate_actions
        return Answer(bars, events, self._listing(symbol, ticker, request))

    def _listing(self, symbol: str, ticker: str, request: Request) -> pl.DataFrame:
        return self.client.fetch(
            f"/tiingo/daily/{ticker}",
            lambda body: parse_listing(json_of(body, NAME, symbol, dict), symbol, request),
            symbol=symbol,
            valid_for=timedelta(days=1),
        )

    def _iex(self, symbol: str, request: Request) -> Answer:
        at = _frames.now()
        prices = self.client.fetch(
            f"/iex/{self.ticker(symbol)}/prices",
            lambda body: parse_intraday(_rows(body, symbol)),
            parameters={
                "startDate": request.first,
                "endDate": request.last,
                "format": "json",
                "resampleFreq": STEPS[request.timeframe],
                "columns": "open,high,low,close,volume",
            },
            symbol=symbol,
            valid_for=_frames.validity(request.last, at),
        )
        bars = _frames.intraday(prices, symbol, request.timeframe, STOCKS, NAME)
        return Answer(_frames.required(_frames.within(bars, request, at), NAME, symbol, request))

    def _crypto(self, symbol: str, request: Request) -> Answer:
        if request.timeframe not in CRYPTO_SPANS:
            raise Unsupported(
                NAME, f"no {request.timeframe} bars of crypto", symbol=symbol, remedy="ask for 1d"
            )
        at = _frames.now()
        prices, quote = self.client.fetch(
            "/tiingo/crypto/prices",
            lambda body: parse_crypto(body, symbol),
            parameters={
                "tickers": self.ticker(symbol).replace("-", "").replace("/", "").lower(),
                "startDate": request.first,
                "endDate": request.last + timedelta(days=1),
                "resampleFreq": CRYPTO_SPANS[request.timeframe],
            },
            symbol=symbol,
            valid_for=_frames.validity(request.last, at),
        )
        bars = _frames.intraday(prices, symbol, request.timeframe, ALL_DAY, NAME)
        bars = _frames.required(_frames.within(bars, request, at), NAME, symbol, request)
        listing = _frames.instrument(
            symbol,
            source=NAME,
            asset_class="crypto",
            exchange="CRYPTO",
            trading_calendar=ALL_DAY,
            currency=quote,
        )
        return Answer(bars, instruments=listing)


def parse_prices(body: bytes, symbol: str) -> pl.DataFrame:
    """Daily or weekly rows: session, raw prices and volume, dividend and split factor."""
    rows = _rows(body, symbol)
    schema: dict[str, Any] = {"date": pl.String, **dict.fromkeys(_frames.PRICES, pl.Float64)}
    extra = {"divCash": 0.0, "splitFactor": 1.0}
    complete = [
        {name: row[name] for name in schema} | {n: row.get(n, v) for n, v in extra.items()} for row in rows
    ]
    frame = pl.DataFrame(complete, schema=schema | dict.fromkeys(extra, pl.Float64))
    return frame.with_columns(pl.col("date").str.slice(0, 10).str.to_date().alias("session")).drop("date")


def parse_actions(prices: pl.DataFrame, symbol: str) -> pl.DataFrame:
    """Splits and cash dividends out of daily rows."""
    dividends = prices.filter(pl.col("divCash") > 0).select(
        ex_date="session", value="divCash", action=pl.lit("cash_dividend")
    )
    splits = prices.filter(pl.col("splitFactor") != 1).select(
        ex_date="session", value="splitFactor", action=pl.lit("split")
    )
    return _frames.actions(pl.concat([dividends, splits]).sort("ex_date"), symbol, "USD", NAME)


def parse_listing(meta: dict[str, Any], symbol: str, request: Request) -> pl.DataFrame:
    """Instrument row; prices that end well before the asked range ends mean a delisting."""
    first = date.fromisoformat(meta["startDate"][:10])
    last = date.fromisoformat(meta["endDate"][:10])
    return _frames.instrument(
        symbol,
        source=NAME,
        ticker=meta["ticker"],
        asset_class="stock",
        exchange=meta.get("exchangeCode") or "US",
        trading_calendar=STOCKS,
        currency="USD",
        valid_from=first,
        valid_to=last if last + STILL_LISTED < request.last else None,
    )


def parse_intraday(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of bars by opening time; IEX leaves the volume out unless asked, which reads as 0."""
    values = [
        [row["date"], *(row[name] for name in _frames.PRICES[:4]), row.get("volume") or 0.0] for row in rows
    ]
    schema = {"date": pl.String, **dict.fromkeys(_frames.PRICES, pl.Float64)}
    frame = pl.DataFrame(values, schema=schema, orient="row")
    starts = pl.col("date").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC")
    return frame.with_columns(starts.alias("starts_at")).drop("date")


def parse_crypto(body: bytes, symbol: str) -> tuple[pl.DataFrame, str]:
    """Rows of bars by opening time, and the currency they are quoted in."""
    pairs = _rows(body, symbol)
    if not pairs:
        raise UnknownSymbol(NAME, "no such pair", symbol=symbol, remedy="check the symbol, such as BTC-USD")
    return parse_intraday(pairs[0]["priceData"]), pairs[0]["quoteCurrency"].upper()


def parse_market_caps(body: bytes, symbol: str) -> pl.DataFrame:
    """Market capitalisation by date."""
    rows = _rows(body, symbol)
    frame = pl.DataFrame(
        {"session": [row["date"][:10] for row in rows], "market_cap": [row["marketCap"] for row in rows]},
        schema={"session": pl.String, "market_cap": pl.Float64},
    )
    return frame.select(pl.lit(symbol).alias("symbol"), pl.col("session").str.to_date(), "market_cap")


def parse_tickers(body: bytes) -> list[str]:
    """Dollar tickers out of the zipped list."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive, archive.open(archive.namelist()[0]) as file:
        rows = csv.DictReader(io.TextIOWrapper(file, "utf-8"))
        return sorted({row["ticker"] for row in rows if row["priceCurrency"] == "USD" and row["startDate"]})


def _rows(body: bytes, symbol: str) -> list[dict[str, Any]]:
    """Rows of an answer; an error that came with status 200 is raised."""
    document = json_of(body, NAME, symbol, object)
    if isinstance(document, list):
        return document
    detail = str(document.get("detail", document)) if isinstance(document, dict) else str(document)
    kind = _said(detail) or MalformedAnswer
    raise kind(
        NAME, f"it said {detail[:160]!r} in place of rows", symbol=symbol, remedy="check symbol, key and plan"
    )


def _said(text: str) -> type[ProviderError] | None:
    return next((kind for words, kind in SAID if words in text.lower()), None)


PROVIDER = Tiingo
