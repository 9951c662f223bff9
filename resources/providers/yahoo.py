"""Yahoo: daily and recent intraday bars, splits and dividends, through yfinance (extra ``yahoo``).

Yahoo gives prices, volumes and dividends adjusted for every split up to today; here they are taken back to
what was traded, which needs the splits up to today whatever the range. Its known faults (wrong currency
units, missing splits or dividends, zero volume) are the business of the quality checks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

import polars as pl
from pydantic import Field

from resources.calendar import ALL_DAY, STOCKS, WEEKDAYS
from resources.http import UNREADABLE, HttpSettings, Pace, paced, repeated
from resources.http_errors import AgainError, Asked, one_line
from resources.providers import _frames
from resources.providers._packaged import PackagedProvider
from resources.providers.base import (
    Answer,
    Capabilities,
    NoData,
    ProviderError,
    Request,
    UnknownSymbol,
    Unsupported,
)
from resources.raw_answers import RawRequest

NAME = "yahoo"
STEPS = {"1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1h", "1d": "1d"}
CALENDARS = {
    **dict.fromkeys(("NMS", "NGM", "NCM", "NYQ", "ASE", "PCX", "BTS", "PNK", "SNP", "DJI", "CGI"), STOCKS),
    "CCC": ALL_DAY,
    "CCY": WEEKDAYS,
    "LSE": "XLON",
    "GER": "XETR",
    "FRA": "XFRA",
    "PAR": "XPAR",
    "AMS": "XAMS",
    "EBS": "XSWX",
    "MIL": "XMIL",
    "STO": "XSTO",
    "TOR": "XTSE",
    "JPX": "XTKS",
    "HKG": "XHKG",
    "ASX": "XASX",
}
CLASSES = {"EQUITY": "stock", "ETF": "etf", "CRYPTOCURRENCY": "crypto", "CURRENCY": "fx", "INDEX": "index"}
CLASSES |= {"MUTUALFUND": "etf", "FUTURE": "future"}
HUNDREDTHS = {"GBp": "GBP", "ZAc": "ZAR", "ILA": "ILS"}
"""Currencies in whose hundredth part some exchanges quote."""
DECIMALS = 6
HOST = "yahoo.com"


class YahooSettings(HttpSettings):
    """Settings of Yahoo.

    Attributes
    ----------
    base_url : str
        Address that stands in for all of Yahoo's; the default leaves them as they are.
    calendars : dict
        Trading calendar by Yahoo's code of an exchange, for those that are not known here.
    """

    base_url: str = "https://query2.finance.yahoo.com"
    calendars: dict[str, str] = Field(default_factory=dict)


class Yahoo(PackagedProvider[YahooSettings]):
    """Provider of Yahoo's prices, splits and dividends."""

    name: ClassVar[str] = NAME
    Settings: ClassVar[type[YahooSettings]] = YahooSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        asset_classes=("stock", "etf", "crypto", "fx", "index"),
        timeframes=tuple(STEPS),
        corporate_actions=True,
    )
    package = ("yfinance", "yfinance", "yahoo")
    pace = (Pace(2, 1.0),)

    def one(self, symbol: str, request: Request) -> Answer:
        """Raw bars of a symbol with its splits and dividends, and the listing."""
        at = _frames.now()
        days, meta = self._history(symbol, request.first, "1d")
        rows = days
        if request.timeframe != "1d":
            rows, _ = self._history(symbol, request.first, STEPS[request.timeframe])
        trading_calendar = self._calendar(meta, symbol)
        unit = 100.0 if meta["currency"] in HUNDREDTHS else 1.0
        raw = unadjusted(rows, days, unit)
        if request.timeframe == "1d":
            bars = _frames.daily(raw, symbol, "1d", trading_calendar, NAME)
        else:
            bars = _frames.intraday(raw, symbol, request.timeframe, trading_calendar, NAME)
        bars = _frames.required(_frames.within(bars, request, at), NAME, symbol, request)
        return Answer(bars, parse_actions(days, symbol, request, meta, unit), self._listing(symbol, meta))

    def _listing(self, symbol: str, meta: dict[str, Any]) -> pl.DataFrame:
        return _frames.instrument(
            symbol,
            source=NAME,
            ticker=meta["symbol"],
            asset_class=CLASSES.get(meta["instrumentType"], "stock"),
            exchange=meta["exchangeName"],
            trading_calendar=self._calendar(meta, symbol),
            currency=HUNDREDTHS.get(meta["currency"], meta["currency"]),
            valid_from=meta["first"],
        )

    def _calendar(self, meta: dict[str, Any], symbol: str) -> str:
        exchange = meta["exchangeName"]
        found = self.settings.calendars.get(exchange) or CALENDARS.get(exchange)
        if found is None:
            raise Unsupported(
                NAME,
                f"no calendar is known for its exchange {exchange}",
                symbol=symbol,
                remedy="set calendars",
            )
        return found

    def _history(self, symbol: str, first: date, interval: str) -> tuple[pl.DataFrame, dict[str, Any]]:
        package = _frames.optional("yfinance", NAME, "yfinance", "yahoo")
        package.config.debug.hide_exceptions = False
        session = _session(self.settings, symbol, self.keep)
        ticker = package.Ticker(self.ticker(symbol), session=session)

        def call() -> tuple[pl.DataFrame, dict[str, Any]]:
            frame = ticker.history(
                start=first, interval=interval, auto_adjust=False, timeout=self.settings.timeout
            )
            return parse_history(frame), parse_meta(ticker.history_metadata)

        return self._called(symbol, call)

    def _called(
        self, symbol: str, call: Callable[[], tuple[pl.DataFrame, dict[str, Any]]]
    ) -> tuple[pl.DataFrame, dict[str, Any]]:
        errors = _frames.optional("yfinance.exceptions", NAME, "yfinance", "yahoo")
        asked = Asked(NAME, self.settings.base_url, symbol, None)

        def once() -> tuple[pl.DataFrame, dict[str, Any]]:
            try:
                with paced(asked, self.settings.base_url, self.pace, 1):
                    return call()
            except ProviderError:
                raise
            except errors.YFRateLimitError as error:
                raise AgainError(asked.limited(one_line(str(error)), None)) from None
            except errors.YFPricesMissingError as error:
                raise NoData(
                    NAME, one_line(str(error)), symbol=symbol, remedy="ask for another range"
                ) from None
            except errors.YFTickerMissingError as error:
                raise UnknownSymbol(
                    NAME, one_line(str(error)), symbol=symbol, remedy="check the symbol"
                ) from None
            except errors.YFException as error:
                raise AgainError(asked.unreachable(one_line(str(error)))) from None
            except json.JSONDecodeError as error:
                raise asked.unreadable(error) from None
            except OSError as error:
                raise AgainError(asked.unreachable(one_line(str(error)))) from None
            except UNREADABLE as error:
                raise asked.unreadable(error) from None

        return repeated(self.settings, once)


