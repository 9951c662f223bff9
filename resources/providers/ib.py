"""Interactive Brokers: bars of the past through TWS, IB Gateway or the simulated gateway.

The service allows 60 requests in ten minutes (bid and ask count twice), fewer than six for one contract in
two seconds, and the same request again only after 15 seconds; this module waits as long as that takes. Its
error 162 stands for a broken limit as well as for a range without data, and never for an empty history.

Prices of trades come adjusted for splits that happened since: ask for the past before a split only where
another provider has told the split, and let ``--repair`` undo it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import polars as pl
from pydantic import Field

from resources.brokers.base import BrokerError, Instrument, NoViewError, Pace
from resources.brokers.contracts import exchange_of
from resources.brokers.ib import IBBroker
from resources.calendar import usual_calendar
from resources.http import LOOK
from resources.providers import _frames
from resources.providers.base import (
    Answer,
    Capabilities,
    NoData,
    ProviderError,
    RateLimited,
    Request,
    Settings,
    UnknownSymbol,
    Unreachable,
    Unsupported,
    require_timeframe,
)
from resources.raw_answers import RawAnswers, RawRequest

NAME = "ib"
SIZES = {
    "1m": ("1 min", 1),
    "5m": ("5 mins", 7),
    "15m": ("15 mins", 7),
    "30m": ("30 mins", 28),
    "1h": ("1 hour", 28),
    "4h": ("4 hours", 28),
    "1d": ("1 day", 3650),
}
"""Name of a bar's length, and the days that one request may ask for."""
SHOWN = {"fx": "MIDPOINT", "crypto": "AGGTRADES"}
YEAR = 365
REFUSED = 162

WINDOW, IN_WINDOW = 600.0, 60.0
BURST, IN_BURST = 2.0, 5
IDENTICAL = 15.0
MARGIN = 0.05
"""Seconds that are waited beyond a limit: the service counts when a request arrives."""


