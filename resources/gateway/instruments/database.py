"""The contract database: which instruments the gateway knows, and which of them a contract means."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from resources.contract_words import EXCHANGES, PAIR, SECURITY_TYPES
from resources.gateway.wire.layout.contracts import FIELDS
from resources.gateway.wire.layout.fields import Values
from trading.option_symbols import OptionTerms, option_symbol, option_terms

_EXCHANGES = {"CRYPTO": "PAXOS", "CASH": "IDEALPRO", "FUT": "CME", "IND": "CBOE"}


@dataclass(frozen=True, slots=True)
class Instrument:
    """One contract of the database.

    Attributes
    ----------
    symbol : str
        The desk's permanent symbol: the key of its prices.
    ticker : str
        What the protocol calls ``symbol``.
    last_trade_date : str
        ``YYYYMMDD`` for options and futures, else empty.
    legs : tuple of (int, int)
        Contract id and signed ratio of the legs of a combination.
    deliverable : float
        Units of the underlying that an option stands for, per unit of its multiplier: not 1 after a split
        that does not divide the strike.
    """

    con_id: int
    symbol: str
    ticker: str
    sec_type: str
    asset_class: str
    exchange: str
    primary_exchange: str
    currency: str
    local_symbol: str
    trading_class: str
    multiplier: float = 1.0
    min_tick: float = 0.01
    last_trade_date: str = ""
    strike: float = 0.0
    right: str = ""
    under_con_id: int = 0
    under_symbol: str = ""
    long_name: str = ""
    industry: str = ""
    legs: tuple[tuple[int, int], ...] = ()
    deliverable: float = 1.0

    @property
    def smart(self) -> bool:
        """Whether orders for it are routed."""
        return self.sec_type in {"STK", "OPT"}

    def contract(self) -> Values:
        """Fields of the contract as replies report them."""
        return {
            "conId": self.con_id,
            "symbol": self.ticker,
            "secType": self.sec_type,
            "lastTradeDate": self.last_trade_date,
            "strike": self.strike,
            "right": self.right,
            "multiplier": _multiplier_text(self),
            "exchange": self.exchange,
            "primaryExchange": self.primary_exchange,
            "currency": self.currency,
            "localSymbol": self.local_symbol,
            "tradingClass": self.trading_class,
        }


def con_id(identity: str, salt: int = 0) -> int:
    """Contract id of an identity: the same in every run, between 2^20 and 2^30."""
    digest = hashlib.blake2b(f"{identity}\x1f{salt}".encode(), digest_size=8).digest()
    return (1 << 20) + int.from_bytes(digest, "big") % ((1 << 30) - (1 << 20))


class Instruments:
    """All contracts that the gateway knows, by contract id, desk symbol and ticker."""

    def __init__(self) -> None:
        self._by_id: dict[int, Instrument] = {}
        self._by_symbol: dict[str, Instrument] = {}
        self._by_ticker: dict[str, list[Instrument]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._by_id)

    def all(self) -> list[Instrument]:
        """Every instrument in the order in which it was added."""
        return list(self._by_id.values())

    def by_id(self, number: int) -> Instrument | None:
        """Instrument of a contract id."""
        return self._by_id.get(number)

    def by_symbol(self, symbol: str) -> Instrument | None:
        """Instrument of a desk symbol."""
        return self._by_symbol.get(symbol)

    def add(self, row: Mapping[str, Any]) -> Instrument:
        """Add an instrument from a row of the desk's instruments table, or return it when it is known.

        Parameters
        ----------
        row : mapping
            At least ``symbol`` and ``asset_class``; ``ticker``, ``exchange``, ``currency``, ``multiplier``,
            ``sector``, ``name``, ``min_tick`` and ``expiry`` where known.
        """
        known = self._by_symbol.get(row["symbol"])
        if known is not None:
            return known
        terms = option_terms(row["symbol"]) if row["asset_class"] == "option" else None
        return self._register(self._option(row, terms) if terms else self._plain(row))

    def add_option(self, underlying: Instrument, terms: OptionTerms, multiplier: float = 100.0) -> Instrument:
        """Option contract on a known underlying."""
        row = {"asset_class": "option", "currency": underlying.currency, "multiplier": multiplier}
        symbol = option_symbol(terms)
        return self._by_symbol.get(symbol) or self._register(self._option({**row, "symbol": symbol}, terms))

    def add_combination(self, contract: Mapping[str, Any]) -> Instrument | None:
        """Combination of known contracts; None when a leg is not known."""
        legs = tuple(
            (leg["conId"], (leg["ratio"] or 0) * (1 if leg["action"] == "BUY" else -1))
            for leg in contract.get("comboLegs") or ()
        )
        if not legs or any(number not in self._by_id or not ratio for number, ratio in legs):
            return None
        symbol = "BAG:" + ",".join(f"{ratio:+d}x{number}" for number, ratio in legs)
        first = self._by_id[legs[0][0]]
        return self._by_symbol.get(symbol) or self._register(
            Instrument(
                con_id=self._free_id(symbol),
                symbol=symbol,
                ticker=contract.get("symbol") or first.ticker,
                sec_type="BAG",
                asset_class="combination",
                exchange="SMART",
                primary_exchange="",
                currency=first.currency,
                local_symbol=contract.get("symbol") or first.ticker,
                trading_class="COMB",
                multiplier=first.multiplier,
                legs=legs,
            )
        )

    def find(self, wanted: Mapping[str, Any]) -> list[Instrument]:
        """Instruments that a contract may mean, each field that is given restricting the answer."""
        if wanted.get("conId"):
            found = self._by_id.get(wanted["conId"])
            return [found] if found and _agrees(found, wanted, by_id=True) else []
        return [entry for entry in self._candidates(wanted) if _agrees(entry, wanted)]

    def matching(self, pattern: str) -> list[Instrument]:
        """Up to sixteen instruments, options left out, whose ticker or name starts with the pattern."""
        start = pattern.strip().upper()
        found = [
            entry
            for entry in self._by_id.values()
            if entry.sec_type not in {"OPT", "BAG"}
            and (entry.ticker.upper().startswith(start) or entry.long_name.upper().startswith(start))
        ]
        return sorted(found, key=lambda entry: (entry.ticker != start, entry.ticker))[:16]

    def depends(self, instrument: Instrument, number: int) -> bool:
        """Whether the price of an instrument comes from another's: its own, its underlying's, a leg's."""
        if number in {instrument.con_id, instrument.under_con_id}:
            return True
        legs = (self._by_id.get(leg) for leg, _ in instrument.legs)
        return any(self.depends(leg, number) for leg in legs if leg is not None)

    def options(self, under_con_id: int) -> list[Instrument]:
        """Known options on an underlying."""
        return [
            entry for entry in self._by_id.values() if under_con_id and entry.under_con_id == under_con_id
        ]

    def _candidates(self, wanted: Mapping[str, Any]) -> Iterable[Instrument]:
        if wanted.get("symbol"):
            return self._by_ticker.get(wanted["symbol"].upper(), ())
        if wanted.get("localSymbol"):
            local = wanted["localSymbol"]
            return [entry for entry in self._by_id.values() if entry.local_symbol == local]
        return ()

    def _register(self, instrument: Instrument) -> Instrument:
        self._by_id[instrument.con_id] = instrument
        self._by_symbol[instrument.symbol] = instrument
        self._by_ticker[instrument.ticker.upper()].append(instrument)
        return instrument

    def _free_id(self, identity: str) -> int:
        return next(
            number for salt in range(1 << 16) if (number := con_id(identity, salt)) not in self._by_id
        )

    def _plain(self, row: Mapping[str, Any]) -> Instrument:
        sec_type = SECURITY_TYPES[row["asset_class"]]
        ticker, currency = _ticker(row, sec_type)
        listed = str(row.get("exchange") or "")
        primary = EXCHANGES.get(listed, listed) if sec_type in {"STK", "FUT", "IND"} else ""
        pair = sec_type in {"CASH", "CRYPTO"}
        return Instrument(
            con_id=self._free_id(f"{row['asset_class']}:{row['symbol']}"),
            symbol=row["symbol"],
            ticker=ticker,
            sec_type=sec_type,
            asset_class=row["asset_class"],
            exchange="SMART" if sec_type == "STK" else _EXCHANGES.get(sec_type, "SMART"),
            primary_exchange=primary,
            currency=currency,
            local_symbol=f"{ticker}.{currency}" if pair else str(row.get("ticker") or row["symbol"]),
            trading_class=f"{ticker}.{currency}" if pair else ticker,
            multiplier=float(row.get("multiplier") or 1),
            min_tick=float(row.get("min_tick") or _default_tick(sec_type)),
            last_trade_date=_day_text(row.get("expiry")),
            long_name=str(row.get("name") or ticker),
            industry=str(row.get("sector") or ""),
        )

    def _option(self, row: Mapping[str, Any], terms: OptionTerms) -> Instrument:
        owner = self._by_symbol.get(str(row.get("underlying") or terms.root))
        return Instrument(
            con_id=self._free_id(f"option:{option_symbol(terms)}"),
            symbol=row["symbol"],
            ticker=owner.ticker if owner else terms.root,
            sec_type="OPT",
            asset_class="option",
            exchange="SMART",
            primary_exchange="",
            currency=str(row.get("currency") or "USD"),
            local_symbol=option_symbol(terms),
            trading_class=terms.root,
            multiplier=float(row.get("multiplier") or 100),
            min_tick=0.01,
            last_trade_date=f"{terms.expiry:%Y%m%d}",
            strike=terms.strike,
            right=terms.right,
            under_con_id=owner.con_id if owner else 0,
            under_symbol=owner.ticker if owner else terms.root,
            long_name=owner.long_name if owner else terms.root,
            deliverable=float(row.get("deliverable") or 1.0),
        )


