"""A provider is found by its file alone."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from resources import providers
from resources.providers import registry
from resources.providers.base import Capabilities, ProviderError, Settings

NEW = """
from typing import ClassVar
from resources.providers.base import Answer, Capabilities, Settings

class Moon:
    name: ClassVar[str] = "moon"
    capabilities: ClassVar[Capabilities] = Capabilities(("stock",))
    Settings: ClassVar = Settings

    def __init__(self, settings):
        self.settings = settings

    def symbols(self):
        return ["CHEESE"]

    def fetch(self, request):
        return Answer()

PROVIDER = Moon
"""


@pytest.fixture
def moon(tmp_path: Path, monkeypatch):
    (tmp_path / "moon.py").write_text(NEW)
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    yield
    sys.modules.pop("resources.providers.moon", None)


def test_a_new_file_is_a_new_provider(moon):
    assert registry.provider("moon").symbols() == ["CHEESE"]
    assert "moon" in registry.available()


def test_the_offline_providers_are_there():
    assert {"sample", "lean", "files"} <= registry.available().keys()


def test_every_provider_says_what_it_serves():
    for name, each in registry.available().items():
        assert each.name == name
        assert isinstance(each.capabilities, Capabilities)
        assert issubclass(each.Settings, Settings)


def test_entry_points_of_other_packages_are_found(monkeypatch):
    class Away:
        name = "away"
        capabilities = Capabilities(("crypto",))
        Settings = Settings

        def __init__(self, settings):
            self.settings = settings

    monkeypatch.setattr(sys.modules[__name__], "Away", Away, raising=False)
    entry = EntryPoint("away", f"{__name__}:Away", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry] if group == entry.group else [])
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    assert isinstance(registry.provider("away"), Away)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ProviderError, match=r"samples: no such provider; choose one of .*sample"):
        registry.provider("samples")


def test_two_providers_of_one_name_are_refused(tmp_path, monkeypatch):
    (tmp_path / "zz_again.py").write_text(NEW.replace('"moon"', '"sample"'))
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    with pytest.raises(ProviderError, match=r"sample: both .*sample and .*zz_again claim the name"):
        registry.available()
    sys.modules.pop("resources.providers.zz_again", None)
