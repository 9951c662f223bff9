"""Several accounts under one login: what is traded, held, told and booked by account."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from ib_async import ExecutionFilter, LimitOrder, MarketOrder, Order, Stock

from resources.brokers.base import Instrument, Pace
from resources.brokers.ib import IBBroker

from .wire import STOCK, Floor, Wire, named

NAMES = ("DUA7", "DUB8", "DFC9")
FIRST, SECOND, THIRD = NAMES
_broker_ids = itertools.count(500)


@pytest.fixture(scope="module")
def shared_settings() -> dict[str, Any]:
    """A login with three accounts."""
    return {"account": ",".join(NAMES), "capital": 100_000.0, "check_margin": True}


@pytest.fixture
def client(floor: Floor) -> Wire:
    return floor.client()


def held(floor: Floor, account: str, symbol: str = "") -> float:
    rows: dict[str, float] = floor.gateway.ask("positions", account=account)["positions"]
    return rows.get(symbol or floor.symbol, 0.0)


def cash(floor: Floor, account: str) -> float:
    return float(floor.gateway.ask("positions", account=account)["cash"]["USD"])


def test_an_order_is_booked_in_its_account_and_told_with_it(floor: Floor, client: Wire) -> None:
    [[_, told]] = [one for one in client.ask("reqManagedAccts") if one[0] == "managedAccounts"]
    assert told["accounts"] == ",".join(NAMES)
    before = {name: cash(floor, name) for name in NAMES}
    ids = {name: client.place(floor.symbol, account=name, totalQuantity=float(units))
           for name, units in zip(NAMES, (10, 20, 30), strict=True)}  # fmt: skip
    assert {name: held(floor, name) for name in NAMES} == {FIRST: 10, SECOND: 20, THIRD: 30}
    assert [before[name] - cash(floor, name) for name in NAMES] == [1000.0, 2000.0, 3000.0]
    for name, number in ids.items():
        assert {row["account"] for row in client.all_of("openOrder", number)} == {name}
        assert [row["account"] for row in client.all_of("execDetails", number)] == [name]

    def of(reply: str, request: str, **values: Any) -> dict[str, float]:
        rows = named(client.ask(request, **values), reply)
        return {row["account"]: row["position"] for row in rows if row["symbol"] == floor.symbol}

    assert of("position", "reqPositions") == {FIRST: 10, SECOND: 20, THIRD: 30}
    for account, expected in (("", dict(zip(NAMES, (10, 20, 30), strict=True))), (SECOND, {SECOND: 20})):
        assert of("positionMulti", "reqPositionsMulti", account=account, modelCode="") == expected
    mine = named(client.ask("reqExecutions", clientId=0, account=SECOND, time="", symbol=floor.symbol,
                            secType="", exchange="", side=""), "execDetails")  # fmt: skip
    assert [(row["account"], row["shares"]) for row in mine] == [(SECOND, 20)]
    client.ask("cancelPositions")


def test_values_and_profit_are_those_of_the_account(floor: Floor, client: Wire) -> None:
    client.place(floor.symbol, account=SECOND, totalQuantity=50.0)
    rows = named(client.ask("reqAccountUpdatesMulti", account="", modelCode=""), "accountUpdateMulti")
    told = {
        row["account"]: float(row["value"])
        for row in rows
        if (row["tag"], row["currency"]) == ("CashBalance", "USD")
    }
    assert told == {name: cash(floor, name) for name in NAMES}
    alone = named(client.ask("reqAccountUpdatesMulti", account=SECOND, modelCode=""), "accountUpdateMulti")
    assert {row["account"] for row in alone} == {SECOND}
    assert {row["value"] for row in alone if row["tag"] == "AccountCode"} == {SECOND}
    summary = named(client.ask("reqAccountSummary", group="All", tags="NetLiquidation"), "accountSummary")
    assert [row["account"] for row in summary] == list(NAMES)
    replies = client.ask("reqAccountUpdates", subscribe=True, account=SECOND)
    assert {row["account"] for row in named(replies, "updateAccountValue")} == {SECOND}
    assert {row["account"] for row in named(replies, "updatePortfolio")} == {SECOND}
    numbers = {name: client.request_id() for name in (FIRST, SECOND)}
    started = {}
    for name, number in numbers.items():
        client.ask("reqPnL", reqId=number, account=name, modelCode="")
        started[name] = client.all_of("pnl")[-1]["unrealized"]
    floor.price(103.0)
    moved = {name: [row for row in client.all_of("pnl") if row["reqId"] == number][-1]["unrealized"] - started[name]
             for name, number in numbers.items()}  # fmt: skip
    assert moved == {FIRST: 3.0 * held(floor, FIRST), SECOND: pytest.approx(150.0)}


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "no account named": ({"account": ""}, 435),
    "an account of somebody else": ({"account": "DU999"}, 321),
    "the name that an account has inside": ({"account": "SIM000002"}, 321),
    "beyond the account's own equity": ({"account": THIRD, "totalQuantity": 5000.0}, 201),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_order_without_an_account_of_the_login_is_refused(floor: Floor, client: Wire, name: str) -> None:
    fields, code = REFUSED[name]
    number = client.place(floor.symbol, **fields)
    assert (client.codes(number), floor.orders()) == ([code], [])


def test_an_order_stays_in_its_account(floor: Floor, client: Wire) -> None:
    limit = {"orderType": "LMT", "lmtPrice": 90.0}
    number = client.place(floor.symbol, account=FIRST, **limit)
    client.place(floor.symbol, order_id=number, account=SECOND, **limit)
    assert client.codes(number) == [105]
    floor.price(90.0)
    assert (held(floor, FIRST), held(floor, SECOND)) == (10, 0)


def test_what_nobody_asked_for_happens_to_each_account_by_what_it_holds(floor: Floor, client: Wire) -> None:
    floor.ask("trade", symbol=floor.symbol, quantity=10, price=100.0, account=FIRST)
    floor.ask("trade", symbol=floor.symbol, quantity=-4, price=100.0, account=THIRD)
    floor.ask("split", symbol=floor.symbol, ratio=2.0)
    assert [held(floor, name) for name in NAMES] == [20, 0, -8]
    before = cash(floor, SECOND)
    floor.ask("pay", amount=-12.34, account=SECOND)
    assert cash(floor, SECOND) == pytest.approx(before - 12.34)
    [execution] = [row for row in floor.ask("executions")["executions"]
                   if row["account"] == THIRD and row["contract"]["symbol"] == floor.symbol]  # fmt: skip
    floor.ask("bust", execId=execution["execId"])
    assert [held(floor, name) for name in NAMES] == [20, 0, 0]


def test_accounts_go_on_after_a_restart_and_more_may_be_added(play: Any, tmp_path: Any) -> None:
    kept = {"state": tmp_path / "kept", "account": "DU1,DU2", "capital": 1000.0}

    async def first(desk: Any) -> None:
        await desk.market(AAPL=100.0)
        await desk.do("trade", symbol="AAPL", quantity=3, price=100.0, account="DU2")
        await desk.do("pay", amount=-50, account="DU1")

    async def then(desk: Any) -> None:
        found = {name: await desk.do("positions", account=name) for name in ("DU1", "DU2", "DU3")}
        assert [row["cash"]["USD"] for row in found.values()] == [950.0, 700.0, 1000.0]
        assert [row["positions"] for row in found.values()] == [{}, {"AAPL": 3.0}, {}]

    play(first, **kept)
    play(then, **{**kept, "account": "DU1,DU2,DU3"})


def test_the_unmodified_client_trades_in_two_accounts(play: Any) -> None:
    async def scenario(desk: Any) -> None:
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        assert client.managedAccounts() == list(NAMES)
        stock = Stock("AAPL", "SMART", "USD")
        for name, units in ((FIRST, 10), (SECOND, 25)):
            client.placeOrder(stock, MarketOrder("BUY", units, account=name, tif="DAY"))
        resting = client.placeOrder(stock, LimitOrder("BUY", 1, 50.0, account=SECOND, tif="GTC"))
        await desk.settle(client)
        assert {row.account: row.position for row in client.positions()} == {FIRST: 10, SECOND: 25}
        assert [row.position for row in client.positions(SECOND)] == [25]
        assert resting.order.account == SECOND
        fills = await client.reqExecutionsAsync(ExecutionFilter(acctCode=SECOND))
        assert [fill.execution.shares for fill in fills] == [25]
        cash = {row.account: float(row.value) for row in client.accountValues()
                if (row.tag, row.currency) == ("CashBalance", "USD")}  # fmt: skip
        assert cash == {FIRST: 99_000.0, SECOND: 97_500.0, THIRD: 100_000.0}
        summary = await client.accountSummaryAsync(SECOND)
        assert {row.value for row in summary if row.tag == "NetLiquidation" and row.currency == "USD"} == {
            "100000.00"
        }

    play(scenario, account=",".join(NAMES), capital=100_000.0)


def test_a_desk_sees_and_trades_the_account_that_it_names(floor: Floor, client: Wire) -> None:
    floor.ask("trade", symbol=floor.symbol, quantity=7, price=100.0, account=SECOND)
    floor.ask("trade", symbol=floor.symbol, quantity=9, price=100.0, account=THIRD)
    theirs = client.place(floor.symbol, account=THIRD, orderType="LMT", lmtPrice=50.0, orderRef="theirs")
    kinds = {floor.symbol: Instrument(floor.symbol, floor.symbol, "stock", exchange="XNAS")}

    async def look() -> Any:
        pace = Pace(connect=5.0, request=5.0)
        broker = IBBroker(
            kinds, port=floor.gateway.port, client_id=next(_broker_ids), account=SECOND, pace=pace
        )
        await broker.connect()
        try:
            assert broker.account == SECOND
            return await broker.look([floor.symbol], money=True)
        finally:
            await broker.disconnect()

    view = asyncio.run(look())
    assert view.positions[floor.symbol] == 7
    assert view.cash["USD"] == pytest.approx(cash(floor, SECOND))
    assert [order.order_ref for order in view.open] == []
    assert {one.quantity for one in view.executions if one.symbol == floor.symbol} == {7}
    client.cancel(theirs)


ALLOCATED: dict[str, tuple[dict[str, Any], tuple[float, float, float]]] = {
    # terms; what each account gets: the third one has half of the money of the others, and there are groups
    "equal parts": ({"faMethod": "EqualQuantity", "totalQuantity": 30}, (10, 10, 10)),
    "a rest goes to the first": ({"faMethod": "EqualQuantity", "totalQuantity": 31}, (11, 10, 10)),
    "by net liquidation": ({"faMethod": "NetLiq", "totalQuantity": 50}, (20, 20, 10)),
    "by the group's own method": ({"totalQuantity": 50}, (20, 20, 10)),
    "by available equity": ({"faMethod": "AvailableEquity", "totalQuantity": 5}, (2, 2, 1)),
    "fewer units than accounts": ({"faMethod": "EqualQuantity", "totalQuantity": 2}, (1, 1, 0)),
    "fractions": ({"faMethod": "Equal", "totalQuantity": 1.5}, (0.5, 0.5, 0.5)),
    "of some accounts": ({"faGroup": "Two", "totalQuantity": 10}, (5, 0, 5)),
    "of some accounts otherwise": ({"faGroup": "Two", "faMethod": "NetLiq", "totalQuantity": 9}, (6, 0, 3)),
    "by percents": ({"faGroup": "Parts", "totalQuantity": 20}, (12, 8, 0)),
    "by ratios": ({"faGroup": "Ratios", "totalQuantity": 8}, (4, 2, 2)),
    "by shares": ({"faGroup": "Shares", "totalQuantity": 0}, (7, 0, 3)),
    "by money": ({"faGroup": "Money", "totalQuantity": 0}, (10, 2, 0)),
}
GROUPS = (
    ("Two", "EqualQuantity", {FIRST: "", THIRD: ""}),
    ("Parts", "Percent", {FIRST: "60.0", SECOND: "40"}),
    ("Ratios", "Ratio", {FIRST: "2", SECOND: "1", THIRD: "1"}),
    ("Shares", "ContractsOrShares", {FIRST: "7", THIRD: "3"}),
    ("Money", "MonetaryAmount", {FIRST: "1000", SECOND: "299.99"}),
)


def group_xml(*groups: tuple[str, str, dict[str, str]]) -> str:
    text = ""
    for name, method, amounts in groups:
        accounts = "".join(
            f"<Account><acct>{account}</acct><amount>{amount}</amount></Account>"
            if amount
            else f"<String>{account}</String>"
            for account, amount in amounts.items()
        )
        text += (
            f'<Group><name>{name}</name><defaultMethod>{method}</defaultMethod><ListOfAccts varName="list">'
            f"{accounts}</ListOfAccts></Group>"
        )
    return f'<?xml version="1.0" encoding="UTF-8"?><ListOfGroups>{text}</ListOfGroups>'


def test_an_advisor_s_order_is_divided_among_the_accounts(play: Any) -> None:
    async def scenario(desk: Any) -> None:
        client = await desk.connect(1)
        client.replaceFA(1, group_xml(*GROUPS))
        groups = await asyncio.wait_for(client.requestFAAsync(1), 5)
        assert [groups.count(f"<name>{name}</name>") for name in ("All", *(one[0] for one in GROUPS))] == [
            1
        ] * 6
        for number, (name, (terms, expected)) in enumerate(ALLOCATED.items()):
            symbol = f"A{number}"
            await desk.market({**STOCK, "symbol": symbol}, **{symbol: 100.0})
            order = Order(action="BUY", orderType="MKT", **{"tif": "DAY", "faGroup": "All", **terms})
            trade = client.placeOrder(Stock(symbol, "SMART", "USD"), order)
            await desk.settle(client)
            assert (trade.orderStatus.status, trade.filled()) == ("Filled", sum(expected)), name
            held = {row.account: row.position for row in client.positions() if row.contract.symbol == symbol}
            assert tuple(held.get(account, 0) for account in NAMES) == expected, name
            paid = {fill.execution.acctNumber: fill.execution.shares for fill in trade.fills}
            assert paid == held, "each account has an execution of its own"
            assert len({fill.execution.execId for fill in trade.fills}) == len(held)
            for account, units in held.items():  # the next case finds the money as it was
                await desk.do("trade", symbol=symbol, quantity=-units, price=100.0, account=account)

    async def prepared(desk: Any) -> None:
        await desk.do("pay", amount=-50_000, account=THIRD)
        await scenario(desk)

    play(prepared, account=",".join(NAMES), capital=100_000.0, max_messages=0)


def test_many_parts_of_an_order_come_to_the_same_as_one(floor: Floor, client: Wire) -> None:
    client.place(floor.symbol, faGroup="All", faMethod="Equal", account="", orderType="LMT", lmtPrice=99.0,
                 totalQuantity=10.0)  # fmt: skip
    for size in (1, 1, 1, 2, 5):
        floor.price(99.0, size=size)
        parts = [held(floor, name) for name in NAMES]
        assert max(parts) - min(parts) <= 1
    assert parts == [4, 3, 3]


CHANGES: dict[str, tuple[str, str, tuple[float, float, float]]] = {
    # action, percentage; what the accounts have of 100, -40 and 0 afterwards
    "more of what is long": ("BUY", "50", (150, -40, 0)),
    "less of what is short": ("BUY", "-50", (100, -20, 0)),
    "more of what is short": ("SELL", "50", (100, -60, 0)),
    "less of what is long": ("SELL", "-25", (75, -40, 0)),
    "nothing of what is long": ("SELL", "-100", (0, -40, 0)),
    "no more than there is": ("SELL", "-150", (0, -40, 0)),
    "whole units": ("BUY", "2.5", (102, -40, 0)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_percent_change_makes_the_quantity_of_the_order(floor: Floor, client: Wire, name: str) -> None:
    action, percentage, expected = CHANGES[name]
    client.place(floor.symbol, account=FIRST, totalQuantity=100.0)
    client.place(floor.symbol, account=SECOND, action="SELL", totalQuantity=40.0)
    order = {"faGroup": "All", "faMethod": "PctChange", "faPercentage": percentage, "account": ""}
    number = client.place(floor.symbol, action=action, **{"totalQuantity": 0.0, **order})
    assert tuple(held(floor, account) for account in NAMES) == expected
    told = client.all_of("openOrder", number)[-1]
    assert told["totalQuantity"] == abs(sum(expected) - 60)
    assert (told["faGroup"], told["faMethod"], told["faPercentage"]) == ("All", "PctChange", percentage)
    for account, units in zip(NAMES, expected, strict=True):
        floor.ask("trade", symbol=floor.symbol, quantity=-units, price=100.0, account=account)


def test_an_order_of_shares_is_changed_in_its_price(floor: Floor, client: Wire) -> None:
    client.ask("replaceFA", kind=1, xml=group_xml(*GROUPS))
    order = {"faGroup": "Shares", "account": "", "orderType": "LMT", "totalQuantity": 0.0}
    number = client.place(floor.symbol, lmtPrice=90.0, **order)
    client.place(floor.symbol, order_id=number, lmtPrice=95.0, **order)
    assert client.all_of("openOrder", number)[-1]["totalQuantity"] == 10
    client.place(floor.symbol, order_id=number, lmtPrice=95.0, **{**order, "faGroup": "Money"})
    assert client.codes(number) == [105]
    floor.price(95.0)
    assert [held(floor, name) for name in NAMES] == [7, 0, 3]


def test_what_an_order_of_a_group_would_do_it_does_to_its_accounts_together(
    floor: Floor, client: Wire
) -> None:
    client.ask("replaceFA", kind=1, xml=group_xml(*GROUPS))
    told = []
    for fields in ({"account": SECOND}, {"account": "", "faGroup": "Parts"}):
        number = client.place(floor.symbol, whatIf=True, totalQuantity=20.0, **fields)
        told += client.all_of("openOrder", number)
    alone, together = told
    assert together["initMarginChange"] == alone["initMarginChange"] == 1000
    assert together["equityWithLoanBefore"] > alone["equityWithLoanBefore"]
    assert floor.orders() == []


def test_an_order_that_one_account_of_its_group_cannot_bear_is_refused(floor: Floor, client: Wire) -> None:
    client.ask("replaceFA", kind=1, xml=group_xml(("Uneven", "Ratio", {FIRST: "1", THIRD: "99"})))
    order = {"account": "", "totalQuantity": 3000.0}
    assert client.codes(client.place(floor.symbol, faGroup="Uneven", **order)) == [201]
    assert floor.orders() == []
    limits = {"orderType": "LMT", "lmtPrice": 90.0}
    assert client.codes(client.place(floor.symbol, faGroup="All", faMethod="Equal", **order, **limits)) == []


def test_clients_of_before_know_profiles_apart_from_groups(floor: Floor, client: Wire) -> None:
    old = floor.client(version=176)
    rows = "".join(f"<Allocation><acct>{name}</acct><amount>{units}</amount></Allocation>"
                   for name, units in ((FIRST, 3), (SECOND, 1)))  # fmt: skip
    profile = (
        "<ListOfAllocationProfiles><AllocationProfile><name>Three to one</name><type>2</type>"
        f"<ListOfAllocations>{rows}</ListOfAllocations></AllocationProfile></ListOfAllocationProfiles>"
    )
    client.ask("replaceFA", kind=1, xml=group_xml(*GROUPS[:1]))
    assert [name for name, _ in old.ask("replaceFA", kind=2, xml=profile)] == ["replaceFAEnd"]
    [told] = named(old.ask("requestFA", kind=1), "receiveFA")
    assert ("Two" in told["xml"], "Three to one" in told["xml"]) == (True, False)
    [told] = named(old.ask("requestFA", kind=2), "receiveFA")
    assert "<name>Three to one</name><type>2</type>" in told["xml"]
    [told] = named(client.ask("requestFA", kind=1), "receiveFA")
    assert "<name>Three to one</name>" in told["xml"], "the same as a group"
    number = old.place(floor.symbol, faProfile="Three to one", account="", totalQuantity=8.0)
    assert old.all_of("openOrder", number)[-1]["faProfile"] == "Three to one"
    client.place(floor.symbol, faGroup="Three to one", account="", totalQuantity=4.0)
    assert [held(floor, name) for name in NAMES] == [9, 3, 0]
    assert old.place(floor.symbol, faProfile="Three to one", faGroup="Two", account="") in {
        row["reqId"] for row in old.all_of("error") if row["code"] == 321
    }
    client.ask("requestFA", kind=2)
    assert client.codes()[-1] == 585
    old.ask("replaceFA", kind=1, xml=group_xml())
    [told] = named(client.ask("requestFA", kind=1), "receiveFA")
    assert ("Two" in told["xml"], "Three to one" in told["xml"]) == (False, True)


def test_aliases_and_groups_are_kept(play: Any, tmp_path: Any) -> None:
    aliases = (
        "<ListOfAccountAliases><AccountAlias><account>{}</account><alias>Aunt &amp; uncle</alias></AccountAlias>"
        "</ListOfAccountAliases>"
    )

    async def before(desk: Any) -> None:
        client = await desk.connect(1)
        client.replaceFA(3, aliases.format(SECOND))
        client.replaceFA(1, group_xml(*GROUPS))
        await desk.settle(client)

    async def after(desk: Any) -> None:
        client = await desk.connect(1)
        told = await client.requestFAAsync(3)
        assert f"<account>{SECOND}</account><alias>Aunt &amp; uncle</alias>" in told
        assert f"<account>{FIRST}</account><alias>{FIRST}</alias>" in told
        groups = await client.requestFAAsync(1)
        assert f"<acct>{FIRST}</acct><amount>60.0</amount>" in groups

    play(before, state=tmp_path / "kept", account=",".join(NAMES))
    play(after, state=tmp_path / "kept", account=",".join(NAMES))


@pytest.mark.parametrize(
    ("kind", "xml"),
    [
        (1, "no xml"),
        (1, "<ListOfAllocationProfiles/>"),
        (1, group_xml(("All", "NetLiq", {FIRST: ""}))),
        (1, group_xml(("", "NetLiq", {FIRST: ""}))),
        (1, group_xml(("Mine", "Magic", {FIRST: ""}))),
        (1, group_xml(("Mine", "NetLiq", {"U1": ""}))),
        (1, group_xml(("Mine", "NetLiq", {}))),
        (1, group_xml(("Mine", "Percent", {FIRST: "60", SECOND: "30"}))),
        (1, group_xml(("Mine", "Ratio", {FIRST: "1", SECOND: "-1"}))),
        (1, group_xml(("Mine", "Ratio", {FIRST: "much"}))),
        (1, group_xml(*GROUPS[:1], *GROUPS[:1])),
        (1, '<!DOCTYPE x [<!ENTITY a "a">]><ListOfGroups/>'),
        (3, "<ListOfAccountAliases><AccountAlias><account>U1</account></AccountAlias></ListOfAccountAliases>"),
        (4, "<ListOfGroups/>"),
    ],
)  # fmt: skip
def test_advisor_data_that_cannot_be_used_is_refused_whole(
    floor: Floor, client: Wire, kind: int, xml: str
) -> None:
    client.ask("replaceFA", kind=1, xml=group_xml(*GROUPS))
    before = client.ask("requestFA", kind=1)
    number = client.request_id()
    client.ask("replaceFA", kind=kind, xml=xml, reqId=number)
    assert client.codes(number) == [321]
    assert client.ask("requestFA", kind=1) == before


@pytest.mark.parametrize(
    "fields",
    [
        {"faGroup": "Mine", "faMethod": "NetLiq"},
        {"faGroup": "All", "faMethod": "Magic"},
        {"faGroup": "All", "faMethod": "Ratio"},
        {"faGroup": "All", "faMethod": "PctChange", "faPercentage": ""},
        {"faGroup": "All", "faMethod": "PctChange", "faPercentage": "nan"},
        {"faGroup": "All", "faMethod": "PctChange", "faPercentage": "50"},
        {"faGroup": "All", "faMethod": "NetLiq", "account": FIRST},
    ],
)
def test_an_allocation_that_there_is_not_is_refused(
    floor: Floor, client: Wire, fields: dict[str, str]
) -> None:
    number = client.place(floor.symbol, **{"account": "", **fields})
    assert (client.codes(number), floor.orders()) == ([321], [])
