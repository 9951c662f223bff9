"""Market data as the unmodified client receives it: history, ticks, depth, options, scans, limits."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, date, datetime
from typing import Any

import pytest
from ib_async import IB, Forex, Option, ScannerSubscription, Stock

from resources.gateway.instruments.blackscholes import (
    chain_terms,
    implied_volatility,
    monthly_expiries,
    option_greeks,
)
from resources.gateway.instruments.database import con_id
from resources.gateway.market.prices import Tape
from trading.option_symbols import OptionTerms, option_symbol, option_terms

from .conftest import AAPL

STOCK = Stock("AAPL", "SMART", "USD", conId=con_id("stock:AAPL"))
NOW = datetime(2024, 2, 1, 15, 0, tzinfo=UTC)
EURUSD = {"symbol": "EURUSD", "asset_class": "fx", "currency": "USD"}
BTC = {"symbol": "BTCUSD", "asset_class": "crypto", "currency": "USD"}


def tape() -> Tape:
    found = Tape()
    found.add(
        {
            "symbol": "AAPL",
            "session": f"2024-01-{day:02d}",
            "open": 99.5,
            "high": 101.0,
            "low": 98.0,
            "close": 90.0 + day,
            "volume": 1000,
        }
        for day in (2, 3, 4, 5, 8, 9, 10)
    )
    found.add(
        {
            "symbol": "AAPL",
            "timeframe": "1h",
            "session": "2024-01-10",
            "closes_at": f"2024-01-10T{hour}:30:00+00:00",
            "open": 99.5,
            "high": 101.0,
            "low": 98.0,
            "close": float(hour),
            "volume": 10,
        }
        for hour in (15, 16, 17)
    )
    return found


def codes_of(client: IB) -> list[int]:
    codes: list[int] = []
    client.errorEvent += lambda number, code, text, contract: codes.append(code)
    return codes


async def history(client: IB, **options: object) -> list:
    wanted = {
        "endDateTime": "",
        "durationStr": "2 M",
        "barSizeSetting": "1 day",
        "whatToShow": "TRADES",
        "useRTH": True,
        **options,
    }
    bars = await asyncio.wait_for(client.reqHistoricalDataAsync(STOCK, **wanted), 3)
    return bars if wanted.get("keepUpToDate") else list(bars)


def test_history_in_days_hours_and_schedules(play):
    async def scenario(desk):
        await desk.market()
        client = await desk.connect()
        daily = await history(client)
        assert [bar.date for bar in daily] == [date(2024, 1, day) for day in (2, 3, 4, 5, 8, 9, 10)]
        assert (daily[0].open, daily[0].close, daily[0].volume) == (99.5, 92.0, 1000.0)
        hourly = await history(client, barSizeSetting="1 hour", formatDate=2)
        assert [bar.date for bar in hourly] == [
            datetime(2024, 1, 10, hour, 30, tzinfo=UTC) for hour in (14, 15, 16)
        ], "a bar is stamped with its start"
        early = await history(client, endDateTime="20240104 23:00:00 UTC", durationStr="2 D")
        assert [bar.close for bar in early] == [93.0, 94.0]
        schedule = await client.reqHistoricalScheduleAsync(STOCK, 60)
        assert [entry.refDate for entry in schedule.sessions][:2] == ["20240102", "20240103"]
        assert (await client.reqHeadTimeStampAsync(STOCK, "TRADES", True, 1)).date() == date(2024, 1, 2)
        ticks = await client.reqHistoricalTicksAsync(STOCK, "", "20240110 17:00:00 UTC", 2, "TRADES", True)
        assert [tick.price for tick in ticks] == [15.0, 16.0]
        histogram = await client.reqHistogramDataAsync(STOCK, True, "3 days")
        assert sum(item.count for item in histogram) == 3000

    play(scenario, tape=tape(), start=NOW, pacing=False)


def test_history_that_cannot_be_had(play):
    async def scenario(desk):
        await desk.market()
        client = await desk.connect()
        codes = codes_of(client)
        assert await history(client, endDateTime="20200101 00:00:00 UTC") == []
        for duration, size, shown in (
            ("1 D", "7 mins", "TRADES"),
            ("many years", "1 day", "TRADES"),
            ("1 D", "1 day", "EVERYTHING"),
        ):
            client.client.reqHistoricalData(900, STOCK, "", duration, size, shown, True, 1, False, [])
        await desk.settle(client)
        assert codes == [162, 321, 321, 321]
        client.client.cancelHistoricalData(77)
        await desk.settle(client)
        assert codes[-1] == 366

    play(scenario, tape=tape(), start=NOW, pacing=False)


def test_history_is_paced(play):
    async def scenario(desk):
        await desk.market()
        client = await desk.connect()
        codes = codes_of(client)
        assert len(await history(client)) == 7
        assert await history(client) == [], "the same request within 15 seconds"
        for days in range(1, 5):
            assert await history(client, durationStr=f"{40 + days} D")
        assert await history(client, durationStr="50 D") == [], "six of one contract within two seconds"
        assert codes == [162, 162]

    play(scenario, tape=tape(), start=NOW)


def test_bars_are_kept_up_to_date(play):
    async def scenario(desk):
        await desk.market()
        client = await desk.connect()
        bars = await history(client, keepUpToDate=True)
        row = {"symbol": "AAPL", "session": "2024-02-01", "closes_at": "2024-02-01T21:00:00+00:00"}
        await desk.do("bars", rows=[{**row, "open": 1, "high": 2, "low": 1, "close": 2, "volume": 5}])
        await desk.do("advance", to="2024-02-01T21:00:00+00:00")
        await desk.do("price", symbol="AAPL", price=2.0)
        assert bars[-1].date == date(2024, 2, 1)
        assert bars[-1].close == 2.0
        client.cancelHistoricalData(bars)
        await desk.settle(client)

    play(scenario, tape=tape(), start=NOW)


def test_snapshot_stream_delayed_and_frozen_ticks(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        [snapshot] = await client.reqTickersAsync(STOCK)
        assert (snapshot.bid, snapshot.last, snapshot.ask) == (99.99, 100.0, 100.01)
        ticker = client.reqMktData(STOCK, "", False, False)
        await desk.settle(client)
        await desk.do("price", symbol="AAPL", price=102.0, size=300)
        assert (ticker.last, ticker.high, ticker.low, ticker.volume) == (102.0, 102.0, 100.0, 300.0)
        await desk.do("price", symbol="AAPL", bid=101.0, ask=103.0)
        assert (ticker.bid, ticker.ask) == (101.0, 103.0)
        assert client.cancelMktData(STOCK)
        await desk.settle(client)
        await desk.do("price", symbol="AAPL", price=50.0)
        assert ticker.last == 102.0
        client.reqMarketDataType(3)
        delayed = client.reqMktData(STOCK, "", False, False)
        await desk.settle(client)
        assert delayed.last == 50.0
        assert delayed.marketDataType == 3

    play(scenario)


def test_depth_bars_and_single_ticks_follow_the_price(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        depth = client.reqMktDepth(STOCK, 3)
        bars = client.reqRealTimeBars(STOCK, 5, "TRADES", True)
        ticks = client.reqTickByTickData(STOCK, "BidAsk")
        await desk.settle(client)
        assert [level.price for level in depth.domBids] == [99.99, 99.98, 99.97]
        await desk.do("price", symbol="AAPL", price=101.0)
        assert [level.price for level in depth.domAsks] == [101.01, 101.02, 101.03]
        assert bars[-1].close == 101.0
        assert (ticks.bid, ticks.ask) == (100.99, 101.01)
        client.cancelMktDepth(STOCK)
        client.cancelRealTimeBars(bars)
        client.cancelTickByTickData(STOCK, "BidAsk")
        await desk.settle(client)

    play(scenario)


def test_option_chain_contract_quote_and_greeks(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        [stock] = await client.qualifyContractsAsync(Stock("AAPL", "SMART", "USD"))
        chains = await client.reqSecDefOptParamsAsync("AAPL", "", "STK", stock.conId)
        chain = next(entry for entry in chains if entry.exchange == "SMART")
        assert chain.expirations[0] == "20240216"
        assert 100.0 in chain.strikes
        [option] = await client.qualifyContractsAsync(
            Option("AAPL", chain.expirations[1], 100.0, "C", "SMART")
        )
        assert option.localSymbol == "AAPL  240315C00100000"
        ticker = client.reqMktData(option, "", False, False)
        await desk.settle(client)
        greeks = ticker.modelGreeks
        assert greeks.undPrice == 100.0
        assert 0.5 < greeks.delta < 0.6
        assert greeks.impliedVol == pytest.approx(0.25, abs=0.002)
        await desk.do("fault", name="absent_greeks")
        again = client.reqMktData(option, "100", False, False)
        await desk.settle(client)
        assert again.modelGreeks.delta is None
        await desk.do("faults", clear=True)
        computed = await client.calculateOptionPriceAsync(option, 0.25, 100.0)
        back = await client.calculateImpliedVolatilityAsync(option, computed.optPrice, 100.0)
        assert back.impliedVol == pytest.approx(0.25, abs=1e-6)
        details = await client.reqContractDetailsAsync(Option("AAPL", chain.expirations[1], 0.0, "", "SMART"))
        assert len(details) == 2 * len(chain.strikes)

    play(scenario, start=NOW)


def test_pairs_symbols_scans_rules_and_times(play):
    async def scenario(desk):
        await desk.market(
            {**STOCK_ROW, "symbol": "AAPL"},
            {**STOCK_ROW, "symbol": "AMZN"},
            EURUSD,
            BTC,
            AAPL=100.0,
            AMZN=50.0,
        )
        client = await desk.connect()
        [pair] = await client.qualifyContractsAsync(Forex("EURUSD"))
        assert (pair.symbol, pair.currency, pair.localSymbol, pair.exchange) == (
            "EUR",
            "USD",
            "EUR.USD",
            "IDEALPRO",
        )
        from ib_async import Crypto

        [coin] = await client.qualifyContractsAsync(Crypto("BTC", "PAXOS", "USD"))
        assert coin.conId > 0
        found = await client.reqMatchingSymbolsAsync("A")
        assert [entry.contract.symbol for entry in found] == ["AAPL", "AMZN"]
        await desk.do("price", symbol="AMZN", price=60.0)
        scan = ScannerSubscription(instrument="STK", locationCode="STK.US", scanCode="TOP_PERC_GAIN")
        rows = await client.reqScannerDataAsync(scan)
        assert [row.contractDetails.contract.symbol for row in rows] == ["AMZN", "AAPL"]
        assert "TOP_PERC_GAIN" in await client.reqScannerParametersAsync()
        assert (await client.reqMarketRuleAsync(26))[0].increment == 0.01
        assert await client.reqCurrentTimeAsync() == NOW
        assert await client.reqNewsProvidersAsync() == []
        assert len(await client.reqMktDepthExchangesAsync()) == 3

    play(scenario, start=NOW)


STOCK_ROW = {"asset_class": "stock", "exchange": "XNAS", "currency": "USD"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no_market_data", 354),
        ("competing_session", 10197),
        ("delayed_data_notice", 10167),
        ("absent_ticks", None),
    ],
)
def test_market_data_that_does_not_come(play, name, code):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        codes = codes_of(client)
        await desk.do("fault", name=name)
        ticker = client.reqMktData(STOCK, "", False, False)
        await desk.settle(client)
        assert codes == ([code] if code else [])
        assert (ticker.bid == 99.99) == (code == 10167)

    play(scenario)


def test_empty_history_fault_and_unknown_contracts(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        codes = codes_of(client)
        await desk.do("fault", name="empty_history")
        assert await history(client) == []
        assert codes == []
        client.reqMktData(Stock("NONE", "SMART", "USD", conId=1))
        client.reqMktDepth(Stock("NONE", "SMART", "USD", conId=1))
        await desk.settle(client)
        assert codes == [200, 200]

    play(scenario, tape=tape(), start=NOW)


def test_profit_and_loss_summary_and_several_positions(play):
    async def scenario(desk):
        await desk.market(AAPL=100.0)
        client = await desk.connect()
        total = client.reqPnL("SIM000001")
        [stock] = await client.qualifyContractsAsync(Stock("AAPL", "SMART", "USD"))
        single = client.reqPnLSingle("SIM000001", "", stock.conId)
        await desk.do("trade", symbol="AAPL", quantity=10, price=100.0)
        await desk.do("price", symbol="AAPL", price=103.0)
        assert (total.dailyPnL, total.unrealizedPnL) == (30.0, 30.0)
        assert (single.position, single.unrealizedPnL, single.value) == (10, 30.0, 1030.0)
        summary = {row.tag: row.value for row in await client.accountSummaryAsync()}
        assert summary["NetLiquidation"] == "1000030.00"

    play(scenario)


@pytest.mark.parametrize("right", ["C", "P"])
@pytest.mark.parametrize("strike", [80.0, 100.0, 120.0])
def test_greeks_agree_with_differences_of_the_price(right, strike):
    spot, years, volatility, step = 100.0, 0.5, 0.3, 1e-3
    greeks = option_greeks(right, spot, strike, years, volatility)

    def price(spot: float = spot, years: float = years, volatility: float = volatility) -> float:
        return option_greeks(right, spot, strike, years, volatility).price

    assert greeks.delta == pytest.approx((price(spot + step) - price(spot - step)) / (2 * step), abs=1e-6)
    assert greeks.gamma == pytest.approx(
        (price(spot + 0.1) - 2 * price() + price(spot - 0.1)) / 0.01, abs=1e-5
    )
    assert greeks.vega == pytest.approx(
        (price(volatility=volatility + step) - price(volatility=volatility - step)) / (2 * step) / 100,
        abs=1e-6,
    )
    assert greeks.theta == pytest.approx(
        -(price(years=years + step) - price(years=years - step)) / (2 * step) / 365, abs=1e-6
    )
    assert implied_volatility(right, spot, strike, years, greeks.price) == pytest.approx(volatility, abs=1e-6)


def test_put_call_parity_expiry_and_prices_no_volatility_gives():
    call, put = (option_greeks(right, 100.0, 95.0, 0.25, 0.2).price for right in "CP")
    assert call - put == pytest.approx(100.0 - 95.0 * math.exp(-0.03 * 0.25))
    assert option_greeks("P", 90.0, 95.0, 0.0, 0.2)[:2] == (5.0, -1.0)
    assert implied_volatility("C", 100.0, 95.0, 0.25, 200.0) is None


def test_option_names_and_expiries():
    terms = OptionTerms("AAPL", date(2024, 3, 15), "C", 102.5)
    assert option_symbol(terms) == "AAPL  240315C00102500"
    assert option_terms("AAPL240315C00102500") == terms == option_terms(option_symbol(terms))
    assert option_terms("AAPL") is None
    assert option_terms("AAPL241315C00102500") is None
    assert monthly_expiries(date(2024, 2, 17), 3) == [date(2024, 3, 15), date(2024, 4, 19), date(2024, 5, 17)]


@pytest.mark.parametrize(
    ("root", "spot", "highest"),
    [("AAPL", 100.0, 130.0), ("BRK.A", 99_000.0, 99_950.0), ("BRK.A", 600_000.0, None), ("TOOLONG", 100.0, None),
     ("ab-c", 100.0, None)],
)  # fmt: skip
def test_a_made_up_chain_has_only_contracts_that_have_a_name(
    root: str, spot: float, highest: float | None
) -> None:
    found = chain_terms(root, spot, date(2024, 3, 1))
    assert max((terms.strike for terms in found), default=None) == highest
    assert [option_terms(option_symbol(terms)) for terms in found] == found


def test_a_stock_beyond_all_strikes_has_no_options(play: Any) -> None:
    async def scenario(desk: Any) -> None:
        await desk.market({**AAPL, "symbol": "BRK.A", "ticker": "BRK.A"}, **{"BRK.A": 600_000.0})
        client = await desk.connect(1)
        assert await client.reqContractDetailsAsync(Option("BRK.A", exchange="SMART", currency="USD")) == []
        [stock] = await client.qualifyContractsAsync(Stock("BRK.A", "SMART", "USD"))
        assert await client.reqSecDefOptParamsAsync("BRK.A", "", "STK", stock.conId) == []

    play(scenario)
