"""How a contract is laid out within messages."""

from __future__ import annotations

from resources.gateway.wire.layout.fields import Field, Repeat, When, fields

REQUESTED = fields(
    "conId:i symbol secType lastTradeDate strike:n right multiplier exchange primaryExchange currency"
    " localSymbol tradingClass"
)
"""Twelve fields of a contract in a request."""

REPORTED = fields(
    "conId:i symbol secType lastTradeDate strike:n right multiplier exchange currency localSymbol"
    " tradingClass"
)
"""Eleven fields of a contract in a reply: the primary exchange is left out."""


PORTFOLIO = fields(
    "conId:i symbol secType lastTradeDate strike:n right multiplier primaryExchange currency localSymbol"
    " tradingClass"
)

FUNDAMENTAL = fields("conId:i symbol secType exchange primaryExchange currency localSymbol")

LEGS = Repeat("comboLegs", fields("conId:i ratio:i action exchange"))
ORDER_LEGS = Repeat(
    "comboLegs",
    fields("conId:i ratio:i action exchange openClose:i shortSaleSlot:i designatedLocation exemptCode:i"),
)
LEG_PRICES = Repeat("orderComboLegs", fields("price:n"))
ROUTING = Repeat("smartComboRoutingParams", fields("tag value"))


def is_combination(values: object) -> bool:
    """Whether the contract read so far is a combination of legs."""
    return isinstance(values, dict) and values.get("secType") == "BAG"


DELTA_NEUTRAL = (
    Field("deltaNeutral", "flag"),
    When(
        lambda values: bool(values.get("deltaNeutral")),
        fields("deltaNeutralContractId:i deltaNeutralDelta:n deltaNeutralPrice:n"),
    ),
)

FIELDS = tuple(field.name for field in REQUESTED)
"""Names of the fields that make up a contract."""
