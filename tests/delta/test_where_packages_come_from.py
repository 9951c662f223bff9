"""The packages that are tested are this project's own: other distributions use the name ``delta`` too."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["delta", "trading", "assets", "resources", "pipelines"])
def test_a_package_comes_from_this_project(name: str) -> None:
    module = importlib.import_module(name)
    assert [Path(folder).resolve() for folder in module.__path__] == [ROOT / name]
