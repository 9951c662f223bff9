"""Checks on what a strategy returned: every mistake is one clear line before anything is decided on it."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np
import polars as pl

from trading.history import History
from trading.strategies.base import StrategyError

TEXT, NUMBER, WHOLE, TRUTH = pl.String(), pl.Float64(), pl.Int64(), pl.Boolean()

RETURNED: dict[str, pl.DataType] = {
    "action": TEXT,
    "entry": TRUTH,
    "exit": TRUTH,
    "weight": NUMBER,
    "direction": TEXT,
    "strength": NUMBER,
    "confidence": NUMBER,
    "stop": NUMBER,
    "target": NUMBER,
    "max_hold": WHOLE,
    "reason": TEXT,
}
"""Columns that a strategy may return besides ``symbol`` and ``session``."""

ASKING = ("action", "entry", "exit", "weight")
ACTIONS = ("BUY", "SELL", "SHORT", "COVER", "CLOSE", "ROLL", "HOLD", "TARGET")
DIRECTION = {"BUY": "long", "HOLD": "long", "ROLL": "long", "SHORT": "short"}
RULES: tuple[tuple[str, pl.Expr], ...] = (
    ("weight lies outside of -1..1", pl.col("weight").abs() > 1),
    ("strength lies outside of 0..100", ~pl.col("strength").is_between(0, 100)),
    ("confidence lies outside of 0..1", ~pl.col("confidence").is_between(0, 1)),
    ("stop is not above 0", pl.col("stop") <= 0),
    ("target is not above 0", pl.col("target") <= 0),
    ("max_hold is below 1", pl.col("max_hold") < 1),
    (f"action is none of {', '.join(ACTIONS)}", ~pl.col("action").is_in(ACTIONS)),
    ("direction is none of long, short, flat", ~pl.col("direction").is_in(["long", "short", "flat"])),
    ("action TARGET has no weight", (pl.col("action") == "TARGET") & pl.col("weight").is_null()),
)


def requests(returned: Any, history: History, name: str) -> pl.DataFrame:
    """Rows of a strategy's frame that ask for something, checked and completed.

    Parameters
    ----------
    returned : polars.DataFrame or LazyFrame
        What ``signals`` returned.
    history : History
        Bars that the strategy was given.
    name : str
        How errors call the strategy.

    Returns
    -------
    polars.DataFrame
        ``_row`` (row of the history), ``action``, ``direction``, ``strength``, ``confidence``, ``stop``,
        ``target``, ``weight``, ``max_hold`` and ``reason``.

    Raises
    ------
    StrategyError
        With the strategy, the rule, how many rows broke it and the first of them.
    """
    frame = _typed(_frame(returned, name), name)
    asked = _asked(frame)
    _refuse(
        asked, pl.col("symbol").is_null() | pl.col("session").is_null(), "symbol or session is null", name
    )
    located = asked.with_columns(_row=pl.Series(_located(asked, history, name), dtype=pl.Int64))
    for column in (column for column, dtype in RETURNED.items() if dtype == NUMBER):
        _refuse(located, ~pl.col(column).is_finite(), f"{column} is NaN or infinite", name)
    for rule, broken in RULES:
        _refuse(located, broken, rule, name)
    _refuse(
        located, pl.struct("_row", "action").is_duplicated(), "symbol, session and action are repeated", name
    )
    return _completed(located)


def _frame(returned: Any, name: str) -> pl.DataFrame:
    if isinstance(returned, pl.LazyFrame):
        try:
            returned = returned.collect()
        except pl.exceptions.PolarsError as error:
            message = " ".join(str(error).split())[:300]
            raise StrategyError(f"{name}: the frame that signals returned fails: {message}") from error
    if not isinstance(returned, pl.DataFrame):
        raise StrategyError(f"{name}: signals returned {type(returned).__name__}, not a polars DataFrame")
    return returned


def _typed(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """The known columns in their types, missing ones null."""
    if missing := [column for column in ("symbol", "session") if column not in frame.columns]:
        raise StrategyError(f"{name}: signals returned no column {' and no column '.join(missing)}")
    _refuse_misspelt(frame, name)
    if not any(column in frame.columns for column in ASKING):
        raise StrategyError(
            f"{name}: signals returned none of the columns {', '.join(ASKING)}; the desk reads nothing else"
        )
    wanted = {"symbol": TEXT, "session": pl.Date(), **RETURNED}
    return frame.select(
        _cast(column, frame.schema[column], dtype, name)
        if column in frame.columns
        else pl.lit(None, dtype).alias(column)
        for column, dtype in wanted.items()
    )


def _refuse_misspelt(frame: pl.DataFrame, name: str) -> None:
    for column in frame.columns:
        meant = difflib.get_close_matches(column.lower(), RETURNED, n=1, cutoff=0.84)
        if meant and column not in RETURNED and meant[0] not in frame.columns:
            raise StrategyError(f"{name}: signals returned a column {column!r}; is {meant[0]!r} meant?")


def _cast(column: str, given: pl.DataType, wanted: pl.DataType, name: str) -> pl.Expr:
    fits = given == wanted or given == pl.Null()
    if wanted == TEXT:
        fits = fits or isinstance(given, pl.Categorical | pl.Enum)
    elif wanted in {NUMBER, WHOLE}:
        fits = fits or given.is_integer() or (wanted == NUMBER and given.is_float())
    if not fits:
        hint = "; cast it to pl.Date" if wanted == pl.Date() else ""
        raise StrategyError(f"{name}: column {column} is {given}, not {wanted}{hint}")
    return pl.col(column).cast(wanted)


def _asked(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a request: actions as given, entries and exits as actions, weights as targets."""
    short = pl.col("direction").eq_missing("short")
    entry = frame.filter(pl.col("entry")).with_columns(
        action=pl.when(short).then(pl.lit("SHORT")).otherwise(pl.lit("BUY")), weight=pl.lit(None, NUMBER)
    )
    leave = frame.filter(pl.col("exit")).with_columns(
        action=pl.lit("CLOSE"),
        direction=pl.lit("flat"),
        weight=pl.lit(None, NUMBER),
        stop=pl.lit(None, NUMBER),
        target=pl.lit(None, NUMBER),
        max_hold=pl.lit(None, WHOLE),
    )
    given = frame.filter(pl.col("action").is_not_null())
    target = frame.filter(pl.col("action").is_null() & pl.col("weight").is_not_null()).with_columns(
        action=pl.lit("TARGET")
    )
    return pl.concat([given, entry, leave, target])


