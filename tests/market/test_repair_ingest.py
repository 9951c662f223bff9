"""Repair on the way into the lake, and of what the lake holds already."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from delta import read
from delta.contracts import Bars, Quarantine
from resources.ingest import ingest, mend
from resources.providers.base import Request
from resources.providers.registry import provider
from trading.history import newest
from trading.repair import is_repaired

FIRST, LAST = date(2004, 6, 1), date(2005, 6, 30)  # IBM pays dividends, AAPL splits 2:1 on 2005-02-28
NOW = datetime(2005, 7, 1, 3, tzinfo=UTC)
SPLIT = date(2005, 2, 28)
BAD = [date(2004, 9, 1), date(2004, 9, 2)]


@pytest.fixture(scope="module")
def sample():
    return provider("sample").fetch(Request(("AAPL", "IBM"), FIRST, LAST))


@pytest.fixture
def serve(tmp_path, sample):
    """A provider over files whose bars were damaged."""

    def make(damage=lambda bars: bars):
        folder = tmp_path / "files"
        folder.mkdir(exist_ok=True)
        splits = sample.corporate_actions.filter(pl.col("action") == "split")
        damaged = damage(sample.bars)
        for (symbol,), bars in damaged.group_by("symbol", maintain_order=True):
            split = splits.filter(pl.col("symbol") == symbol).select(date="ex_date", split="value")
            bars.select(
                date="session", open="open", high="high", low="low", close="close", volume="volume"
            ).join(split, on="date", how="left", maintain_order="left").with_columns(
                pl.col("split").fill_null(1.0)
            ).write_parquet(folder / f"{symbol}.parquet")
        return provider("files", {"folder": folder})

    return make


def hundredfold(bars: pl.DataFrame) -> pl.DataFrame:
    bad = pl.col("session").is_in(BAD) & (pl.col("symbol") == "IBM")
    return bars.with_columns(
        pl.when(bad).then(pl.col(n) * 100).otherwise(n).alias(n) for n in ("open", "high", "low", "close")
    )


def split_before(bars: pl.DataFrame) -> pl.DataFrame:
    early = (pl.col("session") < SPLIT) & (pl.col("symbol") == "AAPL")
    prices = [
        pl.when(early).then(pl.col(n) / 2).otherwise(n).alias(n) for n in ("open", "high", "low", "close")
    ]
    return bars.with_columns(*prices, volume=pl.when(early).then(pl.col("volume") * 2).otherwise("volume"))


def bars_of(lake) -> pl.DataFrame:
    return newest(read(lake, Bars).collect(), Bars.key[:-1]).sort("symbol", "session")


def fetch(lake, source, run, *, now=NOW, **named):
    return ingest(lake, source, Request(("AAPL", "IBM"), FIRST, LAST), now=now, provenance=run, **named)


def same(lake, sample) -> bool:
    names = ["symbol", "session", "close", "volume"]
    found, expected = bars_of(lake).select(names), sample.bars.sort("symbol", "session").select(names)
    near = ((found["close"] - expected["close"]).abs() < 1e-6) & (found["volume"] == expected["volume"])
    return found.height == expected.height and near.all()


def test_a_fault_that_blocks_is_repaired_on_request_and_told(lake, run, serve, sample):
    source = serve(hundredfold)
    blocked = fetch(lake, source, run)
    assert list(blocked.blocked) == ["IBM"]
    mended = fetch(lake, source, run, now=NOW + timedelta(hours=1), repair=True)
    assert (mended.blocked, mended.repaired) == ({}, 2)
    assert "2 repaired" in mended.summary()
    assert same(lake, sample)
    marked = bars_of(lake).filter(is_repaired())
    assert marked["session"].to_list() == BAD
    assert marked["flags"][0].to_list() == ["repaired unit: prices were 100 times those of the bars around"]
    told = read(lake, Quarantine).filter(pl.col("rule") == "repaired unit").collect()
    assert sorted(told["session"]) == BAD
    expected = (
        sample.bars.filter(pl.col("symbol") == "IBM", pl.col("session") == BAD[0])["close"].item() * 100
    )
    assert json.loads(told.sort("session")["row"][0])["close"] == pytest.approx(expected)


def test_a_repaired_bar_is_not_undone_by_the_source(lake, run, serve, sample):
    last = [sample.bars["session"].max()]

    def newest_bar(bars):
        bad = pl.col("session").is_in(last) & (pl.col("symbol") == "IBM")
        return bars.with_columns(
            pl.when(bad).then(pl.col(n) * 100).otherwise(n).alias(n) for n in ("open", "high", "low", "close")
        )

    source = serve(newest_bar)
    assert fetch(lake, source, run, repair=True).repaired == 1
    again = fetch(lake, source, run, now=NOW + timedelta(hours=1))
    assert (again.corrected, again.blocked, again.repaired) == (0, {}, 0)
    assert same(lake, sample)


def test_dates_are_put_right_on_the_way_in(lake, run, serve, sample):
    result = fetch(lake, serve(lambda bars: bars.reverse()), run, repair=True)
    assert result.blocked == {}
    assert same(lake, sample)
    assert not bars_of(lake).filter(is_repaired()).height
    assert set(read(lake, Quarantine).collect()["rule"]) == {"repaired order"}


def test_bars_in_the_lake_are_repaired_as_new_versions(lake, run, serve, sample):
    assert fetch(lake, serve(split_before), run).blocked == {}
    before = bars_of(lake)
    assert not same(lake, sample)
    later = NOW + timedelta(days=1)
    done = mend(lake, ["AAPL", "IBM"], "1d", now=later, provenance=run)
    early = before.filter(pl.col("symbol") == "AAPL", pl.col("session") < SPLIT)
    assert done.repairs.height == early.height
    assert same(lake, sample)
    rows = read(lake, Bars).collect()
    assert rows.height == before.height + early.height
    as_known = newest(rows, Bars.key[:-1], as_of=NOW).sort("symbol", "session")
    assert as_known.drop("flags").equals(before.drop("flags"))
    flag = bars_of(lake).filter(is_repaired())["flags"][0].to_list()[-1]
    assert flag == "repaired split: prices before the 2:1 split of 2005-02-28 had it already"
    assert mend(lake, ["AAPL", "IBM"], "1d", now=later + timedelta(days=1), provenance=run).commit is None
