"""The daily report as a document, section by section."""

from __future__ import annotations

from typing import Final

from trading.reporting.cells import NOTHING, count, day, money, number, percent, price, quantity, words
from trading.reporting.daily.data import (
    Account,
    DailyReport,
    Exited,
    Filled,
    Limit,
    MarketRegime,
    NotTaken,
    OpenPosition,
    Planned,
)
from trading.reporting.daily.risk import NAMES
from trading.reporting.document import Cell, Column, Curve, Document, Facts, Notes, Section, Table, Tone

LEFT: Final = "left"
SYMBOL = Column("Symbol", LEFT)
REASON = Column("Reason", LEFT, wide=True)
_SEVERITY: dict[str, Tone] = {"error": "bad", "warning": "warn", "info": "plain"}


def daily_document(report: DailyReport) -> Document:
    """Lay the daily report out; sections without content say so rather than disappear."""
    sections = (
        _summary(report),
        _warnings(report),
        _positions(report),
        _entries(report),
        _exits(report),
        *_other_fills(report),
        _planned(report),
        _not_taken(report),
        _risk(report),
        _upcoming(report),
        _candidates(report),
    )
    parts = (f"session {report.session}", report.mode, f"configuration {report.config_hash}")
    subtitle = " · ".join(part for part in parts if part and not part.endswith(" "))
    return Document(f"Daily report: {words(report.book).text}", words(subtitle).text, sections)


def _summary(report: DailyReport) -> Section:
    history = report.history
    curve = Curve(history.sessions, history.equity, history.drawdown)
    if report.account is None:
        return Section("Portfolio", (Notes((), "the session has no portfolio row"), curve))
    return Section("Portfolio", (Facts(_account_facts(report, report.account)), curve))


def _account_facts(report: DailyReport, account: Account) -> tuple[tuple[str, Cell], ...]:
    currency, regime = report.currency, report.regime
    owed = (("Dividends receivable", money(account.receivables, currency)),) if account.receivables else ()
    return (
        ("Equity", money(account.equity, currency)),
        ("Daily return", percent(account.daily_return, signed=True)),
        ("Daily P&L", money(account.daily_pnl, currency, signed=True)),
        ("Total return", percent(account.total_return, signed=True)),
        ("Drawdown", percent(account.drawdown, signed=True)),
        ("Cash", money(account.cash, currency)),
        ("Positions", count(account.position_count)),
        ("Position value", money(account.positions_value, currency)),
        ("Exposure", percent(account.exposure)),
        ("Unrealised P&L", money(account.unrealised_pnl, currency, signed=True)),
        ("Realised today", money(account.realised_today, currency, signed=True)),
        ("Realised so far", money(account.realised_pnl, currency, signed=True)),
        ("Commissions so far", money(account.commissions, currency)),
        ("Dividends so far", money(account.dividends, currency)),
        ("Market regime", _regime(regime)),
        *owed,
    )


def _regime(regime: MarketRegime | None) -> Cell:
    if regime is None:
        return NOTHING
    tone: dict[str, Tone] = {"bull": "good", "bear": "bad"}
    size = "" if regime.size_multiplier is None else f", size x {regime.size_multiplier:g}"
    on = f" on {regime.benchmark}" if regime.benchmark else ""
    return words(f"{regime.regime}{on}{size}", tone.get(regime.regime, "plain"))


def _warnings(report: DailyReport) -> Section:
    lines = tuple(words(item.message, _SEVERITY.get(item.severity, "plain")) for item in report.warnings)
    return Section("Warnings", (Notes(lines),))


def _positions(report: DailyReport) -> Section:
    columns = (
        SYMBOL,
        Column("Entered", LEFT),
        Column("Entry"),
        Column("Price"),
        Column("Shares"),
        Column("Value"),
        Column("P&L"),
        Column("P&L %"),
        Column("Days"),
        Column("Stop"),
        Column("Target"),
        Column("Sector", LEFT),
    )
    rows = tuple(_position(held, report.currency) for held in report.positions)
    return Section("Open positions", (Table(columns, rows, "no open positions"),))


def _position(held: OpenPosition, currency: str) -> tuple[Cell, ...]:
    stop = price(held.stop)
    return (
        words(held.symbol, "warn" if held.stale else "plain"),
        day(held.opened),
        price(held.entry_price),
        price(held.price),
        quantity(held.quantity),
        money(held.market_value, currency),
        money(held.pnl, currency, signed=True),
        percent(held.pnl_fraction, signed=True),
        count(held.days),
        Cell(stop.text + " ↑", "good") if held.trailing else stop,
        price(held.target),
        words(held.sector),
    )


def _entries(report: DailyReport) -> Section:
    return Section("Entries", (_fill_table(report.entries, "no entry was filled", report.currency),))


def _other_fills(report: DailyReport) -> tuple[Section, ...]:
    """Executions that neither opened nor closed a round trip; no section on the many days without one."""
    if not report.other_fills:
        return ()
    return (Section("Other executions", (_fill_table(report.other_fills, "none", report.currency),)),)


def _fill_table(fills: tuple[Filled, ...], empty: str, currency: str) -> Table:
    columns = (
        SYMBOL,
        Column("Side", LEFT),
        Column("Purpose", LEFT),
        Column("Shares"),
        Column("Price"),
        Column("Commission"),
        Column("Slippage"),
        REASON,
    )
    rows = tuple(
        (
            words(fill.symbol),
            words(fill.side),
            words(_spoken(fill.purpose)),
            quantity(fill.quantity),
            price(fill.price),
            money(fill.commission, currency),
            money(fill.slippage, currency),
            words(_spoken(fill.reason)),
        )
        for fill in fills
    )
    return Table(columns, rows, empty)