def parse_history(frame: Any) -> pl.DataFrame:
    """Rows out of the package's pandas frame: starts_at, session, prices, volume, dividend, split."""
    stamps = list(frame.index)
    columns = {name: frame[name.title()].to_list() for name in _frames.PRICES}
    columns |= {"dividend": frame["Dividends"].to_list(), "split": frame["Stock Splits"].to_list()}
    table = pl.DataFrame(
        {
            "starts_at": [datetime.fromtimestamp(stamp.timestamp(), UTC) for stamp in stamps],
            "session": [stamp.date() for stamp in stamps],
            **columns,
        },
        schema={
            "starts_at": pl.Datetime("us", "UTC"),
            "session": pl.Date,
            **dict.fromkeys(columns, pl.Float64),
        },
        strict=False,
    )
    return table.filter(pl.col("close").is_not_nan() & pl.col("close").is_not_null())


def parse_meta(meta: Any) -> dict[str, Any]:
    """What the listing needs of the package's metadata."""
    required = ("symbol", "currency", "exchangeName", "instrumentType")
    found: dict[str, Any] = {name: meta[name] for name in required}
    began = meta.get("firstTradeDate")
    if isinstance(began, int | float):
        began = datetime.fromtimestamp(began, UTC)
    found["first"] = began.date() if began is not None else _frames.UNTOLD
    return found


