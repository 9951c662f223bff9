"""The account: what executions, prices, days and corporate events make of positions, cash and profit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.gateway.account.positions import Account, Booking, replay

from .wire import ACCOUNT, Floor, Wire, named

EXPIRY = "20240216"


@pytest.fixture
def client(floor: Floor) -> Wire:
    return floor.client()


def cash(floor: Floor, currency: str = "USD") -> float:
    return float(floor.gateway.ask("positions")["cash"].get(currency, 0.0))


def values_of(replies: list[tuple[str, dict[str, Any]]], name: str) -> dict[tuple[str, str], str]:
    return {(row["tag"], row["currency"]): row["value"] for row in named(replies, name)}


def contract(client: Wire, **wanted: Any) -> dict[str, Any]:
    [row] = named(client.ask("reqContractDetails", **wanted), "contractDetails")
    return row


# --------------------------------------------------------------------------------------- positions and cash


STORIES: dict[str, tuple[list[tuple[float, float]], float, float, float]] = {
    # trades (units, price); units held, average cost, realised
    "bought": ([(10, 100)], 10, 100, 0),
    "bought twice": ([(10, 100), (30, 120)], 40, 115, 0),
    "sold in part": ([(10, 100), (-4, 110)], 6, 100, 40),
    "sold whole": ([(10, 100), (-10, 95)], 0, 100, -50),
    "short": ([(-10, 100)], -10, 100, 0),
    "short, covered in part": ([(-10, 100), (4, 90)], -6, 100, 40),
    "turned to short": ([(10, 100), (-25, 110)], -15, 110, 100),
    "turned to long": ([(-10, 100), (25, 110)], 15, 110, -100),
    "there and back": ([(10, 100), (-10, 110), (-5, 110), (5, 100)], 0, 110, 150),
    "fractions": ([(0.1, 100), (0.2, 100), (-0.3, 100)], 0, 100, 0),
}


@pytest.mark.parametrize("name", STORIES)
def test_trades_make_positions_cash_and_profit(floor: Floor, client: Wire, name: str) -> None:
    trades, units, cost, realised = STORIES[name]
    before = cash(floor)
    client.ask("reqPositions")
    client.ask("reqAccountUpdates", subscribe=True, account=ACCOUNT)
    for quantity, price in trades:
        floor.ask("trade", symbol=floor.symbol, quantity=quantity, price=price)
    told = [row for row in client.all_of("position") if row["symbol"] == floor.symbol][-1]
    assert (told["position"], told["averageCost"]) == pytest.approx((units, cost))
    shown = [row for row in client.all_of("updatePortfolio") if row["symbol"] == floor.symbol][-1]
    assert (shown["position"], shown["realized"]) == pytest.approx((units, realised))
    assert shown["averageCost"] == pytest.approx(cost if units else 0.0)
    assert shown["unrealized"] == pytest.approx(units * (100.0 - cost))
    assert shown["marketValue"] == pytest.approx(units * 100.0)
    assert cash(floor) == pytest.approx(before - sum(quantity * price for quantity, price in trades))
    assert floor.held() == pytest.approx(units)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(-50, 50).filter(bool),
            st.integers(100, 20_000),
            st.integers(0, 500),
            st.sampled_from([1, 2, 3]),
        ),
        max_size=12,
    )
)
def test_every_cent_of_a_booking_is_in_cash_and_profit_adds_up(
    trades: list[tuple[int, int, int, int]],
) -> None:
    bookings = [
        Booking("trade", con_id=con, quantity=units, price=cents / 100, commission=fee / 100)
        for units, cents, fee, con in trades
    ]
    account = replay(bookings)
    assert account.cents.get("USD", 0) == -sum(units * cents + fee for units, cents, fee, _ in trades)
    marks = {con: cents / 100 for _, cents, _, con in trades}
    worth = sum(held.quantity * marks[con] for con, held in account.positions.items())
    open_profit = sum(
        held.quantity * (marks[con] - held.average_cost) for con, held in account.positions.items()
    )
    turned = sum(fee for *_, fee, _ in trades) / 100  # of a trade that turns a position counts at once
    assert account.realised + open_profit == pytest.approx(account.cash() + worth, abs=turned + 0.02)
    again = Account()
    for booking in bookings:
        again.book(booking)
    assert again == account


@pytest.mark.parametrize("ratio", [2.0, 3.0, 0.1, 1.5])
def test_a_split_keeps_the_value_of_positions_and_orders(floor: Floor, client: Wire, ratio: float) -> None:
    floor.ask("trade", symbol=floor.symbol, quantity=30, price=90.0)
    fields: dict[str, Any] = {"action": "SELL", "totalQuantity": 30.0}
    stop = client.place(floor.symbol, orderType="STP", auxPrice=60.0, **fields)
    limit = client.place(floor.symbol, orderType="LMT", lmtPrice=120.0, **fields)
    trail = client.place(
        floor.symbol,
        orderType="TRAIL LIMIT",
        auxPrice=30.0,
        trailStopPrice=60.0,
        lmtPriceOffset=3.0,
        **fields,
    )
    floor.ask("split", symbol=floor.symbol, ratio=ratio)
    assert floor.held() == pytest.approx(30 * ratio)
    told = {number: client.all_of("openOrder", number)[-1] for number in (stop, limit, trail)}
    assert [row["totalQuantity"] for row in told.values()] == pytest.approx([30 * ratio] * 3)
    assert told[stop]["auxPrice"] == pytest.approx(60.0 / ratio)
    assert told[limit]["lmtPrice"] == pytest.approx(120.0 / ratio)
    assert (
        told[trail]["auxPrice"],
        told[trail]["trailStopPrice"],
        told[trail]["lmtPriceOffset"],
    ) == pytest.approx((30.0 / ratio, 60.0 / ratio, 3.0 / ratio))
    floor.price(100.0 / ratio)
    assert client.all_of("execDetails") == []
    floor.price(130.0 / ratio)
    assert [units for units, _ in client.fills(limit)] == pytest.approx([30 * ratio])
    assert floor.held() == pytest.approx(0)


# ---------------------------------------------------------------------------------------- profit of the day


def test_profit_of_the_day_counts_from_the_end_of_the_last(floor: Floor, client: Wire) -> None:
    con = contract(client, symbol=floor.symbol)["conId"]
    floor.ask("trade", symbol=floor.symbol, quantity=10, price=100.0)
    floor.price(103.0)
    floor.ask("end_day")
    total, single = client.request_id(), client.request_id()
    client.ask("reqPnL", reqId=total, account=ACCOUNT, modelCode="")
    client.ask("reqPnLSingle", reqId=single, account=ACCOUNT, modelCode="", conId=con)
    told = client.all_of("pnlSingle")[-1]
    assert (told["daily"], told["unrealized"], told["value"]) == (0, 30, 1030)
    start = client.all_of("pnl")[-1]["daily"]
    assert start == 0
    floor.price(105.0)
    assert client.all_of("pnlSingle")[-1]["daily"] == 20
    assert client.all_of("pnl")[-1]["daily"] == 20
    floor.ask("trade", symbol=floor.symbol, quantity=5, price=104.0)
    floor.price(106.0)
    told = client.all_of("pnlSingle")[-1]
    assert (told["position"], told["daily"]) == (15, 10 * 3 + 5 * 2)
    floor.ask("trade", symbol=floor.symbol, quantity=-15, price=107.0)
    told = client.all_of("pnlSingle")[-1]
    assert (told["position"], told["daily"], told["value"]) == (0, 10 * 4 + 5 * 3, 0)
    assert client.all_of("pnl")[-1]["daily"] == 55
    client.ask("cancelPnL", reqId=total)
    client.ask("cancelPnLSingle", reqId=single)
    seen = len(client.seen)
    floor.price(90.0)
    assert not [name for name, _ in client.seen[seen:] if name.startswith("pnl")]


def test_profit_of_what_was_never_held_is_absent(floor: Floor, client: Wire) -> None:
    con = contract(client, symbol=floor.symbol)["conId"]
    [told] = named(client.ask("reqPnLSingle", account=ACCOUNT, conId=con), "pnlSingle")
    assert (told["position"], told["daily"], told["value"]) == (0, None, None)


def test_profit_of_the_day_goes_on_after_a_restart(play: Any, tmp_path: Any) -> None:
    async def before(desk: Any) -> None:
        await desk.market(AAPL=100.0)
        await desk.do("trade", symbol="AAPL", quantity=10, price=100.0)
        await desk.do("price", symbol="AAPL", price=104.0)

    async def after(desk: Any) -> None:
        client = await desk.connect(1)
        told = client.reqPnL("SIM000001")
        await desk.settle(client)
        assert (told.dailyPnL, told.unrealizedPnL) == (40.0, 40.0)

    async def next_day(desk: Any) -> None:
        await desk.do("end_day")
        client = await desk.connect(1)
        told = client.reqPnL("SIM000001")
        await desk.settle(client)
        assert told.dailyPnL == 0.0

    for scenario in (before, after, next_day):
        play(scenario, state=tmp_path / "kept")


# ------------------------------------------------------------------------------------------- subscriptions


def test_account_values_hold_together(floor: Floor, client: Wire) -> None:
    floor.ask("trade", symbol=floor.symbol, quantity=10, price=100.0)
    told = client.ask("reqAccountUpdates", subscribe=True, account="")
    shown = {
        tag: float(text)
        for (tag, code), text in values_of(told, "updateAccountValue").items()
        if code == "USD" and tag not in {"Currency"}
    }
    assert shown["NetLiquidation"] == pytest.approx(
        shown["TotalCashValue"] + shown["StockMarketValue"] + shown["OptionMarketValue"]
    )
    assert shown["AvailableFunds"] == pytest.approx(shown["EquityWithLoanValue"] - shown["InitMarginReq"])
    assert shown["ExcessLiquidity"] == pytest.approx(shown["EquityWithLoanValue"] - shown["MaintMarginReq"])
    assert 0 < shown["MaintMarginReq"] <= shown["InitMarginReq"] <= shown["GrossPositionValue"]
    assert told[-1] == ("accountDownloadEnd", {"account": ACCOUNT})
    seen = len(client.seen)
    floor.price(101.0)
    names = {name for name, _ in client.seen[seen:]}
    assert names >= {"updateAccountValue", "updatePortfolio", "updateAccountTime"}
    client.ask("reqAccountUpdates", subscribe=False, account="")
    seen = len(client.seen)
    floor.price(102.0)
    assert client.seen[seen:] == []


@pytest.mark.parametrize(
    ("ask", "cancel", "name", "fields"),
    [
        (
            "reqAccountSummary",
            "cancelAccountSummary",
            "accountSummary",
            {"group": "All", "tags": "NetLiquidation"},
        ),
        ("reqAccountUpdatesMulti", "cancelAccountUpdatesMulti", "accountUpdateMulti", {"account": ACCOUNT}),
        ("reqPositionsMulti", "cancelPositionsMulti", "positionMulti", {"account": ACCOUNT}),
        ("reqPnL", "cancelPnL", "pnl", {"account": ACCOUNT}),
    ],
)
def test_account_streams_go_on_until_they_are_cancelled(
    floor: Floor, client: Wire, ask: str, cancel: str, name: str, fields: dict[str, Any]
) -> None:
    number = client.request_id()
    first = client.ask(ask, reqId=number, **fields)
    assert name == "positionMulti" or named(first, name)
    seen = len(client.seen)
    floor.ask("trade", symbol=floor.symbol, quantity=1, price=100.0)
    later = [values for kind, values in client.seen[seen:] if kind == name]
    assert later, "a change is told"
    assert {values["reqId"] for values in later} == {number}
    client.ask(cancel, reqId=number)
    seen = len(client.seen)
    floor.ask("trade", symbol=floor.symbol, quantity=-1, price=100.0)
    assert [kind for kind, _ in client.seen[seen:] if kind == name] == []


@pytest.mark.parametrize("name", ["reqAccountUpdatesMulti", "reqPositionsMulti", "reqPnL", "reqPnLSingle"])
def test_accounts_of_others_are_refused(client: Wire, name: str) -> None:
    number = client.request_id()
    told = client.ask(name, reqId=number, account="DU999", modelCode="", conId=1)
    assert [(kind, values["code"]) for kind, values in told] == [("error", 321)]
    assert client.codes(number) == [321]


def test_the_summary_tells_what_is_asked_for(floor: Floor, client: Wire) -> None:
    chosen = values_of(
        client.ask("reqAccountSummary", group="All", tags="NetLiquidation, BuyingPower"), "accountSummary"
    )
    assert {tag for tag, _ in chosen} == {"NetLiquidation", "BuyingPower"}
    everything = values_of(client.ask("reqAccountSummary", group="All", tags="$LEDGER:ALL"), "accountSummary")
    assert {("CashBalance", "USD"), ("CashBalance", "BASE"), ("NetLiquidation", "USD")} <= set(everything)
    number = client.request_id()
    client.ask("reqAccountSummary", reqId=number, group="Friends", tags="NetLiquidation")
    assert client.codes(number) == [321]
    client.ask("reqAccountUpdates", subscribe=True, account="DU999")
    assert client.codes()[-1] == 321


def test_positions_are_told_until_they_are_cancelled(floor: Floor, client: Wire) -> None:
    assert client.ask("reqPositions")[-1][0] == "positionEnd"
    floor.ask("trade", symbol=floor.symbol, quantity=3, price=100.0)
    assert [row["position"] for row in client.all_of("position") if row["symbol"] == floor.symbol] == [3]
    client.ask("cancelPositions")
    floor.ask("trade", symbol=floor.symbol, quantity=3, price=100.0)
    assert [row["position"] for row in client.all_of("position") if row["symbol"] == floor.symbol] == [3]


def test_money_paid_in_and_out_is_cash_to_the_cent(floor: Floor) -> None:
    before = cash(floor)
    for amount in (0.1, 0.2, -0.3, 1234.56, -34.56):
        floor.ask("pay", amount=amount)
    assert cash(floor) == pytest.approx(before + 1200.0, abs=1e-9)


# --------------------------------------------------------------------------------------- kinds of instrument


def test_foreign_cash_counts_at_its_rate(floor: Floor, client: Wire) -> None:
    floor.list("EURUSD", 1.25, asset_class="fx", exchange="")
    before = values_of(client.ask("reqAccountSummary", group="All", tags="$LEDGER"), "accountSummary")
    floor.ask("pay", amount=1000.0, currency="EUR")
    after = values_of(client.ask("reqAccountSummary", group="All", tags="$LEDGER"), "accountSummary")
    change = float(after["NetLiquidation", "USD"]) - float(before["NetLiquidation", "USD"])
    assert change == pytest.approx(1250.0)
    assert float(after["CashBalance", "EUR"]) - float(before.get(("CashBalance", "EUR"), 0)) == 1000.0
    assert after["ExchangeRate", "EUR"] == "1.25"
    assert after["ExchangeRate", "USD"] == "1.00"


KINDS: dict[str, tuple[dict[str, Any], float, float, float, float]] = {
    # row of the instrument; price, units, cost of the trade, initial margin
    "stock": ({"asset_class": "stock"}, 50.0, 10, 500.0, 250.0),
    "etf": ({"asset_class": "etf", "exchange": "ARCX"}, 50.0, 10, 500.0, 250.0),
    "fraction of a stock": ({"asset_class": "stock"}, 50.0, 0.5, 25.0, 12.5),
    "currency pair": ({"asset_class": "fx", "exchange": ""}, 1.25, 10_000, 12_500.0, 375.0),
    "coin": ({"asset_class": "crypto", "exchange": ""}, 40_000.0, 0.25, 10_000.0, 10_000.0),
    "future": (
        {"asset_class": "future", "exchange": "XCME", "multiplier": 50, "expiry": "2024-03-15"}, 4800.0, 2, 480_000.0,
        48_000.0,
    ),
}  # fmt: skip
SEC_TYPES = {"stock": "STK", "etf": "STK", "fx": "CASH", "crypto": "CRYPTO", "future": "FUT"}
_NAMES = {"fx": "EUR{0}USD", "crypto": "C{0}USD"}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_instrument_is_found_traded_and_margined(floor: Floor, client: Wire, name: str) -> None:
    row, price, units, cost, margin = KINDS[name]
    kind = row["asset_class"]
    ticker = {"fx": f"X{floor.symbol[-1]}Y", "crypto": f"C{floor.symbol[-2:]}"}.get(kind, f"{floor.symbol}K")
    symbol = f"{ticker}USD" if kind in {"fx", "crypto"} else ticker
    floor.ask("instruments", rows=[{"currency": "USD", "exchange": "XNAS", **row, "symbol": symbol}])
    floor.price(price, symbol)
    found = contract(client, symbol=ticker, secType=SEC_TYPES[kind], currency="USD")
    assert (found["symbol"], found["secType"], found["currency"]) == (ticker, SEC_TYPES[kind], "USD")
    wanted = {key: found[key] for key in ("secType", "exchange", "currency", "conId")}
    number = client.place(ticker, totalQuantity=units, whatIf=True, **wanted)
    assert client.all_of("openOrder", number)[0]["initMarginChange"] == pytest.approx(margin)
    before = cash(floor)
    number = client.place(ticker, totalQuantity=units, **wanted)
    assert client.fills(number) == [(units, price)]
    assert cash(floor) == pytest.approx(before - cost)
    assert floor.held(symbol) == units
    told = client.all_of("execDetails", number)[0]
    assert (told["secType"], told["multiplier"]) == (SEC_TYPES[kind], "50" if kind == "future" else "")


def test_a_future_names_its_last_day_its_month_and_its_hours(floor: Floor, client: Wire) -> None:
    symbol = f"{floor.symbol}F"
    floor.ask(
        "instruments",
        rows=[
            {"symbol": f"{symbol}{month}", "ticker": symbol, "asset_class": "future", "exchange": "XCME",
             "multiplier": 50, "expiry": f"2024-{month}-15", "currency": "USD"}
            for month in ("03", "06")
        ],
    )  # fmt: skip
    rows = named(client.ask("reqContractDetails", symbol=symbol, secType="FUT"), "contractDetails")
    assert [row["lastTradeDate"] for row in rows] == ["20240315", "20240615"]
    assert [row["contractMonth"] for row in rows] == ["202403", "202406"]
    [one] = named(
        client.ask("reqContractDetails", symbol=symbol, secType="FUT", lastTradeDate="202406"),
        "contractDetails",
    )
    assert one["realExpiry"] == "20240615"
    assert one["timeZone"] == "US/Central"
    first = one["tradingHours"].split(";")[0]
    assert first.endswith("CLOSED") or (first[9:13], first[-4:]) == ("1700", "1600")
    number = client.place(symbol, secType="FUT", exchange="CME")
    assert client.codes(number) == [200], "two contracts may be meant"


def test_hours_follow_the_clock_and_the_kind_of_instrument(floor: Floor, client: Wire) -> None:
    day = floor.next_day()
    told = contract(client, symbol=floor.symbol)
    regular = dict(part.split(":", 1) for part in told["liquidHours"].split(";"))
    assert list(regular) == [f"{day + timedelta(days=number):%Y%m%d}" for number in range(6)]
    for text, hours in regular.items():
        weekend = datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).weekday() >= 5
        assert hours == ("CLOSED" if weekend else f"0930-{text}:1600")
    assert told["tradingHours"].count("0400-") == sum(hours != "CLOSED" for hours in regular.values())
    floor.list("GBPUSD", 1.3, asset_class="fx", exchange="")
    pair = contract(client, symbol="GBP", secType="CASH")
    assert "CLOSED" in pair["tradingHours"]
    assert ":1715-" in pair["tradingHours"]
    floor.list("ETHUSD", 2000.0, asset_class="crypto", exchange="")
    assert "CLOSED" not in contract(client, symbol="ETH", secType="CRYPTO")["tradingHours"]


# ------------------------------------------------------------------------------------------------- options


def option(
    floor: Floor, client: Wire, strike: float, right: str = "C", expiry: str = ""
) -> tuple[str, dict[str, Any]]:
    """An option on the test's stock: its desk symbol and its contract."""
    day = expiry or f"{floor.now() + timedelta(days=40):%Y%m%d}"
    symbol = f"{floor.symbol:<6}{day[2:]}{right}{round(strike * 1000):08d}"
    floor.ask("instruments", rows=[{"symbol": symbol, "asset_class": "option", "currency": "USD"}])
    found = contract(
        client, symbol=floor.symbol, secType="OPT", lastTradeDate=day, strike=strike, right=right
    )
    names = ("secType", "lastTradeDate", "strike", "right", "multiplier", "exchange", "currency")
    return symbol, {name: found[name] for name in names}


