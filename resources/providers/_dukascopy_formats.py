"""The two formats of Dukascopy's history: LZMA-packed binary records and delta-coded JSON columns.

Both services give candles of zero volume that repeat the close before where nothing traded; these
fillers are dropped. Volumes are offered amounts: millions of units in candles and in binary ticks, units
in JSON ticks; here they are always units.
"""

from __future__ import annotations

import lzma
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

TICK = np.dtype([("ms", ">u4"), ("ask", ">u4"), ("bid", ">u4"), ("ask_volume", ">f4"), ("bid_volume", ">f4")])
CANDLE = np.dtype(
    [
        ("seconds", ">u4"),
        ("open", ">u4"),
        ("close", ">u4"),
        ("low", ">u4"),
        ("high", ">u4"),
        ("volume", ">f4"),
    ]
)
MILLION = 1e6
PRICES = ("open", "high", "low", "close")


def unpacked(body: bytes, record: np.dtype[Any]) -> NDArray[Any]:
    """Records of a ``.bi5`` file; an empty file has none.

    Raises
    ------
    ValueError
        When the file is not LZMA, breaks off, or does not hold whole records.
    """
    if not body:
        return np.empty(0, record)
    try:
        content = lzma.decompress(body, format=lzma.FORMAT_ALONE)
    except lzma.LZMAError as error:
        raise ValueError(f"not a whole LZMA file: {error}") from None
    if len(content) % record.itemsize:
        raise ValueError(f"{len(content)} bytes are no whole records of {record.itemsize}")
    return np.frombuffer(content, record)


def packed_ticks(body: bytes, hour_ms: int, divisor: float) -> pl.DataFrame:
    """Ticks of one hour: at, bid, ask, bid_volume, ask_volume.

    Parameters
    ----------
    body : bytes
        Content of an ``..h_ticks.bi5`` file.
    hour_ms : int
        Start of the hour in milliseconds since 1970.
    divisor : float
        What the integer prices are divided by.
    """
    records = unpacked(body, TICK)
    return _ticks(
        hour_ms + records["ms"].astype(np.int64),
        records["bid"] / divisor,
        records["ask"] / divisor,
        records["bid_volume"].astype(np.float64) * MILLION,
        records["ask_volume"].astype(np.float64) * MILLION,
    )


def packed_candles(body: bytes, start_ms: int, divisor: float) -> pl.DataFrame:
    """Candles of one file: starts_at, open, high, low, close, volume, without fillers.

    Parameters
    ----------
    body : bytes
        Content of a ``.._candles_...bi5`` file.
    start_ms : int
        Start of the file's day, month or year in milliseconds since 1970.
    divisor : float
        What the integer prices are divided by.
    """
    records = unpacked(body, CANDLE)
    prices = {name: records[name] / divisor for name in PRICES}
    volume = records["volume"].astype(np.float64) * MILLION
    return _candles(start_ms + records["seconds"].astype(np.int64) * 1000, prices, volume)


def json_ticks(document: dict[str, Any]) -> pl.DataFrame:
    """Ticks out of delta-coded columns: at, bid, ask, bid_volume, ask_volume."""
    times = document["timestamp"] + np.cumsum(np.asarray(document["times"], np.int64))
    bid, ask = (_prices(document, name, f"{name}s") for name in ("bid", "ask"))
    volumes = (np.asarray(document[f"{side}Volumes"], np.float64) for side in ("bid", "ask"))
    return _ticks(times, bid, ask, *volumes)


def json_candles(document: dict[str, Any]) -> pl.DataFrame:
    """Candles out of delta-coded columns: starts_at, open, high, low, close, volume, without fillers."""
    steps = np.cumsum(np.asarray(document["times"], np.int64))
    prices = {name: _prices(document, name, f"{name}s") for name in PRICES}
    volume = np.asarray(document["volumes"], np.float64) * MILLION
    return _candles(document["timestamp"] + steps * int(document["shift"]), prices, volume)


def _prices(document: dict[str, Any], first: str, deltas: str) -> NDArray[np.float64]:
    """Prices from the first one and the steps from each to the next, in units of the multiplier."""
    steps = np.cumsum(np.asarray(document[deltas], np.int64))
    if not steps.size:
        return np.empty(0)
    scale: int = round(1 / document["multiplier"])
    prices: NDArray[np.float64] = (round(document[first] * scale) + steps) / scale
    return prices


def _ticks(
    at_ms: NDArray[np.int64],
    bid: NDArray[np.float64],
    ask: NDArray[np.float64],
    bid_volume: NDArray[np.float64],
    ask_volume: NDArray[np.float64],
) -> pl.DataFrame:
    columns = {"bid": bid, "ask": ask, "bid_volume": bid_volume, "ask_volume": ask_volume}
    return pl.DataFrame({"at": at_ms, **columns}).with_columns(_instant("at"))


def _candles(
    starts_ms: NDArray[np.int64], prices: dict[str, NDArray[np.float64]], volume: NDArray[np.float64]
) -> pl.DataFrame:
    traded = volume > 0
    columns = {"starts_at": starts_ms, **prices, "volume": volume}
    return pl.DataFrame({name: values[traded] for name, values in columns.items()}).with_columns(
        _instant("starts_at")
    )


def _instant(name: str) -> pl.Expr:
    return pl.from_epoch(pl.col(name), "ms").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
