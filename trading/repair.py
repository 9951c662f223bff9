"""Repair of the faults in bars that have one right answer; all others are left for a person.

Prices: a unit error of 100 in some bars or in one field, and a recorded split that the prices before it, or
some bars around it, show once too often or not at all. Dates: rows out of order, rows that come twice, a
row dated like its neighbour, day and month exchanged. A repaired bar says in its flags what was done; the
caller writes it as a new version, so that what was known before stays.

A repair may look at later bars: it is known from the day it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trading.adjust import forward_factors

Floats = NDArray[np.float64]

PRICES = ("open", "high", "low", "close")
UNIT = 100.0
UNIT_RANGE = (80.0, 125.0)
LONGEST_EDGE = 5
"""Bars at the beginning or end of a series that one jump may set apart from the rest."""
LONGEST_DELAY = 10
"""Bars by which a split may show early or late in the prices."""
TOLERANCE, SIGMAS = 0.04, 6.0
SAME_VOLUME = 10.0
LAYERS = 10
"""Faults on top of each other that are taken off one after the other."""
MARK = "repaired"
"""Beginning of the flags of repaired bars."""


@dataclass(frozen=True)
class Repaired:
    """Bars after the repair.

    Attributes
    ----------
    bars : polars.DataFrame
        All bars with ``flags``; repaired ones carry the reason.
    repairs : polars.DataFrame
        One row a repaired bar: ``symbol, timeframe, session, closes_at, rule, reason, row`` (the bar as it
        was, JSON).
    """

    bars: pl.DataFrame
    repairs: pl.DataFrame


class _Segment(NamedTuple):
    """Rows of a series that are divided by a factor, volume multiplied where a split is the cause."""

    first: int
    end: int
    factor: float
    rule: str
    reason: str
    with_volume: bool = False


class _Series(NamedTuple):
    """One symbol: changes between its closes, adjusted for the known actions, and its splits."""

    change: Floats
    volume: Floats
    splits: list[tuple[int, float, date]]

    @property
    def sigma(self) -> float:
        """Usual size of a change, by the median."""
        return float(np.median(np.abs(self.change[1:]))) * 1.4826 if len(self.change) > 1 else 0.0

    def mend(self, found: _Segment) -> None:
        """Take a fault out of the figures that the search for the next one looks at."""
        step = float(np.log(found.factor))
        self.change[found.first] -= step if found.first else 0.0
        if found.end < len(self.change):
            self.change[found.end] += step
        if found.with_volume:
            self.volume[found.first : found.end] *= found.factor


REPAIRS = pl.Schema(
    {
        "symbol": pl.String(),
        "timeframe": pl.String(),
        "session": pl.Date(),
        "closes_at": pl.Datetime("us", "UTC"),
        "rule": pl.String(),
        "reason": pl.String(),
        "row": pl.String(),
    }
)


def is_repaired() -> pl.Expr:
    """Whether the figures or the date of a bar were repaired, by its flags; not its order or repetition."""
    marked = pl.element().str.contains(f"^{MARK} (unit|split|date)")
    return pl.col("flags").list.eval(marked).list.any()


def repair_prices(bars: pl.DataFrame, actions: pl.DataFrame) -> Repaired:
    """Repair unit errors and splits.

    Parameters
    ----------
    bars : polars.DataFrame
        Columns of the table ``bars`` without ``known_at`` (``flags`` may be missing): one timeframe, one
        version a bar, in any order.
    actions : polars.DataFrame
        Corporate actions known. Their splits are taken for true: where the prices do not show one, the
        prices are wrong.

    Returns
    -------
    Repaired
        The bars in the order given.
    """
    flagged = _with_flags(bars).with_row_index("_line")
    ordered = flagged.sort("symbol", "closes_at", maintain_order=True)
    fields, touched = _fields(ordered)
    values = {name: fields[name].to_numpy().copy() for name in (*PRICES, "volume")}
    rule = np.full(len(ordered), "", dtype=object)
    reason = np.full(len(ordered), "", dtype=object)
    rule[touched], reason[touched] = "unit of a field", "a field was 100 times or 1/100 of the others"
    for offset, series in _series(fields, actions):
        for found in _faults(series):
            rows = slice(offset + found.first, offset + found.end)
            for name in PRICES:
                values[name][rows] /= found.factor
            if found.with_volume:
                values["volume"][rows] *= found.factor
            rule[rows] = found.rule
            reason[rows] = [f"{told}; {found.reason}" if told else found.reason for told in reason[rows]]
    return _result(ordered, values, rule, reason, bars)


def repair_dates(bars: pl.DataFrame, sessions: pl.DataFrame, instruments: pl.DataFrame) -> Repaired:
    """Repair the dates of daily bars: order, repetition, a neighbour's date, day and month exchanged.

    A row whose date is wrong gets the one session that is missing at its place, if there is just one.
    Rows of one date with different figures are left alone, unless the missing session tells them apart.

    Parameters
    ----------
    bars : polars.DataFrame
        Daily bars in the order of the source, which is that of time, or the reverse of it.
    sessions : polars.DataFrame
        Sessions of all calendars over the range.
    instruments : polars.DataFrame
        ``symbol, calendar``.

    Returns
    -------
    Repaired
        The bars by symbol and time.
    """
    flagged = _with_flags(bars)
    calendars = dict(instruments.select("symbol", "calendar").iter_rows())
    hours = {
        str(name): rows.sort("session")
        for (name,), rows in sessions.group_by("calendar", maintain_order=True)
    }
    parts, repairs = [flagged.clear()], [REPAIRS.to_frame()]
    for (symbol,), rows in flagged.group_by("symbol", maintain_order=True):
        there = hours.get(calendars.get(str(symbol), ""))
        daily = set(rows["timeframe"]) == {"1d"}
        fixed = (
            _dated(rows, there)
            if daily and there is not None and _in_doubt(rows)
            else Repaired(rows, REPAIRS.to_frame())
        )
        parts.append(fixed.bars)
        repairs.append(fixed.repairs)
    return Repaired(pl.concat(parts), pl.concat(repairs))


def _in_doubt(rows: pl.DataFrame) -> bool:
    return not (rows["session"].diff().drop_nulls().dt.total_days() > 0).all()


def _dated(rows: pl.DataFrame, hours: pl.DataFrame) -> Repaired:
    """Rows of one symbol with their dates put right."""
    turned = rows.reverse() if _descends(rows["session"]) else rows
    once = turned.unique(["session", *PRICES, "volume"], keep="first", maintain_order=True)
    days = once["session"].to_list()
    calendar = hours["session"].to_list()
    number = {day: i for i, day in enumerate(calendar)}
    fixed = list(days)
    for i, day in enumerate(days):
        right = _right_date(days, fixed, i, calendar, number)
        if right is not None and right != day:
            fixed[i] = right
    closes = dict(hours.select("session", "closes_at").iter_rows())
    redated = once.with_columns(
        pl.Series("_as_told", days),
        session=pl.Series(fixed, dtype=pl.Date),
        closes_at=pl.Series(
            [closes.get(new, old) for new, old in zip(fixed, once["closes_at"], strict=True)],
            dtype=pl.Datetime("us", "UTC"),
        ),
    )
    moved = pl.col("session") != pl.col("_as_told")
    text = pl.format("the bar was dated {}, the session missing at its place is {}", "_as_told", "session")
    marked = redated.with_columns(
        flags=pl.when(moved)
        .then(pl.col("flags").list.concat(pl.concat_list(pl.format(MARK + " date: {}", text))))
        .otherwise("flags")
    )
    changed = marked.filter(moved).with_columns(rule=pl.lit("date"), reason=text)
    dropped = rows.height - once.height
    told = [_told(changed, rows.columns)]
    if dropped:
        first = rows.filter(rows.select("session", *PRICES, "volume").is_duplicated()).unique(
            ["session", *PRICES, "volume"], maintain_order=True
        )
        told.append(
            _told(
                first.with_columns(
                    rule=pl.lit("repetition"), reason=pl.lit("the same row came more than once")
                ),
                rows.columns,
            )
        )
    if not once["session"].is_sorted() or turned is not rows:
        told.append(
            _told(
                rows.head(1).with_columns(
                    rule=pl.lit("order"), reason=pl.lit("rows came out of the order of time")
                ),
                rows.columns,
            )
        )
    return Repaired(
        marked.drop("_as_told").sort("session", maintain_order=True).select(rows.columns), pl.concat(told)
    )


def _right_date(
    days: list[date], fixed: list[date], i: int, calendar: list[date], number: dict[date, int]
) -> date | None:
    """Session that a row must have, if its own date contradicts its place."""
    before = fixed[i - 1] if i else None
    after = days[i + 1] if i + 1 < len(days) else None
    day = days[i]
    fits = (before is None or before < day) and (after is None or day < after)
    if fits or before is None or before not in number or number[before] + 1 >= len(calendar):
        return None
    missing = calendar[number[before] + 1]
    bound = after if after is not None and after > before else None
    if missing in days or (bound is not None and missing >= bound):
        return None
    exchanged = _exchanged(day)
    repeated = day == before
    # Nothing else may fit between the neighbours, or the exchange of day and month says it.
    alone = bound is not None and number.get(bound, -1) == number[missing] + 1
    return missing if exchanged == missing or (repeated and alone) else None


def _exchanged(day: date) -> date | None:
    try:
        return date(day.year, day.day, day.month)
    except ValueError:
        return None


def _descends(days: pl.Series) -> bool:
    steps = days.diff().drop_nulls().dt.total_days()
    return len(steps) > 1 and int((steps < 0).sum()) > len(steps) / 2


def _with_flags(bars: pl.DataFrame) -> pl.DataFrame:
    empty = pl.lit([], pl.List(pl.String))
    return bars if "flags" in bars.columns else bars.with_columns(flags=empty)


def _fields(ordered: pl.DataFrame) -> tuple[pl.DataFrame, NDArray[np.bool_]]:
    """Bars in which one field is 100 times or 1/100 of what the other three say, put right."""
    usual = pl.concat_list(PRICES).list.median()
    scaled = {
        name: pl.when((pl.col(name) / usual).is_between(*UNIT_RANGE))
        .then(pl.col(name) / UNIT)
        .when((usual / pl.col(name)).is_between(*UNIT_RANGE))
        .then(pl.col(name) * UNIT)
        .otherwise(pl.col(name))
        .alias(name)
        for name in PRICES
    }
    fixed = ordered.with_columns(**scaled)
    low, high = fixed["low"], fixed["high"]
    sound = (
        (low <= fixed["open"]) & (low <= fixed["close"]) & (fixed["open"] <= high) & (fixed["close"] <= high)
    )
    differs = sum(
        ((fixed[name] != ordered[name]).cast(pl.Int8) for name in PRICES),
        pl.Series([0] * len(ordered), dtype=pl.Int8),
    )
    keep = (sound & (differs == 1)).fill_null(value=False)
    chosen = {name: pl.when(keep).then(fixed[name]).otherwise(ordered[name]).alias(name) for name in PRICES}
    return ordered.with_columns(**chosen), keep.to_numpy()


def _series(ordered: pl.DataFrame, actions: pl.DataFrame) -> Iterator[tuple[int, _Series]]:
    """Offset and figures of every symbol that has a jump worth a look."""
    counts = ordered.group_by("symbol", maintain_order=True).len()
    symbols = tuple(counts["symbol"])
    offsets = np.concatenate([[0], np.cumsum(counts["len"].to_numpy())]).astype(np.int64)
    days = ordered["session"].to_physical().to_numpy()
    close = ordered["close"].to_numpy()
    recorded = actions.filter(pl.col("action") == "split")
    _, factor = forward_factors(symbols, offsets, days, close, recorded)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.diff(np.log(close * factor), prepend=np.nan)
    change[offsets[:-1]] = 0.0
    volume = ordered["volume"].to_numpy()
    by_symbol: dict[str, list[tuple[date, float]]] = {}
    for symbol, day, ratio in recorded.sort("ex_date").select("symbol", "ex_date", "value").iter_rows():
        by_symbol.setdefault(symbol, []).append((day, ratio))
    for i, symbol in enumerate(symbols):
        rows = slice(int(offsets[i]), int(offsets[i + 1]))
        own = np.nan_to_num(change[rows])
        if not len(own) or np.abs(own).max() < np.log(1.2):
            continue
        events = [
            (int(np.searchsorted(days[rows], _number(day))), ratio, day)
            for day, ratio in by_symbol.get(symbol, [])
        ]
        inside = [event for event in events if 0 < event[0] < len(own)]
        yield rows.start, _Series(own, volume[rows].copy(), inside)


def _faults(series: _Series) -> Iterator[_Segment]:
    """All faults of a series; mending one may uncover another, so it is looked at until none is left."""
    for _ in range(LAYERS):
        found = [*_splits(series), *_units(series)]
        if not found:
            return
        yield from found


def _splits(series: _Series) -> Iterator[_Segment]:
    """Recorded splits that the prices contradict; each is mended before the next is looked at."""
    for at, ratio, day in series.splits:
        step = float(np.log(ratio))
        wide = min(max(TOLERANCE, SIGMAS * series.sigma), abs(step) / 3)
        found = _split_fault(series, at, step, wide, f"the {ratio:g}:1 split of {day}")
        if found is not None:
            series.mend(found)
            yield found


def _split_fault(series: _Series, at: int, step: float, wide: float, name: str) -> _Segment | None:
    """What is wrong around a split whose adjusted change at its row is ``step`` or twice that."""
    change, length = series.change, len(series.change)
    own = change[at]

    def near(value: float) -> bool:
        return bool(abs(own - value) < wide)

    def back(rows: range, value: float) -> int | None:
        return next((row for row in rows if abs(change[row] - value) < wide), None)

    around = change[max(at - LONGEST_DELAY, 1) : at + LONGEST_DELAY + 1]
    # A jump back nearby may be the other end of a delay, blurred by the market: then nothing is certain.
    whole = length - at > LONGEST_DELAY and not (around * -np.sign(step) > abs(step) / 2).any()
    if near(step):
        late = back(range(at + 1, min(at + LONGEST_DELAY + 1, length)), -step)
        if late is not None:
            return _Segment(at, late, float(np.exp(step)), "split", f"{name} showed only later", True)
        early = back(range(at - 1, max(at - LONGEST_DELAY - 1, 0), -1), -step)
        if early is not None:
            return _Segment(early, at, float(np.exp(-step)), "split", f"{name} showed too early", True)
        if whole:
            return _Segment(
                0, at, float(np.exp(-step)), "split", f"prices before {name} had it already", True
            )
    elif near(2 * step) and whole:
        return _Segment(0, at, float(np.exp(-2 * step)), "split", f"prices before {name} had it twice", True)
    elif near(-step):
        over = back(range(at + 1, min(at + LONGEST_DELAY + 1, length)), step)
        if over is not None:
            return _Segment(at, over, float(np.exp(-step)), "split", f"{name} showed twice", True)
    return None


def _units(series: _Series) -> Iterator[_Segment]:
    """Bars that stand 100 times above or below their neighbours on both sides, or at an edge.

    Jumps close like brackets, the inner ones first: a stretch in other units may hold another.
    """
    change, length = series.change, len(series.change)
    low, high = np.log(UNIT_RANGE)
    found: list[_Segment] = []
    opened: list[int] = []
    for row in np.flatnonzero((np.abs(change) >= low) & (np.abs(change) <= high)).tolist():
        if not opened or change[opened[-1]] * change[row] > 0:
            opened.append(row)
            continue
        first = opened.pop()
        if row - first < length / 2:
            found.append(_unit(first, row, change[first]))
    for row in opened:
        if length - row <= LONGEST_EDGE and _same_volume(series.volume, row, length):
            found.append(_unit(row, length, change[row]))
        elif row <= LONGEST_EDGE and length > 4 * LONGEST_EDGE and _same_volume(series.volume, 0, row):
            found.append(_unit(0, row, -change[row]))
    for segment in found:
        series.mend(segment)
        yield segment


def _unit(first: int, end: int, jump: float) -> _Segment:
    factor, said = (UNIT, "100 times") if jump > 0 else (1 / UNIT, "1/100 of")
    return _Segment(first, end, factor, "unit", f"prices were {said} those of the bars around")


def _same_volume(volume: Floats, first: int, end: int) -> bool:
    """Whether volume has the scale of the neighbours, which it would not after a split of 100."""
    inside = float(np.median(volume[first:end]))
    outside = np.concatenate([volume[max(0, first - 20) : first], volume[end : end + 20]])
    usual = float(np.median(outside)) if len(outside) else 0.0
    return inside > 0 and usual > 0 and bool(1 / SAME_VOLUME < inside / usual < SAME_VOLUME)


def _result(
    ordered: pl.DataFrame,
    values: dict[str, Floats],
    rule: NDArray[np.object_],
    reason: NDArray[np.object_],
    given: pl.DataFrame,
) -> Repaired:
    touched = pl.Series(rule != "", dtype=pl.Boolean)
    # Quotients such as 64557 / 100 are rounded to the digits that prices have.
    figures = {name: pl.Series(name, values[name]).round(6) for name in (*PRICES, "volume")}
    said = ordered.with_columns(
        rule=pl.Series(rule.tolist(), dtype=pl.String), reason=pl.Series(reason.tolist(), dtype=pl.String)
    )
    fixed = said.with_columns(
        **{name: pl.when(touched).then(new).otherwise(ordered[name]) for name, new in figures.items()},
        flags=pl.when(touched)
        .then(pl.col("flags").list.concat(pl.concat_list(pl.format(MARK + " {}: {}", "rule", "reason"))))
        .otherwise("flags"),
    )
    names = [*given.columns, *([] if "flags" in given.columns else ["flags"])]
    return Repaired(
        fixed.sort("_line").select(names),
        _told(said.filter(touched), [n for n in given.columns if n != "flags"]),
    )


def _told(rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    if rows.is_empty():
        return REPAIRS.to_frame()
    kept = [name for name in columns if name != "flags"]
    return rows.with_columns(row=pl.struct(kept).struct.json_encode()).select(REPAIRS.names())


def _number(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()