SPLITS: dict[str, tuple[str, float, str, float, float, float]] = {
    # stock, ratio; the root and the strike of the new contract, contracts per old one, shares that one delivers
    "two for one": ("SPLTA", 2.0, "SPLTA", 50.0, 2.0, 100.0),
    "three for two": ("SPLTB", 1.5, "SPLTB1", 100.0, 1.0, 150.0),
    "one for ten": ("SPLTC", 0.1, "SPLTC1", 100.0, 1.0, 10.0),
}


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_adjusts_the_options_as_the_ledger_does(floor: Floor, client: Wire, name: str) -> None:
    stock, ratio, root, strike, contracts, shares = SPLITS[name]
    floor.list(stock, 120.0)
    day = f"{floor.now() + timedelta(days=40):%y%m%d}"
    old, new = (
        f"{start:<6}{day}C{round(price * 1000):08d}" for start, price in ((stock, 100.0), (root, strike))
    )
    floor.ask("instruments", rows=[{"symbol": old, "asset_class": "option", "currency": "USD"}])
    floor.ask("trade", symbol=old, quantity=4, price=21.0)
    terms = contract(client, symbol=stock, secType="OPT", strike=100.0, right="C")
    named_terms = {key: terms[key] for key in ("secType", "lastTradeDate", "strike", "right", "exchange")}
    order = client.place(
        stock, orderType="LMT", lmtPrice=90.0, action="SELL", totalQuantity=4.0, **named_terms
    )
    before = floor.ask("positions")
    floor.ask("split", symbol=stock, ratio=ratio)
    after = floor.ask("positions")
    assert client.status(order) == "Cancelled"
    assert (after["positions"].get(old), after["positions"][new]) == (None, 4 * contracts)
    assert after["cash"] == before["cash"]
    told = {row["localSymbol"]: row for row in named(client.ask("reqPositions"), "position")}
    assert told[new]["averageCost"] * told[new]["position"] == pytest.approx(4 * 2100.0)
    assert old not in told
    worth = shares * 120.0 / ratio - strike * 100  # in the money: what one contract gives on exercise
    [value] = [row for row in named(client.ask("reqAccountUpdates", subscribe=True, account=ACCOUNT), "updatePortfolio")
               if row["localSymbol"] == new]  # fmt: skip
    client.ask("reqAccountUpdates", subscribe=False, account=ACCOUNT)
    assert value["marketValue"] > 4 * contracts * worth > 0, "no less than what exercise gives"
    floor.ask("exercise", symbol=new, quantity=4 * contracts)
    assert floor.held(stock) == pytest.approx(4 * contracts * shares)
    paid = after["cash"]["USD"] - floor.ask("positions")["cash"]["USD"]
    assert paid == pytest.approx(4 * 100.0 * 100.0), (
        "the strike is paid for what was bought: as before the split"
    )
    client.ask("cancelPositions")


