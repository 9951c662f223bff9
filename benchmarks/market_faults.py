"""Recall and precision of the repair on real series with known faults, and on clean ones.

Faults are put into windows of LEAN's daily files:
``python -m benchmarks.market_faults FOLDER [SERIES] [SEED]``
prints a row a kind of fault. Recall is the share of the damaged bars that equal the original afterwards,
precision the share of the changed bars that do; ``exact`` counts the series that came out as they were. The
faults are those that the repair was written for, so this shows that it does them right, not how often
others occur; another seed draws other windows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from resources.calendar import sessions
from resources.providers.base import Request
from resources.providers.registry import provider
from trading.repair import PRICES, repair_dates, repair_prices

SYMBOLS = ("AAPL", "IBM", "SPY", "BAC", "AIG", "GOOGL", "EEM", "IWM", "QQQ", "USO")
SPLITTERS = ("AAPL", "IBM", "BAC", "AIG", "GOOGL", "EEM", "IWM", "QQQ", "USO")
EVER = (date(1998, 1, 1), date(2021, 4, 1))
WINDOW = 500
FIGURES = (*PRICES, "volume")
CALENDAR = "XNYS"

Damage = Callable[["Case", np.random.Generator], pl.DataFrame]


class Case(NamedTuple):
    """A clean series with the actions and the sessions it is judged by."""

    bars: pl.DataFrame
    actions: pl.DataFrame
    sessions: pl.DataFrame
    instruments: pl.DataFrame


class Score(NamedTuple):
    """What the repair did to the series of one kind of fault."""

    kind: str
    series: int
    damaged: int
    restored: int
    changed: int
    right: int
    exact: int

    @property
    def recall(self) -> float:
        """Share of the damaged bars that were restored; 1 where none was damaged."""
        return self.restored / self.damaged if self.damaged else 1.0

    @property
    def precision(self) -> float:
        """Share of the changed bars that are right; 1 where none was changed."""
        return self.right / self.changed if self.changed else 1.0


def cases(folder: Path, count: int, seed: int = 7) -> Iterator[Case]:
    """Windows of real series; every second one around a split where the symbol has one."""
    generator = np.random.default_rng(seed)
    lean = provider("lean", {"folder": folder})
    answers = {symbol: lean.fetch(Request((symbol,), *EVER)) for symbol in SYMBOLS}
    calendar = sessions(CALENDAR, EVER[0], EVER[1] + timedelta(days=14))
    for i in range(count):
        symbol = SYMBOLS[i % len(SYMBOLS)]
        answer = answers[symbol]
        bars = answer.bars.sort("session")
        splits = answer.corporate_actions.filter(pl.col("action") == "split")["ex_date"].to_list()
        start = int(generator.integers(0, bars.height - WINDOW))
        if splits and i // len(SYMBOLS) % 2 == 0:
            day = splits[int(generator.integers(0, len(splits)))]
            at = int(bars["session"].search_sorted(day))
            start = int(np.clip(at - generator.integers(100, WINDOW - 100), 0, bars.height - WINDOW))
        part = bars.slice(start, WINDOW)
        yield Case(part, answer.corporate_actions, calendar, answer.instruments)


def split_in(case: Case) -> tuple[int, float] | None:
    """Row and ratio of the first split within a series, far enough from its end."""
    days = case.bars["session"]
    for day, ratio in (
        case.actions.filter(pl.col("action") == "split")
        .sort("ex_date")
        .select("ex_date", "value")
        .iter_rows()
    ):
        at = int(days.search_sorted(day))
        if 15 < at < len(days) - 15 and days[at] >= day and abs(np.log(ratio)) > np.log(1.4):
            return at, float(ratio)
    return None


def scaled(
    bars: pl.DataFrame, rows: slice, factor: float, names: tuple[str, ...] = PRICES, *, volume: bool = False
) -> pl.DataFrame:
    """Bars with some prices multiplied; for a split to the vendor's four digits, and the volume divided."""
    inside = pl.int_range(pl.len()).is_between(rows.start, rows.stop - 1)
    changed = [
        pl.when(inside).then((pl.col(n) * factor).round(4 if volume else 6)).otherwise(n).alias(n)
        for n in names
    ]
    if volume:
        changed.append(
            pl.when(inside).then((pl.col("volume") / factor).round(0)).otherwise("volume").alias("volume")
        )
    return bars.with_columns(changed)


