"""Symbols of the desk and contracts of the TWS protocol, in both directions."""

from __future__ import annotations

from ib_async import Contract, Crypto, Forex, Option, Order, Stock

from resources.brokers.base import Instrument, Instruments
from resources.contract_words import EXCHANGES, PAIR, SECURITY_TYPES
from trading.option_symbols import canonical, option_terms
from trading.orders import Side
from trading.placement import Intent, Part

_TYPES = {
    "market": "MKT",
    "market_on_close": "MOC",
    "limit": "LMT",
    "stop": "STP",
    "stop_limit": "STP LMT",
    "trailing_stop": "TRAIL",
}
_REDUCE_WITH_BLOCK = 2
"""A fill of one order of a group takes its quantity off the others, as in the desk's own market."""


def contract_of(instrument: Instrument) -> Contract:
    """Contract that the broker is asked for."""
    ticker, currency = instrument.ticker, instrument.currency
    if instrument.asset_class == "option":
        return _option(instrument)
    pair = PAIR.fullmatch(ticker) if instrument.asset_class in {"crypto", "fx"} else None
    if instrument.asset_class == "crypto":
        return Crypto(pair[1] if pair else ticker, "PAXOS", currency)
    if instrument.asset_class == "fx":
        return Forex(symbol=pair[1] if pair else ticker, currency=pair[2] if pair else currency)
    primary = EXCHANGES.get(instrument.exchange, "")
    if instrument.asset_class in {"future", "index"}:  # a stock may have the same ticker
        kind = SECURITY_TYPES.get(instrument.asset_class, instrument.asset_class)
        return Contract(
            secType=kind, localSymbol=ticker, exchange=primary or instrument.exchange, currency=currency
        )
    return Stock(ticker, "SMART", currency, primaryExchange=primary)


def exchange_of(contract: Contract) -> str:
    """ISO 10383 code of a contract's exchange; XXXX where it is not known."""
    by_name = {name: code for code, name in EXCHANGES.items()}
    return by_name.get(contract.primaryExchange or contract.exchange, "XXXX")


def _option(instrument: Instrument) -> Contract:
    terms = option_terms(instrument.symbol)
    if terms is None:
        return Contract(secType="OPT", localSymbol=instrument.symbol, exchange="SMART")
    expiry = f"{terms.expiry:%Y%m%d}"
    return Option(terms.root, expiry, terms.strike, terms.right, "SMART", currency=instrument.currency)


def order_of(intent: Intent, part: Part, account: str, tick: float) -> Order:
    """Order as it is sent: prices to the price step, time in force and account always named."""
    order = Order(
        orderId=part.order_id,
        action=intent.side,
        totalQuantity=intent.quantity if part.quantity is None else part.quantity,
        orderType=_TYPES[intent.order_type],
        tif=intent.time_in_force.upper(),
        account=account,
        orderRef=intent.order_ref,
        transmit=part.transmit,
        parentId=part.parent_id or 0,
        outsideRth=False,
    )
    if intent.order_type in {"limit", "stop_limit"} and intent.limit_price is not None:
        order.lmtPrice = to_tick(intent.limit_price, tick)
    if intent.order_type in {"stop", "stop_limit"} and intent.stop_price is not None:
        order.auxPrice = to_tick(intent.stop_price, tick)
    if intent.order_type == "trailing_stop":
        order.trailingPercent = round((intent.trail_percent or 0.0) * 100, 6)
        if intent.stop_price is not None:
            order.trailStopPrice = to_tick(intent.stop_price, tick)
    if intent.time_in_force == "gtd" and intent.good_till is not None:
        order.goodTillDate = f"{intent.good_till:%Y%m%d} 23:59:59 UTC"
    if intent.oca_group:
        order.ocaGroup = intent.oca_group
        order.ocaType = _REDUCE_WITH_BLOCK
    return order


def to_tick(price: float, tick: float) -> float:
    """Price on the nearest step."""
    return round(round(price / tick) * tick, 10)


class Names:
    """Desk symbols of contracts: by contract id once it is known, else by what the contract says."""

    def __init__(self, instruments: Instruments) -> None:
        self._by_id: dict[int, str] = {}
        self._by_ticker = {
            (one.ticker, SECURITY_TYPES.get(one.asset_class, one.asset_class)): one.symbol
            for one in instruments.values()
        }
        self._options = {
            canonical(one.symbol): one.symbol for one in instruments.values() if one.asset_class == "option"
        }

    def learn(self, con_id: int, symbol: str) -> None:
        """Remember what a contract id means."""
        self._by_id[con_id] = symbol

    def symbol(self, contract: Contract) -> str:
        """Symbol of a contract; the broker's own name of one that the desk does not know."""
        known = self._by_id.get(contract.conId)
        if known is not None:
            return known
        kind = contract.secType
        if kind == "OPT" and option_terms(contract.localSymbol) is not None:
            # The ticker is that of all contracts on the underlying.
            name = canonical(contract.localSymbol)
            return self._options.get(name, name)
        for ticker in (contract.symbol, f"{contract.symbol}-{contract.currency}", contract.localSymbol):
            found = self._by_ticker.get((ticker, kind))
            if found is not None:
                return found
        return str((contract.localSymbol if kind == "OPT" else "") or contract.symbol)


def side_of(text: str) -> Side:
    """Side in the desk's words."""
    return "BUY" if text in {"BUY", "BOT"} else "SELL"
