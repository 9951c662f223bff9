"""Observations besides bars: option chains, rates, order books, members, capitalisation.

Each function asks a provider, writes what is new and records the step in the manifest. Every name stands
alone: one that cannot be served is reported, the others are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from inspect import signature
from pathlib import Path
from typing import Any

import polars as pl

from assets.stage import CODE_VERSION
from delta import Commit, Lake, Provenance, pin
from delta.contracts import (
    Depth,
    Instruments,
    Memberships,
    OptionQuotes,
    Quarantine,
    Rates,
    Table,
)
from delta.manifest import RunRecord, record_run
from resources.calendar import ALL_DAY
from resources.config import DeskConfig
from resources.http import keep_answers
from resources.ingest import RowsResult, ingest_rows
from resources.providers.base import INSTRUMENTS, Provider, ProviderError, Unsupported
from resources.providers.depth_files import read_depth
from resources.providers.registry import available, provider
from resources.raw_answers import raw_answers
from trading.history import newest
from trading.universe import capitalised

STEP = "market/observations"
CURVE = ("DGS3MO", "DGS2", "DGS10", "VIXCLS")
"""Series of rates when none is named: bills, two and ten years, and the volatility index."""
VOLATILITY = "_DVOL"
"""End of the names of volatility indices of coins, which Deribit serves."""
COINS = frozenset({"BTC", "ETH", "SOL", "XRP", "MATIC"})

Asked = Callable[[Any, str], pl.DataFrame]


@dataclass(frozen=True)
class ObservationUpdate:
    """What one update of observations did.

    Attributes
    ----------
    result : RowsResult
        Counts and rejected rows.
    failed : mapping of str to str
        Names that could not be served: what the provider said.
    """

    result: RowsResult
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def commits(self) -> dict[str, Commit]:
        """Commits by table."""
        return {commit.table: commit for commit in self.result.commits}

    def problems(self) -> list[str]:
        """One line for every name that was not served, and for the rows refused."""
        rules = self.result.rejected["rule"].unique().sort()
        refused = [f"{self.result.rejected.height} rows rejected: {', '.join(rules)}"] if len(rules) else []
        return [*self.failed.values(), *refused]


@dataclass(frozen=True)
class Observing:
    """Where observations go to, when and by whom."""

    lake: Lake
    config: DeskConfig
    now: datetime
    run_id: str

    def source(self, name: str, method: str) -> Provider:
        """Provider that serves something besides bars, its answers kept raw.

        Raises
        ------
        Unsupported
            When it does not serve that; names those that do.
        """
        chosen = provider(name, self.config.settings(name))
        if not hasattr(chosen, method):
            able = sorted(key for key, found in available().items() if hasattr(found, method))
            raise Unsupported(name, f"it serves no {method}", remedy=f"choose {' or '.join(able)}")
        keep_answers(chosen, raw_answers(self.lake))
        return chosen

    def write(self, table: type[Table], rows: pl.DataFrame, where: pl.Expr, **named: Any) -> RowsResult:
        """Write what is new of some rows and record it."""
        read = dict(pin(self.lake, [table, Quarantine]).versions)
        by = Provenance(self.run_id, STEP, CODE_VERSION)
        result = ingest_rows(self.lake, table, rows, where, now=self.now, provenance=by, **named)
        written = {commit.table: commit.version for commit in result.commits}
        if written:
            record_run(self.lake, RunRecord(self.run_id, STEP, read, written, CODE_VERSION))
        return result

    def known(self, table: type[Table], where: pl.Expr | None = None) -> pl.DataFrame:
        """Newest versions of the rows of a table."""
        key = tuple(name for name in table.key if name != "known_at")
        return newest(pin(self.lake, [table]).read(table, where=where).collect(), key)


def update_chains(
    desk: Observing,
    underlyings: Sequence[str],
    *,
    source: str = "",
    expiries: Iterable[date] | None = None,
    strikes: tuple[float, float] | None = None,
    span: tuple[date, date] | None = None,
) -> ObservationUpdate:
    """Quotes of the option chains of some underlyings now, or of past sessions, into ``option_quotes``.

    Parameters
    ----------
    source : str
        Provider; empty: Deribit for coins, the first provider of options configured (or Cboe) for others.
    expiries, strikes : optional
        Only these expiries, and strikes from the first to the second.
    span : tuple of date, optional
        First and last session, of a provider that keeps past quotes.
    """
    past = {} if span is None else {"first": span[0], "last": span[1]}
    dates = None if expiries is None else list(expiries)
    configured = desk.config.data.providers("option", "default")
    usual = configured[0] if configured else "cboe"
    frame, failed = _gathered(
        desk,
        {name: source or ("deribit" if name in COINS else usual) for name in underlyings},
        "chain",
        lambda one, name: _chain(one, name, expiries=dates, strikes=strikes, **past),
    )
    days = frame["session"].sort()
    where = pl.col("session").is_between(days[0], days[-1]) & pl.col("underlying").is_in(list(underlyings))
    return ObservationUpdate(desk.write(OptionQuotes, frame, where), failed)


def _chain(one: Any, name: str, **asked: Any) -> pl.DataFrame:
    if "first" in asked and "first" not in signature(one.chain).parameters:
        raise Unsupported(one.name, "it has no past option quotes", symbol=name, remedy="leave the range out")
    frame: pl.DataFrame = one.chain(name, **asked)
    return frame


def update_rates(
    desk: Observing, series: Sequence[str], first: date, last: date, *, source: str = ""
) -> ObservationUpdate:
    """Series of rates and volatility indices into ``rates``: FRED's, and Deribit's for ``BTC_DVOL`` alike."""
    names = tuple(series) or CURVE

    def ask(one: Any, name: str) -> pl.DataFrame:
        if hasattr(one, "rates"):
            frame: pl.DataFrame = one.rates([name], first, last)
        else:
            frame = one.volatility([name.removesuffix(VOLATILITY)], first, last)
        return frame

    coins = {name for name in names if name.endswith(VOLATILITY)}
    frame, failed = _gathered(
        desk, {name: source or ("deribit" if name in coins else "fred") for name in names}, "", ask
    )
    within = pl.col("observed").is_between(first, last)
    where = pl.col("series").is_in(list(names)) & within
    return ObservationUpdate(desk.write(Rates, frame.filter(within), where), failed)


def update_depth(
    desk: Observing,
    symbols: Sequence[str],
    *,
    source: str = "binance",
    files: Sequence[Path] = (),
    quoted_at: datetime | None = None,
    calendar: str = ALL_DAY,
    levels: int = 20,
) -> ObservationUpdate:
    """Order books into ``depth``: from files that belong together, or from a provider, now."""
    failed: dict[str, str] = {}
    if files:
        name = symbols[0] if symbols else None
        frame = read_depth(files, symbol=name, quoted_at=quoted_at, calendar=calendar, levels=levels)
    else:
        frame, failed = _gathered(
            desk, dict.fromkeys(symbols, source), "depth", lambda one, name: one.depth(name, levels)
        )
    days = frame["session"].sort()
    here = pl.col("symbol").is_in(frame["symbol"].unique().to_list())
    within = pl.col("session").is_between(days[0], days[-1]) if len(days) else pl.lit(value=True)
    return ObservationUpdate(desk.write(Depth, frame, here & within), failed)


def update_members(
    desk: Observing, universes: Sequence[str], first: date, last: date, *, source: str = "lean"
) -> ObservationUpdate:
    """Lists of constituents of indices and funds into ``memberships``."""
    frame, failed = _gathered(
        desk,
        dict.fromkeys(universes, source),
        "constituents",
        lambda one, name: one.constituents(name, first, last),
    )
    where = pl.col("universe").is_in([name.upper() for name in universes])
    return ObservationUpdate(desk.write(Memberships, frame, where), failed)


def update_capitalisation(
    desk: Observing, symbols: Sequence[str], first: date, last: date, *, source: str = "tiingo"
) -> ObservationUpdate:
    """Market capitalisation of known symbols into ``instruments``, a period a month."""
    frame, failed = _gathered(
        desk,
        dict.fromkeys(symbols, source),
        "market_caps",
        lambda one, name: one.market_caps(name, first, last),
    )
    where = pl.col("symbol").is_in(list(symbols))
    known = desk.known(Instruments, where).select(INSTRUMENTS.names())
    rows = capitalised(known, frame, source)
    unknown = sorted(set(frame["symbol"]) - set(known["symbol"]))
    failed |= {name: f"{name}: the lake does not describe it; ingest its bars first" for name in unknown}
    return ObservationUpdate(desk.write(Instruments, rows, where, refetch=True), failed)


def _gathered(
    desk: Observing, sources: Mapping[str, str], method: str, ask: Asked
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Answers of all names, and what was said where there was none.

    Raises
    ------
    ProviderError
        When no name could be served: the first answer.
    """
    frames: list[pl.DataFrame] = []
    failed: dict[str, str] = {}
    asked: dict[str, Provider] = {}
    first: ProviderError | None = None
    for name, source in sources.items():
        try:
            one = asked.get(source) or asked.setdefault(source, desk.source(source, method or "name"))
            frames.append(ask(one, name))
        except ProviderError as error:
            first = first or error
            failed[name] = str(error)
    if first is not None and not frames:
        raise first
    if not frames:
        raise Unsupported("desk", "nothing was asked for", remedy="name at least one")
    return pl.concat(frames), failed