def test_an_option_without_quotes_follows_its_underlying(floor: Floor, client: Wire) -> None:
    _, call = option(floor, client, 100.0)
    number = client.request_id()
    client.ask("reqMktData", reqId=number, symbol=floor.symbol, genericTicks="", **call)
    seen = [row for row in client.all_of("tickPrice") if row["tickType"] == 4]
    floor.price(150.0)
    now = [row for row in client.all_of("tickPrice") if row["tickType"] == 4]
    assert seen[-1]["price"] < 10
    assert now[-1]["price"] > 50
    greeks = [row for row in client.all_of("tickOptionComputation") if row["tickType"] == 13][-1]
    assert greeks["underlyingPrice"] == 150
    assert greeks["delta"] > 0.95


def test_orders_in_an_option_meet_the_price_that_its_underlying_gives_it(floor: Floor, client: Wire) -> None:
    _, call = option(floor, client, 100.0)
    order = client.place(floor.symbol, orderType="LMT", lmtPrice=1.0, totalQuantity=2.0, **call)
    assert client.status(order) == "Submitted"
    floor.price(85.0)
    assert client.status(order) == "Filled"
    held = named(client.ask("reqPositions"), "position")
    [mine] = [row for row in held if row["symbol"] == floor.symbol]
    assert (mine["secType"], mine["position"]) == ("OPT", 2)
    assert mine["averageCost"] == pytest.approx(client.fills(order)[0][1] * 100)


