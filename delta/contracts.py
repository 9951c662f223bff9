"""The tables of the lake: schema, key, replace scope, sort order and checks, one documented class each.

Types are limited to String, Int64, Float64, Boolean, Date, Datetime(us, UTC) and List(String): what a
Delta table and a polars frame both keep without a silent change. Every column is required unless it is
declared ``optional``. Money is in units of the row's currency; prices are raw (unadjusted).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

from delta.kinds import Kind

if TYPE_CHECKING:
    import polars as pl

STRING = Kind.STRING
INTEGER = Kind.INTEGER
NUMBER = Kind.NUMBER
BOOLEAN = Kind.BOOLEAN
DATE = Kind.DATE
INSTANT = Kind.INSTANT
STRINGS = Kind.STRINGS

CENT = 0.005
"""Half a cent: two amounts closer than this are the same to the cent."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    kind : Kind
        One of the seven types a contract may use.
    meaning : str
        What the value is, with its unit.
    optional : bool
        Whether null is allowed.
    """

    kind: Kind
    meaning: str
    optional: bool = False

    @property
    def dtype(self) -> pl.DataType:
        """Type of the column in a frame."""
        return self.kind.dtype


@dataclass(frozen=True)
class Check:
    """A rule that every row of a table must fulfil.

    Attributes
    ----------
    rule : str
        Short name that errors and the quarantine show.
    condition : callable
        Makes of ``polars.col`` what is true where the row is in order; null counts as in order (required
        columns are checked apart).
    """

    rule: str
    condition: Callable[[Callable[[str], pl.Expr]], pl.Expr]

    @property
    def holds(self) -> pl.Expr:
        """The condition, for a frame."""
        import polars as pl  # noqa: PLC0415 - much is asked of a table without a look at its rows

        return self.condition(pl.col)


def finite(*names: str) -> tuple[Check, ...]:
    """Rules that the named number columns hold neither NaN nor an infinity."""
    return tuple(_finite(name) for name in names)


def _finite(name: str) -> Check:
    return Check(f"{name} is finite", lambda col: col(name).is_finite())


def one_of(name: str, *allowed: str) -> Check:
    """Rule that a string column holds one of the allowed values."""
    return Check(f"{name} is one of {', '.join(allowed)}", lambda col: col(name).is_in(list(allowed)))


class Table:
    """Contract of one table; subclasses declare columns as class attributes.

    Attributes
    ----------
    name : str
        Name of the table and of its folder in the lake.
    key : tuple of str
        Columns that are unique together.
    scope : tuple of str
        Columns by which a write may replace rows; empty for tables that only append.
    sort : tuple of str
        Order of rows within a written file, so that statistics prune reads.
    group_rows : int
        Rows of a file that statistics prune together.
    compression : str
        Codec of the files.
    checks : tuple of Check
        Rules on values beyond type, null and key.
    version : int
        Version of the schema, kept with the table; a lake of another version is refused.
    """

    name: ClassVar[str]
    key: ClassVar[tuple[str, ...]]
    scope: ClassVar[tuple[str, ...]] = ()
    sort: ClassVar[tuple[str, ...]] = ()
    group_rows: ClassVar[int] = 131_072
    compression: ClassVar[Literal["ZSTD", "LZ4_RAW"]] = "ZSTD"
    checks: ClassVar[tuple[Check, ...]] = ()
    version: ClassVar[int] = 1

    @classmethod
    @cache
    def columns(cls) -> Mapping[str, Column]:
        """Columns in the order of their declaration."""
        return MappingProxyType({name: one for name, one in vars(cls).items() if isinstance(one, Column)})

    @classmethod
    @cache
    def schema(cls) -> pl.Schema:
        """Schema of a frame of this table."""
        import polars as pl  # noqa: PLC0415

        return pl.Schema({name: column.dtype for name, column in cls.columns().items()})

    @classmethod
    def period(cls) -> pl.Expr | None:
        """Number of a stretch of time, which comes after the first column of ``sort``, if any.

        A table that is read by day and by key then has either in few groups of rows.
        """
        return None


# ---------------------------------------------------------------------------------------------- market


class Instruments(Table):
    """What a symbol was, when: one row per symbol and period of validity.

    ``symbol`` is permanent and never reused; ``ticker`` is what the exchange called it in the period. A
    renamed instrument has one row per ticker; a ticker that another company used before belongs to
    another symbol.
    """

    name = "instruments"
    key = ("symbol", "valid_from", "known_at")
    sort = ("symbol", "valid_from")

    symbol = Column(STRING, "permanent id of the instrument")
    ticker = Column(STRING, "exchange ticker in the period")
    asset_class = Column(STRING, "stock, etf, crypto, fx, option, index or future")
    exchange = Column(STRING, "listing exchange, ISO 10383 code where known")
    calendar = Column(STRING, "trading calendar, a name of exchange_calendars")
    currency = Column(STRING, "ISO 4217 code of prices")
    sector = Column(STRING, "sector, where the source gives one", optional=True)
    market_cap = Column(NUMBER, "market capitalisation in the period, where known", optional=True)
    multiplier = Column(NUMBER, "units of the underlying in one contract; 1 for stocks")
    valid_from = Column(DATE, "first session of the period")
    valid_to = Column(DATE, "last session of the period; null while it lasts", optional=True)
    predecessor = Column(STRING, "symbol this one continues, after a merger or spin-off", optional=True)
    source = Column(STRING, "provider that said so")
    known_at = Column(INSTANT, "when the desk learned it")

    checks = (
        one_of("asset_class", "stock", "etf", "crypto", "fx", "option", "index", "future"),
        Check("multiplier > 0", lambda col: col("multiplier") > 0),
        Check("valid_from <= valid_to", lambda col: col("valid_from") <= col("valid_to")),
    )


class Sessions(Table):
    """Opening times of a trading calendar."""

    name = "sessions"
    key = ("calendar", "session")
    scope = ("calendar", "session")
    sort = ("calendar", "session")

    calendar = Column(STRING, "name in exchange_calendars")
    session = Column(DATE, "date of the session")
    opens_at = Column(INSTANT, "opening time")
    closes_at = Column(INSTANT, "closing time")
    half_day = Column(BOOLEAN, "whether the session closes early")

    checks = (Check("opens_at < closes_at", lambda col: col("opens_at") < col("closes_at")),)


class Bars(Table):
    """Raw prices and volume of one symbol in one interval, stamped with the close of the interval.

    A correction is a new row of the same bar with a later ``known_at``: what was known before stays.
    """

    name = "bars"
    key = ("symbol", "timeframe", "closes_at", "known_at")
    sort = ("timeframe", "symbol", "session")
    group_rows = 32_768
    # Every run reads the whole history: half the time for half as much again on the disk.
    compression = "LZ4_RAW"

    symbol = Column(STRING, "permanent id of the instrument")
    timeframe = Column(STRING, "1m 5m 15m 30m 1h 4h 1d or 1w")
    session = Column(DATE, "session the bar belongs to")
    closes_at = Column(INSTANT, "end of the interval: nothing in the row was known before")
    open = Column(NUMBER, "first price")
    high = Column(NUMBER, "highest price")
    low = Column(NUMBER, "lowest price")
    close = Column(NUMBER, "last price")
    volume = Column(NUMBER, "units traded")
    source = Column(STRING, "provider of the row")
    known_at = Column(INSTANT, "when the desk learned the row")
    flags = Column(STRINGS, "quality warnings that the row carries")

    checks = (
        one_of("timeframe", "1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"),
        *finite("open", "high", "low", "close", "volume"),
        Check("low > 0", lambda col: col("low") > 0),
        Check("low <= open <= high", lambda col: col("open").is_between(col("low"), col("high"))),
        Check("low <= close <= high", lambda col: col("close").is_between(col("low"), col("high"))),
        Check("volume >= 0", lambda col: col("volume") >= 0),
    )

    @classmethod
    def period(cls) -> pl.Expr:
        """Years of days, months of minutes: of a symbol these are some hundred rows and some thousand."""
        import polars as pl  # noqa: PLC0415

        month = pl.col("session").dt.month()
        days = pl.col("timeframe").is_in(["1d", "1w"])
        return pl.col("session").dt.year().cast(pl.Int64) * 12 + pl.when(days).then(0).otherwise(month)


class CorporateActions(Table):
    """Splits, dividends, renames, delistings and spin-offs by ex date.

    What was learned wrongly is corrected by a later version of the same action: with other figures, or
    ``withdrawn`` when it never was. What was known before stays.
    """

    name = "corporate_actions"
    key = ("symbol", "ex_date", "action", "known_at")
    sort = ("symbol", "ex_date")
    version = 2

    symbol = Column(STRING, "permanent id of the instrument")
    ex_date = Column(DATE, "first session that trades without the right")
    action = Column(STRING, "split, cash_dividend, special_dividend, spin_off, rename or delisting")
    value = Column(
        NUMBER,
        "split: new shares per old; dividends: cash per share before the ex date; "
        "spin_off: shares of new_symbol per share; delisting: final cash per share, null: the last close",
        optional=True,
    )
    pay_date = Column(DATE, "when cash is paid; null: on the ex date", optional=True)
    new_symbol = Column(STRING, "spin_off: the instrument received; rename: the new ticker", optional=True)
    currency = Column(STRING, "ISO 4217 code of the cash")
    withdrawn = Column(BOOLEAN, "whether this version says that the action never was")
    reason = Column(STRING, "why this version replaces the one before", optional=True)
    source = Column(STRING, "provider that said so, or person")
    known_at = Column(INSTANT, "when the desk learned it")

    checks = (
        one_of("action", "split", "cash_dividend", "special_dividend", "spin_off", "rename", "delisting"),
        Check("value >= 0", lambda col: col("value") >= 0),
        Check(
            "splits, dividends and spin-offs have a positive value",
            lambda col: col("action").is_in(["rename", "delisting"]) | (col("value").fill_null(0) > 0),
        ),
        Check("pay_date >= ex_date", lambda col: col("pay_date") >= col("ex_date")),
        Check("a withdrawal has a reason", lambda col: ~col("withdrawn") | col("reason").is_not_null()),
    )


class OptionQuotes(Table):
    """Quote, greeks and open interest of one option contract at one time."""

    name = "option_quotes"
    key = ("symbol", "quoted_at", "known_at")
    sort = ("session", "underlying", "symbol")

    symbol = Column(STRING, "OCC symbol, its root padded to six; other exchanges' own name of the contract")
    underlying = Column(STRING, "symbol of the underlying")
    session = Column(DATE, "session of the quote")
    quoted_at = Column(INSTANT, "time of the quote")
    expiry = Column(DATE, "last trading date")
    strike = Column(NUMBER, "strike price")
    right = Column(STRING, "call or put")
    multiplier = Column(NUMBER, "units of the underlying in one contract")
    bid = Column(NUMBER, "best bid", optional=True)
    ask = Column(NUMBER, "best offer", optional=True)
    last = Column(NUMBER, "last trade", optional=True)
    volume = Column(NUMBER, "contracts traded in the session", optional=True)
    open_interest = Column(NUMBER, "open contracts", optional=True)
    implied_volatility = Column(NUMBER, "annual, 0.20 is 20 %", optional=True)
    delta = Column(NUMBER, "per unit of the underlying", optional=True)
    gamma = Column(NUMBER, "per unit of the underlying squared", optional=True)
    vega = Column(NUMBER, "per point of volatility", optional=True)
    theta = Column(NUMBER, "per day", optional=True)
    underlying_price = Column(NUMBER, "price of the underlying at the quote", optional=True)
    source = Column(STRING, "provider of the row")
    known_at = Column(INSTANT, "when the desk learned the row")

    checks = (
        one_of("right", "call", "put"),
        Check(
            "an OCC symbol pads its root to six",
            lambda col: (
                ~col("symbol").str.contains(r"^[A-Z0-9.]{1,6} *\d{6}[CP]\d{8}$")
                | (col("symbol").str.len_chars() == 21)
            ),
        ),
        Check("strike > 0", lambda col: col("strike") > 0),
        *finite("strike", "bid", "ask", "last", "implied_volatility", "delta", "gamma", "vega", "theta"),
    )


class Depth(Table):
    """One level of one side of an order book at one time."""

    name = "depth"
    key = ("symbol", "quoted_at", "side", "level", "known_at")
    sort = ("session", "symbol", "quoted_at")

    symbol = Column(STRING, "permanent id of the instrument")
    session = Column(DATE, "session of the snapshot")
    quoted_at = Column(INSTANT, "time of the snapshot")
    side = Column(STRING, "bid or ask")
    level = Column(INTEGER, "distance from the touch, 0 is the best price")
    price = Column(NUMBER, "price of the level")
    size = Column(NUMBER, "units offered")
    source = Column(STRING, "provider of the row")
    known_at = Column(INSTANT, "when the desk learned the row")

    checks = (
        one_of("side", "bid", "ask"),
        Check("level >= 0", lambda col: col("level") >= 0),
        *finite("price", "size"),
        Check("price > 0", lambda col: col("price") > 0),
        Check("size >= 0", lambda col: col("size") >= 0),
    )


class Rates(Table):
    """Interest rates, exchange rates and volatility indices by date."""

    name = "rates"
    key = ("series", "observed", "known_at")
    sort = ("series", "observed")

    series = Column(STRING, "name of the series, such as DGS10 or VIXCLS")
    observed = Column(DATE, "date of the observation")
    value = Column(NUMBER, "value in the unit of the series")
    source = Column(STRING, "provider of the row")
    known_at = Column(INSTANT, "when the desk learned the row")

    checks = finite("value")


class Memberships(Table):
    """Constituents of an index or fund as a list told them: one row a member and list.

    The members on a day are those of the newest list until then; a name that a list leaves out has gone.
    """

    name = "memberships"
    key = ("universe", "symbol", "observed", "known_at")
    sort = ("universe", "observed", "symbol")

    universe = Column(STRING, "index or fund whose constituents are listed")
    symbol = Column(STRING, "permanent id of the member")
    observed = Column(DATE, "day from which the list could be read")
    weight = Column(NUMBER, "share of the whole, where the list tells it", optional=True)
    source = Column(STRING, "provider of the list")
    known_at = Column(INSTANT, "when the desk learned the row")

    checks = (*finite("weight"),)


class Quarantine(Table):
    """Rows that a quality rule refused, kept with the reason."""

    name = "quarantine"
    key = ("target", "provider", "symbol", "rule", "row", "known_at")
    sort = ("known_at",)

    target = Column(STRING, "table the row was meant for")
    provider = Column(STRING, "provider of the row")
    symbol = Column(STRING, "instrument, empty where unreadable")
    session = Column(DATE, "session, where readable", optional=True)
    rule = Column(STRING, "rule that refused the row")
    reason = Column(STRING, "the figures that broke it")
    row = Column(STRING, "the row as JSON")
    run_id = Column(STRING, "run that refused it")
    known_at = Column(INSTANT, "when it was refused")


# ------------------------------------------------------------------------------------------------ book


class Books(Table):
    """Every configuration that a book has had."""

    name = "books"
    key = ("book", "config_hash")
    sort = ("book", "known_at")

    book = Column(STRING, "name of the book")
    config_hash = Column(STRING, "hash of the resolved configuration")
    mode = Column(STRING, "backtest, paper or live")
    config = Column(STRING, "resolved configuration as JSON, secrets left out")
    known_at = Column(INSTANT, "when this configuration was first used")

    checks = (one_of("mode", "backtest", "paper", "live"),)


class Candidates(Table):
    """Names that passed a strategy's scan of a session, best first."""

    name = "candidates"
    key = ("book", "session", "strategy", "symbol")
    scope = ("book", "session")
    sort = ("book", "session", "strategy", "rank")

    book = Column(STRING, "name of the book")
    session = Column(DATE, "session whose close was scanned")
    strategy = Column(STRING, "strategy that scans")
    symbol = Column(STRING, "candidate")
    rank = Column(INTEGER, "1 is the best")
    score = Column(NUMBER, "momentum score, 0..100")
    trend_strength = Column(NUMBER, "0..100")
    close = Column(NUMBER, "raw close")
    dollar_volume = Column(NUMBER, "30-day average of close times volume")
    rsi = Column(NUMBER, "relative strength index, 0..100")
    scan = Column(STRING, "full or cached")
    known_at = Column(INSTANT, "close of the session")

    checks = (
        Check("rank >= 1", lambda col: col("rank") >= 1),
        one_of("scan", "full", "cached"),
        *finite("score", "trend_strength", "close", "dollar_volume", "rsi"),
    )


