"""The scanner: universe gates, filters, the rhythm of full scans, and the ranking."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from trading import indicators
from trading.history import History
from trading.indicators import above
from trading.strategies.momentum.features import Booleans, Features, Floats, Rows
from trading.strategies.momentum.parameters import ScannerParameters

QUOTES = ("USDT", "USDC", "BUSD", "USD", "EUR", "GBP", "JPY", "BTC", "ETH")
"""Quote currencies that a crypto symbol may end with, longest reading first."""


def universe_gates(
    rows: Features, crypto: Booleans, leader: Booleans, market_cap: Floats, parameters: ScannerParameters
) -> dict[str, Booleans]:
    """Gates of the universe by name.

    Parameters
    ----------
    rows : Features
        Bars asked about.
    crypto : array of bool
        Whether the row is of a crypto name.
    leader : array of bool
        Whether a crypto name is among the largest of its session (see :func:`crypto_leaders`).
    market_cap : array
        Market capitalisation on the day, NaN where unknown.
    """
    volume = np.where(crypto, parameters.crypto_min_volume, parameters.stock_min_volume)
    price = np.where(crypto, parameters.crypto_min_price, parameters.stock_min_price)
    small = market_cap < parameters.stock_min_market_cap
    return {
        "market_cap": crypto | ~small,
        "dollar_volume": rows.dollar_volume >= volume,
        "price": rows.raw_close >= price,
        "history": rows.bars >= parameters.min_bars,
        "crypto_top": ~crypto | leader,
    }


def price_filters(rows: Features, parameters: ScannerParameters) -> dict[str, Booleans]:
    """Filters that need no score, by name."""
    return {
        "rsi": (rows.rsi >= parameters.rsi_min) & (rows.rsi <= parameters.rsi_max),
        "above_medium": above(rows.close, rows.sma_medium),
        "above_long": above(rows.close, rows.sma_long),
    }


def score_filters(score: Floats, strength: Floats, parameters: ScannerParameters) -> dict[str, Booleans]:
    """Filters on score and trend strength, by name."""
    return {
        "score": score >= parameters.momentum_threshold,
        "trend_strength": strength >= parameters.min_trend_strength,
    }


def base_currency(symbol: str) -> str:
    """What a crypto symbol trades: ``BTC`` of BTC-USD, BTC/USDT and BTCUSD.

    The separators - / _ : . end the name; without one a known quote currency is cut off the end.
    """
    name, *quote = re.split(r"[-/_:.]", symbol.upper(), maxsplit=1)
    if quote or name in QUOTES:
        return name
    ending = next((known for known in QUOTES if name.endswith(known) and name != known), "")
    return name.removesuffix(ending)


def is_stablecoin(symbol: str, parameters: ScannerParameters) -> bool:
    """Whether a crypto symbol trades one of the stablecoins of the parameters."""
    return symbol.upper() in parameters.stablecoins or base_currency(symbol) in parameters.stablecoins


def crypto_leaders(history: History, window: int, parameters: ScannerParameters) -> Booleans:
    """Whether each bar is of a crypto name among the ``crypto_top_n`` of its session.

    Names are ranked by average dollar volume, ties by symbol; stablecoins are left out before.

    Returns
    -------
    array (L,) of bool
        False for every bar that is not crypto.
    """
    leader = np.zeros(len(history), dtype=bool)
    chosen = [
        i
        for i, (symbol, kind) in enumerate(zip(history.symbols, history.asset_class, strict=True))
        if kind == "crypto" and not is_stablecoin(symbol, parameters)
    ]
    if not chosen:
        return leader
    rows = np.concatenate([np.arange(history.offsets[i], history.offsets[i + 1]) for i in chosen])
    counts = [int(history.offsets[i + 1] - history.offsets[i]) for i in chosen]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    turnover = indicators.average_dollar_volume(history.close[rows], history.volume[rows], offsets, window)
    known = np.flatnonzero(~np.isnan(turnover))
    order = known[np.lexsort((known, -turnover[known], history.session_index[rows[known]]))]
    place = places(history.session_index[rows[order]])
    leader[rows[order[place <= parameters.crypto_top_n]]] = True
    return leader


def places(groups: NDArray[np.integer]) -> NDArray[np.int64]:
    """Place of each row within its run of equal values: 1, 2, 3, then 1 again."""
    starts = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))
    lengths = np.diff(np.append(starts, len(groups)))
    return np.arange(1, len(groups) + 1) - np.repeat(starts, lengths)


def last_scan(session: NDArray[np.int64], anchor: int, interval: int) -> NDArray[np.int64]:
    """Session of the last full scan at or before each session, both as indices.

    Full scans are every ``interval`` sessions counted from the anchor in both directions, so they are the
    same days however a run is cut.
    """
    return session - (session - anchor) % interval


def remembered(
    symbol: NDArray[np.int64], session: NDArray[np.int64], anchor: int, interval: int
) -> tuple[Booleans, Booleans]:
    """Which of the passing rows are candidates: those of a scan day, and names that passed on the last one.

    Parameters
    ----------
    symbol, session : arrays of int
        Rows that pass gates and filters, sorted by symbol and session.

    Returns
    -------
    candidate, full : arrays of bool
        Whether the row is a candidate, and whether it was found by a full scan.
    """
    scanned = last_scan(session, anchor, interval)
    full = scanned == session
    width = int(session.max(initial=0)) + 1
    cache = (symbol * width + session)[full]
    wanted = symbol * width + scanned
    at = np.searchsorted(cache, wanted)
    found = np.zeros(len(wanted), dtype=bool)
    inside = (at < len(cache)) & (scanned >= 0)
    found[inside] = cache[at[inside]] == wanted[inside]
    return found, full


def ranking(
    session: NDArray[np.int64], score: Floats, dollar_volume: Floats, symbol: NDArray[np.int64]
) -> tuple[Rows, NDArray[np.int64]]:
    """Order by session and rank: best score first, ties by dollar volume, then by symbol.

    Returns
    -------
    order, rank : arrays of int
        Rows in order, and the rank of each, from 1.
    """
    order = np.lexsort((symbol, -dollar_volume, -score, session))
    return order, places(session[order])
