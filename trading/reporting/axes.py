"""Round ticks for values and dates, and series thinned to what a picture can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

LARGEST = 1e100
"""Larger values are not drawn: sums and squares of them overflow, and a plotting library may abort."""


def drawable(value: float | None) -> bool:
    """Whether a value can be drawn: not None, not NaN, not out of all proportion."""
    return value is not None and -LARGEST <= value <= LARGEST


def padded(lowest: float, highest: float, share: float = 0.04) -> tuple[float, float]:
    """Limits of an axis that leave some air around the values, also when they are all the same.

    Values that are never negative keep an axis that is not.
    """
    span = highest - lowest
    air = span * share if span > abs(highest) * 1e-9 else max(abs(highest) * 0.01, 1e-9)
    return (max(lowest - air, 0.0) if lowest >= 0 else lowest - air), highest + air


def value_ticks(lowest: float, highest: float, count: int = 5) -> list[float]:
    """Round values between the lowest and the highest, both included.

    Returns
    -------
    list of float
        About ``count`` values in steps of 1, 2, 2.5 or 5 times a power of ten.
    """
    rough = (highest - lowest) / max(count - 1, 1)
    if not 1e-300 < rough <= LARGEST:
        return [lowest]
    power = 10.0 ** math.floor(math.log10(rough))
    choices = [_multiples(lowest, highest, power * factor) for factor in (1, 2, 2.5, 5, 10)]
    return min(choices, key=lambda ticks: abs(len(ticks) - count))


def _multiples(lowest: float, highest: float, step: float) -> list[float]:
    first, last = math.ceil(lowest / step - 1e-9), math.floor(highest / step + 1e-9)
    return [step * place for place in range(first, last + 1)]


def date_ticks(sessions: Sequence[date], count: int = 6) -> list[tuple[int, str]]:
    """Places along a run of sessions and their labels.

    Returns
    -------
    list of (int, str)
        Index and label of the first session of each year, half, quarter, month or week, whichever gives
        two to ``count`` of them; evenly spaced days when none does.
    """
    for unit in (_week, _month, _quarter, _half, _year):
        names = pairwise(map(unit, sessions))
        begins = (place for place, (before, name) in enumerate(names, 1) if name != before)
        # One more than there may be tells enough; of years some are left out instead.
        starts = list(begins if unit is _year else islice(begins, count + 1))
        if unit is _year:
            starts = starts[:: math.ceil(len(starts) / count)] if starts else starts
        if 2 <= len(starts) <= count:
            return [(place, _label(sessions[place], unit is _week, unit is _year)) for place in starts]
    last = len(sessions) - 1
    chosen = sorted({round(part * last / max(count - 1, 1)) for part in range(count)}) if sessions else []
    short = bool(sessions) and (sessions[-1] - sessions[0]).days <= 400
    return [(place, _label(sessions[place], short, False)) for place in chosen]


def _week(day: date) -> tuple[int, ...]:
    return day.isocalendar()[:2]


def _month(day: date) -> tuple[int, ...]:
    return (day.year, day.month)


def _quarter(day: date) -> tuple[int, ...]:
    return (day.year, (day.month - 1) // 3)


def _half(day: date) -> tuple[int, ...]:
    return (day.year, (day.month - 1) // 6)


def _year(day: date) -> tuple[int, ...]:
    return (day.year,)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _label(day: date, days: bool, years: bool) -> str:
    """Label of a tick; months are named here because a locale must not change a report."""
    if years:
        return str(day.year)
    month = _MONTHS[day.month - 1]
    return f"{day.day} {month}" if days else f"{month} {day.year}"


def short_number(value: float) -> str:
    """Number for an axis: 950, 12.5k, 101k, 1.2M; nine digits at most."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * (1 - 1e-9):
            return f"{value / size:.5g}{letter}"
    return f"{value:.4g}" if abs(value) >= 1e-9 else "0"


def thin(values: Sequence[float | None], most: int) -> list[int]:
    """Places of the values to draw when there are more than a picture has columns.

    The lowest and the highest of each group are kept, so that no drawdown is drawn too shallow; first and
    last are always among them. Places without a value are left out.
    """
    line = np.array(values, dtype=np.float64)  # None becomes nan
    known = np.flatnonzero(np.abs(line) <= LARGEST)
    places: list[int] = known.tolist()
    return places if len(known) <= most else _ends(line, known, math.ceil(2 * len(known) / most))


def _ends(line: NDArray[np.float64], known: NDArray[np.int64], group: int) -> list[int]:
    """First and last place, and those of the lowest and the highest value of each group of places."""
    filled = np.append(known, np.repeat(known[-1:], -len(known) % group)).reshape(-1, group)
    values, row = line[filled], np.arange(len(filled))
    lowest, highest = filled[row, values.argmin(axis=1)], filled[row, values.argmax(axis=1)]
    return sorted({*known[[0, -1]].tolist(), *lowest.tolist(), *highest.tolist()})
