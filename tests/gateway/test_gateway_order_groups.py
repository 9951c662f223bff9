"""Orders that hang together or wait for something: conditions, groups, brackets, schedules, combinations."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .wire import Floor, Wire, named, stamp

FAR = "20990101 10:00:00 UTC"
LONG_AGO = "20000101 10:00:00 UTC"


def con_id(client: Wire, symbol: str) -> int:
    [row] = named(client.ask("reqContractDetails", symbol=symbol), "contractDetails")
    return int(row["conId"])


def price_is(con: int, price: float, *, more: bool = True, join: str = "a") -> dict[str, Any]:
    return {"type": 1, "conjunction": join, "isMore": more, "price": price, "conId": con, "exchange": "SMART",
            "triggerMethod": 0}  # fmt: skip


def time_is(text: str, *, more: bool = True, join: str = "a") -> dict[str, Any]:
    return {"type": 3, "conjunction": join, "isMore": more, "time": text}


def cushion_is(percent: int, *, more: bool = True, join: str = "a") -> dict[str, Any]:
    return {"type": 4, "conjunction": join, "isMore": more, "percent": percent}


def traded(symbol: str, sec_type: str = "STK", join: str = "a") -> dict[str, Any]:
    return {"type": 5, "conjunction": join, "secType": sec_type, "exchange": "SMART", "symbol": symbol}


def volume_is(con: int, volume: int, *, more: bool = True, join: str = "a") -> dict[str, Any]:
    return {
        "type": 6,
        "conjunction": join,
        "isMore": more,
        "volume": volume,
        "conId": con,
        "exchange": "SMART",
    }


def change_is(con: int, percent: float, *, more: bool = True, join: str = "a") -> dict[str, Any]:
    return {"type": 7, "conjunction": join, "isMore": more, "changePercent": percent, "conId": con,
            "exchange": "SMART"}  # fmt: skip


@pytest.fixture
def client(floor: Floor) -> Wire:
    return floor.client()


@pytest.fixture
def con(floor: Floor, client: Wire) -> int:
    return con_id(client, floor.symbol)


# ------------------------------------------------------------------------------------------- conditions


WAKES: dict[str, tuple[Any, list[float]]] = {
    # conditions; prices after 100, the last of which meets them
    "price above": (lambda con: [price_is(con, 105.0)], [104.99, 105.0]),
    "price below": (lambda con: [price_is(con, 95.0, more=False)], [95.01, 94.0]),
    "change above": (lambda con: [change_is(con, 10.0)], [109.9, 110.0]),
    "change below": (lambda con: [change_is(con, -10.0, more=False)], [91.0, 90.0]),
    "two at once": (lambda con: [price_is(con, 105.0), price_is(con, 107.0, more=False)], [108.0, 106.0]),
    "one of two": (lambda con: [price_is(con, 105.0, join="o"), price_is(con, 95.0, more=False)], [104.0, 94.0]),
    "one of two and a third": (
        lambda con: [time_is(FAR, join="o"), price_is(con, 105.0), time_is(LONG_AGO)], [104.0, 105.0],
    ),
    "and one that is out of reach, or this": (
        lambda con: [price_is(con, 50.0), time_is(FAR, join="o"), price_is(con, 105.0)], [104.0, 105.0],
    ),
    "another that has passed": (lambda con: [time_is(LONG_AGO), price_is(con, 105.0)], [104.0, 106.0]),
    "before a time": (lambda con: [time_is(FAR, more=False), price_is(con, 105.0)], [104.0, 106.0]),
    "a cushion that is there": (lambda con: [cushion_is(10), price_is(con, 105.0)], [104.0, 106.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", WAKES)
def test_an_order_waits_for_its_conditions(floor: Floor, client: Wire, con: int, name: str) -> None:
    conditions, prices = WAKES[name]
    number = client.place(floor.symbol, conditions=conditions(con))
    for price in prices[:-1]:
        floor.price(price)
        assert client.status(number) == "PreSubmitted"
    floor.price(prices[-1])
    assert client.fills(number) == [(10, prices[-1])]
    told = client.all_of("openOrder", number)[0]["conditions"]
    assert [(row["type"], row["conjunction"]) for row in told] == [
        (row["type"], row["conjunction"]) for row in conditions(con)
    ]


@pytest.mark.parametrize("name", WAKES)
def test_a_working_order_is_cancelled_by_its_conditions(
    floor: Floor, client: Wire, con: int, name: str
) -> None:
    conditions, prices = WAKES[name]
    number = client.place(
        floor.symbol, orderType="LMT", lmtPrice=50.0, conditions=conditions(con), conditionsCancelOrder=True
    )
    for price in prices[:-1]:
        floor.price(price)
        assert client.status(number) == "Submitted"
    floor.price(prices[-1])
    assert client.status(number) == "Cancelled"
    assert client.codes(number) == [202]
    assert client.all_of("openOrder", number)[0]["conditionsCancelOrder"]


def test_conditions_that_hold_already_do_not_wait(floor: Floor, client: Wire, con: int) -> None:
    for conditions in (
        [price_is(con, 99.0)], [time_is(LONG_AGO)], [cushion_is(1)], [change_is(con, 0.0)], [volume_is(con, 0)],
        [cushion_is(99, more=False, join="o"), time_is(LONG_AGO)],
    ):  # fmt: skip
        assert client.status(client.place(floor.symbol, conditions=conditions)) == "Filled", conditions


def test_an_order_waits_for_volume(floor: Floor, client: Wire, con: int) -> None:
    number = client.place(floor.symbol, conditions=[volume_is(con, 1000)])
    floor.price(100.0, size=600)
    assert client.status(number) == "PreSubmitted"
    floor.price(100.0, size=400)
    assert client.status(number) == "Filled"


def test_an_order_waits_for_an_execution_that_comes_after_it(floor: Floor, client: Wire) -> None:
    floor.next_day()
    other = f"{floor.symbol}X"
    floor.list(other, 50.0)
    client.place(other)
    floor.at(floor.now() + timedelta(seconds=1))
    number = client.place(floor.symbol, conditions=[traded(other)])
    wrong = client.place(floor.symbol, conditions=[traded(other, "OPT")])
    assert client.status(number) == "PreSubmitted", "the execution before it does not count"
    client.place(other)
    floor.price(100.0)
    assert client.status(number) == "Filled"
    assert client.status(wrong) == "PreSubmitted"


def test_conditions_on_another_instrument_and_on_one_without_a_price(floor: Floor, client: Wire) -> None:
    other, silent = f"{floor.symbol}X", f"{floor.symbol}Q"
    floor.list(other, 50.0)
    floor.list(silent)
    number = client.place(floor.symbol, conditions=[price_is(con_id(client, other), 60.0)])
    never = client.place(floor.symbol, conditions=[price_is(con_id(client, silent), 0.0)])
    unknown = client.place(floor.symbol, conditions=[price_is(4711, 0.0)])
    floor.price(60.0, other)
    assert [client.status(each) for each in (number, never, unknown)] == [
        "Filled",
        "PreSubmitted",
        "PreSubmitted",
    ]


def test_a_time_condition_wakes_by_the_clock_alone(floor: Floor, client: Wire) -> None:
    now = floor.next_day()
    number = client.place(floor.symbol, conditions=[time_is(stamp(now + timedelta(minutes=5)))])
    floor.at(now + timedelta(minutes=4))
    assert client.status(number) == "PreSubmitted"
    floor.at(now + timedelta(minutes=5))
    assert client.status(number) == "Filled"


@pytest.mark.parametrize(("ignore", "status"), [(True, "Submitted"), (False, "PreSubmitted")])
def test_conditions_hold_in_regular_hours_unless_these_are_ignored(
    play: Any, ignore: bool, status: str
) -> None:
    from ib_async import LimitOrder, Stock, TimeCondition

    async def scenario(desk: Any) -> None:
        await desk.market(AAPL=100.0)
        client = await desk.connect(1)
        order = LimitOrder("BUY", 1, 90.0, tif="GTC", conditionsIgnoreRth=ignore)
        order.conditions = [TimeCondition(time="20240102 22:00:00 UTC", isMore=True)]
        trade = client.placeOrder(Stock("AAPL", "SMART", "USD"), order)
        await desk.settle(client)
        assert trade.orderStatus.status == "PreSubmitted"
        await desk.do("advance", to="2024-01-02T23:00:00+00:00")
        assert trade.orderStatus.status == status, "the session ended at nine"
        await desk.do("advance", to="2024-01-03T15:00:00+00:00")
        assert trade.orderStatus.status == "Submitted"

    play(scenario, market="sessions", start=datetime.fromisoformat("2024-01-02T21:30:00+00:00"))


# ------------------------------------------------------------------------------------------------ groups


def group_of(client: Wire, floor: Floor, oca_type: int, *limits: float, units: float = 10.0) -> list[int]:
    return [
        client.place(
            floor.symbol, orderType="LMT", lmtPrice=limit, totalQuantity=units, ocaGroup="G", ocaType=oca_type
        )
        for limit in limits
    ]


@pytest.mark.parametrize("oca_type", [1, 2, 3])
def test_a_whole_fill_cancels_the_rest_of_the_group(floor: Floor, client: Wire, oca_type: int) -> None:
    numbers = group_of(client, floor, oca_type, 99.0, 95.0, 90.0)
    alone = client.place(floor.symbol, orderType="LMT", lmtPrice=95.0, ocaGroup="H", ocaType=oca_type)
    none = client.place(floor.symbol, orderType="LMT", lmtPrice=95.0)
    floor.price(99.0)
    assert [client.status(number) for number in numbers] == ["Filled", "Cancelled", "Cancelled"]
    assert [client.status(number) for number in (alone, none)] == ["Submitted", "Submitted"]
    floor.price(80.0)
    assert floor.held() == 30


@pytest.mark.parametrize(("oca_type", "left"), [(1, None), (2, 6.0), (3, 6.0)])
def test_a_part_cancels_or_reduces_the_rest_of_the_group(
    floor: Floor, client: Wire, oca_type: int, left: float | None
) -> None:
    first, other = group_of(client, floor, oca_type, 99.0, 95.0)
    floor.price(99.0, size=4)
    told = client.all_of("orderStatus", other)[-1]
    assert told["status"] == ("Cancelled" if left is None else "Submitted")
    assert left is None or told["remaining"] == left
    floor.price(95.0)
    assert client.fills(first) == [(4, 99), (6, 95)]
    assert client.fills(other) == []
    assert floor.held() == 10


@pytest.mark.parametrize("oca_type", [1, 2, 3])
def test_orders_of_a_group_that_meet_one_price_fill_no_more_than_one_of_them(
    floor: Floor, client: Wire, oca_type: int
) -> None:
    group_of(client, floor, oca_type, 99.0, 98.0, 97.0)
    floor.price(96.0, size=4)
    floor.price(96.0, size=4)
    floor.price(96.0)
    assert floor.held() == 10


def test_groups_of_two_clients_that_share_a_name_are_two(floor: Floor, client: Wire) -> None:
    other = floor.client()
    [mine] = group_of(client, floor, 1, 99.0)
    [theirs] = group_of(other, floor, 1, 98.0)
    floor.price(99.0)
    assert (client.status(mine), other.status(theirs)) == ("Filled", "Submitted")


def test_a_waiting_order_leaves_with_its_group(floor: Floor, client: Wire) -> None:
    first = client.place(floor.symbol, orderType="LMT", lmtPrice=99.0, ocaGroup="G", ocaType=1)
    waiting = client.place(floor.symbol, goodAfterTime=FAR, ocaGroup="G", ocaType=1)
    floor.price(99.0)
    assert [client.status(number) for number in (first, waiting)] == ["Filled", "Cancelled"]


@settings(max_examples=15, deadline=None)
@given(
    oca_type=st.sampled_from([1, 2, 3]),
    orders=st.lists(st.tuples(st.sampled_from(["LMT", "STP"]), st.integers(90, 110)), min_size=2, max_size=4),
    prices=st.lists(st.tuples(st.integers(88, 112), st.integers(1, 8)), max_size=8),
)
def test_a_group_never_fills_beyond_its_largest_order(
    shared_gateway: Any, oca_type: int, orders: list[tuple[str, int]], prices: list[tuple[int, int]]
) -> None:
    from .conftest import _client_ids, _symbols

    floor = Floor(shared_gateway, f"S{next(_symbols)}", _next_client=_client_ids.__next__)
    floor.list(floor.symbol, 100.0)
    client = floor.clients[0]
    for kind, price in orders:
        fields = (
            {"lmtPrice": float(min(price, 99))} if kind == "LMT" else {"auxPrice": float(max(price, 101))}
        )
        client.place(floor.symbol, orderType=kind, ocaGroup="G", ocaType=oca_type, **fields)
    for price, size in prices:
        floor.price(float(price), size=size)
    assert floor.held() <= 10
    assert sum(row["filled"] for row in floor.orders()) == floor.held()
    left = [row for row in floor.orders() if row["status"] not in {"Filled", "Cancelled"}]
    assert all(row["total"] - row["filled"] <= 10 - floor.held() for row in left)
    client.ask("reqGlobalCancel")
    floor.end()


# ---------------------------------------------------------------------------------------------- brackets


def bracket(
    client: Wire, floor: Floor, *, limit: float = 99.0, units: float = 10.0, **child: Any
) -> list[int]:
    parent = client.place(floor.symbol, orderType="LMT", lmtPrice=limit, totalQuantity=units, transmit=False)
    exits: dict[str, Any] = {"action": "SELL", "parentId": parent, "totalQuantity": units, **child}
    target = client.place(floor.symbol, orderType="LMT", lmtPrice=110.0, transmit=False, **exits)
    stop = client.place(floor.symbol, orderType="STP", auxPrice=90.0, transmit=True, **exits)
    return [parent, target, stop]


def statuses(client: Wire, numbers: list[int]) -> list[str]:
    return [client.status(number) for number in numbers]


def test_a_bracket_lives_with_its_last_order(floor: Floor, client: Wire) -> None:
    parent = client.place(floor.symbol, orderType="LMT", lmtPrice=99.0, transmit=False)
    assert client.status(parent) == "ApiPending"
    target = client.place(
        floor.symbol, action="SELL", orderType="LMT", lmtPrice=110.0, parentId=parent, transmit=False
    )
    floor.price(98.0)
    assert client.fills(parent) == []
    floor.price(100.0)
    client.place(floor.symbol, action="SELL", orderType="STP", auxPrice=90.0, parentId=parent)
    assert statuses(client, [parent, target]) == ["Submitted", "PreSubmitted"]
    assert client.all_of("orderStatus", target)[-1]["parentId"] == parent


@pytest.mark.parametrize(
    ("price", "ends"), [(110.0, ["Filled", "Cancelled"]), (89.0, ["Cancelled", "Filled"])]
)
def test_one_exit_of_a_bracket_ends_the_other(
    floor: Floor, client: Wire, price: float, ends: list[str]
) -> None:
    numbers = bracket(client, floor)
    floor.price(120.0)
    floor.price(98.0)
    assert statuses(client, numbers) == ["Filled", "Submitted", "PreSubmitted"]
    floor.price(price)
    assert statuses(client, numbers) == ["Filled", *ends]
    assert floor.held() == 0


def test_exits_work_for_what_the_entry_has_filled(floor: Floor, client: Wire) -> None:
    numbers = bracket(client, floor)
    floor.price(99.0, size=4)
    assert statuses(client, numbers) == ["Submitted", "Submitted", "PreSubmitted"]
    floor.price(112.0)
    assert client.fills(numbers[1]) == [(4, 112)]
    assert floor.held() == 0
    floor.price(98.0)
    floor.price(80.0)
    assert floor.held() == 0
    assert client.fills(numbers[2]) == [(6, 80)]


def test_an_exit_changed_while_the_entry_fills_still_covers_only_what_is_held(
    floor: Floor, client: Wire
) -> None:
    parent, target, _ = bracket(client, floor)
    floor.price(99.0, size=4)
    floor.price(100.0)
    client.place(
        floor.symbol, order_id=target, action="SELL", orderType="LMT", lmtPrice=105.0, parentId=parent
    )
    floor.price(106.0)
    assert client.fills(target) == [(4, 106)]
    assert floor.held() == 0
    floor.price(99.0)
    floor.price(107.0)
    assert client.fills(target) == [(4, 106), (6, 107)]
    assert floor.held() == 0


def test_an_exit_added_while_the_entry_fills_covers_what_is_held_and_then_the_rest(
    floor: Floor, client: Wire
) -> None:
    parent = client.place(floor.symbol, orderType="LMT", lmtPrice=99.0)
    floor.price(99.0, size=4)
    floor.price(100.0)
    late = client.place(floor.symbol, action="SELL", orderType="STP", auxPrice=90.0, parentId=parent)
    assert client.status(late) == "PreSubmitted"
    floor.price(99.0)
    assert client.status(parent) == "Filled"
    floor.price(89.0)
    assert client.fills(late) == [(10, 89)]
    assert floor.held() == 0


def test_an_exit_added_after_the_entry_has_filled_works_at_once(floor: Floor, client: Wire) -> None:
    parent = client.place(floor.symbol)
    late = client.place(floor.symbol, action="SELL", orderType="LMT", lmtPrice=105.0, parentId=parent)
    assert client.status(late) == "Submitted"
    floor.price(106.0)
    assert floor.held() == 0


def test_exits_of_other_sizes_share_in_proportion(floor: Floor, client: Wire) -> None:
    parent = client.place(floor.symbol, orderType="LMT", lmtPrice=99.0, transmit=False)
    half = client.place(
        floor.symbol, action="SELL", orderType="LMT", lmtPrice=110.0, totalQuantity=5.0, parentId=parent
    )
    floor.price(99.0, size=4)
    floor.price(110.0)
    assert client.fills(half) == [(2, 110)]
    floor.price(99.0)
    floor.price(110.0)
    assert client.fills(half) == [(2, 110), (3, 110)]
    assert floor.held() == 5


@pytest.mark.parametrize("filled", [0, 4])
def test_a_cancelled_entry_takes_along_what_waits_for_it(floor: Floor, client: Wire, filled: int) -> None:
    numbers = bracket(client, floor)
    if filled:
        floor.price(99.0, size=filled)
        floor.price(100.0)
    client.cancel(numbers[0])
    assert client.status(numbers[0]) == "Cancelled"
    left = client.all_of("orderStatus", numbers[2])[-1]
    assert left["status"] == ("PreSubmitted" if filled else "Cancelled")
    assert not filled or left["remaining"] == filled
    floor.price(80.0)
    assert floor.held() == 0
    assert client.fills(numbers[2]) == ([(filled, 80)] if filled else [])


@pytest.mark.parametrize(("asked", "expected"), [(True, "Cancelled"), (False, "Submitted")])
def test_a_cancelled_exit_takes_its_entry_along_where_it_says_so(
    floor: Floor, client: Wire, asked: bool, expected: str
) -> None:
    parent, target, stop = bracket(client, floor, autoCancelParent=asked)
    client.cancel(target)
    assert statuses(client, [target, parent]) == ["Cancelled", expected]
    assert client.status(stop) == ("Cancelled" if asked else "PreSubmitted")
    client.cancel(parent)


def test_exits_that_end_with_their_group_leave_what_the_entry_holds(floor: Floor, client: Wire) -> None:
    parent, target, stop = bracket(client, floor, autoCancelParent=True)
    floor.price(99.0, size=4)
    floor.price(110.0)
    assert client.status(parent) == "Submitted", "an exit has filled its part: none was cancelled"
    floor.price(99.0)
    floor.price(110.0)
    assert statuses(client, [parent, target, stop]) == ["Filled", "Filled", "Cancelled"]
    assert floor.held() == 0


def test_a_trailing_exit_starts_at_the_fill_of_its_entry(floor: Floor, client: Wire) -> None:
    numbers = []
    for fields in ({"auxPrice": 5.0}, {"trailingPercent": 5.0}):
        parent = client.place(floor.symbol, orderType="LMT", lmtPrice=99.0, transmit=False)
        numbers.append(
            client.place(floor.symbol, action="SELL", orderType="TRAIL", parentId=parent, **fields)
        )
    floor.price(150.0)
    floor.price(99.0)
    assert statuses(client, numbers) == ["PreSubmitted"] * 2
    floor.price(93.5)
    assert [client.fills(number) for number in numbers] == [[(10, 93.5)]] * 2


def test_children_of_a_cancelled_parent_are_refused(floor: Floor, client: Wire) -> None:
    parent = client.place(floor.symbol, orderType="LMT", lmtPrice=90.0)
    client.cancel(parent)
    child = client.place(floor.symbol, action="SELL", orderType="LMT", lmtPrice=110.0, parentId=parent)
    assert client.codes(child) == [135]


# ---------------------------------------------------------------------------------------------- schedules


@pytest.mark.parametrize("name", ["Twap", "Vwap"])
@pytest.mark.parametrize(
    ("window", "filled"),
    [
        # units let go by 15:00, 15:30, 16:00, 17:00, 21:00 of a session from 14:30 to 21:00 UTC
        (("15:00:00", "16:00:00"), [0, 6, 12, 12, 12]),
        (("15:30:00", "17:00:00"), [0, 0, 4, 12, 12]),
        (("10:00:00", "17:00:00"), [2, 4, 7, 12, 12]),
        ((None, None), [0, 1, 2, 4, 12]),
        (("16:00:00", "15:00:00"), [0, 0, 0, 0, 0]),
    ],
)
def test_a_schedule_is_kept(
    floor: Floor, client: Wire, name: str, window: tuple[str | None, str | None], filled: list[int]
) -> None:
    day = floor.next_day() + timedelta(days=1)
    floor.at(day - timedelta(hours=2))
    parameters = [
        {"tag": tag, "value": f"{day:%Y%m%d} {time} UTC"}
        for tag, time in zip(("startTime", "endTime"), window, strict=True)
        if time
    ]
    number = client.place(floor.symbol, totalQuantity=12.0, algoStrategy=name, algoParams=parameters)
    assert client.status(number) == "PreSubmitted"
    told = []
    for hour in (0, 0.5, 1, 2, 6):
        floor.at(day + timedelta(hours=hour))
        told.append(sum(units for units, _ in client.fills(number)))
    assert told == filled
    assert client.status(number) == ("Filled" if filled[-1] else "PreSubmitted")
    assert client.all_of("openOrder", number)[0]["algoParams"] == parameters


def test_a_scheduled_order_trades_within_its_limit_only(floor: Floor, client: Wire) -> None:
    day = floor.next_day()
    number = client.place(
        floor.symbol, orderType="LMT", lmtPrice=100.0, algoStrategy="Twap",
        algoParams=[{"tag": "startTime", "value": stamp(day)}, {"tag": "endTime", "value": stamp(day + timedelta(hours=1))}],
    )  # fmt: skip
    floor.at(day + timedelta(minutes=30))
    assert client.fills(number) == [(5, 100)]
    floor.price(101.0)
    floor.at(day + timedelta(minutes=45))
    assert client.fills(number) == [(5, 100)]
    client.cancel(number)
    last = client.all_of("orderStatus", number)[-1]
    assert (last["status"], last["filled"], last["remaining"]) == ("Cancelled", 5, 5)


@pytest.mark.parametrize("priority", ["Urgent", "Normal", "Patient"])
def test_adaptive_trades_as_its_base_order_and_is_told_as_placed(
    floor: Floor, client: Wire, priority: str
) -> None:
    parameters = [{"tag": "adaptivePriority", "value": priority}]
    market = client.place(floor.symbol, algoStrategy="Adaptive", algoParams=parameters)
    limit = client.place(
        floor.symbol, orderType="LMT", lmtPrice=90.0, algoStrategy="Adaptive", algoParams=parameters
    )
    assert statuses(client, [market, limit]) == ["Filled", "Submitted"]
    told = client.all_of("openOrder", limit)[0]
    assert (told["algoStrategy"], told["algoParams"]) == ("Adaptive", parameters)


ADJUSTMENTS: dict[str, tuple[dict[str, Any], list[float], list[tuple[float, float]]]] = {
    "to a stop": ({"adjustedOrderType": "STP", "adjustedStopPrice": 105.0}, [109.0, 104.0, 111.0, 105.0], [(10, 105)]),
    "to a stop limit": (
        {"adjustedOrderType": "STP LMT", "adjustedStopPrice": 105.0, "adjustedStopLimitPrice": 104.0},
        [111.0, 103.0, 104.5], [(10, 104.5)],
    ),
    "to a trail by an amount": (
        {"adjustedOrderType": "TRAIL", "adjustedStopPrice": 100.0, "adjustedTrailingAmount": 5.0},
        [111.0, 120.0, 116.0, 115.0], [(10, 115)],
    ),
    "to a trail by a percentage": (
        {"adjustedOrderType": "TRAIL", "adjustedStopPrice": 100.0, "adjustedTrailingAmount": 10.0,
         "adjustableTrailingUnit": 100},
        [111.0, 120.0, 109.0, 108.0], [(10, 108)],
    ),
    "to a trail with a limit": (
        {"adjustedOrderType": "TRAIL LIMIT", "adjustedStopPrice": 100.0, "adjustedTrailingAmount": 5.0,
         "lmtPriceOffset": 1.0},
        [111.0, 120.0, 113.0, 114.5], [(10, 114.5)],
    ),
    "not triggered": ({"adjustedOrderType": "STP", "adjustedStopPrice": 105.0}, [109.0, 104.0, 90.0], [(10, 90)]),
}  # fmt: skip


@pytest.mark.parametrize("name", ADJUSTMENTS)
def test_an_adjustable_stop_becomes_what_it_says(floor: Floor, client: Wire, name: str) -> None:
    fields, prices, fills = ADJUSTMENTS[name]
    number = client.place(
        floor.symbol, action="SELL", orderType="STP", auxPrice=90.0, triggerPrice=110.0, **fields
    )
    for price in prices:
        assert client.fills(number) == []
        floor.price(price)
    assert client.fills(number) == fills


# ------------------------------------------------------------------------------------------- what would be


WHAT_IF: dict[str, tuple[dict[str, Any], float, float, float]] = {
    # fields; change of the initial margin, of the maintenance margin, of the equity
    "long": ({}, 500.0, 250.0, 0.0),
    "short": ({"action": "SELL"}, 500.0, 300.0, 0.0),
    "a limit": ({"orderType": "LMT", "lmtPrice": 90.0}, 500.0, 250.0, 0.0),
    "far more than there is": ({"totalQuantity": 1e8}, 5e9, 2.5e9, 0.0),
}


@pytest.mark.parametrize("name", WHAT_IF)
def test_what_if_tells_margins_and_places_nothing(floor: Floor, client: Wire, name: str) -> None:
    fields, initial, maintenance, equity = WHAT_IF[name]
    number = client.place(floor.symbol, whatIf=True, **fields)
    [told] = client.all_of("openOrder", number)
    assert told["whatIf"]
    assert (
        told["initMarginChange"],
        told["maintMarginChange"],
        told["equityWithLoanChange"],
    ) == pytest.approx((initial, maintenance, equity))
    assert told["initMarginAfter"] == pytest.approx(told["initMarginBefore"] + initial)
    assert told["maintMarginAfter"] == pytest.approx(told["maintMarginBefore"] + maintenance)
    assert (told["commission"], told["commissionCurrency"]) == (0.0, "USD")
    assert client.all_of("orderStatus") == []
    assert floor.orders() == []


def test_what_if_of_a_sale_of_what_is_held_frees_margin(floor: Floor, client: Wire) -> None:
    client.place(floor.symbol)
    number = client.place(floor.symbol, action="SELL", whatIf=True)
    [told] = client.all_of("openOrder", number)
    assert (told["initMarginChange"], told["maintMarginChange"]) == pytest.approx((-500.0, -250.0))


def test_what_if_on_the_id_of_a_working_order_leaves_it_alone(floor: Floor, client: Wire) -> None:
    number = client.place(floor.symbol, orderType="LMT", lmtPrice=90.0)
    client.place(
        floor.symbol, order_id=number, orderType="LMT", lmtPrice=100.0, totalQuantity=50.0, whatIf=True
    )
    assert client.all_of("openOrder", number)[-1]["initMarginChange"] == pytest.approx(2500.0)
    [row] = floor.orders()
    assert (row["status"], row["total"], row["filled"]) == ("Submitted", 10, 0)


# ------------------------------------------------------------------------------------------- combinations


@pytest.fixture
def pair(floor: Floor, client: Wire, con: int) -> dict[str, Any]:
    """One of the test's stock against two of another at 40: it costs 20."""
    other = floor.list(f"{floor.symbol}B", 40.0)
    return {
        "secType": "BAG",
        "comboLegs": [
            {"conId": con, "ratio": 1, "action": "BUY", "exchange": "SMART"},
            {"conId": other, "ratio": 2, "action": "SELL", "exchange": "SMART"},
        ],
    }