def hundredfold(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """A run of bars in other units."""
    length = int(generator.integers(1, 40))
    first = int(generator.integers(30, WINDOW - 60))
    return scaled(case.bars, slice(first, first + length), float(generator.choice([100.0, 0.01])))


def last_bars(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """The newest bars in other units."""
    return scaled(case.bars, slice(WINDOW - int(generator.integers(1, 4)), WINDOW), 100.0)


def one_field(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """One field of some bars in other units."""
    bars = case.bars
    for row in generator.choice(np.arange(5, WINDOW - 5), 5, replace=False):
        name, factor = str(generator.choice(PRICES)), float(generator.choice([100.0, 0.01]))
        bars = scaled(bars, slice(int(row), int(row) + 1), factor, (name,))
    return bars


def adjusted_before(case: Case, generator: np.random.Generator, times: int = 1) -> pl.DataFrame:
    """Prices before a split that have it already."""
    del generator
    found = split_in(case)
    if found is None:
        return case.bars
    return scaled(case.bars, slice(0, found[0]), found[1] ** -times, volume=True)


def adjusted_twice(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """Prices before a split that have it twice."""
    return adjusted_before(case, generator, 2)


def late_split(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """A split that shows some sessions late."""
    found = split_in(case)
    if found is None:
        return case.bars
    at, ratio = found
    return scaled(case.bars, slice(at, at + int(generator.integers(1, 8))), ratio, volume=True)


def early_split(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """A split that shows some sessions early."""
    found = split_in(case)
    if found is None:
        return case.bars
    at, ratio = found
    return scaled(case.bars, slice(at - int(generator.integers(1, 8)), at), 1 / ratio, volume=True)


def repeated_rows(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """Rows that come twice, somewhere."""
    rows = sorted([*range(WINDOW), *generator.choice(np.arange(WINDOW), 6, replace=False).tolist()])
    return case.bars[rows]


def reversed_rows(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """Newest first."""
    del generator
    return case.bars.reverse()


def reversed_block(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """A block of rows, newest first."""
    first = int(generator.integers(10, WINDOW - 50))
    length = int(generator.integers(2, 30))
    return pl.concat(
        [case.bars[:first], case.bars[first : first + length].reverse(), case.bars[first + length :]]
    )


def neighbours_date(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """Rows dated like the row before."""
    days, closes = case.bars["session"].to_list(), case.bars["closes_at"].to_list()
    for row in generator.choice(np.arange(10, WINDOW - 10, 3), 4, replace=False):
        days[row], closes[row] = days[row - 1], closes[row - 1]
    return case.bars.with_columns(
        session=pl.Series(days), closes_at=pl.Series(closes, dtype=pl.Datetime("us", "UTC"))
    )


def month_for_day(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """Rows whose day and month were exchanged."""
    days = case.bars["session"].to_list()
    swappable = [i for i in range(5, WINDOW - 5) if days[i].day <= 12 and days[i].day != days[i].month]
    for row in generator.choice(swappable, 3, replace=False):
        days[row] = date(days[row].year, days[row].day, days[row].month)
    return case.bars.with_columns(session=pl.Series(days))


def unchanged(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """A clean series."""
    del generator
    return case.bars


def real_crash(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """A fall by half or a doubling that stays, and one that comes back: nothing to repair."""
    first = int(generator.integers(40, WINDOW - 100))
    bars = scaled(case.bars, slice(first, WINDOW), float(generator.choice([0.5, 2.0])))
    return scaled(bars, slice(first + 40, first + 45), 0.5)


def unrecorded_split(case: Case, generator: np.random.Generator) -> pl.DataFrame:
    """A split of 100 that nobody recorded, prices and volume: nothing to repair without knowing more."""
    first = int(generator.integers(40, WINDOW - 100))
    return scaled(case.bars, slice(first, WINDOW), 100.0, volume=True)


FAULTS: dict[str, Damage] = {
    "100 times, a run of bars": hundredfold,
    "100 times, the newest bars": last_bars,
    "100 times, one field": one_field,
    "split applied before": adjusted_before,
    "split applied twice": adjusted_twice,
    "split some sessions late": late_split,
    "split some sessions early": early_split,
    "repeated rows": repeated_rows,
    "newest first": reversed_rows,
    "a block newest first": reversed_block,
    "dated like the row before": neighbours_date,
    "day and month exchanged": month_for_day,
}
CLEAN: dict[str, Damage] = {
    "clean": unchanged,
    "real crash": real_crash,
    "unrecorded split of 100": unrecorded_split,
}


def score(kind: str, damage: Damage, folder: Path, count: int, seed: int = 7) -> Score:
    """Damage and repair ``count`` series."""
    generator = np.random.default_rng(seed)
    totals = np.zeros(6, dtype=int)
    for case in cases(folder, count, seed):
        faulty = damage(case, generator)
        truth = faulty if kind in CLEAN else case.bars
        if kind not in CLEAN and faulty.equals(case.bars):
            continue
        totals += _counts(case, faulty, truth)
    return Score(kind, *(int(total) for total in totals))


def _counts(case: Case, faulty: pl.DataFrame, truth: pl.DataFrame) -> np.ndarray:
    dated = repair_dates(faulty, case.sessions, case.instruments)
    done = repair_prices(dated.bars, case.actions)
    rights = _matches(done.bars, truth)
    before = _matches(faulty.unique(maintain_order=True), truth)
    disordered = faulty.height == truth.height and bool(before.all()) and not faulty.equals(truth)
    damaged = truth.height if disordered else truth.height - before.sum()
    restored = rights.sum() if disordered else (rights & ~before).sum()
    repaired = done.bars["flags"].list.len() > 0
    changed = int(repaired.sum())
    right = int((_right(done.bars, truth) & repaired.to_numpy()).sum())
    exact = rights.all() and done.bars.height == truth.height
    return np.array([1, damaged, restored, changed, right, exact])


def _matches(bars: pl.DataFrame, truth: pl.DataFrame) -> np.ndarray:
    """Bars of the truth that are there as they should be, once."""
    once = bars.filter(pl.col("session").is_unique())
    both = truth.join(once, on="session", how="left", suffix="_is", maintain_order="left")
    return _close(both)


def _right(bars: pl.DataFrame, truth: pl.DataFrame) -> np.ndarray:
    both = bars.join(truth, on="session", how="left", suffix="_is", maintain_order="left")
    return _close(both)


def _close(both: pl.DataFrame) -> np.ndarray:
    """Equal to four digits of price, and to a thousandth of volume: what a vendor's rounding leaves."""
    equal = [
        ((pl.col(name) - pl.col(f"{name}_is")).abs() <= 1e-3 * pl.col(name).abs() + 1e-4) for name in FIGURES
    ]
    return both.select(pl.all_horizontal(equal).fill_null(value=False)).to_series().to_numpy()


def main() -> None:
    """Print the table."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 60
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 7
    print(f"{'fault':28} {'series':>6} {'bars':>6} {'recall':>7} {'precision':>9} {'exact':>6}")
    for kind, damage in (FAULTS | CLEAN).items():
        found = score(kind, damage, folder, count, seed)
        print(
            f"{kind:28} {found.series:6} {found.damaged:6} {found.recall:7.3f} {found.precision:9.3f} "
            f"{found.exact:6}"
        )


if __name__ == "__main__":
    main()
