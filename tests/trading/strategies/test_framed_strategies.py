"""A user's own strategy: what the frame holds, what may be returned, and one clear line for every mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from trading.history import History
from trading.indicators import Indicator, IndicatorError
from trading.strategies.base import SIGNALS, StrategyError
from trading.strategies.framed import FramedStrategy


@pytest.fixture
def small(build: Callable[..., History]) -> History:
    """Two stocks over six days, B listed on the second, A split 2:1 on the fourth."""
    history = build({"A": [10, 11, 12, 6.5, 7, 8], "B": [20, 19, 18, 17, 16]}, skip={"B": 1})
    factor = np.where((np.arange(11) >= 3) & (np.arange(11) < 6), 2.0, 1.0)
    return replace(history, price_factor=factor, split_factor=factor)


def strategy(function: Callable[[pl.DataFrame], Any], **declared: Indicator) -> FramedStrategy:
    class Mine(FramedStrategy):
        indicators = declared

        def signals(self, frame: pl.DataFrame) -> pl.DataFrame:
            return function(frame)

    return Mine()


def signals(history: History, function: Callable[[pl.DataFrame], Any], **declared: Indicator) -> pl.DataFrame:
    return strategy(function, **declared).research(history, slice(None)).signals


def test_the_frame_has_adjusted_and_raw_bars_in_order(small: History) -> None:
    seen: list[pl.DataFrame] = []

    def keep(frame: pl.DataFrame) -> pl.DataFrame:
        seen.append(frame)
        return frame.with_columns(entry=False)

    slow = Indicator("simple_moving_average", window=2)
    assert signals(small, keep, slow=slow).is_empty()
    frame = seen[0]
    assert frame["symbol"].to_list() == ["A"] * 6 + ["B"] * 5
    assert frame["session"].to_list()[5:7] == [date(2020, 1, 6), date(2020, 1, 2)]
    assert frame["close"].to_list()[:6] == [10, 11, 12, 13, 14, 16]
    assert frame["raw_close"].to_list()[:6] == [10, 11, 12, 6.5, 7, 8]
    assert frame["volume"].to_list()[2:4] == [1e7, 5e6]
    assert frame["raw_volume"].to_list()[2:4] == [1e7, 1e7]
    assert (frame["close"] == frame["raw_close"] * frame["factor"]).all()
    assert frame["slow"].to_list() == [None, 10.5, 11.5, 12.5, 13.5, 15.0, None, 19.5, 18.5, 17.5, 16.5]
    assert frame.columns[-4:] == ["factor", "asset_class", "sector", "slow"]


def test_entries_and_exits_get_defaults_and_raw_prices(small: History) -> None:
    def rising(frame: pl.DataFrame) -> pl.DataFrame:
        close, slow = pl.col("close"), pl.col("slow")
        return frame.with_columns(entry=close > slow, exit=close < slow, stop=close * 0.9, target=close * 1.5)

    found = signals(small, rising, slow=Indicator("simple_moving_average", window=2))
    assert found.schema == SIGNALS
    bought, closed = found.filter(action="BUY"), found.filter(action="CLOSE")
    assert bought["symbol"].to_list() == ["A"] * 5
    assert closed["symbol"].to_list() == ["B"] * 4
    assert bought["price"].to_list() == [11, 12, 6.5, 7, 8]
    np.testing.assert_allclose(bought["stop"], [9.9, 10.8, 5.85, 6.3, 7.2])
    np.testing.assert_allclose(bought["target"], [16.5, 18, 9.75, 10.5, 12])
    assert closed["stop"].null_count() == 4
    assert set(bought["direction"]) == {"long"}
    assert set(closed["direction"]) == {"flat"}
    assert (set(bought["reason"]), set(closed["reason"])) == ({"entry"}, {"exit"})
    assert (set(bought["strength"]), set(bought["confidence"])) == ({100.0}, {1.0})
    assert set(bought["timeframe"]) == {"1d"}
    # The averages are told in raw prices of the row's session.
    assert [json.loads(text)["slow"] for text in bought["indicators"]] == [10.5, 11.5, 6.25, 6.75, 7.5]


def test_weights_become_targets(small: History) -> None:
    weights = [None, 0.5, 0, -0.5, None, 1, 0.25, None, None, None, None]
    found = signals(small, lambda frame: frame.with_columns(weight=pl.Series(weights, dtype=pl.Float64)))
    assert found.select("symbol", "action", "direction", "weight").rows() == [
        ("A", "TARGET", "long", 0.5),
        ("B", "TARGET", "long", 0.25),
        ("A", "TARGET", "flat", 0.0),
        ("A", "TARGET", "short", -0.5),
        ("A", "TARGET", "long", 1.0),
    ]
    assert found["session"].is_sorted()


def test_actions_and_further_columns_are_kept(small: History) -> None:
    def asks(frame: pl.DataFrame) -> pl.LazyFrame:
        return frame.lazy().select(
            "symbol",
            "session",
            action=pl.lit("SHORT"),
            strength=pl.lit(60),
            confidence=0.7,
            max_hold=5,
            reason=pl.lit("weak"),
        )

    found = signals(small, asks)
    assert found.height == 11
    row = found.row(0, named=True)
    assert (row["action"], row["direction"], row["strength"]) == ("SHORT", "short", 60.0)
    assert (row["confidence"], row["max_hold"], row["reason"]) == (0.7, 5, "weak")


def test_short_entries(small: History) -> None:
    found = signals(small, lambda frame: frame.with_columns(entry=True, direction=pl.lit("short")))
    assert set(found["action"]) == {"SHORT"}


def test_only_the_window_is_returned_but_all_bars_are_seen(small: History) -> None:
    def after_three_bars(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(entry=pl.int_range(pl.len()).over("symbol") >= 2)

    found = strategy(after_three_bars).research(small, (3, 5)).signals
    assert found["session"].to_list() == [date(2020, 1, 4)] * 2 + [date(2020, 1, 5)] * 2


def test_symbols_may_be_worked_on_apart(small: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading.strategies.framed.SLICE_BARS", 6)
    heights: list[int] = []

    def seen(frame: pl.DataFrame) -> pl.DataFrame:
        heights.append(frame.height)
        return frame.with_columns(entry=pl.col("close") > 15)

    apart = strategy(seen)
    together = apart.research(small, slice(None)).signals
    type(apart).cross_sectional = False
    assert apart.research(small, slice(None)).signals.equals(together)
    assert heights == [11, 6, 5]


def test_a_declared_indicator_must_exist() -> None:
    with pytest.raises(IndicatorError, match="'sma' is not known; known are: simple_moving_average, "):
        Indicator("sma", window=3)
    with pytest.raises(IndicatorError, match="takes window, not length"):
        Indicator("prior_high", length=3)


def one(**columns: Any) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A strategy that returns one row, of A's third session unless told otherwise."""
    row = {"symbol": "A", "session": date(2020, 1, 3), **columns}
    return lambda _: pl.DataFrame({name: [value] for name, value in row.items()})


