"""TA-Lib, loaded without pandas.

The package imports pandas where it is installed, only to know its series: that takes longer than everything
else a command imports. Here it meets an environment without pandas, which it supports.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType


def _loaded() -> ModuleType:
    if "pandas" in sys.modules:
        return import_module("talib")
    sys.modules["pandas"] = None  # type: ignore[assignment]  # the import system's word for "not there"
    try:
        return import_module("talib")
    finally:
        del sys.modules["pandas"]


talib = _loaded()
