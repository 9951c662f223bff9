"""Messages from a client, by number."""

from __future__ import annotations

from resources.gateway.wire.layout.contracts import (
    DELTA_NEUTRAL,
    FUNDAMENTAL,
    LEGS,
    REPORTED,
    REQUESTED,
    is_combination,
)
from resources.gateway.wire.layout.fields import Fixed, Message, Since, When, fields, message, together
from resources.gateway.wire.layout.orders import PLACE_ORDER

_V1 = Fixed("1")
_COMBINATION = When(is_combination, (LEGS,))


def _plain(number: int, name: str, *parts: str) -> Message:
    return message(number, name, _V1, *parts)


def _request(number: int, name: str, *parts: str) -> Message:
    return message(number, name, *parts)


START_API = message(71, "startApi", Fixed("2"), "clientId:i optionalCapabilities")

_MESSAGES = (
    PLACE_ORDER,
    START_API,
    Message(
        1,
        "reqMktData",
        together(
            (Fixed("11"),),
            "reqId:i",
            REQUESTED,
            (_COMBINATION,),
            DELTA_NEUTRAL,
            "genericTicks snapshot:b regulatorySnapshot:b options",
        ),
    ),
    message(2, "cancelMktData", Fixed("2"), "reqId:i"),
    message(4, "cancelOrder", _V1, "orderId:i", Since(169, fields("manualCancelOrderTime"))),
    _plain(5, "reqOpenOrders"),
    message(6, "reqAccountUpdates", Fixed("2"), "subscribe:b account"),
    message(7, "reqExecutions", Fixed("3"), "reqId:i clientId:i account time symbol secType exchange side"),
    _plain(8, "reqIds", "count:i"),
    Message(
        9,
        "reqContractDetails",
        together(
            (Fixed("8"),),
            "reqId:i",
            REQUESTED,
            "includeExpired:b secIdType secId",
            (Since(176, fields("issuerId")),),
        ),
    ),
    Message(
        10,
        "reqMktDepth",
        together((Fixed("5"),), "reqId:i", REQUESTED, "rows:i smartDepth:b options"),
    ),
    _plain(11, "cancelMktDepth", "reqId:i smartDepth:b"),
    _plain(12, "reqNewsBulletins", "allMessages:b"),
    _plain(13, "cancelNewsBulletins"),
    _plain(14, "setServerLogLevel", "level:i"),
    _plain(15, "reqAutoOpenOrders", "bind:b"),
    _plain(16, "reqAllOpenOrders"),
    _plain(17, "reqManagedAccts"),
    _plain(18, "requestFA", "kind:i"),
    _plain(19, "replaceFA", "kind:i xml reqId:i"),
    Message(
        20,
        "reqHistoricalData",
        together(
            "reqId:i",
            REQUESTED,
            "includeExpired:b end barSize duration useRth:b whatToShow formatDate:i",
            (_COMBINATION,),
            "keepUpToDate:b options",
        ),
    ),
    Message(
        21,
        "exerciseOptions",
        together((Fixed("2"),), "reqId:i", REPORTED, "action:i quantity:i account override:i"),
    ),
    _request(
        22,
        "reqScannerSubscription",
        "reqId:i rows:i instrument location scanCode abovePrice:n belowPrice:n aboveVolume:i marketCapAbove:n"
        " marketCapBelow:n moodyRatingAbove moodyRatingBelow spRatingAbove spRatingBelow maturityDateAbove"
        " maturityDateBelow couponRateAbove:n couponRateBelow:n excludeConvertible averageOptionVolumeAbove:i"
        " scannerSettingPairs stockTypeFilter filterOptions options",
    ),
    _plain(23, "cancelScannerSubscription", "reqId:i"),
    _plain(24, "reqScannerParameters"),
    _plain(25, "cancelHistoricalData", "reqId:i"),
    _plain(49, "reqCurrentTime"),
    Message(
        50,
        "reqRealTimeBars",
        together((Fixed("3"),), "reqId:i", REQUESTED, "barSize:i whatToShow useRth:b options"),
    ),
    _plain(51, "cancelRealTimeBars", "reqId:i"),
    Message(
        52,
        "reqFundamentalData",
        together((Fixed("2"),), "reqId:i", FUNDAMENTAL, "reportType optionCount options"),
    ),
    _plain(53, "cancelFundamentalData", "reqId:i"),
    Message(
        54,
        "calculateImpliedVolatility",
        together((Fixed("3"),), "reqId:i", REQUESTED, "optionPrice:n underlyingPrice:n optionCount options"),
    ),
    Message(
        55,
        "calculateOptionPrice",
        together((Fixed("3"),), "reqId:i", REQUESTED, "volatility:n underlyingPrice:n optionCount options"),
    ),
    _plain(56, "cancelCalculateImpliedVolatility", "reqId:i"),
    _plain(57, "cancelCalculateOptionPrice", "reqId:i"),
    _plain(58, "reqGlobalCancel"),
    _plain(59, "reqMarketDataType", "marketDataType:i"),
    _plain(61, "reqPositions"),
    _plain(62, "reqAccountSummary", "reqId:i group tags"),
    _plain(63, "cancelAccountSummary", "reqId:i"),
    _plain(64, "cancelPositions"),
    _plain(67, "queryDisplayGroups", "reqId:i"),
    _plain(68, "subscribeToGroupEvents", "reqId:i groupId:i"),
    _plain(69, "updateDisplayGroup", "reqId:i contractInfo"),
    _plain(70, "unsubscribeFromGroupEvents", "reqId:i"),
    _plain(74, "reqPositionsMulti", "reqId:i account modelCode"),
    _plain(75, "cancelPositionsMulti", "reqId:i"),
    _plain(76, "reqAccountUpdatesMulti", "reqId:i account modelCode ledgerAndNetLiquidation:b"),
    _plain(77, "cancelAccountUpdatesMulti", "reqId:i"),
    _request(78, "reqSecDefOptParams", "reqId:i symbol exchange secType conId:i"),
    _request(79, "reqSoftDollarTiers", "reqId:i"),
    _request(80, "reqFamilyCodes"),
    _request(81, "reqMatchingSymbols", "reqId:i pattern"),
    _request(82, "reqMktDepthExchanges"),
    _request(83, "reqSmartComponents", "reqId:i bboExchange"),
    _request(84, "reqNewsArticle", "reqId:i provider articleId options"),
    _request(85, "reqNewsProviders"),
    _request(86, "reqHistoricalNews", "reqId:i conId:i providers start end count:i options"),
    Message(
        87,
        "reqHeadTimeStamp",
        together("reqId:i", REQUESTED, "includeExpired:b useRth:b whatToShow formatDate:i"),
    ),
    Message(88, "reqHistogramData", together("reqId:i", REQUESTED, "includeExpired:b useRth:b period")),
    _request(89, "cancelHistogramData", "reqId:i"),
    _request(90, "cancelHeadTimeStamp", "reqId:i"),
    _request(91, "reqMarketRule", "ruleId:i"),
    _request(92, "reqPnL", "reqId:i account modelCode"),
    _request(93, "cancelPnL", "reqId:i"),
    _request(94, "reqPnLSingle", "reqId:i account modelCode conId:i"),
    _request(95, "cancelPnLSingle", "reqId:i"),
    Message(
        96,
        "reqHistoricalTicks",
        together(
            "reqId:i",
            REQUESTED,
            "includeExpired:b start end count:i whatToShow useRth:b ignoreSize:b options",
        ),
    ),
    Message(97, "reqTickByTickData", together("reqId:i", REQUESTED, "tickType count:i ignoreSize:b")),
    _request(98, "cancelTickByTickData", "reqId:i"),
    _request(99, "reqCompletedOrders", "apiOnly:b"),
    _request(100, "reqWshMetaData", "reqId:i"),
    _request(101, "cancelWshMetaData", "reqId:i"),
    message(
        102,
        "reqWshEventData",
        "reqId:i conId:i",
        Since(171, fields("filter fillWatchlist:b fillPortfolio:b fillCompetitors:b")),
        Since(173, fields("startDate endDate totalLimit:i")),
    ),
    _request(103, "cancelWshEventData", "reqId:i"),
    _request(104, "reqUserInfo", "reqId:i"),
)

REQUESTS: dict[int, Message] = {entry.number: entry for entry in _MESSAGES}
"""Every message a client may send, by number."""

REQUEST_NAMES: dict[str, Message] = {entry.name: entry for entry in _MESSAGES}
