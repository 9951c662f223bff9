"""The momentum strategy over whole histories: against a plain reading of the rules, and however it is cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delta.contracts import Candidates, Signals
from trading.history import History, select, until
from trading.strategies.base import CANDIDATES, SIGNALS, StrategyError
from trading.strategies.momentum.parameters import MomentumParameters
from trading.strategies.momentum.strategy import Momentum

DECISION = ["session", "symbol", "action"]


# ------------------------------------------------------------------------------- a plain reading, in loops


def average(values: list[float], end: int, window: int) -> float:
    return sum(values[end - window + 1 : end + 1]) / window


def exponential(values: list[float], window: int, seed_at: int) -> dict[int, float]:
    current = sum(values[seed_at - window + 1 : seed_at + 1]) / window
    out = {seed_at: current}
    for i in range(seed_at + 1, len(values)):
        current += (values[i] - current) * 2 / (window + 1)
        out[i] = current
    return out


def wilder_rsi(close: list[float]) -> dict[int, float]:
    gains = [max(b - a, 0.0) for a, b in pairwise(close)]
    losses = [max(a - b, 0.0) for a, b in pairwise(close)]
    gain, loss = sum(gains[:14]) / 14, sum(losses[:14]) / 14
    out = {14: 100 * gain / (gain + loss)}
    for i in range(15, len(close)):
        gain, loss = (gain * 13 + gains[i - 1]) / 14, (loss * 13 + losses[i - 1]) / 14
        out[i] = 100 * gain / (gain + loss)
    return out


def plain_decisions(close: list[float], volume: list[float]) -> tuple[set[int], dict[int, float], set[int]]:
    """Days that enter, scores of days that pass the scan, and days that close, of one stock."""
    high = [1.01 * price for price in close]
    fast, slow = exponential(close, 12, 25), exponential(close, 26, 25)
    line = [fast[i] - slow[i] if i >= 25 else 0.0 for i in range(len(close))]
    signal_line = exponential(line, 9, 33)
    rsi = wilder_rsi(close)
    enters, scores, closes = set(), {}, set()
    for t in range(249, len(close)):
        short, medium, long = (average(close, t, n) for n in (20, 50, 200))
        trend = (
            20 * (close[t] > short)
            + 20 * (close[t] > medium)
            + 20 * (close[t] > long)
            + 15 * (short > medium)
            + 15 * (medium > long)
            + 10 * (short > average(close, t - 5, 20))
        )
        change = 100 * (close[t] / close[t - 20] - 1)
        ratio = volume[t] / average(volume, t, 20)
        histogram = line[t] - signal_line[t]
        score = (
            (30 if change > 20 else 20 if change >= 10 else 10 if change >= 0 else 0)
            + (25 if rsi[t] > 70 else 20 if rsi[t] >= 50 else 10 if rsi[t] >= 30 else 0)
            + 0.30 * trend
            + (15 if ratio > 2 else 10 if ratio >= 1.5 else 5 if ratio >= 1 else 0)
        )
        dollars = sum(close[i] * volume[i] for i in range(t - 29, t + 1)) / 30
        if (
            dollars >= 5e6
            and close[t] >= 5
            and score >= 70
            and 50 <= rsi[t] <= 70
            and trend >= 60
            and close[t] > medium
            and close[t] > long
        ):
            scores[t] = score
            breakout = close[t] > max(high[t - 20 : t])
            if breakout and ratio >= 1.5 and histogram > 0 and medium > average(close, t - 5, 50):
                enters.add(t)
        if close[t] < short and ratio > 1.5 and (histogram < 0 or rsi[t] < 40 or score < 50):
            closes.add(t)
    return enters, scores, closes


def test_equals_a_plain_reading_of_the_rules(busy: History) -> None:
    every_day = MomentumParameters.model_validate({"scanner": {"rescan_interval_days": 1}})
    found = Momentum(every_day).research(busy, slice(None))
    entered, listed, closed = 0, 0, 0
    for i, symbol in enumerate(busy.symbols):
        rows = slice(int(busy.offsets[i]), int(busy.offsets[i + 1]))
        enters, scores, closes = plain_decisions(busy.close[rows].tolist(), busy.volume[rows].tolist())
        days = busy.sessions[busy.session_index[rows]].astype(object)
        known = days[249]
        signals = found.signals.filter(pl.col("symbol") == symbol, pl.col("session") >= known)
        candidates = found.candidates.filter(symbol=symbol)
        assert set(signals.filter(action="BUY")["session"]) == {days[t] for t in enters}
        assert set(signals.filter(action="CLOSE")["session"]) == {days[t] for t in closes}
        assert dict(candidates.select("session", "score").iter_rows()) == {
            days[t]: pytest.approx(score) for t, score in scores.items()
        }
        entered, listed, closed = entered + len(enters), listed + len(scores), closed + len(closes)
    assert entered > 10
    assert listed > 200
    assert closed > 50


# ------------------------------------------------------------------------------------------ shape of rows


def test_rows_have_the_columns_of_the_tables() -> None:
    labels = {"book", "strategy", "known_at"}
    assert {n: t for n, t in Signals.schema().items() if n not in labels} == dict(SIGNALS)
    assert {n: t for n, t in Candidates.schema().items() if n not in labels} == dict(CANDIDATES)


def test_rows_of_the_sample(sample: History) -> None:
    found = Momentum().research(sample, slice(None))
    assert found.signals.schema == SIGNALS
    assert found.candidates.schema == CANDIDATES
    entries = found.signals.filter(action="BUY")
    assert entries.height > 5
    assert found.signals.equals(found.signals.sort("session", "symbol", "action"))
    assert entries.filter(
        ~(pl.col("stop") < pl.col("price")) | ~(pl.col("price") < pl.col("target"))
    ).is_empty()
    np.testing.assert_allclose(entries["stop"] / entries["price"], 0.92)
    np.testing.assert_allclose(entries["target"] / entries["price"], 1.20)
    assert set(entries["max_hold"]) == {30}
    for row in entries.iter_rows(named=True):
        values = json.loads(row["indicators"])
        bars = sample.rows(row["symbol"])
        at = bars.start + int(np.searchsorted(sample.session_index[bars], sample.index(row["session"])))
        assert row["price"] == sample.close[at]
        assert values["prior_high"] < row["price"]
        assert values["sma_medium"] < row["price"]
        assert 50 <= values["rsi"] <= 70
        assert values["score"] >= 70
    assert found.candidates.filter(pl.col("score") < 70).is_empty()
    joined = entries.join(found.candidates, on=["session", "symbol"], how="anti")
    assert joined.is_empty(), "every entry is a candidate of its session"


def test_ranks_count_from_one_within_each_session(busy: History) -> None:
    candidates = Momentum().research(busy, slice(None)).candidates
    for _, day in candidates.group_by("session"):
        ordered = day.sort("rank")
        assert ordered["rank"].to_list() == list(range(1, day.height + 1))
        best = ordered.sort(
            ["score", "dollar_volume", "symbol"], descending=[True, True, False], maintain_order=True
        )
        assert best["symbol"].to_list() == ordered["symbol"].to_list()


def test_no_history_and_no_window(busy: History) -> None:
    empty = select(busy, ())
    assert Momentum().research(empty, slice(None)).signals.schema == SIGNALS
    assert Momentum().research(busy, (10, 10)).candidates.schema == CANDIDATES
    short = until(busy, busy.sessions[15].item())
    assert Momentum().research(short, slice(None)).signals.is_empty()


# ------------------------------------------------------------------------------------- however it is cut


def test_one_session_at_a_time_equals_all_at_once(busy: History) -> None:
    anchor = busy.sessions[257].item()
    whole = Momentum().research(busy, (257, 420), anchor)
    days = [Momentum().research(busy, (t, t + 1), anchor) for t in range(257, 420)]
    assert pl.concat([day.signals for day in days]).equals(whole.signals)
    assert pl.concat([day.candidates for day in days]).equals(whole.candidates)
    assert whole.candidates["scan"].n_unique() == 2


def test_full_scans_are_every_fifth_session_from_the_anchor(busy: History) -> None:
    for start in (260, 263):
        candidates = Momentum().research(busy, slice(None), busy.sessions[start].item()).candidates
        days = candidates.filter(scan="full")["session"].unique()
        places = {(busy.index(day) - start) % 5 for day in days}
        assert places == {0}
        others = candidates.filter(scan="cached")["session"].unique()
        assert {(busy.index(day) - start) % 5 for day in others} == {1, 2, 3, 4}


def test_between_scans_only_names_of_the_last_scan_are_listed(busy: History) -> None:
    candidates = Momentum().research(busy, slice(None)).candidates
    cached = candidates.filter(scan="cached")
    assert cached.height > 50
    listed = set(candidates.select("session", "symbol").iter_rows())
    for day, symbol in cached.select("session", "symbol").iter_rows():
        at = busy.index(day)
        assert (busy.sessions[at - at % 5].item(), symbol) in listed


def test_a_history_that_starts_after_the_anchor_is_refused(busy: History) -> None:
    with pytest.raises(StrategyError, match="history starts 2020-01-01, after the first session 2019-12-30"):
        Momentum().research(busy, slice(None), date(2019, 12, 30))


@pytest.mark.parametrize("dropped", [1, 7, 200, 401, 800])
def test_history_before_the_warm_up_changes_no_decision(sample: History, dropped: int) -> None:
    """Bars long before a decision have no say in it, be the history a bit or much longer."""
    first = 1400  # every window and the memory of recursive averages lie between the cut and here
    keep = sample.session_index >= dropped
    counts = np.add.reduceat(keep.astype(np.int64), sample.offsets[:-1])
    flat = ("open", "high", "low", "close", "volume", "price_factor", "split_factor")
    later = replace(
        sample,
        sessions=sample.sessions[dropped:],
        session_index=(sample.session_index[keep] - dropped).astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        **{name: getattr(sample, name)[keep] for name in flat},
    )
    anchor = sample.sessions[first].item()
    longer = Momentum().research(sample, (first, len(sample.sessions)), anchor)
    shorter = Momentum().research(later, (first - dropped, len(later.sessions)), anchor)
    exact = [*DECISION, "strength", "price", "stop", "target"]
    assert longer.signals.height > 300
    assert shorter.signals.select(exact).equals(longer.signals.select(exact))
    ranked = ["session", "symbol", "rank", "score", "scan"]
    assert shorter.candidates.select(ranked).equals(longer.candidates.select(ranked))


def test_a_split_changes_no_decision(busy: History) -> None:
    """The same company with its shares split in two, half as dear and twice as many."""
    after = busy.session_index >= 300
    factor = np.where(after, 2.0, 1.0)
    split = replace(
        busy,
        **{name: getattr(busy, name) / factor for name in ("open", "high", "low", "close")},
        volume=busy.volume * factor,
        price_factor=factor,
        split_factor=factor,
    )
    rich = MomentumParameters.model_validate({"scanner": {"stock_min_price": 0}})
    before, now = (Momentum(rich).research(one, slice(None)).signals for one in (busy, split))
    assert now.select(DECISION).equals(before.select(DECISION))
    assert before.filter(action="BUY").height > 5
    late = pl.col("session") >= busy.sessions[300].item()
    halves = before.filter(late)["stop"] / 2
    np.testing.assert_allclose(now.filter(late)["stop"].drop_nulls(), halves.drop_nulls())


def test_a_dividend_is_no_loss(busy: History) -> None:
    """Prices that fall by a dividend of 10 % give the decisions of the total return."""
    after = busy.session_index >= 330
    paid = np.where(after, 0.9, 1.0)
    raw = {name: getattr(busy, name) * paid for name in ("open", "high", "low", "close")}
    with_dividend = replace(busy, **raw, price_factor=1 / paid)
    plain, adjusted = (Momentum().research(one, slice(None)).signals for one in (busy, with_dividend))
    failures = pl.col("action") == "CLOSE"
    assert adjusted.filter(failures).select(DECISION).equals(plain.filter(failures).select(DECISION))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), missing=st.sets(st.integers(0, 399), max_size=40))
def test_other_symbols_and_missing_bars_never_touch_a_stock(seed: int, missing: set[int]) -> None:
    rng = np.random.default_rng(seed)
    close = 40 * np.exp(np.cumsum(rng.normal(0.0015, 0.02, (4, 400)), axis=1))
    volume = np.round(1e6 * np.exp(rng.normal(0, 0.5, (4, 400))))
    names = ("A", "B", "C", "D")
    present = np.ones((4, 400), dtype=bool)
    present[1, list(missing)] = False
    kept = present.ravel()
    factor = np.ones(int(kept.sum()))
    price = close.ravel()[kept]
    together = History(
        sessions=np.datetime64("2020-01-01", "D") + np.arange(400),
        symbols=names,
        offsets=np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64),
        session_index=np.tile(np.arange(400, dtype=np.int32), 4)[kept],
        open=price,
        high=price * 1.01,
        low=price * 0.99,
        close=price,
        volume=volume.ravel()[kept],
        price_factor=factor,
        split_factor=factor,
        asset_class=("stock",) * 4,
        sector=(None,) * 4,
    )
    whole = Momentum().research(together, slice(None))
    for name in names:
        alone = Momentum().research(select(together, (name,)), slice(None))
        assert alone.signals.equals(whole.signals.filter(symbol=name))
        assert alone.candidates.drop("rank").equals(whole.candidates.filter(symbol=name).drop("rank"))
    assert whole.signals["strength"].is_between(0, 100).all()
    assert whole.candidates["score"].is_between(70, 100).all()


# --------------------------------------------------------------------------------------------------- crypto


@pytest.fixture
def coins(build: Callable[..., History], walk: Callable[..., np.ndarray]) -> History:
    closes = {
        name: walk(i, 400, 0.002) for i, name in enumerate(("AAA-USD", "BBB-USD", "CCC-USD", "USDT-USD"))
    }
    rng = np.random.default_rng(5)
    size = {"AAA-USD": 1e6, "BBB-USD": 3e6, "CCC-USD": 2e6, "USDT-USD": 9e6}
    volumes = {name: size[name] * np.exp(rng.normal(0, 0.5, 400)) for name in closes}
    return build(closes, volumes, asset_class=dict.fromkeys(closes, "crypto"))


def test_crypto_keeps_its_largest_names_and_no_stablecoin(coins: History) -> None:
    def listed(top: int) -> set[str]:
        parameters = MomentumParameters.model_validate({"scanner": {"crypto_top_n": top}})
        return set(Momentum(parameters).research(coins, slice(None)).candidates["symbol"])

    assert listed(50) == {"AAA-USD", "BBB-USD", "CCC-USD"}
    turnover = dict(
        zip(coins.symbols, (coins.close * coins.volume).reshape(4, 400)[:, -60:].mean(1), strict=True)
    )
    turnover.pop("USDT-USD")
    assert listed(1) <= {"AAA-USD", "BBB-USD", "CCC-USD"}
    assert max(turnover, key=lambda name: turnover[name]) in listed(1)
    assert listed(0) == set()


def test_crypto_has_its_own_exits(busy: History) -> None:
    crypto = replace(busy, asset_class=("crypto",) * len(busy.symbols))
    entries = Momentum().research(crypto, slice(None)).signals.filter(action="BUY")
    assert entries.height > 0
    np.testing.assert_allclose(entries["stop"] / entries["price"], 0.88)
    np.testing.assert_allclose(entries["target"] / entries["price"], 1.30)


def test_exits_are_never_blocked_by_a_gate_of_the_scan(busy: History) -> None:
    closed = MomentumParameters.model_validate({"scanner": {"stock_min_volume": 1e15}})
    found = Momentum(closed).research(busy, slice(None)).signals
    usual = Momentum().research(busy, slice(None)).signals.filter(action="CLOSE")
    assert found.equals(usual)


def test_market_capitalisation_counts_on_the_day_and_where_it_is_known(busy: History) -> None:
    grown = busy.session_index >= 330
    cap = np.where(grown, 600e6, 400e6)
    cap[busy.rows("S00")] = np.nan
    small = replace(busy, market_cap=cap)
    usual = Momentum().research(busy, slice(None)).candidates
    found = Momentum().research(small, slice(None)).candidates
    expected = usual.filter((pl.col("session") >= busy.sessions[330].item()) | (pl.col("symbol") == "S00"))
    keys = ["session", "symbol"]
    assert 0 < expected.height < usual.height
    assert found.select(keys).equals(expected.select(keys))


def test_rules_for_the_decision() -> None:
    rules = Momentum({"scanner": {"max_candidates": 4}, "exit": {"trailing_stop_distance": 0.05}}).rules()
    assert (rules.max_candidates, rules.max_per_sector) == (4, 3)
    assert rules.exit_rule("crypto") == (True, 0.10, 0.05)
    assert not Momentum({"stop": {"mode": "atr"}}).rules().exit_rule("stock").follow_fill
