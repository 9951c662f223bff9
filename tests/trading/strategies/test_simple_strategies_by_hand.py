"""The simple strategies against a plain reading of their rules, bar by bar, in exact arithmetic."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.book import StrategyConfig
from trading.history import History, select
from trading.indicators import Indicator, adjusted
from trading.indicators.catalogue import CATALOGUE
from trading.strategies.registry import BUILT_IN, load

from .conftest import built

FRAMED = ("turtle", "sma_cross", "bollinger_breakout")
SMALL: dict[str, dict[str, Any]] = {
    "turtle": {"entry_window": 4, "exit_window": 2, "range_window": 3},
    "sma_cross": {"fast": 2, "slow": 5},
    "bollinger_breakout": {"window": 5, "deviations": 1.0},
}
"""Windows that a few dozen bars fill."""

Found = set[tuple[date, str, str]]


def history_of(closes: dict[str, list[int]], skip: dict[str, int] | None = None) -> History:
    """Bars whose high and low lie one above and one below the close, so that ties are common."""
    made = built(closes, skip=skip)
    return replace(made, high=made.close + 1.0, low=made.close - 1.0)


def said(key: str, history: History, **parameters: Any) -> pl.DataFrame:
    """Signals of a strategy over a whole history."""
    strategy = load(StrategyConfig(key=key, params={**SMALL.get(key, {}), **parameters}), key)
    return strategy.research(history, slice(None)).signals


def actions(signals: pl.DataFrame) -> Found:
    return set(signals.select("session", "symbol", "action").iter_rows())


def bars_of(history: History, symbol: str) -> list[tuple[date, float]]:
    rows = history.rows(symbol)
    days = history.sessions[history.session_index[rows]].tolist()
    return list(zip(days, history.close[rows].tolist(), strict=True))


# ------------------------------------------------------------------------------------------ plain readings


def plain_turtle(symbol: str, bars: list[tuple[date, float]], entry: int, leave: int, window: int) -> Found:
    """Close over the high of the bars before; close below their low; never before the range is known."""
    found: Found = set()
    for at, (day, close) in enumerate(bars):
        highs = [value + 1 for _, value in bars[max(at - entry, 0) : at]]
        lows = [value - 1 for _, value in bars[max(at - leave, 0) : at]]
        if len(highs) == entry and at >= window and close > max(highs):
            found.add((day, symbol, "BUY"))
        if len(lows) == leave and close < min(lows):
            found.add((day, symbol, "CLOSE"))
    return found


def plain_cross(symbol: str, bars: list[tuple[date, float]], fast: int, slow: int) -> Found:
    """Fast average over the slow one today and not yesterday, and the other way round."""

    def over(at: int) -> bool | None:
        if at + 1 < slow:
            return None
        values = [Fraction(close) for _, close in bars[: at + 1]]
        return sum(values[-fast:]) / fast > sum(values[-slow:]) / slow

    found: Found = set()
    for at in range(1, len(bars)):
        before, now = over(at - 1), over(at)
        if before is False and now is True:
            found.add((bars[at][0], symbol, "BUY"))
        if before is True and now is False:
            found.add((bars[at][0], symbol, "CLOSE"))
    return found


def plain_bands(symbol: str, bars: list[tuple[date, float]], window: int, deviations: int) -> Found:
    """Close beyond mean plus deviations of the window (population), compared by squares: no root needed."""

    def where(at: int) -> tuple[bool | None, bool | None]:
        if at + 1 < window:
            return None, None
        values = [Fraction(close) for _, close in bars[at + 1 - window : at + 1]]
        mean = sum(values) / window
        variance = sum((value - mean) ** 2 for value in values) / window
        gap = values[-1] - mean
        return gap > 0 and gap**2 > deviations**2 * variance, gap < 0

    found: Found = set()
    for at in range(1, len(bars)):
        (beyond_before, below_before), (beyond, below) = where(at - 1), where(at)
        if beyond_before is False and beyond is True:
            found.add((bars[at][0], symbol, "BUY"))
        if below_before is False and below is True:
            found.add((bars[at][0], symbol, "CLOSE"))
    return found


closes = st.lists(st.integers(min_value=20, max_value=30), min_size=1, max_size=60)
two_names = st.fixed_dictionaries({"A": closes, "B": closes})


@settings(max_examples=40)
@given(two_names, st.integers(0, 10))
def test_turtle_is_its_plain_reading(names: dict[str, list[int]], late: int) -> None:
    history = history_of(names, {"B": late})
    windows = SMALL["turtle"]
    expected = set().union(
        *(
            plain_turtle(
                name,
                bars_of(history, name),
                windows["entry_window"],
                windows["exit_window"],
                windows["range_window"],
            )
            for name in names
        )
    )
    assert actions(said("turtle", history)) == expected


@settings(max_examples=40)
@given(two_names, st.integers(0, 10))
def test_crossing_averages_are_their_plain_reading(names: dict[str, list[int]], late: int) -> None:
    """Averages of whole numbers meet exactly now and then: a meeting is no crossing."""
    history = history_of(names, {"B": late})
    expected = set().union(*(plain_cross(name, bars_of(history, name), 2, 5) for name in names))
    assert actions(said("sma_cross", history)) == expected


def distinct(values: list[int]) -> list[int]:
    """Values without five equal ones in a row, where the band has no width and rounding would decide."""
    kept: list[int] = []
    for value in values:
        kept.append(value + 1 if kept[-4:] == [value] * 4 else value)
    return kept


@settings(max_examples=40)
@given(two_names)
def test_bands_are_their_plain_reading(names: dict[str, list[int]]) -> None:
    """Windows in which the close lies exactly on a band are left out: a square root decides there."""
    history = history_of({name: distinct(values) for name, values in names.items()})
    found = actions(said("bollinger_breakout", history, deviations=1.25))
    for name in names:
        bars = bars_of(history, name)
        edges = {day for day, _ in bars if on_an_edge(bars, day, 5)}
        expected = {row for row in plain_bands_of(name, bars) if row[0] not in edges}
        assert {row for row in found if row[1] == name and row[0] not in edges} == expected


def plain_bands_of(name: str, bars: list[tuple[date, float]]) -> Found:
    return plain_bands(name, bars, 5, Fraction(5, 4))  # type: ignore[arg-type]


def on_an_edge(bars: list[tuple[date, float]], day: date, window: int) -> bool:
    """Whether the close of a day or of the day before lies on a band or on the mean itself."""
    at = [each for each, _ in bars].index(day)
    for end in (at, at - 1):
        values = [Fraction(close) for _, close in bars[max(end + 1 - window, 0) : end + 1]]
        if len(values) < window:
            continue
        mean = sum(values) / window
        variance = sum((value - mean) ** 2 for value in values) / window
        if (values[-1] - mean) ** 2 == Fraction(25, 16) * variance or values[-1] == mean:
            return True
    return False


# ------------------------------------------------------------------------------------------ boundaries

TIES: dict[str, tuple[list[int], list[tuple[int, str]]]] = {
    "turtle: close at the prior high is no breakout": ([20, 20, 20, 20, 21], []),
    "turtle: one above it is": ([20, 20, 20, 20, 22], [(4, "BUY")]),
    "turtle: close at the prior low is no exit": ([20, 20, 20, 20, 19], []),
    "turtle: one below it is": ([20, 20, 20, 20, 18], [(4, "CLOSE")]),
    "turtle: the bar itself does not count": ([20, 20, 20, 20, 40, 40], [(4, "BUY")]),
    "turtle: exits come before the range is known": ([20, 20, 10], [(2, "CLOSE")]),
    "turtle: entries do not": ([20, 20, 40], []),
    "sma_cross: a meeting is no crossing": ([20, 20, 20, 20, 20, 20, 20], []),
    "sma_cross: up": ([20, 20, 20, 20, 20, 25], [(5, "BUY")]),
    "sma_cross: up and down": ([20, 20, 20, 20, 20, 25, 10, 10], [(5, "BUY"), (6, "CLOSE")]),
    "sma_cross: the first bar that is known has no bar before": ([20, 20, 20, 20, 25], []),
    "bollinger_breakout: up": ([20, 21, 20, 21, 20, 30], [(5, "BUY")]),
    "bollinger_breakout: stays beyond once": (
        [20, 21, 20, 21, 20, 30, 45],
        [(5, "BUY")],
    ),
    "bollinger_breakout: through the middle": ([20, 21, 20, 21, 22, 10], [(5, "CLOSE")]),
}


@pytest.mark.parametrize("case", TIES)
def test_at_the_boundary(case: str) -> None:
    values, expected = TIES[case]
    history = history_of({"A": values})
    found = actions(said(case.partition(":")[0], history))
    assert found == {(history.sessions[at].item(), "A", action) for at, action in expected}


def test_the_turtles_stop_is_two_ranges_below_the_close() -> None:
    """True range of 2 on quiet bars, 11 on the breakout; Wilder's average of three."""
    history = history_of({"A": [20, 20, 20, 20, 30]})
    row = said("turtle", history).row(0, named=True)
    average = (2 * 2 + 11) / 3
    assert row["stop"] == pytest.approx(30 - 2 * average)
    assert row["reason"] == "breakout"
    without = said("turtle", history, stop_ranges=0).row(0, named=True)
    assert without["stop"] is None


