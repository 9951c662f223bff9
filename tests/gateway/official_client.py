"""A session with the broker's own old client library; run in an environment of its own.

Usage: python official_client.py PORT. Prints what arrived as one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections import defaultdict

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.order_condition import Create, OrderCondition
from ibapi.scanner import ScannerSubscription
from ibapi.tag_value import TagValue
from ibapi.wrapper import EWrapper

WAIT = 10.0


class Client(EWrapper, EClient):
    def __init__(self) -> None:
        EClient.__init__(self, self)
        self.seen: dict[str, list] = defaultdict(list)
        self.changed = threading.Condition()

    def wait(self, name: str, count: int = 1) -> None:
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.seen[name]) >= count, WAIT):
                raise SystemExit(
                    f"no {name} after {WAIT} s; seen {sorted(self.seen)}; errors {self.seen['error']}"
                )

    def keep(self, name: str, values: list) -> None:
        with self.changed:
            self.seen[name].append(values)
            self.changed.notify_all()


def plain(value: object) -> object:
    if isinstance(value, (int, float, str, bool)) or value is None:
        return value
    if isinstance(value, (list, set, tuple)):
        return [plain(item) for item in value]
    return (
        {name: plain(item) for name, item in vars(value).items()}
        if hasattr(value, "__dict__")
        else str(value)
    )


def keeping(name: str):
    def method(self: Client, *values: object) -> None:
        self.keep(name, [plain(value) for value in values])

    return method


for attribute in dir(EWrapper):
    if (
        not attribute.startswith("_")
        and callable(getattr(EWrapper, attribute))
        and attribute not in {"logAnswer"}
    ):
        setattr(Client, attribute, keeping(attribute))


def contract(**fields: object) -> Contract:
    made = Contract()
    for name, value in {
        "symbol": "AAPL",
        "secType": "STK",
        "exchange": "SMART",
        "currency": "USD",
        **fields,
    }.items():
        setattr(made, name, value)
    return made


def order(**fields: object) -> Order:
    made = Order()
    base = {"action": "BUY", "totalQuantity": 10, "orderType": "MKT", "tif": "DAY", "eTradeOnly": False}
    for name, value in {**base, "firmQuoteOnly": False, **fields}.items():
        setattr(made, name, value)
    return made


def trade(client: Client, first: int) -> None:
    stock = contract()
    client.placeOrder(first, stock, order(orderRef="market"))
    client.wait("commissionReport")
    client.placeOrder(first + 1, stock, order(orderType="LMT", lmtPrice=90.0, transmit=False))
    client.placeOrder(
        first + 2,
        stock,
        order(action="SELL", orderType="LMT", lmtPrice=120.0, parentId=first + 1, transmit=False),
    )
    client.placeOrder(
        first + 3, stock, order(action="SELL", orderType="STP", auxPrice=80.0, parentId=first + 1)
    )
    condition = Create(OrderCondition.Price)
    condition.conId, condition.exchange, condition.isMore, condition.price = 1, "SMART", True, 500.0
    condition.triggerMethod = 0
    client.placeOrder(first + 4, stock, order(conditions=[condition]))
    algo = order(algoStrategy="Twap", algoParams=[TagValue("startTime", "23:59:00 UTC")], orderRef="algo")
    client.placeOrder(first + 5, stock, algo)
    client.placeOrder(first + 6, stock, order(orderType="TRAIL", action="SELL", trailingPercent=5.0))
    client.placeOrder(first + 7, stock, order(whatIf=True))
    client.reqAllOpenOrders()
    client.wait("openOrderEnd")
    client.cancelOrder(first + 1)
    client.reqGlobalCancel()
    client.reqCompletedOrders(False)
    client.wait("completedOrdersEnd")
    client.reqExecutions(901, ExecutionFilter())
    client.wait("execDetailsEnd")


def look(client: Client) -> None:
    stock = contract()
    client.reqCurrentTime()
    client.wait("currentTime")
    client.reqContractDetails(902, stock)
    client.wait("contractDetailsEnd")
    client.reqPositions()
    client.wait("positionEnd")
    client.reqAccountUpdates(True, "SIM000001")
    client.wait("accountDownloadEnd")
    client.reqAccountSummary(903, "All", "NetLiquidation,TotalCashValue")
    client.wait("accountSummaryEnd")
    client.reqPnL(904, "SIM000001", "")
    client.wait("pnl")
    client.reqHistoricalData(905, stock, "", "1 M", "1 day", "TRADES", 1, 1, False, [])
    client.wait("historicalDataEnd")
    client.reqMktData(906, stock, "", True, False, [])
    client.wait("tickSnapshotEnd")
    client.reqMktDepth(907, stock, 3, False, [])
    client.wait("updateMktDepth")
    client.reqSecDefOptParams(
        908, "AAPL", "", "STK", client.seen["contractDetails"][0][1]["contract"]["conId"]
    )
    client.wait("securityDefinitionOptionParameterEnd")
    scan = ScannerSubscription()
    scan.instrument, scan.locationCode, scan.scanCode = "STK", "STK.US.MAJOR", "MOST_ACTIVE"
    client.reqScannerSubscription(909, scan, [], [])
    client.wait("scannerDataEnd")
    client.reqHeadTimeStamp(910, stock, "TRADES", 1, 1)
    client.wait("headTimestamp")
    client.reqMatchingSymbols(911, "AA")
    client.wait("symbolSamples")
    client.reqMarketRule(26)
    client.wait("marketRule")
    client.reqHistoricalTicks(912, stock, "", "20240201 00:00:00 UTC", 5, "TRADES", 1, False, [])
    client.wait("historicalTicksLast")
    client.reqHistogramData(913, stock, True, "3 days")
    client.wait("histogramData")
    strikes = client.seen["securityDefinitionOptionParameter"][0]
    option = contract(
        secType="OPT",
        lastTradeDateOrContractMonth=strikes[5][0],
        strike=strikes[6][0],
        right="C",
        multiplier="100",
    )
    client.reqMktData(914, option, "", True, False, [])
    client.wait("tickOptionComputation")


def main(port: int) -> None:
    client = Client()
    client.connect("127.0.0.1", port, 3)
    threading.Thread(target=client.run, daemon=True).start()
    client.wait("nextValidId")
    client.wait("managedAccounts")
    look(client)
    trade(client, client.seen["nextValidId"][0][0])
    client.reqCurrentTime()
    client.wait("currentTime", 2)
    print(json.dumps({"version": client.serverVersion(), "seen": client.seen}))
    client.disconnect()


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # the library's threads would keep the process
