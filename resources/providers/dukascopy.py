"""Dukascopy: ticks and candles of foreign exchange, metals and crypto, without a key, from two services.

The JSON service is asked first and the older tree of binary files when it cannot be reached or does not
have the period (setting ``service``). Prices are those of one side of the quote, the bid unless set
otherwise. Symbols may be written ``EURUSD``, ``EUR-USD`` or ``EUR/USD``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import polars as pl
from pydantic import Field

from resources.calendar import ALL_DAY, WEEKDAYS
from resources.http import HttpProvider, HttpSettings, Pace
from resources.http_errors import json_of
from resources.providers import _dukascopy_formats as formats
from resources.providers import _frames
from resources.providers.base import (
    Answer,
    Capabilities,
    NoData,
    Request,
    UnknownSymbol,
    Unreachable,
    Unsupported,
    require_timeframe,
)

T = TypeVar("T")
NAME = "dukascopy"
AT_ONCE = 4
FOR_EVER = timedelta(days=36500)
COINS = frozenset({"BTC", "ETH", "LTC", "BCH", "ADA", "XLM", "DSH", "EOS", "TRX", "UNI", "LNK", "MAT"})
METALS = frozenset({"XAU", "XAG", "XPT", "XPD"})
NATIVE = {"1m": "1m", "5m": "1m", "15m": "1m", "30m": "1m", "1h": "1h", "4h": "1h", "1d": "1d"}
"""Candles that each timeframe is made of."""
FILES = {"1m": "min_1", "1h": "hour_1", "1d": "day_1"}
NAMES = {"1m": "minute", "1h": "hour", "1d": "day"}
MONDAY, SUNDAY = 1, 7


class DukascopySettings(HttpSettings):
    """Settings of Dukascopy.

    Attributes
    ----------
    base_url : str
        Address of the tree of binary files.
    json_url : str
        Address of the JSON service.
    service : str
        ``json``, ``files``, or ``both``: JSON first.
    side : str
        Side of the quote that candles are made of.
    divisors : dict
        What the binary files' integer prices are divided by, for symbols other than currencies (100000),
        yen pairs and metals (1000).
    fold_sundays : bool
        Join the two hours of Sunday evening with Monday, as the calendar of foreign exchange has it.
    """

    base_url: str = "https://datafeed.dukascopy.com"
    json_url: str = "https://jetta.dukascopy.com"
    service: Literal["json", "files", "both"] = "both"
    side: Literal["BID", "ASK"] = "BID"
    divisors: dict[str, float] = Field(default_factory=dict)
    fold_sundays: bool = True


class Period(NamedTuple):
    """The day, month or year that one file of candles covers."""

    start: date
    end: date
    """First day after it."""


class Dukascopy(HttpProvider):
    """Provider of Dukascopy's history."""

    name: ClassVar[str] = NAME
    Settings: ClassVar[type[DukascopySettings]] = DukascopySettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        asset_classes=("fx", "crypto"), timeframes=tuple(NATIVE)
    )
    pace = (Pace(50, 1.0),)
    at_once = AT_ONCE
    settings: DukascopySettings

    def symbols(self) -> list[str]:
        """Codes of every instrument of the JSON service."""
        return self.client.fetch(
            "/v1/instruments", parse_codes, base_url=self.settings.json_url, valid_for=timedelta(days=1)
        )

    def fetch(self, request: Request) -> Answer:
        """Bars made of one side's candles."""
        require_timeframe(self, request)
        return _frames.joined([self._one(symbol, request) for symbol in request.symbols])

    def ticks(self, symbol: str, day: date) -> pl.DataFrame:
        """Every change of the quote on one UTC day.

        Returns
        -------
        polars.DataFrame
            Columns at, bid, ask, bid_volume, ask_volume; volumes are the units offered.
        """
        code = self._code(symbol)
        midnight = datetime.combine(day, datetime.min.time(), UTC)
        hours = [midnight + timedelta(hours=hour) for hour in range(24)]
        past = [hour for hour in hours if hour < _frames.now()]
        frames = self._gathered(past, lambda hour: self._hour(code, hour, symbol), symbol)
        if not frames:
            raise NoData(NAME, f"no ticks on {day}", symbol=symbol, remedy="ask for another day")
        return pl.concat(frames)

    def _one(self, symbol: str, request: Request) -> Answer:
        code, at = self._code(symbol), _frames.now()
        native = NATIVE[request.timeframe]
        before = timedelta(days=self._folds(code) and request.first.isoweekday() == MONDAY)
        periods = [p for p in _periods(native, request.first - before, request.last) if p.start <= at.date()]
        frames = self._gathered(periods, lambda period: self._candles(code, native, period, symbol), symbol)
        if not frames:
            raise NoData(
                NAME,
                f"no {request.timeframe} bars from {request.first} to {request.last}",
                symbol=symbol,
                remedy="ask for another range, or another provider",
            )
        candles = pl.concat(frames).sort("starts_at")
        if request.timeframe != native:
            candles = _frames.resampled(candles, request.timeframe)
        bars = self._bars(candles, code, symbol, request.timeframe)
        bars = _frames.required(_frames.within(bars, request, at), NAME, symbol, request)
        return Answer(bars, instruments=_listing(symbol, code))

    def _bars(self, candles: pl.DataFrame, code: str, symbol: str, timeframe: str) -> pl.DataFrame:
        if not self._folds(code):
            return _frames.intraday(candles, symbol, timeframe, ALL_DAY, NAME)
        if timeframe == "1d":
            candles = _sundays_folded(candles)
        bars = _frames.intraday(candles, symbol, timeframe, WEEKDAYS, NAME)
        sunday = pl.col("session").dt.weekday() == SUNDAY
        return bars.with_columns(
            pl.when(sunday).then(pl.col("session") + timedelta(days=1)).otherwise("session").alias("session")
        )

    def _folds(self, code: str) -> bool:
        return self.settings.fold_sundays and code.split("-", maxsplit=1)[0] not in COINS

    def _code(self, symbol: str) -> str:
        name = self.ticker(symbol).upper().replace("/", "-")
        if "-" in name:
            return name
        if not re.fullmatch(r"[A-Z]{6}", name):
            raise UnknownSymbol(
                NAME,
                "not a pair",
                symbol=symbol,
                remedy="write EUR-USD, or set tickers for other instruments",
            )
        return f"{name[:3]}-{name[3:]}"

    def _divisor(self, code: str, symbol: str) -> float:
        base, _, quote = code.partition("-")
        if symbol in self.settings.divisors:
            return self.settings.divisors[symbol]
        if not re.fullmatch(r"[A-Z]{3}-[A-Z]{3}", code) or base in COINS:
            raise Unsupported(
                NAME, "the price scale of its files is not known", symbol=symbol, remedy="set divisors"
            )
        return 1e3 if quote == "JPY" or base in METALS else 1e5

    def _gathered(self, parts: list[T], ask: Callable[[T], pl.DataFrame], symbol: str) -> list[pl.DataFrame]:
        """Frames of all parts in order; a part that the service does not have counts as empty.

        When it has none of them, the symbol itself is unknown.
        """

        def one(part: T) -> pl.DataFrame | UnknownSymbol:
            try:
                return ask(part)
            except UnknownSymbol as missing:
                return missing

        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(one, parts))
        frames = [answer for answer in answers if isinstance(answer, pl.DataFrame)]
        if answers and not frames:
            raise UnknownSymbol(
                NAME, "neither service has it in the range", symbol=symbol, remedy="check symbol and range"
            )
        return [frame for frame in frames if not frame.is_empty()]

    def _hour(self, code: str, hour: datetime, symbol: str) -> pl.DataFrame:
        settled = FOR_EVER if hour + timedelta(days=2) < _frames.now() else None
        start_ms = int(hour.timestamp() * 1000)

        def from_json() -> pl.DataFrame:
            return self.client.fetch(
                f"/v1/ticks/{code}/{hour.year}/{hour.month}/{hour.day}/{hour.hour}",
                lambda body: formats.json_ticks(json_of(body, NAME, symbol, dict)),
                symbol=symbol,
                base_url=self.settings.json_url,
                valid_for=settled,
            )

        def from_files() -> pl.DataFrame:
            divisor = self._divisor(code, symbol)
            return self.client.fetch(
                f"{_tree(code)}/{hour.year}/{hour.month - 1:02}/{hour.day:02}/{hour.hour:02}h_ticks.bi5",
                lambda body: formats.packed_ticks(body, start_ms, divisor),
                symbol=symbol,
                valid_for=settled,
            )

        return self._either(from_json, from_files)

    def _candles(self, code: str, native: str, period: Period, symbol: str) -> pl.DataFrame:
        today = _frames.now().date()
        settled = FOR_EVER if period.end + timedelta(days=2) <= today else None
        start_ms = int(datetime.combine(period.start, datetime.min.time(), UTC).timestamp() * 1000)
        side, start = self.settings.side, period.start

        def from_json() -> pl.DataFrame:
            # The period under way is asked for without its date.
            dated = {"1m": f"/{start.year}/{start.month}/{start.day}", "1h": f"/{start.year}/{start.month}"}
            when = dated.get(native, f"/{start.year}") if period.end <= today else ""
            return self.client.fetch(
                f"/v1/candles/{NAMES[native]}/{code}/{side}{when}",
                lambda body: formats.json_candles(json_of(body, NAME, symbol, dict)),
                symbol=symbol,
                base_url=self.settings.json_url,
                valid_for=settled,
            )

        def from_files() -> pl.DataFrame:
            divisor = self._divisor(code, symbol)
            folders = {"1m": f"/{start.month - 1:02}/{start.day:02}", "1h": f"/{start.month - 1:02}"}
            return self.client.fetch(
                f"{_tree(code)}/{start.year}{folders.get(native, '')}/{side}_candles_{FILES[native]}.bi5",
                lambda body: formats.packed_candles(body, start_ms, divisor),
                symbol=symbol,
                valid_for=settled,
            )

        return self._either(from_json, from_files)

    def _either(
        self, from_json: Callable[[], pl.DataFrame], from_files: Callable[[], pl.DataFrame]
    ) -> pl.DataFrame:
        if self.settings.service == "files":
            return from_files()
        try:
            return from_json()
        except (UnknownSymbol, Unreachable):
            if self.settings.service == "json":
                raise
            return from_files()


