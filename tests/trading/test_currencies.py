"""Rates of exchange: the newest that was known, never a later one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.currencies import OLDEST, ConversionError, exchange_rates
from trading.window import SessionTimes

from .decision.desks import quotes, times

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
"""Sessions of the test's calendar open at 14:30 and close at 21:00, every day from here on."""


def midnight(day: int) -> datetime:
    """End of a day, when a day of foreign exchange closes."""
    return MONDAY + timedelta(days=day + 1)


PAIR = quotes(
    ("EURUSD", "USD", midnight(-1), 1.10),
    ("EURUSD", "USD", midnight(0), 1.11),
    ("EURUSD", "USD", midnight(1), 1.12),
)


def test_a_rate_is_that_of_the_newest_bar_that_had_closed() -> None:
    rates = exchange_rates({"EUR": "EURUSD"}, "USD", PAIR, times(3))["EUR"]
    assert rates.opening.tolist() == [1.10, 1.11, 1.12]
    assert rates.closing.tolist() == [1.10, 1.11, 1.12], (
        "the bar of the day closes three hours after New York"
    )


def test_a_bar_that_closes_with_the_session_is_known_at_its_close() -> None:
    window = times(3)
    bars = quotes(*(("EURUSD", "USD", t.closes_at, 1.0 + i / 10) for i, t in enumerate(window)))
    earlier = quotes(("EURUSD", "USD", MONDAY, 0.9))
    rates = exchange_rates({"EUR": "EURUSD"}, "USD", pl.concat([earlier, bars]), window)["EUR"]
    assert rates.closing.tolist() == [1.0, 1.1, 1.2]
    assert rates.opening.tolist() == [0.9, 1.0, 1.1]


@pytest.mark.parametrize(
    ("other", "currency", "pair", "quote", "price", "rate"),
    [
        ("EUR", "USD", "EURUSD", "USD", 1.25, 1.25),
        ("USD", "EUR", "EURUSD", "USD", 1.25, 0.8),
        ("JPY", "USD", "USDJPY", "JPY", 125.0, 0.008),
        ("USD", "JPY", "USDJPY", "JPY", 125.0, 125.0),
        ("BTC", "USD", "BTCUSD", "USD", 40_000.0, 40_000.0),
    ],
)
def test_a_pair_converts_either_way(
    other: str, currency: str, pair: str, quote: str, price: float, rate: float
) -> None:
    bars = quotes((pair, quote, midnight(-1), price))
    found = exchange_rates({other: pair}, currency, bars, times(1))[other]
    assert found.opening.tolist() == found.closing.tolist() == [rate]


def test_a_fixed_rate_needs_no_bars() -> None:
    found = exchange_rates({"USDT": 1.0, "GBX": 0.0125}, "USD", quotes(), times(2))
    assert {name: rates.closing.tolist() for name, rates in found.items()} == {
        "USDT": [1.0, 1.0],
        "GBX": [0.0125, 0.0125],
    }


@pytest.mark.parametrize(
    ("bars", "said"),
    [
        (quotes(), r"conversion\.EUR = 'EURUSD': no bar of the 7 days before 2024-01-01 14:30; ingest it"),
        (quotes(("EURUSD", "USD", midnight(0), 1.1)), "no bar of the 7 days before 2024-01-01 14:30"),
        (
            quotes(("EURUSD", "USD", times(1)[0].opens_at - OLDEST - timedelta(seconds=1), 1.1)),
            "no bar of the 7 days before 2024-01-01 14:30",
        ),
        (
            quotes(("EURUSD", "CHF", midnight(-1), 1.1)),
            "'EURUSD', priced in CHF, is no pair of EUR and USD; name one that begins with either",
        ),
    ],
    ids=["none", "only later ones", "too old", "another currency"],
)
def test_what_is_not_known_is_refused(bars: pl.DataFrame, said: str) -> None:
    with pytest.raises(ConversionError, match=said):
        exchange_rates({"EUR": "EURUSD"}, "USD", bars, times(2))


@pytest.mark.parametrize(("pair", "quote"), [("GBPEUR", "EUR"), ("GBPUSD", "USD")])
def test_a_pair_with_a_third_currency_is_refused(pair: str, quote: str) -> None:
    bars = quotes((pair, quote, midnight(-1), 1.1))
    with pytest.raises(ConversionError, match=f"'{pair}', priced in {quote}, is no pair of EUR and USD"):
        exchange_rates({"EUR": pair}, "USD", bars, times(1))


def test_a_weekend_is_not_too_old() -> None:
    bars = quotes(("EURUSD", "USD", times(1)[0].opens_at - OLDEST, 1.1))
    window = [t._replace(closes_at=t.opens_at) for t in times(1)]
    assert exchange_rates({"EUR": "EURUSD"}, "USD", bars, window)["EUR"].closing.tolist() == [1.1]


@given(
    hours=st.lists(st.integers(-100, 400), min_size=1, max_size=30, unique=True),
    prices=st.lists(st.floats(0.1, 10.0), min_size=30, max_size=30),
    cut=st.integers(0, 9),
)
def test_cutting_the_future_off_changes_no_rate(hours: list[int], prices: list[float], cut: int) -> None:
    window: list[SessionTimes] = times(10)[: cut + 1]
    known = quotes(("EURUSD", "USD", MONDAY - timedelta(hours=110), 1.0))
    later = quotes(
        *(
            ("EURUSD", "USD", MONDAY + timedelta(hours=hour), price)
            for hour, price in zip(hours, prices, strict=False)
        )
    )
    past = later.filter(pl.col("closes_at") <= window[-1].closes_at)
    seen, whole = (pl.concat([known, part]) for part in (past, later))
    try:
        expected = exchange_rates({"EUR": "EURUSD"}, "USD", seen, window)["EUR"]
    except ConversionError:
        with pytest.raises(ConversionError):
            exchange_rates({"EUR": "EURUSD"}, "USD", whole, window)
        return
    found = exchange_rates({"EUR": "EURUSD"}, "USD", whole, window)["EUR"]
    assert np.array_equal(found.opening, expected.opening)
    assert np.array_equal(found.closing, expected.closing)
