"""Gates: every one at its limit, and all of them asked whatever the first says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.book import RiskConfig, SizingConfig
from trading.gates import Account, Entry, as_mapping, check_entry, failed, pair_correlation, verdicts_json

RISK, SIZING = RiskConfig(), SizingConfig()
NO_RETURNS = lambda symbol: None  # noqa: E731


def account(**changes):
    fields = {"equity": 100_000.0, "opening_equity": 100_000.0, "cash": 100_000.0} | changes
    return Account(**fields)


def entry(symbol="NEW", value=5_000.0, sector="Energy", quantity=50.0, cost=None):
    return Entry(symbol, sector, quantity, value, value if cost is None else cost)


def failing(an_entry, an_account, **arguments):
    defaults = {"risk": RISK, "sizing": SIZING, "returns": NO_RETURNS}
    return failed(check_entry(an_entry, an_account, **(defaults | arguments)))


@pytest.mark.parametrize(
    ("an_entry", "an_account", "gates"),
    [
        (entry(), account(), []),
        # 1 daily loss: at the limit no entry is approved
        (entry(), account(equity=97_001.0), []),
        (entry(), account(equity=97_000.0), ["daily_loss"]),
        (entry(value=4_800.0), account(equity=96_200.0), ["daily_loss"]),  # the 3.80 % day
        # 2 size: the floor of 1 % of equity, and nothing at all
        (entry(value=1_000.0, quantity=10), account(), []),
        (entry(value=999.0, quantity=10), account(), ["size"]),
        (entry(value=0.0, quantity=0), account(), ["size"]),
        # 4 exposure: 25 % of equity
        (entry(value=5_000.0), account(values={"A": 20_000.0}), []),
        (entry(value=5_000.0), account(values={"A": 20_001.0}), ["portfolio_exposure"]),
        # 5 sector: 15 % of equity; an unknown sector shares no limit
        (entry(value=5_000.0), account(values={"A": 10_000.0}, sectors={"Energy": 10_000.0}), []),
        (
            entry(value=5_000.0),
            account(values={"A": 10_001.0}, sectors={"Energy": 10_001.0}),
            ["sector_exposure"],
        ),
        (
            entry(value=5_000.0, sector=None),
            account(values={"A": 10_001.0}, sectors={"Energy": 10_001.0}),
            [],
        ),
        # 7 one position a symbol
        (entry(symbol="A"), account(values={"A": 1_000.0}), ["second_position"]),
        # 8 cash after costs
        (entry(cost=5_000.0), account(cash=5_000.0), []),
        (entry(cost=5_000.01), account(cash=5_000.0), ["cash"]),
    ],
)
def test_each_gate_at_its_limit(an_entry, an_account, gates):
    assert failing(an_entry, an_account) == gates


def test_positions_and_the_regimes_limit():
    held = account(values={f"S{i}": 100.0 for i in range(7)})
    assert failing(entry(), held) == []
    held.add("S7", 100.0, None)
    assert failing(entry(), held) == ["max_positions"]
    four = account(values={f"S{i}": 100.0 for i in range(4)})
    assert failing(entry(), four, position_limit=4) == ["max_positions"]
    assert failing(entry(), four, position_limit=20) == []  # a regime never widens the book's own limit


def test_correlated_positions():
    rng = np.random.default_rng(5)
    market = rng.normal(size=60)
    series = {name: market + 0.1 * rng.normal(size=60) for name in ("NEW", "A", "B", "C")}
    series["D"] = rng.normal(size=60)
    returns = series.get
    two = account(values={"A": 100.0, "B": 100.0, "D": 100.0})
    assert failing(entry(), two, returns=returns) == []
    three = account(values={"A": 100.0, "B": 100.0, "C": 100.0, "D": 100.0})
    assert failing(entry(), three, returns=returns) == ["correlation"]
    verdict = check_entry(entry(), three, risk=RISK, sizing=SIZING, returns=returns)[5]
    assert verdict.note.split() == ["A", "B", "C"]


@given(st.integers(10, 80), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_correlation_agrees_with_numpy_over_shared_days(length, missing, seed):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, length))
    second[rng.integers(0, length, size=min(missing, length // 3))] = np.nan
    shared = np.isfinite(second)
    expected = np.corrcoef(first[shared], second[shared])[0, 1]
    assert pair_correlation(first, second) == pytest.approx(expected, abs=1e-12)


def test_too_little_in_common_is_no_correlation():
    first = np.arange(10.0)
    second = np.where(np.arange(10) < 4, first, np.nan)
    assert pair_correlation(first, second) == 0.0
    assert pair_correlation(np.zeros(10), first) == 0.0


def test_every_violated_gate_is_recorded_with_its_figures():
    poor = account(equity=50_000.0, cash=10.0, values={"NEW": 40_000.0}, sectors={"Energy": 40_000.0})
    verdicts = check_entry(entry(), poor, risk=RISK, sizing=SIZING, returns=NO_RETURNS)
    assert [v.gate for v in verdicts] == [
        "daily_loss",
        "size",
        "max_positions",
        "portfolio_exposure",
        "sector_exposure",
        "correlation",
        "second_position",
        "cash",
    ]
    assert failed(verdicts) == [
        "daily_loss",
        "portfolio_exposure",
        "sector_exposure",
        "second_position",
        "cash",
    ]
    kept = as_mapping(verdicts_json(verdicts))
    assert kept["daily_loss"]["figure"] == -0.5
    assert kept["daily_loss"]["limit"] == -0.03
    assert kept["sector_exposure"]["note"] == "Energy"


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1, 1e6), st.floats(0, 1e6))
def test_a_larger_entry_never_passes_where_a_smaller_one_fails(value, more, equity, cash):
    limits = {"portfolio_exposure", "sector_exposure", "cash"}
    small = (
        set(failing(entry(value=value), account(equity=equity, opening_equity=equity, cash=cash))) & limits
    )
    large = (
        set(failing(entry(value=value + more), account(equity=equity, opening_equity=equity, cash=cash)))
        & limits
    )
    assert small <= large