def unadjusted(rows: pl.DataFrame, days: pl.DataFrame, unit: float = 1.0) -> pl.DataFrame:
    """Prices as they were traded: multiplied by the ratios of all later splits, volumes divided by them.

    Parameters
    ----------
    rows : polars.DataFrame
        Rows with session, prices and volume, adjusted for splits.
    days : polars.DataFrame
        Daily rows up to today with session and split (0 or 1: none).
    unit : float
        Units of quotation in one unit of the currency: 100 for pence.
    """
    factors = rows.select("session").unique().join(_later_splits(days), how="cross")
    later = (
        factors.filter(pl.col("ex_date") > pl.col("session"))
        .group_by("session")
        .agg(pl.col("ratio").product())
    )
    ratio = pl.col("ratio").fill_null(1.0)
    return (
        rows.join(later, on="session", how="left", maintain_order="left")
        .with_columns(
            *((pl.col(name) * ratio / unit).round(DECIMALS) for name in _frames.PRICES[:4]),
            (pl.col("volume") / ratio).round(0),
        )
        .drop("ratio")
    )


def parse_actions(
    days: pl.DataFrame, symbol: str, request: Request, meta: dict[str, Any], unit: float = 1.0
) -> pl.DataFrame:
    """Splits and cash dividends of the range, dividends as they were paid."""
    paid = days.with_columns(open=pl.col("dividend"), high=0.0, low=0.0, close=0.0)
    raw = unadjusted(paid, days, unit)
    dividends = raw.filter(pl.col("dividend") > 0).select(
        ex_date="session", value="open", action=pl.lit("cash_dividend")
    )
    splits = _later_splits(days).select("ex_date", value="ratio", action=pl.lit("split"))
    asked = pl.concat([dividends, splits]).filter(pl.col("ex_date").is_between(request.first, request.last))
    currency = HUNDREDTHS.get(meta["currency"], meta["currency"])
    return _frames.actions(asked.sort("ex_date"), symbol, currency, NAME)


def _later_splits(days: pl.DataFrame) -> pl.DataFrame:
    real = days.filter((pl.col("split") != 0) & (pl.col("split") != 1))
    return real.select(ex_date="session", ratio="split")


def _session(settings: YahooSettings, symbol: str, keep: Callable[[RawRequest, bytes], None]) -> Any:
    """Session of the package's own kind with a time limit, that keeps what it receives.

    The package itself stumbles over an unknown symbol, so that the session tells it. With another
    ``base_url`` than the default, all requests for Yahoo's hosts go there.
    """
    requests = _frames.optional("curl_cffi.requests", NAME, "yfinance", "yahoo")
    elsewhere = settings.base_url != YahooSettings().base_url

    class Session(requests.Session):  # type: ignore[misc,name-defined]
        def request(self, method: str, url: str, **options: Any) -> Any:
            parts = urlsplit(url)
            if elsewhere and (parts.hostname or "").endswith(HOST):
                url = settings.base_url.rstrip("/") + parts.path
            response = super().request(method, url, **{**options, "timeout": settings.timeout})
            if "/chart/" in parts.path and response.status_code == 404:
                raise UnknownSymbol(NAME, "not known, status 404", symbol=symbol, remedy="check the symbol")
            if "/chart/" in parts.path and response.status_code == 200:
                query = {name: str(value) for name, value in (options.get("params") or {}).items()}
                query.pop("crumb", None)
                address = f"{parts.scheme}://{parts.netloc}{parts.path}"
                keep(RawRequest(NAME, address, query, symbol), response.content)
            return response

    return Session(impersonate="chrome")


PROVIDER = Yahoo