def parse_codes(body: bytes) -> list[str]:
    """Codes of the instruments."""
    document = json_of(body, NAME, None, object)
    rows: Any = document["instruments"] if isinstance(document, dict) else document
    return sorted(row["code"] for row in rows)


def _periods(native: str, first: date, last: date) -> Iterator[Period]:
    """Periods that the files of a native timeframe cover, from the first to the last day."""
    start = {"1m": first, "1h": first.replace(day=1), "1d": first.replace(month=1, day=1)}[native]
    while start <= last:
        if native == "1m":
            end = start + timedelta(days=1)
        elif native == "1h":
            end = (start + timedelta(days=32)).replace(day=1)
        else:
            end = start.replace(year=start.year + 1)
        yield Period(start, end)
        start = end


def _sundays_folded(candles: pl.DataFrame) -> pl.DataFrame:
    """Daily candles in which Sunday's is the beginning of Monday's."""
    day = pl.col("starts_at")
    monday = pl.when(day.dt.weekday() == SUNDAY).then(day + timedelta(days=1)).otherwise(day)
    return (
        candles.sort("starts_at")
        .group_by(monday.alias("starts_at"), maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
    )


def _tree(code: str) -> str:
    return "/datafeed/" + re.sub(r"[^A-Z0-9]", "", code)


def _listing(symbol: str, code: str) -> pl.DataFrame:
    base, _, quote = code.rpartition("-")
    crypto = base in COINS
    return _frames.instrument(
        symbol,
        source=NAME,
        ticker=code,
        asset_class="crypto" if crypto else "fx",
        exchange="DUKASCOPY",
        trading_calendar=ALL_DAY if crypto else WEEKDAYS,
        currency=quote,
    )


PROVIDER = Dukascopy
