"""Telephone numbers: normalised, checked before a call back, and classed by calling right. Pure."""
