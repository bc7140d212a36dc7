"""The report that follows an incident (OV-28)."""
