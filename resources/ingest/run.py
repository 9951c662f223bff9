"""Ingest of market data: plan, fetch, check, compare, write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import polars as pl

from delta.contracts import Bars, CorporateActions, Instruments, Quarantine, Sessions, Table
from delta.lake import Lake
from delta.reading import read
from delta.writing import Commit, Provenance, write
from resources import calendar
from resources.ingest.compare import (
    BAR_KEY,
    changed_bars,
    changed_rows,
    known_actions,
    known_bars,
    refuse_backdated,
)
from resources.ingest.fetching import Fetched, Told, fetched_parts
from resources.ingest.plan import (
    ASKED,
    IngestError,
    calendars,
    coverage,
    known_instruments,
    refuse_open_sessions,
    requests,
    supposed_class,
)
from resources.ingest.result import IngestResult, joined
from resources.providers import base
from trading.corporate_actions import KEY as ACTION_KEY
from trading.corporate_actions import ActionChanges, changes, no_longer_told
from trading.quality import Verdict, check_actions, check_bars, currency_changes
from trading.quality.findings import WARNINGS
from trading.repair import MARK, is_repaired, repair_dates, repair_prices


@dataclass(frozen=True)
class _Ingest:
    """What all steps of one ingest share."""

    lake: Lake
    provider: base.Provider
    request: base.Request
    now: datetime
    provenance: Provenance
    refetch: bool
    repair: bool


def ingest(
    lake: Lake,
    provider: base.Provider,
    request: base.Request,
    *,
    now: datetime,
    provenance: Provenance,
    refetch: bool = False,
    repair: bool = False,
    tell: Told | None = None,
) -> IngestResult:
    """Bring the lake up to date for a request.

    Only bars that the lake does not know are written, and known bars whose figures changed (as a new
    version, so that what was known before stays). Symbols that are known are asked only for what is new and
    a short overlap. Every symbol stands alone: one with a blocking finding, or one that the provider cannot
    serve, is left as it was and reported, the others are written. Very much at once is written in parts, each
    of whole symbols, so that memory holds it and an interrupted ingest goes on where it was.

    Parameters
    ----------
    lake : Lake
        Where to write.
    provider : Provider
        Where to read.
    request : Request
        Symbols, range and timeframe.
    now : datetime
        Time of the ingest (aware): ``known_at`` of all rows, and what decides whether a session has closed.
    provenance : Provenance
        Kept with every commit.
    refetch : bool
        Ask for the whole range again, and let this provider correct the rows of others.
    repair : bool
        Put faults right that have one right answer (see :mod:`trading.repair`): the bar says so in its
        flags, and the row as it came is in quarantine. Bars repaired before stay as they are unless
        ``refetch``.
    tell : callable, optional
        Called with each symbol when the provider has answered.

    Returns
    -------
    IngestResult

    Raises
    ------
    IngestError
        When the last session asked for has not closed, or when no symbol could be written and at least one
        failed; rejected rows are in quarantine by then.
    """
    if now.tzinfo is None:
        raise IngestError(f"now = {now} has no time zone; give an aware time")
    job = _Ingest(lake, provider, request, now.astimezone(UTC), provenance, refetch, repair)
    instruments = known_instruments(lake, request.symbols)
    chosen = calendars(provider, request, instruments, request.symbols)
    last_sessions = refuse_open_sessions(request, chosen, job.now)
    last = max(last_sessions.values())
    known = {} if refetch else coverage(lake, request.symbols, request.timeframe, request.first, last)
    planned = requests(request, chosen, last_sessions, known, instruments, refetch=refetch)
    results = []
    for fetched in fetched_parts(provider, planned, tell):
        there = [each for each in fetched.requests if refetch or each.symbols[0] in known]
        described = instruments.filter(pl.col("symbol").is_in(fetched.symbols))
        results.append(_write(job, fetched, described, known_bars(lake, there)))
    result = joined(results)
    if not result.rows and not result.unchanged and result.problems():
        raise IngestError("; ".join(result.problems()))
    return result


def _write(job: _Ingest, fetched: Fetched, instruments: pl.DataFrame, earlier: pl.DataFrame) -> IngestResult:
    """Check what was fetched and write what is new; bars last, so that no reader sees them undescribed."""
    described = _described(job, fetched, instruments)
    old_actions = known_actions(job.lake, fetched.symbols)
    told = _actions_told(job, fetched, old_actions)
    refuse_backdated(told.rows, old_actions, ACTION_KEY, job.now)
    actions = _standing_after(old_actions, told.rows)
    fetched = _without_repaired(fetched, earlier, refetch=job.refetch)
    if job.repair:
        fetched = _repaired(fetched, described, instruments, earlier, actions)
    verdict, findings = _judge(job, fetched, described, instruments, earlier, actions)
    held = pl.col("symbol").is_in(list(verdict.blocked)).not_()
    accepted = _flagged(verdict.accepted, fetched.warnings)
    bars = changed_bars(accepted, earlier, job.now, refetch=job.refetch)
    new_instruments = changed_rows(described.filter(held), instruments, Instruments, refetch=job.refetch)
    commits = [
        *_write_sessions(job, described, verdict.accepted),
        _append(job, Instruments, new_instruments.rows),
        _append(job, CorporateActions, told.rows.filter(held)),
        _append(job, Bars, bars.rows),
        _append(job, Quarantine, _fresh_quarantine(job, pl.concat([findings, _as_it_came(fetched)]))),
    ]
    return IngestResult(
        new=bars.rows.height - bars.corrected,
        corrected=bars.corrected,
        unchanged=bars.unchanged,
        rejected=findings,
        withheld=verdict.withheld,
        blocked=_first_reasons(verdict, findings),
        failed=fetched.failed,
        repaired=fetched.repairs.height,
        actions=told.corrected.filter(held).select(*ACTION_KEY, "withdrawn", "reason"),
        warnings=pl.concat(
            [
                _written(pl.concat([verdict.warnings, fetched.warnings]), bars.rows),
                fetched.warnings.join(fetched.bars, on=list(BAR_KEY), how="anti"),
                bars.warnings,
                _refused_actions(told.refused.filter(held)),
            ]
        ),
        commits=tuple(commit for commit in commits if commit is not None),
    )


def _currency(symbol: str, asset_class: str) -> str:
    """Currency of prices that nobody has described: a pair is quoted in its last three letters."""
    return symbol[-3:] if asset_class == "fx" and len(symbol) == 6 else "USD"


def _described(job: _Ingest, fetched: Fetched, known: pl.DataFrame) -> pl.DataFrame:
    """Instruments that came with the bars, and a plain one for symbols that nobody described."""
    there = {*fetched.instruments["symbol"], *known["symbol"]}
    missing = [
        symbol for symbol in fetched.bars["symbol"].drop_nulls().unique().sort() if symbol not in there
    ]
    if not missing:
        return fetched.instruments
    guess = supposed_class(job.provider, job.request)
    names = calendars(job.provider, job.request, known, missing)
    since = job.request.first
    rows = [
        (name, name, guess, "XXXX", names[name], quoted, None, None, 1.0, since, None, None, ASKED)
        for name in missing
        for quoted in [_currency(name, guess)]
    ]
    return pl.concat([fetched.instruments, pl.DataFrame(rows, schema=base.INSTRUMENTS, orient="row")])


def _without_repaired(fetched: Fetched, known: pl.DataFrame, *, refetch: bool) -> Fetched:
    """Leave out bars whose known version was repaired: the source still tells the fault."""
    if refetch or known.is_empty() or fetched.bars.is_empty():
        return fetched
    mended = known.filter(is_repaired())
    return replace(
        fetched, bars=fetched.bars.join(mended, on=list(BAR_KEY), how="anti", maintain_order="left")
    )


def _repaired(
    fetched: Fetched,
    described: pl.DataFrame,
    instruments: pl.DataFrame,
    earlier: pl.DataFrame,
    actions: pl.DataFrame,
) -> Fetched:
    """Bars with the faults put right, and the repairs among the warnings that become flags."""
    columns = base.INSTRUMENTS.names()
    current = pl.concat([instruments.select(columns), described.select(columns)])
    current = current.unique("symbol", keep="last", maintain_order=True)
    dated = repair_dates(fetched.bars, _sessions(current, fetched.bars), current)
    bars = dated.bars.select(base.BARS.names())
    before = earlier.join(bars, on=list(BAR_KEY), how="anti").select(base.BARS.names())
    priced = repair_prices(pl.concat([before, bars]), actions)
    new = bars.select(BAR_KEY)
    repairs = pl.concat([dated.repairs, priced.repairs.join(new, on=list(BAR_KEY), how="semi")])
    flags = repairs.select(
        *WARNINGS.names()[:4], rule=pl.format(MARK + " {}: {}", "rule", "reason"), reason=pl.col("reason")
    )
    return replace(
        fetched,
        bars=priced.bars.join(new, on=list(BAR_KEY), how="semi", maintain_order="left").select(bars.columns),
        warnings=pl.concat([fetched.warnings, flags]),
        repairs=repairs,
    )


def _as_it_came(fetched: Fetched) -> pl.DataFrame:
    """Rows that were repaired, as findings to keep."""
    return fetched.repairs.select(
        pl.lit("bars").alias("target"),
        "symbol",
        "session",
        pl.format(MARK + " {}", "rule").alias("rule"),
        "reason",
        "row",
    )


def _judge(
    job: _Ingest,
    fetched: Fetched,
    described: pl.DataFrame,
    instruments: pl.DataFrame,
    earlier: pl.DataFrame,
    actions: pl.DataFrame,
) -> tuple[Verdict, pl.DataFrame]:
    """Verdict on the bars, and all findings."""
    columns = base.INSTRUMENTS.names()
    current = pl.concat([instruments.select(columns), described.select(columns)])
    before = earlier.join(fetched.bars, on=list(BAR_KEY), how="anti")
    priced = pl.concat([before.select(base.BARS.names()), fetched.bars])
    _, bad_actions = check_actions(fetched.actions, priced)
    changes = currency_changes(described, instruments)
    findings = pl.concat([bad_actions, changes])
    verdict = check_bars(
        fetched.bars,
        actions.filter(pl.col("symbol").is_in(bad_actions["symbol"].implode()).not_()),
        _sessions(current, priced),
        current,
        known=before,
        now=job.now,
        blocked=tuple(sorted({*findings["symbol"]})),
    )
    return verdict, pl.concat([findings, verdict.rejected])


def _actions_told(job: _Ingest, fetched: Fetched, known: pl.DataFrame) -> ActionChanges:
    """What the answers change among the known corporate actions."""
    told = fetched.actions.with_columns(withdrawn=pl.lit(value=False), reason=pl.lit(None, pl.String)).select(
        known.drop("known_at").columns
    )
    # Only an answer of days tells all actions of its range.
    days = fetched.bars.filter(pl.col("timeframe") == "1d")
    return changes(pl.concat([told, no_longer_told(told, known, days)]), known, overrule=job.refetch)


def _standing_after(known: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Corporate actions that stand once some versions are written, as a provider tells them."""
    newest = pl.concat([known.drop("known_at"), rows]).unique(ACTION_KEY, keep="last", maintain_order=True)
    return newest.filter(pl.col("withdrawn").not_()).select(base.CORPORATE_ACTIONS.names())


