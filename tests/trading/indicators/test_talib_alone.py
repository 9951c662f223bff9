"""TA-Lib is loaded without pandas, which stays there for whoever wants it."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import sys
import numpy
from trading.indicators import simple_moving_average
assert "pandas" not in sys.modules
import pandas
values = simple_moving_average(numpy.array([1.0, 3.0, 5.0]), numpy.array([0, 3]), 2)
assert pandas.Series(values[1:]).tolist() == [2.0, 4.0]
"""
AFTER = """
import pandas
import talib
from trading.indicators._talib import talib as ours
assert ours is talib
assert talib.SMA(pandas.Series([1.0, 3.0]), 2).index.equals(pandas.RangeIndex(2))
"""


@pytest.mark.parametrize("program", [WITHOUT, AFTER], ids=["alone", "after pandas"])
def test_pandas_is_neither_needed_nor_hidden(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True)