class Signals(Table):
    """What a strategy asks for at the close of a session, before sizing and gates.

    A row either asks for a direction (``action`` with stop and target) or for a share of equity
    (``weight``).
    """

    name = "signals"
    key = ("book", "session", "strategy", "symbol", "action")
    scope = ("book", "session")
    sort = ("book", "session", "strategy", "symbol")

    book = Column(STRING, "name of the book")
    session = Column(DATE, "session whose close is decided on")
    strategy = Column(STRING, "strategy that asks")
    symbol = Column(STRING, "instrument")
    action = Column(STRING, "BUY, SELL, SHORT, COVER, CLOSE, ROLL, HOLD or TARGET (a weight)")
    direction = Column(STRING, "long, short or flat")
    strength = Column(NUMBER, "0..100")
    confidence = Column(NUMBER, "0..1")
    price = Column(NUMBER, "raw close the signal was taken at")
    stop = Column(NUMBER, "protective stop, raw price", optional=True)
    target = Column(NUMBER, "profit target, raw price", optional=True)
    weight = Column(NUMBER, "TARGET: share of the strategy's equity, -1..1", optional=True)
    max_hold = Column(INTEGER, "longest holding in sessions", optional=True)
    timeframe = Column(STRING, "timeframe of the bars used")
    reason = Column(STRING, "rule that fired, such as breakout or momentum_failure")
    indicators = Column(STRING, "indicator values used, JSON")
    known_at = Column(INSTANT, "when the last bar used was known: close of the session")

    checks = (
        one_of("action", "BUY", "SELL", "SHORT", "COVER", "CLOSE", "ROLL", "HOLD", "TARGET"),
        one_of("direction", "long", "short", "flat"),
        *finite("strength", "confidence", "price", "stop", "target", "weight"),
        Check("0 <= strength <= 100", lambda col: col("strength").is_between(0, 100)),
        Check("0 <= confidence <= 1", lambda col: col("confidence").is_between(0, 1)),
        Check("price > 0", lambda col: col("price") > 0),
        Check("stop > 0", lambda col: col("stop") > 0),
        Check("target > 0", lambda col: col("target") > 0),
        Check("max_hold >= 1", lambda col: col("max_hold") >= 1),
        Check("TARGET has a weight", lambda col: (col("action") != "TARGET") | col("weight").is_not_null()),
    )