def test_a_combination_of_options_follows_the_underlying_too(floor: Floor, client: Wire) -> None:
    legs = []
    for strike, side in ((100.0, "BUY"), (110.0, "SELL")):
        _, call = option(floor, client, strike)
        con = contract(client, symbol=floor.symbol, **call)["conId"]
        legs.append({"conId": con, "ratio": 1, "action": side, "exchange": "SMART"})
    spread = {"secType": "BAG", "comboLegs": legs, "totalQuantity": 1.0}
    number = client.request_id()
    client.ask("reqMktData", reqId=number, symbol=floor.symbol, secType="BAG", exchange="SMART", currency="USD",
               comboLegs=legs)  # fmt: skip
    order = client.place(floor.symbol, orderType="LMT", lmtPrice=1.0, **spread)
    floor.price(80.0)
    assert client.status(order) == "Filled"
    lasts = [
        row["price"] for row in client.all_of("tickPrice") if row["tickType"] == 4 and row["reqId"] == number
    ]
    assert len(lasts) == 2
    assert lasts[1] < 1.0 < lasts[0] < 10.0
    combined, *parts = client.all_of("execDetails", order)
    assert combined["price"] == pytest.approx(parts[0]["price"] - parts[1]["price"])


def test_options_that_the_account_cannot_pay_are_refused(play: Any) -> None:
    from ib_async import MarketOrder, Option

    async def scenario(desk: Any) -> None:
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        codes: list[int] = []
        client.errorEvent += lambda number, code, text, contract: codes.append(code)
        [call] = await client.qualifyContractsAsync(
            Option("AAPL", EXPIRY, 100.0, "C", "SMART", currency="USD")
        )
        trade = client.placeOrder(call, MarketOrder("BUY", 10_000, tif="DAY"))
        await desk.settle(client)
        assert codes == [201]
        assert trade.fills == []
        covered = client.placeOrder(call, MarketOrder("BUY", 10, tif="DAY"))
        await desk.settle(client)
        assert covered.orderStatus.status == "Filled"
        closing = client.placeOrder(call, MarketOrder("SELL", 10, tif="DAY"))
        await desk.settle(client)
        assert closing.orderStatus.status == "Filled"

    play(scenario, start=datetime(2024, 1, 10, 15, tzinfo=UTC), capital=20_000.0)


