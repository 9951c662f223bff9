"""Histories that strategy tests share: the real sample, and built ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pytest

from resources.calendar import sessions
from resources.providers.base import Request
from resources.providers.sample import Sample
from trading.history import History, history_from_frames

Build = Callable[..., History]


@pytest.fixture(scope="session")
def sample() -> History:
    """Five real stocks, 2000 to 2013, with their splits and dividends."""
    provider = Sample()
    first, last = date(2000, 3, 1), date(2013, 3, 1)
    answer = provider.fetch(Request(tuple(provider.symbols()), first, last))
    return history_from_frames(
        answer.bars, answer.corporate_actions, answer.instruments, sessions("XNYS", first, last)
    )


def built(
    closes: Mapping[str, Any],
    volumes: Mapping[str, Any] | None = None,
    asset_class: Mapping[str, str] | None = None,
    skip: Mapping[str, int] | None = None,
    start: str = "2020-01-01",
) -> History:
    """History of the given closes on consecutive days; ``skip`` leaves a symbol's first days out.

    Highs and lows lie 1 % around the close; volume is 10 million where none is given.
    """
    names = tuple(sorted(closes))
    skip = skip or {}
    length = max(len(closes[name]) + skip.get(name, 0) for name in names)
    flat = {name: np.asarray(closes[name], dtype=float) for name in names}
    close = np.concatenate([flat[name] for name in names])
    volume = np.concatenate(
        [np.asarray((volumes or {}).get(name, np.full(len(flat[name]), 1e7)), dtype=float) for name in names]
    )
    index = np.concatenate([np.arange(len(flat[name])) + skip.get(name, 0) for name in names])
    return History(
        sessions=np.datetime64(start, "D") + np.arange(length),
        symbols=names,
        offsets=np.concatenate([[0], np.cumsum([len(flat[name]) for name in names])]).astype(np.int64),
        session_index=index.astype(np.int32),
        open=close.copy(),
        high=close * 1.01,
        low=close * 0.99,
        close=close,
        volume=volume,
        price_factor=np.ones(len(close)),
        split_factor=np.ones(len(close)),
        asset_class=tuple((asset_class or {}).get(name, "stock") for name in names),
        sector=(None,) * len(names),
    )


@pytest.fixture(scope="session")
def build() -> Build:
    """The function :func:`built`."""
    return built


@pytest.fixture(scope="session")
def walk() -> Callable[..., np.ndarray]:
    """Random closes with a drift."""

    def closes(seed: int, length: int, drift: float = 0.001, noise: float = 0.02) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return 40 * np.exp(np.cumsum(rng.normal(drift, noise, length)))

    return closes


@pytest.fixture(scope="session")
def busy(build: Build, walk: Callable[..., np.ndarray]) -> History:
    """Thirty rising names with uneven volume, some listed late: many candidates, entries and failures."""
    closes = {f"S{i:02d}": walk(i, 420 - 7 * (i % 5), 0.002) for i in range(30)}
    volumes = {
        name: np.round(1e6 * np.exp(np.random.default_rng(i + 99).normal(0, 0.7, len(close))))
        for i, (name, close) in enumerate(closes.items())
    }
    return build(closes, volumes, skip={name: 420 - len(close) for name, close in closes.items()})
