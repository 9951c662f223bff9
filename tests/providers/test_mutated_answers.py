"""Real answers with one thing changed: whatever a service sends, it is whole rows or a typed error.

A node of a recorded answer is removed, repeated or replaced by something of another type or size, and the
answer served to the real client. Nothing but the errors of :mod:`resources.providers.base` may come of it, and
what is accepted has the schema of its table.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from resources.providers import _frames, alpha_vantage, binance, cboe, deribit, fred, tiingo
from resources.providers.base import BARS, CORPORATE_ACTIONS, INSTRUMENTS, Answer, ProviderError, Request

PUBLIC = "/api/v2/public"


class Case(NamedTuple):
    """A provider's call, and the recorded answers it takes by path; the first of them is the one changed."""

    provider: type
    call: Callable[[Any], Any]
    bodies: dict[str, Any]
    key: str | None = None
    settings: dict[str, Any] = {}  # noqa: RUF012 - a named tuple's default, never changed
    envelope: bool = False


def bars(symbol: str, first: date, last: date, timeframe: str = "1d") -> Callable[[Any], Any]:
    return lambda provider: provider.fetch(Request((symbol,), first, last, timeframe))


GOOGL = {
    "/tiingo/daily/GOOGL/prices": "tiingo/ticker_price_pandas_daily_metric_name_0.json",
    "/tiingo/daily/GOOGL": "tiingo/ticker_metadata_0.json",
}
DAYS = {
    "Meta Data": {"1. Information": "Daily Time Series"},
    "Time Series (Daily)": {
        f"2024-11-0{day}": {
            "1. open": "207.8",
            "2. high": "208.1",
            "3. low": "203.5",
            "4. close": "203.9",
            "5. volume": "4082",
        }
        for day in (1, 4)
    },
}
"""The documented form; the recorded crypto answer is of a form that the service has left."""
CASES = {
    "tiingo prices": Case(
        tiingo.Tiingo, bars("GOOGL", date(2018, 1, 5), date(2018, 1, 19)), GOOGL, "TIINGO_API_KEY"
    ),
    "tiingo listing": Case(
        tiingo.Tiingo,
        bars("GOOGL", date(2018, 1, 5), date(2018, 1, 19)),
        dict(reversed(GOOGL.items())),
        "TIINGO_API_KEY",
    ),
    "tiingo intraday": Case(
        tiingo.Tiingo,
        bars("GOOGL", date(2018, 1, 2), date(2018, 1, 2), "30m"),
        {"/iex/GOOGL/prices": "tiingo/intraday_price_0.json"},
        "TIINGO_API_KEY",
    ),
    "tiingo crypto": Case(
        tiingo.Tiingo,
        bars("BTC-USD", date(2019, 5, 1), date(2019, 5, 2)),
        {"/tiingo/crypto/prices": "tiingo/crypto_price_history_0.json"},
        "TIINGO_API_KEY",
    ),
    "tiingo capitalisation": Case(
        tiingo.Tiingo,
        lambda provider: provider.market_caps("GOOGL", date(2020, 1, 1), date(2020, 4, 1)),
        {"/tiingo/fundamentals/GOOGL/daily": "tiingo/fundamentals_daily_0.json"},
        "TIINGO_API_KEY",
    ),
    "alpha vantage minutes": Case(
        alpha_vantage.AlphaVantage,
        bars("MSFT", date(2017, 12, 18), date(2017, 12, 18), "1m"),
        {"/query": "alphavantage/mock_time_series"},
        "ALPHA_VANTAGE_API_KEY",
        {"requests_per_minute": 100_000},
    ),
    "alpha vantage days": Case(
        alpha_vantage.AlphaVantage,
        bars("IBM", date(2024, 11, 1), date(2024, 11, 4)),
        {"/query": DAYS},
        "ALPHA_VANTAGE_API_KEY",
        {"requests_per_minute": 100_000},
    ),
    "binance bars": Case(
        binance.Binance,
        bars("BTC-USDT", date(2021, 10, 22), date(2021, 10, 23), "1m"),
        {"/api/v3/klines": "binance/http_spot_market_klines.json"},
    ),
    "binance book": Case(
        binance.Binance,
        lambda provider: provider.depth("BTC-USDT"),
        {"/api/v3/depth": "binance/http_spot_market_depth.json"},
    ),
    "binance pairs": Case(
        binance.Binance,
        lambda provider: provider.symbols(),
        {"/api/v3/exchangeInfo": "binance/http_spot_market_exchange_info.json"},
    ),
    "cboe chain": Case(
        cboe.Cboe,
        lambda provider: provider.chain("CLX"),
        {"/api/global/delayed_quotes/options/CLX.json": "cboe/options_CLX.json"},
    ),
    "deribit bars": Case(
        deribit.Deribit,
        bars("BTC-PERPETUAL", date(2026, 9, 14), date(2026, 9, 21)),
        {f"{PUBLIC}/get_tradingview_chart_data": "deribit/tradingview_chart.json"},
        envelope=True,
    ),
    "deribit volatility": Case(
        deribit.Deribit,
        lambda provider: provider.volatility(["BTC"], date(2026, 9, 14), date(2026, 9, 20)),
        {f"{PUBLIC}/get_volatility_index_data": "deribit/volatility_index.json"},
        envelope=True,
    ),
    "deribit contracts": Case(
        deribit.Deribit,
        lambda provider: provider.chain("BTC", expiries=[date(2030, 1, 1)]),
        {f"{PUBLIC}/get_instruments": "deribit/instruments_option.json"},
        envelope=True,
    ),
    "deribit futures": Case(
        deribit.Deribit,
        lambda provider: provider.symbols(),
        {f"{PUBLIC}/get_instruments": "deribit/instruments_future.json"},
        envelope=True,
    ),
    "fred": Case(
        fred.Fred,
        lambda provider: provider.rates(["T10Y3M"], date(2023, 1, 1), date(2023, 6, 6)),
        {"/fred/series/observations": "fred/treasury_constant_maturity_observations_T10Y3M.json"},
        "FRED_API_KEY",
    ),
}  # fmt: skip

