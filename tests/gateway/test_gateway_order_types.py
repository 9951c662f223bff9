"""Every order type and time in force against single prices: what fills, what rests, what ends, and where."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from resources.gateway.orders.translate import PEGGED, TIMES_IN_FORCE, TYPES

from .wire import Floor, named, stamp

SCALE = {"orderType": "LMT", "scaleInitLevelSize": 4, "scaleSubsLevelSize": 3, "scalePriceIncrement": 1.0}
Prices = list[float | tuple[float, float]]
FILLS: dict[str, tuple[dict[str, Any], Prices, list[tuple[float, float]]]] = {
    # fields; prices told after 100, with their size where it is limited; units and prices of the fills
    "market": ({}, [], [(10, 100)]),
    "market, sold short": ({"action": "SELL"}, [], [(10, 100)]),
    "market, sold short in the old words": ({"action": "SSHORT"}, [], [(10, 100)]),
    "market with protection": ({"orderType": "MKT PRT"}, [], [(10, 100)]),
    "box top": ({"orderType": "BOX TOP"}, [], [(10, 100)]),
    "market to limit": ({"orderType": "MTL"}, [], [(10, 100)]),
    "limit above the market": ({"orderType": "LMT", "lmtPrice": 101.0}, [], [(10, 100)]),
    "limit at the market": ({"orderType": "LMT", "lmtPrice": 100.0}, [], [(10, 100)]),
    "limit below": ({"orderType": "LMT", "lmtPrice": 99.0}, [99.5, 99.01, 98.5], [(10, 98.5)]),
    "limit touched": ({"orderType": "LMT", "lmtPrice": 99.0}, [99.0], [(10, 99)]),
    "limit to sell": ({"action": "SELL", "orderType": "LMT", "lmtPrice": 101.0}, [100.99, 101.5], [(10, 101.5)]),
    "limit of nothing to sell": ({"action": "SELL", "orderType": "LMT", "lmtPrice": 0.0}, [], [(10, 100)]),
    "limit with a discretionary amount": (
        {"orderType": "LMT", "lmtPrice": 98.0, "discretionaryAmt": 1.5}, [99.6, 99.5], [(10, 99.5)],
    ),
    "limit in parts": (
        {"orderType": "LMT", "lmtPrice": 99.0}, [(99.0, 4), (98.0, 3), 98.5], [(4, 99), (3, 98), (3, 98.5)],
    ),
    "scale to buy, level by level": (
        {**SCALE, "lmtPrice": 99.0}, [99.5, 99.0, 98.5, 98.0, 97.0, 90.0], [(4, 99), (3, 98), (3, 97)],
    ),
    "scale through several levels at once": (
        {**SCALE, "lmtPrice": 99.0}, [97.5, 97.0], [(4, 97.5), (3, 97.5), (3, 97)],
    ),
    "scale to sell in equal levels": (
        {**SCALE, "action": "SELL", "lmtPrice": 101.0, "scaleSubsLevelSize": None}, [101.0, 101.9, 102.0, 103.5],
        [(4, 101), (4, 102), (2, 103.5)],
    ),
    "scale in parts": (
        {**SCALE, "lmtPrice": 99.0}, [(99.0, 3), (98.0, 5), 98.0, 97.0], [(3, 99), (1, 98), (3, 98), (3, 97)],
    ),
    "stop to sell": ({"action": "SELL", "orderType": "STP", "auxPrice": 95.0}, [95.01, 94.0], [(10, 94)]),
    "stop to buy": ({"orderType": "STP", "auxPrice": 105.0}, [104.99, 105.0], [(10, 105)]),
    "stop with protection": ({"orderType": "STP PRT", "auxPrice": 105.0}, [106.0], [(10, 106)]),
    "stop reached already": ({"action": "SELL", "orderType": "STP", "auxPrice": 101.0}, [], [(10, 100)]),
    "stop in parts": (
        {"action": "SELL", "orderType": "STP", "auxPrice": 95.0}, [(94.0, 6), 97.0], [(6, 94), (4, 97)],
    ),
    "stop limit": (
        {"orderType": "STP LMT", "auxPrice": 105.0, "lmtPrice": 106.0}, [104.0, 107.0, 105.5], [(10, 105.5)],
    ),
    "stop limit, limit not armed": ({"orderType": "STP LMT", "auxPrice": 105.0, "lmtPrice": 106.0}, [99.0], []),
    "stop limit to sell": (
        {"action": "SELL", "orderType": "STP LMT", "auxPrice": 95.0, "lmtPrice": 94.0}, [93.0, 94.5], [(10, 94.5)],
    ),
    "trail by a percentage": (
        {"action": "SELL", "orderType": "TRAIL", "trailingPercent": 10.0}, [120.0, 108.5, 108.0], [(10, 108)],
    ),
    "trail by a percentage to buy": (
        {"orderType": "TRAIL", "trailingPercent": 10.0}, [80.0, 87.9, 88.0], [(10, 88)],
    ),
    "trail by an amount": (
        {"action": "SELL", "orderType": "TRAIL", "auxPrice": 5.0}, [110.0, 105.5, 104.0], [(10, 104)],
    ),
    "trail by an amount to buy": ({"orderType": "TRAIL", "auxPrice": 5.0}, [90.0, 94.5, 95.0], [(10, 95)]),
    "trail by an amount from where it was placed": (
        {"action": "SELL", "orderType": "TRAIL", "auxPrice": 5.0}, [95.5, 94.5], [(10, 94.5)],
    ),
    "trail to buy from where it was placed": ({"orderType": "TRAIL", "auxPrice": 5.0}, [106.0], [(10, 106)]),
    "trail with a first stop": (
        {"action": "SELL", "orderType": "TRAIL", "auxPrice": 5.0, "trailStopPrice": 98.0}, [98.5, 97.0], [(10, 97)],
    ),
    "trail that has left its first stop": (
        {"action": "SELL", "orderType": "TRAIL", "auxPrice": 5.0, "trailStopPrice": 90.0}, [120.0, 116.0, 115.0],
        [(10, 115)],
    ),
    "trail with a limit": (
        {"action": "SELL", "orderType": "TRAIL LIMIT", "auxPrice": 5.0, "lmtPriceOffset": 1.0,
         "trailStopPrice": 95.0},
        [110.0, 103.0, 104.5], [(10, 104.5)],
    ),
    "trail with a limit by its first prices": (
        {"orderType": "TRAIL LIMIT", "auxPrice": 5.0, "trailStopPrice": 105.0, "lmtPrice": 106.0},
        [90.0, 97.0, 95.5], [(10, 95.5)],
    ),
    "if touched": ({"orderType": "MIT", "auxPrice": 95.0}, [95.5, 94.0], [(10, 94)]),
    "if touched to sell": ({"action": "SELL", "orderType": "MIT", "auxPrice": 105.0}, [104.0, 106.0], [(10, 106)]),
    "if touched already": ({"orderType": "MIT", "auxPrice": 101.0}, [], [(10, 100)]),
    "limit if touched": (
        {"orderType": "LIT", "auxPrice": 95.0, "lmtPrice": 94.0}, [95.0, 96.0, 94.0], [(10, 94)],
    ),
    "limit if touched, untouched": ({"orderType": "LIT", "auxPrice": 95.0, "lmtPrice": 99.0}, [98.0], []),
    "relative with a cap": ({"orderType": "REL", "lmtPrice": 99.0}, [99.5, 98.0], [(10, 98)]),
    "midpoint with a cap": ({"orderType": "MIDPRICE", "lmtPrice": 99.0}, [99.5, 98.0], [(10, 98)]),
    "pegged to the midpoint, to sell": (
        {"action": "SELL", "orderType": "PEG MID", "lmtPrice": 101.0}, [100.5, 102.0], [(10, 102)],
    ),
    "on close": ({"orderType": "MOC"}, [105.0], []),
    "limit on close": ({"orderType": "LOC", "lmtPrice": 110.0}, [105.0], []),
}  # fmt: skip


@pytest.mark.parametrize("name", FILLS)
def test_where_an_order_fills(floor: Floor, name: str) -> None:
    fields, prices, expected = FILLS[name]
    client = floor.client()
    number = client.place(floor.symbol, **fields)
    for price in prices:
        told, size = price if isinstance(price, tuple) else (price, None)
        floor.price(told, **({} if size is None else {"size": size}))
    assert client.fills(number) == expected
    assert client.codes() == [2104, 2106, 2158]
    whole = sum(units for units, _ in expected) == 10
    assert (client.status(number) == "Filled") == whole
    sign = 1 if fields.get("action", "BUY") == "BUY" else -1
    assert floor.held() == sign * sum(units for units, _ in expected)
    if expected:
        last = client.all_of("orderStatus", number)[-1]
        value = sum(units * price for units, price in expected)
        assert last["averagePrice"] == pytest.approx(value / last["filled"])
        assert (last["filled"], last["remaining"]) == (10, 0)


@pytest.mark.parametrize("kind", sorted(PEGGED))
def test_orders_pegged_to_the_market_without_a_cap_trade_at_it(floor: Floor, kind: str) -> None:
    client = floor.client()
    both = [client.place(floor.symbol, orderType=kind, action=side) for side in ("BUY", "SELL")]
    assert [client.fills(number) for number in both] == [[(10, 100)], [(10, 100)]]


RESTING: dict[str, tuple[dict[str, Any], str]] = {
    "limit": ({"orderType": "LMT", "lmtPrice": 90.0}, "Submitted"),
    "stop": ({"orderType": "STP", "auxPrice": 110.0}, "PreSubmitted"),
    "stop limit": ({"orderType": "STP LMT", "auxPrice": 110.0, "lmtPrice": 111.0}, "PreSubmitted"),
    "trail": ({"action": "SELL", "orderType": "TRAIL", "trailingPercent": 5.0}, "PreSubmitted"),
    "trail by an amount": ({"action": "SELL", "orderType": "TRAIL", "auxPrice": 5.0}, "PreSubmitted"),
    "trail with a limit": (
        {"action": "SELL", "orderType": "TRAIL LIMIT", "auxPrice": 5.0, "lmtPriceOffset": 1.0}, "PreSubmitted",
    ),
    "if touched": ({"orderType": "MIT", "auxPrice": 90.0}, "PreSubmitted"),
    "limit if touched": ({"orderType": "LIT", "auxPrice": 90.0, "lmtPrice": 90.0}, "PreSubmitted"),
    "on close": ({"orderType": "MOC", "tif": "DAY"}, "Submitted"),
    "limit on close": ({"orderType": "LOC", "lmtPrice": 90.0, "tif": "DAY"}, "PreSubmitted"),
    "relative": ({"orderType": "REL", "lmtPrice": 90.0}, "Submitted"),
    "adjustable stop": (
        {"action": "SELL", "orderType": "STP", "auxPrice": 90.0, "adjustedOrderType": "STP", "triggerPrice": 120.0,
         "adjustedStopPrice": 110.0},
        "PreSubmitted",
    ),
    "not transmitted": ({"orderType": "MKT", "transmit": False}, "ApiPending"),
    "good after": ({"orderType": "MKT", "goodAfterTime": "20990101 10:00:00 UTC"}, "PreSubmitted"),
    "algorithm of later": (
        {"orderType": "MKT", "algoStrategy": "Twap",
         "algoParams": [{"tag": "startTime", "value": "20990101 10:00:00 UTC"}]},
        "PreSubmitted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RESTING)
def test_a_resting_order_is_told_whole_changed_and_cancelled(floor: Floor, name: str) -> None:
    fields, status = RESTING[name]
    client = floor.client()
    number = client.place(floor.symbol, orderRef=name, **fields)
    assert client.status(number) == status
    [told] = client.all_of("openOrder", number)
    given = {key: value for key, value in fields.items() if key != "transmit"}
    assert {key: told[key] for key in given} == given
    assert (told["orderRef"], told["status"], told["clientId"]) == (name, status, client.client_id)
    assert (told["account"], told["totalQuantity"], told["right"]) == ("SIM000001", 10, "?")
    perm_id = told["permId"]
    client.place(floor.symbol, order_id=number, orderRef=name, **{**fields, "totalQuantity": 7.0})
    changed = client.all_of("openOrder", number)[-1]
    assert (changed["permId"], changed["totalQuantity"], changed["status"]) == (perm_id, 7, status)
    assert client.all_of("orderStatus", number)[-1]["remaining"] == 7
    client.cancel(number)
    assert client.status(number) == "Cancelled"
    assert client.codes(number) == [202]
    floor.price(80.0)
    floor.price(130.0)
    assert client.fills(number) == []
    [completed] = [
        row for row in named(client.ask("reqCompletedOrders", apiOnly=True), "completedOrder")
        if row["permId"] == perm_id
    ]  # fmt: skip
    assert (completed["orderRef"], completed["status"], completed["filledQuantity"]) == (name, "Cancelled", 0)
    client.cancel(number)
    assert client.codes(number) == [202, 10148]


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], Prices, list[tuple[float, float]]]] = {
    # first fields, then those that change; prices; fills
    "limit raised to the market": ({"orderType": "LMT", "lmtPrice": 90.0}, {"lmtPrice": 100.0}, [], [(10, 100)]),
    "limit raised": ({"orderType": "LMT", "lmtPrice": 90.0}, {"lmtPrice": 95.0}, [95.0], [(10, 95)]),
    "limit to market": ({"orderType": "LMT", "lmtPrice": 90.0}, {"orderType": "MKT", "lmtPrice": None}, [], [(10, 100)]),
    "limit to stop": (
        {"orderType": "LMT", "lmtPrice": 90.0}, {"orderType": "STP", "lmtPrice": None, "auxPrice": 105.0},
        [90.0, 106.0], [(10, 106)],
    ),
    "stop lowered": (
        {"action": "SELL", "orderType": "STP", "auxPrice": 95.0}, {"auxPrice": 90.0}, [92.0, 89.0], [(10, 89)],
    ),
    "trail widened": (
        {"action": "SELL", "orderType": "TRAIL", "trailingPercent": 5.0}, {"trailingPercent": 20.0}, [94.0, 80.0],
        [(10, 80)],
    ),
    "touched level moved": (
        {"orderType": "MIT", "auxPrice": 95.0}, {"auxPrice": 90.0}, [94.0, 89.0], [(10, 89)],
    ),
    "good after dropped": (
        {"goodAfterTime": "20990101 10:00:00 UTC"}, {"goodAfterTime": ""}, [], [(10, 100)],
    ),
    "condition dropped": (
        {"conditions": [{"type": 3, "conjunction": "a", "isMore": True, "time": "20990101 10:00:00 UTC"}]},
        {"conditions": []}, [], [(10, 100)],
    ),
    "quantity raised": (
        {"orderType": "LMT", "lmtPrice": 90.0}, {"totalQuantity": 25.0}, [89.0], [(25, 89)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_order_works_as_changed(floor: Floor, name: str) -> None:
    fields, changes, prices, expected = CHANGES[name]
    client = floor.client()
    number = client.place(floor.symbol, **fields)
    assert client.fills(number) == []
    client.place(floor.symbol, order_id=number, **{**fields, **changes})
    for price in prices:
        floor.price(price)
    assert client.fills(number) == expected
    assert client.status(number) == "Filled"


def test_a_partly_filled_order_is_changed_in_what_is_left(floor: Floor) -> None:
    client = floor.client()
    fields: dict[str, Any] = {"orderType": "LMT", "lmtPrice": 99.0}
    number = client.place(floor.symbol, **fields)
    floor.price(99.0, size=4)
    floor.price(100.0)
    client.place(floor.symbol, order_id=number, **{**fields, "totalQuantity": 6.0})
    last = client.all_of("orderStatus", number)[-1]
    assert (last["status"], last["filled"], last["remaining"]) == ("Submitted", 4, 2)
    client.place(floor.symbol, order_id=number, **{**fields, "totalQuantity": 4.0})
    assert client.codes(number) == [104], "nothing would be left of it"
    floor.price(98.0)
    assert client.fills(number) == [(4, 99), (2, 98)]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"action": "SELL"}, 105),
        ({"symbol": "ELSE"}, 105),
        ({"lmtPrice": 90.001}, 110),
        ({"totalQuantity": 0.0}, 434),
        ({"tif": "NEVER"}, 321),
        ({"orderType": "WHAT"}, 387),
        ({"totalQuantity": 1e11}, 201),
    ],
)
def test_a_change_that_is_refused_leaves_the_order_as_it_was(
    floor: Floor, changes: dict[str, Any], code: int
) -> None:
    client = floor.client()
    fields: dict[str, Any] = {"orderType": "LMT", "lmtPrice": 90.0}
    number = client.place(floor.symbol, **fields)
    wanted = {"symbol": floor.symbol, **fields, **changes}
    client.place(wanted.pop("symbol"), order_id=number, **wanted)
    assert client.codes(number) == [code]
    [row] = floor.orders()
    assert (row["status"], row["action"], row["total"]) == ("Submitted", "BUY", 10)
    floor.price(89.0)
    assert client.fills(number) == [(10, 89)]


@pytest.mark.parametrize(
    ("fields", "fills"),
    [
        ({"allOrNone": True}, [(10, 98)]),
        ({"minQty": 5}, [(6, 99), (4, 98)]),
        ({"minQty": 50}, [(10, 98)]),
        ({}, [(4, 99), (6, 99)]),
    ],
)
def test_an_order_that_may_not_trade_in_small_parts_waits_for_enough(
    floor: Floor, fields: dict[str, Any], fills: list[tuple[float, float]]
) -> None:
    client = floor.client()
    number = client.place(floor.symbol, orderType="LMT", lmtPrice=99.0, **fields)
    for price, size in ((99.0, 4), (99.0, 6), (98.0, 100)):
        floor.price(price, size=size)
    assert client.fills(number) == fills


def test_market_to_limit_rests_at_the_price_of_its_first_fill(floor: Floor) -> None:
    client = floor.client()
    number = client.place(
        floor.symbol, orderType="MTL", goodAfterTime=stamp(floor.now() + timedelta(hours=1))
    )
    floor.at(floor.now() + timedelta(minutes=59))
    floor.price(100.0, size=1)
    assert client.fills(number) == []
    client.place(floor.symbol, order_id=number, orderType="MTL", conditions=[above(floor, client, 101.0)])
    floor.price(101.0, size=4)
    assert client.fills(number) == [(4, 101)]
    floor.price(103.0)
    assert client.fills(number) == [(4, 101)], "what is left is a limit order at 101"
    floor.price(101.0)
    assert client.fills(number) == [(4, 101), (6, 101)]


# ------------------------------------------------------------------------------------------ time in force


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
@pytest.mark.parametrize(
    ("fields", "fills"),
    [
        ({"orderType": "MKT"}, [(10, 100)]),
        ({"orderType": "LMT", "lmtPrice": 101.0}, [(10, 100)]),
        ({"orderType": "LMT", "lmtPrice": 99.0}, []),
    ],
)
def test_immediate_orders_meet_the_present_price_or_end(
    floor: Floor, tif: str, fields: dict[str, Any], fills: list[tuple[float, float]]
) -> None:
    client = floor.client()
    number = client.place(floor.symbol, tif=tif, **fields)
    assert client.fills(number) == fills
    assert client.status(number) == ("Filled" if fills else "Cancelled")
    assert client.codes(number) == ([] if fills else [202])
    floor.price(50.0)
    assert client.fills(number) == fills


@pytest.mark.parametrize(("tif", "fills"), [("IOC", [(4, 99)]), ("FOK", [])])
def test_immediate_orders_that_meet_too_little(
    floor: Floor, tif: str, fills: list[tuple[float, float]]
) -> None:
    client = floor.client()
    held = client.place(
        floor.symbol, tif=tif, orderType="LMT", lmtPrice=99.0, conditions=[below(floor, client, 99.0)]
    )
    floor.price(99.0, size=4)
    assert client.fills(held) == fills
    assert client.status(held) == "Cancelled"
    assert floor.held() == sum(units for units, _ in fills)


@pytest.mark.parametrize("tif", ["IOC", "FOK"])
def test_an_immediate_order_ends_where_there_is_no_price(floor: Floor, tif: str) -> None:
    client = floor.client()
    silent = f"{floor.symbol}Q"
    floor.list(silent)
    number = client.place(silent, tif=tif)
    assert client.status(number) == "Cancelled"
    floor.price(10.0, silent)
    assert client.fills(number) == []


DAY_ENDS = {
    "": "Cancelled", "DAY": "Cancelled", "DTC": "Cancelled", "GTC": "Submitted", "GTX": "Submitted",
    "OPG": "Cancelled", "AUC": "Cancelled",
}  # fmt: skip


@pytest.mark.parametrize("tif", sorted(DAY_ENDS))
def test_what_the_end_of_the_day_leaves(floor: Floor, tif: str) -> None:
    client = floor.client()
    number = client.place(floor.symbol, tif=tif, orderType="LMT", lmtPrice=90.0)
    told = client.all_of("openOrder", number)[-1]
    assert told["tif"] == (tif or "DAY")
    floor.ask("end_day")
    assert client.status(number) == DAY_ENDS[tif]
    floor.price(89.0)
    assert bool(client.fills(number)) == (DAY_ENDS[tif] == "Submitted")


def test_every_time_in_force_and_order_type_that_is_taken_has_a_case() -> None:
    cases = [fields for fields, *_ in (*FILLS.values(), *RESTING.values())]
    assert {fields.get("orderType", "MKT") for fields in cases} | PEGGED >= TYPES
    assert set(TIMES_IN_FORCE) == {*DAY_ENDS, "IOC", "FOK", "GTD"}


def test_close_orders_meet_the_last_price_of_the_day_within_their_limits(floor: Floor) -> None:
    client = floor.client()
    market = client.place(floor.symbol, orderType="MOC", tif="DAY")
    reached = client.place(floor.symbol, orderType="LOC", lmtPrice=97.0, tif="DAY")
    missed = client.place(floor.symbol, orderType="LOC", lmtPrice=95.0, tif="DAY")
    sold = client.place(floor.symbol, orderType="LOC", action="SELL", lmtPrice=95.0, tif="DAY")
    for price in (90.0, 96.0):
        floor.price(price)
        assert not client.all_of("execDetails")
    floor.ask("end_day")
    assert [client.fills(number) for number in (market, reached, missed, sold)] == [
        [(10, 96)], [(10, 96)], [], [(10, 96)],
    ]  # fmt: skip
    assert client.status(missed) == "Cancelled"


@pytest.mark.parametrize(
    ("text", "lives", "ends"),
    [
        ("{day} 16:00:00 UTC", "16:00:00", "16:00:01"),
        ("{day} 12:00:00 US/Eastern", "17:00:00", "17:00:01"),
        ("{day}-16:30:00", "16:30:00", "16:30:01"),
        ("{day} 12:30:00", "17:30:00", "17:30:01"),
    ],
)
def test_good_till_a_time(floor: Floor, text: str, lives: str, ends: str) -> None:
    client = floor.client()
    now = floor.next_day()
    number = client.place(
        floor.symbol, tif="GTD", goodTillDate=text.format(day=f"{now:%Y%m%d}"), orderType="LMT", lmtPrice=90.0
    )
    floor.ask("advance", to=f"{now:%Y-%m-%d}T{lives}+00:00")
    assert client.status(number) == "Submitted"
    floor.ask("advance", to=f"{now:%Y-%m-%d}T{ends}+00:00")
    assert client.status(number) == "Cancelled"
    assert client.codes(number) == [202]


def test_good_till_a_day_lasts_to_the_end_of_that_day(floor: Floor) -> None:
    client = floor.client()
    now = floor.next_day()
    number = client.place(
        floor.symbol, tif="GTD", goodTillDate=f"{now:%Y%m%d}", orderType="LMT", lmtPrice=90.0
    )
    floor.at(now + timedelta(hours=13, minutes=59))
    assert client.status(number) == "Submitted", "23:59 in New York"
    floor.at(now + timedelta(hours=14, seconds=1))
    assert client.status(number) == "Cancelled"


def test_good_after_holds_back_and_then_works(floor: Floor) -> None:
    client = floor.client()
    now = floor.next_day()
    later = stamp(now + timedelta(hours=1))
    market = client.place(floor.symbol, goodAfterTime=later)
    limit = client.place(floor.symbol, goodAfterTime=later, orderType="LMT", lmtPrice=99.0)
    gone = client.place(floor.symbol, goodAfterTime=stamp(now - timedelta(hours=1)))
    assert client.status(gone) == "Filled"
    floor.price(98.0)
    floor.price(101.0)
    floor.at(now + timedelta(minutes=59, seconds=59))
    assert [client.status(number) for number in (market, limit)] == ["PreSubmitted"] * 2
    floor.at(now + timedelta(hours=1))
    assert client.fills(market) == [(10, 101)]
    assert client.status(limit) == "Submitted"
    floor.price(99.0)
    assert client.fills(limit) == [(10, 99)]


# --------------------------------------------------------------------------------------------- refusals


REFUSALS: dict[str, tuple[dict[str, Any], int]] = {
    "no such contract": ({"symbol": "NOWHERE"}, 200),
    "no such kind": ({"secType": "WAR"}, 200),
    "wrong currency": ({"currency": "EUR"}, 200),
    "wrong exchange": ({"exchange": "LSE"}, 200),
    "account of another": ({"account": "DU999"}, 321),
    "no side": ({"action": ""}, 321),
    "no quantity": ({"totalQuantity": None}, 434),
    "quantity of nothing": ({"totalQuantity": 0.0}, 434),
    "negative quantity": ({"totalQuantity": -1.0}, 321),
    "endless quantity": ({"totalQuantity": 1e13}, 321),
    "unknown type": ({"orderType": "TELEPATHIC"}, 387),
    "limit without a limit": ({"orderType": "LMT"}, 321),
    "limit on close without a limit": ({"orderType": "LOC"}, 321),
    "limit if touched without a limit": ({"orderType": "LIT", "auxPrice": 95.0}, 321),
    "stop limit without a limit": ({"orderType": "STP LMT", "auxPrice": 95.0}, 321),
    "stop without a price": ({"orderType": "STP"}, 321),
    "stop at nothing": ({"orderType": "STP", "auxPrice": 0.0}, 321),
    "if touched without a price": ({"orderType": "MIT"}, 321),
    "trail without a distance": ({"orderType": "TRAIL"}, 321),
    "trail with a limit but no offset": ({"orderType": "TRAIL LIMIT", "auxPrice": 1.0, "trailStopPrice": 99.0}, 321),
    "unknown time in force": ({"tif": "TOMORROW"}, 321),
    "good till no date": ({"tif": "GTD"}, 321),
    "good till nonsense": ({"tif": "GTD", "goodTillDate": "soon"}, 336),
    "good after nonsense": ({"goodAfterTime": "20240230 10:00:00"}, 337),
    "unknown zone": ({"goodAfterTime": "20990101 10:00:00 Mars/Base"}, 337),
    "unknown algorithm": ({"algoStrategy": "Oracle"}, 442),
    "algorithm of a stop": ({"algoStrategy": "Twap", "orderType": "STP", "auxPrice": 95.0}, 441),
    "algorithm with nonsense for a time": (
        {"algoStrategy": "Vwap", "algoParams": [{"tag": "endTime", "value": "late"}]}, 442,
    ),
    "limit off the tick": ({"orderType": "LMT", "lmtPrice": 99.999}, 110),
    "stop off the tick": ({"orderType": "STP", "auxPrice": 99.999}, 110),
    "parent that is not there": ({"parentId": 4711}, 135),
    "incomplete price condition": ({"conditions": [{"type": 1, "conjunction": "a", "isMore": True}]}, 321),
    "time condition without a time": ({"conditions": [{"type": 3, "conjunction": "a", "time": ""}]}, 321),
    "condition with nonsense for a time": (
        {"conditions": [{"type": 3, "conjunction": "a", "time": "tea time"}]}, 321,
    ),
    "incomplete adjustment": (
        {"action": "SELL", "orderType": "STP", "auxPrice": 95.0, "adjustedOrderType": "TRAIL"}, 321,
    ),
    "adjustment of a limit": (
        {"orderType": "LMT", "lmtPrice": 95.0, "adjustedOrderType": "STP", "triggerPrice": 96.0,
         "adjustedStopPrice": 94.0},
        321,
    ),
    "more than the account can bear": ({"totalQuantity": 1e9}, 201),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_has_its_code_and_leaves_nothing_behind(floor: Floor, name: str) -> None:
    fields, code = REFUSALS[name]
    client = floor.client()
    wanted = {"symbol": floor.symbol, **fields}
    number = client.place(wanted.pop("symbol"), **wanted)
    assert client.codes(number) == [code]
    assert client.all_of("openOrder") == client.all_of("orderStatus") == []
    [told] = [row for row in client.all_of("error") if row["reqId"] == number]
    assert told["text"]
    assert bool(told["rejectDetails"]) == (code == 201)
    assert floor.orders() == []
    again = client.place(floor.symbol)
    assert client.status(again) == "Filled", "the account and the client go on"


@pytest.mark.parametrize("number", [0, -5, 2**31 - 1])
def test_order_ids_outside_of_their_space_are_refused(floor: Floor, number: int) -> None:
    client = floor.client()
    client.place(floor.symbol, order_id=number)
    assert client.codes()[-1] == 320
    assert floor.orders() == []


def above(floor: Floor, client: Any, price: float, **fields: Any) -> dict[str, Any]:
    """Condition that the test's symbol trades at a price or above."""
    [row] = named(client.ask("reqContractDetails", symbol=floor.symbol), "contractDetails")
    return {"type": 1, "conjunction": "a", "isMore": True, "price": price, "conId": row["conId"],
            "exchange": "SMART", "triggerMethod": 0, **fields}  # fmt: skip