def test_a_stop_that_would_lie_below_nothing_is_left_out() -> None:
    history = history_of({"A": [20, 20, 20, 20, 30]})
    row = said("turtle", history, stop_ranges=20).row(0, named=True)
    assert (row["action"], row["stop"]) == ("BUY", None)


@pytest.mark.parametrize(
    ("key", "values"), [("sma_cross", [20] * 5 + [25]), ("bollinger_breakout", [20, 21] * 3 + [40])]
)
@pytest.mark.parametrize("loss", [0.0, 0.05, 0.5])
def test_a_stop_loss_is_a_share_of_the_close(key: str, values: list[int], loss: float) -> None:
    row = said(key, history_of({"A": values}), stop_loss=loss).filter(action="BUY").row(0, named=True)
    assert row["stop"] == (pytest.approx(values[-1] * (1 - loss)) if loss else None)


# ------------------------------------------------------------------------------------------ buy and hold

HOLDING: dict[str, tuple[dict[str, list[int]], dict[str, int], int | None, dict[str, float]]] = {
    "equal parts": ({"A": [20] * 5, "B": [30] * 5}, {}, None, {"A": 0.5, "B": 0.5}),
    "a late listing is left out": ({"A": [20] * 5, "B": [30] * 3}, {"B": 2}, None, {"A": 1.0}),
    "an anchor after the listing": (
        {"A": [20] * 5, "B": [30] * 3},
        {"B": 2},
        2,
        {"A": 0.5, "B": 0.5},
    ),
    "alone": ({"A": [20]}, {}, None, {"A": 1.0}),
}


