"""A frame enters a table only when it fulfils the contract; the error names rule, count and rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lake_rows import BY, bars, days, order_events, regimes
from polars.testing import assert_frame_equal

import delta
from delta import ContractError, Table, violations
from delta.checking import conform
from delta.contracts import Bars, OptionQuotes, OrderEvents, Regimes

FRAME = regimes("b", days(3))


def changed(frame: pl.DataFrame, row: int, **values: object) -> pl.DataFrame:
    index = pl.int_range(pl.len())
    return frame.with_columns(
        pl.when(index == row).then(pl.lit(value, frame.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


NOT_SHAPED = [
    ("a column missing", FRAME.drop("regime"), "columns missing: regime"),
    ("an unknown column", FRAME.with_columns(extra=1), "columns not in the contract: extra"),
    ("smaller integers", FRAME.cast({"max_positions": pl.Int32}), "max_positions is Int32, must be Int64"),
    ("unsigned integers", FRAME.cast({"max_positions": pl.UInt64}), "max_positions is UInt64"),
    ("a number for an integer", FRAME.cast({"max_positions": pl.Float64}), "max_positions is Float64"),
    ("text for a number", FRAME.cast({"bull_points": pl.String}), "bull_points is String, must be Float64"),
    ("single precision", FRAME.cast({"bull_points": pl.Float32}), "bull_points is Float32"),
    ("a category", FRAME.cast({"regime": pl.Categorical}), "regime is Categorical"),
    ("nanoseconds", FRAME.cast({"known_at": pl.Datetime("ns", "UTC")}), "known_at is Datetime"),
    (
        "no time zone",
        FRAME.with_columns(pl.col("known_at").dt.replace_time_zone(None)),
        "known_at is Datetime",
    ),
    (
        "another time zone",
        FRAME.with_columns(pl.col("known_at").dt.convert_time_zone("Europe/Paris")),
        "known_at is Datetime(time_unit='us', time_zone='Europe/Paris')",
    ),
    ("a time for a date", FRAME.cast({"session": pl.Datetime("us")}), "session is Datetime"),
    ("a column of nothing", FRAME.with_columns(regime=pl.lit(None)), "regime is Null, must be String"),
]


@pytest.mark.parametrize(("frame", "rule"), [case[1:] for case in NOT_SHAPED], ids=[c[0] for c in NOT_SHAPED])
def test_a_frame_of_another_shape_is_refused(frame: pl.DataFrame, rule: str) -> None:
    with pytest.raises(ContractError) as caught:
        conform(Regimes, frame)
    assert rule in str(caught.value)
    assert "\n" not in str(caught.value)


BROKEN_ROWS: list[tuple[type[Table], Callable[[], pl.DataFrame], str, int]] = [
    (Regimes, lambda: changed(FRAME, 1, regime=None), "regime is not null", 1),
    (Regimes, lambda: changed(FRAME, 1, regime="up"), "regime is one of bull, bear, sideways", 1),
    (Regimes, lambda: changed(FRAME, 2, size_multiplier=float("nan")), "size_multiplier is not NaN", 1),
    (Regimes, lambda: changed(FRAME, 2, bull_points=float("inf")), "bull_points is finite", 1),
    (Regimes, lambda: pl.concat([FRAME, FRAME]), "key (book, session) is unique", 3),
    (Bars, lambda: changed(bars(2, 2), 3, high=1.0), "low <= open <= high", 1),
    (Bars, lambda: changed(bars(2, 2), 3, low=float("nan")), "low is not NaN", 1),
    (Bars, lambda: changed(bars(2, 2), 0, low=-1.0), "low > 0", 1),
    (Bars, lambda: changed(bars(2, 2), 0, flags=["stale", None]), "flags holds no null", 1),
    (OrderEvents, lambda: order_events("b", ["x", "y"], sequence=0), "sequence >= 1", 2),
    (
        OrderEvents,
        lambda: order_events("b", ["x"], average_price=float("nan")),
        "average_price is not NaN",
        1,
    ),
]


@pytest.mark.parametrize(("table", "frame", "rule", "count"), BROKEN_ROWS, ids=[c[2] for c in BROKEN_ROWS])
def test_broken_rows_are_counted_and_shown(
    table: type[Table], frame: Callable[[], pl.DataFrame], rule: str, count: int
) -> None:
    found = {violation.rule: violation for violation in violations(table, frame())}
    assert found[rule].count == count
    assert len(found[rule].rows) == min(count, 3)
    assert set(table.key) <= set(found[rule].rows[0])


def test_the_error_shows_the_figures_of_the_first_rows() -> None:
    frame = changed(bars(1, 3), 1, high=1.0)
    with pytest.raises(
        ContractError, match=r"bars: nothing written: low <= open <= high is broken in 1 row"
    ) as e:
        conform(Bars, frame)
    assert "symbol: S0000" in str(e.value)
    assert "high: 1.0" in str(e.value)
    assert e.value.table == "bars"


def test_optional_columns_may_be_null_and_order_of_columns_is_free() -> None:
    frame = order_events("b", ["x"])
    assert_frame_equal(conform(OrderEvents, frame.select(reversed(frame.columns))), frame)


def test_a_refused_frame_leaves_the_lake_untouched(lake: delta.Lake) -> None:
    with pytest.raises(ContractError):
        delta.write(lake, Regimes, changed(FRAME, 0, regime="up"), {"book": "b"}, BY)
    assert delta.resolve(lake, Regimes) == -1
    delta.write(lake, Regimes, FRAME, {"book": "b"}, BY)
    with pytest.raises(ContractError):
        delta.write(lake, Regimes, changed(FRAME, 0, regime="up"), {"book": "b"}, BY)
    assert_frame_equal(delta.read(lake, Regimes).collect(), FRAME)


@given(
    height=st.integers(1, 30),
    spoilt=st.lists(
        st.sampled_from(
            [
                ("regime", None, "regime is not null"),
                ("regime", "", "regime is one of bull, bear, sideways"),
                ("bull_points", float("nan"), "bull_points is not NaN"),
                ("bear_points", float("-inf"), "bear_points is finite"),
                ("max_positions", None, "max_positions is not null"),
            ]
        ),
        max_size=5,
        unique_by=lambda case: case[0],
    ),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_every_spoilt_row_is_found_and_no_other(
    height: int, spoilt: list[tuple[str, object, str]], data: st.DataObject
) -> None:
    frame = regimes("b", days(height))
    expected = {}
    for name, value, rule in spoilt:
        rows = data.draw(st.sets(st.integers(0, height - 1), min_size=1))
        for row in rows:
            frame = changed(frame, row, **{name: value})
        expected[rule] = len(rows)
    found = {violation.rule: violation.count for violation in violations(Regimes, frame)}
    for rule, count in expected.items():
        assert found.pop(rule) == count
    # An infinity is no NaN, but a NaN is not finite either.
    assert set(found) <= {"bull_points is finite"}


def test_a_time_is_compared_to_the_microsecond(lake: delta.Lake) -> None:
    # Delta cuts statistics of times to milliseconds; a key must be found all the same.
    known = datetime.fromisoformat("2024-01-01T21:00:00.000999+00:00")
    delta.write(lake, Bars, bars(2, 2, known), None, BY)
    with pytest.raises(ContractError, match="is not in the table already is broken in 4 rows"):
        delta.write(lake, Bars, bars(2, 2, known), None, BY)
    assert delta.write(lake, Bars, bars(2, 2, known.replace(microsecond=998)), None, BY).rows == 4
    assert delta.read(lake, Bars, where=pl.col("known_at") >= known).collect().height == 4


@pytest.mark.parametrize(
    ("symbol", "refused"),
    [
        ("AAPL  240216C00102500", False),
        ("GOOGL1240315P00060000", False),
        ("BTC-27JUN25-100000-C", False),
        ("AAPL240216C00102500", True),
        ("AAPL 240216C00102500", True),
    ],
)
def test_an_option_has_one_name_in_the_table(symbol: str, refused: bool) -> None:
    at = datetime(2024, 1, 5, 21, tzinfo=UTC)
    row = {
        "symbol": symbol, "underlying": "AAPL", "session": at.date(), "quoted_at": at, "expiry": at.date(),
        "strike": 102.5, "right": "call", "multiplier": 100.0, "source": "test", "known_at": at,
    }  # fmt: skip
    frame = pl.DataFrame([row], schema=OptionQuotes.schema())
    found = [one.rule for one in violations(OptionQuotes, frame)]
    assert found == (["an OCC symbol pads its root to six"] if refused else [])