def _refused_actions(refused: pl.DataFrame) -> pl.DataFrame:
    """Warnings on actions told that do not stand over what a person told."""
    midnight = pl.col("ex_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return refused.select(
        "symbol",
        pl.lit("1d").alias("timeframe"),
        pl.col("ex_date").alias("session"),
        midnight.alias("closes_at"),
        pl.format("{} told otherwise by a person", "action").alias("rule"),
        "reason",
    )


def _sessions(instruments: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Sessions of all calendars in use over the range of the bars."""
    days = bars["session"].drop_nulls().sort()
    names = instruments["calendar"].unique().sort()
    if not len(days):
        return Sessions.schema().to_frame()
    first, last = max(days[0], calendar.EARLIEST), min(days[-1], calendar.LATEST)
    return pl.concat(
        [Sessions.schema().to_frame(), *(calendar.sessions(name, first, last) for name in names)]
    )


def _write_sessions(job: _Ingest, described: pl.DataFrame, bars: pl.DataFrame) -> list[Commit | None]:
    """Fill the table of sessions over the range of the accepted bars."""
    if bars.is_empty():
        return []
    known = known_instruments(job.lake, bars["symbol"].unique())
    names = pl.concat([known.select("symbol", "calendar"), described.select("symbol", "calendar")])
    names = names.filter(pl.col("symbol").is_in(bars["symbol"].unique().implode()))
    days = bars["session"].sort()
    return [_fill(job, name, days[0], days[-1]) for name in names["calendar"].unique().sort()]


def _fill(job: _Ingest, name: str, first: date, last: date) -> Commit | None:
    """Write the sessions of one calendar from the first on that the table does not have."""
    wanted = calendar.sessions(name, first, last)
    here = {"calendar": name, "session": (first, last)}
    have = read(job.lake, Sessions, where=here).collect()
    missing = wanted.join(have, on=wanted.columns, how="anti")
    if missing.is_empty():
        return None
    start = missing["session"].sort()[0]
    return write(
        job.lake,
        Sessions,
        wanted.filter(pl.col("session") >= start),
        {"calendar": name, "session": (start, last)},
        job.provenance,
    )


def _append(job: _Ingest, table: type[Table], rows: pl.DataFrame) -> Commit | None:
    if rows.is_empty():
        return None
    stamped = rows.with_columns(pl.lit(job.now, pl.Datetime("us", "UTC")).alias("known_at"))
    return write(job.lake, table, stamped.select(table.schema().names()), None, job.provenance)


def _fresh_quarantine(job: _Ingest, findings: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows that are not in quarantine yet, so that repeating an ingest adds nothing."""
    if findings.is_empty():
        return findings
    rows = findings.with_columns(
        pl.lit(job.provider.name).alias("provider"), pl.lit(job.provenance.run_id).alias("run_id")
    ).unique(maintain_order=True)
    here = {"symbol": findings["symbol"].unique().to_list()}
    have = read(job.lake, Quarantine, where=here).collect()
    return rows.join(
        have, on=["target", "provider", "symbol", "rule", "row"], how="anti", maintain_order="left"
    )


def _first_reasons(verdict: Verdict, findings: pl.DataFrame) -> dict[str, str]:
    """The first finding of each blocked symbol in words."""
    first = findings.unique("symbol", keep="first", maintain_order=True)
    words = {
        row[
            "symbol"
        ]: f"{row['target']} {row['session'] or ''} break the rule {row['rule']!r}: {row['reason']}"
        for row in first.iter_rows(named=True)
    }
    counts = dict(findings["symbol"].value_counts().iter_rows())
    return {
        symbol: words[symbol] + (f" (and {counts[symbol] - 1} more rows)" if counts[symbol] > 1 else "")
        for symbol in sorted({*verdict.blocked, *words})
    }


def _flagged(bars: pl.DataFrame, warnings: pl.DataFrame) -> pl.DataFrame:
    """Bars with the provider's warnings among their flags."""
    if warnings.is_empty():
        return bars
    said = warnings.group_by(BAR_KEY).agg(said=pl.col("rule").unique(maintain_order=True))
    flags = pl.col("flags").list.concat(pl.col("said").fill_null([]))
    joined = bars.join(said, on=list(BAR_KEY), how="left", maintain_order="left")
    return joined.with_columns(flags).drop("said")


def _written(warnings: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Warnings on the bars that are written; known ones were reported when they came."""
    if warnings.is_empty():
        return warnings
    return warnings.join(rows, on=list(BAR_KEY), how="semi", maintain_order="left").select(WARNINGS.names())
