"""The packages that are tested are this project's own: other distributions use the name ``delta`` too."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import delta

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["delta", "trading", "assets", "resources", "pipelines"])
def test_a_package_comes_from_this_project(name: str) -> None:
    module = importlib.import_module(name)
    assert [Path(folder).resolve() for folder in module.__path__] == [ROOT / name]


def test_every_name_of_the_package_is_there_when_it_is_asked_for() -> None:
    assert {name: hasattr(delta, name) for name in delta.__all__} == dict.fromkeys(delta.__all__, True)
    with pytest.raises(AttributeError, match="module 'delta' has no attribute 'raed'"):
        delta.raed  # type: ignore[attr-defined]  # noqa: B018  the mistake
