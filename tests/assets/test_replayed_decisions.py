"""A past decision is decided again from what was known, whatever has been corrected or changed since."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import delta
from assets.inputs import MissingDataError
from assets.replay import replay
from delta import Provenance
from delta.contracts import Bars, Orders, Portfolio, Signals
from resources.providers.base import Request
from resources.providers.sample import Sample
from trading.book import BookConfig

from .conftest import Walked
from .walks import Market, backfill, book, changed, days_of, frames, hashes, market, rows, schedule

START, END = date(2004, 11, 1), date(2005, 3, 31)
CORRECTED = date(2005, 1, 13)
BOOK = book("turtle", START, END, universe={"symbols": ("AAPL", "MSFT")}, strategies={"turtle": {}})
LATER = datetime(2024, 3, 1, 12, tzinfo=UTC)


def write_prices(folder: Path, symbol: str, factor: float = 1.0) -> None:
    """Real bars as a file, the one of ``CORRECTED`` multiplied."""
    asked = Request((symbol,), date(2003, 9, 1), END)
    answer = Sample().fetch(asked)
    splits = answer.corporate_actions.filter(pl.col("action") == "split").select(
        session="ex_date", split="value"
    )
    there = pl.col("session") == CORRECTED
    bars = answer.bars.select("session", "open", "high", "low", "close", "volume").with_columns(
        (pl.when(there).then(pl.col(name) * factor).otherwise(pl.col(name))).alias(name)
        for name in ("open", "high", "low", "close")
    )
    bars.join(splits, on="session", how="left").with_columns(pl.col("split").fill_null(1.0)).write_csv(
        folder / f"{symbol}.csv"
    )


@pytest.fixture(scope="module")
def first_version(tmp_path_factory: pytest.TempPathFactory) -> tuple[Market, Path]:
    """A book walked on the prices as they were first known."""
    root = tmp_path_factory.mktemp("files")
    prices = root / "prices"
    prices.mkdir()
    for symbol in BOOK.universe.symbols:
        write_prices(prices, symbol)
    made = market(root, "files", folder=str(prices))
    made.ingest(BOOK)
    backfill(made.lake, BOOK, START, END)
    return made, prices


@pytest.fixture
def corrected(first_version: tuple[Market, Path], tmp_path: Path) -> Market:
    """The same lake after AAPL's bar of one session has been corrected."""
    made, prices = first_version
    copy = made.copy(tmp_path)
    write_prices(prices, "AAPL", 1.04)
    try:
        assert copy.ingest(BOOK, now=LATER, refetch=True).startswith("0 new, 1 corrected")
    finally:
        write_prices(prices, "AAPL")
    return copy


def close_of(lake: delta.Lake, as_of: datetime | None = None) -> list[float]:
    where = (pl.col("symbol") == "AAPL") & (pl.col("session") == CORRECTED)
    return delta.read(lake, Bars, as_of, where).sort("known_at").collect()["close"].to_list()


def test_a_correction_adds_what_is_known_and_changes_nothing_that_was(corrected: Market) -> None:
    before = delta.history(corrected.lake, Bars)["committed_at"][-2]
    old, new = close_of(corrected.lake)
    assert new == pytest.approx(old * 1.04)
    assert close_of(corrected.lake, before) == [old]
    asked = f"select close from bars where symbol = 'AAPL' and session = date '{CORRECTED}'"
    assert delta.sql(corrected.lake, asked, as_of=before)["close"].to_list() == [old]


def test_replay_reads_what_was_known(corrected: Market) -> None:
    for session in (START, CORRECTED, date(2005, 2, 28), END):
        found = replay(corrected.lake, BOOK.name, session)
        assert found.identical, found.differences
        assert found.rows > 0


def test_a_fresh_book_sees_the_correction(corrected: Market) -> None:
    fresh = changed(BOOK, name="fresh")
    backfill(corrected.lake, fresh, START, END)
    old, new = (frames(corrected.lake, name, CORRECTED, CORRECTED) for name in (BOOK.name, "fresh"))
    assert not old["portfolio"]["equity"].equals(new["portfolio"]["equity"])
    before = (START, CORRECTED - timedelta(days=1))
    old, new = (frames(corrected.lake, name, *before) for name in (BOOK.name, "fresh"))
    assert old["portfolio"]["equity"].equals(new["portfolio"]["equity"])
    assert replay(corrected.lake, "fresh", CORRECTED).identical