class Regimes(Table):
    """Market regime of a session, measured on the book's benchmark."""

    name = "regimes"
    key = ("book", "session")
    scope = ("book", "session")
    sort = ("book", "session")

    book = Column(STRING, "name of the book")
    session = Column(DATE, "session whose close was measured")
    benchmark = Column(STRING, "symbol measured")
    regime = Column(STRING, "bull, bear or sideways")
    bull_points = Column(NUMBER, "share of the points that say bull, 0..1")
    bear_points = Column(NUMBER, "share of the points that say bear, 0..1")
    size_multiplier = Column(NUMBER, "factor on the size of entries")
    max_positions = Column(INTEGER, "positions allowed")
    known_at = Column(INSTANT, "close of the session")

    checks = (one_of("regime", "bull", "bear", "sideways"), *finite("bull_points", "bear_points"))


class Orders(Table):
    """What was decided: every order that was approved or rejected, with every gate's verdict.

    A cancel or a change of a working order is a row too: ``intent`` and ``target_ref`` say which.
    """

    name = "orders"
    key = ("book", "order_ref")
    scope = ("book", "session")
    sort = ("book", "session", "order_ref")

    book = Column(STRING, "name of the book")
    session = Column(DATE, "session on whose close it was decided")
    order_ref = Column(STRING, "identity: hash of book, session, strategy, symbol, purpose and sequence")
    intent = Column(STRING, "submit, modify or cancel")
    target_ref = Column(STRING, "modify and cancel: the order meant", optional=True)
    strategy = Column(STRING, "strategy that asked")
    symbol = Column(STRING, "instrument")
    purpose = Column(STRING, "entry, exit, stop_loss, profit_target, trailing_stop or rebalance")
    side = Column(STRING, "BUY or SELL")
    order_type = Column(STRING, "market, market_on_close, limit, stop, stop_limit or trailing_stop")
    quantity = Column(NUMBER, "units; 0 on rejected orders that had no size")
    limit_price = Column(NUMBER, "limit", optional=True)
    stop_price = Column(NUMBER, "trigger", optional=True)
    trail_percent = Column(NUMBER, "trailing distance, 0.08 is 8 %", optional=True)
    time_in_force = Column(STRING, "day, gtc, gtd, opg, ioc or fok")
    good_till = Column(DATE, "gtd: last session", optional=True)
    parent_ref = Column(STRING, "order whose fill activates this one", optional=True)
    oca_group = Column(STRING, "a fill of one order of the group cancels the others", optional=True)
    status = Column(STRING, "approved or rejected")
    reason = Column(STRING, "rule that asked for the order")
    gates = Column(STRING, "verdict and figures of every gate, JSON list")
    reference_price = Column(NUMBER, "raw close at the decision")
    intended_quantity = Column(NUMBER, "size before caps and gates")
    intended_risk = Column(NUMBER, "cash at risk at the intended size")
    actual_risk = Column(NUMBER, "cash at risk at the approved size")
    valid_until = Column(INSTANT, "never sent after this time", optional=True)
    decided_at = Column(INSTANT, "close of the session: nothing later was used")

    checks = (
        one_of("intent", "submit", "modify", "cancel"),
        one_of("purpose", "entry", "exit", "stop_loss", "profit_target", "trailing_stop", "rebalance"),
        one_of("side", "BUY", "SELL"),
        one_of("order_type", "market", "market_on_close", "limit", "stop", "stop_limit", "trailing_stop"),
        one_of("time_in_force", "day", "gtc", "gtd", "opg", "ioc", "fok"),
        one_of("status", "approved", "rejected"),
        *finite("quantity", "limit_price", "stop_price", "intended_quantity"),
        Check("quantity >= 0", lambda col: col("quantity") >= 0),
        Check(
            "an approved submit has a quantity",
            lambda col: (col("status") == "rejected") | (col("intent") != "submit") | (col("quantity") > 0),
        ),
        Check(
            "modify and cancel name their target",
            lambda col: (col("intent") == "submit") | col("target_ref").is_not_null(),
        ),
    )


