"""Slippage models, one a file, and the factory that a book's configuration chooses one with."""

from __future__ import annotations

from trading.book import SlippageConfig
from trading.slippage.base import Slippage
from trading.slippage.fixed import FixedSlippage
from trading.slippage.none import NoSlippage
from trading.slippage.percent import PercentSlippage
from trading.slippage.square_root import SquareRootSlippage
from trading.slippage.volume_share import VolumeShareSlippage

__all__ = [
    "FixedSlippage",
    "NoSlippage",
    "PercentSlippage",
    "Slippage",
    "SquareRootSlippage",
    "VolumeShareSlippage",
    "slippage_model",
]


def slippage_model(config: SlippageConfig) -> Slippage:
    """Model that a configuration names; ``value`` is its amount, share, impact or coefficient."""
    match config.model:
        case "none":
            return NoSlippage()
        case "fixed":
            return FixedSlippage(config.value)
        case "percent":
            return PercentSlippage(config.value)
        case "volume_share":
            return VolumeShareSlippage(config.value, config.volume_limit)
        case "square_root":
            return SquareRootSlippage(config.value)
