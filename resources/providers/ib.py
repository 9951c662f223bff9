"""Interactive Brokers: past bars, option chains and order books through TWS, IB Gateway or the simulated one.

The service limits requests for bars (:mod:`resources.brokers.data_limits`); the connection waits as long as
that takes. Error 162 stands for a broken limit as well as for a range without data, and never for an empty
history.

Prices of trades come adjusted for splits that happened since: ask for the past before a split only where
another provider has told the split, and let ``--repair`` undo it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

import polars as pl
from ib_async import Contract
from pydantic import Field

from resources.brokers.base import BrokerError, Instrument, LimitedError, Pace, RefusedRequestError
from resources.brokers.contracts import exchange_of
from resources.brokers.data_limits import WINDOW, HistoryLimits
from resources.brokers.ib import IBBroker
from resources.calendar import usual_calendar
from resources.http import LOOK
from resources.providers import _frames, depth_files
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
from trading.option_symbols import option_terms

T = TypeVar("T")

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
REFUSED = "162"
LOOKS = 3.0
"""Seconds that an order book may take to come; one with few levels takes all of them."""


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
        Asset class of symbols that are no stocks: etf, fx or crypto. Options say it by their names.
    most_contracts : int
        Contracts that one chain may ask for, each of them a quote; a larger chain is refused.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=4002, ge=1, le=65535)
    account: str = ""
    client_id: int = Field(default=18, ge=0, le=2_147_483_647)
    timeout: float = Field(default=60.0, gt=0)
    longest_wait: float = Field(default=WINDOW, ge=0)
    classes: dict[str, str] = Field(default_factory=dict)
    most_contracts: int = Field(default=400, ge=1)


@lru_cache(maxsize=16)
def _limits(host: str, port: int) -> HistoryLimits:
    """What a gateway has been asked by this process, over all connections."""
    del host, port
    return HistoryLimits()


class Ib:
    """Provider of the broker's past bars, of its option chains and of its order books."""

    name: ClassVar[str] = NAME
    capabilities: ClassVar[Capabilities] = Capabilities(
        ("stock", "etf", "fx", "crypto", "option"), tuple(SIZES), chains=True
    )
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
        self._refuse_kept()

        async def all_of(broker: IBBroker, known: dict[str, Instrument]) -> list[Answer]:
            return [await self._one(broker, known[symbol], request) for symbol in request.symbols]

        return _frames.joined(asyncio.run(self._at_gateway(request.symbols, all_of)))

    def chain(
        self,
        underlying: str,
        *,
        expiries: Iterable[date] | None = None,
        strikes: tuple[float, float] | None = None,
    ) -> pl.DataFrame:
        """Quotes and greeks of an option chain now; contracts without a quote have nulls.

        Parameters
        ----------
        underlying : str
            Stock or fund.
        expiries : iterable of date, optional
            Only these.
        strikes : tuple of float, optional
            Lowest and highest strike.

        Returns
        -------
        polars.DataFrame
            Columns of the table ``option_quotes`` without ``known_at``; open interest is not told.

        Raises
        ------
        ProviderError
            When the bounds leave no contract, or more than ``most_contracts``.
        """
        self._refuse_kept()
        wanted = None if expiries is None else sorted(set(expiries))

        async def quotes(broker: IBBroker, known: dict[str, Instrument]) -> pl.DataFrame:
            await self._listed(broker, known[underlying])
            low, high = strikes or (0.0, float("inf"))
            try:
                listed = await broker.chains(underlying, low=low, high=high)
                days = sorted(datetime.strptime(day, "%Y%m%d").date() for day in listed["expiry"].unique())  # noqa: DTZ007
                days = [day for day in days if wanted is None or day in wanted]
                options = await broker.options(underlying, days, low, high)
                if not options:
                    problem = "no option in the chain asked for"
                    raise NoData(NAME, problem, symbol=underlying, remedy="widen the bounds")
                if len(options) > self.settings.most_contracts:
                    most = self.settings.most_contracts
                    problem = f"{len(options)} contracts, more than the {most} of most_contracts"
                    remedy = "narrow expiries or strikes"
                    raise Unsupported(NAME, problem, symbol=underlying, remedy=remedy)
                told = await broker.option_quotes(options)
                at = await self._stamp(broker)
            except BrokerError as error:
                raise self._told(underlying, error) from None
            asked = {"at": at.isoformat(), "expiries": ",".join(map(str, days))}
            asked["strikes"] = f"{low:g}-{high:g}"
            self._keep("options", asked, underlying, told)
            return told.with_columns(
                underlying=pl.lit(underlying),
                session=pl.lit(_frames.opened_session(at, usual_calendar("option"))),
                quoted_at=pl.lit(at),
                source=pl.lit(NAME),
            ).pipe(_frames.filled, _frames.OPTION_QUOTES)

        return asyncio.run(self._at_gateway((underlying,), quotes))

    def depth(self, symbol: str, levels: int = depth_files.LEVELS) -> pl.DataFrame:
        """Order book now; columns of the table ``depth`` without ``known_at``.

        The time is the gateway's, which may stand on another day when it is a simulated one.
        """
        self._refuse_kept()

        async def book(broker: IBBroker, known: dict[str, Instrument]) -> pl.DataFrame:
            one = known[symbol]
            await self._listed(broker, one)
            try:
                told = await broker.depth(symbol, levels)
                at = await self._stamp(broker)
            except BrokerError as error:
                raise self._told(symbol, error) from None
            self._keep("depth", {"at": at.isoformat(), "levels": str(levels)}, symbol, told)
            return depth_files.snapshot(told, symbol, at, usual_calendar(one.asset_class), levels, NAME)

        return asyncio.run(self._at_gateway((symbol,), book))

    def health(self) -> str:
        """Whether a gateway listens."""
        where = f"{self.settings.host}:{self.settings.port}"
        try:
            with socket.create_connection((self.settings.host, self.settings.port), LOOK):
                return f"a gateway listens at {where}"
        except OSError as error:
            return f"nobody listens at {where}: {error.strerror or error}"

    def _refuse_kept(self) -> None:
        if self.store is not None and self.store.only:
            raise Unsupported(NAME, "it does not read kept answers again", remedy="ask without --kept")

    async def _at_gateway(
        self, symbols: Iterable[str], work: Callable[[IBBroker, dict[str, Instrument]], Awaitable[T]]
    ) -> T:
        """What some work makes of a client that knows the symbols; it connects when it is needed."""
        known = {symbol: self._instrument(symbol) for symbol in symbols}
        chosen = self.settings
        broker = IBBroker(
            known,
            host=chosen.host,
            port=chosen.port,
            client_id=chosen.client_id,
            account=chosen.account,
            live_allowed=True,  # nothing is traded
            pace=Pace(
                connect=min(chosen.timeout, 10.0),
                request=chosen.timeout,
                quote=min(chosen.timeout, LOOKS),
                history=chosen.longest_wait,
            ),
            limits=_limits(chosen.host, chosen.port),
        )
        try:
            return await work(broker, known)
        finally:
            await broker.disconnect()

    async def _stamp(self, broker: IBBroker) -> datetime:
        """Time of what has just come: the gateway tells whole seconds, so the next one."""
        return (await broker.time()).astimezone(UTC) + timedelta(seconds=1)

    def _keep(self, what: str, asked: dict[str, str], symbol: str, told: pl.DataFrame) -> None:
        """Keep an answer as it came."""
        if self.store is not None:
            address = f"tws://{self.settings.host}:{self.settings.port}/{what}"
            self.store.put(RawRequest(NAME, address, asked, symbol), told.write_json().encode())

    async def _listed(self, broker: IBBroker, one: Instrument) -> Contract:
        """The contract of an instrument, from a connected broker."""
        symbol = one.symbol
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
        return contract

    async def _one(self, broker: IBBroker, one: Instrument, request: Request) -> Answer:
        symbol, at = one.symbol, _frames.now()
        calendar = usual_calendar(one.asset_class)
        contract = await self._listed(broker, one)
        parts = [await self._bars(broker, one, request, *span) for span in _spans(request)]
        rows = pl.concat(parts).unique("at", keep="last", maintain_order=True)
        if request.timeframe == "1d":
            days = rows.with_columns(session=pl.col("at").dt.date())
            bars = _frames.daily(days, symbol, "1d", calendar, NAME)
        else:
            inside = _frames.regular(rows.rename({"at": "starts_at"}), calendar)
            bars = _frames.intraday(inside, symbol, request.timeframe, calendar, NAME)
        listing = _frames.instrument(
            symbol,
            source=NAME,
            ticker=one.ticker,
            asset_class=one.asset_class,
            exchange=exchange_of(contract),
            trading_calendar=calendar,
            currency=contract.currency,
            multiplier=float(contract.multiplier or 1),
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
        await self._connect(broker, one.symbol)
        try:
            bars = await broker.historical_bars(one.symbol, end, duration, size, shown)
        except LimitedError as error:
            raise self._limited(one.symbol, error) from None
        except BrokerError as error:
            told = self._told(one.symbol, error)
            if isinstance(told, NoData):
                return NOTHING.to_frame()
            raise told from None
        self._keep("historical", asked, one.symbol, bars)
        return bars.select(pl.col(name).cast(dtype) for name, dtype in NOTHING.items()).with_columns(
            # Quotes have no volume: the broker says -1.
            pl.col("volume").clip(lower_bound=0.0)
        )

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

    def _limited(self, symbol: str, error: LimitedError) -> RateLimited:
        limited = RateLimited(
            NAME,
            f"its limits allow the next request in {error.wait:.0f} s",
            symbol=symbol,
            remedy="ask later or for less; providers.ib.longest_wait says how long to wait",
        )
        limited.retry_after = error.wait
        return limited

    def _told(self, symbol: str, error: BrokerError) -> ProviderError:
        """What a refused request means: code 162 alone says nothing, its text does."""
        text = str(error)
        if not isinstance(error, RefusedRequestError):
            return self._unreachable(symbol, error)
        if REFUSED in text and "pacing" in text.lower():
            limited = RateLimited(NAME, text, symbol=symbol, remedy="wait ten minutes, or ask for less")
            limited.retry_after = WINDOW
            return limited
        if REFUSED in text and "no data" in text.lower():
            return NoData(NAME, text, symbol=symbol, remedy="ask for another range")
        return ProviderError(NAME, text, symbol=symbol, remedy="check the market data permissions")

    def _instrument(self, symbol: str) -> Instrument:
        kind = "option" if option_terms(symbol) else self.settings.classes.get(symbol, "stock")
        currency = symbol[-3:] if kind in {"fx", "crypto"} else "USD"
        return Instrument(symbol, symbol, kind, currency)


NOTHING = pl.Schema({"at": pl.Datetime("us", "UTC"), **dict.fromkeys(_frames.PRICES, pl.Float64())})


def _spans(request: Request) -> Iterator[tuple[date, date]]:
    """Ranges that one request each may ask for."""
    _, days = SIZES[request.timeframe]
    first = request.first
    while first <= request.last:
        last = min(first + timedelta(days=days - 1), request.last)
        yield first, last
        first = last + timedelta(days=1)


PROVIDER: Any = Ib