@pytest.mark.parametrize("case", HOLDING)
def test_buy_and_hold_asks_once_for_equal_parts(case: str) -> None:
    names, skip, anchor, expected = HOLDING[case]
    history = history_of(names, skip)
    strategy = load(StrategyConfig(key="buy_and_hold", params={"exposure": 0.9}), "b")
    start = None if anchor is None else history.sessions[anchor].item()
    signals = strategy.research(history, slice(None), start).signals
    assert dict(signals.select("symbol", "weight").iter_rows()) == {
        name: pytest.approx(0.9 * weight) for name, weight in expected.items()
    }
    assert signals["session"].n_unique() == 1
    assert set(signals["action"]) == {"TARGET"}


# ------------------------------------------------------------------------------------------ every strategy


def gappy(seed: int, length: int = 400) -> History:
    """Four names with missing bars and listings of their own."""
    random = np.random.default_rng(seed)
    names = {f"S{i}": (40 * np.exp(np.cumsum(random.normal(0.001, 0.02, length - 40 * i)))) for i in range(4)}
    history = built(names, skip={f"S{i}": 40 * i for i in range(4)})
    keep = random.random(len(history.close)) > 0.03
    counts = np.add.reduceat(keep.astype(np.int64), history.offsets[:-1])
    flat = ("open", "high", "low", "close", "volume", "price_factor", "split_factor", "session_index")
    return replace(
        history,
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        **{name: getattr(history, name)[keep] for name in flat},
    )


@pytest.mark.parametrize("key", BUILT_IN)
@pytest.mark.parametrize("seed", [1, 2])
def test_one_window_at_a_time_says_what_all_at_once_does(key: str, seed: int) -> None:
    history = gappy(seed)
    strategy = load(StrategyConfig(key=key, params=SMALL.get(key, {})), key)
    anchor = history.sessions[0].item()
    whole = strategy.research(history, slice(None), anchor)
    cuts = [0, 100, 101, 250, 399, len(history.sessions)]
    parts = [strategy.research(history, (a, b), anchor) for a, b in pairwise(cuts)]
    assert pl.concat([part.signals for part in parts]).equals(whole.signals)
    assert pl.concat([part.candidates for part in parts]).equals(whole.candidates)


@pytest.mark.parametrize("key", FRAMED)
@pytest.mark.parametrize("seed", [3, 4])
def test_other_names_have_no_say(key: str, seed: int) -> None:
    history = gappy(seed)
    whole = said(key, history)
    for name in history.symbols:
        alone = said(key, select(history, (name,)))
        assert alone.equals(whole.filter(symbol=name))


@pytest.mark.parametrize("key", FRAMED)
@pytest.mark.parametrize("dropped", [1, 50, 137])
def test_history_before_the_warm_up_changes_nothing(key: str, dropped: int) -> None:
    """R10, for every strategy on windows of a few bars; Wilder's average forgets within two hundred."""
    history = gappy(5)
    keep = history.session_index >= dropped
    counts = np.add.reduceat(keep.astype(np.int64), history.offsets[:-1])
    flat = ("open", "high", "low", "close", "volume", "price_factor", "split_factor")
    later = replace(
        history,
        sessions=history.sessions[dropped:],
        session_index=(history.session_index[keep] - dropped).astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        **{name: getattr(history, name)[keep] for name in flat},
    )
    first = history.sessions[dropped + 200].item()
    longer, shorter = (said(key, one).filter(pl.col("session") >= first) for one in (history, later))
    exact = ["session", "symbol", "action", "price", "reason"]
    assert longer.height > 20
    assert shorter.select(exact).equals(longer.select(exact))
    np.testing.assert_allclose(
        shorter["stop"].fill_null(0.0).to_numpy(), longer["stop"].fill_null(0.0).to_numpy(), rtol=1e-9
    )


