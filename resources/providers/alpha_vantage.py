"""Alpha Vantage: raw daily and intraday prices of stocks, daily foreign exchange and crypto.

The service answers errors, notes and its rate limit with status 200; here they are typed errors. A pair
such as ``EUR/USD`` is foreign exchange, one whose first half is a known coin is crypto.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, ClassVar, Literal

import polars as pl

from resources.calendar import ALL_DAY, STOCKS, WEEKDAYS
from resources.http import HttpProvider, HttpSettings, Pace
from resources.http_errors import json_of
from resources.keys import Key
from resources.providers import _frames
from resources.providers.base import (
    Answer,
    BadKey,
    Capabilities,
    MalformedAnswer,
    NoData,
    ProviderError,
    RateLimited,
    Request,
    UnknownSymbol,
    Unsupported,
    require_timeframe,
)
from trading.resampling import SPANS

NAME = "alpha_vantage"
STEPS = {"1m": "1min", "5m": "5min", "15m": "15min", "30m": "30min", "1h": "60min"}
PAIR = re.compile(r"^([A-Z]{3,5})[-/]([A-Z]{3})$")
COINS = frozenset(
    ["BTC", "ETH", "LTC", "XRP", "ADA", "DOT", "SOL", "DOGE", "BCH", "XLM", "LINK", "UNI", "AVAX"]
)
FIELD = re.compile(r"^\d+a?\. (open|high|low|close|volume)\b")
MESSAGES = ("Error Message", "Information", "Note")
SAID: tuple[tuple[str, type[ProviderError], str], ...] = (
    ("rate limit", RateLimited, "wait a minute, or a day for the daily limit"),
    ("call frequency", RateLimited, "wait a minute, or a day for the daily limit"),
    ("requests per", RateLimited, "wait a minute, or a day for the daily limit"),
    ("apikey", BadKey, "check ALPHA_VANTAGE_API_KEY"),
    ("api key", BadKey, "check ALPHA_VANTAGE_API_KEY"),
    ("premium", Unsupported, "the plan of the key does not include it; ask another provider"),
    ("invalid api call", UnknownSymbol, "check the symbol"),
)


class AlphaVantageSettings(HttpSettings):
    """Settings of Alpha Vantage.

    Attributes
    ----------
    adjusted : bool
        Ask the service of a paid plan that also gives splits and dividends; prices stay raw.
    output_size : str
        ``full`` for the whole history, ``compact`` for the last hundred bars of a free plan.
    stamp : str
        Whether the service stamps an intraday bar with its start (now) or its end (until about 2021).
    requests_per_minute : int
        Pace of the plan.
    """

    base_url: str = "https://www.alphavantage.co"
    adjusted: bool = False
    output_size: Literal["full", "compact"] = "full"
    stamp: Literal["start", "end"] = "start"
    requests_per_minute: int = 5


class AlphaVantage(HttpProvider):
    """Provider of Alpha Vantage's prices."""

    name: ClassVar[str] = NAME
    Settings: ClassVar[type[AlphaVantageSettings]] = AlphaVantageSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        asset_classes=("stock", "etf", "fx", "crypto"),
        timeframes=(*STEPS, "1d"),
        corporate_actions=True,
        needs_key="ALPHA_VANTAGE_API_KEY",
    )
    key = Key("ALPHA_VANTAGE_API_KEY", parameter="apikey")
    settings: AlphaVantageSettings

    def __init__(self, settings: AlphaVantageSettings) -> None:
        super().__init__(settings)
        self.client.pace = (Pace(settings.requests_per_minute, 60.0),)

    def symbols(self) -> list[str]:
        """Empty: the service has no list that a free key may fetch."""
        return []

    def fetch(self, request: Request) -> Answer:
        """Bars, and splits and dividends where ``adjusted`` is set."""
        require_timeframe(self, request)
        return _frames.joined([self._one(symbol, request) for symbol in request.symbols])

    def _one(self, symbol: str, request: Request) -> Answer:
        pair = PAIR.match(symbol)
        if pair is not None:
            return self._pair(symbol, *pair.groups(), request=request)
        if request.timeframe in STEPS:
            return self._intraday(symbol, request)
        at = _frames.now()
        prices = self._series(
            parse_days,
            symbol,
            request.last,
            function="TIME_SERIES_DAILY_ADJUSTED" if self.settings.adjusted else "TIME_SERIES_DAILY",
            symbol=self.ticker(symbol),
            outputsize=self.settings.output_size,
        )
        bars = _frames.within(_frames.daily(prices, symbol, "1d", STOCKS, NAME), request, at)
        _frames.required(bars, NAME, symbol, request)
        return Answer(bars, _actions(prices, symbol, request))

    def _intraday(self, symbol: str, request: Request) -> Answer:
        at, step = _frames.now(), SPANS[request.timeframe]
        months = [
            self._series(
                parse_moments,
                symbol,
                request.last,
                function="TIME_SERIES_INTRADAY",
                symbol=self.ticker(symbol),
                interval=STEPS[request.timeframe],
                month=f"{month:%Y-%m}",
                adjusted="false",
                extended_hours="false",
                outputsize="full",
            )
            for month in _months(request.first, request.last)
        ]
        shift = step if self.settings.stamp == "end" else timedelta(0)
        prices = pl.concat(months).with_columns(starts_at=pl.col("moment") - shift)
        bars = _frames.intraday(prices, symbol, request.timeframe, STOCKS, NAME)
        return Answer(_frames.required(_frames.within(bars, request, at), NAME, symbol, request))

    def _pair(self, symbol: str, base: str, quote: str, *, request: Request) -> Answer:
        if request.timeframe != "1d":
            raise Unsupported(
                NAME, f"no {request.timeframe} bars of pairs", symbol=symbol, remedy="ask for 1d"
            )
        crypto, at = base in COINS, _frames.now()
        asked = (
            {"function": "DIGITAL_CURRENCY_DAILY", "symbol": base, "market": quote}
            if crypto
            else {
                "function": "FX_DAILY",
                "from_symbol": base,
                "to_symbol": quote,
                "outputsize": self.settings.output_size,
            }
        )
        days = self._series(parse_days, symbol, request.last, **asked)
        trading_calendar = ALL_DAY if crypto else WEEKDAYS
        bars = _frames.within(_frames.daily(days, symbol, "1d", trading_calendar, NAME), request, at)
        listing = _frames.instrument(
            symbol,
            source=NAME,
            asset_class="crypto" if crypto else "fx",
            exchange="CRYPTO" if crypto else "XOFF",
            trading_calendar=trading_calendar,
            currency=quote,
        )
        return Answer(_frames.required(bars, NAME, symbol, request), instruments=listing)

    def _series(
        self, parse: Callable[[bytes, str], pl.DataFrame], of: str, last: date, **parameters: str
    ) -> pl.DataFrame:
        return self.client.fetch(
            "/query",
            lambda body: parse(body, of),
            parameters={**parameters, "datatype": "json"},
            symbol=of,
            valid_for=_frames.validity(last, _frames.now()),
        )


