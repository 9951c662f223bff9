"""The daily report is made once for the stages that tell it, and says why orders of earlier days were given."""

from __future__ import annotations

from datetime import date

import polars as pl

from assets import reports
from assets.inputs import MARKET_READS
from assets.shared import shared_market
from delta import Pins, Provenance, pin, read, write
from delta.contracts import Orders, Portfolio

from .conftest import Walked
from .walks import Market, rows


def pins(market: Market) -> Pins:
    return pin(market.lake, [*reports.READS, *MARKET_READS])


def test_the_next_stage_gets_the_report_of_the_one_before(demo_walked: Walked) -> None:
    made = reports.daily(pins(demo_walked.market), demo_walked.book, demo_walked.last)
    assert reports.daily(pins(demo_walked.market), demo_walked.book, demo_walked.last) is made
    other = reports.daily(pins(demo_walked.market), demo_walked.book, demo_walked.first)
    assert (made.session, other.session) == (demo_walked.last, demo_walked.first)


def test_a_report_is_made_again_once_its_rows_have_changed(demo_walked: Walked, tmp_path) -> None:
    market, book, last = demo_walked.market.copy(tmp_path), demo_walked.book, demo_walked.last
    before = reports.daily(pins(market), book, last)
    here = (pl.col("book") == book.name) & (pl.col("session") == last)
    row = read(market.lake, Portfolio, where=here).collect()
    paid = row.with_columns(commissions=pl.col("commissions") + 1)
    write(market.lake, Portfolio, paid, {"book": book.name, "session": last}, Provenance("test", "test", "0"))
    after = reports.daily(pins(market), book, last)
    assert before.account is not None
    assert after.account is not None
    assert (before.account.commissions or 0.0) + 1 == after.account.commissions


def test_a_fill_is_told_with_the_reason_of_its_order(demo_walked: Walked) -> None:
    """Whether the order was given on the day itself or long before it."""
    lake, book = demo_walked.lake, demo_walked.book
    fills = rows(lake, "fills", book.name).join(
        read(lake, Orders).select("order_ref", "reason", given="session").collect(), on="order_ref"
    )
    earlier = fills.filter(pl.col("given") < pl.col("session"))
    assert not earlier.is_empty()
    for session in earlier["session"].unique().sort().head(5):
        made = reports.daily(pins(demo_walked.market), book, session)
        told = {(fill.symbol, fill.reason) for fill in (*made.entries, *made.other_fills)}
        due = earlier.filter(pl.col("session") == session, pl.col("purpose") == "entry")
        assert set(due.select("symbol", "reason").iter_rows()) <= told


def test_closes_of_the_benchmark_are_the_same_from_a_market_read_before(lean_walked: Walked) -> None:
    known, book, last = pins(lean_walked.market), lean_walked.book, date(2014, 6, 13)
    shared_market(known, lean_walked.book.model_copy(update={"name": "another"}), last)
    alone = reports.benchmark_closes(known, book, last)
    shared_market(known, book, last)
    among_others = reports.benchmark_closes(known, book, last)
    assert alone is not None
    assert among_others is not None
    assert among_others.equals(alone)
