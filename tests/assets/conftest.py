"""Lakes that are expensive to make, made once: tests that write take a copy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from delta import Lake
from trading.book import BookConfig

from .walks import DEMO, EAGER, Market, backfill, book, market

LEAN = book(
    "lean-momentum",
    date(2013, 10, 1),
    date(2014, 6, 30),
    benchmark="SPY",
    universe={"symbols": ("AAPL", "AIG", "FB", "GOOG", "GOOGL", "IBM")},
    strategies={"momentum": {"params": EAGER}},
    sizing={"max_position": 0.1},
    risk={"max_portfolio_exposure": 0.8, "max_sector_exposure": 0.8},
)
"""Splits (GOOGL 2:1 on 2014-04-03, AAPL 7:1 on 2014-06-09), a new listing (GOOG), dividends, a regime."""


@dataclass(frozen=True)
class Walked:
    """A book that was walked in one backfill; ``first`` to ``last`` is what tests look at."""

    book: BookConfig
    first: date
    last: date
    market: Market

    @property
    def lake(self) -> Lake:
        return self.market.lake


@pytest.fixture(scope="session")
def sample_market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """The whole offline sample, ingested."""
    made = market(tmp_path_factory.mktemp("sample"))
    made.ingest(DEMO)
    return made


@pytest.fixture(scope="session")
def lean_market(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Market:
    """Market data of the book ``LEAN``."""
    made = market(tmp_path_factory.mktemp("lean"), "lean", folder=str(shared_data / "lean"))
    made.ingest(LEAN)
    return made


@pytest.fixture
def sample_copy(sample_market: Market, tmp_path: Path) -> Market:
    """The sample in a lake of the test's own."""
    return sample_market.copy(tmp_path)


@pytest.fixture
def lean_copy(lean_market: Market, tmp_path: Path) -> Market:
    """The LEAN data in a lake of the test's own."""
    return lean_market.copy(tmp_path)


@pytest.fixture(scope="session")
def demo_walked(sample_market: Market, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """The demonstration book over AAPL's 2:1 split of 2005-02-28, which it holds."""
    made = sample_market.copy(tmp_path_factory.mktemp("demo"))
    backfill(made.lake, DEMO, DEMO.start, date(2005, 3, 15))
    return Walked(DEMO, date(2005, 2, 1), date(2005, 3, 15), made)


@pytest.fixture(scope="session")
def lean_walked(lean_market: Market, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """The LEAN book over AAPL's 7:1 split of 2014-06-09 and dividends, which it holds."""
    made = lean_market.copy(tmp_path_factory.mktemp("lean"))
    backfill(made.lake, LEAN, LEAN.start, date(2014, 6, 13))
    return Walked(LEAN, date(2014, 5, 1), date(2014, 6, 13), made)


@pytest.fixture(params=["demo", "lean"])
def walked(request: pytest.FixtureRequest) -> Walked:
    """Both walked books in turn."""
    found: Walked = request.getfixturevalue(f"{request.param}_walked")
    return found
