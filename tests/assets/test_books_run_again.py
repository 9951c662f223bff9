"""Books that are run again: with another range, another configuration, after a broker has traded."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

import delta
from assets.desk import walk
from assets.inputs import RefusedError
from assets.replay import replay
from assets.research import research
from assets.stage import CODE_VERSION
from delta.contracts import Books, Portfolio
from pipelines.runs import run_backtest, run_market, run_session
from resources.books import last_used
from resources.brokers.paper import place
from resources.calendar import session_close
from resources.desk import DeskResource
from trading.book import BookConfig

from .walks import DEMO, Market, backfill, book, changed, days_of, hashes, rows, schedule

BOOK: BookConfig = changed(DEMO, name="again", mode="backtest", start=date(2004, 6, 1), end=date(2005, 6, 30))


def test_a_shorter_backtest_leaves_nothing_of_the_longer_one(sample_copy: Market, tmp_path: Path) -> None:
    lake, alone = sample_copy.lake, sample_copy.copy(tmp_path / "alone").lake
    backfill(lake, BOOK, date(2004, 1, 1), date(2005, 12, 31))
    longer = hashes(lake, BOOK.name)
    shorter = changed(BOOK, start=date(2004, 9, 1), end=date(2005, 3, 31))
    for each in (lake, alone):
        backfill(each, shorter, date(2004, 1, 1), date(2005, 12, 31))
    assert hashes(lake, BOOK.name) == hashes(alone, BOOK.name) != longer
    kept = rows(lake, "portfolio", BOOK.name)["session"]
    assert (kept.min(), kept.max()) == (date(2004, 9, 1), date(2005, 3, 31))


def test_one_year_of_a_backtest_leaves_the_others(sample_copy: Market) -> None:
    lake = sample_copy.lake
    backfill(lake, BOOK, date(2004, 1, 1), date(2005, 12, 31))
    whole = hashes(lake, BOOK.name)
    backfill(lake, BOOK, date(2005, 1, 1), date(2005, 3, 31), "a quarter")
    assert hashes(lake, BOOK.name) == whole


def test_the_configuration_of_the_newest_run_is_the_one_used(sample_copy: Market) -> None:
    lake, other = sample_copy.lake, changed(BOOK, capital=50_000.0)
    assert last_used(lake, BOOK.name) is None
    for config in (BOOK, other, BOOK):
        backfill(lake, config, date(2004, 6, 1), date(2004, 6, 30), f"with {config.capital:.0f}")
        assert last_used(lake, BOOK.name) == config
    assert delta.read(lake, Books).collect().height == 2


def test_a_session_that_a_broker_has_seen_is_left_alone(sample_copy: Market) -> None:
    lake, config = sample_copy.lake, changed(BOOK, mode="paper")
    entry = date(2004, 8, 25)  # a close on which the book buys
    backfill(lake, config, config.start, entry - timedelta(days=1))
    schedule(lake, config, [entry])
    placed = rows(lake, "order_events", config.name, entry, entry).filter(pl.col("source") == "broker")
    assert placed.height > 0
    before, version = hashes(lake, config.name), delta.resolve(lake, "signals")
    with pytest.raises(RefusedError, match=f"orders of session {entry} have been placed"):
        schedule(lake, config, [entry])
    with pytest.raises(RefusedError, match=f"orders of session {entry} have been placed"):
        backfill(lake, config, entry, entry)
    with pytest.raises(RefusedError, match="a traded session is not run again"):
        research(lake, config, date(2004, 8, 2), date(2004, 8, 31), "look")
    assert hashes(lake, config.name) == before
    assert delta.resolve(lake, "signals") == version
    after = session_close("XNYS", entry) + timedelta(minutes=9)
    assert place(lake, config.name, now=after, run_id="again", code_version=CODE_VERSION).is_empty()


@pytest.mark.parametrize("late", [None, timedelta(days=3)], ids=["never", "too late"])
def test_orders_that_nobody_placed_in_time_expire(sample_copy: Market, late: timedelta | None) -> None:
    lake, config = sample_copy.lake, changed(BOOK, mode="paper")
    entry, following = days_of(date(2004, 8, 25), date(2004, 8, 26))
    backfill(lake, config, config.start, entry - timedelta(days=1))
    research(lake, config, entry, entry, "evening")
    walk(lake, config, entry, entry, "evening", scheduled=True)
    if late is not None:
        at = session_close("XNYS", entry) + late
        place(lake, config.name, now=at, run_id="order job", code_version=CODE_VERSION)
    refs = set(rows(lake, "orders", config.name, entry, entry)["order_ref"])
    assert len(refs) == 3, "an entry with its stop and its target"
    schedule(lake, config, [following])
    events = rows(lake, "order_events", config.name).filter(pl.col("order_ref").is_in(refs))
    assert set(events["state"]) == {"EXPIRED"}
    assert set(events["order_ref"]) == refs
    assert not refs & set(rows(lake, "fills", config.name)["order_ref"])
    assert replay(lake, config.name, following).identical


def test_sessions_follow_one_another(sample_copy: Market) -> None:
    config = changed(BOOK, mode="paper")
    with pytest.raises(
        RefusedError, match="session 2004-06-01, the one before 2004-06-02, has not been decided"
    ):
        schedule(sample_copy.lake, config, [date(2004, 6, 2)])
    assert rows(sample_copy.lake, "portfolio", config.name).is_empty()


def desk_at(folder: Path, now: str, **changes: object) -> DeskResource:
    """A desk in an empty folder at a time of the past."""
    books = folder / "config/books"
    books.mkdir(parents=True)
    (folder / "config/desk.toml").write_text('[data.order]\nstock = { default = ["sample"] }\n')
    text = "".join(f"{key} = {value}\n" for key, value in changes.items())
    (books / "open.toml").write_text(
        f'{text}start = 2004-12-01\n[universe]\nsymbols = ["AAPL", "MSFT"]\n[strategies.turtle]\n'
    )
    return DeskResource(
        config_file=str(folder / "config/desk.toml"), lake_uri=str(folder / "lake"), fixed_now=now
    )


def test_a_book_without_an_end_is_walked_to_the_last_closed_session(tmp_path: Path) -> None:
    desk = desk_at(tmp_path, "2005-02-15T20:00:00+00:00")  # an hour before the close
    with dg.DagsterInstance.ephemeral() as instance:
        run_market(desk, instance, "open")
        run_backtest(desk, instance, "open", date(2004, 12, 1), date(2005, 2, 14))
        sessions = delta.read(desk.lake(), Portfolio).sort("session").collect()["session"].to_list()
        assert sessions == days_of(date(2004, 12, 1), date(2005, 2, 14))
        with pytest.raises(RefusedError, match="2006-01-01 has not closed yet; the last session that has is"):
            run_backtest(desk, instance, "open", date(2006, 1, 1), date(2006, 12, 31))


def test_a_session_is_not_run_before_its_close(tmp_path: Path) -> None:
    desk = desk_at(tmp_path, "2004-12-01T20:59:00+00:00", mode='"paper"')
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(
            RefusedError,
            match="book open: 2004-12-01 has not closed yet; the last session that has is 2004-11-30",
        ),
    ):
        run_session(desk, instance, "open", date(2004, 12, 1))
    assert delta.resolve(desk.lake(), Portfolio) == -1


def test_a_book_that_was_given_wins_over_its_file(tmp_path: Path) -> None:
    desk = desk_at(tmp_path, "2005-02-15T20:00:00+00:00")
    given = book("open", date(2005, 1, 3), universe={"symbols": ("IBM",)}, strategies={"turtle": {}})
    assert desk.book("open").start == date(2004, 12, 1)
    other = DeskResource(**{**desk.model_dump(), "given": {"open": given.model_dump_json(by_alias=True)}})
    assert other.book("open") == given
