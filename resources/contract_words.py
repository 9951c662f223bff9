"""Words of the TWS protocol for what the instruments table says, as the desk speaks and the gateway hears."""

from __future__ import annotations

import re

SECURITY_TYPES = {
    "stock": "STK",
    "etf": "STK",
    "crypto": "CRYPTO",
    "fx": "CASH",
    "option": "OPT",
    "future": "FUT",
    "index": "IND",
}
"""Security type by asset class."""
EXCHANGES = {
    "XNAS": "NASDAQ",
    "XNYS": "NYSE",
    "ARCX": "ARCA",
    "XASE": "AMEX",
    "BATS": "BATS",
    "XLON": "LSE",
    "XETR": "IBIS",
    "XTSE": "TSE",
    "XCME": "CME",
    "XCBO": "CBOE",
}
"""Exchanges by ISO 10383 code: a ticker alone may mean several listings."""
PAIR = re.compile(r"([A-Z0-9]{2,5})[./-]?([A-Z]{3})", re.ASCII)
"""Ticker of a pair: what is traded, and the currency that it is paid in."""
