"""Which function answers which request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from resources.gateway.service.session import Session
from resources.gateway.wire.layout.fields import Values

if TYPE_CHECKING:
    from resources.gateway.service.hub import Hub

Handler = Callable[["Hub", Session, Values], None]

HANDLERS: dict[str, Handler] = {}
"""Handlers by the name of their request."""


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Register a function as the handler of requests."""

    def register(handler: Handler) -> Handler:
        for name in names:
            HANDLERS[name] = handler
        return handler

    return register