class OrderEvents(Table):
    """What happened to an order; an order's state is its event of highest sequence.

    What a broker said is only ever appended. The events of simulated fills are replaced with the sessions
    that a backtest runs again.
    """

    name = "order_events"
    key = ("book", "order_ref", "sequence")
    scope = ("book", "session")
    sort = ("book", "session", "order_ref", "sequence")

    book = Column(STRING, "name of the book")
    session = Column(DATE, "session of the event; of what a broker said, the one the order was decided in")
    order_ref = Column(STRING, "identity of the order")
    sequence = Column(INTEGER, "1 for the first event of the order")
    state = Column(
        STRING,
        "PLANNED RESERVED SENT ACKED PARTIAL FILLED CANCELLED REJECTED EXPIRED UNKNOWN UNRESOLVED",
    )
    at = Column(INSTANT, "when it happened")
    client_id = Column(INTEGER, "API client that sent it", optional=True)
    order_id = Column(INTEGER, "API order id, reserved before it is sent", optional=True)
    perm_id = Column(INTEGER, "the broker's permanent id", optional=True)
    filled = Column(NUMBER, "units filled so far")
    remaining = Column(NUMBER, "units still working")
    average_price = Column(NUMBER, "average price of the fills so far", optional=True)
    code = Column(INTEGER, "the broker's message code", optional=True)
    message = Column(STRING, "reason or text of the broker")
    source = Column(STRING, "simulation, gateway, broker or person")
    run_id = Column(STRING, "run that recorded it")

    checks = (
        one_of(
            "state",
            "PLANNED",
            "RESERVED",
            "SENT",
            "ACKED",
            "PARTIAL",
            "FILLED",
            "CANCELLED",
            "REJECTED",
            "EXPIRED",
            "UNKNOWN",
            "UNRESOLVED",
        ),
        Check("sequence >= 1", lambda col: col("sequence") >= 1),
        *finite("filled", "remaining", "average_price"),
        Check("filled >= 0", lambda col: col("filled") >= 0),
    )