EXPIRIES: dict[str, tuple[str, float, float, float, str, float]] = {
    # right, units, price of the underlying at expiry; units of it, cash, and why
    "long call in the money": ("C", 2, 105.0, 200, "exercise", -20_000.0),
    "long call at the money": ("C", 2, 100.0, 0, "lapse", 0.0),
    "long call out of the money": ("C", 2, 95.0, 0, "lapse", 0.0),
    "long put in the money": ("P", 2, 95.0, -200, "exercise", 20_000.0),
    "long put out of the money": ("P", 2, 105.0, 0, "lapse", 0.0),
    "short call in the money": ("C", -2, 105.0, -200, "assignment", 20_000.0),
    "short call out of the money": ("C", -2, 95.0, 0, "lapse", 0.0),
    "short put in the money": ("P", -1, 95.0, 100, "assignment", -10_000.0),
    "short put out of the money": ("P", -1, 105.0, 0, "lapse", 0.0),
}


@pytest.mark.parametrize("name", EXPIRIES)
def test_an_option_ends_on_its_last_day(floor: Floor, client: Wire, name: str) -> None:
    right, units, spot, shares, why, paid = EXPIRIES[name]
    day = floor.next_day()
    symbol, terms = option(floor, client, 100.0, right, f"{day + timedelta(days=1):%Y%m%d}")
    floor.ask("trade", symbol=symbol, quantity=units, price=0.0)
    working = client.place(floor.symbol, action="SELL", orderType="LMT", lmtPrice=90.0, **terms)
    floor.price(spot)
    floor.ask("end_day")
    assert floor.held(symbol) == units, "it has a day left"
    floor.next_day()
    before = cash(floor)
    floor.ask("end_day")
    assert (floor.held(symbol), floor.held()) == (0, shares)
    assert cash(floor) == pytest.approx(before + paid)
    assert client.status(working) == "Cancelled"
    told = [
        row for row in named(client.ask("reqExecutions", clientId=0, symbol=floor.symbol), "execDetails")
        if row["orderRef"] == why
    ]  # fmt: skip
    assert [row["secType"] for row in told] == (["OPT"] if why == "lapse" else ["OPT", "STK"])
    assert all(row["clientId"] == -1 for row in told)


