"""Strategies are found by key, by entry point and by class, and a book's mistakes are told at once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading.book import StrategyConfig
from trading.history import History
from trading.strategies.base import Strategy, StrategyError
from trading.strategies.momentum.strategy import Momentum
from trading.strategies.registry import BUILT_IN, available, load, load_all

OWN = """
import polars as pl
from pydantic import BaseModel

from trading.indicators import Indicator
from trading.rules import ExitRule, Rules


class Cross:
    class Parameters(BaseModel):
        fast: int = 3
        slow: int = 8

    def indicators(self):
        return {"slow": Indicator("simple_moving_average", window=self.parameters.slow)}

    def signals(self, frame):
        fast = pl.col("close").rolling_mean(self.parameters.fast).over("symbol")
        return frame.with_columns(entry=fast > pl.col("slow"), exit=fast < pl.col("slow"))


class Bare:
    def signals(self, frame):
        return frame.with_columns(weight=0.1)


class Given:
    timeframes = ("1h",)
    type = "hedging"
    cross_sectional = False

    def rules(self):
        return Rules(exits={"stock": ExitRule(trailing_activation=0.0, trailing_distance=0.05)})

    def __init__(self, parameters):
        self.seen = parameters

    def signals(self, frame):
        return frame.with_columns(entry=True)


class Broken:
    def __init__(self):
        raise RuntimeError("no licence")

    def signals(self, frame):
        return frame


class Nothing:
    pass


class BadModel:
    Parameters = dict

    def signals(self, frame):
        return frame
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, with a module of the user's own in it."""
    (tmp_path / "own_strategies.py").write_text(OWN)
    (tmp_path / "half_module.py").write_text("import no_such_library\n")
    (tmp_path / "bad_module.py").write_text("raise KeyError('x')\n")
    monkeypatch.chdir(tmp_path)
    path, loaded = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - loaded:
        if name in {"own_strategies", "offered_strategies"}:
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.mark.parametrize("key", BUILT_IN)
def test_built_ins_by_key_or_by_the_name_of_the_section(key: str) -> None:
    by_key = load(StrategyConfig(key=key), "any name")
    by_name = load(StrategyConfig(), key)
    assert isinstance(by_key, Strategy)
    assert type(by_key) is type(by_name)
    assert by_key.key == key


def test_parameters_reach_the_strategy() -> None:
    made = load(StrategyConfig(key="momentum", params={"entry": {"rsi_max": 65}}), "m")
    assert isinstance(made, Momentum)
    assert made.parameters.entry.rsi_max == 65
    assert made.parameters.entry.rsi_min == 50


def test_a_class_in_the_current_directory(folder: Path, sample: History) -> None:
    path = list(sys.path)
    made = load(StrategyConfig.model_validate({"class": "own_strategies:Cross", "params": {"fast": 5}}), "x")
    assert sys.path == path, "the path is left as it was"
    found = made.research(sample, (1000, 1100)).signals
    assert found.height > 100
    assert '"slow":' in found["indicators"][0]
    bare = load(StrategyConfig.model_validate({"class": "own_strategies:Bare"}), "x")
    assert set(bare.research(sample, (1000, 1001)).signals["weight"]) == {0.1}
    assert str(folder) not in sys.path


def test_a_class_that_takes_its_parameters(folder: Path) -> None:
    made = load(StrategyConfig.model_validate({"class": "own_strategies:Given"}), "x", timeframe="1h")
    assert isinstance(made, Strategy)
    assert (made.type, made.timeframes, made.cross_sectional) == ("hedging", ("1h",), False)
    assert made.rules().exit_rule("stock").trailing_distance == 0.05


def test_an_entry_point_of_another_package(folder: Path) -> None:
    (folder / "offered_strategies.py").write_text(OWN)
    info = folder / "offered-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[desk.strategies]\nbare = offered_strategies:Bare\nturtle = offered_strategies:Bare\n"
    )
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    assert available()["bare"] == "offered_strategies:Bare"
    assert available()["turtle"] == BUILT_IN["turtle"], "a built-in cannot be replaced"
    assert isinstance(load(StrategyConfig(key="bare"), "x"), Strategy)


def refused(config: dict[str, object], name: str = "mine") -> str:
    with pytest.raises(StrategyError) as caught:
        load(StrategyConfig.model_validate(config), name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"key": "momentun"},
            "strategy 'momentun' is not known; known are bollinger_breakout, ",
        ),
        ({}, "strategies.mine: strategy 'mine' is not known"),
        ({"class": "no_such_module:X"}, "strategies.mine.class: no module no_such_module in "),
        ({"class": "own_strategies.deep:X"}, "strategies.mine.class: no module own_strategies.deep"),
        ({"class": "half_module:X"}, "strategies.mine.class: half_module needs the module no_such_library"),
        ({"class": "bad_module:X"}, "strategies.mine.class: importing bad_module raised KeyError: 'x'"),
        (
            {"class": "own_strategies:Crss"},
            "own_strategies has no class Crss; strategies in it: Cross, Bare, Given, Broken, BadModel",
        ),
        ({"class": "own_strategies:Nothing"}, "Nothing has no method signals(self, frame)"),
        ({"class": "own_strategies:BadModel"}, "BadModel.Parameters must be a pydantic model"),
        ({"class": "own_strategies:Broken"}, "making it raised RuntimeError: no licence"),
        ({"class": "own_strategies:Given"}, "strategies.mine: timeframe 1d is not supported; it works on 1h"),
        (
            {"key": "turtle", "params": {"entry": 3}},
            "params.entry: unknown parameter; known are entry_w",
        ),
        (
            {"key": "momentum", "params": {"scanner": {"rsi": 3}}},
            "mine.params.scanner.rsi: unknown parameter; known are stock_min_market_cap",
        ),
        (
            {"key": "turtle", "params": {"entry_window": 0}},
            "entry_window: Input should be greater than",
        ),
        ({"key": "turtle", "params": {"entry_window": 0}}, "(given 0)"),
        (
            {"key": "sma_cross", "params": {"fast": 60}},
            "mine.params: fast 60 must be below slow 50",
        ),
        (
            {"class": "own_strategies:Bare", "params": {"a": 1}},
            "params.a: unknown parameter; known are none",
        ),
        (
            {"key": "momentum", "params": {"entry": {"rsi_min": 80}}},
            "strategies.mine.params.entry: rsi_min 80 lies above rsi_max 70",
        ),
    ],
)
def test_what_cannot_be_loaded(folder: Path, config: dict[str, object], message: str) -> None:
    assert message in refused(config)


def test_every_problem_of_a_book_is_told_at_once() -> None:
    configs = {
        "a": StrategyConfig(key="nothing"),
        "b": StrategyConfig(key="momentum", params={"entry": {"mode": "some", "rsi_max": 200}, "exits": 1}),
        "c": StrategyConfig(key="turtle"),
        "off": StrategyConfig(key="also nothing", enabled=False),
    }
    with pytest.raises(StrategyError) as caught:
        load_all(configs)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "strategies.a",
        "strategies.b.params.entry.mode",
        "strategies.b.params.entry.rsi_max",
        "strategies.b.params.exits",
    ]
    assert list(load_all({"c": configs["c"], "off": configs["off"]})) == ["c"]
