"""Buy once and hold."""

from __future__ import annotations

from datetime import date
from typing import ClassVar

import numpy as np
from pydantic import Field

from trading.history import History
from trading.strategies import rows as signal
from trading.strategies.base import (
    Parameters,
    ParametersModel,
    Research,
    Strategy,
    Window,
    anchor_index,
    no_candidates,
    window_bounds,
)


class BuyAndHoldParameters(Parameters):
    """``exposure`` is the share of equity that is spread evenly over the symbols."""

    exposure: float = Field(default=1.0, gt=0, le=1)


class BuyAndHold(Strategy):
    """Asks once for equal weights: on the anchor, of the symbols that trade on that session.

    The anchor is the book's first session, or the first after it on which anything trades. Symbols that are
    listed later are left out.
    """

    key: ClassVar[str] = "buy_and_hold"
    type: ClassVar[str] = "stocks"
    Parameters: ClassVar[ParametersModel] = BuyAndHoldParameters
    parameters: BuyAndHoldParameters

    def research(self, history: History, window: Window, anchor: date | None = None) -> Research:
        """Target weights on one session; see :meth:`trading.strategies.base.Strategy.research`."""
        first, end = window_bounds(window, len(history.sessions))
        later = history.session_index[history.session_index >= anchor_index(history, anchor)]
        if not len(later) or not first <= later.min() < end:
            return Research(signal.collected(), no_candidates())
        rows = np.flatnonzero(history.session_index == later.min())
        weights = signal.signal_rows(
            history, rows, "TARGET", weight=self.parameters.exposure / len(rows), reason="buy_and_hold"
        )
        return Research(signal.collected(weights), no_candidates())
