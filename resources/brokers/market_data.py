"""What a gateway shows of the market now: the order book of a contract, and quotes with greeks of options.

The protocol tells a book level by level and never says that it was the last one: a look ends when both sides
have the levels asked for, or with its time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl
from ib_async import IB, Contract

from resources.brokers.base import ConnectionFailedError, RefusedRequestError
from trading.option_symbols import canonical

LINES = 40
"""Quotes asked for at one time, of the hundred that a login usually has."""
LEVELS = pl.Schema({"side": pl.String(), "price": pl.Float64(), "size": pl.Float64()})
GREEKS = {"implied_volatility": "impliedVol", **{name: name for name in ("delta", "gamma", "vega", "theta")}}
QUOTES = pl.Schema(
    {
        "symbol": pl.String(),
        "expiry": pl.Date(),
        "strike": pl.Float64(),
        "right": pl.String(),
        "multiplier": pl.Float64(),
        **dict.fromkeys(("bid", "ask", "last", "volume", *GREEKS, "underlying_price"), pl.Float64()),
    }
)
_NOTICES = range(2100, 2200)
_DELAYED, _RESET = 10167, 317
"""Messages that a book follows in spite of: quotes are delayed; the book begins anew."""


async def order_book(ib: IB, contract: Contract, levels: int, wait: float) -> pl.DataFrame:
    """Levels of both sides, as far as they come in time.

    Parameters
    ----------
    levels : int
        Levels wanted of each side.
    wait : float
        Seconds after which what has come is all.

    Returns
    -------
    polars.DataFrame
        Columns :data:`LEVELS`, the best price of each side first.

    Raises
    ------
    RefusedRequestError
        The gateway refuses, or nothing comes.
    ConnectionFailedError
        The connection is lost before both sides have come.
    """
    what = f"order book of {contract.localSymbol or contract.symbol}"
    smart = contract.exchange == "SMART"
    changed, refusals = asyncio.Event(), list[str]()
    ticker = ib.reqMktDepth(contract, levels, isSmartDepth=smart)
    number = ib.wrapper.ticker2ReqId["mktDepth"][ticker]

    def hear(refused: int, code: int, text: str, _: Any) -> None:
        if refused == number and code not in _NOTICES and code not in {_DELAYED, _RESET}:
            refusals.append(f"{code}: {text}")
            changed.set()

    def look(_: Any = None) -> None:
        changed.set()

    ib.errorEvent += hear
    ticker.updateEvent += look
    ib.disconnectedEvent += look
    try:
        async with asyncio.timeout(wait):
            while not refusals and ib.isConnected() and not _whole(ticker, levels):
                changed.clear()
                await changed.wait()
    except TimeoutError:
        pass
    finally:
        ib.disconnectedEvent -= look
        ticker.updateEvent -= look
        ib.errorEvent -= hear
        rows = [
            (side, float(level.price), float(level.size))
            for side, told in (("bid", ticker.domBids), ("ask", ticker.domAsks))
            for level in told[:levels]
        ]
        if ib.isConnected():
            ib.cancelMktDepth(contract, smart)
    if refusals:
        raise RefusedRequestError(f"{what}: {refusals[0]}")
    if not ib.isConnected():
        raise ConnectionFailedError(f"{what}: the connection was lost")
    if not rows:
        raise RefusedRequestError(f"{what}: no level came within {wait:g} s")
    return pl.DataFrame(rows, schema=LEVELS, orient="row")


def _whole(ticker: Any, levels: int) -> bool:
    return len(ticker.domBids) >= levels and len(ticker.domAsks) >= levels


async def option_quotes(ib: IB, options: Sequence[Contract], wait: float) -> pl.DataFrame:
    """Quotes and the model's greeks of option contracts, some at a time.

    Parameters
    ----------
    options : sequence of Contract
        As the gateway told them.
    wait : float
        Seconds for the quotes that are asked for together; one that does not come in time is null.

    Returns
    -------
    polars.DataFrame
        Columns :data:`QUOTES`, a row a contract.

    Raises
    ------
    RefusedRequestError
        The gateway refuses every one of them.
    ConnectionFailedError
        The connection is lost.
    """
    rows, refusals = [], list[str]()
    for start in range(0, len(options), LINES):
        some = options[start : start + LINES]
        asked = [asyncio.ensure_future(ib.reqTickersAsync(option)) for option in some]
        await asyncio.wait(asked, timeout=wait)
        for option, task in zip(some, asked, strict=True):
            ticker = None
            if not task.done():
                task.cancel()
            elif task.exception() is None:
                ticker = task.result()[0]
            elif not ib.isConnected():
                raise ConnectionFailedError(f"quote of {option.localSymbol}: {task.exception()}")
            else:
                refusals.append(f"quote of {option.localSymbol}: {task.exception()}")
            rows.append(_quote(option, ticker))
    if refusals and len(refusals) == len(options):
        raise RefusedRequestError(refusals[0])
    return pl.DataFrame(rows, schema=QUOTES, orient="row")


def _quote(option: Contract, ticker: Any) -> dict[str, Any]:
    """Row of a contract; figures that the protocol tells by NaN, -1 or not at all are null."""
    greeks = None if ticker is None else ticker.modelGreeks
    told = {name: getattr(ticker, name, None) for name in ("bid", "ask", "last", "volume")}
    return {
        "symbol": canonical(option.localSymbol),
        "expiry": datetime.strptime(option.lastTradeDateOrContractMonth[:8], "%Y%m%d").date(),  # noqa: DTZ007
        "strike": float(option.strike),
        "right": "call" if option.right.startswith("C") else "put",
        "multiplier": float(option.multiplier or 100),
        **{name: _figure(value, lowest=0.0) for name, value in told.items()},
        **{name: _figure(getattr(greeks, field, None)) for name, field in GREEKS.items()},
        "underlying_price": _figure(getattr(greeks, "undPrice", None), lowest=0.0),
    }


def _figure(value: float | None, lowest: float = -math.inf) -> float | None:
    return None if value is None or not math.isfinite(value) or value < lowest else float(value)
