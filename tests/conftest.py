"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Examples may take long on a busy machine; what decides a landing draws the same ones every time.
settings.register_profile("desk", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("desk")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of third-party test data that is kept beside the checkout, never in it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the third-party test data is not beside this checkout")
    return folder