def parse_series(body: bytes, symbol: str) -> pl.DataFrame:
    """Rows of a time series, oldest first: at (as the service writes it), prices, dividend and split.

    Foreign exchange has no volume, which reads as 0.
    """
    document = json_of(body, NAME, symbol, dict)
    series = next((value for name, value in document.items() if name.startswith("Time Series")), None)
    if series is None:
        raise _told(document, symbol)
    rows = [[at, *_prices(row), *_events(row)] for at, row in sorted(series.items())]
    numbers = dict.fromkeys((*_frames.PRICES, "dividend", "split"), pl.Float64)
    return pl.DataFrame(rows, schema={"at": pl.String, **numbers}, orient="row")


def parse_days(body: bytes, symbol: str) -> pl.DataFrame:
    """Rows of a daily series with their ``session``."""
    return parse_series(body, symbol).with_columns(session=pl.col("at").str.to_date())


def parse_moments(body: bytes, symbol: str) -> pl.DataFrame:
    """Rows of an intraday series with their ``moment`` in UTC; the service writes New York's time."""
    local = pl.col("at").str.to_datetime(time_unit="us")
    moment = local.dt.replace_time_zone("America/New_York", ambiguous="earliest")
    return parse_series(body, symbol).with_columns(moment=moment.dt.convert_time_zone("UTC"))


def _prices(row: dict[str, str]) -> list[float]:
    found = {match.group(1): float(value) for name, value in row.items() if (match := FIELD.match(name))}
    return [found[name] for name in _frames.PRICES[:4]] + [found.get("volume", 0.0)]


def _events(row: dict[str, str]) -> list[float]:
    return [float(row.get("7. dividend amount", 0.0)), float(row.get("8. split coefficient", 1.0))]


def _told(document: dict[str, Any], symbol: str) -> ProviderError:
    """Error that an answer without a time series means."""
    if not document:
        return NoData(NAME, "an empty answer", symbol=symbol, remedy="check the symbol")
    text = " ".join(str(document[name]) for name in MESSAGES if name in document)
    for words, kind, remedy in SAID:
        if words in text.lower():
            return kind(NAME, f"it said: {text[:200]}", symbol=symbol, remedy=remedy)
    said = text or f"keys {', '.join(document)}"
    return MalformedAnswer(NAME, f"no time series: {said[:200]}", symbol=symbol, remedy="check the request")


def _actions(prices: pl.DataFrame, symbol: str, request: Request) -> pl.DataFrame:
    asked = prices.filter(pl.col("session").is_between(request.first, request.last))
    dividends = asked.filter(pl.col("dividend") > 0).select(
        ex_date="session", value="dividend", action=pl.lit("cash_dividend")
    )
    splits = asked.filter(pl.col("split") != 1).select(
        ex_date="session", value="split", action=pl.lit("split")
    )
    return _frames.actions(pl.concat([dividends, splits]).sort("ex_date"), symbol, "USD", NAME)


def _months(first: date, last: date) -> list[date]:
    count = (last.year - first.year) * 12 + last.month - first.month
    return [
        date(first.year + (first.month - 1 + n) // 12, (first.month - 1 + n) % 12 + 1, 1)
        for n in range(count + 1)
    ]


PROVIDER = AlphaVantage
