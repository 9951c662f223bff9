"""Orders: taking them, keeping them, and letting the market work them."""
