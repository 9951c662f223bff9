"""FRED's real answers through the real client, with a key and without."""

from __future__ import annotations

import gzip
import json
from datetime import date

import pytest

from delta.contracts import Rates
from resources.providers.base import BadKey, MalformedAnswer, NoData, Request, UnknownSymbol, Unsupported
from resources.providers.fred import CURVE, PAGE, VIX, Fred, FredSettings

FIRST, LAST = date(2023, 1, 1), date(2023, 6, 6)
OBSERVATIONS = "/fred/series/observations"


@pytest.fixture
def fred(web, quick, monkeypatch):
    monkeypatch.setenv("FRED_API_KEY", "abcdefghijklmnopqrstuvwxyz123456")
    return Fred(FredSettings(**quick, charts_url=web.url))


@pytest.fixture
def free(fred, monkeypatch):
    monkeypatch.delenv("FRED_API_KEY")
    return fred


def test_real_rates_in_the_columns_of_the_table(fred, web, recorded):
    file = recorded / "fred" / "treasury_constant_maturity_observations_T10Y3M.json"
    web.on(OBSERVATIONS, file)
    rates = fred.rates(["T10Y3M"], FIRST, LAST)
    assert [*rates.schema.items(), ("known_at", Rates.known_at.dtype)] == list(Rates.schema().items())
    given = [row for row in json.loads(file.read_text())["observations"] if row["value"] != "."]
    assert rates["observed"].to_list() == [date.fromisoformat(row["date"]) for row in given]
    assert rates["value"].to_list() == [float(row["value"]) for row in given]
    assert rates.height < 112
    assert web.seen[0].query == {
        "series_id": "T10Y3M",
        "file_type": "json",
        "observation_start": "2023-01-01",
        "observation_end": "2023-06-06",
        "limit": "100000",
        "api_key": "abcdefghijklmnopqrstuvwxyz123456",
    }


def test_the_whole_treasury_curve(fred, web, recorded):
    for series in CURVE:
        file = recorded / "fred" / f"yield_curve_observations_{series}.json.gz"
        web.on(OBSERVATIONS, file, series_id=series)
    rates = fred.rates(CURVE, date(1962, 1, 1), date(2026, 6, 1))
    assert set(rates["series"]) == set(CURVE)
    ten = json.loads(
        gzip.decompress((recorded / "fred" / "yield_curve_observations_DGS10.json.gz").read_bytes())
    )
    last = next(row for row in reversed(ten["observations"]) if row["value"] != ".")
    assert rates.filter(series="DGS10").row(-1)[1:3] == (
        date.fromisoformat(last["date"]),
        float(last["value"]),
    )
    assert rates["value"].null_count() == 0


def test_more_observations_than_a_page(fred, web):
    row = {"value": "1"}
    web.on(OBSERVATIONS, {"count": PAGE + 1, "observations": [row | {"date": "2023-01-02"}]})
    web.on(
        OBSERVATIONS, {"count": PAGE + 1, "observations": [row | {"date": "2023-01-03"}]}, offset=str(PAGE)
    )
    assert fred.rates(["X"], FIRST, LAST)["observed"].to_list() == [date(2023, 1, 2), date(2023, 1, 3)]


@pytest.mark.parametrize("header", ["observation_date", "DATE"])
def test_without_a_key_the_charts_are_read(free, web, header):
    web.on("/graph/fredgraph.csv", f"{header},VIXCLS\n2023-01-02,.\n2023-01-03,22.90\n2023-01-04,\n".encode())
    rates = free.rates([VIX], FIRST, LAST)
    assert rates.rows() == [("VIXCLS", date(2023, 1, 3), 22.9, "fred")]
    assert web.seen[0].query == {"id": "VIXCLS", "cosd": "2023-01-01", "coed": "2023-06-06"}


def test_without_a_key_another_table_is_malformed(free, web):
    web.on("/graph/fredgraph.csv", b"<!DOCTYPE html><html>maintenance</html>")
    with pytest.raises(MalformedAnswer, match=r"fred: VIXCLS: no table of VIXCLS: <!DOCTYPE html>"):
        free.rates([VIX], FIRST, LAST)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "Bad Request.  The value for variable api_key is not registered.", BadKey),
        (400, "Bad Request.  The series does not exist.", UnknownSymbol),
        (200, "Bad Request.  The series does not exist.", UnknownSymbol),
        (200, "Something new.", MalformedAnswer),
    ],
)
def test_its_own_errors(fred, web, reply, status, message, kind):
    web.always(reply(status, json.dumps({"error_code": 400, "error_message": message}).encode()))
    with pytest.raises(kind, match=r"^fred: NIX: "):
        fred.rates(["NIX"], FIRST, LAST)


def test_a_range_without_values(fred, web):
    web.on(OBSERVATIONS, {"count": 1, "observations": [{"date": "2023-01-02", "value": "."}]})
    with pytest.raises(NoData, match="no value from 2023-01-01 to 2023-06-06"):
        fred.rates(["DGS10"], FIRST, LAST)


def test_it_has_no_bars(fred):
    with pytest.raises(Unsupported, match="rates"):
        fred.fetch(Request(("DGS10",), FIRST, LAST))
    assert VIX in fred.symbols()
