"""Binance: crypto bars (klines), without a key.

A pair may be written ``BTCUSDT``, ``BTC-USDT`` or ``BTC/USDT``. Times are UTC and a session is a UTC day.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from resources.calendar import ALL_DAY
from resources.http import HttpProvider, HttpSettings, Pace
from resources.http_errors import json_of
from resources.providers import _frames, depth_files
from resources.providers.base import (
    Answer,
    Capabilities,
    ProviderError,
    RateLimited,
    Request,
    UnknownSymbol,
    Unsupported,
    require_timeframe,
)
from trading.resampling import SPANS

NAME = "binance"
PAGE = 1000
UNKNOWN_PAIR = -1121
QUOTES = re.compile(r"(USDT|USDC|FDUSD|TUSD|BUSD|USD|EUR|GBP|TRY|BRL|JPY|BTC|ETH|BNB)$")


class BinanceSettings(HttpSettings):
    """Settings of Binance; ``base_url`` may name the mirror ``https://data-api.binance.vision``."""

    base_url: str = "https://api.binance.com"


class Binance(HttpProvider):
    """Provider of Binance's spot prices."""

    name: ClassVar[str] = NAME
    Settings: ClassVar[type[BinanceSettings]] = BinanceSettings
    capabilities: ClassVar[Capabilities] = Capabilities(asset_classes=("crypto",), timeframes=tuple(SPANS))
    pace = (Pace(1000, 60.0),)

    def symbols(self) -> list[str]:
        """Every pair that trades."""
        return self.client.fetch("/api/v3/exchangeInfo", parse_symbols, valid_for=timedelta(days=1))

    def fetch(self, request: Request) -> Answer:
        """Bars of the pairs asked for."""
        require_timeframe(self, request)
        return _frames.joined([self._one(symbol, request) for symbol in request.symbols])

    def depth(self, symbol: str, levels: int = depth_files.LEVELS) -> pl.DataFrame:
        """Order book of a pair now; columns of the table ``depth`` without ``known_at``."""
        pair = re.sub(r"[-/]", "", self.ticker(symbol)).upper()
        return self.client.fetch(
            "/api/v3/depth",
            lambda body: depth_files.binance_snapshot(body, symbol, _frames.now(), levels, NAME),
            parameters={"symbol": pair, "limit": levels},
            symbol=symbol,
        )

    @staticmethod
    def refusal(status: int, body: str) -> type[ProviderError] | None:
        """Binance gives a code of its own, bans with 418 and closes regions with 451."""
        if status in {418, 429}:
            return RateLimited
        if status in {403, 451}:
            return Unsupported
        try:
            code = json.loads(body)["code"]
        except (ValueError, KeyError, TypeError):
            return None
        return UnknownSymbol if code == UNKNOWN_PAIR else None

    def _one(self, symbol: str, request: Request) -> Answer:
        at = _frames.now()
        pair = re.sub(r"[-/]", "", self.ticker(symbol)).upper()
        # A week belongs to the session it ends in and begins up to six days before.
        before = max(SPANS[request.timeframe] - timedelta(days=1), timedelta(0))
        start = datetime.combine(request.first, datetime.min.time(), UTC) - before
        end = datetime.combine(request.last, datetime.min.time(), UTC) + timedelta(days=1)
        pages = []
        while start < end:
            page = self.client.fetch(
                "/api/v3/klines",
                lambda body: parse_klines(body, symbol),
                parameters={
                    "symbol": pair,
                    "interval": request.timeframe,
                    "startTime": _milliseconds(start),
                    "endTime": _milliseconds(end) - 1,
                    "limit": PAGE,
                },
                symbol=symbol,
                valid_for=_frames.validity(request.last, at),
            )
            pages.append(page)
            if page.height < PAGE:
                break
            start = page["starts_at"][-1] + SPANS[request.timeframe]
        bars = _frames.intraday(pl.concat(pages), symbol, request.timeframe, ALL_DAY, NAME)
        bars = _frames.required(_frames.within(bars, request, at), NAME, symbol, request)
        quote = QUOTES.search(pair)
        listing = _frames.instrument(
            symbol,
            source=NAME,
            ticker=pair,
            asset_class="crypto",
            exchange="BINANCE",
            trading_calendar=ALL_DAY,
            currency=quote.group() if quote else "USDT",
        )
        return Answer(bars, instruments=listing)


def parse_klines(body: bytes, symbol: str) -> pl.DataFrame:
    """Bars by opening time out of klines."""
    rows: list[list[Any]] = json_of(body, NAME, symbol, list)
    schema = {"starts_at": pl.Int64, **dict.fromkeys(_frames.PRICES, pl.Float64)}
    values = [[int(row[0]), *(float(value) for value in row[1:6])] for row in rows]
    frame = pl.DataFrame(values, schema=schema, orient="row")
    return frame.with_columns(
        pl.from_epoch("starts_at", "ms").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )


def parse_symbols(body: bytes) -> list[str]:
    """Pairs that trade."""
    document = json_of(body, NAME, None, dict)
    return sorted(pair["symbol"] for pair in document["symbols"] if pair["status"] == "TRADING")


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


PROVIDER = Binance
