"""Replaying a past decision: decide a session again from the versions it saw, and compare row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from assets.desk import broker_record, opening_state, unplaced_orders, walk_frames
from assets.inputs import MissingDataError, read_market
from assets.research import research_frames
from assets.stage import BACKFILL, CODE_VERSION, RESEARCH, SESSION, frame_of
from delta import Lake, Pins, Table, pin
from delta.contracts import (
    TABLES,
    Books,
    Candidates,
    Fills,
    Orders,
    Portfolio,
    Positions,
    Regimes,
    Signals,
    Trades,
)
from delta.manifest import RunRecord, run_of
from resources.calendar import is_session
from trading.book import BookConfig

DECIDED: tuple[type[Table], ...] = (Orders, Fills, Positions, Trades, Portfolio)
RESEARCHED: tuple[type[Table], ...] = (Candidates, Signals, Regimes)


@dataclass(frozen=True)
class Replay:
    """What a replay found.

    Attributes
    ----------
    differences : DataFrame
        ``table, side, key, row``: rows that only the lake (``recorded``) or only the replay (``replayed``)
        holds; empty when the session was decided identically.
    rows : int
        Rows compared.
    research, decision : RunRecord
        The steps whose inputs were read.
    """

    book: str
    session: date
    differences: pl.DataFrame
    rows: int
    research: RunRecord
    decision: RunRecord

    @property
    def identical(self) -> bool:
        """Whether every row is the same, to the last bit of every number."""
        return self.differences.is_empty()

    @property
    def other_code(self) -> str:
        """Version of the code that decided, where it is not the one that replays."""
        return "" if self.decision.code_version == CODE_VERSION else self.decision.code_version


def replay(lake: Lake, book: str, session: date) -> Replay:
    """Decide a session of a book again from the table versions and the configuration it was decided with.

    Raises
    ------
    MissingDataError
        When the session was never decided.
    """
    decision = _decision(lake, book, session)
    research = _research(lake, book, session, decision)
    config = _configuration(lake, book, decision)
    if not is_session(config.calendar, session):
        raise MissingDataError(f"book {book}: {session} is no session of {config.calendar}")
    market = read_market(research.pins(lake), config, session)
    found = {
        **research_frames(config, market, session, session),
        **_walked(lake, config, session, decision),
    }
    expected = {table.name: frame_of(table, found[table.name]) for table in (*RESEARCHED, *DECIDED)}
    recorded = {
        **_recorded(_seen(lake, research, decision, session), RESEARCHED, book, session),
        **_recorded(pin(lake, DECIDED), DECIDED, book, session),
    }
    parts = [differences(name, recorded[name], expected[name]) for name in expected]
    rows = sum(frame.height for frame in recorded.values())
    return Replay(book, session, pl.concat(parts), rows, research, decision)


def differences(table: str, recorded: pl.DataFrame, replayed: pl.DataFrame) -> pl.DataFrame:
    """Rows that only one of two frames of a table holds, compared bit by bit."""
    key = TABLES[table].key
    columns = recorded.columns
    parts = []
    for side, own, other in (("recorded", recorded, replayed), ("replayed", replayed, recorded)):
        alone = own.join(other, on=columns, how="anti", nulls_equal=True).sort(key)
        named = pl.concat_str([pl.col(name).cast(pl.String) for name in key[1:]], separator=" ")
        parts.append(
            alone.select(
                pl.lit(table).alias("table"),
                pl.lit(side).alias("side"),
                named.alias("key"),
                pl.struct(columns).struct.json_encode().alias("row"),
            )
        )
    return pl.concat(parts)


def _walked(lake: Lake, config: BookConfig, session: date, decision: RunRecord) -> Mapping[str, pl.DataFrame]:
    pins = decision.pins(lake)
    # A session in the middle of a backfill began with what the same run left of the session before.
    written = Pins(lake, {**decision.reads, Portfolio.name: decision.writes[Portfolio.name]})
    state = opening_state(written, config, session)
    scheduled = decision.step == SESSION
    return walk_frames(
        pins,
        config,
        read_market(pins, config, session),
        state,
        session,
        session,
        run_id=decision.run_id,
        scheduled=scheduled,
        unplaced=unplaced_orders(pins, config, state) if scheduled else frozenset(),
        source=broker_record(pins, config, state, session, session) if scheduled else None,
    )


def _decision(lake: Lake, book: str, session: date) -> RunRecord:
    found = [run_of(lake, step=step, book=book, session=session) for step in (BACKFILL, SESSION)]
    steps = sorted((run for run in found if run is not None), key=lambda run: str(run.known_at))
    if not steps:
        raise MissingDataError(f"book {book}: no run has decided session {session}")
    return steps[-1]


def _research(lake: Lake, book: str, session: date, decision: RunRecord) -> RunRecord:
    """The step that wrote the signals which the decision read."""
    known = run_of(lake, step=RESEARCH, book=book, session=session, as_of=decision.known_at)
    if known is None:
        raise MissingDataError(f"book {book}: no run has researched session {session}")
    return known


def _configuration(lake: Lake, book: str, decision: RunRecord) -> BookConfig:
    rows = pin(lake, [Books]).read(Books, where={"book": book, "config_hash": decision.config_hash}).collect()
    if rows.is_empty():
        raise MissingDataError(f"book {book}: configuration {decision.config_hash} is not in the lake")
    return BookConfig.model_validate_json(rows["config"][0])


def _seen(lake: Lake, research: RunRecord, decision: RunRecord, session: date) -> Pins:
    """Research as the lake holds it now; as the decision read it where it has been done again since."""
    newest = run_of(lake, step=RESEARCH, book=research.book, session=session)
    done_again = newest is not None and newest.known_at != research.known_at
    return decision.pins(lake) if done_again else pin(lake, RESEARCHED)


def _recorded(pins: Pins, tables: Sequence[type[Table]], book: str, session: date) -> dict[str, pl.DataFrame]:
    where = {"book": book, "session": session}
    return {table.name: pins.read(table, where=where).collect() for table in tables}