def _day_text(day: object) -> str:
    """``YYYYMMDD`` of a date, or of one that came as ISO text through the control channel."""
    return f"{day:%Y%m%d}" if isinstance(day, date) else str(day or "").replace("-", "")


def _multiplier_text(instrument: Instrument) -> str:
    if instrument.sec_type not in {"OPT", "FUT", "FOP"}:
        return ""
    return (
        str(int(instrument.multiplier)) if instrument.multiplier.is_integer() else str(instrument.multiplier)
    )


def _default_tick(sec_type: str) -> float:
    return {"CASH": 0.00005, "CRYPTO": 0.01, "FUT": 0.25}.get(sec_type, 0.01)


def _ticker(row: Mapping[str, Any], sec_type: str) -> tuple[str, str]:
    name = str(row.get("ticker") or row["symbol"])
    currency = str(row.get("currency") or "USD")
    if sec_type in {"CASH", "CRYPTO"}:
        match = PAIR.fullmatch(name)
        if match and (sec_type == "CASH" or match[2] == currency):
            return match[1], match[2]
    return name, currency


def _agrees(instrument: Instrument, wanted: Mapping[str, Any], *, by_id: bool = False) -> bool:
    given = {name: wanted[name] for name in FIELDS if wanted.get(name)}
    if by_id:
        return bool(given.get("currency", instrument.currency) == instrument.currency)
    right = str(given.get("right", instrument.right))[:1].replace("?", "")
    exchange = str(given.get("exchange", "SMART"))
    return bool(
        given.get("secType", instrument.sec_type) == instrument.sec_type
        and given.get("currency", instrument.currency) == instrument.currency
        and given.get("localSymbol", instrument.local_symbol) == instrument.local_symbol
        and given.get("tradingClass", instrument.trading_class) == instrument.trading_class
        and given.get("primaryExchange", instrument.primary_exchange)
        in {instrument.primary_exchange, "SMART"}
        and exchange in {instrument.exchange, instrument.primary_exchange, "SMART", *_VENUES}
        and instrument.last_trade_date.startswith(str(given.get("lastTradeDate", "")))
        and float(given.get("strike", instrument.strike)) == instrument.strike
        and right == instrument.right
        and given.get("multiplier", "") in {"", _multiplier_text(instrument), str(instrument.multiplier)}
    )


_VENUES = ("ISLAND", "NASDAQ", "NYSE", "ARCA", "AMEX", "BATS", "IEX", "CBOE", "IBKRATS", "ZEROHASH", "PAXOS")
