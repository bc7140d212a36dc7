"""Maintenance, planned and emergency (OV-29)."""
