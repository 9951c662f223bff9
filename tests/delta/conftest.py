"""What the tests of the lake share: an empty lake, and helpers that subprocesses import too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import delta

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def lake(tmp_path: Path) -> delta.Lake:
    return delta.create_lake(tmp_path / "lake")
