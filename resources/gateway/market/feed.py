"""Instruments, bars and sessions from the desk's lake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from delta import Lake, Table, open_lake, pin, read
from delta.contracts import Bars, CorporateActions, Instruments, Sessions
from resources.gateway.market.prices import Hours, Tape
from trading.corporate_actions import KEY, standing

CALENDAR = "XNYS"
"""Calendar whose opening times all instruments share."""

Rows = list[dict[str, Any]]


def lake_tape(uri: str) -> tuple[Tape, Callable[[], Rows]]:
    """Prices of a lake, and a function that reads its instruments when there are other ones.

    What was read is read again once a table has a new version.

    Parameters
    ----------
    uri : str
        Lake.
    """
    lake = open_lake(uri)
    tape = Tape(
        lambda symbols: bar_rows(lake, symbols),
        lambda: session_hours(lake),
        lambda: action_rows(lake),
        _news(lake, Bars, CorporateActions, Sessions),
    )
    listed = _news(lake, Instruments)
    return tape, lambda: instrument_rows(lake) if listed() else []


def _news(lake: Lake, *tables: type[Table]) -> Callable[[], bool]:
    """Function that tells whether any of the tables has changed since it was last asked."""
    seen: dict[str, int] = {}

    def changed() -> bool:
        versions = dict(pin(lake, tables).versions)
        found = versions != seen
        seen.update(versions)
        return found

    return changed


def instrument_rows(lake: Lake) -> Rows:
    """Newest row of every instrument, as the contract database takes it."""
    newest = (
        read(lake, Instruments)
        .sort("known_at", "valid_from")
        .group_by("symbol", maintain_order=True)
        .last()
        .sort("symbol")
        .select("symbol", "ticker", "asset_class", "exchange", "currency", "sector", "multiplier", "valid_to")
    )
    rows = newest.collect().to_dicts()
    return [{**row, "expiry": row["valid_to"] if row["asset_class"] == "future" else None} for row in rows]


def bar_rows(lake: Lake, symbols: Sequence[str]) -> Iterable[dict[str, Any]]:
    """Bars of symbols, of each the row learned last."""
    key = ("symbol", "timeframe", "closes_at")
    frame = (
        read(lake, Bars, where={"symbol": list(symbols)})
        .sort("known_at")
        .group_by(*key, maintain_order=True)
        .last()
        .select(*key, "session", "open", "high", "low", "close", "volume")
    )
    return frame.collect().iter_rows(named=True)


def action_rows(lake: Lake) -> Rows:
    """Corporate actions, of each the version learned last, without those withdrawn."""
    frame = standing(read(lake, CorporateActions).collect())
    return frame.select(*KEY, "value", "pay_date", "new_symbol", "currency").to_dicts()


def session_hours(lake: Lake) -> dict[Any, Hours]:
    """Opening times by session."""
    frame = read(lake, Sessions, where={"calendar": CALENDAR}).select("session", "opens_at", "closes_at")
    return {
        session: Hours(opens_at, closes_at) for session, opens_at, closes_at in frame.collect().iter_rows()
    }
