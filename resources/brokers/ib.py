"""Interactive Brokers over ``ib_async``: one client, one connection at a time, every wait bounded.

Orders and requests go through the protocol client below ``ib_async``'s own bookkeeping of trades, which
is not the truth: it calls live orders cancelled after some messages, loses what ended a connection, and
shows two orders of one id as one. What counts is what a whole look has.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import weakref
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from functools import partial
from time import monotonic
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import polars as pl
from ib_async import IB, Contract, Option, StartupFetchNONE
from ib_async.util import UNSET_DOUBLE

from resources.brokers.accounts import check_account
from resources.brokers.base import (
    ClientIdInUseError,
    ConnectionFailedError,
    Instruments,
    LimitedError,
    NoViewError,
    Outgoing,
    Pace,
    RefusedRequestError,
)
from resources.brokers.contracts import Names, contract_of, order_of, side_of
from resources.brokers.data_limits import IDENTICAL, HistoryLimits
from resources.brokers.market_data import option_quotes, order_book
from resources.brokers.strikes import strike_of_delta
from trading.placement import BrokerOrder, Notice, Report, View, plausible_commission, split_id
from trading.placement.view import LIVE

log = logging.getLogger("desk.broker")

T = TypeVar("T")

LOST = frozenset({1100, 1300, 2110})
"""Codes after which the gateway has no connection to the broker: orders wait."""
RESTORED = frozenset({1101, 1102})
FARM_OK = frozenset({2104, 2106, 2158})
"""Codes of data farms: they say nothing of the order channel, except to a connection that is new."""
ID_IN_USE = 326
TICK = 0.01
_NO_DEFINITION, _NOT_VALID = 200, 321
_SHOWN = {"CASH": "MIDPOINT", "CRYPTO": "AGGTRADES"}
"""What of instruments that are not traded on an exchange the past can show."""

_in_use: weakref.WeakSet[IBBroker] = weakref.WeakSet()


class IBBroker:
    """A client of TWS, IB Gateway or the simulated gateway.

    Parameters
    ----------
    account : str
        Account to trade; empty: the only one of the login.
    live_allowed : bool
        Whether an account with real money may be traded.
    timezone : str
        Zone of the gateway: after its midnight it no longer tells executions and completed orders.
    limits : HistoryLimits, optional
        Requests for past data that the gateway has had already, from others in this process.
    """

    def __init__(
        self,
        instruments: Instruments,
        *,
        host: str = "127.0.0.1",
        port: int = 4002,
        client_id: int = 17,
        account: str = "",
        live_allowed: bool = False,
        timezone: str = "America/New_York",
        pace: Pace | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        limits: HistoryLimits | None = None,
    ) -> None:
        self.account = account
        self.codes: list[tuple[int, int, str]] = []
        self._wanted_account = account
        self._instruments = instruments
        self._host, self._port, self._client_id = host, port, client_id
        self._live_allowed = live_allowed
        self._zone = ZoneInfo(timezone)
        self._pace = pace or Pace()
        self._clock = clock
        self._seconds, self._sleep = seconds, sleep
        self._refusal: asyncio.Future[str] | None = None
        self._asked_from = 0
        self._limits = limits or HistoryLimits()
        self._bars: dict[tuple[str, ...], tuple[float, pl.DataFrame]] = {}
        self._chains: dict[tuple[str, date], pl.DataFrame] = {}
        self._names = Names(instruments)
        self._contracts: dict[str, Contract] = {}
        self._ticks: dict[str, float] = {}
        self._unknown: set[str] = set()
        self._ib: IB | None = None
        self._connection = 0
        self._lost = ""
        self._lost_on = 0
        self._id_in_use = asyncio.Event()
        self._refs: dict[int, str] = {}
        self._notices: dict[str, Notice] = {}
        self._opens: list[tuple[Contract, Any, str]] = []
        self._completed: list[tuple[Contract, Any, Any]] = []

    # ---------------------------------------------------------------------------------------- connection

    @property
    def connection(self) -> int:
        """Number of the present connection."""
        return self._connection

    async def connect(self) -> None:
        """Connect under the one client id, and check the account.

        Raises
        ------
        ClientIdInUseError, ConnectionFailedError
            Try again with the same id after a while.
        AccountRefusedError
            The account may not be traded.
        """
        await self.disconnect()
        if _in_use:
            raise ConnectionFailedError("this process has a connection to a broker already; one at a time")
        self._id_in_use.clear()
        self._notices, self._refs = {}, {}  # what this connection calls 7 may have been an order of the last
        self._connection += 1
        ib = IB()
        ib.RaiseRequestErrors = True
        ib.TimezoneTWS = "UTC"
        ib.client.MaxRequests = self._pace.messages
        ib.errorEvent += self._hear_error
        self._listen(ib)
        self._ib = ib
        _in_use.add(self)
        try:
            await self._handshake(ib)
            self.account = check_account(
                ib.managedAccounts(), self._wanted_account, live_allowed=self._live_allowed
            )
        except BaseException:
            await self.disconnect()
            raise

    async def _handshake(self, ib: IB) -> None:
        where = f"{self._host}:{self._port}"
        connecting = asyncio.ensure_future(
            ib.connectAsync(
                self._host,
                self._port,
                self._client_id,
                timeout=self._pace.connect,
                raiseSyncErrors=True,
                fetchFields=StartupFetchNONE,
            )
        )
        refused = asyncio.ensure_future(self._id_in_use.wait())
        try:
            await asyncio.wait(
                {connecting, refused}, timeout=2 * self._pace.connect, return_when=asyncio.FIRST_COMPLETED
            )
            if self._id_in_use.is_set():
                raise ClientIdInUseError(
                    f"{where}: client id {self._client_id} is in use, trying again later"
                )
            if not connecting.done():
                raise ConnectionFailedError(f"{where}: no answer within {2 * self._pace.connect:g} s")
            connecting.result()
        except ConnectionFailedError:
            raise
        except (OSError, TimeoutError, ValueError) as error:
            raise ConnectionFailedError(
                f"{where}: {error or type(error).__name__}; is the gateway up and logged in?"
            ) from error
        finally:
            for task in (connecting, refused):
                task.cancel()
            await asyncio.gather(connecting, refused, return_exceptions=True)

    async def disconnect(self) -> None:
        """Close the connection and let the gateway see it."""
        ib, self._ib = self._ib, None
        _in_use.discard(self)
        if ib is not None:
            ib.errorEvent -= self._hear_error
            with contextlib.suppress(Exception):
                ib.disconnect()
            await asyncio.sleep(0)

    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._ib is not None and self._ib.isConnected()

    def trouble(self) -> str:
        """Why orders may not be sent now."""
        return self._lost if self.connected() else "not connected"

    async def heartbeat(self) -> None:
        """Prove the connection by a round trip."""
        await self._ask("the time", lambda ib: ib.reqCurrentTimeAsync())

    # --------------------------------------------------------------------------------------------- looks

    async def look(self, symbols: Iterable[str] = (), *, money: bool = False) -> View:
        """Complete view: three sources and the positions, from this connection, or none."""
        at = self._clock()
        wanted = sorted(set(symbols))
        try:
            for symbol in wanted:
                await self._know(symbol)
            self._opens, self._completed = [], []
            await self._ask("open orders", lambda ib: ib.reqAllOpenOrdersAsync())
            await self._ask("completed orders", lambda ib: ib.reqCompletedOrdersAsync(False))
            await self._ask("executions", lambda ib: ib.reqExecutionsAsync())
            held = await self._ask("positions", lambda ib: ib.reqPositionsAsync())
            cash = await self._cash() if money else {}
            quotes = await self._quotes([symbol for symbol in wanted if symbol in self._contracts])
            await self.heartbeat()
        except NoViewError:
            raise
        except (ConnectionFailedError, RefusedRequestError) as error:
            raise NoViewError(str(error)) from error
        return View(
            connection=self._connection,
            at=at,
            next_id=self._next_id(),
            day_began=self._midnight(at),
            open=self._open_orders(),
            completed=self._completed_orders(),
            executions=tuple(self._executions()),
            positions={
                self._names.symbol(one.contract): one.position for one in held if one.account == self.account
            },
            cash=cash,
            notices=dict(self._notices),
            quotes=quotes,
            ticks=dict(self._ticks),
            unknown=frozenset(self._unknown),
        )

    async def executions(self) -> list[Report]:
        """Executions of the account that the gateway still tells, each with its commission if known."""
        await self._ask("executions", lambda ib: ib.reqExecutionsAsync())
        await self.heartbeat()
        return self._executions()

    def _executions(self) -> list[Report]:
        """All that this connection was told of: some come after the end of the answer, or outside of any."""
        fills = list(self._wrapper().fills.values())
        combined = {fill.execution.permId for fill in fills if fill.contract.secType == "BAG"}
        reports = []
        for fill in fills:
            if fill.execution.acctNumber != self.account:
                continue
            told = fill.commissionReport
            commission = plausible_commission(told.commission) if told.execId else None
            leg = fill.execution.permId in combined and fill.contract.secType != "BAG"
            reports.append(self._report(fill, commission, leg=leg))
        return reports

    def _report(self, fill: Any, commission: float | None, *, leg: bool) -> Report:
        execution, contract = fill.execution, fill.contract
        root, revision = split_id(execution.execId)
        symbol = self._names.symbol(contract)
        known = self._instruments.get(symbol)
        return Report(
            root=root,
            revision=revision,
            order_ref=execution.orderRef,
            perm_id=execution.permId,
            symbol=symbol,
            side=side_of(execution.side),
            quantity=float(execution.shares),
            price=float(execution.price),
            executed_at=execution.time.astimezone(UTC),
            commission=commission,
            currency=contract.currency,
            order_id=execution.orderId,
            client_id=execution.clientId,
            cause=_cause(execution.orderRef, execution.clientId),
            leg=leg,
            multiplier=float(contract.multiplier or (known.multiplier if known else 1.0)),
        )

    def _open_orders(self) -> tuple[BrokerOrder, ...]:
        newest = {
            order.permId: self._order(contract, order, status)
            for contract, order, status in self._opens
            if order.account in {"", self.account}
        }
        return tuple(order for order in newest.values() if order.status in LIVE)

    def _completed_orders(self) -> tuple[BrokerOrder, ...]:
        return tuple(
            self._order(contract, order, state.status, state.completedStatus)
            for contract, order, state in self._completed
            if order.account in {"", self.account}
        )

    def _order(self, contract: Contract, order: Any, status: str, text: str = "") -> BrokerOrder:
        return BrokerOrder(
            order_ref=order.orderRef,
            perm_id=order.permId,
            symbol=self._names.symbol(contract),
            side=side_of(order.action),
            quantity=float(order.totalQuantity),
            status=status,
            order_id=max(order.orderId, 0),
            client_id=order.clientId,
            filled=_number(order.filledQuantity) or 0.0,
            limit_price=_number(order.lmtPrice),
            stop_price=_number(order.auxPrice),
            text=text or "",
            parent_id=order.parentId,
        )

    async def _cash(self) -> dict[str, float]:
        client, wrapper = self._client(), self._wrapper()
        number = self._asked_from = client.getReqId()
        future = wrapper.startReq(number)
        client.reqAccountUpdatesMulti(number, self.account, "", False)
        await self._bounded("account values", future)
        client.cancelAccountUpdatesMulti(number)
        return {
            value.currency: float(value.value)
            for value in wrapper.accountValues.values()
            if value.account == self.account and value.tag == "CashBalance" and value.currency != "BASE"
        }

    async def _quotes(self, symbols: Sequence[str]) -> dict[str, float]:
        """Last prices; a quote that does not come in time is no quote, and no reason to stop."""
        quotes: dict[str, float] = {}
        ib = self._connected()
        for start in range(0, len(symbols), 40):
            chunk = symbols[start : start + 40]
            asked = [asyncio.ensure_future(ib.reqTickersAsync(self._contracts[symbol])) for symbol in chunk]
            await asyncio.wait(asked, timeout=self._pace.quote)
            for symbol, task in zip(chunk, asked, strict=True):
                if not task.done():
                    task.cancel()
                elif not task.cancelled() and task.exception() is None:
                    price = task.result()[0].marketPrice()
                    if price == price and price > 0:  # noqa: PLR0124 - NaN
                        quotes[symbol] = float(price)
        return quotes

    def _next_id(self) -> int:
        return int(self._client()._reqIdSeq)  # asking for one would take it

    def _midnight(self, at: datetime) -> datetime:
        local = at.astimezone(self._zone)
        return datetime.combine(local.date(), time(), self._zone).astimezone(UTC)

    # -------------------------------------------------------------------------------------------- orders

    async def place(self, orders: Sequence[Outgoing]) -> None:
        """Send the orders of one unit."""
        for outgoing in orders:
            self._send(outgoing)

    async def modify(self, order: Outgoing) -> None:
        """Send a working order with other prices."""
        self._send(order)

    async def cancel(self, order_id: int) -> None:
        """Ask for a cancel."""
        self._client().cancelOrder(order_id, "")

    def _send(self, outgoing: Outgoing) -> None:
        client = self._client()
        intent, part = outgoing
        contract = self._contracts.get(intent.symbol)
        if contract is None:
            raise ConnectionFailedError(
                f"the contract of {intent.symbol} was not asked for on this connection"
            )
        order = order_of(intent, part, self.account, self._ticks.get(intent.symbol, TICK))
        self._refs[part.order_id] = intent.order_ref
        self._notices.pop(intent.order_ref, None)
        client.updateReqId(part.order_id + 1)
        client.placeOrder(part.order_id, contract, order)

    # ------------------------------------------------------------------------------------------ the data

    async def contract(self, symbol: str) -> Contract | None:
        """Contract of a symbol; None where the broker knows none, or several."""
        await self._know(symbol)
        return self._contracts.get(symbol)

    async def historical_bars(
        self, symbol: str, end: datetime, duration: str, bar_size: str, shown: str = ""
    ) -> pl.DataFrame:
        """Bars of the past, within the gateway's limits; what was asked for just now is not asked again."""
        what = f"bars of {symbol}"
        contract = await self._known(symbol)
        shown = shown or _SHOWN.get(contract.secType, "TRADES")
        asked = (symbol, shown, end.isoformat(), duration, bar_size)
        at, bars = self._bars.get(asked, (-IDENTICAL, pl.DataFrame()))
        if self._seconds() - at < IDENTICAL:
            return bars
        pause = self._limits.reserve(
            " ".join(asked),
            f"{symbol} {shown}",
            2.0 if shown == "BID_ASK" else 1.0,
            self._seconds(),
            self._pace.history,
        )
        if pause > self._pace.history:
            raise LimitedError(f"{what}: too many requests, the next one may be sent in {pause:.0f} s", pause)
        if pause:
            await self._sleep(pause)
        told = await self._ask(
            what,
            lambda ib: ib.reqHistoricalDataAsync(
                contract, end, duration, bar_size, shown, useRTH=True,
                formatDate=2, timeout=0,
            ),
        )  # fmt: skip
        found = _bars_frame(told)
        self._bars = {
            key: kept for key, kept in self._bars.items() if self._seconds() - kept[0] < IDENTICAL
        } | {asked: (self._seconds(), found)}
        return found

    async def chains(self, symbol: str, *, low: float = 0.0, high: float = math.inf) -> pl.DataFrame:
        """Option chains of an underlying, asked for once a day."""
        key = (symbol, self._clock().date())
        if key not in self._chains:
            self._chains = {key: await self._ask_chains(symbol)} | {
                known: frame for known, frame in self._chains.items() if known[1] == key[1]
            }
        return self._chains[key].filter(pl.col("strike").is_between(low, high))

    async def delta(self, symbol: str, expiry: str, strike: float, right: str) -> float:
        """Delta of an option as the broker's model has it; NaN where it is not told in time."""
        owner = await self._known(symbol)
        wanted = Option(owner.symbol, expiry, strike, right, "SMART", currency=owner.currency)
        what = f"option {expiry} {strike:g} {right} on {symbol}"
        details = await self._ask(f"contract of {what}", lambda ib: ib.reqContractDetailsAsync(wanted))
        option = details[0].contract if len(details) == 1 else None
        if option is None:
            return math.nan
        asked = asyncio.ensure_future(self._connected().reqTickersAsync(option))
        await asyncio.wait({asked}, timeout=self._pace.quote)
        if not asked.done():
            asked.cancel()
            return math.nan
        try:
            greeks = asked.result()[0].modelGreeks
        except ConnectionError as error:
            raise ConnectionFailedError(f"delta of {what}: {error}") from error
        except Exception as error:
            if type(error).__name__ != "RequestError":
                raise
            return math.nan
        return math.nan if greeks is None or greeks.delta is None else float(greeks.delta)

    async def strike_of_delta(
        self, symbol: str, expiry: str, right: str, delta: float
    ) -> tuple[float, float]:
        """Strike of an expiry whose option has the delta nearest to a wanted one, and that delta."""
        listed = (await self.chains(symbol)).filter(pl.col("expiry") == expiry)["strike"]
        return await strike_of_delta(
            listed.to_list(), delta, lambda strike: self.delta(symbol, expiry, strike, right)
        )

    async def options(
        self, symbol: str, expiries: Iterable[date], low: float = 0.0, high: float = math.inf
    ) -> list[Contract]:
        """Contracts on an underlying that expire on some days, in a window of strikes; one request a day."""
        owner = await self._known(symbol)
        found: list[Contract] = []
        for expiry in expiries:
            wanted = Option(owner.symbol, f"{expiry:%Y%m%d}", exchange="SMART", currency=owner.currency)
            what, ask = f"options of {expiry} on {symbol}", partial(_details, wanted)
            details = await self._ask(what, ask)
            found += [one.contract for one in details if one.contract and low <= one.contract.strike <= high]
        return found

    async def option_quotes(self, options: Sequence[Contract]) -> pl.DataFrame:
        """Quotes and greeks of option contracts now; see :func:`resources.brokers.market_data`."""
        return await option_quotes(self._connected(), options, self._pace.request)

    async def depth(self, symbol: str, levels: int) -> pl.DataFrame:
        """Order book of a symbol now: side, price and size, the best prices first."""
        contract = await self._known(symbol)
        return await order_book(self._connected(), contract, levels, self._pace.quote)

    async def time(self) -> datetime:
        """Time of the gateway, to the second."""
        return await self._ask("the time", lambda ib: ib.reqCurrentTimeAsync())

    async def _ask_chains(self, symbol: str) -> pl.DataFrame:
        contract = await self._known(symbol)
        found = await self._ask(
            f"option chains of {symbol}",
            lambda ib: ib.reqSecDefOptParamsAsync(contract.symbol, "", contract.secType, contract.conId),
        )
        rows = [
            (chain.exchange, chain.tradingClass, float(chain.multiplier), expiry, float(strike))
            for chain in found
            for expiry in chain.expirations
            for strike in chain.strikes
        ]
        columns = ["exchange", "trading_class", "multiplier", "expiry", "strike"]
        return pl.DataFrame(rows, schema=columns, orient="row")

    async def _known(self, symbol: str) -> Contract:
        """Contract of a symbol that the broker must know."""
        contract = await self._know(symbol)
        if symbol not in self._contracts:
            raise RefusedRequestError(f"{symbol}: the broker knows no single contract of this name")
        return contract

    async def _know(self, symbol: str) -> Contract:
        """Contract of a symbol, asked for once."""
        known = self._contracts.get(symbol)
        if known is not None or symbol in self._unknown:
            return known or Contract()
        instrument = self._instruments.get(symbol)
        details: list[Any] = []
        if instrument is not None:
            details = await self._ask(
                f"contract of {symbol}", lambda ib: ib.reqContractDetailsAsync(contract_of(instrument))
            )
        if len(details) != 1 or details[0].contract is None:
            self._unknown.add(symbol)
            return Contract()
        contract: Contract = details[0].contract
        self._contracts[symbol] = contract
        self._ticks[symbol] = float(details[0].minTick or TICK)
        self._names.learn(contract.conId, symbol)
        return contract

    # --------------------------------------------------------------------------------------- the wire

    def _connected(self) -> IB:
        if self._ib is None or not self._ib.isConnected():
            raise ConnectionFailedError("the connection to the gateway is gone")
        ib: IB = self._ib
        return ib

    def _client(self) -> Any:
        return self._connected().client

    def _wrapper(self) -> Any:
        return self._connected().wrapper

    async def _ask(self, what: str, request: Callable[[IB], Awaitable[T]]) -> T:
        ib = self._connected()
        self._asked_from = self._next_id()
        try:
            awaitable = request(ib)
        except ConnectionError as error:
            raise ConnectionFailedError(f"{what}: {error}") from error
        return await self._bounded(what, awaitable)

    async def _bounded(self, what: str, awaitable: Awaitable[T]) -> T:
        """Answer within the time of a request; a late one would be taken for the next one's, so hang up."""
        asked = asyncio.ensure_future(awaitable)
        refused = self._refusal = asyncio.get_running_loop().create_future()
        await asyncio.wait({asked, refused}, timeout=self._pace.request, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            asked.cancel()
            if refused.done():
                raise RefusedRequestError(f"{what}: {refused.result()}")
            await self.disconnect()
            raise NoViewError(f"{what}: no answer within {self._pace.request:g} s")
        try:
            return asked.result()
        except Exception as error:
            if type(error).__name__ == "RequestError":
                if getattr(error, "code", 0) == _NO_DEFINITION:
                    return []  # type: ignore[return-value]
                raise RefusedRequestError(f"{what}: {error}") from error
            await self.disconnect()
            raise NoViewError(f"{what}: {error}") from error

    def _listen(self, ib: IB) -> None:
        """Keep what looks tell as it is told, and let the library keep no trades of its own."""
        wrapper: Any = ib.wrapper
        client: Any = ib.client

        def open_order(number: int, contract: Contract, order: Any, state: Any) -> None:
            self._opens.append((contract, order, state.status))
            client.updateReqId(number + 1)  # an id below an order's is not the next one

        def completed_order(contract: Contract, order: Any, state: Any) -> None:
            self._completed.append((contract, order, state))

        def order_status(*_: Any) -> None:
            """Looks have the status of every order; this message alone proves nothing."""

        wrapper.openOrder, wrapper.completedOrder = open_order, completed_order
        wrapper.orderStatus = order_status

    def _hear_error(self, number: int, code: int, text: str, _: Any) -> None:
        self.codes.append((number, code, text))
        log.info("broker: %s %s %s", number, code, text)
        if code == ID_IN_USE:
            self._id_in_use.set()
        elif code in LOST:
            self._lost, self._lost_on = f"the gateway has lost the broker (message {code})", self._connection
        elif code in RESTORED or (code in FARM_OK and self._connection != self._lost_on):
            self._lost = ""
        refusal = self._refusal
        if code == _NOT_VALID and number >= self._asked_from and refusal is not None and not refusal.done():
            refusal.set_result(f"{code}: {text}")  # the client library takes it for a warning, and waits on
        if number in self._refs:
            self._notices[self._refs[number]] = Notice(code, text)


def _cause(reference: str, client_id: int) -> str:
    """Why an execution happened that no order of the desk asked for, as far as the broker says."""
    if reference in {"assignment", "exercise", "lapse"}:
        return reference
    return "manual" if client_id <= 0 or not reference else ""


def _details(wanted: Contract, ib: IB) -> Awaitable[list[Any]]:
    return ib.reqContractDetailsAsync(wanted)


def _bars_frame(bars: Sequence[Any]) -> pl.DataFrame:
    starts = [
        bar.date if isinstance(bar.date, datetime) else datetime.combine(bar.date, time(), UTC)
        for bar in bars
    ]
    names = ("open", "high", "low", "close", "volume")
    columns: dict[str, Any] = {name: [float(getattr(bar, name)) for bar in bars] for name in names}
    schema = {"at": pl.Datetime("us", "UTC"), **dict.fromkeys(names, pl.Float64())}
    return pl.DataFrame({"at": [start.astimezone(UTC) for start in starts], **columns}, schema=schema)


def _number(value: Any) -> float | None:
    return None if value in {None, "", UNSET_DOUBLE} else float(value)
