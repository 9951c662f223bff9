"""Chains, rates, books, members and actions through functions, assets and the command line into the lake."""

from __future__ import annotations

import gzip
import threading
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import dagster as dg
import polars as pl
import pytest

from assets.actions import record_actions
from assets.observations import Observing, update_capitalisation, update_chains, update_rates
from assets.observed import observation_assets
from assets.series import adjusted_series
from delta import history, read
from delta.contracts import CorporateActions, Instruments, Memberships, OptionQuotes, Rates
from resources.config import DeskConfig
from resources.desk import DeskResource
from resources.ingest import ingest
from resources.providers.base import Request, Unsupported
from resources.providers.registry import provider
from trading.history import newest
from trading.universe import UniverseError

NOW = datetime(2026, 7, 26, tzinfo=UTC)


@pytest.fixture(scope="module")
def web(shared_data):
    """Recorded answers on a local server; anything else is not found."""
    recorded = shared_data / "providers"
    files = {
        "/api/global/delayed_quotes/options/AAPL.json": "cboe/api_global_delayed_quotes_options_AAPL_json.json.gz",
        "/fred/series/observations": "fred/yield_curve_observations_DGS10.json.gz",
        "/tiingo/fundamentals/GOOGL/daily": "tiingo/fundamentals_daily_0.json",
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = files.get(urlsplit(self.path).path)
            body = (recorded / name).read_bytes() if name else b'{"detail":"Not found."}'
            self.send_response(200 if name else 404)
            body = gzip.decompress(body) if name and name.endswith(".gz") else body
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def desk(lake, web, monkeypatch):
    monkeypatch.setenv("FRED_API_KEY", "0" * 32)
    monkeypatch.setenv("TIINGO_API_KEY", "0" * 40)
    quick = {"base_url": web, "backoff": 0.0, "timeout": 5.0, "attempts": 2}
    config = DeskConfig(providers=dict.fromkeys(("cboe", "fred", "tiingo"), quick))
    return Observing(lake, config, NOW, "run-1")


def test_a_chain_is_kept_once_and_what_is_not_served_is_named(desk, lake):
    first = update_chains(desk, ["AAPL", "NOPE"], strikes=(300, 350))
    assert list(first.failed) == ["NOPE"]
    assert "cboe: NOPE" in first.problems()[0]
    kept = read(lake, OptionQuotes).collect()
    assert first.result.new == kept.height > 50
    assert kept["strike"].is_between(300, 350).all()
    assert set(kept["underlying"]) == {"AAPL"}
    again = update_chains(desk, ["AAPL"], strikes=(300, 350))
    assert (again.result.new, again.result.unchanged, again.commits) == (0, kept.height, {})


def test_a_provider_without_chains_names_those_that_have_them(desk):
    with pytest.raises(Unsupported, match="it serves no chain; choose cboe or deribit"):
        update_chains(desk, ["AAPL"], source="sample")


def test_rates_are_kept_once(desk, lake):
    span = (date(2020, 1, 1), date(2024, 12, 31))
    first = update_rates(desk, ["DGS10"], *span)
    kept = read(lake, Rates).collect()
    assert first.result.new == kept.height > 200
    assert set(kept["series"]) == {"DGS10"}
    assert kept["value"].is_between(0, 10).all()
    assert update_rates(desk, ["DGS10"], *span).result.new == 0


def test_capitalisation_becomes_periods_of_the_instrument(desk, lake, run, shared_data):
    lean = provider("lean", {"folder": shared_data / "lean"})
    ingest(lake, lean, Request(("GOOGL",), date(2020, 1, 2), date(2020, 4, 1)), now=NOW, provenance=run)
    before = read(lake, Instruments).collect()
    update = update_capitalisation(desk, ["GOOGL"], date(2020, 1, 1), date(2020, 4, 1))
    assert update.problems() == []
    told = newest(read(lake, Instruments).collect(), Instruments.key[:-1]).filter(pl.col("market_cap") > 0)
    assert update.result.new == told.height > 0
    assert (told["valid_from"].dt.day() <= 31).all()
    assert read(lake, Instruments).collect().height == before.height + told.height
    assert update_capitalisation(desk, ["GOOGL"], date(2020, 1, 1), date(2020, 4, 1)).result.new == 0
    unknown = ingest(
        lake, lean, Request(("GOOGL",), date(2020, 1, 2), date(2020, 4, 1)), now=NOW, provenance=run
    )
    assert (unknown.new, unknown.corrected) == (0, 0)
    assert (
        newest(read(lake, Instruments).collect(), Instruments.key[:-1])
        .filter(pl.col("market_cap") > 0)
        .equals(told)
    )


def test_a_spin_off_told_by_a_person_changes_the_series_from_its_day_on(desk, lake, run):
    sample = provider("sample")
    span = (date(2012, 6, 1), date(2012, 7, 31))
    ingest(lake, sample, Request(("IBM", "MSFT"), *span), now=NOW, provenance=run)
    day = date(2012, 7, 2)
    told = pl.DataFrame(
        [("IBM", day, "spin_off", 0.5, "MSFT")],
        schema=["symbol", "ex_date", "action", "value", "new_symbol"],
        orient="row",
    )
    update = record_actions(desk, told)
    assert (update.result.new, update.problems()) == (1, [])
    _, before = adjusted_series(lake, "IBM", date(2012, 6, 29))
    _, after = adjusted_series(lake, "IBM", day)
    with pytest.raises(UniverseError, match="IBM: no instrument of that name"):
        adjusted_series(lake, "IBM", day, known=datetime(2026, 7, 25, tzinfo=UTC))
    assert before["close"].equals(before["raw_close"].alias("close"))
    parts = {s: adjusted_series(lake, s, day)[1]["raw_close"][-1] for s in ("IBM", "MSFT")}
    eve = before["raw_close"][-1]
    assert after["factor"][-1] == 1.0
    assert after["factor"][-2] == pytest.approx((eve - 0.5 * parts["MSFT"]) / eve)


def test_actions_that_cannot_be_are_refused_by_name(desk, lake, run):
    ingest(
        lake,
        provider("sample"),
        Request(("IBM",), date(2012, 6, 1), date(2012, 7, 31)),
        now=NOW,
        provenance=run,
    )
    told = pl.DataFrame(
        {
            "symbol": ["IBM"] * 2,
            "ex_date": [date(2012, 7, 2)] * 2,
            "action": ["special_dividend", "split"],
            "value": [900.0, 2.0],
        }
    )
    update = record_actions(desk, told)
    assert [line.split(" (")[0] for line in update.problems()] == [
        "IBM: dividend below the price: special_dividend of 900.0 on 2012-07-02, close before it 195.58"
    ]
    assert read(lake, CorporateActions).filter(source="person").collect()["action"].to_list() == ["split"]


def test_the_assets_fetch_what_their_configuration_names(lake, tmp_path, shared_data):
    file = tmp_path / "desk.toml"
    file.write_text(f'[providers.lean]\nfolder = "{shared_data / "lean"}"\n')
    resource = DeskResource(config_file=str(file), lake_uri=lake.uri, fixed_now=NOW.isoformat())
    chosen = [
        asset for asset in observation_assets() if asset.key.path[-1] in {"memberships", "option_quotes"}
    ]
    config = {"ops": {"memberships": {"config": {"names": ["SPY"]}}}}
    result = dg.materialize(chosen, resources={"desk": resource}, run_config=config)
    assert result.success
    assert read(lake, Memberships).collect().height > 900
    shown = {
        event.asset_key.path[-1]: event.materialization.metadata
        for event in result.get_asset_materialization_events()
    }
    assert shown["memberships"]["rows_written"].value > 900
    assert "nothing was asked for" in shown["option_quotes"]["note"].value
    assert history(lake, Memberships)["rows"].sum() > 900