VALUES = [None, "", "x", "2021-13-45", -1, 0, 10**30, 1e308, True, [], {}, [[]], "9" * 400, "Infinity"]


def body_of(folder: Path, name: Any) -> Any:
    if not isinstance(name, str):
        return name
    raw = (folder / name).read_bytes()
    return json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw)


def places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Addresses of the nodes of a document, of long lists only the first two and the last."""
    found = [at]
    if isinstance(node, dict):
        for name, value in list(node.items())[:40]:
            found += places(value, (*at, name))
    elif isinstance(node, list):
        for number in sorted({*range(min(len(node), 2)), max(len(node) - 1, 0)} & {*range(len(node))}):
            found += places(node[number], (*at, number))
    return found


def changed(document: Any, at: tuple[Any, ...], how: str, value: Any) -> Any:
    whole = copy.deepcopy(document)
    if not at:
        return value
    node = whole
    for step in at[:-1]:
        node = node[step]
    if how == "remove":
        del node[at[-1]]
    elif how == "repeat" and isinstance(node, list):
        node.insert(at[-1], copy.deepcopy(node[at[-1]]))
    else:
        node[at[-1]] = value
    return whole


@pytest.fixture(scope="module")
def documents(recorded: Path) -> dict[str, dict[str, Any]]:
    return {
        name: {path: body_of(recorded, file) for path, file in case.bodies.items()}
        for name, case in CASES.items()
    }


@pytest.fixture
def ask(web, quick, monkeypatch, documents):
    """A call of a case with one of its answers replaced."""
    monkeypatch.setattr(_frames, "now", lambda: datetime(2026, 9, 21, 12, tzinfo=UTC))
    for case in CASES.values():
        if case.key:
            monkeypatch.setenv(case.key, "0123456789abcdef")
    made: dict[str, Any] = {}

    def asked(name: str, document: Any) -> Any:
        case = CASES[name]
        if name not in made:
            kind = type(case.provider.__name__, (case.provider,), {"pace": ()})
            made[name] = kind(kind.Settings(**{**quick, "attempts": 1, **case.settings}))
        web.routes.clear()
        for number, (path, body) in enumerate(documents[name].items()):
            sent = body if number else document
            web.on(path, {"jsonrpc": "2.0", "result": sent} if case.envelope else reply_of(sent))
        return case.call(made[name])

    yield asked
    for provider in made.values():
        provider.client.close()


def reply_of(document: Any) -> bytes:
    return json.dumps(document).encode()


def sound(found: Any) -> None:
    """What a provider accepted has the columns and types of its table."""
    if isinstance(found, Answer):
        assert found.bars.schema == BARS
        assert found.corporate_actions.schema == CORPORATE_ACTIONS
        assert found.instruments.schema == INSTRUMENTS
        assert found.bars.height > 0
        assert (
            found.bars.select(pl.col("session", "closes_at", "symbol").is_not_null().all()).row(0)
            == (True,) * 3
        )
    elif isinstance(found, pl.DataFrame):
        assert found.height > 0
    else:
        assert found == sorted(found)
        assert all(isinstance(each, str) for each in found)


@pytest.mark.parametrize("name", CASES)
def test_the_recorded_answer_itself_is_taken(ask, documents, name):
    if name == "deribit contracts":
        pytest.skip("the range asked for has no contract on purpose")
    sound(ask(name, next(iter(documents[name].values()))))


def outcome(ask: Callable[[str, Any], Any], name: str, document: Any) -> Any:
    try:
        return ask(name, document)
    except ProviderError as error:
        return error


@pytest.mark.parametrize("name", CASES)
def test_an_answer_with_one_thing_changed_is_rows_or_a_typed_error(ask, documents, name):
    document = next(iter(documents[name].values()))
    chance = random.Random(name)
    there = places(document)
    for at in chance.sample(there, min(len(there), 30)):
        how = chance.choice(["remove", "repeat", "replace", "replace"])
        value = chance.choice(VALUES)
        found = outcome(ask, name, changed(document, at, how, value))
        if isinstance(found, ProviderError):
            assert found.provider == CASES[name].provider.name, (at, how, value)
            assert "\n" not in str(found), (at, how, value)
            assert len(str(found)) < 600, (at, how, value)
        else:
            sound(found)
