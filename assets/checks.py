"""Asset checks: what must hold of the tables whenever a run has written them."""

from collections.abc import Callable, Sequence

import dagster as dg
import polars as pl

from assets.family import Family
from delta import Lake, read, violations
from delta.contracts import Bars, Books, CorporateActions, Fills, OrderEvents, Orders, Portfolio, Quarantine
from resources.calendar import sessions
from resources.desk import DeskResource
from trading.book import BookConfig
from trading.corporate_actions import standing

Found = Callable[[Lake], dg.AssetCheckResult]


def asset_checks(families: Sequence[Family]) -> list[dg.AssetChecksDefinition]:
    """Every check, for the market tables and for each family of books."""
    market = [
        _check(dg.AssetKey(["market", "bars"]), "bars_are_in_order", bars_are_in_order),
        _check(
            dg.AssetKey(["market", "bars"]), "nothing_in_quarantine", nothing_in_quarantine, blocking=False
        ),
    ]
    books = [
        _check(family.key(table), name, found)
        for family in families
        for table, name, found in (
            ("portfolio", "money_adds_up", money_adds_up),
            ("portfolio", "no_session_is_missing", no_session_is_missing),
            ("portfolio", "sessions_follow_each_other", sessions_follow_each_other),
            ("fills", "fills_have_approved_orders", fills_have_approved_orders),
            ("order_events", "executed_within_the_order", executed_within_the_order),
        )
    ]
    return [*market, *books]


def _check(key: dg.AssetKey, name: str, found: Found, *, blocking: bool = False) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=key, name=name, description=found.__doc__, blocking=blocking)
    def build(desk: DeskResource) -> dg.AssetCheckResult:
        return found(desk.lake())

    return build


def bars_are_in_order(lake: Lake) -> dg.AssetCheckResult:
    """The newest bars fulfil the contract of their table, and none was known before it had closed."""
    newest_ingest = read(lake, Bars, columns=["known_at"]).select(pl.col("known_at").max()).collect().item()
    bars = read(lake, Bars, where=pl.col("known_at").eq_missing(pl.lit(newest_ingest))).collect()
    broken = violations(Bars, bars)
    early = bars.filter(pl.col("known_at") < pl.col("closes_at")).height
    return dg.AssetCheckResult(
        passed=not broken and not early,
        metadata={
            "bars": bars.height,
            "symbols": bars["symbol"].n_unique(),
            "known_before_their_close": early,
            "broken_rules": [str(item) for item in broken],
        },
    )


def nothing_in_quarantine(lake: Lake) -> dg.AssetCheckResult:
    """No row was refused by a quality rule; those that were are listed with the rule."""
    refused = read(lake, Quarantine).group_by("provider", "symbol", "rule").len().sort("len").collect()
    return dg.AssetCheckResult(
        passed=refused.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"refused": [f"{p} {s}: {r}: {n} rows" for p, s, r, n in refused.head(50).iter_rows()]},
    )


def money_adds_up(lake: Lake) -> dg.AssetCheckResult:
    """Cash, positions and receivables make equity, and so do deposits and results, on every row."""
    rows = read(lake, Portfolio).collect()
    broken = violations(Portfolio, rows)
    return dg.AssetCheckResult(
        passed=not broken, metadata={"rows": rows.height, "broken_rules": [str(item) for item in broken]}
    )


def no_session_is_missing(lake: Lake) -> dg.AssetCheckResult:
    """Between the first and the last session of a book, every session of its calendar was decided."""
    rows = read(lake, Portfolio, columns=["book", "session"]).collect()
    books = _configurations(lake)
    gaps = []
    for (book,), days in rows.group_by("book"):
        first, last = days["session"].min(), days["session"].max()
        expected = set(sessions(books[str(book)].calendar, first, last)["session"])  # type: ignore[arg-type]
        missing = sorted(expected - set(days["session"]))
        gaps += [f"{book}: {len(missing)} sessions, the first {missing[0]}"] if missing else []
    return dg.AssetCheckResult(passed=not gaps, metadata={"missing": gaps})


def _configurations(lake: Lake) -> dict[str, BookConfig]:
    """Newest configuration of every book."""
    books = read(lake, Books, columns=["book", "config", "known_at"]).sort("known_at").collect()
    return {
        book: BookConfig.model_validate_json(config)
        for book, config in books.select("book", "config").iter_rows()
    }


def sessions_follow_each_other(lake: Lake) -> dg.AssetCheckResult:
    """Every session went on from the equity of the one before; after a rerun of the middle, run the rest."""
    rows = read(lake, Portfolio, columns=["book", "session", "equity", "daily_return"]).sort(
        "book", "session"
    )
    before = pl.col("equity").shift(1).over("book")
    torn = rows.filter((before * (1.0 + pl.col("daily_return")) - pl.col("equity")).abs() > 0.01).collect()
    named = [f"{book} {session}" for book, session in torn.select("book", "session").head(20).iter_rows()]
    return dg.AssetCheckResult(
        passed=torn.is_empty(), severity=dg.AssetCheckSeverity.WARN, metadata={"torn": named}
    )


def fills_have_approved_orders(lake: Lake) -> dg.AssetCheckResult:
    """Every fill that somebody ordered belongs to an approved order of an earlier (or the same) close."""
    orders = read(lake, Orders, where=pl.col("status") == "approved", columns=["order_ref", "session"])
    fills = read(
        lake, Fills, where=pl.col("order_ref") != "", columns=["order_ref", "session", "execution_id"]
    )
    late = (
        fills.join(orders.rename({"session": "decided"}), on="order_ref", how="left")
        .filter(pl.col("decided").is_null() | (pl.col("decided") > pl.col("session")))
        .collect()
    )
    return dg.AssetCheckResult(
        passed=late.is_empty(), metadata={"fills": late["execution_id"].head(20).to_list()}
    )


def executed_within_the_order(lake: Lake) -> dg.AssetCheckResult:
    """No order was executed beyond its quantity; a split of the instrument multiplies what is left of it."""
    orders = read(lake, Orders, where=pl.col("intent") == "submit").select(
        "book", "order_ref", "symbol", pl.col("session").alias("decided"), asked="quantity", way="side"
    )
    fills = read(lake, Fills).join(orders, on=["book", "order_ref", "symbol"]).collect()
    splits = read(lake, CorporateActions, where=pl.col("action") == "split").collect()
    splits = standing(splits).select("symbol", "ex_date", ratio="value")
    raw = [name for name, book in _configurations(lake).items() if book.prices == "raw"]
    applied = (
        fills.join(splits, on="symbol")
        .filter(pl.col("book").is_in(raw), pl.col("ex_date") > pl.col("decided"))
        .filter(pl.col("ex_date") <= pl.col("session"))
        .group_by("book", "execution_id")
        .agg(pl.col("ratio").product())
    )
    back = pl.col("side") != pl.col("way")  # what the broker took back
    units = pl.when(back).then(-pl.col("quantity")).otherwise(pl.col("quantity"))
    executed = (
        fills.join(applied, on=["book", "execution_id"], how="left")
        .group_by("book", "order_ref", "asked")
        .agg(done=(units / pl.col("ratio").fill_null(1.0)).sum())
    )
    over = executed.filter(pl.col("done") > pl.col("asked") * (1.0 + 1e-9))
    working = read(lake, OrderEvents, where=pl.col("remaining") < 0, columns=["order_ref"]).collect()
    found = sorted({*over["order_ref"], *working["order_ref"]})
    return dg.AssetCheckResult(passed=not found, metadata={"orders": found[:20]})