class Fills(Table):
    """Executions, one row each, with what they cost.

    What a broker tells of one after it was booked is booked in the session that learned it, in rows of the
    same id with ``/2``, ``/3`` ...: a commission as a row of no units, a bust as one on the other side, a
    correction as that and the execution as it stands now.
    """

    name = "fills"
    version = 2  # price_currency, rate
    key = ("book", "execution_id")
    scope = ("book", "session")
    sort = ("book", "session", "execution_id")

    book = Column(STRING, "name of the book")
    session = Column(DATE, "session that books it")
    execution_id = Column(STRING, "identity of the execution")
    order_ref = Column(STRING, "order it belongs to; empty for events nobody ordered")
    strategy = Column(STRING, "strategy that holds the result")
    symbol = Column(STRING, "instrument")
    purpose = Column(STRING, "purpose of the order, or the cause: manual, assignment, delisting, bust ...")
    side = Column(STRING, "BUY or SELL")
    quantity = Column(NUMBER, "units, positive; 0: only the commission has changed")
    price = Column(NUMBER, "price of the execution")
    commission = Column(NUMBER, "paid, in the currency, to the cent")
    slippage = Column(NUMBER, "cash lost against the price before slippage")
    realised_pnl = Column(NUMBER, "realised by this execution after commission, to the cent")
    currency = Column(STRING, "the book's currency, of all amounts of money; ISO 4217 code")
    price_currency = Column(STRING, "currency of the price")
    rate = Column(NUMBER, "units of the book's currency for one of the price's, at this execution")
    executed_at = Column(INSTANT, "time of the execution; simulated daily bars: open or close")

    checks = (
        one_of("side", "BUY", "SELL"),
        *finite("quantity", "price", "commission", "slippage", "realised_pnl", "rate"),
        Check(
            "quantity > 0, or only the commission changed",
            lambda col: (
                (col("quantity") > 0)
                | ((col("quantity") == 0) & col("purpose").is_in(["commission_adjustment", "bust"]))
            ),
        ),
        Check("price >= 0", lambda col: col("price") >= 0),
        Check("rate > 0", lambda col: col("rate") > 0),
    )


