"""Current prices: the last quote of every symbol, combinations priced from their legs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from resources.gateway.instruments.blackscholes import VOLATILITY, option_greeks, years_to
from resources.gateway.instruments.database import Instrument, Instruments
from resources.gateway.market.clock import Clock
from trading.option_symbols import option_terms
from trading.orders import Bar


@dataclass(frozen=True, slots=True)
class Quote:
    """Last price of a symbol and the day it belongs to; ``value`` is the money that its volume cost."""

    last: float
    size: float
    at: datetime
    open: float
    high: float
    low: float
    previous_close: float
    volume: float = 0.0
    bid: float | None = None
    ask: float | None = None
    value: float = 0.0


class Quotes:
    """Last quotes by symbol."""

    def __init__(self, instruments: Instruments, clock: Clock) -> None:
        self._instruments = instruments
        self._clock = clock
        self._quotes: dict[str, Quote] = {}

    def get(self, symbol: str) -> Quote | None:
        """Last quote of a symbol."""
        return self._quotes.get(symbol)

    def price(self, instrument: Instrument) -> float | None:
        """Last price of an instrument; of an option that nobody quotes the model's."""
        if instrument.legs:
            return self._combined(instrument)
        quote = self._quotes.get(instrument.symbol)
        if quote is None and instrument.sec_type == "OPT":
            return self._modelled(instrument)
        return quote.last if quote else None

    def bid_ask(self, instrument: Instrument) -> tuple[float, float] | None:
        """Best bid and offer: as quoted, else one tick around the last price."""
        quote = self._quotes.get(instrument.symbol)
        last = self.price(instrument)
        if last is None:
            return None
        tick = instrument.min_tick
        below = last - tick if instrument.legs else max(last - tick, 0.0)
        bid = quote.bid if quote and quote.bid is not None else below
        ask = quote.ask if quote and quote.ask is not None else last + tick
        return round(bid, 8), round(ask, 8)

    def trade(self, symbol: str, price: float, size: float, at: datetime) -> Quote:
        """A single trade at a price."""
        known = self._quotes.get(symbol)
        if known is None:
            quote = Quote(price, size, at, price, price, price, price, size, value=price * size)
        else:
            quote = replace(
                known,
                last=price,
                size=size,
                at=at,
                high=max(known.high, price),
                low=min(known.low, price),
                volume=known.volume + size,
                value=known.value + price * size,
                bid=None,
                ask=None,
            )
        self._quotes[symbol] = quote
        return quote

    def spread(self, symbol: str, bid: float, ask: float) -> None:
        """Quote a bid and an offer around the last trade."""
        known = self._quotes.get(symbol)
        if known is not None:
            self._quotes[symbol] = replace(known, bid=bid, ask=ask)

    def open(self, symbol: str, bar: Bar, at: datetime) -> None:
        """Start of a bar: only its first price is known."""
        known = self._quotes.get(symbol)
        previous = known.last if known else bar.open
        self._quotes[symbol] = Quote(bar.open, 0.0, at, bar.open, bar.open, bar.open, previous)

    def finish(self, symbol: str, bar: Bar, at: datetime) -> None:
        """End of a bar."""
        known = self._quotes.get(symbol)
        previous = known.previous_close if known else bar.open
        self._quotes[symbol] = Quote(
            bar.close, 0.0, at, bar.open, bar.high, bar.low, previous, bar.volume, value=_paid(bar)
        )

    def extend(self, symbol: str, bar: Bar, at: datetime) -> None:
        """End of a bar that is a part of the day."""
        known = self._quotes.get(symbol)
        if known is None:
            self.finish(symbol, bar, at)
            return
        high, low = max(known.high, bar.high), min(known.low, bar.low)
        volume, value = known.volume + bar.volume, known.value + _paid(bar)
        self._quotes[symbol] = replace(
            known, last=bar.close, size=0.0, at=at, high=high, low=low, volume=volume, value=value
        )

    def split(self, symbol: str, ratio: float) -> None:
        """Prices of before a split in units of after it."""
        known = self._quotes.get(symbol)
        if known is None:
            return
        names = ("last", "open", "high", "low", "previous_close", "bid", "ask")
        prices = {name: getattr(known, name) for name in names}
        changed = {name: price / ratio for name, price in prices.items() if price is not None}
        self._quotes[symbol] = replace(known, volume=known.volume * ratio, **changed)

    def end_day(self) -> None:
        """Let every last price be the close that the next day is compared with."""
        for symbol, quote in self._quotes.items():
            last = quote.last
            self._quotes[symbol] = replace(
                quote, open=last, high=last, low=last, previous_close=last, volume=0.0, value=0.0
            )

    def _modelled(self, option: Instrument) -> float | None:
        terms = option_terms(option.local_symbol)
        owner = self._instruments.by_id(option.under_con_id)
        spot = self.price(owner) if owner else None
        if terms is None or spot is None:
            return None
        years = years_to(terms.expiry, self._clock.now().date())
        worth = spot * option.deliverable
        return round(option_greeks(terms.right, worth, terms.strike, years, VOLATILITY).price, 2)

    def _combined(self, instrument: Instrument) -> float | None:
        total = 0.0
        for number, ratio in instrument.legs:
            leg = self._instruments.by_id(number)
            price = self.price(leg) if leg else None
            if price is None:
                return None
            total += ratio * price
        return round(total, 8)


def _paid(bar: Bar) -> float:
    """Money that a bar's volume cost, at its typical price."""
    return (bar.high + bar.low + bar.close) / 3 * bar.volume
