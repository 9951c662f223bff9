"""Faults: what goes wrong, where, how often and when. Scripted, seeded, and named in :data:`SCENARIOS`."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Place = Literal["accept", "hello", "start", "request", "reply", "bytes"]
"""Where a fault strikes: a connection, its handshake, its start, a request, a reply, the bytes of replies."""

ACTIONS: dict[str, dict[str, str]] = {
    "accept": {
        "silent": "accept the connection and never answer",
        "close": "accept the connection and close it",
    },
    "hello": {
        "version": "claim the server version `version`",
        "malformed": "answer the handshake with `text` instead of version and time",
    },
    "start": {
        "in_use": "refuse the client id with 326 and close",
        "no_accounts": "never tell the account",
        "late_id": "tell the next order id after `delay` seconds",
        "no_id": "never tell the next order id",
    },
    "request": {
        "lose": "lose the request before delivery",
        "reject": "refuse it with `code` and `text`, without delivery",
        "answer": "deliver it, and tell `code` and `text` all the same",
        "drop": "close the connection before delivery",
        "drop_after": "deliver it, send the first `replies` replies (0) to the client, close the connection",
        "swallow": "keep it for `delay` seconds, or until it is released; `burn`: count its id as used",
        "twice": "deliver an order twice: two permanent ids, one reference",
        "inactive": "deliver an order that becomes Inactive, with `code` and `text`",
        "hold": "deliver an order that waits until it is released, with message 399",
        "part": "fill the share `share` of an order at the last price, then cancel the rest if `cancel`",
        "fill_first": "fill an order that a cancel names before the cancel arrives",
        "fill_after": "fill an order that a cancel names after it was cancelled",
        "legs": "fill only leg number `leg` of a combination",
        "freeze": "stop the process, as SIGSTOP does, before (`when`: before) or after delivery",
        "kill": "end the process at once, before (`when`: before) or after delivery (`when`: after)",
    },
    "reply": {
        "mute": "do not send it",
        "duplicate": "send it twice",
        "delay": "send it after `delay` seconds",
        "change": "send it with the fields of `values` changed",
        "last": "send it after every other reply of the same step",
        "first": "send it before every other reply of the same step",
    },
    "bytes": {
        "half": "send half of the bytes and close",
        "dribble": "send the bytes one at a time",
        "oversize": "announce a frame of 512 MiB",
        "garbage": "send `text` as a frame",
        "reset": "reset the connection instead of closing it, nothing sent",
        "close": "close the connection, nothing sent",
    },
}
"""Every action by the place where it strikes, with what it does."""


class FaultError(ValueError):
    """A fault that is not known or not complete."""


@dataclass(slots=True)
class Fault:
    """One scripted fault.

    Attributes
    ----------
    on, do : str
        Place and action, see :data:`ACTIONS`.
    what : str
        Name of the request or reply; ``*`` for any.
    where : dict
        Values that the request or reply must have, such as ``{"orderRef": "D1"}``.
    skip, times : int
        Let so many pass first; strike so often (-1: always).
    chance : float
        Probability of striking, drawn from the gateway's seed.
    """

    number: int
    on: Place
    do: str
    what: str = "*"
    where: dict[str, Any] = field(default_factory=dict)
    skip: int = 0
    times: int = 1
    chance: float = 1.0
    delay: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)
    struck: int = 0

    def get(self, name: str, default: Any = None) -> Any:
        """Option of the action."""
        return self.options.get(name, default)


class Faults:
    """Faults in force, in the order in which they were added.

    Parameters
    ----------
    seed : int
        Seed of the draws for faults with a chance.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible, nothing secret
        self._numbers = itertools.count(1)
        self.active: list[Fault] = []
        self.history: list[str] = []

    def add(self, specification: Mapping[str, Any]) -> Fault:
        """Put a fault in force.

        Parameters
        ----------
        specification : mapping
            Attributes of a fault and options of its action; or ``name`` of a scenario with what differs.

        Raises
        ------
        FaultError
            When the name, place or action is not known, or a value has the wrong type.
        """
        wanted = dict(specification)
        name = wanted.pop("name", None)
        if name is not None:
            if name not in SCENARIOS:
                raise FaultError(f"no fault is called {name!r}; known are {', '.join(sorted(SCENARIOS))}")
            wanted = {**SCENARIOS[name], **wanted}
        fault = self._build(wanted)
        self.active.append(fault)
        return fault

    def remove(self, number: int) -> bool:
        """Take a fault out of force; whether it was in force."""
        before = len(self.active)
        self.active = [fault for fault in self.active if fault.number != number]
        return len(self.active) < before

    def clear(self) -> None:
        """Take every fault out of force."""
        self.active.clear()

    def take(self, on: Place, what: str = "", values: Mapping[str, Any] | None = None) -> Fault | None:
        """Fault that strikes here and now, counted as having struck."""
        for fault in self.active:
            if fault.on != on or not _fits(fault, what, values or {}):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.chance < 1.0 and self._random.random() >= fault.chance:
                continue
            self._strike(fault, what)
            return fault
        return None

    def _strike(self, fault: Fault, what: str) -> None:
        fault.struck += 1
        self.history.append(f"{fault.on} {what} {fault.do}".replace("  ", " "))
        del self.history[:-1000]
        if 0 < fault.times <= fault.struck:
            self.active.remove(fault)

    def _build(self, wanted: dict[str, Any]) -> Fault:
        on, do = wanted.pop("on", None), wanted.pop("do", None)
        if on not in get_args(Place):
            raise FaultError(f"a fault strikes on {', '.join(get_args(Place))}, not on {on!r}")
        if do not in ACTIONS[on]:
            raise FaultError(f"on {on} a fault can do {', '.join(ACTIONS[on])}, not {do!r}")
        own = {name: wanted.pop(name) for name in _OWN if name in wanted}
        try:
            for name, kind in _OWN.items():
                if name in own:
                    own[name] = kind(own[name])
        except (TypeError, ValueError) as error:
            raise FaultError(f"fault {on} {do}: {error}") from None
        return Fault(next(self._numbers), on, do, options=wanted, **own)