class Positions(Table):
    """Holdings at the close of a session, one row per strategy and symbol."""

    name = "positions"
    version = 2  # price_currency, rate
    key = ("book", "session", "strategy", "symbol")
    scope = ("book", "session")
    sort = ("book", "session", "strategy", "symbol")

    book = Column(STRING, "name of the book")
    session = Column(DATE, "session whose close is marked")
    strategy = Column(STRING, "strategy that holds it")
    symbol = Column(STRING, "instrument")
    quantity = Column(NUMBER, "units; negative for a short position")
    average_cost = Column(NUMBER, "cost basis per unit, commissions of the entry included")
    cost_basis = Column(NUMBER, "cash paid for the open lots, to the cent")
    price = Column(NUMBER, "mark: raw close, or the last one known")
    market_value = Column(NUMBER, "quantity times mark times multiplier times rate, to the cent")
    unrealised_pnl = Column(NUMBER, "market value less cost basis, to the cent")
    opened = Column(DATE, "session of the first fill")
    sessions_held = Column(INTEGER, "sessions since the first fill")
    entry_price = Column(NUMBER, "average price of the entry fills, split-adjusted")
    stop = Column(NUMBER, "protective stop now", optional=True)
    target = Column(NUMBER, "profit target", optional=True)
    highest_high = Column(NUMBER, "highest high since the entry, split-adjusted")
    trailing = Column(BOOLEAN, "whether the trailing stop is active")
    stale = Column(BOOLEAN, "whether the mark is older than the session")
    sector = Column(STRING, "sector, where known", optional=True)
    currency = Column(STRING, "the book's currency, of all amounts of money; ISO 4217 code")
    price_currency = Column(STRING, "currency of mark, entry price, stop and target")
    rate = Column(NUMBER, "units of the book's currency for one of the price's, at the close")

    checks = (
        *finite("quantity", "average_cost", "price", "market_value", "unrealised_pnl", "rate"),
        Check("rate > 0", lambda col: col("rate") > 0),
        Check("quantity is not 0", lambda col: col("quantity") != 0),
        Check(
            "market value - cost basis = unrealised P&L",
            lambda col: (col("market_value") - col("cost_basis") - col("unrealised_pnl")).abs() < CENT,
        ),
    )


class Portfolio(Table):
    """The book's account at the close of a session: one row per session."""

    name = "portfolio"
    key = ("book", "session")
    scope = ("book", "session")
    sort = ("book", "session")

    book = Column(STRING, "name of the book")
    session = Column(DATE, "session whose close is marked")
    cash = Column(NUMBER, "settled and unsettled cash")
    positions_value = Column(NUMBER, "sum of the positions' market values")
    receivables = Column(NUMBER, "dividends earned and not yet paid")
    equity = Column(NUMBER, "cash + positions_value + receivables")
    unrealised_pnl = Column(NUMBER, "of the open positions")
    realised_pnl = Column(NUMBER, "since the start of the book, after commissions, without dividends")
    realised_today = Column(NUMBER, "of the session")
    dividends = Column(NUMBER, "earned since the start of the book")
    commissions = Column(NUMBER, "paid since the start of the book")
    deposits = Column(NUMBER, "capital put in since the start of the book")
    exposure = Column(NUMBER, "sum of the absolute market values over equity")
    position_count = Column(INTEGER, "open positions")
    daily_return = Column(NUMBER, "equity over the equity of the session before, less 1")
    turnover = Column(NUMBER, "value traded in the session over equity")
    known_at = Column(INSTANT, "close of the session")
    config_hash = Column(STRING, "configuration the session was decided with")
    state = Column(STRING, "what the next session starts from, JSON: lots, working orders, receivables")

    checks = (
        *finite("cash", "positions_value", "receivables", "equity", "realised_pnl", "unrealised_pnl"),
        Check(
            "cash + positions + receivables = equity",
            lambda col: (
                (col("cash") + col("positions_value") + col("receivables") - col("equity")).abs() < CENT
            ),
        ),
        Check(
            "deposits + realised + unrealised + dividends = equity",
            lambda col: (
                (
                    col("deposits")
                    + col("realised_pnl")
                    + col("unrealised_pnl")
                    + col("dividends")
                    - col("equity")
                ).abs()
                < CENT
            ),
        ),
    )


