"""Which orders the gateway refuses, with the code and the text that the client gets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from resources.gateway.account.allocation import Group, group_name, problem
from resources.gateway.instruments.database import Instrument
from resources.gateway.orders.scaling import is_scaled, misfit
from resources.gateway.orders.translate import (
    HEDGE_TYPES,
    HEDGES,
    TIMES_IN_FORCE,
    TYPES,
    hedge_parameter,
    is_hedge,
    neutral_type,
)
from resources.gateway.wire.layout.fields import Values
from resources.gateway.wire.times import TimeSpellingError, read_time

ALGORITHMS = frozenset({"Adaptive", "Twap", "Vwap"})
MAX_ORDER_ID = 2**31 - 1


class Refusal(NamedTuple):
    """Why something is refused: message code and text."""

    code: int
    text: str


def invalid(text: str) -> Refusal:
    """Refusal of an order whose terms do not fit, in the broker's words."""
    return Refusal(321, f"Error validating request.-'bH' : cause - {text}")


NO_DEFINITION = Refusal(200, "No security definition has been found for the request")
READ_ONLY = Refusal(
    321, "Error validating request.-'bN' : cause - The API interface is currently in Read-Only mode."
)


def check_order(values: Values, instrument: Instrument, now: datetime) -> Refusal | None:
    """First reason to refuse an order, or None."""
    for check in _CHECKS:
        refusal = check(values, instrument)
        if refusal is not None:
            return refusal
    return _check_times(values, now)


def check_tick(values: Values, instrument: Instrument) -> Refusal | None:
    """Refusal of prices that are no multiple of the instrument's tick."""
    for name in ("lmtPrice", "auxPrice", "trailStopPrice"):
        price = values.get(name)
        if price and abs(price / instrument.min_tick - round(price / instrument.min_tick)) > 1e-6:
            return Refusal(
                110, "The price does not conform to the minimum price variation for this contract."
            )
    return None


def check_account(values: Values, names: Sequence[str], groups: Mapping[str, Group]) -> Refusal | None:
    """Refusal of an order for no account of the login, or for none at all where there are several."""
    if group_name(values):
        text = problem(values, names, groups)
        return invalid(text) if text else None
    if values.get("account") in names or (not values.get("account") and len(names) == 1):
        return None
    if not values.get("account"):
        return Refusal(435, "You must specify an account.")
    return invalid(f"Invalid account code '{values['account']}'.")


def _side(values: Values, _: Instrument) -> Refusal | None:
    if values.get("action") not in {"BUY", "SELL", "SSHORT"}:
        return invalid(f"Invalid side '{values.get('action')}'.")
    return None


def _quantity(values: Values, instrument: Instrument) -> Refusal | None:
    quantity = values.get("totalQuantity")
    if is_hedge(values):
        return None
    if quantity == 0 or quantity is None:
        return Refusal(434, "The order size cannot be zero.")
    if not 0 < quantity < 1e12:
        return invalid("Invalid order size.")
    if instrument.sec_type in {"OPT", "FUT", "BAG"} and quantity != int(quantity):
        return Refusal(10243, "Fractional-sized order cannot be placed via API.")
    return None


def _type(values: Values, _: Instrument) -> Refusal | None:
    if values.get("orderType") not in TYPES:
        return Refusal(
            387, f"Unsupported order type for this exchange and security type: {values.get('orderType')}."
        )
    return None


def _prices(values: Values, _: Instrument) -> Refusal | None:
    kind = values["orderType"]
    if is_hedge(values):
        return None
    if kind in {"LMT", "LOC", "LIT", "STP LMT"} and values.get("lmtPrice") is None:
        return invalid(f"{kind} order needs a limit price.")
    if kind in {"STP", "STP LMT", "STP PRT", "MIT", "LIT"} and not values.get("auxPrice"):
        return invalid(f"{kind} order needs an auxiliary price.")
    if kind in {"TRAIL", "TRAIL LIMIT"} and not (values.get("auxPrice") or values.get("trailingPercent")):
        return invalid(f"{kind} order needs an amount or a percent.")
    if kind == "TRAIL LIMIT" and values.get("lmtPriceOffset") is None and values.get("lmtPrice") is None:
        return invalid(f"{kind} order needs a limit price or its offset.")
    return None


def _time_in_force(values: Values, _: Instrument) -> Refusal | None:
    if (values.get("tif") or "") not in TIMES_IN_FORCE:
        return invalid(f"Invalid time in force '{values['tif']}'.")
    if values.get("tif") == "GTD" and not values.get("goodTillDate"):
        return invalid("GTD order needs a date.")
    return None


