"""A small desk: candles and signals in, the journal's frames out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from trading.book import BookConfig
from trading.currencies import exchange_rates
from trading.history import history_from_frames
from trading.journal import Journal
from trading.matching import costs_of
from trading.rules import Policy, Rules
from trading.signals import candidates_by_session, signals_by_session
from trading.simulate import Inputs, simulate
from trading.state import BookState, new_state
from trading.window import Instrument, SessionTimes, price_window

START = date(2024, 1, 1)
FREE = {"stock": {"slippage": {"model": "none"}, "commission": {"model": "none"}, "participation": 1.0}}
OPEN_LIMITS = {
    "max_positions": 100,
    "max_portfolio_exposure": 10.0,
    "max_sector_exposure": 10.0,
    "max_correlated": 100,
    "max_daily_loss": 1.0,
    "regime": False,
}

Candle = tuple[float, float, float, float]


def day(index: int) -> date:
    """Session at an index; every day of the week is one here."""
    return START + timedelta(days=index)


def times(count: int) -> list[SessionTimes]:
    """Times of the first sessions."""
    at = [datetime(2024, 1, 1, 14, 30, tzinfo=UTC) + timedelta(days=i) for i in range(count + 1)]
    close = timedelta(hours=6, minutes=30)
    return [SessionTimes(day(i), at[i], at[i] + close, at[i + 1] + close) for i in range(count)]


def book(**changes: Any) -> BookConfig:
    """A book without costs and with wide limits, unless told otherwise."""
    fields: dict[str, Any] = {
        "name": "test",
        "start": START,
        "capital": 100_000.0,
        "strategies": {"s": {"key": "turtle"}},
        "costs": FREE,
        "risk": OPEN_LIMITS,
        "sizing": {"max_position": 1.0, "min_position": 0.0},
    }
    return BookConfig.model_validate(fields | changes)


def bars(candles: Mapping[str, Sequence[Candle | None]], volume: float = 1e9) -> pl.DataFrame:
    """Bars from candles by symbol; None is a session without a bar."""
    rows = [
        {
            "symbol": symbol,
            "session": day(i),
            "open": c[0],
            "high": c[1],
            "low": c[2],
            "close": c[3],
            "volume": volume,
        }
        for symbol, series in candles.items()
        for i, c in enumerate(series)
        if c is not None
    ]
    return pl.DataFrame(rows)


def actions(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Corporate actions; ``on`` is the index of the ex date, ``pay`` that of the payment."""
    schema = {
        "symbol": pl.String,
        "ex_date": pl.Date,
        "action": pl.String,
        "value": pl.Float64,
        "pay_date": pl.Date,
        "new_symbol": pl.String,
    }
    filled = [
        {
            "symbol": row["symbol"],
            "ex_date": day(row["on"]),
            "action": row["action"],
            "value": row.get("value"),
            "pay_date": day(row["pay"]) if "pay" in row else None,
            "new_symbol": row.get("new_symbol"),
        }
        for row in rows
    ]
    return pl.DataFrame(filled, schema=schema)


def signal(on: int, symbol: str, action: str, **fields: Any) -> dict[str, Any]:
    """A signal of strategy ``s`` on the close of a session."""
    row: dict[str, Any] = {
        "session": day(on),
        "strategy": "s",
        "symbol": symbol,
        "action": action,
        "strength": 50.0,
        "confidence": 1.0,
        "price": 100.0,
        "stop": None,
        "target": None,
        "weight": None,
        "max_hold": None,
        "reason": action.lower(),
    }
    return row | fields


SIGNAL_TYPES = {
    "session": pl.Date,
    "strategy": pl.String,
    "symbol": pl.String,
    "action": pl.String,
    "strength": pl.Float64,
    "confidence": pl.Float64,
    "price": pl.Float64,
    "stop": pl.Float64,
    "target": pl.Float64,
    "weight": pl.Float64,
    "max_hold": pl.Int64,
    "reason": pl.String,
}
CANDIDATE_TYPES = {
    "session": pl.Date,
    "strategy": pl.String,
    "symbol": pl.String,
    "rank": pl.Int64,
    "score": pl.Float64,
}


class Desk:
    """A book over fixed candles; may be walked in pieces."""

    def __init__(
        self,
        candles: Mapping[str, Sequence[Candle | None]],
        signals: Sequence[Mapping[str, Any]] = (),
        *,
        config: BookConfig | None = None,
        rules: Rules | None = None,
        corporate: pl.DataFrame | None = None,
        candidates: Sequence[Mapping[str, Any]] = (),
        sectors: Mapping[str, str] | None = None,
        volume: float = 1e9,
        instruments: Mapping[str, Instrument] | None = None,
        pairs: pl.DataFrame | None = None,
        classes: Mapping[str, str] | None = None,
    ) -> None:
        self.config = config or book()
        self.length = max(len(series) for series in candles.values())
        calendar = pl.DataFrame({"session": [day(i) for i in range(self.length)]})
        self.actions = actions() if corporate is None else corporate
        self.history = history_from_frames(
            bars(candles, volume),
            self.actions,
            pl.DataFrame(
                [(symbol, kind, None, START) for symbol, kind in (classes or {}).items()],
                schema={
                    "symbol": pl.String,
                    "asset_class": pl.String,
                    "sector": pl.String,
                    "valid_from": pl.Date,
                },
                orient="row",
            ),
            calendar,
        )
        listed = pl.DataFrame(list(candidates), schema=CANDIDATE_TYPES)
        self.inputs = Inputs(
            signals_by_session(pl.DataFrame(list(signals), schema=SIGNAL_TYPES), listed),
            candidates_by_session(listed),
            {},
        )
        self.policy = Policy(self.config, {"s": rules or Rules()}, costs_of(self.config.costs))
        self.instruments = {s: Instrument("stock", (sectors or {}).get(s), 1.0) for s in candles}
        self.instruments |= instruments or {}
        self.pairs = quotes() if pairs is None else pairs
        named = {one.calendar for one in self.instruments.values()} - {""}
        self.calendars = {name: weekdays(self.length) for name in named}

    def walk(
        self, state: BookState | None = None, first: int = 0, end: int | None = None, **options: Any
    ) -> Journal:
        """Walk sessions ``first`` up to ``end``."""
        state = state if state is not None else new_state(self.config.capital)
        window = times(self.length)[first : end if end is not None else self.length]
        config = self.config
        prices = price_window(
            self.history,
            window,
            config,
            self.actions,
            self.instruments,
            rates=exchange_rates(config.conversion, config.currency, self.pairs, window),
            calendars=self.calendars,
        )
        return simulate(state, prices, self.inputs, self.policy, config_hash="test", **options)

    def frames(self, **options: Any) -> dict[str, pl.DataFrame]:
        """Frames of a walk over all sessions."""
        return self.walk(**options).frames()


def weekdays(count: int) -> pl.DataFrame:
    """Sessions of a calendar that rests at weekends, closing when the book's do."""
    every = times(count + 7)
    rows = [(t.session, t.closes_at) for t in every if t.session.weekday() < 5]
    schema = {"session": pl.Date, "closes_at": pl.Datetime("us", "UTC")}
    return pl.DataFrame(rows, schema=schema, orient="row")


def quotes(*rows: tuple[str, str, datetime, float]) -> pl.DataFrame:
    """Bars of pairs: symbol, currency of the price, close of the bar, price."""
    schema = {
        "symbol": pl.String,
        "quote": pl.String,
        "closes_at": pl.Datetime("us", "UTC"),
        "close": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def flat(price: float, count: int) -> list[Candle]:
    """Candles that do not move."""
    return [(price, price, price, price)] * count