class Trades(Table):
    """Round trips: one row per lot that was opened and closed."""

    name = "trades"
    key = ("book", "trade_id")
    scope = ("book", "session")
    sort = ("book", "session", "trade_id")

    book = Column(STRING, "name of the book")
    session = Column(DATE, "session of the closing fill")
    trade_id = Column(STRING, "opening and closing execution")
    strategy = Column(STRING, "strategy that traded")
    symbol = Column(STRING, "instrument")
    direction = Column(STRING, "long or short")
    quantity = Column(NUMBER, "units closed")
    opened = Column(DATE, "session of the opening fill")
    entry_price = Column(NUMBER, "price of the opening fill, split-adjusted")
    exit_price = Column(NUMBER, "price of the closing fill")
    commissions = Column(NUMBER, "of both fills")
    pnl = Column(NUMBER, "after commissions, to the cent")
    trade_return = Column(NUMBER, "pnl over the cost of the lot")
    mae = Column(NUMBER, "maximum adverse excursion over the entry price, <= 0")
    mfe = Column(NUMBER, "maximum favourable excursion over the entry price, >= 0")
    sessions_held = Column(INTEGER, "sessions from the opening to the closing fill")
    exit_reason = Column(STRING, "purpose or rule that closed it")

    checks = (one_of("direction", "long", "short"), *finite("pnl", "mae", "mfe", "trade_return"))


class Alerts(Table):
    """What the desk had to tell, delivered or not."""

    name = "alerts"
    key = ("book", "alert_id")
    scope = ("book", "session")
    sort = ("book", "session")

    book = Column(STRING, "name of the book")
    session = Column(DATE, "session it belongs to")
    alert_id = Column(STRING, "hash of session, kind and subject")
    kind = Column(STRING, "entry, exit, risk, performance, data or error")
    severity = Column(STRING, "info, warning or error")
    subject = Column(STRING, "symbol, gate or step")
    message = Column(STRING, "one line for a person")
    known_at = Column(INSTANT, "when it was raised")

    checks = (
        one_of("kind", "entry", "exit", "risk", "performance", "data", "error"),
        one_of("severity", "info", "warning", "error"),
    )


class Performance(Table):
    """Figures of a book over a range of sessions, one row a measure."""

    name = "performance"
    key = ("book", "first_session", "session", "measure")
    scope = ("book",)
    sort = ("book", "measure")

    book = Column(STRING, "name of the book")
    first_session = Column(DATE, "first session measured")
    session = Column(DATE, "last session measured")
    measure = Column(STRING, "name of the figure, such as sharpe_ratio")
    value = Column(NUMBER, "value; null where the figure is not defined", optional=True)
    unit = Column(STRING, "ratio, percent, cash, sessions or count")
    convention = Column(STRING, "how it is computed, such as annualisation and ddof")

    checks = finite("value")


class Risk(Table):
    """Risk figures of a book at the close of a session, each against its limit."""

    name = "risk"
    key = ("book", "session", "measure", "subject")
    scope = ("book", "session")
    sort = ("book", "session")

    book = Column(STRING, "name of the book")
    session = Column(DATE, "session measured")
    measure = Column(STRING, "exposure, sector_exposure, daily_loss, open_risk, ...")
    subject = Column(STRING, "sector or symbol; empty for the whole book")
    value = Column(NUMBER, "figure")
    limit = Column(NUMBER, "limit, where one is set", optional=True)

    checks = finite("value")


# --------------------------------------------------------------------------------------------- control


class Halts(Table):
    """The kill switch: append-only; the newest row of a book (or of ``*``) is in force."""

    name = "halts"
    key = ("book", "known_at")
    sort = ("known_at",)

    book = Column(STRING, "name of the book, * for the whole desk")
    action = Column(STRING, "halt or resume")
    reason = Column(STRING, "why")
    person = Column(STRING, "who")
    known_at = Column(INSTANT, "when")

    checks = (one_of("action", "halt", "resume"),)