def _algorithm(values: Values, _: Instrument) -> Refusal | None:
    name = values.get("algoStrategy")
    if name and name not in ALGORITHMS:
        return Refusal(442, f"Invalid algo definition: {name}.")
    if name and values["orderType"] not in {"MKT", "LMT"}:
        return Refusal(441, f"Algo {name} works on MKT and LMT orders only.")
    return None


def _conditions(values: Values, _: Instrument) -> Refusal | None:
    for condition in values.get("conditions") or ():
        wanted = _NEEDED.get(condition["type"], ())
        if any(condition.get(name) is None for name in wanted):
            return invalid("Incomplete condition.")
    return None


_NEEDED = {1: ("price", "conId"), 4: ("percent",), 6: ("volume", "conId"), 7: ("changePercent", "conId")}


def _adjustment(values: Values, _: Instrument) -> Refusal | None:
    kind = values.get("adjustedOrderType")
    if not kind:
        return None
    wanted = _ADJUSTED.get(kind)
    if wanted is None or values["orderType"] != "STP":
        return invalid(f"Cannot adjust a stop to '{kind}'.")
    if any(values.get(name) is None for name in ("triggerPrice", *wanted)):
        return invalid("Incomplete adjustment.")
    return None


_ADJUSTED = {
    "STP": ("adjustedStopPrice",),
    "STP LMT": ("adjustedStopPrice", "adjustedStopLimitPrice"),
    "TRAIL": ("adjustedStopPrice", "adjustedTrailingAmount"),
    "TRAIL LIMIT": ("adjustedStopPrice", "adjustedTrailingAmount", "lmtPriceOffset"),
}


def _scale(values: Values, _: Instrument) -> Refusal | None:
    text = misfit(values) if is_scaled(values) else ""
    return invalid(text) if text else None


def _hedge(values: Values, _: Instrument) -> Refusal | None:
    kind = values.get("hedgeType")
    if not kind:
        return None
    if kind not in HEDGES:
        text = f"Invalid hedge type '{kind}'; there are {', '.join(sorted(HEDGES))}."
    elif not values.get("parentId"):
        text = "A hedging order needs a parent."
    elif is_scaled(values) or values.get("algoStrategy") in {"Twap", "Vwap"}:
        text = "A hedging order can have neither levels nor a schedule."
    elif kind == "F" and values.get("totalQuantity"):
        text = "FX Hedge orders can only have a quantity of 0."
    elif not _parameter_fits(values):
        text = f"Invalid hedge parameter '{values.get('hedgeParam') or ''}' of a hedge of type {kind}."
    elif values.get("orderType") not in HEDGE_TYPES:
        return Refusal(387, f"Unsupported order type for a hedging order: {values.get('orderType')}.")
    else:
        return None
    return invalid(text)


def _delta_neutral(values: Values, instrument: Instrument) -> Refusal | None:
    kind = neutral_type(values)
    if not kind:
        return None
    if kind not in HEDGE_TYPES:
        return Refusal(387, f"Unsupported order type for a hedging order: {kind}.")
    if instrument.sec_type != "OPT" or not instrument.under_con_id:
        text = "A delta neutral order trades an option with a known underlying."
    elif values.get("deltaNeutralConId") not in {None, 0, instrument.under_con_id}:
        text = "A delta neutral order is hedged with the underlying of its option."
    else:
        return None
    return invalid(text)


def _parameter_fits(values: Values) -> bool:
    """Whether the ratio of a pair is above 0, and the beta of a beta hedge, where it is named, not 0."""
    if values["hedgeType"] not in {"B", "P"}:
        return True
    if values["hedgeType"] == "B" and not values.get("hedgeParam"):
        return True
    try:
        number = hedge_parameter(values)
    except ValueError:
        return False
    return math.isfinite(number) and (number > 0.0 if values["hedgeType"] == "P" else number != 0.0)


_CHECKS: tuple[Callable[[Values, Instrument], Refusal | None], ...] = (
    _side,
    _hedge,
    _delta_neutral,
    _quantity,
    _type,
    _prices,
    _time_in_force,
    _algorithm,
    _conditions,
    _adjustment,
    _scale,
    check_tick,
)


def _check_times(values: Values, now: datetime) -> Refusal | None:
    wanted = [
        (name, code, values.get(name)) for name, code in (("goodAfterTime", 337), ("goodTillDate", 336))
    ]
    for entry in values.get("algoParams") or ():
        if entry["tag"] in {"startTime", "endTime"}:
            wanted.append((entry["tag"], 442, entry["value"]))
    for condition in values.get("conditions") or ():
        if condition["type"] == 3:
            wanted.append(("condition time", 321, condition["time"] or "none"))
    for name, code, text in wanted:
        if text:
            try:
                read_time(text, now)
            except TimeSpellingError as error:
                return Refusal(code, f"Invalid {name}: {error}.")
    return None
