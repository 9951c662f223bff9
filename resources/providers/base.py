"""What every market data provider offers: one request, one answer, typed errors.

A provider is one file in this folder whose module attribute ``PROVIDER`` is a class that follows
:class:`Provider`. It returns raw prices and says what it can serve; priority, fallback, quality checks
and writing are the business of others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, Protocol

import polars as pl

from delta.contracts import Bars, CorporateActions, Instruments, Table
from trading.configuration import Model


def _without(table: type[Table], *left_out: str) -> pl.Schema:
    return pl.Schema({name: dtype for name, dtype in table.schema().items() if name not in left_out})


BARS = _without(Bars, "known_at", "flags")
CORPORATE_ACTIONS = _without(CorporateActions, "known_at", "withdrawn", "reason")
INSTRUMENTS = _without(Instruments, "known_at")


@dataclass(frozen=True)
class Capabilities:
    """What a provider can serve.

    Attributes
    ----------
    asset_classes, timeframes : tuple of str
        As in the tables ``instruments`` and ``bars``.
    corporate_actions : bool
        Whether splits and dividends come with the bars.
    chains : bool
        Whether it serves option chains.
    needs_key : str, optional
        Environment variable that holds the key; None: the provider is free of keys.
    """

    asset_classes: tuple[str, ...]
    timeframes: tuple[str, ...] = ("1d",)
    corporate_actions: bool = False
    chains: bool = False
    needs_key: str | None = None


@dataclass(frozen=True)
class Request:
    """Bars of some symbols from the first to the last session, both included.

    Attributes
    ----------
    asset_class : str
        Class of the symbols, where the one who asks knows it: it describes what no provider describes.
    """

    symbols: tuple[str, ...]
    first: date
    last: date
    timeframe: str = "1d"
    asset_class: str = ""

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"request: the last session {self.last} lies before the first {self.first}")
        if not self.symbols:
            raise ValueError("request: no symbols named; name at least one")


@dataclass(frozen=True)
class Answer:
    """What a provider returned, in the columns of the tables without ``known_at`` (and ``flags``).

    Attributes
    ----------
    bars : polars.DataFrame
        Schema :data:`BARS`: raw prices; in the order the source gave them, faults included.
    corporate_actions, instruments : polars.DataFrame
        Schemas :data:`CORPORATE_ACTIONS` and :data:`INSTRUMENTS`; empty where the source has none.
    """

    bars: pl.DataFrame = field(default_factory=BARS.to_frame)
    corporate_actions: pl.DataFrame = field(default_factory=CORPORATE_ACTIONS.to_frame)
    instruments: pl.DataFrame = field(default_factory=INSTRUMENTS.to_frame)


class Settings(Model):
    """Base of a provider's settings: the keys that a ``[providers.<name>]`` section may hold."""


class Provider(Protocol):
    """A source of market data.

    ``Settings`` is the pydantic model of the settings; the class is constructed with one instance of it.
    Constructing does no I/O beyond looking at local paths.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    Settings: ClassVar[type[Any]]

    def __init__(self, settings: Any) -> None: ...

    def symbols(self) -> list[str]:
        """Symbols that can be asked for, sorted; empty where the source cannot list them."""
        ...

    def fetch(self, request: Request) -> Answer:
        """Bars, corporate actions and instruments of a request.

        Raises
        ------
        ProviderError
            When any symbol cannot be served; nothing is left out silently.
        """
        ...


class ProviderError(RuntimeError):
    """A provider could not answer: one line that names provider, symbol and what to do.

    Parameters
    ----------
    provider : str
        Name of the provider.
    problem : str
        What is wrong and where (file and line, address, range).
    symbol : str, optional
        Symbol asked for.
    remedy : str, optional
        What the user can do.
    """

    def __init__(self, provider: str, problem: str, *, symbol: str | None = None, remedy: str = "") -> None:
        self.provider = provider
        self.problem = problem
        self.symbol = symbol
        self.remedy = remedy
        head = provider if symbol is None else f"{provider}: {symbol}"
        super().__init__(f"{head}: {problem}" + (f"; {remedy}" if remedy else ""))


class UnknownProvider(ProviderError):  # noqa: N818
    """There is no provider of this name."""


class UnknownSymbol(ProviderError):  # noqa: N818 - named by what happened, as a reader would say it
    """The provider does not know the symbol."""


class NoData(ProviderError):  # noqa: N818
    """The provider knows the symbol but has no bars in the range."""


class BadKey(ProviderError):  # noqa: N818
    """The key is missing or refused."""


class RateLimited(ProviderError):  # noqa: N818
    """The provider asks to come back later.

    Attributes
    ----------
    retry_after : float or None
        Seconds to wait, where the provider says so.
    """

    retry_after: float | None = None


class MalformedAnswer(ProviderError):  # noqa: N818
    """The answer cannot be read; the problem names the file or address and the line."""


class Unreachable(ProviderError):  # noqa: N818
    """The provider could not be reached."""


class Unsupported(ProviderError):  # noqa: N818
    """The provider does not serve this timeframe or asset class."""


def require_timeframe(provider: Provider, request: Request) -> None:
    """Refuse a timeframe that the provider does not serve."""
    if request.timeframe not in provider.capabilities.timeframes:
        served = ", ".join(provider.capabilities.timeframes)
        raise Unsupported(provider.name, f"no {request.timeframe} bars", remedy=f"it serves {served}")