class Executions(Table):
    """What a broker has executed, as it was told: append-only.

    The ledger's ``fills`` are booked from it. A correction is a row of the same execution with the next
    revision; the newest revision counts. A commission that comes later is a row of its own.
    """

    name = "executions"
    key = ("account", "execution_id", "revision", "report")
    sort = ("account", "executed_at")

    account = Column(STRING, "account at the broker")
    execution_id = Column(STRING, "the broker's id without its revision")
    revision = Column(INTEGER, "1 as first told; a correction has the next one")
    report = Column(STRING, "execution; commission once it is known, commission 2 ... when it changes")
    book = Column(STRING, "book that it belongs to")
    order_ref = Column(STRING, "order it belongs to; empty for what the desk did not order")
    cause = Column(STRING, "order, manual, assignment, exercise, lapse or external")
    symbol = Column(STRING, "instrument")
    side = Column(STRING, "BUY or SELL")
    quantity = Column(NUMBER, "units, positive; 0: taken back")
    price = Column(NUMBER, "price of the execution")
    multiplier = Column(NUMBER, "units of the underlying in one contract; 1 for stocks")
    commission = Column(NUMBER, "paid, in the currency; null until the broker tells it", optional=True)
    currency = Column(STRING, "ISO 4217 code")
    perm_id = Column(INTEGER, "the broker's permanent id of the order")
    order_id = Column(INTEGER, "API order id; 0 where the broker does not say")
    client_id = Column(INTEGER, "API client that sent the order")
    leg = Column(BOOLEAN, "whether it is the leg of a combination")
    executed_at = Column(INSTANT, "time of the execution")
    known_at = Column(INSTANT, "when the desk learned it")
    run_id = Column(STRING, "run that recorded it")

    checks = (
        Check(
            "report is execution or commission",
            lambda col: col("report").str.contains(r"^(execution|commission( \d+)?)$"),
        ),
        one_of("cause", "order", "manual", "assignment", "exercise", "lapse", "external"),
        one_of("side", "BUY", "SELL"),
        *finite("quantity", "price", "commission"),
        Check("quantity >= 0", lambda col: col("quantity") >= 0),
        Check("revision >= 1", lambda col: col("revision") >= 1),
    )


class Deliveries(Table):
    """Alerts that somebody has taken upon himself to tell: append-only, written before they are sent."""

    name = "deliveries"
    key = ("book", "alert_id")
    sort = ("book", "known_at")

    book = Column(STRING, "name of the book")
    alert_id = Column(STRING, "identity of the alert")
    known_at = Column(INSTANT, "when it was taken")
    run_id = Column(STRING, "run that tells it")


class Leases(Table):
    """Who may place orders: append-only; the highest token of a name is in force until it expires."""

    name = "leases"
    key = ("resource", "token", "renewal")
    sort = ("resource", "token")

    resource = Column(STRING, "what is held")
    token = Column(INTEGER, "fencing token: 1 more than that of the holder before")
    renewal = Column(INTEGER, "0 when taken, counts up")
    holder = Column(STRING, "run, machine and process")
    expires_at = Column(INSTANT, "when another holder may take it; at once after a release")
    known_at = Column(INSTANT, "when the row was written")

    checks = (
        Check("token >= 1", lambda col: col("token") >= 1),
        Check("renewal >= 0", lambda col: col("renewal") >= 0),
    )


class BrokerSnapshots(Table):
    """What the broker said it holds: one row per position, cash balance or open order."""

    name = "broker_snapshots"
    key = ("book", "snapshot_id", "kind", "item")
    sort = ("book", "known_at")

    book = Column(STRING, "name of the book")
    snapshot_id = Column(STRING, "one reconciliation")
    account = Column(STRING, "account at the broker")
    kind = Column(STRING, "position, cash or open_order")
    item = Column(STRING, "symbol, currency or order reference")
    quantity = Column(NUMBER, "units or cash")
    price = Column(NUMBER, "average cost or limit", optional=True)
    detail = Column(STRING, "further fields, JSON")
    known_at = Column(INSTANT, "when the broker said so")

    checks = (one_of("kind", "position", "cash", "open_order"), *finite("quantity"))


class Runs(Table):
    """The manifest: which table versions a step read and wrote, with times of the desk's own."""

    name = "runs"
    key = ("run_id", "step", "known_at")
    sort = ("known_at",)

    run_id = Column(STRING, "Dagster run, or the command that ran")
    step = Column(STRING, "asset or job that read and wrote")
    book = Column(STRING, "book, empty for market data", optional=True)
    first_session = Column(DATE, "first session decided", optional=True)
    last_session = Column(DATE, "last session decided", optional=True)
    reads = Column(STRING, "table -> version, JSON")
    writes = Column(STRING, "table -> version, JSON")
    code_version = Column(STRING, "version of the code")
    config_hash = Column(STRING, "configuration used", optional=True)
    known_at = Column(INSTANT, "when the step had committed all its tables")


MARKET: tuple[type[Table], ...] = (
    Instruments,
    Sessions,
    Bars,
    CorporateActions,
    OptionQuotes,
    Depth,
    Rates,
    Memberships,
    Quarantine,
)
BOOK: tuple[type[Table], ...] = (
    Books,
    Candidates,
    Signals,
    Regimes,
    Orders,
    OrderEvents,
    Fills,
    Positions,
    Portfolio,
    Trades,
    Alerts,
    Performance,
    Risk,
)
CONTROL: tuple[type[Table], ...] = (Halts, BrokerSnapshots, Executions, Deliveries, Leases, Runs)
TABLES: dict[str, type[Table]] = {table.name: table for table in (*MARKET, *BOOK, *CONTROL)}
"""Every table of the lake by name."""
