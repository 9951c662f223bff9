"""The three long messages: placeOrder, openOrder and completedOrder.

They share field names, so that what a client placed is echoed from the same values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from resources.gateway.wire.layout.contracts import (
    DELTA_NEUTRAL,
    LEG_PRICES,
    ORDER_LEGS,
    REPORTED,
    REQUESTED,
    ROUTING,
    is_combination,
)
from resources.gateway.wire.layout.fields import (
    Before,
    Choice,
    Field,
    Fixed,
    Item,
    Message,
    Repeat,
    Since,
    When,
    fields,
    together,
)


def _given(name: str) -> Any:
    def holds(values: Mapping[str, Any]) -> bool:
        return bool(values.get(name))

    return holds


def _scaled(values: Mapping[str, Any]) -> bool:
    return (values.get("scalePriceIncrement") or 0) > 0


def _of_type(*types: str) -> Any:
    def holds(values: Mapping[str, Any]) -> bool:
        return values.get("orderType") in types

    return holds


def _infinite_offset(values: Mapping[str, Any]) -> bool:
    return values.get("competeAgainstBestOffset") == math.inf


_CONDITION: dict[int, tuple[Item, ...]] = {
    1: fields("conjunction isMore:b price:n conId:i exchange triggerMethod:i"),
    3: fields("conjunction isMore:b time"),
    4: fields("conjunction isMore:b percent:i"),
    5: fields("conjunction secType exchange symbol"),
    6: fields("conjunction isMore:b volume:i conId:i exchange"),
    7: fields("conjunction isMore:b changePercent:n conId:i exchange"),
}
_CONDITIONS = Repeat(
    "conditions",
    (Field("type", "integer"), Choice("type", _CONDITION)),
    then=fields("conditionsIgnoreRth:b conditionsCancelOrder:b"),
)
_PARAMETERS = Repeat("algoParams", fields("tag value"))
_PEGGED_TO_BENCHMARK = When(
    _of_type("PEG BENCH", "PEGBENCH"),
    fields(
        "referenceContractId:i isPeggedChangeAmountDecrease:b peggedChangeAmount:n referenceChangeAmount:n"
        " referenceExchangeId"
    ),
)
_SCALE = When(
    _scaled,
    fields(
        "scalePriceAdjustValue:n scalePriceAdjustInterval:i scaleProfitOffset:n scaleAutoReset:b"
        " scaleInitPosition:i scaleInitFillQty:i scaleRandomPercent:b"
    ),
)
_HEDGE = together("hedgeType", (When(_given("hedgeType"), fields("hedgeParam")),))
_ALGO = together("algoStrategy", (When(_given("algoStrategy"), (_PARAMETERS,)),))
_HEAD = (
    "action totalQuantity:n orderType lmtPrice:n auxPrice:n tif ocaGroup account openClose origin:i orderRef"
)
_DELTA_NEUTRAL_ORDER = When(
    _given("deltaNeutralOrderType"),
    fields(
        "deltaNeutralConId:i deltaNeutralSettlingFirm deltaNeutralClearingAccount deltaNeutralClearingIntent"
        " deltaNeutralOpenClose deltaNeutralShortSale:b deltaNeutralShortSaleSlot:i"
        " deltaNeutralDesignatedLocation"
    ),
)
_PEG_TAIL = Since(
    170,
    fields("minTradeQty:i minCompeteSize:i competeAgainstBestOffset:n midOffsetAtWhole:n midOffsetAtHalf:n"),
)

PLACE_ORDER = Message(
    3,
    "placeOrder",
    together(
        "orderId:i",
        REQUESTED,
        "secIdType secId",
        _HEAD,
        "transmit:b parentId:i blockOrder:b sweepToFill:b displaySize:i triggerMethod:i outsideRth:b"
        " hidden:b",
        (When(is_combination, (ORDER_LEGS, LEG_PRICES, ROUTING)), Fixed("")),
        "discretionaryAmt:n goodAfterTime goodTillDate faGroup faMethod faPercentage",
        (Before(177, fields("faProfile")),),
        "modelCode shortSaleSlot:i designatedLocation exemptCode:i ocaType:i rule80A settlingFirm allOrNone:b"
        " minQty:i percentOffset:n eTradeOnly:b firmQuoteOnly:b nbboPriceCap:n auctionStrategy:i"
        " startingPrice:n stockRefPrice:n delta:n stockRangeLower:n stockRangeUpper:n"
        " overridePercentageConstraints:b volatility:n volatilityType:i deltaNeutralOrderType"
        " deltaNeutralAuxPrice:n",
        (_DELTA_NEUTRAL_ORDER,),
        "continuousUpdate:b referencePriceType:i trailStopPrice:n trailingPercent:n scaleInitLevelSize:i"
        " scaleSubsLevelSize:i scalePriceIncrement:n",
        (_SCALE,),
        "scaleTable activeStartTime activeStopTime",
        _HEDGE,
        "optOutSmartRouting:b clearingAccount clearingIntent notHeld:b",
        DELTA_NEUTRAL,
        _ALGO,
        "algoId whatIf:b orderMiscOptions solicited:b randomizeSize:b randomizePrice:b",
        (_PEGGED_TO_BENCHMARK, _CONDITIONS),
        "adjustedOrderType triggerPrice:n lmtPriceOffset:n adjustedStopPrice:n adjustedStopLimitPrice:n"
        " adjustedTrailingAmount:n adjustableTrailingUnit:i extOperator softDollarTierName"
        " softDollarTierValue cashQty:n mifid2DecisionMaker mifid2DecisionAlgo mifid2ExecutionTrader"
        " mifid2ExecutionAlgo dontUseAutoPriceForHedge:b isOmsContainer:b discretionaryUpToLimitPrice:b"
        " usePriceMgmtAlgo:i",
        (
            Since(158, fields("duration:i")),
            Since(160, fields("postToAts:i")),
            Since(162, fields("autoCancelParent:b")),
            Since(166, fields("advancedErrorOverride")),
            Since(169, fields("manualOrderTime")),
            Since(
                170,
                (
                    When(lambda values: values.get("exchange") == "IBKRATS", fields("minTradeQty:i")),
                    When(
                        _of_type("PEG BEST", "PEGBEST"),
                        (
                            *fields("minCompeteSize:i competeAgainstBestOffset:n"),
                            When(_infinite_offset, fields("midOffsetAtWhole:n midOffsetAtHalf:n")),
                        ),
                    ),
                    When(_of_type("PEG MID", "PEGMID"), fields("midOffsetAtWhole:n midOffsetAtHalf:n")),
                ),
            ),
        ),
    ),
)

OPEN_ORDER = Message(
    5,
    "openOrder",
    together(
        "orderId:i",
        REPORTED,
        _HEAD,
        "clientId:i permId:i outsideRth:b hidden:b discretionaryAmt:n goodAfterTime",
        (Fixed(""),),
        "faGroup faMethod faPercentage",
        (Before(177, fields("faProfile")),),
        "modelCode goodTillDate rule80A percentOffset:n settlingFirm shortSaleSlot:i designatedLocation"
        " exemptCode:i auctionStrategy:i startingPrice:n stockRefPrice:n delta:n stockRangeLower:n"
        " stockRangeUpper:n displaySize:i blockOrder:b sweepToFill:b allOrNone:b minQty:i ocaType:i"
        " eTradeOnly:b firmQuoteOnly:b nbboPriceCap:n parentId:i triggerMethod:i volatility:n"
        " volatilityType:i deltaNeutralOrderType deltaNeutralAuxPrice:n",
        (_DELTA_NEUTRAL_ORDER,),
        "continuousUpdate:b referencePriceType:i trailStopPrice:n trailingPercent:n basisPoints:n"
        " basisPointsType:i comboLegsDescrip",
        (ORDER_LEGS, LEG_PRICES, ROUTING),
        "scaleInitLevelSize:i scaleSubsLevelSize:i scalePriceIncrement:n",
        (_SCALE,),
        _HEDGE,
        "optOutSmartRouting:b clearingAccount clearingIntent notHeld:b",
        DELTA_NEUTRAL,
        _ALGO,
        "solicited:b whatIf:b status initMarginBefore:x maintMarginBefore:x equityWithLoanBefore:x"
        " initMarginChange:x maintMarginChange:x equityWithLoanChange:x initMarginAfter:x maintMarginAfter:x"
        " equityWithLoanAfter:x commission:x minCommission:x maxCommission:x commissionCurrency warningText"
        " randomizeSize:b randomizePrice:b",
        (_PEGGED_TO_BENCHMARK, _CONDITIONS),
        "adjustedOrderType triggerPrice:n adjustedTrailStopPrice:n lmtPriceOffset:n adjustedStopPrice:n"
        " adjustedStopLimitPrice:n adjustedTrailingAmount:n adjustableTrailingUnit:i softDollarTierName"
        " softDollarTierValue softDollarTierLabel cashQty:n dontUseAutoPriceForHedge:b isOmsContainer:b"
        " discretionaryUpToLimitPrice:b usePriceMgmtAlgo:b",
        (
            Since(159, fields("duration:i")),
            Since(160, fields("postToAts:i")),
            Since(162, fields("autoCancelParent:b")),
            _PEG_TAIL,
        ),
    ),
)

COMPLETED_ORDER = Message(
    101,
    "completedOrder",
    together(
        REPORTED,
        _HEAD,
        "permId:i outsideRth:b hidden:b discretionaryAmt:n goodAfterTime faGroup faMethod faPercentage",
        (Before(177, fields("faProfile")),),
        "modelCode goodTillDate rule80A percentOffset:n settlingFirm shortSaleSlot:i designatedLocation"
        " exemptCode:i startingPrice:n stockRefPrice:n delta:n stockRangeLower:n stockRangeUpper:n"
        " displaySize:i sweepToFill:b allOrNone:b minQty:i ocaType:i triggerMethod:i volatility:n"
        " volatilityType:i deltaNeutralOrderType deltaNeutralAuxPrice:n",
        (
            When(
                _given("deltaNeutralOrderType"),
                fields(
                    "deltaNeutralConId:i deltaNeutralShortSale:b deltaNeutralShortSaleSlot:i"
                    " deltaNeutralDesignatedLocation"
                ),
            ),
        ),
        "continuousUpdate:b referencePriceType:i trailStopPrice:n trailingPercent:n comboLegsDescrip",
        (ORDER_LEGS, LEG_PRICES, ROUTING),
        "scaleInitLevelSize:i scaleSubsLevelSize:i scalePriceIncrement:n",
        (_SCALE,),
        _HEDGE,
        "clearingAccount clearingIntent notHeld:b",
        DELTA_NEUTRAL,
        _ALGO,
        "solicited:b status randomizeSize:b randomizePrice:b",
        (_PEGGED_TO_BENCHMARK, _CONDITIONS),
        "adjustedTrailStopPrice:n lmtPriceOffset:n cashQty:n dontUseAutoPriceForHedge:b isOmsContainer:b"
        " autoCancelDate filledQuantity:n refFuturesConId:i autoCancelParent:b shareholder imbalanceOnly:b"
        " routeMarketableToBbo:b parentPermId:i completedTime completedStatus",
        (_PEG_TAIL,),
    ),
)