@pytest.mark.parametrize(
    ("action", "legs"), [("BUY", {"": 5.0, "B": -10.0}), ("SELL", {"": -5.0, "B": 10.0})]
)
def test_a_combination_trades_all_its_legs(
    floor: Floor, client: Wire, pair: dict[str, Any], action: str, legs: dict[str, float]
) -> None:
    number = client.place(floor.symbol, action=action, totalQuantity=5.0, **pair)
    told = client.all_of("execDetails", number)
    assert [row["secType"] for row in told] == ["BAG", "STK", "STK"]
    assert [row["execId"].split(".")[2] for row in told] == ["01", "02", "03"]
    assert len({row["execId"].split(".")[1] for row in told}) == 1
    assert [(row["shares"], row["price"]) for row in told] == [(5, 20), (5, 100), (10, 40)]
    assert {row["execId"] for row in client.all_of("commissionReport")} == {row["execId"] for row in told[1:]}
    assert {part: floor.held(floor.symbol + part) for part in legs} == legs
    assert client.all_of("openOrder", number)[0]["comboLegs"][1]["ratio"] == 2


def test_a_combination_at_a_limit_costs_what_its_legs_cost(
    floor: Floor, client: Wire, pair: dict[str, Any]
) -> None:
    before = floor.gateway.ask("positions")["cash"]["USD"]
    number = client.place(floor.symbol, totalQuantity=1.0, orderType="LMT", lmtPrice=19.0, **pair)
    floor.price(40.5, f"{floor.symbol}B")
    combined, *legs = client.all_of("execDetails", number)
    paid = sum(row["shares"] * row["price"] * (1 if row["side"] == "BOT" else -1) for row in legs)
    assert combined["price"] == paid == 19.0
    assert floor.gateway.ask("positions")["cash"]["USD"] == pytest.approx(before - paid)


@pytest.mark.parametrize(
    "legs",
    [
        [],
        [{"conId": 4711, "ratio": 1, "action": "BUY", "exchange": "SMART"}],
        [{"conId": None, "ratio": 1, "action": "BUY", "exchange": "SMART"}],
    ],
)
def test_combinations_of_nothing_known_are_refused(
    floor: Floor, client: Wire, legs: list[dict[str, Any]]
) -> None:
    assert client.codes(client.place(floor.symbol, secType="BAG", comboLegs=legs)) == [200]


def test_margins_of_a_combination_are_those_of_its_legs(
    floor: Floor, client: Wire, pair: dict[str, Any]
) -> None:
    number = client.place(floor.symbol, totalQuantity=5.0, whatIf=True, **pair)
    [told] = client.all_of("openOrder", number)
    assert told["initMarginChange"] == pytest.approx(5 * 100 * 0.5 + 10 * 40 * 0.5)


def test_a_part_of_a_combination_has_no_fraction(floor: Floor, client: Wire, pair: dict[str, Any]) -> None:
    assert client.codes(client.place(floor.symbol, totalQuantity=1.5, **pair)) == [10243]
