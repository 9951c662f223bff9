"""Alpaca: raw stock and crypto bars and corporate actions, through the package alpaca-py (extra ``alpaca``).

The package speaks over connections of this module, which add what it lacks: time limits, raw answers kept,
bounded attempts and typed errors. Crypto pairs are written with a slash, such as ``BTC/USD``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qsl, urlsplit

import polars as pl

from resources.calendar import ALL_DAY, STOCKS
from resources.http import UNREADABLE, HttpSettings, Pace, paced, repeated
from resources.http_errors import AgainError, Asked
from resources.keys import Key
from resources.providers import _frames
from resources.providers._packaged import PackagedProvider
from resources.providers.base import (
    Answer,
    Capabilities,
    ProviderError,
    Request,
    UnknownSymbol,
)
from resources.raw_answers import RawRequest

NAME = "alpaca"
STEPS = {
    "1m": (1, "Minute"),
    "5m": (5, "Minute"),
    "15m": (15, "Minute"),
    "30m": (30, "Minute"),
    "1h": (1, "Hour"),
    "4h": (4, "Hour"),
    "1d": (1, "Day"),
}
ID, SECRET = Key("APCA_API_KEY_ID"), Key("APCA_API_SECRET_KEY")
FIELDS = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}


class AlpacaSettings(HttpSettings):
    """Settings of Alpaca.

    Attributes
    ----------
    feed : str
        ``iex`` for a free plan, ``sip`` for all exchanges.
    """

    base_url: str = "https://data.alpaca.markets"
    feed: Literal["iex", "sip"] = "iex"


class Alpaca(PackagedProvider[AlpacaSettings]):
    """Provider of Alpaca's raw bars, and of splits, dividends, spin-offs and renames of its stocks."""

    name: ClassVar[str] = NAME
    Settings: ClassVar[type[AlpacaSettings]] = AlpacaSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        asset_classes=("stock", "etf", "crypto"),
        timeframes=tuple(STEPS),
        corporate_actions=True,
        needs_key=ID.variable,
    )
    package = ("alpaca", "alpaca-py", "alpaca")
    pace = (Pace(200, 60.0),)

    def one(self, symbol: str, request: Request) -> Answer:
        """Bars of a symbol; daily ones of stocks with their corporate actions."""
        crypto, at = "/" in symbol, _frames.now()
        trading_calendar = ALL_DAY if crypto else STOCKS
        rows = self._bars(symbol, request, crypto)
        if request.timeframe == "1d":
            day = pl.col("starts_at").dt.convert_time_zone(_frames.time_zone(trading_calendar)).dt.date()
            days = rows.with_columns(day.alias("session"))
            bars = _frames.daily(days, symbol, "1d", trading_calendar, NAME)
        else:
            inside = _frames.regular(rows, trading_calendar)
            bars = _frames.intraday(inside, symbol, request.timeframe, trading_calendar, NAME)
        bars = _frames.required(_frames.within(bars, request, at), NAME, symbol, request)
        if crypto or request.timeframe != "1d":
            return Answer(bars)
        return Answer(bars, self._actions(symbol, request))

    def _bars(self, symbol: str, request: Request, crypto: bool) -> pl.DataFrame:
        data = _frames.optional("alpaca.data", NAME, "alpaca-py", "alpaca")
        frames = _frames.optional("alpaca.data.timeframe", NAME, "alpaca-py", "alpaca")
        amount, unit = STEPS[request.timeframe]
        asked: dict[str, Any] = {
            "symbol_or_symbols": self.ticker(symbol),
            "timeframe": frames.TimeFrame(amount, frames.TimeFrameUnit[unit]),
            "start": datetime.combine(request.first, datetime.min.time(), UTC),
            "end": datetime.combine(request.last, datetime.min.time(), UTC) + timedelta(days=2),
        }
        if crypto:
            call = self._client(data.CryptoHistoricalDataClient, symbol).get_crypto_bars
            wanted = data.CryptoBarsRequest(**asked)
        else:
            call = self._client(data.StockHistoricalDataClient, symbol).get_stock_bars
            wanted = data.StockBarsRequest(**asked, feed=self.settings.feed, adjustment="raw")
        return self._called(symbol, lambda: parse_bars(call(wanted), self.ticker(symbol)))

    def _actions(self, symbol: str, request: Request) -> pl.DataFrame:
        history = _frames.optional("alpaca.data.historical.corporate_actions", NAME, "alpaca-py", "alpaca")
        data = _frames.optional("alpaca.data.requests", NAME, "alpaca-py", "alpaca")
        asked = data.CorporateActionsRequest(
            symbols=[self.ticker(symbol)], start=request.first, end=request.last
        )
        client = self._client(history.CorporateActionsClient, symbol)
        return self._called(
            symbol, lambda: parse_actions(client.get_corporate_actions(asked), symbol, self.ticker(symbol))
        )

    def _client(self, kind: Any, symbol: str) -> Any:
        client = kind(
            api_key=ID.read(NAME),
            secret_key=SECRET.read(NAME),
            raw_data=True,
            url_override=self.settings.base_url,
        )
        # Its own attempts neither hear Retry-After nor end in time; those of this module do.
        client._retry = 0
        connection = _connection(self.settings.timeout, self._keep, symbol)
        for scheme in ("http://", "https://"):
            client._session.mount(scheme, connection)
        return client

    def _keep(self, url: str, body: bytes, symbol: str) -> None:
        parts = urlsplit(url)
        address = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self.keep(RawRequest(NAME, address, dict(parse_qsl(parts.query)), symbol), body)

    def _called(self, symbol: str, call: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        errors = _frames.optional("alpaca.common.exceptions", NAME, "alpaca-py", "alpaca")
        requests = _frames.optional("requests", NAME, "alpaca-py", "alpaca")
        asked = Asked(NAME, self.settings.base_url, symbol, ID)

        def once() -> pl.DataFrame:
            try:
                with paced(asked, self.settings.base_url, self.pace, 4):
                    return call()
            except errors.APIError as error:
                raise _refused(asked, error) from None
            except requests.exceptions.JSONDecodeError as error:
                raise asked.unreadable(error) from None
            except requests.exceptions.Timeout:
                raise AgainError(asked.unreachable(f"no answer in {self.settings.timeout:g} s")) from None
            except requests.exceptions.ChunkedEncodingError as error:
                raise AgainError(asked.broken_off(str(error))) from None
            except requests.exceptions.RequestException as error:
                raise AgainError(asked.unreachable(type(error).__name__)) from None
            except UNREADABLE as error:
                raise asked.unreadable(error) from None

        return repeated(self.settings, once)


def parse_bars(found: dict[str, Any], ticker: str) -> pl.DataFrame:
    """Bars by opening time out of rows by symbol."""
    rows = found.get(ticker, [])
    columns = {name: [float(row[short]) for row in rows] for name, short in FIELDS.items()}
    schema = {"starts_at": pl.String, **dict.fromkeys(FIELDS, pl.Float64)}
    frame = pl.DataFrame({"starts_at": [row["t"] for row in rows], **columns}, schema=schema)
    return frame.with_columns(
        pl.col("starts_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC")
    )


def parse_actions(found: dict[str, Any], symbol: str, ticker: str) -> pl.DataFrame:
    """Corporate actions out of lists by kind."""
    rows = list(_actions(found, ticker))
    schema = {
        "ex_date": pl.Date,
        "action": pl.String,
        "value": pl.Float64,
        "pay_date": pl.Date,
        "new_symbol": pl.String,
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return _frames.actions(frame.sort("ex_date"), symbol, "USD", NAME)


Row = tuple[date, str, float | None, date | None, str | None]


def _actions(found: dict[str, Any], ticker: str) -> Iterator[Row]:
    for kind in ("forward_splits", "reverse_splits"):
        for row in found.get(kind, []):
            yield _day(row["ex_date"]), "split", row["new_rate"] / row["old_rate"], None, None
    for row in found.get("cash_dividends", []):
        action = "special_dividend" if row.get("special") else "cash_dividend"
        yield _day(row["ex_date"]), action, float(row["rate"]), _pay_day(row), None
    for row in found.get("stock_dividends", []):
        yield _day(row["ex_date"]), "split", 1.0 + float(row["rate"]), None, None
    for row in found.get("spin_offs", []):
        if row["source_symbol"] == ticker:
            ratio = float(row["new_rate"]) / float(row["source_rate"])
            yield _day(row["ex_date"]), "spin_off", ratio, None, row["new_symbol"]
    for row in found.get("name_changes", []):
        if row["old_symbol"] == ticker:
            yield _day(row["process_date"]), "rename", None, None, row["new_symbol"]


def _day(text: str) -> date:
    return date.fromisoformat(text[:10])


def _pay_day(row: dict[str, Any]) -> date | None:
    return _day(row["payable_date"]) if row.get("payable_date") else None


def _refused(asked: Asked, error: Any) -> Exception:
    """Typed error of a refusal that the package reports."""
    response = error.response
    body: bytes = response.content
    for key in (ID, SECRET):
        body = key.blotted(NAME, body)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return asked.refused(response.status_code, headers, body, _own(response.status_code, body))


def _own(status: int, body: bytes) -> type[ProviderError] | None:
    """Alpaca answers 400 or 422 to a symbol that it does not know."""
    if status not in {400, 422}:
        return None
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return None
    return UnknownSymbol if "symbol" in message.lower() else None


def _connection(timeout: float, keep: Callable[[str, bytes, str], None], symbol: str) -> Any:
    """Connection with a time limit that keeps every answer as it came."""
    adapters = _frames.optional("requests.adapters", NAME, "alpaca-py", "alpaca")

    class Connection(adapters.HTTPAdapter):  # type: ignore[misc,name-defined]
        def send(self, request: Any, **options: Any) -> Any:
            response = super().send(request, **{**options, "timeout": timeout})
            if response.status_code == 200:
                keep(request.url, response.content, symbol)
            return response

    return Connection()


PROVIDER = Alpaca
