"""Every kind of fault, put in force by script and by the command, where it strikes and where it does not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipelines.cli.gateway import app
from resources.gateway.process import Address, publish
from resources.gateway.service.faults import ACTIONS, NOTICES, SCENARIOS, Faults
from resources.gateway.wire.frames import HELLO, pack
from tests.brokers.conftest import ThreadGateway

from .wire import Floor, Wire, named


@pytest.fixture
def client(floor: Floor) -> Wire:
    return floor.client()


def limit(client: Wire, symbol: str, **fields: Any) -> int:
    return client.place(symbol, orderType="LMT", lmtPrice=90.0, **fields)


# ------------------------------------------------------------------------------------------ the command


@pytest.fixture
def folder(shared_gateway: ThreadGateway, tmp_path: Path) -> Path:
    """State folder through which the command finds the shared gateway."""
    running = shared_gateway._running
    assert running is not None
    publish(tmp_path, Address(running.port, running.control_port, os.getpid()))
    return tmp_path


def desk_gateway_fault(folder: Path, *words: str) -> dict[str, Any]:
    """What ``desk gateway fault`` says."""
    done = CliRunner().invoke(app, ["fault", *words, "--state", str(folder), "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, Any] = json.loads(done.output)
    return found


def test_every_fault_of_the_list_comes_into_force_by_the_command(floor: Floor, folder: Path) -> None:
    for name, scenario in SCENARIOS.items():
        desk_gateway_fault(folder, name, "--set", "skip=1000000")
        [active] = floor.gateway.ask("faults")["active"]
        assert (active["on"], active["do"], active["struck"]) == (scenario["on"], scenario["do"], 0), name
        desk_gateway_fault(folder, "clear")
    assert floor.gateway.ask("faults")["active"] == []


def test_every_notice_of_the_list_is_told_by_the_command(floor: Floor, client: Wire, folder: Path) -> None:
    for name, (code, text) in NOTICES.items():
        desk_gateway_fault(folder, name)
        [told] = named(client.settle(), "error")
        assert (told["reqId"], told["code"], told["text"]) == (-1, code, text)


def test_a_fault_of_the_command_strikes_as_it_was_set(floor: Floor, client: Wire, folder: Path) -> None:
    desk_gateway_fault(
        folder, "rejected", "--set", "times=2", "--set", "code=399", "--set", "text=three words here"
    )
    numbers = [limit(client, floor.symbol) for _ in range(3)]
    assert [client.codes(number) for number in numbers] == [[399], [399], []]
    assert {row["text"] for row in client.all_of("error") if row["code"] == 399} == {"three words here"}
    listed = desk_gateway_fault(folder, "list")
    assert listed["active"] == []
    assert listed["struck"][-2:] == ["request placeOrder reject"] * 2


# ----------------------------------------------------------------------------------------- where they strike


def test_a_fault_strikes_only_what_it_names_and_only_there(floor: Floor, client: Wire) -> None:
    floor.ask("fault", on="request", do="lose", what="placeOrder", where={"orderRef": "this"}, times=-1)
    lost, other = limit(client, floor.symbol, orderRef="this"), limit(client, floor.symbol, orderRef="that")
    assert [client.status(number) for number in (lost, other)] == ["", "Submitted"]
    client.cancel(other)
    assert client.status(other) == "Cancelled"


@pytest.mark.parametrize(
    ("skip", "times", "struck"), [(0, 1, "x..."), (2, 1, "..x."), (1, 2, ".xx."), (1, -1, ".xxx")]
)
def test_how_often_a_fault_strikes(floor: Floor, client: Wire, skip: int, times: int, struck: str) -> None:
    floor.ask("fault", name="order_lost", skip=skip, times=times)
    told = [client.status(limit(client, floor.symbol)) for _ in range(4)]
    assert ["x" if status == "" else "." for status in told] == list(struck)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 999), chance=st.floats(0.05, 0.95), skip=st.integers(0, 5), times=st.integers(1, 6)
)
def test_draws_repeat_with_their_seed_and_keep_their_number(
    seed: int, chance: float, skip: int, times: int
) -> None:
    def draws() -> list[bool]:
        faults = Faults(seed)
        faults.add({"name": "order_lost", "chance": chance, "skip": skip, "times": times})
        return [faults.take("request", "placeOrder", {}) is not None for _ in range(60)]

    assert draws() == draws()
    assert sum(draws()) <= times
    assert not any(draws()[:skip])


REPLIES_OF_A_FILL = [
    "openOrder",
    "orderStatus",
    "execDetails",
    "commissionReport",
    "openOrder",
    "orderStatus",
]
"""What a market order is told: it is open, its execution, its end."""


def told_of_a_fill(floor: Floor, client: Wire) -> list[str]:
    seen = len(client.seen)
    client.place(floor.symbol)
    return [name for name, _ in client.seen[seen:]]


REPLY_FAULTS: dict[str, list[str]] = {
    "no_order_messages": ["execDetails", "commissionReport"],
    "duplicate_status": ["openOrder", "orderStatus", "orderStatus", "execDetails", "commissionReport", "openOrder",
                         "orderStatus", "orderStatus"],
    "duplicate_executions": ["openOrder", "orderStatus", "execDetails", "execDetails", "commissionReport", "openOrder",
                             "orderStatus"],
    "execution_before_order": ["execDetails", "openOrder", "orderStatus", "commissionReport", "openOrder", "orderStatus"],
    "commission_before_execution": ["commissionReport", "openOrder", "orderStatus", "execDetails", "openOrder",
                                    "orderStatus"],
    "status_before_execution": ["openOrder", "orderStatus", "commissionReport", "openOrder", "orderStatus", "execDetails"],
    "commission_never": ["openOrder", "orderStatus", "execDetails", "openOrder", "orderStatus"],
}  # fmt: skip


@pytest.mark.parametrize("name", REPLY_FAULTS)
def test_what_is_told_of_a_fill_and_in_which_order(floor: Floor, client: Wire, name: str) -> None:
    assert told_of_a_fill(floor, client) == REPLIES_OF_A_FILL
    floor.ask("fault", name=name)
    assert told_of_a_fill(floor, client) == REPLY_FAULTS[name]
    floor.ask("faults", clear=True)
    assert told_of_a_fill(floor, client) == REPLIES_OF_A_FILL
    assert floor.held() == 30


@pytest.mark.parametrize(("name", "commission"), [("commission_unset", None), ("commission_negative", -1.0)])
def test_commissions_that_are_none(floor: Floor, client: Wire, name: str, commission: float | None) -> None:
    floor.ask("fault", name=name)
    client.place(floor.symbol)
    assert [row["commission"] for row in client.all_of("commissionReport")] == [commission]
    floor.ask("faults", clear=True)
    told = named(client.ask("reqExecutions", symbol=floor.symbol), "commissionReport")
    assert [row["commission"] for row in told] == [0], "asked for again it is the true one"


REFUSING = {
    "rejected": 201, "bad_tick": 110, "no_definition": 200, "validation_error": 321, "size_zero": 434, "read_only": 321,
}  # fmt: skip
ANSWERING = {"duplicate_id": 103, "modify_filled": 104, "held_message": 399, "tif_preset": 10349}


@pytest.mark.parametrize("name", [*REFUSING, *ANSWERING])
def test_codes_about_an_order_that_is_refused_or_lives(floor: Floor, client: Wire, name: str) -> None:
    floor.ask("fault", name=name)
    number = limit(client, floor.symbol)
    assert client.codes(number) == [{**REFUSING, **ANSWERING}[name]]
    assert len(floor.orders()) == (name in ANSWERING)
    assert client.status(number) == ("Submitted" if name in ANSWERING else "")


@pytest.mark.parametrize("replies", range(8))
def test_a_connection_that_drops_after_any_reply_leaves_the_order_filled(floor: Floor, replies: int) -> None:
    dropped, watcher = floor.client(), floor.client()
    floor.ask("fault", name="drop_before_ack", replies=replies)
    with pytest.raises(OSError):  # noqa: PT011 - closed or reset
        dropped.place(floor.symbol, orderRef=f"after {replies}")
    [told] = named(watcher.ask("reqExecutions", symbol=floor.symbol), "execDetails")
    assert told["orderRef"] == f"after {replies}"
    assert floor.held() == 10


PARTS: dict[str, tuple[str, dict[str, Any], str, float]] = {
    # fault, what differs; status and units of an order of ten
    "a half": ("partial", {}, "Submitted", 5),
    "a fifth": ("partial", {"share": 0.2}, "Submitted", 2),
    "all": ("partial", {"share": 1.0}, "Filled", 10),
    "nothing": ("partial", {"share": 0.0}, "Submitted", 0),
    "a half, the rest cancelled": ("partial_then_cancel", {}, "Cancelled", 5),
    "a tenth, the rest cancelled": ("partial_then_cancel", {"share": 0.1}, "Cancelled", 1),
    "held": ("held", {}, "PreSubmitted", 0),
    "inactive": ("inactive", {}, "Inactive", 0),
    "twice": ("accepted_twice", {}, "Filled", 10),
}


@pytest.mark.parametrize("name", PARTS)
def test_what_becomes_of_a_market_order(floor: Floor, client: Wire, name: str) -> None:
    fault, changes, status, filled = PARTS[name]
    floor.ask("fault", name=fault, **changes)
    number = client.place(floor.symbol, orderRef="R")
    assert client.status(number) == status
    rows = floor.orders()
    assert [row["filled"] for row in rows] == [filled] * (2 if name == "twice" else 1)
    assert {row["orderRef"] for row in rows} == {"R"}
    assert len({row["permId"] for row in rows}) == len(rows)
    assert floor.held() == sum(row["filled"] for row in rows)
    if name == "held":
        assert client.codes(number) == [399]
        floor.ask("release")
        assert client.status(number) == "Filled"


@pytest.mark.parametrize(("name", "status", "filled"), [
    ("cancel_not_possible", "Submitted", 0),
    ("cancel_not_found", "Submitted", 0),
    ("cancel_wrong_state", "Submitted", 0),
    ("fill_before_cancel", "Filled", 10),
    ("fill_after_cancel", "Cancelled", 10),
])  # fmt: skip
def test_what_becomes_of_a_cancel(floor: Floor, client: Wire, name: str, status: str, filled: int) -> None:
    number = limit(client, floor.symbol)
    floor.ask("fault", name=name)
    client.cancel(number)
    assert (client.status(number), floor.held()) == (status, filled)
    codes = {"cancel_not_possible": [161], "cancel_not_found": [10147], "cancel_wrong_state": [10148],
             "fill_before_cancel": [10148], "fill_after_cancel": [202]}  # fmt: skip
    assert client.codes(number) == codes[name]


@pytest.mark.parametrize("burn", [True, False])
def test_a_swallowed_order_surfaces_on_release_under_its_own_id(
    floor: Floor, client: Wire, burn: bool
) -> None:
    floor.ask("fault", name="order_swallowed_id_burnt" if burn else "order_swallowed")
    number = limit(client, floor.symbol, order_id=333)
    assert (client.status(number), floor.orders()) == ("", [])
    [told] = named(client.ask("reqIds", count=1), "nextValidId")
    assert told["orderId"] == (334 if burn else 1)
    assert floor.ask("release")["delivered"] == 1
    assert client.status(number) == "Submitted"
    assert floor.ask("release")["delivered"] == 0


def test_only_one_leg_of_a_combination_fills(floor: Floor, client: Wire) -> None:
    other = floor.list(f"{floor.symbol}B", 40.0)
    con = named(client.ask("reqContractDetails", symbol=floor.symbol), "contractDetails")[0]["conId"]
    legs = [
        {"conId": con, "ratio": 1, "action": "BUY", "exchange": "SMART"},
        {"conId": other, "ratio": 2, "action": "SELL", "exchange": "SMART"},
    ]
    for leg, held in ((1, (5.0, 0.0)), (2, (5.0, -10.0))):
        floor.ask("fault", name="legs_only", leg=leg)
        number = client.place(floor.symbol, secType="BAG", comboLegs=legs, totalQuantity=5.0)
        assert client.status(number) == "PreSubmitted"
        assert (floor.held(), floor.held(f"{floor.symbol}B")) == held


MISSING_ENDS = {
    "no_positions_end": ("reqPositions", "positionEnd"),
    "no_open_orders_end": ("reqOpenOrders", "openOrderEnd"),
    "no_completed_orders_end": ("reqCompletedOrders", "completedOrdersEnd"),
    "no_executions_end": ("reqExecutions", "execDetailsEnd"),
    "no_account_end": ("reqAccountUpdates", "accountDownloadEnd"),
    "no_contract_end": ("reqContractDetails", "contractDetailsEnd"),
}


@pytest.mark.parametrize("name", MISSING_ENDS)
def test_an_end_is_missing_until_the_fault_is_cleared(floor: Floor, client: Wire, name: str) -> None:
    request, end = MISSING_ENDS[name]
    wanted = {"symbol": floor.symbol, "subscribe": True, "account": ""}
    floor.ask("fault", name=name)
    for _ in range(2):
        assert end not in [reply for reply, _ in client.ask(request, **wanted)]
    floor.ask("faults", clear=True)
    assert [reply for reply, _ in client.ask(request, **wanted)][-1] == end


DATA = {
    "pacing_violation": 162,
    "no_market_data": 354,
    "competing_session": 10197,
    "delayed_data_notice": 10167,
}


@pytest.mark.parametrize("name", DATA)
def test_codes_about_data(floor: Floor, client: Wire, name: str) -> None:
    number = client.request_id()
    history = name == "pacing_violation"
    wanted: dict[str, Any] = (
        {"duration": "1 D", "barSize": "1 day", "whatToShow": "TRADES"} if history else {}
    )
    floor.ask("fault", name=name)
    told = client.ask(
        "reqHistoricalData" if history else "reqMktData", reqId=number, symbol=floor.symbol, **wanted
    )
    assert client.codes(number) == [DATA[name]]
    assert bool(named(told, "tickPrice")) == (name == "delayed_data_notice")


def test_every_action_of_the_table_is_in_a_scenario() -> None:
    used = {(scenario["on"], scenario["do"]) for scenario in SCENARIOS.values()}
    named_actions = {(place, do) for place, actions in ACTIONS.items() for do in actions}
    assert used == named_actions


# -------------------------------------------------------------------------------------------- raw bytes


@settings(max_examples=25, deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=64),
        st.binary(max_size=64).map(lambda rest: HELLO + rest),
        st.lists(st.text(max_size=6), max_size=12).map(
            lambda fields: HELLO + b"\0\0\0\x08v157..178"[:12] + pack(fields)
        ),
        st.lists(st.integers(0, 255), max_size=40).map(
            lambda values: HELLO + b"\0\0\0\x09v157..178" + pack(["71", "2", "5", ""]) + bytes(values)
        ),
    )
)
def test_any_bytes_leave_the_gateway_as_it_was(shared_gateway: ThreadGateway, data: bytes) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", shared_gateway.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert shared_gateway.ask("status")["port"] == shared_gateway.port


@settings(max_examples=25, deadline=None)
@given(
    fields=st.lists(st.text(max_size=8), max_size=20),
    number=st.sampled_from(["1", "3", "4", "9", "20", "22", "54", "97", "102"]),
)
def test_any_fields_are_answered_and_the_connection_goes_on(
    shared_gateway: ThreadGateway, fields: list[str], number: str
) -> None:
    from .conftest import _client_ids

    client = Wire(shared_gateway.port, next(_client_ids))
    client.raw(number, *(field.replace("\0", "").encode("utf-8", "ignore").decode() for field in fields))
    told = client.settle()
    assert all(name == "error" for name, _ in told) or number not in {"3", "4", "9"}
    assert client.ask("reqIds", count=1)[-1][0] == "nextValidId"
    client.close()