class IbSettings(Settings):
    """Settings of Interactive Brokers; host, port and account are those of ``[broker]`` when left out.

    Attributes
    ----------
    client_id : int
        Another one than the desk places orders with.
    timeout : float
        Seconds to wait for one answer.
    longest_wait : float
        Seconds that the limits may make a request wait before the provider counts as limited.
    classes : dict
        Asset class of symbols that are no stocks: etf, fx or crypto.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=4002, ge=1, le=65535)
    account: str = ""
    client_id: int = Field(default=18, ge=0, le=2_147_483_647)
    timeout: float = Field(default=60.0, gt=0)
    longest_wait: float = Field(default=WINDOW, ge=0)
    classes: dict[str, str] = Field(default_factory=dict)


class Asked(NamedTuple):
    """A request as the limits count it."""

    at: float
    identity: str
    contract: str
    weight: float


def wait_for(past: Iterable[Asked], identity: str, contract: str, weight: float, now: float) -> float:
    """Seconds until a request breaks no limit.

    Parameters
    ----------
    past : iterable of Asked
        Requests before it, oldest first.
    now : float
        Seconds of a clock that does not go back.
    """
    known = list(past)
    frees = [now]
    frees += [each.at + IDENTICAL for each in known if each.identity == identity]
    same = [each.at for each in known if each.contract == contract]
    if len(same) >= IN_BURST:
        frees.append(same[-IN_BURST] + BURST)
    used = 0.0
    for each in reversed(known):
        used += each.weight
        if used + weight > IN_WINDOW:
            frees.append(each.at + WINDOW)
            break
    ready = max(frees)
    return ready - now + MARGIN if ready > now else 0.0


@dataclass
class _Pacer:
    """Requests that one gateway has been asked by this process."""

    past: deque[Asked] = field(default_factory=lambda: deque(maxlen=2 * int(IN_WINDOW)))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, identity: str, contract: str, weight: float, longest: float) -> float:
        """Seconds to wait before the request may be sent; longer than ``longest``: it is not counted."""
        with self.lock:
            now = time.monotonic()
            wait = wait_for(self.past, identity, contract, weight, now)
            if wait <= longest:
                self.past.append(Asked(now + wait, identity, contract, weight))
            return wait


@lru_cache(maxsize=16)
def _pacer(host: str, port: int) -> _Pacer:
    del host, port
    return _Pacer()


class Ib:
    """Provider of the broker's past bars."""

    name: ClassVar[str] = NAME
    capabilities: ClassVar[Capabilities] = Capabilities(("stock", "etf", "fx", "crypto"), tuple(SIZES))
    Settings: ClassVar[type[IbSettings]] = IbSettings

    def __init__(self, settings: IbSettings) -> None:
        self.settings = settings
        self.store: RawAnswers | None = None

    def keep_answers(self, store: RawAnswers | None) -> None:
        """Keep every answer in a store from now on; None ends it."""
        self.store = store

    def symbols(self) -> list[str]:
        """Empty: the broker has no list."""
        return []

    def fetch(self, request: Request) -> Answer:
        """Bars and the listing; corporate actions come from other providers."""
        require_timeframe(self, request)
        if self.store is not None and self.store.only:
            raise Unsupported(NAME, "it does not read kept answers again", remedy="ask without --kept")
        return _frames.joined(asyncio.run(self._all(request)))

    def health(self) -> str:
        """Whether a gateway listens."""
        where = f"{self.settings.host}:{self.settings.port}"
        try:
            with socket.create_connection((self.settings.host, self.settings.port), LOOK):
                return f"a gateway listens at {where}"
        except OSError as error:
            return f"nobody listens at {where}: {error.strerror or error}"

    async def _all(self, request: Request) -> list[Answer]:
        known = {symbol: self._instrument(symbol) for symbol in request.symbols}
        chosen = self.settings
        broker = IBBroker(
            known,
            host=chosen.host,
            port=chosen.port,
            client_id=chosen.client_id,
            account=chosen.account,
            live_allowed=True,  # nothing is traded
            pace=Pace(connect=min(chosen.timeout, 10.0), request=chosen.timeout),
        )
        try:
            return [await self._one(broker, known[symbol], request) for symbol in request.symbols]
        finally:
            await broker.disconnect()

    async def _one(self, broker: IBBroker, one: Instrument, request: Request) -> Answer:
        symbol, at = one.symbol, _frames.now()
        calendar = usual_calendar(one.asset_class)
        await self._connect(broker, symbol)
        try:
            contract = await broker.contract(symbol)
        except BrokerError as error:
            raise self._unreachable(symbol, error) from None
        if contract is None:
            raise UnknownSymbol(
                NAME,
                f"the broker knows no single {one.asset_class} of that name in {one.currency}",
                symbol=symbol,
                remedy="check the symbol, and its asset class in providers.ib.classes",
            )
        parts = [await self._bars(broker, one, request, *span) for span in _spans(request)]
        rows = pl.concat(parts).unique("at", keep="last", maintain_order=True)
        if request.timeframe == "1d":
            days = rows.with_columns(session=pl.col("at").str.slice(0, 10).str.to_date())
            bars = _frames.daily(days, symbol, "1d", calendar, NAME)
        else:
            starts = pl.col("at").str.to_datetime(time_unit="us", time_zone="UTC")
            inside = _frames.regular(rows.with_columns(starts_at=starts), calendar)
            bars = _frames.intraday(inside, symbol, request.timeframe, calendar, NAME)
        listing = _frames.instrument(
            symbol,
            source=NAME,
            ticker=one.ticker,
            asset_class=one.asset_class,
            exchange=exchange_of(contract),
            trading_calendar=calendar,
            currency=contract.currency,
        )
        bars = _frames.required(_frames.within(bars, request, at), NAME, symbol, request)
        return Answer(bars, instruments=listing)

    async def _bars(
        self, broker: IBBroker, one: Instrument, request: Request, first: date, last: date
    ) -> pl.DataFrame:
        """Bars from one day to another; none where the broker has no data for them."""
        size, _ = SIZES[request.timeframe]
        shown = SHOWN.get(one.asset_class, "TRADES")
        days = (last - first).days + 1
        duration = f"{days} D" if days <= YEAR else f"{-(-days // YEAR)} Y"
        end = datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
        asked = {"end": end.isoformat(), "duration": duration, "size": size, "shown": shown}
        await self._wait(one.symbol, asked)
        await self._connect(broker, one.symbol)
        try:
            bars = await broker.historical_bars(one.symbol, end, duration, size, shown)
        except BrokerError as error:
            told = self._told(one.symbol, error)
            if isinstance(told, NoData):
                return NOTHING.to_frame()
            raise told from None
        if self.store is not None:
            address = f"tws://{self.settings.host}:{self.settings.port}/historical"
            body = json.dumps(bars.to_dicts()).encode()
            self.store.put(RawRequest(NAME, address, asked, one.symbol), body)
        return bars.select(pl.col(name).cast(dtype) for name, dtype in NOTHING.items()).with_columns(
            # Quotes have no volume: the broker says -1.
            pl.col("volume").clip(lower_bound=0.0)
        )

    async def _wait(self, symbol: str, asked: dict[str, str]) -> None:
        """Wait until the request breaks no limit.

        Raises
        ------
        RateLimited
            When that takes longer than the settings allow.
        """
        chosen = self.settings
        contract = f"{symbol} {asked['shown']}"
        identity = " ".join((symbol, *asked.values()))
        pacer = _pacer(chosen.host, chosen.port)
        weight = 2.0 if asked["shown"] == "BID_ASK" else 1.0
        wait = pacer.reserve(identity, contract, weight, chosen.longest_wait)
        if wait > chosen.longest_wait:
            limited = RateLimited(
                NAME,
                f"its limits allow the next request in {wait:.0f} s",
                symbol=symbol,
                remedy="ask later or for less; providers.ib.longest_wait says how long to wait",
            )
            limited.retry_after = wait
            raise limited
        await asyncio.sleep(wait)

    async def _connect(self, broker: IBBroker, symbol: str) -> None:
        if broker.connected():
            return
        try:
            await broker.connect()
        except BrokerError as error:
            raise self._unreachable(symbol, error) from None

    def _unreachable(self, symbol: str, error: BrokerError) -> Unreachable:
        remedy = "start the gateway and log in, or correct broker.host and broker.port"
        return Unreachable(NAME, str(error), symbol=symbol, remedy=remedy)

    def _told(self, symbol: str, error: BrokerError) -> ProviderError:
        """What a refused request means: code 162 alone says nothing, its text does."""
        code, text = getattr(error.__cause__, "code", 0), str(error)
        if not isinstance(error, NoViewError) or code == 0:
            return self._unreachable(symbol, error)
        if code == REFUSED and "pacing" in text.lower():
            limited = RateLimited(NAME, text, symbol=symbol, remedy="wait ten minutes, or ask for less")
            limited.retry_after = WINDOW
            return limited
        if code == REFUSED and "no data" in text.lower():
            return NoData(NAME, text, symbol=symbol, remedy="ask for another range")
        return ProviderError(NAME, text, symbol=symbol, remedy="check the market data permissions")

    def _instrument(self, symbol: str) -> Instrument:
        kind = self.settings.classes.get(symbol, "stock")
        currency = symbol[-3:] if kind in {"fx", "crypto"} else "USD"
        return Instrument(symbol, symbol, kind, currency)


NOTHING = pl.Schema({"at": pl.String(), **dict.fromkeys(_frames.PRICES, pl.Float64())})


def _spans(request: Request) -> Iterator[tuple[date, date]]:
    """Ranges that one request each may ask for."""
    _, days = SIZES[request.timeframe]
    first = request.first
    while first <= request.last:
        last = min(first + timedelta(days=days - 1), request.last)
        yield first, last
        first = last + timedelta(days=1)


PROVIDER: Any = Ib
