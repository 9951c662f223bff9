"""Sessions replayed from bars through the control channel: what each day does to orders, cash and the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from resources.gateway.broker import Broker
from resources.gateway.instruments.database import Instruments
from resources.gateway.journal import Journal
from resources.gateway.market.clock import SimulatedClock
from resources.gateway.market.prices import Hours, Tape
from resources.gateway.orders.placing import place
from resources.gateway.service.control import COMMANDS, ControlError
from resources.gateway.service.hub import Hub
from resources.gateway.service.server import Server
from resources.gateway.settings import Settings

from .conftest import NO_COSTS
from .wire import STOCK

START = datetime(2024, 1, 2, 22, 0, tzinfo=UTC)
DAYS = [date(2024, 1, day) for day in (3, 4, 5, 8, 9)]
CALL = "AAPL  240105C00100000"


class Desk:
    """A gateway of sessions without its sockets."""

    def __init__(self, path: Path) -> None:
        known = Instruments()
        for symbol in ("AAPL", "MSFT", "NEWCO"):
            known.add({**STOCK, "symbol": symbol})
        chosen = Settings(market="sessions", costs=NO_COSTS, start=START, check_margin=False)
        self.broker = Broker(chosen, known, SimulatedClock(START), Journal(path, sync=False))
        self.tape = Tape()
        self.server = Server(Hub(chosen, self.broker, self.tape))
        self._next = max(self.broker.book.last_order_id.values(), default=0)

    def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        answer = COMMANDS[command](self.server, arguments)
        self.server.hub.distribute()
        return answer

    def bars(self, symbol: str, *closes: float) -> None:
        rows = [
            {"symbol": symbol, "session": f"{day}", "open": close - 1, "high": close + 2, "low": close - 2,
             "close": close, "volume": 1e6}
            for day, close in zip(DAYS, closes, strict=False)
        ]  # fmt: skip
        self.do("bars", rows=rows)

    def place(self, **fields: Any) -> int:
        self._next += 1
        order = {"orderId": self._next, "symbol": "AAPL", "secType": "STK", "action": "BUY", "totalQuantity": 10.0,
                 "orderType": "MKT", "tif": "GTC", "transmit": True, **fields}  # fmt: skip
        assert place(self.broker, 1, order) is not None, self.broker.commit()
        return self._next

    def fills(self, number: int) -> list[tuple[float, float, str]]:
        return [
            (row["shares"], row["price"], row["at"][:16])
            for row in self.broker.executions
            if row["orderId"] == number
        ]

    def cash(self) -> float:
        return self.broker.account.cash()

    def held(self) -> dict[str, float]:
        found: dict[str, float] = self.do("positions")["positions"]
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    found = Desk(tmp_path / "journal.jsonl")
    found.bars("AAPL", 101.0, 103.0, 105.0, 107.0, 109.0)
    return found


def test_sessions_are_replayed_in_order_and_only_once(desk: Desk) -> None:
    first, later = desk.place(), desk.place(orderType="LMT", lmtPrice=103.0, action="SELL")
    desk.place(orderType="LMT", lmtPrice=1.0)
    assert desk.do("session", session="2024-01-04")["sessions"] == ["2024-01-03", "2024-01-04"]
    assert desk.fills(first) == [(10, 100, "2024-01-03T14:30")]
    assert desk.fills(later) == [(10, 103, "2024-01-03T17:45")]
    assert desk.broker.clock.now() == datetime(2024, 1, 4, 21, tzinfo=UTC)
    for day in ("2024-01-03", "2024-01-04"):
        with pytest.raises(ControlError, match="replayed already; the last one was 2024-01-04"):
            desk.do("session", session=day)
    assert desk.do("session", session="2024-01-09")["sessions"] == ["2024-01-05", "2024-01-08", "2024-01-09"]


def test_a_single_session_may_be_replayed_alone(desk: Desk) -> None:
    number = desk.place()
    assert desk.do("session", session="2024-01-05", only=True)["sessions"] == ["2024-01-05"]
    assert desk.fills(number) == [(10, 104, "2024-01-05T14:30")]


def test_an_order_decided_at_the_close_meets_that_close_or_the_next(desk: Desk) -> None:
    desk.do("session", session="2024-01-03")
    this = desk.place(orderType="MOC", tif="DAY")
    desk.place(symbol="MSFT")
    desk.do("session", session="2024-01-03", phase="close")
    assert desk.fills(this) == [(10, 101, "2024-01-03T21:00")]
    following = desk.place(orderType="MOC")
    desk.do("session", session="2024-01-04")
    assert desk.fills(following) == [(10, 103, "2024-01-04T21:00")]


def test_half_days_end_when_they_end(desk: Desk) -> None:
    opens, closes = datetime(2024, 1, 3, 14, 30, tzinfo=UTC), datetime(2024, 1, 3, 18, 0, tzinfo=UTC)
    desk.tape.add_hours(DAYS[0], Hours(opens, closes))
    number = desk.place(orderType="MOC")
    desk.do("session", session="2024-01-03")
    assert desk.fills(number) == [(10, 101, "2024-01-03T18:00")]
    assert desk.broker.clock.now() == closes


ACTIONS: dict[str, tuple[float, dict[str, Any], dict[str, float], float]] = {
    # units held; the action of the second session; what is held after it, and the cash that it brought
    "dividend": (10, {"action": "cash_dividend", "value": 0.333}, {"AAPL": 10}, 3.33),
    "dividend of what is owed": (-10, {"action": "cash_dividend", "value": 0.5}, {"AAPL": -10}, -5.0),
    "special dividend": (10, {"action": "special_dividend", "value": 2.0}, {"AAPL": 10}, 20.0),
    "dividend that is paid later": (
        10, {"action": "cash_dividend", "value": 0.5, "pay_date": "2024-03-01"}, {"AAPL": 10}, 0.0,
    ),
    "split": (10, {"action": "split", "value": 3.0}, {"AAPL": 30}, 0.0),
    "reverse split": (10, {"action": "split", "value": 0.1}, {"AAPL": 1}, 0.0),
    "spin-off": (10, {"action": "spin_off", "value": 0.2, "new_symbol": "NEWCO"}, {"AAPL": 10, "NEWCO": 2}, 0.0),
    "spin-off of what nobody knows": (10, {"action": "spin_off", "value": 0.2, "new_symbol": "?"}, {"AAPL": 10}, 0.0),
    "delisting": (10, {"action": "delisting", "value": 30.0}, {}, 300.0),
    "delisting at the last price": (10, {"action": "delisting"}, {}, 1010.0),
    "delisting of what is owed": (-10, {"action": "delisting", "value": 0.0}, {}, 0.0),
    "nothing held": (0, {"action": "cash_dividend", "value": 0.5}, {}, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIONS)
def test_what_an_action_does_before_its_session_opens(desk: Desk, name: str) -> None:
    units, action, held, paid = ACTIONS[name]
    desk.do("session", session="2024-01-03")
    if units:
        desk.do("trade", symbol="AAPL", quantity=units, price=100.0)
    else:
        desk.place(orderType="LMT", lmtPrice=1.0)
    before = desk.cash()
    desk.do("actions", rows=[{"symbol": "AAPL", "ex_date": "2024-01-04", **action}])
    desk.do("session", session="2024-01-04")
    assert desk.held() == pytest.approx(held)
    assert desk.cash() - before == pytest.approx(paid)


def test_a_dividend_is_paid_on_its_day_whatever_has_been_sold_and_restarted_since(
    desk: Desk, tmp_path: Path
) -> None:
    desk.do("trade", symbol="AAPL", quantity=10, price=100.0)
    desk.do(
        "actions",
        rows=[
            {
                "symbol": "AAPL",
                "ex_date": "2024-01-03",
                "pay_date": "2024-01-08",
                "action": "cash_dividend",
                "value": 0.5,
            }
        ],
    )
    desk.do("session", session="2024-01-04")
    desk.do("trade", symbol="AAPL", quantity=-10, price=103.0)
    before = desk.cash()
    again = Desk(tmp_path / "journal.jsonl")
    again.bars("AAPL", 101.0, 103.0, 105.0, 107.0, 109.0)
    again.place(orderType="LMT", lmtPrice=1.0)
    assert again.broker.last_session == date(2024, 1, 4)
    again.do("session", session="2024-01-05")
    assert again.cash() == pytest.approx(before)
    again.do("session", session="2024-01-09")
    assert again.cash() == pytest.approx(before + 5.0)


def test_an_option_ends_with_the_session_of_its_last_day(desk: Desk) -> None:
    desk.do("instruments", rows=[{"symbol": CALL, "asset_class": "option"}])
    desk.do("trade", symbol=CALL, quantity=1, price=2.0)
    desk.place(orderType="LMT", lmtPrice=1.0)
    desk.do("session", session="2024-01-04")
    assert desk.held() == {CALL: 1}
    before = desk.cash()
    desk.do("session", session="2024-01-05")
    assert desk.held() == {"AAPL": 100}, "the stock closed at 105"
    assert desk.cash() == pytest.approx(before - 10_000.0)


def test_profit_of_the_day_is_that_of_the_session(desk: Desk) -> None:
    from resources.gateway.account.reporting import profit

    desk.do("session", session="2024-01-03")
    desk.do("trade", symbol="AAPL", quantity=10, price=101.0)
    for day in ("2024-01-04", "2024-01-05"):
        desk.do("session", session=day)
        assert profit(desk.broker)["daily"] == pytest.approx(20.0)
    assert profit(desk.broker)["unrealized"] == pytest.approx(40.0)


@pytest.mark.parametrize(
    ("fields", "session"),
    [
        ({"goodAfterTime": "20240104 20:00:00 UTC"}, "2024-01-04"),
        ({"conditions": [{"type": 1, "conjunction": "a", "isMore": True, "price": 104.5, "exchange": "SMART"}]}, "2024-01-04"),
        ({"conditions": [{"type": 3, "conjunction": "a", "isMore": True, "time": "20240105 16:00:00 UTC"}]}, "2024-01-05"),
        ({"orderType": "MIT", "auxPrice": 98.9}, None),
        ({"orderType": "MIT", "action": "SELL", "auxPrice": 104.5}, "2024-01-04"),
        ({"orderType": "LOC", "lmtPrice": 101.0}, "2024-01-03"),
        ({"algoStrategy": "Twap"}, "2024-01-03"),
    ],
)  # fmt: skip
def test_orders_that_wait_go_on_within_the_session_that_lets_them(
    desk: Desk, fields: dict[str, Any], session: str | None
) -> None:
    con = desk.broker.instruments.find({"symbol": "AAPL"})[0].con_id
    for condition in fields.get("conditions", ()):
        condition["conId"] = con
    number = desk.place(**fields)
    desk.do("session", session="2024-01-09")
    fills = desk.fills(number)
    assert {at[:10] for *_, at in fills} == ({session} if session else set())
    assert sum(units for units, *_ in fills) == (10 if session else 0)
