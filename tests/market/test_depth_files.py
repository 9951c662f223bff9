"""Order books from recorded files into the lake, and their measures."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from delta import read
from delta.contracts import Depth, Quarantine
from resources.ingest.observations import ingest_rows
from resources.providers.base import MalformedAnswer
from resources.providers.depth_files import DEPTH, read_depth
from trading.liquidity import book_at, liquidity

AT = datetime(2021, 10, 22, 12, tzinfo=UTC)
NOW = datetime(2023, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def recorded(shared_data):
    return shared_data / "providers/binance"


@pytest.fixture(scope="module")
def archive(recorded):
    return read_depth([recorded / "btcusdt-depth-snap.csv", recorded / "btcusdt-depth-update.csv"])


def test_an_answer_for_one_moment_has_its_levels_from_the_touch_outwards(recorded):
    found = read_depth([recorded / "http_spot_market_depth.json"], symbol="BTCUSDT", quoted_at=AT)
    assert found.schema == DEPTH
    assert found.filter(pl.col("level") == 0).select("side", "price", "size").rows() == [
        ("ask", 60650.01, 0.61982),
        ("bid", 60650.00, 0.00213),
    ]
    assert found.height == 20
    assert found["session"].unique().to_list() == [date(2021, 10, 22)]
    measures = liquidity(found, lot=0.1).row(0, named=True)
    assert measures["spread"] == pytest.approx(0.01 / 60650.005)
    assert measures["buy_impact_5"] == pytest.approx(0.005 / 60650.005)
    assert -1 < measures["imbalance"] < 1


def test_updates_change_the_book_of_the_archive(archive, recorded):
    first, second = archive["quoted_at"].unique().sort()
    assert second - first == timedelta(milliseconds=1667347199939 - 1667346579146)
    snapshot = archive.filter(pl.col("quoted_at") == first)
    assert set(snapshot["side"]) == {"bid"}
    assert snapshot["level"].to_list() == list(range(20))
    assert snapshot["price"].is_sorted(descending=True)
    # After the updates: what was set, on top of what had been there; sizes of zero are gone.
    updates = pl.read_csv(recorded / "btcusdt-depth-update.csv")
    offers = updates.filter(pl.col("side") == "a", pl.col("qty") > 0).unique("price").sort("price").head(20)
    later = archive.filter(pl.col("quoted_at") == second, pl.col("side") == "ask")
    assert later.select("price", "size").rows() == offers.select("price", "qty").rows()
    assert (later["size"] > 0).all()


def test_a_second_ingest_adds_nothing_and_a_changed_size_is_a_correction(lake, run, archive):
    where = pl.col("symbol") == "BTCUSDT"
    first = ingest_rows(lake, Depth, archive, where, now=NOW, provenance=run)
    again = ingest_rows(lake, Depth, archive, where, now=NOW + timedelta(days=1), provenance=run)
    assert (first.new, first.corrected, first.unchanged) == (archive.height, 0, 0)
    assert (again.new, again.corrected, again.unchanged, again.commits) == (0, 0, archive.height, ())
    level = (pl.col("level") == 0) & (pl.col("side") == "ask")
    changed = archive.with_columns(pl.when(level).then(99.0).otherwise("size").alias("size"))
    third = ingest_rows(lake, Depth, changed, where, now=NOW + timedelta(days=2), provenance=run)
    assert (third.new, third.corrected) == (0, 1)
    kept = read(lake, Depth).collect()
    assert kept.height == archive.height + 1
    assert book_at(archive, "BTCUSDT", NOW).offers.shape == (20, 2)


def test_bad_levels_go_to_quarantine_and_the_others_are_written(lake, run, archive):
    bad = archive.head(3).with_columns(price=pl.Series([1.0, -1.0, float("nan")]))
    doubled = pl.concat([bad, bad.head(1).with_columns(size=pl.lit(5.0))])
    for _ in range(2):
        result = ingest_rows(lake, Depth, doubled, pl.col("symbol") == "BTCUSDT", now=NOW, provenance=run)
        assert sorted(result.rejected["rule"]) == ["one row a key", "price > 0", "price is not NaN"]
    assert read(lake, Depth).collect().height == 1
    assert sorted(read(lake, Quarantine).collect()["rule"]) == [
        "one row a key",
        "price > 0",
        "price is not NaN",
    ]


def test_long_files_of_stocks_fall_into_sessions_of_their_exchange(tmp_path):
    path = tmp_path / "books.csv"
    path.write_text(
        "symbol,quoted_at,side,price,size\n"
        "A,2015-11-27T18:00:00+00:00,bid,9.9,100\nA,2015-11-27T18:00:00+00:00,ask,10.1,100\n"
        "A,2015-11-27T18:00:01+00:00,bid,9.8,50\nA,2015-11-27T18:00:01+00:00,bid,9.9,70\n"
    )
    found = read_depth([path], calendar="XNYS")
    assert found.select("session", "side", "level", "price").rows() == [
        (date(2015, 11, 27), "ask", 0, 10.1),
        (date(2015, 11, 27), "bid", 0, 9.9),
        (date(2015, 11, 30), "bid", 0, 9.9),
        (date(2015, 11, 30), "bid", 1, 9.8),
    ]


def test_what_is_no_order_book_is_named(tmp_path, recorded):
    path = tmp_path / "prices.csv"
    path.write_text("date,close\n2020-01-02,1\n")
    with pytest.raises(MalformedAnswer, match=r"prices\.csv: columns date, close are those of no order book"):
        read_depth([path])
    with pytest.raises(MalformedAnswer, match="give symbol and time"):
        read_depth([recorded / "http_spot_market_depth.json"])