def _exits(report: DailyReport) -> Section:
    columns = (
        SYMBOL,
        Column("Direction", LEFT),
        Column("Entered", LEFT),
        Column("Shares"),
        Column("Entry"),
        Column("Exit"),
        Column("P&L"),
        Column("P&L %"),
        Column("Days"),
        REASON,
    )
    rows = tuple(_exit(trade, report.currency) for trade in report.exits)
    return Section("Exits", (Table(columns, rows, "no position was closed"),))


def _exit(trade: Exited, currency: str) -> tuple[Cell, ...]:
    return (
        words(trade.symbol),
        words(trade.direction),
        day(trade.opened),
        quantity(trade.quantity),
        price(trade.entry_price),
        price(trade.exit_price),
        money(trade.pnl, currency, signed=True),
        percent(trade.pnl_fraction, signed=True),
        count(trade.days),
        words(_spoken(trade.reason)),
    )


def _planned(report: DailyReport) -> Section:
    columns = (
        SYMBOL,
        Column("Side", LEFT),
        Column("Purpose", LEFT),
        Column("Type", LEFT),
        Column("Shares"),
        Column("Close"),
        Column("Stop"),
        Column("Target"),
        Column("Risk"),
        Column("Intended"),
        REASON,
    )
    rows = tuple(_order(order, report.currency) for order in report.planned)
    orders = Table(columns, rows, "no order was approved")
    if not report.moved:
        return Section("Orders for the next session", (orders,))
    moves = (SYMBOL, Column("Change", LEFT), Column("Order", LEFT), Column("Price"), REASON)
    changed = tuple(
        (
            words(move.symbol),
            words(move.intent),
            words(_spoken(move.purpose)),
            price(move.price),
            words(_spoken(move.reason)),
        )
        for move in report.moved
    )
    return Section("Orders for the next session", (orders, Table(moves, changed)))


def _order(order: Planned, currency: str) -> tuple[Cell, ...]:
    entry = order.purpose == "entry"
    return (
        words(order.symbol),
        words(order.side),
        words(_spoken(order.purpose)),
        words(_spoken(order.order_type)),
        quantity(order.quantity),
        price(order.reference_price),
        price(order.stop),
        price(order.target),
        money(order.risk, currency) if entry else NOTHING,
        money(order.intended_risk, currency) if entry else NOTHING,
        words(_spoken(order.reason)),
    )


def _not_taken(report: DailyReport) -> Section:
    columns = (SYMBOL, Column("Signal", LEFT), Column("Strength"), Column("Close"), REASON)
    rows = tuple(_refused(item) for item in report.not_taken)
    return Section("Signals not taken", (Table(columns, rows, "every entry signal became an order"),))


def _refused(item: NotTaken) -> tuple[Cell, ...]:
    return (
        words(item.symbol),
        words(f"{item.action} {_spoken(item.signal)}"),
        number(item.strength, 0),
        price(item.price),
        words(item.reason, "warn"),
    )


def _risk(report: DailyReport) -> Section:
    facts = (
        ("Left until the daily loss limit", percent(report.loss_left)),
        ("Lost if every stop fills", money(report.open_risk, report.currency)),
    )
    columns = (Column("Limit", LEFT), Column("Value"), Column("Allowed"), Column("Used"))
    used = tuple(_limit(limit) for limit in report.limits)
    positions = (
        SYMBOL,
        Column("Value"),
        Column("To stop"),
        Column("Risk"),
        Column("of equity"),
    )
    equity = report.account.equity if report.account else None
    risks = tuple(
        (
            words(held.symbol),
            money(held.market_value, report.currency),
            percent(held.to_stop),
            money(held.risk, report.currency),
            percent(held.risk / equity if held.risk is not None and equity else None),
        )
        for held in report.positions
    )
    return Section(
        "Risk",
        (Facts(facts), Table(columns, used, "no figures"), Table(positions, risks, "no position at risk")),
    )


def _limit(limit: Limit) -> tuple[Cell, ...]:
    show = count if limit.measure == "positions" else percent
    tone: Tone = "plain" if limit.used is None or limit.used < 0.9 else "warn" if limit.used < 1 else "bad"
    name = NAMES.get(limit.measure, limit.measure)
    if limit.measure == "sector_exposure":
        name = f"{name}: {limit.subject or 'unknown sector'}"
    return (
        words(name),
        show(limit.value),
        show(limit.limit),
        Cell(percent(limit.used, 0).text, tone) if limit.used is not None else NOTHING,
    )


def _upcoming(report: DailyReport) -> Section:
    columns = (SYMBOL, Column("What", LEFT), Column("Price"), Column("Level"), Column("Away"))
    rows = tuple(
        (words(item.symbol), words(item.what), price(item.price), price(item.level), percent(item.distance))
        for item in report.upcoming
    )
    return Section("Upcoming", (Table(columns, rows, "no position is near its stop or target"),))


def _candidates(report: DailyReport) -> Section:
    columns = (
        Column("#"),
        SYMBOL,
        Column("Score"),
        Column("Trend"),
        Column("RSI"),
        Column("Close"),
        Column("Dollar volume"),
        Column("Scan", LEFT),
    )
    rows = tuple(
        (
            count(item.rank),
            words(item.symbol),
            number(item.score, 1),
            number(item.trend_strength, 0),
            number(item.rsi, 1),
            price(item.close),
            number(item.dollar_volume, 0),
            words(item.scan),
        )
        for item in report.candidates
    )
    return Section("Candidates", (Table(columns, rows, "no name passed the scan"),))


def _spoken(identifier: str) -> str:
    """Return an identifier as words: momentum_failure becomes momentum failure."""
    return identifier.replace("_", " ")
