"""What the stages of one run need alike, made once: the market of a book, and the report of a session.

Versions of tables never change, so what was made from the same versions for the same configuration is the
same. Only the newest one of each kind is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, NamedTuple, TypeVar

from assets.inputs import MARKET_READS, MarketFrames, read_market
from delta import Pins, Table
from delta.handles import Mark, mark
from trading.book import BookConfig, config_hash

Made = TypeVar("Made")
Key = tuple[object, ...]
MARKET = "market"


class _Kept(NamedTuple):
    key: Key
    made: Any


_kept: dict[str, _Kept] = {}
"""By kind; one process runs the stages of a run one after the other."""


def shared_market(pins: Pins, book: BookConfig, last: date) -> MarketFrames:
    """Market of a book up to a session, as ``read_market`` gives it; kept for the next stage.

    Raises
    ------
    MissingDataError
        As ``read_market``.
    """
    return shared(MARKET, pins, MARKET_READS, book, last, lambda: read_market(pins, book, last))


def known_market(pins: Pins, book: BookConfig, last: date) -> MarketFrames | None:
    """Market of a book up to a session where a stage before has read it; None where none has."""
    kept, key = _kept.get(MARKET), _key(pins, MARKET_READS, book, last)
    market: MarketFrames | None = kept.made if kept is not None and kept.key == key else None
    return market


def shared(
    kind: str,
    pins: Pins,
    tables: Iterable[type[Table]],
    book: BookConfig,
    last: date,
    make: Callable[[], Made],
) -> Made:
    """What a stage before has made, where it made it of the same; else what is made now, kept for the next.

    Parameters
    ----------
    kind : str
        What it is; one of each kind is kept.
    tables : iterable of Table
        All that it is made of, besides the configuration of the book and the session.
    make : callable
        Makes it.
    """
    key = _key(pins, tables, book, last)
    if key is None:
        return make()
    kept = _kept.get(kind)
    if kept is None or kept.key != key:
        _kept.pop(kind, None)  # two markets at a time would be twice the memory
        kept = _kept[kind] = _Kept(key, make())
    made: Made = kept.made
    return made


def _key(pins: Pins, tables: Iterable[type[Table]], book: BookConfig, last: date) -> Key | None:
    """What tells one thing made from another; None where tables cannot be told from others in their place."""
    marks = [_mark(pins, table) for table in tables]
    return None if None in marks else (pins.lake.uri, *marks, book.name, config_hash(book), last)


def _mark(pins: Pins, table: type[Table]) -> tuple[int, Mark] | None:
    """Version of a table with the log entry that made it; None where there is no entry to tell it by."""
    version = pins.versions[table.name]
    found = mark(pins.lake, table, version)
    return None if found is None else (version, found)
