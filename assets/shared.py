"""What the stages of one run read alike, read once: the market of a book, between its research and its desk.

Versions of tables never change, so what was read from the same versions for the same configuration is the
same. Only the newest one is kept.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from assets.inputs import MARKET_READS, MarketFrames, read_market
from delta import Pins, Table
from delta.handles import Mark, mark
from trading.book import BookConfig, config_hash


class _Kept(NamedTuple):
    key: tuple[object, ...]
    market: MarketFrames


_kept: _Kept | None = None


def shared_market(pins: Pins, book: BookConfig, last: date) -> MarketFrames:
    """Market of a book up to a session, as ``read_market`` gives it; kept for the next stage.

    Raises
    ------
    MissingDataError
        As ``read_market``.
    """
    global _kept  # noqa: PLW0603 - one process runs the stages of a run one after the other
    marks = [_mark(pins, table) for table in MARKET_READS]
    if None in marks:
        return read_market(pins, book, last)
    key = (pins.lake.uri, *marks, book.name, config_hash(book), last)
    kept = _kept
    if kept is None or kept.key != key:
        _kept = None  # two markets at a time would be twice the memory
        _kept = kept = _Kept(key, read_market(pins, book, last))
    return kept.market


def _mark(pins: Pins, table: type[Table]) -> tuple[int, Mark] | None:
    """Version of a table with the log entry that made it; None where there is no entry to tell it by."""
    version = pins.versions[table.name]
    found = mark(pins.lake, table, version)
    return None if found is None else (version, found)