MISTAKES: dict[str, tuple[Callable[[pl.DataFrame], Any], str]] = {
    "nothing returned": (lambda _: None, "signals returned NoneType, not a polars DataFrame"),
    "a list": (lambda _: [1], "signals returned list, not a polars DataFrame"),
    "no symbol": (lambda frame: frame.drop("symbol"), "signals returned no column symbol"),
    "asks for nothing": (lambda frame: frame, "returned none of the columns action, entry, exit, weight"),
    "misspelt": (one(entry=True, stops=1.0), "a column 'stops'; is 'stop' meant?"),
    "future-dated": (
        one(entry=True, session=date(2020, 1, 7)),
        "session lies after the last one known, 2020-01-06 in 1 of 1 rows: A 2020-01-07",
    ),
    "no session": (one(entry=True, session=date(2019, 12, 31)), "session is none of the calendar's"),
    "no bar": (one(entry=True, symbol="B", session=date(2020, 1, 1)), "symbol has no bar in the session"),
    "unknown symbol": (one(entry=True, symbol="ZZZ"), "symbol is not in the universe in 1 of 1 rows: ZZZ"),
    "null symbol": (one(entry=True, symbol=None), "symbol or session is null"),
    "session as text": (one(entry=True, session="2020-01-03"), "column session is String, not Date; cast it"),
    "entry as number": (one(entry=1.0), "column entry is Float64, not Boolean"),
    "weight as text": (one(weight="all"), "column weight is String, not Float64"),
    "NaN weight": (one(weight=float("nan")), "weight is NaN or infinite in 1 of 1 rows: A 2020-01-03"),
    "infinite stop": (one(entry=True, stop=float("inf")), "stop is NaN or infinite"),
    "NaN strength": (one(entry=True, strength=float("nan")), "strength is NaN or infinite"),
    "weight of two": (one(weight=2), r"weight lies outside of -1\.\.1"),
    "strength": (one(entry=True, strength=101), r"strength lies outside of 0\.\.100"),
    "confidence": (one(entry=True, confidence=1.1), r"confidence lies outside of 0\.\.1"),
    "stop of zero": (one(entry=True, stop=0), "stop is not above 0"),
    "max_hold": (one(entry=True, max_hold=0), "max_hold is below 1"),
    "half a day": (one(entry=True, max_hold=1.5), "column max_hold is Float64, not Int64"),
    "action": (one(action="BUYY"), "action is none of BUY, SELL"),
    "direction": (one(action="BUY", direction="up"), "direction is none of long, short, flat"),
    "target without weight": (one(action="TARGET"), "action TARGET has no weight"),
    "twice": (
        lambda frame: pl.concat([frame.head(4), frame.head(5)]).with_columns(entry=True),
        "symbol, session and action are repeated in 8 of 9 rows: A 2020-01-01, A 2020-01-02, A 2020-01-03, ",
    ),
    "raises": (lambda _: 1 / 0, r"signals raised ZeroDivisionError: division by zero"),
    "unknown column": (
        lambda frame: frame.with_columns(entry=pl.col("closing") > 1),
        r"signals raised ColumnNotFoundError: .*closing.* \(line \d+: .*closing",
    ),
    "lazy mistake": (
        lambda frame: frame.lazy().with_columns(entry=pl.col("closing") > 1),
        "the frame that signals returned fails: .*closing",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line(mistake: str, small: History) -> None:
    function, message = MISTAKES[mistake]
    with pytest.raises(StrategyError, match=message) as caught:
        signals(small, function)
    line = str(caught.value)
    assert "\n" not in line
    assert "Mine: " in line


def test_rows_that_ask_for_nothing_may_hold_anything(small: History) -> None:
    def warm_up(frame: pl.DataFrame) -> pl.DataFrame:
        first = pl.int_range(pl.len()) == 0
        return frame.with_columns(
            entry=~first, stop=pl.when(first).then(float("nan")).otherwise(pl.col("close") / 2)
        )

    assert signals(small, warm_up).height == 10


def test_indicators_must_be_declared_as_a_mapping(small: History) -> None:
    mine = strategy(lambda frame: frame.with_columns(entry=True))
    mine.indicators = ["simple_moving_average"]
    with pytest.raises(StrategyError, match=r"indicators must map column names to Indicator\(\.\.\.\)"):
        mine.research(small, slice(None))
