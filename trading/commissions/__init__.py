"""Commission models, one a file, and the factory that a book's configuration chooses one with."""

from __future__ import annotations

from trading.book import CommissionConfig
from trading.commissions.base import Commission
from trading.commissions.ib_fixed import InteractiveBrokersFixed
from trading.commissions.ib_tiered import InteractiveBrokersTiered
from trading.commissions.none import NoCommission
from trading.commissions.percent import PercentCommission

__all__ = [
    "Commission",
    "InteractiveBrokersFixed",
    "InteractiveBrokersTiered",
    "NoCommission",
    "PercentCommission",
    "commission_model",
]


def commission_model(config: CommissionConfig) -> Commission:
    """Model that a configuration names; ``value`` is the share, or the month's shares of ``ib_tiered``."""
    match config.model:
        case "none":
            return NoCommission()
        case "percent":
            return PercentCommission(config.value)
        case "ib_fixed":
            return InteractiveBrokersFixed()
        case "ib_tiered":
            return InteractiveBrokersTiered(config.value)