def _located(asked: pl.DataFrame, history: History, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Row of the history that each request belongs to."""
    code = asked["symbol"].cast(pl.Enum(list(history.symbols)), strict=False).to_physical()
    _refuse(asked, code.is_null(), "symbol is not in the universe", name)
    days = history.sessions.astype(np.int32)
    day = asked["session"].to_physical().to_numpy()
    _refuse(
        asked,
        pl.Series(day > days[-1]),
        f"session lies after the last one known, {history.sessions[-1]}",
        name,
    )
    index = np.minimum(np.searchsorted(days, day), len(days) - 1)
    _refuse(asked, pl.Series(days[index] != day), "session is none of the calendar's", name)
    owner = np.repeat(np.arange(len(history.symbols)), np.diff(history.offsets))
    cells = owner * len(days) + history.session_index
    wanted = code.to_numpy().astype(np.int64) * len(days) + index
    row = np.minimum(np.searchsorted(cells, wanted), len(cells) - 1)
    _refuse(asked, pl.Series(cells[row] != wanted), "symbol has no bar in the session", name)
    return row.astype(np.int64)


def _completed(located: pl.DataFrame) -> pl.DataFrame:
    action = pl.col("action")
    by_weight = (
        pl.when(pl.col("weight") > 0)
        .then(pl.lit("long"))
        .when(pl.col("weight") < 0)
        .then(pl.lit("short"))
        .otherwise(pl.lit("flat"))
    )
    by_action = action.replace_strict(DIRECTION, default="flat", return_dtype=pl.String)
    return located.select(
        "_row",
        "action",
        direction=pl.when(action == "TARGET").then(by_weight).otherwise(pl.coalesce("direction", by_action)),
        strength=pl.col("strength").fill_null(100.0),
        confidence=pl.col("confidence").fill_null(1.0),
        stop="stop",
        target="target",
        weight="weight",
        max_hold="max_hold",
        reason=pl.coalesce(
            "reason", action.replace_strict(_REASONS, default="signal", return_dtype=pl.String)
        ),
    ).sort("action", maintain_order=True)


_REASONS = {"BUY": "entry", "SHORT": "entry", "CLOSE": "exit", "TARGET": "weight"}


def _refuse(asked: pl.DataFrame, broken: pl.Expr | pl.Series, rule: str, name: str) -> None:
    """Raise when rows break a rule; null counts as in order."""
    rows = asked.filter(broken)
    if not rows.height:
        return
    shown = ", ".join(f"{row[0]} {row[1]}" for row in rows.head(3).select("symbol", "session").iter_rows())
    more = ", ..." if rows.height > 3 else ""
    raise StrategyError(f"{name}: {rule} in {rows.height} of {asked.height} rows: {shown}{more}")
