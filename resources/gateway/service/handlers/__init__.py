"""What the gateway does on each request."""

from __future__ import annotations

from resources.gateway.service.handlers import (
    accounts,
    advisor,
    history,
    market_data,
    news,
    options,
    orders,
    reference,
)
from resources.gateway.service.handlers.registry import HANDLERS

__all__ = [
    "HANDLERS",
    "accounts",
    "advisor",
    "history",
    "market_data",
    "news",
    "options",
    "orders",
    "reference",
]