def below(floor: Floor, client: Any, price: float) -> dict[str, Any]:
    """Condition that the test's symbol trades at a price or below."""
    return above(floor, client, price, isMore=False)


@pytest.mark.parametrize(
    "fields",
    [
        {"scaleProfitOffset": -0.5},
        {"scaleAutoReset": True},
        {"scaleRandomPercent": True, "scaleProfitOffset": 1.0},
        {"scaleInitPosition": 4, "scaleProfitOffset": 1.0},
        {"scaleInitPosition": 10, "scaleProfitOffset": 1.0, "scaleAutoReset": True},
        {"scaleInitPosition": 3, "scaleInitFillQty": 2, "scaleProfitOffset": 1.0, "scaleAutoReset": True},
        {"scaleInitFillQty": 5, "scaleProfitOffset": 1.0, "scaleAutoReset": True},
        {"scalePriceAdjustValue": 1.0},
        {"scalePriceAdjustInterval": 60},
        {"scaleTable": "1"},
        {"scaleInitLevelSize": None},
        {"orderType": "MKT"},
        {"orderType": "REL", "lmtPrice": None},
        {"hedgeType": "P", "hedgeParam": "1"},
    ],
)
def test_a_scale_or_hedging_order_that_would_be_traded_otherwise_is_refused(
    floor: Floor, fields: dict[str, Any]
) -> None:
    client = floor.client()
    number = client.place(floor.symbol, **{**SCALE, "lmtPrice": 99.0, **fields})
    assert (client.codes(number), floor.orders()) == ([321], [])


def test_a_scale_order_that_is_changed_or_split_goes_on_from_its_new_price(floor: Floor) -> None:
    client = floor.client()
    scale = {**SCALE, "lmtPrice": 99.0}
    number = client.place(floor.symbol, **scale)
    floor.price(99.0)
    client.place(floor.symbol, order_id=number, **{**scale, "lmtPrice": 96.0})
    floor.price(97.0)
    assert client.fills(number) == [(4, 99)]
    floor.ask("split", symbol=floor.symbol, ratio=2.0)
    floor.price(48.0)
    floor.price(47.5)
    assert client.fills(number) == [(4, 99), (8, 48), (4, 47.5)]
