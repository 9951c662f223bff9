"""How a book trades: by older stock tables, by strategies, by both, or by the wheel alone."""

from __future__ import annotations

import json
from typing import Literal

from trading.book import BookConfig, StrategyConfig

ExecutionMode = Literal["wheel_only", "legacy", "framework", "hybrid"]


def execution_mode(book: BookConfig) -> ExecutionMode:
    """Mode of a book, found from what it holds; the wheel runs in each of them when enabled."""
    framework = _framework(book)
    if book.stocks:
        return "hybrid" if framework else "legacy"
    return "framework" if framework else "wheel_only"


def overlaps(book: BookConfig) -> dict[str, tuple[str, ...]]:
    """Symbols that several enabled strategies trade, each with the strategies.

    A strategy without symbols of its own trades the universe; where the universe names none either, it
    trades every symbol that another strategy names.
    """
    enabled = {name: strategy for name, strategy in book.strategies.items() if strategy.enabled}
    named = {symbol for strategy in enabled.values() for symbol in strategy.symbols}
    everything = named | set(book.universe.symbols)
    traded = {
        name: set(strategy.symbols) or set(book.universe.symbols) or everything
        for name, strategy in enabled.items()
    }
    by_symbol = {
        symbol: tuple(sorted(name for name, symbols in traded.items() if symbol in symbols))
        for symbol in sorted(everything)
    }
    return {symbol: names for symbol, names in by_symbol.items() if len(names) > 1}


def migration(book: BookConfig) -> str:
    """Older stock tables as strategies, in TOML that may replace ``[stocks]``; empty when there are none."""
    tables = []
    for symbol, stock in book.stocks.items():
        name = f"bx_trender_{symbol}"
        tables.append(
            f"[strategies.{_key(name)}]\n"
            'key = "bx_trender"\n'
            f"symbols = [{json.dumps(symbol)}]\n"
            f"params = {{ shares = {stock.shares:g} }}\n"
        )
    return "\n".join(tables)


def _framework(book: BookConfig) -> dict[str, StrategyConfig]:
    older = {"wheel"} if book.wheel.enabled else set()
    older |= {f"bx_trender_{symbol}" for symbol in book.stocks}
    return {
        name: strategy for name, strategy in book.strategies.items() if strategy.enabled and name not in older
    }


def _key(name: str) -> str:
    """Key as TOML writes it: quoted unless it is bare."""
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else json.dumps(name)
