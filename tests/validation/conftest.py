"""Lakes with real prices, made once; validation only reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.assets.conftest import LEAN
from tests.assets.walks import DEMO, Market, market


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """The whole offline sample."""
    made = market(tmp_path_factory.mktemp("sample"))
    made.ingest(DEMO)
    return made


@pytest.fixture(scope="session")
def lean(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Market:
    """Market data of the book ``LEAN``."""
    made = market(tmp_path_factory.mktemp("lean"), "lean", folder=str(shared_data / "lean"))
    made.ingest(LEAN)
    return made
