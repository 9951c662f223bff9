"""The desk of a book: fills, orders, positions, portfolio and trades of a range of sessions."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from assets.executions import READS as EXECUTED
from assets.executions import recorded_market
from assets.inputs import (
    MARKET_READS,
    MarketFrames,
    RefusedError,
    clipped,
    day_before,
    prices_of,
    refuse_traded,
    replaced_range,
    session_times,
)
from assets.research import strategies
from assets.shared import shared_market
from assets.stage import BACKFILL, RESEARCH, SESSION, Stage, frame_of
from delta import Commit, ContractError, Lake, Pins, Table, pin, read, run_of
from delta.contracts import (
    Books,
    BrokerSnapshots,
    Candidates,
    Depth,
    Fills,
    OrderEvents,
    Orders,
    Portfolio,
    Positions,
    Regimes,
    Signals,
    Trades,
)
from resources.brokers.needs import places_at_broker
from trading.book import BookConfig, config_hash, resolved
from trading.day import Regime
from trading.history import newest
from trading.liquidity import Book, book_at
from trading.matching import FillSource, costs_of
from trading.rules import Policy
from trading.signals import candidates_by_session, signals_by_session
from trading.simulate import Inputs, simulate
from trading.state import BookState, from_json, new_state

READS = (*MARKET_READS, Candidates, Signals, Regimes, Portfolio, OrderEvents, BrokerSnapshots, *EXECUTED)
LOOKS = (Depth,)
"""What is read besides by a book that looks at order books."""
WRITES = (Orders, OrderEvents, Fills, Positions, Trades, Portfolio)
"""Written in this order: a portfolio row says that everything before it is there."""


def walk(
    lake: Lake,
    book: BookConfig,
    first: date,
    last: date,
    run_id: str,
    *,
    scheduled: bool = False,
    progress: Callable[[date], None] | None = None,
) -> dict[str, Commit]:
    """Walk a book through its sessions and write what happened.

    Parameters
    ----------
    first, last : date
        Range of days; the book's own start and end hold within it.
    scheduled : bool
        Whether orders of the last session wait to be placed by the order job (paper and live), instead of
        resting in the simulated market at once (backfill).

    Returns
    -------
    dict
        Table to commit; empty when the book trades on none of the days.

    Raises
    ------
    RefusedError
        When a broker has already traded a session of the range, the session before it is missing, or the
        broker has not been looked at since the session closed.
    OvertakenError
        When another run walked the book at the same time.
    """
    window = clipped(book, first, last)
    if window is None:
        return {}
    stage = Stage(lake, run_id, SESSION if scheduled else BACKFILL, pin(lake, reads(book)), book)
    refuse_traded(stage.pins, book, *window)
    refuse_other_research(lake, book, window[1])
    state = opening_state(stage.pins, book, window[0])
    unplaced = unplaced_orders(stage.pins, book, state) if scheduled else frozenset()
    source = broker_record(stage.pins, book, state, *window) if scheduled else None
    market = shared_market(stage.pins, book, window[1])
    frames = walk_frames(
        stage.pins,
        book,
        market,
        state,
        *window,
        run_id=run_id,
        scheduled=scheduled,
        unplaced=unplaced,
        progress=progress,
        source=source,
    )
    scope = {"book": book.name, "session": replaced_range(book, *window)}
    remember_book(lake, book, run_id)
    for table in WRITES:
        stage.refuse_overtaken()
        stage.write(table, frame_of(table, frames[table.name]), scope)
    stage.refuse_overtaken(all_tables=True)
    stage.record(*window)
    return stage.commits


def walk_frames(
    pins: Pins,
    book: BookConfig,
    market: MarketFrames,
    state: BookState,
    first: date,
    last: date,
    *,
    run_id: str = "",
    scheduled: bool = False,
    unplaced: frozenset[str] = frozenset(),
    progress: Callable[[date], None] | None = None,
    source: FillSource | None = None,
) -> Mapping[str, pl.DataFrame]:
    """Decide the sessions ``first`` to ``last`` from pinned versions; nothing is written.

    Parameters
    ----------
    source : FillSource, optional
        Where executions come from; the simulated market by default.
    """
    times = session_times(book.calendar, first, last)
    journal = simulate(
        state,
        prices_of(market, book, times),
        walk_inputs(pins, book, first, last),
        policy(book),
        config_hash=config_hash(book),
        run_id=run_id,
        acknowledge=not scheduled,
        unplaced=unplaced,
        progress=progress,
        market=source,
    )
    return journal.frames()


def broker_record(
    pins: Pins, book: BookConfig, state: BookState, first: date, last: date
) -> FillSource | None:
    """What the broker of a book has reported for a session; None for a book whose fills are simulated.

    Raises
    ------
    RefusedError
        When several sessions are asked for, or the broker was not looked at since the session closed.
    """
    if not places_at_broker(book):
        return None
    if first != last:
        raise RefusedError(
            f"book {book.name} trades at a broker: its sessions {first} to {last} are run one at a time"
        )
    times = session_times(book.calendar, last, last)[0]
    if state.session is not None and not looked_since(pins, book, times.closes_at):
        raise RefusedError(
            f"book {book.name}: the broker was not looked at since session {last} closed; run: "
            f"desk reconcile --book {book.name}"
        )
    return recorded_market(pins, book, state, times)


def looked_since(pins: Pins, book: BookConfig, at: datetime) -> bool:
    """Whether a run of placing has finished a look at the broker at or after a time."""
    since = {"book": book.name, "known_at": (at, None)}
    return not pins.read(BrokerSnapshots, where=since, columns=["known_at"]).head(1).collect().is_empty()


def reads(book: BookConfig) -> tuple[type[Table], ...]:
    """Tables that deciding a book's sessions reads."""
    return (*READS, *LOOKS) if book.risk.liquidity.enabled else READS


