"""The analysis tells the figures of the strategy and never another verdict than a run."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest

from resources.calendar import sessions
from resources.providers.base import Request
from resources.providers.sample import Sample
from trading.analysis import AnalysisError, analyze
from trading.history import History, history_from_frames, until
from trading.strategies.momentum.parameters import MomentumParameters
from trading.strategies.momentum.strategy import Momentum


@pytest.fixture(scope="module")
def sample() -> History:
    provider = Sample()
    first, last = date(2002, 1, 2), date(2006, 12, 29)
    symbols = ("AAPL", "GOOG", "IBM", "MSFT")
    answer = provider.fetch(Request(symbols, first, last))
    return history_from_frames(
        answer.bars, answer.corporate_actions, answer.instruments, sessions("XNYS", first, last)
    )


def test_every_verdict_is_that_of_a_run(sample: History) -> None:
    found = Momentum().research(sample, slice(None))
    decided = {(row[0], row[1]): row[2] for row in found.signals.select("symbol", "session", "action").rows()}
    entries = [key for key, action in decided.items() if action == "BUY"]
    closes = [key for key, action in decided.items() if action == "CLOSE"][:5]
    quiet = [("IBM", sample.sessions[i].item()) for i in range(300, 1200, 90)]
    assert len(entries) >= 3
    for symbol, session in entries + closes + quiet:
        told = analyze(sample, symbol, session)
        assert told.verdict == decided.get((symbol, session), "NONE")
        assert told.why
        if told.verdict == "BUY":
            assert all(one.holds for one in (*told.gates, *told.filters, *told.entry))
        if told.verdict == "NONE" and told.rank is None:
            assert not all(one.holds for one in (*told.gates, *told.filters)) or told.why.startswith(
                "not found"
            )


def test_figures_are_those_of_the_signal(sample: History) -> None:
    found = Momentum().research(sample, slice(None)).signals.filter(action="BUY")
    row = found.row(0, named=True)
    told = analyze(sample, row["symbol"], row["session"])
    kept = json.loads(row["indicators"])
    assert (told.close, told.stop, told.target, told.max_hold) == (
        row["price"],
        row["stop"],
        row["target"],
        row["max_hold"],
    )
    assert told.strength == row["strength"]
    assert told.score == kept["score"]
    assert told.indicators["rsi_14"] == pytest.approx(kept["rsi"], rel=1e-7)
    assert told.indicators["atr_14"] == pytest.approx(kept["atr"], rel=1e-7)
    assert told.indicators["macd_histogram"] == pytest.approx(kept["histogram"], rel=1e-6)
    assert told.indicators["prior_high_20"] == pytest.approx(kept["prior_high"], rel=1e-7)
    assert told.trailing_from == pytest.approx(row["price"] * 1.1)
    assert sum(points or 0 for points in told.score_points.values()) == pytest.approx(told.score)
    assert sum(told.trend_points.values()) == told.trend_strength


def test_prices_are_raw_and_as_of_the_session(sample: History) -> None:
    """A day before AAPL's split of 2005-02-28 the averages are in the dollars of that day."""
    told = analyze(sample, "AAPL", date(2005, 2, 25))
    assert told.close == pytest.approx(88.99)
    bars = sample.rows("AAPL")
    at = bars.start + int(np.searchsorted(sample.session_index[bars], sample.index(date(2005, 2, 25))))
    assert told.indicators["sma_20"] == pytest.approx(sample.close[at - 19 : at + 1].mean())
    later = analyze(sample, "AAPL", date(2005, 2, 28))
    assert later.indicators["sma_20"] == pytest.approx(told.indicators["sma_20"] / 2, rel=0.02)


def test_the_last_bar_is_the_default_and_later_bars_have_no_say(sample: History) -> None:
    day = date(2005, 6, 15)
    assert analyze(until(sample, day), "MSFT").as_dict() == analyze(sample, "MSFT", day).as_dict()
    assert analyze(sample, "MSFT").session == date(2006, 12, 29)


def test_warm_up_is_told_as_not_known(sample: History) -> None:
    told = analyze(sample, "GOOG", date(2004, 9, 20))
    assert (told.verdict, told.score, told.indicators["sma_200"], told.indicators["macd"]) == (
        "NONE",
        None,
        None,
        None,
    )
    assert "gate history: 22, asked >= 250 bars" in told.why
    assert "not known yet" in told.why
    json.dumps(told.as_dict(), default=str, allow_nan=False)


def test_the_parameters_of_the_book_are_used(sample: History) -> None:
    rules = MomentumParameters.model_validate(
        {"stop": {"mode": "atr"}, "exit": {"max_holding_days": 7}, "indicators": {"rsi": 10}}
    )
    told = analyze(sample, "IBM", date(2004, 3, 3), rules)
    assert told.max_hold == 7
    assert "rsi_10" in told.indicators
    assert told.stop <= told.close * 0.92


@pytest.mark.parametrize(
    ("symbol", "session", "message"),
    [
        ("ZZZ", None, "ZZZ: no bars; the history has AAPL, GOOG, IBM, MSFT"),
        ("GOOG", date(2003, 1, 2), "GOOG: no bar on 2003-01-02"),
        ("IBM", date(2004, 1, 3), "IBM: no bar on 2004-01-03; the bar before is of 2004-01-02"),
    ],
)
def test_what_is_not_there(sample: History, symbol: str, session: date | None, message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        analyze(sample, symbol, session)
