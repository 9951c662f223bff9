"""A lake, and the folder of recorded files."""

from __future__ import annotations

from pathlib import Path

import pytest

from delta import Lake, Provenance, create_lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return create_lake(str(tmp_path / "lake"))


@pytest.fixture(scope="session")
def run() -> Provenance:
    return Provenance("run-1", "market", "1")