_OWN: dict[str, Any] = {
    "what": str,
    "where": dict,
    "skip": int,
    "times": int,
    "chance": float,
    "delay": float,
}


def _fits(fault: Fault, what: str, values: Mapping[str, Any]) -> bool:
    if fault.what not in {"*", what} and what not in fault.what.split("|"):
        return False
    return all(values.get(name) == value for name, value in fault.where.items())


def _order(do: str, **options: Any) -> dict[str, Any]:
    return {"on": "request", "what": "placeOrder", "do": do, **options}


def _reply(what: str, do: str, **options: Any) -> dict[str, Any]:
    return {"on": "reply", "what": what, "do": do, **options}


def _missing_end(what: str) -> dict[str, Any]:
    return _reply(what, "mute", times=-1)


SCENARIOS: dict[str, dict[str, Any]] = {
    # connecting
    "silent": {"on": "accept", "do": "silent"},
    "hang_up": {"on": "accept", "do": "close"},
    "old_version": {"on": "hello", "do": "version", "version": 100},
    "malformed_version": {"on": "hello", "do": "malformed", "text": "one\0two\0three"},
    "client_id_in_use": {"on": "start", "do": "in_use"},
    "no_accounts": {"on": "start", "do": "no_accounts"},
    "late_next_id": {"on": "start", "do": "late_id", "delay": 1.0},
    "no_next_id": {"on": "start", "do": "no_id"},
    "no_positions_end": _missing_end("positionEnd"),
    "no_open_orders_end": _missing_end("openOrderEnd"),
    "no_completed_orders_end": _missing_end("completedOrdersEnd"),
    "no_executions_end": _missing_end("execDetailsEnd"),
    "no_account_end": _missing_end("accountDownloadEnd"),
    "no_contract_end": _missing_end("contractDetailsEnd"),
    "slow": _reply("*", "delay", delay=1.0, times=-1),
    "read_only": _order(
        "reject",
        code=321,
        text="Error validating request.-'bN' : cause - The API interface is currently in Read-Only mode.",
        times=-1,
    ),
    # orders
    "order_lost": _order("lose"),
    "drop_before_delivery": _order("drop"),
    "drop_before_ack": _order("drop_after"),
    "drop_after_ack": _order("drop_after", replies=2),
    "order_swallowed": _order("swallow", delay=0.0),
    "order_swallowed_id_burnt": _order("swallow", delay=0.0, burn=True),
    "accepted_twice": _order("twice"),
    "rejected": _order("reject", code=201, text="Order rejected - reason:simulated."),
    "bad_tick": _order(
        "reject",
        code=110,
        text="The price does not conform to the minimum price variation for this contract.",
    ),
    "no_definition": _order("reject", code=200, text="No security definition has been found for the request"),
    "validation_error": _order(
        "reject", code=321, text="Error validating request.-'bH' : cause - simulated."
    ),
    "size_zero": _order("reject", code=434, text="The order size cannot be zero."),
    "duplicate_id": _order("answer", code=103, text="Duplicate order id"),
    "modify_filled": _order("answer", code=104, text="Cannot modify a filled order."),
    "held_message": _order(
        "answer",
        code=399,
        text="Order Message: Warning: your order will not be placed at the exchange until the market opens",
    ),
    "tif_preset": _order("answer", code=10349, text="Order TIF was set to DAY based on order preset."),
    "inactive": _order("inactive", code=201, text="Order rejected - reason:simulated."),
    "held": _order("hold"),
    "partial_then_cancel": _order("part", share=0.5, cancel=True),
    "partial": _order("part", share=0.5),
    "legs_only": _order("legs", leg=1),
    "freeze_before_order": _order("freeze", when="before"),
    "freeze_after_order": _order("freeze", when="after"),
    "kill_before_order": _order("kill", when="before"),
    "kill_after_order": _order("kill", when="after"),
    "cancel_not_possible": {
        "on": "request",
        "what": "cancelOrder",
        "do": "reject",
        "code": 161,
        "text": "Cancel attempted when order is not in a cancellable state.",
    },
    "cancel_not_found": {
        "on": "request",
        "what": "cancelOrder",
        "do": "reject",
        "code": 10147,
        "text": "OrderId that needs to be cancelled is not found.",
    },
    "cancel_wrong_state": {
        "on": "request",
        "what": "cancelOrder",
        "do": "reject",
        "code": 10148,
        "text": "OrderId that needs to be cancelled cannot be cancelled, state: Submitted.",
    },
    "fill_before_cancel": {"on": "request", "what": "cancelOrder", "do": "fill_first"},
    "fill_after_cancel": {"on": "request", "what": "cancelOrder", "do": "fill_after"},
    # what is told of orders
    "no_order_messages": _reply("openOrder|orderStatus", "mute", times=-1),
    "duplicate_status": _reply("orderStatus", "duplicate", times=-1),
    "duplicate_executions": _reply("execDetails", "duplicate", times=-1),
    "execution_before_order": _reply("execDetails", "first", times=-1),
    "commission_before_execution": _reply("commissionReport", "first", times=-1),
    "status_before_execution": _reply("execDetails", "last", times=-1),
    "commission_delayed": _reply("commissionReport", "delay", delay=0.2, times=-1),
    "commission_never": _reply("commissionReport", "mute", times=-1),
    "commission_unset": _reply("commissionReport", "change", values={"commission": None}, times=-1),
    "commission_negative": _reply("commissionReport", "change", values={"commission": -1.0}, times=-1),
    # bytes
    "half_frame": {"on": "bytes", "do": "half"},
    "dribble": {"on": "bytes", "do": "dribble"},
    "oversize": {"on": "bytes", "do": "oversize"},
    "garbage": {"on": "bytes", "do": "garbage", "text": "garbage"},
    "reset": {"on": "bytes", "do": "reset"},
    "close": {"on": "bytes", "do": "close"},
    # data
    "pacing_violation": {
        "on": "request",
        "what": "reqHistoricalData",
        "do": "reject",
        "code": 162,
        "text": "Historical Market Data Service error message:Historical data request pacing violation",
    },
    "empty_history": _reply("historicalData", "change", values={"bars": []}),
    "no_market_data": {
        "on": "request",
        "what": "reqMktData",
        "do": "reject",
        "code": 354,
        "text": "Requested market data is not subscribed.",
    },
    "competing_session": {
        "on": "request",
        "what": "reqMktData",
        "do": "reject",
        "code": 10197,
        "text": "No market data during competing live session",
    },
    "delayed_data_notice": {
        "on": "request",
        "what": "reqMktData",
        "do": "answer",
        "code": 10167,
        "text": "Requested market data is not subscribed. Displaying delayed market data.",
    },
    "absent_ticks": _reply("tickPrice", "change", values={"price": -1.0, "size": 0}, times=-1),
    "absent_greeks": _reply(
        "tickOptionComputation",
        "change",
        values={"impliedVolatility": -1, "delta": -2, "gamma": -2, "vega": -2, "theta": -2},
        times=-1,
    ),
}
"""Faults by name; whatever differs may be given besides the name."""

