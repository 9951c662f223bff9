"""Prices and time."""
