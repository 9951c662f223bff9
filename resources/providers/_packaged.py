"""What providers share that speak through a package of their own instead of the desk's client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

from resources.http import HttpSettings, reached
from resources.providers import _frames
from resources.providers.base import Answer, Capabilities, Request, Unsupported, require_timeframe
from resources.raw_answers import RawAnswers, RawRequest

S = TypeVar("S", bound=HttpSettings)


class PackagedProvider(ABC, Generic[S]):
    """Provider over a package: one symbol after another, its answers kept raw as they come over the wire."""

    name: ClassVar[str]
    Settings: ClassVar[type[Any]]
    capabilities: ClassVar[Capabilities]
    package: ClassVar[tuple[str, str, str]]
    """Its module, its name on the package index, and the extra that brings it."""

    def __init__(self, settings: S) -> None:
        self.settings = settings
        self.store: RawAnswers | None = None

    def keep_answers(self, store: RawAnswers | None) -> None:
        """Keep every answer in a store from now on; None ends it."""
        self.store = store

    def health(self) -> str:
        """Whether the package is there and the address answers."""
        _frames.optional(self.package[0], self.name, *self.package[1:])
        return reached(self.settings.base_url)

    def symbols(self) -> list[str]:
        """Empty: such a service has no list of what it serves."""
        return []

    def fetch(self, request: Request) -> Answer:
        """Bars, corporate actions and instruments; see :class:`resources.providers.base.Provider`."""
        require_timeframe(self, request)
        if self.store is not None and self.store.only:
            raise Unsupported(
                self.name, "its package cannot read kept answers again", remedy="ask without --kept"
            )
        return _frames.joined([self.one(symbol, request) for symbol in request.symbols])

    @abstractmethod
    def one(self, symbol: str, request: Request) -> Answer:
        """Answer for one of the symbols of a request."""

    def ticker(self, symbol: str) -> str:
        """What the service calls a symbol."""
        return self.settings.tickers.get(symbol, symbol)

    def keep(self, asked: RawRequest, body: bytes) -> None:
        """Keep an answer, where answers are kept."""
        if self.store is not None:
            self.store.put(asked, body)
