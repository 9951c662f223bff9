"""Books over Apple's 7:1 split of 2014-06-09 and two dividends, figured out by hand.

Raw bars: 2014-05-05 close 600.96; 05-06 open 601.62, close 594.41; 05-07 close 592.33; 05-08 close 588.12,
dividend 3.29; 06-06 close 645.57; 06-09 close 93.70, split 7:1; 08-06 close 94.97; 08-07 close 94.48,
dividend 0.47. The book puts 90 % of 100,000 into Apple on its first close: 90,000 / 600.96 = 149.76, so 149
shares, bought at the next open plus 0.1 %: 149 x 602.22162 = 89,731.02.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from trading.book import BookConfig

from .conftest import Walked
from .walks import Market, backfill, book, rows

START, END = date(2014, 5, 5), date(2014, 8, 7)
ENTRY, DIVIDEND, BEFORE, SPLIT, LAST = (
    date(2014, 5, 6),
    date(2014, 5, 8),
    date(2014, 6, 6),
    date(2014, 6, 9),
    date(2014, 8, 7),
)
WIDE = {"max_portfolio_exposure": 1.0, "max_sector_exposure": 1.0, "regime": False}


def apple(name: str, prices: str) -> BookConfig:
    return book(
        name,
        START,
        END,
        prices=prices,
        universe={"symbols": ("AAPL",)},
        strategies={"buy_and_hold": {"params": {"exposure": 0.9}}},
        sizing={"mode": "target_weight", "max_position": 1.0},
        risk=WIDE,
    )


CASH = round(100_000 - 89_731.02, 2)
FIRST, SECOND = 490.21, 490.21
"""149 x 3.29, and 1,043 x 0.47."""
RETURNED = 592.33 / (592.33 - 3.29)
"""What a dollar of May 7th has become by the dividend of the next day when it is put back in."""
RETURNED_AGAIN = RETURNED * 94.97 / (94.97 - 0.47)

Row = tuple[float, float, float, float]
EXPECTED: dict[str, dict[date, Row]] = {
    # quantity, price in the book's units, cash, value of the position
    "raw": {
        ENTRY: (149, 594.41, CASH, 149 * 594.41),
        DIVIDEND: (149, 588.12, CASH + FIRST, 149 * 588.12),
        BEFORE: (149, 645.57, CASH + FIRST, 149 * 645.57),
        SPLIT: (1043, 93.70, CASH + FIRST, 1043 * 93.70),
        LAST: (1043, 94.48, CASH + FIRST + SECOND, 1043 * 94.48),
    },
    "split": {
        ENTRY: (149, 594.41, CASH, 149 * 594.41),
        DIVIDEND: (149, 588.12, CASH + FIRST, 149 * 588.12),
        BEFORE: (149, 645.57, CASH + FIRST, 149 * 645.57),
        SPLIT: (149, 655.90, CASH + FIRST, 149 * 655.90),
        LAST: (149, 661.36, CASH + FIRST + SECOND, 149 * 661.36),
    },
    "total_return": {
        ENTRY: (149, 594.41, CASH, 149 * 594.41),
        DIVIDEND: (149, 588.12 * RETURNED, CASH, 149 * 588.12 * RETURNED),
        BEFORE: (149, 645.57 * RETURNED, CASH, 149 * 645.57 * RETURNED),
        SPLIT: (149, 655.90 * RETURNED, CASH, 149 * 655.90 * RETURNED),
        LAST: (149, 661.36 * RETURNED_AGAIN, CASH, 149 * 661.36 * RETURNED_AGAIN),
    },
}


@pytest.mark.parametrize("prices", EXPECTED)
def test_split_and_dividends(prices: str, lean_copy: Market) -> None:
    config = apple("apple", prices)
    lean_copy.ingest(config)
    backfill(lean_copy.lake, config, START, END)
    (fill,) = rows(lean_copy.lake, "fills", "apple").to_dicts()
    assert (fill["session"], fill["quantity"], fill["commission"]) == (ENTRY, 149, 0.0)
    assert fill["price"] == pytest.approx(601.62 * 1.001)
    assert fill["slippage"] == pytest.approx(149 * 601.62 * 0.001, abs=0.01)
    positions = _by_session(rows(lean_copy.lake, "positions", "apple"))
    portfolio = _by_session(rows(lean_copy.lake, "portfolio", "apple"))
    for session, (quantity, price, cash, value) in EXPECTED[prices].items():
        held, stands = positions[session], portfolio[session]
        assert held["quantity"] == quantity
        assert held["price"] == pytest.approx(price, rel=1e-9)
        assert held["market_value"] == pytest.approx(value, abs=0.006)
        assert held["cost_basis"] == 89_731.02
        assert held["average_cost"] == pytest.approx(89_731.02 / quantity, abs=1e-6)
        assert stands["cash"] == pytest.approx(cash, abs=0.001)
        assert stands["equity"] == pytest.approx(cash + value, abs=0.01)
        assert stands["receivables"] == 0.0
    assert portfolio[LAST]["dividends"] == pytest.approx(0 if prices == "total_return" else FIRST + SECOND)


def _by_session(frame: pl.DataFrame) -> dict[date, dict[str, Any]]:
    return {row["session"]: row for row in frame.iter_rows(named=True)}


def test_a_split_moves_stop_entry_and_cost_of_what_is_held(lean_walked: Walked) -> None:
    held = rows(lean_walked.lake, "positions", lean_walked.book.name, BEFORE, SPLIT)
    before, after = held.filter(pl.col("symbol") == "AAPL").sort("session").to_dicts()
    assert after["quantity"] == 7 * before["quantity"]
    for price in ("average_cost", "entry_price", "stop", "target"):
        assert after[price] == pytest.approx(before[price] / 7, rel=1e-6), price
    assert after["cost_basis"] == before["cost_basis"]
    assert (before["trailing"], after["trailing"]) == (False, False)
