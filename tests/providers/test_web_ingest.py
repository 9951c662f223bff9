"""What web providers answer passes the quality checks and reaches the lake, raw answers beside it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from delta import Provenance, create_lake, read
from delta.contracts import Bars, Instruments
from resources.http import keep_answers
from resources.ingest import ingest
from resources.providers.base import MalformedAnswer, NoData, Request
from resources.providers.dukascopy import Dukascopy, DukascopySettings
from resources.providers.fallback import in_order
from resources.providers.tiingo import Tiingo, TiingoSettings
from resources.raw_answers import raw_answers

NOW = datetime(2024, 1, 2, tzinfo=UTC)


@pytest.fixture
def tiingo(web, quick, recorded, monkeypatch):
    monkeypatch.setenv("TIINGO_API_KEY", "0123456789abcdef")
    web.on("/tiingo/daily/GOOGL", recorded / "tiingo" / "ticker_metadata_0.json")
    file = recorded / "tiingo" / "ticker_price_pandas_daily_metric_name_0.json"
    web.on("/tiingo/daily/GOOGL/prices", file)
    return Tiingo(TiingoSettings(**quick))


@pytest.fixture
def dukascopy(web, quick, shared_data):
    folder = shared_data / "dukascopy"
    for file in (folder / "datafeed").rglob("*day_1.bi5"):
        web.on("/" + str(file.relative_to(folder)), file)
    return Dukascopy(DukascopySettings(**quick, json_url=web.url, service="files"))


def test_stocks(tiingo, tmp_path):
    lake = create_lake(str(tmp_path / "lake"))
    keep_answers(tiingo, raw_answers(lake))
    asked = Request(("GOOGL",), date(2018, 1, 5), date(2018, 1, 19))
    result = ingest(lake, tiingo, asked, now=NOW, provenance=Provenance("r", "market", "1"))
    assert (result.new, result.quarantined, dict(result.failed)) == (10, 0, {})
    assert read(lake, Bars).collect()["source"].unique().to_list() == ["tiingo"]
    assert len(list(raw_answers(lake).replay("tiingo"))) == 2


def test_a_second_ingest_changes_nothing(dukascopy, tmp_path):
    lake = create_lake(str(tmp_path / "lake"))
    provider = in_order([dukascopy], "fx")
    asked = Request(("EURUSD",), date(2019, 1, 1), date(2019, 12, 31))
    provenance = Provenance("r", "market", "1")
    first = ingest(lake, provider, asked, now=NOW, provenance=provenance)
    assert dict(first.blocked) == {}
    assert first.new == read(lake, Bars).collect().height > 250
    again = ingest(lake, provider, asked, now=NOW.replace(day=3), provenance=provenance)
    assert (again.new, again.corrected) == (0, 0)
    instruments = read(lake, Instruments).collect()
    assert instruments.select("symbol", "asset_class", "calendar").rows() == [("EURUSD", "fx", "24/5")]


def test_kept_answers_are_parsed_again_and_nobody_is_asked(tiingo, web, tmp_path):
    lake = create_lake(str(tmp_path / "lake"))
    asked = Request(("GOOGL",), date(2018, 1, 5), date(2018, 1, 19))
    keep_answers(tiingo, raw_answers(lake))
    first = tiingo.fetch(asked)
    requests = len(web.seen)
    keep_answers(tiingo, raw_answers(lake, only=True))
    assert tiingo.fetch(asked).bars.equals(first.bars)
    with pytest.raises(NoData, match=r"GOOGL: no kept answer of .*; ask for the same range as then"):
        tiingo.fetch(Request(("GOOGL",), date(2018, 1, 5), date(2018, 1, 12)))
    assert len(web.seen) == requests


def test_an_answer_that_could_not_be_used_is_read_again_once_its_parser_is_right(tiingo, web, tmp_path):
    lake = create_lake(str(tmp_path / "lake"))
    asked = Request(("GOOGL",), date(2018, 1, 5), date(2018, 1, 19))
    keep_answers(tiingo, raw_answers(lake))
    web.on("/tiingo/daily/GOOGL/prices", {"a": [1]})
    with pytest.raises(MalformedAnswer):
        tiingo.fetch(asked)
    keep_answers(tiingo, raw_answers(lake, only=True))
    with pytest.raises(MalformedAnswer, match="in place of rows"):
        tiingo.fetch(asked)