NOTICES: dict[str, tuple[int, str]] = {
    "connectivity_lost": (1100, "Connectivity between IBKR and Trader Workstation has been lost."),
    "connectivity_restored_data_lost": (
        1101,
        "Connectivity between IBKR and Trader Workstation has been restored - data lost.",
    ),
    "connectivity_restored": (
        1102,
        "Connectivity between IBKR and Trader Workstation has been restored - data maintained.",
    ),
    "port_reset": (1300, "TWS socket port has been reset and this connection is being dropped."),
    "server_broken": (2110, "Connectivity between Trader Workstation and server is broken."),
    "market_data_broken": (2103, "Market data farm connection is broken:usfarm"),
    "market_data_ok": (2104, "Market data farm connection is OK:usfarm"),
    "history_broken": (2105, "HMDS data farm connection is broken:ushmds"),
    "history_ok": (2106, "HMDS data farm connection is OK:ushmds"),
    "history_inactive": (
        2107,
        "HMDS data farm connection is inactive but should be available upon demand.ushmds",
    ),
    "market_data_inactive": (
        2108,
        "Market data farm connection is inactive but should be available upon demand.usfarm",
    ),
    "market_data_connecting": (2119, "Market data farm is connecting:usfarm"),
    "definitions_broken": (2157, "Sec-def data farm connection is broken:secdefil"),
    "definitions_ok": (2158, "Sec-def data farm connection is OK:secdefil"),
}
"""Notices of the whole session by name: code and text."""
