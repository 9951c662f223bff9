"""Values as cells: money, prices, percentages, counts, dates and text.

None, NaN and infinities show as a dash, so that no format ever raises. Fractions come in as fractions:
0.05 shows as 5.00 %.
"""

from __future__ import annotations

import math
import unicodedata
from datetime import date

from trading.reporting.document import Cell, Tone

NOTHING = Cell("–", "dim")

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}

_CONTROL = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def clean(text: str) -> str:
    """Text in one line, without control and formatting characters (a terminal would obey them)."""
    kept = "".join(" " if unicodedata.category(letter) in _CONTROL else letter for letter in text)
    return " ".join(kept.split())


def words(text: object, tone: Tone = "plain") -> Cell:
    """Text from outside; a dash for None and for nothing."""
    cleaned = clean(str(text)) if text is not None else ""
    return Cell(cleaned, tone) if cleaned else NOTHING


def number(value: float | None, decimals: int = 2, *, signed: bool = False, after: str = "") -> Cell:
    """Return a number with thousands separators; a signed one shows its sign and takes its tone."""
    if value is None or not math.isfinite(value):
        return NOTHING
    rounded = round(value, decimals) + 0.0  # no minus sign on what rounds to zero
    text = f"{rounded:{'+' if signed and rounded else ''},.{decimals}f}{after}"
    return Cell(text, _tone(rounded) if signed else "plain")


def money(value: float | None, currency: str, *, signed: bool = False) -> Cell:
    """Cash to the cent: ``$1,234.50``, ``-$3.20`` or ``+12.00 CHF``."""
    cell = number(value, 2, signed=signed)
    if cell is NOTHING:
        return cell
    sign, digits = (cell.text[0], cell.text[1:]) if cell.text[0] in "+-" else ("", cell.text)
    symbol = SYMBOLS.get(currency)
    return Cell(f"{sign}{symbol}{digits}" if symbol else f"{sign}{digits} {clean(currency)}", cell.tone)


def percent(fraction: float | None, decimals: int = 2, *, signed: bool = False) -> Cell:
    """Return a fraction as percent."""
    if fraction is None or not math.isfinite(fraction * 100):
        return NOTHING
    return number(fraction * 100, decimals, signed=signed, after=" %")


def price(value: float | None) -> Cell:
    """Price with two decimals, under 1 with four, under 0.01 with eight."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    return number(value, 2 if size >= 1 or size == 0 else 4 if size >= 0.01 else 8)


def quantity(value: float | None) -> Cell:
    """Units: whole ones without decimals, others with up to eight."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == round(value):
        return number(value, 0)
    return Cell(f"{value:,.8f}".rstrip("0").rstrip("."))


def count(value: float | None) -> Cell:
    """Return a whole number."""
    return number(value, 0)


def day(value: date | None) -> Cell:
    """Return a date, year first."""
    return NOTHING if value is None else Cell(value.isoformat())


def heat(fraction: float | None, full: float) -> Cell:
    """Return a signed percentage whose background is strongest at ``full`` and beyond."""
    cell = percent(fraction, 1, signed=True)
    if cell is NOTHING or fraction is None or full <= 0:
        return cell
    return Cell(cell.text, cell.tone, max(-1.0, min(1.0, fraction / full)))


def _tone(value: float) -> Tone:
    return "good" if value > 0 else "bad" if value < 0 else "plain"
