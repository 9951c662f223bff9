"""Rules over the series of a symbol: jumps, gaps, repeats, volume. One blocks, the others warn.

Returns are taken on prices adjusted for the known corporate actions, so a split or dividend explains its
jump, and one that the prices do not show is found as well. Every threshold looks at earlier bars only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from trading.adjust import forward_factors

SIGMAS = 10.0
WINDOW, SHORTEST_WINDOW = 60, 20
LONGEST_GAP = 60
"""Missing sessions after which a series starts anew: nothing is compared across."""
QUIET = 0.005
"""Smallest daily deviation assumed, so that a stale series does not make every move a jump."""
SCALES = (80.0, 125.0)
"""A change of price by a factor in this range, up or down, is an error of units such as pence for pounds."""
SPLITS = (2.0, 3.0, 4.0, 5.0, 10.0, 1.5, 20.0, 7.0)
SPLIT_TOLERANCE = 0.04
STALE_BARS, IDLE_BARS = 3, 5
VOLUME_WINDOW, VOLUME_SCALE = 20, 1000.0
UNTRADED = ("fx", "index")
"""Asset classes whose bars may have no volume."""


class Finding(NamedTuple):
    """A rule over a series: where it is broken, the figures to show and whether it blocks."""

    name: str
    broken: pl.Expr
    reason: pl.Expr
    blocks: bool = False


def measured(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Bars with the figures that the findings compare.

    Parameters
    ----------
    bars : polars.DataFrame
        Bars ascending by symbol and time; columns of the bar, ``asset_class`` and ``ordinal`` (number of
        the session in its calendar).
    actions : polars.DataFrame
        Corporate actions known.
    """
    same_symbol = pl.col("symbol") == pl.col("symbol").shift(1)
    skipped = pl.when(same_symbol).then(pl.col("ordinal").diff() - 1)
    parts = bars.with_columns(skipped=skipped).with_columns(
        starts=same_symbol.fill_null(value=False).not_()
        | (pl.col("skipped") > LONGEST_GAP).fill_null(value=False)
    )
    parts = parts.with_columns(series=pl.col("starts").cum_sum())
    inside = pl.col("starts").not_()
    own = pl.when(inside).then(pl.col("close").log().diff() + pl.col("step"))
    volume = pl.when(pl.col("volume") > 0).then("volume")
    same = pl.all_horizontal(
        pl.col(name) == pl.col(name).shift(1) for name in ("open", "high", "low", "close", "volume")
    )
    return (
        parts.with_columns(step=pl.Series(_action_steps(parts, actions)))
        .with_columns(change=own, same=(inside & same).fill_null(value=False), idle=pl.col("volume") == 0)
        .with_columns(
            sigma=pl.col("change")
            .rolling_std(WINDOW, min_samples=SHORTEST_WINDOW)
            .shift(1)
            .over("series")
            .clip(lower_bound=QUIET),
            usual_volume=volume.rolling_median(VOLUME_WINDOW, min_samples=VOLUME_WINDOW // 2)
            .shift(1)
            .over("series"),
            repeats=_run("same") + 1,
            idle_run=_run("idle"),
        )
    )


def findings() -> tuple[Finding, ...]:
    """The rules over a frame of :func:`measured`."""
    size = pl.col("change").abs()
    ratio = pl.col("change").exp()
    # A walk over several sessions is wider by the root of their number.
    sigmas = size / (pl.col("sigma") * (pl.col("skipped").fill_null(0).clip(lower_bound=0) + 1).sqrt())
    scale = size.is_between(*np.log(SCALES))
    nearest = pl.concat_list((size - np.log(split)).abs() for split in SPLITS).list.min()
    looks = (
        pl.when(nearest < SPLIT_TOLERANCE)
        .then(pl.lit("; looks like a split that no corporate action records"))
        .otherwise(pl.lit(""))
    )
    traded = pl.col("asset_class").is_in(UNTRADED).not_()
    volume_ratio = pl.col("volume") / pl.col("usual_volume")
    return (
        Finding(
            "price scale",
            scale,
            pl.format("close {} is {} times the close before it", _figure("close"), ratio.round(4)),
            blocks=True,
        ),
        Finding(
            "jump",
            (sigmas > SIGMAS) & scale.not_(),
            pl.format(
                "close {} is {} times the close before it, {} sigma{}",
                _figure("close"),
                ratio.round(4),
                sigmas.round(1),
                looks,
            ),
        ),
        Finding(
            "missing sessions", pl.col("skipped") > 0, pl.format("{} sessions missing before it", "skipped")
        ),
        Finding(
            "stale",
            (pl.col("repeats") >= STALE_BARS) & (traded.not_() | pl.col("idle").not_()),
            pl.format("the same prices and volume {} bars in a row", "repeats"),
        ),
        Finding(
            "no volume",
            (pl.col("idle_run") >= IDLE_BARS) & traded,
            pl.format("no volume for {} bars in a row", "idle_run"),
        ),
        Finding(
            "volume scale",
            (volume_ratio > VOLUME_SCALE) | (volume_ratio.is_between(0, 1 / VOLUME_SCALE, closed="none")),
            pl.format("volume {} against a usual {}", _figure("volume"), _figure("usual_volume")),
        ),
    )


def _figure(name: str) -> pl.Expr:
    return pl.col(name).round(6).cast(pl.String)


def _run(flag: str) -> pl.Expr:
    """Length of the run of true values within a series that ends at each row, 0 where the row is false."""
    one = pl.col(flag).cast(pl.Int64)
    count = one.cum_sum()
    before = pl.when(pl.col("starts")).then(count - one).when(pl.col(flag).not_()).then(count)
    return count - before.forward_fill()


def _action_steps(bars: pl.DataFrame, actions: pl.DataFrame) -> np.ndarray:
    """Logarithm of the change of the total return factor at each bar; meaningless where a symbol starts."""
    counts = bars.group_by("symbol", maintain_order=True).len()
    offsets = np.concatenate([[0], np.cumsum(counts["len"].to_numpy())]).astype(np.int64)
    days = bars["session"].to_physical().to_numpy()
    factor, _ = forward_factors(tuple(counts["symbol"]), offsets, days, bars["close"].to_numpy(), actions)
    return np.diff(np.log(factor), prepend=0.0)
