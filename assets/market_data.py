"""Market data: one incremental step that brings bars, corporate actions and instruments up to date."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from assets.stage import CODE_VERSION
from delta import Commit, Lake, Provenance, pin
from delta.contracts import Bars, CorporateActions, Instruments, Quarantine, Sessions
from delta.manifest import RunRecord, record_run
from resources.calendar import last_closed_session
from resources.config import DeskConfig
from resources.http import keep_answers
from resources.ingest import IngestResult, Mended, ingest, mend
from resources.providers.base import Provider, Request
from resources.providers.fallback import in_order
from resources.providers.registry import provider
from resources.raw_answers import raw_answers
from trading.book import BookConfig
from trading.history import newest

STEP, REPAIR = "market", "market/repair"
TABLES = (Bars, CorporateActions, Instruments, Sessions, Quarantine)
LEAD = timedelta(days=420)
"""Days fetched before a book's start: the indicators' warm-up of 250 sessions and some more."""


class NothingToIngestError(RuntimeError):
    """No symbol or no provider to ask; the message says what to configure."""


@dataclass(frozen=True)
class MarketUpdate:
    """What one update of the market data did.

    Attributes
    ----------
    results : sequence of IngestResult
        One a provider that was asked.
    """

    results: Sequence[IngestResult]
    commits: Mapping[str, Commit] = field(hash=False)

    def summary(self) -> str:
        """One line of counts."""
        return "; ".join(result.summary() for result in self.results)

    def problems(self) -> list[str]:
        """One line for every symbol that was not written."""
        return [line for result in self.results for line in result.problems()]


def update_market(
    lake: Lake,
    config: DeskConfig,
    requests: Mapping[str, Request],
    *,
    now: datetime,
    run_id: str,
    source: str = "",
    refetch: bool = False,
    repair: bool = False,
    tell: Callable[[str], None] | None = None,
    kept: bool = False,
) -> MarketUpdate:
    """Fetch what the lake does not have yet.

    Parameters
    ----------
    requests : mapping
        Asset class to what is wanted of it.
    source : str
        Provider to ask instead of the configured ones.
    repair : bool
        Put faults right that have one right answer, see :func:`resources.ingest.ingest`.
    tell : callable, optional
        Called with each symbol when it has been answered.
    kept : bool
        Parse the answers of the web that were kept before again instead of asking for new ones.

    Raises
    ------
    NothingToIngestError
        When an asset class has no provider.
    """
    provenance = _provenance(run_id, STEP)
    before = dict(pin(lake, TABLES).versions)
    results, commits = [], {}
    for asset_class, request in requests.items():
        names = (source,) if source else config.data.providers(asset_class, request.timeframe)
        if not names:
            raise NothingToIngestError(
                f"no provider of {asset_class} {request.timeframe} bars is configured; name one under "
                "[data.order] in the desk's file"
            )
        asked = asked_provider(lake, config, names, asset_class, kept=kept)
        result = ingest(
            lake, asked, request, now=now, provenance=provenance, refetch=refetch, repair=repair, tell=tell
        )
        results.append(result)
        commits.update({commit.table: commit for commit in result.commits})
    versions = {name: commit.version for name, commit in commits.items()}
    if versions:
        record_run(lake, RunRecord(run_id, STEP, before, versions, CODE_VERSION))
    return MarketUpdate(results, commits)


def repair_market(
    lake: Lake, symbols: Sequence[str] | None, timeframe: str, *, now: datetime, run_id: str
) -> Mended:
    """Repair the bars that the lake holds of some symbols, or of all; see :func:`resources.ingest.mend`."""
    pins = pin(lake, TABLES)
    known = pins.read(Instruments, columns=["symbol"]).collect()["symbol"].unique().sort()
    done = mend(lake, symbols or known.to_list(), timeframe, now=now, provenance=_provenance(run_id, REPAIR))
    if done.commit is not None:
        written = {done.commit.table: done.commit.version}
        record_run(lake, RunRecord(run_id, REPAIR, dict(pins.versions), written, CODE_VERSION))
    return done


def _provenance(run_id: str, step: str) -> Provenance:
    return Provenance(run_id, step, CODE_VERSION)


def asked_provider(
    lake: Lake, config: DeskConfig, names: Sequence[str], asset_class: str, *, kept: bool = False
) -> Provider:
    """Provider of an asset class: the one named, or several in their order, each completing the others.

    Answers of the web are kept raw in the lake before they are read.
    """
    asked = [provider(name, config.settings(name)) for name in names]
    for one in asked:
        keep_answers(one, raw_answers(lake, only=kept))
    return asked[0] if len(asked) == 1 else in_order(asked, asset_class, config.data.disagreement)


def wanted(lake: Lake, config: DeskConfig, books: Sequence[BookConfig], now: datetime) -> dict[str, Request]:
    """What the books need up to the last closed session, by asset class.

    A book that names no symbols asks for all that the lake knows of its asset classes; while it knows none,
    for all that the first provider lists.
    """
    described = newest(pin(lake, [Instruments]).read(Instruments).collect(), Instruments.key[:-1])
    classes = dict(described.select("symbol", "asset_class").iter_rows())
    symbols: dict[str, set[str]] = {}
    spans: dict[str, tuple[date, date]] = {}
    for book in books:
        closed = last_closed_session(book.calendar, now)
        last = min(book.end, closed) if book.end else closed
        for asset_class, names in _symbols(book, config, classes).items():
            symbols.setdefault(asset_class, set()).update(names)
            first, end = spans.get(asset_class, (date.max, date.min))
            spans[asset_class] = (min(first, book.start - LEAD), max(end, last))
    return {
        asset_class: Request(tuple(sorted(names)), *spans[asset_class], asset_class=asset_class)
        for asset_class, names in symbols.items()
        if names and spans[asset_class][0] <= spans[asset_class][1]
    }


def _symbols(book: BookConfig, config: DeskConfig, classes: Mapping[str, str]) -> dict[str, set[str]]:
    usual = dict.fromkeys(_named(book), book.universe.asset_classes[0])
    usual |= {by: "fx" for by in book.conversion.values() if isinstance(by, str)}
    usual |= book.universe.classes
    found: dict[str, set[str]] = {}
    for symbol, asset_class in usual.items():
        found.setdefault(classes.get(symbol, asset_class), set()).add(symbol)
    if not book.universe.symbols:
        for asset_class in book.universe.asset_classes:
            if not config.data.providers(asset_class, book.timeframe):
                continue
            known = {symbol for symbol, kind in classes.items() if kind == asset_class}
            listed = _listed(config, asset_class) if asset_class in config.data.order and not known else ()
            found.setdefault(asset_class, set()).update(known, listed)
    return found


def _named(book: BookConfig) -> list[str]:
    return [*book.universe.symbols, *([book.benchmark] if book.benchmark else [])]


def _listed(config: DeskConfig, asset_class: str) -> list[str]:
    name = config.data.providers(asset_class, "1d")[0]
    return provider(name, config.settings(name)).symbols()
