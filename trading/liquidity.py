"""Liquidity and microstructure of an order book, and what an entry may meet in it.

Depth is counted in units; a lot is 100 units for stocks, the contract or one coin elsewhere. The spread and
every impact are relative to the mid price, so that names compare.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.book import LiquidityConfig

Floats = NDArray[np.float64]

DEPTHS = (5, 10, 20)
IMPACT_LOTS = (1, 5, 10)
PRESSURE_LEVELS, FLOW_SNAPSHOTS = 3, 5
HIGH, MEDIUM, LOW = 100.0, 50.0, 10.0
"""Lots on the thinner side within 20 levels: high from 100 on, medium from 50 on, low below 10."""
STOCK_LOT = 100.0
_SNAPSHOT = ("symbol", "quoted_at")
_SIDES = ("bid", "ask")


@dataclass(frozen=True)
class Book:
    """One snapshot of an order book.

    Attributes
    ----------
    bids, offers : arrays (levels, 2)
        Price and size from the touch outwards.
    """

    symbol: str
    quoted_at: datetime
    bids: Floats
    offers: Floats

    @property
    def mid(self) -> float:
        """Mean of the best prices; nan while a side is empty or the book is crossed."""
        if not len(self.bids) or not len(self.offers) or self.bids[0, 0] >= self.offers[0, 0]:
            return float("nan")
        return float(self.bids[0, 0] + self.offers[0, 0]) / 2.0

    @property
    def spread(self) -> float:
        """Spread over the mid price; nan without a mid price."""
        return float(self.offers[0, 0] - self.bids[0, 0]) / self.mid if self.mid == self.mid else self.mid


class Walk(NamedTuple):
    """What a market order would meet.

    Attributes
    ----------
    filled : float
        Units that the book offers of those asked for.
    average : float
        Average price of those; nan when nothing is offered.
    """

    filled: float
    average: float


class Finding(NamedTuple):
    """Verdict of one gate, in the order of :class:`trading.gates.Verdict`."""

    gate: str
    passed: bool
    figure: float
    limit: float
    note: str = ""


def walk(levels: Floats, quantity: float) -> Walk:
    """Take a quantity from one side of a book, best price first."""
    if not len(levels) or quantity <= 0:
        return Walk(0.0, float("nan"))
    before = np.concatenate([[0.0], np.cumsum(levels[:-1, 1])])
    taken = np.clip(quantity - before, 0.0, levels[:, 1])
    # Not the sum of the parts: what the book holds is filled to the last unit, whatever they round to.
    filled = min(quantity, math.fsum(levels[:, 1]))
    return Walk(filled, float(taken @ levels[:, 0]) / filled if filled else float("nan"))


def book_at(depth: pl.DataFrame, symbol: str, at: datetime, max_age: timedelta | None = None) -> Book | None:
    """Newest snapshot of a symbol at a time; None without one, or when it is older than ``max_age``.

    Parameters
    ----------
    depth : polars.DataFrame
        Rows of the table ``depth``, one version a level.
    """
    there = depth.filter(pl.col("symbol") == symbol, pl.col("quoted_at") <= at.astimezone(UTC))
    newest = there["quoted_at"].max()
    if not isinstance(newest, datetime) or (max_age is not None and at - newest > max_age):
        return None
    rows = there.filter(pl.col("quoted_at") == newest, pl.col("size") > 0).sort("level")
    bids, offers = (rows.filter(pl.col("side") == side).select("price", "size").to_numpy() for side in _SIDES)
    return Book(symbol, newest, bids, offers)


def check_liquidity(
    config: LiquidityConfig, book: Book | None, side: str, quantity: float, multiplier: float = 1.0
) -> list[Finding]:
    """Findings on an entry: spread, depth and impact; none when the gate is not enabled.

    Parameters
    ----------
    book : Book or None
        Fresh snapshot at the decision; None: there is none.
    side : str
        BUY takes from the offers, SELL from the bids.
    multiplier : float
        Cash per unit and price.
    """
    if not config.enabled:
        return []
    if book is None or book.mid != book.mid:
        note = "no fresh snapshot" if book is None else "one side is empty or the book is crossed"
        return [Finding("liquidity", config.missing == "pass", float("nan"), config.max_age, note)]
    levels = book.offers if side == "BUY" else book.bids
    offered = float(np.prod(levels[: config.levels], axis=1).sum()) * multiplier
    met = walk(levels, quantity)
    impact = abs(met.average / book.mid - 1.0) if met.filled >= quantity else float("inf")
    note = "" if met.filled >= quantity else f"the book holds {met.filled:g} of {quantity:g}"
    return [
        Finding("spread", book.spread <= config.max_spread, book.spread, config.max_spread),
        Finding("depth", offered >= config.min_depth, offered, config.min_depth),
        Finding("impact", impact <= config.max_impact, impact, config.max_impact, note),
    ]


def liquidity(
    depth: pl.DataFrame, lots: Mapping[str, float] | None = None, lot: float = STOCK_LOT
) -> pl.DataFrame:
    """Measures of every snapshot.

    Parameters
    ----------
    depth : polars.DataFrame
        Rows of the table ``depth``, one version a level.
    lots : mapping, optional
        Units of one lot by symbol.
    lot : float
        Units of one lot of all others.

    Returns
    -------
    polars.DataFrame
        By symbol and time: ``bid, ask, mid, microprice, spread`` (over mid), ``depth_5`` (both sides, units;
        10, 20 alike), ``imbalance`` over all levels, ``pressure`` over the best three, both
        ``(bid - ask) / (bid + ask)``; ``flow``: order flow imbalance at the touch, units, summed over five
        snapshots [1]_; ``buy_impact_1`` (5, 10 and ``sell_`` alike): distance of the average price of so
        many lots from the mid, over mid, null where the book does not hold them; ``lots``: on the
        thinner side; ``liquidity``: high, medium, fair or low.

    References
    ----------
    .. [1] Cont, Kukanov and Stoikov, "The price impact of order book events", 2014, equation 3.
    """
    levels = depth.filter(pl.col("size") > 0).sort("symbol", "quoted_at", "side", "level")
    sizes = dict(lots or {})
    levels = levels.with_columns(
        _lot=pl.col("symbol").replace_strict(sizes, default=lot, return_dtype=pl.Float64)
        if sizes
        else pl.lit(lot),
        # Shifted, not the level's size taken off again: a large level would round away what stands before it.
        _before=pl.col("size").cum_sum().shift(1, fill_value=0.0).over(*_SNAPSHOT, "side"),
        _rank=pl.int_range(pl.len()).over(*_SNAPSHOT, "side"),
    )
    aggregated = (
        levels.group_by(*_SNAPSHOT, maintain_order=True)
        .agg(pl.col("session").first(), pl.col("_lot").first(), *_touch(), *_depths(), *_walks())
        .with_columns(mid=pl.when(pl.col("bid") < pl.col("ask")).then((pl.col("bid") + pl.col("ask")) / 2))
    )
    return aggregated.with_columns(*_figures(), flow=_flow()).select(*_SNAPSHOT, "session", *_names())


def _touch() -> list[pl.Expr]:
    side = pl.col("side")
    return [
        expression
        for name in _SIDES
        for expression in (
            pl.col("price").filter(side == name).first().alias(name),
            pl.col("size").filter(side == name).first().alias(f"_{name}_size"),
        )
    ]


def _depths() -> list[pl.Expr]:
    """Sizes of each side within so many levels, and of all of them."""
    side, rank = pl.col("side"), pl.col("_rank")
    within = [
        pl.col("size").filter((side == name) & (rank < levels)).sum().alias(f"_{name}_{levels}")
        for name in _SIDES
        for levels in {PRESSURE_LEVELS, *DEPTHS}
    ]
    return within + [pl.col("size").filter(side == name).sum().alias(f"_{name}_all") for name in _SIDES]


def _walks() -> list[pl.Expr]:
    """Average price of so many lots on each side, null where the book does not hold them."""
    expressions = []
    for name in _SIDES:
        for lots in IMPACT_LOTS:
            here = pl.col("side") == name
            wanted = pl.col("_lot").first() * lots
            taken = pl.min_horizontal(
                pl.max_horizontal(pl.col("_lot") * lots - pl.col("_before"), 0.0), "size"
            )
            cost = (taken * pl.col("price")).filter(here).sum()
            filled = taken.filter(here).sum()
            whole = filled >= wanted * (1 - 1e-12)
            expressions.append(pl.when(whole).then(cost / filled).alias(f"_{name}_walk_{lots}"))
    return expressions


def _figures() -> list[pl.Expr]:
    def ratio(levels: int | str) -> pl.Expr:
        bid, ask = pl.col(f"_bid_{levels}"), pl.col(f"_ask_{levels}")
        return pl.when(bid + ask > 0).then((bid - ask) / (bid + ask))

    bid_size, ask_size = pl.col("_bid_size"), pl.col("_ask_size")
    micro = (pl.col("bid") * ask_size + pl.col("ask") * bid_size) / (bid_size + ask_size)
    thinner, size = pl.min_horizontal("_bid_20", "_ask_20"), pl.col("_lot")
    classed = (
        pl.when(thinner >= HIGH * size)
        .then(pl.lit("high"))
        .when(thinner >= MEDIUM * size)
        .then(pl.lit("medium"))
        .when(thinner >= LOW * size)
        .then(pl.lit("fair"))
        .otherwise(pl.lit("low"))
    )
    impacts = [
        (pl.col(f"_{side}_walk_{lots}") / pl.col("mid") - 1).abs().alias(f"{order}_impact_{lots}")
        for order, side in (("buy", "ask"), ("sell", "bid"))
        for lots in IMPACT_LOTS
    ]
    depths = [(pl.col(f"_bid_{n}") + pl.col(f"_ask_{n}")).alias(f"depth_{n}") for n in DEPTHS]
    return [
        pl.when(pl.col("mid").is_not_null()).then(micro).alias("microprice"),
        ((pl.col("ask") - pl.col("bid")) / pl.col("mid")).alias("spread"),
        *depths,
        ratio("all").alias("imbalance"),
        ratio(PRESSURE_LEVELS).alias("pressure"),
        *impacts,
        # By the reciprocal: polars takes it for a column of one value anyway, but not in a frame of one row.
        (thinner * (1 / size)).alias("lots"),
        classed.alias("liquidity"),
    ]


def _flow() -> pl.Expr:
    def before(name: str) -> pl.Expr:
        return pl.col(name).shift(1).over("symbol")

    bid, ask, bid_size, ask_size = (pl.col(name) for name in ("bid", "ask", "_bid_size", "_ask_size"))
    events = (
        pl.when(bid >= before("bid")).then(bid_size).otherwise(0.0)
        - pl.when(bid <= before("bid")).then(before("_bid_size")).otherwise(0.0)
        - pl.when(ask <= before("ask")).then(ask_size).otherwise(0.0)
        + pl.when(ask >= before("ask")).then(before("_ask_size")).otherwise(0.0)
    )
    known = before("bid").is_not_null() & before("ask").is_not_null() & bid.is_not_null() & ask.is_not_null()
    event = pl.when(known).then(events)
    return event.rolling_sum(FLOW_SNAPSHOTS, min_samples=1).over("symbol")


def _names() -> tuple[str, ...]:
    impacts = (f"{order}_impact_{lots}" for order in ("buy", "sell") for lots in IMPACT_LOTS)
    touch = ("bid", "ask", "mid", "microprice", "spread")
    depths = (f"depth_{n}" for n in DEPTHS)
    return (*touch, *depths, "imbalance", "pressure", "flow", *impacts, "lots", "liquidity")
