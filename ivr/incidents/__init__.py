"""Incidents: from first doubt to report, one text per stage (OV-10, OV-26 to OV-29)."""
