"""Where market data comes from: one provider a file."""

ENTRY_POINTS = "desk.providers"
"""Group of entry points in which other packages announce their providers."""