EXERCISES: dict[str, tuple[int, float, list[int]]] = {
    "exercised": (1, 2, []),
    "lapsed": (2, 2, []),
    "more than is held": (1, 3, [322]),
    "nothing": (1, 0, [322]),
}


@pytest.mark.parametrize("name", EXERCISES)
def test_a_client_exercises_its_options_or_lets_them_lapse(floor: Floor, client: Wire, name: str) -> None:
    action, quantity, codes = EXERCISES[name]
    symbol, call = option(floor, client, 80.0)
    floor.ask("trade", symbol=symbol, quantity=2, price=20.0)
    number = client.request_id()
    client.ask(
        "exerciseOptions", reqId=number, symbol=floor.symbol, action=action, quantity=quantity, account=ACCOUNT, override=0,
        **call,
    )  # fmt: skip
    assert client.codes(number) == codes
    assert floor.held(symbol) == (2 if codes else 0)
    assert floor.held() == (200 if name == "exercised" else 0)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("calculateImpliedVolatility", {"optionPrice": 5.0, "underlyingPrice": 100.0}),
        ("calculateOptionPrice", {"volatility": 0.3, "underlyingPrice": 100.0}),
    ],
)
def test_what_options_are_worth_is_calculated(
    floor: Floor, client: Wire, name: str, wanted: dict[str, float]
) -> None:
    _, call = option(floor, client, 100.0)
    [told] = named(client.ask(name, symbol=floor.symbol, **call, **wanted), "tickOptionComputation")
    assert told["underlyingPrice"] == 100
    assert 0.1 < told["impliedVolatility"] < 0.9
    assert 0.4 < told["delta"] < 0.7
    assert told["gamma"] > 0 > told["theta"]
    number = client.request_id()
    nonsense = dict.fromkeys(wanted, 0.0)
    client.ask(name, reqId=number, symbol=floor.symbol, **call, **nonsense)
    stock = client.request_id()
    client.ask(name, reqId=stock, symbol=floor.symbol, secType="STK", **wanted)
    assert (client.codes(number), client.codes(stock)) == ([321], [200])


