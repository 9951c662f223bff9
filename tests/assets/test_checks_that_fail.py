"""Asset checks pass on a lake as the desk writes it, and each fails when its table is made wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

import delta
from assets import checks
from delta import Lake, Provenance, Table
from delta.contracts import Bars, Fills, OrderEvents, Orders, Portfolio, Quarantine

from .walks import DEMO, Market, backfill, changed

BY = Provenance("somebody", "hand", "0")
BOOK = changed(DEMO, name="checked", start=date(2005, 1, 3), end=date(2005, 6, 30))


@pytest.fixture(scope="module")
def walked_lake(sample_market: Market, tmp_path_factory: pytest.TempPathFactory) -> Market:
    """A book of half a year over the split of 2005-02-28."""
    made = sample_market.copy(tmp_path_factory.mktemp("checked"))
    backfill(made.lake, BOOK, date(2005, 1, 1), date(2005, 6, 30))
    return made


@pytest.fixture
def lake(walked_lake: Market, tmp_path: Path) -> Lake:
    """A lake to be made wrong."""
    return walked_lake.copy(tmp_path).lake


def one(lake: Lake, table: type[Table], where: pl.Expr | None = None) -> pl.DataFrame:
    """A row of a table."""
    frame = delta.read(lake, table, where=where).sort(list(table.key)).head(1).collect()
    assert frame.height == 1
    return frame


def smuggle(lake: Lake, table: type[Table], rows: pl.DataFrame) -> None:
    """Append rows past the desk's own writer, which would refuse them."""
    if delta.resolve(lake, table) < 0:
        delta.write(lake, table, rows, None, BY)
    else:
        write_deltalake(DeltaTable(lake.table_uri(table.name)), rows, mode="append")


def unbalanced(lake: Lake) -> None:
    rows = one(lake, Portfolio).with_columns(
        cash=pl.col("cash") + 1.0, session=pl.lit(date(2005, 7, 1), pl.Date)
    )
    smuggle(lake, Portfolio, rows)


def hole(lake: Lake) -> None:
    delta.write(
        lake, Portfolio, Portfolio.schema().to_frame(), {"book": BOOK.name, "session": date(2005, 3, 3)}, BY
    )


def torn(lake: Lake) -> None:
    here = (pl.col("book") == BOOK.name) & (pl.col("session") == date(2005, 3, 3))
    rows = delta.read(lake, Portfolio, where=here).collect()
    richer = [(pl.col(name) + 100.0).alias(name) for name in ("cash", "equity", "deposits")]
    delta.write(
        lake, Portfolio, rows.with_columns(richer), {"book": BOOK.name, "session": date(2005, 3, 3)}, BY
    )


def nobodys_fill(lake: Lake) -> None:
    smuggle(
        lake,
        Fills,
        one(lake, Fills).with_columns(order_ref=pl.lit("DNOBODY"), execution_id=pl.lit("DNOBODY.1")),
    )


def fill_before_its_order(lake: Lake) -> None:
    earlier = pl.lit(BOOK.start - timedelta(days=7), pl.Date)
    smuggle(lake, Fills, one(lake, Fills).with_columns(session=earlier, execution_id=pl.lit("early")))


def fill_of_a_rejected_order(lake: Lake) -> None:
    refused = one(lake, Orders).with_columns(
        order_ref=pl.lit("DREFUSED"), status=pl.lit("rejected"), quantity=pl.lit(0.0)
    )
    smuggle(lake, Orders, refused)
    smuggle(
        lake,
        Fills,
        one(lake, Fills).with_columns(order_ref=pl.lit("DREFUSED"), execution_id=pl.lit("refused")),
    )


def filled_twice(lake: Lake) -> None:
    smuggle(lake, Fills, one(lake, Fills).with_columns(execution_id=pl.lit("again")))


def overfilled_event(lake: Lake) -> None:
    event = one(lake, OrderEvents).with_columns(
        remaining=pl.lit(-1.0), sequence=pl.lit(99, pl.Int64), state=pl.lit("FILLED")
    )
    smuggle(lake, OrderEvents, event)


def bar_upside_down(lake: Lake) -> None:
    now = pl.lit(delta.read(lake, Bars).select(pl.col("known_at").max()).collect().item() + timedelta(days=1))
    smuggle(lake, Bars, one(lake, Bars).with_columns(high=pl.col("low") - 1.0, known_at=now))


def bar_known_too_early(lake: Lake) -> None:
    now = delta.read(lake, Bars).select(pl.col("known_at").max()).collect().item() + timedelta(days=1)
    tomorrow = pl.lit(now + timedelta(days=1))
    smuggle(lake, Bars, one(lake, Bars).with_columns(closes_at=tomorrow, known_at=pl.lit(now)))


def refused_row(lake: Lake) -> None:
    row = {
        "target": "bars",
        "provider": "sample",
        "symbol": "AAPL",
        "session": date(2005, 3, 3),
        "rule": "positive price",
        "reason": "low -1.0 is not above 0",
        "row": "{}",
        "known_at": delta.read(lake, Bars).select(pl.col("known_at").max()).collect().item(),
        "run_id": "r",
    }
    delta.write(lake, Quarantine, pl.DataFrame([row], schema=Quarantine.schema()), None, BY)


WRONG: list[tuple[checks.Found, Callable[[Lake], None], str]] = [
    (checks.money_adds_up, unbalanced, "cash"),
    (checks.no_session_is_missing, hole, "checked: 1 sessions, the first 2005-03-03"),
    (checks.sessions_follow_each_other, torn, "checked 2005-03-03"),
    (checks.fills_have_approved_orders, nobodys_fill, "DNOBODY.1"),
    (checks.fills_have_approved_orders, fill_before_its_order, "early"),
    (checks.fills_have_approved_orders, fill_of_a_rejected_order, "refused"),
    (checks.executed_within_the_order, filled_twice, "D"),
    (checks.executed_within_the_order, overfilled_event, "D"),
    (checks.bars_are_in_order, bar_upside_down, "low"),
    (checks.bars_are_in_order, bar_known_too_early, "'known_before_their_close': 1"),
    (checks.nothing_in_quarantine, refused_row, "sample AAPL: positive price: 1 rows"),
]


@pytest.mark.parametrize(("check", "break_it", "named"), WRONG, ids=[case[1].__name__ for case in WRONG])
def test_a_check_fails_and_names_what_is_wrong(
    lake: Lake, check: checks.Found, break_it: Callable[[Lake], None], named: str
) -> None:
    assert check(lake).passed
    break_it(lake)
    found = check(lake)
    assert not found.passed
    assert named in str({name: value.value for name, value in found.metadata.items()})


def test_what_a_broker_takes_back_does_not_count_as_executed(lake: Lake) -> None:
    fill = one(lake, Fills, pl.col("order_ref") != "")
    back = "SELL" if fill["side"][0] == "BUY" else "BUY"
    again = {"side": (back, fill["side"][0]), "execution_id": ("x/2", "x/3")}
    for number in (0, 1):
        changes = {name: pl.lit(values[number]) for name, values in again.items()}
        smuggle(lake, Fills, fill.with_columns(purpose=pl.lit("correction"), **changes))
    assert checks.executed_within_the_order(lake).passed


def test_checks_pass_on_a_lake_without_a_table(tmp_path: Path) -> None:
    lake = delta.create_lake(tmp_path / "lake")
    for check in {case[0] for case in WRONG}:
        assert check(lake).passed, check