@pytest.mark.parametrize("key", FRAMED)
@pytest.mark.parametrize("ratio", [2.0, 7.0, 0.1, 1.5])
def test_a_split_changes_no_decision(key: str, ratio: float) -> None:
    """Raw prices fall by the ratio from one day on; what is decided is the same, stops in new units."""
    history = gappy(6)
    day = 250
    after = history.session_index >= day
    factor = np.where(after, ratio, 1.0)
    split = replace(
        history,
        **{name: getattr(history, name) / factor for name in ("open", "high", "low", "close")},
        volume=history.volume * factor,
        price_factor=factor,
        split_factor=factor,
    )
    before, now = said(key, history), said(key, split)
    assert actions(now) == actions(before)
    late = pl.col("session") >= history.sessions[day].item()
    np.testing.assert_allclose(
        now.filter(late)["stop"].fill_null(0.0).to_numpy(),
        before.filter(late)["stop"].fill_null(0.0).to_numpy() / ratio,
        rtol=1e-9,
    )
    np.testing.assert_allclose(
        now.filter(late)["price"].to_numpy() * ratio, before.filter(late)["price"].to_numpy()
    )


@pytest.mark.parametrize("key", BUILT_IN)
def test_rows_of_every_strategy_keep_the_contract_of_signals(key: str) -> None:
    history = gappy(7)
    signals = (
        load(StrategyConfig(key=key, params=SMALL.get(key, {})), key).research(history, slice(None)).signals
    )
    assert signals.select("session", "symbol").equals(
        signals.select("session", "symbol").sort("session", "symbol")
    )
    assert set(signals["action"]) <= {"BUY", "SELL", "SHORT", "COVER", "CLOSE", "ROLL", "HOLD", "TARGET"}
    assert signals["strength"].is_between(0, 100).all()
    assert signals["confidence"].is_between(0, 1).all()
    buys = signals.filter(pl.col("action") == "BUY", pl.col("stop").is_not_null())
    assert (buys["stop"] < buys["price"]).all()
    assert (buys["stop"] > 0).all()
    targets = signals.filter(pl.col("target").is_not_null())
    assert (targets["target"] > targets["price"]).all()
    for text in signals["indicators"]:
        assert isinstance(json.loads(text), dict)
    raw = {
        (history.sessions[history.session_index[row]].item(), name): history.close[row]
        for name in history.symbols
        for row in range(history.rows(name).start, history.rows(name).stop)
    }
    assert all(
        raw[day, name] == price
        for day, name, price in signals.select("session", "symbol", "price").iter_rows()
    )


@pytest.mark.parametrize("key", BUILT_IN)
@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_a_history_that_is_too_short_gives_no_entry(key: str, length: int) -> None:
    history = built({"A": np.full(max(length, 1), 20.0)})
    if length == 0:
        history = select(history, ())
    signals = load(StrategyConfig(key=key), key).research(history, slice(None)).signals
    assert set(signals["action"]) <= ({"TARGET"} if key == "buy_and_hold" and length else set())


@pytest.mark.parametrize("key", BUILT_IN)
def test_flat_prices_give_no_entry(key: str) -> None:
    history = built({"A": np.full(400, 20.0)}, {"A": np.full(400, 1e7)})
    signals = load(StrategyConfig(key=key), key).research(history, slice(None)).signals
    assert signals.filter(action="BUY").is_empty()


# ------------------------------------------------------------------------------------------ indicators


@pytest.mark.parametrize("name", CATALOGUE)
@settings(max_examples=10)
@given(data=st.data())
def test_a_name_in_the_middle_reads_no_bar_of_its_neighbours(name: str, data: st.DataObject) -> None:
    """Values of one symbol are the same with and without others before and after it in the arrays."""
    lists = [data.draw(st.lists(st.integers(10, 90), min_size=1, max_size=70)) for _ in range(3)]
    history = history_of(dict(zip("ABC", lists, strict=True)))
    together = Indicator(name).compute(adjusted(history))[history.rows("B")]
    alone = Indicator(name).compute(adjusted(select(history, ("B",))))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_warm_up_is_not_known_and_everything_after_it_is(name: str) -> None:
    values = Indicator(name).compute(adjusted(history_of({"A": [20 + (7 * i) % 11 for i in range(120)]})))
    known = np.flatnonzero(np.isfinite(values))
    assert known.size > 80
    assert np.isfinite(values[known[0] :]).all(), "nothing is lost again once it is known"
    assert known[0] > 0