# ------------------------------------------------------------------------------- what the broker puts right


CORRECTIONS: dict[str, tuple[dict[str, float], float, float]] = {
    "price": ({"price": 99.0}, 10, 990.0),
    "units": ({"shares": 8.0}, 8, 800.0),
    "both": ({"shares": 12.0, "price": 90.0}, 12, 1080.0),
}


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_correction_replaces_what_it_corrects(floor: Floor, client: Wire, name: str) -> None:
    changes, units, cost = CORRECTIONS[name]
    before = cash(floor)
    number = client.place(floor.symbol)
    [first] = client.all_of("execDetails", number)
    floor.ask("correct", execId=first["execId"], **changes)
    told = client.all_of("execDetails", number)[-1]
    assert told["execId"] == first["execId"][:-2] + "02"
    assert told["shares"] * told["price"] == cost
    assert (floor.held(), cash(floor)) == pytest.approx((units, before - cost))
    known = named(client.ask("reqExecutions", clientId=client.client_id), "execDetails")
    assert [row["execId"] for row in known] == [told["execId"]], "only the newest is told again"


def test_a_correction_of_a_correction_and_a_bust(floor: Floor, client: Wire) -> None:
    before = cash(floor)
    number = client.place(floor.symbol)
    first = client.all_of("execDetails", number)[0]["execId"]
    floor.ask("correct", execId=first, price=99.0)
    floor.ask("correct", execId=first, price=98.0)
    assert cash(floor) == pytest.approx(before - 980.0)
    floor.ask("bust", execId=first)
    assert [row["execId"][-2:] for row in client.all_of("execDetails", number)] == ["01", "02", "03", "04"]
    assert (floor.held(), cash(floor)) == pytest.approx((0, before))


def test_a_commission_is_told_with_each_execution_and_what_was_realised_with_the_closing_one(
    play: Any,
) -> None:
    from trading.book import CommissionConfig, CostConfig, CostsConfig, SlippageConfig

    async def scenario(desk: Any) -> None:
        from ib_async import LimitOrder, Stock

        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        reports = []
        client.commissionReportEvent += lambda trade, fill, report: reports.append(report)
        for side, limit in (("BUY", 101.0), ("SELL", 99.0)):
            client.placeOrder(Stock("AAPL", "SMART", "USD"), LimitOrder(side, 300, limit, tif="DAY"))
            await desk.settle(client)
        fee = desk.gateway.hub.broker.costs["stock"].commission.cost(300, 100.0, 1.0)
        assert [report.commission for report in reports] == [fee, fee]
        assert fee > 0
        assert reports[1].realizedPNL == pytest.approx(-2 * fee)
        assert (await desk.do("positions"))["cash"]["USD"] == pytest.approx(1_000_000 - 2 * fee)

    charged = CostConfig(commission=CommissionConfig(model="ib_fixed"), slippage=SlippageConfig(model="none"))
    play(scenario, costs=CostsConfig(stock=charged))
