"""Which instruments there are, and what options are worth."""