def test_a_rerun_after_a_correction_leaves_the_old_decision_readable(corrected: Market) -> None:
    version = delta.resolve(corrected.lake, Portfolio)
    before = rows(corrected.lake, "portfolio", BOOK.name)
    backfill(corrected.lake, BOOK, START, END, "again")
    assert not rows(corrected.lake, "portfolio", BOOK.name).equals(before)
    kept = delta.read(corrected.lake, Portfolio, version).sort("book", "session").collect()
    assert kept.equals(before)
    assert replay(corrected.lake, BOOK.name, CORRECTED).identical


def test_sessions_of_a_backfill_replay(walked: Walked) -> None:
    lake = walked.lake
    for session in days_of(walked.first, walked.last)[::11]:
        assert replay(lake, walked.book.name, session).identical


TAMPERED = [
    (Orders, "quantity", pl.col("quantity") + 1.0),
    (Portfolio, "cash", pl.col("cash") + 1.0),
    (Signals, "strength", pl.lit(12.5)),
]


@pytest.mark.parametrize(("table", "column", "value"), TAMPERED, ids=[t[0].name for t in TAMPERED])
def test_a_row_that_was_tampered_with_is_shown(
    first_version: tuple[Market, Path], tmp_path: Path, table: type[delta.Table], column: str, value: pl.Expr
) -> None:
    lake = first_version[0].copy(tmp_path).lake
    session = rows(lake, "signals", BOOK.name).join(
        rows(lake, "orders", BOOK.name), on="session", how="semi"
    )["session"][0]
    found = delta.read(lake, table, where=(pl.col("book") == BOOK.name) & (pl.col("session") == session))
    altered = found.collect().with_columns(value.alias(column))
    if table is Portfolio:
        altered = altered.with_columns(equity=pl.col("equity") + 1.0, deposits=pl.col("deposits") + 1.0)
    delta.write(
        lake, table, altered, {"book": BOOK.name, "session": session}, Provenance("somebody", "hand", "0")
    )
    shown = replay(lake, BOOK.name, session)
    assert not shown.identical
    assert set(shown.differences["table"]) == {table.name}
    assert set(shown.differences["side"]) == {"recorded", "replayed"}
    untouched = [day for day in days_of(START, END) if day != session][10]
    assert replay(lake, BOOK.name, untouched).identical


def test_research_done_again_later_is_no_difference(corrected: Market) -> None:
    from assets.research import research

    research(corrected.lake, BOOK, START, END, "a look with the corrected bar")
    assert replay(corrected.lake, BOOK.name, CORRECTED).identical


@pytest.mark.parametrize(
    ("session", "said"),
    [
        (date(2004, 10, 29), "no run has decided session 2004-10-29"),
        (date(2005, 4, 1), "no run has decided session 2005-04-01"),
        (date(2005, 1, 15), "2005-01-15 is no session of XNYS"),
    ],
)
def test_a_session_that_was_not_decided_is_refused(
    first_version: tuple[Market, Path], session: date, said: str
) -> None:
    with pytest.raises(MissingDataError, match=f"book turtle: {said}"):
        replay(first_version[0].lake, BOOK.name, session)


def test_replay_takes_the_configuration_of_the_day(
    first_version: tuple[Market, Path], tmp_path: Path
) -> None:
    lake = first_version[0].copy(tmp_path).lake
    before = hashes(lake, BOOK.name, START, date(2005, 1, 31))
    other: BookConfig = changed(BOOK, sizing={"max_position": 0.02})
    schedule(lake, other, days_of(date(2005, 2, 1), date(2005, 2, 4)))
    assert hashes(lake, BOOK.name, START, date(2005, 1, 31)) == before
    assert replay(lake, BOOK.name, date(2005, 1, 31)).identical
    last = replay(lake, BOOK.name, date(2005, 2, 4))
    assert last.identical
    assert last.decision.config_hash != replay(lake, BOOK.name, date(2005, 1, 31)).decision.config_hash
