"""Quality checks of market data before it is written: what blocks a symbol and what is only flagged.

Blocking rules find rows that cannot be right; nothing of their symbol is written and the rows are kept
aside with the reason. Warnings find rows that are odd but may be true; they are written and flagged.
"""

from trading.quality.bars import Verdict, check_bars
from trading.quality.reference import check_actions, currency_changes, disagreements

__all__ = ["Verdict", "check_actions", "check_bars", "currency_changes", "disagreements"]