def walk_inputs(pins: Pins, book: BookConfig, first: date, last: date) -> Inputs:
    """Research of a range of sessions as the decisions read it."""
    here = {"book": book.name, "session": (first, last)}
    candidates = pins.read(Candidates, where=here).collect()
    signals = pins.read(Signals, where=here).collect()
    return Inputs(
        signals_by_session(signals, candidates),
        candidates_by_session(candidates),
        _regimes(pins.read(Regimes, where=here).collect()),
        order_books(pins, book, signals["symbol"].unique().to_list(), first, last),
    )


def order_books(
    pins: Pins, book: BookConfig, symbols: Sequence[str], first: date, last: date
) -> Mapping[date, Mapping[str, Book]]:
    """Newest snapshot of each order book at the close of each session, as far as it is fresh.

    Empty for a book that does not look at them.
    """
    limits = book.risk.liquidity
    if not limits.enabled:
        return {}
    fresh = timedelta(seconds=limits.max_age)
    times = session_times(book.calendar, first, last)
    at_close = pl.any_horizontal(
        pl.lit(value=False),
        *(pl.col("quoted_at").is_between(each.closes_at - fresh, each.closes_at) for each in times),
    )
    # Statistics prune on the range; what lies between the closes is left out as it is read.
    span = pl.col("quoted_at").is_between(times[0].closes_at - fresh, times[-1].closes_at)
    where = span & at_close & pl.col("symbol").is_in(list(symbols))
    depth = newest(pins.read(Depth, where=where).collect(), Depth.key[:-1])
    found: dict[date, dict[str, Book]] = {}
    for each in times:
        rows = depth.filter(pl.col("quoted_at").is_between(each.closes_at - fresh, each.closes_at))
        for symbol in rows["symbol"].unique().sort():
            snapshot = book_at(rows, symbol, each.closes_at)
            if snapshot is not None:
                found.setdefault(each.session, {})[symbol] = snapshot
    return found


def policy(book: BookConfig) -> Policy:
    """Rules of a book's enabled strategies, with their shares of the capital, and its costs."""
    loaded = strategies(book)
    total = sum(book.strategies[name].weight for name in loaded)
    rules = {
        name: strategy.rules()._replace(share=book.strategies[name].weight / total)
        for name, strategy in loaded.items()
    }
    return Policy(book, rules, costs_of(book.costs))


def opening_state(pins: Pins, book: BookConfig, first: date) -> BookState:
    """State of a book before a session: what the session before left, or its capital on the first one.

    Raises
    ------
    RefusedError
        When the session before has not been decided.
    """
    before = day_before(book, first)
    if before is None:
        return new_state(book.capital, book.currency)
    rows = pins.read(Portfolio, where={"book": book.name, "session": before}, columns=["state"]).collect()
    if rows.is_empty():
        raise RefusedError(
            f"book {book.name}: session {before}, the one before {first}, has not been decided; "
            f"run it first: desk run --book {book.name} --session {before}, or backfill from {book.start}"
        )
    return from_json(rows["state"][0])


def refuse_other_research(lake: Lake, book: BookConfig, session: date) -> None:
    """Refuse to decide on signals that were made with another configuration of the book, or on none."""
    made = run_of(lake, step=RESEARCH, book=book.name, session=session)
    if made is None or made.config_hash != config_hash(book):
        what = f"was researched with configuration {made.config_hash}" if made else "has not been researched"
        raise RefusedError(
            f"book {book.name}: session {session} {what}, its configuration is {config_hash(book)}; run its "
            "signals first, then this"
        )


def remember_book(lake: Lake, book: BookConfig, run_id: str) -> None:
    """Keep the book's configuration in ``books`` the first time it is used."""
    if known_book(lake, book):
        return
    digest, pins = config_hash(book), pin(lake, [Books])
    row = pl.DataFrame(
        {"book": [book.name], "config_hash": [digest], "mode": [book.mode], "config": [resolved(book)]}
    ).with_columns(pl.lit(datetime.now(UTC), Books.schema()["known_at"]).alias("known_at"))
    stage = Stage(lake, run_id, "books", pins, book)
    try:
        stage.write(Books, frame_of(Books, row), None)
    except ContractError:
        if known_book(lake, book):  # another run has just kept it
            return
        raise


def known_book(lake: Lake, book: BookConfig) -> bool:
    """Whether ``books`` has the book with this very configuration."""
    here = {"book": book.name, "config_hash": config_hash(book)}
    return not read(lake, Books, where=here).head(1).collect().is_empty()


def _regimes(frame: pl.DataFrame) -> dict[date, Regime]:
    return {
        row["session"]: Regime(row["regime"], row["size_multiplier"], row["max_positions"])
        for row in frame.iter_rows(named=True)
    }


def unplaced_orders(pins: Pins, book: BookConfig, state: BookState) -> frozenset[str]:
    """Approved orders of the session before that were never acknowledged: they are not at the market.

    At a broker an order is there, or may be, as soon as its id is reserved.
    """
    fresh = {order.order_ref for order in state.working if order.session == state.session}
    if not fresh:
        return frozenset()
    acknowledged = (
        pins.read(OrderEvents, where={"book": book.name, "session": state.session})
        .filter(pl.lit(places_at_broker(book)) | (pl.col("state") == "ACKED"))
        .select("order_ref")
        .collect()["order_ref"]
    )
    return frozenset(fresh - set(acknowledged))
