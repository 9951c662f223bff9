"""Messages to a client, by name."""

from __future__ import annotations

from resources.gateway.wire.layout.contracts import PORTFOLIO, REPORTED
from resources.gateway.wire.layout.fields import (
    Before,
    Fixed,
    Item,
    Many,
    Message,
    Repeat,
    Since,
    fields,
    message,
    together,
)
from resources.gateway.wire.layout.orders import COMPLETED_ORDER, OPEN_ORDER

_V1 = Fixed("1")
_DETAILS_VERSION: tuple[Item, ...] = (Before(164, (Fixed("8"),)),)

_MESSAGES = (
    OPEN_ORDER,
    COMPLETED_ORDER,
    message(1, "tickPrice", Fixed("6"), "reqId:i tickType:i price:n size:z mask:i"),
    message(2, "tickSize", Fixed("6"), "reqId:i tickType:i size:z"),
    message(
        3,
        "orderStatus",
        "orderId:i status filled:n remaining:n averagePrice:n permId:i parentId:i lastPrice:n clientId:i"
        " whyHeld marketCapPrice:n",
    ),
    message(4, "error", Fixed("2"), "reqId:i code:i text", Since(166, fields("rejectDetails"))),
    message(6, "updateAccountValue", Fixed("2"), "tag value currency account"),
    Message(
        7,
        "updatePortfolio",
        together(
            (Fixed("8"),),
            PORTFOLIO,
            "position:n marketPrice:n marketValue:n averageCost:n unrealized:n realized:n account",
        ),
    ),
    message(8, "updateAccountTime", _V1, "time"),
    message(9, "nextValidId", _V1, "orderId:i"),
    Message(
        10,
        "contractDetails",
        together(
            _DETAILS_VERSION,
            "reqId:i symbol secType lastTradeDate strike:n right exchange currency localSymbol marketName"
            " tradingClass conId:i minTick:n",
            (Before(164, (Fixed("100"),)),),
            "multiplier orderTypes validExchanges priceMagnifier:i underConId:i longName primaryExchange"
            " contractMonth industry category subcategory timeZone tradingHours liquidHours evRule"
            " evMultiplier:i",
            (Repeat("secIds", fields("tag value")),),
            "aggGroup:i underSymbol underSecType marketRuleIds realExpiry stockType",
            (
                Since(163, (Before(164, fields("suggestedSizeIncrement:n")),)),
                Since(164, fields("minSize:n sizeIncrement:n suggestedSizeIncrement:n")),
            ),
        ),
    ),
    Message(
        11,
        "execDetails",
        together(
            "reqId:i orderId:i",
            REPORTED,
            "execId time account executionExchange side shares:n price:n permId:i clientId:i liquidation:i"
            " cumulativeQuantity:n averagePrice:n orderRef evRule evMultiplier:n modelCode lastLiquidity:i",
            (Since(178, fields("pendingPriceRevision:b")),),
        ),
    ),
    message(12, "updateMktDepth", _V1, "reqId:i position:i operation:i side:i price:n size:z"),
    message(
        13,
        "updateMktDepthL2",
        _V1,
        "reqId:i position:i marketMaker operation:i side:i price:n size:z smart:b",
    ),
    message(14, "updateNewsBulletin", _V1, "messageId:i kind:i text exchange"),
    message(15, "managedAccounts", _V1, "accounts"),
    message(16, "receiveFA", _V1, "kind:i xml"),
    message(
        17,
        "historicalData",
        "reqId:i start end",
        Repeat("bars", fields("date open:n high:n low:n close:n volume:z average:n count:i")),
    ),
    message(19, "scannerParameters", _V1, "xml"),
    message(
        20,
        "scannerData",
        Fixed("3"),
        "reqId:i",
        Repeat(
            "rows",
            fields(
                "rank:i conId:i symbol secType lastTradeDate strike:n right exchange currency localSymbol"
                " marketName tradingClass distance benchmark projection legs"
            ),
        ),
    ),
    message(
        21,
        "tickOptionComputation",
        "reqId:i tickType:i attribute:i impliedVolatility:n delta:n price:n dividends:n gamma:n vega:n"
        " theta:n underlyingPrice:n",
    ),
    message(45, "tickGeneric", Fixed("6"), "reqId:i tickType:i value:n"),
    message(46, "tickString", Fixed("6"), "reqId:i tickType:i value"),
    message(49, "currentTime", _V1, "time:i"),
    message(
        50, "realtimeBar", Fixed("3"), "reqId:i time:i open:n high:n low:n close:n volume:z average:n count:i"
    ),
    message(51, "fundamentalData", _V1, "reqId:i xml"),
    message(52, "contractDetailsEnd", _V1, "reqId:i"),
    message(53, "openOrderEnd", _V1),
    message(54, "accountDownloadEnd", _V1, "account"),
    message(55, "execDetailsEnd", _V1, "reqId:i"),
    message(56, "deltaNeutralValidation", _V1, "reqId:i conId:i delta:n price:n"),
    message(57, "tickSnapshotEnd", _V1, "reqId:i"),
    message(58, "marketDataType", _V1, "reqId:i marketDataType:i"),
    message(
        59,
        "commissionReport",
        _V1,
        "execId commission:x currency realized:x yield:x yieldRedemptionDate:i",
    ),
    Message(61, "position", together((Fixed("3"),), "account", REPORTED, "position:n averageCost:n")),
    message(62, "positionEnd", _V1),
    message(63, "accountSummary", _V1, "reqId:i account tag value currency"),
    message(64, "accountSummaryEnd", _V1, "reqId:i"),
    message(67, "displayGroupList", _V1, "reqId:i groups"),
    message(68, "displayGroupUpdated", _V1, "reqId:i contractInfo"),
    Message(
        71,
        "positionMulti",
        together((_V1,), "reqId:i account", REPORTED, "position:n averageCost:n modelCode"),
    ),
    message(72, "positionMultiEnd", _V1, "reqId:i"),
    message(73, "accountUpdateMulti", _V1, "reqId:i account modelCode tag value currency"),
    message(74, "accountUpdateMultiEnd", _V1, "reqId:i"),
    message(
        75,
        "securityDefinitionOptionParameter",
        "reqId:i exchange underConId:i tradingClass multiplier",
        Many("expirations"),
        Many("strikes", "number"),
    ),
    message(76, "securityDefinitionOptionParameterEnd", "reqId:i"),
    message(77, "softDollarTiers", "reqId:i", Repeat("tiers", fields("name value label"))),
    message(78, "familyCodes", Repeat("codes", fields("account code"))),
    message(
        79,
        "symbolSamples",
        "reqId:i",
        Repeat(
            "samples",
            (
                *fields("conId:i symbol secType primaryExchange currency"),
                Many("derivatives"),
                Since(176, fields("description issuerId")),
            ),
        ),
    ),
    message(
        80, "mktDepthExchanges", Repeat("rows", fields("exchange secType listingExchange service aggGroup:i"))
    ),
    message(81, "tickReqParams", "reqId:i minTick:n bboExchange snapshotPermissions:i"),
    message(82, "smartComponents", "reqId:i", Repeat("components", fields("bit:i exchange letter"))),
    message(83, "newsArticle", "reqId:i kind:i text"),
    message(85, "newsProviders", Repeat("providers", fields("code name"))),
    message(86, "historicalNews", "reqId:i time provider articleId headline"),
    message(87, "historicalNewsEnd", "reqId:i hasMore:b"),
    message(88, "headTimestamp", "reqId:i time"),
    message(89, "histogramData", "reqId:i", Repeat("bins", fields("price:n count:z"))),
    message(
        90, "historicalDataUpdate", "reqId:i count:i date open:n close:n high:n low:n average:n volume:z"
    ),
    message(93, "marketRule", "ruleId:i", Repeat("increments", fields("lowEdge:n increment:n"))),
    message(94, "pnl", "reqId:i daily:x unrealized:x realized:x"),
    message(95, "pnlSingle", "reqId:i position:z daily:x unrealized:x realized:x value:x"),
    message(
        96, "historicalTicks", "reqId:i", Repeat("ticks", fields("time:i mask:i price:n size:z")), "done:b"
    ),
    message(
        97,
        "historicalTicksBidAsk",
        "reqId:i",
        Repeat("ticks", fields("time:i mask:i bid:n ask:n bidSize:z askSize:z")),
        "done:b",
    ),
    message(
        98,
        "historicalTicksLast",
        "reqId:i",
        Repeat("ticks", fields("time:i mask:i price:n size:z exchange conditions")),
        "done:b",
    ),
    message(100, "orderBound", "permId:i clientId:i orderId:i"),
    message(102, "completedOrdersEnd"),
    message(103, "replaceFAEnd", "reqId:i text"),
    message(104, "wshMetaData", "reqId:i json"),
    message(105, "wshEventData", "reqId:i json"),
    message(
        106,
        "historicalSchedule",
        "reqId:i start end timeZone",
        Repeat("sessions", fields("start end date")),
    ),
    message(107, "userInfo", "reqId:i brand"),
)

TICK_BY_TICK: dict[str, Message] = {
    "Last": message(99, "tickByTick", "reqId:i tickType:i time:i price:n size:z mask:i exchange conditions"),
    "AllLast": message(
        99, "tickByTick", "reqId:i tickType:i time:i price:n size:z mask:i exchange conditions"
    ),
    "BidAsk": message(99, "tickByTick", "reqId:i tickType:i time:i bid:n ask:n bidSize:z askSize:z mask:i"),
    "MidPoint": message(99, "tickByTick", "reqId:i tickType:i time:i midpoint:n"),
}
"""Tick-by-tick messages share one number; their fields depend on the tick type asked for."""

REPLIES: dict[str, Message] = {entry.name: entry for entry in _MESSAGES}
"""Every message a gateway may send, by name."""

REPLY_NUMBERS: dict[int, Message] = {entry.number: entry for entry in _MESSAGES}
